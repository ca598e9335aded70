//! Bad manners: refusals, spoofed senders, malformed input, limits.

use super::*;

const UNKNOWN: &str = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><unknown-session xmlns='urn:xmpp:jingle:errors:1'/></error>";

#[test]
fn every_refusal_has_its_answer() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let simple = |action: &str, sid: &str| format!("<jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'/>");
    // Unknown session, of any action; without sid; no jingle at all.
    for action in [
        "session-accept",
        "session-info",
        "session-terminate",
        "transport-info",
        "transport-replace",
        "source-add",
        "content-modify",
        "fly",
        "",
    ] {
        let out = b.iq("62c191da", &simple(action, "nope"), at(1));
        assert_eq!(kinds(&out), ["error", "refused"]);
        assert!(reply(&out).contains(UNKNOWN), "{}", reply(&out));
    }
    assert!(reply(&b.iq("62c191da", &simple("session-initiate", ""), at(1))).contains("<bad-request"));
    assert!(reply(&b.iq("62c191da", "<x xmlns='urn:x'/>", at(1))).contains("<bad-request"));
    // Rejected offers: the session-terminate precedes the acknowledgement.
    let rejected = |from: &str, payload: &str, reason: &str, b: &mut Side| {
        let out = b.iq(from, payload, at(2));
        assert_eq!(kinds(&out), ["iq", "refused", "ack"], "{reason}");
        assert!(payloads(&out)[0].contains(reason), "{reason}: {}", payloads(&out)[0]);
        assert!(payloads(&out)[0].contains("action='session-terminate'"));
    };
    let offer = initiate("s1");
    rejected("62c191da", &offer.replace("name='0'", "name='audio'"), "<decline/><text>P2P disabled</text>", &mut b);
    rejected("stranger", &offer, "<decline/><text>P2P requirements not met</text>", &mut b);
    rejected("62c191da", &offer.replace("ufrag", "frag"), "<failed-transport/>", &mut b);
    rejected(
        "62c191da",
        &offer.replace("<fingerprint", "<finger").replace("</fingerprint", "</finger"),
        "<failed-transport/>",
        &mut b,
    );
    rejected("62c191da", &offer.replace("'opus'", "'x'").replace("'VP8'", "'y'"), "<incompatible-parameters/>", &mut b);
    b.join(&["62c191da", "cccc"], at(2));
    rejected("62c191da", &offer, "<decline/><text>P2P requirements not met</text>", &mut b);
    b.j.set_p2p_allowed(false, at(2));
    rejected("62c191da", &offer, "<decline/><text>P2P disabled</text>", &mut b);
    b.j.set_p2p_allowed(true, at(2));
    b.join(&["62c191da"], at(2));
    assert!(b.j.session(SessionKind::P2p).is_none());
    // The focus, real and false, where bridge sessions are switched off.
    b.j.config.bridge = false;
    let out = b.iq("focus", &offer, at(3));
    assert_eq!(kinds(&out), ["bridge", "error", "refused"]);
    assert!(reply(&out).contains("<feature-not-implemented"));
    let mut c = room("83bcb962", &["62c191da"]);
    c.focus = Some(jid("focus2"));
    b.j.set_conference(c, at(3));
    rejected("focus", &offer, "<security-error/><text>Rejecting session-initiate from non-focus.</text>", &mut b);
    // Now a session exists.
    let out = b.iq("62c191da", &offer, at(4));
    assert!(kinds(&out).contains(&"create"));
    for from in ["62c191da", "stranger"] {
        assert!(reply(&b.iq(from, &offer, at(5))).contains("<service-unavailable"));
    }
    rejected("62c191da", &initiate("s2"), "<busy/><text>P2P already in progress</text>", &mut b);
    for action in ["session-info", "transport-accept", "transport-reject", "content-add", "addsource", ""] {
        assert!(reply(&b.iq("62c191da", &simple(action, "s1"), at(6))).contains("<bad-request"), "{action}");
    }
    assert!(reply(&b.iq("62c191da", &simple("transport-replace", "s1"), at(6))).contains("<feature-not-implemented"));
    // Somebody else speaks in the session's name.
    for action in ["session-terminate", "source-add", "transport-info", "session-accept", "transport-replace"] {
        assert!(reply(&b.iq("stranger", &simple(action, "s1"), at(7))).contains(UNKNOWN));
    }
    assert!(b.j.session(SessionKind::P2p).is_some());
    // An accept of ones own offer's answer changes nothing.
    assert_eq!(kinds(&b.iq("62c191da", &simple("session-accept", "s1"), at(8))), ["ack"]);
    assert_eq!(kinds(&b.iq("62c191da", &simple("session-terminate", "s1"), at(9))).last(), Some(&"ack"));
    assert!(b.j.session(SessionKind::P2p).is_none());
}

#[test]
fn malformed_json_and_foreign_sources_are_acknowledged_and_change_nothing() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1"), at(1));
    b.answer_all(&out, at(2));
    let add = |json: &str| {
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s1'><json-message xmlns='http://jitsi.org/jitmeet'>{json}</json-message></jingle>"
        )
    };
    for json in [
        "{",
        "[]",
        "{\"sources\":{\"other\":[[{\"s\":77,\"n\":\"other-v0\"}]]}}",
        "{\"sources\":{\"62c191da\":[[{\"s\":78,\"n\":\"other-v0\"}]]}}",
    ] {
        assert_eq!(kinds(&b.iq("62c191da", &add(json), at(3))), ["ack"], "{json}");
    }
    assert_eq!(
        kinds(&b.iq("62c191da", &add("{\"sources\":{\"62c191da\":[[{\"s\":79,\"n\":\"62c191da-v3\"}]]}}"), at(4))),
        ["added", "ack"]
    );
    let remove = add("{\"sources\":{\"62c191da\":[[{\"s\":79}]]}}").replace("source-add", "source-remove");
    assert_eq!(kinds(&b.iq("62c191da", &remove, at(5))), ["removed", "ack"]);
    assert_eq!(kinds(&b.iq("62c191da", &remove, at(6))), ["ack"]);
}

#[test]
fn remote_candidates_and_queued_operations_are_bounded() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1"), at(1));
    let info = |from: usize, n: usize| {
        let c: String = (from..from + n).map(|i| format!("<candidate component='1' foundation='1' generation='0' ip='192.0.2.1' port='{}' priority='1' protocol='udp' type='host'/>", i + 1)).collect();
        format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='transport-info' sid='s1'><content name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>{c}</transport></content></jingle>"
        )
    };
    for i in 0..MAX_QUEUED + 1 {
        b.iq("62c191da", &info(i, 1), at(2));
    }
    let out = b.answer_all(&out, at(3));
    assert_eq!(out.len(), MAX_REMOTE_CANDIDATES);
    assert_eq!(kinds(&b.iq("62c191da", &info(900, 5), at(4))), ["ack"]);
    // Local ones.
    let key = b.j.session(SessionKind::P2p).unwrap().0;
    for i in 0..MAX_LOCAL_CANDIDATES as u16 + 9 {
        b.j.local_candidate(key, candidate(2000 + i), at(5));
    }
    b.j.handle_timeout(at(1000));
    let out = b.drain(at(1000));
    // One was in the accept.
    assert_eq!(payloads(&out)[0].matches("<candidate ").count(), MAX_LOCAL_CANDIDATES - 1);
}

#[test]
fn an_offer_without_our_video_codec_is_answered_with_audio_alone() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &initiate("s1").replace("'VP8'", "'VP7'"), at(1));
    let p = payloads(&out).remove(0);
    let d = Document::parse(&p).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    assert_eq!(j.contents[1].senders, Some(wire::Senders::Rejected));
    assert_eq!(j.groups[0].contents, ["0"]);
    assert_eq!(j.sources.iter().map(|s| s.name).collect::<Vec<_>>(), [Some("83bcb962-a0")]);
    // And no source-add tries again.
    let out = b.answer_all(&out, at(2));
    assert!(actions(&out).is_empty());
}

#[test]
fn each_limit_of_a_description_holds_at_and_past_its_value() {
    // Credentials.
    for (pwd, ok) in [(21, false), (22, true), (256, true), (257, false)] {
        let mut b = Side::new("83bcb962", 2);
        b.join(&["62c191da"], at(0));
        b.iq("62c191da", &initiate("s1").replace("V3pIyl8B8rkRdeNdtDXwnalF", &"x".repeat(pwd)), at(1));
        assert_eq!(b.j.session(SessionKind::P2p).is_some(), ok, "{pwd}");
    }
    // Contents and fingerprints.
    let content = |i: usize| {
        format!(
            "<content name='{i}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/></description></content>"
        )
    };
    for (n, kept) in [(MAX_CONTENTS, MAX_CONTENTS), (MAX_CONTENTS + 1, MAX_CONTENTS)] {
        let contents: String = (0..n).map(content).collect();
        let text = format!("<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'>{contents}</jingle>");
        let d = Document::parse(&text).unwrap();
        assert_eq!(answered_sections(&wire::Jingle::read(d.root()).unwrap(), &[Codec::Opus]).len(), kept);
    }
    for n in [describe::MAX_FINGERPRINTS, describe::MAX_FINGERPRINTS + 1] {
        let one = "<fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='SHA-256' setup='passive'>aa:bb</fingerprint>";
        let text = format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='s'><content name='0'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='abcd' pwd='{}'>{}</transport></content></jingle>",
            "x".repeat(22),
            one.repeat(n)
        );
        let d = Document::parse(&text).unwrap();
        let t = describe::remote_transport(&wire::Jingle::read(d.root()).unwrap(), false).unwrap();
        assert_eq!((t.fingerprints.len(), t.dtls), (describe::MAX_FINGERPRINTS, DtlsRole::Client));
        assert_eq!(t.fingerprints[0], ("sha-256".to_owned(), "AA:BB".to_owned()));
    }
    // Heights, read and written.
    for n in [MAX_HEIGHTS, MAX_HEIGHTS + 1] {
        let wanted = Wanted { video: true, heights: Some((0..n).map(|i| (format!("e-v{i}"), 180)).collect()) };
        let text = wanted.request("s", "i");
        assert_eq!(text.matches("maxHeight").count(), MAX_HEIGHTS);
        let one = "<source-frame-height xmlns='http://jitsi.org/jitmeet/video' sourceName='e-v0' maxHeight='180'/>";
        let text = format!(
            "<jingle xmlns='urn:xmpp:jingle:1' action='content-modify' sid='s'><content name='video'>{}</content></jingle>",
            one.repeat(n)
        );
        let d = Document::parse(&text).unwrap();
        let j = wire::Jingle::read(d.root()).unwrap();
        assert_eq!(read_wanted(&j, Role::Initiator).heights.len(), MAX_HEIGHTS);
    }
}

#[test]
fn unanswered_requests_are_bounded_and_strangers_push_none_of_them_out() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    b.iq("62c191da", &initiate("s1"), at(1));
    assert_eq!(b.j.pending.len(), 1);
    for i in 0..MAX_PENDING {
        b.iq("stranger", &initiate(&format!("x{i}")), at(1));
    }
    assert_eq!(b.j.pending.len(), 1);
    // Ours: at the limit and past it.
    let (key, jid) = (SessionKey(1), jid("62c191da"));
    for i in 1..MAX_PENDING + 1 {
        assert_eq!(b.j.pending.len(), i);
        b.j.ask(jid.clone(), key, Purpose::P2p(p2p::Asked::SourceAdd(Vec::new())), String::new());
    }
    assert_eq!(b.j.pending.len(), MAX_PENDING);
}
