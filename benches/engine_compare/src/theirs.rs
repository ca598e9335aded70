//! str0m in RTP mode, driven as its documentation asks: after each input, outputs until it names a time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jmeet_peers::{RTX, VIDEO};
use str0m::config::CryptoProvider;
use str0m::format::{Codec, FormatParams};
use str0m::media::MediaKind;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

use crate::PAYLOAD;
use crate::end::{End, Pair, START_US, addresses};

pub struct Theirs {
    rtc: Rtc,
    base: Instant,
    path: [SocketAddr; 2],
    seq: Vec<u64>,
    connected: bool,
    received: u64,
    payload: Vec<u8>,
}

fn ssrc(stream: u32) -> Ssrc {
    (1000 + 2 * stream).into()
}

/// The cryptography of its defaults, and the one in Rust.
pub const CRYPTOS: [(&str, fn() -> CryptoProvider); 2] = [
    ("str0m, aws-lc-rs", str0m_aws_lc_rs::default_provider),
    ("str0m, rust-crypto", str0m_rust_crypto::default_provider),
];

/// Both ends, told of each other, with so many streams from the first to the second, a media section each.
pub fn pair(streams: u32, crypto: CryptoProvider) -> Pair<Theirs> {
    let crypto = Arc::new(crypto);
    let base = Instant::now();
    let path = addresses();
    let mut ends = [path, [path[1], path[0]]].map(|path| {
        let mut c = RtcConfig::new()
            .set_crypto_provider(crypto.clone())
            .set_rtp_mode(true)
            .clear_codecs()
            .clear_extension_map()
            .set_extension(1, Extension::AudioLevel)
            .set_extension(3, Extension::AbsoluteSendTime)
            .set_extension(5, Extension::TransportSequenceNumber);
        let (clock, none) = (str0m::media::Frequency::NINETY_KHZ, FormatParams::default());
        c.codec_config().add_config(VIDEO.into(), Some(RTX.into()), Codec::Vp8, clock, None, none);
        let rtc = c.build(base + Duration::from_micros(START_US));
        let seq = vec![1000; streams as usize];
        Theirs { rtc, base, path, seq, connected: false, received: 0, payload: vec![7; PAYLOAD] }
    });
    let known = [0, 1].map(|i: usize| {
        let d = ends[i].rtc.direct_api();
        (d.local_ice_credentials(), d.local_dtls_fingerprint().to_string())
    });
    for (i, (creds, fingerprint)) in known.into_iter().rev().enumerate() {
        let candidates = ends[i].path.map(|a| Candidate::host(a, "udp").expect("candidate"));
        let [local, remote] = candidates;
        let rtc = &mut ends[i].rtc;
        rtc.add_local_candidate(local);
        rtc.add_remote_candidate(remote);
        let mut d = rtc.direct_api();
        d.set_ice_controlling(i == 0);
        d.set_remote_ice_credentials(IceCreds { ufrag: creds.ufrag, pass: creds.pass });
        d.set_remote_fingerprint(fingerprint.parse().expect("fingerprint"));
        d.start_dtls(i == 0).expect("dtls");
        d.enable_twcc_feedback();
        for n in 0..streams {
            let (mid, rtx) = (format!("v{n}").as_str().into(), Some((1001 + 2 * n).into()));
            d.declare_media(mid, MediaKind::Video);
            if i == 0 {
                d.declare_stream_tx(ssrc(n), rtx, mid, None).set_unpaced(true);
            } else {
                d.expect_stream_rx(ssrc(n), rtx, mid, None);
            }
        }
    }
    Pair { ends, now_us: START_US }
}

impl Theirs {
    fn at(&self, us: u64) -> Instant {
        self.base + Duration::from_micros(us)
    }
}

impl End for Theirs {
    fn send(&mut self, stream: u32, n: u32, now_us: u64) {
        let now = self.at(now_us);
        let seq = &mut self.seq[stream as usize];
        *seq += 1;
        let w = RtpWrite::new(VIDEO.into(), (*seq).into(), (now_us * 9 / 100) as u32, now, self.payload.clone())
            .marker(n + 1 == crate::BURST)
            .nackable(true);
        self.rtc.direct_api().stream_tx(&ssrc(stream)).expect("declared").write_rtp(w);
    }

    fn receive(&mut self, data: &[u8], segment: usize, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        // It demands that its outputs are taken after each input.
        for datagram in data.chunks(segment) {
            let Ok(contents) = datagram.try_into() else { continue };
            let (destination, source) = (self.path[0], self.path[1]);
            let r = Receive { proto: Protocol::Udp, source, destination, contents };
            self.rtc.handle_input(Input::Receive(self.at(now_us), r)).expect("str0m takes it");
            self.drain(now_us, out);
        }
    }

    fn drain(&mut self, now_us: u64, out: &mut dyn FnMut(&[u8], usize)) {
        let now = self.at(now_us);
        loop {
            match self.rtc.poll_output().expect("str0m works") {
                Output::Timeout(t) if t > now => return,
                Output::Timeout(_) => self.rtc.handle_input(Input::Timeout(now)).expect("str0m takes time"),
                Output::Transmit(t) => out(&t.contents, t.contents.len()),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::RtpPacket(_)) => self.received += 1,
                Output::Event(_) => {}
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.connected
    }

    fn received(&self) -> u64 {
        self.received
    }
}
