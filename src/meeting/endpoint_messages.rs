//! Application messages to other endpoints through the bridge (docs/protocol/04 §2.3): sent while the channel is open; they wait a
//! while for it to open, or to open again.

use super::machine::Meeting;
use crate::error::{Code, Error, Stage};
use crate::time::Time;
use crate::wire::colibri::{MAX_PAYLOAD_BYTES, ToBridge};

/// Reads what is to be said to others.
///
/// # Errors
/// `TooLarge`: over [`MAX_PAYLOAD_BYTES`]. `InvalidArgument`: no JSON object.
pub(crate) fn payload(text: &str) -> Result<serde_json::Value, Error> {
    let refuse = |code, text: &str| Err(Error::new(code, Stage::Media, text));
    match serde_json::from_str::<serde_json::Value>(text) {
        _ if text.len() > MAX_PAYLOAD_BYTES => refuse(Code::TooLarge, "the payload is over its limit"),
        Err(_) => refuse(Code::InvalidArgument, "the payload is not JSON"),
        Ok(v) if !v.is_object() => refuse(Code::InvalidArgument, "the payload is no JSON object"),
        Ok(v) => Ok(v),
    }
}

impl Meeting {
    /// Says something to one endpoint, or to all others, through the bridge. Done when it is on its way.
    pub(super) fn send_endpoint_message(&mut self, to: String, text: &str, tag: u64, now: Time) {
        let refuse = |code, text: &str| Some(Error::new(code, Stage::Media, text));
        let error = match payload(text) {
            Err(e) => Some(e),
            Ok(_) if !to.is_empty() && !self.roster.contains_key(&to) => {
                refuse(Code::NoSuchParticipant, "no such participant")
            }
            Ok(payload) => {
                let message = ToBridge::EndpointMessage { to, payload };
                let may_wait = self.channel_may_open();
                match self.link.as_mut().filter(|l| l.is_open()) {
                    Some(l) => {
                        l.say(&message, now);
                        None
                    }
                    None if !may_wait => refuse(Code::NotReady, "there is no channel to the bridge"),
                    None if self.outbox.push(message.to_text(), tag, now) => return,
                    None => refuse(Code::Full, "too much waits for the channel to the bridge"),
                }
            }
        };
        self.done(tag, error);
    }

    /// Whether a channel is on its way: the session has one that is not open, or had one and is being replaced.
    fn channel_may_open(&self) -> bool {
        match &self.link {
            Some(l) => l.has_channel(),
            None => self.had_channel && !self.roster.is_empty(),
        }
    }

    /// The channel is open: what waited for it goes out.
    pub(super) fn send_waiting(&mut self, now: Time) {
        while let Some((text, tag)) = self.outbox.pop() {
            if let Some(l) = &mut self.link {
                l.say_text(text, now);
            }
            self.done(tag, None);
        }
    }

    /// Some may have waited too long.
    pub(super) fn give_up_waiting(&mut self, now: Time) {
        while let Some(tag) = self.outbox.handle_timeout(now) {
            let text = "the channel to the bridge did not open in time";
            self.done(tag, Some(Error::new(Code::NotReady, Stage::Media, text)));
        }
    }
}
