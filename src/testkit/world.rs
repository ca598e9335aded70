//! Participants and server on one virtual clock: whole meetings without a socket, a thread or a second of waiting. Seeded: the
//! same world runs the same way again.
//!
//! Signalling takes [`World::signalling`] one way; media travels over one [`Link`] per pair and direction, so loss, delay and
//! reordering are the test's choice.

use super::bridge::{self, Bridge, BridgeConfig, BridgeError, SocketKey};
use super::focus::SessionOptions;
use super::link::{Link, LinkOptions};
use super::server::{ConnId, Output as ServerOutput, Server, ServerOptions};
use crate::engine::fake::{self, FakeEngines};
use crate::engine::{Engines as EngineFactory, identity};
use crate::env::Env;
use crate::error::Error;
use crate::media::EncodedFrame;
use crate::media::peer::{Identity, PeerEngineFactory};
use crate::meeting::event::{Event, EventKind, TrackKey};
use crate::meeting::io::{ConnectionKey, Input, Output, Purpose, SocketsKey};
use crate::meeting::machine::Engines;
use crate::meeting::{ClientOptions, Command, Meeting, ReaderKey};
use crate::time::{Time, earliest};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Frames to the server that a test may look at afterwards.
const KEPT_FRAMES: usize = 1000;
/// Events of the bridge that a test may look at afterwards.
const KEPT_EVENTS: usize = 10_000;
/// The bridge in the place of a participant's number, where links are named.
pub const BRIDGE: usize = 9999;
/// Where the bridge is.
pub const BRIDGE_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 254)), 10_000);
/// Steps without the clock moving, before a world counts as stuck in a loop.
const MAX_STEPS_AT_ONCE: usize = 1_000_000;

/// A participant of the world.
pub struct Peer {
    pub meeting: Meeting,
    /// When it wants to be told of the time, as of its last input: a world asks far more often than that changes.
    deadline: Option<Time>,
    connection: Option<(ConnectionKey, ConnId)>,
    sockets: Vec<(SocketsKey, SocketAddr)>,
    next_port: u16,
    /// Every event so far, with its time.
    pub events: Vec<(Time, Event)>,
    /// Every frame that its readers got.
    pub frames: Vec<(ReaderKey, EncodedFrame)>,
    /// What each writer was told last: muted, ready.
    pub writers: BTreeMap<TrackKey, (bool, bool)>,
    /// Readers that were told that no more comes.
    pub ended_readers: Vec<ReaderKey>,
    /// No connection succeeds: with this error.
    pub refuse_connection: Option<Error>,
    /// What is asked of the network gets no answer.
    pub unreachable: bool,
    /// It gets no processor until then: nobody looks at its clock, and datagrams lie in its sockets.
    pub starved_until: Time,
    /// When each came.
    unread: VecDeque<(Time, Datagram)>,
}

impl Peer {
    /// The kinds of its events.
    pub fn kinds(&self) -> impl Iterator<Item = &EventKind> {
        self.events.iter().map(|e| &e.1.kind)
    }

    /// Whether an event like this came.
    pub fn saw(&self, f: impl Fn(&EventKind) -> bool) -> bool {
        self.kinds().any(f)
    }
}

enum Wire {
    ToServer(ConnId, String),
    ToPeer(usize, ConnectionKey, String),
    Opened(usize, ConnectionKey),
    Lost(usize, ConnectionKey, Error),
    ChannelAsked(SocketKey, String),
    ToBridge(SocketKey, String),
    ChannelClosed(SocketKey),
}

type Datagram = (SocketAddr, SocketAddr, Vec<u8>);

/// The world.
pub struct World {
    pub server: Server,
    pub now: Time,
    pub peers: Vec<Peer>,
    /// One way of signalling.
    pub signalling: Duration,
    links: BTreeMap<(usize, usize), Link<Datagram>>,
    /// What a new link does.
    pub link: LinkOptions,
    /// Datagrams that get lost on every link, whatever it does.
    pub lost: fn(&[u8]) -> bool,
    wire: VecDeque<(Time, Wire)>,
    /// The newest frames that the server got.
    heard: VecDeque<String>,
    identity: Arc<Identity>,
    /// Engines without cryptography.
    fake: bool,
    env: Env,
    next_conn: ConnId,
    /// WebSockets of the bridge channel.
    channels: BTreeMap<SocketKey, (usize, ConnectionKey)>,
    next_channel: SocketKey,
    /// What the bridge told of itself, newest last.
    pub bridge_events: VecDeque<(Time, bridge::Event)>,
}

impl World {
    /// A server, and nobody.
    ///
    /// # Panics
    /// When no certificate can be made, which is a defect of the machine it runs on.
    pub fn new(seed: u64) -> World {
        World::of(seed, Arc::new(identity::generate().expect("a certificate")))
    }

    fn of(seed: u64, identity: Arc<Identity>) -> World {
        let mut env = Env::seeded(seed);
        World {
            server: Server::new(ServerOptions::default(), env.fork()),
            now: Time::new(1_000_000, 1_700_000_000_000_000),
            peers: Vec::new(),
            signalling: Duration::ZERO,
            links: BTreeMap::new(),
            link: LinkOptions::default(),
            lost: |_| false,
            wire: VecDeque::new(),
            heard: VecDeque::new(),
            identity,
            fake: false,
            env,
            next_conn: 1,
            channels: BTreeMap::new(),
            next_channel: 1,
            bridge_events: VecDeque::new(),
        }
    }

    /// A world with a bridge, so that participants get bridge sessions. With [`BridgeConfig::fake`] their engines are fake too.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn with_bridge(seed: u64, sessions: SessionOptions, config: BridgeConfig) -> Result<World, BridgeError> {
        let mut w = if config.fake { World::of(seed, fake::identity("everybody")) } else { World::new(seed) };
        w.fake = config.fake;
        let options = ServerOptions { sessions: Some(sessions), ..ServerOptions::default() };
        w.server = Server::new(options, w.env.fork());
        w.start_bridge(config)?;
        Ok(w)
    }

    /// Gives the focus a bridge, or another in the place of the one that it has; its address and URLs are the world's.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn start_bridge(&mut self, mut config: BridgeConfig) -> Result<(), BridgeError> {
        config.addresses = vec![BRIDGE_ADDRESS];
        config.websocket_urls = vec!["ws://localhost/colibri-ws/jvb".into()];
        let bridge = Bridge::new(config, self.env.fork())?;
        self.lose_channels();
        self.server.set_bridge(Box::new(bridge), self.now);
        Ok(())
    }

    /// The bridge dies: its packets stop, its sockets close, and the focus learns of it.
    pub fn kill_bridge(&mut self) {
        self.lose_channels();
        self.server.kill_bridge(self.now);
    }

    /// The bridge, while there is one.
    pub fn bridge(&mut self) -> Option<&mut Bridge> {
        self.server.bridge_mut().and_then(|b| b.videobridge())
    }

    /// What was said before the bridge went is heard before that is.
    fn lose_channels(&mut self) {
        let at = self.now + self.signalling;
        for (_, (who, key)) in std::mem::take(&mut self.channels) {
            let e = Error::new(crate::Code::Disconnected, crate::Stage::Stream, "the bridge is gone");
            self.wire.push_back((at, Wire::Lost(who, key, e)));
        }
    }

    /// Adds a participant that is not joined yet; `options` gets URL, room and domain where it names none.
    pub fn add(&mut self, mut options: ClientOptions) -> Result<usize, Error> {
        if options.url.is_empty() {
            options.url = "ws://localhost/xmpp-websocket".into();
        }
        if options.room.is_empty() {
            options.room = "room".into();
        }
        if options.domain.is_empty() {
            options.domain = ServerOptions::default().domain;
        }
        options.allow_loopback = true;
        let factory: Box<dyn PeerEngineFactory> =
            if self.fake { Box::new(FakeEngines) } else { Box::new(EngineFactory) };
        let engines = Engines { factory, identity: self.identity.clone() };
        let meeting = Meeting::new(options, "localhost", true, Some(engines), self.env.fork())?;
        self.peers.push(Peer {
            deadline: meeting.next_deadline(),
            meeting,
            connection: None,
            sockets: Vec::new(),
            next_port: 10_000,
            events: Vec::new(),
            frames: Vec::new(),
            writers: BTreeMap::new(),
            ended_readers: Vec::new(),
            refuse_connection: None,
            unreachable: false,
            starved_until: self.now,
            unread: VecDeque::new(),
        });
        Ok(self.peers.len() - 1)
    }

    /// Gives a participant a command, now.
    pub fn command(&mut self, who: usize, command: Command) {
        self.peers[who].meeting.handle(Input::Command(command), self.now);
        self.drain(who);
    }

    /// Gives a participant a frame to send, now.
    pub fn frame(&mut self, who: usize, track: TrackKey, frame: crate::media::OutgoingFrame) {
        self.peers[who].meeting.handle(Input::Frame(track, frame), self.now);
        self.drain(who);
    }

    /// Breaks a participant's connection without a word.
    pub fn cut(&mut self, who: usize) {
        if let Some((key, conn)) = self.peers[who].connection.take() {
            self.server.disconnected(conn, self.now);
            let e = Error::new(crate::Code::Disconnected, crate::Stage::Stream, "cut");
            self.wire.push_back((self.now, Wire::Lost(who, key, e)));
        }
    }

    /// Breaks a participant's WebSocket to the bridge without a word; whether there was one.
    pub fn cut_channel(&mut self, who: usize) -> bool {
        let Some(key) = self.channels.iter().find(|(_, c)| c.0 == who).map(|(k, _)| *k) else { return false };
        let Some((_, connection)) = self.channels.remove(&key) else { return false };
        self.wire.push_back((self.now, Wire::ChannelClosed(key)));
        let e = Error::new(crate::Code::Disconnected, crate::Stage::Stream, "cut");
        self.wire.push_back((self.now, Wire::Lost(who, connection, e)));
        true
    }

    /// What is under way in the world: texts, and WebSockets of the bridge. Nothing, once everybody left.
    pub fn under_way(&self) -> usize {
        self.wire.len() + self.channels.len()
    }

    /// What the bridge was told on an endpoint's channel, the newest last.
    pub fn told_to_bridge<'a>(&'a self, endpoint: &'a str) -> impl Iterator<Item = &'a str> {
        self.bridge_events.iter().filter_map(move |e| match &e.1 {
            bridge::Event::Message { endpoint: who, text } if who == endpoint => Some(text.as_str()),
            _ => None,
        })
    }

    /// A datagram of a stranger reaches each socket of a participant.
    pub fn throw(&mut self, who: usize, data: &[u8]) {
        let remote = SocketAddr::from(([203, 0, 113, 7], 9));
        let p = &mut self.peers[who];
        for (sockets, local) in p.sockets.clone() {
            let segment = data.len();
            p.meeting
                .handle(Input::Datagrams { sockets, local, remote, data, segment, waited: Duration::ZERO }, self.now);
        }
        self.drain(who);
    }

    /// Has the server send a participant a frame as it stands; it is counted as a stanza if it is one.
    pub fn inject(&mut self, who: usize, text: &str) {
        if let Some((_, conn)) = self.peers[who].connection {
            self.server.inject(conn, text);
        }
    }

    /// Whether the server got a frame with this text.
    pub fn heard_by_server(&self, text: &str) -> bool {
        self.heard.iter().any(|t| t.contains(text))
    }

    /// The link from one participant to another.
    pub fn link_mut(&mut self, from: usize, to: usize) -> &mut Link<Datagram> {
        let (options, seed) = (self.link, (from * 1000 + to) as u64);
        self.links.entry((from, to)).or_insert_with(|| Link::new(options, seed))
    }

    fn send(&mut self, from: usize, to: usize, datagram: Datagram) {
        if (self.lost)(&datagram.2) {
            return;
        }
        let (now, reliable) = (self.now, self.fake && fake::is_text(&datagram.2));
        let (bytes, link) = (datagram.2.len(), self.link_mut(from, to));
        if reliable { link.push_reliable(datagram, now) } else { link.push_sized(datagram, bytes, now) }
    }

    /// Runs until `done`, for at most `limit` of virtual time; whether it was done.
    pub fn run_until(&mut self, limit: Duration, mut done: impl FnMut(&World) -> bool) -> bool {
        let end = self.now + limit;
        loop {
            if !self.settle(&mut done) {
                return true;
            }
            match self.next_deadline() {
                Some(next) if next <= end => self.advance(next),
                _ => {
                    self.advance(end);
                    return !self.settle(&mut done);
                }
            }
        }
    }

    /// Runs for this long.
    pub fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    fn advance(&mut self, to: Time) {
        if to > self.now {
            // Both clocks by the same step: deadlines are sums of the monotonic one.
            self.now = self.now + to.since(self.now);
        }
    }

    fn next_deadline(&self) -> Option<Time> {
        let wire = self.wire.iter().map(|w| w.0).min();
        let links = self.links.values().filter_map(Link::next_deadline).min();
        let awake = |p: &Peer, d: Time| d + p.starved_until.since(d);
        let asked = |p: &Peer| Some(awake(p, earliest(p.deadline, p.unread.front().map(|u| u.0))?));
        let peers = self.peers.iter().filter_map(asked).min();
        [wire, links, peers].into_iter().fold(self.server.next_deadline(), earliest)
    }

    /// Does all that is due now; `false` as soon as `done`.
    fn settle(&mut self, done: &mut impl FnMut(&World) -> bool) -> bool {
        for _ in 0..MAX_STEPS_AT_ONCE {
            if done(self) {
                return false;
            }
            if !self.step() {
                return true;
            }
        }
        panic!("the world does not come to rest");
    }

    fn step(&mut self) -> bool {
        if let Some(o) = self.server.poll_output() {
            self.on_server(o);
            return true;
        }
        if let Some(o) = self.server.bridge_mut().and_then(|b| b.poll_output()) {
            self.on_bridge(o);
            return true;
        }
        if let Some(at) = self.wire.iter().position(|w| w.0 <= self.now) {
            let Some((_, w)) = self.wire.remove(at) else { return false };
            self.on_wire(w);
            return true;
        }
        let due = |d: Option<Time>, now: Time| d.is_some_and(|d| d.mono_us <= now.mono_us);
        for ((_, to), link) in &mut self.links {
            if let Some((from, target, data)) = link.pop(self.now) {
                let who = *to;
                if who == BRIDGE {
                    if let Some(b) = self.server.bridge_mut().and_then(|b| b.videobridge()) {
                        b.handle_datagram(target, from, &data, self.now);
                    }
                    return true;
                }
                self.peers[who].unread.push_back((self.now, (from, target, data)));
                return true;
            }
        }
        for who in 0..self.peers.len() {
            let p = &mut self.peers[who];
            if p.starved_until <= self.now
                && let Some((came, (remote, target, data))) = p.unread.pop_front()
            {
                if let Some((sockets, local)) = p.sockets.iter().find(|s| s.1 == target).copied() {
                    let (segment, waited) = (data.len(), self.now.since(came));
                    let datagrams = Input::Datagrams { sockets, local, remote, data: &data, segment, waited };
                    p.meeting.handle(datagrams, self.now);
                    self.drain(who);
                }
                return true;
            }
        }
        if due(self.server.next_deadline(), self.now) {
            self.server.handle_timeout(self.now);
            return true;
        }
        for who in 0..self.peers.len() {
            if self.peers[who].starved_until <= self.now && due(self.peers[who].deadline, self.now) {
                self.peers[who].meeting.handle(Input::Timer, self.now);
                self.drain(who);
                return true;
            }
        }
        false
    }

    fn on_server(&mut self, o: ServerOutput) {
        let peer_of = |peers: &[Peer], conn| peers.iter().position(|p| p.connection.is_some_and(|c| c.1 == conn));
        match o {
            ServerOutput::Send(conn, text) => {
                if let Some(who) = peer_of(&self.peers, conn)
                    && let Some((key, _)) = self.peers[who].connection
                {
                    self.wire.push_back((self.now + self.signalling, Wire::ToPeer(who, key, text)));
                }
            }
            ServerOutput::Close(conn) | ServerOutput::Cut(conn) => {
                if let Some(who) = peer_of(&self.peers, conn)
                    && let Some((key, _)) = self.peers[who].connection.take()
                {
                    let e = Error::new(crate::Code::Disconnected, crate::Stage::Stream, "closed by the server");
                    self.wire.push_back((self.now + self.signalling, Wire::Lost(who, key, e)));
                }
            }
        }
    }

    fn on_bridge(&mut self, o: bridge::Output) {
        let at = self.now + self.signalling;
        let lost = |text: &str, condition: String| {
            Error::new(crate::Code::Disconnected, crate::Stage::Stream, text).with_condition(condition)
        };
        match o {
            bridge::Output::Transmit { local, remote, data } => {
                if let Some(to) = self.peers.iter().position(|p| p.sockets.iter().any(|s| s.1 == remote)) {
                    self.send(BRIDGE, to, (local, remote, data));
                }
            }
            bridge::Output::WebSocketAccept(key) => {
                if let Some((who, connection)) = self.channels.get(&key) {
                    self.wire.push_back((at, Wire::Opened(*who, *connection)));
                }
            }
            bridge::Output::WebSocketRefuse(key, status) => {
                if let Some((who, connection)) = self.channels.remove(&key) {
                    let e = Error { code: crate::Code::Upgrade, ..lost("refused", status.to_string()) };
                    self.wire.push_back((at, Wire::Lost(who, connection, e)));
                }
            }
            bridge::Output::WebSocketSend(key, text) => {
                if let Some((who, connection)) = self.channels.get(&key) {
                    self.wire.push_back((at, Wire::ToPeer(*who, *connection, text)));
                }
            }
            bridge::Output::WebSocketClose(key, code, reason) => {
                if let Some((who, connection)) = self.channels.remove(&key) {
                    self.wire.push_back((at, Wire::Lost(who, connection, lost(reason, code.to_string()))));
                }
            }
            bridge::Output::Event(e) => {
                self.bridge_events.push_back((self.now, e));
                if self.bridge_events.len() > KEPT_EVENTS {
                    self.bridge_events.pop_front();
                }
            }
        }
    }

    fn on_wire(&mut self, w: Wire) {
        match w {
            Wire::ChannelAsked(key, path) => match self.bridge() {
                Some(_) => {
                    let now = self.now;
                    if let Some(b) = self.bridge() {
                        b.handle_websocket_opened(key, &path, now);
                    }
                }
                None => {
                    if let Some((who, connection)) = self.channels.remove(&key) {
                        let e = Error::new(crate::Code::Disconnected, crate::Stage::Stream, "no bridge");
                        self.wire.push_back((self.now + self.signalling, Wire::Lost(who, connection, e)));
                    }
                }
            },
            Wire::ToBridge(key, text) => {
                let now = self.now;
                if let Some(b) = self.bridge() {
                    b.handle_websocket_text(key, &text, now);
                }
            }
            Wire::ChannelClosed(key) => {
                let now = self.now;
                if let Some(b) = self.bridge() {
                    b.handle_websocket_closed(key, now);
                }
            }
            Wire::ToServer(conn, text) => {
                self.server.receive(conn, &text, self.now);
                self.heard.push_back(text);
                if self.heard.len() > KEPT_FRAMES {
                    self.heard.pop_front();
                }
            }
            Wire::ToPeer(who, key, text) => {
                self.peers[who].meeting.handle(Input::Text(key, text), self.now);
                self.drain(who);
            }
            Wire::Opened(who, key) => {
                self.peers[who].meeting.handle(Input::Opened(key), self.now);
                self.drain(who);
            }
            Wire::Lost(who, key, e) => {
                self.peers[who].meeting.handle(Input::Lost(key, e), self.now);
                self.drain(who);
            }
        }
    }

    fn channel_of(&self, who: usize, connection: ConnectionKey) -> Option<SocketKey> {
        self.channels.iter().find(|(_, c)| **c == (who, connection)).map(|(k, _)| *k)
    }

    fn drain(&mut self, who: usize) {
        while let Some(o) = self.peers[who].meeting.poll_output() {
            self.on_output(who, o);
        }
        self.peers[who].deadline = self.peers[who].meeting.next_deadline();
    }

    fn on_output(&mut self, who: usize, o: Output) {
        let p = &mut self.peers[who];
        match o {
            Output::Connect { connection, purpose: Purpose::Channel, url, .. } => {
                if p.unreachable {
                    return;
                }
                let key = self.next_channel;
                self.next_channel += 1;
                self.channels.insert(key, (who, connection));
                let after_host = url.split_once("://").map_or("", |u| u.1);
                let path = after_host.find('/').map_or("", |at| &after_host[at..]);
                self.wire.push_back((self.now + self.signalling * 3, Wire::ChannelAsked(key, path.to_owned())));
            }
            Output::Connect { connection, .. } => {
                if p.unreachable {
                    return;
                }
                // A TCP handshake and an upgrade: two round trips.
                let at = self.now + self.signalling * 4;
                if let Some(e) = p.refuse_connection.clone() {
                    self.wire.push_back((at, Wire::Lost(who, connection, e)));
                    return;
                }
                let conn = self.next_conn;
                self.next_conn += 1;
                p.connection = Some((connection, conn));
                self.server.connected(conn);
                self.wire.push_back((at, Wire::Opened(who, connection)));
            }
            Output::Send { connection, text } => {
                if let Some((_, conn)) = p.connection.filter(|c| c.0 == connection) {
                    self.wire.push_back((self.now + self.signalling, Wire::ToServer(conn, text)));
                } else if let Some(key) = self.channel_of(who, connection) {
                    self.wire.push_back((self.now + self.signalling, Wire::ToBridge(key, text)));
                }
            }
            Output::CloseConnection(connection) => {
                if let Some((_, conn)) = p.connection.take_if(|c| c.0 == connection) {
                    // What was sent before arrives before.
                    while let Some(at) =
                        self.wire.iter().position(|w| matches!(&w.1, Wire::ToServer(c, _) if *c == conn))
                    {
                        if let Some((_, Wire::ToServer(conn, text))) = self.wire.remove(at) {
                            self.server.receive(conn, &text, self.now);
                        }
                    }
                    self.server.disconnected(conn, self.now);
                } else if let Some(key) = self.channel_of(who, connection) {
                    self.channels.remove(&key);
                    self.wire.push_back((self.now + self.signalling, Wire::ChannelClosed(key)));
                }
            }
            Output::Resolve { .. } | Output::Ping(_) => {}
            Output::OpenSockets(key) => {
                p.next_port += 1;
                let ip = IpAddr::V4(Ipv4Addr::new(127, 0, 0, who as u8 + 1));
                let a = SocketAddr::new(ip, p.next_port);
                p.sockets.push((key, a));
                p.meeting.handle(Input::Sockets(key, vec![a]), self.now);
            }
            Output::CloseSockets(key) => p.sockets.retain(|s| s.0 != key),
            Output::Transmit { local, remote, data, segment, .. } => {
                let bridge = (remote == BRIDGE_ADDRESS).then_some(BRIDGE);
                let peer = || self.peers.iter().position(|p| p.sockets.iter().any(|s| s.1 == remote));
                let Some(to) = bridge.or_else(peer) else { return };
                for datagram in data.chunks(segment.max(1)) {
                    self.send(who, to, (local, remote, datagram.to_vec()));
                }
            }
            Output::Event(e) => p.events.push((self.now, e)),
            Output::Frame(reader, frame) => p.frames.push((reader, frame)),
            Output::ReaderEnded(r) => p.ended_readers.push(r),
            Output::WriterEnded(track) => drop(p.writers.remove(&track)),
            Output::Writer { track, muted, ready, .. } => {
                p.writers.insert(track, (muted, ready));
            }
        }
    }
}
