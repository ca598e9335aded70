//! The VP8 payload format (RFC 7741): descriptor, packetising, key frames.

use super::assembler::{Begins, Finished, Head, Malformed, Whole};
use super::joined::Joined;
use super::references::{Picture, Place};
use bytes::{BufMut, Bytes, BytesMut};

/// The payload descriptor of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// No other frame refers to this one.
    pub non_reference: bool,
    /// First packet of a partition.
    pub start: bool,
    /// Partition index, 0 to 7.
    pub partition: u8,
    /// 15 bits (7 on the wire of some senders).
    pub picture_id: Option<u16>,
    pub tl0_pic_idx: Option<u8>,
    /// Temporal layer and layer-sync bit.
    pub temporal: Option<(u8, bool)>,
    pub key_idx: Option<u8>,
}

impl Descriptor {
    /// Reads the descriptor; also its length in bytes. `None` when it is cut short.
    pub fn parse(p: &[u8]) -> Option<(Descriptor, usize)> {
        let first = *p.first()?;
        let mut d = Descriptor {
            non_reference: first & 0x20 != 0,
            start: first & 0x10 != 0,
            partition: first & 7,
            ..Descriptor::default()
        };
        let mut at = 1;
        if first & 0x80 == 0 {
            return Some((d, at));
        }
        let mut next = || {
            let b = p.get(at).copied();
            at += 1;
            b
        };
        let x = next()?;
        if x & 0x80 != 0 {
            let hi = next()?;
            d.picture_id =
                Some(if hi & 0x80 == 0 { u16::from(hi) } else { (u16::from(hi & 0x7f) << 8) | u16::from(next()?) });
        }
        if x & 0x40 != 0 {
            d.tl0_pic_idx = Some(next()?);
        }
        if x & 0x30 != 0 {
            let b = next()?;
            if x & 0x20 != 0 {
                d.temporal = Some((b >> 6, b & 0x20 != 0));
            }
            if x & 0x10 != 0 {
                d.key_idx = Some(b & 0x1f);
            }
        }
        Some((d, at))
    }

    /// Writes it.
    pub fn write(&self, out: &mut impl BufMut) {
        let extended = self.picture_id.is_some()
            || self.tl0_pic_idx.is_some()
            || self.temporal.is_some()
            || self.key_idx.is_some();
        let bit = |b: bool, n: u8| if b { 1 << n } else { 0 };
        out.put_u8(bit(extended, 7) | bit(self.non_reference, 5) | bit(self.start, 4) | (self.partition & 7));
        if !extended {
            return;
        }
        out.put_u8(
            bit(self.picture_id.is_some(), 7)
                | bit(self.tl0_pic_idx.is_some(), 6)
                | bit(self.temporal.is_some(), 5)
                | bit(self.key_idx.is_some(), 4),
        );
        if let Some(id) = self.picture_id {
            // Always the long form: receivers tell a wrap by the length that was used before.
            out.put_u16(0x8000 | (id & 0x7fff));
        }
        if let Some(t) = self.tl0_pic_idx {
            out.put_u8(t);
        }
        if self.temporal.is_some() || self.key_idx.is_some() {
            let (tid, sync) = self.temporal.unwrap_or_default();
            out.put_u8((tid << 6) | bit(sync, 5) | (self.key_idx.unwrap_or(0) & 0x1f));
        }
    }
}

/// The picture id of a packet, if it is one of 15 bits.
pub fn picture_id(payload: &[u8]) -> Option<u16> {
    match *payload {
        [first, x, hi, lo, ..] if first & x & hi & 0x80 != 0 => Some(u16::from_be_bytes([hi & 0x7f, lo])),
        _ => None,
    }
}

/// Whether a frame (not a packet) is a key frame (RFC 6386 §9.1).
pub fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|b| b & 1 == 0)
}

/// Width and height, from a key frame's first bytes.
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    if !is_key(frame) || frame.get(3..6)? != [0x9d, 0x01, 0x2a] {
        return None;
    }
    let n = |at: usize| Some(u16::from_le_bytes([*frame.get(at)?, *frame.get(at + 1)?]) & 0x3fff);
    Some((n(6)?, n(8)?))
}

/// The longest descriptor that is written: 1 + 1 + 2 + 1 + 1.
const DESCRIPTOR: usize = 6;

/// Splits a frame into payloads of at most `mtu` bytes, of near-equal size so that loss costs the same everywhere.
pub fn packetise(frame: &[u8], d: Descriptor, mtu: usize) -> impl Iterator<Item = (Bytes, bool)> + '_ {
    let room = mtu.saturating_sub(DESCRIPTOR).max(1);
    let packets = frame.len().div_ceil(room).max(1);
    let each = frame.len().div_ceil(packets).max(1);
    // One piece of memory for all of them.
    let mut out = BytesMut::with_capacity(frame.len() + packets * DESCRIPTOR);
    frame.chunks(each).enumerate().map(move |(n, chunk)| {
        Descriptor { start: n == 0, partition: 0, ..d }.write(&mut out);
        out.extend_from_slice(chunk);
        (out.split().freeze(), (n + 1) * each >= frame.len())
    })
}

/// Puts the packets of a frame together.
#[derive(Debug, Default)]
pub struct Assembler {
    data: Joined,
    key: bool,
}

impl Assembler {
    /// The next packet.
    pub fn push(&mut self, payload: &Bytes) -> Result<Head, Malformed> {
        let (d, at) = Descriptor::parse(payload).filter(|d| d.1 < payload.len()).ok_or(Malformed)?;
        let begins = d.start && d.partition == 0;
        if begins && self.data.len() == 0 {
            self.key = is_key(&payload[at..]);
        }
        self.data.push(payload.slice(at..));
        let place = match (d.tl0_pic_idx, d.temporal) {
            (Some(base), Some((_, sync))) => Place::Layers { base, sync, switch_up: false },
            _ => Place::Unknown,
        };
        let picture = Picture { key: self.key, temporal_id: d.temporal.map(|t| t.0), place };
        Ok(Head { begins: if begins { Begins::Yes } else { Begins::No }, ends: false, picture })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The frame.
    pub fn finish(&mut self) -> Finished {
        let data = self.data.take();
        let (key, size) = (std::mem::take(&mut self.key), size(&data));
        Finished::Whole(Whole { data, key, size })
    }

    /// Drops it.
    pub fn clear(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_fields_reads_back() {
        for bits in 0..16u8 {
            let d = Descriptor {
                non_reference: bits & 1 != 0,
                start: true,
                partition: 5,
                picture_id: (bits & 1 != 0).then_some(0x7ffe),
                tl0_pic_idx: (bits & 2 != 0).then_some(200),
                temporal: (bits & 4 != 0).then_some((2, true)),
                key_idx: (bits & 8 != 0).then_some(17),
            };
            let mut b = BytesMut::new();
            d.write(&mut b);
            assert_eq!(Descriptor::parse(&b), Some((d, b.len())), "{bits:04b}");
            b.extend_from_slice(&[0xff; 3]);
            assert_eq!(picture_id(&b), d.picture_id, "{bits:04b}");
            b.truncate(b.len() - 3);
            for cut in 0..b.len() {
                assert_eq!(Descriptor::parse(&b[..cut]), None, "{bits:04b} cut at {cut}");
            }
        }
        assert_eq!(Descriptor::parse(&[0x90, 0x80, 0x55]).map(|d| d.0.picture_id), Some(Some(0x55)));
        assert_eq!(picture_id(&[0x90, 0x80, 0x55, 0xff]), None, "seven bits come around too soon");
    }

    #[test]
    fn packets_join_to_the_frame() {
        let frame: Vec<u8> = (0..5000u32).map(|n| n as u8).collect();
        let d =
            Descriptor { picture_id: Some(7), tl0_pic_idx: Some(1), temporal: Some((0, false)), ..Default::default() };
        let packets: Vec<_> = packetise(&frame, d, 1180).collect();
        assert_eq!(packets.len(), 5);
        assert!(packets.iter().all(|p| p.0.len() <= 1180));
        let marks: Vec<bool> = packets.iter().map(|p| p.1).collect();
        assert_eq!(marks, [false, false, false, false, true]);
        let mut joined = Vec::new();
        for (n, (p, _)) in packets.iter().enumerate() {
            let (d, at) = Descriptor::parse(p).unwrap();
            assert_eq!(d.start, n == 0);
            joined.extend_from_slice(&p[at..]);
        }
        assert_eq!(joined, frame);
        assert_eq!(packetise(&[1], d, 1180).count(), 1);
    }

    #[test]
    fn key_frames_tell_their_size() {
        let key = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00];
        assert!(is_key(&key));
        assert_eq!(size(&key), Some((320, 180)));
        assert_eq!(size(&key[..8]), None);
        assert_eq!(size(&[0x11, 0, 0]), None);
    }
}
