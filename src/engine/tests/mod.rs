//! Two engines in memory, on a path of 30 ms, in virtual time.

mod abuse;
mod bandwidth;
mod channel;
mod handshake;
mod media;
mod restart;
mod sctp;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Engine, identity};
use crate::env::Env;
use crate::media::peer::*;
use crate::time::Time;
use bytes::Bytes;

pub(super) const DELAY: Duration = Duration::from_millis(30);
pub(super) const AUDIO: u8 = 111;
pub(super) const VIDEO: u8 = 100;
pub(super) const RTX: u8 = 96;

/// One per process: making it costs time.
fn identities() -> [Arc<Identity>; 2] {
    static ALL: OnceLock<[Arc<Identity>; 2]> = OnceLock::new();
    ALL.get_or_init(|| [(); 2].map(|()| Arc::new(identity::generate().expect("randomness")))).clone()
}

pub(super) fn config(side: usize) -> Config {
    Config {
        controlling: side == 0,
        identity: identities()[side].clone(),
        stun_servers: vec![],
        allow_loopback: true,
        rtp: RtpConfig::jicofo(),
        feedback_ssrc: 90 + side as u32,
        cname: format!("side{side}"),
        estimate: EstimateBounds::default(),
        sctp: Some(5000),
    }
}

/// What happens to one datagram.
pub(super) enum Fate {
    Pass,
    Lose,
    Late(Duration),
    Twice,
}

/// A bottleneck with a queue.
pub(super) struct Link {
    pub bps: f64,
    /// The longest that a datagram may wait; one that would wait longer is lost.
    pub queue: Duration,
    free_us: f64,
    /// The longest that one waited, µs.
    pub waited_us: u64,
    pub lost: u64,
}

impl Link {
    pub fn new(bps: f64) -> Link {
        Link { bps, queue: Duration::from_millis(300), free_us: 0.0, waited_us: 0, lost: 0 }
    }

    fn pass(&mut self, now: Time, len: usize) -> Option<Duration> {
        let now = now.mono_us as f64;
        let wait = (self.free_us - now).max(0.0);
        if wait > self.queue.as_micros() as f64 {
            self.lost += 1;
            return None;
        }
        self.waited_us = self.waited_us.max(wait as u64);
        self.free_us = now + wait + (len + 28) as f64 * 8e6 / self.bps;
        Some(Duration::from_micros((self.free_us - now) as u64))
    }
}

/// For whom, local and remote address there, bytes.
type Flying = (usize, SocketAddr, SocketAddr, Vec<u8>);

/// Both engines and the air between them.
pub(super) struct Net {
    pub engines: [Box<dyn PeerEngine>; 2],
    pub addresses: [SocketAddr; 2],
    pub now: Time,
    air: BTreeMap<(Time, u64), Flying>,
    count: u64,
    pub events: [Vec<Event>; 2],
    /// Everything sent, by side.
    pub sent: [Vec<Vec<u8>>; 2],
    /// Addresses that nothing comes from or gets to.
    pub dead: Vec<SocketAddr>,
    /// What side 0 sends goes through it.
    pub link: Option<Link>,
    /// When an engine had no more use for an address.
    pub unused: Vec<(SocketAddr, Time)>,
}

impl Net {
    /// Engines that know each other; `roles`: who is DTLS client.
    pub fn new(client: usize) -> Net {
        Net::with(client, |_| {})
    }

    pub fn with(client: usize, change: impl Fn(&mut [RemoteTransport; 2])) -> Net {
        let now = Time::new(1_000_000, 1_800_000_000_000_000);
        let engines = [0, 1].map(|i| {
            let e = Engine::new(config(i), &mut Env::seeded(i as u64), now).expect("engine");
            Box::new(e) as Box<dyn PeerEngine>
        });
        Net::of(engines, client, change, now)
    }

    pub fn of(
        mut engines: [Box<dyn PeerEngine>; 2],
        client: usize,
        change: impl Fn(&mut [RemoteTransport; 2]),
        now: Time,
    ) -> Net {
        let addresses = ["10.0.0.1:10000", "10.0.0.2:20000"].map(|a| a.parse().expect("address"));
        let mut remotes = [0, 1].map(|i: usize| {
            let t = engines[1 - i].local_transport();
            let dtls = if i == client { DtlsRole::Client } else { DtlsRole::Server };
            RemoteTransport { credentials: t.credentials, fingerprints: vec![t.fingerprint], dtls }
        });
        change(&mut remotes);
        for (i, r) in remotes.into_iter().enumerate() {
            engines[i].handle_command(Command::AddLocalAddress(addresses[i]), now);
            engines[i].handle_command(Command::SetRemote(r), now);
        }
        let (air, events, sent) = (BTreeMap::new(), [vec![], vec![]], [vec![], vec![]]);
        let (dead, unused) = (vec![], vec![]);
        Net { engines, addresses, now, air, count: 0, events, sent, dead, link: None, unused }
    }

    /// Runs until `until`, `done` or a dead end. `fate` decides about each datagram, by the sender's side.
    pub fn run(&mut self, until: Time, fate: &mut dyn FnMut(usize, &[u8]) -> Fate, done: &mut dyn FnMut(&Net) -> bool) {
        loop {
            for i in 0..2 {
                while let Some(o) = self.engines[i].poll_output() {
                    self.output(i, o, fate);
                }
            }
            if done(self) {
                return;
            }
            let mut next = self.air.first_key_value().map(|(k, _)| k.0);
            for e in &self.engines {
                next = crate::time::earliest(next, e.next_deadline());
            }
            let Some(next) = next.filter(|t| *t <= until) else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(next);
            while let Some(d) = self.air.first_entry().filter(|d| d.key().0 <= self.now) {
                let (to, local, remote, data) = d.remove();
                self.engines[to].handle_datagram(local, remote, &data, self.now);
            }
            for e in &mut self.engines {
                if e.next_deadline().is_some_and(|t| t <= self.now) {
                    e.handle_timeout(self.now);
                    assert!(e.next_deadline().is_none_or(|t| t > self.now), "a deadline that does not move");
                }
            }
        }
    }

    fn output(&mut self, i: usize, o: Output, fate: &mut dyn FnMut(usize, &[u8]) -> Fate) {
        match o {
            Output::Event(Event::Candidate(c)) => {
                self.engines[1 - i].handle_command(Command::AddRemoteCandidate(c), self.now);
            }
            Output::Event(e) => {
                if let Event::AddressUnused(a) = e {
                    self.unused.push((a, self.now));
                }
                self.events[i].push(e);
            }
            Output::Transmit(t) => {
                assert!(!self.unused.iter().any(|u| u.0 == t.local), "sent from an address that is not used any more");
                if self.dead.contains(&t.local) || self.dead.contains(&t.remote) {
                    return;
                }
                t.datagrams().for_each(|d| self.fly(i, (t.local, t.remote), d, fate));
                self.engines[i].recycle(t.data);
            }
        }
    }

    fn fly(
        &mut self,
        i: usize,
        (local, remote): (SocketAddr, SocketAddr),
        data: &[u8],
        fate: &mut dyn FnMut(usize, &[u8]) -> Fate,
    ) {
        let (delays, n) = match fate(i, data) {
            Fate::Lose => ([Duration::ZERO; 2], 0),
            Fate::Pass => ([DELAY; 2], 1),
            Fate::Late(d) => ([DELAY + d; 2], 1),
            Fate::Twice => ([DELAY, DELAY * 2], 2),
        };
        let through = match &mut self.link {
            Some(l) if i == 0 => l.pass(self.now, data.len()),
            _ => Some(Duration::ZERO),
        };
        for d in &delays[..n] {
            let Some(through) = through else { break };
            self.count += 1;
            self.air.insert((self.now + *d + through, self.count), (1 - i, remote, local, data.to_vec()));
        }
        self.sent[i].push(data.to_vec());
    }

    pub fn run_for(&mut self, d: Duration) {
        let until = self.now + d;
        self.run(until, &mut |_, _| Fate::Pass, &mut |_| false);
    }

    pub fn secure(&self) -> bool {
        self.events.iter().all(|e| e.iter().any(|e| matches!(e, Event::Secure)))
    }

    pub fn connect(&mut self) {
        let until = self.now + Duration::from_secs(20);
        self.run(until, &mut |_, _| Fate::Pass, &mut |n| n.secure());
        assert!(self.secure(), "{:?}", self.events);
    }

    pub fn received(&self, side: usize) -> Vec<&IncomingRtp> {
        self.events[side].iter().filter_map(|e| if let Event::Rtp(p) = e { Some(p) } else { None }).collect()
    }

    pub fn command(&mut self, side: usize, c: Command) {
        self.engines[side].handle_command(c, self.now);
    }

    pub fn send(&mut self, side: usize, p: &OutgoingRtp) {
        self.engines[side].send_rtp(p.clone(), self.now);
    }

    pub fn failure(&self, side: usize) -> Option<Failure> {
        self.events[side].iter().find_map(|e| if let Event::Failed(f) = e { Some(*f) } else { None })
    }
}

pub(super) fn video(ssrc: u32, n: u32) -> OutgoingRtp {
    let payload = Bytes::from(vec![n as u8; 1000]);
    OutgoingRtp { ssrc, pt: VIDEO, ts: n * 3000, marker: true, level: None, extra: None, payload }
}

pub(super) fn audio(ssrc: u32, n: u32) -> OutgoingRtp {
    let level = Some(AudioLevel { level: 30, voice: true });
    let payload = Bytes::from(vec![n as u8; 80]);
    OutgoingRtp { ssrc, pt: AUDIO, ts: n * 960, marker: n == 0, level, extra: None, payload }
}

pub(super) fn is_dtls(b: &[u8]) -> bool {
    matches!(b, [20..=63, ..])
}

pub(super) fn is_media(b: &[u8]) -> bool {
    matches!(b, [128..=191, 0..=191 | 224..=255, ..])
}

pub(super) struct Dice(pub u64);

impl Dice {
    pub fn percent(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100
    }
}
