//! Jingle as Jitsi speaks it: one value tree for every element of docs/protocol/02 §2, read from and written to XML
//! (XEP-0166, XEP-0167, XEP-0176, XEP-0293, XEP-0294, XEP-0320, XEP-0338, XEP-0339, XEP-0343).
//!
//! Values borrow from the document they were read from, or from whatever the writer has at hand; only the sources are
//! collected in a structure of their own, the same for their XML and their compact JSON form ([`SourceMap`]).
//! Reading never fails: what is not understood is counted in [`Jingle::ignored`], what is missing is `None`, and the
//! session decides what that means.

mod compact_json;
mod content;
mod extras;
mod media;
mod payload;
mod sources;
mod transport;

pub use compact_json::{read_compact, write_compact};
pub use content::{Content, Creator, Description, Senders};
pub use extras::{BridgeSession, FrameHeight, Group, Reason, StartMuted, TraceParent};
pub use media::{Media, VideoType, source_owner};
pub use payload::{Feedback, HeaderExtension, Parameter, PayloadType};
pub use sources::{GroupSemantics, NO_CONTENT, Source, SourceGroup, SourceMap};
pub use transport::{Candidate, CandidateType, Fingerprint, SctpMap, Setup, Transport};

use super::xml_writer::XmlWriter;
use super::{Element, ns};
use std::borrow::Cow;

/// What a Jingle request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    SessionInitiate,
    SessionAccept,
    SessionInfo,
    SessionTerminate,
    TransportInfo,
    TransportReplace,
    TransportAccept,
    TransportReject,
    SourceAdd,
    SourceRemove,
    ContentModify,
    /// Any other; empty when the attribute is missing.
    Other(&'a str),
}

impl<'a> Action<'a> {
    const KNOWN: [(Action<'static>, &'static str); 11] = [
        (Action::SessionInitiate, "session-initiate"),
        (Action::SessionAccept, "session-accept"),
        (Action::SessionInfo, "session-info"),
        (Action::SessionTerminate, "session-terminate"),
        (Action::TransportInfo, "transport-info"),
        (Action::TransportReplace, "transport-replace"),
        (Action::TransportAccept, "transport-accept"),
        (Action::TransportReject, "transport-reject"),
        (Action::SourceAdd, "source-add"),
        (Action::SourceRemove, "source-remove"),
        (Action::ContentModify, "content-modify"),
    ];

    /// The action of this word.
    pub fn parse(s: &'a str) -> Action<'a> {
        Action::KNOWN.iter().find(|(_, w)| *w == s).map_or(Action::Other(s), |(a, _)| *a)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'a str {
        match self {
            Action::Other(s) => s,
            a => Action::KNOWN.iter().find(|(k, _)| *k == a).map_or("", |(_, w)| w),
        }
    }
}

/// One `jingle` element.
#[derive(Clone, Debug)]
pub struct Jingle<'a> {
    pub action: Action<'a>,
    /// Session id; empty when the attribute is missing, which matches no session.
    pub sid: &'a str,
    pub initiator: Option<&'a str>,
    pub responder: Option<&'a str>,
    pub contents: Vec<Content<'a>>,
    pub groups: Vec<Group<'a>>,
    pub reason: Option<Reason<'a>>,
    pub bridge_session: Option<BridgeSession<'a>>,
    pub start_muted: Option<StartMuted>,
    /// Text of the legacy `ice-state`.
    pub ice_state: Option<Cow<'a, str>>,
    pub traceparent: Option<TraceParent<'a>>,
    /// Sources of all contents and of every `json-message`.
    pub sources: SourceMap,
    /// Elements and values that were not understood.
    pub ignored: u32,
}

impl<'a> Jingle<'a> {
    /// An empty request.
    pub fn new(action: Action<'a>, sid: &'a str) -> Jingle<'a> {
        Jingle {
            action,
            sid,
            initiator: None,
            responder: None,
            contents: Vec::new(),
            groups: Vec::new(),
            reason: None,
            bridge_session: None,
            start_muted: None,
            ice_state: None,
            traceparent: None,
            sources: SourceMap::default(),
            ignored: 0,
        }
    }

    /// Reads a `jingle` element; `None` when it is another.
    pub fn read(e: Element<'a>) -> Option<Jingle<'a>> {
        if !e.is("jingle", ns::JINGLE) {
            return None;
        }
        let mut j = Jingle::new(Action::parse(e.attr("action").unwrap_or("")), e.attr("sid").unwrap_or(""));
        j.initiator = e.attr("initiator");
        j.responder = e.attr("responder");
        for c in e.children() {
            match c.name() {
                "content" => {
                    let index = j.contents.len() as u32;
                    j.contents.push(Content::read(c, index, &mut j.sources, &mut j.ignored));
                }
                "group" if c.ns() == ns::JINGLE_GROUPING => j.groups.push(Group::read(c)),
                "reason" => j.reason = Some(Reason::read(c)),
                "bridge-session" if c.ns() == ns::FOCUS => j.bridge_session = Some(BridgeSession::read(c)),
                "startmuted" => j.start_muted = Some(StartMuted::read(c)),
                "ice-state" => j.ice_state = Some(c.text()),
                "traceparent" => j.traceparent = TraceParent::read(c),
                // Malformed JSON is ignored and the request acknowledged all the same (docs/protocol/02 §7.1).
                "json-message" => match read_compact(&c.text(), &mut j.sources) {
                    Ok(skipped) => j.ignored += skipped,
                    Err(_) => j.ignored += 1,
                },
                _ => j.ignored += 1,
            }
        }
        Some(j)
    }

    /// Writes the element.
    pub fn write(&self, w: &mut XmlWriter) {
        w.open("jingle", ns::JINGLE);
        if self.action != Action::Other("") {
            w.attr("action", self.action.as_str());
        }
        w.attr_opt("initiator", self.initiator).attr_opt("responder", self.responder).attr("sid", self.sid);
        if let Some(t) = &self.traceparent {
            t.write(w);
        }
        for g in &self.groups {
            g.write(w);
        }
        for (i, c) in self.contents.iter().enumerate() {
            c.write(w, i as u32, &self.sources);
        }
        if let Some(r) = &self.reason {
            r.write(w);
        }
        if let Some(s) = self.start_muted {
            s.write(w);
        }
        if let Some(b) = &self.bridge_session {
            b.write(w);
        }
        if let Some(s) = &self.ice_state {
            w.leaf("ice-state", ns::FOCUS, s);
        }
        if let Some(json) = write_compact(&self.sources) {
            w.leaf("json-message", ns::JITMEET, &json);
        }
        w.close();
    }

    /// The element as text.
    pub fn to_xml(&self) -> String {
        let mut w = XmlWriter::new();
        self.write(&mut w);
        w.finish()
    }

    /// The first content of this name.
    pub fn content(&self, name: &str) -> Option<&Content<'a>> {
        self.contents.iter().find(|c| c.name == name)
    }
}

#[cfg(test)]
mod tests;
