//! Jingle and media: what the sessions want of engines, and what engines find for the sessions.

use super::event::{EventKind, MediaState, TimelineStage, Track, TrackKey};
use super::io::{Output, SocketsKey};
use super::machine::{Asker, Meeting, Phase, ReaderEntry};
use super::session::{Heard, MediaSession, media_type};
use super::tracks;
use crate::jingle::{self, EndReason, IceCandidate, P2pState, SessionKey};
use crate::media::kind::MediaType;
use crate::media::peer::{
    self, Candidate, CandidateKind, Command, Config, DtlsRole, EstimateBounds, Failure, Fingerprint, IceCredentials,
    IceState, RemoteTransport, RtpConfig,
};
use crate::media::{EncodedFrame, OutgoingFrame};
use crate::time::Time;
use crate::wire::jingle::CandidateType;
use crate::wire::stanza::IqType;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

/// The height that stands for any (docs/protocol/02 §13).
const MAX_HEIGHT: u32 = 2160;
/// How long signalling may lag behind a peer that closed the media connection.
pub const PEER_CLOSED_WAIT: Duration = Duration::from_secs(3);

impl Meeting {
    pub(super) fn on_jingle(&mut self, output: jingle::Output, now: Time) {
        match output {
            jingle::Output::Reply(stanza) => {
                // Not bound any more: then the stream's own end is on its way.
                if let Some(s) = &mut self.stream {
                    let _ = s.send_stanza(stanza);
                }
            }
            jingle::Output::SendIq { token, to, payload, timeout } => {
                if let Some(s) = &mut self.stream {
                    let iq = s.send_iq(Some(&to), IqType::Set, &payload, timeout, now);
                    self.iqs.insert(iq, Asker::Jingle(token));
                }
            }
            jingle::Output::CreateEngine { session, controlling } => self.create_engine(session, controlling, now),
            jingle::Output::RemoteDescription { session, transport, negotiated } => {
                self.reach(TimelineStage::SessionAccept, now);
                let Some(m) = self.media.as_mut().filter(|m| m.key == session) else { return };
                m.negotiated(negotiated, &self.tracks, &mut self.env, now);
                m.engine.handle_command(Command::SetRemote(remote_transport(transport)), now);
                self.tell_writers();
            }
            jingle::Output::RemoteCandidates { session, candidates } => {
                let Some(m) = self.media.as_mut().filter(|m| m.key == session) else { return };
                for c in candidates {
                    m.engine.handle_command(Command::AddRemoteCandidate(to_engine(c)), now);
                }
            }
            jingle::Output::SourcesAdded { session, sources } => {
                if let Some(m) = self.media.as_mut().filter(|m| m.key == session) {
                    let known = &self.timelines;
                    let last = |owner: &str, name: &str| {
                        known.get(owner).and_then(|t| t.iter().find(|t| t.0 == name)).map_or(0, |t| t.1)
                    };
                    m.add_sources(&sources, last, now);
                }
                for s in sources {
                    let participant = self.roster.get(&*s.owner).map(|p| p.key);
                    let (muted, video_type) = self.source_state(&s.owner, &s.name);
                    let t = tracks::remote(participant, &s.owner, &s.name, media_type(s.media), video_type, muted);
                    // A source of somebody who is not in the room is nobody's track.
                    if participant.is_some()
                        && let Some(t) = self.tracks.add_remote(t)
                    {
                        self.emit(EventKind::TrackAdded(t));
                    }
                }
                self.signal_readers();
            }
            jingle::Output::SourcesRemoved { session, sources } => {
                for s in sources {
                    if let Some(m) = self.media.as_mut().filter(|m| m.key == session) {
                        m.remove_source(&s.name, now);
                    }
                    if let Some(t) = self.tracks.remove_remote(&s.owner, &s.name) {
                        self.end_readers_of(t.key);
                        self.emit(EventKind::TrackRemoved(t));
                    }
                }
            }
            jingle::Output::LocalVideoWanted { session, wanted } => {
                if let Some(m) = self.media.as_mut().filter(|m| m.key == session) {
                    m.video_wanted = wanted;
                    self.tell_writers();
                }
            }
            // One encoding is sent: its height is the program's choice. Simulcast follows these with the bridge.
            jingle::Output::RemoteConstraints { .. } => {}
            jingle::Output::CloseEngine { session } => self.close_engine(session, now),
            jingle::Output::Event(e) => self.on_jingle_event(e),
        }
    }

    pub(super) fn on_jingle_event(&mut self, event: jingle::Event) {
        match event {
            jingle::Event::P2p { state, .. } => match state {
                P2pState::Starting { peer, .. } => {
                    self.last_peer.clone_from(&peer);
                    self.emit(EventKind::Media(MediaState::Connecting { endpoint_id: peer }));
                }
                // Told when DTLS is done too: only then frames flow.
                P2pState::Active => {}
                P2pState::Ended(reason) => {
                    let endpoint_id = self.last_peer.clone();
                    let (by_peer, reason, text) = end_reason(reason);
                    self.emit(EventKind::Media(MediaState::Ended { endpoint_id, reason, text, by_peer }));
                }
            },
            jingle::Event::BridgeOffered { .. } => self.emit(EventKind::BridgeOffered),
            jingle::Event::Refused { .. } | jingle::Event::SourcesRefused { .. } => {}
        }
    }

    fn create_engine(&mut self, key: SessionKey, controlling: bool, now: Time) {
        self.reach(TimelineStage::SessionInitiate, now);
        let (ssrc, cname) = (self.env.ssrc(|_| false), self.env.alphanumeric(16));
        let Some(engines) = &mut self.engines else { return self.jingle.media_failed(key) };
        let config = Config {
            controlling,
            identity: engines.identity.clone(),
            stun_servers: self.stun.clone(),
            allow_loopback: self.options.allow_loopback,
            rtp: RtpConfig::default(),
            feedback_ssrc: ssrc,
            cname,
            estimate: EstimateBounds::default(),
        };
        match engines.factory.create(config, &mut self.env, now) {
            Ok(engine) => {
                let sockets = self.sockets_key();
                let peer = self.last_peer.clone();
                self.media = Some(MediaSession::new(key, sockets, engine, peer, self.jitter()));
                self.out.push_back(Output::OpenSockets(sockets));
            }
            Err(_) => self.jingle.media_failed(key),
        }
    }

    pub(super) fn sockets_opened(&mut self, key: SocketsKey, addresses: &[SocketAddr], now: Time) {
        let Some(m) = self.media.as_mut().filter(|m| m.sockets == key) else { return };
        for a in addresses {
            m.engine.handle_command(Command::AddLocalAddress(*a), now);
        }
        let mut candidates = Vec::new();
        let mut rest = Vec::new();
        while let Some(o) = m.engine.poll_output() {
            match o {
                peer::Output::Event(peer::Event::Candidate(c)) => candidates.push(to_jingle(&c)),
                o => rest.push(o),
            }
        }
        let t = m.engine.local_transport();
        let local = jingle::LocalTransport {
            ufrag: t.credentials.ufrag,
            pwd: t.credentials.pwd,
            hash: t.fingerprint.hash,
            fingerprint: t.fingerprint.value,
        };
        let session = m.key;
        m.described = true;
        self.jingle.local_transport(session, local, candidates, now);
        for o in rest {
            self.on_engine(o, now);
        }
    }

    fn close_engine(&mut self, key: SessionKey, now: Time) {
        let Some(mut m) = self.media.take_if(|m| m.key == key) else { return };
        m.engine.handle_command(Command::Close, now);
        while let Some(o) = m.engine.poll_output() {
            if let peer::Output::Transmit(t) = o {
                let (local, remote, data) = (t.local, t.remote, t.data);
                self.out.push_back(Output::Transmit { sockets: m.sockets, local, remote, data });
            }
        }
        self.out.push_back(Output::CloseSockets(m.sockets));
        self.forget_retired(now);
        self.tell_writers();
    }

    /// The session that carried removed tracks is over: they are gone from presence and from the next offer too.
    fn forget_retired(&mut self, now: Time) {
        let Some(endpoint) = self.endpoint_id() else { return };
        let gone = std::mem::take(&mut self.tracks.retired);
        if gone.is_empty() {
            return;
        }
        if let Some(r) = &mut self.room {
            for t in gone {
                r.remove_source(&t.source_name(&endpoint), now);
            }
        }
        self.signal_local_tracks(now);
    }

    /// Drains the engine and the frames; whether anything moved.
    pub(super) fn pump_media(&mut self, now: Time) -> bool {
        let mut moved = false;
        while let Some(o) = self.media.as_mut().and_then(|m| m.engine.poll_output()) {
            moved = true;
            self.on_engine(o, now);
        }
        while let Some(mut frame) = self.media.as_mut().and_then(MediaSession::poll_frame) {
            self.note_timeline(&frame);
            if let Some(t) = &mut self.transform {
                let data = std::mem::take(&mut frame.data);
                match t.incoming(&frame.endpoint_id, &frame.source_name, frame.codec, data) {
                    Some(data) => frame.data = data,
                    None => continue,
                }
            }
            let track = self.tracks.remote(&frame.endpoint_id, &frame.source_name).map(|t| t.key);
            let readers = self.readers.iter().filter(|r| match r.track {
                Some(wanted) => Some(wanted) == track,
                None => r.options.media.is_none_or(|m| m == frame.media),
            });
            for r in readers {
                self.out.push_back(Output::Frame(r.key, frame.clone()));
            }
        }
        moved
    }

    /// Remembers where a track's timelines are, for its next session.
    fn note_timeline(&mut self, f: &EncodedFrame) {
        if !self.timelines.contains_key(&*f.endpoint_id) {
            self.timelines.insert(f.endpoint_id.to_string(), Vec::new());
        }
        let Some(known) = self.timelines.get_mut(&*f.endpoint_id) else { return };
        // As many as an endpoint may have sources.
        let full = known.len() >= jingle::MAX_SOURCES_PER_ENDPOINT;
        match known.iter_mut().find(|t| t.0 == *f.source_name) {
            Some(t) => t.1 = f.timeline,
            None if !full => known.push((f.source_name.to_string(), f.timeline)),
            None => {}
        }
    }

    fn on_engine(&mut self, output: peer::Output, now: Time) {
        let Some(m) = &mut self.media else { return };
        let event = match output {
            peer::Output::Transmit(t) => {
                let (local, remote, data) = (t.local, t.remote, t.data);
                self.out.push_back(Output::Transmit { sockets: m.sockets, local, remote, data });
                return;
            }
            peer::Output::Event(e) => e,
        };
        let session = m.key;
        match event {
            peer::Event::Rtp(p) => {
                let (readers, tracks) = (&self.readers, &self.tracks);
                let wanted = |owner: &str, name: &str, media: MediaType| {
                    readers.iter().any(|r| match r.track {
                        Some(key) => tracks.remote(owner, name).is_some_and(|t| t.key == key),
                        None => r.options.media.is_none_or(|m| m == media),
                    })
                };
                match m.packet(p, now, wanted) {
                    Heard::Packet(MediaType::Audio) => self.reach(TimelineStage::FirstAudioReceived, now),
                    Heard::Packet(MediaType::Video) => self.reach(TimelineStage::FirstVideoReceived, now),
                    Heard::Nothing => {}
                }
            }
            peer::Event::Candidate(c) if m.described => self.jingle.local_candidate(session, to_jingle(&c), now),
            peer::Event::Candidate(_) | peer::Event::GatheringDone => {}
            peer::Event::Ice(IceState::Connected) => {
                self.reach(TimelineStage::IceConnected, now);
                self.jingle.ice_connected(session);
            }
            peer::Event::Ice(_) | peer::Event::Bye(_) => {}
            peer::Event::Secure => {
                m.secure = true;
                let endpoint_id = m.peer.clone();
                self.reach(TimelineStage::DtlsConnected, now);
                self.tell_writers();
                self.emit(EventKind::Media(MediaState::Connected { endpoint_id }));
            }
            peer::Event::KeyFrameWanted(ssrc) => {
                if let Some(track) = m.track_of(ssrc) {
                    self.emit(EventKind::KeyFrameWanted { track, encoding: 0 });
                }
            }
            peer::Event::SenderReport(sr) => m.sender_report(sr),
            peer::Event::Bandwidth(b) => {
                let video: Vec<TrackKey> = m.video_tracks().collect();
                self.emit(EventKind::Bandwidth { bits_per_second: b.bps });
                let each = b.bps / (video.len() as u64).max(1);
                for track in video {
                    self.emit(EventKind::TargetBitrate { track, encoding: 0, bits_per_second: each });
                }
            }
            peer::Event::Failed(Failure::Ice) => self.jingle.ice_failed(session),
            // A peer that leaves closes DTLS first; signalling tells the reason a moment later.
            peer::Event::Failed(Failure::PeerClosed) => m.silent_until = Some(now + PEER_CLOSED_WAIT),
            peer::Event::Failed(_) => self.jingle.media_failed(session),
        }
    }

    pub(super) fn send_frame(&mut self, track: TrackKey, frame: &OutgoingFrame, now: Time) {
        let Some(t) = self.tracks.local_mut(track).filter(|t| !t.muted) else { return };
        let (codec, media) = (t.options.codec, t.options.codec.media_type());
        let name = t.track.as_ref().map(|t| t.source_name.clone());
        let mut frame = Cow::Borrowed(frame);
        if let (Some(t), Some(name)) = (&mut self.transform, name) {
            let frame = frame.to_mut();
            match t.outgoing(&name, codec, std::mem::take(&mut frame.data)) {
                Some(data) => frame.data = data,
                None => return,
            }
        }
        let first = self.media.as_mut().is_some_and(|m| m.send(track, &frame, now).unwrap_or(false));
        if first {
            self.reach(
                match media {
                    MediaType::Audio => TimelineStage::FirstAudioSent,
                    MediaType::Video => TimelineStage::FirstVideoSent,
                },
                now,
            );
        }
        self.pump_media(now);
    }

    /// What each writer is told from now on.
    pub(super) fn tell_writers(&mut self) {
        let media = &self.media;
        let told = self.tracks.local.iter().map(|t| {
            let ready = media.as_ref().is_some_and(|m| m.ready(t.key));
            let refused = media.as_ref().is_some_and(|m| m.refuses(t.key));
            Output::Writer { track: t.key, muted: t.muted, ready, refused }
        });
        self.out.extend(told.collect::<Vec<_>>());
    }

    /// The local sources as Jingle signals them.
    pub(super) fn signal_local_tracks(&mut self, now: Time) {
        let Some(endpoint) = self.endpoint_id() else { return };
        let sources = self.tracks.sources().map(|t| {
            let media = t.options.codec.media_type();
            jingle::LocalSource {
                name: t.source_name(&endpoint),
                media: match media {
                    MediaType::Audio => crate::wire::jingle::Media::Audio,
                    MediaType::Video => crate::wire::jingle::Media::Video,
                },
                video_type: (media == MediaType::Video).then_some(match t.options.video_type {
                    crate::media::VideoType::Camera => crate::wire::jingle::VideoType::Camera,
                    crate::media::VideoType::Desktop => crate::wire::jingle::VideoType::Desktop,
                }),
                ssrc: t.ssrc,
                rtx: t.rtx,
                msid: t.msid(&endpoint),
            }
        });
        self.jingle.set_local_sources(sources.collect());
        if let Some(m) = &mut self.media {
            m.sync_senders(&self.tracks, &mut self.env, now);
        }
        self.tell_writers();
    }

    /// Video is asked for while somebody reads it, and no larger than the largest that somebody wants (design §5.5).
    pub(super) fn signal_readers(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        let mut video = self.readers.iter().filter(|r| r.options.media != Some(MediaType::Audio));
        let wanted = video.clone().next().is_some();
        // Heights are spoken of once somebody limits one: peers that never hear of them send what they like.
        let heights = video.any(|r| r.options.height > 0).then(|| {
            let remote = self.tracks.remote_tracks().filter(|t| t.media == MediaType::Video);
            remote.map(|t| (t.source_name.clone(), self.wanted_height(t))).collect()
        });
        self.jingle.set_receive(wanted, heights);
    }

    fn wanted_height(&self, t: &Track) -> u32 {
        let reads = |r: &&ReaderEntry| match r.track {
            Some(key) => key == t.key,
            None => r.options.media != Some(MediaType::Audio),
        };
        let heights = self.readers.iter().filter(reads).map(|r| match r.options.height {
            0 => MAX_HEIGHT,
            h => h.min(MAX_HEIGHT),
        });
        heights.max().unwrap_or(MAX_HEIGHT)
    }
}

fn end_reason(r: EndReason) -> (bool, String, String) {
    let own = |reason: &str, text: &str| (false, reason.to_owned(), text.to_owned());
    match r {
        EndReason::NotWanted => own("success", "peer to peer is not wanted any more"),
        EndReason::PeerLeft => own("gone", "the peer left"),
        EndReason::Left => own("success", "we left"),
        EndReason::Peer { condition, text } => (true, condition, text),
        EndReason::NotAnswered => own("timeout", "the peer did not answer"),
        EndReason::BadDescription(what) => own("failed-application", what),
        EndReason::IceFailed => own("connectivity-error", "no path to the peer"),
        EndReason::MediaFailed => own("connectivity-error", "the media connection failed"),
        EndReason::SourcesChanged => own("connectivity-error", "the sources changed"),
    }
}

fn remote_transport(t: jingle::RemoteTransport) -> RemoteTransport {
    RemoteTransport {
        credentials: IceCredentials { ufrag: t.ufrag, pwd: t.pwd },
        fingerprints: t.fingerprints.into_iter().map(|(hash, value)| Fingerprint { hash, value }).collect(),
        dtls: match t.dtls {
            jingle::DtlsRole::Client => DtlsRole::Client,
            jingle::DtlsRole::Server => DtlsRole::Server,
        },
    }
}

fn to_engine(c: IceCandidate) -> Candidate {
    Candidate {
        foundation: c.foundation,
        priority: c.priority,
        address: c.address,
        kind: match c.kind {
            CandidateType::Host => CandidateKind::Host,
            CandidateType::ServerReflexive => CandidateKind::ServerReflexive,
            CandidateType::PeerReflexive => CandidateKind::PeerReflexive,
            CandidateType::Relayed => CandidateKind::Relayed,
        },
        related: c.related,
    }
}

fn to_jingle(c: &Candidate) -> IceCandidate {
    IceCandidate {
        foundation: c.foundation.clone(),
        priority: c.priority,
        address: c.address,
        kind: match c.kind {
            CandidateKind::Host => CandidateType::Host,
            CandidateKind::ServerReflexive => CandidateType::ServerReflexive,
            CandidateKind::PeerReflexive => CandidateType::PeerReflexive,
            CandidateKind::Relayed => CandidateType::Relayed,
        },
        related: c.related,
    }
}
