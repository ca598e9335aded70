//! One XML document in memory: quick-xml's namespace-aware events fill a flat arena (design §3).
//!
//! Iterative, so depth costs a counter and not stack; every limit is checked per event, before memory is spent.
//! DTDs, processing instructions and comments are refused, as RFC 6120 §11.1 demands. A frame is one root element
//! (RFC 7395 §3.3); an XML declaration before it is tolerated.

use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};
use quick_xml::reader::NsReader;
use std::borrow::Cow;
use std::fmt;

/// Bounds on one document. The defaults fit what Jitsi sends with room to spare: a session-initiate with 500 sources
/// is some 150 kB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Bytes of the whole document (default 1 MiB).
    pub bytes: usize,
    /// Nested elements (default 64).
    pub depth: usize,
    /// Elements and text pieces in all (default 65 536).
    pub nodes: usize,
    /// Attributes of one element (default 64).
    pub attributes: usize,
    /// Bytes of one attribute value (default 16 384).
    pub attribute_bytes: usize,
}

impl Default for XmlLimits {
    fn default() -> XmlLimits {
        XmlLimits { bytes: 1 << 20, depth: 64, nodes: 65_536, attributes: 64, attribute_bytes: 16_384 }
    }
}

/// Why a text is no acceptable document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlError {
    /// Not well-formed, or not exactly one root element.
    Malformed,
    /// DTD, processing instruction, comment or an entity that is not predefined.
    Restricted,
    /// A prefix without a declaration.
    UnboundPrefix,
    /// The named limit of [`XmlLimits`] was passed.
    TooLarge(&'static str),
}

impl fmt::Display for XmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            XmlError::Malformed => f.write_str("not well-formed XML"),
            XmlError::Restricted => f.write_str("XML that a stream may not contain"),
            XmlError::UnboundPrefix => f.write_str("namespace prefix without declaration"),
            XmlError::TooLarge(what) => write!(f, "XML past the limit of {what}"),
        }
    }
}

impl std::error::Error for XmlError {}

/// Where a string lies: below `source.len()` in the source, above it in `unescaped`.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Clone, Copy)]
struct Attr {
    /// Index into `namespaces`; [`NO_NS`] for an attribute without prefix.
    ns: u32,
    name: Span,
    value: Span,
}

#[derive(Clone, Copy)]
struct Node {
    /// [`TEXT`] for a piece of text, whose string is then `name`.
    ns: u32,
    name: Span,
    attrs: (u32, u32),
    first: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;
const NO_NS: u32 = u32::MAX - 1;
const TEXT: u32 = u32::MAX - 2;

/// A parsed document. Cheap to walk; [`Element`]s borrow from it.
pub struct Document {
    source: Box<str>,
    unescaped: String,
    namespaces: Vec<Box<str>>,
    attrs: Vec<Attr>,
    nodes: Vec<Node>,
}

impl Document {
    /// Parses one document within the default limits. Elements without a namespace declaration are in no namespace.
    pub fn parse(text: &str) -> Result<Document, XmlError> {
        Document::parse_with(text, "", &XmlLimits::default())
    }

    /// Parses one document. `default_ns` is the namespace of elements that declare none: `jabber:client` for stanzas of
    /// servers that leave it away.
    pub fn parse_with(text: &str, default_ns: &str, limits: &XmlLimits) -> Result<Document, XmlError> {
        if text.len() > limits.bytes {
            return Err(XmlError::TooLarge("bytes"));
        }
        let mut b = Builder {
            doc: Document {
                source: text.into(),
                unescaped: String::new(),
                namespaces: vec![default_ns.into()],
                attrs: Vec::with_capacity(text.len() / 24),
                nodes: Vec::with_capacity(text.len() / 48),
            },
            limits,
            open: Vec::new(),
            last_ns: 0,
        };
        let mut reader = NsReader::from_str(text);
        // The builder checks the nesting itself only by count; names are checked by the reader.
        reader.config_mut().check_end_names = true;
        let mut rooted = false;
        loop {
            let (ns, event) = reader.read_resolved_event().map_err(|_| XmlError::Malformed)?;
            match event {
                Event::Start(ref s) | Event::Empty(ref s) => {
                    if rooted && b.open.is_empty() {
                        return Err(XmlError::Malformed);
                    }
                    rooted = true;
                    let ns = b.namespace(ns)?;
                    b.element(s, ns, text, reader.resolver(), matches!(event, Event::Start(_)))?;
                }
                Event::End(_) => {
                    b.open.pop().ok_or(XmlError::Malformed)?;
                }
                Event::Text(t) => {
                    if b.open.is_empty() {
                        if !t.trim().is_empty() {
                            return Err(XmlError::Malformed);
                        }
                    } else {
                        b.text(t.xml10_content(), text)?;
                    }
                }
                Event::CData(t) => {
                    if b.open.is_empty() {
                        return Err(XmlError::Malformed);
                    }
                    b.text(t.xml10_content(), text)?;
                }
                Event::GeneralRef(r) => {
                    if b.open.is_empty() {
                        return Err(XmlError::Malformed);
                    }
                    let c = match r.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
                        Some(c) => c,
                        None => match &*r {
                            "amp" => '&',
                            "lt" => '<',
                            "gt" => '>',
                            "quot" => '"',
                            "apos" => '\'',
                            _ => return Err(XmlError::Restricted),
                        },
                    };
                    b.text(Cow::Borrowed(c.encode_utf8(&mut [0; 4])), text)?;
                }
                Event::Decl(_) if !rooted => {}
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                    return Err(XmlError::Restricted);
                }
                Event::Eof => break,
            }
        }
        if b.doc.nodes.is_empty() || !b.open.is_empty() {
            return Err(XmlError::Malformed);
        }
        Ok(b.doc)
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        Element { doc: self, index: 0 }
    }

    /// The text that was parsed.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn str(&self, s: Span) -> &str {
        let (start, len) = (s.start as usize, s.len as usize);
        match start.checked_sub(self.source.len()) {
            Some(past) if len > 0 => &self.unescaped[past..past + len],
            _ => &self.source[start..start + len],
        }
    }

    fn ns(&self, index: u32) -> &str {
        self.namespaces.get(index as usize).map_or("", |n| n)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never the content: stanzas carry tokens and passwords.
        write!(f, "Document({} nodes)", self.nodes.len())
    }
}

struct Builder<'l> {
    doc: Document,
    limits: &'l XmlLimits,
    /// Open elements: own index, last child.
    open: Vec<(u32, u32)>,
    last_ns: u32,
}

impl Builder<'_> {
    fn namespace(&mut self, ns: ResolveResult<'_>) -> Result<u32, XmlError> {
        let uri = match ns {
            ResolveResult::Bound(n) => n.0,
            ResolveResult::Unbound => return Ok(0),
            ResolveResult::Unknown(_) => return Err(XmlError::UnboundPrefix),
        };
        if self.doc.ns(self.last_ns) == uri {
            return Ok(self.last_ns);
        }
        // A document has a handful of namespaces: a scan beats a map.
        let found = self.doc.namespaces.iter().position(|n| **n == *uri);
        let index = found.unwrap_or_else(|| {
            self.doc.namespaces.push(uri.into());
            self.doc.namespaces.len() - 1
        });
        self.last_ns = index as u32;
        Ok(self.last_ns)
    }

    fn span(&mut self, s: Cow<'_, str>, base: &str) -> Span {
        match s {
            Cow::Borrowed(s) => match (s.as_ptr() as usize).checked_sub(base.as_ptr() as usize) {
                Some(start) if start + s.len() <= base.len() => Span { start: start as u32, len: s.len() as u32 },
                _ => self.keep(s),
            },
            Cow::Owned(s) => self.keep(&s),
        }
    }

    fn keep(&mut self, s: &str) -> Span {
        let start = self.doc.source.len() + self.doc.unescaped.len();
        self.doc.unescaped.push_str(s);
        if s.is_empty() { Span { start: 0, len: 0 } } else { Span { start: start as u32, len: s.len() as u32 } }
    }

    fn push(&mut self, node: Node) -> Result<u32, XmlError> {
        if self.doc.nodes.len() >= self.limits.nodes {
            return Err(XmlError::TooLarge("nodes"));
        }
        let index = self.doc.nodes.len() as u32;
        self.doc.nodes.push(node);
        if let Some((parent, last)) = self.open.last_mut() {
            if *last == NONE {
                self.doc.nodes[*parent as usize].first = index;
            } else {
                self.doc.nodes[*last as usize].next = index;
            }
            *last = index;
        }
        Ok(index)
    }

    fn element(
        &mut self,
        s: &BytesStart<'_>,
        ns: u32,
        base: &str,
        resolver: &quick_xml::name::NamespaceResolver,
        opens: bool,
    ) -> Result<(), XmlError> {
        if self.open.len() >= self.limits.depth {
            return Err(XmlError::TooLarge("depth"));
        }
        let from = self.doc.attrs.len() as u32;
        for attr in s.attributes() {
            let attr = attr.map_err(|_| XmlError::Malformed)?;
            if self.doc.attrs.len() as u32 - from >= self.limits.attributes as u32 {
                return Err(XmlError::TooLarge("attributes"));
            }
            if matches!(attr.key.as_namespace_binding(), Some(PrefixDeclaration::Default | PrefixDeclaration::Named(_)))
            {
                continue;
            }
            if attr.value.len() > self.limits.attribute_bytes {
                return Err(XmlError::TooLarge("attribute_bytes"));
            }
            let attr_ns = match attr.key.prefix() {
                None => NO_NS,
                Some(_) => self.namespace(resolver.resolve_attribute(attr.key).0)?,
            };
            let name = self.span(Cow::Borrowed(attr.key.local_name().into_inner()), base);
            let value = attr.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|_| XmlError::Malformed)?;
            let value = self.span(value, base);
            self.doc.attrs.push(Attr { ns: attr_ns, name, value });
        }
        let name = self.span(Cow::Borrowed(s.local_name().into_inner()), base);
        let node = Node { ns, name, attrs: (from, self.doc.attrs.len() as u32), first: NONE, next: NONE };
        let index = self.push(node)?;
        if opens {
            self.open.push((index, NONE));
        }
        Ok(())
    }

    fn text(&mut self, t: Cow<'_, str>, base: &str) -> Result<(), XmlError> {
        if t.is_empty() {
            return Ok(());
        }
        let last = self.open.last().map_or(NONE, |(_, last)| *last);
        if last != NONE && self.doc.nodes[last as usize].ns == TEXT {
            // Text with references in it comes in pieces, thousands of them where a server escapes quotes: one node.
            let Span { start, len } = self.doc.nodes[last as usize].name;
            let (source, end) = (self.doc.source.len(), self.doc.source.len() + self.doc.unescaped.len());
            let mut joined = Span { start, len: len + t.len() as u32 };
            if (start as usize) < source {
                joined.start = end as u32;
                self.doc.unescaped.push_str(&self.doc.source[start as usize..(start + len) as usize]);
            }
            self.doc.unescaped.push_str(&t);
            self.doc.nodes[last as usize].name = joined;
            return Ok(());
        }
        let name = self.span(t, base);
        self.push(Node { ns: TEXT, name, attrs: (0, 0), first: NONE, next: NONE }).map(drop)
    }
}

/// One element of a [`Document`]. Copied freely.
#[derive(Clone, Copy)]
pub struct Element<'a> {
    doc: &'a Document,
    index: u32,
}

impl<'a> Element<'a> {
    fn node(self) -> &'a Node {
        &self.doc.nodes[self.index as usize]
    }

    /// Local name.
    pub fn name(self) -> &'a str {
        self.doc.str(self.node().name)
    }

    /// Namespace, empty when there is none.
    pub fn ns(self) -> &'a str {
        self.doc.ns(self.node().ns)
    }

    /// Whether this is `name` in `ns`.
    pub fn is(self, name: &str, ns: &str) -> bool {
        self.name() == name && self.ns() == ns
    }

    /// The value of an attribute without prefix.
    pub fn attr(self, name: &str) -> Option<&'a str> {
        self.attr_ns(name, NO_NS)
    }

    fn attr_ns(self, name: &str, ns: u32) -> Option<&'a str> {
        let (from, to) = self.node().attrs;
        let found =
            self.doc.attrs[from as usize..to as usize].iter().find(|a| a.ns == ns && self.doc.str(a.name) == name);
        found.map(|a| self.doc.str(a.value))
    }

    /// The value of `xml:lang` here.
    pub fn lang(self) -> Option<&'a str> {
        let xml = self.doc.namespaces.iter().position(|n| **n == *"http://www.w3.org/XML/1998/namespace")?;
        self.attr_ns("lang", xml as u32)
    }

    /// All attributes without prefix, in document order.
    pub fn attrs(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let (from, to) = self.node().attrs;
        let attrs = self.doc.attrs[from as usize..to as usize].iter().filter(|a| a.ns == NO_NS);
        attrs.map(move |a| (self.doc.str(a.name), self.doc.str(a.value)))
    }

    /// The child elements, in document order.
    pub fn children(self) -> Children<'a> {
        Children { doc: self.doc, next: self.node().first }
    }

    /// The first child `name` in `ns`.
    pub fn child(self, name: &str, ns: &str) -> Option<Element<'a>> {
        self.children().find(|c| c.is(name, ns))
    }

    /// The first child of this local name, whatever its namespace: for elements that senders put into none, their own, or the
    /// stanza's (docs/protocol/03 §5.2).
    pub fn child_named(self, name: &str) -> Option<Element<'a>> {
        self.children().find(|c| c.name() == name)
    }

    /// The text directly inside, pieces joined; child elements are passed over.
    pub fn text(self) -> Cow<'a, str> {
        let mut out = Cow::Borrowed("");
        let mut next = self.node().first;
        while next != NONE {
            let n = &self.doc.nodes[next as usize];
            if n.ns == TEXT {
                let piece = self.doc.str(n.name);
                if out.is_empty() { out = Cow::Borrowed(piece) } else { out.to_mut().push_str(piece) }
            }
            next = n.next;
        }
        out
    }

    /// Writes this element and all below it into `w`, as it was parsed.
    pub fn write_to(self, w: &mut super::XmlWriter) {
        // Iterative for the same reason as parsing: depth is the sender's choice.
        w.open(self.name(), self.ns());
        for (n, v) in self.attrs() {
            w.attr(n, v);
        }
        let mut stack = vec![self.node().first];
        while let Some(top) = stack.last_mut() {
            if *top == NONE {
                stack.pop();
                w.close();
                continue;
            }
            let index = *top;
            let node = &self.doc.nodes[index as usize];
            *top = node.next;
            if node.ns == TEXT {
                w.text(self.doc.str(node.name));
                continue;
            }
            let e = Element { doc: self.doc, index };
            w.open(e.name(), e.ns());
            for (n, v) in e.attrs() {
                w.attr(n, v);
            }
            stack.push(node.first);
        }
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} xmlns={:?}>", self.name(), self.ns())
    }
}

/// Iterator over child elements.
pub struct Children<'a> {
    doc: &'a Document,
    next: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        while self.next != NONE {
            let index = self.next;
            let n = &self.doc.nodes[index as usize];
            self.next = n.next;
            if n.ns != TEXT {
                return Some(Element { doc: self.doc, index });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::XmlWriter;

    #[test]
    fn names_namespaces_attributes_and_text_are_read() {
        let d = Document::parse_with(
            "<?xml version='1.0'?><iq id='a&amp;b' xml:lang='en'><q xmlns='urn:q' x:y='1' xmlns:x='urn:x'>a&lt;<b/>c<![CDATA[<d>]]>&#33;</q></iq>",
            "jabber:client",
            &XmlLimits::default(),
        )
        .unwrap();
        let iq = d.root();
        assert!(iq.is("iq", "jabber:client"));
        assert_eq!((iq.attr("id"), iq.lang(), iq.attr("lang")), (Some("a&b"), Some("en"), None));
        let q = iq.child("q", "urn:q").unwrap();
        assert_eq!(q.text(), "a<c<d>!");
        assert_eq!(q.attr("y"), None);
        assert!(q.child("b", "urn:q").is_some());
        assert_eq!(q.children().count(), 1);
    }

    #[test]
    fn what_a_stream_may_not_contain_is_refused() {
        for (text, e) in [
            ("", XmlError::Malformed),
            ("<a>", XmlError::Malformed),
            ("<a></b>", XmlError::Malformed),
            ("<a/><b/>", XmlError::Malformed),
            ("<a/>x", XmlError::Malformed),
            ("<a b='1' b='2'/>", XmlError::Malformed),
            ("<x:a/>", XmlError::UnboundPrefix),
            ("<a x:b='1'/>", XmlError::UnboundPrefix),
            ("<!DOCTYPE a><a/>", XmlError::Restricted),
            ("<a><?p?></a>", XmlError::Restricted),
            ("<a><!-- c --></a>", XmlError::Restricted),
            ("<a>&bomb;</a>", XmlError::Restricted),
        ] {
            assert_eq!(Document::parse(text).err(), Some(e), "{text}");
        }
    }

    #[test]
    fn each_limit_holds_at_and_past_its_value() {
        let l = XmlLimits { bytes: 4096, depth: 3, nodes: 5, attributes: 2, attribute_bytes: 4 };
        let check = |t: &str| Document::parse_with(t, "", &l).err();
        assert_eq!(check("<a><b><c/></b></a>"), None);
        assert_eq!(check("<a><b><c><d/></c></b></a>"), Some(XmlError::TooLarge("depth")));
        assert_eq!(check("<a><b/><b/><b/><b/></a>"), None);
        assert_eq!(check("<a><b/><b/><b/><b/><b/></a>"), Some(XmlError::TooLarge("nodes")));
        assert_eq!(check("<a b='' c=''/>"), None);
        assert_eq!(check("<a b='' c='' d=''/>"), Some(XmlError::TooLarge("attributes")));
        assert_eq!(check("<a b='1234'/>"), None);
        assert_eq!(check("<a b='12345'/>"), Some(XmlError::TooLarge("attribute_bytes")));
        let pad = |n: usize| format!("<a>{}</a>", "x".repeat(n - 7));
        assert_eq!(check(&pad(4096)), None);
        assert_eq!(check(&pad(4097)), Some(XmlError::TooLarge("bytes")));
    }

    #[test]
    fn a_hundred_thousand_levels_are_refused_without_stack() {
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        assert_eq!(Document::parse(&deep).err(), Some(XmlError::TooLarge("depth")));
    }

    #[test]
    fn an_element_written_again_is_the_same() {
        let text = "<a xmlns='urn:a' k='&quot;v&apos;'><b xmlns='urn:b'>t&amp;<c/></b>u</a>";
        let d = Document::parse(text).unwrap();
        let mut w = XmlWriter::new();
        d.root().write_to(&mut w);
        let again = w.finish();
        assert_eq!(again, "<a xmlns='urn:a' k='&quot;v&apos;'><b xmlns='urn:b'>t&amp;<c/></b>u</a>");
    }
}
