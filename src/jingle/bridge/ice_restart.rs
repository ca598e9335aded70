//! A new path within the session: the bridge made a new ICE agent, we answer with our new credentials
//! (docs/protocol/02 §10.2–10.3). Media flows on over the old path meanwhile.

use super::Session;
use crate::jingle::Jingle;
use crate::jingle::describe::{self, MAX_REMOTE_CANDIDATES, transport};
use crate::jingle::types::{IceCredentials, LocalTransport, SessionKey};
use crate::wire::jingle::{self as wire, Action, Content, Creator};

use super::session::Change;

/// A new generation of the bridge's ICE agent; `None` when the request names none, or not all of it.
pub(super) fn read(j: &wire::Jingle<'_>) -> Option<Change> {
    let t = j.contents.iter().filter_map(|c| c.transport.as_ref()).find(|t| t.ice_generation.is_some())?;
    let generation = t.ice_generation?.parse().ok().filter(|g| *g > 0)?;
    let (ufrag, pwd) = (t.ufrag?, t.pwd?);
    if !describe::credentials_are_good(ufrag, pwd) {
        return None;
    }
    let credentials = IceCredentials { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() };
    let mut candidates = describe::candidates(j);
    candidates.truncate(MAX_REMOTE_CANDIDATES);
    Some(Change::RestartIce { generation, credentials, candidates })
}

impl Jingle {
    /// The engine has new credentials for this generation: the bridge is told. Of several generations under way only the
    /// last one counts.
    pub fn ice_restarted(&mut self, key: SessionKey, generation: u64, local: LocalTransport) {
        let current = |s: &&mut Session| s.key == key && s.generation == generation;
        let Some(s) = self.bridge.session.as_mut().filter(current) else { return };
        let text = generation.to_string();
        let mut t = transport(&local, Some(s.setup), &[], &[]);
        t.ice_generation = Some(&text);
        let mut j = wire::Jingle::new(Action::TransportInfo, &s.sid);
        j.initiator = Some(s.focus.as_str());
        // The focus reads the first transport, and the contents are bundled: one is enough.
        j.contents.push(Content {
            name: if s.contents.audio { "audio" } else { "video" },
            creator: Some(Creator::Responder),
            transport: Some(t),
            ..Content::default()
        });
        let (payload, to) = (j.to_xml(), s.focus.clone());
        self.tell(to, payload);
    }
}
