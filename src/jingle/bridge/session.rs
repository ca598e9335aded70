//! One bridge session: its state, and what waits until our accept is acknowledged (docs/protocol/02 §1.2–1.3, §23.1).

use super::offer::{Contents, Offer, Trace};
use crate::jingle::describe::setup_of;
use crate::jingle::sources::SourceTable;
use crate::jingle::types::{IceCandidate, IceCredentials, LocalSource, LocalTransport, SessionKey, SessionState};
use crate::time::Time;
use crate::wire::Jid;
use crate::wire::jingle::{Action, Setup, SourceMap};

/// Changes that wait for the accept's result. Past it the result is not waited for: nothing may be lost, and the table
/// has its own bounds.
pub const MAX_QUEUED_CHANGES: usize = 1024;

/// What the focus changes in a session.
#[derive(Debug)]
pub(super) enum Change {
    Add(SourceMap),
    Remove(SourceMap),
    RestartIce { generation: u64, credentials: IceCredentials, candidates: Vec<IceCandidate> },
}

#[derive(Debug)]
pub(in crate::jingle) struct Session {
    pub key: SessionKey,
    pub sid: String,
    /// The focus occupant, which speaks for the bridge.
    pub focus: Jid,
    pub state: SessionState,
    /// How the offer is to be answered: session-accept or transport-accept.
    pub(super) answer: Action<'static>,
    pub(super) contents: Contents,
    pub(super) trace: Option<Trace>,
    /// `bridge-session@id`.
    pub(super) bridge_id: Option<String>,
    pub(super) setup: Setup,
    /// Credentials of our engine, once it has told them.
    pub(super) local: Option<LocalTransport>,
    /// The accept was acknowledged.
    pub(super) resumed: bool,
    pub(super) queue: Vec<Change>,
    pub table: SourceTable,
    /// What the focus knows of our sources, or will once it has read our requests.
    pub(super) told: Vec<LocalSource>,
    /// What it was told in the session that this one replaced under the same id: requests that it had not read by then count in
    /// this one.
    pub(super) told_before: Vec<LocalSource>,
    /// Sources that it could not be told of, through no fault of theirs: they wait for the next session.
    pub(super) untold: Vec<LocalSource>,
    /// Requests about our sources that are unanswered: the next ones wait.
    pub(super) unanswered: usize,
    pub(super) connected: bool,
    /// The last generation of the bridge's ICE agent that was applied, or tried.
    pub(super) generation: u64,
    /// By when our engine must have told its credentials.
    pub(super) deadline: Option<Time>,
}

impl Session {
    pub(super) fn new(
        key: SessionKey,
        sid: String,
        focus: Jid,
        answer: Action<'static>,
        offer: &Offer,
        deadline: Time,
    ) -> Session {
        Session {
            key,
            sid,
            focus,
            state: SessionState::Pending,
            answer,
            contents: offer.contents.clone(),
            trace: offer.trace.clone(),
            bridge_id: offer.bridge.id.clone(),
            setup: setup_of(offer.transport.dtls),
            local: None,
            resumed: false,
            queue: Vec::new(),
            table: SourceTable::default(),
            told: Vec::new(),
            told_before: Vec::new(),
            untold: Vec::new(),
            unanswered: 0,
            connected: false,
            generation: 0,
            deadline: Some(deadline),
        }
    }
}
