//! Media between participants through a bad link, on real sockets. Each candidate that a participant signals is shown to the
//! other as a socket of ours; what arrives there goes through a `Link` and on to the participant, sent from the socket that
//! stands for its sender. Both sides see consistent addresses, so ICE, DTLS and all above it are undisturbed but for the link.

use super::candidates::MapCandidate;
use super::link::{Link, LinkOptions};
use super::wall_clock;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// Sockets at once: two participants signal some ten candidates each.
const MAX_SOCKETS: usize = 1024;
/// Largest datagram.
const MAX_DATAGRAM: usize = 65_536;

/// Datagrams that passed, and that the link dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaCounts {
    /// Handed on.
    pub passed: u64,
    /// Lost by the script.
    pub dropped: u64,
}

/// Kinds of datagrams on one path (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Checks of the path.
    Stun,
    /// Agreement on keys, and the data channel.
    Dtls,
    /// Sound, pictures and reports on them.
    Rtp,
}

impl MediaKind {
    /// Of a datagram, by its first byte; `None`: of another kind.
    pub fn of(datagram: &[u8]) -> Option<MediaKind> {
        match datagram.first()? {
            0..=3 => Some(MediaKind::Stun),
            20..=63 => Some(MediaKind::Dtls),
            128..=191 => Some(MediaKind::Rtp),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Shared {
    options: LinkOptions,
    /// Only these pass; `None`: all.
    only: Option<Vec<MediaKind>>,
    /// By the participant's own address.
    sockets: HashMap<SocketAddr, Arc<UdpSocket>>,
    counts: MediaCounts,
}

/// The proxy. Clones are the same proxy.
#[derive(Clone, Default)]
pub(super) struct MediaProxy(Arc<Mutex<Shared>>);

impl MediaProxy {
    pub fn set_options(&self, options: LinkOptions) {
        self.0.lock().options = options;
    }

    pub fn set_only(&self, only: Option<Vec<MediaKind>>) {
        self.0.lock().only = only;
    }

    fn passes(&self, datagram: &[u8]) -> bool {
        let mut shared = self.0.lock();
        let kind = MediaKind::of(datagram);
        let passes = shared.only.as_ref().is_none_or(|only| kind.is_some_and(|k| only.contains(&k)));
        shared.counts.dropped += u64::from(!passes);
        passes
    }

    pub fn counts(&self) -> MediaCounts {
        self.0.lock().counts
    }

    /// The socket that stands for a participant's address, made when it is new. Must run on the runtime.
    fn socket_for(&self, own: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        let mut shared = self.0.lock();
        if let Some(s) = shared.sockets.get(&own) {
            return Ok(s.clone());
        }
        if shared.sockets.len() >= MAX_SOCKETS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        // The same interface as the participant's, so that whoever reaches the one reaches the other.
        let socket = std::net::UdpSocket::bind((own.ip(), 0))?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let seed = shared.sockets.len() as u64;
        shared.sockets.insert(own, socket.clone());
        drop(shared);
        tokio::spawn(self.clone().carry(own, socket.clone(), seed));
        Ok(socket)
    }

    /// Carries what arrives at `socket` to `own`.
    async fn carry(self, own: SocketAddr, socket: Arc<UdpSocket>, seed: u64) {
        let mut link: Link<(SocketAddr, Vec<u8>)> = Link::new(LinkOptions::default(), seed);
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut dropped = 0;
        loop {
            let wait = link.next_deadline().map_or(Duration::from_secs(3600), |d| d.since(wall_clock()));
            let received = tokio::time::timeout(wait, socket.recv_from(&mut buffer)).await;
            let now = wall_clock();
            // An error here is an ICMP answer to what was sent from this socket before: it says nothing about the next datagram.
            if let Ok(Ok((n, from))) = received
                && self.passes(&buffer[..n])
            {
                link.options = self.0.lock().options;
                link.push((from, buffer[..n].to_vec()), now);
            }
            while let Some((from, datagram)) = link.pop(now) {
                // A sender that signalled no such address is peer-reflexive, and gets a socket now.
                let Ok(sender) = self.socket_for(from) else { continue };
                if sender.send_to(&datagram, own).await.is_ok() {
                    self.0.lock().counts.passed += 1;
                }
            }
            self.0.lock().counts.dropped += link.dropped() - dropped;
            dropped = link.dropped();
        }
    }
}

impl MapCandidate for MediaProxy {
    fn map(&mut self, own: SocketAddr) -> Option<SocketAddr> {
        self.socket_for(own).ok()?.local_addr().ok()
    }
}
