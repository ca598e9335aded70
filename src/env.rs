//! What a machine may ask of the world beside time: randomness (design §4). Everything else is an input.

use sha2::{Digest, Sha256};

/// A source of random bytes. The driver gives the operating system's; tests give a seeded one.
pub trait Random: Send {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// Randomness and the ids made from it.
pub struct Env {
    random: Box<dyn Random>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Env")
    }
}

impl Env {
    /// An environment over the given random source.
    pub fn new(random: impl Random + 'static) -> Env {
        Env { random: Box::new(random) }
    }

    /// A repeatable environment: the same seed gives the same bytes. For tests and simulation only, it is predictable.
    pub fn seeded(seed: u64) -> Env {
        Env::new(SplitMix(seed))
    }

    /// Another environment, seeded from this one: each machine has its own, and a replay gives the same.
    pub fn fork(&mut self) -> Env {
        let mut key = [0; 32];
        self.fill(&mut key);
        Env::new(Keyed { key, counter: 0, block: [0; 32], used: 32 })
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.random.fill(out);
    }

    /// A random 32-bit number.
    pub fn u32(&mut self) -> u32 {
        let mut b = [0; 4];
        self.fill(&mut b);
        u32::from_le_bytes(b)
    }

    /// A random 64-bit number.
    pub fn u64(&mut self) -> u64 {
        let mut b = [0; 8];
        self.fill(&mut b);
        u64::from_le_bytes(b)
    }

    /// A number in `0..n` (0 when `n` is 0). The bias is below 2⁻³² for every `n` used here.
    pub fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.u32()) * u64::from(n)) >> 32) as u32
    }

    /// An SSRC that is neither 0 nor in `taken`.
    pub fn ssrc(&mut self, mut taken: impl FnMut(u32) -> bool) -> u32 {
        loop {
            let n = self.u32();
            if n != 0 && !taken(n) {
                return n;
            }
        }
    }

    /// `digits` random lower-case hexadecimal digits: endpoint ids (8, docs/protocol/03 §2), P2P session ids (12, 02 §14).
    pub fn hex(&mut self, digits: usize) -> String {
        let mut bytes = vec![0; digits.div_ceil(2)];
        self.fill(&mut bytes);
        let mut s: String =
            bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|n| char::from(HEX[usize::from(n)])).collect();
        s.truncate(digits);
        s
    }

    /// `len` random letters and digits (6 bits each but for two symbols folded in): ICE user names and passwords (RFC 8445 §5.3).
    pub fn alphanumeric(&mut self, len: usize) -> String {
        let mut out = String::with_capacity(len);
        let mut b = [0; 1];
        while out.len() < len {
            self.fill(&mut b);
            // 248 = 4 × 62: values past it would favour the first letters.
            if b[0] < 248 {
                out.push(char::from(ALNUM[usize::from(b[0] % 62)]));
            }
        }
        out
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
const ALNUM: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// SHA-256 over a key and a counter: as unpredictable as its key.
struct Keyed {
    key: [u8; 32],
    counter: u64,
    /// The newest block, and how much of it was given: most ask for less than one.
    block: [u8; 32],
    used: usize,
}

impl Random for Keyed {
    fn fill(&mut self, out: &mut [u8]) {
        let mut rest = out;
        while !rest.is_empty() {
            if self.used == self.block.len() {
                let hash = Sha256::new().chain_update(self.key).chain_update(self.counter.to_le_bytes());
                (self.block, self.used) = (hash.finalize().into(), 0);
                self.counter += 1;
            }
            let n = rest.len().min(self.block.len() - self.used);
            let (now, later) = rest.split_at_mut(n);
            now.copy_from_slice(&self.block[self.used..][..n]);
            self.used += n;
            rest = later;
        }
    }
}

struct SplitMix(u64);

impl Random for SplitMix {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            let z = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&z[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut a, mut b) = (Env::seeded(7), Env::seeded(7));
        assert_eq!(a.hex(8), b.hex(8));
        assert_eq!(a.alphanumeric(24), b.alphanumeric(24));
        assert_eq!(a.hex(5).len(), 5);
        assert!(a.alphanumeric(200).bytes().all(|b| b.is_ascii_alphanumeric()));
    }

    #[test]
    fn what_a_fork_gives_does_not_depend_on_how_it_is_asked() {
        let fork = || Env::seeded(3).fork();
        let (mut whole, mut parts) = (fork(), fork());
        let mut want = [0; 100];
        whole.fill(&mut want);
        let mut got = [0; 100];
        [0..1, 1..32, 32..33, 33..97, 97..100].into_iter().for_each(|part| parts.fill(&mut got[part]));
        assert_eq!(got, want);
        assert!(want.chunks(32).is_sorted_by(|a, b| a != b), "no block comes twice");
    }

    #[test]
    fn an_ssrc_is_never_zero_or_taken() {
        struct Fixed(Vec<u32>);
        impl Random for Fixed {
            fn fill(&mut self, out: &mut [u8]) {
                out.copy_from_slice(&self.0.remove(0).to_le_bytes());
            }
        }
        let mut env = Env::new(Fixed(vec![0, 5, 6]));
        assert_eq!(env.ssrc(|n| n == 5), 6);
    }
}
