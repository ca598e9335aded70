//! One session: its state, its sections, and what waits until offer and answer are finished (docs/protocol/02 §1.2–1.3,
//! §23.1).

use super::content_modify::Wanted;
use super::offer::Section;
use super::trickle::Trickle;
use crate::jingle::describe::MAX_REMOTE_CANDIDATES;
use crate::jingle::sources::{Authority, SourceTable};
use crate::jingle::types::{
    IceCandidate, LocalSource, LocalTransport, Output, Removal, Role, SessionKey, SessionState,
};
use crate::time::Time;
use crate::wire::Jid;
use crate::wire::jingle::{Creator, Setup, SourceMap};

/// Remote operations that wait for the answer; more of them are dropped.
pub const MAX_QUEUED: usize = 128;

/// A remote operation.
#[derive(Debug)]
pub(in crate::jingle) enum Operation {
    Candidates(Vec<IceCandidate>),
    Add(SourceMap),
    Remove(SourceMap),
}

#[derive(Debug)]
pub(in crate::jingle) struct Session {
    pub key: SessionKey,
    pub sid: String,
    pub peer: Jid,
    pub role: Role,
    pub state: SessionState,
    /// Credentials of our engine, once it has told them.
    pub local: Option<LocalTransport>,
    pub sections: Vec<Section>,
    pub trickle: Trickle,
    /// Answer applied (initiator) or accept acknowledged (responder).
    pub resumed: bool,
    queue: Vec<Operation>,
    remote_candidates: usize,
    pub table: SourceTable,
    /// What we last told the peer about its video.
    pub told: Wanted,
    /// Whether the peer wants our video.
    pub video_wanted: bool,
    pub connected: bool,
    /// `setup` of our description.
    pub setup: Setup,
    /// By when the answer must be there.
    pub deadline: Option<Time>,
}

impl Session {
    pub(in crate::jingle) fn new(key: SessionKey, sid: String, peer: Jid, role: Role, deadline: Time) -> Session {
        Session {
            key,
            sid,
            peer,
            role,
            state: SessionState::Pending,
            local: None,
            sections: Vec::new(),
            trickle: Trickle::default(),
            resumed: false,
            queue: Vec::new(),
            remote_candidates: 0,
            table: SourceTable::default(),
            told: Wanted::default(),
            video_wanted: true,
            connected: false,
            setup: if role == Role::Initiator { Setup::ActPass } else { Setup::Active },
            deadline: Some(deadline),
        }
    }

    /// The peer's endpoint id.
    pub(in crate::jingle) fn peer_id(&self) -> &str {
        self.peer.resource().unwrap_or("")
    }

    /// Our role in the words of `creator`.
    pub(in crate::jingle) fn creator(&self) -> Creator {
        match self.role {
            Role::Initiator => Creator::Initiator,
            Role::Responder => Creator::Responder,
        }
    }

    /// The `initiator` attribute: the occupant address of whoever began.
    pub(in crate::jingle) fn initiator<'a>(&'a self, own: &'a Jid) -> &'a str {
        match self.role {
            Role::Initiator => own.as_str(),
            Role::Responder => self.peer.as_str(),
        }
    }

    /// Does a remote operation, or keeps it until offer and answer are finished.
    pub(in crate::jingle) fn operate(&mut self, op: Operation, out: &mut impl Extend<Output>) {
        if self.resumed {
            self.apply(op, out);
        } else if self.queue.len() < MAX_QUEUED {
            self.queue.push(op);
        }
    }

    /// Offer and answer are finished: what waited is done.
    pub(in crate::jingle) fn resume(&mut self, out: &mut impl Extend<Output>) {
        self.resumed = true;
        self.deadline = None;
        for op in std::mem::take(&mut self.queue) {
            self.apply(op, out);
        }
    }

    fn apply(&mut self, op: Operation, out: &mut impl Extend<Output>) {
        let session = self.key;
        let by = Authority::Peer(self.peer.resource().unwrap_or(""));
        let output = match op {
            Operation::Candidates(mut candidates) => {
                candidates.truncate(MAX_REMOTE_CANDIDATES - self.remote_candidates);
                self.remote_candidates += candidates.len();
                (!candidates.is_empty()).then_some(Output::RemoteCandidates { session, candidates })
            }
            Operation::Add(map) => {
                let sources = self.table.add(&map, by).sources;
                (!sources.is_empty()).then_some(Output::SourcesAdded { session, sources })
            }
            Operation::Remove(map) => {
                let sources = self.table.remove(&map, by).sources;
                (!sources.is_empty()).then_some(Output::SourcesRemoved {
                    session,
                    sources,
                    because: Removal::Signalled,
                })
            }
        };
        out.extend(output);
    }

    /// The sources that the peer was told of.
    pub(in crate::jingle) fn signalled(&self) -> impl Iterator<Item = &LocalSource> {
        self.sections.iter().filter_map(|s| s.source.as_ref())
    }
}
