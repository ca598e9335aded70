//! DTLS behind a seam: `dimpl`, DTLS 1.2 and 1.3 (design §9, X1, X11, X15).
//!
//! Every error of dimpl is final, so one new handshake is allowed before the connection is secure, and after it an error only
//! ends DTLS itself: SRTP has its keys. Time-outs: 0.3 s to the first repeat, 7 repeats, 30 s in all.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};

use super::dtls_crypto;
use super::identity;
use super::srtp::Profile;
use crate::media::peer::{DtlsRole, Failure, Fingerprint, Identity};

/// UDP payload of handshake datagrams.
const MTU: usize = 1200;
const FIRST_REPEAT: Duration = Duration::from_millis(300);
const REPEATS: usize = 7;
/// From the first checked pair to keys.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// New handshakes after an error.
const RESTARTS: u8 = 1;
/// Incoming and outgoing datagrams that dimpl may queue.
const QUEUE: usize = 64;
/// Datagrams before a connection is given up that a handshake may take; a real one takes a dozen, with losses a hundred.
pub(super) const MAX_HANDSHAKE_DATAGRAMS: u32 = 2000;

/// What DTLS wants done or tells.
pub(super) enum DtlsOutput {
    Packet(Vec<u8>),
    Secure(Profile, Vec<u8>),
    /// Application data: one SCTP packet.
    Data(Vec<u8>),
    PeerClosed,
    Failed(Failure),
}

/// One DTLS association.
pub(super) struct Link {
    dtls: Option<Dtls>,
    identity: Arc<Identity>,
    role: DtlsRole,
    fingerprints: Vec<Fingerprint>,
    /// Set when a pair is there and the handshake may run.
    deadline: Option<Instant>,
    verified: bool,
    secure: bool,
    over: bool,
    restarts: u8,
    fed: u32,
    next: Option<Instant>,
    out: VecDeque<DtlsOutput>,
}

/// Building a configuration checks the provider and costs milliseconds: one for all.
fn config() -> Option<Arc<Config>> {
    static CONFIG: OnceLock<Option<Arc<Config>>> = OnceLock::new();
    let build = || {
        Config::builder()
            .mtu(MTU)
            .max_queue_rx(QUEUE)
            .max_queue_tx(QUEUE)
            // ICE has proved the address: a cookie would cost a round trip for nothing.
            .use_server_cookie(false)
            .flight_start_rto(FIRST_REPEAT)
            .flight_retries(REPEATS)
            .handshake_timeout(DEADLINE)
            .with_crypto_provider(dtls_crypto::provider())
            .build()
            .ok()
            .map(Arc::new)
    };
    CONFIG.get_or_init(build).clone()
}

impl Link {
    pub fn new(identity: Arc<Identity>, role: DtlsRole, fingerprints: Vec<Fingerprint>) -> Link {
        Link {
            dtls: None,
            identity,
            role,
            fingerprints,
            deadline: None,
            verified: false,
            secure: false,
            over: false,
            restarts: RESTARTS,
            fed: 0,
            next: None,
            out: VecDeque::new(),
        }
    }

    /// A checked pair is there: the client begins, and the time of both runs.
    pub fn start(&mut self, now: Instant) {
        if self.deadline.is_none() {
            self.deadline = Some(now + DEADLINE);
            self.begin(now);
        }
    }

    fn begin(&mut self, now: Instant) {
        let Some(config) = config() else {
            return self.fail(Failure::Dtls);
        };
        let certificate = DtlsCertificate {
            certificate: self.identity.certificate.clone(),
            private_key: self.identity.private_key.clone(),
        };
        let mut dtls = Dtls::new_auto(config, certificate, now);
        if self.role == DtlsRole::Client {
            dtls.set_active(true);
        }
        self.verified = false;
        let r = dtls.handle_timeout(now);
        self.dtls = Some(dtls);
        self.result(r, now);
        self.drain(now);
    }

    /// Takes a datagram from a checked pair; `false` if it is no DTLS.
    pub fn handle(&mut self, b: &[u8], now: Instant) -> bool {
        if !plausible(b) {
            return false;
        }
        self.start(now);
        let Some(d) = &mut self.dtls else { return false };
        if !self.secure {
            self.fed += 1;
            if self.fed > MAX_HANDSHAKE_DATAGRAMS {
                self.fail(Failure::Dtls);
                return false;
            }
        }
        let r = d.handle_timeout(now).and_then(|()| d.handle_packet(b));
        self.result(r, now);
        self.drain(now);
        true
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over {
            return;
        }
        if !self.secure && self.deadline.is_some_and(|t| t <= now) {
            return self.fail(Failure::Dtls);
        }
        if self.next.is_some_and(|t| t <= now)
            && let Some(d) = &mut self.dtls
        {
            let r = d.handle_timeout(now);
            self.result(r, now);
            self.drain(now);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let handshake = if self.secure || self.over { None } else { self.deadline };
        [self.next, handshake].into_iter().flatten().min()
    }

    /// Sends application data, one record and one datagram: it must fit. Lost while DTLS is not up.
    pub fn send(&mut self, data: &[u8], now: Instant) {
        if let Some(d) = self.dtls.as_mut().filter(|_| self.secure) {
            let r = d.send_application_data(data).map(|_| ());
            self.result(r, now);
            self.drain(now);
        }
    }

    /// Whether an error ended DTLS after the keys were there: media goes on, application data does not.
    pub fn is_gone(&self) -> bool {
        self.secure && self.dtls.is_none()
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        if let Some(d) = &mut self.dtls {
            // Before the handshake is through there is nobody to tell.
            if d.close().is_ok() {
                self.drain(now);
            }
        }
        (self.dtls, self.next, self.over) = (None, None, true);
    }

    pub fn poll(&mut self) -> Option<DtlsOutput> {
        self.out.pop_front()
    }

    fn result(&mut self, r: Result<(), dimpl::Error>, now: Instant) {
        let Err(e) = r else { return };
        // Before the version is known, whatever is no ServerHello is an error that does no harm.
        let harmless = dimpl::UnexpectedMessageError::UnrecognizedAutoServerResponse;
        if e == dimpl::Error::UnexpectedMessage(harmless) {
            return;
        }
        (self.dtls, self.next) = (None, None);
        if self.secure {
            return;
        }
        if self.restarts == 0 {
            return self.fail(Failure::Dtls);
        }
        self.restarts -= 1;
        self.begin(now);
    }

    fn fail(&mut self, f: Failure) {
        (self.dtls, self.next) = (None, None);
        if !std::mem::replace(&mut self.over, true) {
            self.out.push_back(DtlsOutput::Failed(f));
        }
    }

    fn drain(&mut self, now: Instant) {
        let Some(mut d) = self.dtls.take() else { return };
        let mut buf = vec![0; MTU + 300];
        loop {
            match d.poll_output(&mut buf) {
                Output::Packet(p) => self.out.push_back(DtlsOutput::Packet(p.to_vec())),
                Output::BufferTooSmall { needed } => buf.resize(needed.max(buf.len() + 1), 0),
                Output::Timeout(t) => {
                    // A time in the past would spin.
                    self.next = Some(t.max(now));
                    break;
                }
                Output::PeerCert(der) => {
                    if !identity::matches(der, &self.fingerprints) {
                        return self.fail(Failure::Fingerprint);
                    }
                    self.verified = true;
                }
                Output::KeyingMaterial(material, profile) => {
                    if !self.verified {
                        return self.fail(Failure::Fingerprint);
                    }
                    let Some(profile) = srtp_profile(profile) else {
                        return self.fail(Failure::Dtls);
                    };
                    self.secure = true;
                    self.out.push_back(DtlsOutput::Secure(profile, material.to_vec()));
                }
                // Nobody asked for data before the certificate was seen.
                Output::ApplicationData(data) if self.secure => self.out.push_back(DtlsOutput::Data(data.to_vec())),
                Output::CloseNotify => self.out.push_back(DtlsOutput::PeerClosed),
                _ => {}
            }
        }
        self.dtls = Some(d);
    }
}

fn srtp_profile(p: SrtpProfile) -> Option<Profile> {
    Some(match p {
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmHmacSha1_80,
        _ => return None,
    })
}

/// Whether a datagram looks like DTLS records: a forged one that does not must not reach dimpl, where an error is final.
fn plausible(b: &[u8]) -> bool {
    match b {
        // DTLSPlaintext and DTLS 1.2 records: type, version 1.0 or 1.2, a length that fits (RFC 6347 §4.1).
        [20..=26, 254, 253 | 255, ..] if b.len() >= 13 => {
            13 + usize::from(u16::from_be_bytes([b[11], b[12]])) <= b.len()
        }
        // The unified header of DTLS 1.3 (RFC 9147 §4).
        [32..=63, ..] => b.len() > 16,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_dtls_record_is_kept_out() {
        let mut r = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 1];
        assert!(plausible(&r));
        assert!(!plausible(&r[..14]));
        r[1] = 3;
        assert!(!plausible(&r));
        assert!(!plausible(&[22; 5]) && !plausible(&[45; 16]) && plausible(&[45; 17]) && !plausible(&[]));
    }

    #[test]
    fn a_handshake_takes_so_many_datagrams_and_no_more() {
        let identity = Arc::new(identity::generate().expect("identity"));
        let now = Instant::now();
        let mut link = Link::new(identity, DtlsRole::Client, vec![]);
        // An alert before any answer: nothing that a client waits for.
        let junk = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0];
        let failed = |link: &mut Link| std::iter::from_fn(|| link.poll()).any(|o| matches!(o, DtlsOutput::Failed(_)));
        for _ in 0..MAX_HANDSHAKE_DATAGRAMS {
            assert!(link.handle(&junk, now));
        }
        assert!(!failed(&mut link));
        assert!(!link.handle(&junk, now));
        assert!(failed(&mut link));
    }

    #[test]
    fn a_handshake_that_nobody_answers_fails_at_its_deadline() {
        let identity = Arc::new(identity::generate().expect("identity"));
        for role in [DtlsRole::Client, DtlsRole::Server] {
            let begin = Instant::now();
            let mut link = Link::new(identity.clone(), role, vec![]);
            link.start(begin);
            let mut now = begin;
            let (mut packets, mut failed) = (0, None);
            while failed.is_none() {
                while let Some(o) = link.poll() {
                    match o {
                        DtlsOutput::Packet(_) => packets += 1,
                        DtlsOutput::Failed(f) => failed = Some(f),
                        _ => panic!("neither keys nor goodbye without a peer"),
                    }
                }
                if failed.is_none() {
                    now = link.deadline().expect("a deadline");
                    link.handle_timeout(now);
                }
            }
            assert_eq!(failed, Some(Failure::Dtls));
            assert_eq!(now, begin + DEADLINE);
            assert_eq!(packets > 0, role == DtlsRole::Client);
            assert!(link.deadline().is_none());
        }
    }
}
