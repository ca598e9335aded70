//! Sources and their groups, one structure for the XML form (XEP-0339, docs/protocol/02 §5.3, §8.7) and the compact JSON
//! form (§7).
//!
//! All strings lie in one buffer: a session-initiate with a hundred sources costs a handful of allocations, and the same
//! name or msid on a source's second SSRC is stored once.

use super::{Media, VideoType};
use crate::wire::xml_writer::XmlWriter;
use crate::wire::{Element, ns};

/// The content index of what came in a `json-message`.
pub const NO_CONTENT: u32 = u32::MAX;

/// One SSRC with what was said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    pub media: Media,
    pub ssrc: u32,
    pub name: Option<&'a str>,
    /// As it was written: an endpoint id or a JID; see [`Source::owner_id`].
    pub owner: Option<&'a str>,
    pub msid: Option<&'a str>,
    pub mid: Option<&'a str>,
    /// Canonical name of the RTP stream; only older clients send it.
    pub cname: Option<&'a str>,
    pub video_type: Option<VideoType>,
    /// Index of the content that holds it; [`NO_CONTENT`] for JSON.
    pub content: u32,
}

impl<'a> Source<'a> {
    /// The owner's endpoint id: the resource of a JID, else the whole text.
    pub fn owner_id(&self) -> Option<&'a str> {
        self.owner.map(|o| o.split_once('/').map_or(o, |(_, r)| r))
    }
}

/// What a group of SSRCs means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupSemantics {
    /// A stream and its retransmission (RFC 4588).
    Fid,
    /// Simulcast layers, lowest first.
    Sim,
}

impl GroupSemantics {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            GroupSemantics::Fid => "FID",
            GroupSemantics::Sim => "SIM",
        }
    }
}

/// A group of SSRCs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceGroup<'a> {
    pub media: Media,
    pub semantics: GroupSemantics,
    pub ssrcs: &'a [u32],
    /// Index of the content that holds it; [`NO_CONTENT`] for JSON.
    pub content: u32,
    /// The owner that the compact JSON form names; XML names none.
    pub owner: Option<&'a str>,
}

/// Where a string lies in the buffer; length 0 with start `u32::MAX` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span(u32, u32);

const NO_SPAN: Span = Span(u32::MAX, 0);

#[derive(Clone, Copy, Debug)]
struct Entry {
    ssrc: u32,
    content: u32,
    name: Span,
    owner: Span,
    msid: Span,
    mid: Span,
    cname: Span,
    media: Media,
    video_type: Option<VideoType>,
}

#[derive(Clone, Copy, Debug)]
struct GroupEntry {
    media: Media,
    semantics: GroupSemantics,
    content: u32,
    owner: Span,
    members: (u32, u32),
}

/// The sources of one request, in document order.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    text: String,
    entries: Vec<Entry>,
    groups: Vec<GroupEntry>,
    members: Vec<u32>,
}

impl SourceMap {
    /// No source at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many SSRCs.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a source.
    pub fn push(&mut self, s: Source<'_>) {
        let last = self.entries.last().copied();
        let mut keep = |text: Option<&str>, previous: Option<Span>| self.keep(text, previous);
        let name = keep(s.name, last.map(|l| l.name));
        let owner = keep(s.owner, last.map(|l| l.owner));
        let msid = keep(s.msid, last.map(|l| l.msid));
        let mid = keep(s.mid, last.map(|l| l.mid));
        let cname = keep(s.cname, last.map(|l| l.cname));
        self.entries.push(Entry {
            ssrc: s.ssrc,
            content: s.content,
            name,
            owner,
            msid,
            mid,
            cname,
            media: s.media,
            video_type: s.video_type,
        });
    }

    /// Adds a group.
    pub fn push_group(
        &mut self,
        media: Media,
        semantics: GroupSemantics,
        ssrcs: impl IntoIterator<Item = u32>,
        content: u32,
        owner: Option<&str>,
    ) {
        let from = self.members.len() as u32;
        self.members.extend(ssrcs);
        let owner = self.keep(owner, self.groups.last().map(|g| g.owner).or(self.entries.last().map(|e| e.owner)));
        let members = (from, self.members.len() as u32);
        self.groups.push(GroupEntry { media, semantics, content, owner, members });
    }

    /// Sources in document order.
    pub fn iter(&self) -> impl Iterator<Item = Source<'_>> {
        self.entries.iter().map(|e| Source {
            media: e.media,
            ssrc: e.ssrc,
            name: self.str(e.name),
            owner: self.str(e.owner),
            msid: self.str(e.msid),
            mid: self.str(e.mid),
            cname: self.str(e.cname),
            video_type: e.video_type,
            content: e.content,
        })
    }

    /// Groups in document order.
    pub fn groups(&self) -> impl Iterator<Item = SourceGroup<'_>> {
        self.groups.iter().map(|g| SourceGroup {
            media: g.media,
            semantics: g.semantics,
            ssrcs: &self.members[g.members.0 as usize..g.members.1 as usize],
            content: g.content,
            owner: self.str(g.owner),
        })
    }

    /// Takes back everything after the given lengths: a JSON text that turns out malformed leaves nothing behind.
    pub(super) fn truncate(&mut self, mark: Mark) {
        self.text.truncate(mark.0);
        self.entries.truncate(mark.1);
        self.groups.truncate(mark.2);
        self.members.truncate(mark.3);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark(self.text.len(), self.entries.len(), self.groups.len(), self.members.len())
    }

    fn keep(&mut self, text: Option<&str>, previous: Option<Span>) -> Span {
        let Some(text) = text else { return NO_SPAN };
        if let Some(p) = previous
            && self.str(p) == Some(text)
        {
            return p;
        }
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Span(start, text.len() as u32)
    }

    fn str(&self, s: Span) -> Option<&str> {
        (s != NO_SPAN).then(|| &self.text[s.0 as usize..(s.0 + s.1) as usize])
    }
}

/// Lengths of a [`SourceMap`] at some moment.
#[derive(Clone, Copy)]
pub(super) struct Mark(usize, usize, usize, usize);

/// An SSRC is digits only, in 32 bits (docs/protocol/02 §8.7): no sign, no space.
pub(super) fn parse_ssrc(s: &str) -> Option<u32> {
    s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse().ok()).flatten()
}

pub(super) fn read_source(e: Element<'_>, media: Option<Media>, content: u32, into: &mut SourceMap, ignored: &mut u32) {
    let (mut ssrc, mut name, mut video_type) = (None, None, None);
    for (k, v) in e.attrs() {
        match k {
            "ssrc" => ssrc = parse_ssrc(v),
            "name" => name = Some(v),
            "videoType" => video_type = VideoType::parse(v),
            _ => *ignored += 1,
        }
    }
    let (Some(ssrc), Some(media)) = (ssrc, media) else {
        *ignored += 1;
        return;
    };
    let mut s = Source { media, ssrc, name, owner: None, msid: None, mid: None, cname: None, video_type, content };
    for x in e.children() {
        match x.name() {
            "parameter" => match x.attr("name") {
                Some("msid") => s.msid = x.attr("value"),
                Some("mid") => s.mid = x.attr("value"),
                Some("cname") => s.cname = x.attr("value"),
                _ => *ignored += 1,
            },
            "ssrc-info" => s.owner = x.attr("owner"),
            _ => *ignored += 1,
        }
    }
    into.push(s);
}

pub(super) fn read_group(e: Element<'_>, media: Option<Media>, content: u32, into: &mut SourceMap, ignored: &mut u32) {
    let semantics = match e.attr("semantics") {
        Some("FID") => GroupSemantics::Fid,
        Some("SIM") => GroupSemantics::Sim,
        _ => {
            *ignored += 1;
            return;
        }
    };
    let Some(media) = media else {
        *ignored += 1;
        return;
    };
    // A group with a member that is no SSRC means nothing as a whole.
    let members = || e.children().filter(|c| c.name() == "source").map(|c| c.attr("ssrc").and_then(parse_ssrc));
    if members().any(|m| m.is_none()) {
        *ignored += 1;
        return;
    }
    into.push_group(media, semantics, members().flatten(), content, None);
}

/// Writes the sources and groups of one content, inside its open description.
pub(super) fn write_content(w: &mut XmlWriter, content: u32, sources: &SourceMap) {
    for s in sources.iter().filter(|s| s.content == content) {
        w.open("source", ns::JINGLE_SSMA).attr_opt("name", s.name).attr_of("ssrc", s.ssrc);
        w.attr_opt("videoType", s.video_type.map(VideoType::as_str));
        if let Some(owner) = s.owner {
            w.open("ssrc-info", ns::JITMEET).attr("owner", owner).close();
        }
        for (name, value) in [("cname", s.cname), ("msid", s.msid), ("mid", s.mid)] {
            if let Some(value) = value {
                w.open_same("parameter").attr("name", name).attr("value", value).close();
            }
        }
        w.close();
    }
    for g in sources.groups().filter(|g| g.content == content) {
        w.open("ssrc-group", ns::JINGLE_SSMA).attr("semantics", g.semantics.as_str());
        for ssrc in g.ssrcs {
            w.open_same("source").attr_of("ssrc", ssrc).close();
        }
        w.close();
    }
}
