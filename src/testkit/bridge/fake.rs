//! One endpoint's transport without cryptography: the other half of the fake engine is a fake engine. What it says and hears
//! becomes what a transport tells.

use super::ice::IceEvent;
use super::transport::{Packet, TransportEvent};
use super::types::{BridgeError, RemoteTransport};
use crate::engine::fake::{self, FakeEngine};
use crate::env::Env;
use crate::media::peer::{
    Command, Config, DtlsRole, EstimateBounds, Event, Failure, IceCredentials, IceState, OutgoingRtp, Output,
    PeerEngine, RemoteTransport as Remote, RtpConfig,
};
use crate::time::Time;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::vec::Drain;

/// The transport.
pub(super) struct FakeTransport {
    engine: FakeEngine,
    locals: Vec<SocketAddr>,
    /// Of the newest agent.
    generation: u32,
    answered: bool,
    started: bool,
    secure: bool,
    closed: bool,
    known: BTreeSet<SocketAddr>,
    /// `mid` by SSRC.
    streams: BTreeMap<u32, String>,
    transmits: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    events: VecDeque<TransportEvent>,
}

impl FakeTransport {
    pub fn new(locals: &[SocketAddr], sctp: bool, env: &mut Env, now: Time) -> FakeTransport {
        let config = Config {
            controlling: true,
            identity: fake::identity("bridge"),
            stun_servers: Vec::new(),
            allow_loopback: true,
            rtp: RtpConfig::default(),
            feedback_ssrc: 1,
            cname: "bridge".into(),
            estimate: EstimateBounds::default(),
            sctp: sctp.then_some(super::SCTP_PORT),
        };
        let mut engine = FakeEngine::new(config, env, now);
        for a in locals {
            engine.handle_command(Command::AddLocalAddress(*a), now);
        }
        FakeTransport {
            engine,
            locals: locals.to_vec(),
            generation: 0,
            answered: false,
            started: false,
            secure: false,
            closed: false,
            known: BTreeSet::new(),
            streams: BTreeMap::new(),
            transmits: Vec::new(),
            events: VecDeque::new(),
        }
    }

    pub fn credentials(&self) -> Option<(u32, String, String)> {
        let c = self.engine.local_transport().credentials;
        (!self.closed).then_some((self.generation, c.ufrag, c.pwd))
    }

    pub fn accept(&mut self, remote: &RemoteTransport, now: Time) -> Result<(), BridgeError> {
        let credentials = IceCredentials { ufrag: remote.ufrag.clone(), pwd: remote.pwd.clone() };
        if !self.started {
            let f = remote.fingerprint.clone().ok_or(BridgeError::Transport("no fingerprint"))?;
            let dtls = DtlsRole::Server;
            let remote = Remote { credentials, fingerprints: vec![f], dtls };
            self.engine.handle_command(Command::SetRemote(remote), now);
            self.started = true;
        } else if !self.answered {
            self.engine.answer_restart(credentials);
        }
        self.answered = true;
        for c in &remote.candidates {
            self.engine.handle_command(Command::AddRemoteCandidate(c.clone()), now);
        }
        self.drain();
        Ok(())
    }

    /// Its credentials stand at once; the client's come with its answer, and before that it says nothing.
    pub fn restart(&mut self, now: Time) {
        self.generation += 1;
        self.answered = false;
        let (addresses, remote) = (self.locals.clone(), IceCredentials { ufrag: String::new(), pwd: String::new() });
        self.engine.handle_command(Command::RestartIce { generation: self.generation, addresses, remote }, now);
        self.drain();
    }

    pub fn knows(&self, remote: SocketAddr) -> bool {
        self.known.contains(&remote)
    }

    pub fn accepts(&self, data: &[u8]) -> bool {
        fake::addressee(data).is_some_and(|name| self.engine.is_named(name))
    }

    pub fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) -> bool {
        if fake::addressee(data).is_some() {
            if !self.accepts(data) {
                return false;
            }
            self.known.insert(remote);
        }
        match fake::key_frame_request(data) {
            Some(ssrc) => {
                let mid = self.streams.get(&ssrc).cloned();
                self.events.extend(mid.map(TransportEvent::KeyFrameWanted));
            }
            // As SCTP's abort says it, and no more: a client's DTLS sends no alert.
            None if fake::is_close(data) => self.events.push_back(TransportEvent::ChannelClosed),
            None => self.engine.handle_datagram(local, remote, data, now),
        }
        self.drain();
        true
    }

    pub fn timeout(&mut self, now: Time) {
        self.engine.handle_timeout(now);
        self.drain();
    }

    pub fn text(&mut self, text: &str, now: Time) {
        self.engine.handle_command(Command::SendText(text.to_owned()), now);
        self.drain();
    }

    pub fn open(&mut self, mid: &str, ssrc: u32) {
        self.streams.insert(ssrc, mid.to_owned());
    }

    pub fn shut(&mut self, mid: &str) {
        self.streams.retain(|_, m| m != mid);
    }

    pub fn send(&mut self, ssrc: u32, p: &Packet) {
        let out = OutgoingRtp {
            ssrc,
            pt: p.pt,
            ts: p.ts,
            marker: p.marker,
            level: p.level.map(|(level, voice)| crate::media::peer::AudioLevel { level: level.unsigned_abs(), voice }),
            payload: p.payload.to_vec().into(),
            extra: None,
        };
        if self.secure() && self.streams.contains_key(&ssrc) {
            self.engine.send_numbered(&out, p.seq, p.mid.as_deref().map_or("", str::trim));
            self.drain();
        }
    }

    pub fn request_key_frame(&mut self, ssrc: u32, now: Time) {
        self.engine.handle_command(Command::RequestKeyFrame(ssrc), now);
        self.drain();
    }

    pub fn secure(&self) -> bool {
        self.secure && !self.closed
    }

    pub fn poll_transmits(&mut self) -> Drain<'_, (SocketAddr, SocketAddr, Vec<u8>)> {
        self.transmits.drain(..)
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub fn next_deadline(&self) -> Option<Time> {
        self.engine.next_deadline().filter(|_| !self.closed)
    }

    fn drain(&mut self) {
        while let Some(o) = self.engine.poll_output() {
            match o {
                Output::Transmit(t) => self.transmits.extend(t.datagrams().map(|d| (t.local, t.remote, d.to_vec()))),
                Output::Event(e) => self.event(e),
            }
        }
    }

    fn event(&mut self, e: Event) {
        let told = match e {
            Event::Ice(IceState::Connected) if !self.secure => TransportEvent::Ice(IceEvent::Connected(0)),
            Event::Restarted { generation } => TransportEvent::Ice(IceEvent::Connected(generation)),
            Event::RestartFailed { generation } => TransportEvent::Ice(IceEvent::RestartFailed(generation)),
            Event::Secure => {
                self.secure = true;
                TransportEvent::Secure
            }
            Event::Failed(why) => {
                self.closed = true;
                if why == Failure::Ice { TransportEvent::Ice(IceEvent::Failed) } else { TransportEvent::Closed }
            }
            Event::Rtp(p) => TransportEvent::Rtp(
                p.ssrc,
                Packet {
                    pt: p.pt,
                    seq: p.seq,
                    ts: p.ts,
                    marker: p.marker,
                    payload: p.payload[..].into(),
                    level: p.level.map(|l| (-i8::try_from(l.level).unwrap_or(127), l.voice)),
                    dependency: None,
                    mid: None,
                },
            ),
            Event::ChannelOpen => TransportEvent::ChannelOpen,
            Event::ChannelClosed => TransportEvent::ChannelClosed,
            Event::ChannelText(text) => TransportEvent::ChannelText(text),
            _ => return,
        };
        self.events.push_back(told);
    }
}
