//! Layer 3: Jingle sessions as one machine without I/O (docs/protocol/02 §1–§18, §22, §23).
//!
//! Up to two sessions exist beside each other: one with the bridge, which only the focus begins ([`bridge`]), and one with
//! the only other participant, which this machine begins and ends by the state of the room ([`p2p`]). It writes and reads
//! their descriptions, refuses what must be refused and keeps a table of remote sources for each. It knows no engine: what
//! one must do leaves as [`Output`], what one has to say comes back through methods.
//!
//! Order of use: [`Jingle::set_local_sources`], [`Jingle::set_conference`] at each change of the room, requests through
//! [`Jingle::on_iq`]; after every call drain [`Jingle::poll_output`].

mod bridge;
mod codecs;
mod describe;
mod error;
mod p2p;
mod refuse;
mod requests;
mod sources;
mod terminate;
mod types;

pub use bridge::{
    IN_PLACE_WAIT, MAX_ACCEPT_CANDIDATES, MAX_FRAME_BYTES, MAX_GROUPS_OF_OURS, MAX_LEFT_ENDPOINTS, MAX_QUEUED_CHANGES,
    MAX_RESTART_ATTEMPTS, MAX_RESTARTS_IN_WINDOW, MAX_SSRCS_OF_OURS, MAX_WEB_SOCKETS, MIN_BETWEEN_RESTARTS,
    REINVITE_WAIT, RESTART_WINDOW, STABLE_AFTER,
};
pub use codecs::{Codec, ExtensionIds, Negotiated, NegotiatedPayload};
pub use describe::MAX_REMOTE_CANDIDATES;
pub use error::IqRefusal;
pub use p2p::{MAX_HEIGHTS, MAX_LOCAL_CANDIDATES, MAX_QUEUED};
pub use sources::{
    Authority, Change, MAX_GROUPS_PER_SOURCE, MAX_SOURCES_PER_ENDPOINT, MAX_SSRCS, MAX_SSRCS_PER_ENDPOINT,
    RemoteSource, SourceTable,
};
pub use types::{
    BridgeOffer, BridgeState, Conference, DtlsRole, EndReason, Event, IceCandidate, IceCredentials, IqAnswer, IqToken,
    JingleConfig, LocalSource, LocalTransport, Output, P2pState, Participant, RejoinReason, RemoteTransport, Removal,
    RestartRefusal, Role, SessionKey, SessionKind, SessionState, SourceRefusal,
};

use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::{Jid, Stanza};
use bridge::Bridge;
use p2p::P2p;
use std::collections::VecDeque;

/// Requests of ours that may be unanswered at once; past it the oldest is forgotten, and its answer with it.
const MAX_PENDING: usize = 256;

/// What an unanswered request was. Those whose answer changes nothing are not kept, so that strangers whom we only tell off
/// cannot push out what we wait for.
#[derive(Debug)]
enum Purpose {
    P2p(p2p::Asked),
    Bridge(bridge::Asked),
}

#[derive(Debug)]
struct Pending {
    token: IqToken,
    session: SessionKey,
    purpose: Purpose,
}

/// The machine.
#[derive(Debug)]
pub struct Jingle {
    config: JingleConfig,
    env: Env,
    conference: Conference,
    sources: Vec<LocalSource>,
    p2p: P2p,
    bridge: Bridge,
    pending: VecDeque<Pending>,
    next_key: u64,
    next_token: u64,
    out: VecDeque<Output>,
}

impl Jingle {
    /// A machine outside of any room.
    pub fn new(config: JingleConfig, env: Env) -> Jingle {
        Jingle {
            config,
            env,
            conference: Conference::default(),
            sources: Vec::new(),
            p2p: P2p::default(),
            bridge: Bridge::default(),
            pending: VecDeque::new(),
            next_key: 1,
            next_token: 1,
            out: VecDeque::new(),
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Jingle::handle_timeout`] is to be called.
    pub fn next_deadline(&self) -> Option<Time> {
        earliest(self.p2p.deadline(), self.bridge_deadline())
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Time) {
        self.p2p_timeout(now);
        self.bridge_timeout(now);
    }

    /// The session of this kind that exists, with its state.
    pub fn session(&self, kind: SessionKind) -> Option<(SessionKey, SessionState)> {
        match kind {
            SessionKind::P2p => self.p2p.session.as_ref().map(|s| (s.key, s.state)),
            SessionKind::Bridge => self.bridge.session.as_ref().map(|s| (s.key, s.state)),
        }
    }

    /// Whom a session that exists is with.
    pub fn kind(&self, key: SessionKey) -> Option<SessionKind> {
        let is = |kind: &SessionKind| self.session(*kind).is_some_and(|(k, _)| k == key);
        [SessionKind::Bridge, SessionKind::P2p].into_iter().find(is)
    }

    /// The remote sources of a session.
    pub fn remote_sources(&self, key: SessionKey) -> Option<&SourceTable> {
        let p2p = self.p2p.session.as_ref().filter(|s| s.key == key).map(|s| &s.table);
        p2p.or_else(|| self.bridge.session.as_ref().filter(|s| s.key == key).map(|s| &s.table))
    }

    /// The room changed: sessions begin and end by it (docs/protocol/02 §8.5, §14.1–14.2, §14.6).
    pub fn set_conference(&mut self, conference: Conference, now: Time) {
        let before = std::mem::replace(&mut self.conference, conference);
        self.bridge_conference(&before, now);
        self.p2p_conference(&before, now);
    }

    /// We left the room, or lost the connection: everything ends without a word (docs/protocol/02 §1.2).
    pub fn leave(&mut self) {
        self.conference = Conference::default();
        self.p2p.start_at = None;
        self.end_p2p(EndReason::Left);
        self.leave_bridge();
    }

    /// The codecs that sessions with a peer are offered and answered with from now on (see [`JingleConfig::p2p_codecs`]).
    pub fn set_p2p_codecs(&mut self, codecs: Vec<Codec>) {
        self.config.p2p_codecs = codecs;
    }

    /// The sources that we send, in the order of their indices. The bridge is told what came and what went; a peer only
    /// what came: when one goes or changes its SSRC that session ends, because peers do not signal that
    /// (docs/protocol/02 §8.3).
    pub fn set_local_sources(&mut self, sources: Vec<LocalSource>) {
        self.sources = sources;
        self.signal_sources_to_peer();
        self.signal_sources_to_bridge();
    }

    /// The engine's credentials, with the candidates that it already has: now the offer or the accept goes out.
    pub fn local_transport(
        &mut self,
        key: SessionKey,
        local: LocalTransport,
        candidates: Vec<IceCandidate>,
        now: Time,
    ) {
        match self.kind(key) {
            Some(SessionKind::P2p) => self.p2p_transport(local, candidates, now),
            Some(SessionKind::Bridge) => self.bridge_transport(local, &candidates),
            None => {}
        }
    }

    /// One more candidate of the engine. The bridge is told none after the accept: it finds us by our checks
    /// (docs/protocol/02 §9.3).
    pub fn local_candidate(&mut self, key: SessionKey, candidate: IceCandidate, now: Time) {
        if let Some(s) = self.p2p.session.as_mut().filter(|s| s.key == key) {
            s.trickle.push(candidate, self.config.trickle_window, now);
        }
    }

    /// The engine has a path, and media can flow: at first, and whenever a lost one is back or replaced.
    pub fn ice_connected(&mut self, key: SessionKey, now: Time) {
        match self.kind(key) {
            Some(SessionKind::P2p) => self.p2p_connected(),
            Some(SessionKind::Bridge) => self.bridge_connected(now),
            None => {}
        }
    }

    /// The engine found no path, or lost it for good: it does nothing any more, and a new session is next. While it still lives,
    /// [`Jingle::request_ice_restart`] is for it.
    pub fn ice_failed(&mut self, key: SessionKey, now: Time) {
        match self.kind(key) {
            Some(SessionKind::P2p) => self.end_p2p(EndReason::IceFailed),
            Some(SessionKind::Bridge) => self.bridge_ice_failed(now),
            None => {}
        }
    }

    /// DTLS failed: no handshake, or another certificate than was signalled.
    pub fn handshake_failed(&mut self, key: SessionKey, now: Time) {
        self.engine_failed(key, EndReason::HandshakeFailed, now);
    }

    /// The engine failed in another way: closed by the other side without a word, resources.
    pub fn media_failed(&mut self, key: SessionKey, now: Time) {
        self.engine_failed(key, EndReason::MediaFailed, now);
    }

    fn engine_failed(&mut self, key: SessionKey, reason: EndReason, now: Time) {
        match self.kind(key) {
            Some(SessionKind::P2p) => self.end_p2p(reason),
            Some(SessionKind::Bridge) => self.bridge_media_failed(reason, now),
            None => {}
        }
    }

    /// The answer to a request of ours.
    pub fn on_iq_answer(&mut self, token: IqToken, answer: IqAnswer, now: Time) {
        let Some(at) = self.pending.iter().position(|p| p.token == token) else { return };
        let Some(p) = self.pending.remove(at) else { return };
        match p.purpose {
            Purpose::P2p(asked) => self.p2p_answer(p.session, asked, answer),
            Purpose::Bridge(asked) => self.bridge_answer(p.session, asked, answer, now),
        }
    }

    /// A request that the caller found in a stanza. Convenience over [`Jingle::on_iq`]; `false` when it is none of ours.
    pub fn on_stanza(&mut self, stanza: Stanza<'_>, now: Time) -> bool {
        let (Some(from), Some(id)) = (stanza.from(), stanza.id().filter(|_| stanza.is_request())) else { return false };
        match stanza.payload() {
            Some(e) if e.is("jingle", crate::wire::ns::JINGLE) => {
                self.on_iq(&from, id, e, now);
                true
            }
            _ => false,
        }
    }

    fn new_key(&mut self) -> SessionKey {
        let key = SessionKey(self.next_key);
        self.next_key += 1;
        key
    }

    /// Sends a request whose answer matters.
    fn ask(&mut self, to: Jid, session: SessionKey, purpose: Purpose, payload: String) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending { token: IqToken(self.next_token), session, purpose });
        self.tell(to, payload);
    }

    /// Sends a request whose answer does not matter.
    fn tell(&mut self, to: Jid, payload: String) {
        let token = IqToken(self.next_token);
        self.next_token += 1;
        self.out.push_back(Output::SendIq { token, to, payload, timeout: self.config.iq_timeout });
    }
}

#[cfg(test)]
mod tests;
