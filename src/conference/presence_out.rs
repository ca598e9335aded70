//! What our presence says: an ordered list of nodes that is sent whole whenever it changed; docs/protocol/03 §4.5.

use crate::wire::{Jid, XmlWriter, muc, ns};

/// One child of our presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    name: String,
    ns: &'static str,
    attrs: Vec<(&'static str, String)>,
    text: String,
}

impl Node {
    /// A node with text, in the stanza's namespace.
    pub(super) fn text(name: &str, text: &str) -> Node {
        Node { name: name.into(), ns: ns::CLIENT, attrs: Vec::new(), text: text.into() }
    }

    /// The same in another namespace.
    pub(super) fn in_ns(mut self, ns: &'static str) -> Node {
        self.ns = ns;
        self
    }

    /// The same with an attribute.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Node {
        self.attrs.push((name, value.into()));
        self
    }
}

/// The presence map. Changes are remembered until it is sent.
#[derive(Debug, Default)]
pub(super) struct PresenceOut {
    nodes: Vec<Node>,
    changed: bool,
}

impl PresenceOut {
    /// Puts a node in the place of the one of that name, at the end. False when it was there already.
    pub(super) fn set(&mut self, node: Node) -> bool {
        if self.nodes.contains(&node) {
            return false;
        }
        self.nodes.retain(|n| n.name != node.name);
        self.nodes.push(node);
        self.changed = true;
        true
    }

    /// Takes a node out. False when there was none.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let before = self.nodes.len();
        self.nodes.retain(|n| n.name != name);
        let removed = self.nodes.len() != before;
        self.changed |= removed;
        removed
    }

    /// Whether something changed since the last sending.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// The join presence: the only one with the element of multi-user chat, for a second one would replay the history. `history`:
    /// how many seconds of it are wanted, if not all.
    pub(super) fn join(&mut self, occupant: &Jid, password: &str, history: Option<u64>) -> String {
        self.write(occupant, Some((password, history)))
    }

    /// The presence of one who is in.
    pub(super) fn update(&mut self, occupant: &Jid) -> String {
        self.write(occupant, None)
    }

    fn write(&mut self, occupant: &Jid, join: Option<(&str, Option<u64>)>) -> String {
        self.changed = false;
        let mut w = XmlWriter::stanza("presence");
        w.attr("to", occupant.as_str());
        if let Some((password, history)) = join {
            muc::write_join(&mut w, password, history);
        }
        for n in &self.nodes {
            w.open(&n.name, n.ns);
            for (name, value) in &n.attrs {
                w.attr(name, value);
            }
            w.text(&n.text).close();
        }
        w.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_node_goes_to_the_end_and_an_equal_one_changes_nothing() {
        let mut p = PresenceOut::default();
        let me = Jid::parse("r@c/0a0a0a0a").unwrap();
        assert!(p.set(Node::text("a", "1")) && p.set(Node::text("b", "2").in_ns("n").with("k", "v")));
        assert!(p.changed());
        assert_eq!(
            p.join(&me, "s", Some(7)),
            "<presence xmlns='jabber:client' to='r@c/0a0a0a0a'><x xmlns='http://jabber.org/protocol/muc'>\
             <password>s</password><history seconds='7'/></x><a>1</a><b xmlns='n' k='v'>2</b></presence>"
        );
        assert!(!p.changed() && !p.set(Node::text("a", "1")) && !p.changed());
        assert!(p.set(Node::text("a", "3")));
        assert_eq!(
            p.update(&me),
            "<presence xmlns='jabber:client' to='r@c/0a0a0a0a'><b xmlns='n' k='v'>2</b><a>3</a></presence>"
        );
        assert!(p.remove("b") && !p.remove("b") && p.changed());
    }
}
