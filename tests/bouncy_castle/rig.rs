//! Both ends: our engine on a socket, and the Java process.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jmeet::engine::{Engines, identity};
use jmeet::media::peer::*;
use jmeet::{Env, Time};

/// Of anything that is waited for; nothing takes so long that goes well.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Who expects a certificate that the other side does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Deceived {
    Nobody,
    We,
    /// And how they refuse ours: as the bridge does, which says nothing, or with an alert.
    They {
        silent: bool,
    },
}

/// How often a datagram of ours (`true`) or theirs arrives.
pub type Air = Box<dyn FnMut(bool, &[u8]) -> usize>;

pub struct Bridge {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// What it said but for packets, and those: RTP, RTCP and DTLS data, plain.
    pub said: Vec<String>,
    pub rtp: Vec<Vec<u8>>,
    pub rtcp: Vec<Vec<u8>>,
    pub data: Vec<Vec<u8>>,
}

impl Bridge {
    pub fn start(role: DtlsRole, profiles: &str, fingerprint: &str, silent: bool) -> Bridge {
        let classpath =
            std::env::var("JMEET_JAVA_CLASSPATH").expect("JMEET_JAVA_CLASSPATH, as tests/parts/37-java sets it");
        let role = if role == DtlsRole::Server { "server" } else { "client" };
        let mut child = Process::new("java")
            .args(["-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", &classpath, "peer.BridgeTransport"])
            .args([role, profiles, fingerprint, if silent { "silence" } else { "alert" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("java");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (to, lines) = channel();
        std::thread::spawn(move || BufReader::new(output).lines().map_while(Result::ok).try_for_each(|l| to.send(l)));
        Bridge { child, input, lines, said: vec![], rtp: vec![], rtcp: vec![], data: vec![] }
    }

    pub fn tell(&mut self, word: &str, bytes: &[u8]) {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(self.input, "{word} {hex}").unwrap();
    }

    pub fn listen(&mut self) {
        loop {
            let line = match self.lines.try_recv() {
                Ok(line) => line,
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => panic!("the bridge is gone: {:?}", self.said),
            };
            let packets = match line.split_once(' ') {
                Some(("rtp", hex)) => Some((&mut self.rtp, hex)),
                Some(("rtcp", hex)) => Some((&mut self.rtcp, hex)),
                Some(("data", hex)) => Some((&mut self.data, hex)),
                _ => None,
            };
            match packets {
                Some((to, hex)) => to.push(
                    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect(),
                ),
                None => self.said.push(line),
            }
        }
    }

    pub fn says(&self, line: &str) -> bool {
        self.said.iter().any(|l| l.starts_with(line))
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Rig {
    pub engine: Box<dyn PeerEngine>,
    pub socket: UdpSocket,
    pub bridge: Bridge,
    pub remote: SocketAddr,
    begin: Instant,
    /// How far the engine's clock is ahead of the true one.
    pub ahead: Duration,
    air: Air,
    /// The newest SRTP of ours that was sent, and of theirs that came.
    pub last: [Vec<u8>; 2],
    pub events: Vec<Event>,
}

impl Rig {
    pub fn new(role: DtlsRole, profiles: &str, deceived: Deceived, air: Air) -> Rig {
        let identity = Arc::new(identity::generate().expect("randomness"));
        let stranger = identity::generate().expect("randomness").fingerprint;
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a timeout");
        let config = Config {
            controlling: true,
            identity: identity.clone(),
            stun_servers: vec![],
            allow_loopback: true,
            rtp: RtpConfig::jicofo(),
            feedback_ssrc: 90,
            cname: "jmeet".into(),
            // Nobody tells this test's sender what arrives: no pace is to be found.
            estimate: EstimateBounds { initial: 100_000_000, min: 100_000_000, max: 100_000_000 },
            sctp: Some(5000),
        };
        let other = if role == DtlsRole::Client { DtlsRole::Server } else { DtlsRole::Client };
        let expected = if matches!(deceived, Deceived::They { .. }) { &stranger } else { &identity.fingerprint };
        let bridge = Bridge::start(other, profiles, &expected.value, deceived == Deceived::They { silent: true });
        let line = bridge.lines.recv_timeout(PATIENCE).expect("the bridge's transport");
        let [_, port, ufrag, pwd, hash] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let theirs = Fingerprint { hash: "sha-256".into(), value: hash.into() };
        let remote = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));

        let begin = Instant::now();
        let now = time(begin.elapsed());
        let mut engine = Engines.create(config, &mut Env::seeded(u64::from(remote.port())), now).expect("engine");
        engine.handle_command(Command::AddLocalAddress(socket.local_addr().unwrap()), now);
        let transport = RemoteTransport {
            credentials: IceCredentials { ufrag: ufrag.into(), pwd: pwd.into() },
            fingerprints: vec![if deceived == Deceived::We { stranger } else { theirs }],
            dtls: role,
        };
        engine.handle_command(Command::SetRemote(transport), now);
        let kind = CandidateKind::Host;
        let candidate = Candidate { foundation: "1".into(), priority: 1, address: remote, kind, related: None };
        engine.handle_command(Command::AddRemoteCandidate(candidate), now);
        let (ahead, last, events) = (Duration::ZERO, [vec![], vec![]], vec![]);
        Rig { engine, socket, bridge, remote, begin, ahead, air, last, events }
    }

    pub fn connected(role: DtlsRole, profiles: &str) -> Rig {
        let mut rig = Rig::new(role, profiles, Deceived::Nobody, Box::new(|_, _| 1));
        rig.connect();
        rig
    }

    /// Until both are through: what is sent to one that is not is lost.
    pub fn connect(&mut self) {
        self.until("both to be secure", |r| r.is_secure() && r.bridge.says("secure "));
    }

    pub fn is_secure(&self) -> bool {
        self.events.iter().any(|e| matches!(e, Event::Secure))
    }

    pub fn failure(&self) -> Option<Failure> {
        self.events.iter().find_map(|e| if let Event::Failed(f) = e { Some(*f) } else { None })
    }

    pub fn now(&self) -> Time {
        time(self.begin.elapsed() + self.ahead)
    }

    pub fn command(&mut self, c: Command) {
        self.engine.handle_command(c, self.now());
    }

    pub fn until(&mut self, what: &str, mut done: impl FnMut(&Rig) -> bool) {
        let limit = Instant::now() + PATIENCE;
        while !done(self) {
            if Instant::now() > limit {
                let events = self.events.iter().filter(|e| !matches!(e, Event::Rtp(_))).collect::<Vec<_>>();
                panic!("no {what}: {events:?}, {:?}, {:?}", self.bridge.said, self.engine.stats());
            }
            self.turn();
        }
    }

    pub fn turn(&mut self) {
        let (local, mut buf) = (self.socket.local_addr().unwrap(), [0; 2048]);
        while let Ok((n, from)) = self.socket.recv_from(&mut buf) {
            if is_media(&buf[..n]) {
                self.last[1] = buf[..n].to_vec();
            }
            for _ in 0..(self.air)(false, &buf[..n]) {
                self.engine.handle_datagram(local, from, &buf[..n], self.now());
            }
        }
        let now = self.now();
        if self.engine.next_deadline().is_some_and(|t| t <= now) {
            self.engine.handle_timeout(now);
        }
        while let Some(o) = self.engine.poll_output() {
            match o {
                Output::Event(e) => self.events.push(e),
                Output::Transmit(t) => {
                    for d in t.datagrams() {
                        if is_media(d) {
                            self.last[0] = d.to_vec();
                        }
                        for _ in 0..(self.air)(true, d) {
                            self.socket.send_to(d, t.remote).expect("loopback takes it");
                        }
                    }
                    self.engine.recycle(t.data);
                }
            }
        }
        self.bridge.listen();
    }

    pub fn received(&self) -> Vec<&IncomingRtp> {
        self.events.iter().filter_map(|e| if let Event::Rtp(p) = e { Some(p) } else { None }).collect()
    }
}

pub fn time(since: Duration) -> Time {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    Time::new(since.as_micros() as u64 + 1, unix)
}

/// RTP, and neither RTCP nor another protocol.
pub fn is_media(b: &[u8]) -> bool {
    matches!(b, [128..=191, 0..=191 | 224..=255, ..])
}
