//! Codecs and header extensions as descriptions name them (docs/protocol/02 §5.2, docs/protocol/04 §6).

use crate::wire::jingle::{Description, Media, PayloadType};

/// Codecs that are understood in an offer. Between peers only those are negotiated that this library packetises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    Opus,
    /// Redundant audio (RFC 2198).
    Red,
    /// DTMF (RFC 4733).
    TelephoneEvent,
    Vp8,
    Vp9,
    H264,
    Av1,
}

impl Codec {
    const NAMES: [(Codec, &'static str); 7] = [
        (Codec::Opus, "opus"),
        (Codec::Red, "red"),
        (Codec::TelephoneEvent, "telephone-event"),
        (Codec::Vp8, "VP8"),
        (Codec::Vp9, "VP9"),
        (Codec::H264, "H264"),
        (Codec::Av1, "AV1"),
    ];

    /// The codec of a `payload-type` name, in whatever case.
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)).map(|(c, _)| *c)
    }

    /// The name in `payload-type`.
    pub fn name(self) -> &'static str {
        Codec::NAMES.iter().find(|(c, _)| *c == self).map_or("", |(_, n)| n)
    }

    /// What it carries.
    pub fn media(self) -> Media {
        match self {
            Codec::Opus | Codec::Red | Codec::TelephoneEvent => Media::Audio,
            Codec::Vp8 | Codec::Vp9 | Codec::H264 | Codec::Av1 => Media::Video,
        }
    }
}

/// A payload type that both sides have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedPayload {
    pub pt: u8,
    pub codec: Codec,
    /// RTP clock, Hz.
    pub clock: u32,
    /// Payload type of its retransmissions.
    pub rtx: Option<u8>,
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
    /// Format parameters as the offer has them; a name may be empty (`111/111` of RED).
    pub parameters: Vec<(String, String)>,
}

impl NegotiatedPayload {
    /// The value of a format parameter, its name in whatever case (RFC 4855 §3).
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| &**v)
    }
}

/// Ids of header extensions that both sides have; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    pub audio_level: u8,
    pub abs_send_time: u8,
    pub transport_cc: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`; from the bridge only.
    pub mid: u8,
    /// Of AV1, and of whatever else sends it; from the bridge only.
    pub dependency_descriptor: u8,
}

/// What both sides agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    pub payloads: Vec<NegotiatedPayload>,
    pub extensions: ExtensionIds,
}

/// A codec as we describe it to a peer.
#[derive(Debug)]
pub(super) struct CodecSpec {
    pub codec: Codec,
    pub media: Media,
    pub name: &'static str,
    pub clock: u32,
    pub channels: u8,
    /// Payload type when we choose it.
    pub pt: u8,
    /// Payload type of retransmissions when we choose it.
    pub rtx: Option<u8>,
    pub parameters: &'static [(&'static str, &'static str)],
    pub feedback: &'static [(&'static str, Option<&'static str>)],
}

impl CodecSpec {
    /// Whether an offered payload type is of the kind that we write and read: these codecs come in several.
    pub(super) fn fits(&self, p: &PayloadType<'_>) -> bool {
        let value = |name| p.parameter(name).map(str::trim);
        match self.codec {
            // Constrained baseline in fragments and aggregates, which every receiver knows (RFC 6184 §6.2, §8.1).
            Codec::H264 => {
                value("packetization-mode") == Some("1")
                    && value("profile-level-id").is_some_and(|v| v.to_ascii_lowercase().starts_with("42e0"))
            }
            // Eight bits, 4:2:0.
            Codec::Vp9 => value("profile-id").is_none_or(|v| v == "0"),
            Codec::Av1 => value("profile").is_none_or(|v| v == "0"),
            _ => true,
        }
    }
}

const VIDEO_FEEDBACK: &[(&str, Option<&str>)] =
    &[("transport-cc", None), ("ccm", Some("fir")), ("nack", None), ("nack", Some("pli"))];

/// Every codec that can be offered to a peer, best first; which of them are is the configuration's choice.
pub(super) const CODECS: &[CodecSpec] = &[
    CodecSpec {
        codec: Codec::Opus,
        media: Media::Audio,
        name: "opus",
        clock: 48_000,
        channels: 2,
        pt: 111,
        rtx: None,
        parameters: &[("minptime", "10"), ("useinbandfec", "1")],
        feedback: &[("transport-cc", None)],
    },
    video(Codec::Vp8, "VP8", 96, &[]),
    video(Codec::Vp9, "VP9", 98, &[("profile-id", "0")]),
    video(
        Codec::H264,
        "H264",
        108,
        &[("level-asymmetry-allowed", "1"), ("packetization-mode", "1"), ("profile-level-id", "42e01f")],
    ),
    video(Codec::Av1, "AV1", 45, &[("level-idx", "5"), ("profile", "0"), ("tier", "0")]),
];

/// A video codec, whose retransmissions have the number behind its own.
const fn video(
    codec: Codec,
    name: &'static str,
    pt: u8,
    parameters: &'static [(&'static str, &'static str)],
) -> CodecSpec {
    CodecSpec {
        codec,
        media: Media::Video,
        name,
        clock: 90_000,
        channels: 1,
        pt,
        rtx: Some(pt + 1),
        parameters,
        feedback: VIDEO_FEEDBACK,
    }
}

pub(super) const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
pub(super) const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
pub(super) const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(super) const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
pub(super) const DEPENDENCY_DESCRIPTOR: &str =
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension";

/// Header extensions that we offer to a peer, with the ids that we choose.
pub(super) const EXTENSIONS: &[(Media, u8, &str)] = &[
    (Media::Audio, 1, AUDIO_LEVEL),
    (Media::Audio, 3, ABS_SEND_TIME),
    (Media::Audio, 5, TRANSPORT_CC),
    (Media::Video, 3, ABS_SEND_TIME),
    (Media::Video, 5, TRANSPORT_CC),
];

/// The largest header extension id; beyond lies the two-byte form (RFC 8285), which the engine does not write.
pub(super) const MAX_EXTENSION_ID: u8 = 14;

/// Whether RTP packets may bear this number: 64 to 95 would be taken for RTCP (RFC 5761 §4).
pub(super) fn usable(pt: u8) -> bool {
    !(64..96).contains(&pt)
}

/// The payload type that repairs `p`.
pub(super) fn rtx_of(d: &Description<'_>, p: &PayloadType<'_>) -> Option<u8> {
    let repairs = |r: &&PayloadType<'_>| {
        r.name.eq_ignore_ascii_case("rtx")
            && r.clockrate == p.clockrate
            && usable(r.id)
            && r.parameter("apt").and_then(|a| a.trim().parse().ok()) == Some(p.id)
    };
    d.payload_types.iter().find(repairs).map(|r| r.id)
}

/// Whether this feedback is offered for `p`, by itself or for all.
pub(super) fn has_feedback(d: &Description<'_>, p: &PayloadType<'_>, kind: &str, subtype: Option<&str>) -> bool {
    p.has_feedback(kind, subtype) || d.feedback.iter().any(|f| f.kind == kind && f.subtype == subtype)
}

/// The format parameters one by one: Jicofo hides those of H264 behind `;` in the first one's value
/// (docs/protocol/02 §5.2).
pub(super) fn parameters(p: &PayloadType<'_>) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for parameter in &p.parameters {
        let mut parts = parameter.value.split(';');
        out.push((parameter.name.unwrap_or("").to_owned(), parts.next().unwrap_or("").trim().to_owned()));
        for part in parts.map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or(("", part));
            out.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    out
}

/// What an offered payload type means, exactly as it is offered; `None` for what we do not know.
pub(super) fn negotiate(d: &Description<'_>, p: &PayloadType<'_>, media: Media) -> Option<NegotiatedPayload> {
    let codec = Codec::from_name(p.name).filter(|c| c.media() == media && usable(p.id))?;
    let has = |kind, subtype| has_feedback(d, p, kind, subtype);
    Some(NegotiatedPayload {
        pt: p.id,
        codec,
        clock: p.clockrate.filter(|c| *c > 0)?,
        rtx: rtx_of(d, p),
        nack: has("nack", None),
        pli: has("nack", Some("pli")),
        fir: has("ccm", Some("fir")),
        transport_cc: has("transport-cc", None),
        parameters: parameters(p),
    })
}

/// Where the id of this extension is kept.
pub(super) fn extension<'a>(ids: &'a mut ExtensionIds, uri: &str) -> Option<&'a mut u8> {
    match uri {
        AUDIO_LEVEL => Some(&mut ids.audio_level),
        ABS_SEND_TIME => Some(&mut ids.abs_send_time),
        TRANSPORT_CC => Some(&mut ids.transport_cc),
        MID => Some(&mut ids.mid),
        DEPENDENCY_DESCRIPTOR => Some(&mut ids.dependency_descriptor),
        _ => None,
    }
}
