//! Tables by SSRC with a hash that costs a multiplication: the key is one 32-bit number, looked up per packet. Tables are
//! bounded ([`MAX_STREAMS`](super::MAX_STREAMS)), so chosen collisions cost little.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table by SSRC.
pub(super) type SsrcMap<T> = HashMap<u32, T, BuildHasherDefault<SsrcHasher>>;

/// Fibonacci hashing, high half mixed into the low: the table takes its index from low bits, its tag from high ones.
#[derive(Clone, Copy, Default)]
pub(super) struct SsrcHasher(u64);

impl Hasher for SsrcHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u32(u32::from(*b));
        }
    }

    #[inline]
    fn write_u32(&mut self, n: u32) {
        let h = (self.0 ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = h ^ (h >> 32);
    }
}
