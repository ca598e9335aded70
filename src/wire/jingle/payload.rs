//! Payload types, their parameters and feedback, header extensions (XEP-0167 §5, XEP-0293, XEP-0294).

use crate::wire::xml_writer::XmlWriter;
use crate::wire::{Element, ns};

/// One `payload-type`.
#[derive(Clone, Debug)]
pub struct PayloadType<'a> {
    pub id: u8,
    pub name: &'a str,
    pub clockrate: Option<u32>,
    pub channels: Option<u8>,
    pub parameters: Vec<Parameter<'a>>,
    pub feedback: Vec<Feedback<'a>>,
}

/// A format parameter. A value without name is the whole `fmtp` text; so is one with an empty name, as SDP-based clients
/// write it (docs/protocol/02 §15.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    pub name: Option<&'a str>,
    pub value: &'a str,
}

impl<'a> PayloadType<'a> {
    pub(super) fn read(e: Element<'a>, ignored: &mut u32) -> Option<PayloadType<'a>> {
        let id = e.attr("id")?.parse().ok().filter(|id| *id < 128)?;
        let mut p = PayloadType {
            id,
            name: e.attr("name").unwrap_or(""),
            clockrate: e.attr("clockrate").and_then(|v| v.parse().ok()),
            channels: e.attr("channels").and_then(|v| v.parse().ok()),
            parameters: Vec::new(),
            feedback: Vec::new(),
        };
        for x in e.children() {
            match x.name() {
                "parameter" => {
                    p.parameters.push(Parameter { name: x.attr("name"), value: x.attr("value").unwrap_or("") });
                }
                "rtcp-fb" | "rtcp-fb-trr-int" => p.feedback.push(Feedback::read(x)),
                _ => *ignored += 1,
            }
        }
        Some(p)
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("payload-type", ns::JINGLE_RTP).attr_of("id", self.id).attr("name", self.name);
        if let Some(v) = self.clockrate {
            w.attr_of("clockrate", v);
        }
        if let Some(v) = self.channels {
            w.attr_of("channels", v);
        }
        for p in &self.parameters {
            w.open("parameter", ns::JINGLE_RTP).attr_opt("name", p.name).attr("value", p.value).close();
        }
        for f in &self.feedback {
            f.write(w);
        }
        w.close();
    }

    /// The value of a format parameter, also of one that stands behind `;` in another's value (docs/protocol/02 §5.2).
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find_map(|p| {
            if p.name == Some(name) {
                return Some(p.value.split(';').next().unwrap_or(""));
            }
            p.value.split(';').find_map(|part| part.trim().split_once('=').filter(|(n, _)| *n == name).map(|(_, v)| v))
        })
    }

    /// Whether this feedback is offered for it.
    pub fn has_feedback(&self, kind: &str, subtype: Option<&str>) -> bool {
        self.feedback.iter().any(|f| f.kind == kind && f.subtype == subtype)
    }
}

/// One `rtcp-fb`, or `rtcp-fb-trr-int`, whose kind is then `trr-int` and whose subtype the interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback<'a> {
    pub kind: &'a str,
    pub subtype: Option<&'a str>,
}

impl<'a> Feedback<'a> {
    pub(super) fn read(e: Element<'a>) -> Feedback<'a> {
        if e.name() == "rtcp-fb-trr-int" {
            return Feedback { kind: "trr-int", subtype: e.attr("value") };
        }
        Feedback { kind: e.attr("type").unwrap_or(""), subtype: e.attr("subtype") }
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        if self.kind == "trr-int" {
            w.open("rtcp-fb-trr-int", ns::JINGLE_RTCP_FB).attr("value", self.subtype.unwrap_or("0")).close();
            return;
        }
        w.open("rtcp-fb", ns::JINGLE_RTCP_FB).attr("type", self.kind).attr_opt("subtype", self.subtype).close();
    }
}

/// One `rtp-hdrext`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderExtension<'a> {
    pub id: u8,
    pub uri: &'a str,
    pub senders: Option<&'a str>,
}

impl<'a> HeaderExtension<'a> {
    pub(super) fn read(e: Element<'a>) -> Option<HeaderExtension<'a>> {
        let id = e.attr("id")?.parse().ok().filter(|id| *id > 0)?;
        Some(HeaderExtension { id, uri: e.attr("uri")?, senders: e.attr("senders") })
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("rtp-hdrext", ns::JINGLE_HDREXT).attr_of("id", self.id).attr("uri", self.uri);
        w.attr_opt("senders", self.senders).close();
    }
}
