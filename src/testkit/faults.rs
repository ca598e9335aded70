//! What a test may make the server do wrong, by name: refusals with each error that real servers give, silence at each step,
//! HTTP and stream errors (docs/protocol/01 §2.2, §3.4, 03 §9.4). Faults of the focus are its own `Refusal`.

use crate::wire::{Element, Jid, XmlWriter, ns};

use super::stanza::error_type;

/// A step of the way into a meeting, at which the server can fall silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// The WebSocket upgrade is not answered.
    Upgrade,
    /// The stream is not opened.
    Open,
    /// Authentication is not answered.
    Auth,
    /// Resource binding is not answered.
    Bind,
    /// Stream management is not enabled.
    Enable,
    /// Discovery of the host and of ICE servers is not answered.
    Disco,
    /// The join presence is not answered.
    Join,
}

/// Why a room refuses an occupant. Made by its constructors, one for each row of docs/protocol/03 §9.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRefusal {
    /// Defined condition.
    pub condition: String,
    /// Text beside it.
    pub text: Option<String>,
    /// Application-specific elements of `<error/>`: name, namespace, text.
    pub details: Vec<(String, String, String)>,
    /// An attribute `lobby` of the first detail.
    pub lobby: Option<String>,
}

impl JoinRefusal {
    /// Refused with this defined condition and nothing more.
    pub fn condition(condition: &str) -> JoinRefusal {
        JoinRefusal { condition: condition.into(), text: None, details: Vec::new(), lobby: None }
    }

    fn detail(mut self, name: &str, namespace: &str, text: &str) -> JoinRefusal {
        self.details.push((name.into(), namespace.into(), text.into()));
        self
    }

    /// The room has a password.
    pub fn password() -> JoinRefusal {
        JoinRefusal::condition("not-authorized")
    }

    /// Not allowed, with an optional text.
    pub fn not_allowed(text: Option<&str>) -> JoinRefusal {
        JoinRefusal { text: text.map(str::to_owned), ..JoinRefusal::condition("not-allowed") }
    }

    /// The room does not exist yet: clients try again a few times.
    pub fn room_does_not_exist() -> JoinRefusal {
        JoinRefusal::not_allowed(None).detail("room-does-not-exist", ns::JITMEET, "")
    }

    /// Only authenticated users enter.
    pub fn authentication_required() -> JoinRefusal {
        JoinRefusal::not_allowed(None).detail("authentication-required", ns::JITMEET, "")
    }

    /// The room is full.
    pub fn room_full() -> JoinRefusal {
        JoinRefusal::condition("service-unavailable")
    }

    /// Only members enter; others knock at the lobby.
    pub fn members_only(lobby: &str, waiting_for_host: bool) -> JoinRefusal {
        let mut r = JoinRefusal::condition("registration-required");
        if waiting_for_host {
            r = r.detail("waiting-for-host", ns::JITMEET, "");
        }
        r.detail("lobbyroom", ns::JITMEET, lobby)
    }

    /// A display name is wanted.
    pub fn display_name_required(lobby: bool) -> JoinRefusal {
        let mut r = JoinRefusal::condition("not-acceptable").detail("displayname-required", ns::JITMEET, "");
        r.lobby = lobby.then(|| "true".into());
        r
    }

    pub(super) fn write(&self, join: Element<'_>, real: &Jid) -> String {
        let mut w = XmlWriter::stanza("presence");
        w.attr("type", "error").attr_opt("from", join.attr("to")).attr("to", real.as_str());
        w.attr_opt("id", join.attr("id")).open("x", ns::MUC).close();
        w.open_same("error").attr("type", error_type(&self.condition));
        w.open(&self.condition, ns::STANZA_ERRORS).close();
        if let Some(t) = &self.text {
            w.leaf("text", ns::STANZA_ERRORS, t);
        }
        for (i, (name, namespace, text)) in self.details.iter().enumerate() {
            w.open(name, namespace).attr_opt("lobby", self.lobby.as_deref().filter(|_| i == 0)).text(text).close();
        }
        w.finish()
    }
}

/// The server's faults, all off at first. They hold for what happens from then on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The upgrade is answered with this HTTP status instead.
    pub http_status: Option<u16>,
    /// The stream is ended with this stream error (RFC 6120 §4.9.3) instead of being opened.
    pub stream_error: Option<String>,
    /// Authentication is refused with this condition and text.
    pub refuse_login: Option<(String, Option<String>)>,
    /// Binding is refused with this condition.
    pub refuse_bind: Option<String>,
    /// Stream management is refused.
    pub refuse_enable: bool,
    /// Joins are refused.
    pub refuse_join: Option<JoinRefusal>,
    /// How many joins are refused before they are let in; `None` means all.
    pub refuse_join_times: Option<u32>,
    /// The bridge declines restarts of ICE in place (docs/protocol/02 §10.1).
    pub decline_ice_restart: bool,
    /// From this step on nothing is answered, while the socket stays open.
    pub silent_at: Option<Step>,
}

impl Faults {
    pub(super) fn silent(&self, step: Step) -> bool {
        self.silent_at.is_some_and(|s| step >= s)
    }
}
