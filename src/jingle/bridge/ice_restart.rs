//! A new path within the session: we ask, the bridge makes a new ICE agent, we answer with our new credentials
//! (docs/protocol/02 §10). Media flows on over the old path meanwhile.

use super::Asked;
use crate::jingle::describe::transport;
use crate::jingle::types::{LocalTransport, RestartRefusal, SessionKey, SessionState};
use crate::jingle::{Jingle, Purpose};
use crate::time::Time;
use crate::wire::jingle::{self as wire, Action, BridgeSession, Content, Creator};

impl Jingle {
    /// Asks the focus for a new ICE agent of the bridge, in the session as it is. What comes of it is
    /// [`Output::RestartIce`](super::super::Output::RestartIce).
    pub fn request_ice_restart(&mut self, key: SessionKey, _now: Time) -> Result<(), RestartRefusal> {
        let s = self.bridge.session.as_ref().filter(|s| s.key == key && s.state == SessionState::Active);
        let s = s.ok_or(RestartRefusal::NoSession)?;
        let id = s.bridge_id.as_deref().ok_or(RestartRefusal::NoBridgeId)?;
        let mut j = wire::Jingle::new(Action::SessionInfo, &s.sid);
        j.initiator = Some(s.focus.as_str());
        j.bridge_session = Some(BridgeSession { id: Some(id), ice_restart: Some(true), ..BridgeSession::default() });
        let payload = j.to_xml();
        self.ask_focus(Asked::IceRestart, payload);
        Ok(())
    }

    /// The engine has new credentials for this generation: the bridge is told. Of several generations under way only the
    /// last one counts.
    pub fn ice_restarted(&mut self, key: SessionKey, generation: u64, local: LocalTransport) {
        let current = |s: &&mut super::Session| s.key == key && s.generation == generation;
        let Some(s) = self.bridge.session.as_mut().filter(current) else { return };
        let text = generation.to_string();
        let mut t = transport(&local, Some(s.setup), &[], &[]);
        t.ice_generation = Some(&text);
        let mut j = wire::Jingle::new(Action::TransportInfo, &s.sid);
        j.initiator = Some(s.focus.as_str());
        // The focus reads the first transport, and the contents are bundled: one is enough (docs/protocol/02 §10.3).
        j.contents.push(Content {
            name: if s.contents.audio { "audio" } else { "video" },
            creator: Some(Creator::Responder),
            transport: Some(t),
            ..Content::default()
        });
        let (payload, to) = (j.to_xml(), s.focus.clone());
        s.local = Some(local);
        self.send_to(to, key, Purpose::Told, payload);
    }
}
