//! The focus without a bridge: requests, rooms, owners, mutes.

use super::*;
use crate::env::Env;

const ROOM: &str = "r@conference.meet.localhost";

fn focus() -> Focus {
    Focus::new(FocusOptions::new("focus.meet.localhost"), Env::seeded(1)).unwrap()
}

fn at(s: u64) -> Time {
    Time::new(s * 1_000_000, 0)
}

fn drain(f: &mut Focus) -> Vec<String> {
    std::iter::from_fn(|| f.poll_output()).collect()
}

fn request(f: &mut Focus, id: &str, now: Time) -> Vec<String> {
    f.handle_text(
        &format!(
            "<iq type='set' from='a@meet.localhost/1' to='focus.meet.localhost' id='{id}'>\
             <conference xmlns='http://jitsi.org/protocol/focus' room='{ROOM}'/></iq>"
        ),
        now,
    );
    drain(f)
}

fn presence(f: &mut Focus, nick: &str, item: &str, kind: &str, now: Time) -> Vec<String> {
    f.handle_text(
        &format!(
            "<presence from='{ROOM}/{nick}' {kind}><x xmlns='http://jabber.org/protocol/muc#user'><item {item}/></x></presence>"
        ),
        now,
    );
    drain(f)
}

fn ready(f: &mut Focus) {
    assert_eq!(request(f, "1", at(0)).len(), 1);
    let form = presence(f, "focus", "role='moderator' affiliation='owner'", "", at(0));
    let id = Document::parse(&form[0]).unwrap().root().attr("id").unwrap().to_owned();
    f.handle_text(&format!("<iq type='result' from='{ROOM}' id='{id}'/>"), at(0));
    let answer = drain(f);
    assert!(answer[0].contains("ready='true'") && answer[0].contains("focusjid='focus@focus.meet.localhost'"));
}

#[test]
fn the_room_is_joined_and_configured_before_the_answer() {
    let mut f = focus();
    let join = request(&mut f, "1", at(0));
    assert!(join[0].starts_with("<presence") && join[0].contains(&format!("to='{ROOM}/focus'")));
    assert!(request(&mut f, "2", at(0)).is_empty());
    let form = presence(&mut f, "focus", "role='moderator'", "", at(0));
    assert!(form[0].contains("muc#roomconfig_whois"));
    f.handle_text(&format!("<iq type='result' from='{ROOM}' id='config-1'/>"), at(0));
    let answers = drain(&mut f);
    assert_eq!(answers.len(), 2);
    assert!(answers[0].contains("id='1'") && answers[1].contains("id='2'"));
    assert!(request(&mut f, "3", at(1))[0].contains("ready='true'"));
}

#[test]
fn the_first_participant_becomes_owner_and_another_when_it_leaves() {
    let mut f = focus();
    ready(&mut f);
    let grant = presence(&mut f, "aaaa0000", "role='participant' jid='a@meet.localhost/1'", "", at(1));
    assert!(grant[0].contains("affiliation='owner' jid='a@meet.localhost'"));
    assert!(presence(&mut f, "bbbb0000", "role='participant' jid='b@meet.localhost/1'", "", at(1)).is_empty());
    assert!(presence(&mut f, "aaaa0000", "role='moderator' jid='a@meet.localhost/1'", "", at(1)).is_empty());
    let grant = presence(&mut f, "aaaa0000", "role='none'", "type='unavailable'", at(2));
    assert!(grant[0].contains("jid='b@meet.localhost'"));
    let leave = presence(&mut f, "bbbb0000", "role='none'", "type='unavailable'", at(3));
    assert!(leave[0].contains("type='unavailable'"));
    assert_eq!(request(&mut f, "9", at(4)).len(), 1, "a new request makes the room anew");
}

#[test]
fn an_empty_room_is_left_after_the_initial_timeout() {
    let mut f = focus();
    ready(&mut f);
    let due = f.next_deadline().unwrap();
    assert_eq!(due, at(0) + INITIAL_TIMEOUT);
    f.handle_timeout(at(14));
    assert!(drain(&mut f).is_empty());
    f.handle_timeout(due);
    assert!(drain(&mut f)[0].contains("unavailable"));
    assert_eq!(f.next_deadline(), None);
}

#[test]
fn only_a_moderator_mutes_others_and_the_target_is_told() {
    let mut f = focus();
    ready(&mut f);
    presence(&mut f, "aaaa0000", "role='moderator' jid='a@meet.localhost/1'", "", at(1));
    presence(&mut f, "bbbb0000", "role='participant' jid='b@meet.localhost/1'", "", at(1));
    let mut mute = |from: &str, target: &str, text: &str| {
        f.handle_text(
            &format!(
                "<iq type='set' id='m' from='{ROOM}/{from}' to='focus@focus.meet.localhost/focus'>\
                 <mute xmlns='http://jitsi.org/jitmeet/audio' jid='{ROOM}/{target}'>{text}</mute></iq>"
            ),
            at(2),
        );
        drain(&mut f)
    };
    let out = mute("aaaa0000", "bbbb0000", "true");
    assert!(out[0].contains(&format!("to='{ROOM}/bbbb0000'")) && out[0].contains(&format!("actor='{ROOM}/aaaa0000'")));
    assert!(out[1].contains("type='result'"));
    assert!(mute("bbbb0000", "aaaa0000", "true")[0].contains("not-allowed"));
    assert!(mute("aaaa0000", "bbbb0000", "false")[0].contains("not-allowed"));
    assert_eq!(mute("bbbb0000", "bbbb0000", "false").len(), 1);
    assert!(mute("aaaa0000", "cccc0000", "true")[0].contains("internal-server-error"));
    assert!(mute("aaaa0000", "bbbb0000", "")[0].contains("bad-request"));
}

#[test]
fn refusals_are_what_they_say_and_not_ready_ends() {
    let mut f = focus();
    f.refuse(Some(Refusal::NotReady(2)));
    assert!(request(&mut f, "1", at(0))[0].contains("ready='false'"));
    assert!(request(&mut f, "2", at(0))[0].contains("ready='false'"));
    assert!(request(&mut f, "3", at(0))[0].starts_with("<presence"));
    for (refusal, sign) in [
        (Refusal::Condition("not-authorized".into()), "not-authorized"),
        (Refusal::SessionInvalid(1), "session-invalid"),
        (Refusal::Reservation { code: 409, text: "nope".into() }, "error-code='409'"),
        (Refusal::NotLive, "name='live' value='false'"),
        (Refusal::Redirect { vnode: "v1".into() }, "vnode='v1'"),
    ] {
        f.refuse(Some(refusal));
        assert!(request(&mut f, "4", at(0))[0].contains(sign), "{sign}");
    }
    f.refuse(Some(Refusal::Silent));
    assert!(request(&mut f, "5", at(0)).is_empty());
}

#[test]
fn rooms_are_bounded() {
    let mut f = focus();
    for i in 0..=MAX_ROOMS {
        f.handle_text(
            &format!(
                "<iq type='set' from='a@b/1' to='focus.meet.localhost' id='{i}'>\
                 <conference xmlns='http://jitsi.org/protocol/focus' room='r{i}@c'/></iq>"
            ),
            at(0),
        );
    }
    let out = drain(&mut f);
    assert!(out[MAX_ROOMS - 1].starts_with("<presence"));
    assert!(out[MAX_ROOMS].contains("resource-constraint"));
}
