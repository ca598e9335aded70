//! TLS trust, decided in one place (design §7): the system's roots, Mozilla's where the system has none, and the
//! certificates that the options add. The crypto provider is named, never taken from the process default: two providers
//! by feature unification make rustls panic.

use crate::error::{Code, Error, Stage};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::{Arc, OnceLock};

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider())).clone()
}

fn roots() -> &'static RootCertStore {
    static ROOTS: OnceLock<RootCertStore> = OnceLock::new();
    ROOTS.get_or_init(|| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        store
    })
}

/// The configuration of all clients without extra certificates, once it was made.
static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();

/// The configuration for one client, on a thread that may wait: the system's roots are files, and hundreds. Whoever shares the runtime
/// does not wait while they are read.
pub(crate) async fn ready(extra_ca_pem: Vec<u8>, insecure: bool) -> Result<Arc<ClientConfig>, Error> {
    if let Some(c) = SHARED.get().filter(|_| extra_ca_pem.is_empty() && !insecure) {
        return Ok(c.clone());
    }
    let made = tokio::task::spawn_blocking(move || config(&extra_ca_pem, insecure)).await;
    made.map_err(|e| Error::new(Code::Resources, Stage::Tls, e.to_string()))?
}

/// The same at once. Without extra certificates it is shared by the whole process.
pub(crate) fn config(extra_ca_pem: &[u8], insecure: bool) -> Result<Arc<ClientConfig>, Error> {
    if extra_ca_pem.is_empty() && !insecure {
        if let Some(c) = SHARED.get() {
            return Ok(c.clone());
        }
        let made = build(roots().clone())?;
        return Ok(SHARED.get_or_init(|| made).clone());
    }
    if insecure {
        let c = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(Anything(provider())));
        return Ok(Arc::new(c.with_no_client_auth()));
    }
    let mut store = roots().clone();
    let mut added = 0;
    for cert in CertificateDer::pem_slice_iter(extra_ca_pem) {
        let cert = cert.map_err(|_| bad_pem())?;
        store.add(cert).map_err(|_| bad_pem())?;
        added += 1;
    }
    if added == 0 {
        return Err(bad_pem());
    }
    build(store)
}

fn bad_pem() -> Error {
    Error::new(Code::Options, Stage::Tls, "extra_ca_pem holds no readable certificate")
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(Code::Tls, Stage::Tls, e.to_string()))
}

fn build(store: RootCertStore) -> Result<Arc<ClientConfig>, Error> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider())
        .build()
        .map_err(|e| Error::new(Code::Tls, Stage::Tls, e.to_string()))?;
    Ok(Arc::new(builder()?.with_webpki_verifier(verifier).with_no_client_auth()))
}

/// The typed error of a failed handshake.
pub(crate) fn error(e: &std::io::Error) -> Error {
    let tls = e.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    let code = match tls {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Code::TlsHostname,
        Some(rustls::Error::InvalidCertificate(_)) => Code::TlsUntrusted,
        _ => Code::Tls,
    };
    Error::new(code, Stage::Tls, e.to_string())
}

/// Accepts every certificate: only behind `insecure_skip_tls_verification`.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(m, c, d, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        m: &[u8],
        c: &CertificateDer<'_>,
        d: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(m, c, d, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
