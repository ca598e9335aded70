//! One endpoint of the bridge: transport, channel, what it sends and what it is sent.

use super::channel::Channel;
use super::media::Source;
use super::receiver::Receiver;
use super::stack::Stack;
use super::types::{BridgeSource, ChannelKind, EndpointOptions, Kind, Output};
use crate::time::Time;
use crate::wire::colibri::{BridgeVideoType, FromBridge};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Nothing for so long: inactive; and when nothing ever came.
const INACTIVE_AFTER: Duration = Duration::from_secs(8);
const NEVER_SEEN_AFTER: Duration = Duration::from_secs(15);
/// Nothing for so long: given up; and when nothing ever came.
pub const EXPIRE_AFTER: Duration = Duration::from_secs(60);
pub const NEVER_SEEN_EXPIRE: Duration = Duration::from_secs(120);

pub(super) struct Endpoint {
    pub id: String,
    pub options: EndpointOptions,
    pub transport: Stack,
    pub password: String,
    pub channel: Channel,
    pub sources: Vec<Source>,
    /// Types said on the channel before their source was signalled.
    pub early_types: BTreeMap<String, BridgeVideoType>,
    /// By SSRC: source and encoding.
    routes: BTreeMap<u32, (usize, usize)>,
    /// Muted by the focus: audio, video.
    pub muted: [bool; 2],
    pub receiver: Receiver,
    pub created: Time,
    pub heard: Option<Time>,
    pub inactive: bool,
    pub statistics: Time,
    /// Was written to, and has not been let out.
    pub dirty: bool,
    /// Is one of the bridge's round.
    pub in_round: bool,
}

impl Endpoint {
    pub fn new(
        id: &str,
        options: EndpointOptions,
        transport: Stack,
        password: String,
        receiver: Receiver,
        now: Time,
    ) -> Endpoint {
        Endpoint {
            id: id.to_owned(),
            options,
            transport,
            password,
            channel: Channel::default(),
            sources: Vec::new(),
            early_types: BTreeMap::new(),
            routes: BTreeMap::new(),
            muted: [false; 2],
            receiver,
            created: now,
            heard: None,
            inactive: false,
            statistics: now,
            dirty: false,
            in_round: false,
        }
    }

    /// Takes the sources as they are signalled now. Those that stay keep their measurements; the names of those that are gone.
    pub fn set_sources(&mut self, signalled: Vec<BridgeSource>) -> Vec<String> {
        let mut before = std::mem::take(&mut self.sources);
        for s in signalled {
            let same = before
                .iter()
                .position(|b| b.signalled.name == s.name && b.signalled.ssrcs == s.ssrcs && b.signalled.sim == s.sim);
            let source = match same {
                Some(at) => before.swap_remove(at),
                None => {
                    let mut new = Source::new(s);
                    if let Some(t) = self.early_types.remove(&new.signalled.name) {
                        new.video_type = t;
                    }
                    for e in &new.encodings {
                        self.transport.expect(e.ssrc, e.rtx, new.signalled.kind);
                    }
                    new
                }
            };
            self.sources.push(source);
        }
        // An SSRC may go on in a source that is signalled otherwise than before.
        let stays = |ssrc: u32| self.sources.iter().flat_map(|s| &s.encodings).any(|e| e.ssrc == ssrc);
        let gone = before.iter().flat_map(|s| &s.encodings).map(|e| e.ssrc).filter(|ssrc| !stays(*ssrc));
        for ssrc in gone.collect::<Vec<_>>() {
            self.transport.forget(ssrc);
        }
        self.routes = BTreeMap::new();
        for (i, s) in self.sources.iter().enumerate() {
            self.routes.extend(s.encodings.iter().enumerate().map(|(k, e)| (e.ssrc, (i, k))));
        }
        before.into_iter().map(|s| s.signalled.name).collect()
    }

    /// Source and encoding of an SSRC.
    pub fn route(&self, ssrc: u32) -> Option<(usize, usize)> {
        self.routes.get(&ssrc).copied()
    }

    /// A source by name.
    pub fn source(&mut self, name: &str) -> Option<&mut Source> {
        self.sources.iter_mut().find(|s| s.signalled.name == name)
    }

    /// Whether the focus muted what is of this kind.
    pub fn is_muted(&self, kind: Kind) -> bool {
        self.muted[usize::from(kind == Kind::Video)]
    }

    /// Says something on the channel, if there is one.
    pub fn say(&mut self, message: &FromBridge, out: &mut VecDeque<Output>, now: Time) {
        self.say_text(message.to_text(), out, now);
    }

    /// Says a text on the channel, if there is one.
    pub fn say_text(&mut self, text: String, out: &mut VecDeque<Output>, now: Time) {
        match self.channel.way() {
            Some(ChannelKind::DataChannel) => {
                self.transport.text(&text, now);
                self.dirty = true;
            }
            Some(ChannelKind::WebSocket) => {
                out.extend(self.channel.socket.map(|key| Output::WebSocketSend(key, text)));
            }
            None => {}
        }
    }

    /// Looks whether it is there; `true` when that changed.
    pub fn look(&mut self, now: Time) -> bool {
        let inactive = match self.heard {
            Some(at) => now.since(at) > INACTIVE_AFTER,
            None => now.since(self.created) > NEVER_SEEN_AFTER,
        };
        std::mem::replace(&mut self.inactive, inactive) != inactive
    }

    /// Whether it was silent for so long that the bridge gives it up.
    pub fn is_expired(&self, now: Time) -> bool {
        match self.heard {
            Some(at) => now.since(at) > EXPIRE_AFTER,
            None => now.since(self.created) > NEVER_SEEN_EXPIRE,
        }
    }
}
