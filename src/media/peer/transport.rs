//! The words of the path: certificate and credentials, candidates, the two parts of a Jingle transport, datagrams to send.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// A DTLS certificate with its private key. Made once per process, or per client, and shared by engines.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// PKCS #8, DER. Never logged.
    pub private_key: Vec<u8>,
    /// Of the certificate, sha-256.
    pub fingerprint: Fingerprint,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// A certificate fingerprint as in XEP-0320: `hash` is `sha-256` and so on, `value` upper-case hexadecimal with colons.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    pub hash: String,
    pub value: String,
}

/// ICE user name fragment and password. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub ufrag: String,
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// Our part of a Jingle transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTransport {
    pub credentials: IceCredentials,
    pub fingerprint: Fingerprint,
}

/// The peer's part of a Jingle transport, and the DTLS role that follows for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTransport {
    pub credentials: IceCredentials,
    /// The peer's certificate must match one of them; none at all refuses the peer.
    pub fingerprints: Vec<Fingerprint>,
    /// Ours. Client when our `setup` is `active` (or the peer's `passive`), server in the other case.
    pub dtls: DtlsRole,
}

/// Which side of the DTLS handshake we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// `setup="active"`
    Client,
    /// `setup="passive"`
    Server,
}

/// An ICE candidate over UDP, component 1 (XEP-0176, RFC 8445 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub foundation: String,
    pub priority: u32,
    pub address: SocketAddr,
    pub kind: CandidateKind,
    /// The base of a reflexive or relayed candidate.
    pub related: Option<SocketAddr>,
}

/// Where a candidate's address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relayed,
}

impl CandidateKind {
    /// The word of XEP-0176 and of SDP.
    pub fn as_str(self) -> &'static str {
        match self {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
        }
    }

    /// The kind of that word.
    pub fn parse(s: &str) -> Option<CandidateKind> {
        Some(match s {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        })
    }
}

/// Datagrams to send: one, or several of one size that lie one behind the other, so that a system that can (GSO) takes them by one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub data: Vec<u8>,
    /// Length of each but the last, which may be shorter.
    pub segment: usize,
}

impl Transmit {
    /// Joined datagrams take at most this many bytes; one alone may be longer.
    pub const MAX_JOINED: usize = 16 * 1024;
    /// As many datagrams are joined at most: Linux takes no more by one call.
    pub const MAX_DATAGRAMS: usize = 64;

    /// One datagram.
    pub fn one(local: SocketAddr, remote: SocketAddr, data: Vec<u8>) -> Transmit {
        let segment = data.len();
        Transmit { local, remote, data, segment }
    }

    /// Each datagram.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks(self.segment.max(1))
    }

    /// Whether one more datagram of so many bytes, on this path, may lie behind those that are here.
    #[inline]
    pub fn takes(&self, (local, remote): (SocketAddr, SocketAddr), len: usize) -> bool {
        len <= self.segment
            && self.data.len() + len <= Transmit::MAX_JOINED
            && self.data.len() < self.segment * Transmit::MAX_DATAGRAMS
            && self.data.len().is_multiple_of(self.segment)
            && self.remote == remote
            && self.local == local
    }
}

/// Where the connection stands (RFC 8445, as the W3C states it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceState {
    New,
    Checking,
    Connected,
    /// Nothing authentic came for a while; may come back.
    Disconnected,
    Failed,
    Closed,
}

/// Local and remote address of the selected pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// How the address that the peer sees came to be.
    pub local_kind: CandidateKind,
    pub remote_kind: CandidateKind,
}

/// Whether a candidate address makes sense at all: not unspecified, multicast, broadcast or link-local, port not 0;
/// loopback only where `loopback` says so.
pub fn usable_address(a: SocketAddr, loopback: bool) -> bool {
    if a.port() == 0 || a.ip().is_unspecified() || a.ip().is_multicast() {
        return false;
    }
    match a.ip() {
        IpAddr::V4(ip) => !ip.is_broadcast() && (loopback || !ip.is_loopback()) && !ip.is_link_local(),
        // A link-local IPv6 address needs a scope that the wire does not carry.
        IpAddr::V6(ip) => (loopback || !ip.is_loopback()) && (ip.segments()[0] & 0xffc0) != 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let c = IceCredentials { ufrag: "uf".into(), pwd: "secret".into() };
        assert!(!format!("{c:?}").contains("secret"));
        let fingerprint = Fingerprint { hash: "sha-256".into(), value: "AA".into() };
        let i = Identity { certificate: vec![1], private_key: vec![213], fingerprint };
        assert!(!format!("{i:?}").contains("213"));
    }

    #[test]
    fn datagrams_are_joined_while_they_have_one_size_and_one_path_up_to_the_limits() {
        let path: (SocketAddr, SocketAddr) =
            ("192.0.2.1:5".parse().expect("address"), "192.0.2.2:5".parse().expect("address"));
        let of = |n: usize, len: usize| Transmit { segment: len, ..Transmit::one(path.0, path.1, vec![0; n * len]) };
        assert!(of(1, 100).takes(path, 100) && of(3, 100).takes(path, 1));
        assert!(!of(1, 100).takes(path, 101), "longer ones begin anew");
        assert!(!of(1, 100).takes((path.1, path.0), 100) && !of(1, 100).takes((path.0, path.0), 100));
        let mut ended = of(2, 100);
        ended.data.push(0);
        assert!(!ended.takes(path, 1), "a shorter one is the last");
        assert_eq!(ended.datagrams().map(<[u8]>::len).collect::<Vec<_>>(), [100, 100, 1]);
        assert!(
            of(Transmit::MAX_DATAGRAMS - 1, 10).takes(path, 10) && !of(Transmit::MAX_DATAGRAMS, 10).takes(path, 10)
        );
        let fit = Transmit::MAX_JOINED / 1024;
        assert!(of(fit - 1, 1024).takes(path, 1024) && !of(fit, 1024).takes(path, 1));
        assert!(!Transmit::one(path.0, path.1, vec![]).takes(path, 0), "an empty datagram is nobody's neighbour");
        assert_eq!(Transmit::one(path.0, path.1, vec![0; 70_000]).datagrams().count(), 1);
    }

    #[test]
    fn candidate_kinds_read_back() {
        use CandidateKind::*;
        for k in [Host, ServerReflexive, PeerReflexive, Relayed] {
            assert_eq!(CandidateKind::parse(k.as_str()), Some(k));
        }
        assert_eq!(CandidateKind::parse("x"), None);
    }

    #[test]
    fn senseless_addresses_are_not_usable() {
        for bad in
            ["0.0.0.0:1", "1.2.3.4:0", "224.0.0.1:5", "255.255.255.255:5", "169.254.1.1:5", "[fe80::1]:5", "[::]:5"]
        {
            assert!(!usable_address(bad.parse().expect(bad), true), "{bad}");
        }
        for local in ["127.0.0.1:5", "[::1]:5"] {
            let a = local.parse().expect(local);
            assert!(usable_address(a, true) && !usable_address(a, false));
        }
        assert!(usable_address("192.0.2.1:5".parse().expect("address"), false));
    }
}
