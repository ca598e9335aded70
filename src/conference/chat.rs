//! Texts on their way to the room: a group message is done when the room reflects it; docs/protocol/03 §11.1–11.3.

use super::error::RoomError;
use crate::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Longest text that is sent, bytes of UTF-8 (default 64 KiB).
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// Messages that may wait for their reflection (default 1024).
pub const MAX_PENDING_MESSAGES: usize = 1024;
/// How long the room may take to reflect a message (default 30 s).
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Pending {
    request: u64,
    id: String,
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
        self.pending.push_back(Pending { request, id, deadline: now + MESSAGE_TIMEOUT });
    }

    /// The message of this id came back: its request.
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
