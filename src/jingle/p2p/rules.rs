//! When two participants talk without the bridge, and who begins (docs/protocol/02 §14.1–14.2, §14.5).

use crate::jingle::types::{Conference, JingleConfig, Participant};
use crate::wire::Jid;

/// The participant to talk to directly, when the room is such.
pub(in crate::jingle) fn eligible<'c>(c: &'c Conference, config: &JingleConfig) -> Option<&'c Participant> {
    let own = c.own.as_ref()?;
    let [peer] = &c.participants[..] else { return None };
    let suits = !peer.jigasi && !peer.poltergeist && peer.jid != *own && peer.jid.resource().is_some();
    (suits && config.p2p && !c.visitors && !c.needs_bridge).then_some(peer)
}

/// The smaller endpoint id begins.
pub(in crate::jingle) fn we_initiate(own: &Jid, peer: &Jid) -> bool {
    own.resource() < peer.resource()
}

/// A start waits when it follows on something that ended, so that a room in motion does not flap; a join starts at once.
pub(in crate::jingle) fn start_is_delayed(before: &Conference) -> bool {
    before.participants.len() > 1 || before.visitors || before.needs_bridge
}

/// Why a session-initiate of a peer is refused: the condition and the text of the session-terminate.
pub(in crate::jingle) fn refusal(
    from: &Jid,
    contents_are_p2p: bool,
    have_session: bool,
    c: &Conference,
    config: &JingleConfig,
) -> Option<(&'static str, &'static str)> {
    if !contents_are_p2p || !config.p2p {
        return Some(("decline", "P2P disabled"));
    }
    if have_session {
        return Some(("busy", "P2P already in progress"));
    }
    if eligible(c, config).is_none_or(|p| p.jid != *from) {
        return Some(("decline", "P2P requirements not met"));
    }
    None
}
