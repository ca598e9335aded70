//! SASL elements (RFC 6120 §6, docs/protocol/01 §3.1). Payloads are base64 here and bytes outside.

use super::{Element, XmlWriter, ns};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A SASL element from the server.
#[derive(Clone, PartialEq, Eq)]
pub enum Sasl {
    Challenge(Vec<u8>),
    /// Authenticated; data may come along (SCRAM's server signature).
    Success(Vec<u8>),
    /// Refused, with the condition's element name (`not-allowed`; `undefined-condition` when none was given) and a text.
    Failure {
        condition: String,
        text: String,
    },
}

impl std::fmt::Debug for Sasl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sasl::Challenge(_) => f.write_str("Challenge"),
            Sasl::Success(_) => f.write_str("Success"),
            Sasl::Failure { condition, text } => write!(f, "Failure({condition}, {text:?})"),
        }
    }
}

/// An element of this namespace that is none of those, or whose payload is no base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSasl;

impl Sasl {
    /// Reads an element; None when it is of another namespace.
    pub fn read(e: Element<'_>) -> Option<Result<Sasl, BadSasl>> {
        if e.ns() != ns::SASL {
            return None;
        }
        Some(match e.name() {
            "challenge" => decode(&e.text()).map(Sasl::Challenge),
            "success" => decode(&e.text()).map(Sasl::Success),
            "failure" => {
                let condition = e.children().find(|c| c.name() != "text").map_or("undefined-condition", |c| c.name());
                let text = e.child_named("text").map(|t| t.text().into_owned()).unwrap_or_default();
                Ok(Sasl::Failure { condition: condition.to_owned(), text })
            }
            _ => Err(BadSasl),
        })
    }
}

fn decode(text: &str) -> Result<Vec<u8>, BadSasl> {
    match text.trim() {
        // `=` stands for data of no length (RFC 6120 §6.4.2).
        "" | "=" => Ok(Vec::new()),
        t => STANDARD.decode(t).map_err(|_| BadSasl),
    }
}

/// Starts a mechanism, with its initial response if it has one.
pub fn auth(mechanism: &str, initial: Option<&[u8]>) -> String {
    let mut w = XmlWriter::new();
    w.open("auth", ns::SASL).attr("mechanism", mechanism);
    if let Some(data) = initial {
        w.text(&if data.is_empty() { "=".to_owned() } else { STANDARD.encode(data) });
    }
    w.finish()
}

/// Answers a challenge.
pub fn response(data: &[u8]) -> String {
    let mut w = XmlWriter::new();
    w.open("response", ns::SASL).text(&STANDARD.encode(data));
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(xml: &str) -> Option<Result<Sasl, BadSasl>> {
        Sasl::read(Document::parse(xml).unwrap().root())
    }

    #[test]
    fn every_answer_of_a_server_is_read() {
        let ns = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
        assert_eq!(read(&format!("<challenge {ns}>YWJj</challenge>")), Some(Ok(Sasl::Challenge(b"abc".to_vec()))));
        assert_eq!(read(&format!("<success {ns}/>")), Some(Ok(Sasl::Success(Vec::new()))));
        assert_eq!(read(&format!("<success {ns}>=</success>")), Some(Ok(Sasl::Success(Vec::new()))));
        let failure = |c: &str, t: &str| Some(Ok(Sasl::Failure { condition: c.into(), text: t.into() }));
        assert_eq!(
            read(&format!("<failure {ns}><not-allowed/><text>token expired</text></failure>")),
            failure("not-allowed", "token expired")
        );
        assert_eq!(read(&format!("<failure {ns}><text>t</text></failure>")), failure("undefined-condition", "t"));
        assert_eq!(read(&format!("<challenge {ns}>!</challenge>")), Some(Err(BadSasl)));
        assert_eq!(read(&format!("<other {ns}/>")), Some(Err(BadSasl)));
        assert_eq!(read("<success xmlns='urn:x'/>"), None);
    }

    #[test]
    fn an_initial_response_is_absent_empty_or_base64() {
        assert_eq!(auth("ANONYMOUS", None), "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'/>");
        assert!(auth("X", Some(b"")).ends_with(">=</auth>"));
        assert!(auth("PLAIN", Some(b"\0u\0p")).ends_with(">AHUAcA==</auth>"));
        assert_eq!(response(b""), "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    }

    #[test]
    fn payloads_never_reach_debug_output() {
        assert_eq!(format!("{:?}", Sasl::Challenge(b"secret".to_vec())), "Challenge");
    }
}
