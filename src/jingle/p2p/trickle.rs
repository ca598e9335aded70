//! Trickling local candidates: the first one starts a window, all of it goes in one transport-info (docs/protocol/02 §9.1).

use crate::env::Env;
use crate::jingle::describe::transport;
use crate::jingle::types::{IceCandidate, LocalTransport, due};
use crate::time::Time;
use crate::wire::jingle::{Action, Content, Creator, Jingle};
use std::time::Duration;

/// Candidates that are signalled in one session.
pub const MAX_LOCAL_CANDIDATES: usize = 64;

/// Candidates waiting for their request.
#[derive(Debug, Default)]
pub(in crate::jingle) struct Trickle {
    waiting: Vec<IceCandidate>,
    signalled: usize,
    /// The description is out: from here on candidates go in requests of their own.
    open: bool,
    at: Option<Time>,
}

impl Trickle {
    /// Takes a candidate; the same address twice is signalled once.
    pub(in crate::jingle) fn push(&mut self, c: IceCandidate, window: Duration, now: Time) {
        if self.waiting.contains(&c) || self.signalled + self.waiting.len() >= MAX_LOCAL_CANDIDATES {
            return;
        }
        self.waiting.push(c);
        if self.open && self.at.is_none() {
            self.at = Some(now + window);
        }
    }

    /// What is known when the description is written.
    pub(in crate::jingle) fn open(&mut self) -> Vec<IceCandidate> {
        self.open = true;
        self.take()
    }

    /// The candidates of a window that has ended.
    pub(in crate::jingle) fn take_due(&mut self, now: Time) -> Option<Vec<IceCandidate>> {
        due(self.at, now).then(|| self.take())
    }

    pub(in crate::jingle) fn deadline(&self) -> Option<Time> {
        self.at
    }

    fn take(&mut self) -> Vec<IceCandidate> {
        self.at = None;
        self.signalled += self.waiting.len();
        std::mem::take(&mut self.waiting)
    }
}

/// Ids for candidates: nobody reads them, but they are there.
pub(in crate::jingle) fn ids(env: &mut Env, candidates: &[IceCandidate]) -> Vec<String> {
    candidates.iter().map(|_| env.hex(10)).collect()
}

/// The transport-info for a batch.
pub(in crate::jingle) fn request(
    sid: &str,
    initiator: &str,
    creator: Creator,
    mid: &str,
    local: &LocalTransport,
    candidates: &[IceCandidate],
    ids: &[String],
) -> String {
    let mut j = Jingle::new(Action::TransportInfo, sid);
    j.initiator = Some(initiator);
    j.contents.push(Content {
        name: mid,
        creator: Some(creator),
        transport: Some(transport(local, None, candidates, ids)),
        ..Content::default()
    });
    j.to_xml()
}
