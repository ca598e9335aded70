//! The conference request, the join, and what refuses them.

use super::*;

#[test]
fn a_join_is_request_ready_presence_and_own_presence() {
    let mut b = Bench::new();
    b.room.start(b.now);
    b.room.start(b.now);
    let first = b.outputs();
    assert!(
        matches!(&first[..], [RoomOutput::SendIq { to, kind: IqKind::Set, .. }, RoomOutput::Event(RoomEvent::RequestSent)]
        if to.as_str() == "focus.x")
    );
    b.conference(1, "ready='true'");
    let out = b.outputs();
    assert_eq!(out[0], RoomOutput::Event(RoomEvent::Ready));
    let RoomOutput::Send(presence) = &out[1] else { panic!("{out:?}") };
    assert_eq!(
        presence,
        "<presence xmlns='jabber:client' to='r@c.x/0a0a0a0a'><x xmlns='http://jabber.org/protocol/muc'/>\
         <stats-id>Ada-x1Z</stats-id><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' \
         node='https://jitsi.org/jitsi-meet' ver='rqD7gB/0i1xC/uZjLL4ZNpoQRnQ='/><SourceInfo>{}</SourceInfo>\
         <jitsi_participant_codecList>vp9,vp8</jitsi_participant_codecList>\
         <nick xmlns='http://jabber.org/protocol/nick'>Alice</nick></presence>"
    );
    assert_eq!(out[2], RoomOutput::Event(RoomEvent::JoinSent));
    b.focus();
    b.member("0b0b0b0b");
    assert!(b.presence(ME, PARTICIPANT, ""));
    let events = b.events();
    assert!(
        matches!(&events[..], [
        RoomEvent::Focus(true),
        RoomEvent::MemberJoined(m),
        RoomEvent::Joined { role: MucRole::Participant },
    ] if m.endpoint_id == "0b0b0b0b"),
        "{events:?}"
    );
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_focus_that_is_not_ready_is_asked_again_with_growing_pauses() {
    let mut b = Bench::new();
    b.room.start(b.now);
    for want in [1, 2, 4, 8, 16, 32, 64, 120, 120] {
        let (token, _) = b.iq();
        b.conference(token, "ready='false'");
        assert_eq!(b.jump().as_secs(), want);
    }
}

#[test]
fn a_stale_session_is_dropped_and_retried_six_times() {
    let mut b = Bench::new();
    b.room.start(b.now);
    let (token, _) = b.iq();
    b.conference(token, "ready='false' session-id='s1'");
    b.jump();
    let (mut token, payload) = b.iq();
    assert!(payload.contains("session-id='s1'"));
    for want in [1, 2, 4, 8, 16, 32] {
        b.refuse(token, "modify", "not-acceptable", "<session-invalid xmlns='http://jitsi.org/protocol/focus'/>");
        assert_eq!(b.jump().as_secs(), want);
        let (next, payload) = b.iq();
        assert!(!payload.contains("session-id"));
        token = next;
    }
    b.refuse(token, "modify", "not-acceptable", "");
    assert!(matches!(b.ended(), Some(RoomError::RequestRefused(_))));
}

#[test]
fn every_refusal_of_the_focus_has_its_own_error() {
    let last = |answer: &dyn Fn(&mut Bench, u64)| {
        let mut b = Bench::new();
        b.room.start(b.now);
        let (token, _) = b.iq();
        answer(&mut b, token);
        b.ended()
    };
    let code = |e: Option<RoomError>| e.unwrap().to_error().code;
    let got = last(&|b, t| b.refuse(t, "auth", "not-authorized", ""));
    assert_eq!(got, Some(RoomError::AuthenticationRequired));
    let reservation = "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>full</text>\
                       <reservation-error xmlns='http://jitsi.org/protocol/focus' error-code='409'/>";
    let got = last(&|b, t| b.refuse(t, "cancel", "service-unavailable", reservation));
    assert_eq!(got, Some(RoomError::Reservation { code: "409".into(), text: "full".into() }));
    let got = last(&|b, t| b.conference(t, "ready='true' vnode='v1'"));
    assert_eq!(got, Some(RoomError::Redirected { vnode: "v1".into(), focus: Some(jid("focus@auth.x")) }));
    let got = last(&|b, t| {
        b.answer(
            t,
            "<iq type='result'><conference xmlns='http://jitsi.org/protocol/focus' ready='false'>\
             <property name='live' value='false'/></conference></iq>",
        );
    });
    assert_eq!(got, Some(RoomError::NotLive));
    let got = last(&|b, t| b.refuse(t, "cancel", "forbidden", ""));
    assert_eq!(code(got), crate::Code::ConferenceRequest);
    // An error that the stream has read already is the same.
    let typed = crate::wire::StanzaError::new(crate::wire::Condition::NotAuthorized);
    let got = last(&|b, t| b.room.on_iq_answer(t, Err(IqFailure::Refused(typed.clone())), b.now));
    assert_eq!(got, Some(RoomError::AuthenticationRequired));
    assert_eq!(last(&|b, t| b.answer(t, "<iq type='result'/>")), Some(RoomError::RequestUnreadable));
    let got = last(&|b, t| b.room.on_iq_answer(t, Err(IqFailure::Disconnected), b.now));
    assert_eq!(got, Some(RoomError::Disconnected));
}

#[test]
fn a_focus_that_does_not_answer_is_asked_four_times() {
    let mut b = Bench::new();
    b.room.start(b.now);
    for want in [1, 2, 4] {
        let (token, _) = b.iq();
        b.room.on_iq_answer(token, Err(IqFailure::Timeout), b.now);
        assert_eq!(b.jump().as_secs(), want);
    }
    let (token, _) = b.iq();
    b.refuse(token, "cancel", "service-unavailable", "");
    assert!(matches!(b.ended(), Some(RoomError::RequestRefused(_))));
    assert_eq!(b.room.next_deadline(), None);
}

#[test]
fn a_room_that_does_not_exist_is_asked_for_and_joined_again_three_times() {
    let mut b = Bench::joining();
    for n in 1..=MAX_JOIN_RETRIES {
        b.join_error("not-allowed", "<room-does-not-exist xmlns='http://jitsi.org/jitmeet'/>");
        let pause = b.jump().as_millis();
        assert!((500..3375).contains(&pause), "{n}: {pause}");
        let (token, _) = b.iq();
        b.conference(token, "ready='true'");
        assert!(b.sent()[0].contains("protocol/muc'"));
    }
    b.join_error("not-allowed", "<room-does-not-exist xmlns='http://jitsi.org/jitmeet'/>");
    assert_eq!(b.ended(), Some(RoomError::RoomDoesNotExist { text: String::new() }));
}

#[test]
fn a_refused_join_ends_with_its_error_and_nothing_follows() {
    let mut b = Bench::joining();
    // An error of another occupant's address is not ours.
    b.take("<presence from='r@c.x/other' type='error'><error type='auth'/></presence>");
    b.outputs();
    b.join_error("not-authorized", "");
    assert_eq!(b.ended(), Some(RoomError::PasswordRequired { text: String::new() }));
    b.presence(ME, PARTICIPANT, "");
    b.room.leave(b.now);
    b.room.handle_timeout(b.now + Duration::from_secs(100));
    assert_eq!(b.outputs(), []);
}

#[test]
fn a_join_without_answer_ends_and_leaves_no_ghost() {
    let mut b = Bench::joining();
    b.outputs();
    assert_eq!(b.jump(), JOIN_TIMEOUT);
    let out = b.outputs();
    assert!(matches!(&out[0], RoomOutput::Send(s) if s.contains("unavailable")));
    assert_eq!(out[1], RoomOutput::Event(RoomEvent::Ended(Some(RoomError::JoinTimeout))));
}

#[test]
fn changes_before_the_join_is_done_are_sent_once_after_it() {
    let mut b = Bench::joining();
    b.outputs();
    b.room.set_source("0a0a0a0a-a0", true, false, b.now);
    b.room.set_display_name("Eve", b.now);
    assert_eq!(b.outputs(), []);
    b.presence(ME, PARTICIPANT, "");
    let sent = b.sent();
    assert_eq!(sent.len(), 1);
    assert!(sent[0].contains("{\"0a0a0a0a-a0\":{\"muted\":true}}") && sent[0].contains("Eve"), "{sent:?}");
    assert!(!sent[0].contains("protocol/muc'"));
    b.room.set_source("0a0a0a0a-a0", true, false, b.now);
    assert_eq!(b.outputs(), []);
    b.room.set_source("0a0a0a0a-v0", false, true, b.now);
    assert_eq!(b.sent().len(), 1);
    b.room.remove_source("0a0a0a0a-v0", b.now);
    b.room.set_codecs(vec!["vp8".into()], b.now);
    b.room.set_display_name("", b.now);
    let sent = b.sent();
    assert_eq!(sent.len(), 3);
    assert!(!sent[2].contains("<nick") && sent[2].contains(">vp8<"));
}

#[test]
fn another_nickname_than_asked_for_is_a_conflict() {
    let mut b = Bench::joining();
    b.outputs();
    b.presence("other", "<item role='participant'/><status code='210'/><status code='110'/>", "");
    let out = b.outputs();
    assert!(matches!(&out[0], RoomOutput::Send(s) if s.contains("to='r@c.x/other'")));
    assert_eq!(out[1], RoomOutput::Event(RoomEvent::Ended(Some(RoomError::NicknameConflict { text: String::new() }))));
}

#[test]
fn a_room_that_we_created_shows_real_addresses() {
    let mut b = Bench::joining();
    b.outputs();
    b.presence(ME, "<item role='moderator'/><status code='201'/><status code='110'/>", "");
    let (token, query) = b.iq();
    assert!(query.contains("muc#owner"));
    b.answer(
        token,
        "<iq type='result'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='form'>\
         <field var='muc#roomconfig_whois'/></x></query></iq>",
    );
    let (_, form) = b.iq();
    assert!(form.contains("<field var='muc#roomconfig_whois'><value>anyone</value>"), "{form}");
}
