//! The room on recorded traffic: what one client received gives the events that a program expects.

use super::tests::{Bench, jid};
use super::*;
use crate::wire::Document;

macro_rules! capture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/captures/", $name, ".txt"))
    };
}

const ROOM: &str = "room@conference.meet.localhost";
const P2P: &str = "p2p@conference.meet.localhost";

/// The frames of a client (`"A< "` received, `"A> "` sent), as they were on the wire.
fn frames<'a>(capture: &'a str, side: &'a str) -> impl Iterator<Item = &'a str> {
    capture.lines().filter_map(move |l| l.strip_prefix(side))
}

/// Gives the room what the client received: presences, messages, and answers to conference requests.
fn feed(b: &mut Bench, capture: &str, side: &str) -> Vec<RoomEvent> {
    let mut events = Vec::new();
    for frame in frames(capture, side) {
        let Ok(doc) = Document::parse_with(frame, ns::CLIENT, &Default::default()) else { continue };
        match doc.root().name() {
            "presence" => drop(b.room.on_presence(doc.root(), b.now)),
            "message" => drop(b.room.on_message(doc.root(), b.now)),
            "iq" if doc.root().child("conference", ns::FOCUS).is_some() => {
                // Ours is the newest request, whatever id the recorded one had.
                let token = b.room.next_token - 1;
                b.room.on_iq_answer(token, Ok(doc.root()), b.now);
            }
            _ => {}
        }
        events.extend(b.events());
    }
    events
}

/// A room in which we have been for a while.
fn inside(room: &str, id: &str) -> Bench {
    let mut b = Bench::at(room, id);
    b.room.start(b.now);
    let (token, _) = b.iq();
    b.answer(
        token,
        "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' ready='true' focusjid='focus@auth.meet.localhost'/></iq>",
    );
    for (nick, real) in [("focus", "focus@auth.meet.localhost/focus"), (id, "me@meet.localhost/r")] {
        occupant(&mut b, room, nick, real);
    }
    b.outputs();
    b
}

fn occupant(b: &mut Bench, room: &str, nick: &str, real: &str) {
    assert!(b.take(&format!(
        "<presence from='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item role='participant' jid='{real}'/></x></presence>"
    )));
}

fn names(events: &[RoomEvent]) -> Vec<String> {
    let name = |e: &RoomEvent| match e {
        RoomEvent::MemberJoined(m) => format!("+{}", m.display_name),
        RoomEvent::MemberUpdated(m, bits) => format!("~{} {bits}", m.display_name),
        RoomEvent::MemberLeft { member, .. } => format!("-{}", member.display_name),
        RoomEvent::Joined { role } => format!("joined {}", role.as_str()),
        RoomEvent::RoleChanged(role) => format!("role {}", role.as_str()),
        RoomEvent::Sources { endpoint_id } => format!("sources {endpoint_id}"),
        RoomEvent::Message { text, private, delayed, .. } => format!("message {text} {private} {delayed}"),
        RoomEvent::Subject(s) => format!("subject {s}"),
        RoomEvent::Focus(here) => format!("focus {here}"),
        RoomEvent::BridgeAvailable(b) => format!("bridge {b}"),
        RoomEvent::Properties(p) => format!("properties {}", p.len()),
        RoomEvent::Ended(e) => format!("ended {e:?}"),
        RoomEvent::RequestSent => "request".into(),
        RoomEvent::Ready => "ready".into(),
        RoomEvent::JoinSent => "join".into(),
        RoomEvent::Muted { kind, by } => format!("muted {kind:?} {by:?}"),
        RoomEvent::RequestDone { .. } => "done".into(),
    };
    events.iter().map(name).collect()
}

/// A stanza as its information: names, namespaces, attributes in order of name, children, text.
fn infoset(e: Element<'_>) -> String {
    let mut attrs: Vec<_> = e.attrs().collect();
    attrs.sort_unstable();
    let children: Vec<String> = e.children().map(infoset).collect();
    format!("{{{}}}{}{attrs:?}[{}]{}", e.ns(), e.name(), children.join(","), e.text())
}

#[test]
fn the_first_client_of_a_room_joins_and_becomes_moderator() {
    let mut b = Bench::at(P2P, "62c191da");
    b.room.start(b.now);
    let events = feed(&mut b, capture!("01-connect-disco-join"), "A< ");
    let want = ["request", "ready", "join", "focus true", "properties 1", "joined participant", "role moderator"];
    assert_eq!(names(&events), want);
    assert_eq!(b.room.focus_occupant(), Some(&jid("p2p@conference.meet.localhost/focus")));
    assert_eq!(b.room.own_occupant().resource(), Some("62c191da"));
}

#[test]
fn request_and_join_are_the_recorded_clients() {
    for (capture, side, room, id) in [
        (capture!("01-connect-disco-join"), "A> ", P2P, "62c191da"),
        (capture!("50-real-jicofo-request-join"), "A> ", "real@conference.meet.localhost", "7759b137"),
        (capture!("50-real-jicofo-request-join"), "B> ", "real@conference.meet.localhost", "560b777f"),
    ] {
        let sent: Vec<Document> = frames(capture, side).filter_map(|f| Document::parse(f).ok()).collect();
        let request = sent.iter().find_map(|d| d.root().child("conference", ns::FOCUS)).unwrap();
        let join = sent.iter().find(|d| d.root().name() == "presence").unwrap().root();
        let mut b = Bench::at(room, id);
        b.room.config.machine_uid = request.attr("machine-uid").unwrap().into();
        b.room.config.stats_id = join.children().find(|e| e.name() == "stats-id").unwrap().text().into();
        b.room.config.display_name = join.child("nick", ns::NICK).map(|n| n.text().into_owned()).unwrap_or_default();
        b.room.config.codecs = ["av1", "vp9", "vp8", "h264"].map(str::to_owned).into();
        b.room.presence = PresenceOut::default();
        b.room.fill_presence();
        b.room.start(b.now);
        let (token, payload) = b.iq();
        assert_eq!(infoset(Document::parse(&payload).unwrap().root()), infoset(request), "{side}{id}");
        let received = side.replace('>', "<");
        let answer = frames(capture, &received).find(|f| f.contains("<conference ")).unwrap();
        b.answer(token, answer);
        // The hash differs with the features announced: it alone.
        let ours = b.sent().remove(0);
        let ver = disco::Info { features: b.room.config.features.clone(), ..disco::Info::default() }.ver();
        let ours = ours.replace(&ver, join.child("c", ns::CAPS).unwrap().attr("ver").unwrap());
        assert_eq!(infoset(Document::parse(&ours).unwrap().root()), infoset(join), "{side}{id}");
    }
}

#[test]
fn the_second_client_sees_the_first_and_is_seen_with_its_sources() {
    let capture = capture!("02-second-participant-join");
    let mut b = Bench::at(P2P, "83bcb962");
    b.room.start(b.now);
    let events = names(&feed(&mut b, capture, "B< "));
    let at = |what: &str| events.iter().position(|e| e == what).unwrap_or_else(|| panic!("{what}: {events:?}"));
    assert!(at("+Alice") < at("joined participant"));
    let mut a = inside(P2P, "62c191da");
    let events = names(&feed(&mut a, capture, "A< "));
    assert_eq!(events.first().map(String::as_str), Some("+Bob"));
    assert!(events.contains(&"sources 83bcb962".to_owned()));
    let state = a.room.source_state("83bcb962", "83bcb962-v0");
    assert_eq!(state, Some(SourceState { muted: false, desktop: false }));
    assert_eq!(a.room.member("83bcb962").unwrap().codecs, ["av1", "vp9", "vp8", "h264"]);
}

#[test]
fn mute_and_unmute_are_followed() {
    let mut a = inside(P2P, "62c191da");
    let mut states = Vec::new();
    for frame in frames(capture!("04-mute-presence"), "A< ").filter(|f| f.starts_with("<presence")) {
        assert!(a.take(frame));
        assert!(a.events().iter().any(|e| matches!(e, RoomEvent::Sources { .. })));
        let muted = |n: &str| a.room.source_state("83bcb962", n).unwrap().muted;
        states.push((muted("83bcb962-a0"), muted("83bcb962-v0")));
    }
    assert_eq!(states, [(false, true), (false, false), (true, false), (false, false)]);
}

#[test]
fn subject_name_and_hand_are_told_once_each() {
    let mut a = inside(ROOM, "fad8414b");
    let events = names(&feed(&mut a, capture!("07-subject-name-hand-command"), "A< "));
    // Bob is new to this room machine; then his hand goes down.
    assert_eq!(events, ["subject Weekly sync", "role moderator", "+Bob", "~Bob 16"]);
    assert_eq!(a.room.member("4c158717").unwrap().raised_hand, "");
    let mut b = inside(ROOM, "4c158717");
    let events = names(&feed(&mut b, capture!("07-subject-name-hand-command"), "B< "));
    assert_eq!(events.first().map(String::as_str), Some("subject Weekly sync"));
    assert!(events.contains(&"+Alice Cooper".to_owned()), "{events:?}");
}

#[test]
fn of_chat_reactions_and_json_only_texts_are_messages() {
    let capture = capture!("08-chat-reaction-private-retract-endpoint");
    let mut b = inside(ROOM, "4c158717");
    assert_eq!(names(&feed(&mut b, capture, "B< ")), ["message Hello everyone & welcome <3 false false"]);
    // The sender's own reflections are none, and the private text is for it.
    let mut a = inside(ROOM, "fad8414b");
    assert_eq!(names(&feed(&mut a, capture, "A< ")), ["message secret hello true false"]);
}

#[test]
fn a_late_joiner_gets_history_and_subject() {
    let mut c = Bench::at(ROOM, "d8d6e1ca");
    c.room.start(c.now);
    let events = feed(&mut c, capture!("15-late-join-history"), "C< ");
    let text = names(&events);
    assert!(text.contains(&"message Hello everyone & welcome <3 false true".to_owned()), "{text:?}");
    assert!(text.contains(&"subject Weekly sync".to_owned()));
    let sent = events.iter().find_map(|e| match e {
        RoomEvent::Message { sent_ms, display_name, .. } => Some((*sent_ms, display_name.as_str())),
        _ => None,
    });
    assert_eq!(sent, Some((1_795_463_032_000, "Alice Cooper")));
    assert_eq!(c.room.members().count(), 2);
}

#[test]
fn a_locked_room_asks_for_its_password_and_takes_it() {
    let capture = capture!("17-room-password");
    let mut d = Bench::at(ROOM, "7cd3e8c2");
    d.room.start(d.now);
    let (token, _) = d.iq();
    let ready = "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' ready='true' focusjid='focus@auth.meet.localhost'/></iq>";
    d.answer(token, ready);
    d.outputs();
    let events = feed(&mut d, capture, "D< ");
    assert_eq!(events, [RoomEvent::Ended(Some(RoomError::PasswordRequired { text: String::new() }))]);
    let mut d = Bench::at(ROOM, "7cd3e8c2");
    d.room.config.password = "s3cret".into();
    d.room.start(d.now);
    let (token, _) = d.iq();
    d.answer(token, ready);
    assert!(d.sent()[0].contains("<password>s3cret</password>"));
    for frame in frames(capture, "D< ").filter(|f| !f.contains("type='error'")) {
        if frame.starts_with("<presence") {
            assert!(d.take(frame));
        }
    }
    let events = names(&d.events());
    assert_eq!(events[..4], ["+Bob", "sources 4c158717", "+Alice Cooper", "+Carol"]);
    assert!(events.contains(&"joined participant".to_owned()) && events.contains(&"focus true".to_owned()));
}

#[test]
fn a_kick_and_the_end_for_all_are_told_from_both_sides() {
    let capture = capture!("18-kick-and-end-conference");
    let mut d = inside(ROOM, "7cd3e8c2");
    let kicked = RoomError::Kicked { by: "fad8414b".into(), reason: "Bye".into() };
    assert_eq!(feed(&mut d, capture, "D< "), [RoomEvent::Ended(Some(kicked))]);
    let mut b = inside(ROOM, "4c158717");
    occupant(&mut b, ROOM, "7cd3e8c2", "d@x/r");
    b.events();
    let events = feed(&mut b, capture, "B< ");
    let destroyed = RoomError::Destroyed { alternative: None, reason: "The meeting has been terminated".into() };
    assert!(
        matches!(&events[..], [
            RoomEvent::MemberLeft { kicked: true, vanished: false, reason, .. },
            RoomEvent::Ended(Some(e)),
        ] if reason == "Bye" && *e == destroyed),
        "{events:?}"
    );
}

#[test]
fn a_plain_server_and_a_real_focus_do_as_well() {
    for (capture, room, id) in [
        (capture!("41-plain-prosody-connect-join"), "n88734@conference.meet.localhost", "a5bb2778"),
        (capture!("50-real-jicofo-request-join"), "real@conference.meet.localhost", "7759b137"),
    ] {
        let mut a = Bench::at(room, id);
        a.room.start(a.now);
        let events = names(&feed(&mut a, capture, "A< "));
        let order = ["ready", "focus true", "joined participant", "role moderator"];
        let at: Vec<_> = order.iter().map(|w| events.iter().position(|e| e == w)).collect();
        assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{events:?}");
        assert_eq!(a.room.members().count(), 1, "{events:?}");
        assert!(!events.iter().any(|e| e.starts_with("ended")));
    }
}

#[test]
fn of_two_that_join_a_real_meeting_each_sees_the_other_and_the_focus_once() {
    let (capture, room) = (capture!("50-real-jicofo-request-join"), "real@conference.meet.localhost");
    let mut b = Bench::at(room, "560b777f");
    b.room.start(b.now);
    let events = names(&feed(&mut b, capture, "B< "));
    let members: Vec<&String> = events.iter().filter(|e| e.starts_with(['+', '-'])).collect();
    assert_eq!((members.len(), b.room.members().count()), (1, 1), "{events:?}");
    assert!(events.iter().position(|e| e.starts_with('+')) < events.iter().position(|e| e == "joined participant"));
    assert_eq!(events.iter().filter(|e| e.starts_with("focus")).count(), 1, "{events:?}");
    // The one that was there first is owner; the second has no role of its own.
    assert!(!events.iter().any(|e| e.starts_with("role")), "{events:?}");
    assert_eq!(b.room.member("7759b137").unwrap().codecs, ["av1", "vp9", "vp8", "h264"]);
}

#[test]
fn a_request_that_a_real_focus_leaves_unanswered_is_over_in_the_end() {
    // Requests e-conf and e-conf2 of the capture have no answer: the iq times out each time.
    let capture = capture!("61-real-jicofo-errors");
    assert!(frames(capture, "A> ").any(|f| f.contains("id=\"e-conf\"")));
    assert!(!frames(capture, "A< ").any(|f| f.contains("id='e-conf'")));
    let mut b = Bench::at("x@conference.other.localhost", "0a0a0a0a");
    b.room.start(b.now);
    for _ in 0..MAX_UNAVAILABLE_RETRIES {
        let (token, _) = b.iq();
        b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now);
        b.now = b.room.next_deadline().unwrap();
        b.room.handle_timeout(b.now);
    }
    let (token, _) = b.iq();
    b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now);
    assert_eq!(b.events(), [RoomEvent::Ended(Some(RoomError::RequestTimeout))]);
}

#[test]
fn a_focus_that_was_killed_is_asked_back_and_the_stay_goes_on() {
    let room = "realerr@conference.meet.localhost";
    let mut a = inside(room, "72e0ac2d");
    let capture = capture!("62-real-jicofo-killed");
    let mut presences =
        frames(capture, "A< ").filter(|f| f.contains(&format!("from='{room}/focus'")) && f.starts_with("<presence"));
    assert!(a.take(presences.next().unwrap()));
    assert_eq!(a.events(), [RoomEvent::Focus(false)]);
    a.now = a.room.next_deadline().unwrap();
    a.room.handle_timeout(a.now);
    let (token, request) = a.iq();
    assert!(request.contains(room));
    for presence in presences {
        assert!(a.take(presence));
    }
    let answer = frames(capture, "A< ").find(|f| f.contains("<conference ")).unwrap();
    a.answer(token, answer);
    // Two maps of properties: at first without, then with the bridge count.
    assert_eq!(names(&a.events()), ["focus true", "properties 1", "properties 2"]);
    assert_eq!(a.room.next_deadline(), None);
}

#[test]
fn a_participant_that_vanishes_is_told_as_such() {
    let room = "realcrash@conference.meet.localhost";
    let mut a = inside(room, "85405e61");
    occupant(&mut a, room, "7b25c1c3", "b@x/r");
    a.events();
    let events = feed(&mut a, capture!("64-real-participant-vanishes"), "A< ");
    assert!(
        matches!(&events[..], [RoomEvent::MemberLeft { vanished: true, kicked: false, reason, .. }]
            if reason == "Kicked: recipient unavailable"),
        "{events:?}"
    );
}

#[test]
fn no_recorded_frame_upsets_a_room_that_it_is_not_for() {
    for capture in [
        capture!("01-connect-disco-join"),
        capture!("06-p2p-terminate-restart-leave"),
        capture!("19-lobby"),
        capture!("20-breakout-rooms"),
        capture!("26-visitor-redirect"),
        capture!("50-real-jicofo-request-join"),
    ] {
        let mut b = inside("elsewhere@conference.meet.localhost", "0a0a0a0a");
        for line in capture.lines().filter(|l| l.get(1..3) == Some("< ")) {
            let Ok(doc) = Document::parse_with(&line[3..], ns::CLIENT, &Default::default()) else { continue };
            assert!(!b.room.on_presence(doc.root(), b.now) && !b.room.on_message(doc.root(), b.now), "{line}");
        }
        assert_eq!(b.outputs(), []);
    }
}

#[test]
fn real_mutes_are_heard_as_they_were_and_asked_for_in_the_same_words() {
    use crate::wire::mute::MuteKind;
    let capture = capture!("63-real-mute-moderation");
    let muted = |room: &str, id: &str, side: &str| {
        let mut b = inside(room, id);
        for frame in
            frames(capture, side).filter(|f| f.starts_with("<iq ") && f.contains(&format!("from='{room}/focus'")))
        {
            let doc = Document::parse_with(frame, ns::CLIENT, &Default::default()).unwrap();
            b.room.on_iq(doc.root());
        }
        let event = |e| if let RoomEvent::Muted { kind, by } = e { Some((kind, by)) } else { None };
        b.events().into_iter().filter_map(event).collect::<Vec<_>>()
    };
    let by = || Some("7759b137".to_owned());
    let told = muted("real@conference.meet.localhost", "1584f74e", "C< ");
    assert_eq!(told, [(MuteKind::Audio, by()), (MuteKind::Camera, by())]);
    // The room is moderated from now on: by nobody in particular.
    assert_eq!(muted("realavm@conference.meet.localhost", "d1f3ba3f", "B< ").first(), Some(&(MuteKind::Audio, None)));
    let sent = frames(capture, "A> ").find(|f| f.contains("<mute ")).unwrap();
    let sent = Document::parse_with(sent, ns::CLIENT, &Default::default()).unwrap();
    let mut b = inside("real@conference.meet.localhost", "7759b137");
    occupant(&mut b, "real@conference.meet.localhost", "1584f74e", "c@meet.localhost/r");
    b.outputs();
    b.room.ask_mute("1584f74e", MuteKind::Audio, true, 1);
    let (_, ours) = b.iq();
    let ours = Document::parse_with(&ours, ns::CLIENT, &Default::default()).unwrap();
    assert_eq!(Some(infoset(ours.root())), sent.root().children().next().map(infoset));
}
