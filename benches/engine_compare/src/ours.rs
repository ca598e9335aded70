//! Our engine.

use std::sync::Arc;

use bytes::Bytes;
use jmeet::engine::{Engines, identity};
use jmeet::media::peer::*;
use jmeet::{Env, Time};
use jmeet_peers::{RTX, VIDEO};

use crate::end::{End, Pair, START_US, addresses};
use crate::{BURST, PAYLOAD};

pub struct Ours {
    engine: Box<dyn PeerEngine>,
    path: [std::net::SocketAddr; 2],
    secure: bool,
    received: u64,
    /// What is left of the frame.
    frame: Bytes,
    template: Vec<u8>,
}

fn time(us: u64) -> Time {
    Time::new(us, 1_800_000_000_000_000 + us as i64)
}

fn ssrc(stream: u32) -> u32 {
    1000 + 2 * stream
}

/// Both ends, told of each other, with so many streams from the first to the second.
pub fn pair(streams: u32) -> Pair<Ours> {
    let now = time(START_US);
    let path = addresses();
    let mut ends = [0, 1].map(|i| {
        let config = Config {
            controlling: i == 0,
            identity: Arc::new(identity::generate().expect("randomness")),
            stun_servers: vec![],
            allow_loopback: true,
            rtp: RtpConfig::jicofo(),
            feedback_ssrc: 4242 + i as u32,
            cname: "bench".into(),
            // Packets are sent by the bench's clock: no pace is kept that would be slower.
            estimate: EstimateBounds { initial: 1_000_000_000, min: 1_000_000_000, max: 1_000_000_000 },
            sctp: None,
        };
        let mut engine = Engines.create(config, &mut Env::seeded(i), now).expect("engine");
        let path = if i == 0 { path } else { [path[1], path[0]] };
        engine.handle_command(Command::AddLocalAddress(path[0]), now);
        Ours {
            engine,
            path,
            secure: false,
            received: 0,
            frame: Bytes::new(),
            template: vec![7; PAYLOAD * BURST as usize],
        }
    });
    let transports = [0, 1].map(|i: usize| ends[i].engine.local_transport());
    for (i, t) in transports.into_iter().rev().enumerate() {
        let dtls = [DtlsRole::Client, DtlsRole::Server][i];
        let remote = RemoteTransport { credentials: t.credentials, fingerprints: vec![t.fingerprint], dtls };
        let (address, kind) = (ends[i].path[1], CandidateKind::Host);
        let candidate = Candidate { foundation: "1".into(), priority: 1, address, kind, related: None };
        ends[i].engine.handle_command(Command::SetRemote(remote), now);
        ends[i].engine.handle_command(Command::AddRemoteCandidate(candidate), now);
    }
    for ssrc in (0..streams).map(ssrc) {
        let sender = Sender { ssrc, rtx: Some((ssrc + 1, RTX)), pt: VIDEO };
        ends[0].engine.handle_command(Command::AddSender(sender), now);
        ends[1].engine.handle_command(Command::MapRtx { rtx: ssrc + 1, primary: ssrc }, now);
    }
    Pair { ends, now_us: START_US }
}

impl End for Ours {
    fn send(&mut self, stream: u32, n: u32, now_us: u64) {
        // A copy, as an application that made a new frame; the payloads of a frame lie in one piece of memory, as the packetisers make
        // them. (str0m wants a vector of its own for each packet.)
        if self.frame.len() < PAYLOAD {
            self.frame = Bytes::from(self.template.clone());
        }
        let payload = self.frame.split_to(PAYLOAD);
        let ts = (now_us * 9 / 100) as u32;
        let marker = n + 1 == BURST;
        let p = OutgoingRtp { ssrc: ssrc(stream), pt: VIDEO, ts, marker, level: None, extra: None, payload };
        self.engine.send_rtp(p, time(now_us));
    }

    fn receive(&mut self, data: &[u8], segment: usize, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        // As the meeting does: outputs are looked for after all that came together.
        for datagram in data.chunks(segment) {
            self.engine.handle_datagram(self.path[0], self.path[1], datagram, time(now_us));
        }
        self.drain(now_us, out);
    }

    fn drain(&mut self, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        loop {
            while let Some(o) = self.engine.poll_output() {
                match o {
                    Output::Transmit(t) => {
                        out(&t.data, t.segment);
                        self.engine.recycle(t.data);
                    }
                    Output::Event(Event::Rtp(_)) => self.received += 1,
                    Output::Event(Event::Secure) => self.secure = true,
                    Output::Event(_) => {}
                }
            }
            if self.engine.next_deadline().is_none_or(|t| t.mono_us > now_us) {
                return;
            }
            self.engine.handle_timeout(time(now_us));
        }
    }

    fn is_ready(&self) -> bool {
        self.secure
    }

    fn received(&self) -> u64 {
        self.received
    }
}
