//! `content` and `description` (XEP-0166 §7.3, XEP-0167, docs/protocol/02 §5–6).

use super::payload::{Feedback, HeaderExtension, PayloadType};
use super::sources::{self, SourceMap};
use super::{FrameHeight, Media, Transport};
use crate::wire::xml_writer::XmlWriter;
use crate::wire::{Element, ns};

/// Whose side made a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creator {
    Initiator,
    Responder,
}

impl Creator {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Creator::Initiator => "initiator",
            Creator::Responder => "responder",
        }
    }
}

/// The direction, which in Jitsi is that of the describing side's SDP: `both` sendrecv, `initiator` sendonly, `responder`
/// recvonly, `none` inactive, whoever describes (docs/protocol/02 §15.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senders {
    Both,
    Initiator,
    Responder,
    None,
    /// The content was refused (SDP port 0).
    Rejected,
}

impl Senders {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Senders::Both => "both",
            Senders::Initiator => "initiator",
            Senders::Responder => "responder",
            Senders::None => "none",
            Senders::Rejected => "rejected",
        }
    }

    /// The direction of that word.
    pub fn parse(s: &str) -> Option<Senders> {
        Some(match s {
            "both" => Senders::Both,
            "initiator" => Senders::Initiator,
            "responder" => Senders::Responder,
            "none" => Senders::None,
            "rejected" => Senders::Rejected,
            _ => return None,
        })
    }

    /// The direction of a describer that sends and receives so.
    pub fn of(sends: bool, receives: bool) -> Senders {
        match (sends, receives) {
            (true, true) => Senders::Both,
            (true, false) => Senders::Initiator,
            (false, true) => Senders::Responder,
            (false, false) => Senders::None,
        }
    }

    /// Whether the describer sends.
    pub fn sends(self) -> bool {
        matches!(self, Senders::Both | Senders::Initiator)
    }

    /// Whether the describer receives.
    pub fn receives(self) -> bool {
        matches!(self, Senders::Both | Senders::Responder)
    }
}

/// One `content`.
#[derive(Clone, Debug, Default)]
pub struct Content<'a> {
    /// The name: a media type towards the bridge, an SDP mid between peers.
    pub name: &'a str,
    pub creator: Option<Creator>,
    pub senders: Option<Senders>,
    pub description: Option<Description<'a>>,
    pub transport: Option<Transport<'a>>,
    /// Wanted heights of a content-modify (docs/protocol/02 §13).
    pub frame_heights: Vec<FrameHeight<'a>>,
    /// `initial-last-n` of a session-accept.
    pub initial_last_n: Option<u32>,
    /// The `senders` attribute was there, with a word that means nothing.
    pub bad_senders: bool,
}

impl<'a> Content<'a> {
    pub(super) fn read(e: Element<'a>, index: u32, sources: &mut SourceMap, ignored: &mut u32) -> Content<'a> {
        let mut c = Content { name: e.attr("name").unwrap_or(""), ..Content::default() };
        c.creator = match e.attr("creator") {
            Some("initiator") => Some(Creator::Initiator),
            Some("responder") => Some(Creator::Responder),
            _ => None,
        };
        if let Some(word) = e.attr("senders") {
            c.senders = Senders::parse(word);
            c.bad_senders = c.senders.is_none();
        }
        for x in e.children() {
            match x.name() {
                "description" => c.description = Some(Description::read(x, c.name, index, sources, ignored)),
                "transport" if x.ns() == ns::JINGLE_ICE_UDP => c.transport = Some(Transport::read(x, ignored)),
                "source-frame-height" => match FrameHeight::read(x) {
                    Some(h) => c.frame_heights.push(h),
                    None => *ignored += 1,
                },
                "initial-last-n" => c.initial_last_n = x.attr("value").and_then(|v| v.parse().ok()),
                _ => *ignored += 1,
            }
        }
        c
    }

    pub(super) fn write(&self, w: &mut XmlWriter, index: u32, sources: &SourceMap) {
        w.open("content", ns::JINGLE);
        w.attr_opt("creator", self.creator.map(Creator::as_str)).attr("name", self.name);
        w.attr_opt("senders", self.senders.map(Senders::as_str));
        if let Some(n) = self.initial_last_n {
            w.open("initial-last-n", "jitsi:colibri2").attr_of("value", n).close();
        }
        for h in &self.frame_heights {
            h.write(w);
        }
        if let Some(d) = &self.description {
            d.write(w, index, sources);
        }
        if let Some(t) = &self.transport {
            t.write(w);
        }
        w.close();
    }

    /// What the content carries: its description's word, else what its name says.
    pub fn media(&self) -> Option<Media> {
        Media::parse(self.description.as_ref().and_then(|d| d.media).unwrap_or(self.name))
    }
}

/// The RTP description of a content, without its sources: these are in [`super::Jingle::sources`].
#[derive(Clone, Debug, Default)]
pub struct Description<'a> {
    /// `audio`, `video` or `application`.
    pub media: Option<&'a str>,
    pub maxptime: Option<u32>,
    /// The legacy attribute of older clients: the first SSRC.
    pub ssrc: Option<u32>,
    pub payload_types: Vec<PayloadType<'a>>,
    /// Feedback for all payload types.
    pub feedback: Vec<Feedback<'a>>,
    pub extensions: Vec<HeaderExtension<'a>>,
    pub extmap_allow_mixed: bool,
    pub rtcp_mux: bool,
}

impl<'a> Description<'a> {
    fn read(e: Element<'a>, name: &str, index: u32, sources: &mut SourceMap, ignored: &mut u32) -> Description<'a> {
        let mut d = Description { media: e.attr("media"), ..Description::default() };
        d.maxptime = e.attr("maxptime").and_then(|v| v.parse().ok());
        d.ssrc = e.attr("ssrc").and_then(|v| v.parse().ok());
        let media = Media::parse(d.media.unwrap_or(name));
        for x in e.children() {
            match x.name() {
                "source" if x.ns() == ns::JINGLE_SSMA => sources::read_source(x, media, index, sources, ignored),
                "ssrc-group" if x.ns() == ns::JINGLE_SSMA => sources::read_group(x, media, index, sources, ignored),
                "payload-type" => match PayloadType::read(x, ignored) {
                    Some(p) => d.payload_types.push(p),
                    None => *ignored += 1,
                },
                "rtp-hdrext" if x.ns() == ns::JINGLE_HDREXT => match HeaderExtension::read(x) {
                    Some(h) => d.extensions.push(h),
                    None => *ignored += 1,
                },
                "extmap-allow-mixed" if x.ns() == ns::JINGLE_HDREXT => d.extmap_allow_mixed = true,
                "rtcp-mux" => d.rtcp_mux = true,
                "rtcp-fb" | "rtcp-fb-trr-int" => d.feedback.push(Feedback::read(x)),
                _ => *ignored += 1,
            }
        }
        d
    }

    fn write(&self, w: &mut XmlWriter, index: u32, sources: &SourceMap) {
        w.open("description", ns::JINGLE_RTP).attr_opt("media", self.media);
        if let Some(v) = self.maxptime {
            w.attr_of("maxptime", v);
        }
        if let Some(v) = self.ssrc {
            w.attr_of("ssrc", v);
        }
        for p in &self.payload_types {
            p.write(w);
        }
        for f in &self.feedback {
            f.write(w);
        }
        sources::write_content(w, index, sources);
        if self.rtcp_mux {
            w.open("rtcp-mux", ns::JINGLE_RTP).close();
        }
        for x in &self.extensions {
            x.write(w);
        }
        if self.extmap_allow_mixed {
            w.open("extmap-allow-mixed", ns::JINGLE_HDREXT).close();
        }
        w.close();
    }
}
