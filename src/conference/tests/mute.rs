//! Mute requests: who is asked, who is heard, and what every answer means.

use super::*;
use crate::wire::mute::MuteKind;

const BOB: &str = "0b0b0b0b";

impl Bench {
    fn iq_in(&mut self, from: &str, payload: &str) -> bool {
        let text = format!("<iq type='set' id='m1' from='{from}' to='me@x/1'>{payload}</iq>");
        let doc = Document::parse_with(&text, ns::CLIENT, &Default::default()).unwrap();
        self.room.on_iq(doc.root())
    }

    fn in_meeting() -> Bench {
        let mut b = Bench::joined();
        b.member(BOB);
        b.outputs();
        b
    }
}

fn mute(kind: &str, actor: &str, text: &str) -> String {
    format!("<mute xmlns='http://jitsi.org/jitmeet/{kind}'{actor}>{text}</mute>")
}

#[test]
fn the_focus_is_asked_and_its_answer_completes_the_request() {
    let mut b = Bench::in_meeting();
    b.room.ask_mute(BOB, MuteKind::Camera, true, 1);
    let sent = b.outputs();
    let RoomOutput::SendIq { token, text_payload, to, kind: IqKind::Set, .. } = &sent[0] else { panic!("{sent:?}") };
    assert_eq!(to.as_str(), "r@c.x/focus");
    assert_eq!(text_payload, &mute("video", &format!(" jid='r@c.x/{BOB}'"), "true"));
    b.answer(*token, "<iq type='result'/>");
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 1, error: None }]);
    // Ourselves, to be heard again.
    b.room.ask_mute(ME, MuteKind::Audio, false, 2);
    let (token, payload) = b.iq();
    assert_eq!(payload, mute("audio", &format!(" jid='r@c.x/{ME}'"), "false"));
    b.answer(token, "<iq type='result'/>");
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 2, error: None }]);
}

#[test]
fn every_refusal_of_a_mute_request_has_its_own_code() {
    use crate::error::Code;
    let mut b = Bench::in_meeting();
    let refused = |condition| Err(IqFailure::Refused(StanzaError::new(condition)));
    for (answer, code) in [
        (refused(Condition::NotAllowed), Code::NotAllowed),
        (refused(Condition::Forbidden), Code::NotAllowed),
        (refused(Condition::InternalServerError), Code::Request),
        (Err(IqFailure::Timeout), Code::RequestTimeout),
        (Err(IqFailure::Disconnected), Code::RequestTimeout),
    ] {
        b.room.ask_mute(BOB, MuteKind::Audio, true, 1);
        let (token, _) = b.iq();
        b.room.on_iq_answer(token, answer, b.now);
        let events = b.events();
        let [RoomEvent::RequestDone { request: 1, error: Some(e) }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(e.to_error().code, code);
    }
    let error = |b: &mut Bench| match b.events().pop() {
        Some(RoomEvent::RequestDone { error: Some(e), .. }) => e,
        other => panic!("{other:?}"),
    };
    b.room.ask_mute("0c0c0c0c", MuteKind::Audio, true, 2);
    assert_eq!(error(&mut b), RoomError::NoSuchParticipant);
    b.typed("unavailable", "focus", "<item affiliation='owner' role='none'/>", "");
    b.outputs();
    b.room.ask_mute(BOB, MuteKind::Audio, true, 3);
    assert_eq!((error(&mut b), RoomError::NoFocus.to_error().code), (RoomError::NoFocus, Code::State));
    let mut b = Bench::joining();
    b.outputs();
    b.room.ask_mute(BOB, MuteKind::Audio, true, 4);
    assert_eq!(error(&mut b), RoomError::NotJoined);
}

#[test]
fn mute_requests_are_bounded_and_end_with_the_room() {
    let mut b = Bench::in_meeting();
    for n in 0..MAX_PENDING_MUTES {
        b.room.ask_mute(BOB, MuteKind::Audio, true, n as u64);
    }
    assert!(b.events().is_empty());
    b.room.ask_mute(BOB, MuteKind::Audio, true, 9999);
    assert_eq!(b.events(), [RoomEvent::RequestDone { request: 9999, error: Some(RoomError::TooManyRequests) }]);
    b.room.leave(b.now);
    b.jump();
    let cancelled = b.events();
    let all =
        cancelled.iter().filter(|e| matches!(e, RoomEvent::RequestDone { error: Some(RoomError::Cancelled), .. }));
    assert_eq!(all.count(), MAX_PENDING_MUTES);
    assert_eq!(cancelled.last(), Some(&RoomEvent::Ended(None)));
}

#[test]
fn only_the_focus_mutes_us_and_nobody_makes_us_speak() {
    let mut b = Bench::in_meeting();
    let by_bob = format!(" actor='r@c.x/{BOB}'");
    for (kind, name) in [(MuteKind::Audio, "audio"), (MuteKind::Camera, "video"), (MuteKind::Desktop, "desktop")] {
        for (actor, by) in [(by_bob.as_str(), Some(BOB.to_owned())), ("", None), (" actor='other@c.x/aa'", None)] {
            assert!(b.iq_in("r@c.x/focus", &mute(name, actor, "true")));
            let out = b.outputs();
            let [RoomOutput::Send(answer), RoomOutput::Event(event)] = &out[..] else { panic!("{out:?}") };
            assert!(
                answer.contains("type='result'") && answer.contains("to='r@c.x/focus'") && answer.contains("id='m1'")
            );
            assert_eq!(event, &RoomEvent::Muted { kind, by });
        }
    }
    for (from, payload) in [
        ("r@c.x/0b0b0b0b", mute("audio", "", "true")),
        ("r@c.x/0d0d0d0d", mute("audio", "", "true")),
        ("focus@auth.x/focus", mute("audio", "", "true")),
        ("r@c.x/focus", mute("smell", "", "true")),
    ] {
        assert!(!b.iq_in(from, &payload), "{from} {payload}");
        assert_eq!(b.outputs(), []);
    }
    for text in ["false", "", "yes"] {
        assert!(b.iq_in("r@c.x/focus", &mute("audio", &by_bob, text)));
        assert_eq!(b.events(), []);
    }
    let mut b = Bench::joining();
    b.outputs();
    assert!(!b.iq_in("r@c.x/focus", &mute("audio", "", "true")));
}
