//! Going out, by our own will or another's; docs/protocol/03 §9.1–9.3.

use super::error::RoomError;
use crate::wire::muc::MucUser;
use crate::wire::{Jid, XmlWriter};
use std::time::Duration;

/// How long the room may take to confirm that we left (default 5 s).
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Status codes by which the service removes an occupant: ban, affiliation lost, members only, shutdown, technical.
const REMOVALS: [u16; 5] = [301, 321, 322, 332, 333];

/// The presence that leaves.
pub(super) fn unavailable(occupant: &Jid) -> String {
    let mut w = XmlWriter::stanza("presence");
    w.attr("type", "unavailable").attr("to", occupant.as_str());
    w.finish()
}

/// Why an unavailable presence of our own came, if not because we left. None when it gives no reason.
pub(super) fn removal(user: &MucUser, status_text: &str) -> Option<RoomError> {
    if let Some(d) = &user.destroy {
        return Some(RoomError::Destroyed { alternative: d.alternative.clone(), reason: d.reason.clone() });
    }
    let (by, reason) = user.item.as_ref().map_or(("", ""), |i| (&i.actor, &i.reason));
    if user.has(307) && !user.has(333) {
        return Some(RoomError::Kicked { by: by.to_owned(), reason: reason.to_owned() });
    }
    let status = REMOVALS.into_iter().find(|s| user.has(*s))?;
    let reason = if reason.is_empty() { status_text } else { reason };
    Some(RoomError::Removed { status, reason: reason.to_owned() })
}
