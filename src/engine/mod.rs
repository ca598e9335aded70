//! Layer 4: the media engine (design §9): ICE, DTLS-SRTP, RTP and RTCP without SDP, without sockets, in virtual time.
//!
//! One file per room: [`ice`] and [`gather`] under [`agents`], [`dtls`] with [`dtls_crypto`] and [`identity`], [`sctp`] with [`data_channel`],
//! [`srtp`], [`rtp`], [`rtcp`], [`stream`], [`nack`], [`twcc`], [`estimate`], [`probe`] with [`padding`], [`pacer`]; [`inbound`] and [`outbound`] put them together; this file holds the engine,
//! its demultiplexer (RFC 7983) and its deadlines. The protocol facts are in docs/protocol/04 §5–§9.

mod agents;
#[cfg(any(test, feature = "testkit"))]
pub mod alone;
mod data_channel;
mod dtls;
mod dtls_crypto;
mod estimate;
#[cfg(any(test, feature = "testkit"))]
pub mod fake;
#[cfg(feature = "testkit")]
pub mod fuzz;
mod gather;
mod ice;
pub mod identity;
mod inbound;
mod nack;
mod outbound;
mod pacer;
mod padding;
mod probe;
mod rtcp;
mod rtp;
mod sctp;
mod srtp;
mod ssrc_map;
mod stream;
#[cfg(test)]
mod tests;
mod twcc;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::env::Env;
use crate::media::peer::{
    Command, Config, Event, Failure, IceState, Identity, LocalTransport, MAX_STREAMS, Mid, Numbers, OutgoingRtp,
    Output, PayloadType, PeerEngine, PeerEngineFactory, RtpConfig, Stats, StreamStats,
};
use crate::time::Time;

use agents::{Agents, AgentsOutput};
use dtls::{DtlsOutput, Link};
use estimate::Estimator;
use ice::IceOptions;
use outbound::Wire;
use probe::Prober;
use sctp::{Sctp, SctpOutput};
use ssrc_map::SsrcMap;
use stream::{Receiver, Transmitter};

/// RTP packets that came before the keys, kept.
pub const MAX_EARLY: usize = 32;
/// Between two key-frame requests for one SSRC, both ways, µs.
pub const KEY_FRAME_INTERVAL_US: u64 = 300_000;
/// Plain payloads are slices of chunks of this size: no allocation per packet, and little memory held by one that is kept.
const RX_CHUNK: usize = 16 * 1024;
/// Clock of a payload type that nobody negotiated, Hz.
const DEFAULT_CLOCK: u32 = 90_000;
/// Longest datagram that is looked at.
const MAX_DATAGRAM: usize = 2048;

/// Makes real engines.
#[derive(Clone, Copy, Debug, Default)]
pub struct Engines;

impl PeerEngineFactory for Engines {
    fn create(&mut self, config: Config, env: &mut Env, now: Time) -> Result<Box<dyn PeerEngine>, Failure> {
        Ok(Box::new(Engine::new(config, env, now)?))
    }
}

/// The libraries below speak of `Instant`, which only a clock can make: one is read once per process, and every moment is
/// counted from it. No behaviour depends on it.
fn instant(us: u64) -> Instant {
    anchor() + Duration::from_micros(us)
}

fn micros(i: Instant) -> u64 {
    i.saturating_duration_since(anchor()).as_nanos().div_ceil(1000) as u64
}

fn anchor() -> Instant {
    static ANCHOR: OnceLock<Instant> = OnceLock::new();
    *ANCHOR.get_or_init(Instant::now)
}

/// The real engine.
pub struct Engine {
    controlling: bool,
    identity: Arc<Identity>,
    feedback_ssrc: u32,
    cname: String,
    ice: Agents,
    dtls: Option<Link>,
    dtls_client: bool,
    sctp: Option<Sctp>,
    /// Failed or closed: nothing happens any more.
    over: bool,
    /// Media that came before the keys, from where and when.
    early: Vec<((SocketAddr, SocketAddr), Vec<u8>, Time)>,
    wire: Wire,
    payload_types: Box<[Option<PayloadType>; 128]>,
    /// The payload type that repairs each one; 0: none.
    repaired_by: Box<[u8; 128]>,
    rx: SsrcMap<Receiver>,
    tx: SsrcMap<Transmitter>,
    /// Repair SSRC to the one it repairs.
    repairs: SsrcMap<u32>,
    /// Remote SSRCs that were forgotten, the oldest first: SRTP knows them still.
    left: VecDeque<u32>,
    /// The stream of a `mid`, for repairs on an SSRC that nobody named.
    mids: HashMap<Mid, u32>,
    /// When a key frame was asked for, and whether to ask again.
    key_frames: SsrcMap<(u64, bool)>,
    arena: BytesMut,
    /// The RTCP compound in hand; at most one datagram.
    compound: BytesMut,
    arrivals: twcc::Arrivals,
    estimator: Estimator,
    prober: Prober,
    /// Packets of padding so far: what is repeated changes.
    padded: usize,
    /// The estimate as last told, and when.
    told: (u64, u64),
    rtt_us: Option<u64>,
    rtt_reported: bool,
    /// From sending a packet to hearing of it by transport-cc, the last time, µs.
    feedback_rtt_us: u64,
    seed: u64,
    stats: Stats,
    asked: Vec<u16>,
    fates: Vec<twcc::Fate>,
    // Deadlines, µs.
    ice_us: Option<u64>,
    dtls_us: Option<u64>,
    sctp_us: Option<u64>,
    nack_us: Option<u64>,
    report_us: Option<u64>,
    key_frame_us: Option<u64>,
    /// Wall time minus monotonic time, as last seen.
    wall_us: i64,
}

impl Engine {
    /// A new engine; it does nothing before it gets addresses and the peer's transport.
    pub fn new(config: Config, env: &mut Env, now: Time) -> Result<Engine, Failure> {
        let (controlling, loopback, stun_servers) = (config.controlling, config.allow_loopback, config.stun_servers);
        let options = IceOptions { controlling, loopback, stun_servers };
        let ice = Agents::new(options, env.fork(), instant(now.mono_us)).ok_or(Failure::Ice)?;
        let wire = Wire::new(config.rtp.extensions, config.estimate.initial);
        let mut engine = Engine {
            controlling: config.controlling,
            identity: config.identity,
            feedback_ssrc: config.feedback_ssrc,
            cname: config.cname,
            ice,
            dtls: None,
            dtls_client: false,
            sctp: config.sctp.map(Sctp::new),
            over: false,
            early: vec![],
            wire,
            payload_types: Box::new([None; 128]),
            repaired_by: Box::new([0; 128]),
            rx: SsrcMap::default(),
            tx: SsrcMap::default(),
            repairs: SsrcMap::default(),
            left: VecDeque::new(),
            mids: HashMap::new(),
            key_frames: SsrcMap::default(),
            arena: BytesMut::new(),
            compound: BytesMut::new(),
            arrivals: twcc::Arrivals::default(),
            estimator: Estimator::new(config.estimate),
            prober: Prober::default(),
            padded: 0,
            told: (0, 0),
            rtt_us: None,
            rtt_reported: false,
            feedback_rtt_us: 0,
            seed: env.u64(),
            stats: Stats::default(),
            asked: vec![],
            fates: vec![],
            ice_us: None,
            dtls_us: None,
            sctp_us: None,
            nack_us: None,
            report_us: None,
            key_frame_us: None,
            wall_us: 0,
        };
        engine.set_rtp(&config.rtp);
        engine.see(now);
        Ok(engine)
    }

    fn see(&mut self, now: Time) {
        self.wall_us = now.unix_us - now.mono_us as i64;
    }

    fn set_rtp(&mut self, rtp: &RtpConfig) {
        self.wire.ids = rtp.extensions;
        *self.payload_types = [None; 128];
        *self.repaired_by = [0; 128];
        for p in rtp.payload_types.iter().filter(|p| p.pt < 128) {
            self.payload_types[usize::from(p.pt)] = Some(*p);
            if let Some(repaired) = p.repairs.filter(|r| *r < 128) {
                self.repaired_by[usize::from(repaired)] = p.pt;
            }
        }
    }

    /// Sequence numbers start at random (RFC 3550 §5.1); they need not be secret, so one seed serves all.
    fn next_random(&mut self) -> u32 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 32) as u32
    }

    // ---- connection

    pub(super) fn drain_ice(&mut self, now: Time) {
        while let Some(o) = self.ice.poll() {
            match o {
                AgentsOutput::Transmit(t) => self.wire.out.push_back(Output::Transmit(t)),
                AgentsOutput::Candidate(c) => self.wire.event(Event::Candidate(c)),
                AgentsOutput::GatheringDone => self.wire.event(Event::GatheringDone),
                AgentsOutput::Path(local, remote) => {
                    self.wire.path = Some((local, remote));
                    if let Some(d) = &mut self.dtls {
                        d.start(instant(now.mono_us));
                    }
                }
                AgentsOutput::State(s) => {
                    self.wire.event(Event::Ice(s));
                    if s == IceState::Failed {
                        return self.fail(Failure::Ice);
                    }
                }
                AgentsOutput::RestartCredentials(generation, credentials) => {
                    self.wire.event(Event::RestartCredentials { generation, credentials });
                }
                AgentsOutput::Restarted(generation) => self.wire.event(Event::Restarted { generation }),
                AgentsOutput::RestartFailed(generation) => self.wire.event(Event::RestartFailed { generation }),
                AgentsOutput::AddressUnused(a) => self.wire.event(Event::AddressUnused(a)),
            }
        }
        self.ice_us = self.ice.deadline_us();
        self.drain_dtls(now);
    }

    fn drain_dtls(&mut self, now: Time) {
        while let Some(o) = self.dtls.as_mut().and_then(Link::poll) {
            match o {
                DtlsOutput::Packet(p) => self.wire.transmit(&p),
                DtlsOutput::Secure(profile, material) => {
                    let Some(srtp) = srtp::Srtp::new(profile, &material, self.dtls_client) else {
                        return self.fail(Failure::Dtls);
                    };
                    self.wire.srtp = Some(srtp);
                    self.wire.event(Event::Secure);
                    for (path, b, came) in std::mem::take(&mut self.early) {
                        self.on_rtp(path, &b, came, now);
                    }
                    if let Some(s) = &mut self.sctp {
                        s.start(self.dtls_client, instant(now.mono_us));
                    }
                }
                DtlsOutput::Data(data) => match &mut self.sctp {
                    Some(s) => s.handle(data, instant(now.mono_us)),
                    None => self.stats.junk += 1,
                },
                DtlsOutput::PeerClosed => return self.fail(Failure::PeerClosed),
                DtlsOutput::Failed(f) => return self.fail(f),
            }
        }
        self.drain_sctp(instant(now.mono_us));
        self.dtls_us = self.dtls.as_ref().and_then(Link::deadline).map(micros);
    }

    fn drain_sctp(&mut self, at: Instant) {
        let (Some(s), Some(d)) = (&mut self.sctp, &mut self.dtls) else { return };
        if d.is_gone() {
            s.lost();
        }
        while let Some(o) = s.poll() {
            match o {
                SctpOutput::Packet(p) => {
                    d.send(&p, at);
                    while let Some(o) = d.poll() {
                        // Sending makes packets only; an error shows at the next turn.
                        if let DtlsOutput::Packet(p) = o {
                            self.wire.transmit(&p);
                        }
                    }
                }
                SctpOutput::Open => self.wire.event(Event::ChannelOpen),
                SctpOutput::Text(t) => self.wire.event(Event::ChannelText(t)),
                SctpOutput::Closed => self.wire.event(Event::ChannelClosed),
            }
        }
        self.sctp_us = s.deadline().map(micros);
    }

    fn fail(&mut self, f: Failure) {
        if !self.over {
            self.end();
            self.wire.event(Event::Failed(f));
        }
    }

    /// Silence from here on; what is queued still goes out.
    fn end(&mut self) {
        self.over = true;
        self.ice.close();
        self.dtls = None;
        self.early = vec![];
        self.arrivals = twcc::Arrivals::default();
        (self.ice_us, self.dtls_us, self.sctp_us) = (None, None, None);
        (self.nack_us, self.report_us, self.key_frame_us) = (None, None, None);
    }

    fn close(&mut self, now: Time) {
        let ssrcs: Vec<u32> = self.tx.keys().copied().collect();
        self.say_bye(&ssrcs);
        let at = instant(now.mono_us);
        if let Some(s) = &mut self.sctp {
            s.abort(at);
        }
        self.drain_sctp(at);
        if let Some(d) = &mut self.dtls {
            d.close(at);
        }
        while let Some(o) = self.dtls.as_mut().and_then(Link::poll) {
            if let DtlsOutput::Packet(p) = o {
                self.wire.transmit(&p);
            }
        }
        self.end();
        self.wire.event(Event::Ice(IceState::Closed));
    }
}

impl PeerEngine for Engine {
    fn handle_command(&mut self, command: Command, now: Time) {
        self.see(now);
        if self.over {
            return;
        }
        let (at, us) = (instant(now.mono_us), now.mono_us);
        match command {
            Command::AddLocalAddress(a) => self.ice.add_local(a, at, us),
            Command::RemoveLocalAddress(a) => {
                self.ice.remove_local(a);
                self.wire.path = self.wire.path.filter(|p| p.0 != a);
            }
            Command::SetRemote(r) => {
                if self.dtls.is_none() {
                    self.dtls_client = r.dtls == crate::media::peer::DtlsRole::Client;
                    self.dtls = Some(Link::new(self.identity.clone(), r.dtls, r.fingerprints));
                    self.ice.set_remote(&r.credentials, at, us);
                }
            }
            Command::AddRemoteCandidate(c) => self.ice.add_remote(&c, at, us),
            Command::SetRtp(rtp) => self.set_rtp(&rtp),
            Command::AddSender(s) => {
                if self.tx.len() < MAX_STREAMS && !self.tx.contains_key(&s.ssrc) {
                    let random = self.next_random();
                    self.tx.insert(s.ssrc, Transmitter::new(&s, random));
                }
            }
            Command::Continue { ssrc, numbers } => {
                if let Some(t) = self.tx.get_mut(&ssrc) {
                    t.go_on(numbers);
                }
            }
            Command::RemoveSender(ssrc) => {
                if let Some(t) = self.tx.remove(&ssrc) {
                    self.wire.pacer.forget(ssrc, t.rtx.map(|r| r.0));
                    self.say_bye(&[ssrc]);
                }
            }
            Command::MapRtx { rtx, primary } => {
                if self.repairs.len() < MAX_STREAMS || self.repairs.contains_key(&rtx) {
                    self.repairs.insert(rtx, primary);
                }
            }
            Command::MapMid { mid, primary } => {
                // A slot has one: what it was called before is no other name of it.
                self.mids.retain(|m, p| *p != primary || *m == mid);
                if self.mids.len() < MAX_STREAMS || self.mids.contains_key(&mid) {
                    self.mids.insert(mid, primary);
                }
            }
            Command::Forget(ssrc) => self.forget(ssrc),
            Command::RequestKeyFrame(ssrc) => self.ask_key_frame(ssrc, now),
            Command::OpenChannel { label, protocol } => {
                if let Some(s) = &mut self.sctp {
                    s.open(label, protocol, at);
                }
            }
            Command::SendText(text) => match &mut self.sctp {
                Some(s) => s.send(text, at),
                None => self.stats.texts_dropped += 1,
            },
            Command::RestartIce { generation, addresses, remote } => {
                self.ice.restart(generation, &addresses, &remote, at, us);
            }
            Command::Probe { bps, duration } => self.start_probe(bps, duration, now),
            Command::Close => return self.close(now),
        }
        self.drain_ice(now);
    }

    fn handle_datagram_after(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        data: &[u8],
        waited: Duration,
        now: Time,
    ) {
        self.see(now);
        if self.over {
            return;
        }
        let us = now.mono_us;
        if data.len() > MAX_DATAGRAM {
            self.stats.junk += 1;
            return;
        }
        // RFC 7983 §7, RFC 5761 §4.
        match data {
            [0..=3, ..] => {
                if !self.ice.handle_stun(local, remote, data, instant(us), us) {
                    self.stats.stun_refused += 1;
                }
                self.drain_ice(now);
            }
            [20..=63 | 128..=191, ..] if !self.ice.is_checked(local, remote, us, || instant(us)) => {
                self.stats.junk += 1
            }
            [20..=63, ..] => {
                // A peer that is DTLS client may start on a valid pair before it nominates one: answer there.
                self.wire.path.get_or_insert((local, remote));
                if !self.dtls.as_mut().is_some_and(|d| d.handle(data, instant(us))) {
                    self.stats.junk += 1;
                }
                self.drain_dtls(now);
            }
            [128..=191, 192..=223, ..] => self.on_rtcp((local, remote), data, now - waited, now),
            [128..=191, ..] => self.on_rtp((local, remote), data, now - waited, now),
            _ => self.stats.junk += 1,
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.see(now);
        if self.over {
            return;
        }
        let due = |t: Option<u64>| t.is_some_and(|t| t <= now.mono_us);
        if due(self.dtls_us)
            && let Some(d) = &mut self.dtls
        {
            d.handle_timeout(instant(now.mono_us));
            self.drain_dtls(now);
        }
        if due(self.sctp_us)
            && let Some(s) = &mut self.sctp
        {
            s.handle_timeout(instant(now.mono_us));
            self.drain_sctp(instant(now.mono_us));
        }
        if due(self.ice_us) {
            self.ice.handle_timeout(instant(now.mono_us), now.mono_us);
            self.drain_ice(now);
        }
        self.feedback(now);
    }

    fn send_rtp(&mut self, packet: OutgoingRtp, now: Time) {
        self.see(now);
        if self.over {
            self.stats.send_dropped += 1;
            return;
        }
        self.send(packet, now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.wire.out.pop_front()
    }

    fn recycle(&mut self, buffer: Vec<u8>) {
        self.wire.recycle(buffer);
    }

    fn next_deadline(&self) -> Option<Time> {
        if self.over {
            return None;
        }
        let own = [self.wire.pacer.due_us(), self.prober.due_us(), self.arrivals.due_us()];
        let all = [self.ice_us, self.dtls_us, self.sctp_us, self.nack_us, self.report_us, self.key_frame_us];
        // Asked after each batch, three times for each frame: a chain of iterators was half of what it costs.
        let first = |us: &[Option<u64>]| us.iter().fold(u64::MAX, |least, t| least.min(t.unwrap_or(u64::MAX)));
        let us = first(&own).min(first(&all));
        (us != u64::MAX).then(|| Time::new(us, us as i64 + self.wall_us))
    }

    fn local_transport(&self) -> LocalTransport {
        LocalTransport { credentials: self.ice.credentials().clone(), fingerprint: self.identity.fingerprint.clone() }
    }

    fn streams(&self, now: Time) -> Vec<StreamStats> {
        let clock = |pt: u8| self.payload_types[usize::from(pt & 0x7f)].map_or(DEFAULT_CLOCK, |p| p.clock);
        let came = self.rx.iter().map(|(ssrc, r)| r.stats(*ssrc, now));
        came.chain(self.tx.iter().map(|(ssrc, t)| t.stats(*ssrc, clock(t.pt), now))).collect()
    }

    fn numbers(&self, ssrc: u32) -> Option<Numbers> {
        self.tx.get(&ssrc).map(Transmitter::numbers)
    }

    fn refused(&self) -> u64 {
        let sctp = self.sctp.as_ref().map_or(0, |s| s.stats.refused);
        self.stats.srtp_errors + self.stats.stun_refused + self.stats.junk + sctp
    }

    fn stats(&self) -> Stats {
        let s = self.sctp.as_ref().map_or_else(sctp::SctpStats::default, |s| s.stats);
        Stats {
            texts_in: s.texts_in,
            texts_out: s.texts_out,
            texts_dropped: self.stats.texts_dropped + s.texts_dropped,
            messages_ignored: s.messages_ignored,
            junk: self.stats.junk + s.refused,
            rtt: self.rtt_us.map(Duration::from_micros),
            streams: (self.rx.len() + self.tx.len()) as u32,
            path: self.wire.path.map(|(local, remote)| self.ice.describe(local, remote)),
            ..self.stats
        }
    }
}
