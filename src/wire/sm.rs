//! Elements of stream management (XEP-0198 version 3, docs/protocol/01 §5).

use super::stanza::Condition;
use super::{Element, XmlWriter, ns};

/// A stream-management element from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sm {
    /// Management is on. `id` is there when the stream can be resumed, `max` seconds after it was lost.
    Enabled { id: Option<String>, max: Option<u32> },
    /// Enabling or resuming was refused; `h` as far as the server knows it.
    Failed { condition: Condition, h: Option<u32> },
    /// "What have you received?"
    Request,
    /// "I have received `h` stanzas."
    Ack { h: u32 },
}

/// An element of this namespace that is none of those, or lacks what it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSm;

impl Sm {
    /// Reads an element; None when it is of another namespace.
    pub fn read(e: Element<'_>) -> Option<Result<Sm, BadSm>> {
        if e.ns() != ns::SM {
            return None;
        }
        let number = |name| e.attr(name).and_then(|v| v.parse::<u32>().ok());
        Some(match e.name() {
            "enabled" => {
                // The reference accepts only the word; XEP-0198's schema also allows `1` (§5.1).
                let resumable = matches!(e.attr("resume"), Some("true" | "1"));
                let id = e.attr("id").filter(|id| resumable && !id.is_empty()).map(str::to_owned);
                Ok(Sm::Enabled { id, max: number("max") })
            }
            "failed" => {
                let condition = e.children().find_map(|c| Condition::parse(c.name())).unwrap_or_default();
                Ok(Sm::Failed { condition, h: number("h") })
            }
            "r" => Ok(Sm::Request),
            "a" => number("h").map(|h| Sm::Ack { h }).ok_or(BadSm),
            _ => Err(BadSm),
        })
    }
}

/// Asks to turn management on.
pub fn enable(resume: bool) -> String {
    let mut w = XmlWriter::new();
    w.open("enable", ns::SM);
    if resume {
        w.attr("resume", "true");
    }
    w.finish()
}

/// Asks for an acknowledgement.
pub fn request() -> String {
    let mut w = XmlWriter::new();
    w.open("r", ns::SM);
    w.finish()
}

/// Acknowledges `h` stanzas.
pub fn ack(h: u32) -> String {
    let mut w = XmlWriter::new();
    w.open("a", ns::SM).attr_of("h", h);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(xml: &str) -> Option<Result<Sm, BadSm>> {
        Sm::read(Document::parse(xml).unwrap().root())
    }

    #[test]
    fn every_answer_of_a_server_is_read() {
        let enabled = |id: Option<&str>, max| Some(Ok(Sm::Enabled { id: id.map(str::to_owned), max }));
        assert_eq!(
            read("<enabled xmlns='urn:xmpp:sm:3' id='c0' resume='true' max='60'/>"),
            enabled(Some("c0"), Some(60))
        );
        assert_eq!(read("<enabled xmlns='urn:xmpp:sm:3' id='c0' resume='1'/>"), enabled(Some("c0"), None));
        assert_eq!(read("<enabled xmlns='urn:xmpp:sm:3' id='c0'/>"), enabled(None, None));
        assert_eq!(read("<enabled xmlns='urn:xmpp:sm:3' resume='true' max='x'/>"), enabled(None, None));
        assert_eq!(
            read(
                "<failed xmlns='urn:xmpp:sm:3' h='23'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
            ),
            Some(Ok(Sm::Failed { condition: Condition::ItemNotFound, h: Some(23) }))
        );
        assert_eq!(
            read("<failed xmlns='urn:xmpp:sm:3'/>"),
            Some(Ok(Sm::Failed { condition: Condition::UndefinedCondition, h: None }))
        );
        assert_eq!(read("<r xmlns='urn:xmpp:sm:3'/>"), Some(Ok(Sm::Request)));
        assert_eq!(read("<a xmlns='urn:xmpp:sm:3' h='4294967295'/>"), Some(Ok(Sm::Ack { h: u32::MAX })));
        for bad in ["<a xmlns='urn:xmpp:sm:3'/>", "<a xmlns='urn:xmpp:sm:3' h='-1'/>", "<x xmlns='urn:xmpp:sm:3'/>"] {
            assert_eq!(read(bad), Some(Err(BadSm)), "{bad}");
        }
        assert_eq!(read("<r xmlns='urn:xmpp:sm:2'/>"), None);
    }

    #[test]
    fn what_is_sent_is_version_3() {
        assert_eq!(enable(true), "<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        assert_eq!(enable(false), "<enable xmlns='urn:xmpp:sm:3'/>");
        assert_eq!(
            (request(), ack(7)),
            ("<r xmlns='urn:xmpp:sm:3'/>".into(), "<a xmlns='urn:xmpp:sm:3' h='7'/>".into())
        );
    }
}
