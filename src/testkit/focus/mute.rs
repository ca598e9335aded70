//! Mute requests (docs/protocol/03 §10.3).

use super::colibri::Request;
use super::{Focus, Io};
use crate::testkit::stanza;
use crate::wire::{Element, Jid};

/// The media that a mute namespace speaks of.
pub(super) fn mute_media(namespace: &str) -> Option<&str> {
    let media = namespace.strip_prefix("http://jitsi.org/jitmeet/")?;
    matches!(media, "audio" | "video" | "desktop").then_some(media)
}

impl Focus {
    /// A mute request. Returns the answer; the target is told beside it.
    pub(super) fn mute(&mut self, iq: Element<'_>, mute: Element<'_>) -> String {
        let stanza_ns = self.io.options.stanza_ns.clone();
        let refuse = |condition| stanza::error(iq, &stanza_ns, stanza::error_type(condition), condition, None);
        let from = iq.attr("from").and_then(|f| Jid::parse(f).ok());
        let target = mute.attr("jid").and_then(|f| Jid::parse(f).ok());
        let on = match &*mute.text() {
            "true" => true,
            "false" => false,
            _ => return refuse("bad-request"),
        };
        let (Some(from), Some(target)) = (from, target) else { return refuse("bad-request") };
        let Some(c) = self.rooms.get_mut(from.bare_str()) else { return refuse("item-not-found") };
        let member = |j: &Jid| j.resource().and_then(|n| c.members.get(n));
        let (Some(muter), Some(_)) = (member(&from), member(&target)) else { return refuse("internal-server-error") };
        if target.bare_str() != from.bare_str() {
            return refuse("internal-server-error");
        }
        let own = from == target;
        let kept = own && !on && self.sessions.as_ref().is_some_and(|s| s.keep_muted);
        if kept || (!own && (!muter.moderator || !on)) {
            return refuse("not-allowed");
        }
        if !own {
            self.io.tell_muted(&from, &target, mute.ns());
        }
        let endpoint = target.resource().unwrap_or_default().to_owned();
        if let Some(m) = c.members.get_mut(&endpoint) {
            match mute_media(mute.ns()) {
                Some("audio") => m.force_muted.0 = on,
                _ => m.force_muted.1 = on,
            }
            let (audio, video) = m.force_muted;
            if self.sessions.is_some() {
                self.io.ask(Request::ForceMute { conference: target.bare_str().to_owned(), endpoint, audio, video });
            }
        }
        stanza::iq_result(iq, &stanza_ns).finish()
    }
}

impl Io {
    fn tell_muted(&mut self, from: &Jid, target: &Jid, namespace: &str) {
        let id = self.id("mute");
        let mut w = self.stanza("iq", target.as_str());
        w.attr("type", "set").attr("id", &id);
        w.open("mute", namespace).attr("actor", from.as_str()).text("true");
        self.push(w.finish());
    }
}
