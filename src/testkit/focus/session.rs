//! A participant's bridge session, the focus's side: invitation, requests of the client and their answers, restarts, ends
//! (docs/protocol/02 §3.5, §5, §6, §8–§12).

use super::colibri::{BridgeTransport, RemoteTransport, Request};
use super::conference::{Conference, Cx, Discovery, Invite};
use super::offer::{self, BRIDGE_OWNER, Offer};
use super::signal::open_jingle;
use super::sources::{EndpointSources, Unreadable};
use crate::testkit::stanza;
use crate::wire::jingle::{Jingle, Setup, Transport};
use crate::wire::{Element, Jid, XmlWriter, ns};

const OPENTELEMETRY: &str = "jitsi:opentelemetry";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Invited.
    Pending,
    Active,
    /// Held for ended, while nobody was told: requests are answered `gone`.
    Ended,
}

pub(super) struct Session {
    pub sid: String,
    pub state: State,
    /// Id of the request that carried the invitation, while it is not answered; whether it was a transport-replace.
    invitation: Option<(String, bool)>,
}

/// An error answer: type, condition, text.
type Refused = (&'static str, &'static str, String);

fn bad_request(text: impl Into<String>) -> Refused {
    ("modify", "bad-request", text.into())
}

impl Conference {
    /// Sends an invitation: session-initiate, or transport-replace in the session `over`.
    pub(super) fn invite(
        &mut self,
        nick: &str,
        transport: &BridgeTransport,
        own_ssrcs: (u32, u32),
        over: Option<Session>,
        cx: &mut Cx<'_>,
    ) {
        let Some(m) = self.members.get(nick) else { return };
        let shape = cx.shape(nick, m);
        let muted = self.starts_muted(m, cx);
        let mut sources = Vec::new();
        if !shape.rewriting {
            for (owner, s) in self.sources.iter().filter(|(o, _)| *o != nick) {
                sources.push((owner, if cx.options.strip_simulcast { s.stripped() } else { s.clone() }));
            }
        }
        sources.push((BRIDGE_OWNER, offer::bridge_sources(own_ssrcs)));
        let replaces = over.is_some();
        let sid = over.map_or_else(|| base32(cx.io.env.u64()), |s| s.sid);
        let action = if replaces { "transport-replace" } else { "session-initiate" };
        let id = cx.io.id(action);
        let mut w = cx.io.stanza("iq", &format!("{}/{nick}", self.room));
        w.attr("type", "set").attr("id", &id);
        w.open("jingle", ns::JINGLE).attr("action", action).attr("sid", &sid);
        w.attr("initiator", cx.io.jid.as_str());
        let as_xml = if shape.json { &[][..] } else { &sources[..] };
        Offer { shape, red: cx.options.red, mid: cx.options.mid || shape.mid_demux, transport, sources: as_xml }
            .write(&mut w);
        if muted != (false, false) {
            w.open("startmuted", "http://jitsi.org/jitmeet/start-muted");
            w.attr_of("audio", muted.0).attr_of("video", muted.1).close();
        }
        w.open("bridge-session", ns::FOCUS).attr_opt("id", self.bridge_session.as_deref());
        w.attr_opt("region", cx.options.region.as_deref()).close();
        if shape.json {
            w.leaf("json-message", ns::JITMEET, &offer::compact(&sources));
        }
        w.open("traceparent", OPENTELEMETRY).attr("trace_id", &"0".repeat(32));
        w.attr("parent_id", &"0".repeat(16)).attr("trace_flags", "00").close();
        cx.io.push(w.finish());
        if let Some(m) = self.members.get_mut(nick) {
            m.just_joined = false;
            m.pending.clear();
            m.invite = Invite::Session(Session { sid, state: State::Pending, invitation: Some((id, replaces)) });
        }
    }

    /// A request of ours was answered. A refused invitation costs the session; all else is as Jicofo takes it.
    pub(super) fn session_answered(&mut self, id: &str, failed: bool, nick: &str, cx: &mut Cx<'_>) {
        let Some(s) = self.members.get_mut(nick).and_then(|m| m.session_mut()) else { return };
        let Some((_, replaces)) = s.invitation.take_if(|(i, _)| i == id) else { return };
        if failed && s.state == State::Pending {
            if replaces {
                let sid = s.sid.clone();
                self.send_terminate(nick, &sid, "general-error", "jingle session failed", cx);
            }
            self.drop_session(nick, cx);
            self.expire(nick, cx);
        }
    }

    /// A Jingle request of a participant.
    pub(super) fn jingle(&mut self, iq: Element<'_>, e: Element<'_>, from: &Jid, cx: &mut Cx<'_>) {
        // Building the error for these two throws in Jicofo: nobody is answered (§3.5).
        let Some(action) = e.attr("action").filter(|a| KNOWN.contains(a)) else { return };
        let Some(nick) = from.resource() else { return };
        let Some(jingle) = Jingle::read(e) else { return };
        let session = self.members.get(nick).and_then(|m| m.session()).filter(|s| s.sid == jingle.sid);
        let refused = match session.map(|s| s.state) {
            None => Some(bad_request("")),
            Some(State::Ended) => Some(("cancel", "gone", "session ended".into())),
            Some(_) => match action {
                "session-accept" | "transport-accept" => return self.accept(iq, e, &jingle, nick, cx),
                "source-add" | "addsource" | "source-remove" | "removesource" => {
                    return self.change_sources(iq, e, action.ends_with("add") || action == "addsource", nick, cx);
                }
                "transport-info" => self.transport_info(&jingle, nick, cx).err(),
                "session-info" => return self.session_info(iq, e, &jingle, nick, cx),
                "session-terminate" => return self.terminated(iq, e, &jingle, nick, cx),
                // A rejected transport is only noted.
                _ => None,
            },
        };
        self.reply(iq, e, refused, cx);
    }

    fn reply(&self, iq: Element<'_>, e: Element<'_>, refused: Option<Refused>, cx: &mut Cx<'_>) {
        let ns = cx.io.options.stanza_ns.clone();
        let answer = match refused {
            None => stanza::iq_result(iq, &ns).finish(),
            Some((kind, condition, text)) => error(iq, e, &ns, kind, condition, &text),
        };
        cx.io.push(answer);
    }

    fn accept(&mut self, iq: Element<'_>, e: Element<'_>, jingle: &Jingle<'_>, nick: &str, cx: &mut Cx<'_>) {
        let before = self.sources.of(nick);
        let read = match EndpointSources::read(e) {
            Err(Unreadable::Word) => return,
            Err(Unreadable::Invalid(text)) => Err(text),
            Ok(s) => self.sources.add(nick, s),
        };
        let state = if read.is_ok() { State::Active } else { State::Ended };
        if let Some(s) = self.members.get_mut(nick).and_then(|m| m.session_mut()) {
            s.state = state;
        }
        if let Err(text) = read {
            return self.reply(iq, e, Some(bad_request(text)), cx);
        }
        if let Some(t) = jingle.contents.iter().find_map(|c| c.transport.as_ref()) {
            let transport = remote(t);
            let initial_last_n = jingle.content("video").and_then(|c| c.initial_last_n);
            let (conference, endpoint) = (self.room.clone(), nick.to_owned());
            cx.io.ask(Request::Accept { conference, endpoint, transport, initial_last_n });
        }
        self.signal(nick, &before, cx);
        if cx.options.sources_before_result {
            self.flush(nick, cx);
        }
        self.reply(iq, e, None, cx);
        if self.members.get(nick).is_some_and(|m| !m.pending.is_empty()) {
            self.flush(nick, cx);
        }
    }

    fn change_sources(&mut self, iq: Element<'_>, e: Element<'_>, add: bool, nick: &str, cx: &mut Cx<'_>) {
        let before = self.sources.of(nick);
        let done = match EndpointSources::read(e) {
            Err(Unreadable::Word) => return,
            Err(Unreadable::Invalid(text)) => Err(text),
            Ok(s) if add => self.sources.add(nick, s),
            Ok(s) => self.sources.remove(nick, &s),
        };
        if done.is_ok() {
            self.signal(nick, &before, cx);
        }
        self.reply(iq, e, done.err().map(bad_request), cx);
    }

    fn transport_info(&mut self, jingle: &Jingle<'_>, nick: &str, cx: &mut Cx<'_>) -> Result<(), Refused> {
        let t = jingle.contents.iter().find_map(|c| c.transport.as_ref());
        let t = t.ok_or_else(|| bad_request("missing transport"))?;
        cx.io.ask(Request::Transport {
            conference: self.room.clone(),
            endpoint: nick.to_owned(),
            transport: remote(t),
            generation: t.ice_generation.and_then(|g| g.parse().ok()),
        });
        Ok(())
    }

    /// Whether the request names the bridge session that is current; an error if not.
    fn current_bridge(&self, jingle: &Jingle<'_>) -> Result<(), Refused> {
        let named = jingle.bridge_session.and_then(|b| b.id);
        if named.is_some() && named == self.bridge_session.as_deref() {
            return Ok(());
        }
        Err(("cancel", "item-not-found", format!("{} is not a currently active session", named.unwrap_or("null"))))
    }

    fn session_info(&mut self, iq: Element<'_>, e: Element<'_>, jingle: &Jingle<'_>, nick: &str, cx: &mut Cx<'_>) {
        if jingle.bridge_session.is_some_and(|b| b.ice_restart == Some(true)) {
            let refused = self.ice_restart(jingle, nick, cx).err();
            let taken = refused.is_none();
            self.reply(iq, e, refused, cx);
            if taken {
                cx.io.ask(Request::RestartIce { conference: self.room.clone(), endpoint: nick.to_owned() });
            }
            return;
        }
        // The re-invitation that a failed ICE state asks for fails, like that of a declined restart (§10.4).
        if jingle.ice_state.as_deref() == Some("failed") && self.current_bridge(jingle).is_ok() {
            self.end_moving(nick, cx);
        }
        self.reply(iq, e, None, cx);
    }

    fn ice_restart(&mut self, jingle: &Jingle<'_>, nick: &str, cx: &mut Cx<'_>) -> Result<(), Refused> {
        if !cx.options.ice_restart {
            return Err(("cancel", "feature-not-implemented", "in-place ICE restart is disabled".into()));
        }
        self.current_bridge(jingle)?;
        let taken = self.members.get_mut(nick).is_some_and(|m| m.ice_restarts.accept(cx.now));
        if taken { Ok(()) } else { Err(rate_limited()) }
    }

    /// The bridge has a new agent.
    pub(super) fn ice_restarted(&mut self, nick: &str, t: &BridgeTransport, generation: u32, cx: &mut Cx<'_>) {
        let Some(sid) = self.members.get(nick).and_then(|m| m.session()).map(|s| s.sid.clone()) else { return };
        let mut w = open_jingle(&format!("{}/{nick}", self.room), &sid, "transport-info", cx);
        w.open("content", ns::JINGLE).attr("creator", "initiator").attr("name", "audio");
        offer::write_transport(&mut w, t, Some(generation), false);
        cx.io.push(w.finish());
    }

    fn terminated(&mut self, iq: Element<'_>, e: Element<'_>, jingle: &Jingle<'_>, nick: &str, cx: &mut Cx<'_>) {
        if let Err(refused) = self.current_bridge(jingle) {
            // Refused, and yet ended for the focus, while the bridge keeps the media running (§3.5).
            if let Some(s) = self.members.get_mut(nick).and_then(|m| m.session_mut()) {
                s.state = State::Ended;
            }
            return self.reply(iq, e, Some(refused), cx);
        }
        let restart = jingle.bridge_session.is_some_and(|b| b.restart == Some(true));
        let again = self.members.get_mut(nick).is_some_and(|m| restart && m.terminates.accept(cx.now));
        self.reply(iq, e, (restart && !again).then(rate_limited), cx);
        self.drop_session(nick, cx);
        if again {
            self.allocate(nick, None, cx);
        } else {
            self.expire(nick, cx);
        }
    }

    /// Forgets a session; its sources go, and it gets none before it joins again.
    fn drop_session(&mut self, nick: &str, cx: &mut Cx<'_>) {
        if let Some(m) = self.members.get_mut(nick) {
            m.invite = Invite::Abandoned;
            m.pending.clear();
        }
        let before = self.sources.clear(nick);
        self.signal(nick, &before, cx);
    }

    /// Ends a session by `moving`, after which nothing comes.
    pub(super) fn end_moving(&mut self, nick: &str, cx: &mut Cx<'_>) {
        self.end_session(nick, "success", "moving", cx);
    }

    /// Ends a session; nothing comes after it.
    pub(super) fn end_session(&mut self, nick: &str, reason: &str, text: &str, cx: &mut Cx<'_>) {
        let Some(sid) = self.members.get(nick).and_then(|m| m.session()).map(|s| s.sid.clone()) else { return };
        self.drop_session(nick, cx);
        self.send_terminate(nick, &sid, reason, text, cx);
    }

    pub(super) fn send_terminate(&self, nick: &str, sid: &str, reason: &str, text: &str, cx: &mut Cx<'_>) {
        let mut w = open_jingle(&format!("{}/{nick}", self.room), sid, "session-terminate", cx);
        w.open_same("reason").open_same(reason).close().leaf("text", ns::JINGLE, text);
        cx.io.push(w.finish());
    }

    /// Tells the bridge what an endpoint sends.
    pub(super) fn tell_bridge(&self, nick: &str, cx: &mut Cx<'_>) {
        let there = self.members.get(nick).is_some_and(|m| matches!(m.discovery, Discovery::Known(_)));
        if there {
            let (conference, endpoint) = (self.room.clone(), nick.to_owned());
            cx.io.ask(Request::Sources { conference, endpoint, sources: self.sources.of(nick) });
        }
    }
}

/// The actions that Jicofo knows, old spellings among them.
const KNOWN: [&str; 10] = [
    "session-accept",
    "session-info",
    "session-terminate",
    "transport-info",
    "transport-accept",
    "transport-reject",
    "source-add",
    "source-remove",
    "addsource",
    "removesource",
];

fn rate_limited() -> Refused {
    ("wait", "resource-constraint", "rate-limited".into())
}

/// An error as Jicofo writes it: the error first, then the request's own element without `bridge-session` (§3.5).
fn error(iq: Element<'_>, e: Element<'_>, stanza_ns: &str, kind: &str, condition: &str, text: &str) -> String {
    let mut w = XmlWriter::new();
    w.open("iq", stanza_ns).attr("type", "error").attr_opt("from", iq.attr("to")).attr_opt("to", iq.attr("from"));
    w.attr_opt("id", iq.attr("id")).open_same("error").attr("type", kind);
    w.open(condition, ns::STANZA_ERRORS);
    // `gone` carries its text itself.
    if condition == "gone" {
        w.text(text).close();
    } else {
        w.close();
        if !text.is_empty() {
            w.leaf("text", ns::STANZA_ERRORS, text);
        }
    }
    w.close();
    w.open("jingle", ns::JINGLE);
    for (name, value) in e.attrs().filter(|(n, _)| *n != "xmlns") {
        w.attr(name, value);
    }
    for c in e.children().filter(|c| matches!(c.name(), "content" | "reason")) {
        c.write_to(&mut w);
    }
    w.finish()
}

fn remote(t: &Transport<'_>) -> RemoteTransport {
    RemoteTransport {
        ufrag: t.ufrag.unwrap_or_default().to_owned(),
        pwd: t.pwd.unwrap_or_default().to_owned(),
        fingerprint: t.fingerprints.first().map(|f| (f.hash.to_owned(), f.value.to_string())),
        active: t.fingerprints.first().is_none_or(|f| f.setup != Some(Setup::Passive)),
        candidates: t.candidates.iter().filter_map(|c| c.address()).collect(),
    }
}

/// 64 random bits as Jicofo prints them: at most 13 digits to the base 32.
fn base32(mut n: u64) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut out = Vec::new();
    while n > 0 || out.is_empty() {
        out.push(char::from(DIGITS[(n % 32) as usize]));
        n /= 32;
    }
    out.iter().rev().collect()
}
