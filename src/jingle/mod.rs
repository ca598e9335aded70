//! Layer 3: Jingle sessions as one machine without I/O (docs/protocol/02 §3, §4, §9, §11, §13, §14, §16, §22, §23).
//!
//! It decides when a peer-to-peer session begins and ends, writes and reads its descriptions, refuses what must be
//! refused and keeps the table of remote sources. It knows no engine: what one must do leaves as [`Output`], what one has
//! to say comes back through methods. Offers of the bridge are refused for now and reported.
//!
//! Order of use: [`Jingle::set_local_sources`], [`Jingle::set_conference`] at each change of the room, requests through
//! [`Jingle::on_iq`]; after every call drain [`Jingle::poll_output`].

mod answer;
mod content_modify;
mod error;
mod offer;
mod p2p;
mod refuse;
mod requests;
mod session;
mod sources;
mod terminate;
mod trickle;
mod types;

pub use content_modify::MAX_HEIGHTS;
pub use error::IqRefusal;
pub use session::{MAX_QUEUED, MAX_REMOTE_CANDIDATES};
pub use sources::{
    Authority, Change, MAX_GROUPS_PER_SOURCE, MAX_SOURCES_PER_ENDPOINT, MAX_SSRCS, MAX_SSRCS_PER_ENDPOINT,
    RemoteSource, SourceTable,
};
pub use trickle::MAX_LOCAL_CANDIDATES;
pub use types::{
    Codec, Conference, DtlsRole, EndReason, Event, ExtensionIds, IceCandidate, IqAnswer, IqToken, JingleConfig,
    LocalSource, LocalTransport, Negotiated, NegotiatedPayload, Output, P2pState, Participant, RemoteTransport, Role,
    SessionKey, SessionState,
};

use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::jingle::Action;
use crate::wire::{Jid, Stanza};
use content_modify::Wanted;
use offer::Describe;
use session::Session;
use std::collections::VecDeque;

/// Requests of ours that may be unanswered at once; past it the oldest is forgotten, and its answer with it.
const MAX_PENDING: usize = 256;

/// What an unanswered request was.
#[derive(Debug)]
enum Purpose {
    Initiate,
    Accept,
    SourceAdd(Vec<String>),
    /// Its answer changes nothing.
    Told,
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
    wanted: Wanted,
    session: Option<Session>,
    /// When a delayed start is due.
    start_at: Option<Time>,
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
            wanted: Wanted::default(),
            session: None,
            start_at: None,
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
        let session = self.session.as_ref();
        let trickle = session.and_then(|s| s.trickle.deadline());
        earliest(self.start_at, earliest(session.and_then(|s| s.deadline), trickle))
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Time) {
        if types::due(self.start_at, now) {
            self.start(now);
        }
        if self.session.as_ref().is_some_and(|s| types::due(s.deadline, now)) {
            self.end(EndReason::NotAnswered);
        }
        self.send_candidates(now);
    }

    /// The session that exists, with its state.
    pub fn session(&self) -> Option<(SessionKey, SessionState)> {
        self.session.as_ref().map(|s| (s.key, s.state))
    }

    /// The remote sources of a session.
    pub fn remote_sources(&self, key: SessionKey) -> Option<&SourceTable> {
        self.session.as_ref().filter(|s| s.key == key).map(|s| &s.table)
    }

    /// The room changed: sessions begin and end by it (docs/protocol/02 §14.1–14.2, §14.6).
    pub fn set_conference(&mut self, conference: Conference, now: Time) {
        let before = std::mem::replace(&mut self.conference, conference);
        let was = p2p::eligible(&before, &self.config).map(|p| p.jid.clone());
        let is = p2p::eligible(&self.conference, &self.config).map(|p| p.jid.clone());
        let here = |jid: &Jid| self.conference.participants.iter().any(|p| p.jid == *jid);
        let over = self.session.as_ref().and_then(|s| match &is {
            _ if self.conference.own.is_none() => Some(EndReason::Left),
            _ if !here(&s.peer) => Some(EndReason::PeerLeft),
            Some(peer) if *peer == s.peer => None,
            _ => Some(EndReason::NotWanted),
        });
        if let Some(reason) = over {
            self.end(reason);
        }
        let Some(peer) = is else {
            self.start_at = None;
            return;
        };
        // The same peer as before: a session that ended or was refused is not tried again until something changes.
        if was.as_ref() == Some(&peer) {
            return;
        }
        if self.conference.own.as_ref().is_some_and(|own| p2p::we_initiate(own, &peer)) {
            self.start_at = Some(now + self.config.back_to_p2p);
            if !p2p::start_is_delayed(&before) {
                self.start(now);
            }
        }
    }

    /// Peer to peer is allowed, or not any more.
    pub fn set_p2p_allowed(&mut self, allowed: bool, now: Time) {
        if self.config.p2p == allowed {
            return;
        }
        // Seen as a change of the room from, or to, one where it never was possible.
        let conference = std::mem::take(&mut self.conference);
        if !allowed && self.session.is_some() {
            self.conference = conference.clone();
            self.end(EndReason::NotWanted);
            self.conference = Conference::default();
        }
        self.config.p2p = allowed;
        self.set_conference(conference, now);
    }

    /// We left the room, or lost the connection: everything ends without a word (docs/protocol/02 §1.2).
    pub fn leave(&mut self) {
        self.start_at = None;
        self.conference = Conference::default();
        self.end(EndReason::Left);
    }

    /// The sources that we send, in the order of their indices. A new one is signalled to the peer; when one goes or
    /// changes its SSRC the session ends, because peers do not signal that (docs/protocol/02 §8.3).
    pub fn set_local_sources(&mut self, sources: Vec<LocalSource>) {
        self.sources = sources;
        self.signal_sources();
    }

    /// What we want of the others' video: any at all, and the greatest height for each remote source named.
    pub fn set_receive(&mut self, video: bool, heights: Option<Vec<(String, u32)>>) {
        self.wanted = Wanted { video, heights };
        if self.session.as_ref().is_some_and(|s| s.state == SessionState::Active && s.told != self.wanted) {
            self.send_wanted();
        }
    }

    /// The engine's credentials, with the candidates that it already has: now the offer or the accept goes out.
    pub fn local_transport(
        &mut self,
        key: SessionKey,
        local: LocalTransport,
        candidates: Vec<IceCandidate>,
        now: Time,
    ) {
        let Some(s) = self.session.as_mut().filter(|s| s.key == key && s.local.is_none()) else { return };
        for c in candidates {
            s.trickle.push(c, self.config.trickle_window, now);
        }
        s.local = Some(local);
        let purpose = match s.role {
            Role::Initiator => {
                s.sections = offer::sections(&self.sources);
                Purpose::Initiate
            }
            Role::Responder => {
                for source in &self.sources {
                    // A source without a free section follows in a source-add.
                    if s.sections.iter().any(|x| x.is_free(source.media)) {
                        offer::place(&mut s.sections, source);
                    }
                }
                s.state = SessionState::Active;
                Purpose::Accept
            }
        };
        if matches!(purpose, Purpose::Accept) && self.wanted.is_special() {
            self.send_wanted();
        }
        let (Some(s), Some(own)) = (&mut self.session, &self.conference.own) else { return };
        let candidates = s.trickle.open();
        let ids = trickle::ids(&mut self.env, &candidates);
        let Some(local) = &s.local else { return };
        let offers = s.role == Role::Initiator;
        let describe = Describe {
            action: if offers { Action::SessionInitiate } else { Action::SessionAccept },
            sid: &s.sid,
            initiator: s.initiator(own),
            responder: (!offers).then_some(own.as_str()),
            creator: s.creator(),
            setup: s.setup,
            transport: local,
            candidates: &candidates,
            ids: &ids,
            sections: &s.sections,
        };
        let payload = describe.to_xml();
        self.send(purpose, payload);
    }

    /// One more candidate of the engine.
    pub fn local_candidate(&mut self, key: SessionKey, candidate: IceCandidate, now: Time) {
        if let Some(s) = self.session.as_mut().filter(|s| s.key == key) {
            s.trickle.push(candidate, self.config.trickle_window, now);
        }
    }

    /// The engine has a path, and media can flow.
    pub fn ice_connected(&mut self, key: SessionKey) {
        if let Some(s) = self.session.as_mut().filter(|s| s.key == key && !s.connected) {
            s.connected = true;
            self.out.push_back(Output::Event(Event::P2p { session: key, state: P2pState::Active }));
        }
    }

    /// The engine found no path, or lost it for good.
    pub fn ice_failed(&mut self, key: SessionKey) {
        if self.session.as_ref().is_some_and(|s| s.key == key) {
            self.end(EndReason::IceFailed);
        }
    }

    /// The engine failed in another way: DTLS, resources.
    pub fn media_failed(&mut self, key: SessionKey) {
        if self.session.as_ref().is_some_and(|s| s.key == key) {
            self.end(EndReason::MediaFailed);
        }
    }

    /// The answer to a request of ours.
    pub fn on_iq_answer(&mut self, token: IqToken, answer: IqAnswer) {
        let Some(at) = self.pending.iter().position(|p| p.token == token) else { return };
        let Some(p) = self.pending.remove(at) else { return };
        let Some(s) = self.session.as_mut().filter(|s| s.key == p.session) else {
            // Both sides ended it at once, or it ended meanwhile: nothing is wrong (docs/protocol/02 §3.4).
            return;
        };
        match (p.purpose, answer) {
            (Purpose::Accept, IqAnswer::Result) => {
                s.resume(&mut self.out);
                self.signal_sources();
            }
            (Purpose::Initiate | Purpose::Accept, IqAnswer::Error(_) | IqAnswer::Timeout) => {
                self.end(EndReason::NotAnswered);
            }
            (Purpose::SourceAdd(names), IqAnswer::Error(_) | IqAnswer::Timeout) => {
                self.out.push_back(Output::Event(Event::SourcesRefused { session: p.session, names }));
            }
            _ => {}
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

    fn start(&mut self, now: Time) {
        self.start_at = None;
        if self.session.is_some() {
            return;
        }
        let Some(peer) = p2p::eligible(&self.conference, &self.config).map(|p| p.jid.clone()) else { return };
        let sid = self.env.hex(12);
        self.begin(sid, peer, Role::Initiator, now);
    }

    fn begin(&mut self, sid: String, peer: Jid, role: Role, now: Time) -> SessionKey {
        let key = SessionKey(self.next_key);
        self.next_key += 1;
        self.start_at = None;
        let s = Session::new(key, sid, peer, role, now + self.config.accept_timeout);
        let state = P2pState::Starting { role, peer: s.peer_id().to_owned() };
        self.session = Some(s);
        self.out.push_back(Output::Event(Event::P2p { session: key, state }));
        self.out.push_back(Output::CreateEngine { session: key, controlling: role == Role::Initiator });
        key
    }

    /// Ends the session: the peer is told when it is still there and there is something to say.
    fn end(&mut self, reason: EndReason) {
        let Some(mut s) = self.session.take() else { return };
        // Before our offer is out, the peer knows of nothing.
        let known = s.role == Role::Responder || s.local.is_some();
        let present = self.conference.participants.iter().any(|p| p.jid == s.peer);
        if let (Some((condition, text)), Some(own), true) =
            (terminate::words(&reason), &self.conference.own, known && present)
        {
            let payload = terminate::request(&s.sid, s.initiator(own), condition, text);
            let to = s.peer.clone();
            self.send_to(to, s.key, Purpose::Told, payload);
        }
        let sources = s.table.drain();
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesRemoved { session: s.key, sources });
        }
        self.out.push_back(Output::CloseEngine { session: s.key });
        self.out.push_back(Output::Event(Event::P2p { session: s.key, state: P2pState::Ended(reason) }));
    }

    fn signal_sources(&mut self) {
        let Some(s) = self.session.as_mut().filter(|s| s.resumed) else { return };
        let unchanged = |told: &LocalSource| {
            self.sources.iter().any(|n| n.name == told.name && n.ssrc == told.ssrc && n.rtx == told.rtx)
        };
        if !s.signalled().all(unchanged) {
            return self.end(EndReason::SourcesChanged);
        }
        // A media type that the peer refused as a whole is not offered again.
        let heard = |n: &LocalSource| s.sections.iter().any(|x| x.media == n.media && x.refused.is_none());
        let told = |n: &LocalSource| s.signalled().any(|told| told.name == n.name);
        let new: Vec<&LocalSource> = self.sources.iter().filter(|n| heard(n) && !told(n)).collect();
        if new.is_empty() {
            return;
        }
        let names = new.iter().map(|n| n.name.clone()).collect();
        let places: Vec<usize> = new.iter().map(|n| offer::place(&mut s.sections, n)).collect();
        let Some(own) = &self.conference.own else { return };
        let sections: Vec<_> = places.iter().map(|i| &s.sections[*i]).collect();
        let payload = offer::source_add(&s.sid, s.initiator(own), &sections);
        self.send(Purpose::SourceAdd(names), payload);
    }

    fn send_wanted(&mut self) {
        let (Some(s), Some(own)) = (&mut self.session, &self.conference.own) else { return };
        s.told = self.wanted.clone();
        let payload = self.wanted.request(&s.sid, s.initiator(own));
        self.send(Purpose::Told, payload);
    }

    fn send_candidates(&mut self, now: Time) {
        let (Some(s), Some(own)) = (&mut self.session, &self.conference.own) else { return };
        let Some(candidates) = s.trickle.take_due(now) else { return };
        let ids = trickle::ids(&mut self.env, &candidates);
        let (Some(local), Some(first)) = (&s.local, s.sections.first()) else { return };
        let (initiator, creator) = (s.initiator(own), s.creator());
        let payload = trickle::request(&s.sid, initiator, creator, &first.mid, local, &candidates, &ids);
        self.send(Purpose::Told, payload);
    }

    /// Sends a request within the session.
    fn send(&mut self, purpose: Purpose, payload: String) {
        if let Some((to, key)) = self.session.as_ref().map(|s| (s.peer.clone(), s.key)) {
            self.send_to(to, key, purpose, payload);
        }
    }

    fn send_to(&mut self, to: Jid, session: SessionKey, purpose: Purpose, payload: String) {
        let token = IqToken(self.next_token);
        self.next_token += 1;
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending { token, session, purpose });
        self.out.push_back(Output::SendIq { token, to, payload, timeout: self.config.iq_timeout });
    }
}

#[cfg(test)]
mod tests;
