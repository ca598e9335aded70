//! Two machines against each other, and when sessions begin and end.

use super::*;

#[test]
fn two_machines_agree_trickle_and_part() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let descriptions = |s: &Side| -> Vec<Negotiated> {
        s.out
            .iter()
            .filter_map(|o| {
                if let Output::RemoteDescription { negotiated, .. } = o { Some(negotiated.clone()) } else { None }
            })
            .collect()
    };
    assert_eq!(descriptions(&a), descriptions(&b));
    let n = &descriptions(&a)[0];
    assert_eq!(n.extensions, ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5, ..Default::default() });
    assert!(n.payloads[1].nack && n.payloads[1].pli && n.payloads[1].fir && n.payloads[1].transport_cc);
    for s in [&a, &b] {
        assert_eq!(kinds(&s.out).iter().filter(|k| **k == "candidates").count(), 1);
        let (key, state) = s.j.session(SessionKind::P2p).unwrap();
        assert_eq!((s.j.remote_sources(key).unwrap().iter().count(), state), (2, SessionState::Active));
    }
    // Later candidates: one request after the window.
    let key = a.j.session(SessionKind::P2p).unwrap().0;
    a.j.local_candidate(key, candidate(1), at(1000));
    a.j.local_candidate(key, candidate(2), at(1100));
    a.j.local_candidate(key, candidate(2), at(1100));
    assert_eq!(a.j.next_deadline(), Some(at(1150)));
    a.j.handle_timeout(at(1149));
    assert!(a.drain(at(1149)).is_empty());
    a.j.handle_timeout(at(1150));
    let out = a.drain(at(1150));
    let d = payloads(&out);
    let d = Document::parse(&d[0]).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let t = j.contents[0].transport.as_ref().unwrap();
    assert_eq!((j.action, j.contents[0].name, t.candidates.len()), (Action::TransportInfo, "0", 2));
    assert_eq!((t.fingerprints[0].required, t.fingerprints[0].setup), (Some(true), None));
    exchange(&mut a, &mut b, out, Vec::new(), at(1151));
    assert_eq!(kinds(&b.out).iter().filter(|k| **k == "candidates").count(), 2);
    // A second video source, then one that goes.
    let mut more = sources("aaaa", 101);
    more.push(desktop("aaaa", 150));
    a.j.set_local_sources(more);
    let out = a.drain(at(2000));
    assert_eq!(actions(&out), ["source-add"]);
    assert!(payloads(&out)[0].contains("name='2'"));
    exchange(&mut a, &mut b, out, Vec::new(), at(2001));
    let key = b.j.session(SessionKind::P2p).unwrap().0;
    assert_eq!(b.j.remote_sources(key).unwrap().by_ssrc(151).map(|s| &*s.name), Some("aaaa-v1"));
    a.j.set_local_sources(sources("aaaa", 101));
    let out = a.drain(at(3000));
    assert_eq!(ended(&out), Some(EndReason::SourcesChanged));
    exchange(&mut a, &mut b, out, Vec::new(), at(3001));
    assert_eq!(
        ended(&b.out),
        Some(EndReason::Peer { condition: "connectivity-error".into(), text: "P2P SSRC regeneration".into() })
    );
    assert!(a.j.session(SessionKind::P2p).is_none() && b.j.session(SessionKind::P2p).is_none());
}

#[test]
fn a_second_source_of_the_responder_follows_its_accept() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let mut more = sources("bbbb", 201);
    more.push(desktop("bbbb", 250));
    b.j.set_local_sources(more);
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let key = a.j.session(SessionKind::P2p).unwrap().0;
    assert_eq!(a.j.remote_sources(key).unwrap().iter().count(), 3);
    assert_eq!(actions(&b.out), ["session-accept", "source-add"]);
}

#[test]
fn a_third_participant_ends_it_and_a_leave_brings_it_back_after_the_wait() {
    let mut a = Side::new("aaaa", 1);
    let out = a.join(&["bbbb"], at(0));
    let key = a.j.session(SessionKind::P2p).unwrap().0;
    a.answer_all(&out, at(1));
    let out = a.join(&["bbbb", "cccc"], at(1000));
    assert_eq!(kinds(&out), ["iq", "close", "ended"]);
    assert!(payloads(&out)[0].contains("<success/><text>Turning off P2P session</text>"));
    let Output::SendIq { token, .. } = &out[0] else { panic!() };
    // Both sides end it: the other's item-not-found is no news.
    let gone = crate::wire::StanzaError::new(crate::wire::Condition::ItemNotFound);
    a.j.on_iq_answer(*token, IqAnswer::Error(gone), at(1));
    assert!(a.drain(at(1001)).is_empty());
    assert!(a.join(&["bbbb"], at(2000)).is_empty());
    assert_eq!(a.j.next_deadline(), Some(at(7000)));
    // Wanted no more before the wait is over.
    assert!(a.join(&["bbbb", "cccc"], at(3000)).is_empty());
    assert_eq!(a.j.next_deadline(), None);
    a.join(&["bbbb"], at(4000));
    a.j.handle_timeout(at(8999));
    assert!(a.drain(at(8999)).is_empty());
    a.j.handle_timeout(at(9000));
    assert_eq!(kinds(&a.drain(at(9000))), ["starting", "create", "iq"]);
    assert!(a.j.session(SessionKind::P2p).unwrap().0 > key);
    // The peer leaves: nobody is there to be told.
    let out = a.join(&[], at(9001));
    assert_eq!((kinds(&out), ended(&out)), (vec!["close", "ended"], Some(EndReason::PeerLeft)));
}

#[test]
fn who_may_not_be_talked_to_directly_is_not() {
    let none = |change: &dyn Fn(&mut Conference)| {
        let mut a = Side::new("aaaa", 1);
        let mut c = room("aaaa", &["bbbb"]);
        change(&mut c);
        a.j.set_conference(c, at(0));
        assert!(a.drain(at(0)).is_empty());
        // Made possible afterwards.
        a.join(&["bbbb"], at(1));
        assert!(a.j.session(SessionKind::P2p).is_some() || a.j.next_deadline() == Some(at(5001)));
    };
    none(&|c| c.participants[0].jigasi = true);
    none(&|c| c.participants[0].poltergeist = true);
    none(&|c| c.visitors = true);
    none(&|c| c.needs_bridge = true);
    none(&|c| c.own = None);
    none(&|c| c.participants.clear());
    // The larger id waits.
    let mut b = Side::new("cccc", 1);
    assert!(b.join(&["bbbb"], at(0)).is_empty());
    let mut a = Side::new("aaaa", 1);
    a.join(&["bbbb"], at(0));
    a.j.set_p2p_allowed(false, at(1));
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::NotWanted));
    a.j.set_p2p_allowed(true, at(2));
    assert_eq!(kinds(&a.drain(at(2))), ["starting", "create", "iq"]);
}

#[test]
fn failures_end_the_session_with_their_reason() {
    let begin = || {
        let mut a = Side::new("aaaa", 1);
        let out = a.join(&["bbbb"], at(0));
        (a, out)
    };
    let (mut a, _) = begin();
    let key = a.j.session(SessionKind::P2p).unwrap().0;
    a.j.ice_failed(SessionKey(99), at(1));
    assert!(a.drain(at(1)).is_empty());
    a.j.ice_failed(key, at(1));
    let out = a.drain(at(1));
    assert_eq!(ended(&out), Some(EndReason::IceFailed));
    assert!(payloads(&out)[0].contains("<connectivity-error/><text>ICE FAILED</text>"));
    // No new try while nothing changes.
    assert!(a.join(&["bbbb"], at(2)).is_empty() && a.j.next_deadline().is_none());
    let (mut a, _) = begin();
    a.j.media_failed(a.j.session(SessionKind::P2p).unwrap().0, at(1));
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::MediaFailed));
    // The offer is refused, or nobody answers it.
    let (mut a, out) = begin();
    let Some(Output::SendIq { token, .. }) = out.last() else { panic!() };
    a.j.on_iq_answer(*token, IqAnswer::Timeout, at(1));
    assert_eq!(ended(&a.drain(at(1))), Some(EndReason::NotAnswered));
    let (mut a, out) = begin();
    a.answer_all(&out, at(1));
    assert_eq!(a.j.next_deadline(), Some(at(60_000)));
    a.j.handle_timeout(at(60_000));
    assert_eq!(ended(&a.drain(at(60_000))), Some(EndReason::NotAnswered));
    // An accept that cannot be used.
    let (mut a, out) = begin();
    let p = payloads(&out).remove(0);
    let d = Document::parse(&p).unwrap();
    let accept =
        format!("<jingle xmlns='urn:xmpp:jingle:1' action='session-accept' sid='{}'/>", d.root().attr("sid").unwrap());
    assert_eq!(ended(&a.iq("bbbb", &accept, at(1))), Some(EndReason::BadDescription("no ICE credentials")));
    // Leaving the room says nothing.
    let (mut a, _) = begin();
    a.j.leave();
    let out = a.drain(at(1));
    assert_eq!((kinds(&out), ended(&out)), (vec!["close", "ended"], Some(EndReason::Left)));
}

#[test]
fn a_refused_source_is_reported_by_name() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    let mut more = sources("aaaa", 101);
    more.push(desktop("aaaa", 150));
    a.j.set_local_sources(more);
    let out = a.drain(at(2));
    let Output::SendIq { token, .. } = &out[0] else { panic!() };
    a.j.on_iq_answer(*token, IqAnswer::Timeout, at(1));
    let out = a.drain(at(3));
    assert!(matches!(&out[0], Output::Event(Event::SourcesRefused { names, .. }) if *names == ["aaaa-v1"]));
}

#[test]
fn content_modify_tells_and_hears_what_is_wanted() {
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    // Set before anything is there: told before the accept.
    b.j.set_receive(true, Some(vec![("aaaa-v0".into(), 180), ("aaaa-v1".into(), 2160)]));
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    assert_eq!(actions(&b.out), ["content-modify", "session-accept"]);
    assert_eq!(actions(&a.out), ["session-initiate", "content-modify"]);
    assert!(
        a.out
            .iter()
            .any(|o| matches!(o, Output::RemoteConstraints { heights, .. } if heights[1] == ("aaaa-v1".into(), 2160)))
    );
    a.j.set_receive(false, None);
    a.j.set_receive(false, None);
    let out = a.drain(at(2));
    assert_eq!(actions(&out), ["content-modify"]);
    exchange(&mut a, &mut b, out, Vec::new(), at(2));
    assert!(b.out.iter().any(|o| matches!(o, Output::LocalVideoWanted { wanted: false, .. })));
    // `initiator` means us when we are it; nonsense changes nothing but is acknowledged.
    let p = payloads(&a.out).remove(0);
    let sid = Document::parse(&p).unwrap().root().attr("sid").unwrap().to_owned();
    let modify = |senders: &str| {
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='{sid}'><content name='video' senders='{senders}'/></jingle>"
        )
    };
    assert_eq!(kinds(&a.iq("bbbb", &modify("responder"), at(3))), ["wanted", "ack"]);
    assert_eq!(kinds(&a.iq("bbbb", &modify("initiator"), at(3))), ["wanted", "ack"]);
    assert_eq!(kinds(&a.iq("bbbb", &modify("all"), at(3))), ["ack"]);
}
