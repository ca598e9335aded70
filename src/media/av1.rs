//! The AV1 payload format (RTP Payload Format For AV1, Alliance for Open Media). Frames of programs are temporal units of OBUs with
//! sizes (AV1 specification §5.2); on the wire OBUs go without sizes, and the temporal delimiter not at all.

use super::assembler::{Begins, Finished, Head, Malformed, Whole};
use super::bits::Bits;
use super::references::Picture;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

const SEQUENCE_HEADER: u8 = 1;
const TEMPORAL_DELIMITER: u8 = 2;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;
const TILE_LIST: u8 = 8;
/// An OBU of type temporal delimiter, with its size: 0.
const DELIMITER: [u8; 2] = [TEMPORAL_DELIMITER << 3 | HAS_SIZE, 0];
const HAS_EXTENSION: u8 = 4;
const HAS_SIZE: u8 = 2;

// The aggregation header.
const Z: u8 = 0x80;
const Y: u8 = 0x40;
const N: u8 = 8;
/// Elements in one packet whose last goes without length (two bits).
const COUNTED_ELEMENTS: usize = 3;

/// One OBU of a temporal unit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Obu {
    header: u8,
    extension: Option<u8>,
    payload: Range<usize>,
}

impl Obu {
    fn kind(&self) -> u8 {
        self.header >> 3 & 15
    }
}

/// A number in LEB128 (AV1 specification §4.10.5), and its length.
fn read_leb128(p: &[u8]) -> Option<(usize, usize)> {
    let mut v = 0_u64;
    for (n, b) in p.iter().take(8).enumerate() {
        v |= u64::from(b & 0x7f) << (7 * n);
        if b & 0x80 == 0 {
            return Some((usize::try_from(v).ok().filter(|v| *v <= u32::MAX as usize)?, n + 1));
        }
    }
    None
}

fn write_leb128(mut v: usize, out: &mut BytesMut) {
    while v >= 0x80 {
        out.put_u8(v as u8 | 0x80);
        v >>= 7;
    }
    out.put_u8(v as u8);
}

fn leb128_len(v: usize) -> usize {
    let bits = usize::BITS - v.leading_zeros();
    bits.div_ceil(7).max(1) as usize
}

/// The OBUs of a temporal unit; `None` if it is none. The last one may go without size.
fn obus(unit: &[u8]) -> Option<Vec<Obu>> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < unit.len() {
        let header = unit[at];
        at += 1;
        if header & 0x80 != 0 {
            return None;
        }
        let extension = if header & HAS_EXTENSION != 0 {
            at += 1;
            Some(*unit.get(at - 1)?)
        } else {
            None
        };
        let len = if header & HAS_SIZE != 0 {
            let (len, bytes) = read_leb128(unit.get(at..)?)?;
            at += bytes;
            len
        } else {
            unit.len() - at
        };
        let end = at.checked_add(len).filter(|e| *e <= unit.len())?;
        out.push(Obu { header, extension, payload: at..end });
        at = end;
    }
    Some(out)
}

/// The OBUs of a temporal unit that are sent: delimiters and tile lists are not (RTP Payload Format For AV1 §5).
fn sent_obus(unit: &[u8]) -> Option<Vec<Obu>> {
    let mut obus = obus(unit)?;
    obus.retain(|o| !matches!(o.kind(), TEMPORAL_DELIMITER | TILE_LIST));
    (!obus.is_empty()).then_some(obus)
}

/// Whether this is a temporal unit with something to send.
pub fn is_temporal_unit(unit: &[u8]) -> bool {
    sent_obus(unit).is_some()
}

/// Whether a temporal unit can be decoded on its own: a sequence header, and a key frame that is shown.
pub fn is_key(unit: &[u8]) -> bool {
    let Some(obus) = obus(unit) else { return false };
    let mut sequence = false;
    for o in &obus {
        match o.kind() {
            SEQUENCE_HEADER => sequence = true,
            FRAME_HEADER | FRAME => {
                // show_existing_frame, frame_type (0: key), show_frame.
                return sequence && unit[o.payload.clone()].first().is_some_and(|b| b & 0xf0 == 0x10);
            }
            _ => {}
        }
    }
    false
}

/// Largest width and height of a temporal unit that has a sequence header.
pub fn size(unit: &[u8]) -> Option<(u16, u16)> {
    let obus = obus(unit)?;
    let o = obus.iter().find(|o| o.kind() == SEQUENCE_HEADER)?;
    sequence_size(&unit[o.payload.clone()])
}

/// AV1 specification §5.5.
fn sequence_size(p: &[u8]) -> Option<(u16, u16)> {
    let mut b = Bits::new(p);
    b.skip(4)?;
    if b.bit()? {
        b.skip(5)?;
    } else {
        let mut delay_bits = None;
        if b.bit()? {
            b.skip(64)?;
            if b.bit()? {
                uvlc(&mut b)?;
            }
            if b.bit()? {
                delay_bits = Some(b.take(5)? + 1);
                b.skip(42)?;
            }
        }
        let initial_delay = b.bit()?;
        for _ in 0..=b.take(5)? {
            b.skip(12)?;
            if b.take(5)? > 7 {
                b.skip(1)?;
            }
            if let Some(n) = delay_bits
                && b.bit()?
            {
                b.skip(2 * n + 1)?;
            }
            if initial_delay && b.bit()? {
                b.skip(4)?;
            }
        }
    }
    let (w_bits, h_bits) = (b.take(4)? + 1, b.take(4)? + 1);
    let (w, h) = (b.take(w_bits)? + 1, b.take(h_bits)? + 1);
    Some((u16::try_from(w).unwrap_or(u16::MAX), u16::try_from(h).unwrap_or(u16::MAX)))
}

/// AV1 specification §4.10.3.
fn uvlc(b: &mut Bits) -> Option<()> {
    let mut zeros = 0;
    while !b.bit()? {
        zeros += 1;
    }
    if zeros < 32 { b.skip(zeros) } else { Some(()) }
}

/// Gives the payloads of a temporal unit, of at most `mtu` bytes each, to `out`, with whether it is the last. `false`: it is no
/// temporal unit.
pub fn packetise(unit: &Bytes, mtu: usize, mut out: impl FnMut(Bytes, bool)) -> bool {
    let Some(obus) = sent_obus(unit) else { return false };
    let mtu = mtu.max(16);
    let mut n = if is_key(unit) { N } else { 0 };
    let mut packet = Packet::default();
    let last = obus.len() - 1;
    for (i, o) in obus.iter().enumerate() {
        let mut head = BytesMut::with_capacity(2);
        head.put_u8(o.header & !HAS_SIZE);
        if let Some(e) = o.extension {
            head.put_u8(e);
        }
        let mut rest = o.payload.clone();
        let mut continued = false;
        loop {
            let whole = head.len() + rest.len();
            let room = packet.room(mtu);
            if whole <= room {
                packet.push(std::mem::take(&mut head), unit.slice(rest), continued);
                if i == last {
                    out(packet.finish(n, false), true);
                }
                break;
            }
            // A sliver is not worth its length: the next packet takes the element whole.
            if room > head.len() + 8 || packet.elements.is_empty() {
                let cut = rest.start + room - head.len();
                packet.push(std::mem::take(&mut head), unit.slice(rest.start..cut), continued);
                rest.start = cut;
                out(packet.finish(n, true), false);
                continued = true;
            } else {
                out(packet.finish(n, false), false);
            }
            n = 0;
        }
    }
    true
}

/// The elements of one packet.
#[derive(Debug, Default)]
struct Packet {
    elements: Vec<(BytesMut, Bytes)>,
    bytes: usize,
    continues: bool,
}

impl Packet {
    /// What one more element may have, counted as if every element had a length.
    fn room(&self, mtu: usize) -> usize {
        let left = mtu.saturating_sub(1 + self.bytes);
        left.saturating_sub(leb128_len(left))
    }

    fn push(&mut self, head: BytesMut, data: Bytes, continues: bool) {
        let len = head.len() + data.len();
        self.continues |= self.elements.is_empty() && continues;
        self.bytes += len + leb128_len(len);
        self.elements.push((head, data));
    }

    fn finish(&mut self, n: u8, goes_on: bool) -> Bytes {
        let count = self.elements.len();
        let w = if count <= COUNTED_ELEMENTS { count as u8 } else { 0 };
        let mut b = BytesMut::with_capacity(1 + self.bytes);
        b.put_u8(if self.continues { Z } else { 0 } | if goes_on { Y } else { 0 } | w << 4 | n);
        for (i, (head, data)) in self.elements.iter().enumerate() {
            if w == 0 || i + 1 < count {
                write_leb128(head.len() + data.len(), &mut b);
            }
            b.extend_from_slice(head);
            b.extend_from_slice(data);
        }
        *self = Packet::default();
        b.freeze()
    }
}

/// Puts the packets of a temporal unit together.
#[derive(Debug, Default)]
pub struct Assembler {
    /// Whole OBUs, with sizes, behind a temporal delimiter.
    data: BytesMut,
    /// The OBU whose fragments arrive, without size.
    open: Option<BytesMut>,
    new_sequence: bool,
    any: bool,
}

impl Assembler {
    /// The next packet.
    pub fn push(&mut self, payload: &Bytes) -> Result<Head, Malformed> {
        let (flags, mut rest) = payload.split_first().ok_or(Malformed)?;
        let (z, y, w, n) = (flags & Z != 0, flags & Y != 0, usize::from(flags >> 4 & 3), flags & N != 0);
        if (z && n) || rest.is_empty() {
            return Err(Malformed);
        }
        let first = !std::mem::replace(&mut self.any, true);
        if first && z {
            // The frame's first packet is missing: that is loss, and no fault of this one.
            return Ok(Head { begins: Begins::No, ends: false, picture: Picture::default() });
        }
        if z != self.open.is_some() {
            return Err(Malformed);
        }
        self.new_sequence |= first && n;
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let len = if index == w {
                rest.len()
            } else {
                let (len, bytes) = read_leb128(rest).ok_or(Malformed)?;
                rest = &rest[bytes..];
                len
            };
            let (element, after) = rest.split_at_checked(len).ok_or(Malformed)?;
            rest = after;
            let goes_on = y && rest.is_empty();
            match &mut self.open {
                Some(open) => open.extend_from_slice(element),
                None => self.open = Some(BytesMut::from(element)),
            }
            if !goes_on {
                self.close()?;
            }
        }
        if w > 0 && index != w {
            return Err(Malformed);
        }
        let begins = match (first, n) {
            (true, true) => Begins::Yes,
            _ => Begins::Perhaps,
        };
        Ok(Head { begins, ends: false, picture: Picture { key: self.new_sequence, ..Picture::default() } })
    }

    /// An OBU is whole.
    fn close(&mut self) -> Result<(), Malformed> {
        let Some(obu) = self.open.take() else { return Ok(()) };
        // Zero bytes are nothing to keep (they end a packet of W = 0 in some senders).
        let Some(header) = obu.first().copied() else { return Ok(()) };
        let parsed = obus(&obu).filter(|o| o.len() == 1).ok_or(Malformed)?;
        if matches!(parsed[0].kind(), TEMPORAL_DELIMITER | TILE_LIST) {
            return Ok(());
        }
        if self.data.is_empty() {
            self.data.extend_from_slice(&DELIMITER);
        }
        let payload = &obu[parsed[0].payload.clone()];
        self.data.put_u8(header | HAS_SIZE);
        if let Some(e) = parsed[0].extension {
            self.data.put_u8(e);
        }
        write_leb128(payload.len(), &mut self.data);
        self.data.extend_from_slice(payload);
        Ok(())
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.open.as_ref().map_or(0, BytesMut::len)
    }

    /// The temporal unit.
    pub fn finish(&mut self) -> Finished {
        let (open, data) = (self.open.is_some(), self.data.split().freeze());
        self.clear();
        if open || data.is_empty() {
            return if open { Finished::Damaged } else { Finished::Nothing };
        }
        let key = is_key(&data);
        let size = if key { size(&data) } else { None };
        Finished::Whole(Whole { data, key, size })
    }

    /// Drops it.
    pub fn clear(&mut self) {
        self.data.clear();
        self.open = None;
        (self.new_sequence, self.any) = (false, false);
    }
}
