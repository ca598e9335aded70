//! The sockets of one media session: one per usable interface address, batched with GSO and GRO where the system has it.

use crate::time::Time;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Addresses used per session at most.
pub const MAX_LOCAL_ADDRESSES: usize = 16;
/// Receive and send buffer asked of the system: half a second of 8 Mbit/s.
const SOCKET_BUFFER: usize = 512 * 1024;
/// Largest datagram read: GRO joins segments up to this.
const DATAGRAM_BUFFER: usize = 64 * 1024;
/// Batches asked of the system by one call. Where it can give several, one that gives fewer says that no more wait: the call that
/// finds nothing, one in two where a frame comes at a time, is spared.
const READ_AT_ONCE: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 2 } else { 1 };
/// Longest time in the socket that is told: what would be more is mostly a wall clock that was set. Feedback can tell of 8 s.
pub(crate) const MAX_WAITED: Duration = Duration::from_secs(5);
/// What a call of [`Udp::receive`] reads into; what was never filled takes no memory.
pub(crate) const RECEIVE_BUFFER: usize = READ_AT_ONCE * DATAGRAM_BUFFER;
/// Bytes joined into one GSO send; below the 64 KiB that an IP datagram may have.
const MAX_GSO_BYTES: usize = 60_000;

/// One bound socket.
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    pub local: SocketAddr,
}

/// Datagrams of one sender, one behind the other: each of `segment` bytes, the last perhaps shorter.
pub(crate) struct Batch<'a> {
    pub remote: SocketAddr,
    pub data: &'a [u8],
    pub segment: usize,
    /// When they were read.
    pub at: Time,
    /// How long they lay in the socket; zero where the system does not say.
    pub waited: Duration,
}

/// How long something that the system took in at this time of the wall clock has waited: [`MAX_WAITED`] at most, and not at all where the
/// clock was set back meanwhile.
fn waited(since_unix: Option<Duration>, now: Time) -> Duration {
    let since_us = since_unix.and_then(|s| i64::try_from(s.as_micros()).ok());
    let us = since_us.and_then(|s| u64::try_from(now.unix_us.saturating_sub(s)).ok());
    us.map_or(Duration::ZERO, Duration::from_micros).min(MAX_WAITED)
}

/// The addresses of this machine that a candidate may name (docs/protocol/02 §9): up, not link-local, loopback only on wish.
pub(crate) fn local_addresses(loopback: bool) -> Vec<IpAddr> {
    usable(if_addrs::get_if_addrs().unwrap_or_default().iter().map(if_addrs::Interface::ip), loopback)
}

/// Each once, at most [`MAX_LOCAL_ADDRESSES`].
fn usable(all: impl Iterator<Item = IpAddr>, loopback: bool) -> Vec<IpAddr> {
    let mut out: Vec<IpAddr> = Vec::new();
    for ip in all {
        let is_good = match ip {
            IpAddr::V4(a) => !a.is_link_local() && !a.is_unspecified(),
            IpAddr::V6(a) => !a.is_unicast_link_local() && !a.is_unspecified(),
        };
        if is_good && (loopback || !ip.is_loopback()) && !out.contains(&ip) {
            out.push(ip);
        }
    }
    out.truncate(MAX_LOCAL_ADDRESSES);
    out
}

impl Udp {
    /// Binds a fresh port on `ip`.
    pub fn bind(ip: IpAddr) -> io::Result<Arc<Udp>> {
        let domain = if ip.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        if ip.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        // Best effort: the system may allow less.
        socket.set_recv_buffer_size(SOCKET_BUFFER).ok();
        socket.set_send_buffer_size(SOCKET_BUFFER).ok();
        socket.bind(&SocketAddr::new(ip, 0).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        Ok(Arc::new(Udp { socket, state, local }))
    }

    /// Ready when something may be read.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    /// Reads what waits into `buffer`, of [`RECEIVE_BUFFER`] bytes, and gives each batch to `each`. `Ok` if there may be more; `WouldBlock`
    /// when there is not, whether or not something was read.
    pub fn receive(
        &self,
        buffer: &mut [u8],
        now: impl Fn() -> Time,
        mut each: impl FnMut(Batch<'_>),
    ) -> io::Result<()> {
        let mut meta = [RecvMeta::default(); READ_AT_ONCE];
        let mut got = 0;
        let read = self.socket.try_io(tokio::io::Interest::READABLE, || {
            let mut parts = buffer.chunks_exact_mut(DATAGRAM_BUFFER);
            let mut slices = [(); READ_AT_ONCE].map(|()| IoSliceMut::new(parts.next().unwrap_or_default()));
            got = self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)?;
            // What comes after the system looked makes the socket readable again.
            if got < READ_AT_ONCE { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        if got == 0 {
            return read;
        }
        // Not before: the system may have put us aside, and what came meanwhile did not come early.
        let at = now();
        for (m, part) in meta[..got].iter().zip(buffer.chunks_exact(DATAGRAM_BUFFER)) {
            let data = &part[..m.len.min(DATAGRAM_BUFFER)];
            each(Batch { remote: m.addr, data, segment: m.stride.max(1), at, waited: waited(m.timestamp, at) });
        }
        read
    }

    /// Sends datagrams that lie one behind the other, each of `segment` bytes, the last perhaps shorter.
    fn send(&self, to: SocketAddr, datagrams: &[u8], segment: usize) {
        for contents in datagrams.chunks(segment.max(1) * self.state.max_gso_segments()) {
            let segment_size = (contents.len() > segment).then_some(segment);
            let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
            // A datagram that the system does not take is a lost one: media repairs itself, and ICE notices a dead path.
            let _ = self.socket.try_io(tokio::io::Interest::WRITABLE, || {
                self.state.try_send(UdpSockRef::from(&self.socket), &transmit)
            });
        }
    }
}

/// Datagrams on their way out, joined while they go to one address and have one size.
#[derive(Default)]
pub(crate) struct SendBatch {
    bytes: Vec<u8>,
    to: Option<SocketAddr>,
    segment: usize,
}

impl SendBatch {
    /// Adds datagrams of `segment` bytes each, the last perhaps shorter; where they do not fit the running batch, that is sent first.
    /// Gives a buffer that is free now.
    pub fn push(&mut self, socket: &Udp, to: SocketAddr, data: Vec<u8>, segment: usize) -> Vec<u8> {
        if self.to == Some(to) && self.takes(socket.state.max_gso_segments(), data.len(), segment) {
            self.bytes.extend_from_slice(&data);
            return data;
        }
        let spent = self.flush(socket);
        (self.to, self.segment, self.bytes) = (Some(to), segment, data);
        spent
    }

    fn takes(&self, most: usize, len: usize, segment: usize) -> bool {
        let all = self.bytes.len() + len;
        // A shorter datagram ends a batch.
        self.bytes.len().is_multiple_of(self.segment.max(1))
            && (segment == self.segment || (len <= segment && len <= self.segment))
            && all <= MAX_GSO_BYTES
            && all.div_ceil(self.segment.max(1)) <= most
    }

    /// Sends what is there. Gives a buffer that is free now.
    pub fn flush(&mut self, socket: &Udp) -> Vec<u8> {
        if let Some(to) = self.to.take() {
            socket.send(to, &self.bytes, self.segment);
        }
        std::mem::take(&mut self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::clock::now;
    use std::future::poll_fn;

    fn batch(n: usize, segment: usize) -> SendBatch {
        SendBatch { bytes: vec![0; n * segment], to: None, segment }
    }

    #[test]
    fn addresses_of_the_machine_are_taken_once_and_not_without_end() {
        let all = |n: usize| (0..n).map(|i| IpAddr::from([10, 0, 0, i as u8 + 1])).collect::<Vec<_>>();
        let twice = all(MAX_LOCAL_ADDRESSES).into_iter().flat_map(|a| [a, a]);
        assert_eq!(usable(twice, false), all(MAX_LOCAL_ADDRESSES));
        assert_eq!(usable(all(MAX_LOCAL_ADDRESSES + 1).into_iter(), false), all(MAX_LOCAL_ADDRESSES));
        let others: [IpAddr; 4] = ["127.0.0.1", "169.254.1.1", "0.0.0.0", "fe80::1"].map(|a| a.parse().unwrap());
        assert!(usable(others.into_iter(), false).is_empty());
        assert_eq!(usable(others.into_iter(), true), others[..1]);
    }

    #[test]
    fn datagrams_are_joined_while_they_have_one_size_up_to_what_the_system_takes() {
        let b = batch(2, 100);
        assert!(b.takes(64, 300, 100) && b.takes(64, 250, 100), "of the same size, the last perhaps shorter");
        assert!(b.takes(64, 50, 50), "one shorter datagram ends the batch");
        assert!(!b.takes(64, 100, 50), "two shorter ones are no end");
        assert!(!b.takes(64, 101, 101) && !b.takes(64, 202, 101));
        assert!(b.takes(4, 200, 100) && !b.takes(4, 201, 100), "as many as the system takes");
        assert!(!b.takes(1, 100, 100), "without GSO each goes alone");
        let mut ended = batch(2, 100);
        ended.bytes.push(0);
        assert!(!ended.takes(64, 1, 1));
        assert!(
            batch(58, 1000).takes(64, 2000, 1000) && !batch(58, 1000).takes(64, 2001, 1000),
            "bytes: {MAX_GSO_BYTES}"
        );
    }

    #[test]
    fn a_wait_is_told_up_to_its_limit_and_none_is_before_it_began() {
        let ms = Duration::from_millis;
        let now = Time::new(5, 1_800_000_000_000_000);
        let at = |before: i64| Some(Duration::from_micros((now.unix_us - before) as u64));
        assert_eq!([waited(None, now), waited(at(0), now), waited(at(1500), now)], [ms(0), ms(0), ms(3) / 2]);
        let most = MAX_WAITED.as_micros() as i64;
        assert_eq!(waited(at(most), now), MAX_WAITED);
        assert_eq!([waited(at(most + 1), now), waited(Some(Duration::ZERO), now)], [MAX_WAITED; 2]);
        assert_eq!([waited(at(-1), now), waited(Some(Duration::MAX), now)], [Duration::ZERO; 2]);
    }

    #[tokio::test]
    async fn how_long_a_datagram_lay_in_the_socket_is_told() {
        let lo = IpAddr::from([127, 0, 0, 1]);
        let (a, b) = (Udp::bind(lo).expect("a port"), Udp::bind(lo).expect("a port"));
        a.socket.writable().await.expect("a socket");
        let before = now();
        a.send(b.local, &[1; 10], 10);
        let in_time = tokio::time::timeout(Duration::from_secs(5), poll_fn(|cx| b.poll_readable(cx)));
        in_time.await.expect("in time").expect("readable");
        // As if four seconds had gone by since the system took it in, or before it did.
        let later = Time { unix_us: before.unix_us + 4_000_000, ..before };
        let mut told = Vec::new();
        let _ = b.receive(&mut vec![0; RECEIVE_BUFFER], || later, |batch| told.push(batch.waited));
        let system = cfg!(any(target_os = "linux", target_os = "android"));
        let most = Duration::from_secs(4);
        assert!(
            matches!(told[..], [w] if (!system && w.is_zero()) || (system && !w.is_zero() && w <= most)),
            "{told:?}"
        );
    }

    #[tokio::test]
    async fn each_datagram_arrives_alone_and_buffers_come_back() {
        let lo = IpAddr::from([127, 0, 0, 1]);
        let (a, b) = (Udp::bind(lo).expect("a port"), std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"));
        b.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a time-out");
        let to = b.local_addr().expect("bound");
        a.socket.writable().await.expect("a socket");
        let mut batch = SendBatch::default();
        assert!(batch.push(&a, to, [[1; 10], [2; 10]].concat(), 10).is_empty(), "nothing was spent yet");
        assert_eq!(batch.push(&a, to, vec![3; 10], 10).len(), 10, "joined: its buffer is free");
        assert_eq!(batch.push(&a, to, vec![4; 4], 4).len(), 4);
        assert_eq!(batch.push(&a, to, vec![5; 20], 20).len(), 34, "the batch before went out");
        assert_eq!(batch.flush(&a).len(), 20);
        assert!(batch.flush(&a).is_empty());
        let mut buffer = [0; 100];
        for (value, len) in [(1, 10), (2, 10), (3, 10), (4, 4), (5, 20)] {
            let n = b.recv(&mut buffer).expect("a datagram");
            assert_eq!(buffer[..n], vec![value; len]);
        }
    }

    #[tokio::test]
    async fn what_waits_is_read_by_batches_and_a_call_that_found_fewer_ends_it() {
        let lo = IpAddr::from([127, 0, 0, 1]);
        let (a, b) = (Udp::bind(lo).expect("a port"), Udp::bind(lo).expect("a port"));
        a.socket.writable().await.expect("a socket");
        let mut buffer = vec![0; RECEIVE_BUFFER];
        // Once more than the system is asked for at once; twice, since what comes after the end is told of anew.
        for round in [1, 2] {
            let sent: Vec<Vec<u8>> =
                (0..=READ_AT_ONCE as u8).map(|n| vec![round * 10 + n; 30 - usize::from(n)]).collect();
            for (n, d) in sent.iter().enumerate() {
                // The first is a batch of two.
                let data = if n == 0 { [&d[..], &d[..]].concat() } else { d.clone() };
                a.send(b.local, &data, d.len());
            }
            let (mut got, mut calls) = (vec![], 0);
            while got.len() < sent.len() + 1 {
                let ready = poll_fn(|cx| b.poll_readable(cx));
                tokio::time::timeout(std::time::Duration::from_secs(5), ready)
                    .await
                    .expect("in time")
                    .expect("readable");
                calls += 1;
                // WouldBlock says that no more wait.
                let _ = b.receive(&mut buffer, now, |batch| {
                    assert_eq!(batch.remote, a.local);
                    got.extend(batch.data.chunks(batch.segment).map(<[u8]>::to_vec));
                });
            }
            assert_eq!(got, [&sent[..1], &sent[..]].concat());
            assert!(calls <= 3, "{calls}");
            let more = poll_fn(|cx| Poll::Ready(b.poll_readable(cx).is_ready())).await;
            if READ_AT_ONCE > 1 {
                assert!(!more, "the last call found fewer than it asked for");
            }
        }
    }
}
