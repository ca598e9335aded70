//! session-terminate and its reasons (docs/protocol/02 §11.2).

use super::types::EndReason;
use crate::wire::jingle::{Action, Jingle, Reason};

/// The request.
pub(super) fn request(sid: &str, initiator: &str, condition: &str, text: &str) -> String {
    let mut j = Jingle::new(Action::SessionTerminate, sid);
    j.initiator = Some(initiator);
    j.reason = Some(Reason { condition, text: text.into() });
    j.to_xml()
}

/// What the peer is told; `None` when nothing is sent.
pub(super) fn words(reason: &EndReason) -> Option<(&'static str, &'static str)> {
    Some(match reason {
        EndReason::NotWanted => ("success", "Turning off P2P session"),
        EndReason::IceFailed => ("connectivity-error", "ICE FAILED"),
        EndReason::SourcesChanged => ("connectivity-error", "P2P SSRC regeneration"),
        EndReason::MediaFailed | EndReason::HandshakeFailed => ("failed-transport", ""),
        EndReason::NotAnswered => ("timeout", ""),
        EndReason::BadDescription(text) => ("incompatible-parameters", text),
        EndReason::PeerLeft
        | EndReason::Left
        | EndReason::Peer { .. }
        | EndReason::Replaced
        | EndReason::Restarting => return None,
    })
}

/// What the other side said.
pub(super) fn reason(j: &Jingle<'_>) -> EndReason {
    let r = j.reason.as_ref();
    let condition = r.map_or("", |r| r.condition).to_owned();
    EndReason::Peer { condition, text: r.map_or(String::new(), |r| r.text.to_string()) }
}
