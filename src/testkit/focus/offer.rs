//! What the focus writes into Jingle: the contents of its offer with Jicofo's default payload types, feedback and header
//! extensions (docs/protocol/02 §5, 04 §6), transports, and sources as XML or as compact JSON (§5.3, §7).

use super::colibri::BridgeTransport;
use super::features::Shape;
use super::sources::{EndpointGroup, EndpointSource, EndpointSources};
use crate::wire::jingle::{GroupSemantics, Media, VideoType};
use crate::wire::{XmlWriter, ns};
use std::fmt::Write as _;

/// Name under which the bridge's own sources are told.
pub(super) const BRIDGE_OWNER: &str = "jvb";

/// Name, payload type and format parameter of a codec.
type Codec = (&'static str, u8, Option<(&'static str, &'static str)>);
const VIDEO: [Codec; 4] = [
    ("AV1", 41, None),
    ("VP8", 100, None),
    // One parameter whose value holds the rest, as Jicofo writes it.
    ("H264", 107, Some(("profile-level-id", "42e01f;level-asymmetry-allowed=1;packetization-mode=1;"))),
    ("VP9", 101, None),
];
/// Payload types of retransmissions, and of what they repeat.
const RTX: [(u8, u8); 4] = [(42, 41), (96, 100), (97, 101), (99, 107)];
/// The retransmission of H264, to which Jicofo gives no feedback.
const RTX_H264: u8 = 99;

const AUDIO_LEVEL: (u8, &str) = (1, "urn:ietf:params:rtp-hdrext:ssrc-audio-level");
const MID: (u8, &str) = (10, "urn:ietf:params:rtp-hdrext:sdes:mid");
const TCC: (u8, &str) = (5, "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01");
const SEND_TIME: (u8, &str) = (3, "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time");
const DEPENDENCY: (u8, &str) =
    (11, "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension");

/// What the contents of an offer depend on.
pub(super) struct Offer<'a> {
    pub shape: Shape,
    /// RED is switched on at the focus.
    pub red: bool,
    /// The MID header extension is offered; not where RTP is relayed with the sender's MID.
    pub mid: bool,
    pub transport: &'a BridgeTransport,
    /// Sources as XML, by owner; empty when they go as JSON.
    pub sources: &'a [(&'a str, EndpointSources)],
}

impl Offer<'_> {
    /// Writes the contents and their group.
    pub(super) fn write(&self, w: &mut XmlWriter) {
        let mut names = Vec::new();
        for (name, wanted) in [("audio", self.shape.audio), ("video", self.shape.video), ("data", self.shape.sctp)] {
            if !wanted {
                continue;
            }
            names.push(name);
            w.open("content", ns::JINGLE).attr("creator", "initiator").attr("name", name).attr("senders", "both");
            w.open("description", ns::JINGLE_RTP);
            w.attr("media", if name == "data" { "application" } else { name });
            match name {
                "audio" => self.audio(w),
                "video" => self.video(w),
                _ => {}
            }
            w.open_same("rtcp-mux").close().close();
            write_transport(w, self.transport, None, name == "data");
            w.close();
        }
        w.open("group", ns::JINGLE_GROUPING).attr("semantics", "BUNDLE");
        for name in names {
            w.open_same("content").attr("name", name).close();
        }
        w.close();
    }

    fn audio(&self, w: &mut XmlWriter) {
        w.attr("maxptime", "60");
        if self.red && self.shape.red {
            payload(w, 112, "red", 48_000, Some(2));
            w.open_same("parameter").attr("value", "111/111").close().close();
        }
        payload(w, 111, "opus", 48_000, Some(2));
        parameter(w, "minptime", "10");
        if !self.red {
            parameter(w, "useinbandfec", "1");
        }
        if self.shape.tcc {
            feedback(w, "transport-cc", None);
        }
        w.close();
        payload(w, 126, "telephone-event", 8_000, None);
        w.close();
        extension(w, AUDIO_LEVEL);
        self.extensions(w, &[]);
        self.write_sources(w, Media::Audio);
    }

    fn video(&self, w: &mut XmlWriter) {
        for (name, id, format) in VIDEO {
            payload(w, id, name, 90_000, None);
            repair(w);
            if self.shape.tcc {
                feedback(w, "transport-cc", None);
            } else if self.shape.remb {
                feedback(w, "goog-remb", None);
            }
            if let Some((key, value)) = format {
                parameter(w, key, value);
            }
            w.close();
        }
        for (id, of) in RTX.iter().filter(|_| self.shape.rtx) {
            payload(w, *id, "rtx", 90_000, None);
            parameter(w, "apt", &of.to_string());
            if *id != RTX_H264 {
                repair(w);
            }
            w.close();
        }
        extension(w, DEPENDENCY);
        self.extensions(w, &[SEND_TIME]);
        self.write_sources(w, Media::Video);
    }

    fn extensions(&self, w: &mut XmlWriter, more: &[(u8, &str)]) {
        if self.mid {
            extension(w, MID);
        }
        for e in more {
            extension(w, *e);
        }
        if self.shape.tcc {
            extension(w, TCC);
        }
        w.open("extmap-allow-mixed", ns::JINGLE_HDREXT).close();
    }

    fn write_sources(&self, w: &mut XmlWriter, media: Media) {
        for (owner, sources) in self.sources {
            write_media(w, owner, sources, media);
        }
    }
}

fn payload(w: &mut XmlWriter, id: u8, name: &str, clock: u32, channels: Option<u8>) {
    w.open_same("payload-type").attr_of("id", id).attr("name", name).attr_of("clockrate", clock);
    if let Some(n) = channels {
        w.attr_of("channels", n);
    }
}

fn parameter(w: &mut XmlWriter, name: &str, value: &str) {
    w.open("parameter", ns::JINGLE_RTP).attr("name", name).attr("value", value).close();
}

fn feedback(w: &mut XmlWriter, kind: &str, subtype: Option<&str>) {
    w.open("rtcp-fb", ns::JINGLE_RTCP_FB).attr("type", kind).attr_opt("subtype", subtype).close();
}

fn repair(w: &mut XmlWriter) {
    feedback(w, "ccm", Some("fir"));
    feedback(w, "nack", None);
    feedback(w, "nack", Some("pli"));
}

fn extension(w: &mut XmlWriter, (id, uri): (u8, &str)) {
    w.open("rtp-hdrext", ns::JINGLE_HDREXT).attr_of("id", id).attr("uri", uri).close();
}

/// Writes a transport of the bridge.
pub(super) fn write_transport(w: &mut XmlWriter, t: &BridgeTransport, generation: Option<u32>, sctp: bool) {
    w.open("transport", ns::JINGLE_ICE_UDP).attr("ufrag", &t.ufrag).attr("pwd", &t.pwd);
    if let Some(g) = generation {
        w.attr_of("ice-generation", g);
    }
    for url in &t.web_sockets {
        w.open("web-socket", ns::COLIBRI).attr("url", url).close();
    }
    w.open_same("rtcp-mux").close();
    w.open("fingerprint", ns::JINGLE_DTLS).attr("hash", &t.fingerprint.0).attr("setup", &t.setup);
    w.attr("cryptex", "false").attr("required", "false").text(&t.fingerprint.1).close();
    if sctp {
        w.open("sctpmap", ns::JINGLE_SCTP).attr("number", "5000").attr("protocol", "webrtc-datachannel");
        w.attr("streams", "1024").close();
    }
    for (i, c) in t.candidates.iter().enumerate() {
        w.open("candidate", ns::JINGLE_ICE_UDP).attr("component", "1").attr_of("foundation", i + 1);
        w.attr("generation", "0").attr_of("id", format_args!("candidate{i}")).attr_of("ip", c.ip());
        w.attr("network", "0").attr_of("port", c.port());
        // RFC 8445 §5.1.2.1: host preference, then local preference, component 1.
        let priority = (126u32 << 24) + ((65_535 - i as u32) << 8) + 255;
        w.attr_of("priority", priority).attr("protocol", "udp").attr("type", "host").close();
    }
    w.close();
}

/// Writes the contents of a source-add or source-remove; a medium without sources is left away.
pub(super) fn write_source_contents(w: &mut XmlWriter, changes: &[(&str, EndpointSources)]) {
    for media in [Media::Audio, Media::Video] {
        let mut any = changes.iter().flat_map(|(_, s)| &s.sources);
        if !any.any(|s| s.media == media) {
            continue;
        }
        w.open("content", ns::JINGLE).attr("name", media.as_str());
        w.open("description", ns::JINGLE_RTP).attr("media", media.as_str());
        for (owner, sources) in changes {
            write_media(w, owner, sources, media);
        }
        w.close().close();
    }
}

fn write_media(w: &mut XmlWriter, owner: &str, all: &EndpointSources, media: Media) {
    for s in all.sources.iter().filter(|s| s.media == media) {
        w.open("source", ns::JINGLE_SSMA).attr_of("ssrc", s.ssrc).attr_opt("name", s.name.as_deref());
        w.attr_opt("videoType", s.video_type.map(VideoType::as_str));
        w.open("ssrc-info", ns::JITMEET).attr("owner", owner).close();
        if let Some(msid) = &s.msid {
            parameter(w, "msid", msid);
        }
        w.close();
    }
    for g in all.groups.iter().filter(|g| g.media == media) {
        w.open("ssrc-group", ns::JINGLE_SSMA).attr("semantics", g.semantics.as_str());
        for ssrc in &g.ssrcs {
            w.open_same("source").attr_of("ssrc", ssrc).close();
        }
        w.close();
    }
}

/// The compact JSON of docs/protocol/02 §7.
pub(super) fn compact(changes: &[(&str, EndpointSources)]) -> String {
    let mut out = String::from("{\"sources\":{");
    for (i, (owner, all)) in changes.iter().enumerate() {
        let _ = write!(out, "{}{}:[", comma(i), quoted(owner));
        compact_media(&mut out, all, Media::Video, true);
        out.push(',');
        // Audio groups are left away when there is none.
        let groups = all.groups.iter().any(|g| g.media == Media::Audio);
        compact_media(&mut out, all, Media::Audio, groups);
        out.push(']');
    }
    out.push_str("}}");
    out
}

fn compact_media(out: &mut String, all: &EndpointSources, media: Media, groups: bool) {
    out.push('[');
    let sources = all.sources.iter().filter(|s| s.media == media);
    for (i, EndpointSource { ssrc, name, msid, video_type, .. }) in sources.enumerate() {
        let _ = write!(out, "{}{{\"s\":{ssrc}", comma(i));
        for (key, value) in [("n", name), ("m", msid)] {
            if let Some(value) = value {
                let _ = write!(out, ",\"{key}\":{}", quoted(value));
            }
        }
        if *video_type == Some(VideoType::Desktop) {
            out.push_str(",\"v\":\"d\"");
        }
        out.push('}');
    }
    out.push(']');
    if !groups {
        return;
    }
    out.push_str(",[");
    for (i, EndpointGroup { semantics, ssrcs, .. }) in all.groups.iter().filter(|g| g.media == media).enumerate() {
        let letter = if *semantics == GroupSemantics::Fid { 'f' } else { 's' };
        let _ = write!(out, "{}[\"{letter}\"", comma(i));
        for ssrc in ssrcs {
            let _ = write!(out, ",{ssrc}");
        }
        out.push(']');
    }
    out.push(']');
}

fn comma(i: usize) -> &'static str {
    if i == 0 { "" } else { "," }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The bridge's own sources, as every offer tells them.
pub(super) fn bridge_sources((audio, video): (u32, u32)) -> EndpointSources {
    let own = |media: Media, ssrc| EndpointSource {
        media,
        ssrc,
        name: Some(format!("{BRIDGE_OWNER}-{}0", &media.as_str()[..1])),
        msid: Some(format!("mixedmslabel mixedlabel{}0", media.as_str())),
        video_type: None,
    };
    EndpointSources { sources: vec![own(Media::Video, video), own(Media::Audio, audio)], groups: Vec::new() }
}
