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
const DATAGRAM_BUFFER: usize = 64 * 1024;
/// Batches asked of the system by one call: fewer say that no more wait.
const READ_AT_ONCE: usize = 2;
const MAX_GSO_BYTES: usize = 60_000;
/// Transport-cc feedback of so many packets, before protection: a byte for each behind header, numbers and statuses.
fn feedback_len(packets: usize) -> usize {
    (22 + packets).next_multiple_of(4)
}
/// Packets that one feedback tells of.
const MAX_PER_FEEDBACK: usize = 160;

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
    /// Datagrams of so many bytes, the last perhaps shorter. Several at once are sent as they are, as the client's driver does; those
    /// that come one by one are joined here.
    fn push(&mut self, data: &[u8], segment: usize) {
        if data.len() > segment {
            self.flush();
            return data.chunks(segment * self.state.max_gso_segments()).for_each(|part| self.send(part, segment));
        }
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
            let batch = std::mem::take(&mut self.batch);
            self.send(&batch, self.segment);
            self.batch = batch;
        }
        self.batch.clear();
        (self.count, self.ended) = (0, false);
    }

    fn send(&mut self, contents: &[u8], segment: usize) {
        let segment_size = (contents.len() > segment).then_some(segment);
        let t = Transmit { destination: self.peer, ecn: None, contents, segment_size, src_ip: None };
        self.state.try_send(UdpSockRef::from(&self.socket), &t).expect("loopback takes it");
        self.sent = true;
    }

    /// Each batch that waits, of datagrams of so many bytes each, the last perhaps shorter; how many.
    fn receive(&mut self, buffer: &mut [u8], mut each: impl FnMut(&mut Socket, &[u8], usize)) -> usize {
        let mut all = 0;
        loop {
            let mut meta = [RecvMeta::default(); READ_AT_ONCE];
            let (a, b) = buffer.split_at_mut(DATAGRAM_BUFFER);
            let mut slices = [IoSliceMut::new(a), IoSliceMut::new(b)];
            let got = self.state.recv(UdpSockRef::from(&self.socket), &mut slices, &mut meta).unwrap_or(0);
            for (m, part) in meta[..got].iter().zip(buffer.chunks(DATAGRAM_BUFFER)) {
                each(self, &part[..m.len], m.stride.max(1));
            }
            all += got;
            if got < READ_AT_ONCE {
                return all;
            }
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
        Ok(Link { sockets, buffer: vec![0; READ_AT_ONCE * DATAGRAM_BUFFER] })
    }

    /// Until both ends are quiet.
    fn exchange<E: End>(&mut self, pair: &mut Pair<E>) {
        let now = pair.now_us;
        for (end, socket) in pair.ends.iter_mut().zip(&mut self.sockets) {
            end.drain(now, &mut |data, segment| socket.push(data, segment));
            socket.flush();
        }
        while let Some(from) = self.sockets.iter().position(|s| s.sent) {
            self.sockets[from].sent = false;
            let (end, socket) = (&mut pair.ends[1 - from], &mut self.sockets[1 - from]);
            socket.receive(&mut self.buffer, |socket, data, segment| {
                end.receive(data, segment, now, &mut |data, segment| socket.push(data, segment));
            });
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

/// SRTP there and back, and the system calls that carry it: per frame one send and one receive that says that no more wait. `told`:
/// and, once in so many frames, what the protocol's feedback of them needs beside: SRTCP there and back, a send and a receive.
pub fn floor(link: &mut Link, srtp: &mut SrtpPair, told: Option<u32>, packets: u32) -> f64 {
    let payload = vec![7; PAYLOAD];
    let start = thread_cpu_ns();
    for frame in 0..packets / BURST {
        let [a, b] = &mut link.sockets;
        for _ in 0..BURST {
            let datagram = srtp.protect(&payload);
            a.push(datagram, datagram.len());
        }
        a.flush();
        let came = b.receive(&mut link.buffer, |_, data, segment| {
            data.chunks(segment).for_each(|d| assert!(srtp.unprotect(d)));
        });
        assert_eq!(came, 1, "a frame comes at once");
        let Some(frames) = told.filter(|n| (frame + 1) % n == 0) else { continue };
        let mut left = (frames * BURST) as usize;
        while left > 0 {
            let told = left.min(MAX_PER_FEEDBACK);
            let datagram = srtp.protect_rtcp(feedback_len(told));
            b.push(datagram, datagram.len());
            left -= told;
        }
        b.flush();
        let came = a.receive(&mut link.buffer, |_, data, segment| {
            data.chunks(segment).for_each(|d| assert!(srtp.unprotect_rtcp(d)));
        });
        assert!(came > 0);
    }
    (thread_cpu_ns() - start) / f64::from(packets)
}

/// The session of the floor.
pub fn srtp() -> SrtpPair {
    SrtpPair::new(SrtpProfile::Aead128)
}
