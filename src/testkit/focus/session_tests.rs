//! Bridge sessions against scripted participants, whose stanzas are those of recorded clients (captures 30, 51–58, 61, 62, 65).

use super::colibri::{Colibri, Request};
use super::*;
use crate::wire::Document;
use crate::wire::jingle::{Action, Jingle};

const ROOM: &str = "r@conference.meet.localhost";
const ALL: &[&str] = &[
    "urn:xmpp:jingle:apps:rtp:audio",
    "urn:xmpp:jingle:apps:rtp:video",
    "urn:xmpp:jingle:transports:dtls-sctp:1",
    "urn:ietf:rfc:4588",
    "http://jitsi.org/tcc",
    JSON,
    "http://jitsi.org/opus-red",
];
const JSON: &str = "http://jitsi.org/json-encoded-sources";
const REWRITING: &str = "http://jitsi.org/ssrc-rewriting-1";

struct Rig {
    focus: Focus,
    bridge: Option<DryBridge>,
    now: Time,
    features: BTreeMap<String, Vec<String>>,
    /// All that went out, disco aside.
    sent: Vec<String>,
    next: u32,
}

impl Rig {
    fn new(change: impl FnOnce(&mut SessionOptions)) -> Rig {
        let mut sessions = SessionOptions::default();
        change(&mut sessions);
        let options = FocusOptions { sessions: Some(sessions), ..FocusOptions::new("focus.meet.localhost") };
        let mut r = Rig {
            focus: Focus::new(options, Env::seeded(7)).unwrap(),
            bridge: Some(DryBridge::new(Env::seeded(8))),
            now: Time::new(1_000_000, 0),
            features: BTreeMap::new(),
            sent: Vec::new(),
            next: 0,
        };
        r.focus.bridge_up(r.now);
        r.ready();
        r
    }

    fn ready(&mut self) {
        self.stanza(&format!(
            "<iq type='set' from='x@meet.localhost/1' to='focus.meet.localhost' id='1'>\
             <conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}'/></iq>"
        ));
        self.stanza(&format!("<presence from='{ROOM}/focus'/>"));
        let form = self.sent.iter().rev().find(|s| s.contains("roomconfig")).unwrap().clone();
        let id = Document::parse(&form).unwrap().root().attr("id").unwrap().to_owned();
        self.stanza(&format!("<iq type='result' from='{ROOM}' id='{id}'/>"));
        self.sent.clear();
    }

    fn stanza(&mut self, text: &str) {
        self.focus.handle_text(text, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            while let Some(r) = self.focus.poll_colibri() {
                if let Some(a) = self.bridge.as_mut().and_then(|b| b.request(r, self.now)) {
                    self.focus.handle_answer(a, self.now);
                }
            }
            let Some(out) = self.focus.poll_output() else { return };
            let d = Document::parse(&out).unwrap();
            if d.root().attr("type") == Some("get") && d.root().child("query", ns::DISCO_INFO).is_some() {
                let to = d.root().attr("to").unwrap().to_owned();
                let Some(features) = self.features.get(to.split('/').nth(1).unwrap()) else { continue };
                let all: String = features.iter().map(|f| format!("<feature var='{f}'/>")).collect();
                let answer = format!(
                    "<iq type='result' from='{to}' id='{}'><query xmlns='http://jabber.org/protocol/disco#info'>{all}</query></iq>",
                    d.root().attr("id").unwrap()
                );
                self.focus.handle_text(&answer, self.now);
            } else {
                self.sent.push(out);
            }
        }
    }

    fn join_with(&mut self, nick: &str, features: impl IntoIterator<Item = &'static str>) {
        self.features.insert(nick.into(), features.into_iter().map(str::to_owned).collect());
        self.presence(nick, "");
    }

    fn join(&mut self, nick: &str) {
        self.join_with(nick, ALL.iter().copied());
    }

    fn presence(&mut self, nick: &str, more: &str) {
        self.stanza(&format!(
            "<presence from='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <item role='moderator' jid='{nick}@meet.localhost/1'/></x>{more}</presence>"
        ));
    }

    fn leave(&mut self, nick: &str) {
        self.stanza(&format!("<presence from='{ROOM}/{nick}' type='unavailable'/>"));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(t) = self.focus.next_deadline().filter(|t| *t <= end) {
            self.now = t;
            self.focus.handle_timeout(t);
            self.drain();
        }
        self.now = end;
    }

    fn sid(&self, nick: &str) -> String {
        self.focus.session_of(ROOM, nick).unwrap().0.to_owned()
    }

    fn bridge_id(&self) -> String {
        self.focus.rooms[ROOM].bridge_session.clone().unwrap()
    }

    /// Sends a Jingle request and gives the answer to it.
    fn jingle(&mut self, nick: &str, action: &str, sid: &str, inner: &str) -> Option<String> {
        self.next += 1;
        let id = format!("t{}", self.next);
        self.stanza(&format!(
            "<iq type='set' from='{ROOM}/{nick}' to='focus@focus.meet.localhost/focus' id='{id}'>\
             <jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}' initiator='{ROOM}/focus'>{inner}</jingle></iq>"
        ));
        self.sent.iter().find(|s| s.contains(&format!("id='{id}'"))).cloned()
    }

    fn ok(&mut self, nick: &str, action: &str, inner: &str) {
        let sid = self.sid(nick);
        let answer = self.jingle(nick, action, &sid, inner).expect("an answer");
        assert!(answer.contains("type='result'"), "{answer}");
    }

    fn accept(&mut self, nick: &str, first: u32) {
        let inner = accept(nick, first);
        self.ok(nick, "session-accept", &inner);
    }

    fn both(&mut self) {
        self.join("aaaa0000");
        self.join("bbbb0000");
        self.accept("aaaa0000", 100);
        self.accept("bbbb0000", 200);
        self.sent.clear();
    }

    fn to(&self, nick: &str) -> Vec<&str> {
        let to = format!("to='{ROOM}/{nick}'");
        self.sent.iter().filter(|s| s.contains(&to)).map(String::as_str).collect()
    }

    fn last_presence(&self) -> &str {
        self.sent.iter().rfind(|s| s.starts_with("<presence")).unwrap()
    }

    fn requests(&self) -> &[Request] {
        &self.bridge.as_ref().unwrap().requests
    }
}

fn source(nick: &str, media: &str, ssrc: u32, track: u32) -> String {
    format!(
        "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{ssrc}' name='{nick}-{m}0'>\
         <parameter name='msid' value='{nick}-{media}-0-1 t{track}'/></source>",
        m = &media[..1]
    )
}

fn group(semantics: &str, ssrcs: &[u32]) -> String {
    let all: String = ssrcs.iter().map(|s| format!("<source ssrc='{s}'/>")).collect();
    format!("<ssrc-group xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' semantics='{semantics}'>{all}</ssrc-group>")
}

fn content(media: &str, inner: &str) -> String {
    format!(
        "<content name='{media}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='{media}'>{inner}</description></content>"
    )
}

/// Audio, and video in three layers with retransmission.
fn accept(nick: &str, n: u32) -> String {
    let video: String = (1..=6).map(|i| source(nick, "video", n + i, n)).collect();
    let groups = [
        group("FID", &[n + 1, n + 4]),
        group("SIM", &[n + 1, n + 2, n + 3]),
        group("FID", &[n + 2, n + 5]),
        group("FID", &[n + 3, n + 6]),
    ];
    format!(
        "{}<content name='video'><initial-last-n xmlns='jitsi:colibri2' value='3'/><description \
         xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>{video}{}</description>\
         <transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='u{n}' pwd='p'>\
         <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='active'>AA:BB</fingerprint></transport></content>",
        content("audio", &source(nick, "audio", n, n + 50)),
        groups.concat()
    )
}

#[test]
fn the_second_participant_brings_a_session_to_both() {
    let mut r = Rig::new(|_| {});
    r.join("aaaa0000");
    assert!(r.to("aaaa0000").is_empty() && r.requests().is_empty(), "one alone has no session");
    r.join("bbbb0000");
    assert!(r.last_presence().contains("key='bridge-count' value='1'"));
    for nick in ["aaaa0000", "bbbb0000"] {
        let offer = r.to(nick)[0].to_owned();
        let d = Document::parse(&offer).unwrap();
        let j = Jingle::read(d.root().child("jingle", ns::JINGLE).unwrap()).unwrap();
        assert_eq!((j.action, j.ignored), (Action::SessionInitiate, 0));
        assert_eq!(j.initiator, Some("focus@focus.meet.localhost/focus"));
        assert_eq!(j.contents.iter().map(|c| c.name).collect::<Vec<_>>(), ["audio", "video", "data"]);
        assert_eq!(j.groups[0].contents, ["audio", "video", "data"]);
        assert_eq!(j.bridge_session.unwrap().id, Some(r.bridge_id().as_str()));
        assert_eq!(j.sources.iter().filter_map(|s| s.name).collect::<Vec<_>>(), ["jvb-v0", "jvb-a0"]);
        let video = j.contents[1].description.as_ref().unwrap();
        assert_eq!(video.payload_types.iter().map(|p| p.id).collect::<Vec<_>>(), [41, 100, 107, 101, 42, 96, 97, 99]);
        assert_eq!(video.extensions.iter().map(|e| e.id).collect::<Vec<_>>(), [11, 3, 5], "no MID by default");
        let audio = j.contents[0].description.as_ref().unwrap();
        assert_eq!(audio.payload_types.iter().map(|p| p.id).collect::<Vec<_>>(), [111, 126]);
        let data = j.contents[2].transport.as_ref().unwrap();
        assert_eq!((data.sctp.unwrap().number, data.web_sockets.len()), (Some("5000"), 1));
    }
    assert!(r.sid("aaaa0000") != r.sid("bbbb0000") && r.sid("aaaa0000").len() <= 13);
}

#[test]
fn what_was_not_announced_is_not_offered() {
    let mut r = Rig::new(|o| o.red = true);
    r.join_with("aaaa0000", ["urn:xmpp:jingle:apps:rtp:audio", "http://jitsi.org/remb"]);
    r.join_with("bbbb0000", ["urn:xmpp:jingle:apps:rtp:video", "http://jitsi.org/remb"]);
    r.join("cccc0000");
    let a = r.to("aaaa0000")[0];
    assert!(
        !a.contains("name='video'")
            && !a.contains("name='data'")
            && !a.contains("transport-cc")
            && !a.contains("name='red'")
    );
    assert!(!a.contains("json-message") && a.contains("owner='jvb'") && !a.contains("useinbandfec"));
    let b = r.to("bbbb0000")[0];
    assert!(b.contains("goog-remb") && !b.contains("name='rtx'"));
    assert!(r.to("cccc0000")[0].contains("<parameter value='111/111'/>"));
}

#[test]
fn sources_reach_the_others_without_simulcast_as_xml_and_as_json() {
    let mut r = Rig::new(|_| {});
    r.join("aaaa0000");
    r.join_with("bbbb0000", ALL.iter().copied().filter(|f| *f != JSON));
    r.join_with("cccc0000", ALL.iter().copied().chain([REWRITING]));
    r.accept("aaaa0000", 100);
    assert_eq!(r.to("bbbb0000").len(), 1, "not before its accept");
    r.accept("bbbb0000", 200);
    r.accept("cccc0000", 300);
    let to_b = r.to("bbbb0000").concat();
    assert!(to_b.contains("action='source-add'") && to_b.contains("ssrc='101'") && to_b.contains("owner='aaaa0000'"));
    assert!(to_b.contains("ssrc='104'") && !to_b.contains("ssrc='102'") && !to_b.contains("SIM"));
    let to_a = r.to("aaaa0000").concat();
    assert!(
        to_a.contains(r#"{"sources":{"bbbb0000":[[{"s":201,"n":"bbbb0000-v0","m":"bbbb0000-video-0-1 t200"},{"s":204"#)
    );
    assert!(to_a.contains(r#"[["f",201,204]],[{"s":200,"#) && to_a.contains(r#""cccc0000":"#));
    assert!(!r.to("cccc0000").concat().contains("source-add"), "told on the bridge channel");
    let of_bridge = r.requests().iter().rev().find_map(|q| match q {
        Request::Sources { endpoint, sources, .. } if endpoint == "aaaa0000" => Some(sources.clone()),
        _ => None,
    });
    assert_eq!(of_bridge.unwrap().sources.len(), 7, "the bridge knows all layers");
    assert!(r.requests().iter().any(|q| matches!(
        q,
        Request::Accept { endpoint, transport, initial_last_n: Some(3), .. }
            if endpoint == "aaaa0000" && transport.ufrag == "u100" && transport.active
    )));
}

#[test]
fn a_late_joiner_gets_everything_in_its_offer_and_with_rewriting_nothing() {
    let mut r = Rig::new(|_| {});
    r.both();
    r.join("cccc0000");
    let offer = r.to("cccc0000")[0].to_owned();
    assert!(offer.contains("aaaa0000-v0") && offer.contains("bbbb0000-a0") && offer.contains("jvb-v0"));
    r.join_with("dddd0000", ALL.iter().copied().chain([REWRITING]));
    let offer = r.to("dddd0000")[0].to_owned();
    assert!(!offer.contains("aaaa0000-v0") && offer.contains("jvb-v0"));
}

#[test]
fn per_endpoint_switches_override_what_is_announced() {
    let mut r = Rig::new(|o| {
        let off = EndpointOptions { json: Some(false), rewriting: None, sctp: Some(false) };
        o.endpoints.insert("aaaa0000".into(), off);
        o.rewriting = false;
    });
    r.join("aaaa0000");
    r.join_with("bbbb0000", ALL.iter().copied().chain([REWRITING]));
    assert!(!r.to("aaaa0000")[0].contains("json-message") && !r.to("aaaa0000")[0].contains("name='data'"));
    assert!(r.to("bbbb0000")[0].contains("json-message"));
    let rewriting = r.requests().iter().any(|q| matches!(q, Request::Allocate(a) if a.rewriting));
    assert!(!rewriting);
}

#[test]
fn source_changes_go_out_at_once_or_gathered_with_removals_first() {
    let mut r = Rig::new(|_| {});
    r.both();
    let screen = content("video", &source("aaaa0000", "video", 150, 9));
    r.ok("aaaa0000", "source-add", &screen);
    assert!(r.to("bbbb0000")[0].contains("source-add") && r.to("bbbb0000")[0].contains("150"));
    r.sent.clear();
    r.focus.sessions_mut().unwrap().source_delay = Duration::from_secs(1);
    r.ok("aaaa0000", "source-remove", &screen);
    r.ok("aaaa0000", "source-add", &content("video", &source("aaaa0000", "video", 151, 10)));
    r.ok("aaaa0000", "source-add", &content("audio", &source("aaaa0000", "audio", 152, 11)));
    r.ok("aaaa0000", "source-remove", &content("audio", &source("aaaa0000", "audio", 152, 11)));
    assert!(r.to("bbbb0000").is_empty());
    r.run(Duration::from_secs(1));
    let to_b = r.to("bbbb0000");
    assert_eq!(to_b.len(), 2);
    assert!(to_b[0].contains("source-remove") && to_b[0].contains("\"s\":150"));
    assert!(to_b[1].contains("source-add") && to_b[1].contains("\"s\":151"));
    assert!(!to_b.concat().contains("\"s\":152"), "what came and went meanwhile is not told");
}

#[test]
fn who_leaves_takes_its_sources_without_a_word() {
    let mut r = Rig::new(|_| {});
    r.both();
    r.join("cccc0000");
    r.accept("cccc0000", 300);
    r.sent.clear();
    r.leave("aaaa0000");
    assert!(r.sent.iter().all(|s| !s.contains("source-remove")));
    assert_eq!(r.focus.sources_of(ROOM).unwrap().iter().count(), 2);
    assert!(r.bridge.as_ref().unwrap().endpoints().all(|(_, e)| e != "aaaa0000"));
    r.join("aaaa0000");
    r.accept("aaaa0000", 100);
}

#[test]
fn refused_requests_carry_jicofos_errors() {
    let mut r = Rig::new(|_| {});
    r.both();
    let sid = r.sid("aaaa0000");
    let unknown = r.jingle("aaaa0000", "source-add", "nosuchsid", &content("audio", "")).unwrap();
    assert!(unknown.contains("<error type='modify'><bad-request") && unknown.contains("</error><jingle"));
    assert!(unknown.contains("<content name='audio'>"), "the request's own element comes back");
    for silent in ["content-modify", "content-add"] {
        assert_eq!(r.jingle("aaaa0000", silent, &sid, ""), None);
    }
    let own = content("audio", &source("aaaa0000", "audio", 100, 7));
    let used = r.jingle("aaaa0000", "source-add", &sid, &own).unwrap();
    assert!(used.contains(">SSRC is already used: 100.</text>"));
    let foreign = content("audio", &source("aaaa0000", "audio", 200, 7));
    let used = r.jingle("aaaa0000", "source-remove", &sid, &foreign).unwrap();
    assert!(used.contains("Source does not exist or is not owned by endpoint (ssrc=200)."));
    let odd = content("video", &group("FEC-FR", &[1]));
    assert_eq!(r.jingle("aaaa0000", "source-add", &sid, &odd), None, "an unknown word gets no answer");
    r.ok("aaaa0000", "source-add", "");
    assert!(r.jingle("aaaa0000", "transport-info", &sid, "").unwrap().contains(">missing transport</text>"));
    r.ok("aaaa0000", "session-info", "<x xmlns='urn:unknown'/>");
    let stale = "<bridge-session xmlns='http://jitsi.org/protocol/focus' id='stale' ice-restart='true'/>";
    let text = r.jingle("aaaa0000", "session-info", &sid, stale).unwrap();
    assert!(text.contains("<error type='cancel'><item-not-found") && !text.contains("<bridge-session"));
    assert!(text.contains(">stale is not a currently active session</text>"));
    let stale = "<reason><success/></reason><bridge-session xmlns='http://jitsi.org/protocol/focus' id='stale' restart='true'/>";
    assert!(r.jingle("aaaa0000", "session-terminate", &sid, stale).unwrap().contains("item-not-found"));
    let gone = r.jingle("aaaa0000", "session-accept", &sid, "").unwrap();
    assert!(gone.contains("<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>session ended</gone></error><jingle"));
}

#[test]
fn an_accept_with_bad_sources_ends_the_session() {
    let mut r = Rig::new(|_| {});
    r.join("aaaa0000");
    r.join("bbbb0000");
    r.accept("aaaa0000", 100);
    let sid = r.sid("bbbb0000");
    let inner = content("audio", &source("bbbb0000", "audio", 100, 7));
    assert!(r.jingle("bbbb0000", "session-accept", &sid, &inner).unwrap().contains("SSRC is already used: 100."));
    assert!(r.jingle("bbbb0000", "session-accept", &sid, "").unwrap().contains("gone"));
}

#[test]
fn ice_restarts_in_place_have_a_generation_and_a_rate_limit() {
    let mut r = Rig::new(|_| {});
    r.both();
    let ask =
        format!("<bridge-session xmlns='http://jitsi.org/protocol/focus' id='{}' ice-restart='true'/>", r.bridge_id());
    let sid = r.sid("aaaa0000");
    r.ok("aaaa0000", "session-info", &ask);
    let info = r.to("aaaa0000").into_iter().find(|s| s.contains("transport-info")).unwrap();
    assert!(info.contains("ice-generation='1'") && info.contains("setup='passive'") && info.contains(&sid));
    assert!(r.jingle("aaaa0000", "session-info", &sid, &ask).unwrap().contains(
        "<error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
         <text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>rate-limited</text>"
    ));
    r.now = r.now + RESTART_INTERVAL;
    r.ok("aaaa0000", "session-info", &ask);
    assert!(r.to("aaaa0000").concat().contains("ice-generation='2'"));
    let answer = "<content name='audio'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='n' pwd='p' ice-generation='2'/></content>";
    r.ok("aaaa0000", "transport-info", answer);
    assert!(matches!(r.requests().last(), Some(Request::Transport { generation: Some(2), .. })));
    r.focus.sessions_mut().unwrap().ice_restart = false;
    let off = r.jingle("aaaa0000", "session-info", &sid, &ask).unwrap();
    assert!(off.contains("feature-not-implemented") && off.contains(">in-place ICE restart is disabled</text>"));
}

#[test]
fn a_declined_ice_restart_ends_with_moving_and_nothing_follows_until_it_joins_again() {
    let mut r = Rig::new(|_| {});
    r.both();
    r.bridge.as_mut().unwrap().declines_restarts = true;
    let ask =
        format!("<bridge-session xmlns='http://jitsi.org/protocol/focus' id='{}' ice-restart='true'/>", r.bridge_id());
    r.ok("aaaa0000", "session-info", &ask);
    assert!(r.to("bbbb0000")[0].contains("source-remove"));
    assert!(r.to("aaaa0000").last().unwrap().contains("<reason><success/><text>moving</text></reason>"));
    r.sent.clear();
    r.presence("aaaa0000", "");
    r.run(Duration::from_secs(60));
    assert!(r.to("aaaa0000").is_empty() && r.focus.session_of(ROOM, "aaaa0000").is_none());
    r.leave("aaaa0000");
    r.join("aaaa0000");
    assert!(r.to("aaaa0000")[0].contains("session-initiate"));
}

#[test]
fn a_restart_by_terminate_brings_a_new_sid_and_its_limit_costs_the_session() {
    let mut r = Rig::new(|_| {});
    r.both();
    let restart = format!(
        "<reason><connectivity-error/></reason><bridge-session xmlns='http://jitsi.org/protocol/focus' id='{}' restart='true'/>",
        r.bridge_id()
    );
    let first = r.sid("aaaa0000");
    r.ok("aaaa0000", "session-terminate", &restart);
    assert!(r.to("bbbb0000")[0].contains("source-remove"));
    let second = r.sid("aaaa0000");
    assert!(first != second && r.to("aaaa0000").last().unwrap().contains("session-initiate"));
    assert!(!r.sent.iter().any(|s| s.contains("session-terminate")), "no terminate comes back");
    assert!(r.jingle("aaaa0000", "source-add", &first, "").unwrap().contains("bad-request"));
    r.accept("aaaa0000", 100);
    r.sent.clear();
    assert!(r.jingle("aaaa0000", "session-terminate", &second, &restart).unwrap().contains("resource-constraint"));
    assert!(r.focus.session_of(ROOM, "aaaa0000").is_none());
    r.run(Duration::from_secs(60));
    assert!(!r.sent.iter().any(|s| s.contains("session-initiate")));
}

#[test]
fn one_alone_keeps_its_session_for_twenty_seconds() {
    let mut r = Rig::new(|_| {});
    r.both();
    r.leave("bbbb0000");
    r.run(Duration::from_secs(19));
    assert!(r.focus.session_of(ROOM, "aaaa0000").is_some());
    r.join("bbbb0000");
    r.run(Duration::from_secs(30));
    let sid = r.sid("aaaa0000");
    r.leave("bbbb0000");
    r.run(SINGLE_PARTICIPANT_TIMEOUT);
    let last = r.to("aaaa0000").last().unwrap().to_string();
    assert!(last.contains("<reason><expired/><text>Idle session timeout</text></reason>") && last.contains(&sid));
    assert_eq!(r.bridge.as_ref().unwrap().endpoints().count(), 0);
    r.join("bbbb0000");
    assert!(r.sid("aaaa0000") != sid);
}

#[test]
fn a_dead_bridge_ends_sessions_is_shown_and_its_return_invites_everybody() {
    let mut r = Rig::new(|_| {});
    r.both();
    let old = r.bridge_id();
    r.bridge = None;
    r.focus.bridge_down(r.now);
    r.drain();
    let kinds: Vec<&str> = r
        .sent
        .iter()
        .filter_map(|s| {
            ["bridgeNotAvailable", "moving", "source-remove", "value='0'"].into_iter().find(|k| s.contains(k))
        })
        .collect();
    assert_eq!(kinds, ["value='0'", "moving", "moving", "source-remove", "bridgeNotAvailable"]);
    r.join("cccc0000");
    assert!(r.to("cccc0000").is_empty());
    r.sent.clear();
    r.bridge = Some(DryBridge::new(Env::seeded(9)));
    r.focus.bridge_up(r.now);
    r.drain();
    assert!(!r.sent[0].contains("bridgeNotAvailable") && r.sent[0].contains("value='0'"));
    for nick in ["aaaa0000", "bbbb0000", "cccc0000"] {
        assert!(r.to(nick)[0].contains("session-initiate"), "{nick}");
    }
    assert!(r.bridge_id() != old && r.last_presence().contains("value='1'"));
}

#[test]
fn a_bridge_that_moves_re_invites_or_replaces_the_transport() {
    let mut r = Rig::new(|_| {});
    r.both();
    let sid = r.sid("aaaa0000");
    r.focus.bridge_moved(r.now);
    r.drain();
    assert!(r.to("aaaa0000")[0].contains("moving") && r.to("aaaa0000").last().unwrap().contains("session-initiate"));
    assert!(r.sid("aaaa0000") != sid && !r.sent.iter().any(|s| s.contains("bridgeNotAvailable")));
    r.accept("aaaa0000", 100);
    r.accept("bbbb0000", 200);
    r.sent.clear();
    r.focus.sessions_mut().unwrap().transport_replace = true;
    let sid = r.sid("aaaa0000");
    r.focus.bridge_moved(r.now);
    r.drain();
    let replace = r.to("aaaa0000")[0].to_owned();
    assert!(replace.contains("transport-replace") && replace.contains(&sid) && replace.contains(&r.bridge_id()));
    r.ok("aaaa0000", "transport-accept", &accept("aaaa0000", 100));
    assert_eq!(r.focus.session_of(ROOM, "aaaa0000"), Some((sid.as_str(), true)));
    let d = Document::parse(r.to("bbbb0000")[0]).unwrap();
    let id = d.root().attr("id").unwrap().to_owned();
    r.stanza(&format!("<iq type='error' from='{ROOM}/bbbb0000' id='{id}'/>"));
    assert!(r.to("bbbb0000").last().unwrap().contains("<general-error/>"), "a refused replacement ends the session");
}

#[test]
fn a_restarted_focus_invites_over_running_sessions_when_it_is_asked() {
    let mut r = Rig::new(|_| {});
    r.both();
    let old = r.sid("aaaa0000");
    let options =
        FocusOptions { sessions: Some(SessionOptions::default()), ..FocusOptions::new("focus.meet.localhost") };
    r.focus = Focus::new(options, Env::seeded(70)).unwrap();
    r.focus.bridge_up(r.now);
    r.ready();
    r.presence("aaaa0000", "");
    r.presence("bbbb0000", "");
    assert!(r.to("aaaa0000").last().unwrap().contains("session-initiate") && r.sid("aaaa0000") != old);
    assert!(!r.sent.iter().any(|s| s.contains("session-terminate")));
    assert!(r.jingle("aaaa0000", "source-add", &old, "").unwrap().contains("bad-request"));
}

#[test]
fn start_muted_comes_from_a_moderator_and_from_the_number_of_participants() {
    let mut r = Rig::new(|o| o.start_muted_after = (None, Some(2)));
    r.both();
    r.presence("aaaa0000", "<startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true' video='false'/>");
    r.join("cccc0000");
    assert!(
        r.to("cccc0000")[0]
            .contains("<startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true' video='true'/>")
    );
}

#[test]
fn sources_may_come_before_the_answer_to_the_accept() {
    let mut r = Rig::new(|o| o.sources_before_result = true);
    r.join("aaaa0000");
    r.join("bbbb0000");
    r.accept("aaaa0000", 100);
    r.sent.clear();
    r.accept("bbbb0000", 200);
    let to_b = r.to("bbbb0000");
    assert!(to_b[0].contains("source-add") && to_b[1].contains("type='result'"));
}

#[test]
fn silence_after_the_disco_question_is_taken_for_the_usual_features() {
    let mut r = Rig::new(|_| {});
    r.presence("aaaa0000", "");
    r.presence("bbbb0000", "");
    assert!(r.to("aaaa0000").is_empty());
    r.run(DISCO_TIMEOUT);
    assert!(r.to("aaaa0000")[0].contains("session-initiate") && !r.to("aaaa0000")[0].contains("json-message"));
}

#[test]
fn capabilities_seen_before_are_not_asked_again() {
    let mut r = Rig::new(|_| {});
    let caps = "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='v'/>";
    r.features.insert("aaaa0000".into(), ALL.iter().map(|f| (*f).to_owned()).collect());
    r.presence("aaaa0000", caps);
    // This one would not answer.
    r.presence("bbbb0000", caps);
    assert!(r.to("bbbb0000")[0].contains("json-message"));
}

#[test]
fn a_moderators_mute_reaches_the_bridge() {
    let mut r = Rig::new(|_| {});
    r.both();
    r.stanza(&format!(
        "<iq type='set' id='m' from='{ROOM}/aaaa0000' to='focus@focus.meet.localhost/focus'>\
         <mute xmlns='http://jitsi.org/jitmeet/audio' jid='{ROOM}/bbbb0000'>true</mute></iq>"
    ));
    assert!(matches!(r.requests().last(), Some(Request::ForceMute { audio: true, video: false, .. })));
}

#[test]
fn remembered_capabilities_are_bounded() {
    let mut r = Rig::new(|o| o.silent = true);
    for i in 0..=MAX_CAPS {
        let nick = format!("{i:08x}");
        r.features.insert(nick.clone(), Vec::new());
        r.presence(&nick, &format!("<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='n' ver='{i}'/>"));
        assert_eq!(r.focus.io.caps.len(), if i < MAX_CAPS { i + 1 } else { 1 });
    }
}
