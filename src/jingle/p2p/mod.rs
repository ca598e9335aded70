//! The session with the one other participant, without the bridge (docs/protocol/02 §9, §13, §14).

mod answer;
mod content_modify;
mod offer;
mod rules;
mod session;
mod trickle;

pub use content_modify::MAX_HEIGHTS;
pub use session::MAX_QUEUED;
pub use trickle::MAX_LOCAL_CANDIDATES;

pub(super) use session::Session;

use super::describe::{self, setup_of};
use super::sources::Authority;
use super::types::{
    Conference, EndReason, Event, IceCandidate, IqAnswer, LocalSource, LocalTransport, Output, P2pState, Removal, Role,
    SessionKey, SessionState, SourceRefusal, due,
};
use super::{Jingle, Purpose, terminate};
use crate::time::{Time, earliest};
use crate::wire::Jid;
use crate::wire::jingle::{self as wire, Action};
pub(super) use content_modify::Wanted;
use offer::Describe;
pub(super) use session::Operation;

#[cfg(test)]
pub(super) use {answer::MAX_CONTENTS, answer::sections, content_modify::read as read_wanted};

/// What was asked of the peer.
#[derive(Debug)]
pub(super) enum Asked {
    Initiate,
    Accept,
    SourceAdd(Vec<String>),
}

/// Everything about peer to peer.
#[derive(Debug, Default)]
pub(super) struct P2p {
    pub session: Option<Session>,
    /// When a delayed start is due.
    pub start_at: Option<Time>,
    wanted: Wanted,
}

impl P2p {
    pub(super) fn deadline(&self) -> Option<Time> {
        let session = self.session.as_ref();
        let trickle = session.and_then(|s| s.trickle.deadline());
        earliest(self.start_at, earliest(session.and_then(|s| s.deadline), trickle))
    }
}

impl Jingle {
    pub(super) fn p2p_timeout(&mut self, now: Time) {
        if due(self.p2p.start_at, now) {
            self.start(now);
        }
        if self.p2p.session.as_ref().is_some_and(|s| due(s.deadline, now)) {
            self.end_p2p(EndReason::NotAnswered);
        }
        self.send_candidates(now);
    }

    /// Sessions with a peer begin and end by the state of the room.
    pub(super) fn p2p_conference(&mut self, before: &Conference, now: Time) {
        let was = rules::eligible(before, &self.config).map(|p| p.jid.clone());
        let is = rules::eligible(&self.conference, &self.config).map(|p| p.jid.clone());
        let here = |jid: &Jid| self.conference.participants.iter().any(|p| p.jid == *jid);
        let over = self.p2p.session.as_ref().and_then(|s| match &is {
            _ if self.conference.own.is_none() => Some(EndReason::Left),
            _ if !here(&s.peer) => Some(EndReason::PeerLeft),
            Some(peer) if *peer == s.peer => None,
            _ => Some(EndReason::NotWanted),
        });
        if let Some(reason) = over {
            self.end_p2p(reason);
        }
        let Some(peer) = is else {
            self.p2p.start_at = None;
            return;
        };
        // The same peer as before: a session that ended or was refused is not tried again until something changes.
        if was.as_ref() == Some(&peer) {
            return;
        }
        if self.conference.own.as_ref().is_some_and(|own| rules::we_initiate(own, &peer)) {
            self.p2p.start_at = Some(now + self.config.back_to_p2p);
            if !rules::start_is_delayed(before) {
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
        let before = if allowed { Conference::default() } else { self.conference.clone() };
        self.config.p2p = allowed;
        if !allowed {
            self.end_p2p(EndReason::NotWanted);
        }
        self.p2p_conference(&before, now);
    }

    /// What we want of the others' video: any at all, and the greatest height for each remote source named.
    pub fn set_receive(&mut self, video: bool, heights: Option<Vec<(String, u32)>>) {
        self.p2p.wanted = Wanted { video, heights };
        if self.p2p.session.as_ref().is_some_and(|s| s.state == SessionState::Active && s.told != self.p2p.wanted) {
            self.send_wanted();
        }
    }

    pub(super) fn p2p_transport(&mut self, local: LocalTransport, candidates: Vec<IceCandidate>, now: Time) {
        let Some(s) = self.p2p.session.as_mut().filter(|s| s.local.is_none()) else { return };
        for c in candidates {
            s.trickle.push(c, self.config.trickle_window, now);
        }
        s.local = Some(local);
        let purpose = match s.role {
            Role::Initiator => {
                s.sections = offer::sections(&self.sources, &self.config.p2p_codecs);
                Asked::Initiate
            }
            Role::Responder => {
                for source in self.sources.iter().filter(|s| !s.encodings.is_empty()) {
                    // A source without a free section follows in a source-add.
                    if s.sections.iter().any(|x| x.is_free(source.media)) {
                        offer::place(&mut s.sections, source, &self.config.p2p_codecs);
                    }
                }
                s.state = SessionState::Active;
                Asked::Accept
            }
        };
        if matches!(purpose, Asked::Accept) && self.p2p.wanted.is_special() {
            self.send_wanted();
        }
        let (Some(s), Some(own)) = (&mut self.p2p.session, &self.conference.own) else { return };
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
        self.ask_peer(purpose, payload);
    }

    pub(super) fn p2p_connected(&mut self) {
        if let Some(s) = self.p2p.session.as_mut().filter(|s| !s.connected) {
            s.connected = true;
            let event = Event::P2p { session: s.key, state: P2pState::Active };
            self.out.push_back(Output::Event(event));
        }
    }

    pub(super) fn p2p_answer(&mut self, key: SessionKey, asked: Asked, answer: IqAnswer) {
        let Some(s) = self.p2p.session.as_mut().filter(|s| s.key == key) else {
            // Both sides ended it at once, or it ended meanwhile: nothing is wrong (docs/protocol/02 §3.4).
            return;
        };
        match (asked, answer) {
            (Asked::Accept, IqAnswer::Result) => {
                s.resume(&mut self.out);
                self.signal_sources_to_peer();
            }
            (Asked::Initiate | Asked::Accept, IqAnswer::Error(_) | IqAnswer::Timeout) => {
                self.end_p2p(EndReason::NotAnswered);
            }
            (Asked::SourceAdd(names), IqAnswer::Error(e)) => {
                let why = SourceRefusal::Refused { condition: e.condition.as_str(), text: e.text };
                self.out.push_back(Output::Event(Event::SourcesRefused { session: key, names, why }));
            }
            (Asked::SourceAdd(names), IqAnswer::Timeout) => {
                let why = SourceRefusal::NotAnswered;
                self.out.push_back(Output::Event(Event::SourcesRefused { session: key, names, why }));
            }
            (Asked::Initiate | Asked::SourceAdd(_), IqAnswer::Result) => {}
        }
    }

    fn start(&mut self, now: Time) {
        self.p2p.start_at = None;
        if self.p2p.session.is_some() {
            return;
        }
        let Some(peer) = rules::eligible(&self.conference, &self.config).map(|p| p.jid.clone()) else { return };
        let sid = self.env.hex(12);
        self.begin(sid, peer, Role::Initiator, now);
    }

    fn begin(&mut self, sid: String, peer: Jid, role: Role, now: Time) -> SessionKey {
        let key = self.new_key();
        self.p2p.start_at = None;
        let s = Session::new(key, sid, peer, role, now + self.config.accept_timeout);
        let state = P2pState::Starting { role, peer: s.peer_id().to_owned() };
        self.p2p.session = Some(s);
        self.out.push_back(Output::Event(Event::P2p { session: key, state }));
        self.out.push_back(Output::CreateEngine { session: key, controlling: role == Role::Initiator, bridge: None });
        key
    }

    /// Ends the session: the peer is told when it is still there and there is something to say.
    pub(super) fn end_p2p(&mut self, reason: EndReason) {
        let Some(mut s) = self.p2p.session.take() else { return };
        // Before our offer is out, the peer knows of nothing.
        let known = s.role == Role::Responder || s.local.is_some();
        let present = self.conference.participants.iter().any(|p| p.jid == s.peer);
        if let (Some((condition, text)), Some(own), true) =
            (terminate::words(&reason), &self.conference.own, known && present)
        {
            let payload = terminate::request(&s.sid, s.initiator(own), condition, text);
            let to = s.peer.clone();
            self.tell(to, payload);
        }
        let sources = s.table.drain();
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesRemoved { session: s.key, sources, because: Removal::SessionEnded });
        }
        self.out.push_back(Output::CloseEngine { session: s.key });
        self.out.push_back(Output::Event(Event::P2p { session: s.key, state: P2pState::Ended(reason) }));
    }

    pub(super) fn signal_sources_to_peer(&mut self) {
        let Some(s) = self.p2p.session.as_mut().filter(|s| s.resumed) else { return };
        let unchanged = |told: &LocalSource| {
            self.sources.iter().any(|n| n.name == told.name && n.encodings.first() == told.encodings.first())
        };
        if !s.signalled().all(unchanged) {
            return self.end_p2p(EndReason::SourcesChanged);
        }
        // A media type that the peer refused as a whole is not offered again.
        let heard = |n: &LocalSource| s.sections.iter().any(|x| x.media == n.media && x.refused.is_none());
        let told = |n: &LocalSource| s.signalled().any(|told| told.name == n.name);
        let new: Vec<&LocalSource> =
            self.sources.iter().filter(|n| !n.encodings.is_empty() && heard(n) && !told(n)).collect();
        if new.is_empty() {
            return;
        }
        let names = new.iter().map(|n| n.name.clone()).collect();
        let codecs = &self.config.p2p_codecs;
        let places: Vec<usize> = new.iter().map(|n| offer::place(&mut s.sections, n, codecs)).collect();
        let Some(own) = &self.conference.own else { return };
        let sections: Vec<_> = places.iter().map(|i| &s.sections[*i]).collect();
        let payload = offer::source_add(&s.sid, s.initiator(own), &sections);
        self.ask_peer(Asked::SourceAdd(names), payload);
    }

    fn send_wanted(&mut self) {
        let (Some(s), Some(own)) = (&mut self.p2p.session, &self.conference.own) else { return };
        s.told = self.p2p.wanted.clone();
        let payload = self.p2p.wanted.request(&s.sid, s.initiator(own));
        self.tell_peer(payload);
    }

    fn send_candidates(&mut self, now: Time) {
        let (Some(s), Some(own)) = (&mut self.p2p.session, &self.conference.own) else { return };
        let Some(candidates) = s.trickle.take_due(now) else { return };
        let ids = trickle::ids(&mut self.env, &candidates);
        let (Some(local), Some(first)) = (&s.local, s.sections.first()) else { return };
        let (initiator, creator) = (s.initiator(own), s.creator());
        let payload = trickle::request(&s.sid, initiator, creator, &first.mid, local, &candidates, &ids);
        self.tell_peer(payload);
    }

    /// Sends a request within the session whose answer matters.
    fn ask_peer(&mut self, asked: Asked, payload: String) {
        if let Some((to, key)) = self.p2p.session.as_ref().map(|s| (s.peer.clone(), s.key)) {
            self.ask(to, key, Purpose::P2p(asked), payload);
        }
    }

    /// Sends one whose answer does not.
    fn tell_peer(&mut self, payload: String) {
        if let Some(to) = self.p2p.session.as_ref().map(|s| s.peer.clone()) {
            self.tell(to, payload);
        }
    }

    pub(super) fn operate_p2p(&mut self, op: Operation) {
        if let Some(s) = &mut self.p2p.session {
            s.operate(op, &mut self.out);
        }
    }

    pub(super) fn on_p2p_offer(&mut self, from: &Jid, j: &wire::Jingle<'_>, now: Time) {
        let busy = self.p2p.session.is_some();
        if let Some((condition, text)) = rules::refusal(from, answer::is_p2p(j), busy, &self.conference, &self.config) {
            return self.reject(from, j, condition, text);
        }
        let sections = answer::sections(j, &self.config.p2p_codecs);
        let transport = match describe::remote_transport(j, false) {
            Ok(t) => t,
            Err(why) => return self.reject(from, j, "failed-transport", why),
        };
        if answer::is_useless(&sections) {
            return self.reject(from, j, "incompatible-parameters", "no codec in common");
        }
        let negotiated = answer::negotiated(&sections);
        let session = self.begin(j.sid.to_owned(), from.clone(), Role::Responder, now);
        let Some(s) = &mut self.p2p.session else { return };
        s.setup = setup_of(transport.dtls);
        s.sections = sections;
        self.out.push_back(Output::RemoteDescription { session, transport, negotiated });
        let sources = s.table.add(&j.sources, Authority::Peer(s.peer.resource().unwrap_or(""))).sources;
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesAdded { session, sources });
        }
        self.operate_p2p(Operation::Candidates(describe::candidates(j)));
    }

    pub(super) fn on_accept(&mut self, j: &wire::Jingle<'_>) {
        let Some(s) = &mut self.p2p.session else { return };
        // One answer to one offer; whatever else comes under this name changes nothing.
        if s.role != Role::Initiator || s.state != SessionState::Pending || s.local.is_none() {
            return;
        }
        let mut sections = s.sections.clone();
        answer::apply(&mut sections, j);
        let transport = match describe::remote_transport(j, true) {
            Ok(t) if !answer::is_useless(&sections) => t,
            Ok(_) => return self.end_p2p(EndReason::BadDescription("no codec in common")),
            Err(why) => return self.end_p2p(EndReason::BadDescription(why)),
        };
        s.sections = sections;
        s.state = SessionState::Active;
        let negotiated = answer::negotiated(&s.sections);
        self.out.push_back(Output::RemoteDescription { session: s.key, transport, negotiated });
        let (key, by) = (s.key, Authority::Peer(s.peer.resource().unwrap_or("")));
        let sources = s.table.add(&j.sources, by).sources;
        if !sources.is_empty() {
            self.out.push_back(Output::SourcesAdded { session: key, sources });
        }
        s.operate(Operation::Candidates(describe::candidates(j)), &mut self.out);
        s.resume(&mut self.out);
        // Always once after the answer (docs/protocol/02 §13).
        self.send_wanted();
        self.signal_sources_to_peer();
    }

    pub(super) fn on_content_modify(&mut self, j: &wire::Jingle<'_>) {
        let Some(s) = &mut self.p2p.session else { return };
        let r = content_modify::read(j, s.role);
        if !r.heights.is_empty() {
            self.out.push_back(Output::RemoteConstraints { session: s.key, heights: r.heights });
        }
        if let Some(wanted) = r.active.filter(|a| *a != s.video_wanted) {
            s.video_wanted = wanted;
            self.out.push_back(Output::LocalVideoWanted { session: s.key, wanted });
        }
    }
}
