//! The VP9 payload format (RFC 9628): flexible and non-flexible mode. Frames of programs are VP9 frames; a picture of several
//! spatial layers is one superframe with its index (VP9 bitstream specification, Annex B), on the wire each layer goes apart.

use super::assembler::{Begins, Finished, Head, Malformed, Whole};
use super::bits::Bits;
use super::joined::Joined;
use super::references::{Numbers, Picture, Place};
use bytes::{BufMut, Bytes, BytesMut};
use std::ops::Range;

/// Spatial layers of one picture, and frames in one superframe (three bits on the wire).
pub const MAX_LAYERS: usize = 8;
/// References that a picture can name (RFC 9628 §4.2.1).
pub const MAX_P_DIFF: usize = 3;
/// Longest descriptor that is written, without the scalability structure: flags, picture id, layers, three references.
const DESCRIPTOR: usize = 1 + 2 + 1 + MAX_P_DIFF;

/// The payload descriptor of one packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// 15 bits (7 on the wire of some senders).
    pub picture_id: Option<u16>,
    /// On the wire in seven bits: references of seven-bit picture ids wrap there.
    pub short_id: bool,
    /// It refers to earlier pictures.
    pub predicted: bool,
    pub layer: Option<Layer>,
    /// Flexible mode: how many pictures back it refers.
    pub flexible: bool,
    pub refs: Vec<u8>,
    /// First and last packet of a frame of one spatial layer.
    pub begins: bool,
    pub ends: bool,
    /// No higher spatial layer refers to it.
    pub not_for_upper: bool,
    pub structure: Option<Structure>,
}

/// Which layers a packet belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layer {
    pub temporal: u8,
    pub switch_up: bool,
    pub spatial: u8,
    /// It refers to the spatial layer below, of the same picture.
    pub inter_layer: bool,
    /// Non-flexible mode: counts pictures of the base temporal layer.
    pub tl0_pic_idx: Option<u8>,
}

/// The scalability structure, in the first packet of a key frame.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// One more than layers on the wire; at least 1.
    pub layers: u8,
    /// Width and height of each layer, or of none.
    pub sizes: Vec<(u16, u16)>,
    /// Non-flexible mode: the pictures of a group, in order.
    pub group: Vec<GroupPicture>,
}

/// A picture of the group that repeats.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupPicture {
    pub temporal: u8,
    pub switch_up: bool,
    pub refs: Vec<u8>,
}

/// The picture id of a packet, if it is one of 15 bits.
pub fn picture_id(payload: &[u8]) -> Option<u16> {
    match *payload {
        [first, hi, lo, ..] if first & hi & 0x80 != 0 => Some(u16::from_be_bytes([hi & 0x7f, lo])),
        _ => None,
    }
}

fn bit(b: bool, n: u8) -> u8 {
    u8::from(b) << n
}

impl Descriptor {
    /// Reads the descriptor; also its length in bytes. `None` when it is cut short or breaks its rules.
    pub fn parse(p: &[u8]) -> Option<(Descriptor, usize)> {
        let mut at = 0;
        let mut next = || {
            let b = p.get(at).copied();
            at += 1;
            b
        };
        let first = next()?;
        let mut d = Descriptor {
            predicted: first & 0x40 != 0,
            flexible: first & 0x10 != 0,
            begins: first & 8 != 0,
            ends: first & 4 != 0,
            not_for_upper: first & 1 != 0,
            ..Descriptor::default()
        };
        if first & 0x80 != 0 {
            let hi = next()?;
            d.short_id = hi & 0x80 == 0;
            d.picture_id =
                Some(if d.short_id { u16::from(hi) } else { (u16::from(hi & 0x7f) << 8) | u16::from(next()?) });
        }
        if first & 0x20 != 0 {
            let b = next()?;
            let tl0_pic_idx = if d.flexible { None } else { Some(next()?) };
            d.layer = Some(Layer {
                temporal: b >> 5,
                switch_up: b & 0x10 != 0,
                spatial: b >> 1 & 7,
                inter_layer: b & 1 != 0,
                tl0_pic_idx,
            });
        }
        if d.flexible && d.predicted {
            loop {
                let b = next()?;
                if d.refs.len() >= MAX_P_DIFF || b >> 1 == 0 {
                    return None;
                }
                d.refs.push(b >> 1);
                if b & 1 == 0 {
                    break;
                }
            }
        }
        if first & 2 != 0 {
            let (s, len) = Structure::parse(p.get(at..)?)?;
            d.structure = Some(s);
            at += len;
        }
        Some((d, at))
    }

    /// Writes it.
    pub fn write(&self, out: &mut impl BufMut) {
        let predicted = self.predicted;
        out.put_u8(
            bit(self.picture_id.is_some(), 7)
                | bit(predicted, 6)
                | bit(self.layer.is_some(), 5)
                | bit(self.flexible, 4)
                | bit(self.begins, 3)
                | bit(self.ends, 2)
                | bit(self.structure.is_some(), 1)
                | bit(self.not_for_upper, 0),
        );
        match self.picture_id {
            Some(id) if self.short_id => out.put_u8(id as u8 & 0x7f),
            Some(id) => out.put_u16(0x8000 | (id & 0x7fff)),
            None => {}
        }
        if let Some(l) = &self.layer {
            out.put_u8(l.temporal << 5 | bit(l.switch_up, 4) | (l.spatial & 7) << 1 | bit(l.inter_layer, 0));
            if !self.flexible {
                out.put_u8(l.tl0_pic_idx.unwrap_or(0));
            }
        }
        if self.flexible && predicted {
            let refs = &self.refs[..self.refs.len().min(MAX_P_DIFF)];
            for (n, diff) in refs.iter().enumerate() {
                out.put_u8(diff << 1 | bit(n + 1 < refs.len(), 0));
            }
        }
        if let Some(s) = &self.structure {
            s.write(out);
        }
    }

    /// What the picture leans on.
    fn picture(&self) -> Picture {
        let layer = self.layer.unwrap_or_default();
        let place = match (self.flexible, self.picture_id, layer.tl0_pic_idx) {
            (true, Some(id), _) => {
                let mask = if self.short_id { 0x7f } else { 0x7fff };
                let mut n = Numbers::new(id);
                for diff in &self.refs {
                    n.add_reference(id.wrapping_sub(u16::from(*diff)) & mask);
                }
                Place::Numbered(n)
            }
            (false, _, Some(base)) => Place::Layers { base, sync: false, switch_up: layer.switch_up },
            _ => Place::Unknown,
        };
        let key = !self.predicted && layer.spatial == 0;
        Picture { key, temporal_id: self.layer.map(|l| l.temporal), place }
    }
}

impl Structure {
    fn parse(p: &[u8]) -> Option<(Structure, usize)> {
        let first = *p.first()?;
        let mut at = 1;
        let mut s = Structure { layers: (first >> 5) + 1, ..Structure::default() };
        if first & 0x10 != 0 {
            for _ in 0..s.layers {
                let b = p.get(at..at + 4)?;
                s.sizes.push((u16::from_be_bytes([b[0], b[1]]), u16::from_be_bytes([b[2], b[3]])));
                at += 4;
            }
        }
        if first & 8 != 0 {
            let pictures = *p.get(at)?;
            at += 1;
            for _ in 0..pictures {
                let b = *p.get(at)?;
                let refs = p.get(at + 1..at + 1 + usize::from(b >> 2 & 3))?.to_vec();
                at += 1 + refs.len();
                s.group.push(GroupPicture { temporal: b >> 5, switch_up: b & 0x10 != 0, refs });
            }
        }
        Some((s, at))
    }

    fn write(&self, out: &mut impl BufMut) {
        let layers = self.layers.clamp(1, MAX_LAYERS as u8);
        let sizes = self.sizes.len() == usize::from(layers);
        out.put_u8((layers - 1) << 5 | bit(sizes, 4) | bit(!self.group.is_empty(), 3));
        if sizes {
            for (w, h) in &self.sizes {
                out.put_u16(*w);
                out.put_u16(*h);
            }
        }
        if !self.group.is_empty() {
            let group = &self.group[..self.group.len().min(255)];
            out.put_u8(group.len() as u8);
            for g in group {
                let refs = &g.refs[..g.refs.len().min(3)];
                out.put_u8(g.temporal << 5 | bit(g.switch_up, 4) | (refs.len() as u8) << 2);
                out.put_slice(refs);
            }
        }
    }
}

/// What the first bits of a frame say (VP9 bitstream specification §6.2).
#[derive(Clone, Copy, Debug, Default)]
struct Uncompressed {
    key: bool,
    shown: bool,
    size: Option<(u16, u16)>,
}

impl Uncompressed {
    fn parse(frame: &[u8]) -> Option<Uncompressed> {
        let mut b = Bits::new(frame);
        if b.take(2)? != 2 {
            return None;
        }
        let profile = b.take(1)? | b.take(1)? << 1;
        if profile == 3 {
            b.skip(1)?;
        }
        // An earlier frame is shown again.
        if b.bit()? {
            return Some(Uncompressed { key: false, shown: true, size: None });
        }
        let key = !b.bit()?;
        let shown = b.bit()?;
        let error_resilient = b.bit()?;
        let size = if key {
            Uncompressed::size(&mut b, profile)
        } else {
            Uncompressed::own_size(&mut b, shown, error_resilient)
        };
        Some(Uncompressed { key: key && size.is_some(), shown, size })
    }

    /// Of a predicted frame that says its size itself, as an upper spatial layer does.
    fn own_size(b: &mut Bits, shown: bool, error_resilient: bool) -> Option<(u16, u16)> {
        let intra_only = !shown && b.bit()?;
        if !error_resilient {
            b.skip(2)?;
        }
        if intra_only {
            return None;
        }
        // What it refreshes, and three references of four bits.
        b.skip(8 + 3 * 4)?;
        for _ in 0..3 {
            if b.bit()? {
                return None;
            }
        }
        Uncompressed::numbers(b)
    }

    fn numbers(b: &mut Bits) -> Option<(u16, u16)> {
        let (w, h) = (b.take(16)? + 1, b.take(16)? + 1);
        Some((u16::try_from(w).unwrap_or(u16::MAX), u16::try_from(h).unwrap_or(u16::MAX)))
    }

    fn size(b: &mut Bits, profile: u32) -> Option<(u16, u16)> {
        if b.take(24)? != 0x49_8342 {
            return None;
        }
        if profile >= 2 {
            b.skip(1)?;
        }
        const SRGB: u32 = 7;
        if b.take(3)? != SRGB {
            b.skip(1)?;
            if profile & 1 != 0 {
                b.skip(3)?;
            }
        } else if profile & 1 != 0 {
            b.skip(1)?;
        }
        Uncompressed::numbers(b)
    }
}

/// The frames of a superframe; a single frame is its own (Annex B).
fn frames(data: &[u8]) -> Vec<Range<usize>> {
    let all = std::iter::once(0..data.len()).collect();
    let Some(marker) = data.last().copied().filter(|m| m & 0xe0 == 0xc0) else { return all };
    let (count, bytes) = (usize::from(marker & 7) + 1, usize::from(marker >> 3 & 3) + 1);
    let Some(from) = data.len().checked_sub(2 + count * bytes).filter(|at| data[*at] == marker) else { return all };
    let (mut out, mut at) = (Vec::with_capacity(count), 0_usize);
    for n in 0..count {
        let field = &data[from + 1 + n * bytes..][..bytes];
        let len = field.iter().rev().fold(0_usize, |v, b| v << 8 | usize::from(*b));
        match at.checked_add(len).filter(|to| *to <= from) {
            Some(to) if len > 0 => out.push(at..to),
            _ => return all,
        }
        at += len;
    }
    out
}

/// The index that makes frames one after the other a superframe.
fn index(lengths: &[usize]) -> Vec<u8> {
    let largest = lengths.iter().max().copied().unwrap_or(0);
    let bytes = (1..4).find(|n| largest >> (8 * n) == 0).unwrap_or(4);
    let marker = 0xc0 | (bytes as u8 - 1) << 3 | (lengths.len() as u8 - 1);
    let mut out = vec![marker];
    for len in lengths {
        out.extend_from_slice(&(*len as u32).to_le_bytes()[..bytes]);
    }
    out.push(marker);
    out
}

/// Whether a frame, or the first of a superframe, is a key frame.
pub fn is_key(frame: &[u8]) -> bool {
    Uncompressed::parse(frame).is_some_and(|u| u.key)
}

/// Width and height of a key frame; of a superframe's largest layer.
pub fn size(frame: &[u8]) -> Option<(u16, u16)> {
    if !is_key(frame) {
        return None;
    }
    let sizes = layers(frame).into_iter().filter_map(|r| Uncompressed::parse(&frame[r])?.size);
    sizes.max_by_key(|s| u32::from(s.0) * u32::from(s.1))
}

/// The spatial layers of a picture: several shown frames in a superframe. A hidden frame with the one that shows it is no
/// layers and goes as it is.
fn layers(frame: &[u8]) -> Vec<Range<usize>> {
    let parts = frames(frame);
    let shown = |r: &Range<usize>| Uncompressed::parse(&frame[r.clone()]).is_some_and(|u| u.shown);
    if parts.len() > 1 && parts.iter().all(shown) { parts } else { std::iter::once(0..frame.len()).collect() }
}

/// What the sender says of a picture.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    pub picture_id: u16,
    pub temporal: u8,
    /// Flexible mode: how many pictures back each one is that this one may refer to, at most [`MAX_P_DIFF`]. Else the count
    /// of base pictures.
    pub references: References,
}

/// How the references are told.
#[derive(Clone, Debug)]
pub enum References {
    Flexible(Vec<u8>),
    /// With the pictures of the group that every key frame begins.
    Group {
        tl0_pic_idx: u8,
        group: Vec<GroupPicture>,
    },
}

impl Default for References {
    fn default() -> Self {
        References::Flexible(Vec::new())
    }
}

/// Gives the payloads of a picture, of at most `mtu` bytes each, to `out`, with whether it is the last.
pub fn packetise(frame: &Bytes, o: &Outgoing, mtu: usize, mut out: impl FnMut(Bytes, bool)) {
    let key = is_key(frame);
    let layers = layers(frame);
    let count = layers.len().min(MAX_LAYERS);
    // Of every layer, or of none.
    let sizes: Option<Vec<_>> = layers.iter().map(|r| Uncompressed::parse(&frame[r.clone()])?.size).collect();
    let sizes = sizes.unwrap_or_default();
    for (spatial, range) in layers.into_iter().take(MAX_LAYERS).enumerate() {
        let mut d = Descriptor {
            picture_id: Some(o.picture_id),
            predicted: !key,
            not_for_upper: count > 1 && spatial + 1 == count,
            ..Descriptor::default()
        };
        let mut layer = Layer {
            temporal: o.temporal,
            // Pictures above this layer lean on it and lower ones alone (`temporal`).
            switch_up: true,
            spatial: spatial as u8,
            // An encoder with prediction between layers in key pictures alone says more than is true with it, never less.
            inter_layer: spatial > 0,
            tl0_pic_idx: None,
        };
        match &o.references {
            References::Flexible(refs) => {
                d.flexible = true;
                d.refs = refs.clone();
                d.predicted = !refs.is_empty() && !key;
            }
            References::Group { tl0_pic_idx, .. } => layer.tl0_pic_idx = Some(*tl0_pic_idx),
        }
        d.layer = Some(layer);
        let data = &frame[range];
        let structure = (key && spatial == 0).then(|| Structure {
            layers: count as u8,
            sizes: sizes.clone(),
            group: match &o.references {
                References::Flexible(_) => Vec::new(),
                References::Group { group, .. } => group.clone(),
            },
        });
        let mut head = BytesMut::new();
        if let Some(s) = &structure {
            s.write(&mut head);
        }
        let room = mtu.saturating_sub(DESCRIPTOR).max(1);
        let packets = (data.len() + head.len()).div_ceil(room).max(1);
        let each = (data.len() + head.len()).div_ceil(packets);
        // The structure takes its room from the first packet.
        let first = each.saturating_sub(head.len()).clamp(1, data.len().max(1)).min(data.len());
        let (mut at, mut to) = (0, first);
        loop {
            d.begins = at == 0;
            d.ends = to == data.len();
            d.structure = if at == 0 { structure.clone() } else { None };
            let mut b = BytesMut::with_capacity(DESCRIPTOR + head.len() + to - at);
            d.write(&mut b);
            b.extend_from_slice(&data[at..to]);
            out(b.freeze(), d.ends && spatial + 1 == count);
            if d.ends {
                break;
            }
            (at, to) = (to, (to + each).min(data.len()));
        }
    }
}

/// Puts the packets of a picture together.
#[derive(Debug, Default)]
pub struct Assembler {
    data: Joined,
    /// Where each layer begins, and its number.
    layers: Vec<(usize, u8)>,
    picture: Option<Picture>,
    /// The last packet ended its layer.
    ended: bool,
    key: bool,
    size: Option<(u16, u16)>,
}

impl Assembler {
    /// The next packet.
    pub fn push(&mut self, payload: &Bytes) -> Result<Head, Malformed> {
        let (d, at) = Descriptor::parse(payload).filter(|d| d.1 < payload.len()).ok_or(Malformed)?;
        let spatial = d.layer.map_or(0, |l| l.spatial);
        let first = self.layers.is_empty();
        let mut head = d.picture();
        if first {
            self.picture = Some(head);
        } else if let Some(Picture { place: Place::Numbered(all), .. }) = &mut self.picture
            && let Some(id) = d.picture_id
        {
            // A layer may lean on more pictures than the one below it.
            let mask = if d.short_id { 0x7f } else { 0x7fff };
            d.refs.iter().for_each(|diff| all.add_reference(id.wrapping_sub(u16::from(*diff)) & mask));
        }
        if d.begins {
            let next = self.layers.last().is_none_or(|l| self.ended && l.1 < spatial);
            if !next || self.layers.len() >= MAX_LAYERS {
                return Err(Malformed);
            }
            self.layers.push((self.data.len(), spatial));
        } else if self.layers.last().is_some_and(|l| self.ended || l.1 != spatial) {
            return Err(Malformed);
        }
        if let Some(s) = &d.structure {
            self.size = s.sizes.last().copied();
        }
        self.ended = d.ends;
        if first {
            self.key = is_key(&payload[at..]);
        }
        self.data.push(payload.slice(at..));
        head = self.picture.unwrap_or(head);
        // The frame's own word counts: a picture that only leans on nothing may be no place to begin.
        head.key = self.key;
        Ok(Head {
            begins: if first && d.begins {
                Begins::Yes
            } else if first {
                Begins::No
            } else {
                Begins::Perhaps
            },
            ends: d.ends,
            picture: head,
        })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// The picture.
    pub fn finish(&mut self) -> Finished {
        let data = self.data.take();
        let layers = std::mem::take(&mut self.layers);
        let (key, told) = (self.key, self.size);
        let ended = self.ended;
        self.clear();
        if !ended {
            return Finished::Damaged;
        }
        let size = if key { told.or_else(|| size(&data)) } else { None };
        if layers.len() < 2 {
            return Finished::Whole(Whole { data, key, size });
        }
        let ends = layers.iter().skip(1).map(|l| l.0).chain([data.len()]);
        let lengths: Vec<usize> = layers.iter().zip(ends).map(|(l, end)| end - l.0).collect();
        let index = index(&lengths);
        let mut whole = BytesMut::with_capacity(data.len() + index.len());
        whole.extend_from_slice(&data);
        whole.extend_from_slice(&index);
        Finished::Whole(Whole { data: whole.freeze(), key, size })
    }

    /// Drops it.
    pub fn clear(&mut self) {
        self.data.take();
        self.layers.clear();
        (self.picture, self.ended, self.key, self.size) = (None, false, false, None);
    }
}
