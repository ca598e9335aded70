//! dimpl's cryptography on ring: one crypto library in the tree instead of two.

use std::fmt;

use dimpl::crypto::{
    Aad, ActiveKeyExchange, Buf, Cipher, CryptoProvider, Dtls12CipherSuite, Dtls13CipherSuite, HashAlgorithm,
    HashContext, HashProvider, HmacProvider, KeyProvider, NamedGroup, Nonce, SecureRandom, SignatureAlgorithm,
    SignatureVerifier, SigningKey, SupportedDtls12CipherSuite, SupportedDtls13CipherSuite, SupportedKxGroup, TmpBuf,
    check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation as Op};
use ring::{aead, agreement, digest, hmac, rand, rand::SecureRandom as _, signature};

fn failed(o: Op) -> CryptoError {
    CryptoError::OperationFailed(o)
}

macro_rules! opaque_debug {
    ($($t:ident),*) => {$(
        impl fmt::Debug for $t {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($t))
            }
        }
    )*};
}

opaque_debug!(Aead, Hash, Signer, Exchange);

struct Aead(aead::LessSafeKey);

impl Aead {
    fn boxed(alg: &'static aead::Algorithm, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        let key = aead::UnboundKey::new(alg, key).map_err(|_| failed(Op::CreateCipher))?;
        Ok(Box::new(Aead(aead::LessSafeKey::new(key))))
    }
}

impl Cipher for Aead {
    fn encrypt(&mut self, plaintext: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).map_err(|_| CryptoError::InvalidNonce)?;
        let aad = aead::Aad::from(&aad[..]);
        self.0.seal_in_place_append_tag(nonce, aad, plaintext).map_err(|_| failed(Op::Encrypt))
    }

    fn decrypt(&mut self, ciphertext: &mut TmpBuf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::try_assume_unique_for_key(&nonce).map_err(|_| CryptoError::InvalidNonce)?;
        let aad = aead::Aad::from(&aad[..]);
        let plain = self.0.open_in_place(nonce, aad, ciphertext.as_mut()).map_err(|_| failed(Op::Decrypt))?;
        let len = plain.len();
        ciphertext.truncate(len);
        Ok(())
    }
}

/// One AEAD under its DTLS 1.2 and its 1.3 name.
#[derive(Debug)]
struct Suite {
    v12: Dtls12CipherSuite,
    v13: Dtls13CipherSuite,
    hash: HashAlgorithm,
    aead: &'static aead::Algorithm,
    header_protection: &'static aead::quic::Algorithm,
    /// Fixed and explicit nonce length in DTLS 1.2.
    nonce: (usize, usize),
}

static SUITES: [Suite; 3] = [
    Suite {
        v12: Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
        v13: Dtls13CipherSuite::AES_128_GCM_SHA256,
        hash: HashAlgorithm::SHA256,
        aead: &aead::AES_128_GCM,
        header_protection: &aead::quic::AES_128,
        nonce: (4, 8),
    },
    Suite {
        v12: Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384,
        v13: Dtls13CipherSuite::AES_256_GCM_SHA384,
        hash: HashAlgorithm::SHA384,
        aead: &aead::AES_256_GCM,
        header_protection: &aead::quic::AES_256,
        nonce: (4, 8),
    },
    Suite {
        v12: Dtls12CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256,
        v13: Dtls13CipherSuite::CHACHA20_POLY1305_SHA256,
        hash: HashAlgorithm::SHA256,
        aead: &aead::CHACHA20_POLY1305,
        header_protection: &aead::quic::CHACHA20,
        nonce: (12, 0),
    },
];

impl SupportedDtls12CipherSuite for Suite {
    fn suite(&self) -> Dtls12CipherSuite {
        self.v12
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    fn key_lengths(&self) -> (usize, usize, usize) {
        (0, self.aead.key_len(), self.nonce.0)
    }

    fn explicit_nonce_len(&self) -> usize {
        self.nonce.1
    }

    fn tag_len(&self) -> usize {
        self.aead.tag_len()
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Aead::boxed(self.aead, key)
    }
}

impl SupportedDtls13CipherSuite for Suite {
    fn suite(&self) -> Dtls13CipherSuite {
        self.v13
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.hash
    }

    fn key_len(&self) -> usize {
        self.aead.key_len()
    }

    fn iv_len(&self) -> usize {
        self.aead.nonce_len()
    }

    fn tag_len(&self) -> usize {
        self.aead.tag_len()
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        Aead::boxed(self.aead, key)
    }

    /// RFC 9147 §4.2.3. QUIC's header protection is the same function and would do (two bytes are used), but dimpl's own test
    /// compares a whole AES block, so AES comes from its crate.
    fn encrypt_sn(&self, key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        use aes::cipher::generic_array::GenericArray;
        use aes::cipher::{BlockEncrypt, KeyInit};
        let mut out = *sample;
        let block = GenericArray::from_mut_slice(&mut out);
        if self.nonce.1 == 8 {
            match key.len() {
                16 => aes::Aes128::new(GenericArray::from_slice(key)).encrypt_block(block),
                32 => aes::Aes256::new(GenericArray::from_slice(key)).encrypt_block(block),
                _ => {}
            }
        } else if let Ok(mask) =
            aead::quic::HeaderProtectionKey::new(self.header_protection, key).and_then(|k| k.new_mask(sample))
        {
            out[..mask.len()].copy_from_slice(&mask);
        }
        out
    }
}

struct Hash(digest::Context);

impl HashContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        out.clear();
        out.extend_from_slice(self.0.clone().finish().as_ref());
    }
}

struct Signer(signature::EcdsaKeyPair, rand::SystemRandom);

impl SigningKey for Signer {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            return Err(CryptoError::SigningKeyHashMismatch { key_hash: HashAlgorithm::SHA256, requested: hash });
        }
        let s = self.0.sign(&self.1, data).map_err(|_| failed(Op::Sign))?;
        out.clear();
        out.extend_from_slice(s.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

struct Exchange {
    group: NamedGroup,
    key: agreement::EphemeralPrivateKey,
    public: agreement::PublicKey,
}

impl ActiveKeyExchange for Exchange {
    fn pub_key(&self) -> &[u8] {
        self.public.as_ref()
    }

    fn complete(self: Box<Self>, peer: &[u8], out: &mut Buf) -> Result<(), CryptoError> {
        let peer = agreement::UnparsedPublicKey::new(self.key.algorithm(), peer);
        agreement::agree_ephemeral(self.key, &peer, |secret| {
            out.clear();
            out.extend_from_slice(secret);
        })
        .map_err(|_| CryptoError::InvalidPublicKey(self.group))
    }

    fn group(&self) -> NamedGroup {
        self.group
    }
}

#[derive(Debug)]
struct Group(NamedGroup, &'static agreement::Algorithm);

impl SupportedKxGroup for Group {
    fn name(&self) -> NamedGroup {
        self.0
    }

    fn start_exchange(&self, _: Buf) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let key = agreement::EphemeralPrivateKey::generate(self.1, &rand::SystemRandom::new())
            .map_err(|_| failed(Op::GenerateEphemeralKey))?;
        let public = key.compute_public_key().map_err(|_| failed(Op::ComputePublicKey))?;
        Ok(Box::new(Exchange { group: self.0, key, public }))
    }
}

static GROUPS: [Group; 3] = [
    Group(NamedGroup::X25519, &agreement::X25519),
    Group(NamedGroup::Secp256r1, &agreement::ECDH_P256),
    Group(NamedGroup::Secp384r1, &agreement::ECDH_P384),
];

#[derive(Debug)]
struct Ring;

impl KeyProvider for Ring {
    fn load_private_key(&self, der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let rng = rand::SystemRandom::new();
        let key = signature::EcdsaKeyPair::from_pkcs8(&signature::ECDSA_P256_SHA256_ASN1_SIGNING, der, &rng)
            .map_err(|_| failed(Op::LoadPrivateKey))?;
        Ok(Box::new(Signer(key, rng)))
    }
}

impl SecureRandom for Ring {
    fn fill(&self, buf: &mut [u8]) -> Result<(), CryptoError> {
        rand::SystemRandom::new().fill(buf).map_err(|_| failed(Op::FillRandom))
    }
}

impl HashProvider for Ring {
    fn create_hash(&self, a: HashAlgorithm) -> Box<dyn HashContext> {
        let alg = if a == HashAlgorithm::SHA384 { &digest::SHA384 } else { &digest::SHA256 };
        Box::new(Hash(digest::Context::new(alg)))
    }
}

impl HmacProvider for Ring {
    fn hmac(&self, hash: HashAlgorithm, key: &[u8], data: &[u8], out: &mut [u8]) -> Result<usize, CryptoError> {
        let alg = match hash {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            other => return Err(CryptoError::UnsupportedHmacHash(other)),
        };
        let tag = hmac::sign(&hmac::Key::new(alg, key), data);
        let tag = tag.as_ref();
        out[..tag.len()].copy_from_slice(tag);
        Ok(tag.len())
    }
}

impl SignatureVerifier for Ring {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        sig: &[u8],
        hash: HashAlgorithm,
        alg: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let (group, key) = ec_key(certificate).ok_or(failed(Op::VerifySignature))?;
        check_verify_scheme(alg, hash, group)?;
        let verifier: &'static dyn signature::VerificationAlgorithm = match (group, hash) {
            (NamedGroup::Secp256r1, HashAlgorithm::SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
            (NamedGroup::Secp256r1, _) => &signature::ECDSA_P256_SHA384_ASN1,
            (_, HashAlgorithm::SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
            _ => &signature::ECDSA_P384_SHA384_ASN1,
        };
        signature::UnparsedPublicKey::new(verifier, key).verify(data, sig).map_err(|_| failed(Op::VerifySignature))
    }
}

/// One DER element: tag, content, rest.
fn der(b: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = b.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = if first & 0x80 == 0 {
        (usize::from(first), rest)
    } else {
        let n = usize::from(first & 0x7f);
        if !(1..=3).contains(&n) || rest.len() < n {
            return None;
        }
        let (len, rest) = rest.split_at(n);
        (len.iter().fold(0, |a, x| (a << 8) | usize::from(*x)), rest)
    };
    (rest.len() >= len).then(|| (tag, &rest[..len], &rest[len..]))
}

const SEQUENCE: u8 = 0x30;
const OBJECT_ID: u8 = 6;
const BIT_STRING: u8 = 3;
const VERSION: u8 = 0xa0;
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const SECP384R1: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];

/// Curve and public point of a certificate's EC key (RFC 5280 §4.1, RFC 5480 §2).
fn ec_key(certificate: &[u8]) -> Option<(NamedGroup, &[u8])> {
    let (SEQUENCE, certificate, _) = der(certificate)? else { return None };
    let (SEQUENCE, mut tbs, _) = der(certificate)? else { return None };
    if tbs.first() == Some(&VERSION) {
        tbs = der(tbs)?.2;
    }
    // Serial number, signature, issuer, validity, subject.
    for _ in 0..5 {
        tbs = der(tbs)?.2;
    }
    let (SEQUENCE, key_info, _) = der(tbs)? else { return None };
    let (SEQUENCE, algorithm, key) = der(key_info)? else { return None };
    let (OBJECT_ID, _, parameters) = der(algorithm)? else { return None };
    let (OBJECT_ID, curve, _) = der(parameters)? else { return None };
    let (BIT_STRING, bits, _) = der(key)? else { return None };
    let group = match curve {
        PRIME256V1 => NamedGroup::Secp256r1,
        SECP384R1 => NamedGroup::Secp384r1,
        _ => return None,
    };
    // No unused bits.
    Some((group, bits.strip_prefix(&[0])?))
}

static SUITES_12: [&dyn SupportedDtls12CipherSuite; 3] = [&SUITES[0], &SUITES[1], &SUITES[2]];
static SUITES_13: [&dyn SupportedDtls13CipherSuite; 3] = [&SUITES[0], &SUITES[1], &SUITES[2]];
static KX_GROUPS: [&dyn SupportedKxGroup; 3] = [&GROUPS[0], &GROUPS[1], &GROUPS[2]];

/// The provider.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: &KX_GROUPS,
        signature_verification: &Ring,
        key_provider: &Ring,
        secure_random: &Ring,
        hash_provider: &Ring,
        hmac_provider: &Ring,
        cipher_suites: &SUITES_12,
        dtls13_cipher_suites: &SUITES_13,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificates_key_is_found_and_no_truncation_panics() {
        let id = super::super::identity::generate().expect("identity");
        let (group, key) = ec_key(&id.certificate).expect("key");
        assert_eq!((group, key.len(), key[0]), (NamedGroup::Secp256r1, 65, 4));
        for n in 0..id.certificate.len() {
            assert!(ec_key(&id.certificate[..n]).is_none(), "{n}");
        }
        for at in 0..id.certificate.len() {
            for bit in 0..8 {
                let mut c = id.certificate.clone();
                c[at] ^= 1 << bit;
                let _ = ec_key(&c);
            }
        }
    }
}
