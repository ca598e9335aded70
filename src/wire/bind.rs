//! Resource binding (RFC 6120 §7).

use super::{Element, Jid, XmlWriter, ns, stanza};
use crate::wire::stanza::IqType;

/// The bind request; the server chooses the resource when none is asked for.
pub fn request(id: &str, resource: Option<&str>) -> String {
    let mut w = stanza::iq(IqType::Set, None, id);
    w.open("bind", ns::BIND);
    if let Some(r) = resource {
        w.leaf("resource", ns::BIND, r);
    }
    w.finish()
}

/// The session request of RFC 3921 §3, for servers that still demand it.
pub fn session_payload() -> String {
    let mut w = XmlWriter::new();
    w.open("session", ns::SESSION);
    w.finish()
}

/// The full address in the payload of a bind result.
pub fn bound_jid(payload: Element<'_>) -> Option<Jid> {
    if !payload.is("bind", ns::BIND) {
        return None;
    }
    let jid = Jid::parse(payload.child("jid", ns::BIND)?.text().trim()).ok()?;
    jid.resource().is_some().then_some(jid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    #[test]
    fn the_request_asks_for_a_resource_only_when_given() {
        assert_eq!(
            request("b1", None),
            "<iq xmlns='jabber:client' type='set' id='b1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>"
        );
        assert!(request("b1", Some("bot")).contains("<resource>bot</resource>"));
    }

    #[test]
    fn the_answer_must_hold_a_full_address() {
        let jid = |xml: &str| bound_jid(Document::parse(xml).unwrap().root());
        let bind = |j: &str| format!("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>{j}</jid></bind>");
        assert_eq!(jid(&bind("u@x/r")).unwrap().as_str(), "u@x/r");
        assert_eq!(jid(&bind("u@x")), None);
        assert_eq!(jid(&bind("")), None);
        assert_eq!(jid("<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>"), None);
        assert_eq!(jid("<bind xmlns='urn:x'><jid>u@x/r</jid></bind>"), None);
    }
}
