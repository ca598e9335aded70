//! Our side of the tests with foreign stacks: an engine with Jitsi's payload types, and SDP lines to and from its words.
//! SDP exists only here: the peers speak it, the library does not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use jmeet::engine::{Engines, identity};
use jmeet::media::peer::*;
use jmeet::{Env, Time};

pub const AUDIO: u8 = 111;
pub const VIDEO: u8 = 100;
pub const RTX: u8 = 96;

/// An engine, and what it told.
pub struct Ours {
    pub engine: Box<dyn PeerEngine>,
    pub local: SocketAddr,
    pub secure: bool,
    pub received: Vec<IncomingRtp>,
    pub key_frames: Vec<u32>,
    pub reports: Vec<SenderReport>,
    pub estimate: Option<Bandwidth>,
    pub failed: Option<Failure>,
    pub candidates: Vec<Candidate>,
    pub channel_open: usize,
    pub channel_closed: usize,
    pub texts: Vec<String>,
}

impl Ours {
    pub fn new(controlling: bool, local: SocketAddr, seed: u64, now: Time) -> Ours {
        let config = Config {
            controlling,
            identity: Arc::new(identity::generate().expect("randomness")),
            stun_servers: vec![],
            allow_loopback: true,
            rtp: RtpConfig::jicofo(),
            feedback_ssrc: 4242,
            cname: "ours".into(),
            estimate: EstimateBounds::default(),
            sctp: Some(5000),
        };
        let mut engine = Engines.create(config, &mut Env::seeded(seed), now).expect("engine");
        engine.handle_command(Command::AddLocalAddress(local), now);
        Ours {
            engine,
            local,
            secure: false,
            received: vec![],
            key_frames: vec![],
            reports: vec![],
            estimate: None,
            failed: None,
            candidates: vec![],
            channel_open: 0,
            channel_closed: 0,
            texts: vec![],
        }
    }

    /// Sorts what the engine gives; datagrams are returned.
    pub fn drain(&mut self) -> Vec<Transmit> {
        let mut out = vec![];
        while let Some(o) = self.engine.poll_output() {
            match o {
                Output::Transmit(t) => out.extend(t.datagrams().map(|d| Transmit::one(t.local, t.remote, d.to_vec()))),
                Output::Event(Event::Secure) => self.secure = true,
                Output::Event(Event::Rtp(p)) => self.received.push(p),
                Output::Event(Event::KeyFrameWanted(s)) => self.key_frames.push(s),
                Output::Event(Event::SenderReport(r)) => self.reports.push(r),
                Output::Event(Event::Bandwidth(b)) => self.estimate = Some(b),
                Output::Event(Event::Failed(f)) => self.failed = Some(f),
                Output::Event(Event::Candidate(c)) => self.candidates.push(c),
                Output::Event(Event::ChannelOpen) => self.channel_open += 1,
                Output::Event(Event::ChannelClosed) => self.channel_closed += 1,
                Output::Event(Event::ChannelText(t)) => self.texts.push(t),
                Output::Event(_) => {}
            }
        }
        out
    }

    /// Payloads' first bytes of one SSRC in order of sequence number, each once; panics on a hole.
    pub fn in_order(&self, ssrc: u32) -> Vec<u8> {
        let mut all: Vec<_> = self.received.iter().filter(|p| p.ssrc == ssrc).map(|p| (p.seq, p.payload[0])).collect();
        all.sort_unstable();
        assert!(all.windows(2).all(|w| w[0].0 + 1 == w[1].0), "a hole or a double");
        all.into_iter().map(|p| p.1).collect()
    }
}

/// A video packet that says its number.
pub fn video(ssrc: u32, n: u32) -> OutgoingRtp {
    let payload = Bytes::from(vec![n as u8; 1000]);
    OutgoingRtp { ssrc, pt: VIDEO, ts: n * 3000, marker: true, level: None, extra: None, payload }
}

/// An audio packet that says its number.
pub fn audio(ssrc: u32, n: u32) -> OutgoingRtp {
    let level = Some(AudioLevel { level: 30, voice: true });
    let payload = Bytes::from(vec![n as u8; 80]);
    OutgoingRtp { ssrc, pt: AUDIO, ts: n * 960, marker: n == 0, level, extra: None, payload }
}

/// `candidate:…` as in SDP.
pub fn candidate_line(c: &Candidate) -> String {
    let (ip, port) = (c.address.ip(), c.address.port());
    format!("candidate:{} 1 udp {} {ip} {port} typ {}", c.foundation, c.priority, c.kind.as_str())
}

/// The candidate of an SDP line; `None` for other transports and names.
pub fn parse_candidate(line: &str) -> Option<Candidate> {
    let mut words = line.trim().trim_start_matches("a=").strip_prefix("candidate:")?.split_whitespace();
    let foundation = words.next()?.to_string();
    let (_component, protocol) = (words.next()?, words.next()?);
    let priority = words.next()?.parse().ok()?;
    let address = SocketAddr::new(words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let kind = CandidateKind::parse(words.nth(1)?)?;
    protocol.eq_ignore_ascii_case("udp").then_some(Candidate { foundation, priority, address, kind, related: None })
}

/// The transport of the first section of an SDP.
pub fn parse_transport(sdp: &str, dtls: DtlsRole) -> RemoteTransport {
    let get =
        |key: &str| sdp.lines().find_map(|l| l.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{key} in {sdp}"));
    let (hash, value) = get("a=fingerprint:").split_once(' ').expect("hash and value");
    RemoteTransport {
        credentials: IceCredentials { ufrag: get("a=ice-ufrag:").into(), pwd: get("a=ice-pwd:").into() },
        fingerprints: vec![Fingerprint { hash: hash.into(), value: value.into() }],
        dtls,
    }
}
