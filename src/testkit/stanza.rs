//! Small helpers over the XML tree for servers: relaying a stanza under other addresses, answers and errors (RFC 6120 §8).

use crate::wire::{Element, XmlWriter, ns};

/// Writes `stanza` again in namespace `stanza_ns`, with `from`, `to` and, where given, `id` replaced. All else is kept, so
/// what a client sends is what the other client gets.
pub fn relay(stanza: Element<'_>, stanza_ns: &str, from: &str, to: &str, id: Option<&str>) -> String {
    let mut w = relay_open(stanza, stanza_ns, from, to, id);
    for child in stanza.children() {
        child.write_to(&mut w);
    }
    w.finish()
}

/// The opening tag of a relayed stanza: for servers that leave out or add children.
pub fn relay_open(stanza: Element<'_>, stanza_ns: &str, from: &str, to: &str, id: Option<&str>) -> XmlWriter {
    let mut w = XmlWriter::new();
    w.open(stanza.name(), stanza_ns).attr("from", from).attr("to", to);
    for (name, value) in stanza.attrs() {
        match name {
            "from" | "to" => {}
            "id" => {
                w.attr("id", id.unwrap_or(value));
            }
            _ => {
                w.attr(name, value);
            }
        }
    }
    w
}

/// Opens the result of an IQ request, its addresses turned round.
pub fn iq_result(request: Element<'_>, stanza_ns: &str) -> XmlWriter {
    answer(request, stanza_ns, "result")
}

/// Opens an answer to any stanza, its addresses turned round.
fn answer(request: Element<'_>, stanza_ns: &str, kind: &str) -> XmlWriter {
    let mut w = XmlWriter::new();
    w.open(request.name(), stanza_ns)
        .attr("type", kind)
        .attr_opt("from", request.attr("to"))
        .attr_opt("to", request.attr("from"))
        .attr_opt("id", request.attr("id"));
    w
}

/// An error answer with one defined condition (RFC 6120 §8.3).
pub fn error(request: Element<'_>, stanza_ns: &str, kind: &str, condition: &str, text: Option<&str>) -> String {
    error_with(request, stanza_ns, kind, condition, text, |_| {})
}

/// An error answer, with application-specific children of `<error/>` written by `more`.
pub fn error_with(
    request: Element<'_>,
    stanza_ns: &str,
    kind: &str,
    condition: &str,
    text: Option<&str>,
    more: impl FnOnce(&mut XmlWriter),
) -> String {
    let mut w = answer(request, stanza_ns, "error");
    w.open_same("error").attr("type", kind).open(condition, ns::STANZA_ERRORS).close();
    if let Some(t) = text {
        w.leaf("text", ns::STANZA_ERRORS, t);
    }
    more(&mut w);
    w.finish()
}

/// The type that goes with a defined condition (RFC 6120 §8.3.3); `not-acceptable` as Prosody's rooms give it, which takes
/// no change of the stanza to mend.
pub fn error_type(condition: &str) -> &'static str {
    match condition {
        "bad-request" | "jid-malformed" | "redirect" => "modify",
        "forbidden" | "not-authorized" | "registration-required" | "subscription-required" => "auth",
        "recipient-unavailable" | "recipient-not-found" | "resource-constraint" | "remote-server-timeout" => "wait",
        _ => "cancel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    #[test]
    fn a_relayed_stanza_keeps_all_but_its_addresses() {
        let d = Document::parse(
            "<message xmlns='jabber:client' id='1' to='a@b' type='chat'><body>x</body><y xmlns='urn:y'/></message>",
        )
        .unwrap();
        assert_eq!(
            relay(d.root(), ns::CLIENT, "r@c/n", "d@e/f", None),
            "<message xmlns='jabber:client' from='r@c/n' to='d@e/f' id='1' type='chat'><body>x</body><y xmlns='urn:y'/></message>"
        );
    }

    #[test]
    fn an_error_names_condition_and_text() {
        let d = Document::parse("<iq xmlns='jabber:client' id='1' from='a@b/c' to='d' type='get'/>").unwrap();
        assert_eq!(
            error(d.root(), ns::CLIENT, "cancel", "item-not-found", Some("no")),
            "<iq xmlns='jabber:client' type='error' from='d' to='a@b/c' id='1'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text></error></iq>"
        );
    }
}
