//! SRTP and SRTCP (RFC 3711, RFC 7714) on ring, in place.
//!
//! State for an SSRC is made only after a packet of it proved authentic, so forged packets cost no memory; the tables are
//! bounded by the engine, which forgets streams. The profiles are those that `dimpl` negotiates.

use aes::cipher::consts::U16;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt, KeyInit};
use bytes::{BufMut, BytesMut};
use ring::{aead, hmac};

use super::rtp::{Header, unwrap_near};
use super::ssrc_map::SsrcMap;

/// How far behind the newest packet one may be and still be taken (RFC 3711 §3.3.2 asks for 64 at least; RTX asks for more).
pub(super) const REPLAY_WINDOW: u64 = 1024;
const GCM_TAG: usize = 16;
const CM_TAG: usize = 10;
/// The SRTCP trailer: E bit and index.
const TRAILER: usize = 4;
/// Header of an RTCP packet up to the sender's SSRC: the part that stays clear.
const RTCP_CLEAR: usize = 8;
const ENCRYPTED: u32 = 1 << 31;

/// A protection profile (RFC 5764 §4.1.2, RFC 7714 §14.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Profile {
    AeadAes256Gcm,
    AeadAes128Gcm,
    Aes128CmHmacSha1_80,
}

impl Profile {
    fn salt_len(self) -> usize {
        if self == Profile::Aes128CmHmacSha1_80 { 14 } else { 12 }
    }

    fn key_len(self) -> usize {
        if self == Profile::AeadAes256Gcm { 32 } else { 16 }
    }

    /// Bytes of keying material that DTLS must export.
    pub fn material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

/// XORs the counter-mode key stream of `iv` (16-bit block counter in its last two bytes) onto `data`.
fn counter_mode(cipher: &impl BlockEncrypt<BlockSize = U16>, iv: &[u8; 16], data: &mut [u8]) {
    /// Blocks made at once, so that AES units work in parallel.
    const AT_ONCE: usize = 8;
    let mut counter = u16::from_be_bytes([iv[14], iv[15]]);
    for chunk in data.chunks_mut(16 * AT_ONCE) {
        let mut blocks = [GenericArray::from(*iv); AT_ONCE];
        for b in &mut blocks {
            b[14..].copy_from_slice(&counter.to_be_bytes());
            counter = counter.wrapping_add(1);
        }
        let used = &mut blocks[..chunk.len().div_ceil(16)];
        cipher.encrypt_blocks(used);
        for (d, k) in chunk.iter_mut().zip(used.iter().flatten()) {
            *d ^= k;
        }
    }
}

enum Keys {
    Gcm(Box<aead::LessSafeKey>),
    Cm(Box<(aes::Aes128, hmac::Key)>),
}

/// One direction of RTP or RTCP.
struct Context {
    keys: Keys,
    salt: [u8; 14],
}

/// The key of the packet: what the initialisation vector is made from, and the four bytes authenticated after it.
struct Index {
    ssrc: u32,
    index: u64,
    /// ROC (RTP; not sent) or E bit and index (RTCP; sent).
    tail: [u8; 4],
}

impl Context {
    /// Derives session keys (RFC 3711 §4.3.1, key derivation rate 0); `label` is the one of encryption.
    fn new(profile: Profile, key: &[u8], salt: &[u8], label: u8) -> Option<Context> {
        let derive = |label: u8, out: &mut [u8]| {
            let mut iv = [0; 16];
            iv[..salt.len()].copy_from_slice(salt);
            iv[7] ^= label;
            match key.len() {
                16 => counter_mode(&aes::Aes128::new(GenericArray::from_slice(key)), &iv, out),
                _ => counter_mode(&aes::Aes256::new(GenericArray::from_slice(key)), &iv, out),
            }
        };
        let (mut k, mut auth, mut s) = ([0; 32], [0; 20], [0; 14]);
        let k = &mut k[..profile.key_len()];
        derive(label, k);
        derive(label + 1, &mut auth);
        derive(label + 2, &mut s[..profile.salt_len()]);
        let gcm =
            |alg, k: &[u8]| Some(Keys::Gcm(Box::new(aead::LessSafeKey::new(aead::UnboundKey::new(alg, k).ok()?))));
        let keys = match profile {
            Profile::AeadAes256Gcm => gcm(&aead::AES_256_GCM, k)?,
            Profile::AeadAes128Gcm => gcm(&aead::AES_128_GCM, k)?,
            Profile::Aes128CmHmacSha1_80 => {
                let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth);
                Keys::Cm(Box::new((aes::Aes128::new(GenericArray::from_slice(k)), mac)))
            }
        };
        Some(Context { keys, salt: s })
    }

    /// RFC 7714 §8.1.
    #[inline]
    fn gcm_nonce(&self, i: &Index) -> aead::Nonce {
        // In two words: the cipher reads it in two, and a load that spans several smaller stores waits until they have left.
        let high = (u64::from(i.ssrc) << 16) | ((i.index >> 32) & 0xffff);
        let high_salt = self.salt.first_chunk().map_or(0, |s| u64::from_be_bytes(*s));
        let low_salt = self.salt[8..].first_chunk().map_or(0, |s| u32::from_be_bytes(*s));
        let mut iv = [0; 12];
        iv[..8].copy_from_slice(&(high ^ high_salt).to_be_bytes());
        iv[8..].copy_from_slice(&(i.index as u32 ^ low_salt).to_be_bytes());
        aead::Nonce::assume_unique_for_key(iv)
    }

    /// RFC 3711 §4.1.1.
    fn cm_iv(&self, i: &Index) -> [u8; 16] {
        let mut iv = [0; 16];
        iv[4..8].copy_from_slice(&i.ssrc.to_be_bytes());
        iv[8..14].copy_from_slice(&i.index.to_be_bytes()[2..]);
        iv.iter_mut().zip(self.salt).for_each(|(v, s)| *v ^= s);
        iv
    }

    /// Encrypts the packet `b[start..]`, whose first `clear` bytes are authenticated only, and appends tag and, for RTCP, trailer.
    #[inline]
    fn seal(&self, b: &mut Vec<u8>, start: usize, clear: usize, i: &Index, rtcp: bool) -> bool {
        match &self.keys {
            Keys::Gcm(key) => {
                let (head, body) = b[start..].split_at_mut(clear);
                let nonce = self.gcm_nonce(i);
                let tag = if rtcp {
                    key.seal_in_place_separate_tag(nonce, aead::Aad::from(rtcp_aad(head, i.tail)), body)
                } else {
                    key.seal_in_place_separate_tag(nonce, aead::Aad::from(&*head), body)
                };
                let Ok(tag) = tag else { return false };
                b.extend_from_slice(tag.as_ref());
                if rtcp {
                    b.extend_from_slice(&i.tail);
                }
            }
            Keys::Cm(keys) => {
                let (cipher, mac) = &**keys;
                counter_mode(cipher, &self.cm_iv(i), &mut b[start + clear..]);
                let tag = cm_tag(mac, &b[start..], &[], i.tail);
                if rtcp {
                    b.extend_from_slice(&i.tail);
                }
                b.extend_from_slice(&tag[..CM_TAG]);
            }
        }
        true
    }

    /// The reverse: `wire[..clear]` is the header, `wire` ends with the tag (the RTCP trailer is already cut off, `tail`
    /// holds it). The plain body is appended to `out`, whose length is unchanged on failure.
    #[inline]
    fn open(&self, out: &mut BytesMut, wire: &[u8], tag: &[u8], clear: usize, i: &Index, rtcp: bool) -> bool {
        let start = out.len();
        let (head, body) = wire.split_at(clear);
        let ok = match &self.keys {
            Keys::Gcm(key) => {
                out.put_slice(body);
                out.put_slice(tag);
                let (nonce, text) = (self.gcm_nonce(i), &mut out[start..]);
                let plain = if rtcp {
                    key.open_in_place(nonce, aead::Aad::from(rtcp_aad(head, i.tail)), text)
                } else {
                    key.open_in_place(nonce, aead::Aad::from(head), text)
                };
                plain.is_ok()
            }
            Keys::Cm(keys) => {
                let (cipher, mac) = &**keys;
                let want = cm_tag(mac, head, body, i.tail);
                let ok = rtc_crypto::constant_time_eq(&want[..CM_TAG], tag);
                if ok {
                    out.put_slice(body);
                    counter_mode(cipher, &self.cm_iv(i), &mut out[start..]);
                }
                ok
            }
        };
        out.truncate(if ok { start + body.len() } else { start });
        ok
    }

    fn tag_len(&self) -> usize {
        match self.keys {
            Keys::Gcm(_) => GCM_TAG,
            Keys::Cm(..) => CM_TAG,
        }
    }
}

fn rtcp_aad(head: &[u8], tail: [u8; 4]) -> [u8; RTCP_CLEAR + TRAILER] {
    let mut aad = [0; RTCP_CLEAR + TRAILER];
    aad[..RTCP_CLEAR].copy_from_slice(head);
    aad[RTCP_CLEAR..].copy_from_slice(&tail);
    aad
}

fn cm_tag(key: &hmac::Key, a: &[u8], b: &[u8], tail: [u8; 4]) -> [u8; 20] {
    let mut mac = hmac::Context::with_key(key);
    mac.update(a);
    mac.update(b);
    mac.update(&tail);
    let mut out = [0; 20];
    out.copy_from_slice(mac.sign().as_ref());
    out
}

/// The newest index of a stream and which of those before it were seen.
struct Replay {
    top: u64,
    seen: [u64; (REPLAY_WINDOW / 64) as usize],
}

impl Replay {
    fn first(index: u64) -> Replay {
        let mut r = Replay { top: index, seen: Default::default() };
        r.mark(index);
        r
    }

    #[inline]
    fn bit(index: u64) -> (usize, u64) {
        ((index % REPLAY_WINDOW / 64) as usize, 1 << (index % 64))
    }

    #[inline]
    fn fresh(&self, index: u64) -> bool {
        let (word, bit) = Self::bit(index);
        index > self.top || (index + REPLAY_WINDOW > self.top && self.seen[word] & bit == 0)
    }

    #[inline]
    fn mark(&mut self, index: u64) {
        if index > self.top {
            for s in index.saturating_sub(REPLAY_WINDOW - 1).max(self.top + 1)..index + 1 {
                let (word, bit) = Self::bit(s);
                self.seen[word] &= !bit;
            }
            self.top = index;
        }
        let (word, bit) = Self::bit(index);
        self.seen[word] |= bit;
    }
}

/// Both directions of one DTLS-SRTP session.
pub(super) struct Srtp {
    tx: Context,
    tx_rtcp: Context,
    rx: Context,
    rx_rtcp: Context,
    sent: SsrcMap<u64>,
    sent_rtcp: SsrcMap<u32>,
    got: SsrcMap<Replay>,
    got_rtcp: SsrcMap<Replay>,
}

impl Srtp {
    /// From exported keying material (RFC 5764 §4.2); `client`: we were the DTLS client. `None` if it has the wrong length.
    pub fn new(p: Profile, material: &[u8], client: bool) -> Option<Srtp> {
        if material.len() != p.material_len() {
            return None;
        }
        let (client_key, rest) = material.split_at(p.key_len());
        let (server_key, rest) = rest.split_at(p.key_len());
        let (client_salt, server_salt) = rest.split_at(p.salt_len());
        let (mut tx, mut rx) = ((client_key, client_salt), (server_key, server_salt));
        if !client {
            std::mem::swap(&mut tx, &mut rx);
        }
        Some(Srtp {
            tx: Context::new(p, tx.0, tx.1, 0)?,
            tx_rtcp: Context::new(p, tx.0, tx.1, 3)?,
            rx: Context::new(p, rx.0, rx.1, 0)?,
            rx_rtcp: Context::new(p, rx.0, rx.1, 3)?,
            sent: SsrcMap::default(),
            sent_rtcp: SsrcMap::default(),
            got: SsrcMap::default(),
            got_rtcp: SsrcMap::default(),
        })
    }

    /// What protection adds to an RTP packet.
    #[inline]
    pub fn overhead(&self) -> usize {
        self.tx.tag_len()
    }

    /// Protects the RTP packet `b[start..]` (a header of `header_len` bytes, and payload) in place.
    #[inline]
    pub fn protect(&mut self, ssrc: u32, seq: u16, header_len: usize, b: &mut Vec<u8>, start: usize) -> bool {
        let top = self.sent.entry(ssrc).or_insert(u64::from(seq));
        let index = unwrap_near(*top, seq).unwrap_or(u64::from(seq));
        *top = index.max(*top);
        let i = Index { ssrc, index, tail: ((index >> 16) as u32).to_be_bytes() };
        self.tx.seal(b, start, header_len, &i, false)
    }

    /// Appends the plain body of the RTP packet `wire` to `out`. Says whether it is the newest packet of its stream, or
    /// `None` (and `out` is as before) when it is forged, replayed or too old.
    #[inline]
    pub fn unprotect(&mut self, h: &Header, wire: &[u8], out: &mut BytesMut) -> Option<bool> {
        let known = self.got.get_mut(&h.ssrc);
        let index = match &known {
            None => u64::from(h.seq),
            Some(r) => unwrap_near(r.top, h.seq).filter(|i| r.fresh(*i))?,
        };
        let i = Index { ssrc: h.ssrc, index, tail: ((index >> 16) as u32).to_be_bytes() };
        let end = wire.len().checked_sub(self.rx.tag_len()).filter(|e| *e >= h.len)?;
        if !self.rx.open(out, &wire[..end], &wire[end..], h.len, &i, false) {
            return None;
        }
        Some(match known {
            Some(r) => {
                let newest = index > r.top;
                r.mark(index);
                newest
            }
            None => {
                self.got.insert(h.ssrc, Replay::first(index));
                true
            }
        })
    }

    /// Protects an RTCP compound in place.
    pub fn protect_rtcp(&mut self, b: &mut Vec<u8>) -> bool {
        let Some(ssrc) = rtcp_ssrc(b) else { return false };
        let n = self.sent_rtcp.entry(ssrc).or_insert(0);
        *n = (*n + 1) & !ENCRYPTED;
        let i = Index { ssrc, index: u64::from(*n), tail: (*n | ENCRYPTED).to_be_bytes() };
        self.tx_rtcp.seal(b, 0, RTCP_CLEAR, &i, true)
    }

    /// The plain RTCP compound of `wire`, or `None` when it is forged, replayed or not encrypted.
    pub fn unprotect_rtcp(&mut self, wire: &[u8], out: &mut BytesMut) -> Option<()> {
        let ssrc = rtcp_ssrc(wire)?;
        let tag_len = self.rx_rtcp.tag_len();
        // GCM puts the trailer last (RFC 7714 §9.2), counter mode puts the tag last (RFC 3711 §3.4).
        let end = wire.len().checked_sub(tag_len + TRAILER).filter(|e| *e >= RTCP_CLEAR)?;
        let (tag, tail) = match self.rx_rtcp.keys {
            Keys::Gcm(_) => (&wire[end..end + tag_len], &wire[end + tag_len..]),
            Keys::Cm(..) => (&wire[end + TRAILER..], &wire[end..end + TRAILER]),
        };
        let tail: [u8; 4] = *tail.first_chunk()?;
        let word = u32::from_be_bytes(tail);
        let index = u64::from(word & !ENCRYPTED);
        if word & ENCRYPTED == 0 || self.got_rtcp.get(&ssrc).is_some_and(|r| !r.fresh(index)) {
            return None;
        }
        let i = Index { ssrc, index, tail };
        out.put_slice(&wire[..RTCP_CLEAR]);
        if !self.rx_rtcp.open(out, &wire[..end], tag, RTCP_CLEAR, &i, true) {
            out.truncate(out.len() - RTCP_CLEAR);
            return None;
        }
        self.got_rtcp.entry(ssrc).and_modify(|r| r.mark(index)).or_insert_with(|| Replay::first(index));
        // The SSRC of a compound is the sender's own; a peer that invents them in bulk loses the oldest state of all.
        if self.got_rtcp.len() > super::MAX_STREAMS {
            self.got_rtcp.retain(|s, _| *s == ssrc);
        }
        Some(())
    }

    /// How many SSRCs have receive state.
    pub fn received_streams(&self) -> usize {
        self.got.len()
    }

    /// Whether an SSRC has receive state.
    pub fn receives(&self, ssrc: u32) -> bool {
        self.got.contains_key(&ssrc)
    }

    /// Drops the receive state of an SSRC.
    pub fn forget(&mut self, ssrc: u32) {
        self.got.remove(&ssrc);
        self.got_rtcp.remove(&ssrc);
    }
}

fn rtcp_ssrc(b: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*b.get(4..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Profile; 3] = [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm, Profile::Aes128CmHmacSha1_80];

    fn hex(s: &str) -> Vec<u8> {
        let digits: Vec<u8> = s.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
        digits.chunks(2).map(|p| (p[0] << 4) | p[1]).collect()
    }

    fn pair(p: Profile) -> (Srtp, Srtp) {
        let m: Vec<u8> = (0..p.material_len() as u8).collect();
        (Srtp::new(p, &m, true).expect("client"), Srtp::new(p, &m, false).expect("server"))
    }

    fn packet(ssrc: u32, seq: u16) -> Vec<u8> {
        let mut b = vec![0x80, 100];
        b.extend_from_slice(&seq.to_be_bytes());
        b.extend_from_slice(&7u32.to_be_bytes());
        b.extend_from_slice(&ssrc.to_be_bytes());
        b.extend_from_slice(&[seq as u8; 300]);
        b
    }

    fn protected(s: &mut Srtp, ssrc: u32, seq: u16) -> Vec<u8> {
        let mut b = packet(ssrc, seq);
        assert!(s.protect(ssrc, seq, 12, &mut b, 0));
        assert_eq!(b.len(), packet(ssrc, seq).len() + s.overhead());
        b
    }

    fn open(s: &mut Srtp, wire: &[u8]) -> Option<(Vec<u8>, bool)> {
        let mut out = BytesMut::new();
        let newest = s.unprotect(&Header::parse(wire)?, wire, &mut out)?;
        Some((out.to_vec(), newest))
    }

    /// RFC 3711 appendix B.3: session keys of a master key, cipher key, salt and authentication key.
    #[test]
    fn key_derivation_gives_the_vectors_of_rfc_3711() {
        let prf = aes::Aes128::new(GenericArray::from_slice(&hex("E1F97A0D3E018BE0D64FA32C06DE4139")));
        let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
        let derive = |label: u8, n: usize| {
            let (mut iv, mut out) = ([0; 16], vec![0; n]);
            iv[..14].copy_from_slice(&salt);
            iv[7] ^= label;
            counter_mode(&prf, &iv, &mut out);
            out
        };
        assert_eq!(derive(0, 16), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derive(2, 14), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(derive(1, 20), hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
    }

    /// RFC 3711 appendix B.2: AES counter-mode key stream.
    #[test]
    fn counter_mode_gives_the_vectors_of_rfc_3711() {
        let block = aes::Aes128::new(GenericArray::from_slice(&hex("2B7E151628AED2A6ABF7158809CF4F3C")));
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        let mut out = vec![0; 0xff02 * 16];
        counter_mode(&block, &iv, &mut out);
        assert_eq!(out[..32], hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB"));
        assert_eq!(out[0xff00 * 16..][..16], hex("362B7C3C6773516318A077D7FC5073AE"));
    }

    /// RFC 7714 §16.1.1: AEAD_AES_128_GCM with session key and salt given.
    #[test]
    fn gcm_gives_the_vector_of_rfc_7714() {
        let key = hex("000102030405060708090a0b0c0d0e0f");
        let mut salt = [0; 14];
        salt[..12].copy_from_slice(&hex("517569642070726f2071756f"));
        let unbound = aead::UnboundKey::new(&aead::AES_128_GCM, &key).expect("key");
        let c = Context { keys: Keys::Gcm(Box::new(aead::LessSafeKey::new(unbound))), salt };
        let plain =
            hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976 69736120 696e2070 61727465\
             73207472 6573");
        let mut b = plain.clone();
        let i = Index { ssrc: 0x5501_a0b2, index: 0xf17b, tail: [0; 4] };
        assert!(c.seal(&mut b, 0, 12, &i, false));
        let want = hex(
            "8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5 0d294e6f 42a5f47a 51c7d19b 36de3adf\
             8833899d 7f27beb1 6a9152cf 765ee439 0cce",
        );
        assert_eq!(b, want);
        let mut out = BytesMut::new();
        let end = b.len() - GCM_TAG;
        assert!(c.open(&mut out, &b[..end], &b[end..], 12, &i, false));
        assert_eq!(out[..], plain[12..]);
    }

    #[test]
    fn a_packet_behind_others_is_protected_as_one_alone() {
        for p in ALL {
            let (mut a, mut b) = pair(p);
            let before = [0x55; 40];
            let mut joined = before.to_vec();
            joined.extend_from_slice(&packet(9, 1));
            assert!(a.protect(9, 1, 12, &mut joined, before.len()));
            assert_eq!(joined[..before.len()], before);
            assert_eq!(open(&mut b, &joined[before.len()..]), Some((packet(9, 1)[12..].to_vec(), true)), "{p:?}");
        }
    }

    #[test]
    fn packets_read_back_across_two_rollovers() {
        for p in ALL {
            let (mut a, mut b) = pair(p);
            for n in (0..140_000u32).step_by(7) {
                let seq = n as u16;
                let wire = protected(&mut a, 9, seq);
                assert_eq!(open(&mut b, &wire), Some((packet(9, seq)[12..].to_vec(), true)), "{p:?} {n}");
            }
            assert_eq!(b.got[&9].top >> 16, 2);
        }
    }

    #[test]
    fn a_replayed_packet_is_refused_and_a_late_one_taken_once() {
        for p in ALL {
            let (mut a, mut b) = pair(p);
            let wires: Vec<_> = (0..1100u16).map(|seq| protected(&mut a, 9, seq)).collect();
            assert!(open(&mut b, &wires[10]).is_some());
            assert!(open(&mut b, &wires[10]).is_none());
            assert!(open(&mut b, &wires[1030]).is_some());
            // The oldest index inside the window, and the first one past it.
            assert!(open(&mut b, &wires[7]).is_some_and(|(_, newest)| !newest));
            assert!(open(&mut b, &wires[7]).is_none());
            assert!(open(&mut b, &wires[6]).is_none());
        }
    }

    #[test]
    fn a_changed_bit_is_refused_and_forged_ssrcs_leave_no_state() {
        for p in ALL {
            let (mut a, mut b) = pair(p);
            let wire = protected(&mut a, 9, 1);
            for at in 0..wire.len() {
                let mut bad = wire.clone();
                bad[at] ^= 1;
                assert!(open(&mut b, &bad).is_none(), "{p:?} {at}");
            }
            for n in 0..wire.len() {
                assert!(open(&mut b, &wire[..n]).is_none());
            }
            assert_eq!(b.received_streams(), 0);
            assert!(open(&mut b, &wire).is_some());
            assert_eq!(b.received_streams(), 1);
            b.forget(9);
            assert_eq!(b.received_streams(), 0);
        }
    }

    #[test]
    fn rtcp_reads_back_once_and_only_encrypted() {
        for p in ALL {
            let (mut a, mut b) = pair(p);
            let mut rr = vec![0x80, 201, 0, 7, 0, 0, 0, 5];
            rr.extend_from_slice(&[3; 24]);
            let mut wire = rr.clone();
            assert!(a.protect_rtcp(&mut wire));
            let mut out = BytesMut::new();
            for at in 0..wire.len() {
                let mut bad = wire.clone();
                bad[at] ^= 0x80;
                assert!(b.unprotect_rtcp(&bad, &mut out).is_none(), "{p:?} {at}");
            }
            for n in 0..wire.len() {
                assert!(b.unprotect_rtcp(&wire[..n], &mut out).is_none());
            }
            assert!(out.is_empty() && b.got_rtcp.is_empty());
            assert!(b.unprotect_rtcp(&wire, &mut out).is_some());
            assert_eq!(out[..], rr[..]);
            assert!(b.unprotect_rtcp(&wire, &mut out).is_none());
        }
    }
}
