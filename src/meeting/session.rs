//! One media session: an engine, a receive pipeline per remote source ([`incoming`]), a send pipeline per local one.
//!
//! It carries values between the three worlds that never meet: Jingle (credentials, sources), the engine (packets), and
//! frames. Who owns an SSRC is decided by the source table of Jingle and source maps alone ([`ownership`]).

#[cfg(test)]
pub(in crate::meeting) mod bed_tests;
mod incoming;
mod mids;
mod ownership;
mod unclear;

pub use incoming::{Heard, Source};

use super::event::{MediaPath, TrackKey};
use super::io::SocketsKey;
use super::options::MAX_ENCODINGS;
use super::tracks::{LeftOff, Tracks};
use crate::env::Env;
use crate::jingle::{Codec as JingleCodec, Negotiated, NegotiatedPayload, SessionKey};
use crate::media::kind::{Codec, MediaType};
use crate::media::peer::{
    Candidate, CodecKind, Command, ExtensionIds, IceCredentials, PayloadType, PeerEngine, RtpConfig,
    Sender as EngineSender,
};
use crate::media::receiver::KEY_FRAME_REQUEST_EVERY;
use crate::media::sender::{SendError, Sender, Went};
use crate::media::telephone_event::Keys;
use crate::media::{EncodedFrame, OutgoingFrame, assembler, h264};
use crate::time::{Time, earliest};
use crate::wire::jingle::Media;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use incoming::{Frames, Incoming};
use mids::Mids;
use unclear::Unclear;

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
    /// When the program was last asked for the key frame without which nothing of it goes out.
    asked: Option<Time>,
    /// The session takes none of its codec now.
    refused: bool,
}

/// What became of a frame of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The first of its track here.
    First,
    More,
    No,
    /// Not sent before a key frame of its track, of which the program is to be told (again).
    NeedsKey,
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
    /// What the payload types mean, as all receivers know it.
    payload_types: Arc<[(u8, Codec)]>,
    pub(super) incoming: Vec<Option<Incoming>>,
    /// How many were made so far: a source whose pipeline is made anew is on another timeline there.
    receivers: u32,
    free: Vec<usize>,
    by_name: HashMap<Arc<str>, usize>,
    by_ssrc: HashMap<u32, usize>,
    mids: Mids,
    /// Sources that may have a frame to give.
    ready: VecDeque<usize>,
    /// Frames of sources that are gone, drained before any other: no more than each receiver held.
    last_frames: VecDeque<EncodedFrame>,
    /// No receiver wants to be told of the time before this.
    gaps: Option<Time>,
    pub(super) outgoing: Vec<Outgoing>,
    /// Keys of a telephone that were heard, with the source. Drained after each packet.
    keys: VecDeque<(Arc<str>, Arc<str>, char)>,
    pub(super) unclear: Unclear,
    wait: Duration,
    /// A packet came that was awaited.
    resumed: bool,
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
            payload_types: Arc::default(),
            incoming: Vec::new(),
            receivers: 0,
            free: Vec::new(),
            by_name: HashMap::new(),
            by_ssrc: HashMap::new(),
            mids: Mids::default(),
            ready: VecDeque::new(),
            last_frames: VecDeque::new(),
            gaps: None,
            outgoing: Vec::new(),
            keys: VecDeque::new(),
            unclear: Unclear::default(),
            wait,
            resumed: false,
        }
    }

    /// Offer and answer are done: what the payload types mean.
    pub fn negotiated(&mut self, negotiated: Negotiated, tracks: &Tracks, env: &mut Env, now: Time) {
        self.engine.handle_command(Command::SetRtp(rtp_config(&negotiated)), now);
        self.payload_types = payload_types(&negotiated).into();
        let (red, events) = audio_extras(&negotiated);
        for i in self.incoming.iter_mut().flatten() {
            i.receiver.set_payload_types(self.payload_types.clone());
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
            let left = t.left_off.as_deref().filter(|_| self.path == MediaPath::Bridge);
            let mut sender = match left {
                Some(left) => {
                    let mut sender = left.sender.clone();
                    sender.await_key();
                    sender
                }
                None => Sender::simulcast(t.codec, *primary, larger, p.pt, env),
            };
            sender.set_codec(t.codec, p.pt);
            for (ssrc, numbers) in ssrcs.iter().copied().zip(left.into_iter().flat_map(|l| &l.numbers)) {
                if let Some(numbers) = *numbers {
                    self.engine.handle_command(Command::Continue { ssrc, numbers }, now);
                }
            }
            sender.set_dependency_descriptor(negotiated.extensions.dependency_descriptor);
            let (track, media, made) = (t.key, t.codec.media_type(), t.options.encodings());
            self.outgoing.push(Outgoing {
                track,
                media,
                made,
                sender,
                frames: Default::default(),
                asked: None,
                refused: false,
            });
        }
    }

    /// Our frames come this way again, after some went another.
    pub fn resume(&mut self, now: Time) {
        for o in &mut self.outgoing {
            o.sender.await_key();
            o.asked = Some(now);
        }
    }

    /// The session ends: where the next one towards the bridge is to go on.
    pub fn leave_off(&mut self, tracks: &mut Tracks) {
        if self.path == MediaPath::Bridge {
            for o in self.outgoing.drain(..) {
                let numbers = o.sender.ssrcs().map(|ssrc| self.engine.numbers(ssrc)).collect();
                tracks.left_off(LeftOff { sender: o.sender, numbers });
            }
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
        o.sender.keys(keys, events, now, |p| engine.send_rtp(p, now));
        true
    }

    /// The next key of a telephone that was heard: whose, in which source.
    pub fn poll_key(&mut self) -> Option<(Arc<str>, Arc<str>, char)> {
        self.keys.pop_front()
    }

    /// Sends a frame.
    pub fn send(&mut self, track: TrackKey, frame: &OutgoingFrame, now: Time) -> Result<Sent, SendError> {
        if !self.ready(track) {
            return Ok(Sent::No);
        }
        let Some(o) = self.outgoing.iter_mut().find(|o| o.track == track) else { return Ok(Sent::No) };
        if frame.encoding < o.first() || frame.encoding >= o.made {
            return Ok(Sent::No);
        }
        let (engine, sender) = (&mut self.engine, &mut o.sender);
        let codec = sender.codec();
        match sender.frame(frame, now, |p| engine.send_rtp(p, now))? {
            Went::Out => {}
            Went::NeedsKey => {
                if o.asked.is_some_and(|at| now < at + KEY_FRAME_REQUEST_EVERY) {
                    return Ok(Sent::No);
                }
                o.asked = Some(now);
                return Ok(Sent::NeedsKey);
            }
        }
        if let Some(f) = o.frames.get_mut(frame.encoding as usize) {
            // What stands before an H.264 picture says it, and the picture need not be looked through.
            let size = match codec {
                Codec::H264 => h264::parameter_sets(&frame.data).and_then(|sets| h264::size(&sets)),
                other => assembler::size(other, &frame.data),
            };
            f.count(codec, size, now.mono_us);
        }
        Ok(if o.sender.frames() == 1 { Sent::First } else { Sent::More })
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

    /// Deadlines have passed: the engine's, and those of gaps.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.engine.next_deadline().is_some_and(|d| d <= now) {
            self.engine.handle_timeout(now);
        }
        self.receivers_due(now);
    }

    /// When to call [`MediaSession::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        let own = earliest(self.gaps, self.unclear.next_deadline());
        earliest(earliest(self.engine.next_deadline(), own), self.silent_until)
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
        // Whose slot an SSRC is that no map named.
        mid: e.mid,
        // What pictures of AV1 and H264 lean on: without it a loss costs everything up to the next key frame.
        dependency_descriptor: e.dependency_descriptor,
    };
    RtpConfig { extensions, payload_types }
}
