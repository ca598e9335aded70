//! Service discovery (XEP-0030) and the hash of entity capabilities (XEP-0115); docs/protocol/01 §4.

use super::{Element, XmlWriter, ns};
use crate::few::in_order;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// Identities kept of one answer (default 64); a Jitsi domain announces about a dozen.
pub const MAX_IDENTITIES: usize = 64;
/// Features kept of one answer (default 512).
pub const MAX_FEATURES: usize = 512;

/// One identity of an entity. Jitsi's servers announce components this way: `type` is the capability, `name` the address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub category: String,
    pub kind: String,
    pub lang: String,
    pub name: String,
}

/// The content of a disco#info answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Info {
    pub node: Option<String>,
    pub identities: Vec<Identity>,
    pub features: Vec<String>,
}

impl Info {
    /// Reads a disco#info `query`; None for another element. What lies past the limits is passed over.
    pub fn read(query: Element<'_>) -> Option<Info> {
        if !query.is("query", ns::DISCO_INFO) {
            return None;
        }
        let mut info = Info { node: query.attr("node").map(str::to_owned), ..Info::default() };
        for child in query.children() {
            match (child.name(), child.ns()) {
                ("identity", ns::DISCO_INFO) if info.identities.len() < MAX_IDENTITIES => {
                    let attr = |n| child.attr(n).unwrap_or("").to_owned();
                    info.identities.push(Identity {
                        category: attr("category"),
                        kind: attr("type"),
                        lang: child.lang().unwrap_or("").to_owned(),
                        name: attr("name"),
                    });
                }
                ("feature", ns::DISCO_INFO) if info.features.len() < MAX_FEATURES => {
                    info.features.extend(child.attr("var").map(str::to_owned));
                }
                _ => {}
            }
        }
        Some(info)
    }

    /// Whether the feature was announced.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|f| f == feature)
    }

    /// The name of the identity of this type: for a component, its address. The category is not looked at (§4.1).
    pub fn identity(&self, kind: &str) -> Option<&str> {
        self.identities.iter().find(|i| i.kind == kind).map(|i| i.name.as_str())
    }

    /// Writes the `query` element.
    pub fn write(&self, w: &mut XmlWriter) {
        w.open("query", ns::DISCO_INFO).attr_opt("node", self.node.as_deref());
        for i in &self.identities {
            w.open_same("identity").attr("category", &i.category).attr("type", &i.kind);
            w.attr_opt("name", Some(i.name.as_str()).filter(|n| !n.is_empty()));
            w.attr_opt("xml:lang", Some(i.lang.as_str()).filter(|l| !l.is_empty())).close();
        }
        for f in &self.features {
            w.open_same("feature").attr("var", f).close();
        }
        w.close();
    }

    /// The verification string of XEP-0115 §5.1 for identities and features (no data forms: none of ours has one).
    pub fn ver(&self) -> String {
        let identities = in_order(&self.identities, |i| *i);
        let mut features: Vec<&str> = self.features.iter().map(String::as_str).collect();
        features.sort_unstable();
        features.dedup();
        let mut hash = Sha1::new();
        for i in identities {
            for (part, end) in [(&i.category, "/"), (&i.kind, "/"), (&i.lang, "/"), (&i.name, "<")] {
                hash.update(part);
                hash.update(end);
            }
        }
        for f in features {
            hash.update(f);
            hash.update("<");
        }
        STANDARD.encode(hash.finalize())
    }
}

/// A disco#info question.
pub fn info_query(node: Option<&str>) -> String {
    let mut w = XmlWriter::new();
    w.open("query", ns::DISCO_INFO).attr_opt("node", node);
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    const DEFAULT: [&str; 17] = [
        "http://jabber.org/protocol/caps",
        "urn:xmpp:jingle:1",
        "urn:xmpp:jingle:apps:rtp:1",
        "urn:xmpp:jingle:transports:ice-udp:1",
        "urn:xmpp:jingle:apps:dtls:0",
        "urn:xmpp:jingle:transports:dtls-sctp:1",
        "urn:xmpp:jingle:apps:rtp:audio",
        "urn:xmpp:jingle:apps:rtp:video",
        "http://jitsi.org/json-encoded-sources",
        "urn:ietf:rfc:4588",
        "http://jitsi.org/remb",
        "http://jitsi.org/tcc",
        "urn:xmpp:rayo:client:1",
        "http://jitsi.org/source-name",
        "http://jitsi.org/receive-multiple-video-streams",
        "http://jitsi.org/visitors-1",
        "http://jitsi.org/start-muted-room-metadata",
    ];

    fn ver(features: impl IntoIterator<Item = &'static str>) -> String {
        Info { features: features.into_iter().map(str::to_owned).collect(), ..Info::default() }.ver()
    }

    #[test]
    fn ver_is_that_of_the_vectors() {
        let rewriting = "http://jitsi.org/ssrc-rewriting-1";
        let red = "http://jitsi.org/opus-red";
        assert_eq!(ver(DEFAULT), "dtzK/3xhISaXUMVg59IpXxdvKyQ=");
        assert_eq!(ver(DEFAULT.into_iter().chain([rewriting])), "+mpajJhafj8jFogLBKsPbQfMgzU=");
        assert_eq!(ver(DEFAULT.into_iter().chain([red])), "4cdYcCf8byzUv06y+nbI6BF/j3A=");
        assert_eq!(ver([red, rewriting].into_iter().chain(DEFAULT)), "WQaeYKgLkaDSNuexFT/Ir4qG7To=");
        assert_eq!(ver(DEFAULT.into_iter().chain(["https://jitsi.org/meet/e2ee"])), "0JVwVtxK0XTjJIql2CKPHTBDi3E=");
        assert_eq!(ver(DEFAULT.into_iter().filter(|f| *f != "urn:xmpp:rayo:client:1")), "xUTPQ7C5wic8q6nOytcEI8dwRJI=");
        assert_eq!(ver([DEFAULT[0]]), "kR9jljQwQFoklIvoOmy/GAli0gA=");
        assert_eq!(ver([DEFAULT[0], DEFAULT[0]]), ver([DEFAULT[0]]));
    }

    #[test]
    fn ver_with_an_identity_is_that_of_xep_0115() {
        // XEP-0115 §5.2, the simple example.
        let info = Info {
            identities: vec![Identity {
                category: "client".into(),
                kind: "pc".into(),
                lang: String::new(),
                name: "Exodus 0.9.1".into(),
            }],
            features: ["http://jabber.org/protocol/caps", ns::DISCO_INFO, ns::DISCO_ITEMS, ns::MUC]
                .map(str::to_owned)
                .into(),
            node: None,
        };
        assert_eq!(info.ver(), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }

    #[test]
    fn an_answer_is_read_and_written_back() {
        let xml = "<query xmlns='http://jabber.org/protocol/disco#info' node='n'>\
                   <identity category='component' type='lobbyrooms' name='lobby.meet.example'/>\
                   <feature var='urn:xmpp:ping'/></query>";
        let info = Info::read(Document::parse(xml).unwrap().root()).unwrap();
        assert!(info.has("urn:xmpp:ping") && !info.has("x"));
        assert_eq!((info.identity("lobbyrooms"), info.identity("polls")), (Some("lobby.meet.example"), None));
        let mut w = XmlWriter::new();
        info.write(&mut w);
        assert_eq!(w.finish(), xml);
        assert_eq!(Info::read(Document::parse("<query xmlns='urn:x'/>").unwrap().root()), None);
    }

    #[test]
    fn identities_and_features_are_bounded() {
        let read = |n: usize| {
            let xml = format!(
                "<query xmlns='{}'>{}{}</query>",
                ns::DISCO_INFO,
                "<identity type='t'/>".repeat(n),
                "<feature var='f'/>".repeat(n)
            );
            let info = Info::read(Document::parse(&xml).unwrap().root()).unwrap();
            (info.identities.len(), info.features.len())
        };
        assert_eq!(read(MAX_IDENTITIES), (MAX_IDENTITIES, MAX_IDENTITIES));
        assert_eq!(read(MAX_IDENTITIES + 1), (MAX_IDENTITIES, MAX_IDENTITIES + 1));
        assert_eq!(read(MAX_FEATURES), (MAX_IDENTITIES, MAX_FEATURES));
        assert_eq!(read(MAX_FEATURES + 1), (MAX_IDENTITIES, MAX_FEATURES));
    }
}
