//! Parts of the engine alone, for the benches: what an engine costs is compared with what its cryptography costs.

use bytes::BytesMut;

use super::rtp::{Fields, Header, write_header};
use super::srtp::{Profile, Srtp};
use crate::media::peer::ExtensionIds;

/// A protection profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpProfile {
    /// AEAD_AES_256_GCM
    Aead256,
    /// AEAD_AES_128_GCM
    Aead128,
    /// AES128_CM_HMAC_SHA1_80
    CounterMode,
}

/// Both ends of an SRTP session whose keys are no secret.
pub struct SrtpPair {
    ends: [Srtp; 2],
    seq: u16,
    wire: Vec<u8>,
    plain: BytesMut,
}

impl SrtpPair {
    /// A session of this profile.
    ///
    /// # Panics
    /// Never: the keys have the length that the profile asks for.
    pub fn new(profile: SrtpProfile) -> SrtpPair {
        let profile = match profile {
            SrtpProfile::Aead256 => Profile::AeadAes256Gcm,
            SrtpProfile::Aead128 => Profile::AeadAes128Gcm,
            SrtpProfile::CounterMode => Profile::Aes128CmHmacSha1_80,
        };
        let material = vec![7; profile.material_len()];
        let ends = [true, false].map(|client| Srtp::new(profile, &material, client).expect("keys of that length"));
        SrtpPair { ends, seq: 0, wire: vec![], plain: BytesMut::new() }
    }

    /// The next packet with this payload, protected: what a datagram holds.
    pub fn protect(&mut self, payload: &[u8]) -> &[u8] {
        self.seq = self.seq.wrapping_add(1);
        let ids = ExtensionIds { abs_send_time: 3, transport_cc: 5, ..ExtensionIds::default() };
        let f = Fields {
            pt: 100,
            marker: true,
            seq: self.seq,
            ts: 0,
            ssrc: 1,
            level: None,
            abs_send_time: 1,
            transport_cc: self.seq,
            extra: None,
            padded: false,
        };
        self.wire.clear();
        write_header(&mut self.wire, &ids, &f);
        let header = self.wire.len();
        self.wire.extend_from_slice(payload);
        self.ends[0].protect(f.ssrc, f.seq, header, &mut self.wire, 0);
        &self.wire
    }

    /// Whether a datagram is authentic and new.
    pub fn unprotect(&mut self, datagram: &[u8]) -> bool {
        self.plain.clear();
        let header = Header::parse(datagram);
        header.is_some_and(|h| self.ends[1].unprotect(&h, datagram, &mut self.plain).is_some())
    }

    /// An RTCP compound of so many bytes, which the receiving end protects: what a datagram holds.
    pub fn protect_rtcp(&mut self, len: usize) -> &[u8] {
        self.wire.clear();
        self.wire.extend_from_slice(&[0x80, 205, 0, 0, 0, 0, 0, 2]);
        self.wire.resize(len.max(8), 0);
        self.ends[1].protect_rtcp(&mut self.wire);
        &self.wire
    }

    /// Whether such a datagram is authentic and new.
    pub fn unprotect_rtcp(&mut self, datagram: &[u8]) -> bool {
        self.plain.clear();
        self.ends[0].unprotect_rtcp(datagram, &mut self.plain).is_some()
    }

    /// One packet protected and unprotected.
    pub fn there_and_back(&mut self, payload: &[u8]) -> bool {
        self.protect(payload);
        let wire = std::mem::take(&mut self.wire);
        let good = self.unprotect(&wire);
        self.wire = wire;
        good
    }
}
