//! `<stream:error/>` (RFC 6120 §4.9): the last word on a stream, either way.

use super::{Element, XmlWriter, ns};

/// A stream error as it came: its condition by name, for people a text, and an application condition's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamErrorElement {
    /// The defined condition (`host-unknown`, `conflict` …); `undefined-condition` when none was given.
    pub condition: String,
    pub text: String,
    /// Name of the application-specific condition, empty without one.
    pub application: String,
}

impl StreamErrorElement {
    /// Reads the error element; None for anything else.
    pub fn read(e: Element<'_>) -> Option<StreamErrorElement> {
        if !e.is("error", ns::STREAMS) {
            return None;
        }
        let mut out = StreamErrorElement::default();
        for child in e.children() {
            match (child.name(), child.ns()) {
                ("text", ns::STREAM_ERRORS) => out.text = child.text().into_owned(),
                (name, ns::STREAM_ERRORS) if out.condition.is_empty() => out.condition = name.to_owned(),
                (name, _) if out.application.is_empty() => out.application = name.to_owned(),
                _ => {}
            }
        }
        if out.condition.is_empty() {
            out.condition = "undefined-condition".to_owned();
        }
        Some(out)
    }
}

/// Writes a stream error with this defined condition.
pub fn stream_error(condition: &str, text: &str) -> String {
    let mut w = XmlWriter::new();
    w.open("error", ns::STREAMS).open(condition, ns::STREAM_ERRORS).close();
    if !text.is_empty() {
        w.leaf("text", ns::STREAM_ERRORS, text);
    }
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(xml: &str) -> Option<StreamErrorElement> {
        StreamErrorElement::read(Document::parse(xml).unwrap().root())
    }

    #[test]
    fn condition_text_and_application_condition_are_read() {
        let e = read(
            "<stream:error xmlns:stream='http://etherx.jabber.org/streams'>\
             <conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
             <text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Replaced by new connection</text><x xmlns='urn:x'/></stream:error>",
        );
        let e = e.unwrap();
        assert_eq!((&*e.condition, &*e.text, &*e.application), ("conflict", "Replaced by new connection", "x"));
        assert_eq!(read("<error xmlns='http://etherx.jabber.org/streams'/>").unwrap().condition, "undefined-condition");
        assert_eq!(read("<error xmlns='jabber:client'/>"), None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        let e = read(&stream_error("not-well-formed", "")).unwrap();
        assert_eq!((&*e.condition, &*e.text), ("not-well-formed", ""));
        assert_eq!(read(&stream_error("undefined-condition", "why")).unwrap().text, "why");
    }
}
