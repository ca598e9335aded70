//! The receiving half of a media session: a pipeline per remote source, from packets to frames. Who owns an SSRC is decided by signalling
//! and source maps alone; where that is not known, or in doubt, packets wait ([`ownership`](super::ownership)).

use super::{MediaSession, audio_extras, media_type};
use crate::jingle::RemoteSource;
use crate::media::EncodedFrame;
use crate::media::kind::{Codec, MediaType, VideoType};
use crate::media::meter::Meter;
use crate::media::peer::{Command, IncomingRtp, Mid, SenderReport};
use crate::media::receiver::Receiver;
use crate::media::takeover::Takeover;
use crate::time::{Time, earliest};
use std::sync::Arc;

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
    /// Its SSRC is a slot of SSRC rewriting: other sources had it before, or will.
    pub slot: bool,
    /// The slot's other name.
    pub mid: Option<Mid>,
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
            slot: false,
            mid: None,
        }
    }
}

/// Frames as they were counted.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::meeting) struct Frames {
    pub count: u64,
    pub meter: Meter,
    pub codec: Option<Codec>,
    /// Of the last key frame; 0: not known.
    pub size: (u16, u16),
}

impl Frames {
    pub fn count(&mut self, codec: Codec, size: Option<(u16, u16)>, now_us: u64) {
        self.count += 1;
        self.meter.add(1, now_us);
        self.codec = Some(codec);
        self.size = size.unwrap_or(self.size);
    }
}

/// A remote source of this session.
pub(in crate::meeting) struct Incoming {
    pub owner: Arc<str>,
    pub name: Arc<str>,
    pub media: MediaType,
    pub receiver: Receiver,
    /// Those that signalling or a map named.
    pub(super) ssrcs: Vec<u32>,
    /// Those that were found to be its slot's by their `mid`, each with what is known of its packets.
    pub(super) found: Vec<(u32, Takeover)>,
    pub frames: Frames,
    /// Packets that came, and when the last one did.
    packets: u64,
    last: Option<Time>,
    /// The next packet is to be told of at once.
    awaited: bool,
    /// Somebody reads it, as of the last packet: else it is not put together.
    wanted: bool,
    /// Of a slot: whether it still carries this source.
    pub(super) takeover: Option<Takeover>,
}

impl Incoming {
    /// All SSRCs that it may come on.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> {
        self.ssrcs.iter().copied().chain(self.found.iter().map(|f| f.0))
    }

    /// A packet of it came; whether it was awaited.
    fn count(&mut self, now: Time) -> bool {
        (self.packets, self.last) = (self.packets + 1, Some(now));
        std::mem::take(&mut self.awaited)
    }
}

/// Whether the first packet of a kind came, for the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    Packet(MediaType),
}

impl MediaSession {
    /// So many sources follow: room is made for all at once.
    pub fn expect_sources(&mut self, count: usize) {
        self.incoming.reserve(count);
        self.by_name.reserve(count);
        self.by_ssrc.reserve(count);
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
                receiver.set_payload_types(self.payload_types.clone());
                let (red, events) = self.negotiated.as_ref().map(audio_extras).unwrap_or_default();
                receiver.set_audio_extras(red, events);
                self.receivers = self.receivers.wrapping_add(1);
                receiver.count_timelines_from(self.receivers << 16);
                let (owner, name, media) = (s.owner.clone(), s.name.clone(), s.media);
                let at = self.free.pop().unwrap_or_else(|| {
                    self.incoming.push(None);
                    self.incoming.len() - 1
                });
                self.by_name.insert(name.clone(), at);
                // A track that is known already is told of as soon as it is heard here.
                let (frames, packets, last, awaited) = (Frames::default(), 0, None, true);
                let (ssrcs, found, wanted, takeover) = (Vec::new(), Vec::new(), true, None);
                self.incoming[at] = Some(Incoming {
                    owner,
                    name,
                    media,
                    receiver,
                    ssrcs,
                    found,
                    frames,
                    packets,
                    last,
                    awaited,
                    wanted,
                    takeover,
                });
                at
            }
        };
        for ssrc in &s.primaries {
            // What carried another slot's `mid` has a name of its own now.
            self.leave_found(*ssrc, now);
            let Some(i) = &mut self.incoming[at] else { return };
            if self.by_ssrc.insert(*ssrc, at) != Some(at) {
                i.ssrcs.push(*ssrc);
            }
            if s.slot && i.takeover.is_none() {
                i.takeover = Some(self.unclear.taken_over(*ssrc, i.media, now));
            }
            self.take_early(at, *ssrc, now);
            if s.slot {
                self.take_found(at, *ssrc, s.mid, now);
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
                // A slot is all that a source has: what was found of it goes with it.
                let found = i.found.drain(..).map(|(ssrc, t)| (ssrc, Some(t)));
                for (ssrc, t) in [(*ssrc, i.takeover.take())].into_iter().chain(found) {
                    self.by_ssrc.remove(&ssrc);
                    match t {
                        Some(t) if reused => self.unclear.left(ssrc, t),
                        _ if reused => {}
                        slot => {
                            if let Some(t) = slot {
                                self.unclear.owner_left(ssrc, t, now);
                            }
                            self.engine.handle_command(Command::Forget(ssrc), now);
                        }
                    }
                }
                if !reused {
                    self.mids.forget(*ssrc);
                }
            }
        }
        let gone = i.ssrcs.is_empty();
        if gone {
            // What came of it is its own, also what waited for a packet that will not come any more.
            i.receiver.handle_timeout(now + self.wait);
            self.last_frames.extend(std::iter::from_fn(|| i.receiver.poll_frame()));
            self.incoming[at] = None;
            self.by_name.remove(name);
            self.free.push(at);
        }
        gone
    }

    /// An SSRC is worth nothing any more.
    pub fn forget(&mut self, ssrc: u32, now: Time) {
        for ssrc in self.mids.found_of(ssrc).into_iter().chain([ssrc]) {
            self.unclear.forget(ssrc);
            self.engine.handle_command(Command::Forget(ssrc), now);
        }
        self.mids.forget(ssrc);
    }

    /// A packet from the engine. `wanted` says whether anybody reads this source: else it is not put together.
    pub fn packet(&mut self, p: IncomingRtp, now: Time, wanted: impl Fn(&str, &str, MediaType) -> bool) -> Heard {
        let Some(at) = self.by_ssrc.get(&p.ssrc).copied().or_else(|| self.by_mid(&p, now)) else {
            self.unclear.unowned(p, now);
            return Heard::Nothing;
        };
        let Some(i) = &mut self.incoming[at] else { return Heard::Nothing };
        i.wanted = wanted(&i.owner, &i.name, i.media);
        let media = i.media;
        if !self.is_owned(at, &p, now) {
            return Heard::Nothing;
        }
        self.deliver(at, p, now);
        Heard::Packet(media)
    }

    pub(super) fn deliver(&mut self, at: usize, p: IncomingRtp, now: Time) {
        let Some(i) = &mut self.incoming[at] else { return };
        self.resumed |= i.count(now);
        if i.wanted {
            i.receiver.packet(p, now);
            self.heard(at, now);
        }
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
        // The one that it came on, if that is still its own.
        let ssrc = |i: &Incoming| {
            let came_on = i.receiver.ssrc().filter(|s| i.ssrcs().any(|own| own == *s));
            came_on.or(i.ssrcs.first().copied())
        };
        if let Some(ssrc) = found.and_then(ssrc) {
            self.engine.handle_command(Command::RequestKeyFrame(ssrc), now);
        }
    }

    /// Remote sources that it receives.
    pub fn sources(&self) -> usize {
        self.incoming.iter().flatten().count()
    }

    /// The next whole frame of anybody.
    pub fn poll_frame(&mut self) -> Option<EncodedFrame> {
        if let Some(frame) = self.last_frames.pop_front() {
            return Some(frame);
        }
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

    /// Doubts and gaps whose time is over.
    pub(super) fn receivers_due(&mut self, now: Time) {
        if self.unclear.is_due(now) {
            self.settle_doubts(now);
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
}
