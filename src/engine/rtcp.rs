//! RTCP (RFC 3550 §6, RFC 4585, RFC 5104): compounds are walked part by part, so that a part which is not understood or is
//! malformed does not lose the others; and what we send is written here.

use crate::media::peer::SenderReport;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const NACK: u8 = 1;
const TRANSPORT_CC: u8 = 15;
const PLI: u8 = 1;
const FIR: u8 = 4;
const BLOCK: usize = 24;
/// The count field has five bits.
pub(super) const MAX_BLOCKS: usize = 31;
/// Sequence numbers that one NACK packet may name; more go into another.
pub(super) const MAX_NACK_PAIRS: usize = 64;

/// One report block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Block {
    pub ssrc: u32,
    /// In 1/256.
    pub fraction_lost: u8,
    /// 24 bits, signed.
    pub lost: i32,
    pub highest_seq: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 if there was none.
    pub last_sr: u32,
    /// Since that report, 1/65536 s.
    pub delay: u32,
}

/// One part of a compound, as far as the engine acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    SenderReport {
        report: SenderReport,
        blocks: Blocks<'a>,
    },
    ReceiverReport {
        blocks: Blocks<'a>,
    },
    /// SSRCs, four bytes each.
    Bye(&'a [u8]),
    /// Pairs of packet id and bit mask, four bytes each.
    Nack {
        media: u32,
        pairs: &'a [u8],
    },
    Pli {
        media: u32,
    },
    /// Entries of SSRC, command number and three reserved bytes.
    Fir {
        entries: &'a [u8],
    },
    /// From the base sequence number on.
    TransportCc(&'a [u8]),
    /// Well formed, nothing for us.
    Other,
}

/// Report blocks of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks<'a>(&'a [u8]);

impl Blocks<'_> {
    pub fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        self.0.chunks_exact(BLOCK).map(|b| Block {
            ssrc: be32(b, 0),
            fraction_lost: b[4],
            lost: (be32(b, 4) << 8) as i32 >> 8,
            highest_seq: be32(b, 8),
            jitter: be32(b, 12),
            last_sr: be32(b, 16),
            delay: be32(b, 20),
        })
    }
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// A part that does not hold what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The parts of a plain compound. A length that reaches past the end ends the walk with one `Malformed`.
pub(super) fn parts(compound: &[u8]) -> impl Iterator<Item = Result<Part<'_>, Malformed>> {
    let mut rest = compound;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = std::mem::take(&mut rest);
        if whole.len() < 4 || whole[0] >> 6 != 2 {
            return Some(Err(Malformed));
        }
        let len = 4 + 4 * usize::from(u16::from_be_bytes([whole[2], whole[3]]));
        if len > whole.len() {
            return Some(Err(Malformed));
        }
        rest = &whole[len..];
        Some(part(&whole[..len]).ok_or(Malformed))
    })
}

fn part(b: &[u8]) -> Option<Part<'_>> {
    let (count, kind) = (usize::from(b[0] & 31), b[1]);
    let mut body = &b[4..];
    if b[0] & 0x20 != 0 {
        let pad = usize::from(*body.last()?);
        body = body.get(..body.len().checked_sub(pad).filter(|_| pad > 0)?)?;
    }
    Some(match kind {
        SENDER_REPORT => {
            let (info, rest) = body.split_first_chunk::<24>()?;
            let report = SenderReport {
                ssrc: be32(info, 0),
                ntp: (u64::from(be32(info, 4)) << 32) | u64::from(be32(info, 8)),
                rtp: be32(info, 12),
            };
            Part::SenderReport { report, blocks: Blocks(rest.get(..count * BLOCK)?) }
        }
        RECEIVER_REPORT => Part::ReceiverReport { blocks: Blocks(body.get(4..4 + count * BLOCK)?) },
        GOODBYE => Part::Bye(body.get(..4 * count)?),
        TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK => {
            let (head, fci) = body.split_first_chunk::<8>()?;
            let media = be32(head, 4);
            match (kind, count as u8) {
                (TRANSPORT_FEEDBACK, NACK) => Part::Nack { media, pairs: fci },
                (TRANSPORT_FEEDBACK, TRANSPORT_CC) => Part::TransportCc(fci),
                (PAYLOAD_FEEDBACK, PLI) => Part::Pli { media },
                (PAYLOAD_FEEDBACK, FIR) => Part::Fir { entries: fci },
                _ => Part::Other,
            }
        }
        _ => Part::Other,
    })
}

/// The sequence numbers that NACK pairs name.
pub(super) fn nacked(pairs: &[u8]) -> impl Iterator<Item = u16> + '_ {
    pairs.chunks_exact(4).flat_map(|p| {
        let (pid, mask) = (u16::from_be_bytes([p[0], p[1]]), u16::from_be_bytes([p[2], p[3]]));
        let rest = (0..16).filter(move |i| mask & (1 << i) != 0).map(move |i| pid.wrapping_add(i + 1));
        std::iter::once(pid).chain(rest)
    })
}

/// The SSRCs of FIR entries.
pub(super) fn fir_ssrcs(entries: &[u8]) -> impl Iterator<Item = u32> + '_ {
    entries.chunks_exact(8).map(|e| be32(e, 0))
}

/// The SSRCs of a BYE.
pub(super) fn bye_ssrcs(list: &[u8]) -> impl Iterator<Item = u32> + '_ {
    list.chunks_exact(4).map(|e| be32(e, 0))
}

// ---- writing

/// Sender's part of a sender report.
#[derive(Clone, Copy, Debug)]
pub(super) struct SenderInfo {
    pub ntp: u64,
    pub rtp: u32,
    pub packets: u32,
    pub octets: u32,
}

fn header(out: &mut Vec<u8>, count: usize, kind: u8, body: usize) {
    debug_assert!(count <= MAX_BLOCKS && body.is_multiple_of(4));
    let words = ((body / 4) as u16).to_be_bytes();
    out.extend_from_slice(&[0x80 | count as u8, kind, words[0], words[1]]);
}

fn put(out: &mut Vec<u8>, words: &[u32]) {
    for w in words {
        out.extend_from_slice(&w.to_be_bytes());
    }
}

/// A sender report if there is sender info, else a receiver report. At most [`MAX_BLOCKS`] blocks are written.
pub(super) fn write_report(out: &mut Vec<u8>, ssrc: u32, info: Option<&SenderInfo>, blocks: &[Block]) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let kind = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    header(out, blocks.len(), kind, 4 + if info.is_some() { 20 } else { 0 } + blocks.len() * BLOCK);
    put(out, &[ssrc]);
    if let Some(i) = info {
        put(out, &[(i.ntp >> 32) as u32, i.ntp as u32, i.rtp, i.packets, i.octets]);
    }
    for b in blocks {
        let lost = b.lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        put(out, &[b.ssrc, (u32::from(b.fraction_lost) << 24) | lost, b.highest_seq, b.jitter, b.last_sr, b.delay]);
    }
}

/// A source description with the CNAME only; every compound with a report has one (RFC 3550 §6.1).
pub(super) fn write_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let name = &cname.as_bytes()[..cname.len().min(255)];
    // At least one zero byte ends the list of items.
    let body = (4 + 2 + name.len() + 1).next_multiple_of(4);
    header(out, 1, DESCRIPTION, body);
    let start = out.len();
    put(out, &[ssrc]);
    out.extend_from_slice(&[1, name.len() as u8]);
    out.extend_from_slice(name);
    out.resize(start + body, 0);
}

/// Generic NACK for ascending sequence numbers. Writes several packets when one cannot hold them.
pub(super) fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, seqs: &[u16]) {
    let mut pairs: Vec<(u16, u16)> = vec![];
    for &s in seqs {
        match pairs.last_mut() {
            Some((pid, mask)) if (1..=16).contains(&s.wrapping_sub(*pid)) => *mask |= 1 << (s.wrapping_sub(*pid) - 1),
            _ => pairs.push((s, 0)),
        }
    }
    for pairs in pairs.chunks(MAX_NACK_PAIRS) {
        header(out, usize::from(NACK), TRANSPORT_FEEDBACK, 8 + 4 * pairs.len());
        put(out, &[sender, media]);
        for (pid, mask) in pairs {
            put(out, &[(u32::from(*pid) << 16) | u32::from(*mask)]);
        }
    }
}

/// Picture loss indication.
pub(super) fn write_pli(out: &mut Vec<u8>, sender: u32, media: u32) {
    header(out, usize::from(PLI), PAYLOAD_FEEDBACK, 8);
    put(out, &[sender, media]);
}

/// Goodbye of one source.
pub(super) fn write_bye(out: &mut Vec<u8>, ssrc: u32) {
    header(out, 1, GOODBYE, 4);
    put(out, &[ssrc]);
}

/// Head of a transport-cc feedback packet; the caller appends the feedback and calls [`end_transport_cc`].
pub(super) fn begin_transport_cc(out: &mut Vec<u8>, sender: u32, media: u32) {
    header(out, usize::from(TRANSPORT_CC), TRANSPORT_FEEDBACK, 0);
    put(out, &[sender, media]);
}

/// Pads to whole words and writes the length of the packet that begins at `start`.
pub(super) fn end_transport_cc(out: &mut Vec<u8>, start: usize) {
    let pad = (out.len() - start).next_multiple_of(4) - (out.len() - start);
    if pad > 0 {
        out.resize(out.len() + pad - 1, 0);
        out.push(pad as u8);
        out[start] |= 0x20;
    }
    let words = (((out.len() - start) / 4 - 1) as u16).to_be_bytes();
    out[start + 2..start + 4].copy_from_slice(&words);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(b: &[u8]) -> Vec<Result<Part<'_>, Malformed>> {
        parts(b).collect()
    }

    const BLOCK_1: Block =
        Block { ssrc: 5, fraction_lost: 6, lost: -7, highest_seq: 8, jitter: 9, last_sr: 10, delay: 11 };

    #[test]
    fn what_is_written_reads_back() {
        let mut b = vec![];
        let info = SenderInfo { ntp: 0x0102_0304_0506_0708, rtp: 3, packets: 4, octets: 5 };
        write_report(&mut b, 1, Some(&info), &[BLOCK_1, BLOCK_1]);
        write_cname(&mut b, 1, "name");
        write_report(&mut b, 1, None, &[BLOCK_1]);
        write_nack(&mut b, 1, 2, &[65534, 65535, 0, 14, 15, 40]);
        write_pli(&mut b, 1, 2);
        write_bye(&mut b, 77);
        let p = all(&b);
        assert_eq!(p.len(), 6);
        let Ok(Part::SenderReport { report, blocks }) = p[0] else { panic!("{p:?}") };
        assert_eq!(report, SenderReport { ssrc: 1, ntp: info.ntp, rtp: 3 });
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [BLOCK_1, BLOCK_1]);
        assert_eq!(p[1], Ok(Part::Other));
        let Ok(Part::ReceiverReport { blocks }) = p[2] else { panic!("{p:?}") };
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [BLOCK_1]);
        let Ok(Part::Nack { media: 2, pairs }) = p[3] else { panic!("{p:?}") };
        assert_eq!(nacked(pairs).collect::<Vec<_>>(), [65534, 65535, 0, 14, 15, 40]);
        assert_eq!(p[4], Ok(Part::Pli { media: 2 }));
        let Ok(Part::Bye(list)) = p[5] else { panic!("{p:?}") };
        assert_eq!(bye_ssrcs(list).collect::<Vec<_>>(), [77]);
    }

    #[test]
    fn a_bad_part_does_not_lose_the_rest() {
        let mut b = vec![];
        // A report that claims a block it does not have, a feedback too short, an unknown type.
        b.extend_from_slice(&[0x81, 201, 0, 1, 0, 0, 0, 1]);
        b.extend_from_slice(&[0x81, 205, 0, 1, 0, 0, 0, 1]);
        b.extend_from_slice(&[0x80, 210, 0, 0]);
        write_pli(&mut b, 1, 2);
        assert_eq!(all(&b), [Err(Malformed), Err(Malformed), Ok(Part::Other), Ok(Part::Pli { media: 2 })]);
        // A length past the end ends the walk.
        b.extend_from_slice(&[0x80, 201, 0, 9]);
        assert_eq!(all(&b).len(), 5);
        assert_eq!(all(&b)[4], Err(Malformed));
    }

    #[test]
    fn every_truncation_is_walked_without_panic() {
        let mut b = vec![];
        write_report(&mut b, 1, None, &[BLOCK_1; MAX_BLOCKS + 1]);
        assert_eq!(b.len(), 8 + MAX_BLOCKS * BLOCK);
        write_nack(&mut b, 1, 2, &(0..4000).step_by(17).collect::<Vec<u16>>());
        for n in 0..b.len() {
            let _ = all(&b[..n]);
        }
        let named: usize = parts(&b)
            .map(|p| match p {
                Ok(Part::Nack { pairs, .. }) => {
                    assert!(pairs.len() <= 4 * MAX_NACK_PAIRS);
                    nacked(pairs).count()
                }
                _ => 0,
            })
            .sum();
        assert_eq!(named, 4000usize.div_ceil(17));
    }

    #[test]
    fn fir_names_its_sources() {
        let b = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 42, 1, 0, 0, 0];
        let p = all(&b);
        let Ok(Part::Fir { entries }) = p[0] else { panic!("{p:?}") };
        assert_eq!(fir_ssrcs(entries).collect::<Vec<_>>(), [42]);
    }
}
