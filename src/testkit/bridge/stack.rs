//! What an endpoint's transport is made of: str0m, or the fake engine's protocol for meetings of which only the order of things
//! matters, ten thousand of them. The bridge above is the same.

use super::fake::FakeTransport;
use super::transport::{Packet, Transport, TransportEvent};
use super::types::{BridgeError, Kind, RemoteTransport};
use crate::env::Env;
use crate::media::peer::Fingerprint;
use crate::time::Time;
use std::net::SocketAddr;
use std::vec::Drain;
use str0m::config::{CryptoProvider, DtlsCert};

/// What all transports of a bridge share.
pub(super) enum Foundation {
    Rtc { crypto: CryptoProvider, cert: Box<DtlsCert> },
    Fake,
}

impl Foundation {
    /// Of str0m, with a certificate of its own; and that one's fingerprint.
    pub fn rtc() -> Result<(Foundation, Fingerprint), BridgeError> {
        let crypto = str0m::crypto::from_feature_flags();
        let cert = crypto.dtls_provider.generate_certificate().ok_or(BridgeError::Transport("no certificate"))?;
        let hash = crypto.sha256_provider.sha256(&cert.certificate);
        let hex: Vec<String> = hash.iter().map(|b| format!("{b:02X}")).collect();
        let fingerprint = Fingerprint { hash: "sha-256".into(), value: hex.join(":") };
        Ok((Foundation::Rtc { crypto, cert: Box::new(cert) }, fingerprint))
    }

    /// Of nothing but values.
    pub fn fake() -> (Foundation, Fingerprint) {
        (Foundation::Fake, crate::engine::fake::identity("bridge").fingerprint.clone())
    }
}

/// The transport of one endpoint.
pub(super) enum Stack {
    Rtc(Box<Transport>),
    Fake(Box<FakeTransport>),
}

macro_rules! each {
    ($self:ident, $t:ident => $call:expr) => {
        match $self {
            Stack::Rtc($t) => $call,
            Stack::Fake($t) => $call,
        }
    };
}

impl Stack {
    /// A transport at these addresses. `options`: a data channel, an estimate of the downlink, `mid`s.
    pub fn new(on: &Foundation, locals: &[SocketAddr], options: (bool, bool, bool), env: &mut Env, now: Time) -> Stack {
        match on {
            Foundation::Rtc { crypto, cert } => {
                Stack::Rtc(Box::new(Transport::new(locals, cert, crypto, options, env, now)))
            }
            Foundation::Fake => Stack::Fake(Box::new(FakeTransport::new(locals, options.0, env, now))),
        }
    }

    /// Generation, user name and password to offer.
    pub fn credentials(&self) -> Option<(u32, String, String)> {
        each!(self, t => t.credentials())
    }

    /// The client's part: of the session at first, then of each restart.
    pub fn accept(&mut self, remote: &RemoteTransport, now: Time) -> Result<(), BridgeError> {
        each!(self, t => t.accept(remote, now))
    }

    /// A new agent beside the old one.
    pub fn restart(&mut self, on: &Foundation, env: &mut Env, now: Time) {
        match (self, on) {
            (Stack::Rtc(t), Foundation::Rtc { crypto, .. }) => t.restart(crypto, env, now),
            (Stack::Fake(t), _) => t.restart(now),
            (Stack::Rtc(_), Foundation::Fake) => {}
        }
    }

    /// Whether a datagram from this address is for this endpoint.
    pub fn knows(&self, remote: SocketAddr) -> bool {
        each!(self, t => t.knows(remote))
    }

    /// Whether a datagram from an unknown address is, by the user name that it names.
    pub fn accepts(&self, data: &[u8]) -> bool {
        each!(self, t => t.accepts(data))
    }

    /// Takes a datagram; `true` when it says that the client is alive.
    pub fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) -> bool {
        each!(self, t => t.datagram(local, remote, data, now))
    }

    /// Takes notice of the time.
    pub fn timeout(&mut self, now: Time) {
        each!(self, t => t.timeout(now));
    }

    /// Lets what was written go out.
    pub fn flush(&mut self, now: Time) {
        if let Stack::Rtc(t) = self {
            t.flush(now);
        }
    }

    /// Sends a text on the data channel.
    pub fn text(&mut self, text: &str, now: Time) {
        each!(self, t => t.text(text, now));
    }

    /// A stream of the client.
    pub fn expect(&mut self, ssrc: u32, rtx: Option<u32>, kind: Kind) {
        if let Stack::Rtc(t) = self {
            t.expect(ssrc, rtx, kind);
        }
    }

    /// A stream of the client is gone.
    pub fn forget(&mut self, ssrc: u32) {
        if let Stack::Rtc(t) = self {
            t.forget(ssrc);
        }
    }

    /// A stream of ours.
    pub fn open(&mut self, mid: &str, kind: Kind, ssrc: u32, rtx: Option<u32>) {
        match self {
            Stack::Rtc(t) => t.open(mid, kind, ssrc, rtx),
            Stack::Fake(t) => t.open(mid, ssrc),
        }
    }

    /// A stream of ours is over.
    pub fn shut(&mut self, mid: &str) {
        each!(self, t => t.shut(mid));
    }

    /// Sends a packet; it goes out with the next [`Stack::flush`].
    pub fn send(&mut self, ssrc: u32, p: &Packet, nackable: bool, now: Time) {
        match self {
            Stack::Rtc(t) => t.send(ssrc, p, nackable, now),
            Stack::Fake(t) => t.send(ssrc, p),
        }
    }

    /// Asks the client for a key frame of this SSRC.
    pub fn request_key_frame(&mut self, own: u32, ssrc: u32, now: Time) {
        match self {
            Stack::Rtc(t) => t.request_key_frame(own, ssrc),
            Stack::Fake(t) => t.request_key_frame(ssrc, now),
        }
    }

    /// What the estimate should be able to reach: it probes up to that.
    pub fn desire(&mut self, bps: u64) {
        if let Stack::Rtc(t) = self {
            t.desire(bps);
        }
    }

    pub fn secure(&self) -> bool {
        each!(self, t => t.secure())
    }

    pub fn poll_transmits(&mut self) -> Drain<'_, (SocketAddr, SocketAddr, Vec<u8>)> {
        each!(self, t => t.poll_transmits())
    }

    pub fn has_events(&self) -> bool {
        each!(self, t => t.has_events())
    }

    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        each!(self, t => t.poll_event())
    }

    pub fn next_deadline(&self) -> Option<Time> {
        each!(self, t => t.next_deadline())
    }
}
