//! One media session: an engine, a receive pipeline per remote source, a send pipeline per local one.
//!
//! It carries values between the three worlds that never meet: Jingle (credentials, sources), the engine (packets), and
//! frames. Who owns an SSRC is decided by the source table of Jingle alone.

use super::event::{MediaPath, TrackKey};
use super::io::SocketsKey;
use super::options::MAX_ENCODINGS;
use super::tracks::Tracks;
use crate::env::Env;
use crate::jingle::{Codec as JingleCodec, Negotiated, NegotiatedPayload, RemoteSource, SessionKey};
use crate::media::early::Early;
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::media::meter::Meter;
use crate::media::peer::{
    Candidate, CodecKind, Command, ExtensionIds, IceCredentials, IncomingRtp, PayloadType, PeerEngine, RtpConfig,
    Sender as EngineSender, SenderReport,
};
use crate::media::receiver::Receiver;
use crate::media::sender::{SendError, Sender};
use crate::media::telephone_event::Keys;
use crate::media::{EncodedFrame, OutgoingFrame, vp8};
use crate::time::{Time, earliest};
use crate::wire::jingle::Media;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A remote source, or the part of one that a change is about, as signalling or a source map tells it.
pub struct Source {
    pub owner: Arc<str>,
    pub name: Arc<str>,
    pub media: MediaType,
    /// SSRCs that carry media themselves.
    pub primaries: Vec<u32>,
    /// SSRCs of repairs: (rtx, primary).
    pub repairs: Vec<(u32, u32)>,
    /// Camera or screen, as far as was told.
    pub video_type: VideoType,
}

impl From<&RemoteSource> for Source {
    fn from(s: &RemoteSource) -> Source {
        Source {
            owner: s.owner.clone(),
            name: s.name.clone(),
            media: media_type(s.media),
            primaries: s.primaries().collect(),
            repairs: s.repairs().collect(),
            video_type: match s.video_type {
                Some(crate::wire::jingle::VideoType::Desktop) => VideoType::Desktop,
                _ => VideoType::Camera,
            },
        }
    }
}

/// Frames as they were counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    pub count: u64,
    pub meter: Meter,
    pub codec: Option<Codec>,
    /// Of the last key frame; 0: not known.
    pub size: (u16, u16),
}

impl Frames {
    fn count(&mut self, codec: Codec, size: Option<(u16, u16)>, now_us: u64) {
        self.count += 1;
        self.meter.add(1, now_us);
        self.codec = Some(codec);
        self.size = size.unwrap_or(self.size);
    }
}

/// A remote source of this session.
pub(super) struct Incoming {
    pub owner: Arc<str>,
    pub name: Arc<str>,
    pub media: MediaType,
    pub receiver: Receiver,
    pub ssrcs: Vec<u32>,
    pub frames: Frames,
    /// Packets that came, and when the last one did.
    packets: u64,
    last: Option<Time>,
    /// The next packet is to be told of at once.
    awaited: bool,
}

/// A local source of this session.
pub(super) struct Outgoing {
    pub track: TrackKey,
    pub media: MediaType,
    /// The encodings that the program makes.
    made: u32,
    /// Of those that go out here: all of them to the bridge, to a peer the largest alone.
    pub sender: Sender,
    /// Frames of each encoding.
    pub frames: [Frames; MAX_ENCODINGS as usize],
    /// The session takes none of its codec now.
    refused: bool,
}

impl Outgoing {
    /// The program's encoding that goes out with this SSRC.
    fn encoding(&self, ssrc: u32) -> Option<u32> {
        let at = self.sender.ssrcs().position(|s| s == ssrc)?;
        Some(self.first() + at as u32)
    }

    /// The smallest encoding that goes out here.
    pub fn first(&self) -> u32 {
        self.made.saturating_sub(self.sender.ssrcs().count() as u32)
    }
}

/// An ICE restart that waits for its sockets.
pub struct IceRestart {
    pub sockets: SocketsKey,
    pub generation: u32,
    pub credentials: IceCredentials,
    pub candidates: Vec<Candidate>,
}

/// Engine and pipelines.
pub struct MediaSession {
    pub key: SessionKey,
    pub path: MediaPath,
    /// Sets of sockets with their addresses: one, and a second one while ICE restarts.
    sockets: Vec<(SocketsKey, Vec<SocketAddr>)>,
    pub engine: Box<dyn PeerEngine>,
    /// The other side's endpoint id; empty for the bridge.
    pub peer: String,
    /// DTLS is done.
    pub secure: bool,
    /// The path is lost, and another is sought.
    pub recovering: bool,
    /// The peer wants our video (docs/protocol/02 §13).
    pub video_wanted: bool,
    /// The greatest heights that the peer wants of our sources, by name (docs/protocol/02 §13).
    pub heights: BTreeMap<String, u32>,
    /// The peer closed the connection; the session is given up then, unless signalling ends it first.
    pub silent_until: Option<Time>,
    /// An ICE restart that waits for its sockets.
    pub restart: Option<IceRestart>,
    /// Our description may go out: the engine has had its sockets.
    pub described: bool,
    negotiated: Option<Negotiated>,
    pub(super) incoming: Vec<Option<Incoming>>,
    free: Vec<usize>,
    by_name: HashMap<Arc<str>, usize>,
    by_ssrc: HashMap<u32, usize>,
    /// Sources that may have a frame to give.
    ready: VecDeque<usize>,
    /// No receiver wants to be told of the time before this.
    gaps: Option<Time>,
    pub(super) outgoing: Vec<Outgoing>,
    /// Keys of a telephone that were heard, with the source. Drained after each packet.
    keys: VecDeque<(Arc<str>, Arc<str>, char)>,
    early: Early,
    wait: Duration,
    /// A packet came that was awaited.
    resumed: bool,
}

/// Whether the first packet of a kind came, for the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    Packet(MediaType),
}

impl MediaSession {
    pub fn new(
        key: SessionKey,
        path: MediaPath,
        sockets: SocketsKey,
        engine: Box<dyn PeerEngine>,
        peer: String,
        wait: Duration,
    ) -> MediaSession {
        MediaSession {
            key,
            path,
            sockets: vec![(sockets, Vec::new())],
            engine,
            peer,
            secure: false,
            recovering: false,
            video_wanted: true,
            heights: BTreeMap::new(),
            silent_until: None,
            restart: None,
            described: false,
            negotiated: None,
            incoming: Vec::new(),
            free: Vec::new(),
            by_name: HashMap::new(),
            by_ssrc: HashMap::new(),
            ready: VecDeque::new(),
            gaps: None,
            outgoing: Vec::new(),
            keys: VecDeque::new(),
            early: Early::default(),
            wait,
            resumed: false,
        }
    }

    /// Offer and answer are done: what the payload types mean.
    pub fn negotiated(&mut self, negotiated: Negotiated, tracks: &Tracks, env: &mut Env, now: Time) {
        self.engine.handle_command(Command::SetRtp(rtp_config(&negotiated)), now);
        let types = payload_types(&negotiated);
        let (red, events) = audio_extras(&negotiated);
        for i in self.incoming.iter_mut().flatten() {
            i.receiver.set_payload_types(types.clone());
            i.receiver.set_audio_extras(red, events);
        }
        self.negotiated = Some(negotiated);
        self.sync_senders(tracks, env, now);
    }

    /// Makes the send pipelines follow the local tracks.
    pub fn sync_senders(&mut self, tracks: &Tracks, env: &mut Env, now: Time) {
        let Some(negotiated) = &self.negotiated else { return };
        let ours = |o: &Outgoing| tracks.sources().any(|t| o.sender.ssrc() == t.ssrc());
        for gone in self.outgoing.extract_if(.., |o| !ours(o)) {
            for ssrc in gone.sender.ssrcs() {
                self.engine.handle_command(Command::RemoveSender(ssrc), now);
            }
        }
        for t in tracks.sources() {
            let known = self.outgoing.iter_mut().find(|o| o.sender.ssrc() == t.ssrc());
            let Some(p) = payload(negotiated, t.codec) else {
                // It may be another codec's turn later.
                if let Some(o) = known {
                    (o.track, o.refused) = (t.key, true);
                }
                continue;
            };
            if let Some(o) = known {
                // The same source under a new track, or in another codec.
                (o.track, o.refused) = (t.key, false);
                o.sender.set_codec(t.codec, p.pt);
                continue;
            }
            let here = if self.path == MediaPath::Bridge { t.encodings.len() } else { 1 };
            let mut ssrcs = Vec::new();
            for (ssrc, rtx) in t.encodings.iter().take(here).copied() {
                let rtx = rtx.zip(p.rtx);
                self.engine.handle_command(Command::AddSender(EngineSender { ssrc, rtx, pt: p.pt }), now);
                ssrcs.push(ssrc);
            }
            let Some((primary, larger)) = ssrcs.split_first() else { continue };
            let mut sender = Sender::simulcast(t.codec, *primary, larger, p.pt, env);
            sender.set_dependency_descriptor(negotiated.extensions.dependency_descriptor);
            let (track, media, made) = (t.key, t.codec.media_type(), t.options.encodings());
            self.outgoing.push(Outgoing { track, media, made, sender, frames: Default::default(), refused: false });
        }
    }

    /// Whether frames of this track can go out now.
    pub fn ready(&self, track: TrackKey) -> bool {
        self.secure
            && self
                .outgoing
                .iter()
                .any(|o| o.track == track && !o.refused && (self.video_wanted || o.media == MediaType::Audio))
    }

    /// Whether offer and answer left this track without a payload type.
    pub fn refuses(&self, track: TrackKey) -> bool {
        self.negotiated.is_some() && !self.outgoing.iter().any(|o| o.track == track && !o.refused)
    }

    /// Video codecs that offer and answer left.
    pub fn video_codecs(&self) -> impl Iterator<Item = Codec> {
        let payloads = self.negotiated.iter().flat_map(|n| &n.payloads);
        payloads.filter_map(|p| codec(p.codec)).filter(|c| c.media_type() == MediaType::Video)
    }

    /// The track and the encoding whose SSRC this is.
    pub fn track_of(&self, ssrc: u32) -> Option<(TrackKey, u32)> {
        self.outgoing.iter().find_map(|o| Some((o.track, o.encoding(ssrc)?)))
    }

    /// Our tracks of video that go out, each with its encodings that do.
    pub fn video_tracks(&self) -> impl Iterator<Item = (TrackKey, Range<u32>)> {
        let video = self.outgoing.iter().filter(|o| o.media == MediaType::Video);
        video.map(|o| (o.track, o.first()..o.made))
    }

    /// The encodings of a track that go out here, as the program numbers them.
    pub fn encodings_of(&self, track: TrackKey) -> Option<Range<u32>> {
        self.outgoing.iter().find(|o| o.track == track && !o.refused).map(|o| o.first()..o.made)
    }

    /// Payload type and clock of telephone events, if they were negotiated.
    pub fn telephone_events(&self) -> Option<(u8, u32)> {
        audio_extras(self.negotiated.as_ref()?).1
    }

    /// Sends what is due of the keys that are pressed on a track; `false`: they cannot go here.
    pub fn send_keys(&mut self, track: TrackKey, keys: &mut Keys, now: Time) -> bool {
        let Some(events) = self.telephone_events().filter(|_| self.secure) else { return false };
        let Some(o) = self.outgoing.iter_mut().find(|o| o.track == track) else { return false };
        let engine = &mut self.engine;
        o.sender.keys(keys, events, now, |p| engine.send_rtp(&p, now));
        true
    }

    /// The next key of a telephone that was heard: whose, in which source.
    pub fn poll_key(&mut self) -> Option<(Arc<str>, Arc<str>, char)> {
        self.keys.pop_front()
    }

    /// Sends a frame; `true` when it was the first of its track here.
    pub fn send(&mut self, track: TrackKey, frame: &OutgoingFrame, now: Time) -> Result<bool, SendError> {
        if !self.ready(track) {
            return Ok(false);
        }
        let Some(o) = self.outgoing.iter_mut().find(|o| o.track == track) else { return Ok(false) };
        if frame.encoding < o.first() || frame.encoding >= o.made {
            return Ok(false);
        }
        let (engine, sender) = (&mut self.engine, &mut o.sender);
        let codec = sender.codec();
        sender.frame(frame, now, |p| engine.send_rtp(&p, now))?;
        if let Some(f) = o.frames.get_mut(frame.encoding as usize) {
            let size = if codec == Codec::Vp8 { vp8::size(&frame.data) } else { None };
            f.count(codec, size, now.mono_us);
        }
        Ok(o.sender.frames() == 1)
    }

    /// Whether these sockets are ours.
    pub fn has_sockets(&self, key: SocketsKey) -> bool {
        self.sockets.iter().any(|s| s.0 == key)
    }

    /// All sets of sockets.
    pub fn sockets(&self) -> impl Iterator<Item = SocketsKey> {
        self.sockets.iter().map(|s| s.0)
    }

    /// The set that a local address belongs to.
    pub fn sockets_of(&self, local: SocketAddr) -> SocketsKey {
        // Two sets only while ICE restarts; never none.
        let found = self.sockets.iter().find(|s| self.sockets.len() == 1 || s.1.contains(&local));
        found.unwrap_or(&self.sockets[0]).0
    }

    /// The addresses that a set of sockets was bound to.
    pub fn bound(&mut self, key: SocketsKey, addresses: &[SocketAddr]) {
        if let Some(s) = self.sockets.iter_mut().find(|s| s.0 == key) {
            s.1 = addresses.to_vec();
        }
    }

    /// A restart begins; the sockets of one that had none yet are not wanted any more.
    pub fn begin_restart(&mut self, restart: IceRestart) -> Option<SocketsKey> {
        let old = self.restart.take().map(|r| r.sockets);
        self.sockets.retain(|s| Some(s.0) != old);
        self.sockets.push((restart.sockets, Vec::new()));
        self.restart = Some(restart);
        old
    }

    /// A local address is not used any more; the set of sockets that is to be closed, when it was its last one.
    pub fn unused(&mut self, local: SocketAddr) -> Option<SocketsKey> {
        let at = self.sockets.iter().position(|s| s.1.contains(&local))?;
        self.sockets[at].1.retain(|a| *a != local);
        // The last set stays: a session has always one.
        (self.sockets[at].1.is_empty() && self.sockets.len() > 1).then(|| self.sockets.remove(at).0)
    }

    /// The other side has named a source, or more SSRCs of one.
    pub fn add_source(&mut self, s: &Source, now: Time) {
        for (rtx, primary) in &s.repairs {
            self.engine.handle_command(Command::MapRtx { rtx: *rtx, primary: *primary }, now);
        }
        let at = match self.by_name.get(&s.name) {
            Some(at) => *at,
            None => {
                let mut receiver = Receiver::new(s.owner.clone(), s.name.clone(), s.media, self.wait);
                receiver.set_payload_types(self.negotiated.as_ref().map(payload_types).unwrap_or_default());
                let (red, events) = self.negotiated.as_ref().map(audio_extras).unwrap_or_default();
                receiver.set_audio_extras(red, events);
                let (owner, name, media) = (s.owner.clone(), s.name.clone(), s.media);
                let at = self.free.pop().unwrap_or_else(|| {
                    self.incoming.push(None);
                    self.incoming.len() - 1
                });
                self.by_name.insert(name.clone(), at);
                // A track that is known already is told of as soon as it is heard here.
                let (ssrcs, frames, packets, last, awaited) = (Vec::new(), Frames::default(), 0, None, true);
                self.incoming[at] =
                    Some(Incoming { owner, name, media, receiver, ssrcs, frames, packets, last, awaited });
                at
            }
        };
        for ssrc in &s.primaries {
            let Some(i) = &mut self.incoming[at] else { return };
            if self.by_ssrc.insert(*ssrc, at) != Some(at) {
                i.ssrcs.push(*ssrc);
            }
            for p in self.early.take(*ssrc, now) {
                self.deliver(at, p, now);
            }
        }
    }

    /// SSRCs of a source are gone; whether the source is, with its last one. `reused`: the SSRCs go on under another name.
    pub fn remove_source(&mut self, name: &str, ssrcs: &[u32], reused: bool, now: Time) -> bool {
        let Some(at) = self.by_name.get(name).copied() else { return true };
        let Some(i) = &mut self.incoming[at] else { return true };
        for ssrc in ssrcs {
            let before = i.ssrcs.len();
            i.ssrcs.retain(|s| s != ssrc);
            if i.ssrcs.len() < before {
                self.by_ssrc.remove(ssrc);
                if !reused {
                    self.engine.handle_command(Command::Forget(*ssrc), now);
                }
            }
        }
        let gone = i.ssrcs.is_empty();
        if gone {
            self.incoming[at] = None;
            self.by_name.remove(name);
            self.free.push(at);
        }
        gone
    }

    /// A packet from the engine. `wanted` says whether anybody reads this source: else it is not put together.
    pub fn packet(&mut self, p: IncomingRtp, now: Time, wanted: impl Fn(&str, &str, MediaType) -> bool) -> Heard {
        let Some(at) = self.by_ssrc.get(&p.ssrc).copied() else {
            self.early.push(p, now);
            return Heard::Nothing;
        };
        let Some(i) = &mut self.incoming[at] else { return Heard::Nothing };
        (i.packets, i.last) = (i.packets + 1, Some(now));
        self.resumed |= std::mem::take(&mut i.awaited);
        let media = i.media;
        if wanted(&i.owner, &i.name, media) {
            self.deliver(at, p, now);
        }
        Heard::Packet(media)
    }

    fn deliver(&mut self, at: usize, p: IncomingRtp, now: Time) {
        let Some(i) = &mut self.incoming[at] else { return };
        i.receiver.packet(p, now);
        self.heard(at, now);
    }

    /// A receiver has taken something in: what it wants and gives.
    fn heard(&mut self, at: usize, now: Time) {
        let Some(i) = &mut self.incoming[at] else { return };
        if let Some(ssrc) = i.receiver.poll_key_frame_request(now) {
            self.engine.handle_command(Command::RequestKeyFrame(ssrc), now);
        }
        while let Some(k) = i.receiver.poll_key() {
            self.keys.push_back((i.owner.clone(), i.name.clone(), k.key));
        }
        self.gaps = earliest(self.gaps, i.receiver.next_deadline());
        if self.ready.back() != Some(&at) {
            self.ready.push_back(at);
        }
    }

    /// The sender's clock.
    pub fn sender_report(&mut self, sr: SenderReport) {
        let rtt = self.engine.stats().rtt;
        if let Some(i) = self.by_ssrc.get(&sr.ssrc).and_then(|at| self.incoming[*at].as_mut()) {
            i.receiver.sender_report(sr);
            // About once a second, and only while the source sends: as often as the round trip is news.
            i.receiver.set_rtt(rtt);
        }
    }

    /// Packets that came of a source, and when the last one did.
    pub fn heard_of(&self, name: &str) -> Option<(u64, Time)> {
        let i = self.by_name.get(name).and_then(|at| self.incoming[*at].as_ref())?;
        Some((i.packets, i.last?))
    }

    /// Whether the next packet of a source is to be told of; [`MediaSession::take_resumed`].
    pub fn await_packet(&mut self, name: &str, awaited: bool) {
        if let Some(i) = self.by_name.get(name).and_then(|at| self.incoming[*at].as_mut()) {
            i.awaited = awaited;
        }
    }

    /// Whether a packet came that was awaited.
    pub fn take_resumed(&mut self) -> bool {
        std::mem::take(&mut self.resumed)
    }

    /// Asks the sender of a source for a key frame.
    pub fn request_key_frame(&mut self, name: &str, now: Time) {
        let found = self.by_name.get(name).and_then(|at| self.incoming[*at].as_ref());
        if let Some(ssrc) = found.and_then(|i| i.ssrcs.first().copied()) {
            self.engine.handle_command(Command::RequestKeyFrame(ssrc), now);
        }
    }

    /// Remote sources that it receives.
    pub fn sources(&self) -> usize {
        self.incoming.iter().flatten().count()
    }

    /// The next whole frame of anybody.
    pub fn poll_frame(&mut self) -> Option<EncodedFrame> {
        while let Some(at) = self.ready.front() {
            if let Some(i) = &mut self.incoming[*at]
                && let Some(frame) = i.receiver.poll_frame()
            {
                i.frames.count(frame.codec, frame.size, frame.arrival_us);
                return Some(frame);
            }
            self.ready.pop_front();
        }
        None
    }

    /// Deadlines have passed: the engine's, and those of gaps.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.engine.next_deadline().is_some_and(|d| d <= now) {
            self.engine.handle_timeout(now);
        }
        if self.gaps.is_none_or(|d| d > now) {
            return;
        }
        self.gaps = None;
        for at in 0..self.incoming.len() {
            let Some(i) = &mut self.incoming[at] else { continue };
            match i.receiver.next_deadline() {
                Some(d) if d <= now => {
                    i.receiver.handle_timeout(now);
                    self.heard(at, now);
                }
                later => self.gaps = earliest(self.gaps, later),
            }
        }
    }

    /// When to call [`MediaSession::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        earliest(earliest(self.engine.next_deadline(), self.gaps), self.silent_until)
    }
}

/// Our word for Jingle's.
pub fn media_type(m: Media) -> MediaType {
    match m {
        Media::Audio => MediaType::Audio,
        Media::Video => MediaType::Video,
    }
}

/// The codec that we write and read; `None` for those that an offer may name beyond.
fn codec(c: JingleCodec) -> Option<Codec> {
    match c {
        JingleCodec::Opus => Some(Codec::Opus),
        JingleCodec::Vp8 => Some(Codec::Vp8),
        JingleCodec::H264 => Some(Codec::H264),
        JingleCodec::Vp9 => Some(Codec::Vp9),
        JingleCodec::Av1 => Some(Codec::Av1),
        JingleCodec::Red | JingleCodec::TelephoneEvent => None,
    }
}

fn payload(n: &Negotiated, wanted: Codec) -> Option<&NegotiatedPayload> {
    n.payloads.iter().find(|p| codec(p.codec) == Some(wanted))
}

fn payload_types(n: &Negotiated) -> Vec<(u8, Codec)> {
    n.payloads.iter().filter_map(|p| Some((p.pt, codec(p.codec)?))).collect()
}

/// The payload type of redundant audio, and that of telephone events with its clock: those of the audio's own clock if there are several.
fn audio_extras(n: &Negotiated) -> (Option<u8>, Option<(u8, u32)>) {
    let red = n.payloads.iter().find(|p| p.codec == JingleCodec::Red).map(|p| p.pt);
    let events = n.payloads.iter().filter(|p| p.codec == JingleCodec::TelephoneEvent);
    let events = events.max_by_key(|p| p.clock == Codec::Opus.clock_rate()).map(|p| (p.pt, p.clock));
    (red, events)
}

fn rtp_config(n: &Negotiated) -> RtpConfig {
    let mut payload_types = Vec::new();
    for p in &n.payloads {
        let kind = match p.codec.media() {
            Media::Audio => CodecKind::Audio,
            Media::Video => CodecKind::Video,
        };
        payload_types.push(PayloadType { pt: p.pt, kind, clock: p.clock, repairs: None, nack: p.nack });
        if let Some(pt) = p.rtx {
            payload_types.push(PayloadType { pt, kind, clock: p.clock, repairs: Some(p.pt), nack: false });
        }
    }
    let e = &n.extensions;
    let extensions = ExtensionIds {
        audio_level: e.audio_level,
        abs_send_time: e.abs_send_time,
        transport_cc: e.transport_cc,
        ..ExtensionIds::default()
    };
    RtpConfig { extensions, payload_types }
}
