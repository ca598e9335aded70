//! The sockets of one media session: one per usable interface address, batched with GSO and GRO where the system has it.

use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::UdpSocket;

/// Addresses used per session at most.
pub const MAX_LOCAL_ADDRESSES: usize = 16;
/// Receive and send buffer asked of the system: half a second of 8 Mbit/s.
const SOCKET_BUFFER: usize = 512 * 1024;
/// Largest datagram read: GRO joins segments up to this.
pub(crate) const RECEIVE_BUFFER: usize = 64 * 1024;
/// Bytes joined into one GSO send; below the 64 KiB that an IP datagram may have.
const MAX_GSO_BYTES: usize = 60_000;

/// One bound socket.
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    pub local: SocketAddr,
}

/// The addresses of this machine that a candidate may name (docs/protocol/02 §9): up, not link-local, loopback only on wish.
pub(crate) fn local_addresses(loopback: bool) -> Vec<IpAddr> {
    let mut out: Vec<IpAddr> = Vec::new();
    for i in if_addrs::get_if_addrs().unwrap_or_default() {
        let ip = i.ip();
        let usable = match ip {
            IpAddr::V4(a) => !a.is_link_local() && !a.is_unspecified(),
            IpAddr::V6(a) => !a.is_unicast_link_local() && !a.is_unspecified(),
        };
        if usable && (loopback || !ip.is_loopback()) && !out.contains(&ip) {
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

    /// Reads one batch into `buffer` and gives each datagram to `each`; `WouldBlock` when nothing is there.
    pub fn receive(&self, buffer: &mut [u8], mut each: impl FnMut(SocketAddr, &mut [u8])) -> io::Result<()> {
        let mut meta = [RecvMeta::default()];
        let mut slices = [IoSliceMut::new(buffer)];
        let n = self.socket.try_io(tokio::io::Interest::READABLE, || {
            self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta)
        })?;
        if n > 0 {
            let m = &meta[0];
            let stride = m.stride.max(1);
            let len = m.len.min(buffer.len());
            for datagram in buffer[..len].chunks_mut(stride) {
                each(m.addr, datagram);
            }
        }
        Ok(())
    }

    fn send(&self, to: SocketAddr, contents: &[u8], segment: Option<usize>) {
        let transmit = Transmit { destination: to, ecn: None, contents, segment_size: segment, src_ip: None };
        // A datagram that the system does not take is a lost one: media repairs itself, and ICE notices a dead path.
        let _ = self
            .socket
            .try_io(tokio::io::Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(&self.socket), &transmit));
    }
}

/// Datagrams on their way out, joined while they go to one address and have one size.
#[derive(Default)]
pub(crate) struct SendBatch {
    bytes: Vec<u8>,
    to: Option<SocketAddr>,
    segment: usize,
    count: usize,
    /// A shorter datagram ends a GSO batch.
    ended: bool,
}

impl SendBatch {
    /// Adds a datagram; what does not fit the running batch sends it first.
    pub fn push(&mut self, socket: &Udp, to: SocketAddr, data: &[u8]) {
        let fits = self.to == Some(to)
            && !self.ended
            && data.len() <= self.segment
            && self.count < socket.state.max_gso_segments()
            && self.bytes.len() + data.len() <= MAX_GSO_BYTES;
        if !fits {
            self.flush(socket);
            self.to = Some(to);
            self.segment = data.len();
        }
        self.ended = data.len() < self.segment;
        self.bytes.extend_from_slice(data);
        self.count += 1;
    }

    /// Sends what is there.
    pub fn flush(&mut self, socket: &Udp) {
        if let Some(to) = self.to.take() {
            socket.send(to, &self.bytes, (self.count > 1).then_some(self.segment));
        }
        self.bytes.clear();
        self.count = 0;
        self.ended = false;
    }
}
