//! Two engines over real UDP sockets on loopback: the same machines as in virtual time, driven by a clock.
#![cfg(feature = "media")]

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use jmeet::engine::{Engines, identity};
use jmeet::media::peer::*;
use jmeet::{Env, Time};

const VIDEO: u8 = 100;
const RTX: u8 = 96;

struct Peer {
    engine: Box<dyn PeerEngine>,
    socket: UdpSocket,
    secure: bool,
    received: Vec<IncomingRtp>,
    candidates: Vec<Candidate>,
    key_frames: usize,
}

fn clock() -> Time {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    Time::new(start.elapsed().as_micros() as u64, unix)
}

fn config(side: usize) -> Config {
    Config {
        controlling: side == 0,
        identity: Arc::new(identity::generate().expect("randomness")),
        stun_servers: vec![],
        allow_loopback: true,
        rtp: RtpConfig::jicofo(),
        feedback_ssrc: 1 + side as u32,
        cname: format!("udp{side}"),
        estimate: EstimateBounds::default(),
        sctp: Some(5000),
    }
}

impl Peer {
    fn new(side: usize) -> Peer {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("nonblocking");
        let mut env = Env::seeded(u64::from(std::process::id()) * 2 + side as u64);
        let mut engine = Engines.create(config(side), &mut env, clock()).expect("engine");
        engine.handle_command(Command::AddLocalAddress(socket.local_addr().expect("bound")), clock());
        Peer { engine, socket, secure: false, received: vec![], candidates: vec![], key_frames: 0 }
    }

    /// Whether anything happened. `lose` says which datagrams to drop on the way out.
    fn turn(&mut self, lose: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let mut busy = false;
        let (local, mut buf) = (self.socket.local_addr().expect("bound"), [0; 2048]);
        while let Ok((n, from)) = self.socket.recv_from(&mut buf) {
            self.engine.handle_datagram(local, from, &buf[..n], clock());
            busy = true;
        }
        let now = clock();
        if self.engine.next_deadline().is_some_and(|t| t <= now) {
            self.engine.handle_timeout(now);
            busy = true;
        }
        while let Some(o) = self.engine.poll_output() {
            match o {
                Output::Transmit(t) => {
                    for d in t.datagrams() {
                        if !lose(d) {
                            self.socket.send_to(d, t.remote).expect("loopback takes it");
                        }
                    }
                    self.engine.recycle(t.data);
                }
                Output::Event(Event::Candidate(c)) => self.candidates.push(c),
                Output::Event(Event::Secure) => self.secure = true,
                Output::Event(Event::Rtp(p)) => self.received.push(p),
                Output::Event(Event::KeyFrameWanted(_)) => self.key_frames += 1,
                Output::Event(Event::Failed(f)) => panic!("{f:?}"),
                Output::Event(_) => {}
            }
        }
        busy
    }
}

fn until(peers: &mut [Peer; 2], lose: &mut dyn FnMut(&[u8]) -> bool, mut done: impl FnMut(&[Peer; 2]) -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !done(peers) {
        assert!(Instant::now() < limit, "{:?}", peers.each_ref().map(|p| p.engine.stats()));
        let busy = peers.each_mut().map(|p| p.turn(lose));
        if busy == [false; 2] {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn engines_meet_over_loopback_and_repair_what_is_lost() {
    let mut peers = [Peer::new(0), Peer::new(1)];
    for i in [0, 1] {
        let t = peers[1 - i].engine.local_transport();
        let dtls = if i == 1 { DtlsRole::Client } else { DtlsRole::Server };
        let r = RemoteTransport { credentials: t.credentials, fingerprints: vec![t.fingerprint], dtls };
        peers[i].engine.handle_command(Command::SetRemote(r), clock());
    }
    let mut told = [0; 2];
    until(&mut peers, &mut |_| false, |p| p.iter().all(|p| !p.candidates.is_empty()));
    for i in [0, 1] {
        for c in std::mem::take(&mut peers[1 - i].candidates) {
            peers[i].engine.handle_command(Command::AddRemoteCandidate(c), clock());
            told[i] += 1;
        }
    }
    assert_eq!(told, [1, 1]);
    until(&mut peers, &mut |_| false, |p| p.iter().all(|p| p.secure));

    for (i, p) in peers.iter_mut().enumerate() {
        let i = i as u32;
        p.engine
            .handle_command(Command::AddSender(Sender { ssrc: 10 + i, rtx: Some((20 + i, RTX)), pt: VIDEO }), clock());
        p.engine.handle_command(Command::MapRtx { rtx: 21 - i, primary: 11 - i }, clock());
        p.engine.handle_command(Command::RequestKeyFrame(11 - i), clock());
    }
    // Each tenth first transmission is lost, but neither the first nor the last.
    let (packets, mut lost, mut firsts) = (300u32, 0u64, 0u64);
    let mut lose = |b: &[u8]| {
        if b[0] < 128 || b[1] & 0x7f != VIDEO {
            return false;
        }
        firsts += 1;
        let gone = firsts.is_multiple_of(10) && firsts < u64::from(packets) * 2 - 10;
        lost += u64::from(gone);
        gone
    };
    for n in 0..packets {
        for (i, p) in peers.iter_mut().enumerate() {
            let payload = Bytes::from(vec![n as u8; 900]);
            let ssrc = 10 + i as u32;
            let packet = OutgoingRtp { ssrc, pt: VIDEO, ts: n * 3000, marker: true, level: None, extra: None, payload };
            p.engine.send_rtp(packet, clock());
        }
        for p in &mut peers {
            p.turn(&mut lose);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    // Much of it still waits for its turn: the pace is a few times the estimate.
    until(&mut peers, &mut lose, |p| p.iter().all(|p| p.received.len() == packets as usize));
    let stats = peers.each_ref().map(|p| p.engine.stats());
    assert!(lost > 50);
    assert_eq!(stats[0].recovered + stats[1].recovered, lost);
    assert!(stats[0].rtx_out + stats[1].rtx_out >= lost);
    assert!(peers.iter().all(|p| p.key_frames == 1));
    assert_eq!(stats.map(|s| s.srtp_errors + s.junk), [0, 0]);
}
