//! One client's stream, server side: opening, features, authentication, binding (RFC 7395, RFC 6120) and stream management
//! (XEP-0198), as Prosody shows them (capture 41). Resumption is refused: what was cut is gone.

use super::sasl::{self, Exchange, User};
use crate::env::Env;
use crate::testkit::faults::{Faults, Step};
use crate::testkit::stanza;
use crate::wire::{Document, Element, Jid, XmlLimits, XmlWriter, ns};
use std::collections::VecDeque;

/// Stanzas sent before the client is asked for an acknowledgement (Prosody's default).
const ACK_EVERY: u32 = 5;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No `<open/>` yet.
    Closed,
    /// Features with mechanisms were sent.
    Authenticating,
    /// Authenticated; the stream must be opened anew.
    Restarting,
    /// Features with binding were sent.
    Binding,
    Bound,
    Ended,
}

struct Management {
    received: u32,
    sent: u32,
    acknowledged: u32,
    asked: bool,
}

/// What a frame of a client meant for the server.
pub(super) enum Got {
    Nothing,
    /// A stanza of a bound client.
    Stanza,
    /// The client bound: it has an address now.
    Bound,
    /// The stream is over; close the socket once all is sent. `true` when the client wished it.
    Ended(bool),
}

/// One stream.
pub(super) struct Session {
    stage: Stage,
    domain: String,
    user: String,
    exchange: Option<Exchange>,
    management: Option<Management>,
    pub jid: Option<Jid>,
    /// Neither reads nor writes: a network that swallows everything.
    pub silent: bool,
    pub out: VecDeque<String>,
}

/// What the session needs of the server.
pub(super) struct Host<'a> {
    pub domain: &'a str,
    pub users: &'a [User],
    pub stream_management: bool,
    pub faults: &'a Faults,
    pub env: &'a mut Env,
}

impl Session {
    pub fn new() -> Session {
        Session {
            stage: Stage::Closed,
            domain: String::new(),
            user: String::new(),
            exchange: None,
            management: None,
            jid: None,
            silent: false,
            out: VecDeque::new(),
        }
    }

    /// A frame arrived. Of a stanza the document is returned too.
    pub fn receive(&mut self, text: &str, host: Host<'_>) -> (Got, Option<Document>) {
        if self.silent || self.stage == Stage::Ended {
            return (Got::Nothing, None);
        }
        let Ok(d) = Document::parse_with(text, ns::CLIENT, &XmlLimits::default()) else {
            return (self.fail("not-well-formed"), None);
        };
        let got = self.element(d.root(), host);
        let stanza = matches!(got, Got::Stanza);
        (got, stanza.then_some(d))
    }

    fn element(&mut self, e: Element<'_>, host: Host<'_>) -> Got {
        match (e.ns(), e.name()) {
            (ns::FRAMING, "open") => self.open(e, host),
            (ns::FRAMING, "close") => {
                self.out.push_back(frame("close", |_| {}));
                self.stage = Stage::Ended;
                Got::Ended(true)
            }
            (ns::SASL, name) if self.stage == Stage::Authenticating => self.authenticate(e, name, host),
            (ns::SM, name) if self.stage == Stage::Bound || self.stage == Stage::Binding => self.manage(e, name, host),
            (ns::CLIENT, "iq" | "message" | "presence") => match self.stage {
                Stage::Bound => {
                    if let Some(m) = &mut self.management {
                        m.received = m.received.wrapping_add(1);
                    }
                    Got::Stanza
                }
                Stage::Binding if e.child("bind", ns::BIND).is_some() => self.bind(e, host),
                _ => self.fail("not-authorized"),
            },
            _ => self.fail("unsupported-stanza-type"),
        }
    }

    fn open(&mut self, e: Element<'_>, host: Host<'_>) -> Got {
        if host.faults.silent(Step::Open) {
            return Got::Nothing;
        }
        let to = e.attr("to").unwrap_or_default().to_owned();
        let id = host.env.hex(16);
        let from = if to == host.domain { &to } else { host.domain };
        self.out.push_back(frame("open", |w| {
            w.attr("from", from).attr("id", &id).attr("version", "1.0").attr("xml:lang", "en");
        }));
        if let Some(condition) = &host.faults.stream_error {
            return self.fail(condition);
        }
        if e.attr("version") != Some("1.0") {
            return self.fail("unsupported-version");
        }
        if to != host.domain {
            return self.fail("host-unknown");
        }
        self.domain = to;
        let mut w = XmlWriter::new();
        // The prefix is what clients test for.
        w.open("stream:features", ns::CLIENT).attr("xmlns:stream", ns::STREAMS);
        match self.stage {
            Stage::Closed => {
                self.stage = Stage::Authenticating;
                w.open("mechanisms", ns::SASL);
                for m in sasl::mechanisms(host.users) {
                    w.leaf("mechanism", ns::SASL, m);
                }
            }
            Stage::Restarting => {
                self.stage = Stage::Binding;
                w.open("bind", ns::BIND).open_same("required").close().close();
                w.open("session", ns::SESSION).open_same("optional").close().close();
                if host.stream_management {
                    w.open("sm", ns::SM).open_same("optional").close().close();
                }
            }
            _ => return self.fail("policy-violation"),
        }
        self.out.push_back(w.finish());
        Got::Nothing
    }

    fn authenticate(&mut self, e: Element<'_>, name: &str, host: Host<'_>) -> Got {
        if host.faults.silent(Step::Auth) {
            return Got::Nothing;
        }
        if let Some((condition, text)) = &host.faults.refuse_login {
            return self.refuse(condition, text.as_deref());
        }
        let text = e.text();
        let step = match (name, self.exchange.take()) {
            ("auth", _) => {
                let (step, exchange) =
                    sasl::begin(host.users, e.attr("mechanism").unwrap_or_default(), &text, host.env);
                self.exchange = exchange;
                step
            }
            ("response", Some(exchange)) => exchange.finish(&text),
            ("abort", _) => return self.refuse("aborted", None),
            _ => return self.refuse("malformed-request", None),
        };
        match step {
            sasl::Step::Challenge(data) => {
                let mut w = XmlWriter::new();
                w.leaf("challenge", ns::SASL, &data);
                self.out.push_back(w.finish());
            }
            sasl::Step::Success { user, data } => {
                self.user = user;
                self.stage = Stage::Restarting;
                let mut w = XmlWriter::new();
                w.leaf("success", ns::SASL, data.as_deref().unwrap_or_default());
                self.out.push_back(w.finish());
            }
            sasl::Step::Failure { condition, text } => return self.refuse(condition, text),
        }
        Got::Nothing
    }

    fn refuse(&mut self, condition: &str, text: Option<&str>) -> Got {
        let mut w = XmlWriter::new();
        w.open("failure", ns::SASL).open_same(condition).close();
        if let Some(t) = text {
            w.leaf("text", ns::SASL, t);
        }
        self.out.push_back(w.finish());
        Got::Nothing
    }

    fn bind(&mut self, iq: Element<'_>, host: Host<'_>) -> Got {
        if host.faults.silent(Step::Bind) {
            return Got::Nothing;
        }
        if let Some(condition) = &host.faults.refuse_bind {
            self.out.push_back(stanza::error(iq, ns::CLIENT, stanza::error_type(condition), condition, None));
            return Got::Nothing;
        }
        // Its own choice of resource, as servers without a reason to follow the client's wish make it.
        let resource = host.env.alphanumeric(12);
        let Ok(jid) = Jid::parse(&format!("{}@{}/{resource}", self.user, self.domain)) else {
            return self.fail("internal-server-error");
        };
        let mut w = stanza::iq_result(iq, ns::CLIENT);
        w.open("bind", ns::BIND).leaf("jid", ns::BIND, jid.as_str());
        self.out.push_back(w.finish());
        self.jid = Some(jid);
        self.stage = Stage::Bound;
        Got::Bound
    }

    fn manage(&mut self, e: Element<'_>, name: &str, host: Host<'_>) -> Got {
        match (name, &mut self.management) {
            ("enable", None) if host.stream_management && self.stage == Stage::Bound => {
                if host.faults.silent(Step::Enable) {
                    return Got::Nothing;
                }
                let mut w = XmlWriter::new();
                if host.faults.refuse_enable {
                    w.open("failed", ns::SM).open("internal-server-error", ns::STANZA_ERRORS);
                } else {
                    w.open("enabled", ns::SM);
                    self.management = Some(Management { received: 0, sent: 0, acknowledged: 0, asked: false });
                }
                self.out.push_back(w.finish());
            }
            ("r", Some(m)) => {
                let received = m.received;
                let mut w = XmlWriter::new();
                w.open("a", ns::SM).attr_of("h", received);
                self.out.push_back(w.finish());
            }
            ("a", Some(m)) => {
                let h: Option<u32> = e.attr("h").and_then(|h| h.parse().ok());
                match h {
                    Some(h) if h.wrapping_sub(m.acknowledged) <= m.sent.wrapping_sub(m.acknowledged) => {
                        m.acknowledged = h;
                        m.asked = false;
                    }
                    // XEP-0198 §4: the client claims more than it was sent.
                    _ => return self.fail("undefined-condition"),
                }
            }
            ("enable" | "resume", _) => {
                let condition = if name == "resume" { "item-not-found" } else { "unexpected-request" };
                let mut w = XmlWriter::new();
                w.open("failed", ns::SM).open(condition, ns::STANZA_ERRORS);
                self.out.push_back(w.finish());
            }
            _ => {}
        }
        Got::Nothing
    }

    /// Sends a stanza, counted.
    pub fn send(&mut self, text: String) {
        if self.silent || self.stage == Stage::Ended {
            return;
        }
        self.out.push_back(text);
        let Some(m) = &mut self.management else { return };
        m.sent = m.sent.wrapping_add(1);
        if !m.asked && m.sent.wrapping_sub(m.acknowledged) >= ACK_EVERY {
            m.asked = true;
            let mut w = XmlWriter::new();
            w.open("r", ns::SM);
            self.out.push_back(w.finish());
        }
    }

    /// Ends the stream with a stream error and the closing frame.
    pub fn fail(&mut self, condition: &str) -> Got {
        if self.stage != Stage::Ended {
            let mut w = XmlWriter::new();
            w.open("stream:error", ns::CLIENT).attr("xmlns:stream", ns::STREAMS);
            w.open(condition, ns::STREAM_ERRORS);
            self.out.push_back(w.finish());
            self.out.push_back(frame("close", |_| {}));
            self.stage = Stage::Ended;
        }
        Got::Ended(false)
    }
}

fn frame(name: &str, more: impl FnOnce(&mut XmlWriter)) -> String {
    let mut w = XmlWriter::new();
    w.open(name, ns::FRAMING);
    more(&mut w);
    w.finish()
}
