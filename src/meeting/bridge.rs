//! The channel to the bridge within a meeting: what is asked for on it, and what it says becomes events, tracks and wishes
//! (docs/protocol/04 §1–§4, §10).

use super::event::{BridgeChannel, EventKind};
use super::frames::MAX_HEIGHT;
use super::io::{ConnectionKey, Output, Purpose};
use super::machine::{Meeting, Phase};
use super::session::Source;
use super::tracks::{LocalTrack, Origin};
use crate::bridge::channel::{self, Attempt, Channel, ChannelState, Offer, Transport};
use crate::bridge::connectivity::Connectivity;
use crate::bridge::constraints::{AllConstraints, Receive, SenderHeights};
use crate::bridge::forwarded::Forwarded;
use crate::bridge::pinger::Pinger;
use crate::bridge::source_maps::{MapChange, Slot, SourceMaps};
use crate::error::{Code, Error};
use crate::few::gathered;
use crate::jingle::{BridgeOffer, SessionKey};
use crate::media::encodings::CAPPED_FPS;
use crate::media::kind::{MediaType, VideoType};
use crate::media::peer::{Command, Mid};
use crate::time::{Time, earliest};
use crate::wire::colibri::{AudioSubscription, BridgeVideoType, MappedSource, ToBridge};
use crate::wire::source_info::SourceKind;
use std::collections::{BTreeMap, BTreeSet};

/// Everything about the channel of one bridge session.
pub struct Link {
    session: SessionKey,
    channel: Channel,
    /// The WebSocket of an attempt.
    socket: Option<(Attempt, ConnectionKey)>,
    pub(super) receive: Receive,
    pub senders: SenderHeights,
    maps: SourceMaps,
    pub(super) forwarded: Forwarded,
    pub(super) connectivity: Connectivity,
    /// Where the bridge is, as the focus names it.
    pub(super) region: Option<String>,
}

impl Link {
    /// Whether it belongs to this session.
    pub fn is_of(&self, session: SessionKey) -> bool {
        self.session == session
    }

    /// The session that it belongs to.
    pub fn session(&self) -> SessionKey {
        self.session
    }

    /// Empty slots that are silent, and may be forgotten: their SSRCs.
    pub fn reclaim(&mut self, silent: impl Fn(u32) -> bool) -> Vec<u32> {
        self.maps.reclaim(silent)
    }

    /// Says something while the channel is open; it does not wait for that.
    pub fn say(&mut self, message: &ToBridge, now: Time) {
        self.say_text(message.to_text(), now);
    }

    /// The same of what is written already.
    pub fn say_text(&mut self, text: String, now: Time) {
        self.channel.send(text, now);
    }

    /// Whether the channel is open, or may open in this session.
    pub fn has_channel(&self) -> bool {
        !matches!(self.channel.state(), ChannelState::None | ChannelState::Failed)
    }

    /// Whether the channel is open.
    pub fn is_open(&self) -> bool {
        matches!(self.channel.state(), ChannelState::Open(_))
    }
}

impl Meeting {
    /// A bridge session began with this offer; one that ran before is replaced.
    pub(super) fn link_bridge(&mut self, session: SessionKey, offer: &BridgeOffer) {
        self.unlink_bridge();
        // The URL holds a secret of the bridge's: it never goes over less than what the stream itself was allowed.
        let safe = |url: &&String| url.starts_with("wss://") || self.options.url.starts_with("ws://");
        let websockets = offer.websockets.iter().filter(safe).cloned().collect();
        let channel_offer = Offer { sctp: offer.sctp_port.is_some(), websockets };
        let ignored = self.options.ignore_channel_domain.clone();
        let options = channel::Options {
            prefer_sctp: !self.options.prefer_websocket,
            ignore_domain: (!ignored.is_empty()).then_some(ignored),
        };
        self.link = Some(Link {
            session,
            channel: Channel::with_options(channel_offer, &options, self.env.fork()),
            socket: None,
            receive: Receive::default(),
            senders: SenderHeights::default(),
            maps: SourceMaps::default(),
            forwarded: Forwarded::default(),
            connectivity: Connectivity::default(),
            region: offer.region.clone(),
        });
        self.signal_bridge();
        self.watch_streaming(self.clock);
        for endpoint in self.roster.keys().cloned().collect::<Vec<_>>() {
            self.tracks_of_presence(&endpoint);
        }
        // Once for all of them.
        self.signal_readers();
        self.start_muted(offer.start_muted);
    }

    /// The bridge session is over, and its channel with it.
    pub(super) fn unlink_bridge(&mut self) {
        let Some(mut l) = self.link.take() else { return };
        l.channel.close();
        // What its maps had told waits for the next session, as signalled sources do.
        for slot in l.maps.iter() {
            self.hold_track(&slot.owner, &slot.source, l.session);
        }
        if let Some((_, connection)) = l.socket {
            self.out.push_back(Output::CloseConnection(connection));
        }
        for endpoint in l.connectivity.silent() {
            self.connectivity(endpoint, true);
        }
        self.emit(EventKind::BridgeChannel(BridgeChannel::None));
    }

    /// A WebSocket opened. One that is not the channel's now is late.
    pub(super) fn channel_opened(&mut self, connection: ConnectionKey, now: Time) {
        if let Some((l, attempt)) = self.channel_socket(connection) {
            l.channel.socket_opened(attempt, now);
        }
    }

    /// A WebSocket is lost.
    pub(super) fn channel_lost(&mut self, connection: ConnectionKey, e: &Error, now: Time) {
        let alone = self.roster.is_empty();
        let Some((l, attempt)) = self.channel_socket(connection) else { return };
        let number = e.condition.parse().ok();
        let status = number.filter(|_| e.code == Code::Upgrade);
        let code = number.filter(|_| e.code == Code::Disconnected);
        l.socket = None;
        l.channel.socket_lost(attempt, status, code, alone, now);
    }

    /// A text came on this connection.
    pub(super) fn channel_text(&mut self, connection: ConnectionKey, text: &str, now: Time) {
        let Some((l, attempt)) = self.channel_socket(connection) else { return };
        let session = l.session;
        l.channel.heard(attempt, now);
        self.on_bridge_text(session, text, now);
    }

    fn channel_socket(&mut self, connection: ConnectionKey) -> Option<(&mut Link, Attempt)> {
        let l = self.link.as_mut()?;
        let (attempt, _) = l.socket.filter(|s| s.1 == connection)?;
        Some((l, attempt))
    }

    /// The data channel of the bridge's engine opened (`true`) or closed.
    pub(super) fn data_channel(&mut self, session: SessionKey, open: bool) {
        if let Some(l) = self.link.as_mut().filter(|l| l.session == session) {
            if open { l.channel.data_opened() } else { l.channel.data_closed() }
        }
    }

    /// DTLS with the bridge is done.
    pub(super) fn bridge_secure(&mut self, session: SessionKey, now: Time) {
        if let Some(l) = self.link.as_mut().filter(|l| l.session == session) {
            l.channel.media_secure(now);
        }
    }

    /// Carries out what the channel wants; whether anything moved.
    pub(super) fn pump_channel(&mut self, now: Time) -> bool {
        let mut moved = false;
        while let Some((session, o)) = self.link.as_mut().and_then(|l| Some((l.session, l.channel.poll_output()?))) {
            moved = true;
            match o {
                channel::Output::OpenDataChannel => {
                    let (label, protocol) = (channel::LABEL.to_owned(), channel::PROTOCOL.to_owned());
                    self.tell_engine(session, Command::OpenChannel { label, protocol }, now);
                }
                channel::Output::SendData(text) => self.tell_engine(session, Command::SendText(text), now),
                channel::Output::OpenWebSocket { attempt, url } => {
                    let connection = self.connection_key();
                    if let Some(l) = &mut self.link {
                        l.socket = Some((attempt, connection));
                    }
                    // The URL itself says who we are; a token is none of the bridge's business.
                    let (purpose, token) = (Purpose::Channel, String::new());
                    self.out.push_back(Output::Connect { connection, purpose, url, token });
                }
                channel::Output::CloseWebSocket(attempt) => {
                    let closed = self.link.as_mut().and_then(|l| l.socket.take_if(|s| s.0 == attempt));
                    self.out.extend(closed.map(|s| Output::CloseConnection(s.1)));
                }
                channel::Output::SendWebSocket(attempt, text) => {
                    let socket = self.link.as_ref().and_then(|l| l.socket.filter(|s| s.0 == attempt));
                    self.out.extend(socket.map(|(_, connection)| Output::Send { connection, text }));
                }
                channel::Output::Ping(attempt) => {
                    let socket = self.link.as_ref().and_then(|l| l.socket.filter(|s| s.0 == attempt));
                    self.out.extend(socket.map(|s| Output::Ping(s.1)));
                }
                channel::Output::State(state) => self.channel_state(state, now),
                // Refused when a restart was a moment ago: without its channel the session goes on with audio.
                channel::Output::RestartWanted => drop(self.jingle.restart_session(session, now)),
            }
        }
        moved
    }

    fn tell_engine(&mut self, session: SessionKey, command: Command, now: Time) {
        if let Some(m) = self.medias.get_mut(session) {
            m.engine.handle_command(command, now);
        }
    }

    fn channel_state(&mut self, state: ChannelState, now: Time) {
        if let Some(l) = &mut self.link {
            if let Some(m) = self.medias.get_mut(l.session) {
                // Where none will come any more, neither will a map.
                m.unclear.channel(matches!(state, ChannelState::Open(_) | ChannelState::Failed), now);
            }
            match state {
                ChannelState::Open(_) => {
                    for m in l.receive.opened() {
                        l.say(&m, now);
                    }
                    l.connectivity.opened(now);
                    if let Some(p) = &mut self.pinger {
                        p.opened(now);
                    }
                    self.had_channel = true;
                    self.send_waiting(now);
                }
                _ => {
                    l.receive.closed();
                    l.connectivity.closed();
                }
            }
        }
        self.emit(EventKind::BridgeChannel(match state {
            ChannelState::None => BridgeChannel::None,
            ChannelState::Connecting(_) => BridgeChannel::Connecting,
            ChannelState::Open(Transport::DataChannel) => BridgeChannel::DataChannel,
            ChannelState::Open(Transport::WebSocket) => BridgeChannel::WebSocket,
            ChannelState::Waiting => BridgeChannel::Waiting,
            ChannelState::Failed => BridgeChannel::Failed,
        }));
    }

    /// Sources that the bridge's maps name now.
    pub(super) fn mapped_sources(&self) -> usize {
        self.link.as_ref().map_or(0, |l| l.maps.iter().count())
    }

    /// The bridge says which SSRCs carry which sources from now on.
    pub(super) fn on_map(&mut self, kind: SourceKind, map: &[MappedSource], now: Time) {
        let own = self.endpoint_id().unwrap_or_default();
        let Some(l) = &mut self.link else { return };
        let changes = l.maps.apply(kind, map, &own);
        self.on_map_changes(changes, now);
    }

    /// Somebody left: their slots are gone.
    pub(super) fn forget_slots_of(&mut self, endpoint: &str, now: Time) {
        let Some(l) = &mut self.link else { return };
        let changes = l.maps.remove_owner(endpoint);
        self.on_map_changes(changes, now);
    }

    fn on_map_changes(&mut self, changes: Vec<MapChange>, now: Time) {
        let Some(session) = self.link.as_ref().map(|l| l.session) else { return };
        for c in changes {
            match c {
                MapChange::Removed { slot, reused } => {
                    if let Some(m) = self.medias.get_mut(session) {
                        m.remove_source(&slot.source, &[slot.ssrc], reused, now);
                    }
                    self.track_forgotten(&slot.owner, &slot.source, Origin::Session(session));
                }
                MapChange::Described(slot) => {
                    if let Some(m) = self.medias.get_mut(session) {
                        m.add_source(&source(&slot), now);
                    }
                }
                MapChange::Added(slot) => {
                    if let Some(m) = self.medias.get_mut(session) {
                        m.add_source(&source(&slot), now);
                    }
                    if !self.tracks.is_withdrawn(&slot.owner, &slot.source) {
                        let told = video_type(slot.video_type);
                        self.track_known(&slot.owner, &slot.source, media(slot.kind), told, Origin::Session(session));
                    }
                }
            }
        }
    }

    /// With SSRC rewriting nobody signals a source before it is asked for: presence names it (docs/protocol/02 §17).
    pub(super) fn presence_tracks(&mut self, endpoint: &str) {
        self.tracks_of_presence(endpoint);
        if self.link.is_some() {
            self.signal_readers();
        }
    }

    fn tracks_of_presence(&mut self, endpoint: &str) {
        if !self.roster.contains_key(endpoint) {
            return;
        }
        let named: Vec<(String, SourceKind)> =
            self.room.iter().flat_map(|r| r.sources(endpoint)).map(|(n, k)| (n.to_owned(), k)).collect();
        for name in self.tracks.names_known_to(endpoint, Origin::Presence) {
            if named.iter().any(|n| n.0 == name) {
                continue;
            }
            // The bridge has no word for it: a source that is gone keeps its slot, and its SSRC should it come back
            // (docs/protocol/04 §10).
            self.tracks.withdraw(endpoint, &name);
            let slot = |l: &Link| l.maps.by_source(&name).is_some_and(|s| *s.owner == *endpoint).then_some(l.session);
            if let Some(session) = self.link.as_ref().and_then(slot) {
                self.track_forgotten(endpoint, &name, Origin::Session(session));
            }
            // Nor will the next session bring it back, where one is awaited.
            self.track_forgotten(endpoint, &name, Origin::Held);
            self.track_forgotten(endpoint, &name, Origin::Presence);
        }
        self.tracks.named(endpoint, &named);
        // Without the bridge every source is signalled; what was announced before goes all the same when it is named no more. Without media
        // nothing is signalled, and presence is all that tells of sources.
        if self.link.is_none() && self.engines.is_some() {
            return;
        }
        for (name, kind) in named {
            self.track_known(endpoint, &name, media(kind), VideoType::Camera, Origin::Presence);
        }
    }

    /// What readers want of the bridge, and what our own sources are; said if it is news.
    pub(super) fn signal_bridge(&mut self) {
        if self.link.is_none() || self.phase == Phase::Closed {
            return;
        }
        let wanted = self.within_limits(self.wanted_of_bridge());
        let audio = self.subscription_of_readers();
        let types = self.bridge_video_types();
        let Some(l) = &mut self.link else { return };
        let video = l.receive.set_video(wanted);
        let video_changed = video.is_some();
        let messages = video.into_iter().chain(l.receive.set_audio(audio));
        let messages = messages.chain(l.receive.set_types(types));
        for m in messages.collect::<Vec<_>>() {
            l.say(&m, self.clock);
        }
        // Why a track is not forwarded is what is wanted of it.
        if video_changed { self.watch_streaming(self.clock) } else { self.watch_new_streams(self.clock) }
    }

    /// Bandwidth follows readers (design §5.5): whoever reads everybody sets the default, the others name their source.
    pub(super) fn constraints_of_readers(&self) -> AllConstraints {
        let mut c = AllConstraints::default();
        // Any height in figures and not as −1: the bridge tells senders what is wanted at most, and a lib-jitsi-meet of 2022 that was
        // told 0 while its camera was off takes no notice of −1 after it, and stays dark.
        let height = |h: u32| if h == 0 { MAX_HEIGHT as i32 } else { i32::try_from(h).unwrap_or(i32::MAX) };
        let most = i32::max;
        for r in self.readers.iter().filter(|r| r.options.media != Some(MediaType::Audio)) {
            let h = height(r.options.height);
            let Some(key) = r.track else {
                c.default_height = most(c.default_height, h);
                continue;
            };
            if let Some(t) = self.tracks.remote_by_key(key).filter(|t| t.media == MediaType::Video) {
                let known = c.heights.entry(t.source_name.clone()).or_insert(0);
                *known = most(*known, h);
            }
        }
        let default = c.default_height;
        c.heights.values_mut().for_each(|h| *h = most(*h, default));
        c
    }

    /// The same of audio: everybody's if anybody reads it, else that of the sources that are read.
    fn subscription_of_readers(&self) -> AudioSubscription {
        let readers = self.readers.iter().filter(|r| r.options.media != Some(MediaType::Video));
        if readers.clone().any(|r| r.track.is_none()) {
            return AudioSubscription::default();
        }
        let read = readers.filter_map(|r| self.tracks.remote_by_key(r.track?)).filter(|t| t.media == MediaType::Audio);
        let read: BTreeSet<String> = gathered(read.map(|t| t.source_name.clone()));
        AudioSubscription { all: false, include: read.into_iter().collect(), exclude: Vec::new() }
    }

    /// What each of our video sources is (docs/protocol/04 §2.7).
    fn bridge_video_types(&self) -> BTreeMap<String, BridgeVideoType> {
        let Some(endpoint) = self.endpoint_id() else { return BTreeMap::new() };
        let video = self.tracks.local.iter().filter(|t| t.options.codec.media_type() == MediaType::Video);
        let kind = |t: &LocalTrack| match t.options.video_type {
            _ if t.muted => BridgeVideoType::None,
            VideoType::Camera => BridgeVideoType::Camera,
            VideoType::Desktop if t.options.frame_rate() > CAPPED_FPS => BridgeVideoType::DesktopHighFps,
            VideoType::Desktop => BridgeVideoType::Desktop,
        };
        gathered(video.map(|t| (t.source_name(&endpoint), kind(t))))
    }

    /// When the channel, or what is said on it, wants to be told of the time.
    pub(super) fn channel_deadline(&self) -> Option<Time> {
        let waiting = self.outbox.next_deadline();
        let Some(l) = &self.link else { return waiting };
        let pings = self.pinger.as_ref().filter(|_| l.is_open()).and_then(Pinger::next_deadline);
        [l.channel.next_deadline(), l.connectivity.next_deadline(), pings].into_iter().fold(waiting, earliest)
    }

    pub(super) fn channel_timeout(&mut self, now: Time) {
        self.give_up_waiting(now);
        let Some(l) = &mut self.link else { return };
        l.channel.handle_timeout(now);
        let back = l.connectivity.handle_timeout(now);
        if let Some(p) = self.pinger.as_mut().filter(|_| l.is_open()) {
            p.handle_timeout(now).iter().for_each(|m| l.say(m, now));
        }
        for endpoint in back {
            self.connectivity(endpoint, true);
        }
    }
}

fn source(slot: &Slot) -> Source {
    Source {
        owner: slot.owner.clone(),
        name: slot.source.clone(),
        media: media(slot.kind),
        primaries: vec![slot.ssrc],
        repairs: slot.rtx.map(|rtx| (rtx, slot.ssrc)).into_iter().collect(),
        video_type: video_type(slot.video_type),
        slot: true,
        mid: slot.mid.as_deref().and_then(|mid| Mid::new(mid.as_bytes())),
    }
}

fn video_type(told: BridgeVideoType) -> VideoType {
    match told {
        BridgeVideoType::Desktop | BridgeVideoType::DesktopHighFps => VideoType::Desktop,
        BridgeVideoType::Camera | BridgeVideoType::None | BridgeVideoType::Disabled => VideoType::Camera,
    }
}

fn media(kind: SourceKind) -> MediaType {
    match kind {
        SourceKind::Audio => MediaType::Audio,
        SourceKind::Video => MediaType::Video,
    }
}
