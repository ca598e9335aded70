//! What we offer, and how a description of ours is written (docs/protocol/02 §14.3–14.4, §15.3).

use crate::jingle::codecs::{CODECS, Codec, CodecSpec, EXTENSIONS};
use crate::jingle::describe::{push_source, transport};
use crate::jingle::types::{IceCandidate, LocalSource, LocalTransport};
use crate::wire::jingle::{
    Action, Content, Creator, Description, Feedback, Group, HeaderExtension, Jingle, Media, Parameter, PayloadType,
    Senders, Setup,
};

/// A payload type of a section, as offered or agreed.
#[derive(Clone, Debug)]
pub(in crate::jingle) struct Payload {
    pub pt: u8,
    pub spec: &'static CodecSpec,
    pub rtx: Option<u8>,
    /// `pt` as text, for the parameter of `rtx`.
    pub apt: String,
    pub feedback: Vec<(&'static str, Option<&'static str>)>,
}

/// One content of a session, named by its SDP mid.
#[derive(Clone, Debug)]
pub(in crate::jingle) struct Section {
    pub mid: String,
    pub media: Media,
    pub payloads: Vec<Payload>,
    pub extensions: Vec<(u8, &'static str)>,
    /// What the peer does with it; both before it has said so.
    pub remote: Senders,
    /// Nothing in common: answered as refused, with the first payload type of the offer, since SDP wants one there.
    pub refused: Option<(u8, String, u32)>,
    /// The source of ours that it carries.
    pub source: Option<LocalSource>,
}

impl Section {
    pub(in crate::jingle) fn new(mid: String, media: Media, codecs: &[Codec]) -> Section {
        let feedback = |c: &CodecSpec| c.feedback.to_vec();
        let of = CODECS.iter().filter(|c| c.media == media && codecs.contains(&c.codec));
        Section {
            mid,
            media,
            payloads: of
                .map(|c| Payload { pt: c.pt, spec: c, rtx: c.rtx, apt: c.pt.to_string(), feedback: feedback(c) })
                .collect(),
            extensions: EXTENSIONS.iter().filter(|(m, ..)| *m == media).map(|(_, id, uri)| (*id, *uri)).collect(),
            remote: Senders::Both,
            refused: None,
            source: None,
        }
    }

    /// Can take a source of ours: it has none and the peer listens.
    pub(in crate::jingle) fn is_free(&self, media: Media) -> bool {
        self.media == media && self.source.is_none() && self.refused.is_none() && self.remote.receives()
    }

    fn senders(&self) -> Senders {
        if self.refused.is_some() {
            return Senders::Rejected;
        }
        Senders::of(self.source.is_some(), self.remote.sends())
    }
}

/// The sections of an offer: `0` audio, `1` video, then one for each further source.
pub(in crate::jingle) fn sections(sources: &[LocalSource], codecs: &[Codec]) -> Vec<Section> {
    let mut out = vec![Section::new("0".into(), Media::Audio, codecs), Section::new("1".into(), Media::Video, codecs)];
    for s in sources.iter().filter(|s| !s.encodings.is_empty()) {
        place(&mut out, s, codecs);
    }
    out
}

/// The encoding that a peer gets.
fn first(source: &LocalSource) -> &[(u32, Option<u32>)] {
    &source.encodings[..source.encodings.len().min(1)]
}

/// Gives a source its section, a new one when no free one is left; gives back the section's index.
pub(in crate::jingle) fn place(sections: &mut Vec<Section>, source: &LocalSource, codecs: &[Codec]) -> usize {
    let free = sections.iter().position(|s| s.is_free(source.media));
    let index = free.unwrap_or_else(|| {
        let mut n = sections.len();
        while sections.iter().any(|s| s.mid == n.to_string()) {
            n += 1;
        }
        sections.push(Section::new(n.to_string(), source.media, codecs));
        sections.len() - 1
    });
    sections[index].source = Some(source.clone());
    index
}

/// What a description is written from.
pub(in crate::jingle) struct Describe<'a> {
    pub action: Action<'a>,
    pub sid: &'a str,
    pub initiator: &'a str,
    pub responder: Option<&'a str>,
    pub creator: Creator,
    pub setup: Setup,
    pub transport: &'a LocalTransport,
    pub candidates: &'a [IceCandidate],
    pub ids: &'a [String],
    pub sections: &'a [Section],
}

impl Describe<'_> {
    /// The whole `jingle` element.
    pub(in crate::jingle) fn to_xml(&self) -> String {
        let mut j = Jingle::new(self.action, self.sid);
        j.initiator = Some(self.initiator);
        j.responder = self.responder;
        let bundled = self.sections.iter().filter(|s| s.refused.is_none());
        j.groups.push(Group { semantics: "BUNDLE", contents: bundled.map(|s| s.mid.as_str()).collect() });
        for (i, s) in self.sections.iter().enumerate() {
            // All candidates stand in the first content: the others are bundled with it.
            let candidates = if i == 0 { self.candidates } else { &[] };
            j.contents.push(Content {
                name: &s.mid,
                creator: Some(self.creator),
                senders: Some(s.senders()),
                description: Some(description(s)),
                transport: Some(transport(self.transport, Some(self.setup), candidates, self.ids)),
                ..Content::default()
            });
            if let Some(source) = &s.source {
                push_source(&mut j, i as u32, source, first(source));
            }
        }
        j.to_xml()
    }
}

fn description(s: &Section) -> Description<'_> {
    let mut d = Description { media: Some(s.media.as_str()), rtcp_mux: true, ..Description::default() };
    for p in &s.payloads {
        d.payload_types.push(PayloadType {
            id: p.pt,
            name: p.spec.name,
            clockrate: Some(p.spec.clock),
            channels: Some(p.spec.channels),
            parameters: p.spec.parameters.iter().map(|(n, v)| Parameter { name: Some(n), value: v }).collect(),
            feedback: p.feedback.iter().map(|(kind, subtype)| Feedback { kind, subtype: *subtype }).collect(),
        });
    }
    for p in &s.payloads {
        if let Some(rtx) = p.rtx {
            d.payload_types.push(PayloadType {
                id: rtx,
                name: "rtx",
                clockrate: Some(p.spec.clock),
                channels: Some(1),
                parameters: vec![Parameter { name: Some("apt"), value: &p.apt }],
                feedback: Vec::new(),
            });
        }
    }
    if let Some((pt, name, clock)) = &s.refused {
        d.payload_types.push(PayloadType {
            id: *pt,
            name,
            clockrate: Some(*clock),
            channels: Some(1),
            parameters: Vec::new(),
            feedback: Vec::new(),
        });
    }
    d.extensions = s.extensions.iter().map(|(id, uri)| HeaderExtension { id: *id, uri, senders: None }).collect();
    d.extmap_allow_mixed = s.refused.is_none();
    d
}

/// A source-add for sources of these sections.
pub(in crate::jingle) fn source_add(sid: &str, initiator: &str, sections: &[&Section]) -> String {
    let mut j = Jingle::new(Action::SourceAdd, sid);
    j.initiator = Some(initiator);
    for (i, s) in sections.iter().enumerate() {
        let description = Description { media: Some(s.media.as_str()), ..Description::default() };
        j.contents.push(Content { name: &s.mid, description: Some(description), ..Content::default() });
        if let Some(source) = &s.source {
            push_source(&mut j, i as u32, source, first(source));
        }
    }
    j.to_xml()
}
