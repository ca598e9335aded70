//! The H.264 payload format (RFC 6184), packetization-mode 1: single NAL units, STAP-A, FU-A. Frames of programs are access units
//! in the byte stream format (H.264 Annex B). A key frame carries its parameter sets: they are added where an encoder or
//! sender gives them apart.

use super::assembler::{Begins, Finished, Head, Malformed, Whole};
use super::bits::Bits;
use super::references::Picture;
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// Parameter sets of each kind that are kept for key frames without; the standard allows 32 and 256, encoders use one.
pub const MAX_PARAMETER_SETS: usize = 4;
/// Largest parameter set that is kept, bytes.
pub const MAX_PARAMETER_SET_BYTES: usize = 1024;

const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const LAST_SINGLE: u8 = 23;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

fn kind(nal: &[u8]) -> u8 {
    nal.first().map_or(0, |b| b & 31)
}

/// The NAL units of an access unit, without start codes.
pub fn nal_units(frame: &[u8]) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = start_code(frame, 0);
    std::iter::from_fn(move || {
        let from = at?;
        at = start_code(frame, from);
        Some(nal_unit(frame, from, at))
    })
    .filter(|r| !r.is_empty())
}

/// The NAL unit that begins there, before the one that begins at `next`.
fn nal_unit(frame: &[u8], from: usize, next: Option<usize>) -> Range<usize> {
    let mut to = next.map_or(frame.len(), |next| next - 3);
    // Zeros before a start code belong to it; a NAL unit does not end with one.
    while to > from && frame[to - 1] == 0 {
        to -= 1;
    }
    from..to
}

/// Whether there is a picture in it, and not parameter sets alone.
pub fn has_picture(frame: &[u8]) -> bool {
    let mut at = start_code(frame, 0);
    while let Some(begin) = at {
        if (SLICE..=IDR).contains(&kind(&frame[begin..])) {
            return true;
        }
        at = start_code(frame, begin);
    }
    false
}

/// What stands before the picture of an access unit, where parameter sets are in it.
pub fn parameter_sets(frame: &Bytes) -> Option<Bytes> {
    let (mut sets, mut at) = (false, start_code(frame, 0));
    while let Some(begin) = at {
        let kind = kind(&frame[begin..]);
        if (SLICE..=IDR).contains(&kind) {
            return sets.then(|| frame.slice(..begin - 3));
        }
        sets |= matches!(kind, SPS | PPS);
        at = start_code(frame, begin);
    }
    sets.then(|| frame.clone())
}

/// Whether it is parameter sets and no picture, as some encoders give them before the first.
pub fn only_parameter_sets(frame: &Bytes) -> bool {
    parameter_sets(frame).is_some_and(|sets| sets.len() == frame.len())
}

/// The place after the next start code.
fn start_code(frame: &[u8], mut at: usize) -> Option<usize> {
    while at + 3 <= frame.len() {
        match frame[at + 2] {
            0 => at += 1,
            1 if frame[at] == 0 && frame[at + 1] == 0 => return Some(at + 3),
            _ => at += 3,
        }
    }
    None
}

/// Whether an access unit can be decoded on its own: it is an IDR picture.
pub fn is_key(frame: &[u8]) -> bool {
    nal_units(frame).any(|r| kind(&frame[r]) == IDR)
}

/// Width and height that the sequence parameter set of an access unit tells.
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    nal_units(frame).find(|r| kind(&frame[r.clone()]) == SPS).and_then(|r| sps_size(&frame[r]))
}

/// H.264 §7.3.2.1.1.
fn sps_size(nal: &[u8]) -> Option<(u16, u16)> {
    let raw = unescaped(nal.get(..nal.len().min(MAX_PARAMETER_SET_BYTES))?);
    let mut b = Bits::new(raw.get(1..)?);
    let profile = b.take(8)?;
    b.skip(16)?;
    b.ue()?;
    let mut chroma = 1;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = b.ue()?;
        if chroma == 3 {
            b.skip(1)?;
        }
        b.ue()?;
        b.ue()?;
        b.skip(1)?;
        if b.bit()? {
            for list in 0..if chroma == 3 { 12 } else { 8 } {
                if b.bit()? {
                    skip_scaling_list(&mut b, if list < 6 { 16 } else { 64 })?;
                }
            }
        }
    }
    b.ue()?;
    match b.ue()? {
        0 => {
            b.ue()?;
        }
        1 => {
            b.skip(1)?;
            b.se()?;
            b.se()?;
            for _ in 0..b.ue()?.min(255) {
                b.se()?;
            }
        }
        _ => {}
    }
    b.ue()?;
    b.skip(1)?;
    let width = u64::from(b.ue()?) + 1;
    let height = u64::from(b.ue()?) + 1;
    let frames_only = b.bit()?;
    if !frames_only {
        b.skip(1)?;
    }
    b.skip(1)?;
    let fields = if frames_only { 1 } else { 2 };
    let (mut width, mut height) = (width * 16, height * 16 * fields);
    if b.bit()? {
        let [left, right, top, bottom] = [b.ue()?, b.ue()?, b.ue()?, b.ue()?].map(u64::from);
        let x = if matches!(chroma, 1 | 2) { 2 } else { 1 };
        let y = if chroma == 1 { 2 * fields } else { fields };
        width = width.checked_sub((left + right) * x)?;
        height = height.checked_sub((top + bottom) * y)?;
    }
    Some((u16::try_from(width).ok()?, u16::try_from(height).ok()?))
}

fn skip_scaling_list(b: &mut Bits, entries: u32) -> Option<()> {
    let (mut last, mut next) = (8_i32, 8_i32);
    for _ in 0..entries {
        if next != 0 {
            next = last.wrapping_add(b.se()?) & 255;
        }
        last = if next == 0 { last } else { next };
    }
    Some(())
}

/// Without the bytes that keep start codes out (H.264 §7.4.1).
fn unescaped(nal: &[u8]) -> Vec<u8> {
    let (mut out, mut zeros) = (Vec::with_capacity(nal.len()), 0);
    for b in nal {
        if *b == 3 && zeros >= 2 {
            zeros = 0;
            continue;
        }
        zeros = if *b == 0 { zeros + 1 } else { 0 };
        out.push(*b);
    }
    out
}

/// Parameter sets that came last, by id: [`MAX_PARAMETER_SETS`] of each kind.
#[derive(Clone, Debug, Default)]
pub struct ParameterSets {
    sps: Vec<(u32, Bytes)>,
    pps: Vec<(u32, Bytes)>,
}

impl ParameterSets {
    /// Keeps it, if it is one and within the limits.
    fn see(&mut self, nal: &[u8]) {
        let (sets, at) = match kind(nal) {
            SPS => (&mut self.sps, 4),
            PPS => (&mut self.pps, 1),
            _ => return,
        };
        let head = nal.get(at..nal.len().min(at + 16)).map(unescaped);
        let Some(id) = head.and_then(|h| Bits::new(&h).ue()) else { return };
        if nal.len() > MAX_PARAMETER_SET_BYTES {
            return;
        }
        if let Some(known) = sets.iter_mut().find(|s| s.0 == id) {
            if known.1 != nal {
                known.1 = Bytes::copy_from_slice(nal);
            }
            return;
        }
        if sets.len() >= MAX_PARAMETER_SETS {
            sets.remove(0);
        }
        sets.push((id, Bytes::copy_from_slice(nal)));
    }

    /// Keeps those of an access unit of ours, which stand before its picture; the unit as it is to be sent: a key frame that brings
    /// none gets them. `None`: there is no picture in it.
    pub fn complete(&mut self, frame: &Bytes) -> Option<Bytes> {
        let (mut sps, mut pps, mut at) = (false, false, start_code(frame, 0));
        while let Some(begin) = at {
            let kind = kind(&frame[begin..]);
            if (SLICE..=IDR).contains(&kind) {
                return Some(if kind == IDR && !(sps && pps) { self.before(frame) } else { frame.clone() });
            }
            at = start_code(frame, begin);
            self.see(&frame[nal_unit(frame, begin, at)]);
            sps |= kind == SPS;
            pps |= kind == PPS;
        }
        None
    }

    /// The access unit behind them.
    fn before(&self, frame: &[u8]) -> Bytes {
        let mut b =
            BytesMut::with_capacity(self.all().map(|s| START_CODE.len() + s.len()).sum::<usize>() + frame.len());
        for set in self.all() {
            b.extend_from_slice(&START_CODE);
            b.extend_from_slice(set);
        }
        b.extend_from_slice(frame);
        b.freeze()
    }

    fn all(&self) -> impl Iterator<Item = &Bytes> {
        self.sps.iter().chain(&self.pps).map(|s| &s.1)
    }
}

/// Access unit → payloads of at most `mtu` bytes, given to `out` with whether it is the last. `false`: there is no picture in it.
pub fn packetise(frame: &Bytes, mtu: usize, mut out: impl FnMut(Bytes, bool)) -> bool {
    let mtu = mtu.max(8);
    let mut nals = Vec::new();
    let mut picture = false;
    for r in nal_units(frame) {
        let nal = frame.slice(r);
        let kind = kind(&nal);
        picture |= (SLICE..=IDR).contains(&kind);
        // Delimiters and filler mean nothing in RTP; 0 and what is above 23 are the format's own.
        if (SLICE..=LAST_SINGLE).contains(&kind) && kind != DELIMITER && kind != FILLER {
            nals.push(nal);
        }
    }
    if !picture {
        return false;
    }
    let mut at = 0;
    while at < nals.len() {
        let first = &nals[at];
        let mut together = 1 + 2 + first.len();
        let mut end = at + 1;
        while nals.get(end).is_some_and(|n| together + 2 + n.len() <= mtu) {
            together += 2 + nals[end].len();
            end += 1;
        }
        let last = end == nals.len();
        if first.len() > mtu {
            fragments(first, mtu, |p, end| out(p, end && last));
        } else if end == at + 1 {
            out(first.clone(), last);
        } else {
            out(aggregate(&nals[at..end], together), last);
        }
        at = end;
    }
    true
}

/// STAP-A (RFC 6184 §5.7.1).
fn aggregate(nals: &[Bytes], len: usize) -> Bytes {
    let mut b = BytesMut::with_capacity(len);
    let forbidden = nals.iter().fold(0, |f, n| f | n[0] & 0x80);
    let importance = nals.iter().map(|n| n[0] & 0x60).max().unwrap_or(0);
    b.put_u8(forbidden | importance | STAP_A);
    for n in nals {
        b.put_u16(n.len() as u16);
        b.extend_from_slice(n);
    }
    b.freeze()
}

/// FU-A (RFC 6184 §5.8), of near-equal size.
fn fragments(nal: &[u8], mtu: usize, mut out: impl FnMut(Bytes, bool)) {
    let (head, body) = (nal[0], &nal[1..]);
    let each = body.len().div_ceil(body.len().div_ceil(mtu - 2));
    let count = body.len().div_ceil(each);
    for (n, chunk) in body.chunks(each).enumerate() {
        let mut b = BytesMut::with_capacity(chunk.len() + 2);
        b.put_u8(head & 0xe0 | FU_A);
        let (start, end) = (if n == 0 { 0x80 } else { 0 }, if n + 1 == count { 0x40 } else { 0 });
        b.put_u8(start | end | head & 31);
        b.extend_from_slice(chunk);
        out(b.freeze(), n + 1 == count);
    }
}

/// Payloads → access units.
#[derive(Debug, Default)]
pub struct Assembler {
    data: BytesMut,
    sets: ParameterSets,
    /// Where the NAL unit begins whose fragments arrive.
    open: Option<usize>,
    idr: bool,
    sps: bool,
    pps: bool,
    picture: bool,
    /// The access unit begins as a key frame does.
    key: bool,
}

impl Assembler {
    /// The next packet.
    pub fn push(&mut self, payload: &Bytes) -> Result<Head, Malformed> {
        let first = *payload.first().ok_or(Malformed)?;
        let begins = match first & 31 {
            SLICE..=LAST_SINGLE => {
                self.whole(payload)?;
                begins(payload)
            }
            STAP_A => {
                let mut first = None;
                for nal in aggregated(payload) {
                    self.whole(nal?)?;
                    first.get_or_insert(begins(nal?));
                }
                first.ok_or(Malformed)?
            }
            FU_A => self.fragment(payload)?,
            _ => return Err(Malformed),
        };
        // Of parameter sets by themselves nothing is missing: the picture has not begun.
        let ends = !self.picture && self.open.is_none();
        Ok(Head { begins, ends, picture: Picture { key: self.key, ..Picture::default() } })
    }

    fn whole(&mut self, nal: &[u8]) -> Result<(), Malformed> {
        let kind = kind(nal);
        if self.open.is_some() || !(SLICE..=LAST_SINGLE).contains(&kind) {
            return Err(Malformed);
        }
        self.saw(kind);
        self.sets.see(nal);
        if kind != DELIMITER && kind != FILLER {
            self.data.extend_from_slice(&START_CODE);
            self.data.extend_from_slice(nal);
        }
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<Begins, Malformed> {
        let [indicator, header, body @ ..] = payload else { return Err(Malformed) };
        let (start, end, kind) = (header & 0x80 != 0, header & 0x40 != 0, header & 31);
        if body.is_empty() || (start && end) || !(SLICE..=LAST_SINGLE).contains(&kind) {
            return Err(Malformed);
        }
        match (start, self.open) {
            (true, None) => {
                self.saw(kind);
                self.open = Some(self.data.len() + START_CODE.len());
                self.data.extend_from_slice(&START_CODE);
                self.data.put_u8(indicator & 0xe0 | kind);
            }
            // The kind stays the same within a NAL unit.
            (false, Some(at)) if self.data.get(at).is_some_and(|b| b & 31 == kind) => {}
            // The frame's first packet is missing: that is loss, and no fault of this one.
            (false, None) if self.data.is_empty() => return Ok(Begins::No),
            _ => return Err(Malformed),
        }
        self.data.extend_from_slice(body);
        if end && let Some(at) = self.open.take() {
            self.sets.see(&self.data[at..]);
        }
        Ok(match (start, first_slice(kind, body)) {
            (false, _) => Begins::No,
            (true, true) => Begins::Yes,
            (true, false) => Begins::Perhaps,
        })
    }

    fn saw(&mut self, kind: u8) {
        if !self.picture {
            // Parameter sets come before the picture that begins with them.
            self.key |= kind == IDR || kind == SPS;
        }
        self.idr |= kind == IDR;
        self.sps |= kind == SPS;
        self.pps |= kind == PPS;
        self.picture |= (SLICE..=IDR).contains(&kind);
    }

    /// Parameter sets in a packet of a frame that is damaged already: they hold all the same.
    pub fn learn(&mut self, payload: &[u8]) {
        match payload.first().map(|b| b & 31) {
            Some(STAP_A) => aggregated(payload).map_while(Result::ok).for_each(|nal| self.sets.see(nal)),
            Some(_) => self.sets.see(payload),
            None => {}
        }
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The access unit.
    pub fn finish(&mut self) -> Finished {
        let (open, key, picture) = (self.open.is_some(), self.idr, self.picture);
        let (own, known) = ((self.sps, self.pps), (!self.sets.sps.is_empty(), !self.sets.pps.is_empty()));
        let mut data = self.data.split().freeze();
        self.clear();
        if open {
            return Finished::Damaged;
        }
        if !picture {
            return Finished::Nothing;
        }
        if key && own != (true, true) {
            if !(own.0 || known.0) || !(own.1 || known.1) {
                // Nobody can decode it.
                return Finished::Damaged;
            }
            data = self.sets.before(&data);
        }
        let size = if key { size(&data) } else { None };
        Finished::Whole(Whole { data, key, size })
    }

    /// Drops it; parameter sets stay.
    pub fn clear(&mut self) {
        self.data.clear();
        self.open = None;
        (self.idr, self.sps, self.pps, self.picture, self.key) = Default::default();
    }
}

/// The NAL units of a STAP-A, until one does not fit.
fn aggregated(payload: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = rest
            .split_at_checked(2)
            .and_then(|(len, after)| after.split_at_checked(usize::from(u16::from_be_bytes([len[0], len[1]]))));
        let (nal, after) = unit.unzip();
        rest = after.unwrap_or_default();
        Some(nal.ok_or(Malformed))
    })
}

fn begins(nal: &[u8]) -> Begins {
    // Before SEI and PPS there may have been an SPS.
    let yes = matches!(kind(nal), SPS | DELIMITER) || first_slice(kind(nal), nal.get(1..).unwrap_or_default());
    if yes { Begins::Yes } else { Begins::Perhaps }
}

/// Whether a slice is the first of its picture: `first_mb_in_slice` is 0, which is a single 1.
fn first_slice(kind: u8, body: &[u8]) -> bool {
    matches!(kind, SLICE | IDR) && body.first().is_some_and(|b| b & 0x80 != 0)
}
