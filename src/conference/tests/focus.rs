//! Who the focus is, whether it is there, and what it says of the bridge.

use super::*;

#[test]
fn an_impostor_named_focus_is_neither_focus_nor_member() {
    let mut b = Bench::joined();
    assert!(b.room.is_focus(&jid("r@c.x/focus")));
    b.presence("focus2", &item("focus@auth.x.evil/focus", "moderator"), PROPERTIES);
    assert!(matches!(&b.events()[..], [RoomEvent::MemberJoined(_)]));
    assert!(!b.room.is_focus(&jid("r@c.x/focus2")));
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    assert_eq!(b.events(), [RoomEvent::Focus(false)]);
    b.presence("focus", &item("eve@x/focus", "moderator"), PROPERTIES);
    assert_eq!(b.events(), []);
    assert!(!b.room.is_focus(&jid("r@c.x/focus")) && b.room.member("focus").is_none());
    assert!(!b.room.is_focus(&jid("other@c.x/focus")));
}

const PROPERTIES: &str = "<conference-properties xmlns='http://jitsi.org/protocol/focus'><property key='k' value='v'/></conference-properties>";

#[test]
fn trust_is_judged_again_at_each_presence() {
    let mut b = Bench::joined();
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    // At first without a real address: a member; then the focus; then not any more.
    b.presence("abc", "<item role='moderator'/>", "");
    b.presence("abc", &item(FOCUS_REAL, "moderator"), PROPERTIES);
    b.presence("abc", "<item role='moderator'/>", "");
    b.presence("abc", &item("eve@x/r", "moderator"), "");
    let events = b.events();
    assert!(
        matches!(&events[..], [
            RoomEvent::Focus(false),
            RoomEvent::MemberJoined(_),
            RoomEvent::MemberLeft { .. },
            RoomEvent::Focus(true),
            RoomEvent::Properties(p),
            RoomEvent::MemberJoined(_),
            RoomEvent::Focus(false),
        ] if p.len() == 1),
        "{events:?}"
    );
}

#[test]
fn a_missing_focus_is_asked_for_within_the_budget_and_the_stay_goes_on() {
    let mut b = Bench::joined();
    b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
    b.outputs();
    let first = b.jump();
    assert!(first >= Duration::from_millis(500) && first <= FOCUS_LOST_JITTER + Duration::from_millis(500));
    let mut pauses = Vec::new();
    for i in 0..8 {
        let (token, _) = b.iq();
        match i % 3 {
            0 => b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now),
            1 => b.refuse(token, "auth", "not-authorized", ""),
            _ => b.conference(token, "ready='true' vnode='v1'"),
        }
        assert_eq!(b.outputs(), []);
        pauses.push(b.jump().as_secs());
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 120, 120]);
    b.outputs();
    b.focus();
    assert_eq!(b.events(), [RoomEvent::Focus(true)]);
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_flapping_focus_does_not_break_the_request_budget() {
    let mut b = Bench::joined();
    let (mut requests, start) = (1, b.now);
    while b.now.since(start) < Duration::from_secs(55) {
        b.typed("unavailable", "focus", &item(FOCUS_REAL, "none"), "");
        b.jump();
        requests += b.events().iter().filter(|e| **e == RoomEvent::RequestSent).count();
        b.focus();
        b.outputs();
    }
    assert_eq!(requests, REQUESTS_PER_MINUTE);
}

#[test]
fn whether_there_is_a_bridge_is_a_state_that_the_focus_alone_sets() {
    let mut b = Bench::joined();
    b.focus();
    b.member("0b0b0b0b");
    b.events();
    let none = "<bridgeNotAvailable xmlns='http://jitsi.org/protocol/focus'/>";
    b.presence("0b0b0b0b", &item("0b0b0b0b-u@x/res", "participant"), none);
    assert_eq!(b.events(), []);
    let focus = item(FOCUS_REAL, "moderator");
    b.presence("focus", &focus, none);
    b.presence("focus", &focus, none);
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(false)]);
    assert!(!b.room.bridge_available());
    b.presence("focus", &focus, "");
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(true)]);
    // It goes while there is none: the next one says it anew.
    b.presence("focus", &focus, none);
    b.events();
    b.typed("unavailable", "focus", &focus, "");
    assert_eq!(b.events(), [RoomEvent::BridgeAvailable(true), RoomEvent::Focus(false)]);
}
