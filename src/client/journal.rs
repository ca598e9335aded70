//! What the log tells of one client: the course of its connections and its meeting (design §6). Above [`Level::Debug`] nothing names people,
//! rooms, addresses or hosts. What people say, tokens, passwords and keys are on no level: of a stanza its outline is told, not the text.

use crate::error::{Error, Stage};
use crate::log::{self, Level};
use crate::meeting::event::{Event, EventKind, MediaState};
use crate::meeting::io::ConnectionKey;
use crate::meeting::stats::IgnoredStats;
use std::fmt;

/// Attributes that say what a stanza is, and whose.
const TOLD: [&str; 6] = ["type", "from", "to", "action", "mechanism", "node"];
const STANZAS: [&str; 3] = ["iq", "message", "presence"];
/// Longest attribute that is told, bytes.
const MAX_TOLD: usize = 128;

/// The log of one client, by its number.
pub(super) struct Journal(pub u64);

impl Journal {
    /// One body for all texts: their arguments are made in any case, which costs nothing.
    fn say(&self, level: Level, text: fmt::Arguments<'_>) {
        log::write(level, "client", || format!("client {:x}: {text}", self.0));
    }

    /// A connection is to be made.
    pub fn connect(&self, key: ConnectionKey, what: &str, host: &str) {
        self.say(Level::Debug, format_args!("connection {} to {host}, {what}", key.0));
    }

    /// A step of making a connection begins.
    pub fn at(&self, key: ConnectionKey, stage: Stage) {
        self.say(Level::Debug, format_args!("connection {}: {stage:?}", key.0));
    }

    /// A connection is there.
    pub fn opened(&self, key: ConnectionKey) {
        self.say(Level::Info, format_args!("connection {} is open", key.0));
    }

    /// A connection could not be made, or is gone.
    pub fn lost(&self, key: ConnectionKey, e: &Error) {
        self.say(Level::Info, format_args!("connection {} is lost: {}", key.0, Brief(e)));
        self.say(Level::Debug, format_args!("connection {} is lost: {} {}", key.0, e.condition, e.text));
    }

    /// A text came over a connection.
    pub fn came(&self, key: ConnectionKey, text: &str) {
        if log::enabled(Level::Trace) {
            self.say(Level::Trace, format_args!("connection {} < {}", key.0, outline(text)));
        }
    }

    /// A text goes out over a connection.
    pub fn goes(&self, key: ConnectionKey, text: &str) {
        if log::enabled(Level::Trace) {
            self.say(Level::Trace, format_args!("connection {} > {}", key.0, outline(text)));
        }
    }

    /// What was passed over has become more.
    pub fn ignored(&self, all: &IgnoredStats) {
        self.say(Level::Debug, format_args!("passed over so far: {all:?}"));
    }

    /// What the program is told.
    pub fn event(&self, e: &Event) {
        use EventKind::*;
        let (info, debug, trace) = (Level::Info, Level::Debug, Level::Trace);
        match &e.kind {
            RequestDone(None) => self.say(info, format_args!("request {} is done", e.tag)),
            RequestDone(Some(why)) => self.failed(format_args!("request {} failed", e.tag), why),
            Closed(None) => self.say(info, format_args!("is closed: we left")),
            Closed(Some(why)) => self.failed(format_args!("is closed"), why),
            State(s) => self.say(info, format_args!("{s:?}")),
            Joined(j) => self.say(debug, format_args!("we are {}", j.endpoint_id)),
            Role(r) => self.say(info, format_args!("our role: {r:?}")),
            Focus(there) => self.say(info, format_args!("focus: {there}")),
            Media(path, state) => {
                self.say(info, format_args!("media, {path:?}: {}", word(state)));
                if let MediaState::Ended(end) = state {
                    self.say(debug, format_args!("media, {path:?}: {} {}", end.reason, end.text));
                }
            }
            BridgeOffered => self.say(info, format_args!("a bridge session is refused")),
            BridgeChannel(c) => self.say(info, format_args!("bridge channel: {c:?}")),
            BridgeAvailable(there) => self.say(info, format_args!("bridge: {there}")),
            StartMuted { audio, video } => self.say(info, format_args!("starts muted: audio {audio}, video {video}")),
            CodecWanted { codec, .. } => self.say(info, format_args!("wanted of us: {codec:?}")),
            Overrun { dropped } => {
                self.say(info, format_args!("{dropped} messages are dropped: the queue is not drained"))
            }
            Timeline(stage, at) => self.say(debug, format_args!("{stage:?} after {at} us")),
            ParticipantJoined(p) => self.say(debug, format_args!("{} joined", p.endpoint_id)),
            ParticipantUpdated(p, changed) => self.say(debug, format_args!("{} changed: {changed:#x}", p.endpoint_id)),
            ParticipantLeft(p) => self.say(debug, format_args!("{} left", p.participant.endpoint_id)),
            TrackAdded(t) => self.say(debug, format_args!("{} is there, muted: {}", t.source_name, t.muted)),
            TrackUpdated(t) => self.say(debug, format_args!("{} changed, muted: {}", t.source_name, t.muted)),
            TrackRemoved(t) => self.say(debug, format_args!("{} is gone", t.source_name)),
            Message(m) => self.say(debug, format_args!("{} bytes of chat from {}", m.text.len(), m.endpoint_id)),
            EndpointMessage(m) => self.say(debug, format_args!("{} bytes from {}", m.payload.len(), m.endpoint_id)),
            MutedBy(m) => self.say(debug, format_args!("muted by {}", m.endpoint_id)),
            SourcesRefused(r) => self.say(debug, format_args!("refused of us: {:?}", r.names)),
            RestartRefused { condition } => self.say(debug, format_args!("an ICE restart is refused: {condition}")),
            Connectivity(c) => self.say(debug, format_args!("the bridge hears {}: {}", c.endpoint_id, c.active)),
            KeyFrameWanted { encoding, .. } => {
                self.say(debug, format_args!("a key frame is wanted of encoding {encoding}"))
            }
            TargetBitrate { encoding, bits_per_second, height, .. } => {
                self.say(trace, format_args!("encoding {encoding}: {bits_per_second} bit/s, height {height}"));
            }
            Bandwidth { bits_per_second } => self.say(trace, format_args!("the path carries {bits_per_second} bit/s")),
            Downlink { bits_per_second } => {
                self.say(trace, format_args!("the downlink carries {bits_per_second} bit/s"))
            }
            Speaker(s) => self.say(trace, format_args!("{} speaks", s.endpoint_id)),
            // The room's subject is what people say; the rest is measured, and often.
            _ => {}
        }
    }

    fn failed(&self, what: fmt::Arguments<'_>, why: &Error) {
        self.say(Level::Info, format_args!("{what}: {}", Brief(why)));
        self.say(Level::Debug, format_args!("{what}: {} {}", why.condition, why.text));
    }
}

/// Without the texts, which may name people and rooms.
struct Brief<'a>(&'a Error);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {:?}", self.0.code.name(), self.0.stage)
    }
}

/// Without the endpoint and what it says.
fn word(state: &MediaState) -> &'static str {
    match state {
        MediaState::Connecting { .. } => "connecting",
        MediaState::Connected { .. } => "connected",
        MediaState::Recovering { .. } => "lost, another path is sought",
        MediaState::Ended(end) => end.code.name(),
    }
}

/// What a text is: of a stanza its tag and that of the first element in it, of a message of the bridge its class.
fn outline(text: &str) -> String {
    let mut out = String::new();
    // What is no stanza may hold anything between its brackets.
    let stanza = text.trim_start().starts_with('<');
    if !stanza {
        let class = text.split_once("\"colibriClass\":\"").and_then(|(_, rest)| rest.split('"').next());
        out.push_str(class.filter(|c| c.len() <= MAX_TOLD).unwrap_or("?"));
    }
    for tag in tags(text).take(if stanza { 2 } else { 0 }) {
        let mut parts = tag.splitn(2, |c: char| c.is_ascii_whitespace() || c == '/');
        let element = parts.next().filter(|e| e.len() <= MAX_TOLD).unwrap_or("?");
        out.push('<');
        out.push_str(element);
        for (name, value) in attributes(parts.next().unwrap_or_default()) {
            // The id of a stream, or of its management, is known to nobody else; every stanza has the same namespace.
            let told = match name {
                "id" => STANZAS.contains(&element),
                "xmlns" => value != "jabber:client",
                _ => TOLD.contains(&name),
            };
            if told && value.len() <= MAX_TOLD {
                out.push_str(&format!(" {name}={value}"));
            }
        }
        out.push('>');
    }
    out.push_str(&format!(", {} bytes", text.len()));
    out
}

/// What stands in the tags that open an element.
fn tags(text: &str) -> impl Iterator<Item = &str> {
    text.split('<').skip(1).filter(|t| t.starts_with(|c: char| c.is_ascii_alphabetic())).map(|t| {
        let mut quote = None;
        let end = t.find(|c| match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                false
            }
            (Some(q), _) if q == c => {
                quote = None;
                false
            }
            (None, '>') => true,
            _ => false,
        });
        &t[..end.unwrap_or(t.len())]
    })
}

/// Names and values of a tag's attributes.
fn attributes(mut tag: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (name, rest) = tag.split_once('=')?;
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let (value, after) = rest[1..].split_once(quote)?;
        tag = after;
        Some((name.trim(), value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outline_says_what_a_stanza_is_and_nothing_of_what_it_says() {
        for (text, told) in [
            (
                "<iq type='set' id='a1' to='r@c.x/focus'><jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='s'><content/></jingle></iq>",
                "<iq type=set id=a1 to=r@c.x/focus><jingle xmlns=urn:xmpp:jingle:1 action=session-accept>, 130 bytes",
            ),
            (
                "<auth mechanism=\"PLAIN\" xmlns='urn:sasl'>c2VjcmV0</auth>",
                "<auth mechanism=PLAIN xmlns=urn:sasl>, 56 bytes",
            ),
            ("<message type='groupchat'><body>a secret</body></message>", "<message type=groupchat><body>, 57 bytes"),
            ("<enabled xmlns='urn:xmpp:sm:3' id='secret'/>", "<enabled xmlns=urn:xmpp:sm:3>, 44 bytes"),
            ("<a b='>' type='t'/>", "<a type=t>, 19 bytes"),
            ("{\"colibriClass\":\"SelectedUpdateEvent\",\"x\":\"secret\"}", "SelectedUpdateEvent, 51 bytes"),
            ("{}", "?, 2 bytes"),
            ("{\"colibriClass\":\"EndpointMessage\",\"msgPayload\":\"<hunter2 id='x'>\"}", "EndpointMessage, 66 bytes"),
            ("hunter2 <b>", "?, 11 bytes"),
            ("<enabled\tid='secret'\n xmlns='urn:xmpp:sm:3'/>", "<enabled xmlns=urn:xmpp:sm:3>, 45 bytes"),
            ("<a type='", "<a>, 9 bytes"),
            ("<", ", 1 bytes"),
        ] {
            assert_eq!(outline(text), told);
        }
        let long = format!("<a id='{}'/>", "x".repeat(MAX_TOLD + 1));
        assert!(outline(&long).starts_with("<a>"));
        // Any bytes: it is told before it is understood.
        let mut env = crate::Env::seeded(8);
        for _ in 0..20_000 {
            let text: String = (0..env.below(24))
                .map(|_| ['<', '>', '\'', '"', '=', ' ', 'a', '/', 'ü', '\t'][env.below(10) as usize])
                .collect();
            outline(&text);
        }
    }
}
