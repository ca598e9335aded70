//! Our own capabilities (XEP-0115, docs/protocol/01 §4.3): the features, their hash, and the answers to disco.
//!
//! The focus caches the answer per `node#ver` and shapes its offer by it, so `ver` is always the hash of what is answered.

use crate::wire::disco::Info;
use crate::wire::{Stanza, XmlWriter, ns, stanza};

/// The node of every Jitsi client.
pub const NODE: &str = "https://jitsi.org/jitsi-meet";

/// What a bridge session takes beyond [`FEATURES`] (design §8): the focus shapes its offer by it (docs/protocol/04 §6.1).
pub const BRIDGE_FEATURES: [&str; 3] =
    ["urn:xmpp:jingle:transports:dtls-sctp:1", "http://jitsi.org/json-encoded-sources", "http://jitsi.org/opus-red"];

/// The bridge chooses the SSRCs of what we receive (docs/protocol/02 §17): with it the focus signals no sources at all.
pub const SSRC_REWRITING: &str = "http://jitsi.org/ssrc-rewriting-1";

/// With [`SSRC_REWRITING`]: the bridge stamps each packet of a slot with the slot's `mid` (docs/protocol/04 §10.2).
pub const RTP_MID_DEMUX: &str = "http://jitsi.org/rtp-mid-demux";

/// What works without a bridge (design §8).
pub const FEATURES: [&str; 11] = [
    ns::CAPS,
    ns::JINGLE,
    ns::JINGLE_RTP,
    "urn:xmpp:jingle:apps:rtp:audio",
    "urn:xmpp:jingle:apps:rtp:video",
    ns::JINGLE_ICE_UDP,
    ns::JINGLE_DTLS,
    "urn:ietf:rfc:4588",
    "http://jitsi.org/tcc",
    "http://jitsi.org/source-name",
    "http://jitsi.org/receive-multiple-video-streams",
];

/// A set of features and its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    info: Info,
    ver: String,
}

impl Caps {
    /// The capabilities with these features, sorted and each once.
    pub fn new(features: impl IntoIterator<Item = String>) -> Caps {
        let mut features: Vec<String> = features.into_iter().collect();
        features.sort_unstable();
        features.dedup();
        let info = Info { features, ..Info::default() };
        Caps { ver: info.ver(), info }
    }

    /// The hash, as in presence.
    pub fn ver(&self) -> &str {
        &self.ver
    }

    /// The features, sorted.
    pub fn features(&self) -> &[String] {
        &self.info.features
    }

    /// Writes the `c` element of presence.
    pub fn write(&self, w: &mut XmlWriter) {
        w.open("c", ns::CAPS).attr("hash", "sha-1").attr("node", NODE).attr("ver", &self.ver).close();
    }

    /// The answer to a disco question; None for any other stanza. Features are told with every node, which is echoed;
    /// items there are none.
    pub fn answer(&self, request: Stanza<'_>) -> Option<String> {
        if request.iq_type() != Some(stanza::IqType::Get) {
            return None;
        }
        let query = request.payload().filter(|q| q.name() == "query")?;
        let node = query.attr("node");
        match query.ns() {
            ns::DISCO_INFO => {
                let mut w = stanza::result_of(request)?;
                Info { node: node.map(str::to_owned), ..self.info.clone() }.write(&mut w);
                Some(w.finish())
            }
            ns::DISCO_ITEMS => {
                let mut w = stanza::result_of(request)?;
                w.open("query", ns::DISCO_ITEMS).attr_opt("node", node);
                Some(w.finish())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Document;

    fn answer(caps: &Caps, xml: &str) -> Option<String> {
        caps.answer(Stanza::read(Document::parse(xml).unwrap().root()).unwrap())
    }

    #[test]
    fn disco_is_answered_with_and_without_node_and_the_hash_is_that_of_the_answer() {
        let caps = Caps::new(FEATURES.map(str::to_owned));
        for node in ["", " node='https://jitsi.org/jitsi-meet#other'"] {
            let question = format!(
                "<iq xmlns='jabber:client' type='get' from='r@c.x/focus' id='q1'><query xmlns='http://jabber.org/protocol/disco#info'{node}/></iq>"
            );
            let text = answer(&caps, &question).unwrap();
            let d = Document::parse(&text).unwrap();
            let s = Stanza::read(d.root()).unwrap();
            assert_eq!((s.type_str(), s.id(), s.to().unwrap().as_str()), ("result", Some("q1"), "r@c.x/focus"));
            let info = Info::read(s.payload().unwrap()).unwrap();
            assert_eq!(info.node.is_some(), !node.is_empty());
            assert_eq!(info.features, caps.features());
            assert!(info.features.is_sorted() && info.features.len() == 11);
            assert_eq!(info.ver(), caps.ver());
        }
    }

    #[test]
    fn items_are_empty_and_other_questions_not_ours() {
        let caps = Caps::new([]);
        let items = answer(
            &caps,
            "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#items' node='n'/></iq>",
        );
        assert_eq!(
            items.as_deref(),
            Some(
                "<iq xmlns='jabber:client' type='result' id='1'><query xmlns='http://jabber.org/protocol/disco#items' node='n'/></iq>"
            )
        );
        assert_eq!(
            answer(
                &caps,
                "<iq xmlns='jabber:client' type='set' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>"
            ),
            None
        );
        assert_eq!(
            answer(&caps, "<iq xmlns='jabber:client' type='get' id='1'><query xmlns='jabber:iq:version'/></iq>"),
            None
        );
    }

    #[test]
    fn the_element_of_presence_names_node_and_hash() {
        let mut w = XmlWriter::new();
        Caps::new([ns::CAPS.to_owned()]).write(&mut w);
        assert_eq!(
            w.finish(),
            "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://jitsi.org/jitsi-meet' ver='kR9jljQwQFoklIvoOmy/GAli0gA='/>"
        );
    }
}
