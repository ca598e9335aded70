//! The media path over the engine, without criterion and with real engines in memory on a virtual clock: what a simulcast sender costs, and
//! what a receiver of fifty streams costs beside its bare engine. CPU time of the one thread; the least of a few rounds.

#[path = "cpu/clock.rs"]
mod clock;

use bytes::Bytes;
use jmeet::engine::{Engines, identity};
use jmeet::media::peer::*;
use jmeet::media::reader_queue::ReaderQueue;
use jmeet::media::receiver::Receiver;
use jmeet::media::sender::Sender as Packetiser;
use jmeet::media::{Codec, OutgoingFrame};
use jmeet::{Env, Time};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const OPUS: u8 = 111;
const VP8: u8 = 100;
const RTX: u8 = 96;
/// Virtual time of each round.
const SECONDS: u64 = 20;
const ROUNDS: usize = 5;

/// One engine and the CPU time that was spent in it and above it.
struct End {
    engine: Box<dyn PeerEngine>,
    path: [SocketAddr; 2],
    spent_ns: f64,
    secure: bool,
    packets: u64,
    above: Option<Above>,
}

/// What the library does with packets above the engine, up to the reader.
struct Above {
    receivers: Vec<Receiver>,
    by_ssrc: HashMap<u32, usize>,
    reader: ReaderQueue,
    frames: u64,
}

impl Above {
    fn take(&mut self, p: IncomingRtp, now: Time) {
        let Some(r) = self.by_ssrc.get(&p.ssrc).and_then(|at| self.receivers.get_mut(*at)) else { return };
        r.packet(p, now);
        while let Some(f) = r.poll_frame() {
            self.reader.push(f);
        }
        while self.reader.pop().is_some() {
            self.frames += 1;
        }
    }
}

fn time(us: u64) -> Time {
    Time::new(us, 1_800_000_000_000_000 + us as i64)
}

fn rtp() -> RtpConfig {
    let pt = |pt, kind, clock, repairs, nack| PayloadType { pt, kind, clock, repairs, nack };
    RtpConfig {
        extensions: ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5, ..ExtensionIds::default() },
        payload_types: vec![
            pt(OPUS, CodecKind::Audio, 48_000, None, false),
            pt(VP8, CodecKind::Video, 90_000, None, true),
            pt(RTX, CodecKind::Video, 90_000, Some(VP8), false),
        ],
    }
}

impl End {
    fn measured<R>(&mut self, f: impl FnOnce(&mut End) -> R) -> R {
        let before = clock::now_ns();
        let r = f(self);
        self.spent_ns += clock::now_ns() - before;
        r
    }

    /// Does what is due; the datagrams that go out.
    fn drain(&mut self, now: Time) -> Vec<Vec<u8>> {
        self.measured(|e| {
            let mut out = vec![];
            loop {
                while let Some(o) = e.engine.poll_output() {
                    match o {
                        Output::Transmit(t) => {
                            out.extend(t.datagrams().map(<[u8]>::to_vec));
                            e.engine.recycle(t.data);
                        }
                        Output::Event(Event::Rtp(p)) => {
                            e.packets += 1;
                            if let Some(a) = &mut e.above {
                                a.take(p, now);
                            }
                        }
                        Output::Event(Event::Secure) => e.secure = true,
                        Output::Event(_) => {}
                    }
                }
                if e.engine.next_deadline().is_none_or(|t| t > now) {
                    return out;
                }
                e.engine.handle_timeout(now);
            }
        })
    }

    fn receive(&mut self, datagrams: &[Vec<u8>], now: Time) {
        self.measured(|e| {
            for d in datagrams {
                e.engine.handle_datagram(e.path[0], e.path[1], d, now);
            }
        });
    }
}

struct Pair {
    ends: [End; 2],
    us: u64,
}

impl Pair {
    fn new() -> Pair {
        let now = time(1_000_000);
        let path = [SocketAddr::from(([10, 0, 0, 1], 1000)), SocketAddr::from(([10, 0, 0, 2], 2000))];
        let mut ends = [0, 1].map(|i| {
            let config = Config {
                controlling: i == 0,
                identity: Arc::new(identity::generate().expect("randomness")),
                stun_servers: vec![],
                allow_loopback: true,
                rtp: rtp(),
                feedback_ssrc: 4242 + i as u32,
                cname: "bench".into(),
                // The path carries it all: what is measured is the work, with the pace that it takes.
                estimate: EstimateBounds { initial: 50_000_000, min: 50_000_000, max: 50_000_000 },
                sctp: None,
            };
            let engine = Engines.create(config, &mut Env::seeded(i), now).expect("engine");
            let path = if i == 0 { path } else { [path[1], path[0]] };
            End { engine, path, spent_ns: 0.0, secure: false, packets: 0, above: None }
        });
        for e in &mut ends {
            e.engine.handle_command(Command::AddLocalAddress(e.path[0]), now);
        }
        let transports = [0, 1].map(|i: usize| ends[i].engine.local_transport());
        for (i, t) in transports.into_iter().rev().enumerate() {
            let dtls = [DtlsRole::Client, DtlsRole::Server][i];
            let remote = RemoteTransport { credentials: t.credentials, fingerprints: vec![t.fingerprint], dtls };
            let (address, kind) = (ends[i].path[1], CandidateKind::Host);
            let candidate = Candidate { foundation: "1".into(), priority: 1, address, kind, related: None };
            ends[i].engine.handle_command(Command::SetRemote(remote), now);
            ends[i].engine.handle_command(Command::AddRemoteCandidate(candidate), now);
        }
        let mut p = Pair { ends, us: 1_000_000 };
        for _ in 0..2000 {
            p.exchange();
            p.us += 5_000;
            if p.ends.iter().all(|e| e.secure) {
                return p;
            }
        }
        panic!("the engines did not connect");
    }

    /// All datagrams there and back, until nothing is left to do at this moment.
    fn exchange(&mut self) {
        let now = time(self.us);
        loop {
            let [a, b] = &mut self.ends;
            let there = a.drain(now);
            b.receive(&there, now);
            let back = b.drain(now);
            a.receive(&back, now);
            if there.is_empty() && back.is_empty() {
                return;
            }
        }
    }

    fn add(&mut self, ssrc: u32, pt: u8) {
        let now = time(self.us);
        let rtx = (pt == VP8).then_some((ssrc + 1, RTX));
        self.ends[0].engine.handle_command(Command::AddSender(Sender { ssrc, rtx, pt }), now);
        if rtx.is_some() {
            self.ends[1].engine.handle_command(Command::MapRtx { rtx: ssrc + 1, primary: ssrc }, now);
        }
    }

    /// A frame of the first end through its packetiser.
    fn frame(&mut self, p: &mut Packetiser, f: &OutgoingFrame) {
        let now = time(self.us);
        self.ends[0].measured(|e| p.frame(f, now, |packet| e.engine.send_rtp(packet, now)).expect("a frame"));
    }
}

/// A VP8 frame by its header.
fn vp8(bytes: usize, key: bool) -> Bytes {
    let mut b = vec![0x55; bytes];
    b[0] = if key { 0x10 } else { 0x11 };
    if key {
        b[3..10].copy_from_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00]);
    }
    Bytes::from(b)
}

/// Share of one core that three layers of together 2.5 Mbit/s at 30 pictures a second take, packets counted.
fn simulcast() -> (f64, u64) {
    const LAYERS: [usize; 3] = [200_000, 600_000, 1_700_000];
    let mut p = Pair::new();
    let mut env = Env::seeded(7);
    for ssrc in [1000, 1002, 1004] {
        p.add(ssrc, VP8);
    }
    let mut sender = Packetiser::simulcast(Codec::Vp8, 1000, &[1002, 1004], VP8, &mut env);
    let frame = Duration::from_micros(33_333);
    let data: Vec<[Bytes; 2]> = LAYERS.iter().map(|bps| [true, false].map(|key| vp8(bps / 8 / 30, key))).collect();
    p.ends[0].spent_ns = 0.0;
    let (sent, pictures) = (p.ends[0].engine.stats().rtp_out, SECONDS * 30);
    for n in 0..pictures {
        for (encoding, [key, delta]) in (0..).zip(&data) {
            let data = if n == 0 { key } else { delta }.clone();
            let temporal_id = Some(if n == 0 { 0 } else { (n % 2) as u8 });
            p.frame(&mut sender, &OutgoingFrame { encoding, temporal_id, ..OutgoingFrame::video(data, frame) });
        }
        // The pacer lets it go in portions.
        for _ in 0..6 {
            p.exchange();
            p.us += 5_555;
        }
    }
    let packets = p.ends[0].engine.stats().rtp_out - sent;
    (p.ends[0].spent_ns / (SECONDS as f64 * 1e9), packets)
}

/// Nanoseconds per packet of a receiver of 25 microphones and 25 cameras at 25 frames a second each; `above`: to frames in a reader.
fn receive(above: bool) -> (f64, u64, u64) {
    const EACH: usize = 25;
    const PICTURE: usize = 3300;
    let mut p = Pair::new();
    let mut env = Env::seeded(8);
    let (mut sources, mut receivers, mut by_ssrc) = (vec![], vec![], HashMap::new());
    for n in 0..2 * EACH {
        let (codec, pt) = if n < EACH { (Codec::Opus, OPUS) } else { (Codec::Vp8, VP8) };
        let ssrc = 1000 + 2 * n as u32;
        p.add(ssrc, pt);
        let name: Arc<str> = format!("{n:08x}-{}0", if n < EACH { 'a' } else { 'v' }).into();
        let mut r = Receiver::new(format!("{n:08x}").into(), name, codec.media_type(), Duration::from_millis(200));
        r.set_payload_types(vec![(OPUS, Codec::Opus), (VP8, Codec::Vp8)]);
        by_ssrc.insert(ssrc, receivers.len());
        receivers.push(r);
        sources.push(Packetiser::new(codec, ssrc, pt, &mut env));
    }
    if above {
        p.ends[1].above = Some(Above { receivers, by_ssrc, reader: ReaderQueue::new(256, false), frames: 0 });
    }
    let opus = Bytes::from([vec![0x08], vec![0x55; 79]].concat());
    let (key, delta) = (vp8(PICTURE, true), vp8(PICTURE, false));
    (p.ends[1].spent_ns, p.ends[1].packets) = (0.0, 0);
    for n in 0..SECONDS * 25 {
        for s in &mut sources {
            let video =
                || OutgoingFrame::video(if n == 0 { key.clone() } else { delta.clone() }, Duration::from_millis(40));
            let f = if s.ssrc() < 1000 + 2 * EACH as u32 { OutgoingFrame::audio(opus.clone()) } else { video() };
            p.frame(s, &f);
        }
        for _ in 0..8 {
            p.exchange();
            p.us += 5_000;
        }
    }
    let e = &p.ends[1];
    (e.spent_ns / e.packets as f64, e.packets, e.above.as_ref().map_or(0, |a| a.frames))
}

fn least(rounds: impl Iterator<Item = f64>) -> f64 {
    rounds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut packets = 0;
    let share = least((0..ROUNDS).map(|_| {
        let (share, n) = simulcast();
        packets = n;
        share
    }));
    let per_packet = share * SECONDS as f64 * 1e9 / packets as f64;
    println!("simulcast, 3 layers, 2.5 Mbit/s: {:.2} % of one core, {per_packet:.0} ns per packet", share * 100.0);
    // In turns, so that a busy moment meets both.
    let (mut bare, mut whole, mut counted) = (f64::INFINITY, f64::INFINITY, (0, 0));
    for _ in 0..ROUNDS {
        bare = bare.min(receive(false).0);
        let (ns, packets, frames) = receive(true);
        (whole, counted) = (whole.min(ns), (packets, frames));
    }
    println!(
        "receiver of 50 streams, {} packets, {} frames: {bare:.0} ns per packet in the bare engine, {whole:.0} ns to frames in the reader: {:.2} x",
        counted.0,
        counted.1,
        whole / bare
    );
}
