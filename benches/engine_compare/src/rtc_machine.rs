//! The RTCPeerConnection of the `rtc` crate: the webrtc-rs project's machine, without sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::event::RTCPeerConnectionEvent;
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::RTCIceCandidateInit;
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp_transceiver::RTCRtpSenderId;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};

use crate::PAYLOAD;
use crate::end::{End, Pair, START_US, addresses};
use crate::rtc_media::{engine, packet, track};

pub struct Machine {
    pc: RTCPeerConnection,
    base: Instant,
    path: [SocketAddr; 2],
    senders: Vec<RTCRtpSenderId>,
    seq: Vec<u16>,
    connected: bool,
    received: u64,
    payload: Vec<u8>,
}

fn candidate(a: SocketAddr) -> RTCIceCandidateInit {
    let candidate = format!("candidate:1 1 udp 2130706431 {} {} typ host", a.ip(), a.port());
    RTCIceCandidateInit { candidate, ..Default::default() }
}

/// Both ends after offer and answer, with so many streams from the first to the second.
pub fn pair(streams: u32) -> Pair<Machine> {
    let base = Instant::now();
    let now = base + Duration::from_micros(START_US);
    let path = addresses();
    let mut ends = [path, [path[1], path[0]]].map(|path| {
        let (media, registry) = engine();
        let pc = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media)
            .with_interceptor_registry(registry)
            .build(now)
            .expect("a connection");
        let seq = vec![1000; streams as usize];
        Machine { pc, base, path, senders: vec![], seq, connected: false, received: 0, payload: vec![7; PAYLOAD] }
    });
    let [a, b] = &mut ends;
    for stream in 0..streams {
        a.senders.push(a.pc.add_track(track(stream)).expect("a track"));
    }
    for end in [&mut *a, &mut *b] {
        end.pc.add_local_candidate(candidate(end.path[0])).expect("ours");
    }
    let offer = a.pc.create_offer(None).expect("offer");
    a.pc.set_local_description(now, offer.clone()).expect("offer");
    b.pc.set_remote_description(now, offer).expect("offer");
    let answer = b.pc.create_answer(None).expect("answer");
    b.pc.set_local_description(now, answer.clone()).expect("answer");
    a.pc.set_remote_description(now, answer).expect("answer");
    for end in [&mut *a, &mut *b] {
        end.pc.add_remote_candidate(candidate(end.path[1])).expect("theirs");
    }
    Pair { ends, now_us: START_US }
}

impl Machine {
    fn at(&self, us: u64) -> Instant {
        self.base + Duration::from_micros(us)
    }

    fn take(&mut self, data: &[u8], now_us: u64) {
        let transport = TransportContext {
            local_addr: self.path[0],
            peer_addr: self.path[1],
            ecn: None,
            transport_protocol: TransportProtocol::UDP,
        };
        let m = TaggedBytesMut { now: self.at(now_us), transport, message: BytesMut::from(data) };
        self.pc.handle_read(m).expect("rtc takes it");
    }
}

impl End for Machine {
    fn send(&mut self, stream: u32, n: u32, now_us: u64) {
        let now = self.at(now_us);
        let seq = &mut self.seq[stream as usize];
        *seq = seq.wrapping_add(1);
        let ts = (now_us * 9 / 100) as u32;
        let p = packet(stream, *seq, ts, n + 1 == crate::BURST, self.payload.clone());
        let mut sender = self.pc.rtp_sender(self.senders[stream as usize]).expect("a sender");
        sender.write_rtp(now, p).expect("rtc takes it");
    }

    fn receive(&mut self, data: &[u8], segment: usize, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        for datagram in data.chunks(segment) {
            self.take(datagram, now_us);
            self.drain(now_us, out);
        }
    }

    fn drain(&mut self, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        let now = self.at(now_us);
        loop {
            while let Some(t) = self.pc.poll_write() {
                out(&t.message, t.message.len());
            }
            while let Some(e) = self.pc.poll_event() {
                if let RTCPeerConnectionEvent::OnConnectionStateChangeEvent(s) = e {
                    self.connected |= s == RTCPeerConnectionState::Connected;
                }
            }
            while let Some(m) = self.pc.poll_read() {
                self.received += u64::from(matches!(m.message, RTCMessage::RtpPacket(..)));
            }
            if self.pc.poll_timeout().is_none_or(|t| t > now) {
                return;
            }
            self.pc.handle_timeout(now).expect("rtc takes time");
        }
    }

    fn is_ready(&self) -> bool {
        self.connected
    }

    fn received(&self) -> u64 {
        self.received
    }
}
