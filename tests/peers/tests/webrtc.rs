//! The engine and an RTCPeerConnection of the `webrtc` crate over loopback: it offers and we answer in both DTLS roles, we
//! offer and it answers; media and repairs both ways, its key-frame requests (ours end in
//! its interceptors, out of sight of an application; the test with str0m sees them).

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jmeet::Time;
use jmeet::media::peer::*;
use jmeet_peers::*;
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_twcc_sender_only, register_default_interceptors,
};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine};
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtp_transceiver::rtp_sender::*;
use tokio::sync::mpsc;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::*;

const OUR_AUDIO: u32 = 10;
const OUR_VIDEO: u32 = 20;
const OUR_RTX: u32 = 21;
const THEIR_AUDIO: u32 = 110;
const THEIR_VIDEO: u32 = 120;
const THEIR_RTX: u32 = 121;

fn clock() -> Time {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(Instant::now);
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as i64);
    Time::new(start.elapsed().as_micros() as u64, unix)
}

fn feedback(video: bool) -> Vec<RTCPFeedback> {
    let all: &[(&str, &str)] = if video {
        &[("ccm", "fir"), ("nack", ""), ("nack", "pli"), ("transport-cc", "")]
    } else {
        &[("transport-cc", "")]
    };
    all.iter().map(|(t, p)| RTCPFeedback { typ: (*t).into(), parameter: (*p).into() }).collect()
}

fn codec(mime: &str, clock: u32, channels: u16, fmtp: &str, rtcp_feedback: Vec<RTCPFeedback>) -> RTCRtpCodec {
    RTCRtpCodec { mime_type: mime.into(), clock_rate: clock, channels, sdp_fmtp_line: fmtp.into(), rtcp_feedback }
}

fn opus() -> RTCRtpCodec {
    codec(MIME_TYPE_OPUS, 48_000, 2, "minptime=10;useinbandfec=1", feedback(false))
}

fn vp8() -> RTCRtpCodec {
    codec(MIME_TYPE_VP8, 90_000, 0, "", feedback(true))
}

fn media_engine() -> MediaEngine {
    let mut m = MediaEngine::default();
    let rtx = codec(MIME_TYPE_RTX, 90_000, 0, &format!("apt={VIDEO}"), vec![]);
    for (rtp_codec, payload_type, kind) in
        [(opus(), AUDIO, RtpCodecKind::Audio), (vp8(), VIDEO, RtpCodecKind::Video), (rtx, RTX, RtpCodecKind::Video)]
    {
        let c = RTCRtpCodecParameters { rtp_codec, payload_type, ..Default::default() };
        m.register_codec(c, kind).expect("codec");
    }
    for (uri, kind) in [
        ("urn:ietf:params:rtp-hdrext:ssrc-audio-level", RtpCodecKind::Audio),
        ("http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", RtpCodecKind::Video),
        ("http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", RtpCodecKind::Audio),
    ] {
        let e = RTCRtpHeaderExtensionCapability { uri: uri.into() };
        m.register_header_extension(e, kind, None).expect("extension");
    }
    m
}

enum Told {
    Candidate(String),
    Connected,
    Track(Arc<dyn TrackRemote>),
}

struct Handler(mpsc::UnboundedSender<Told>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, e: RTCPeerConnectionIceEvent) {
        if let Ok(c) = e.candidate.to_json() {
            let _ = self.0.send(Told::Candidate(c.candidate));
        }
    }

    async fn on_connection_state_change(&self, s: RTCPeerConnectionState) {
        if s == RTCPeerConnectionState::Connected {
            let _ = self.0.send(Told::Connected);
        }
    }

    async fn on_track(&self, t: Arc<dyn TrackRemote>) {
        let _ = self.0.send(Told::Track(t));
    }
}

fn track(name: &str, kind: RtpCodecKind, ssrc: u32, rtx: Option<u32>, codec: RTCRtpCodec) -> Arc<TrackLocalStaticRTP> {
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
        ..Default::default()
    };
    let e = RTCRtpEncodingParameters { rtp_coding_parameters: coding, active: true, codec, ..Default::default() };
    let m = MediaStreamTrack::new("s".into(), name.into(), name.into(), kind, vec![e]);
    Arc::new(TrackLocalStaticRTP::new(m))
}

fn rtp(ssrc: u32, pt: u8, n: u32, ts: u32, len: usize) -> rtc::rtp::Packet {
    let header = rtc::rtp::Header {
        version: 2,
        payload_type: pt,
        sequence_number: n as u16 + 1000,
        timestamp: ts,
        ssrc,
        marker: true,
        ..Default::default()
    };
    // A VP8 descriptor, start of a partition, and the number.
    rtc::rtp::Packet { header, payload: vec![n as u8; len].into() }
}

/// An SDP of theirs with our transport and streams in the place of theirs.
fn rewrite(sdp: &str, t: &LocalTransport, setup: &str, candidates: &[Candidate]) -> String {
    let drop = [
        "a=ice-ufrag",
        "a=ice-pwd",
        "a=fingerprint",
        "a=setup",
        "a=candidate",
        "a=ssrc",
        "a=msid",
        "a=end-of-cand",
        "a=ice-options",
    ];
    let mut out = String::new();
    let mut media = "";
    let flush = |media: &str, out: &mut String| {
        match media {
        "audio" => out.push_str(&format!("a=ssrc:{OUR_AUDIO} cname:ours\r\na=ssrc:{OUR_AUDIO} msid:o oa\r\n")),
        "video" => out.push_str(&format!(
            "a=ssrc-group:FID {OUR_VIDEO} {OUR_RTX}\r\na=ssrc:{OUR_VIDEO} cname:ours\r\na=ssrc:{OUR_VIDEO} msid:o ov\r\n\
             a=ssrc:{OUR_RTX} cname:ours\r\na=ssrc:{OUR_RTX} msid:o ov\r\n"
        )),
        _ => {}
    }
    };
    for line in sdp.lines().map(str::trim).filter(|l| !drop.iter().any(|d| l.starts_with(d))) {
        if line.starts_with("m=") {
            flush(media, &mut out);
            media = if line.starts_with("m=audio") { "audio" } else { "video" };
        }
        out.push_str(line);
        out.push_str("\r\n");
        if line.starts_with("c=") && !media.is_empty() {
            let (c, f) = (&t.credentials, &t.fingerprint);
            out.push_str(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", c.ufrag, c.pwd));
            out.push_str(&format!("a=fingerprint:{} {}\r\na=setup:{setup}\r\n", f.hash, f.value));
            candidates.iter().for_each(|c| out.push_str(&format!("a={}\r\n", candidate_line(c))));
        }
    }
    flush(media, &mut out);
    out
}

/// The extension ids that their SDP gives.
fn extensions(sdp: &str) -> ExtensionIds {
    let id = |end: &str| {
        let line = sdp.lines().map(str::trim).find(|l| l.starts_with("a=extmap:") && l.ends_with(end));
        line.map_or(0, |l| l["a=extmap:".len()..].split([' ', '/']).next().and_then(|n| n.parse().ok()).unwrap_or(0))
    };
    ExtensionIds {
        audio_level: id("ssrc-audio-level"),
        abs_send_time: 0,
        transport_cc: id("transport-wide-cc-extensions-01"),
        mid: id("sdes:mid"),
        dependency_descriptor: 0,
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Case {
    TheyOfferWeAreActive,
    TheyOfferWeArePassive,
    WeOffer,
}

struct Loss {
    each: u64,
    firsts: [u64; 2],
    lost: [u64; 2],
}

impl Loss {
    fn loses(&mut self, side: usize, b: &[u8]) -> bool {
        if self.each == 0 || b[0] < 128 || b[1] & 0x7f != VIDEO {
            return false;
        }
        self.firsts[side] += 1;
        let gone = self.firsts[side].is_multiple_of(self.each);
        self.lost[side] += u64::from(gone);
        gone
    }
}

fn turn(ours: &mut Ours, socket: &UdpSocket, loss: &mut Loss) {
    let mut buf = [0; 2048];
    while let Ok((n, from)) = socket.recv_from(&mut buf) {
        if !loss.loses(0, &buf[..n]) {
            ours.engine.handle_datagram(ours.local, from, &buf[..n], clock());
        }
    }
    if ours.engine.next_deadline().is_some_and(|t| t <= clock()) {
        ours.engine.handle_timeout(clock());
    }
    for t in ours.drain() {
        if !loss.loses(1, &t.data) {
            let _ = socket.send_to(&t.data, t.remote);
        }
    }
}

async fn meet(case: Case) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_nonblocking(true).expect("nonblocking");
    let local = socket.local_addr().expect("bound");
    let mut ours = Ours::new(case == Case::WeOffer, local, local.port().into(), clock());
    let mut loss = Loss { each: 0, firsts: [0; 2], lost: [0; 2] };
    turn(&mut ours, &socket, &mut loss);

    let mut engine = media_engine();
    let registry = register_default_interceptors(Registry::new(), &mut engine).expect("interceptors");
    let registry = configure_twcc_sender_only(registry, &mut engine).expect("twcc");
    let (tx, mut told) = mpsc::unbounded_channel();
    let pc = PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(Handler(tx)))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .expect("peer connection");
    let their_audio = track("ta", RtpCodecKind::Audio, THEIR_AUDIO, None, opus());
    let their_video = track("tv", RtpCodecKind::Video, THEIR_VIDEO, Some(THEIR_RTX), vp8());
    pc.add_track(their_audio.clone()).await.expect("audio");
    pc.add_track(their_video.clone()).await.expect("video");

    let t = ours.engine.local_transport();
    let candidates = std::mem::take(&mut ours.candidates);
    let offer = pc.create_offer(None).await.expect("offer");
    let (sdp, dtls) = match case {
        Case::WeOffer => {
            let ours = rewrite(&offer.sdp, &t, "actpass", &candidates);
            pc.set_remote_description(RTCSessionDescription::offer(ours).expect("sdp")).await.expect("our offer");
            let answer = pc.create_answer(None).await.expect("answer");
            pc.set_local_description(answer.clone()).await.expect("their answer");
            assert!(answer.sdp.contains("a=setup:active"), "{}", answer.sdp);
            (answer.sdp, DtlsRole::Server)
        }
        _ => {
            pc.set_local_description(offer.clone()).await.expect("their offer");
            let (setup, dtls) = match case {
                Case::TheyOfferWeAreActive => ("active", DtlsRole::Client),
                _ => ("passive", DtlsRole::Server),
            };
            let answer = rewrite(&offer.sdp, &t, setup, &candidates);
            pc.set_remote_description(RTCSessionDescription::answer(answer).expect("sdp")).await.expect("our answer");
            (offer.sdp, dtls)
        }
    };
    let rtp_config = RtpConfig { extensions: extensions(&sdp), ..RtpConfig::jicofo() };
    assert!(rtp_config.extensions.transport_cc != 0 && rtp_config.extensions.audio_level != 0, "{sdp}");
    for c in [
        Command::SetRtp(rtp_config),
        Command::SetRemote(parse_transport(&sdp, dtls)),
        Command::AddSender(Sender { ssrc: OUR_AUDIO, rtx: None, pt: AUDIO }),
        Command::AddSender(Sender { ssrc: OUR_VIDEO, rtx: Some((OUR_RTX, RTX)), pt: VIDEO }),
        Command::MapRtx { rtx: THEIR_RTX, primary: THEIR_VIDEO },
    ] {
        ours.engine.handle_command(c, clock());
    }
    for c in sdp.lines().filter_map(parse_candidate) {
        ours.engine.handle_command(Command::AddRemoteCandidate(c), clock());
    }

    // What they receive, by SSRC, sequence number and first byte.
    let received: Arc<Mutex<BTreeMap<(u32, u16), u8>>> = Arc::default();
    let mut connected = false;
    let limit = Instant::now() + Duration::from_secs(20);
    let take = |told: &mut mpsc::UnboundedReceiver<Told>, ours: &mut Ours, connected: &mut bool| {
        while let Ok(e) = told.try_recv() {
            match e {
                Told::Candidate(c) => {
                    if let Some(c) = parse_candidate(&c) {
                        ours.engine.handle_command(Command::AddRemoteCandidate(c), clock());
                    }
                }
                Told::Connected => *connected = true,
                Told::Track(t) => {
                    let received = received.clone();
                    tokio::spawn(async move {
                        let mut first = true;
                        while let Some(e) = t.poll().await {
                            let TrackRemoteEvent::OnRtpPacket(p) = e else { continue };
                            if std::mem::take(&mut first) && p.header.ssrc == OUR_VIDEO {
                                let pli = PictureLossIndication { sender_ssrc: 1, media_ssrc: OUR_VIDEO };
                                let _ = t.write_rtcp(vec![Box::new(pli)]).await;
                            }
                            let byte = p.payload.first().copied().unwrap_or_default();
                            received.lock().expect("lock").insert((p.header.ssrc, p.header.sequence_number), byte);
                        }
                    });
                }
            }
        }
    };
    while !(connected && ours.secure) {
        assert!(Instant::now() < limit, "{case:?} connected {connected} {:?} {:?}", ours.failed, ours.engine.stats());
        take(&mut told, &mut ours, &mut connected);
        turn(&mut ours, &socket, &mut loss);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    let packets = 200u32;
    for n in 0..packets {
        loss.each = if (20..packets - 20).contains(&n) { 10 } else { 0 };
        ours.engine.send_rtp(audio(OUR_AUDIO, n), clock());
        ours.engine.send_rtp(video(OUR_VIDEO, n), clock());
        their_audio.write_rtp(rtp(THEIR_AUDIO, AUDIO, n, n * 960, 80)).await.expect("their audio");
        their_video.write_rtp(rtp(THEIR_VIDEO, VIDEO, n, n * 3000, 1000)).await.expect("their video");
        for _ in 0..5 {
            take(&mut told, &mut ours, &mut connected);
            turn(&mut ours, &socket, &mut loss);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    loss.each = 0;
    let count = |r: &BTreeMap<(u32, u16), u8>, ssrc: u32| r.keys().filter(|k| k.0 == ssrc).count() as u32;
    let limit = Instant::now() + Duration::from_secs(10);
    while Instant::now() < limit {
        let theirs = count(&received.lock().expect("lock"), OUR_VIDEO);
        let s = ours.engine.stats();
        let mine = ours.received.iter().filter(|p| p.ssrc == THEIR_VIDEO).count() as u32;
        if theirs == packets && mine == packets && s.transport_cc_in > 0 && !ours.key_frames.is_empty() {
            break;
        }
        turn(&mut ours, &socket, &mut loss);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let s = ours.engine.stats();
    let expected: Vec<u8> = (0..packets).map(|n| n as u8).collect();
    for ssrc in [THEIR_AUDIO, THEIR_VIDEO] {
        assert_eq!(ours.in_order(ssrc), expected, "{case:?} {ssrc} {s:?}");
    }
    let received = received.lock().expect("lock");
    for ssrc in [OUR_AUDIO, OUR_VIDEO] {
        let got: Vec<u8> = received.iter().filter(|(k, _)| k.0 == ssrc).map(|(_, b)| *b).collect();
        assert_eq!(got, expected, "{case:?} {ssrc} {s:?} lost {:?}", loss.lost);
    }
    assert!(loss.lost.iter().all(|l| *l > 10), "{:?}", loss.lost);
    assert_eq!((s.recovered, s.unrecovered, s.srtp_errors), (loss.lost[0], 0, 0), "{s:?}");
    assert!(s.rtx_out >= loss.lost[1], "{s:?}");
    assert!(s.transport_cc_in > 0 && s.transport_cc_out > 0, "{s:?}");
    assert!(ours.key_frames.contains(&OUR_VIDEO), "their request");
    pc.close().await.expect("close");
}

#[tokio::test(flavor = "multi_thread")]
async fn they_offer_and_we_are_active() {
    meet(Case::TheyOfferWeAreActive).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_offer_and_we_are_passive() {
    meet(Case::TheyOfferWeArePassive).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn we_offer_and_they_answer() {
    meet(Case::WeOffer).await;
}
