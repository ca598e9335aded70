//! Rewrites the ICE candidates of a Jingle stanza on its way through the server (docs/protocol/02 §2), so that media between
//! two participants goes through a link of the test's choice.

use crate::wire::{Element, XmlWriter, ns};
use std::net::{IpAddr, SocketAddr};

/// Gives another address for a participant's own one. `None` removes the candidate.
pub trait MapCandidate: Send {
    /// The address to show instead of `own`.
    fn map(&mut self, own: SocketAddr) -> Option<SocketAddr>;
}

/// Whether a stanza may carry candidates at all.
pub(super) fn carries_candidates(stanza: Element<'_>) -> bool {
    stanza.name() == "iq" && stanza.child("jingle", ns::JINGLE).is_some()
}

/// The stanza with every UDP candidate mapped. TCP candidates and host names are removed: they would lead past the link.
pub(super) fn rewrite(stanza: Element<'_>, map: &mut dyn MapCandidate) -> String {
    let mut w = XmlWriter::new();
    copy(stanza, &mut w, map);
    w.finish()
}

/// Recursive: the parser has bounded the depth.
fn copy(e: Element<'_>, w: &mut XmlWriter, map: &mut dyn MapCandidate) {
    let candidate = e.is("candidate", ns::JINGLE_ICE_UDP);
    let shown = candidate.then(|| own_address(e).and_then(|own| map.map(own)));
    if shown == Some(None) {
        return;
    }
    w.open(e.name(), e.ns());
    for (name, value) in e.attrs() {
        match (name, shown.flatten()) {
            ("ip", Some(a)) => w.attr_of("ip", a.ip()),
            ("port", Some(a)) => w.attr_of("port", a.port()),
            _ => w.attr(name, value),
        };
    }
    w.text(&e.text());
    for child in e.children() {
        copy(child, w, map);
    }
    w.close();
}

fn own_address(candidate: Element<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = candidate.attr("ip")?.parse().ok()?;
    let port = candidate.attr("port")?.parse().ok()?;
    candidate.attr("protocol")?.eq_ignore_ascii_case("udp").then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    struct PlusOne;

    impl MapCandidate for PlusOne {
        fn map(&mut self, own: SocketAddr) -> Option<SocketAddr> {
            (own.port() != 9).then(|| SocketAddr::new("127.0.0.1".parse().unwrap(), own.port() + 1))
        }
    }

    #[test]
    fn only_udp_candidates_are_left_and_they_are_mapped() {
        let candidate = |ip: &str, port: u16, protocol: &str| {
            format!("<candidate foundation='1' ip='{ip}' port='{port}' protocol='{protocol}' type='host'/>")
        };
        let text = format!(
            "<iq xmlns='jabber:client' type='set'><jingle xmlns='urn:xmpp:jingle:1'><content name='audio'>\
             <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u'>{}{}{}{}\
             <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0'>AB:CD</fingerprint></transport></content></jingle></iq>",
            candidate("192.0.2.1", 5, "udp"),
            candidate("192.0.2.1", 6, "tcp"),
            candidate("x.local", 7, "udp"),
            candidate("192.0.2.1", 9, "udp"),
        );
        let d = Document::parse(&text).unwrap();
        assert!(carries_candidates(d.root()));
        let out = rewrite(d.root(), &mut PlusOne);
        assert_eq!(
            out,
            "<iq xmlns='jabber:client' type='set'><jingle xmlns='urn:xmpp:jingle:1'><content name='audio'>\
             <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u'>\
             <candidate foundation='1' ip='127.0.0.1' port='6' protocol='udp' type='host'/>\
             <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0'>AB:CD</fingerprint></transport></content></jingle></iq>"
        );
    }
}
