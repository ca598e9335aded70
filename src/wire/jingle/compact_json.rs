//! `json-message`: Jicofo's compact source encoding (docs/protocol/02 §7).
//!
//! One pass over the text into a [`SourceMap`], without a JSON tree: this is the largest part of a session-initiate of
//! a large conference. Malformed text changes nothing; well-formed parts that mean nothing are skipped and counted.

use super::sources::parse_ssrc;
use super::{GroupSemantics, Media, NO_CONTENT, Source, SourceMap, VideoType};
use std::borrow::Cow;
use std::fmt::Write as _;

/// Nested arrays and objects in a skipped value, in all: real messages need 5.
const MAX_DEPTH: usize = 32;

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadJson;

/// Reads a message into `sources`; gives how many parts were skipped. A message without `sources` is none of ours.
pub fn read_compact(text: &str, sources: &mut SourceMap) -> Result<u32, BadJson> {
    let mark = sources.mark();
    let mut r = Reader { text, at: 0, skipped: 0 };
    let done = r.message(sources).and_then(|()| r.end());
    if done.is_err() {
        sources.truncate(mark);
    }
    done.map(|()| r.skipped)
}

/// Writes the sources that came as JSON, or `None` when there is none. Sources of one owner must follow each other.
pub fn write_compact(sources: &SourceMap) -> Option<String> {
    let mut owners: Vec<&str> = Vec::new();
    for owner in sources.iter().filter(|s| s.content == NO_CONTENT).filter_map(|s| s.owner) {
        if !owners.contains(&owner) {
            owners.push(owner);
        }
    }
    if owners.is_empty() {
        return None;
    }
    let mut out = String::from("{\"sources\":{");
    for (i, owner) in owners.into_iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        string(&mut out, owner);
        out.push_str(":[");
        for media in [Media::Video, Media::Audio] {
            let groups: Vec<_> = sources
                .groups()
                .filter(|g| g.content == NO_CONTENT && g.media == media && g.owner == Some(owner))
                .collect();
            out.push('[');
            let of_owner = |s: &Source<'_>| s.content == NO_CONTENT && s.media == media && s.owner == Some(owner);
            for (i, s) in sources.iter().filter(of_owner).enumerate() {
                let _ = write!(out, "{}{{\"s\":{}", if i > 0 { "," } else { "" }, s.ssrc);
                for (key, value) in [("n", s.name), ("m", s.msid)] {
                    if let Some(value) = value {
                        let _ = write!(out, ",\"{key}\":");
                        string(&mut out, value);
                    }
                }
                if s.video_type == Some(VideoType::Desktop) {
                    out.push_str(",\"v\":\"d\"");
                }
                out.push('}');
            }
            out.push(']');
            // The audio groups are left away when there is none.
            if media == Media::Video || !groups.is_empty() {
                out.push_str(",[");
                for (i, g) in groups.iter().enumerate() {
                    let letter = if g.semantics == GroupSemantics::Fid { 'f' } else { 's' };
                    let _ = write!(out, "{}[\"{letter}\"", if i > 0 { "," } else { "" });
                    for ssrc in g.ssrcs {
                        let _ = write!(out, ",{ssrc}");
                    }
                    out.push(']');
                }
                out.push(']');
            }
            if media == Media::Video {
                out.push(',');
            }
        }
        out.push(']');
    }
    out.push_str("}}");
    Some(out)
}

fn string(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    skipped: u32,
}

impl<'t> Reader<'t> {
    fn peek(&mut self) -> Option<u8> {
        let b = self.text.as_bytes();
        while matches!(b.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        b.get(self.at).copied()
    }

    fn take(&mut self, c: u8) -> Result<(), BadJson> {
        if self.peek() == Some(c) {
            self.at += 1;
            return Ok(());
        }
        Err(BadJson)
    }

    fn end(&mut self) -> Result<(), BadJson> {
        if self.peek().is_none() { Ok(()) } else { Err(BadJson) }
    }

    /// Walks an object, giving each key to `value`, which must consume the value.
    fn object(&mut self, mut value: impl FnMut(&mut Self, &str) -> Result<(), BadJson>) -> Result<(), BadJson> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.string()?;
            self.take(b':')?;
            value(self, &key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
    }

    /// Walks an array, giving each index to `value`, which must consume the value.
    fn array(&mut self, mut value: impl FnMut(&mut Self, usize) -> Result<(), BadJson>) -> Result<(), BadJson> {
        self.take(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            value(self, index)?;
            index += 1;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.take(b']'),
            }
        }
    }

    fn message(&mut self, sources: &mut SourceMap) -> Result<(), BadJson> {
        if self.peek() != Some(b'{') {
            return self.skip();
        }
        self.object(|r, key| {
            if key != "sources" || r.peek() != Some(b'{') {
                return r.skip();
            }
            r.object(|r, owner| {
                if r.peek() != Some(b'[') {
                    return r.skip();
                }
                r.array(|r, index| {
                    let media = if index < 2 { Media::Video } else { Media::Audio };
                    if index > 3 || r.peek() != Some(b'[') {
                        return r.skip();
                    }
                    r.array(|r, _| match index % 2 {
                        0 => r.source(sources, owner, media),
                        _ => r.group(sources, owner, media),
                    })
                })
            })
        })
    }

    fn source(&mut self, sources: &mut SourceMap, owner: &str, media: Media) -> Result<(), BadJson> {
        if self.peek() != Some(b'{') {
            return self.skip();
        }
        let (mut ssrc, mut name, mut msid, mut desktop) = (None, None, None, false);
        self.object(|r, key| {
            match (key, r.peek()) {
                ("s", _) => ssrc = r.ssrc()?,
                ("n", Some(b'"')) => name = Some(r.string()?),
                ("m", Some(b'"')) => msid = Some(r.string()?),
                // Any truthy value means desktop.
                ("v", Some(b'"')) => desktop = !r.string()?.is_empty(),
                ("v", Some(c)) => {
                    let from = r.at;
                    r.skip()?;
                    desktop = !matches!(c, b'f' | b'n') && !matches!(&r.text[from..r.at], "0" | "-0");
                }
                // The canonical name of older servers, and whatever comes next.
                _ => r.skip()?,
            }
            Ok(())
        })?;
        let Some(ssrc) = ssrc else {
            self.skipped += 1;
            return Ok(());
        };
        let video_type = match media {
            Media::Audio => None,
            Media::Video if desktop => Some(VideoType::Desktop),
            Media::Video => Some(VideoType::Camera),
        };
        sources.push(Source {
            media,
            ssrc,
            name: name.as_deref(),
            owner: Some(owner),
            msid: msid.as_deref(),
            mid: None,
            cname: None,
            video_type,
            content: NO_CONTENT,
        });
        Ok(())
    }

    fn group(&mut self, sources: &mut SourceMap, owner: &str, media: Media) -> Result<(), BadJson> {
        if self.peek() != Some(b'[') {
            return self.skip();
        }
        let (mut semantics, mut ssrcs, mut whole) = (None, Vec::new(), true);
        self.array(|r, index| {
            if index > 0 {
                match r.ssrc()? {
                    Some(n) => ssrcs.push(n),
                    None => whole = false,
                }
                return Ok(());
            }
            if r.peek() != Some(b'"') {
                return r.skip();
            }
            semantics = match &*r.string()? {
                "f" => Some(GroupSemantics::Fid),
                "s" => Some(GroupSemantics::Sim),
                _ => None,
            };
            Ok(())
        })?;
        match semantics {
            Some(semantics) if whole => sources.push_group(media, semantics, ssrcs, NO_CONTENT, Some(owner)),
            _ => self.skipped += 1,
        }
        Ok(())
    }

    /// A number or a string of digits; `None` for any other value.
    fn ssrc(&mut self) -> Result<Option<u32>, BadJson> {
        match self.peek() {
            Some(b'"') => Ok(Some(&*self.string()?).filter(|s| !s.is_empty()).and_then(parse_ssrc)),
            Some(b'0'..=b'9') => {
                let from = self.at;
                self.number()?;
                Ok(parse_ssrc(&self.text[from..self.at]))
            }
            _ => self.skip().map(|()| None),
        }
    }

    fn string(&mut self) -> Result<Cow<'t, str>, BadJson> {
        self.take(b'"')?;
        let (from, bytes) = (self.at, &self.text.as_bytes()[self.at..]);
        let plain = memchr::memchr2(b'"', b'\\', bytes).ok_or(BadJson)?;
        // Not one after the other, and so many at a time: most of the text is in strings.
        if bytes[..plain].iter().fold(false, |bad, b| bad | (*b < 0x20)) {
            return Err(BadJson);
        }
        self.at += plain;
        if bytes[plain] == b'\\' {
            return self.escaped(from);
        }
        self.at += 1;
        Ok(Cow::Borrowed(&self.text[from..from + plain]))
    }

    fn escaped(&mut self, from: usize) -> Result<Cow<'t, str>, BadJson> {
        let mut out = String::from(&self.text[from..self.at]);
        let mut chars = self.text[self.at..].chars();
        loop {
            let c = chars.next().ok_or(BadJson)?;
            match c {
                '"' => break,
                '\\' => match chars.next().ok_or(BadJson)? {
                    c @ ('"' | '\\' | '/') => out.push(c),
                    'b' => out.push('\u{8}'),
                    'f' => out.push('\u{c}'),
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'u' => out.push(unicode(&mut chars)?),
                    _ => return Err(BadJson),
                },
                c if c < ' ' => return Err(BadJson),
                c => out.push(c),
            }
        }
        self.at = self.text.len() - chars.as_str().len();
        Ok(Cow::Owned(out))
    }

    fn number(&mut self) -> Result<(), BadJson> {
        let b = self.text.as_bytes();
        let digits = |at: &mut usize| {
            let from = *at;
            while b.get(*at).is_some_and(u8::is_ascii_digit) {
                *at += 1;
            }
            if *at > from { Ok(()) } else { Err(BadJson) }
        };
        if b.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        let zero = b.get(self.at) == Some(&b'0');
        let from = self.at;
        digits(&mut self.at)?;
        if zero && self.at - from > 1 {
            return Err(BadJson);
        }
        if b.get(self.at) == Some(&b'.') {
            self.at += 1;
            digits(&mut self.at)?;
        }
        if matches!(b.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(b.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            digits(&mut self.at)?;
        }
        Ok(())
    }

    /// Passes over any value, without recursion: depth is the sender's choice.
    fn skip(&mut self) -> Result<(), BadJson> {
        self.skipped += 1;
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek().ok_or(BadJson)? {
                c @ (b'{' | b'[') => {
                    if open.len() >= MAX_DEPTH {
                        return Err(BadJson);
                    }
                    self.at += 1;
                    let close = if c == b'{' { b'}' } else { b']' };
                    if self.peek() != Some(close) {
                        open.push(close);
                        if c == b'{' {
                            self.string()?;
                            self.take(b':')?;
                        }
                        continue;
                    }
                    self.at += 1;
                }
                b'"' => drop(self.string()?),
                b'-' | b'0'..=b'9' => self.number()?,
                _ => {
                    let rest = &self.text[self.at..];
                    let word = ["true", "false", "null"].into_iter().find(|w| rest.starts_with(w)).ok_or(BadJson)?;
                    self.at += word.len();
                }
            }
            // After a value: the next one, or the end of what is open.
            loop {
                let Some(close) = open.last().copied() else { return Ok(()) };
                if self.peek() == Some(b',') {
                    self.at += 1;
                    if close == b'}' {
                        self.string()?;
                        self.take(b':')?;
                    }
                    break;
                }
                self.take(close)?;
                open.pop();
            }
        }
    }
}

/// The character of a `\u` escape, with its second half when it needs one.
fn unicode(chars: &mut std::str::Chars<'_>) -> Result<char, BadJson> {
    let unit = |chars: &mut std::str::Chars<'_>| {
        (0..4).try_fold(0, |n, _| Some(n * 16 + chars.next()?.to_digit(16)?)).ok_or(BadJson)
    };
    let first = unit(chars)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first).ok_or(BadJson);
    }
    if chars.next() != Some('\\') || chars.next() != Some('u') {
        return Err(BadJson);
    }
    let second = unit(chars)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(BadJson);
    }
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(BadJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(SourceMap, u32), BadJson> {
        let mut m = SourceMap::default();
        read_compact(text, &mut m).map(|n| (m, n))
    }

    #[test]
    fn the_grammar_is_read_and_written_back() {
        let text = "{\"sources\":{\"5e6f\":[[{\"s\":1,\"n\":\"5e6f-v0\",\"m\":\"a b\"},{\"s\":2,\"n\":\"5e6f-v0\",\"m\":\"a b\",\"v\":\"d\"}],[[\"f\",1,2],[\"s\",1]],[{\"s\":3}]],\"jvb\":[[],[],[{\"s\":4,\"n\":\"jvb-a0\"}],[[\"f\",4,5]]]}}";
        let (m, skipped) = read(text).unwrap();
        assert_eq!((m.len(), m.groups().count(), skipped), (4, 3, 0));
        let s: Vec<_> = m.iter().collect();
        assert_eq!(
            (s[0].video_type, s[1].video_type, s[2].video_type),
            (Some(VideoType::Camera), Some(VideoType::Desktop), None)
        );
        assert_eq!((s[2].media, s[2].owner, s[2].name), (Media::Audio, Some("5e6f"), None));
        assert_eq!(write_compact(&m).as_deref(), Some(text));
    }

    #[test]
    fn parts_that_mean_nothing_are_skipped() {
        let cases = [
            ("{}", 0),
            ("5", 0),
            ("{\"x\":[1,{\"y\":[]},null,true,-1.5e3]}", 0),
            ("{\"sources\":7}", 0),
            ("{\"sources\":{\"e\":[]}}", 0),
            ("{\"sources\":{\"e\":[[{\"s\":\"12\",\"c\":\"x\",\"z\":{}}]]}}", 1),
            ("{\"sources\":{\"e\":[[{\"n\":\"x\"},{\"s\":1.5},{\"s\":99999999999},{\"s\":-1},{\"s\":\"1 \"},7]]}}", 0),
            ("{\"sources\":{\"e\":[[],[[\"x\",1],[],[\"f\",\"q\"],3],[],[],[{\"s\":1}]]}}", 0),
        ];
        for (text, sources) in cases {
            let (m, _) = read(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!((m.len(), m.groups().count()), (sources, 0), "{text}");
        }
        let (m, _) = read("{\"sources\":{\"e\":[[{\"s\":1,\"n\":\"\\u00e4\\ud83d\\ude00\\n\"}]]}}").unwrap();
        assert_eq!(m.iter().next().unwrap().name, Some("ä😀\n"));
    }

    #[test]
    fn malformed_text_leaves_nothing_behind() {
        let good = "{\"sources\":{\"e\":[[{\"s\":1,\"n\":\"\\u00e4x\",\"v\":0}],[[\"f\",1,2]],[]],\"f\":{\"g\":[1,-2.5e-3,null]}}}";
        assert!(read(good).is_ok());
        for cut in (0..good.len()).filter(|i| good.is_char_boundary(*i)) {
            assert!(read(&good[..cut]).is_err(), "{}", &good[..cut]);
        }
        let mut m = SourceMap::default();
        read_compact(good, &mut m).unwrap();
        assert_eq!(read_compact("{\"sources\":{\"e\":[[{\"s\":9}]]}} x", &mut m), Err(BadJson));
        assert_eq!((m.len(), m.groups().count()), (1, 1));
        for bad in ["", "{,}", "[1,]", "01", "\"\\x\"", "\"\\ud800\"", "tru", "{\"a\" 1}", "1.", "--1", "\"\u{1}\""] {
            assert!(read(bad).is_err(), "{bad}");
            assert!(serde_json::from_str::<serde_json::Value>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_is_limited_at_its_value() {
        let nest = |n: usize| format!("{{\"x\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(read(&nest(MAX_DEPTH)).is_ok());
        assert!(read(&nest(MAX_DEPTH + 1)).is_err());
        assert!(read(&nest(100_000)).is_err());
    }
}
