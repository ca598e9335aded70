//! Redundant audio (RFC 2198): a packet carries the newest frame and some before it, with which gaps are filled
//! (docs/protocol/04 §14). Read only; we send none.

use bytes::Bytes;

/// Blocks of one packet that are read; Jitsi's clients send one redundant block.
pub const MAX_BLOCKS: usize = 8;

/// One block: a frame as it would be in a packet of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub pt: u8,
    /// How much older than the packet's RTP time it is, in ticks.
    pub offset: u16,
    pub data: Bytes,
}

/// The blocks of a packet, the oldest first, the primary last. `None` when it is cut short or has too many.
pub fn parse(payload: &Bytes) -> Option<Vec<Block>> {
    let (mut heads, mut at) = (Vec::new(), 0);
    let primary = loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            at += 1;
            break first;
        }
        let h = payload.get(at..at + 4)?;
        if heads.len() + 1 >= MAX_BLOCKS {
            return None;
        }
        let offset = u16::from(h[1]) << 6 | u16::from(h[2] >> 2);
        let len = usize::from(h[2] & 3) << 8 | usize::from(h[3]);
        heads.push((first & 0x7f, offset, len));
        at += 4;
    };
    let mut blocks = Vec::with_capacity(heads.len() + 1);
    for (pt, offset, len) in heads {
        let end = at.checked_add(len).filter(|e| *e <= payload.len())?;
        blocks.push(Block { pt, offset, data: payload.slice(at..end) });
        at = end;
    }
    blocks.push(Block { pt: primary, offset: 0, data: payload.slice(at..) });
    Some(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;

    fn read(b: &[u8]) -> Option<Vec<(u8, u16, Vec<u8>)>> {
        let blocks = parse(&Bytes::copy_from_slice(b))?;
        Some(blocks.into_iter().map(|b| (b.pt, b.offset, b.data.to_vec())).collect())
    }

    #[test]
    fn blocks_as_jitsi_s_client_writes_them() {
        assert_eq!(read(&[0x6f, 0xde]), Some(vec![(111, 0, vec![0xde])]));
        let two = [0xef, 0x0f, 0x00, 0x01, 0x6f, 0xde, 0xad, 0xbe];
        assert_eq!(read(&two), Some(vec![(111, 960, vec![0xde]), (111, 0, vec![0xad, 0xbe])]));
        let three = [0xef, 0x1e, 0x00, 0x01, 0xef, 0x0f, 0x00, 0x02, 0x6f, 1, 2, 3, 4];
        assert_eq!(read(&three), Some(vec![(111, 1920, vec![1]), (111, 960, vec![2, 3]), (111, 0, vec![4])]));
        // Nothing to say: silence in the primary.
        assert_eq!(read(&[0x6f]), Some(vec![(111, 0, vec![])]));
    }

    #[test]
    fn what_is_cut_short_or_has_too_many_blocks_is_refused() {
        for bad in [&[][..], &[0xef], &[0xef, 0, 0, 1], &[0xef, 0, 0, 1, 0x6f], &[0xef, 0, 3, 0xff, 0x6f, 1]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        let many = |n: usize| [[0xef, 0, 0, 0].repeat(n - 1), vec![0x6f, 1]].concat();
        assert_eq!(read(&many(MAX_BLOCKS)).map(|b| b.len()), Some(MAX_BLOCKS));
        assert_eq!(read(&many(MAX_BLOCKS + 1)), None);
    }

    #[test]
    fn any_bytes_are_borne() {
        let mut env = Env::seeded(1);
        for _ in 0..20_000 {
            let mut b = vec![0; env.below(40) as usize];
            env.fill(&mut b);
            if let Some(blocks) = parse(&Bytes::from(b.clone())) {
                assert!(blocks.len() <= MAX_BLOCKS && blocks.iter().map(|b| b.data.len()).sum::<usize>() <= b.len());
            }
        }
    }
}
