//! RTP headers (RFC 3550 §5.1) with one- and two-byte extensions (RFC 8285): read in place, written in one pass.

use std::ops::Range;

use bytes::Bytes;

use crate::media::peer::{AudioLevel, ExtensionIds, Mid};

/// Fixed part of the header.
const FIXED: usize = 12;
/// Extension profile of the one-byte form.
const ONE_BYTE: u16 = 0xbede;
/// Room that a header written by [`write_header`] may take besides its `extra` extension.
pub(super) const MAX_OWN_HEADER: usize = FIXED + 4 + 2 + 4 + 3 + 3;

/// The same in whole words.
const OWN_HEADER: usize = MAX_OWN_HEADER.next_multiple_of(4);

/// A parsed header; offsets point into the packet it was parsed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub pt: u8,
    pub marker: bool,
    pub seq: u16,
    pub ts: u32,
    pub ssrc: u32,
    /// Length with CSRCs and extensions.
    pub len: usize,
    padded: bool,
    profile: u16,
    extensions_at: usize,
}

fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

impl Header {
    /// The header of a packet, or `None` if it is not whole.
    #[inline]
    pub fn parse(b: &[u8]) -> Option<Header> {
        if b.len() < FIXED || b[0] >> 6 != 2 {
            return None;
        }
        let mut len = FIXED + 4 * usize::from(b[0] & 15);
        let (mut profile, mut extensions_at) = (0, 0);
        if b[0] & 0x10 != 0 {
            if b.len() < len + 4 {
                return None;
            }
            profile = be16(b, len);
            extensions_at = len + 4;
            len = extensions_at + 4 * usize::from(be16(b, len + 2));
        }
        if b.len() < len {
            return None;
        }
        Some(Header {
            pt: b[1] & 0x7f,
            marker: b[1] & 0x80 != 0,
            seq: be16(b, 2),
            ts: be32(b, 4),
            ssrc: be32(b, 8),
            len,
            padded: b[0] & 0x20 != 0,
            profile,
            extensions_at,
        })
    }

    /// The extensions `(id, value)` of the packet that this header was parsed from.
    #[inline]
    pub fn extensions<'a>(&self, b: &'a [u8]) -> Extensions<'a> {
        let two = self.profile & 0xfff0 == 0x1000;
        let known = self.extensions_at != 0 && (two || self.profile == ONE_BYTE);
        let rest = if known { b.get(self.extensions_at..self.len).unwrap_or_default() } else { &[] };
        Extensions { rest, two }
    }

    /// How much of the body `b[len..]` is payload: padding is cut off. `None` when the padding count is wrong.
    #[inline]
    pub fn payload_len(&self, body: &[u8]) -> Option<usize> {
        if !self.padded {
            return Some(body.len());
        }
        let pad = usize::from(*body.last()?);
        if pad == 0 { None } else { body.len().checked_sub(pad) }
    }
}

/// Iterator over the extensions of one packet. A malformed rest ends it.
pub(super) struct Extensions<'a> {
    rest: &'a [u8],
    two: bool,
}

impl<'a> Iterator for Extensions<'a> {
    type Item = (u8, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            if first == 0 {
                self.rest = rest;
                continue;
            }
            let (id, len, rest) = if self.two {
                let (&len, rest) = rest.split_first()?;
                (first, usize::from(len), rest)
            } else {
                // RFC 8285 §4.2: id 15 stops processing.
                if first >> 4 == 15 {
                    self.rest = &[];
                    return None;
                }
                (first >> 4, usize::from(first & 15) + 1, rest)
            };
            if rest.len() < len {
                self.rest = &[];
                return None;
            }
            let (value, rest) = rest.split_at(len);
            self.rest = rest;
            return Some((id, value));
        }
    }
}

/// What one outgoing packet says in its header.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    pub pt: u8,
    pub marker: bool,
    pub seq: u16,
    pub ts: u32,
    pub ssrc: u32,
    pub level: Option<AudioLevel>,
    /// 24 bits, 6.18 seconds.
    pub abs_send_time: u32,
    pub transport_cc: u16,
    pub extra: Option<&'a (u8, Bytes)>,
    /// The payload is padding, its last byte the count.
    pub padded: bool,
}

/// The extensions of our own, in the one-byte form, behind the fixed part, where there is zero; the length of both. Packets without a
/// dependency descriptor have no other ones.
#[inline]
fn write_own_extensions(head: &mut [u8; OWN_HEADER], ids: &ExtensionIds, f: &Fields) -> usize {
    let mut at = FIXED + 4;
    if let Some(l) = f.level.filter(|_| ids.audio_level != 0) {
        head[at..at + 2].copy_from_slice(&[ids.audio_level << 4, l.level.min(127) | (u8::from(l.voice) << 7)]);
        at += 2;
    }
    if ids.abs_send_time != 0 {
        let [_, a, b, c] = f.abs_send_time.to_be_bytes();
        head[at..at + 4].copy_from_slice(&[(ids.abs_send_time << 4) | 2, a, b, c]);
        at += 4;
    }
    if ids.transport_cc != 0 {
        let [a, b] = f.transport_cc.to_be_bytes();
        head[at..at + 3].copy_from_slice(&[(ids.transport_cc << 4) | 1, a, b]);
        at += 3;
    }
    if at == FIXED + 4 {
        return FIXED;
    }
    let words = (at - FIXED - 4).div_ceil(4);
    head[0] |= 0x10;
    head[FIXED..FIXED + 4].copy_from_slice(&[0xbe, 0xde, 0, words as u8]);
    FIXED + 4 + 4 * words
}

/// Appends a header to the empty `out`. An extension with id 0 is not negotiated and left out.
#[inline]
pub(super) fn write_header(out: &mut Vec<u8>, ids: &ExtensionIds, f: &Fields) {
    let mut head = [0; OWN_HEADER];
    head[0] = 0x80 | (u8::from(f.padded) << 5);
    head[1] = (f.pt & 0x7f) | (u8::from(f.marker) << 7);
    head[2..4].copy_from_slice(&f.seq.to_be_bytes());
    head[4..8].copy_from_slice(&f.ts.to_be_bytes());
    head[8..12].copy_from_slice(&f.ssrc.to_be_bytes());
    let extra = f.extra.filter(|(id, v)| *id != 0 && v.len() <= usize::from(u8::MAX));
    let wide = ids.audio_level.max(ids.abs_send_time).max(ids.transport_cc) > 14;
    if extra.is_none() && !wide {
        let len = write_own_extensions(&mut head, ids, f);
        return out.extend_from_slice(&head[..len]);
    }
    out.extend_from_slice(&head[..FIXED]);
    let two = wide || extra.is_some_and(|(id, v)| *id > 14 || v.is_empty() || v.len() > 16);
    out.extend_from_slice(if two { &[0x10, 0, 0, 0] } else { &[0xbe, 0xde, 0, 0] });
    let start = out.len();
    let mut put = |id: u8, v: &[u8]| {
        if id == 0 {
            return;
        }
        if two {
            out.extend_from_slice(&[id, v.len() as u8]);
        } else {
            out.push((id << 4) | (v.len() as u8 - 1));
        }
        out.extend_from_slice(v);
    };
    if let Some(l) = f.level {
        put(ids.audio_level, &[l.level.min(127) | (u8::from(l.voice) << 7)]);
    }
    put(ids.abs_send_time, &f.abs_send_time.to_be_bytes()[1..]);
    put(ids.transport_cc, &f.transport_cc.to_be_bytes());
    if let Some((id, v)) = extra {
        put(*id, v);
    }
    let n = out.len() - start;
    if n == 0 {
        out.truncate(FIXED);
        return;
    }
    out.resize(start + n.next_multiple_of(4), 0);
    out[0] |= 0x10;
    let words = n.div_ceil(4) as u16;
    out[start - 2..start].copy_from_slice(&words.to_be_bytes());
}

/// What the engine reads from the extensions of a received packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub level: Option<AudioLevel>,
    pub transport_cc: Option<u16>,
    pub mid: Option<Mid>,
    pub dependency_descriptor: Option<&'a [u8]>,
}

/// One pass over the extensions.
#[inline]
pub(super) fn read_extensions<'a>(h: &Header, b: &'a [u8], ids: &ExtensionIds) -> Seen<'a> {
    let mut seen = Seen::default();
    for (id, v) in h.extensions(b) {
        match v {
            [n, ..] if id == ids.audio_level => {
                seen.level = Some(AudioLevel { level: n & 0x7f, voice: n & 0x80 != 0 });
            }
            [hi, lo, ..] if id == ids.transport_cc => seen.transport_cc = Some(u16::from_be_bytes([*hi, *lo])),
            mid if id == ids.mid => seen.mid = Mid::new(mid),
            descriptor if id == ids.dependency_descriptor && !descriptor.is_empty() => {
                seen.dependency_descriptor = Some(descriptor);
            }
            _ => {}
        }
    }
    seen
}

/// The original sequence number of an RTX payload and where the original payload lies (RFC 4588 §4). A payload without
/// one is a bandwidth probe.
#[inline]
pub(super) fn split_rtx(payload: &[u8]) -> Option<(u16, Range<usize>)> {
    let (&osn, _) = payload.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(osn), 2..payload.len()))
}

/// Unwraps a sequence number near the one given.
#[inline]
pub(super) fn unwrap_near(near: u64, seq: u16) -> Option<u64> {
    near.checked_add_signed(i64::from(seq.wrapping_sub(near as u16) as i16))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: ExtensionIds =
        ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5, mid: 10, dependency_descriptor: 11 };

    fn fields(extra: Option<&(u8, Bytes)>) -> Fields<'_> {
        let level = Some(AudioLevel { level: 30, voice: true });
        Fields {
            pt: 100,
            marker: true,
            seq: 7,
            ts: 9,
            ssrc: 11,
            level,
            abs_send_time: 0x01_02_03,
            transport_cc: 0x0405,
            extra,
            padded: false,
        }
    }

    #[test]
    fn a_header_reads_back_with_one_and_two_byte_extensions() {
        for len in [3, 16, 17, 255] {
            let extra = (11, Bytes::from(vec![7u8; len]));
            let mut b = vec![];
            write_header(&mut b, &IDS, &fields(Some(&extra)));
            assert!(b.len() <= MAX_OWN_HEADER + len + 2 + 6, "{}", b.len());
            b.extend_from_slice(b"pay");
            let h = Header::parse(&b).expect("header");
            assert_eq!((h.pt, h.marker, h.seq, h.ts, h.ssrc), (100, true, 7, 9, 11));
            let all: Vec<_> = h.extensions(&b).collect();
            assert_eq!(all, [(1, &[30 | 0x80][..]), (3, &[1, 2, 3]), (5, &[4, 5]), (11, &extra.1[..])]);
            let seen = read_extensions(&h, &b, &IDS);
            assert_eq!(seen.transport_cc, Some(0x0405));
            assert_eq!(seen.level, Some(AudioLevel { level: 30, voice: true }));
            assert_eq!(seen.dependency_descriptor, Some(&extra.1[..]));
            assert_eq!(&b[h.len..], b"pay");
        }
    }

    #[test]
    fn mid_and_dependency_descriptor_are_read_only_when_negotiated() {
        let extra = (10, Bytes::from_static(b"v12"));
        let mut b = vec![];
        write_header(&mut b, &IDS, &fields(Some(&extra)));
        let h = Header::parse(&b).expect("header");
        let seen = read_extensions(&h, &b, &IDS);
        assert_eq!((seen.mid.as_ref().map(Mid::as_str), seen.dependency_descriptor), (Some("v12"), None));
        let none = read_extensions(&h, &b, &ExtensionIds::default());
        assert_eq!(none, Seen::default());
    }

    #[test]
    fn our_own_extensions_are_written_as_those_beside_another_one_are() {
        let extra = (11, Bytes::from_static(b"x"));
        for negotiated in 0..8u8 {
            let id = |bit: u8, id: u8| if negotiated & bit != 0 { id } else { 0 };
            let ids = ExtensionIds {
                audio_level: id(1, 1),
                abs_send_time: id(2, 3),
                transport_cc: id(4, 14),
                ..ExtensionIds::default()
            };
            for level in [None, Some(AudioLevel { level: 200, voice: true })] {
                let read = |extra| {
                    let mut b = vec![];
                    write_header(&mut b, &ids, &Fields { level, ..fields(extra) });
                    let h = Header::parse(&b).expect("header");
                    assert_eq!(h.len, b.len());
                    h.extensions(&b).map(|(id, v)| (id, v.to_vec())).collect::<Vec<_>>()
                };
                let mut beside = read(Some(&extra));
                assert_eq!(beside.pop(), Some((11, b"x".to_vec())));
                assert_eq!(read(None), beside, "{negotiated} {level:?}");
            }
        }
    }

    #[test]
    fn no_negotiated_extension_makes_a_plain_header() {
        let mut b = vec![];
        write_header(&mut b, &ExtensionIds::default(), &fields(None));
        assert_eq!((b.len(), b[0]), (12, 0x80));
    }

    #[test]
    fn truncated_and_malformed_headers_are_refused_without_panic() {
        let extra = (11, Bytes::from_static(&[1; 5]));
        let mut b = vec![];
        write_header(&mut b, &IDS, &fields(Some(&extra)));
        for n in 0..b.len() {
            assert_eq!(Header::parse(&b[..n]), None, "{n}");
        }
        b[14] = 0xff;
        assert_eq!(Header::parse(&b), None);
        // An extension that claims more than there is ends the walk.
        let b = [0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0, 1, 0x1f, 0, 0, 0];
        assert_eq!(Header::parse(&b).expect("header").extensions(&b).count(), 0);
    }

    #[test]
    fn padding_is_cut_and_a_wrong_count_is_refused() {
        let mut b = [0x80; 12].to_vec();
        b[0] = 0xa0;
        let h = Header::parse(&b).expect("header");
        assert_eq!(h.payload_len(&[9, 9, 0, 2]), Some(2));
        assert_eq!(h.payload_len(&[9, 9, 0, 4]), Some(0));
        assert_eq!(h.payload_len(&[9, 9, 0, 5]), None);
        assert_eq!(h.payload_len(&[9, 9, 0, 0]), None);
        assert_eq!(h.payload_len(&[]), None);
    }

    #[test]
    fn sequence_numbers_unwrap_both_ways() {
        assert_eq!(unwrap_near(65535, 0), Some(65536));
        assert_eq!(unwrap_near(65536, 65535), Some(65535));
        assert_eq!(unwrap_near(3, 65535), None);
    }

    #[test]
    fn an_rtx_payload_names_its_original() {
        assert_eq!(split_rtx(&[1, 2, 3]), Some((0x0102, 2..3)));
        assert_eq!(split_rtx(&[1]), None);
    }
}
