//! Our answer to the focus: session-accept, or transport-accept, small enough for the server's rate limit
//! (docs/protocol/02 §6, §12; design §9 "Stanza budget").
//!
//! It describes the transport and our sources, without payload types, feedback and header extensions: the bridge has
//! these from the focus's offer. What does not fit follows in source-adds.

use super::offer::{Contents, Trace};
use crate::jingle::describe::{push_source, transport};
use crate::jingle::types::{IceCandidate, LocalSource, LocalTransport};
use crate::wire::jingle::{
    Action, Content, Creator, Description, Group, Jingle, Media, SctpMap, Senders, Setup, TraceParent,
};

/// What a frame of ours takes at most while it can be helped: above 4 kB a server with default limits pauses us.
pub const MAX_FRAME_BYTES: usize = 4_000;
/// Candidates that an accept names at most: the bridge hardly needs them.
pub const MAX_ACCEPT_CANDIDATES: usize = 8;
/// What an IQ around a payload takes, beside the address of its receiver.
const ENVELOPE_BYTES: usize = 128;

/// Bytes that a payload to this address may take.
pub(super) fn budget(to: &str) -> usize {
    MAX_FRAME_BYTES.saturating_sub(ENVELOPE_BYTES + to.len())
}

/// What an answer is written from.
pub(super) struct Accept<'a> {
    pub action: Action<'a>,
    pub sid: &'a str,
    pub initiator: &'a str,
    pub responder: &'a str,
    pub trace: Option<&'a Trace>,
    pub contents: &'a Contents,
    pub transport: &'a LocalTransport,
    pub setup: Setup,
    pub last_n: Option<u32>,
}

impl Accept<'_> {
    /// The answer with as many of the candidates and sources as its budget allows. `sources` keeps those that it names.
    pub(super) fn fitted(
        &self,
        sources: &mut Vec<LocalSource>,
        candidates: &[IceCandidate],
        ids: &[String],
        budget: usize,
    ) -> String {
        let mut candidates = &candidates[..candidates.len().min(MAX_ACCEPT_CANDIDATES).min(ids.len())];
        loop {
            let xml = self.to_xml(sources, candidates, ids);
            if xml.len() <= budget {
                return xml;
            }
            if let Some((_, fewer)) = candidates.split_last() {
                candidates = fewer;
                continue;
            }
            match sources.iter().rposition(|s| s.media == Media::Video) {
                Some(last) => sources.remove(last),
                None if sources.len() > 1 => sources.remove(sources.len() - 1),
                // As small as it gets.
                None => return xml,
            };
        }
    }

    fn to_xml(&self, sources: &[LocalSource], candidates: &[IceCandidate], ids: &[String]) -> String {
        let mut j = Jingle::new(self.action, self.sid);
        j.initiator = Some(self.initiator);
        j.responder = Some(self.responder);
        j.traceparent =
            self.trace.map(|t| TraceParent { trace_id: &t.trace_id, parent_id: &t.parent_id, flags: &t.flags });
        // All candidates stand in the first content: the others are bundled with it.
        let mut candidates = candidates;
        let mut transport = || transport(self.transport, Some(self.setup), std::mem::take(&mut candidates), ids);
        for media in [Media::Audio, Media::Video].into_iter().filter(|m| self.contents.has(*m)) {
            let index = j.contents.len() as u32;
            let mine = || sources.iter().filter(|s| s.media == media);
            j.contents.push(Content {
                name: media.as_str(),
                creator: Some(Creator::Responder),
                senders: Some(Senders::of(mine().next().is_some(), true)),
                description: Some(Description {
                    media: Some(media.as_str()),
                    rtcp_mux: true,
                    ..Description::default()
                }),
                transport: Some(transport()),
                initial_last_n: self.last_n.filter(|_| media == Media::Video),
                ..Content::default()
            });
            for s in mine() {
                push_source(&mut j, index, s, &s.encodings);
            }
        }
        if let Some(data) = &self.contents.data {
            let mut transport = transport();
            transport.sctp =
                Some(SctpMap { number: Some(&data.number), protocol: Some(&data.protocol), streams: Some("0") });
            j.contents.push(Content {
                name: "data",
                creator: Some(Creator::Responder),
                transport: Some(transport),
                ..Content::default()
            });
        }
        j.groups.push(Group { semantics: "BUNDLE", contents: j.contents.iter().map(|c| c.name).collect() });
        j.to_xml()
    }
}
