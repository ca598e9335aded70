//! One outgoing stream made of whatever comes in for it (docs/protocol/04 §8, §10): another layer of a source, or another source
//! after a remap, goes on with the sequence numbers, timestamps, picture ids and TL0PICIDX of what was before. Video begins, and
//! changes over, at a key frame. Codecs whose key frames the bridge does not read change over at any packet, as JVB's generic
//! projection does.

use super::transport::VP8;
use crate::time::Time;
use std::sync::Arc;

/// RTP time of one video frame at 30 frames a second: what a change-over at once puts between two frames.
const FRAME_TICKS: u32 = 3000;
/// RTP time between two sources on one slot, of whichever media: as JVB guesses.
const REMAP_TICKS: u32 = 960;

/// A packet as it comes from a sender.
#[derive(Clone, Debug)]
pub(super) struct Incoming<'a> {
    pub ssrc: u32,
    pub pt: u8,
    /// Unwrapped.
    pub seq: u64,
    pub ts: u32,
    pub payload: &'a Arc<[u8]>,
    /// RTP clock, Hz.
    pub clock: u32,
}

/// A packet as it goes to a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outgoing {
    pub seq: u64,
    pub ts: u32,
    pub payload: Arc<[u8]>,
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Projected {
    Send(Outgoing),
    /// Not of this stream now, or from before the change-over.
    Drop,
    /// It would be, but a key frame has to come first.
    NeedsKeyFrame,
}

/// Input to output, while one input lasts.
#[derive(Clone, Copy, Debug)]
struct Offsets {
    ssrc: u32,
    first: u64,
    seq: i64,
    ts: u32,
    picture: u16,
    tl0: u8,
}

/// The newest that went out.
#[derive(Clone, Copy, Debug)]
struct Last {
    seq: u64,
    ts: u32,
    picture: u16,
    tl0: u8,
    at: Time,
}

/// The projection of one outgoing stream.
#[derive(Debug)]
pub(super) struct Projection {
    video: bool,
    target: Option<u32>,
    current: Option<Offsets>,
    last: Option<Last>,
    /// Which number the very first packet gets; its own when none is given.
    start: Option<u16>,
    /// The next input is another source's.
    remapped: bool,
}

impl Projection {
    /// A stream that begins at sequence number `start`, or where its first input does.
    pub fn new(video: bool, start: Option<u16>) -> Projection {
        Projection { video, target: None, current: None, last: None, start, remapped: false }
    }

    /// The slot is another source's: nothing goes out before that one's input is aimed at. Numbers go on; RTP time does so too,
    /// however long the slot was silent, and picture ids are the new source's own (docs/protocol/04 §10.2).
    pub fn remap(&mut self) {
        self.set_target(None);
        self.remapped = true;
    }

    /// Which input it should be: from its next key frame on. `None` suspends the stream at once.
    pub fn set_target(&mut self, target: Option<u32>) {
        self.target = target;
        if target.is_none() {
            self.current = None;
        }
    }

    /// Whether anything is to go out.
    pub fn has_target(&self) -> bool {
        self.target.is_some()
    }

    /// Which input it is.
    pub fn current(&self) -> Option<u32> {
        self.current.map(|c| c.ssrc)
    }

    /// Whether it waits for a key frame.
    pub fn waits(&self) -> bool {
        self.video && self.target.is_some() && self.target != self.current()
    }

    /// Takes a packet.
    pub fn project(&mut self, p: &Incoming<'_>, now: Time) -> Projected {
        let vp8 = (self.video && p.pt == VP8).then(|| Vp8::read(p.payload)).flatten();
        if self.target == Some(p.ssrc) && self.current() != Some(p.ssrc) {
            let key = !self.video || p.pt != VP8 || vp8.as_ref().is_some_and(|v| v.key);
            if key {
                self.change_over(p, vp8.as_ref(), now);
            } else {
                // An old input goes on until then.
                return Projected::NeedsKeyFrame;
            }
        }
        let Some(c) = self.current.filter(|c| c.ssrc == p.ssrc && p.seq >= c.first) else { return Projected::Drop };
        let seq = p.seq.wrapping_add_signed(c.seq);
        let ts = p.ts.wrapping_add(c.ts);
        let (mut picture, mut tl0) = (0, 0);
        let mut payload = p.payload.clone();
        if let Some(v) = &vp8 {
            picture = v.picture.map_or(0, |n| n.wrapping_add(c.picture) & 0x7fff);
            tl0 = v.tl0.map_or(0, |n| n.wrapping_add(c.tl0));
            payload = v.rewrite(p.payload, picture, tl0);
        }
        if self.last.is_none_or(|l| seq > l.seq) {
            self.last = Some(Last { seq, ts, picture, tl0, at: now });
        }
        Projected::Send(Outgoing { seq, ts, payload })
    }

    fn change_over(&mut self, p: &Incoming<'_>, vp8: Option<&Vp8>, now: Time) {
        let picture = vp8.and_then(|v| v.picture).unwrap_or(0);
        let tl0 = vp8.and_then(|v| v.tl0).unwrap_or(0);
        let remapped = std::mem::take(&mut self.remapped);
        let o = match self.last {
            Some(l) if remapped => Offsets {
                ssrc: p.ssrc,
                first: p.seq,
                seq: (l.seq + 1) as i64 - p.seq as i64,
                ts: l.ts.wrapping_add(REMAP_TICKS).wrapping_sub(p.ts),
                picture: 0,
                tl0: l.tl0.wrapping_add(1).wrapping_sub(tl0),
            },
            None => Offsets {
                ssrc: p.ssrc,
                first: p.seq,
                seq: i64::from(self.start.unwrap_or(p.seq as u16)) - p.seq as i64,
                ts: 0,
                picture: 0,
                tl0: 0,
            },
            Some(l) => {
                // As much RTP time as went by, and a frame at least: time never stands still.
                let passed = now.since(l.at).as_micros() as u64 * u64::from(p.clock) / 1_000_000;
                let step = if self.video { passed.max(u64::from(FRAME_TICKS)) } else { passed.max(1) };
                Offsets {
                    ssrc: p.ssrc,
                    first: p.seq,
                    seq: (l.seq + 1) as i64 - p.seq as i64,
                    ts: l.ts.wrapping_add(step as u32).wrapping_sub(p.ts),
                    picture: l.picture.wrapping_add(1).wrapping_sub(picture) & 0x7fff,
                    tl0: l.tl0.wrapping_add(1).wrapping_sub(tl0),
                }
            }
        };
        self.current = Some(o);
    }
}

/// The VP8 payload descriptor (RFC 7741 §4.2), as far as a bridge touches it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Vp8 {
    /// It begins a key frame.
    pub key: bool,
    /// The smaller side of a key frame.
    pub height: Option<u16>,
    picture: Option<u16>,
    long_picture: bool,
    tl0: Option<u8>,
    picture_at: usize,
    tl0_at: usize,
}

impl Vp8 {
    /// Reads a descriptor; `None` when it is cut short.
    pub fn read(p: &[u8]) -> Option<Vp8> {
        let first = *p.first()?;
        let mut at = 1;
        let mut v =
            Vp8 { key: false, height: None, picture: None, long_picture: false, tl0: None, picture_at: 0, tl0_at: 0 };
        if first & 0x80 != 0 {
            let x = *p.get(at)?;
            at += 1;
            if x & 0x80 != 0 {
                let b = *p.get(at)?;
                v.picture_at = at;
                v.long_picture = b & 0x80 != 0;
                if v.long_picture {
                    v.picture = Some(u16::from(b & 0x7f) << 8 | u16::from(*p.get(at + 1)?));
                    at += 2;
                } else {
                    v.picture = Some(u16::from(b));
                    at += 1;
                }
            }
            if x & 0x40 != 0 {
                v.tl0 = Some(*p.get(at)?);
                v.tl0_at = at;
                at += 1;
            }
            if x & 0x30 != 0 {
                at += 1;
            }
        }
        // The start of partition 0, and the frame header's key-frame bit (RFC 6386 §9.1).
        if first & 0x1f == 0x10 {
            let frame = p.get(at..)?;
            v.key = frame.first()? & 1 == 0;
            if v.key && frame.len() >= 10 {
                let side = |i: usize| u16::from_le_bytes([frame[i], frame[i + 1]]) & 0x3fff;
                v.height = Some(side(6).min(side(8)));
            }
        }
        Some(v)
    }

    fn rewrite(&self, payload: &Arc<[u8]>, picture: u16, tl0: u8) -> Arc<[u8]> {
        if self.picture.is_none_or(|p| p == picture) && self.tl0.is_none_or(|t| t == tl0) {
            return payload.clone();
        }
        let mut out = payload.to_vec();
        if self.picture.is_some() {
            if self.long_picture {
                out[self.picture_at] = 0x80 | (picture >> 8) as u8;
                out[self.picture_at + 1] = picture as u8;
            } else {
                out[self.picture_at] = picture as u8 & 0x7f;
            }
        }
        if self.tl0.is_some() {
            out[self.tl0_at] = tl0;
        }
        out.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn packet(picture: u16, tl0: u8, key: bool) -> Arc<[u8]> {
        // X; I, L and T; a 15-bit picture id; TL0PICIDX; TID and Y; then a frame header.
        let mut p = vec![0x90, 0xe0, 0x80 | (picture >> 8) as u8, picture as u8, tl0, 0x20];
        p.extend(if key { [0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xb4, 0] } else { [0x11; 10] });
        p.into()
    }

    fn incoming(ssrc: u32, seq: u64, ts: u32, payload: &Arc<[u8]>) -> Incoming<'_> {
        Incoming { ssrc, pt: VP8, seq, ts, payload, clock: 90_000 }
    }

    fn sent(p: Projected) -> Outgoing {
        match p {
            Projected::Send(o) => o,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_stream_begins_at_a_key_frame_and_changes_layer_at_one_without_a_seam() {
        let now = Time::new(1_000_000, 0);
        let mut s = Projection::new(true, Some(500));
        s.set_target(Some(1));
        let (delta, key) = (packet(7, 3, false), packet(8, 4, true));
        assert_eq!(s.project(&incoming(1, 70_000, 9000, &delta), now), Projected::NeedsKeyFrame);
        let first = sent(s.project(&incoming(1, 70_001, 12_000, &key), now));
        assert_eq!((first.seq, first.ts), (500, 12_000));
        assert_eq!(Vp8::read(&first.payload).and_then(|v| v.height), Some(180));

        s.set_target(Some(2));
        let other_delta = packet(100, 50, false);
        assert_eq!(s.project(&incoming(2, 9, 5, &other_delta), now), Projected::NeedsKeyFrame);
        assert!(s.waits());
        let goes_on = sent(s.project(&incoming(1, 70_002, 15_000, &packet(9, 5, false)), now));
        assert_eq!(goes_on.seq, 501);

        let later = now + Duration::from_millis(100);
        let switched = sent(s.project(&incoming(2, 10, 5, &packet(101, 51, true)), later));
        assert_eq!((switched.seq, switched.ts), (502, 15_000 + 9000));
        let v = Vp8::read(&switched.payload).unwrap();
        assert_eq!((v.picture, v.tl0), (Some(10), Some(6)));
        // What is left of the old layer, and what is older than the change-over, stays out.
        assert_eq!(s.project(&incoming(1, 70_003, 18_000, &packet(10, 6, false)), later), Projected::Drop);
        assert_eq!(s.project(&incoming(2, 8, 5, &other_delta), later), Projected::Drop);
    }

    #[test]
    fn another_source_on_the_slot_goes_on_as_if_nothing_had_been_with_pictures_of_its_own() {
        let now = Time::new(1, 0);
        let mut s = Projection::new(true, Some(0));
        s.set_target(Some(1));
        sent(s.project(&incoming(1, 100, 0, &packet(5, 9, true)), now));
        s.remap();
        assert_eq!(s.project(&incoming(1, 101, 3000, &packet(6, 10, true)), now), Projected::Drop);
        s.set_target(Some(2));
        let later = now + Duration::from_secs(60);
        let other = sent(s.project(&incoming(2, 7, 500, &packet(4000, 77, true)), later));
        let v = Vp8::read(&other.payload).unwrap();
        assert_eq!((other.seq, other.ts, v.picture, v.tl0), (1, REMAP_TICKS, Some(4000), Some(10)));
        // Its own layers then follow the clock, and its pictures each other.
        s.set_target(Some(3));
        let layer = sent(s.project(&incoming(3, 1, 0, &packet(9, 1, true)), later + Duration::from_millis(100)));
        let v = Vp8::read(&layer.payload).unwrap();
        assert_eq!((layer.ts, v.picture), (REMAP_TICKS + 9000, Some(4001)));
    }

    #[test]
    fn a_repaired_packet_keeps_its_place() {
        let now = Time::new(1, 0);
        let mut s = Projection::new(true, Some(0));
        s.set_target(Some(1));
        sent(s.project(&incoming(1, 100, 0, &packet(0, 0, true)), now));
        assert_eq!(sent(s.project(&incoming(1, 103, 0, &packet(3, 1, false)), now)).seq, 3);
        assert_eq!(sent(s.project(&incoming(1, 101, 0, &packet(1, 0, false)), now)).seq, 1);
    }

    #[test]
    fn a_suspended_stream_needs_a_key_frame_to_go_on() {
        let now = Time::new(1, 0);
        let mut s = Projection::new(true, Some(0));
        s.set_target(Some(1));
        sent(s.project(&incoming(1, 100, 0, &packet(0, 0, true)), now));
        s.set_target(None);
        assert_eq!(s.project(&incoming(1, 101, 3000, &packet(1, 1, true)), now), Projected::Drop);
        s.set_target(Some(1));
        assert_eq!(s.project(&incoming(1, 102, 6000, &packet(2, 2, false)), now), Projected::NeedsKeyFrame);
        let again = sent(s.project(&incoming(1, 103, 9000, &packet(3, 3, true)), now));
        assert_eq!((again.seq, again.ts), (1, 3000));
    }

    #[test]
    fn audio_changes_over_at_any_packet() {
        let now = Time::new(1, 0);
        let mut s = Projection::new(false, Some(10));
        let payload: Arc<[u8]> = vec![1, 2].into();
        let audio = |ssrc, seq| Incoming { clock: 48_000, pt: 111, ..incoming(ssrc, seq, 960, &payload) };
        s.set_target(Some(1));
        assert_eq!(sent(s.project(&audio(1, 5), now)).seq, 10);
        s.set_target(Some(2));
        assert_eq!(sent(s.project(&audio(2, 70), now)).seq, 11);
    }

    #[test]
    fn short_descriptors_are_refused_at_every_length() {
        let whole = packet(1, 1, true);
        for n in 0..6 {
            assert_eq!(Vp8::read(&whole[..n]), None, "{n}");
        }
        assert!(Vp8::read(&whole[..7]).is_some_and(|v| v.key && v.height.is_none()));
    }
}
