//! The bridge's media socket: many datagrams of all clients with one call in (with GRO, where the system has it), and those to one
//! client joined on their way out (GSO). A bridge sends a client what several speakers said at about the same time.

use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Largest datagram; GRO joins up to this.
const MAX_DATAGRAM: usize = 65_536;
/// Buffer asked of the system in each direction: a burst of key frames of everybody.
const SOCKET_BUFFER: usize = 4 << 20;
/// Calls before others get their turn.
const MAX_CALLS: usize = 16;
/// Bytes joined into one send; below the 64 KiB that an IP datagram may have.
const MAX_JOINED: usize = 60_000;

/// The socket.
pub(super) struct MediaSocket {
    socket: UdpSocket,
    state: UdpSocketState,
    pub local: SocketAddr,
    received: Vec<u8>,
    /// On the way out to one address, one behind the other: all of one size, the last perhaps shorter.
    joined: Vec<u8>,
    to: Option<SocketAddr>,
    segment: usize,
}

impl MediaSocket {
    /// Binds a free port.
    pub fn bind(ip: IpAddr) -> io::Result<MediaSocket> {
        let domain = if ip.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
        let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, Some(socket2::Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // Best effort: the system may allow less.
        socket.set_recv_buffer_size(SOCKET_BUFFER).ok();
        socket.set_send_buffer_size(SOCKET_BUFFER).ok();
        socket.bind(&SocketAddr::new(ip, 0).into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let local = socket.local_addr()?;
        let received = vec![0; MAX_DATAGRAM * BATCH_SIZE];
        Ok(MediaSocket { socket, state, local, received, joined: Vec::new(), to: None, segment: 0 })
    }

    /// Until something may be read.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Gives each datagram that is there to `each`.
    pub fn receive(&mut self, mut each: impl FnMut(SocketAddr, &[u8])) {
        for _ in 0..MAX_CALLS {
            let mut meta = [RecvMeta::default(); BATCH_SIZE];
            let mut parts = self.received.chunks_exact_mut(MAX_DATAGRAM).map(IoSliceMut::new);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| parts.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
            let got = self
                .socket
                .try_io(Interest::READABLE, || self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta));
            // Nothing more, or an answer to what was sent before: it says nothing about the next datagram, which comes with the
            // next readiness.
            let Ok(n) = got else { return };
            for (m, part) in meta.iter().zip(self.received.chunks_exact(MAX_DATAGRAM)).take(n) {
                for datagram in part[..m.len.min(MAX_DATAGRAM)].chunks(m.stride.max(1)) {
                    each(m.addr, datagram);
                }
            }
            if n < BATCH_SIZE {
                return;
            }
        }
    }

    /// Takes a datagram to be sent, at the latest by the next [`MediaSocket::flush`].
    pub fn push(&mut self, to: SocketAddr, data: &[u8]) {
        if self.to != Some(to) || !self.takes(data.len()) {
            self.flush();
            (self.to, self.segment) = (Some(to), data.len());
        }
        self.joined.extend_from_slice(data);
    }

    fn takes(&self, len: usize) -> bool {
        let all = self.joined.len() + len;
        let segment = self.segment.max(1);
        // A shorter datagram ends what is joined.
        self.joined.len().is_multiple_of(segment)
            && len <= segment
            && len > 0
            && all <= MAX_JOINED
            && all.div_ceil(segment) <= self.state.max_gso_segments()
    }

    /// Sends what was taken.
    pub fn flush(&mut self) {
        let Some(destination) = self.to.take() else { return };
        let segment_size = (self.joined.len() > self.segment).then_some(self.segment);
        let transmit = Transmit { destination, ecn: None, contents: &self.joined, segment_size, src_ip: None };
        // What the system does not take is lost, as on any path.
        let _ =
            self.socket.try_io(Interest::WRITABLE, || self.state.try_send(UdpSockRef::from(&self.socket), &transmit));
        self.joined.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn datagrams_joined_or_not_arrive_one_by_one_in_order_and_whole_batches_are_read() {
        let lo = IpAddr::from([127, 0, 0, 1]);
        let mut socket = MediaSocket::bind(lo).expect("a port");
        let clients = [0; 2].map(|_| std::net::UdpSocket::bind("127.0.0.1:0").expect("a port"));
        let to = [0, 1].map(|i| clients[i].local_addr().expect("bound"));
        socket.socket.writable().await.expect("a socket");
        for (client, value, len) in [(0, 1, 10), (0, 2, 10), (0, 3, 4), (0, 4, 10), (1, 5, 10), (0, 6, 20), (0, 7, 20)]
        {
            socket.push(to[client], &vec![value; len]);
        }
        assert_eq!(socket.joined.len(), 40, "two wait for more");
        socket.flush();
        socket.flush();
        let mut buffer = [0; 100];
        for (client, value, len) in [(0, 1, 10), (0, 2, 10), (0, 3, 4), (0, 4, 10), (0, 6, 20), (0, 7, 20), (1, 5, 10)]
        {
            clients[client].set_read_timeout(Some(Duration::from_secs(5))).expect("a time-out");
            let n = clients[client].recv(&mut buffer).expect("a datagram");
            assert_eq!(buffer[..n], vec![value; len]);
        }
        let many = BATCH_SIZE + 3;
        for i in 0..many {
            clients[i % 2].send_to(&[i as u8; 7], socket.local).expect("sent");
        }
        let mut got = Vec::new();
        while got.len() < many {
            socket.readable().await.expect("a socket");
            socket.receive(|from, data| got.push((from, data.to_vec())));
        }
        got.sort_by_key(|g| g.1[0]);
        assert!(got.iter().enumerate().all(|(i, (from, data))| *from == to[i % 2] && data[..] == [i as u8; 7]));
    }
}
