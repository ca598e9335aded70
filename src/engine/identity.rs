//! Our DTLS certificate: self-signed ECDSA P-256, verified by its fingerprint alone (RFC 8827 §6.5).

use crate::media::peer::{Fingerprint, Identity};
use ring::digest;

/// The name in the certificate; peers see it, so it says nothing.
const COMMON_NAME: &str = "WebRTC";

/// Makes a certificate. `None` only when the system has no randomness.
pub fn generate() -> Option<Identity> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, COMMON_NAME);
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).ok()?;
    let certificate = params.self_signed(&key).ok()?.der().to_vec();
    let fingerprint = Fingerprint { hash: "sha-256".into(), value: hash_of("sha-256", &certificate)? };
    Some(Identity { certificate, private_key: key.serialize_der(), fingerprint })
}

/// Whether a certificate has one of the fingerprints (XEP-0320). Weak and unknown hashes count for nothing.
pub(super) fn matches(certificate: &[u8], fingerprints: &[Fingerprint]) -> bool {
    fingerprints.iter().any(|f| hash_of(&f.hash, certificate).is_some_and(|h| h.eq_ignore_ascii_case(f.value.trim())))
}

fn hash_of(name: &str, certificate: &[u8]) -> Option<String> {
    let alg = [("sha-256", &digest::SHA256), ("sha-384", &digest::SHA384), ("sha-512", &digest::SHA512)]
        .into_iter()
        .find(|(n, _)| n.eq_ignore_ascii_case(name.trim()))?
        .1;
    let bytes = digest::digest(alg, certificate);
    Some(bytes.as_ref().iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_matches_its_certificate_only() {
        let (a, b) = (generate().expect("identity"), generate().expect("identity"));
        let good = a.fingerprint.clone();
        assert!(matches(&a.certificate, std::slice::from_ref(&good)));
        assert!(!matches(&b.certificate, std::slice::from_ref(&good)));
        assert!(!matches(&a.certificate, &[]));
        let lower = Fingerprint { hash: "SHA-256".into(), value: good.value.to_lowercase() };
        assert!(matches(&a.certificate, &[b.fingerprint.clone(), lower]));
        let unknown = Fingerprint { hash: "md5".into(), value: good.value.clone() };
        assert!(!matches(&a.certificate, &[unknown]));
        let longer = Fingerprint { hash: "sha-512".into(), value: hash_of("sha-512", &a.certificate).expect("hash") };
        assert!(matches(&a.certificate, &[longer]));
    }
}
