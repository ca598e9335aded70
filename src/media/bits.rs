//! Bits of codec headers, most significant first; `None` past the end.

/// A reader of bits.
#[derive(Clone, Debug)]
pub struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    /// From the first bit.
    pub fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { data, at: 0 }
    }

    /// Bits read so far.
    pub fn position(&self) -> usize {
        self.at
    }

    /// One bit.
    pub fn bit(&mut self) -> Option<bool> {
        let byte = *self.data.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit != 0)
    }

    /// A number of at most 32 bits.
    pub fn take(&mut self, n: u32) -> Option<u32> {
        let mut v = 0;
        for _ in 0..n.min(32) {
            v = (v << 1) | u32::from(self.bit()?);
        }
        Some(v)
    }

    /// Passes over bits.
    pub fn skip(&mut self, n: u32) -> Option<()> {
        self.at = self.at.checked_add(n as usize)?;
        (self.at <= self.data.len() * 8).then_some(())
    }

    /// H.264's unsigned Exp-Golomb code (H.264 §9.1).
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1_u64 << zeros) - 1) as u32 + self.take(zeros)?)
    }

    /// H.264's signed Exp-Golomb code.
    pub fn se(&mut self) -> Option<i32> {
        let v = i64::from(self.ue()?);
        Some(if v % 2 == 0 { -v / 2 } else { (v + 1) / 2 } as i32)
    }

    /// A number of `0..n` in as few bits as that takes (AV1 specification, `ns(n)`).
    pub fn below(&mut self, n: u32) -> Option<u32> {
        let w = 32 - n.leading_zeros();
        if w == 0 {
            return None;
        }
        let m = (1_u64 << w) as u32 as u64;
        let m = (m - u64::from(n)) as u32;
        let v = self.take(w - 1)?;
        if v < m {
            return Some(v);
        }
        Some((v << 1) - m + u32::from(self.bit()?))
    }
}

/// A writer of bits.
#[derive(Clone, Debug, Default)]
pub struct BitsOut {
    out: Vec<u8>,
    used: u32,
}

impl BitsOut {
    /// Adds the lowest `n` bits of a number.
    pub fn put(&mut self, v: u32, n: u32) {
        for i in (0..n.min(32)).rev() {
            if self.used.is_multiple_of(8) {
                self.out.push(0);
            }
            if let Some(last) = self.out.last_mut() {
                *last |= ((v >> i & 1) as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }

    /// Adds a number of `0..n` (AV1's `ns(n)`).
    pub fn put_below(&mut self, v: u32, n: u32) {
        let w = 32 - n.leading_zeros();
        let m = ((1_u64 << w) - u64::from(n)) as u32;
        if v < m {
            self.put(v, w.saturating_sub(1));
        } else {
            self.put(v + m, w);
        }
    }

    /// The bytes, the last one filled with zeros.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_end_where_the_bytes_do() {
        let mut w = BitsOut::default();
        w.put(5, 3);
        w.put(0x1234, 16);
        for n in 1..20 {
            for v in 0..n {
                w.put_below(v, n);
            }
        }
        let bytes = w.finish();
        let mut r = Bits::new(&bytes);
        assert_eq!((r.take(3), r.take(16)), (Some(5), Some(0x1234)));
        for n in 1..20 {
            for v in 0..n {
                assert_eq!(r.below(n), Some(v), "{v} of {n}");
            }
        }
        assert!(r.position() > bytes.len() * 8 - 8);
        assert_eq!(r.take(8), None);
        assert_eq!((r.skip(9), Bits::new(&[]).below(0)), (None, None));
    }

    #[test]
    fn exp_golomb_as_the_standard_lists_it() {
        // 1, 010, 011, 00100, 00101
        let bytes = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut r = Bits::new(&bytes);
        assert_eq!([r.ue(), r.ue(), r.ue(), r.ue(), r.ue()], [Some(0), Some(1), Some(2), Some(3), Some(4)]);
        let mut r = Bits::new(&bytes);
        assert_eq!([r.se(), r.se(), r.se(), r.se(), r.se()], [Some(0), Some(1), Some(-1), Some(2), Some(-2)]);
        assert_eq!(Bits::new(&[0; 8]).ue(), None);
        // The largest: 31 zeros, a one, 31 ones.
        assert_eq!(Bits::new(&[0, 0, 0, 1, 255, 255, 255, 254]).ue(), Some(u32::MAX - 1));
    }
}
