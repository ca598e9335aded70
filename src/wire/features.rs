//! `<stream:features/>` (RFC 6120 §4.3.2): what decides how the stream goes on.

use super::{Element, ns};

/// Mechanism names kept (default 32); a server has a handful.
pub const MAX_MECHANISMS: usize = 32;

/// The offered features this client acts on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// SASL mechanisms, in the server's order; empty once authenticated.
    pub mechanisms: Vec<String>,
    /// Resource binding.
    pub bind: bool,
    /// The session of RFC 3921 is demanded: offered and not marked optional (docs/protocol/01 §3.1).
    pub session_required: bool,
    /// Stream management, version 3.
    pub sm: bool,
}

impl Features {
    /// Reads the features element; None for anything else.
    pub fn read(e: Element<'_>) -> Option<Features> {
        if !e.is("features", ns::STREAMS) {
            return None;
        }
        let mut f = Features::default();
        for child in e.children() {
            match (child.name(), child.ns()) {
                ("mechanisms", ns::SASL) => {
                    let names = child.children().filter(|m| m.is("mechanism", ns::SASL));
                    f.mechanisms = names.take(MAX_MECHANISMS).map(|m| m.text().trim().to_owned()).collect();
                }
                ("bind", ns::BIND) => f.bind = true,
                ("session", ns::SESSION) => f.session_required = child.child("optional", ns::SESSION).is_none(),
                ("sm", ns::SM) => f.sm = true,
                _ => {}
            }
        }
        Some(f)
    }

    /// Whether the mechanism is offered.
    pub fn offers(&self, mechanism: &str) -> bool {
        self.mechanisms.iter().any(|m| m == mechanism)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn read(inner: &str) -> Features {
        let xml = format!(
            "<stream:features xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>{inner}</stream:features>"
        );
        Features::read(Document::parse(&xml).unwrap().root()).unwrap()
    }

    #[test]
    fn features_before_and_after_login_are_read() {
        let f = read(
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism><mechanism>PLAIN</mechanism></mechanisms>",
        );
        assert!(f.offers("PLAIN") && f.offers("SCRAM-SHA-1") && !f.offers("ANONYMOUS") && !f.bind);
        let f = read(
            "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><required/></bind>\
             <session xmlns='urn:ietf:params:xml:ns:xmpp-session'><optional/></session>\
             <sm xmlns='urn:xmpp:sm:2'/><sm xmlns='urn:xmpp:sm:3'><optional/></sm><x xmlns='urn:unknown'/>",
        );
        assert_eq!(f, Features { bind: true, sm: true, ..Features::default() });
        assert!(!read("<sm xmlns='urn:xmpp:sm:2'/>").sm);
        assert!(read("<session xmlns='urn:ietf:params:xml:ns:xmpp-session'/>").session_required);
        assert!(Features::read(Document::parse("<features xmlns='jabber:client'/>").unwrap().root()).is_none());
    }

    #[test]
    fn mechanisms_are_bounded() {
        let list = |n: usize| {
            format!(
                "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</mechanisms>",
                "<mechanism>X</mechanism>".repeat(n)
            )
        };
        assert_eq!(read(&list(MAX_MECHANISMS)).mechanisms.len(), MAX_MECHANISMS);
        assert_eq!(read(&list(MAX_MECHANISMS + 1)).mechanisms.len(), MAX_MECHANISMS);
    }
}
