//! A videobridge in a test tube (docs/protocol/04): a machine on str0m, a stack that shares nothing with the engine. A focus
//! speaks to it as Jicofo does in colibri2 (allocate, accept, sources, mute, restart, expire), clients with datagrams and
//! WebSockets; it runs in virtual time and on sockets alike.
//!
//! It forwards as JVB does: audio by subscription, video by last-N, constraints and bandwidth, the layers of a source as one
//! stream; source maps, dominant speaker, sender constraints. Left out: temporal layers are not thinned; sender reports are
//! str0m's own, from the arrival at the bridge; codecs other than VP8 are forwarded without a look at their layers. Endpoint ids
//! are unique in the whole bridge, not in their conference alone.

mod allocation;
mod channel;
mod clock;
mod colibri;
mod conference;
mod dependency;
mod endpoint;
mod fake;
mod forward;
mod ice;
pub mod io;
mod media;
mod messages;
mod projection;
mod receiver;
mod rewriting;
mod speakers;
mod stack;
mod table;
#[cfg(test)]
mod tests;
mod transport;
mod types;
mod udp;

pub use colibri::SharedBridge;
pub use endpoint::{EXPIRE_AFTER, NEVER_SEEN_EXPIRE};
pub use ice::{RESTART_TIMEOUT, TRANSITION};
pub use io::BridgePlace;
pub use media::KEY_FRAME_INTERVAL;
pub use receiver::{KEPT_FOR, KEPT_PACKETS};
pub use speakers::RECENT_SPEAKERS;
pub use types::{
    BridgeConfig, BridgeError, BridgeSource, ChannelKind, EndpointOptions, Event, Expiry, Kind, Offer, Output,
    RemoteTransport, SocketKey,
};

use crate::env::Env;
use crate::media::peer::{Candidate, CandidateKind, Fingerprint};
use crate::time::{Time, earliest};
use conference::Conference;
use endpoint::Endpoint;
use receiver::Receiver;
use stack::{Foundation, Stack};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use table::{Endpoints, Key};

/// Endpoints of one bridge.
pub const MAX_ENDPOINTS: usize = 10_000;
/// Sources of one endpoint.
pub const MAX_SOURCES: usize = 20;
/// How often it looks after what nobody tells it: activity, statistics, layers that stopped.
const TICK: Duration = Duration::from_millis(500);
const SCTP_PORT: u16 = 5000;
/// Length of a WebSocket's `pwd`.
const PASSWORD: usize = 24;

/// The bridge.
pub struct Bridge {
    config: BridgeConfig,
    env: Env,
    foundation: Foundation,
    fingerprint: Fingerprint,
    audio_ssrc: u32,
    video_ssrc: u32,
    endpoints: Endpoints,
    conferences: BTreeMap<String, Conference>,
    /// Those where video has to be given out anew.
    dirty: VecDeque<String>,
    /// Endpoints whose events were taken in this round, and that are to be let out.
    round: Vec<Key>,
    /// Which endpoint a client's address belongs to.
    addresses: BTreeMap<SocketAddr, Key>,
    sockets: BTreeMap<SocketKey, String>,
    outputs: VecDeque<Output>,
    tick: Option<Time>,
    dead: bool,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").field("endpoints", &self.endpoints.len()).finish_non_exhaustive()
    }
}

impl Bridge {
    /// A bridge without endpoints.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub fn new(config: BridgeConfig, mut env: Env) -> Result<Bridge, BridgeError> {
        let (foundation, fingerprint) = if config.fake { Foundation::fake() } else { Foundation::rtc()? };
        let audio_ssrc = env.ssrc(|_| false);
        let video_ssrc = env.ssrc(|s| s == audio_ssrc);
        Ok(Bridge {
            config,
            env,
            foundation,
            fingerprint,
            audio_ssrc,
            video_ssrc,
            endpoints: Endpoints::default(),
            conferences: BTreeMap::new(),
            dirty: VecDeque::new(),
            round: Vec::new(),
            addresses: BTreeMap::new(),
            sockets: BTreeMap::new(),
            outputs: VecDeque::new(),
            tick: None,
            dead: false,
        })
    }

    /// Makes an endpoint and says what to offer it.
    ///
    /// # Errors
    /// When the id is taken, the bridge is full, or dead.
    pub fn allocate(&mut self, id: &str, options: EndpointOptions, now: Time) -> Result<Offer, BridgeError> {
        if self.dead {
            return Err(BridgeError::Dead);
        }
        if self.endpoints.key(id).is_some() {
            return Err(BridgeError::EndpointExists);
        }
        if self.endpoints.len() >= MAX_ENDPOINTS {
            return Err(BridgeError::Full);
        }
        let features = (
            self.config.sctp && options.sctp,
            self.config.estimate && options.rtx,
            options.mid_demux && options.ssrc_rewriting,
        );
        let t = Stack::new(&self.foundation, &self.config.addresses, features, &mut self.env, now);
        let receiver = Receiver::new(&self.config, &options);
        let password = self.env.alphanumeric(PASSWORD);
        let name = options.conference.clone();
        let key = self.endpoints.insert(Endpoint::new(id, options, t, password, receiver, now));
        let env = &mut self.env;
        let conference = self.conferences.entry(name).or_insert_with(|| Conference::new(env.hex(16)));
        conference.members.insert(id.to_owned(), key);
        conference.routes += 1;
        self.tick = Some(self.tick.unwrap_or(now + TICK));
        self.pump(now);
        self.offer(id)
    }

    fn offer(&self, id: &str) -> Result<Offer, BridgeError> {
        let e = self.endpoints.get(id).ok_or(BridgeError::UnknownEndpoint)?;
        let (generation, ufrag, pwd) = e.transport.credentials().ok_or(BridgeError::Transport("ICE failed"))?;
        let conference = self.conferences.get(&e.options.conference).map_or("", |c| c.id.as_str());
        let url = |base: &String| format!("{base}/{conference}/{id}?pwd={}", e.password);
        let websocket = self.config.websocket && e.options.websocket;
        let host = |(i, address): (usize, &SocketAddr)| Candidate {
            foundation: (i + 1).to_string(),
            priority: 2_130_706_431 - i as u32 * 256,
            address: *address,
            kind: CandidateKind::Host,
            related: None,
        };
        Ok(Offer {
            ufrag,
            pwd,
            fingerprint: self.fingerprint.clone(),
            setup: "actpass",
            candidates: self.config.addresses.iter().enumerate().map(host).collect(),
            websockets: self.config.websocket_urls.iter().filter(|_| websocket).map(url).collect(),
            sctp_port: (self.config.sctp && e.options.sctp).then_some(SCTP_PORT),
            audio_ssrc: self.audio_ssrc,
            video_ssrc: self.video_ssrc,
            generation,
        })
    }

    /// Takes a client's part of the transport: of its session-accept, then of each restart. Candidates that come later are taken
    /// the same way.
    ///
    /// # Errors
    /// When there is no such endpoint, or role or fingerprint cannot be used.
    pub fn accept(&mut self, id: &str, remote: &RemoteTransport, now: Time) -> Result<(), BridgeError> {
        let e = self.endpoints.get_mut(id).ok_or(BridgeError::UnknownEndpoint)?;
        let taken = e.transport.accept(remote, now);
        self.pump(now);
        taken
    }

    /// Sets all that an endpoint sends.
    ///
    /// # Errors
    /// When there is no such endpoint, or a source that a bridge refuses: without a name or an SSRC, too many, an SSRC twice.
    pub fn set_sources(&mut self, id: &str, sources: Vec<BridgeSource>, now: Time) -> Result<(), BridgeError> {
        if sources.len() > MAX_SOURCES {
            return Err(BridgeError::Sources("too many sources"));
        }
        if sources.iter().any(|s| s.name.is_empty() || s.encodings().is_empty()) {
            return Err(BridgeError::Sources("a source without name or SSRC"));
        }
        let mut all: Vec<u32> = sources.iter().flat_map(|s| s.ssrcs.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        if all.len() != count {
            return Err(BridgeError::Sources("an SSRC twice"));
        }
        let e = self.endpoints.get_mut(id).ok_or(BridgeError::UnknownEndpoint)?;
        let gone = e.set_sources(sources);
        let conference = e.options.conference.clone();
        if !gone.is_empty() {
            for key in self.members(&conference) {
                let Some(r) = self.endpoints.by_mut(key).filter(|r| r.id != id) else { continue };
                for name in &gone {
                    r.receiver.remove_source(name);
                }
            }
        }
        self.changed(&conference);
        self.pump(now);
        Ok(())
    }

    /// The focus mutes an endpoint: nothing of this kind is forwarded from it.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn set_muted(&mut self, id: &str, kind: Kind, muted: bool, now: Time) -> Result<(), BridgeError> {
        let e = self.endpoints.get_mut(id).ok_or(BridgeError::UnknownEndpoint)?;
        e.muted[usize::from(kind == Kind::Video)] = muted;
        let conference = e.options.conference.clone();
        self.changed(&conference);
        self.pump(now);
        Ok(())
    }

    /// How many videos an endpoint wants, as its session-accept says; messages on its channel say it anew.
    pub fn set_last_n(&mut self, id: &str, last_n: i32, now: Time) {
        let Some(e) = self.endpoints.get_mut(id) else { return };
        e.receiver.settings.last_n = last_n;
        let conference = e.options.conference.clone();
        self.changed(&conference);
        self.pump(now);
    }

    /// A new ICE agent beside the old one; what to push to the client.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn restart_ice(&mut self, id: &str, now: Time) -> Result<Offer, BridgeError> {
        let e = self.endpoints.get_mut(id).ok_or(BridgeError::UnknownEndpoint)?;
        e.transport.restart(&self.foundation, &mut self.env, now);
        self.pump(now);
        self.offer(id)
    }

    /// An endpoint left.
    ///
    /// # Errors
    /// When there is no such endpoint.
    pub fn expire(&mut self, id: &str, now: Time) -> Result<(), BridgeError> {
        self.remove(id, now).ok_or(BridgeError::UnknownEndpoint)?;
        self.pump(now);
        Ok(())
    }

    /// The bridge is killed: from now on it neither hears nor says anything.
    pub fn die(&mut self) {
        self.dead = true;
        self.endpoints.clear();
        self.conferences.clear();
        self.dirty.clear();
        self.addresses.clear();
        self.sockets.clear();
        self.outputs.clear();
        self.tick = None;
    }

    /// Ids of the endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.endpoints.ids()
    }

    /// The names of the video sources that an endpoint gets now.
    pub fn forwarded(&self, id: &str) -> &[String] {
        self.endpoints.get(id).map_or(&[], |e| &e.receiver.forwarded)
    }

    /// What the bridge thinks of an endpoint's downlink, bit/s; nothing before there was feedback.
    pub fn estimate(&self, id: &str) -> Option<u64> {
        self.endpoints.get(id)?.receiver.estimate
    }

    /// Takes a datagram that came to the bridge's address `local`.
    pub fn handle_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) {
        self.take_datagram(local, remote, data, now);
        self.pump(now);
    }

    /// Takes one datagram of many: what follows from them all is done by the [`Bridge::pump`] after the last.
    fn take_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) {
        if self.dead {
            return;
        }
        let known = self.addresses.get(&remote).copied();
        // By user name only where the address is new.
        let by_name =
            || self.endpoints.values().find(|e| e.transport.accepts(data)).and_then(|e| self.endpoints.key(&e.id));
        let Some(key) = known.or_else(by_name) else { return };
        let Some(e) = self.endpoints.by_mut(key) else { return };
        if e.transport.datagram(local, remote, data, now) {
            e.heard = Some(now);
            if known.is_none() && e.transport.knows(remote) {
                self.addresses.insert(remote, key);
            }
        }
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(key) = self.endpoints.due(now) {
            if let Some(e) = self.endpoints.by_mut(key) {
                e.transport.timeout(now);
            }
        }
        if self.tick.is_some_and(|t| t.mono_us <= now.mono_us) {
            self.tick = (!self.endpoints.is_empty()).then_some(now + TICK);
            self.look_after(now);
        }
        self.pump(now);
    }

    /// The next thing that the bridge wants done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When it wants [`Bridge::handle_timeout`] next.
    pub fn next_deadline(&self) -> Option<Time> {
        earliest(self.tick, self.endpoints.next_deadline())
    }

    fn event(&mut self, e: Event) {
        self.outputs.push_back(Output::Event(e));
    }

    /// Takes an endpoint out; its client is told nothing but by its WebSocket.
    fn remove(&mut self, id: &str, now: Time) -> Option<()> {
        let (key, gone) = self.endpoints.remove(id)?;
        self.round.retain(|k| *k != key);
        self.addresses.retain(|_, k| *k != key);
        if let Some(key) = gone.channel.socket {
            self.sockets.remove(&key);
            self.outputs.push_back(Output::WebSocketClose(key, 1001, "endpoint closed"));
        }
        let conference = &gone.options.conference;
        let c = self.conferences.get_mut(conference)?;
        c.members.remove(id);
        if c.members.is_empty() {
            self.conferences.remove(conference);
            return Some(());
        }
        for key in self.members(conference) {
            if let Some(r) = self.endpoints.by_mut(key) {
                r.receiver.remove_owner(id, &mut r.transport);
            }
        }
        if self.conferences.get_mut(conference).is_some_and(|c| c.speakers.remove(id)) {
            self.tell_speakers(conference, now);
        }
        self.changed(conference);
        Some(())
    }

    /// Where packets go is to be found anew.
    fn rerouted(&mut self, conference: &str) {
        if let Some(c) = self.conferences.get_mut(conference) {
            c.routes += 1;
        }
    }

    /// Something changed that decides who gets what: video is given out anew, too.
    fn changed(&mut self, conference: &str) {
        self.rerouted(conference);
        if let Some(c) = self.conferences.get_mut(conference)
            && !std::mem::replace(&mut c.dirty, true)
        {
            self.dirty.push_back(conference.to_owned());
        }
    }
}
