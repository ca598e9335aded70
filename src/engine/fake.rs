//! A fake engine for tests of the layers above: the same trait, no cryptography, deterministic. Two of them connect by
//! exchanging datagrams, check each other's credentials and fingerprints, and carry RTP with everything the events tell.
//!
//! It sends a hello until it hears one that names it, then one every two seconds; what is lost on the way stays lost.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::env::Env;
use crate::media::peer::*;
use crate::time::{Time, earliest};

const HELLO: u8 = b'H';
const RTP: u8 = b'R';
const KEY_FRAME: u8 = b'K';
const REPORT: u8 = b'S';
const BYE: u8 = b'B';
const CLOSE: u8 = b'C';
/// Between two hellos, before and after one was heard.
const HELLO_EVERY: Duration = Duration::from_millis(50);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
const FAILED_AFTER: Duration = Duration::from_secs(30);
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Makes fakes.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeEngines;

impl PeerEngineFactory for FakeEngines {
    fn create(&mut self, config: Config, env: &mut Env, now: Time) -> Result<Box<dyn PeerEngine>, Failure> {
        Ok(Box::new(FakeEngine::new(config, env, now)))
    }
}

/// An identity whose fingerprint is made from a name; nothing is signed with it.
pub fn identity(name: &str) -> Arc<Identity> {
    let value = name.bytes().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":");
    let fingerprint = Fingerprint { hash: "sha-256".into(), value };
    Arc::new(Identity { certificate: vec![], private_key: vec![], fingerprint })
}

struct Stream {
    seq: u64,
    last: Option<(Time, u32, u8)>,
}

/// The fake.
pub struct FakeEngine {
    config: Config,
    credentials: IceCredentials,
    locals: Vec<SocketAddr>,
    remotes: Vec<SocketAddr>,
    remote: Option<RemoteTransport>,
    path: Option<(SocketAddr, SocketAddr)>,
    state: IceState,
    secure: bool,
    over: bool,
    senders: BTreeMap<u32, Stream>,
    /// SSRCs that came.
    seen: BTreeMap<u32, ()>,
    heard: Time,
    hello_at: Option<Time>,
    report_at: Option<Time>,
    out: VecDeque<Output>,
    stats: Stats,
}

impl FakeEngine {
    /// A fake of this configuration.
    pub fn new(config: Config, env: &mut Env, now: Time) -> FakeEngine {
        FakeEngine {
            config,
            credentials: IceCredentials { ufrag: env.alphanumeric(8), pwd: env.alphanumeric(24) },
            locals: vec![],
            remotes: vec![],
            remote: None,
            path: None,
            state: IceState::New,
            secure: false,
            over: false,
            senders: BTreeMap::new(),
            seen: BTreeMap::new(),
            heard: now,
            hello_at: None,
            report_at: None,
            out: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    fn event(&mut self, e: Event) {
        self.out.push_back(Output::Event(e));
    }

    fn transmit(&mut self, data: Vec<u8>) {
        if let Some((local, remote)) = self.path {
            self.out.push_back(Output::Transmit(Transmit { local, remote, data }));
        }
    }

    fn set_state(&mut self, s: IceState) {
        if self.state != s {
            self.state = s;
            self.event(Event::Ice(s));
        }
    }

    fn end(&mut self) {
        (self.over, self.hello_at, self.report_at) = (true, None, None);
    }

    fn fail(&mut self, f: Failure) {
        if !self.over {
            self.end();
            self.event(Event::Failed(f));
        }
    }

    /// `H`, whether the peer was heard, and four texts: whom it is for, its password, who says it, the own fingerprint.
    fn hello(&self) -> Vec<u8> {
        let mut b = vec![HELLO, u8::from(self.path.is_some())];
        if let Some(r) = &self.remote {
            let own = &self.config.identity.fingerprint.value;
            for s in [&r.credentials.ufrag, &r.credentials.pwd, &self.credentials.ufrag, own] {
                b.extend_from_slice(s.as_bytes());
                b.push(0);
            }
        }
        b
    }

    fn send_hello(&mut self, now: Time) {
        if self.over || self.remote.is_none() {
            return;
        }
        let data = self.hello();
        if self.path.is_some() {
            self.transmit(data);
        } else {
            for (&local, &remote) in self.locals.iter().flat_map(|l| self.remotes.iter().map(move |r| (l, r))) {
                if local.is_ipv4() == remote.is_ipv4() {
                    self.out.push_back(Output::Transmit(Transmit { local, remote, data: data.clone() }));
                }
            }
        }
        self.hello_at = Some(now + if self.secure { KEEP_ALIVE } else { HELLO_EVERY });
    }

    fn on_hello(&mut self, local: SocketAddr, remote: SocketAddr, b: &[u8], now: Time) {
        let Some(r) = &self.remote else { return };
        let texts: Vec<&[u8]> = b[2..].split(|c| *c == 0).collect();
        let [ufrag, pwd, theirs, fingerprint, _] = texts[..] else {
            self.stats.junk += 1;
            return;
        };
        let right = ufrag == self.credentials.ufrag.as_bytes()
            && pwd == self.credentials.pwd.as_bytes()
            && theirs == r.credentials.ufrag.as_bytes();
        if !right {
            self.stats.stun_refused += 1;
            return;
        }
        if !r.fingerprints.iter().any(|f| f.value.as_bytes().eq_ignore_ascii_case(fingerprint)) {
            return self.fail(Failure::Fingerprint);
        }
        self.heard = now;
        if self.path.is_none() {
            self.path = Some((local, remote));
            self.send_hello(now);
        }
        self.set_state(IceState::Connected);
        // The peer heard us: both ways work.
        if b[1] == 1 && !self.secure {
            self.secure = true;
            self.event(Event::Secure);
            self.send_hello(now);
        }
    }

    fn on_rtp(&mut self, b: &[u8], now: Time) {
        let Some((&h, payload)) = b[1..].split_first_chunk::<19>() else {
            self.stats.junk += 1;
            return;
        };
        let be32 = |at: usize| u32::from_be_bytes([h[at], h[at + 1], h[at + 2], h[at + 3]]);
        let level = (h[17] != 0).then_some(AudioLevel { level: h[18] & 0x7f, voice: h[18] & 0x80 != 0 });
        let packet = IncomingRtp {
            ssrc: be32(0),
            pt: h[4] & 0x7f,
            marker: h[4] & 0x80 != 0,
            ts: be32(5),
            seq: (u64::from(be32(9)) << 32) | u64::from(be32(13)),
            recovered: false,
            arrival: now,
            level,
            payload: Bytes::copy_from_slice(payload),
        };
        self.seen.insert(packet.ssrc, ());
        self.stats.rtp_in += 1;
        self.stats.rtp_in_bytes += payload.len() as u64;
        self.event(Event::Rtp(packet));
    }

    fn ssrc_message(&mut self, tag: u8, ssrc: u32) {
        let mut b = vec![tag];
        b.extend_from_slice(&ssrc.to_be_bytes());
        self.transmit(b);
    }

    fn send_reports(&mut self, now: Time) {
        let reports: Vec<_> = self.senders.iter().filter_map(|(ssrc, s)| Some((*ssrc, s.last?))).collect();
        for (ssrc, (at, ts, pt)) in reports {
            let clock = self.config.rtp.payload_types.iter().find(|p| p.pt == pt).map_or(90_000, |p| p.clock);
            let rtp = ts.wrapping_add((now.since(at).as_micros() * u128::from(clock) / 1_000_000) as u32);
            let us = (now.unix_us + NTP_UNIX_OFFSET * 1_000_000).max(0) as u64;
            let ntp = ((us / 1_000_000) << 32) | (((us % 1_000_000) << 32) / 1_000_000);
            let mut b = vec![REPORT];
            b.extend_from_slice(&ssrc.to_be_bytes());
            b.extend_from_slice(&ntp.to_be_bytes());
            b.extend_from_slice(&rtp.to_be_bytes());
            self.transmit(b);
        }
        self.report_at = Some(now + REPORT_EVERY);
    }
}

impl PeerEngine for FakeEngine {
    fn handle_command(&mut self, command: Command, now: Time) {
        if self.over {
            return;
        }
        match command {
            Command::AddLocalAddress(a) => {
                if self.locals.contains(&a) {
                    return;
                }
                self.locals.push(a);
                let foundation = self.locals.len().to_string();
                let kind = CandidateKind::Host;
                let c = Candidate { foundation, priority: 2_130_706_431, address: a, kind, related: None };
                self.event(Event::Candidate(c));
                self.event(Event::GatheringDone);
                self.send_hello(now);
            }
            Command::RemoveLocalAddress(a) => {
                self.locals.retain(|l| *l != a);
                self.path = self.path.filter(|p| p.0 != a);
            }
            Command::SetRemote(r) => {
                if self.remote.is_none() {
                    self.remote = Some(r);
                    self.heard = now;
                    self.set_state(IceState::Checking);
                    self.send_hello(now);
                }
            }
            Command::AddRemoteCandidate(c) => {
                if !self.remotes.contains(&c.address) {
                    self.remotes.push(c.address);
                    self.send_hello(now);
                }
            }
            Command::SetRtp(rtp) => self.config.rtp = rtp,
            Command::AddSender(s) => {
                self.senders.entry(s.ssrc).or_insert(Stream { seq: 65_536, last: None });
            }
            Command::RemoveSender(ssrc) => {
                if self.senders.remove(&ssrc).is_some() && self.secure {
                    self.ssrc_message(BYE, ssrc);
                }
            }
            Command::MapRtx { .. } => {}
            Command::Forget(ssrc) => {
                self.seen.remove(&ssrc);
            }
            Command::RequestKeyFrame(ssrc) => {
                if self.secure {
                    self.stats.key_frame_requests_out += 1;
                    self.ssrc_message(KEY_FRAME, ssrc);
                }
            }
            Command::Close => {
                self.transmit(vec![CLOSE]);
                self.end();
                self.set_state(IceState::Closed);
            }
        }
    }

    fn handle_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) {
        if self.over {
            return;
        }
        if let [HELLO, _, _, ..] = data {
            return self.on_hello(local, remote, data, now);
        }
        if !self.secure || self.path != Some((local, remote)) {
            self.stats.junk += 1;
            return;
        }
        self.heard = now;
        let ssrc = |b: &[u8; 4]| u32::from_be_bytes(*b);
        match data {
            [RTP, ..] => self.on_rtp(data, now),
            [KEY_FRAME, a, b, c, d] if self.senders.contains_key(&ssrc(&[*a, *b, *c, *d])) => {
                self.stats.key_frame_requests_in += 1;
                self.event(Event::KeyFrameWanted(ssrc(&[*a, *b, *c, *d])));
            }
            [BYE, a, b, c, d] => self.event(Event::Bye(ssrc(&[*a, *b, *c, *d]))),
            [CLOSE] => self.fail(Failure::PeerClosed),
            [REPORT, rest @ ..] if rest.len() == 16 => {
                let word = |at: usize| u32::from_be_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
                let ntp = (u64::from(word(4)) << 32) | u64::from(word(8));
                self.event(Event::SenderReport(SenderReport { ssrc: word(0), ntp, rtp: word(12) }));
            }
            _ => self.stats.junk += 1,
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.over {
            return;
        }
        if self.hello_at.is_some_and(|t| t <= now) {
            self.send_hello(now);
        }
        if self.report_at.is_some_and(|t| t <= now) {
            self.send_reports(now);
        }
        if self.remote.is_some() {
            let silent = now.since(self.heard);
            if silent >= FAILED_AFTER {
                self.set_state(IceState::Failed);
                self.fail(Failure::Ice);
            } else if silent >= DISCONNECTED_AFTER && self.state == IceState::Connected {
                self.set_state(IceState::Disconnected);
            }
        }
    }

    fn send_rtp(&mut self, p: &OutgoingRtp, now: Time) {
        let Some(s) = self.senders.get_mut(&p.ssrc).filter(|_| self.secure && !self.over) else {
            self.stats.send_dropped += 1;
            return;
        };
        let seq = s.seq;
        (s.seq, s.last) = (seq + 1, Some((now, p.ts, p.pt)));
        let mut b = Vec::with_capacity(20 + p.payload.len());
        b.push(RTP);
        b.extend_from_slice(&p.ssrc.to_be_bytes());
        b.push((p.pt & 0x7f) | (u8::from(p.marker) << 7));
        b.extend_from_slice(&p.ts.to_be_bytes());
        b.extend_from_slice(&seq.to_be_bytes());
        b.push(u8::from(p.level.is_some()));
        b.push(p.level.map_or(0, |l| l.level.min(127) | (u8::from(l.voice) << 7)));
        b.extend_from_slice(&p.payload);
        self.transmit(b);
        self.stats.rtp_out += 1;
        self.stats.rtp_out_bytes += p.payload.len() as u64;
        self.report_at.get_or_insert(now + REPORT_EVERY);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.over {
            return None;
        }
        let silence = self.remote.as_ref().map(|_| {
            let after = if self.state == IceState::Connected { DISCONNECTED_AFTER } else { FAILED_AFTER };
            self.heard + after
        });
        earliest(earliest(self.hello_at, self.report_at), silence)
    }

    fn local_transport(&self) -> LocalTransport {
        let fingerprint = self.config.identity.fingerprint.clone();
        LocalTransport { credentials: self.credentials.clone(), fingerprint }
    }

    fn stats(&self) -> Stats {
        let path = self.path.map(|(local, remote)| Path {
            local,
            remote,
            local_kind: CandidateKind::Host,
            remote_kind: CandidateKind::Host,
        });
        Stats { path, streams: (self.senders.len() + self.seen.len()) as u32, ..self.stats }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::*;

    fn net() -> Net {
        with(|_| {})
    }

    fn with(change: impl Fn(&mut [RemoteTransport; 2])) -> Net {
        let now = Time::new(1, 1_800_000_000_000_000);
        let engines = [0, 1].map(|i: usize| {
            let config = Config { identity: identity(&format!("side {i}")), ..config(i) };
            let made = FakeEngines.create(config, &mut Env::seeded(i as u64), now);
            made.unwrap_or_else(|f| panic!("{f:?}"))
        });
        Net::of(engines, 0, change, now)
    }

    #[test]
    fn two_fakes_connect_and_carry_media_both_ways() {
        let mut net = net();
        net.connect();
        for side in [0, 1] {
            net.command(side, Command::AddSender(Sender { ssrc: 10, rtx: None, pt: AUDIO }));
            for n in 0..10 {
                net.send(side, &audio(10, n));
            }
        }
        net.run_for(Duration::from_secs(2));
        for side in [0, 1] {
            let got = net.received(side);
            assert_eq!(got.len(), 10);
            assert_eq!((got[3].seq, got[3].ts, got[3].level), (65_539, 3 * 960, audio(10, 3).level));
            assert_eq!(got[3].payload, audio(10, 3).payload);
            assert!(net.events[side].iter().any(|e| matches!(e, Event::SenderReport(_))));
        }
        net.command(1, Command::RequestKeyFrame(10));
        net.command(0, Command::RemoveSender(10));
        net.run_for(Duration::from_secs(1));
        assert!(net.events[1].iter().any(|e| matches!(e, Event::Bye(10))));
        net.command(0, Command::Close);
        net.run_for(Duration::from_secs(1));
        assert_eq!(net.failure(1), Some(Failure::PeerClosed));
    }

    #[test]
    fn a_fake_refuses_wrong_fingerprints_and_passwords() {
        let mut net = with(|r| r[1].fingerprints.clear());
        net.run_for(Duration::from_secs(1));
        assert_eq!(net.failure(1), Some(Failure::Fingerprint));
        let mut net = with(|r| r[0].credentials.pwd.push('x'));
        net.run_for(Duration::from_secs(40));
        assert_eq!(net.failure(1), Some(Failure::Ice));
    }
}
