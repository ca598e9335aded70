//! The small children of `jingle` and `content`: BUNDLE groups, reasons, bridge session, start-muted, trace ids, wanted
//! heights (XEP-0338, XEP-0166 §7.4, docs/protocol/02 §5.2, §11.2, §13).

use crate::wire::xml_writer::XmlWriter;
use crate::wire::{Element, ns};
use std::borrow::Cow;

const START_MUTED: &str = "http://jitsi.org/jitmeet/start-muted";
const VIDEO: &str = "http://jitsi.org/jitmeet/video";
const OPENTELEMETRY: &str = "jitsi:opentelemetry";

/// A `group` of contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    pub semantics: &'a str,
    pub contents: Vec<&'a str>,
}

impl<'a> Group<'a> {
    pub(super) fn read(e: Element<'a>) -> Group<'a> {
        let contents = e.children().filter(|c| c.name() == "content").filter_map(|c| c.attr("name")).collect();
        // `type` is the attribute's name in an old draft; receivers still know it.
        Group { semantics: e.attr("semantics").or(e.attr("type")).unwrap_or(""), contents }
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("group", ns::JINGLE_GROUPING).attr("semantics", self.semantics);
        for name in &self.contents {
            w.open_same("content").attr("name", name).close();
        }
        w.close();
    }
}

/// Why a session ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason<'a> {
    /// Name of the first child; empty when there is none.
    pub condition: &'a str,
    pub text: Cow<'a, str>,
}

impl<'a> Reason<'a> {
    pub(super) fn read(e: Element<'a>) -> Reason<'a> {
        let condition = e.children().next().map_or("", Element::name);
        Reason { condition, text: e.child_named("text").map_or(Cow::Borrowed(""), Element::text) }
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("reason", ns::JINGLE);
        if !self.condition.is_empty() {
            w.open_same(self.condition).close();
        }
        if !self.text.is_empty() {
            w.leaf("text", ns::JINGLE, &self.text);
        }
        w.close();
    }
}

/// `bridge-session`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BridgeSession<'a> {
    pub id: Option<&'a str>,
    pub region: Option<&'a str>,
    pub restart: Option<bool>,
    pub ice_restart: Option<bool>,
}

impl<'a> BridgeSession<'a> {
    pub(super) fn read(e: Element<'a>) -> BridgeSession<'a> {
        BridgeSession {
            id: e.attr("id"),
            region: e.attr("region"),
            restart: e.attr("restart").map(|v| v == "true"),
            ice_restart: e.attr("ice-restart").map(|v| v == "true"),
        }
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("bridge-session", ns::FOCUS).attr_opt("id", self.id).attr_opt("region", self.region);
        if let Some(b) = self.restart {
            w.attr_of("restart", b);
        }
        if let Some(b) = self.ice_restart {
            w.attr_of("ice-restart", b);
        }
        w.close();
    }
}

/// `startmuted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartMuted {
    pub audio: bool,
    pub video: bool,
}

impl StartMuted {
    pub(super) fn read(e: Element<'_>) -> StartMuted {
        StartMuted { audio: e.attr("audio") == Some("true"), video: e.attr("video") == Some("true") }
    }

    pub(super) fn write(self, w: &mut XmlWriter) {
        w.open("startmuted", START_MUTED).attr_of("audio", self.audio).attr_of("video", self.video).close();
    }
}

/// `traceparent`; read only when all three ids are there, because only then it is copied into the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent<'a> {
    pub trace_id: &'a str,
    pub parent_id: &'a str,
    pub flags: &'a str,
}

impl<'a> TraceParent<'a> {
    pub(super) fn read(e: Element<'a>) -> Option<TraceParent<'a>> {
        Some(TraceParent {
            trace_id: e.attr("trace_id")?,
            parent_id: e.attr("parent_id")?,
            flags: e.attr("trace_flags")?,
        })
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("traceparent", OPENTELEMETRY).attr("trace_id", self.trace_id).attr("parent_id", self.parent_id);
        w.attr("trace_flags", self.flags).close();
    }
}

/// `source-frame-height`: the greatest height, in pixels, that the receiver wants of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeight<'a> {
    pub source: &'a str,
    pub max_height: u32,
}

impl<'a> FrameHeight<'a> {
    pub(super) fn read(e: Element<'a>) -> Option<FrameHeight<'a>> {
        Some(FrameHeight { source: e.attr("sourceName")?, max_height: e.attr("maxHeight")?.parse().ok()? })
    }

    pub(super) fn write(&self, w: &mut XmlWriter) {
        w.open("source-frame-height", VIDEO).attr_of("maxHeight", self.max_height);
        w.attr("sourceName", self.source).close();
    }
}
