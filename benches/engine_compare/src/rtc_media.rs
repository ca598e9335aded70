//! What both forms of the webrtc-rs project's stack are made from: codecs, feedback, interceptors, tracks, packets.

use jmeet_peers::{RTX, VIDEO};
use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{
    configure_twcc_sender_only, register_default_interceptors,
};
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_RTX, MIME_TYPE_VP8, MediaEngine};
use rtc::rtp_transceiver::rtp_sender::*;

pub fn ssrc(stream: u32) -> u32 {
    1000 + 2 * stream
}

fn vp8() -> RTCRtpCodec {
    let feedback = [("ccm", "fir"), ("nack", ""), ("nack", "pli"), ("transport-cc", "")];
    let feedback = feedback.map(|(t, p)| RTCPFeedback { typ: t.into(), parameter: p.into() });
    codec(MIME_TYPE_VP8, "", feedback.into())
}

fn codec(mime: &str, fmtp: &str, rtcp_feedback: Vec<RTCPFeedback>) -> RTCRtpCodec {
    RTCRtpCodec { mime_type: mime.into(), clock_rate: 90_000, channels: 0, sdp_fmtp_line: fmtp.into(), rtcp_feedback }
}

/// VP8 with repairs, and the interceptors for NACK, reports and transport-cc both ways.
pub fn engine() -> (MediaEngine, Registry) {
    let mut m = MediaEngine::default();
    let rtx = codec(MIME_TYPE_RTX, &format!("apt={VIDEO}"), vec![]);
    for (rtp_codec, payload_type) in [(vp8(), VIDEO), (rtx, RTX)] {
        let c = RTCRtpCodecParameters { rtp_codec, payload_type, ..Default::default() };
        m.register_codec(c, RtpCodecKind::Video).expect("codec");
    }
    let registry = register_default_interceptors(Registry::new(), &mut m).expect("interceptors");
    let registry = configure_twcc_sender_only(registry, &mut m).expect("twcc");
    (m, registry)
}

pub fn track(stream: u32) -> MediaStreamTrack {
    let ssrc = ssrc(stream);
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: Some(RTCRtpRtxParameters { ssrc: ssrc + 1 }),
        ..Default::default()
    };
    let e =
        RTCRtpEncodingParameters { rtp_coding_parameters: coding, active: true, codec: vp8(), ..Default::default() };
    let name = format!("v{stream}");
    MediaStreamTrack::new(name.clone(), name.clone(), name, RtpCodecKind::Video, vec![e])
}

pub fn packet(stream: u32, seq: u16, ts: u32, marker: bool, payload: Vec<u8>) -> rtc::rtp::Packet {
    let header = rtc::rtp::Header {
        version: 2,
        payload_type: VIDEO,
        sequence_number: seq,
        timestamp: ts,
        ssrc: ssrc(stream),
        marker,
        ..Default::default()
    };
    rtc::rtp::Packet { header, payload: payload.into() }
}
