//! `<open/>` and `<close/>` of XMPP over WebSocket (RFC 7395 §3, docs/protocol/01 §2.2).

use super::{Element, XmlWriter, ns};

/// What is wrong with the server's `<open/>`. The texts are those of docs/protocol/01 §11.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    MissingNamespace,
    WrongNamespace(String),
    MissingVersion,
    WrongVersion(String),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OpenError::MissingNamespace => f.write_str("Missing xmlns in <open />"),
            OpenError::WrongNamespace(n) => write!(f, "Wrong xmlns in <open />: {n}"),
            OpenError::MissingVersion => f.write_str("Missing version in <open />"),
            OpenError::WrongVersion(v) => write!(f, "Wrong version in <open />: {v}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// A framing element from the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Framing {
    /// The stream is open: the server's name for itself and for the stream, both possibly empty.
    Open { from: String, id: String },
    /// The stream is closed; `see_other_uri` asks to connect elsewhere.
    Close { see_other_uri: Option<String> },
}

impl Framing {
    /// Reads a framing element; None for anything else. An `<open/>` in a wrong namespace is an error, as nothing else
    /// could be meant by it before stanzas flow.
    pub fn read(e: Element<'_>) -> Option<Result<Framing, OpenError>> {
        match (e.name(), e.ns()) {
            ("open", ns::FRAMING) => Some(match e.attr("version") {
                None => Err(OpenError::MissingVersion),
                Some("1.0") => Ok(Framing::Open {
                    from: e.attr("from").unwrap_or("").to_owned(),
                    id: e.attr("id").unwrap_or("").to_owned(),
                }),
                Some(v) => Err(OpenError::WrongVersion(v.to_owned())),
            }),
            // Frames without a declaration are read as `jabber:client`.
            ("open", "" | ns::CLIENT) => Some(Err(OpenError::MissingNamespace)),
            ("open", other) => Some(Err(OpenError::WrongNamespace(other.to_owned()))),
            ("close", ns::FRAMING) => {
                Some(Ok(Framing::Close { see_other_uri: e.attr("see-other-uri").map(str::to_owned) }))
            }
            _ => None,
        }
    }
}

/// The client's `<open/>`.
pub fn open(to: &str) -> String {
    let mut w = XmlWriter::new();
    w.open("open", ns::FRAMING).attr("to", to).attr("version", "1.0");
    w.finish()
}

/// A `<close/>`.
pub fn close() -> String {
    let mut w = XmlWriter::new();
    w.open("close", ns::FRAMING);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Document, XmlLimits};

    fn read(xml: &str) -> Option<Result<Framing, OpenError>> {
        Framing::read(Document::parse_with(xml, ns::CLIENT, &XmlLimits::default()).unwrap().root())
    }

    #[test]
    fn open_is_validated_as_the_reference_does() {
        assert_eq!(
            read("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' from='d' id='i' version='1.0' xml:lang='en'/>"),
            Some(Ok(Framing::Open { from: "d".into(), id: "i".into() }))
        );
        let text = |xml: &str| read(xml).unwrap().unwrap_err().to_string();
        assert_eq!(text("<open version='1.0'/>"), "Missing xmlns in <open />");
        assert_eq!(text("<open xmlns='urn:x' version='1.0'/>"), "Wrong xmlns in <open />: urn:x");
        assert_eq!(text("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>"), "Missing version in <open />");
        assert_eq!(
            text("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' version='2.0'/>"),
            "Wrong version in <open />: 2.0"
        );
    }

    #[test]
    fn close_is_known_however_it_is_written() {
        for xml in [
            "<close xmlns=\"urn:ietf:params:xml:ns:xmpp-framing\" />",
            "<f:close xmlns:f='urn:ietf:params:xml:ns:xmpp-framing'></f:close>",
        ] {
            assert_eq!(read(xml), Some(Ok(Framing::Close { see_other_uri: None })), "{xml}");
        }
        assert_eq!(
            read("<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://o.example/x'/>"),
            Some(Ok(Framing::Close { see_other_uri: Some("wss://o.example/x".into()) }))
        );
        assert_eq!(read("<close/>"), None);
    }

    #[test]
    fn what_is_sent_is_rfc_7395() {
        assert_eq!(
            open("meet.example"),
            "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='meet.example' version='1.0'/>"
        );
        assert_eq!(close(), "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    }
}
