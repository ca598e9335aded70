//! What the command says: progress for people on standard error, JSON lines on standard output when asked for.

use crate::error::Error;
use crate::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState, Track};
use serde_json::{Value, json};
use std::fmt::Display;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where it says it.
pub struct Report {
    json: bool,
    quiet: bool,
    /// Nobody reads the lines any more.
    deaf: AtomicBool,
}

impl Report {
    pub fn new(json: bool, quiet: bool) -> Report {
        Report { json, quiet, deaf: AtomicBool::new(false) }
    }

    /// For people.
    pub fn say(&self, text: impl Display) {
        if !self.quiet {
            // Without a terminal there is nobody to tell.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }

    /// For programs.
    pub fn line(&self, v: &Value) {
        if self.json && !self.deaf.load(Ordering::Relaxed) {
            let mut out = io::stdout().lock();
            if writeln!(out, "{v}").and_then(|()| out.flush()).is_err() {
                self.deaf.store(true, Ordering::Relaxed);
            }
        }
    }

    /// An event, both ways.
    pub fn event(&self, kind: &EventKind) {
        if let Some(v) = describe(kind) {
            self.line(&v);
        }
        if let Some(text) = words(kind) {
            self.say(text);
        }
    }
}

/// An error as JSON.
pub fn error_value(e: &Error) -> Value {
    json!({"code": e.code.name(), "stage": format!("{:?}", e.stage), "condition": e.condition, "text": e.text})
}

fn track(event: &str, t: &Track) -> Value {
    let shows = format!("{:?}", t.video_type).to_lowercase();
    json!({"event": event, "id": t.endpoint_id, "source": t.source_name, "media": t.media.as_str(), "shows": shows,
        "muted": t.muted, "local": t.local})
}

fn path(p: MediaPath) -> &'static str {
    if p == MediaPath::PeerToPeer { "p2p" } else { "bridge" }
}

fn describe(kind: &EventKind) -> Option<Value> {
    Some(match kind {
        EventKind::State(s) => json!({"event": "state", "state": format!("{s:?}").to_lowercase()}),
        EventKind::Joined(j) => {
            json!({"event": "joined", "id": j.endpoint_id, "role": format!("{:?}", j.role).to_lowercase()})
        }
        EventKind::ParticipantJoined(p) => {
            json!({"event": "participant-joined", "id": p.endpoint_id, "name": p.display_name})
        }
        EventKind::ParticipantUpdated(p, _) => {
            let role = format!("{:?}", p.role).to_lowercase();
            json!({"event": "participant", "id": p.endpoint_id, "name": p.display_name, "role": role})
        }
        EventKind::ParticipantLeft(l) => {
            json!({"event": "participant-left", "id": l.participant.endpoint_id, "reason": l.reason, "kicked": l.kicked})
        }
        EventKind::Role(r) => json!({"event": "role", "role": format!("{r:?}").to_lowercase()}),
        EventKind::Message(m) => {
            json!({"event": "message", "from": m.endpoint_id, "name": m.display_name, "text": m.text,
            "private": m.private, "delayed": m.delayed, "sent_ms": m.sent_ms})
        }
        EventKind::Subject(s) => json!({"event": "subject", "text": s}),
        EventKind::TrackAdded(t) => track("track-added", t),
        EventKind::TrackUpdated(t) => track("track", t),
        EventKind::TrackRemoved(t) => track("track-removed", t),
        EventKind::Focus(present) => json!({"event": "focus", "present": present}),
        EventKind::BridgeAvailable(yes) => json!({"event": "bridge", "available": yes}),
        EventKind::BridgeChannel(c) => json!({"event": "bridge-channel", "state": format!("{c:?}").to_lowercase()}),
        EventKind::Media(p, state) => {
            let (name, id, why) = match state {
                MediaState::Connecting { endpoint_id } => ("connecting", endpoint_id, None),
                MediaState::Connected { endpoint_id } => ("connected", endpoint_id, None),
                MediaState::Recovering { endpoint_id } => ("recovering", endpoint_id, None),
                MediaState::Ended(end) => ("ended", &end.endpoint_id, Some(&end.reason)),
            };
            json!({"event": "media", "path": path(*p), "state": name, "id": id, "reason": why})
        }
        EventKind::Speaker(s) => json!({"event": "speaker", "id": s.endpoint_id, "silence": s.silence}),
        EventKind::EndpointMessage(m) => {
            json!({"event": "endpoint-message", "from": m.endpoint_id, "private": m.private, "payload": m.payload})
        }
        EventKind::Timeline(stage, at) => json!({"event": "timeline", "stage": format!("{stage:?}"), "us": at}),
        EventKind::Overrun { dropped } => json!({"event": "overrun", "dropped": dropped}),
        EventKind::Closed(e) => json!({"event": "closed", "error": e.as_deref().map(error_value)}),
        _ => return None,
    })
}

/// A name that was chosen by somebody else, fit for a terminal.
pub fn safe(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn who(name: &str, id: &str) -> String {
    if name.is_empty() { safe(id) } else { format!("{} ({})", safe(name), safe(id)) }
}

fn words(kind: &EventKind) -> Option<String> {
    Some(match kind {
        EventKind::Joined(j) => format!("joined as {} ({:?})", j.endpoint_id, j.role),
        EventKind::ParticipantJoined(p) => format!("{} is here", who(&p.display_name, &p.endpoint_id)),
        EventKind::ParticipantLeft(l) => {
            let p = &l.participant;
            format!("{} {}", who(&p.display_name, &p.endpoint_id), if l.kicked { "was removed" } else { "left" })
        }
        EventKind::Message(m) if m.delayed => return None,
        EventKind::Message(m) => {
            let how = if m.private { " (to you)" } else { "" };
            format!("{}{how}: {}", who(&m.display_name, &m.endpoint_id), safe(&m.text))
        }
        EventKind::TrackAdded(t) if !t.local => {
            let muted = if t.muted { ", muted" } else { "" };
            format!("{} has {} {}{muted}", safe(&t.endpoint_id), t.media.as_str(), safe(&t.source_name))
        }
        EventKind::Focus(false) => "the focus is gone".into(),
        EventKind::BridgeAvailable(false) => "there is no bridge".into(),
        EventKind::BridgeChannel(BridgeChannel::Failed) => "the channel to the bridge failed".into(),
        EventKind::Media(p, MediaState::Connected { .. }) => format!("media flows ({})", path(*p)),
        EventKind::Media(p, MediaState::Recovering { .. }) => format!("the way of media is lost ({})", path(*p)),
        EventKind::Media(p, MediaState::Ended(end)) => {
            format!("media ended ({}): {}", path(*p), safe(&end.reason))
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::event::Message;

    #[test]
    fn others_cannot_write_to_the_terminal() {
        let m = Message {
            participant: None,
            endpoint_id: "1".into(),
            display_name: "Eve\x1b[2J".into(),
            text: "a\nb\u{9b}c".into(),
            id: String::new(),
            private: true,
            delayed: false,
            sent_ms: 0,
        };
        let said = words(&EventKind::Message(Box::new(m))).unwrap();
        assert_eq!(said, "Eve [2J (1) (to you): a b c");
    }

    #[test]
    fn an_end_with_an_error_says_which() {
        let e = Error::new(crate::Code::Kicked, crate::Stage::Joined, "out");
        let v = describe(&EventKind::Closed(Some(e.into()))).unwrap();
        assert_eq!((v["event"].as_str(), v["error"]["code"].as_str()), (Some("closed"), Some("ERR_KICKED")));
    }
}
