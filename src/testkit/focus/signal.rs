//! Who is told of whose sources (docs/protocol/02 §8.2): each receiver gets differences, at once or gathered, removals first; a
//! receiver with SSRC rewriting gets none, and one whose session waits for its accept gets them afterwards.

use super::conference::{Conference, Cx};
use super::offer;
use super::session::State;
use super::sources::EndpointSources;
use crate::wire::{XmlWriter, ns};
use std::collections::BTreeMap;

/// Changes that a receiver was not told yet, by owner.
#[derive(Default)]
pub(super) struct Pending(BTreeMap<String, Change>);

#[derive(Default)]
struct Change {
    removed: EndpointSources,
    added: EndpointSources,
}

impl Pending {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The owner left: nobody is told of that by signalling.
    pub(super) fn forget(&mut self, owner: &str) {
        self.0.remove(owner);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn change(&mut self, owner: &str, removed: &EndpointSources, added: &EndpointSources) {
        let c = self.0.entry(owner.to_owned()).or_default();
        // What was never told needs no removal, and what goes and comes back unchanged needs no word.
        let untold = std::mem::take(&mut c.added);
        c.removed.extend(&removed.without(&untold));
        c.added = untold.without(removed);
        let mut back = EndpointSources::default();
        back.sources.extend(added.sources.iter().filter(|s| c.removed.sources.contains(s)).cloned());
        back.groups.extend(added.groups.iter().filter(|g| c.removed.groups.contains(g)).cloned());
        c.removed = c.removed.without(&back);
        c.added.extend(&added.without(&back));
    }

    fn take(&mut self) -> (Changes, Changes) {
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        for (owner, c) in std::mem::take(&mut self.0) {
            if !c.removed.is_empty() {
                removed.push((owner.clone(), c.removed));
            }
            if !c.added.is_empty() {
                added.push((owner, c.added));
            }
        }
        (removed, added)
    }
}

/// Sources by owner.
type Changes = Vec<(String, EndpointSources)>;

impl Conference {
    /// The sources of `owner` were `before`, and are what the table says now: the others and the bridge are told.
    pub(super) fn signal(&mut self, owner: &str, before: &EndpointSources, cx: &mut Cx<'_>) {
        let mut after = self.sources.of(owner);
        self.tell_bridge(owner, cx);
        let mut before = before.clone();
        if cx.options.strip_simulcast {
            (before, after) = (before.stripped(), after.stripped());
        }
        let (removed, added) = (before.without(&after), after.without(&before));
        if removed.is_empty() && added.is_empty() {
            return;
        }
        let nicks: Vec<String> = self.members.keys().filter(|n| *n != owner).cloned().collect();
        for nick in nicks {
            let Some(m) = self.members.get_mut(&nick) else { continue };
            let rewriting = cx.shape(&nick, m).rewriting;
            let Some(session) = m.session().filter(|s| s.state != State::Ended && !rewriting) else { continue };
            let active = session.state == State::Active;
            m.pending.change(owner, &removed, &added);
            if active && cx.options.source_delay.is_zero() {
                self.flush(&nick, cx);
            } else if active && m.flush_at.is_none() {
                m.flush_at = Some(cx.now + cx.options.source_delay);
            }
        }
    }

    /// Tells a receiver what it was not told yet.
    pub(super) fn flush(&mut self, nick: &str, cx: &mut Cx<'_>) {
        let room = self.room.clone();
        let Some(m) = self.members.get_mut(nick) else { return };
        m.flush_at = None;
        let json = cx.shape(nick, m).json;
        let (removed, added) = m.pending.take();
        let Some(sid) = m.session().map(|s| s.sid.clone()) else { return };
        for (action, changes) in [("source-remove", removed), ("source-add", added)] {
            if !changes.is_empty() {
                send_sources(&format!("{room}/{nick}"), &sid, action, &changes, json, cx);
            }
        }
    }
}

/// Sends a source-add or source-remove.
pub(super) fn send_sources(
    to: &str,
    sid: &str,
    action: &str,
    changes: &[(String, EndpointSources)],
    json: bool,
    cx: &mut Cx<'_>,
) {
    let by_owner: Vec<_> = changes.iter().map(|(o, s)| (o.as_str(), s.clone())).collect();
    let mut w = open_jingle(to, sid, action, cx);
    if json {
        w.leaf("json-message", ns::JITMEET, &offer::compact(&by_owner));
    } else {
        offer::write_source_contents(&mut w, &by_owner);
    }
    cx.io.push(w.finish());
}

/// Opens a request with a `jingle` element of the focus, its id by the action.
pub(super) fn open_jingle(to: &str, sid: &str, action: &str, cx: &mut Cx<'_>) -> XmlWriter {
    let id = cx.io.id(action);
    let mut w = cx.io.stanza("iq", to);
    w.attr("type", "set").attr("id", &id);
    w.open("jingle", ns::JINGLE).attr("action", action).attr("sid", sid);
    w
}
