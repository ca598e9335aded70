//! Who is in the room, and what is seen of them.

use super::*;

#[test]
fn presence_and_messages_of_other_rooms_are_refused() {
    let mut b = Bench::joined();
    for from in ["r@c.evil/0b0b0b0b", "other@c.x/0b0b0b0b", "x@r@c.x", ""] {
        assert!(!b.take(&format!("<presence from='{from}'/>")), "{from}");
        assert!(!b.take(&format!("<message from='{from}' type='groupchat'><body>x</body></message>")), "{from}");
    }
    assert!(!b.take("<presence/>"));
    assert_eq!(b.outputs(), []);
}

#[test]
fn a_member_is_followed_from_coming_to_going() {
    let mut b = Bench::joined();
    let it = item("b@x/r", "participant");
    let info = "<SourceInfo>{\"0b0b0b0b-a0\":{\"muted\":true},\"0c0c0c0c-a0\":{\"muted\":true}}</SourceInfo>";
    let nick = "<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick>";
    b.presence("0b0b0b0b", &it, &format!("{nick}{info}"));
    let events = b.events();
    assert!(matches!(&events[..], [RoomEvent::MemberJoined(m), RoomEvent::Sources { .. }] if m.display_name == "Bob"));
    assert_eq!(b.room.source_state("0b0b0b0b", "0b0b0b0b-a0"), Some(SourceState { muted: true, desktop: false }));
    assert_eq!(b.room.source_state("0b0b0b0b", "0c0c0c0c-a0"), None);
    b.presence("0b0b0b0b", &it, &format!("{nick}{info}"));
    assert_eq!(b.events(), []);
    let hand = "<jitsi_participant_raisedHand>17</jitsi_participant_raisedHand>";
    b.presence("0b0b0b0b", &item("b@x/r", "moderator"), &format!("{nick}{info}{hand}<status>away</status>"));
    let events = b.events();
    let bits = CHANGED_ROLE | CHANGED_HAND | CHANGED_STATUS;
    assert!(matches!(&events[..], [RoomEvent::MemberUpdated(m, got)] if *got == bits && m.raised_hand == "17"));
    b.typed("unavailable", "0b0b0b0b", &it, "<status>bye</status>");
    let events = b.events();
    assert!(
        matches!(&events[..], [RoomEvent::MemberLeft { reason, kicked: false, vanished: false, .. }] if reason == "bye")
    );
    assert_eq!(b.room.members().count(), 0);
    b.typed("unavailable", "0b0b0b0b", &it, "");
    assert_eq!(b.events(), []);
}

#[test]
fn who_was_kicked_or_vanished_is_told_apart() {
    let mut b = Bench::joined();
    for (statuses, want) in
        [("<status code='307'/>", (true, false)), ("<status code='307'/><status code='333'/>", (false, true))]
    {
        b.member("0b0b0b0b");
        b.events();
        b.typed("unavailable", "0b0b0b0b", &format!("<item role='none'><reason>x</reason></item>{statuses}"), "");
        let events = b.events();
        assert!(
            matches!(&events[..], [RoomEvent::MemberLeft { kicked, vanished, reason, .. }] if (*kicked, *vanished) == want && reason == "x"),
            "{events:?}"
        );
    }
}

#[test]
fn own_role_changes_are_told() {
    let mut b = Bench::joined();
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/>", "");
    b.presence(ME, "<item affiliation='owner' role='moderator'/><status code='110'/>", "");
    assert_eq!(b.events(), [RoomEvent::RoleChanged(MucRole::Moderator)]);
    assert!(b.room.member(ME).is_none());
}

#[test]
fn participants_past_the_limit_are_not_seen() {
    let mut b = Bench::joined();
    // The focus takes one place.
    for i in 1..MAX_PARTICIPANTS {
        b.member(&format!("{i:08x}"));
    }
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS - 1);
    b.events();
    b.member("ffffffff");
    assert_eq!(b.events(), []);
    b.typed("unavailable", "00000001", "<item/>", "");
    b.events();
    b.member("ffffffff");
    assert!(matches!(&b.events()[..], [RoomEvent::MemberJoined(_)]));
}

#[test]
fn a_full_room_does_not_hide_the_focus() {
    let mut b = Bench::joining();
    for i in 0..=MAX_PARTICIPANTS {
        b.member(&format!("{i:08x}"));
    }
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS);
    b.focus();
    assert!(b.room.focus_occupant().is_some());
    assert_eq!(b.room.members().count(), MAX_PARTICIPANTS);
}
