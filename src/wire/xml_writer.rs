//! Writes XML text: the one builder for WebSocket frames, BOSH bodies and the TCP stream (design §3).
//!
//! Namespaces are default declarations, written where they change, which every XMPP server and lib-jitsi-meet's
//! attribute tests understand (docs/protocol/02 §2). Characters that XML 1.0 forbids are dropped: one of them would
//! make the server end the stream (docs/protocol/01 §1.5).

/// An element being written. Unclosed elements are closed by [`XmlWriter::finish`].
#[derive(Debug, Default)]
pub struct XmlWriter {
    out: String,
    /// Open elements: where the name lies in `out`, and where the namespace lies in `ns_text`.
    open: Vec<Open>,
    ns_text: String,
    /// The last tag is still missing its `>`.
    in_tag: bool,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    name: (u32, u32),
    ns: (u32, u32),
}

impl XmlWriter {
    /// An empty writer.
    pub fn new() -> XmlWriter {
        XmlWriter::default()
    }

    /// A writer for one stanza: `<name xmlns='jabber:client' …>` is opened.
    pub fn stanza(name: &str) -> XmlWriter {
        let mut w = XmlWriter::new();
        w.open(name, super::ns::CLIENT);
        w
    }

    /// Opens an element. An empty namespace means none; the declaration is left away where the parent has the same.
    pub fn open(&mut self, name: &str, ns: &str) -> &mut XmlWriter {
        self.end_tag();
        self.out.push('<');
        let at = self.out.len();
        self.out.push_str(name);
        let inherited = self.open.last().map_or("", |o| &self.ns_text[o.ns.0 as usize..o.ns.1 as usize]);
        let ns_span = if inherited == ns {
            self.open.last().map_or((0, 0), |o| o.ns)
        } else {
            self.out.push_str(" xmlns='");
            escape(&mut self.out, ns, true);
            self.out.push('\'');
            let from = self.ns_text.len();
            self.ns_text.push_str(ns);
            (from as u32, self.ns_text.len() as u32)
        };
        self.open.push(Open { name: (at as u32, (at + name.len()) as u32), ns: ns_span });
        self.in_tag = true;
        self
    }

    /// Opens an element in the namespace of its parent.
    pub fn open_same(&mut self, name: &str) -> &mut XmlWriter {
        let ns = self.open.last().map_or(String::new(), |o| self.ns_text[o.ns.0 as usize..o.ns.1 as usize].to_owned());
        self.open(name, &ns)
    }

    /// Adds an attribute to the element just opened. Ignored once it has content, which is a fault of the caller.
    pub fn attr(&mut self, name: &str, value: &str) -> &mut XmlWriter {
        debug_assert!(self.in_tag, "attribute {name} after content");
        if self.in_tag {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("='");
            escape(&mut self.out, value, true);
            self.out.push('\'');
        }
        self
    }

    /// Adds an attribute when there is a value.
    pub fn attr_opt(&mut self, name: &str, value: Option<&str>) -> &mut XmlWriter {
        match value {
            Some(v) => self.attr(name, v),
            None => self,
        }
    }

    /// Adds an attribute with the text of a number or other plain value.
    pub fn attr_of(&mut self, name: &str, value: impl std::fmt::Display) -> &mut XmlWriter {
        let text = value.to_string();
        self.attr(name, &text)
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut XmlWriter {
        if !text.is_empty() {
            self.end_tag();
            escape(&mut self.out, text, false);
        }
        self
    }

    /// Adds a child with text only.
    pub fn leaf(&mut self, name: &str, ns: &str, text: &str) -> &mut XmlWriter {
        self.open(name, ns).text(text).close()
    }

    /// Puts in elements that another writer made. They declare their namespaces themselves.
    pub fn raw(&mut self, xml: &str) -> &mut XmlWriter {
        if !xml.is_empty() {
            self.end_tag();
            self.out.push_str(xml);
        }
        self
    }

    /// Closes the innermost open element.
    pub fn close(&mut self) -> &mut XmlWriter {
        if let Some(o) = self.open.pop() {
            if self.in_tag {
                self.out.push_str("/>");
                self.in_tag = false;
            } else {
                self.out.push_str("</");
                self.out.extend_from_within(o.name.0 as usize..o.name.1 as usize);
                self.out.push('>');
            }
        }
        self
    }

    /// Closes everything and returns the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }

    fn end_tag(&mut self) {
        if self.in_tag {
            self.out.push('>');
            self.in_tag = false;
        }
    }
}

fn escape(out: &mut String, text: &str, attribute: bool) {
    let mut from = 0;
    for (i, c) in text.char_indices() {
        let with = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '\'' if attribute => "&apos;",
            '"' if attribute => "&quot;",
            '\n' if attribute => "&#10;",
            '\r' => "&#13;",
            '\t' if attribute => "&#9;",
            '\t' | '\n' => continue,
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "",
            _ => continue,
        };
        out.push_str(&text[from..i]);
        out.push_str(with);
        from = i + c.len_utf8();
    }
    out.push_str(&text[from..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_declared_where_they_change() {
        let mut w = XmlWriter::stanza("iq");
        w.attr("type", "set")
            .open("q", "urn:q")
            .open_same("a")
            .close()
            .open("b", "")
            .attr_of("n", 5)
            .text("x<y")
            .close();
        assert_eq!(
            w.finish(),
            "<iq xmlns='jabber:client' type='set'><q xmlns='urn:q'><a/><b xmlns='' n='5'>x&lt;y</b></q></iq>"
        );
    }

    #[test]
    fn forbidden_characters_are_dropped_and_others_survive() {
        let mut w = XmlWriter::new();
        w.open("a", "").attr("b", "\u{0}'\"\n\t").text("\u{8}ok\t\n\r\u{ffff}\u{10ffff}");
        assert_eq!(w.finish(), "<a b='&apos;&quot;&#10;&#9;'>ok\t\n&#13;\u{10ffff}</a>");
    }
}
