//! The bridge with our engine as its clients, in virtual time: connections, media both ways, repairs, layers, remaps, restarts and
//! the channel.

mod channel;
mod connection;
mod media;

use super::*;
use crate::engine::{Engines, identity};
use crate::media::peer::{
    AudioLevel, Command, Config, DtlsRole, EstimateBounds, Event as EngineEvent, ExtensionIds, IceCredentials,
    Identity, IncomingRtp, OutgoingRtp, Output as EngineOutput, PeerEngine, PeerEngineFactory,
    RemoteTransport as EngineRemote, RtpConfig, Sender,
};
use crate::testkit::{Link, LinkOptions};
use crate::wire::colibri::{BridgeVideoType, FromBridge, ReceiverConstraints, ToBridge};
use bytes::Bytes;
use std::sync::{Arc, OnceLock};
use transport::{OPUS, VP8, VP8_RTX};

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

const BRIDGE: &str = "10.0.0.1:10000";

fn identity() -> Arc<Identity> {
    static ONE: OnceLock<Arc<Identity>> = OnceLock::new();
    ONE.get_or_init(|| Arc::new(identity::generate().expect("a certificate"))).clone()
}

fn rtp_config() -> RtpConfig {
    let all = RtpConfig::jicofo();
    // The bridge stamps no send time.
    RtpConfig { extensions: ExtensionIds { abs_send_time: 0, ..all.extensions }, ..all }
}

/// A participant: engine, sockets, and what it was told.
pub struct Client {
    pub engine: Box<dyn PeerEngine>,
    pub addresses: Vec<SocketAddr>,
    pub offer: Offer,
    number: u32,
    pub secure: bool,
    pub open: bool,
    pub received: Vec<IncomingRtp>,
    pub key_frames: Vec<u32>,
    pub engine_events: Vec<EngineEvent>,
    /// Of the channel, both kinds.
    pub said: Vec<FromBridge>,
    pub socket: Option<SocketKey>,
    /// Picture ids and frames sent so far, per layer.
    frames: [u32; 3],
    up: Link<Datagram>,
    down: Link<Datagram>,
    /// It has no processor until then: what comes lies in its socket.
    pub starved_until: Time,
    /// The system notes when something came.
    pub stamps: bool,
    unread: Vec<(Time, Datagram)>,
}

impl Client {
    pub fn ssrc(&self, what: u32) -> u32 {
        self.number * 1000 + what
    }

    pub fn maps(&self, kind: Kind) -> Vec<crate::wire::colibri::MappedSource> {
        self.said
            .iter()
            .filter_map(|m| match (m, kind) {
                (FromBridge::VideoSourcesMap(s), Kind::Video) | (FromBridge::AudioSourcesMap(s), Kind::Audio) => {
                    Some(s.clone())
                }
                _ => None,
            })
            .flatten()
            .collect()
    }

    pub fn on(&self, ssrc: u32) -> Vec<&IncomingRtp> {
        self.received.iter().filter(|p| p.ssrc == ssrc).collect()
    }
}

/// The bridge and its clients.
pub struct Net {
    pub bridge: Bridge,
    pub now: Time,
    pub clients: BTreeMap<String, Client>,
    pub events: Vec<Event>,
    pub refused: Vec<(SocketKey, u16)>,
    pub closed: Vec<(SocketKey, u16, &'static str)>,
    next_socket: SocketKey,
}

impl Net {
    pub fn new(change: impl FnOnce(&mut BridgeConfig)) -> Net {
        let mut config = BridgeConfig {
            addresses: vec![BRIDGE.parse().expect("address")],
            websocket_urls: vec!["wss://meet.example/colibri-ws/jvb".into()],
            estimate: false,
            ..BridgeConfig::default()
        };
        change(&mut config);
        Net {
            bridge: Bridge::new(config, Env::seeded(11)).expect("a bridge"),
            now: Time::new(1_000_000, 1_800_000_000_000_000),
            clients: BTreeMap::new(),
            events: Vec::new(),
            refused: Vec::new(),
            closed: Vec::new(),
            next_socket: 1,
        }
    }

    /// A client that is about to connect, with one audio and one camera of three layers.
    pub fn join(&mut self, id: &str, options: EndpointOptions) {
        self.join_on(id, options, LinkOptions { delay: Duration::from_millis(20), ..LinkOptions::default() });
    }

    pub fn join_on(&mut self, id: &str, options: EndpointOptions, link: LinkOptions) {
        let offer = self.bridge.allocate(id, options, self.now).expect("allocated");
        let number = self.clients.len() as u32 + 1;
        let config = Config {
            controlling: false,
            identity: identity(),
            stun_servers: vec![],
            allow_loopback: true,
            rtp: rtp_config(),
            feedback_ssrc: number * 1000 + 999,
            cname: id.to_owned(),
            estimate: EstimateBounds::default(),
            sctp: offer.sctp_port,
        };
        let mut engine = Engines.create(config, &mut Env::seeded(u64::from(number)), self.now).expect("an engine");
        let address: SocketAddr = format!("10.0.1.{number}:5000").parse().expect("address");
        engine.handle_command(Command::AddLocalAddress(address), self.now);
        let remote = EngineRemote {
            credentials: IceCredentials { ufrag: offer.ufrag.clone(), pwd: offer.pwd.clone() },
            fingerprints: vec![offer.fingerprint.clone()],
            dtls: DtlsRole::Client,
        };
        engine.handle_command(Command::SetRemote(remote), self.now);
        for c in &offer.candidates {
            engine.handle_command(Command::AddRemoteCandidate(c.clone()), self.now);
        }
        let ours = engine.local_transport();
        let remote = RemoteTransport {
            ufrag: ours.credentials.ufrag,
            pwd: ours.credentials.pwd,
            fingerprint: Some(ours.fingerprint),
            setup: "active".into(),
            candidates: vec![],
        };
        self.bridge.accept(id, &remote, self.now).expect("accepted");
        let ssrc = |what: u32| number * 1000 + what;
        let audio = Sender { ssrc: ssrc(1), rtx: None, pt: OPUS };
        let layer = |i: u32| Sender { ssrc: ssrc(10 + i), rtx: Some((ssrc(20 + i), VP8_RTX)), pt: VP8 };
        for s in [audio, layer(0), layer(1), layer(2)] {
            engine.handle_command(Command::AddSender(s), self.now);
        }
        if offer.sctp_port.is_some() && offer.websockets.is_empty() {
            let (label, protocol) = ("JVB data channel".into(), "http://jitsi.org/protocols/colibri".into());
            engine.handle_command(Command::OpenChannel { label, protocol }, self.now);
        }
        let client = Client {
            engine,
            addresses: vec![address],
            offer,
            number,
            secure: false,
            open: false,
            received: Vec::new(),
            key_frames: Vec::new(),
            engine_events: Vec::new(),
            said: Vec::new(),
            socket: None,
            frames: [0; 3],
            up: Link::new(link, u64::from(number) * 2),
            down: Link::new(link, u64::from(number) * 2 + 1),
            starved_until: self.now,
            stamps: true,
            unread: Vec::new(),
        };
        self.clients.insert(id.to_owned(), client);
        self.signal(id);
    }

    /// Signals the sources that `join` made.
    fn signal(&mut self, id: &str) {
        self.signal_some(id, 2);
    }

    /// Signals the first of the audio and the camera that `join` made.
    fn signal_some(&mut self, id: &str, count: usize) {
        let c = &self.clients[id];
        let ssrc = |what| c.ssrc(what);
        let mut sources = vec![
            BridgeSource {
                name: format!("{id}-a0"),
                kind: Kind::Audio,
                video_type: BridgeVideoType::None,
                ssrcs: vec![ssrc(1)],
                sim: vec![],
                fid: vec![],
            },
            BridgeSource {
                name: format!("{id}-v0"),
                kind: Kind::Video,
                video_type: BridgeVideoType::Camera,
                ssrcs: [10, 11, 12, 20, 21, 22].map(ssrc).to_vec(),
                sim: [10, 11, 12].map(ssrc).to_vec(),
                fid: vec![(ssrc(10), ssrc(20)), (ssrc(11), ssrc(21)), (ssrc(12), ssrc(22))],
            },
        ];
        sources.truncate(count);
        self.bridge.set_sources(id, sources, self.now).expect("sources");
    }

    /// Opens the client's WebSocket.
    pub fn open_socket(&mut self, id: &str) -> SocketKey {
        let url = self.clients[id].offer.websockets[0].clone();
        let path = url.strip_prefix("wss://meet.example").expect("the base").to_owned();
        let key = self.open_path(&path);
        self.clients.get_mut(id).expect("a client").socket = Some(key);
        key
    }

    pub fn open_path(&mut self, path: &str) -> SocketKey {
        let key = self.next_socket;
        self.next_socket += 1;
        self.bridge.handle_websocket_opened(key, path, self.now);
        key
    }

    /// The client says this on its channel.
    pub fn say(&mut self, id: &str, text: &str) {
        let now = self.now;
        let c = self.clients.get_mut(id).expect("a client");
        match c.socket {
            Some(key) => self.bridge.handle_websocket_text(key, text, now),
            None => c.engine.handle_command(Command::SendText(text.into()), now),
        }
    }

    /// The client wants this height of everything.
    pub fn want(&mut self, id: &str, height: i32) {
        let c = ReceiverConstraints { default_height: Some(height), last_n: Some(-1), ..Default::default() };
        self.say(id, &ToBridge::ReceiverVideoConstraints(c).to_text());
    }

    /// Runs for this long, or until it is done; whether it was.
    pub fn run_until(&mut self, time: Duration, mut done: impl FnMut(&Net) -> bool) -> bool {
        let end = self.now + time;
        loop {
            self.settle();
            if done(self) {
                return true;
            }
            let mut next = self.bridge.next_deadline();
            for c in self.clients.values() {
                let awake = |d: Time| d + c.starved_until.since(d);
                next = earliest(next, c.engine.next_deadline().map(awake));
                next = earliest(next, c.unread.first().map(|u| awake(u.0)));
                next = earliest(earliest(next, c.up.next_deadline()), c.down.next_deadline());
            }
            let Some(next) = next.filter(|n| *n <= end) else {
                self.now = self.now + end.since(self.now);
                return done(self);
            };
            self.now = self.now + next.since(self.now);
            self.step();
        }
    }

    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn step(&mut self) {
        let now = self.now;
        let mut arrived = Vec::new();
        for c in self.clients.values_mut() {
            arrived.extend(std::iter::from_fn(|| c.up.pop(now)));
            c.unread.extend(std::iter::from_fn(|| c.down.pop(now)).map(|d| (now, d)));
            if now < c.starved_until {
                continue;
            }
            for (came, (local, remote, data)) in c.unread.drain(..) {
                let waited = if c.stamps { now.since(came) } else { Duration::ZERO };
                c.engine.handle_datagram_after(remote, local, &data, waited, now);
            }
            if c.engine.next_deadline().is_some_and(|d| d <= now) {
                c.engine.handle_timeout(now);
            }
        }
        for (from, to, data) in arrived {
            self.bridge.handle_datagram(to, from, &data, now);
        }
        if self.bridge.next_deadline().is_some_and(|d| d.mono_us <= now.mono_us) {
            self.bridge.handle_timeout(now);
            let next = self.bridge.next_deadline();
            assert!(next.is_none_or(|d| d.mono_us > now.mono_us), "a deadline that does not move");
        }
    }

    fn settle(&mut self) {
        let now = self.now;
        for c in self.clients.values_mut() {
            while let Some(o) = c.engine.poll_output() {
                match o {
                    EngineOutput::Transmit(t) => {
                        for d in t.datagrams() {
                            c.up.push_sized((t.local, t.remote, d.to_vec()), d.len(), now);
                        }
                    }
                    EngineOutput::Event(EngineEvent::Secure) => c.secure = true,
                    EngineOutput::Event(EngineEvent::Rtp(p)) => c.received.push(p),
                    EngineOutput::Event(EngineEvent::KeyFrameWanted(s)) => c.key_frames.push(s),
                    EngineOutput::Event(EngineEvent::ChannelOpen) => c.open = true,
                    EngineOutput::Event(EngineEvent::ChannelText(t)) => c.said.extend(FromBridge::parse(&t)),
                    EngineOutput::Event(e) => c.engine_events.push(e),
                }
            }
        }
        while let Some(o) = self.bridge.poll_output() {
            match o {
                Output::Transmit { local, remote, data } => {
                    if let Some(c) = self.clients.values_mut().find(|c| c.addresses.contains(&remote)) {
                        let bytes = data.len();
                        c.down.push_sized((local, remote, data), bytes, now);
                    }
                }
                Output::Event(e) => self.events.push(e),
                Output::WebSocketAccept(_) => {}
                Output::WebSocketRefuse(key, status) => self.refused.push((key, status)),
                Output::WebSocketClose(key, code, reason) => self.closed.push((key, code, reason)),
                Output::WebSocketSend(key, text) => {
                    if let Some(c) = self.clients.values_mut().find(|c| c.socket == Some(key)) {
                        c.said.extend(FromBridge::parse(&text));
                    }
                }
            }
        }
    }

    /// All are connected, with a channel, and know whose repairs are on which SSRC, as source-add tells them.
    pub fn connect(&mut self) {
        let now = self.now;
        let numbers: Vec<u32> = self.clients.values().map(|c| c.number).collect();
        for c in self.clients.values_mut() {
            for n in &numbers {
                c.engine.handle_command(Command::MapRtx { rtx: n * 1000 + 20, primary: n * 1000 + 10 }, now);
            }
        }
        let done = self.run_until(Duration::from_secs(20), |n| n.clients.values().all(|c| c.secure));
        assert!(done, "{:?}", self.events);
        for id in self.clients.keys().cloned().collect::<Vec<_>>() {
            let c = &self.clients[&id];
            if !c.offer.websockets.is_empty() && c.socket.is_none() {
                self.open_socket(&id);
            }
        }
        let done = self.run_until(Duration::from_secs(20), |n| {
            n.clients.values().all(|c| c.socket.is_some() || c.open || c.offer.sctp_port.is_none())
        });
        assert!(done, "{:?}", self.events);
    }

    pub fn audio(&mut self, id: &str, n: u32, level: u8) {
        let now = self.now;
        let c = self.clients.get_mut(id).expect("a client");
        let p = OutgoingRtp {
            ssrc: c.ssrc(1),
            pt: OPUS,
            ts: n * 960,
            marker: n == 0,
            level: Some(AudioLevel { level, voice: level < 127 }),
            extra: None,
            payload: Bytes::from(vec![n as u8; 80]),
        };
        c.engine.send_rtp(p, now);
    }

    /// One frame of each of the first `layers` layers: a key frame where one was asked for, and at the start.
    pub fn video(&mut self, id: &str, layers: usize) {
        let now = self.now;
        let c = self.clients.get_mut(id).expect("a client");
        let asked = !std::mem::take(&mut c.key_frames).is_empty();
        for i in 0..layers {
            let n = c.frames[i];
            c.frames[i] += 1;
            let key = n == 0 || asked;
            let p = OutgoingRtp {
                ssrc: c.ssrc(10 + i as u32),
                pt: VP8,
                ts: (now.mono_us / 1000 * 90) as u32 + i as u32 * 7,
                marker: true,
                level: None,
                extra: None,
                payload: vp8(n, key, 180 << i, 250 << i),
            };
            c.engine.send_rtp(p, now);
        }
    }

    /// Media of everybody for this many frame times of 20 ms.
    pub fn media(&mut self, frames: u32, layers: usize) {
        let ids: Vec<String> = self.clients.keys().cloned().collect();
        for n in 0..frames {
            for id in &ids {
                self.audio(id, n, 30);
                self.video(id, layers);
            }
            self.run(Duration::from_millis(20));
        }
    }
}

/// A frame of one packet: picture id and TL0PICIDX count frames; a key frame tells its size.
fn vp8(n: u32, key: bool, height: u16, len: usize) -> Bytes {
    let mut p = vec![0x90, 0xe0, 0x80 | (n >> 8) as u8 & 0x7f, n as u8, n as u8, 0x20];
    let [h0, h1] = height.to_le_bytes();
    let [w0, w1] = (height * 16 / 9).to_le_bytes();
    p.extend(if key { [0x10, 0, 0, 0x9d, 1, 0x2a, w0, w1, h0, h1] } else { [0x11, n as u8, 0, 0, 0, 0, 0, 0, 0, 0] });
    p.resize(len.max(p.len()), n as u8);
    p.into()
}

/// Picture id, whether it is a key frame, and the height it tells.
fn picture(p: &IncomingRtp) -> (u16, bool, Option<u16>) {
    let v = projection::Vp8::read(&p.payload).expect("VP8");
    (u16::from(p.payload[2] & 0x7f) << 8 | u16::from(p.payload[3]), v.key, v.height)
}

fn plain() -> EndpointOptions {
    EndpointOptions { ssrc_rewriting: false, ..EndpointOptions::default() }
}

fn sctp_only() -> EndpointOptions {
    EndpointOptions { websocket: false, ..EndpointOptions::default() }
}
