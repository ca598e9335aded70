//! The engines of the media sessions: made, given sockets, drained and closed.

use super::event::{EventKind, MediaPath, MediaState, TimelineStage, TrackKey};
use super::io::{Output, SocketsKey};
use super::machine::{Meeting, Phase};
use super::session::{Heard, IceRestart, MediaSession};
use super::sessions::to_jingle;
use crate::jingle::{self, SessionKey};
use crate::media::kind::MediaType;
use crate::media::peer::{
    self, Candidate, Command, Config, EstimateBounds, Failure, IceCredentials, IceState, RtpConfig,
};
use crate::time::Time;
use std::net::SocketAddr;
use std::time::Duration;

/// How long signalling may lag behind a peer that closed the media connection.
pub const PEER_CLOSED_WAIT: Duration = Duration::from_secs(3);

fn transmit(m: &MediaSession, t: peer::Transmit) -> Output {
    let peer::Transmit { local, remote, data, segment } = t;
    Output::Transmit { sockets: m.sockets_of(local), local, remote, data, segment }
}

impl Meeting {
    /// Takes back what [`Output::Transmit`] carried, once it is sent: the engine fills it again. It need not be given.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if let Some(m) = self.medias.active_mut() {
            m.engine.recycle(buffer);
        }
    }

    pub(super) fn create_engine(
        &mut self,
        key: SessionKey,
        path: MediaPath,
        controlling: bool,
        sctp: Option<u16>,
        now: Time,
    ) {
        self.reach(TimelineStage::SessionInitiate, now);
        let (ssrc, cname) = (self.env.ssrc(|_| false), self.env.alphanumeric(16));
        let Some(engines) = &mut self.engines else { return self.jingle.media_failed(key, now) };
        let config = Config {
            controlling,
            identity: engines.identity.clone(),
            stun_servers: self.stun.clone(),
            allow_loopback: self.options.allow_loopback,
            rtp: RtpConfig::default(),
            feedback_ssrc: ssrc,
            cname,
            estimate: EstimateBounds::default(),
            sctp,
        };
        match engines.factory.create(config, &mut self.env, now) {
            Ok(engine) => {
                let sockets = self.sockets_key();
                let peer = match path {
                    MediaPath::PeerToPeer => self.last_peer.clone(),
                    MediaPath::Bridge => String::new(),
                };
                let new = MediaSession::new(key, path, sockets, engine, peer, self.jitter());
                if let Some(old) = self.medias.put(new) {
                    self.close_session(old, now);
                }
                self.out.push_back(Output::OpenSockets(sockets));
            }
            Err(_) => self.jingle.media_failed(key, now),
        }
    }

    pub(super) fn sockets_opened(&mut self, key: SocketsKey, addresses: &[SocketAddr], now: Time) {
        let Some(m) = self.medias.of_sockets_mut(key) else { return };
        m.bound(key, addresses);
        if let Some(r) = m.restart.take_if(|r| r.sockets == key) {
            let addresses = addresses.to_vec();
            m.engine.handle_command(
                Command::RestartIce { generation: r.generation, addresses, remote: r.credentials },
                now,
            );
            for c in r.candidates {
                m.engine.handle_command(Command::AddRemoteCandidate(c), now);
            }
            return;
        }
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
            self.on_engine(session, o, now);
        }
    }

    /// The bridge made a new ICE agent: new sockets towards it, because it tells its agents apart by our address
    /// (docs/protocol/02 §10.3).
    pub(super) fn restart_ice(
        &mut self,
        session: SessionKey,
        generation: u64,
        credentials: IceCredentials,
        candidates: Vec<Candidate>,
    ) {
        let sockets = self.sockets_key();
        let Some(m) = self.medias.get_mut(session) else { return };
        // Jicofo counts restarts from 1, a few a minute.
        let Ok(generation) = u32::try_from(generation) else { return };
        let old = m.begin_restart(IceRestart { sockets, generation, credentials, candidates });
        self.out.extend(old.map(Output::CloseSockets));
        self.out.push_back(Output::OpenSockets(sockets));
    }

    pub(super) fn close_engine(&mut self, key: SessionKey, now: Time) {
        let before = self.medias.active_key();
        let Some(m) = self.medias.take(key) else { return };
        let carried_retired = m.path == MediaPath::PeerToPeer;
        self.close_session(m, now);
        if carried_retired {
            self.forget_retired(now);
        }
        self.select_codecs(now);
        self.watch_streaming(now);
        self.another_way(before, now);
    }

    /// Our frames may go another way than before: that one goes on where it stopped, with key frames. Not while we leave.
    fn another_way(&mut self, before: Option<SessionKey>, now: Time) {
        if self.medias.active_key() == before || self.phase != Phase::Joined || self.rejoining.is_some() {
            return;
        }
        if let Some(m) = self.medias.active_mut() {
            m.resume(now);
        }
        self.refresh_video();
        self.tell_writers();
    }

    fn close_session(&mut self, mut m: MediaSession, now: Time) {
        self.keep_counts(&m);
        m.leave_off(&mut self.tracks);
        self.measured.forget(m.path);
        m.engine.handle_command(Command::Close, now);
        while let Some(o) = m.engine.poll_output() {
            if let peer::Output::Transmit(t) = o {
                self.out.push_back(transmit(&m, t));
            }
        }
        self.out.extend(m.sockets().map(Output::CloseSockets));
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

    /// Drains the engines and the frames; whether anything moved.
    pub(super) fn pump_media(&mut self, now: Time) -> bool {
        let mut moved = false;
        while let Some((key, o)) = self.medias.poll_engine() {
            moved = true;
            self.on_engine(key, o, now);
        }
        while let Some((key, frame)) = self.medias.poll_frame() {
            self.deliver(key, frame, now);
        }
        while let Some((owner, name, key)) = self.medias.poll_key() {
            self.on_key(&owner, &name, key);
        }
        if self.medias.iter_mut().any(MediaSession::take_resumed) {
            self.watch_streaming(now);
        }
        moved
    }

    fn on_engine(&mut self, session: SessionKey, output: peer::Output, now: Time) {
        let active = self.medias.active_key() == Some(session);
        let Some(m) = self.medias.get_mut(session) else { return };
        let event = match output {
            peer::Output::Transmit(t) => {
                self.out.push_back(transmit(m, t));
                return;
            }
            peer::Output::Event(e) => e,
        };
        let path = m.path;
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
                self.jingle.ice_connected(session, now);
            }
            // The bridge gives an endpoint up after 20 s of silence: a new path is sought while it still knows us. Refused without a
            // word when that is not possible now; a path that fails for good is a matter of its own.
            peer::Event::Ice(IceState::Disconnected) if path == MediaPath::Bridge => {
                let _refused = self.jingle.request_ice_restart(session, now);
                self.interrupted(now);
            }
            peer::Event::Ice(_) | peer::Event::Bye(_) => {}
            peer::Event::Secure => {
                m.secure = true;
                let endpoint_id = m.peer.clone();
                self.bridge_secure(session, now);
                self.reach(TimelineStage::DtlsConnected, now);
                self.select_codecs(now);
                self.emit(EventKind::Media(path, MediaState::Connected { endpoint_id }));
                self.refresh_video();
                self.watch_streaming(now);
                self.measure_from(now);
            }
            // A session that does not carry our frames now wants nothing that a program could give.
            peer::Event::KeyFrameWanted(_) | peer::Event::Bandwidth(_) if !active => {}
            peer::Event::KeyFrameWanted(ssrc) => {
                if let Some((track, _)) = m.track_of(ssrc) {
                    self.key_frames_wanted(track);
                }
            }
            peer::Event::SenderReport(sr) => m.sender_report(sr),
            peer::Event::Bandwidth(b) => {
                self.estimated(b.bps);
            }
            peer::Event::ChannelOpen => self.data_channel(session, true),
            peer::Event::ChannelClosed => self.data_channel(session, false),
            peer::Event::ChannelText(text) => self.on_bridge_text(session, &text, now),
            peer::Event::RestartCredentials { generation, credentials } => {
                let t = m.engine.local_transport();
                let local = jingle::LocalTransport {
                    ufrag: credentials.ufrag,
                    pwd: credentials.pwd,
                    hash: t.fingerprint.hash,
                    fingerprint: t.fingerprint.value,
                };
                self.jingle.ice_restarted(session, generation.into(), local);
            }
            peer::Event::Restarted { .. } => self.jingle.ice_connected(session, now),
            // The path before it goes on; if that one is lost too, the engine says so.
            peer::Event::RestartFailed { .. } => {}
            peer::Event::AddressUnused(local) => {
                let closed = m.unused(local).map(Output::CloseSockets);
                self.out.extend(closed);
            }
            // After that it does nothing any more. It waits with it for a restart that is under way.
            peer::Event::Failed(Failure::Ice) => self.jingle.ice_failed(session, now),
            // A peer that leaves closes DTLS first; signalling tells the reason a moment later. What speaks to a peer directly goes on
            // through the bridge at once.
            peer::Event::Failed(Failure::PeerClosed) => {
                m.silent_until = Some(now + PEER_CLOSED_WAIT);
                if path == MediaPath::PeerToPeer {
                    let before = self.medias.active_key();
                    if let Some(m) = self.medias.get_mut(session) {
                        m.secure = false;
                    }
                    self.select_codecs(now);
                    self.watch_streaming(now);
                    self.another_way(before, now);
                }
            }
            peer::Event::Failed(Failure::Dtls | Failure::Fingerprint) => self.jingle.handshake_failed(session, now),
        }
    }

    /// Media goes another way from now on: whoever looks at our video there needs a key frame to begin with.
    fn refresh_video(&mut self) {
        let video: Vec<TrackKey> =
            self.medias.active().into_iter().flat_map(MediaSession::video_tracks).map(|v| v.0).collect();
        for track in video {
            self.key_frames_wanted(track);
        }
    }

    /// A key frame of every encoding that goes out: the bridge asks on the lowest one whichever it forwards
    /// (docs/protocol/04 §7).
    pub(super) fn key_frames_wanted(&mut self, track: TrackKey) {
        let found = self.medias.active().and_then(|m| m.video_tracks().find(|v| v.0 == track));
        for encoding in found.map(|v| v.1).unwrap_or_default() {
            self.emit(EventKind::KeyFrameWanted { track, encoding });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::MAX_STUN_SERVERS;
    use super::super::{ClientOptions, Meeting};
    use crate::env::Env;
    use crate::meeting::io::Input;
    use crate::time::Time;
    use std::net::SocketAddr;

    #[test]
    fn stun_servers_are_kept_up_to_their_limit() {
        let options = ClientOptions { url: "ws://localhost/x".into(), room: "r".into(), ..Default::default() };
        let mut meeting = Meeting::new(options, "localhost", true, None, Env::seeded(1)).unwrap();
        let servers: Vec<_> = (0..=MAX_STUN_SERVERS as u16).map(|n| SocketAddr::from(([10, 0, 0, 1], n + 1))).collect();
        let (first, rest) = servers.split_at(MAX_STUN_SERVERS - 1);
        for (found, kept) in [(first, first.len()), (rest, MAX_STUN_SERVERS)] {
            meeting.handle(Input::Resolved(found.to_vec()), Time::new(0, 0));
            assert_eq!(meeting.stun, servers[..kept]);
        }
    }
}
