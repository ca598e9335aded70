//! Recorded sessions with real focuses, played from the focus's side: at each place where the recorded client spoke, ours
//! says the same, but for what differs on purpose.

use super::*;
use crate::wire::Stanza;
use std::collections::{BTreeSet, HashMap, VecDeque};

/// One client of a capture, with ours in its place.
struct Replay {
    g: Guest,
    /// Our requests that the recording has not reached yet: action and token.
    said: VecDeque<(String, String, IqToken)>,
    /// Recorded id of a request of the client, and ours.
    asked: HashMap<String, IqToken>,
    known: BTreeSet<String>,
    now: u64,
    /// Actions that were compared.
    compared: Vec<String>,
    /// The client is of a time before sources had names.
    nameless: bool,
}

impl Replay {
    fn new(room: &str) -> Replay {
        let ep = "ffffffff";
        let mut g = Guest::new(room, ep, &["someone", "another"]);
        g.side.j.set_local_sources(Vec::new());
        let (said, asked, known, compared) = Default::default();
        Replay { g, said, asked, known, now: 0, compared, nameless: false }
    }

    fn take(&mut self, out: Vec<Output>) {
        for o in out {
            match o {
                Output::SendIq { token, payload, .. } => {
                    let action = Document::parse(&payload).unwrap().root().attr("action").unwrap().to_owned();
                    self.said.push_back((action, payload, token));
                }
                Output::RestartIce { session, generation, .. } => {
                    self.g.side.j.ice_restarted(session, generation, transport("new"));
                    let out = self.g.side.drain(at(self.now));
                    self.take(out);
                }
                Output::CreateEngine { session, .. } => self.g.side.j.ice_connected(session, at(self.now)),
                Output::Event(Event::SourcesRefused { names, why, .. }) => panic!("{names:?} {why:?}"),
                _ => {}
            }
        }
    }

    fn room_of(address: &str) -> String {
        address.split('/').next().unwrap().to_owned()
    }

    /// What the client received.
    fn received(&mut self, frame: Stanza<'_>, later: &[(bool, String)]) {
        let Some(from) = frame.from() else { return };
        let id = frame.id().unwrap_or("").to_owned();
        if let Some(j) = frame.payload().filter(|e| e.is("jingle", ns::JINGLE)).filter(|_| frame.is_request()) {
            let sid = j.attr("sid").unwrap().to_owned();
            if from.resource() != Some("focus") {
                return;
            }
            if j.attr("action") == Some("session-initiate") {
                self.enter(&Replay::room_of(from.as_str()));
                self.known.insert(sid.clone());
                let mine = later.iter().find_map(|(sent, f)| sources_of(f, "session-accept", &sid).filter(|_| *sent));
                self.g.side.j.set_local_sources(mine.unwrap_or_default());
            }
            if self.known.contains(&sid) {
                self.g.side.j.on_iq(&from, &id, j, at(self.now));
            }
        } else if let Some(token) = self.asked.remove(&id) {
            let answer = frame.error().map_or(IqAnswer::Result, IqAnswer::Error);
            self.g.side.j.on_iq_answer(token, answer, at(self.now));
        }
        let out = self.g.side.drain(at(self.now));
        self.take(out);
    }

    fn enter(&mut self, room: &str) {
        if self.g.room != room {
            self.g.room = room.to_owned();
            self.g.conference.own = Some(self.g.jid("ffffffff"));
            self.g.conference.focus = Some(self.g.jid("focus"));
            let out = self.g.with(&["someone", "another"], at(self.now));
            self.take(out);
        }
    }

    /// Asks, and waits until our budget allows it: the recording breaks the server's on purpose.
    fn in_budget(&mut self, ask: impl Fn(&mut Jingle, Time) -> Result<(), RestartRefusal>) {
        let mut asked = ask(&mut self.g.side.j, at(self.now)).is_ok();
        loop {
            let out = self.g.side.drain(at(self.now));
            let sent = !tokens(&out).is_empty();
            self.take(out);
            if sent {
                return;
            }
            // The one before is still under way, or this one waits.
            let due = self.g.side.j.next_deadline().unwrap();
            self.now = self.now.max(due.mono_us / 1000);
            self.g.side.j.handle_timeout(due);
            asked = asked || ask(&mut self.g.side.j, at(self.now)).is_ok();
        }
    }

    /// What the recorded client sent: our client is made to, and must say the same.
    fn sent(&mut self, frame: Stanza<'_>, later: &[(bool, String)]) {
        let to_focus = frame.to().is_some_and(|t| t.resource() == Some("focus"));
        let Some(j) = frame.payload().filter(|e| to_focus && frame.is_request() && e.is("jingle", ns::JINGLE)) else {
            return;
        };
        let (action, sid) = (j.attr("action").unwrap_or(""), j.attr("sid").unwrap());
        if self.nameless && action == "transport-info" {
            // See `differences`.
            return;
        }
        let theirs = xml(j);
        if !self.known.contains(sid) {
            // The session began in another file: an offer of our own stands for the one that it has not.
            self.enter(&Replay::room_of(frame.to().unwrap().as_str()));
            let id = j.child("bridge-session", ns::FOCUS).and_then(|b| b.attr("id")).unwrap_or("no-id");
            let mut text = offer().replace(SID, sid);
            let from = text.find("<bridge-session").unwrap();
            let to = from + text[from..].find("/>").unwrap() + 2;
            text.replace_range(
                from..to,
                &format!("<bridge-session xmlns='http://jitsi.org/protocol/focus' id='{id}'/>"),
            );
            let out = self.g.focus(&text, at(self.now));
            self.g.side.answer_all(&out, at(self.now));
            let out = self.g.side.drain(at(self.now));
            self.take(out);
            self.known.insert(sid.to_owned());
            let key = self.g.key();
            self.g.side.j.ice_connected(key, at(self.now));
        }
        let key = self.g.key();
        match action {
            "session-info" => self.in_budget(|j, now| j.request_ice_restart(key, now)),
            "session-terminate" => self.in_budget(|j, now| j.restart_session(key, now)),
            "source-add" => {
                let mut all = self.g.side.j.sources.clone();
                all.extend(sources_in(j));
                self.g.side.j.set_local_sources(all);
            }
            _ => {}
        }
        let out = self.g.side.drain(at(self.now));
        self.take(out);
        let found = self.said.iter().position(|(a, ..)| a == action);
        let (_, ours, token) = self.said.remove(found.unwrap_or_else(|| panic!("{action} {:?}", self.said))).unwrap();
        assert_eq!(said(&ours, self.nameless), said(&theirs, self.nameless), "{action}");
        differences(action, &ours, &theirs, self.nameless);
        let id = frame.id().unwrap();
        if later.iter().any(|(sent, f)| !sent && f.contains(id)) {
            self.asked.insert(id.to_owned(), token);
        } else {
            // Some files leave the results out.
            self.g.side.j.on_iq_answer(token, IqAnswer::Result, at(self.now));
            let out = self.g.side.drain(at(self.now));
            self.take(out);
        }
        self.compared.push(action.to_owned());
    }
}

fn xml(e: Element<'_>) -> String {
    let mut w = crate::wire::XmlWriter::new();
    e.write_to(&mut w);
    w.finish()
}

/// Our sources as the recorded client described them.
fn sources_of(frame: &str, action: &str, sid: &str) -> Option<Vec<LocalSource>> {
    let d = Document::parse_with(frame, ns::CLIENT, &Default::default()).ok()?;
    let j = d.root().child("jingle", ns::JINGLE)?;
    (j.attr("action") == Some(action) && j.attr("sid") == Some(sid)).then(|| sources_in(j))
}

fn sources_in(j: Element<'_>) -> Vec<LocalSource> {
    let j = wire::Jingle::read(j).unwrap();
    if j.sources.iter().all(|s| s.name.is_none()) {
        return nameless_in(&j);
    }
    let mut table = SourceTable::default();
    let change = table.add(&j.sources, Authority::Peer(j.sources.iter().next().map_or("", |s| owner(s.name.unwrap()))));
    assert_eq!(change.refused, 0);
    let of = |s: &RemoteSource| {
        let sim = s.groups.iter().find(|g| g.0 == wire::GroupSemantics::Sim).map(|g| g.1.clone());
        let layers = sim.unwrap_or_else(|| s.primaries().collect());
        let rtx = |layer: u32| s.repairs().find(|(_, primary)| *primary == layer).map(|(rtx, _)| rtx);
        LocalSource {
            name: s.name.to_string(),
            media: s.media,
            video_type: s.video_type,
            encodings: layers.into_iter().map(|l| (l, rtx(l))).collect(),
            msid: s.msid.as_deref().unwrap_or("").to_owned(),
        }
    };
    change.sources.iter().map(of).collect()
}

/// One source of each kind, told apart by its msid, named as today.
fn nameless_in(j: &wire::Jingle<'_>) -> Vec<LocalSource> {
    let of = |media: Media| {
        let mine: Vec<_> = j.sources.iter().filter(|s| s.media == media).collect();
        let first = mine.first()?;
        let groups = |semantics| j.sources.groups().filter(move |g| g.media == media && g.semantics == semantics);
        let layers = groups(wire::GroupSemantics::Sim).next().map_or(vec![first.ssrc], |g| g.ssrcs.to_vec());
        let rtx = |layer: u32| groups(wire::GroupSemantics::Fid).find(|g| g.ssrcs[0] == layer).map(|g| g.ssrcs[1]);
        let msid = first.msid.unwrap();
        let (owner, letter) = (msid.split('-').next().unwrap(), if media == Media::Audio { 'a' } else { 'v' });
        assert_eq!(layers.iter().map(|l| 1 + usize::from(rtx(*l).is_some())).sum::<usize>(), mine.len());
        Some(LocalSource {
            name: format!("{owner}-{letter}0"),
            media,
            video_type: (media == Media::Video).then_some(VideoType::Camera),
            encodings: layers.into_iter().map(|l| (l, rtx(l))).collect(),
            msid: msid.to_owned(),
        })
    };
    [Media::Audio, Media::Video].into_iter().filter_map(of).collect()
}

fn owner(name: &str) -> &str {
    wire::source_owner(name).unwrap().0
}

/// What a request says, in an order of its own, without what differs on purpose (see `differences`).
fn said(text: &str, nameless: bool) -> Vec<String> {
    let d = Document::parse(text).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let mut out = vec![format!("{:?} {} {:?} {:?}", j.action, j.sid, j.initiator, j.traceparent)];
    let there = |g: &wire::Group<'_>| g.contents.iter().filter(|c| j.content(c).is_some()).count();
    out.push(format!(
        "{:?} {:?}",
        j.bridge_session,
        j.groups.iter().map(|g| (g.semantics.to_owned(), there(g))).collect::<Vec<_>>()
    ));
    let contents = if j.action == Action::TransportInfo { &j.contents[..1] } else { &j.contents };
    for c in contents {
        let d = c.description.as_ref().map(|d| (d.media, d.rtcp_mux));
        let t = c.transport.as_ref().map(|t| {
            let f: Vec<_> = t.fingerprints.iter().map(|f| (f.hash, f.setup, f.required, f.cryptex)).collect();
            (t.ufrag.is_some(), t.pwd.is_some(), t.ice_generation, t.sctp, t.rtcp_mux, f)
        });
        out.push(format!("{} {:?} {d:?} {t:?} {:?}", c.name, c.creator, c.initial_last_n));
    }
    let unnamed = |s: wire::Source<'_>| {
        let named = if nameless { wire::Source { name: None, video_type: None, ..s } } else { s };
        format!("{named:?}")
    };
    let mut sources: Vec<String> = j.sources.iter().map(unnamed).collect();
    sources.extend(j.sources.groups().map(|g| format!("{g:?}")));
    sources.sort_unstable();
    out.extend(sources);
    out
}

/// The differences, all of them, each on purpose:
/// - an accept describes neither payload types, their parameters and feedback, nor header extensions: the bridge has them
///   from the focus, and without them the frame stays below 4 kB (design §9);
/// - `responder` is our occupant address: the real address is nobody's business, and nobody reads it;
/// - the group names the contents that are there, not always three;
/// - `senders` says what our description is: without a source of ours it only receives;
/// - credentials and fingerprints are of another run;
/// - a transport-info speaks once, not for each m-line: the contents are bundled, and the focus reads the first;
/// - a restart of the session says `connectivity-error`, whatever made us ask;
/// - the client of 2022 knows no names and no video types of sources, and says one SSRC of each description again as its
///   `ssrc`, which nobody reads; it tells the focus its candidates in a transport-info, which ours says in the accept, or not
///   at all, because the bridge finds us by our checks.
fn differences(action: &str, ours: &str, theirs: &str, nameless: bool) {
    let paths = |text: &str| {
        let d = Document::parse(text).unwrap();
        let mut all = BTreeSet::new();
        fn walk(e: Element<'_>, path: &str, all: &mut BTreeSet<String>) {
            // A child of `source` has its namespace in one of two places, which nobody tells apart.
            let path = format!("{path}/{}", e.name());
            all.insert(path.clone());
            for (name, _) in e.attrs() {
                all.insert(format!("{path}@{name}"));
            }
            e.children().for_each(|c| walk(c, &path, all));
        }
        walk(d.root(), "", &mut all);
        all
    };
    let (ours, theirs) = (paths(ours), paths(theirs));
    let by_intent = |p: &&String| {
        let described = ["payload-type", "rtp-hdrext", "extmap-allow-mixed"].iter().any(|d| p.contains(d));
        let of_2022 = ["/source@name", "/source@videoType", "/description@ssrc"].iter().any(|d| p.ends_with(d));
        match action {
            "session-accept" if nameless && of_2022 => true,
            "session-accept" => described || p.ends_with("/candidate") || p.contains("/candidate@"),
            "transport-info" => p.contains("/sctpmap"),
            "session-terminate" => p.starts_with("/jingle/reason/"),
            _ => false,
        }
    };
    let differ: Vec<&String> = ours.symmetric_difference(&theirs).filter(|p| !by_intent(p)).collect();
    assert!(differ.is_empty(), "{action}: {differ:?}");
}

/// Plays one client of a capture; gives what it said.
fn play(file: &str, who: char) -> Vec<String> {
    let frames: Vec<(bool, String)> =
        capture(file).into_iter().filter(|f| f.0 == who).map(|(_, sent, f)| (sent, f)).collect();
    let mut r = Replay::new("nowhere@conference.meet.localhost");
    r.nameless = file.contains("2022");
    for (i, (sent, frame)) in frames.iter().enumerate() {
        let Ok(d) = Document::parse_with(frame, ns::CLIENT, &Default::default()) else { continue };
        let Some(stanza) = Stanza::read(d.root()) else { continue };
        r.now += 10;
        if *sent { r.sent(stanza, &frames[i..]) } else { r.received(stanza, &frames[i..]) }
    }
    // We said nothing that the recorded client did not.
    assert!(r.said.is_empty(), "{file} {who}: {:?}", r.said);
    r.compared
}

#[test]
fn in_recorded_sessions_we_say_what_the_recorded_client_said() {
    for (file, who, said) in [
        ("30-bridge-session", 'A', "session-accept"),
        ("30-bridge-session", 'B', "session-accept source-add"),
        ("30-bridge-session", 'C', "session-accept"),
        ("32-bridge-session-2022-client", 'A', "session-accept"),
        ("32-bridge-session-2022-client", 'B', "session-accept"),
        ("51-real-session-json-sources", 'A', "session-accept"),
        ("51-real-session-json-sources", 'B', "session-accept"),
        ("52-real-source-add-remove", 'C', "session-accept source-add session-terminate session-accept"),
        ("54-real-ice-restart", 'A', "session-info transport-info session-info transport-info session-info"),
        (
            "55-real-session-restart",
            'A',
            "session-terminate session-accept session-terminate session-accept session-terminate",
        ),
        ("56-real-bridge-killed", 'A', "session-accept session-accept"),
        ("57-real-session-xml-sources", 'B', "session-accept"),
        ("58-real-ssrc-rewriting", 'A', "session-accept"),
        ("60-real-p2p-and-bridge", 'A', "session-accept"),
        ("62-real-jicofo-killed", 'A', "session-accept"),
        ("65-real-ice-restart-declined", 'A', "session-info"),
    ] {
        assert_eq!(play(file, who).join(" "), said, "{file} {who}");
    }
}

/// The recorded answer to the request of this id, in a room that began in another file.
fn answered(file: &str, id: &str) -> IqAnswer {
    let answer = capture(file).into_iter().find_map(|(_, sent, frame)| {
        let d = Document::parse_with(&frame, ns::CLIENT, &Default::default()).ok().filter(|_| !sent)?;
        let s = Stanza::read(d.root()).filter(|s| s.id() == Some(id) && !s.is_request())?;
        Some(s.error().map_or(IqAnswer::Result, IqAnswer::Error))
    });
    // A request that was left alone runs into its time-out.
    answer.unwrap_or(IqAnswer::Timeout)
}

const ERRORS: &str = "61-real-jicofo-errors";

#[test]
fn what_a_real_focus_says_of_our_sources_is_told_with_its_words_and_costs_no_session() {
    for (id, condition, text) in [
        ("e-unknown-sid", "bad-request", ""),
        ("e-ssrc-used", "bad-request", "SSRC is already used: 2642308085."),
        ("e-ssrc-foreign", "bad-request", "SSRC is already used: 3231532065."),
        ("e-nomsid", "bad-request", "Required source parameter 'msid' is not present."),
        ("e-limit", "bad-request", "SSRC limit (20) exceeded."),
        ("e-videotype", "", ""),
        ("e-group", "", ""),
    ] {
        let (mut g, key) = Guest::in_session();
        let mut more = sources(OWN, 101);
        more.push(desktop(OWN, 150));
        g.side.j.set_local_sources(more.clone());
        let asked = g.side.drain(at(4));
        assert_eq!(actions(&asked), ["source-add"], "{id}");
        let out = g.answer(&asked, answered(ERRORS, id), at(5));
        let why = match condition {
            "" => SourceRefusal::NotAnswered,
            condition => SourceRefusal::Refused { condition, text: text.into() },
        };
        let Output::Event(Event::SourcesRefused { session, names, why: said }) = &out[0] else {
            panic!("{id}: {out:?}")
        };
        assert_eq!((*session, &names[..], said), (key, &[format!("{OWN}-v1")][..], &why), "{id}");
        assert_eq!((out.len(), g.key()), (1, key), "{id}");
        // The others go on, and it is not tried again as it is.
        more[1].encodings = vec![(160, Some(161))];
        g.side.j.set_local_sources(more);
        assert_eq!(actions(&g.side.drain(at(6))), ["source-remove", "source-add"], "{id}");
    }
    // A refused removal changes nothing: what the focus does not know it will not tell anybody of.
    let (mut g, key) = Guest::in_session();
    g.side.j.set_local_sources(Vec::new());
    let asked = g.side.drain(at(4));
    assert_eq!(actions(&asked), ["source-remove"]);
    assert!(g.answer(&asked, answered(ERRORS, "e-remove-foreign"), at(5)).is_empty());
    assert_eq!(g.key(), key);
}

#[test]
fn what_a_real_focus_says_of_a_stale_session_leads_to_another_one_or_out_of_the_room() {
    // A restart in place of a bridge session that is not current: the whole session is restarted once its path is lost.
    let (mut g, key) = Guest::in_session();
    g.side.j.request_ice_restart(key, at(1000)).unwrap();
    let asked = g.side.drain(at(1000));
    assert_eq!(actions(&asked), ["session-info"]);
    let out = g.answer(&asked, answered(ERRORS, "e-stale-ice"), at(1100));
    assert!(kinds(&out).contains(&"ice-restart-refused"));
    g.side.j.ice_failed(key, at(1200));
    assert_eq!(actions(&g.side.drain(at(1200))), ["session-terminate"]);
    // The focus holds the session for ended after any of these, though it refuses them.
    for id in ["e-stale-term", "e-noid-term"] {
        let (mut g, key) = Guest::in_session();
        g.side.j.restart_session(key, at(4)).unwrap();
        let asked = g.side.drain(at(4));
        assert_eq!(bridge_ended(&asked), Some(EndReason::Restarting));
        assert!(g.answer(&asked, answered(ERRORS, id), at(5)).is_empty());
        let out = g.wait(5 + REINVITE_WAIT.as_millis() as u64);
        assert_eq!(rejoin(&out), Some(RejoinReason::NotInvited), "{id}");
    }
    // An accept of a session that is over.
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let asked = g.focus(&offer(), at(1));
    let out = g.answer(&asked, answered(ERRORS, "e-accept2"), at(2));
    assert_eq!(bridge_ended(&out), Some(EndReason::NotAnswered));
    assert_eq!(rejoin(&g.wait(2 + REINVITE_WAIT.as_millis() as u64)), Some(RejoinReason::NotInvited));
    // The end that follows upon a failed ICE state: `moving`, and nothing after it.
    let (mut g, _) = Guest::in_session();
    let (_, _, moving) = capture(ERRORS).into_iter().find(|f| !f.1 && f.2.contains("<text>moving</text>")).unwrap();
    let d = Document::parse_with(&moving, ns::CLIENT, &Default::default()).unwrap();
    let out = g.focus(&xml(d.root().child("jingle", ns::JINGLE).unwrap()).replace("bq2drg70gdqjl", SID), at(10));
    assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "ack"]);
    assert_eq!(rejoin(&g.wait(10 + REINVITE_WAIT.as_millis() as u64)), Some(RejoinReason::NotInvited));
}
