//! Leaving, and being put out.

use super::*;

#[test]
fn leaving_is_confirmed_or_times_out() {
    let mut b = Bench::joined();
    b.room.leave(b.now);
    b.room.leave(b.now);
    assert_eq!(b.sent(), ["<presence xmlns='jabber:client' type='unavailable' to='r@c.x/0a0a0a0a'/>"]);
    b.typed("unavailable", ME, "<item role='none'/><status code='110'/>", "");
    assert_eq!(b.events(), [RoomEvent::Ended(None)]);
    let mut b = Bench::joined();
    b.room.leave(b.now);
    b.outputs();
    assert_eq!(b.jump(), LEAVE_TIMEOUT);
    assert_eq!(b.events(), [RoomEvent::Ended(None)]);
    let mut b = Bench::new();
    b.room.start(b.now);
    b.outputs();
    b.room.leave(b.now);
    assert_eq!(b.outputs(), [RoomOutput::Event(RoomEvent::Ended(None))]);
    let mut b = Bench::joining();
    b.outputs();
    b.room.leave(b.now);
    let out = b.outputs();
    assert!(
        matches!(&out[..], [RoomOutput::Send(s), RoomOutput::Event(RoomEvent::Ended(None))] if s.contains("unavailable"))
    );
}

#[test]
fn being_put_out_ends_with_who_and_why() {
    let ended = |user: &str, more: &str| {
        let mut b = Bench::joined();
        b.typed("unavailable", ME, user, more);
        b.ended()
    };
    let kick =
        "<item role='none'><actor nick='0b0b0b0b'/><reason>bye</reason></item><status code='307'/><status code='110'/>";
    assert_eq!(ended(kick, ""), Some(RoomError::Kicked { by: "0b0b0b0b".into(), reason: "bye".into() }));
    let destroy = "<item role='none'/><destroy jid='new@c.x'><reason>over</reason></destroy>";
    let want = RoomError::Destroyed { alternative: Some(jid("new@c.x")), reason: "over".into() };
    assert_eq!(ended(destroy, ""), Some(want));
    for status in [301, 321, 322, 332, 333] {
        let user = format!("<item role='none'/><status code='110'/><status code='{status}'/>");
        let want = RoomError::Removed { status, reason: "t".into() };
        assert_eq!(ended(&user, "<status>t</status>"), Some(want));
    }
    assert_eq!(ended("<item role='none'/>", ""), Some(RoomError::Removed { status: 0, reason: String::new() }));
}

#[test]
fn a_destroy_in_the_presence_of_another_does_not_end_our_stay() {
    let mut b = Bench::joined();
    b.member("0b0b0b0b");
    b.events();
    b.typed("unavailable", "0b0b0b0b", "<item role='none'/><destroy/>", "");
    assert!(matches!(&b.events()[..], [RoomEvent::MemberLeft { .. }]));
    b.typed("unavailable", ME, "<item/>", "<ignore xmlns='http://jitsi.org/jitmeet/'/>");
    assert_eq!(b.events(), []);
}

#[test]
fn a_room_that_forgot_us_ends_the_stay_and_other_errors_do_not() {
    let mut b = Bench::joined();
    b.join_error("policy-violation", "");
    assert_eq!(b.events(), []);
    b.join_error("item-not-found", "");
    assert!(matches!(b.ended(), Some(RoomError::Removed { status: 0, .. })));
}

#[test]
fn nothing_follows_the_end_whatever_is_answered_late() {
    let gone = "<item role='none'/><status code='110'/>";
    // The focus is missing and asked for; its answer names another focus, who is here, after we left.
    let mut b = Bench::joined();
    b.presence("0c0c0c0c", &item("focus@other.x/focus", "moderator"), "");
    b.typed("unavailable", "focus", "<item role='none'/>", "");
    b.outputs();
    b.jump();
    let (token, _) = b.iq();
    b.room.leave(b.now);
    b.typed("unavailable", ME, gone, "");
    assert_eq!(b.ended(), None);
    b.answer(
        token,
        "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' focusjid='focus@other.x' ready='true'/></iq>",
    );
    assert_eq!(b.outputs(), []);
    // The form of a room that we created.
    let mut b = Bench::joining();
    b.focus();
    b.outputs();
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/><status code='201'/>", "");
    let (token, _) = b.iq();
    b.room.leave(b.now);
    b.typed("unavailable", ME, gone, "");
    assert_eq!(b.ended(), None);
    b.answer(
        token,
        "<iq type='result'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'>\
         <field var='muc#roomconfig_whois'/></x></query></iq>",
    );
    assert_eq!(b.outputs(), []);
}
