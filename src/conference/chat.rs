//! Texts on their way to the room; docs/protocol/03 §11.1–11.3. A group message is done when the room reflects it. A private one, which
//! nobody reflects, is done when the room has answered a ping that was sent after it: by then a refusal has come.

use super::error::RoomError;
use crate::Time;
use crate::wire::{XmlWriter, ns};
use std::collections::VecDeque;
use std::time::Duration;

/// Longest text that is sent, bytes of UTF-8 (default 64 KiB).
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Messages that may wait for their reflection (default 1024).
pub const MAX_PENDING_MESSAGES: usize = 1024;
/// How long the room may take to reflect a message (default 30 s).
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

/// The payload that is sent behind a private message (XEP-0199).
pub(super) fn ping() -> String {
    let mut w = XmlWriter::new();
    w.open("ping", ns::PING);
    w.finish()
}

#[derive(Debug)]
struct Pending {
    request: u64,
    id: String,
    /// Of the ping behind a private message.
    ping: Option<u64>,
    deadline: Time,
}

/// The messages that wait.
#[derive(Debug, Default)]
pub(super) struct Chat {
    /// In order of sending, so also of deadlines.
    pending: VecDeque<Pending>,
}

impl Chat {
    /// Whether a text of this length may be sent now.
    pub(super) fn check(&self, text: &str) -> Result<(), RoomError> {
        if text.is_empty() || text.len() > MAX_MESSAGE_BYTES {
            return Err(RoomError::MessageSize(text.len()));
        }
        if self.pending.len() >= MAX_PENDING_MESSAGES {
            return Err(RoomError::TooManyRequests);
        }
        Ok(())
    }

    /// A group message was sent.
    pub(super) fn sent(&mut self, request: u64, id: String, now: Time) {
        self.pending.push_back(Pending { request, id, ping: None, deadline: now + MESSAGE_TIMEOUT });
    }

    /// A private message was sent, and a ping behind it.
    pub(super) fn sent_private(&mut self, request: u64, id: String, ping: u64, now: Time) {
        self.pending.push_back(Pending { request, id, ping: Some(ping), deadline: now + MESSAGE_TIMEOUT });
    }

    /// The ping of this token was answered: the request of the message before it.
    pub(super) fn overtaken(&mut self, ping: u64) -> Option<u64> {
        let at = self.pending.iter().position(|p| p.ping == Some(ping))?;
        self.pending.remove(at).map(|p| p.request)
    }

    /// The message of this id came back, or was refused: its request.
    pub(super) fn settle(&mut self, id: &str) -> Option<u64> {
        let at = self.pending.iter().position(|p| p.id == id)?;
        self.pending.remove(at).map(|p| p.request)
    }

    /// The next message that waited too long.
    pub(super) fn expired(&mut self, now: Time) -> Option<u64> {
        if self.pending.front()?.deadline > now {
            return None;
        }
        self.pending.pop_front().map(|p| p.request)
    }

    /// The next message, however long it has waited: the room ends.
    pub(super) fn cancel(&mut self) -> Option<u64> {
        self.pending.pop_front().map(|p| p.request)
    }

    /// When the oldest has waited too long.
    pub(super) fn next_deadline(&self) -> Option<Time> {
        self.pending.front().map(|p| p.deadline)
    }
}
