//! One remote track: packets in any order in, whole frames in order out, with provenance (design §5.6).
//!
//! A damaged video frame is dropped whole, and with it what leans on it (`references`): a reader never gets a picture that
//! cannot be decoded. Where only a key frame helps, one is asked for, throttled.

use super::assembler::{Assembler, Begins, Finished, Head};
use super::dependency_descriptor::{Descriptor, Structure};
use super::frame::EncodedFrame;
use super::jitter::{Jitter, JitterStats, MAX_HELD_PACKETS};
use super::kind::{Codec, MediaType};
use super::peer::{IncomingRtp, SenderReport};
use super::red;
use super::references::{Picture, Place, References};
use super::rtp_time::{Spread, Unwrap};
use super::telephone_event::{self, Key};
use crate::time::Time;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Largest frame put together, bytes; past it the frame counts as damaged.
pub const MAX_FRAME_BYTES: usize = 4 << 20;
/// Least time between two requests for a key frame of one track.
pub const KEY_FRAME_REQUEST_EVERY: Duration = Duration::from_millis(500);
/// Frames that wait to be taken. One packet can release all that the jitter buffer holds, and end a frame begun before:
/// whoever drains after each packet loses none.
pub const MAX_WAITING_FRAMES: usize = MAX_HELD_PACKETS + 2;

/// The shortest wait for a missing packet.
pub const MIN_WAIT: Duration = Duration::from_millis(20);
/// How long the engine takes a missing packet for a late one before it asks for it. It asks again after 1.25 round trips, and the
/// second repair takes another one.
const FIRST_REQUEST: Duration = Duration::from_millis(20);
/// Packets of an SSRC that this track has just left are late, not a way back, for so long.
pub const SSRC_SETTLE: Duration = Duration::from_secs(1);
/// Keys of a telephone that wait to be taken.
pub const MAX_WAITING_KEYS: usize = 16;

/// Counters of one track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceiverStats {
    pub frames: u64,
    /// Video frames dropped because a packet of them is missing, or they refer to such a one.
    pub damaged: u64,
    /// Packets with a payload type or a payload that was not understood.
    pub malformed: u64,
    /// Frames dropped because nobody took those that wait.
    pub overflowed: u64,
    pub key_frames_requested: u64,
    /// Frames that came with a later packet only (RFC 2198).
    pub redundant: u64,
    /// Packets of an SSRC that the track had left.
    pub left_behind: u64,
    /// Keys of a telephone (RFC 4733), also those that nobody took.
    pub keys: u64,
    pub jitter: JitterStats,
}

/// The pipeline of one remote track.
#[derive(Debug)]
pub struct Receiver {
    endpoint_id: Arc<str>,
    source_name: Arc<str>,
    media: MediaType,
    /// The same for all sources of a session.
    payload_types: Arc<[(u8, Codec)]>,
    /// Payload types of redundant audio, and of telephone events with their clock.
    red: Option<u8>,
    events: Option<(u8, u32)>,
    jitter: Jitter,
    /// The longest wait that the reader chose.
    wait: Duration,
    rtt: Option<Duration>,
    spread: Spread,
    ssrc: Option<u32>,
    /// The SSRC before, and when the track left it.
    before: Option<(u32, Time)>,
    timeline: u32,
    rtp: Unwrap,
    report: Option<SenderReport>,
    /// Of the codec that came last; it changes with the payload type, at a key frame.
    assembler: Option<(Codec, Assembler)>,
    building: Option<Building>,
    references: References,
    /// The dependency descriptor's structure that came last.
    structure: Option<Structure>,
    /// Packets are lost since the last one.
    hole: bool,
    asked_at: Option<Time>,
    lost: u32,
    /// RTP time of the newest audio.
    newest: Option<u32>,
    keys: VecDeque<Key>,
    key_at: Option<u32>,
    out: VecDeque<EncodedFrame>,
    stats: ReceiverStats,
}

/// The frame that arrives.
#[derive(Debug)]
struct Building {
    ts: u32,
    codec: Codec,
    picture: Picture,
    /// Packets before its first are lost.
    hole: bool,
    damaged: bool,
    /// Its last packet says that nothing is missing behind it.
    ended: bool,
}

impl Receiver {
    /// A pipeline for one track. `wait`: the longest time for a missing packet.
    pub fn new(endpoint_id: Arc<str>, source_name: Arc<str>, media: MediaType, wait: Duration) -> Receiver {
        Receiver {
            endpoint_id,
            source_name,
            media,
            payload_types: Arc::default(),
            red: None,
            events: None,
            jitter: Jitter::new(wait),
            wait,
            rtt: None,
            spread: Spread::default(),
            ssrc: None,
            before: None,
            timeline: 0,
            rtp: Unwrap::default(),
            report: None,
            assembler: None,
            building: None,
            references: References::default(),
            structure: None,
            hole: false,
            asked_at: None,
            lost: 0,
            newest: None,
            keys: VecDeque::new(),
            key_at: None,
            out: VecDeque::new(),
            stats: ReceiverStats::default(),
        }
    }

    /// Timelines after this number, so that they are not those of another pipeline of the track.
    pub fn count_timelines_from(&mut self, number: u32) {
        self.timeline = number;
    }

    /// What the payload types mean, from the negotiation.
    pub fn set_payload_types(&mut self, payload_types: impl Into<Arc<[(u8, Codec)]>>) {
        self.payload_types = payload_types.into();
    }

    /// What redundant audio (RFC 2198) and telephone events (RFC 4733, with their clock) come as, if they were negotiated.
    pub fn set_audio_extras(&mut self, red: Option<u8>, events: Option<(u8, u32)>) {
        self.red = red;
        self.events = events;
    }

    /// Whether packets of a payload type have the RTP time of their moment: those of a telephone's key have that of its beginning.
    pub fn keeps_time(&self, pt: u8) -> bool {
        self.events.is_none_or(|(events, _)| events != pt)
    }

    /// The longest time for a missing packet, as the reader chose it.
    pub fn set_wait(&mut self, wait: Duration) {
        self.wait = wait;
        self.adapt();
    }

    /// How long a repair takes: the wait then follows it and the measured jitter, up to the reader's choice.
    pub fn set_rtt(&mut self, rtt: Option<Duration>) {
        self.rtt = rtt;
        self.adapt();
    }

    /// The wait for a missing packet now.
    pub fn wait(&self) -> Duration {
        let Some(rtt) = self.rtt else { return self.wait };
        // Audio is not repaired: only what is overtaken is waited for. Video: one packet in fifty is lost, and so is one repair in
        // twenty-five, with the request or on its way back; one that is not waited for costs all pictures up to the next key frame.
        let repair = if self.media == MediaType::Video { FIRST_REQUEST + rtt * 9 / 4 } else { Duration::ZERO };
        (repair + self.spread.jitter() * 4).max(MIN_WAIT).min(self.wait)
    }

    fn adapt(&mut self) {
        self.jitter.set_wait(self.wait());
    }

    /// The RTP time restarts with the next packet: a new session carries the same track.
    pub fn restart(&mut self) {
        self.ssrc = None;
        self.before = None;
    }

    /// A packet of this track. What is missing before it is given up if it was so when the packet came: it may be read next.
    pub fn packet(&mut self, p: IncomingRtp, now: Time) {
        let came = now - Duration::from_micros(u64::from(p.waited_us));
        if self.ssrc != Some(p.ssrc) {
            if self.before.is_some_and(|(ssrc, at)| ssrc == p.ssrc && now < at + SSRC_SETTLE) {
                self.stats.left_behind += 1;
                return;
            }
            self.before = self.ssrc.map(|ssrc| (ssrc, now));
            self.ssrc = Some(p.ssrc);
            self.jitter.reset();
            self.new_timeline();
        }
        if let Some(codec) = self.codec(p.pt) {
            self.spread.packet(p.arrival, p.ts, codec.clock_rate());
            if self.rtt.is_some() {
                self.adapt();
            }
        }
        if self.jitter.push(p) {
            // The sender began again under the same SSRC; its RTP time and clock reports then mean something else.
            self.new_timeline();
        }
        self.handle_timeout(came);
    }

    fn new_timeline(&mut self) {
        self.timeline = self.timeline.saturating_add(1);
        self.rtp = Unwrap::default();
        self.report = None;
        self.drop_building();
        self.references.reset();
        self.structure = None;
        // What comes first may be the middle of a frame.
        self.hole = true;
        self.spread = Spread::default();
        (self.newest, self.key_at) = (None, None);
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((p, lost)) = self.jitter.pop(now) {
            self.lost = self.lost.saturating_add(lost);
            if lost > 0 {
                self.damage();
            }
            self.in_order(p);
        }
    }

    /// When to call [`Receiver::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        self.jitter.next_deadline()
    }

    /// The next whole frame.
    pub fn poll_frame(&mut self) -> Option<EncodedFrame> {
        self.out.pop_front()
    }

    /// The next key of a telephone that was pressed.
    pub fn poll_key(&mut self) -> Option<Key> {
        self.keys.pop_front()
    }

    /// The SSRC to ask for a key frame now, if one is needed and none is on its way in.
    pub fn poll_key_frame_request(&mut self, now: Time) -> Option<u32> {
        let due = self.asked_at.is_none_or(|t| now >= t + KEY_FRAME_REQUEST_EVERY);
        let arriving = self.building.as_ref().is_some_and(|b| b.picture.key && !b.damaged);
        let needed = self.media == MediaType::Video && self.references.needs_key();
        if !needed || !due || arriving {
            return None;
        }
        let ssrc = self.ssrc?;
        self.asked_at = Some(now);
        self.stats.key_frames_requested += 1;
        Some(ssrc)
    }

    /// The sender's clock, for capture times.
    pub fn sender_report(&mut self, sr: SenderReport) {
        if self.ssrc == Some(sr.ssrc) {
            self.report = Some(sr);
        }
    }

    /// The SSRC that it comes on now.
    pub fn ssrc(&self) -> Option<u32> {
        self.ssrc
    }

    /// Counters so far.
    pub fn stats(&self) -> ReceiverStats {
        ReceiverStats { jitter: self.jitter.stats(), ..self.stats }
    }

    /// Packets are missing here: of the frame that arrives, and perhaps of others behind it.
    fn damage(&mut self) {
        if let Some(b) = &mut self.building {
            b.damaged = true;
        }
        self.hole = true;
    }

    /// What a payload type means, if it is of this track's media.
    pub fn codec(&self, pt: u8) -> Option<Codec> {
        self.payload_types.iter().find(|t| t.0 == pt).map(|t| t.1).filter(|c| c.media_type() == self.media)
    }

    fn in_order(&mut self, p: IncomingRtp) {
        match self.codec(p.pt) {
            // An empty payload is padding that probes for bandwidth.
            _ if p.payload.is_empty() => {}
            _ if self.media == MediaType::Audio && self.red == Some(p.pt) => self.redundant(p),
            _ if self.media == MediaType::Audio && self.events.is_some_and(|e| e.0 == p.pt) => self.event(&p),
            Some(Codec::Opus) => self.audio(Codec::Opus, &p, p.payload.clone()),
            Some(codec) => self.video(codec, p),
            None => self.stats.malformed += 1,
        }
    }

    fn audio(&mut self, codec: Codec, p: &IncomingRtp, data: Bytes) {
        self.newest = Some(p.ts);
        self.emit(codec, p, data, true, None, None);
    }

    /// The frame of a packet, and before it those of the blocks that are missing.
    fn redundant(&mut self, p: IncomingRtp) {
        let Some(blocks) = red::parse(&p.payload) else {
            self.stats.malformed += 1;
            return;
        };
        let newer = |ts: u32, than: Option<u32>| than.is_none_or(|n| ts.wrapping_sub(n) as i32 > 0);
        let last = blocks.len() - 1;
        for (n, block) in blocks.into_iter().enumerate() {
            let ts = p.ts.wrapping_sub(u32::from(block.offset));
            let primary = n == last;
            let missing = self.newest.is_some() && self.lost > 0 && block.offset > 0 && newer(ts, self.newest);
            if block.data.is_empty() || !(primary || missing) {
                continue;
            }
            let Some(codec) = self.codec(block.pt) else {
                self.stats.malformed += u64::from(primary);
                continue;
            };
            if !primary {
                self.stats.redundant += 1;
                self.lost -= 1;
            }
            self.audio(codec, &IncomingRtp { ts, payload: Bytes::new(), ..p.clone() }, block.data);
        }
    }

    /// A key is told with the first packet that is seen of it; the repeats have its RTP time.
    fn event(&mut self, p: &IncomingRtp) {
        let Some((_, clock)) = self.events else { return };
        if self.key_at == Some(p.ts) {
            return;
        }
        let Some(key) = telephone_event::parse(&p.payload, p.ts, clock) else { return };
        self.key_at = Some(p.ts);
        self.stats.keys += 1;
        if self.keys.len() < MAX_WAITING_KEYS {
            self.keys.push_back(key);
        }
    }

    fn video(&mut self, codec: Codec, p: IncomingRtp) {
        if self.building.as_ref().is_some_and(|b| b.ts != p.ts || b.codec != codec) {
            // The marker of the frame before never came. Numbers that go on do not say that nothing is missing: a bridge that gives the
            // stream to another source counts on from wherever the one before was.
            if self.building.as_ref().is_some_and(|b| !b.ended) {
                self.damage();
            }
            self.finish(&p);
        }
        if self.assembler.as_ref().is_none_or(|a| a.0 != codec) {
            let Some(new) = Assembler::new(codec) else { return };
            self.assembler = Some((codec, new));
            self.references.reset();
        }
        let Some((_, assembler)) = &mut self.assembler else { return };
        match &mut self.building {
            Some(b) if b.damaged => assembler.learn(&p.payload),
            Some(b) => match assembler.push(&p.payload) {
                Ok(head) => {
                    let head = described(head, &p, &mut self.structure, Some(b.picture));
                    (b.picture, b.ended) = (head.picture, head.ends);
                    b.damaged = assembler.bytes() > MAX_FRAME_BYTES;
                }
                Err(_) => {
                    self.stats.malformed += 1;
                    b.damaged = true;
                }
            },
            None => {
                let hole = std::mem::take(&mut self.hole);
                let head = assembler.push(&p.payload).map(|h| described(h, &p, &mut self.structure, None));
                self.stats.malformed += u64::from(head.is_err());
                let (picture, damaged, ended) = match head {
                    Ok(h) => (h.picture, h.begins == Begins::No || (hole && h.begins == Begins::Perhaps), h.ends),
                    Err(_) => (Picture::default(), true, false),
                };
                self.building = Some(Building { ts: p.ts, codec, picture, hole, damaged, ended });
            }
        }
        if p.marker {
            self.finish(&p);
        }
    }

    fn drop_building(&mut self) {
        self.building = None;
        if let Some((_, a)) = &mut self.assembler {
            a.clear();
        }
    }

    fn finish(&mut self, last: &IncomingRtp) {
        let Some(b) = self.building.take() else { return };
        let Some((_, assembler)) = &mut self.assembler else { return };
        let finished = if b.damaged {
            assembler.clear();
            Finished::Damaged
        } else {
            assembler.finish()
        };
        let picture = b.picture;
        match finished {
            Finished::Whole(w) => {
                let picture = Picture { key: w.key, ..picture };
                if self.references.settle(&picture, b.hole, true) {
                    let at = IncomingRtp { ts: b.ts, payload: Bytes::new(), ..last.clone() };
                    self.emit(b.codec, &at, w.data, w.key, picture.temporal_id, w.size);
                } else {
                    self.stats.damaged += 1;
                }
            }
            // What is lost before it is lost before what follows.
            Finished::Nothing => self.hole |= b.hole,
            Finished::Damaged => {
                self.stats.damaged += 1;
                self.references.settle(&picture, b.hole, false);
            }
        }
    }

    fn emit(
        &mut self,
        codec: Codec,
        p: &IncomingRtp,
        data: Bytes,
        key: bool,
        tid: Option<u8>,
        size: Option<(u16, u16)>,
    ) {
        if self.out.len() >= MAX_WAITING_FRAMES {
            self.stats.overflowed += 1;
            // What leans on it cannot be decoded.
            self.references.reset();
            return;
        }
        self.stats.frames += 1;
        let capture_unix_us = self.report.map(|sr| {
            let ticks = i64::from(p.ts.wrapping_sub(sr.rtp) as i32);
            sr.unix_us() + ticks * 1_000_000 / i64::from(codec.clock_rate())
        });
        self.out.push_back(EncodedFrame {
            endpoint_id: self.endpoint_id.clone(),
            participant: None,
            track: None,
            source_name: self.source_name.clone(),
            media: self.media,
            codec,
            encoding: 0,
            temporal_id: tid,
            key,
            timeline: self.timeline,
            rtp_time: self.rtp.unwrap(p.ts),
            arrival_us: p.arrival.mono_us,
            capture_unix_us,
            audio_level: p.level,
            gap: std::mem::take(&mut self.lost),
            size,
            data,
        });
    }
}

/// With what the dependency descriptor says, where the payload does not name what its picture leans on. `before`: from earlier
/// packets of the picture.
fn described(mut head: Head, p: &IncomingRtp, known: &mut Option<Structure>, before: Option<Picture>) -> Head {
    let Some(bytes) = p.dependency_descriptor.as_ref().filter(|_| head.picture.place == Place::Unknown) else {
        return head;
    };
    let before = before.filter(|b| b.place != Place::Unknown);
    let Some(d) = Descriptor::parse(bytes, known.as_ref()) else {
        head.picture = before.unwrap_or(head.picture);
        return head;
    };
    let key = head.picture.key || d.is_key();
    head.picture = Picture { key, ..d.picture(before) };
    if d.start && head.begins == Begins::Perhaps {
        head.begins = Begins::Yes;
    }
    head.ends |= d.end;
    if d.structure.is_some() {
        *known = d.structure;
    }
    head
}
