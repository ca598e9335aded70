//! A fake engine for tests of the layers above: the same trait, no cryptography, deterministic. Two of them connect by
//! exchanging datagrams, check each other's credentials and fingerprints, and carry RTP with everything the events tell.
//!
//! It sends a hello until it hears one that names it, then one every two seconds; what is lost on the way stays lost. A data
//! channel opens when both have an SCTP port; texts are datagrams. An ICE restart is a second hello between other addresses.

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
const OPEN: u8 = b'O';
const OPENED: u8 = b'A';
const TEXT: u8 = b'T';
/// Between two hellos, before and after one was heard.
const HELLO_EVERY: Duration = Duration::from_millis(50);
const KEEP_ALIVE: Duration = Duration::from_secs(2);
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
const FAILED_AFTER: Duration = Duration::from_secs(30);
const REPORT_EVERY: Duration = Duration::from_secs(1);
const RESTART_TIME: Duration = Duration::from_secs(30);

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

/// The user name that a hello is for; of nothing else.
pub fn addressee(datagram: &[u8]) -> Option<&[u8]> {
    let [HELLO, _, texts @ ..] = datagram else { return None };
    texts.split(|c| *c == 0).next()
}

/// The SSRC that a datagram wants a key frame of, if that is what it wants.
pub fn key_frame_request(datagram: &[u8]) -> Option<u32> {
    let [KEY_FRAME, a, b, c, d] = *datagram else { return None };
    Some(u32::from_be_bytes([a, b, c, d]))
}

/// Whether a datagram is a text of the channel, which a network of tests must not lose: nothing here repeats it.
pub fn is_text(datagram: &[u8]) -> bool {
    datagram.first() == Some(&TEXT)
}

/// Whether a datagram says that the other side closed.
pub fn is_close(datagram: &[u8]) -> bool {
    datagram == [CLOSE]
}

fn rtp_bytes(p: &OutgoingRtp, seq: u64, mid: &str) -> Vec<u8> {
    let mut b = Vec::with_capacity(20 + p.payload.len());
    b.push(RTP);
    b.extend_from_slice(&p.ssrc.to_be_bytes());
    b.push((p.pt & 0x7f) | (u8::from(p.marker) << 7));
    b.extend_from_slice(&p.ts.to_be_bytes());
    b.extend_from_slice(&seq.to_be_bytes());
    b.push(u8::from(p.level.is_some()));
    b.push(p.level.map_or(0, |l| l.level.min(127) | (u8::from(l.voice) << 7)));
    let mid = &mid.as_bytes()[..mid.len().min(MAX_MID)];
    b.push(mid.len() as u8);
    b.extend_from_slice(mid);
    b.extend_from_slice(&p.payload);
    b
}

struct Stream {
    seq: u64,
    last: Option<(Time, u32, u8)>,
}

struct Restart {
    generation: u32,
    addresses: Vec<SocketAddr>,
    credentials: IceCredentials,
    remote: IceCredentials,
    remotes: Vec<SocketAddr>,
    until: Time,
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
    /// SSRCs that came, and when last.
    seen: BTreeMap<u32, Time>,
    heard: Time,
    hello_at: Option<Time>,
    report_at: Option<Time>,
    /// A channel is wanted.
    channel_wanted: bool,
    channel_open: bool,
    restart: Option<Restart>,
    restarts: u32,
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
            channel_wanted: false,
            channel_open: false,
            restart: None,
            restarts: 0,
            out: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Whether a hello for this user name is for it, or for the restart that it is in.
    pub fn is_named(&self, ufrag: &[u8]) -> bool {
        let of_restart = self.restart.as_ref().map(|r| &r.credentials);
        [Some(&self.credentials), of_restart].into_iter().flatten().any(|c| c.ufrag.as_bytes() == ufrag)
    }

    /// The peer's credentials for the restart that is under way: where they come after ours were told.
    pub fn answer_restart(&mut self, remote: IceCredentials) {
        if let Some(r) = &mut self.restart {
            r.remote = remote;
        }
    }

    /// Sends a packet that has its number already, as one that forwards does, with the `mid` that it puts on it; empty for none.
    pub fn send_numbered(&mut self, p: &OutgoingRtp, seq: u64, mid: &str) {
        self.transmit(rtp_bytes(p, seq, mid));
        self.stats.rtp_out += 1;
        self.stats.rtp_out_bytes += p.payload.len() as u64;
    }

    fn event(&mut self, e: Event) {
        self.out.push_back(Output::Event(e));
    }

    fn transmit(&mut self, data: Vec<u8>) {
        if let Some((local, remote)) = self.path {
            self.out.push_back(Output::Transmit(Transmit::one(local, remote, data)));
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
    fn hello(&self, remote: &IceCredentials, ours: &IceCredentials) -> Vec<u8> {
        let mut b = vec![HELLO, u8::from(self.path.is_some())];
        let own = &self.config.identity.fingerprint.value;
        for s in [&remote.ufrag, &remote.pwd, &ours.ufrag, own] {
            b.extend_from_slice(s.as_bytes());
            b.push(0);
        }
        b
    }

    /// The hellos of a restart.
    fn send_restart_hello(&mut self) {
        let Some(r) = &self.restart else { return };
        let data = self.hello(&r.remote, &r.credentials);
        for (&local, &remote) in r.addresses.iter().flat_map(|l| r.remotes.iter().map(move |r| (l, r))) {
            self.out.push_back(Output::Transmit(Transmit::one(local, remote, data.clone())));
        }
    }

    fn restart_failed(&mut self) {
        if let Some(r) = self.restart.take() {
            self.event(Event::RestartFailed { generation: r.generation });
            r.addresses.into_iter().for_each(|a| self.event(Event::AddressUnused(a)));
        }
    }

    fn restarted(&mut self, local: SocketAddr, remote: SocketAddr, now: Time) {
        let Some(r) = self.restart.take() else { return };
        self.heard = now;
        self.path = Some((local, remote));
        self.credentials = r.credentials;
        self.remotes = r.remotes;
        if let Some(t) = &mut self.remote {
            t.credentials = r.remote;
        }
        self.send_hello(now);
        self.event(Event::Restarted { generation: r.generation });
        for old in std::mem::replace(&mut self.locals, r.addresses) {
            self.event(Event::AddressUnused(old));
        }
    }

    fn set_channel(&mut self, open: bool) {
        if self.channel_open != open {
            self.channel_open = open;
            self.event(if open { Event::ChannelOpen } else { Event::ChannelClosed });
        }
    }

    fn send_hello(&mut self, now: Time) {
        let Some(r) = self.remote.as_ref().filter(|_| !self.over) else { return };
        let data = self.hello(&r.credentials, &self.credentials);
        self.send_restart_hello();
        if self.secure && self.channel_wanted && !self.channel_open {
            self.transmit(vec![OPEN]);
        }
        if self.path.is_some() {
            self.transmit(data);
        } else {
            for (&local, &remote) in self.locals.iter().flat_map(|l| self.remotes.iter().map(move |r| (l, r))) {
                if local.is_ipv4() == remote.is_ipv4() {
                    self.out.push_back(Output::Transmit(Transmit::one(local, remote, data.clone())));
                }
            }
        }
        let settled = self.secure && self.restart.is_none() && self.channel_wanted <= self.channel_open;
        self.hello_at = Some(now + if settled { KEEP_ALIVE } else { HELLO_EVERY });
    }

    fn on_hello(&mut self, local: SocketAddr, remote: SocketAddr, b: &[u8], now: Time) {
        let Some(r) = &self.remote else { return };
        let texts: Vec<&[u8]> = b[2..].split(|c| *c == 0).collect();
        let [ufrag, pwd, theirs, fingerprint, _] = texts[..] else {
            self.stats.junk += 1;
            return;
        };
        if let Some(n) = &self.restart
            && ufrag == n.credentials.ufrag.as_bytes()
            && pwd == n.credentials.pwd.as_bytes()
            && theirs == n.remote.ufrag.as_bytes()
            && n.addresses.contains(&local)
        {
            return self.restarted(local, remote, now);
        }
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

    fn on_rtp(&mut self, b: &[u8], waited: Duration, now: Time) {
        let Some((&h, rest)) = b[1..].split_first_chunk::<20>() else {
            self.stats.junk += 1;
            return;
        };
        let Some((mid, payload)) = rest.split_at_checked(usize::from(h[19])) else {
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
            arrival: now - waited,
            waited_us: u32::try_from(now.since(now - waited).as_micros()).unwrap_or(u32::MAX),
            level,
            // As a real one: what was not negotiated is not read.
            mid: (self.config.rtp.extensions.mid != 0).then(|| Mid::new(mid)).flatten(),
            dependency_descriptor: None,
            payload: Bytes::copy_from_slice(payload),
        };
        self.seen.insert(packet.ssrc, now);
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
                if let Some(r) = &mut self.restart {
                    r.remotes.push(c.address);
                    self.send_restart_hello();
                } else if !self.remotes.contains(&c.address) {
                    self.remotes.push(c.address);
                    self.send_hello(now);
                }
            }
            Command::SetRtp(rtp) => self.config.rtp = rtp,
            Command::AddSender(s) => {
                self.senders.entry(s.ssrc).or_insert(Stream { seq: 65_536, last: None });
            }
            Command::Continue { ssrc, numbers } => {
                if let Some(s) = self.senders.get_mut(&ssrc) {
                    s.seq = 65_536 + u64::from(numbers.seq);
                }
            }
            Command::RemoveSender(ssrc) => {
                if self.senders.remove(&ssrc).is_some() && self.secure {
                    self.ssrc_message(BYE, ssrc);
                }
            }
            Command::MapRtx { .. } | Command::MapMid { .. } => {}
            Command::Forget(ssrc) => {
                self.seen.remove(&ssrc);
            }
            Command::RequestKeyFrame(ssrc) => {
                if self.secure {
                    self.stats.key_frame_requests_out += 1;
                    self.ssrc_message(KEY_FRAME, ssrc);
                }
            }
            Command::OpenChannel { .. } => {
                self.channel_wanted = self.config.sctp.is_some();
                self.send_hello(now);
            }
            Command::SendText(text) => {
                if self.channel_open {
                    self.stats.texts_out += 1;
                    self.transmit([&[TEXT], text.as_bytes()].concat());
                } else {
                    self.stats.texts_dropped += 1;
                }
            }
            Command::RestartIce { generation, addresses, remote } => {
                self.restart_failed();
                self.restarts += 1;
                let ufrag = format!("{}r{}", self.credentials.ufrag, self.restarts);
                let credentials = IceCredentials { ufrag, pwd: self.credentials.pwd.clone() };
                self.event(Event::RestartCredentials { generation, credentials: credentials.clone() });
                let (remotes, until) = (vec![], now + RESTART_TIME);
                self.restart = Some(Restart { generation, addresses, credentials, remote, remotes, until });
                self.send_hello(now);
            }
            // What it sends is not limited.
            Command::Probe { .. } => {}
            Command::Close => {
                self.transmit(vec![CLOSE]);
                self.end();
                self.set_state(IceState::Closed);
            }
        }
    }

    fn handle_datagram_after(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        data: &[u8],
        waited: Duration,
        now: Time,
    ) {
        if self.over {
            return;
        }
        if let [HELLO, _, _, ..] = data {
            return self.on_hello(local, remote, data, now);
        }
        // A text finds its way where the path changes: SCTP repeats it there.
        if !self.secure || (self.path != Some((local, remote)) && !is_text(data)) {
            self.stats.junk += 1;
            return;
        }
        self.heard = now;
        let ssrc = |b: &[u8; 4]| u32::from_be_bytes(*b);
        match data {
            [RTP, ..] => self.on_rtp(data, waited, now),
            [KEY_FRAME, a, b, c, d] if self.senders.contains_key(&ssrc(&[*a, *b, *c, *d])) => {
                self.stats.key_frame_requests_in += 1;
                self.event(Event::KeyFrameWanted(ssrc(&[*a, *b, *c, *d])));
            }
            [BYE, a, b, c, d] => self.event(Event::Bye(ssrc(&[*a, *b, *c, *d]))),
            [OPEN] if self.config.sctp.is_some() => {
                self.transmit(vec![OPENED]);
                self.set_channel(true);
            }
            [OPENED] if self.channel_wanted => self.set_channel(true),
            // Who speaks has opened it, whether or not we heard so.
            [TEXT, text @ ..] if self.channel_open || self.channel_wanted => {
                self.set_channel(true);
                self.stats.texts_in += 1;
                self.event(Event::ChannelText(String::from_utf8_lossy(text).into_owned()));
            }
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
        if self.restart.as_ref().is_some_and(|r| r.until <= now) {
            self.restart_failed();
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

    fn send_rtp(&mut self, p: OutgoingRtp, now: Time) {
        let Some(s) = self.senders.get_mut(&p.ssrc).filter(|_| self.secure && !self.over) else {
            self.stats.send_dropped += 1;
            return;
        };
        let seq = s.seq;
        (s.seq, s.last) = (seq + 1, Some((now, p.ts, p.pt)));
        self.send_numbered(&p, seq, "");
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
        let restart = self.restart.as_ref().map(|r| r.until);
        earliest(earliest(self.hello_at, self.report_at), earliest(silence, restart))
    }

    fn local_transport(&self) -> LocalTransport {
        let fingerprint = self.config.identity.fingerprint.clone();
        let credentials = self.restart.as_ref().map_or(&self.credentials, |r| &r.credentials).clone();
        LocalTransport { credentials, fingerprint }
    }

    fn numbers(&self, ssrc: u32) -> Option<Numbers> {
        self.senders.get(&ssrc).map(|s| Numbers { seq: s.seq as u16, rtx_seq: 0 })
    }

    fn streams(&self, _now: Time) -> Vec<StreamStats> {
        let one =
            |(ssrc, last): (&u32, &Time)| StreamStats { ssrc: *ssrc, last_us: last.mono_us, ..StreamStats::default() };
        self.seen.iter().map(one).collect()
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
    fn fakes_open_a_channel_and_carry_texts() {
        let mut net = net();
        net.connect();
        net.command(0, Command::SendText("early".into()));
        net.command(0, Command::OpenChannel { label: "l".into(), protocol: "p".into() });
        net.run_for(Duration::from_secs(1));
        net.command(0, Command::SendText("there".into()));
        net.command(1, Command::SendText("back".into()));
        net.run_for(Duration::from_secs(1));
        let texts = |side: usize| {
            let all = net.events[side].iter();
            all.filter_map(|e| if let Event::ChannelText(t) = e { Some(t.as_str()) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!((texts(0), texts(1)), (vec!["back"], vec!["there"]));
        assert_eq!(net.engines[0].stats().texts_dropped, 1);
    }

    #[test]
    fn a_fake_moves_to_the_path_of_a_restart_and_keeps_the_old_one_when_it_fails() {
        let mut net = net();
        net.connect();
        let new = ["10.0.0.3:1", "10.0.0.4:1"].map(|a| a.parse().expect("address"));
        let credentials = [0, 1].map(|i: usize| {
            let t = net.engines[i].local_transport().credentials;
            IceCredentials { ufrag: format!("{}r1", t.ufrag), pwd: t.pwd }
        });
        for i in [0, 1] {
            let (addresses, remote) = (vec![new[i]], credentials[1 - i].clone());
            net.command(i, Command::RestartIce { generation: 7, addresses, remote });
            assert_eq!(net.engines[i].local_transport().credentials, credentials[i]);
            let (foundation, address, kind) = ("1".into(), new[1 - i], CandidateKind::Host);
            net.command(
                i,
                Command::AddRemoteCandidate(Candidate { foundation, priority: 1, address, kind, related: None }),
            );
        }
        net.run_for(Duration::from_secs(1));
        for i in [0, 1] {
            let told = |f: fn(&Event) -> bool| net.events[i].iter().any(f);
            assert!(told(|e| matches!(e, Event::Restarted { generation: 7 })));
            assert_eq!(net.engines[i].stats().path.map(|p| (p.local, p.remote)), Some((new[i], new[1 - i])));
            assert!(net.events[i].iter().any(|e| matches!(e, Event::AddressUnused(a) if *a == net.addresses[i])));
        }
        let (addresses, remote) = (vec![net.addresses[0]], credentials[0].clone());
        net.command(0, Command::RestartIce { generation: 8, addresses, remote });
        net.run_for(Duration::from_secs(40));
        assert!(net.events[0].iter().any(|e| matches!(e, Event::RestartFailed { generation: 8 })));
        assert_eq!(net.engines[0].stats().path.map(|p| p.local), Some(new[0]));
        assert_eq!(net.failure(0), None);
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
