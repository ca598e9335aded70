//! The link over loopback: GSO and GRO as the client's driver uses them (src/client/udp.rs), the virtual clock as in memory.
//! What is below every stack is measured by the same loop: SRTP and the system calls, and nothing else.

use std::io::{IoSliceMut, Result};
use std::net::{SocketAddr, UdpSocket};

use jmeet::engine::alone::{SrtpPair, SrtpProfile};
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};

use crate::end::{End, Pair, thread_cpu_ns};
use crate::memory::FRAME_US;
use crate::{BURST, PAYLOAD};

const SOCKET_BUFFER: usize = 512 * 1024;
const RECEIVE_BUFFER: usize = 64 * 1024;
const MAX_GSO_BYTES: usize = 60_000;

struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    peer: SocketAddr,
    batch: Vec<u8>,
    segment: usize,
    count: usize,
    ended: bool,
    /// Something was sent that the peer has not looked for: a driver learns that from the system.
    sent: bool,
}

impl Socket {
    fn push(&mut self, data: &[u8]) {
        let fits = self.count > 0
            && !self.ended
            && data.len() <= self.segment
            && self.count < self.state.max_gso_segments()
            && self.batch.len() + data.len() <= MAX_GSO_BYTES;
        if !fits {
            self.flush();
            self.segment = data.len();
        }
        self.ended = data.len() < self.segment;
        self.batch.extend_from_slice(data);
        self.count += 1;
    }

    fn flush(&mut self) {
        if self.count > 0 {
            let segment_size = (self.count > 1).then_some(self.segment);
            let t = Transmit { destination: self.peer, ecn: None, contents: &self.batch, segment_size, src_ip: None };
            self.state.try_send(UdpSockRef::from(&self.socket), &t).expect("loopback takes it");
            self.sent = true;
        }
        self.batch.clear();
        (self.count, self.ended) = (0, false);
    }

    /// Each datagram that waits; whether there was one.
    fn receive(&self, buffer: &mut [u8], mut each: impl FnMut(&[u8])) -> bool {
        let mut any = false;
        loop {
            let mut meta = [RecvMeta::default()];
            let mut slices = [IoSliceMut::new(buffer)];
            let got = self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta);
            let Ok(1..) = got else { return any };
            let len = meta[0].len.min(buffer.len());
            buffer[..len].chunks(meta[0].stride.max(1)).for_each(&mut each);
            any = true;
        }
    }
}

/// Two sockets that send to each other.
pub struct Link {
    sockets: [Socket; 2],
    buffer: Vec<u8>,
}

impl Link {
    pub fn new() -> Result<Link> {
        let bound = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
        let addresses = [bound[0].local_addr()?, bound[1].local_addr()?];
        let mut sockets = vec![];
        for (socket, peer) in bound.into_iter().zip(addresses.into_iter().rev()) {
            socket.set_nonblocking(true)?;
            let raw = socket2::SockRef::from(&socket);
            raw.set_recv_buffer_size(SOCKET_BUFFER)?;
            raw.set_send_buffer_size(SOCKET_BUFFER)?;
            let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
            sockets.push(Socket {
                socket,
                state,
                peer,
                batch: vec![],
                segment: 0,
                count: 0,
                ended: false,
                sent: false,
            });
        }
        let sockets = sockets.try_into().map_err(|_| std::io::Error::other("two sockets"))?;
        Ok(Link { sockets, buffer: vec![0; RECEIVE_BUFFER] })
    }

    /// Until both ends are quiet.
    fn exchange<E: End>(&mut self, pair: &mut Pair<E>) {
        let now = pair.now_us;
        for (end, socket) in pair.ends.iter_mut().zip(&mut self.sockets) {
            end.drain(now, &mut |data| socket.push(data));
            socket.flush();
        }
        while let Some(from) = self.sockets.iter().position(|s| s.sent) {
            self.sockets[from].sent = false;
            let (end, socket) = (&mut pair.ends[1 - from], &mut self.sockets[1 - from]);
            let mut answers: Vec<Vec<u8>> = vec![];
            socket.receive(&mut self.buffer, |data| {
                end.receive(data, now);
                end.drain(now, &mut |data| answers.push(data.to_vec()));
            });
            answers.iter().for_each(|a| socket.push(a));
            socket.flush();
        }
    }
}

/// Runs the handshakes.
pub fn connect<E: End>(link: &mut Link, mut pair: Pair<E>) -> Pair<E> {
    for _ in 0..2000 {
        link.exchange(&mut pair);
        if pair.ends.iter().all(End::is_ready) {
            return pair;
        }
        pair.now_us += 5_000;
    }
    panic!("no connection");
}

/// Sends so many packets; CPU ns per packet.
pub fn run<E: End>(link: &mut Link, pair: &mut Pair<E>, streams: u32, packets: u32) -> f64 {
    let before = pair.ends[1].received();
    let start = thread_cpu_ns();
    for frame in 0..packets / BURST {
        for n in 0..BURST {
            pair.ends[0].send(frame % streams, n, pair.now_us);
        }
        link.exchange(pair);
        pair.now_us += FRAME_US / u64::from(streams);
    }
    let ns = (thread_cpu_ns() - start) / f64::from(packets);
    assert_eq!(pair.ends[1].received() - before, u64::from(packets), "each packet arrives");
    ns
}

/// SRTP there and back, and the system calls that carry it: per frame one send, one receive, and one that finds nothing.
pub fn floor(link: &mut Link, srtp: &mut SrtpPair, packets: u32) -> f64 {
    let payload = vec![7; PAYLOAD];
    let start = thread_cpu_ns();
    for _ in 0..packets / BURST {
        let [a, b] = &mut link.sockets;
        for _ in 0..BURST {
            a.push(srtp.protect(&payload));
        }
        a.flush();
        assert!(b.receive(&mut link.buffer, |data| assert!(srtp.unprotect(data))));
    }
    (thread_cpu_ns() - start) / f64::from(packets)
}

/// The session of the floor.
pub fn srtp() -> SrtpPair {
    SrtpPair::new(SrtpProfile::Aead128)
}
