//! Which requests are refused before anything is done, in the protocol's order (docs/protocol/02 §3.2, §4).

use super::error::IqRefusal;
use super::types::Conference;
use crate::wire::Jid;
use crate::wire::jingle::Action;

/// The text that an impostor gets (docs/protocol/02 §5.4).
pub(super) const NOT_THE_FOCUS: &str = "Rejecting session-initiate from non-focus.";

/// Whose session-initiate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offerer {
    /// The focus, whose session is with the bridge.
    Focus,
    /// Calls itself focus and is not.
    Impostor,
    Peer,
}

/// Steps 1 to 4 and 6: `peer` is that of the session with the request's sid.
pub(super) fn refusal(peer: Option<&Jid>, from: &Jid, action: Action<'_>, sid: &str) -> Option<IqRefusal> {
    match (action, peer) {
        (Action::SessionInitiate, Some(_)) => Some(IqRefusal::DuplicateSession),
        (Action::SessionInitiate, None) => sid.is_empty().then_some(IqRefusal::UnknownAction),
        (_, None) => Some(IqRefusal::UnknownSession),
        (_, Some(peer)) if peer != from => Some(IqRefusal::UnknownSession),
        (Action::Other(_) | Action::SessionInfo | Action::TransportAccept | Action::TransportReject, Some(_)) => {
            Some(IqRefusal::UnknownAction)
        }
        _ => None,
    }
}

/// Tells a bridge session from one with a peer: by the resource, which is exactly `focus` (docs/protocol/02 §1.1).
pub(super) fn offerer(from: &Jid, c: &Conference) -> Offerer {
    if c.focus.as_ref() == Some(from) {
        Offerer::Focus
    } else if from.resource() == Some("focus") {
        Offerer::Impostor
    } else {
        Offerer::Peer
    }
}
