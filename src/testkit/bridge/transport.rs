//! One endpoint's transport on str0m: ICE agents of ours ([`Paths`]), DTLS, SRTP, RTCP and SCTP of its `Rtc`.
//!
//! str0m has one ICE agent and forgets its pair on a restart, while the videobridge makes a new path beside the old one. So the
//! `Rtc`'s own agent talks to a stub in memory until it believes in a path, and real datagrams take the path that our agents
//! chose: a restart is then only another address for the same association.

use super::clock;
use super::dependency::{DependencyDescriptor, Passthrough};
use super::ice::{IceEvent, Paths};
use super::types::{BridgeError, Kind, RemoteTransport};
use crate::env::Env;
use crate::time::{Time, earliest};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::vec::Drain;
use str0m::bwe::{Bitrate, BweKind};
use str0m::channel::ChannelId;
use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::format::{Codec, FormatParams};
use str0m::ice::{IceAgent, StunMessage, StunPacket};
use str0m::media::{Frequency, MediaKind, Mid};
use str0m::net::{DatagramSend, Protocol, Receive};
use str0m::rtp::rtcp::Rtcp;
use str0m::rtp::{Extension, ExtensionValues, RawPacket, RtpPacket, RtpWrite};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

/// Opus, and what Jicofo offers for video with its RTX (docs/protocol/04 §6.2).
pub const OPUS: u8 = 111;
const RED: u8 = 112;
const TELEPHONE_EVENT: u8 = 126;
pub const VP8: u8 = 100;
pub const VP8_RTX: u8 = 96;
const AV1: (u8, u8) = (41, 42);
const VP9: (u8, u8) = (101, 97);
const H264: (u8, u8) = (107, 99);
const H264_PROFILE: u32 = 0x42_e01f;
/// Of the estimate, bit/s (docs/protocol/04 §4.4).
const INITIAL_ESTIMATE: u64 = 2_500_000;
/// Rounds of str0m within one moment.
const MAX_ROUNDS: usize = 20;
/// A client's packets that come before there is a way back.
const MAX_HELD: usize = 64;
/// Repairs sent without the cap that str0m has by default: a bridge answers what it can.
const RTX_PACKETS: usize = 500;
const RTX_AGE: Duration = Duration::from_secs(15);
/// The two ends of the path in memory.
const INNER: [SocketAddr; 2] = [
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 1),
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 2),
];
/// Streams of the client hang on these two; ours have a `mid` each.
const FROM_CLIENT: [&str; 2] = ["from-a", "from-v"];

/// What a transport tells.
#[derive(Debug)]
pub(super) enum TransportEvent {
    Ice(IceEvent),
    Secure,
    /// The handshake failed, or the client ended it.
    Closed,
    /// Of this SSRC.
    Rtp(u32, Packet),
    /// The client wants a key frame on our stream of this `mid`.
    KeyFrameWanted(String),
    /// The client misses packets of this SSRC.
    Nack(u32, Vec<u16>),
    ChannelOpen,
    ChannelText(String),
    ChannelClosed,
    /// The downlink, bit/s.
    Estimate(u64),
}

/// A packet of or for a client.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub pt: u8,
    pub seq: u64,
    pub ts: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    pub level: Option<(i8, bool)>,
    pub dependency: Option<DependencyDescriptor>,
    pub mid: Option<Mid>,
}

fn packet(p: &RtpPacket) -> Packet {
    let ext = &p.header.ext_vals;
    Packet {
        pt: *p.header.payload_type,
        seq: *p.seq_no,
        ts: p.header.timestamp,
        marker: p.header.marker,
        payload: p.payload.clone(),
        level: ext.audio_level.map(|l| (l, ext.voice_activity.unwrap_or(false))),
        dependency: ext.user_values.get::<DependencyDescriptor>().cloned(),
        mid: None,
    }
}

/// The path in memory to the `Rtc`'s own ICE agent.
struct Stub {
    agent: IceAgent,
}

/// The transport of one endpoint.
pub(super) struct Transport {
    rtc: Rtc,
    paths: Paths,
    stub: Option<Stub>,
    started: bool,
    sctp: bool,
    secure: bool,
    closed: bool,
    /// From the client, before there was a path.
    early: Vec<Vec<u8>>,
    channel: Option<ChannelId>,
    rtc_deadline: Option<Time>,
    transmits: Vec<(SocketAddr, SocketAddr, Vec<u8>)>,
    events: VecDeque<TransportEvent>,
}

fn config(cert: &DtlsCert, estimate: bool, mid: bool) -> RtcConfig {
    let mut c = RtcConfig::new()
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .set_dtls_version(DtlsVersion::Dtls12)
        .set_dtls_cert(cert.clone())
        .enable_raw_packets(true)
        .clear_codecs()
        .clear_extension_map()
        .set_extension(1, Extension::AudioLevel)
        .set_extension(5, Extension::TransportSequenceNumber)
        .set_extension(11, Extension::with_serializer(super::dependency::URI, Passthrough));
    if mid {
        c = c.set_extension(10, Extension::RtpMid);
    }
    if estimate {
        c = c.enable_bwe(Some(Bitrate::bps(INITIAL_ESTIMATE)));
    }
    let codecs = c.codec_config();
    let opus = FormatParams { min_p_time: Some(10), use_inband_fec: Some(true), ..Default::default() };
    // What else may come as audio is passed on as it is.
    for pt in [OPUS, RED, TELEPHONE_EVENT] {
        codecs.add_config(pt.into(), None, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2), opus);
    }
    for (pt, codec) in [((VP8, VP8_RTX), Codec::Vp8), (AV1, Codec::Av1), (VP9, Codec::Vp9)] {
        let (pt, rtx) = (pt.0.into(), Some(pt.1.into()));
        codecs.add_config(pt, rtx, codec, Frequency::NINETY_KHZ, None, FormatParams::default());
    }
    codecs.add_h264(H264.0.into(), Some(H264.1.into()), true, H264_PROFILE);
    c
}

impl Transport {
    pub fn new(
        locals: &[SocketAddr],
        cert: &DtlsCert,
        crypto: &CryptoProvider,
        options: (bool, bool, bool),
        env: &mut Env,
        now: Time,
    ) -> Transport {
        let (sctp, estimate, mid) = options;
        let mut rtc = config(cert, estimate, mid).build(clock::instant(now));
        let creds = || IceCreds { ufrag: "inner".into(), pass: "in memory, between the two halves".into() };
        let mut agent = IceAgent::with_hmac(creds(), crypto.sha1_hmac_provider);
        agent.set_controlling(true);
        agent.set_remote_credentials(creds());
        if let (Ok(own), Ok(theirs)) = (Candidate::host(INNER[0], "udp"), Candidate::host(INNER[1], "udp")) {
            rtc.add_local_candidate(own.clone());
            rtc.add_remote_candidate(theirs.clone());
            agent.add_local_candidate(theirs);
            agent.add_remote_candidate(own);
        }
        let mut d = rtc.direct_api();
        d.set_local_ice_credentials(creds());
        d.set_remote_ice_credentials(creds());
        d.set_ice_controlling(false);
        d.enable_twcc_feedback();
        d.declare_media(FROM_CLIENT[0].into(), MediaKind::Audio);
        d.declare_media(FROM_CLIENT[1].into(), MediaKind::Video);
        Transport {
            rtc,
            paths: Paths::new(locals, crypto, env, now),
            stub: Some(Stub { agent }),
            started: false,
            sctp,
            secure: false,
            closed: false,
            early: Vec::new(),
            channel: None,
            rtc_deadline: Some(now),
            transmits: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Generation, user name and password to offer.
    pub fn credentials(&self) -> Option<(u32, String, String)> {
        self.paths.credentials()
    }

    /// The client's part: of the session at first, then of each restart.
    pub fn accept(&mut self, remote: &RemoteTransport, now: Time) -> Result<(), BridgeError> {
        if !self.started {
            let active = match remote.setup.as_str() {
                "active" => false,
                "passive" => true,
                _ => return Err(BridgeError::Transport("neither active nor passive")),
            };
            let f = remote.fingerprint.as_ref().ok_or(BridgeError::Transport("no fingerprint"))?;
            let parsed = format!("{} {}", f.hash.to_ascii_lowercase(), f.value).parse();
            let fingerprint = parsed.map_err(|_| BridgeError::Transport("not a fingerprint"))?;
            self.rtc.direct_api().set_remote_fingerprint(fingerprint);
            // Time first: the handshake counts from it.
            let _ = self.rtc.handle_input(Input::Timeout(clock::instant(now)));
            let mut d = self.rtc.direct_api();
            d.start_dtls(active).map_err(|_| BridgeError::Transport("DTLS does not start"))?;
            if self.sctp {
                d.start_sctp(false);
            }
            self.started = true;
        }
        self.paths.accept(remote, now);
        self.drain(now);
        Ok(())
    }

    /// A new agent beside the old one.
    pub fn restart(&mut self, crypto: &CryptoProvider, env: &mut Env, now: Time) {
        self.paths.restart(crypto, env, now);
    }

    /// Whether a datagram from this address is for this endpoint.
    pub fn knows(&self, remote: SocketAddr) -> bool {
        self.paths.knows(remote)
    }

    /// Whether a STUN datagram from an unknown address is.
    pub fn accepts(&self, data: &[u8]) -> bool {
        data.first().is_some_and(|b| *b < 4) && self.paths.accepts(data)
    }

    /// Takes a datagram; `true` when it says that the client is alive.
    pub fn datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) -> bool {
        if data.first().is_some_and(|b| *b < 4) {
            let taken = self.paths.handle(local, remote, data, now);
            self.drain(now);
            return taken;
        }
        if self.paths.path().is_none() || !self.started {
            if self.early.len() < MAX_HELD {
                self.early.push(data.to_vec());
            }
            return true;
        }
        self.receive(data, now);
        self.drain(now);
        true
    }

    fn receive(&mut self, data: &[u8], now: Time) {
        let Ok(contents) = data.try_into() else { return };
        let r = Receive { proto: Protocol::Udp, source: INNER[1], destination: INNER[0], contents };
        self.input(Input::Receive(clock::instant(now), r));
    }

    fn input(&mut self, input: Input) {
        if !self.closed && self.rtc.handle_input(input).is_err() {
            self.close();
        }
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(TransportEvent::Closed);
        }
    }

    /// Takes notice of the time.
    pub fn timeout(&mut self, now: Time) {
        self.paths.drive(now);
        if self.rtc_deadline.is_some_and(|d| d.mono_us <= now.mono_us) {
            self.input(Input::Timeout(clock::instant(now)));
        }
        self.drain(now);
    }

    /// Lets what was written go out.
    pub fn flush(&mut self, now: Time) {
        self.input(Input::Timeout(clock::instant(now)));
        self.drain(now);
    }

    fn drain(&mut self, now: Time) {
        self.transmits.extend(self.paths.poll_transmits());
        self.events.extend(self.paths.poll_events().into_iter().map(TransportEvent::Ice));
        if self.started && self.paths.path().is_some() {
            for data in std::mem::take(&mut self.early) {
                self.receive(&data, now);
                self.poll_rtc(now);
            }
        }
        if self.started {
            self.poll_rtc(now);
        }
    }

    /// Until it has nothing more to do now: a new stream, for one, takes it two rounds.
    fn poll_rtc(&mut self, now: Time) {
        for _ in 0..MAX_ROUNDS {
            self.drive_stub(now);
            let again = self.poll_rtc_once(now);
            if !again && self.rtc_deadline.is_none_or(|d| d.mono_us > now.mono_us) {
                return;
            }
            self.input(Input::Timeout(clock::instant(now)));
        }
        self.poll_rtc_once(now);
        self.rtc_deadline = self.rtc_deadline.map(|d| d.max(now + clock::STEP));
    }

    /// The path in memory: what the stub sends is with the `Rtc` at once.
    fn drive_stub(&mut self, now: Time) {
        let Some(mut stub) = self.stub.take() else { return };
        stub.agent.handle_timeout(clock::instant(now));
        while stub.agent.poll_event().is_some() {}
        while let Some(t) = stub.agent.poll_transmit() {
            self.receive(&t.contents, now);
        }
        self.stub = Some(stub);
    }

    /// Polls until the `Rtc` waits; `true` when the stub has something to say about it.
    fn poll_rtc_once(&mut self, now: Time) -> bool {
        let mut stub_heard = false;
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_deadline = clock::deadline(at, now);
                    return stub_heard;
                }
                Ok(Output::Transmit(t)) => stub_heard |= self.transmit(t.contents, now),
                Ok(Output::Event(e)) => self.event(e),
                Err(_) => {
                    self.close();
                    self.rtc_deadline = None;
                    return false;
                }
            }
            if self.closed {
                self.rtc_deadline = None;
                return false;
            }
        }
    }

    fn transmit(&mut self, data: DatagramSend, now: Time) -> bool {
        if data.first().is_some_and(|b| *b < 4) {
            if let (Some(stub), Ok(message)) = (&mut self.stub, StunMessage::parse(&data)) {
                let p = StunPacket { proto: Protocol::Udp, source: INNER[0], destination: INNER[1], message };
                return stub.agent.handle_packet(clock::instant(now), p);
            }
            return false;
        }
        // It believes in its path: the stub has done its work.
        self.stub = None;
        if let Some((local, remote)) = self.paths.path() {
            self.transmits.push((local, remote, data.into()));
        }
        false
    }

    fn event(&mut self, e: Event) {
        let told = match e {
            Event::Connected => {
                self.secure = true;
                TransportEvent::Secure
            }
            Event::Closed => return self.close(),
            Event::RtpPacket(p) => TransportEvent::Rtp(*p.header.ssrc, packet(&p)),
            Event::KeyframeRequest(k) => TransportEvent::KeyFrameWanted(k.mid.trim().to_owned()),
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => TransportEvent::Estimate(estimate.as_u64()),
            Event::RawPacket(p) => match *p {
                RawPacket::RtcpRx(Rtcp::Nack(n)) => {
                    let seqs = n.reports.iter().flat_map(|r| {
                        let bits = (0..16u16).filter(|i| r.blp & (1 << i) != 0).map(|i| r.pid.wrapping_add(i + 1));
                        std::iter::once(r.pid).chain(bits).collect::<Vec<_>>()
                    });
                    TransportEvent::Nack(*n.ssrc, seqs.collect())
                }
                _ => return,
            },
            // JVB takes one channel in an endpoint's life and no second one.
            Event::ChannelOpen(id, _) if self.channel.is_none() => {
                self.channel = Some(id);
                TransportEvent::ChannelOpen
            }
            Event::ChannelData(d) if self.channel == Some(d.id) && !d.binary => match String::from_utf8(d.data) {
                Ok(text) => TransportEvent::ChannelText(text),
                Err(_) => return,
            },
            Event::ChannelClose(id) if self.channel == Some(id) => TransportEvent::ChannelClosed,
            _ => return,
        };
        self.events.push_back(told);
    }

    /// Sends a text on the data channel.
    pub fn text(&mut self, text: &str, now: Time) {
        let Some(mut channel) = self.channel.and_then(|id| self.rtc.channel(id)) else { return };
        // An empty text blocks its stream in str0m; nobody sends one.
        if !text.is_empty() {
            // What does not fit is lost: a client that takes nothing for that long is gone.
            let _ = channel.write(false, text.as_bytes());
            self.flush(now);
        }
    }

    /// A stream of the client.
    pub fn expect(&mut self, ssrc: u32, rtx: Option<u32>, kind: Kind) {
        let mid = Mid::from(FROM_CLIENT[usize::from(kind == Kind::Video)]);
        let stream = self.rtc.direct_api();
        let mut stream = stream;
        stream.expect_stream_rx(ssrc.into(), rtx.map(Into::into), mid, None).suppress_nack(kind == Kind::Audio);
    }

    /// A stream of the client is gone.
    pub fn forget(&mut self, ssrc: u32) {
        self.rtc.direct_api().remove_stream_rx(ssrc.into());
    }

    /// A stream of ours.
    pub fn open(&mut self, mid: &str, kind: Kind, ssrc: u32, rtx: Option<u32>) {
        let media = match kind {
            Kind::Audio => MediaKind::Audio,
            Kind::Video => MediaKind::Video,
        };
        let mid = Mid::from(mid);
        let mut d = self.rtc.direct_api();
        d.declare_media(mid, media);
        let s = d.declare_stream_tx(ssrc.into(), rtx.map(Into::into), mid, None);
        s.set_unpaced(true);
        s.set_rtx_cache(RTX_PACKETS, RTX_AGE, None);
    }

    /// A stream of ours is over.
    pub fn shut(&mut self, mid: &str) {
        self.rtc.direct_api().remove_media(Mid::from(mid));
    }

    /// Sends a packet; it goes out with the next [`Transport::flush`].
    pub fn send(&mut self, ssrc: u32, p: &Packet, nackable: bool, now: Time) {
        if !self.secure {
            return;
        }
        let mut ext = ExtensionValues::default();
        if let Some((level, voice)) = p.level {
            (ext.audio_level, ext.voice_activity) = (Some(level), Some(voice));
        }
        if let Some(d) = &p.dependency {
            ext.user_values.set(d.clone());
        }
        ext.mid = p.mid;
        let mut d = self.rtc.direct_api();
        if let Some(s) = d.stream_tx(&ssrc.into()) {
            let w = RtpWrite::new(p.pt.into(), p.seq.into(), p.ts, clock::instant(now), p.payload.clone());
            s.write_rtp(w.marker(p.marker).ext_vals(ext).nackable(nackable));
        }
    }

    /// Asks the client for a key frame of this SSRC.
    pub fn request_key_frame(&mut self, own: u32, ssrc: u32) {
        self.rtc.direct_api().send_pli_feedback(own.into(), ssrc.into());
    }

    /// What the estimate should be able to reach: it probes up to that.
    pub fn desire(&mut self, bps: u64) {
        self.rtc.bwe().set_desired_bitrate(Bitrate::bps(bps));
    }

    pub fn secure(&self) -> bool {
        self.secure && !self.closed
    }

    pub fn poll_transmits(&mut self) -> Drain<'_, (SocketAddr, SocketAddr, Vec<u8>)> {
        self.transmits.drain(..)
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    pub fn next_deadline(&self) -> Option<Time> {
        let rtc = self.rtc_deadline.filter(|_| self.started && !self.closed);
        earliest(self.paths.next_deadline(), rtc)
    }
}
