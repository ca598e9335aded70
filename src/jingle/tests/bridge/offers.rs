//! Offers of the focus, and our answers.

use super::*;
use std::collections::BTreeSet;

fn read(xml: &str, look: impl FnOnce(&wire::Jingle<'_>)) {
    let d = Document::parse(xml).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    assert_eq!(j.ignored, 0);
    look(&j);
}

fn negotiated(out: &[Output]) -> &Negotiated {
    out.iter()
        .find_map(|o| if let Output::RemoteDescription { negotiated, .. } = o { Some(negotiated) } else { None })
        .unwrap()
}

fn bridge(out: &[Output]) -> &BridgeOffer {
    out.iter().find_map(|o| if let Output::CreateEngine { bridge, .. } = o { bridge.as_ref() } else { None }).unwrap()
}

#[test]
fn a_recorded_offer_is_accepted_with_all_sources_below_four_kilobytes() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let mut sources = sources(OWN, 101);
    sources[1].encodings = vec![(11, Some(12)), (13, Some(14)), (15, Some(16))];
    g.side.j.set_local_sources(sources);
    g.side.j.set_initial_last_n(Some(20));
    let out = g.focus(&offer(), at(1));
    // The acknowledgement leaves before the accept.
    assert_eq!(kinds(&out), ["bridge-starting", "create", "description", "candidates", "added", "ack", "iq"]);
    assert!(matches!(&out[1], Output::CreateEngine { controlling: false, .. }));
    let b = bridge(&out);
    assert_eq!((b.sctp_port, b.websockets.len(), b.region.as_deref(), b.start_muted), (Some(5000), 1, None, None));
    assert!(b.id.is_some() && !format!("{b:?}").contains("pwd"));
    let Output::RemoteDescription { transport, .. } = &out[2] else { panic!() };
    assert_eq!(transport.dtls, DtlsRole::Client);
    let n = negotiated(&out);
    let pts: Vec<_> = n.payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect();
    assert_eq!(
        pts,
        [
            (Codec::Opus, 111, None),
            (Codec::TelephoneEvent, 126, None),
            // A number below 96 is as good as any.
            (Codec::Av1, 41, Some(42)),
            (Codec::Vp8, 100, Some(96)),
            (Codec::H264, 107, Some(99)),
            (Codec::Vp9, 101, Some(97)),
        ]
    );
    let h264 = &n.payloads[4];
    assert_eq!((h264.parameter("Profile-Level-Id"), h264.parameter("packetization-mode")), (Some("42e01f"), Some("1")));
    assert!(h264.nack && h264.pli && h264.fir && h264.transport_cc);
    assert_eq!(
        n.extensions,
        ExtensionIds { audio_level: 1, abs_send_time: 3, transport_cc: 5, mid: 10, dependency_descriptor: 11 }
    );
    let p = payloads(&out).remove(0);
    assert!(p.len() < MAX_FRAME_BYTES - 160, "{}", p.len());
    read(&p, |j| {
        assert_eq!((j.action, j.sources.len(), j.sources.groups().count()), (Action::SessionAccept, 7, 4));
        assert_eq!(j.contents.iter().map(|c| c.name).collect::<Vec<_>>(), ["audio", "video", "data"]);
        assert_eq!(j.contents[1].initial_last_n, Some(20));
        assert!(j.traceparent.is_some() && j.contents.iter().all(|c| c.transport.is_some()));
        assert!(j.contents.iter().flat_map(|c| &c.description).all(|d| d.payload_types.is_empty()));
        let setup = j.contents[0].transport.as_ref().unwrap().fingerprints[0].setup;
        assert_eq!(setup, Some(wire::Setup::Active));
    });
    assert_eq!(g.side.j.session(SessionKind::Bridge).unwrap().1, SessionState::Active);
    assert_eq!(g.side.j.kind(g.key()), Some(SessionKind::Bridge));
}

#[test]
fn everything_beside_media_is_read_from_an_offer() {
    let socket = |i: usize| format!("<web-socket xmlns='http://jitsi.org/protocol/colibri' url='wss://b{i}/'/>");
    for n in [MAX_WEB_SOCKETS, MAX_WEB_SOCKETS + 1] {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        let sockets: String = (0..n).map(socket).collect();
        let extra = "<startmuted xmlns='http://jitsi.org/jitmeet/start-muted' audio='true' video='false'/>\
                     <bridge-session xmlns='http://jitsi.org/protocol/focus' id='b7' region='eu-west'/>";
        let text =
            offer().replace("<sctpmap", &format!("{sockets}<sctpmap")).replace("setup='actpass'", "setup='active'");
        let at_end = text.rfind("</jingle>").unwrap();
        let text = format!("{}{extra}</jingle>", &text[..at_end]);
        let out = g.focus(&text, at(1));
        let b = bridge(&out);
        assert_eq!((b.id.as_deref(), b.region.as_deref()), (Some("b7"), Some("eu-west")));
        assert_eq!(b.start_muted, Some((true, false)));
        // The one of the recording is the first.
        assert_eq!(b.websockets.len(), MAX_WEB_SOCKETS);
        assert_eq!(b.websockets[1], "wss://b0/");
        // A bridge that wants to be the client gets a server.
        let Output::RemoteDescription { transport, .. } = &out[2] else { panic!() };
        assert_eq!(transport.dtls, DtlsRole::Server);
        assert!(payloads(&out)[0].contains("setup='passive'"));
    }
}

#[test]
fn what_is_not_offered_is_not_answered() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    g.side.j.set_initial_last_n(Some(0));
    // Neither video nor data; codecs that nobody knows; numbers that would be taken for RTCP; long extension ids.
    let d = offer();
    let doc = Document::parse_with(&d, ns::CLIENT, &Default::default()).unwrap();
    let mut j = wire::Jingle::read(doc.root()).unwrap();
    j.contents.truncate(1);
    j.traceparent = None;
    let audio = j.contents[0].description.as_mut().unwrap();
    let mut red = audio.payload_types[0].clone();
    (red.id, red.name) = (112, "RED");
    red.parameters = vec![wire::Parameter { name: None, value: "111/111" }];
    let mut odd = audio.payload_types[0].clone();
    odd.name = "LPC";
    odd.id = 97;
    let mut rtcp = audio.payload_types[0].clone();
    rtcp.id = 72;
    audio.payload_types.extend([red, odd, rtcp]);
    let long = codecs::MAX_EXTENSION_ID + 1;
    (audio.extensions[0].id, audio.extensions[1].id) = (long, codecs::MAX_EXTENSION_ID);
    let out = g.focus(&j.to_xml(), at(1));
    let n = negotiated(&out);
    assert_eq!(n.payloads.iter().map(|p| p.pt).collect::<Vec<_>>(), [111, 126, 112]);
    assert_eq!((n.payloads[2].codec, n.payloads[2].parameter("")), (Codec::Red, Some("111/111")));
    let ids = n.extensions;
    let mut ids = [ids.audio_level, ids.mid, ids.transport_cc];
    ids.sort_unstable();
    assert!(ids[0] == 0 && ids[1] > 0 && ids[2] == codecs::MAX_EXTENSION_ID, "{ids:?}");
    assert_eq!(bridge(&out).sctp_port, None);
    read(&payloads(&out)[0], |j| {
        assert_eq!(j.contents.len(), 1);
        assert_eq!(j.groups[0].contents, ["audio"]);
        assert_eq!(j.sources.iter().map(|s| s.name.unwrap()).collect::<Vec<_>>(), ["7759b137-a0"]);
        assert!(j.traceparent.is_none());
    });
    // And no source-add tries to send what nobody wants.
    assert!(g.side.answer_all(&out, at(2)).is_empty());
}

#[test]
fn the_order_of_contents_and_of_what_is_in_them_means_nothing() {
    let answer = |turn: bool| {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        let text = offer();
        let d = Document::parse_with(&text, ns::CLIENT, &Default::default()).unwrap();
        let mut j = wire::Jingle::read(d.root()).unwrap();
        if turn {
            j.contents.reverse();
            j.contents.iter_mut().flat_map(|c| &mut c.description).for_each(|d| d.extensions.reverse());
        }
        let out = g.focus(&j.to_xml(), at(1));
        let mut n = negotiated(&out).clone();
        n.payloads.sort_by_key(|p| p.pt);
        (n, payloads(&out), bridge(&out).clone())
    };
    assert_eq!(answer(false), answer(true));
}

#[test]
fn an_offer_that_cannot_be_used_is_refused_and_leaves_the_old_session() {
    let (mut g, key) = Guest::in_session();
    let new = offer().replace(SID, "another");
    for (bad, why) in [
        (new.replace("ufrag", "frag"), "<failed-transport/>"),
        (new.replace("<fingerprint", "<finger").replace("</fingerprint", "</finger"), "<failed-transport/>"),
        (
            new.replace("'opus'", "'a'")
                .replace("'telephone-event'", "'b'")
                .replace("'VP8'", "'c'")
                .replace("'VP9'", "'d'")
                .replace("'AV1'", "'e'")
                .replace("'H264'", "'f'")
                .replace("name='data'", "name='other'"),
            "<incompatible-parameters/>",
        ),
    ] {
        let out = g.focus(&bad, at(5));
        assert_eq!(kinds(&out), ["iq", "refused", "ack"], "{why}");
        assert!(payloads(&out)[0].contains(why) && payloads(&out)[0].contains("sid='another'"));
    }
    assert_eq!(g.key(), key);
}

#[test]
fn only_the_focus_is_heard() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    g.conference.focus = None;
    g.tell(at(1));
    let out = g.focus(&offer(), at(1));
    assert_eq!(kinds(&out), ["iq", "refused", "ack"]);
    assert!(payloads(&out)[0].contains("<security-error/><text>Rejecting session-initiate from non-focus.</text>"));
    // In a session: nobody else, and nobody who takes the name of a focus that is gone.
    let (mut g, key) = Guest::in_session();
    for action in ["session-terminate", "source-add", "transport-info", "transport-replace", "session-info"] {
        assert!(reply(&g.iq("560b777f", &request(action, ""), at(4))).contains("<unknown-session"), "{action}");
    }
    assert!(reply(&g.iq("560b777f", &offer(), at(4))).contains("<service-unavailable"));
    assert!(reply(&g.focus(&offer(), at(4))).contains("<service-unavailable"));
    g.conference.focus = None;
    assert!(g.tell(at(5)).is_empty());
    assert!(reply(&g.focus(&request("session-terminate", ""), at(5))).contains("<unknown-session"));
    assert_eq!(g.key(), key);
}

#[test]
fn actions_without_a_meaning_here_are_acknowledged_or_refused() {
    let (mut g, key) = Guest::in_session();
    for action in ["session-accept", "content-modify", "transport-info"] {
        assert_eq!(kinds(&g.focus(&request(action, ""), at(4))), ["ack"], "{action}");
    }
    for action in ["session-info", "transport-accept", "transport-reject", "content-add", "addsource", "fly", ""] {
        assert!(reply(&g.focus(&request(action, ""), at(4))).contains("<bad-request"), "{action}");
    }
    let none = request("source-add", "").replace(SID, "nope");
    assert!(reply(&g.focus(&none, at(4))).contains("<unknown-session"));
    assert_eq!(g.key(), key);
}

#[test]
fn candidates_and_then_videos_are_left_out_of_an_accept_that_grows_too_long() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let simulcast = |name: &str, base: u32| LocalSource {
        name: format!("{OWN}-{name}"),
        media: Media::Video,
        video_type: Some(VideoType::Camera),
        encodings: (0..3).map(|i| (base + 2 * i, Some(base + 2 * i + 1))).collect(),
        msid: format!("{OWN}-video-{name}-1 84615c77-2441-4d1f-801d-591a4bc1beaa-1"),
    };
    let mut all = vec![sources(OWN, 101).remove(0), simulcast("v0", 1), simulcast("v1", 11)];
    all[1].video_type = Some(VideoType::Desktop);
    g.side.j.set_local_sources(all.clone());
    let out = g.focus(&offer(), at(1));
    let accept = payloads(&out).remove(0);
    let budget = MAX_FRAME_BYTES - 128 - g.jid("focus").as_str().len();
    assert!(accept.len() <= budget);
    read(&accept, |j| {
        assert_eq!(j.sources.len(), 7);
        assert!(j.contents[0].transport.as_ref().unwrap().candidates.is_empty());
    });
    // The second video follows.
    let out = g.side.answer_all(&out, at(2));
    assert_eq!(actions(&out), ["source-add"]);
    assert!(payloads(&out)[0].len() <= budget);
    read(&payloads(&out)[0], |j| assert_eq!(j.sources.len(), 6));
    // With room left, candidates are told, so many and no more.
    for (n, told) in
        [(MAX_ACCEPT_CANDIDATES, MAX_ACCEPT_CANDIDATES), (MAX_ACCEPT_CANDIDATES + 1, MAX_ACCEPT_CANDIDATES)]
    {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        g.side.j.set_local_sources(Vec::new());
        let d = Document::parse_with(&offer(), ns::CLIENT, &Default::default()).map(|d| {
            let from = g.jid("focus");
            g.side.j.on_iq(&from, "id1", d.root(), at(1));
        });
        d.unwrap();
        let candidates: Vec<_> = (0..n as u16).map(|i| candidate(1000 + i)).collect();
        let key = g.key();
        g.side.j.local_transport(key, transport(OWN), candidates, at(1));
        let out: Vec<_> = std::iter::from_fn(|| g.side.j.poll_output()).collect();
        read(&payloads(&out)[0], |j| {
            assert_eq!(j.contents[0].transport.as_ref().unwrap().candidates.len(), told);
            assert!(j.sources.is_empty() && j.contents[0].senders == Some(wire::Senders::Responder));
        });
        // Later ones are nobody's business.
        g.side.j.local_candidate(key, candidate(9), at(2));
        g.side.j.handle_timeout(at(1000));
        assert!(g.side.j.poll_output().is_none() && g.side.j.next_deadline().is_none());
    }
}

#[test]
fn an_offer_over_a_running_session_replaces_it() {
    let (mut g, key) = Guest::in_session();
    let out = g.focus(&offer().replace(SID, "second"), at(10));
    assert_eq!(
        kinds(&out),
        [
            "removed",
            "close",
            "bridge-ended",
            "bridge-starting",
            "create",
            "description",
            "candidates",
            "added",
            "ack",
            "iq"
        ]
    );
    assert_eq!(bridge_ended(&out), Some(EndReason::Replaced));
    let Output::SourcesRemoved { session, because: Removal::SessionEnded, .. } = &out[0] else { panic!() };
    assert!(*session == key && g.key() > key);
    // The old one is unknown from now on, and answers to its requests change nothing.
    assert!(reply(&g.focus(&request("source-remove", ""), at(11))).contains("<unknown-session"));
    assert_eq!(g.side.j.remote_sources(key).map(|t| t.iter().count()), None);
    g.side.answer_all(&out, at(12));
    assert!(g.side.j.next_deadline().is_none());
}

#[test]
fn a_transport_replace_begins_anew_under_the_same_id() {
    let (mut g, key) = Guest::in_session();
    let replace = offer().replace("session-initiate", "transport-replace");
    assert!(reply(&g.focus(&replace.replace("ufrag", "frag"), at(5))).contains("<feature-not-implemented"));
    assert_eq!(g.key(), key);
    let out = g.focus(&replace, at(6));
    assert_eq!(bridge_ended(&out), Some(EndReason::Replaced));
    assert_eq!(actions(&out), ["transport-accept"]);
    read(&payloads(&out)[0], |j| {
        assert_eq!((j.sid, j.contents.len(), j.sources.len()), (SID, 3, 3));
    });
    g.side.answer_all(&out, at(7));
    assert!(g.key() > key);
    assert_eq!(kinds(&g.focus(&request("source-add", &json("x", &[5])), at(8))), ["added", "ack"]);
}

#[test]
fn sources_that_the_focus_heard_twice_in_a_session_replaced_under_its_id_are_refused_by_the_next_session_or_not_at_all()
{
    let (mut g, _) = Guest::in_session();
    // The source-add is read after the old session is gone, and the accept says the screen again.
    let mut more = sources(OWN, 101);
    more.push(desktop(OWN, 150));
    g.side.j.set_local_sources(more);
    assert_eq!(actions(&g.side.drain(at(4))), ["source-add"]);
    let used = || IqAnswer::Error(StanzaError::new(Condition::BadRequest).with_text("SSRC is already used: 150."));
    let out = g.focus(&offer().replace("session-initiate", "transport-replace"), at(5));
    let out = g.answer(&out, used(), at(6));
    assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "rejoin"]);
    let again = offer().replace(SID, "another");
    let out = g.focus(&again, at(7));
    read(&payloads(&out)[0], |j| assert_eq!((j.action, j.sources.len()), (Action::SessionAccept, 5)));
    // Refused by a session that replaced none, they are refused.
    let out = g.answer(&out, used(), at(8));
    assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "sources-refused", "rejoin"]);
    let out = g.focus(&again.replace("another", "third"), at(9));
    read(&payloads(&out)[0], |j| assert!(j.sources.is_empty()));
}

#[test]
fn a_source_that_went_while_its_session_was_replaced_under_its_id_is_taken_back() {
    let (mut g, _) = Guest::in_session();
    let mut more = sources(OWN, 101);
    more.push(desktop(OWN, 150));
    g.side.j.set_local_sources(more);
    assert_eq!(actions(&g.side.drain(at(4))), ["source-add"]);
    g.side.j.set_local_sources(sources(OWN, 101));
    let out = g.focus(&offer().replace("session-initiate", "transport-replace"), at(5));
    read(&payloads(&out)[0], |j| assert_eq!(j.sources.len(), 3));
    let out = g.side.answer_all(&out, at(6));
    assert_eq!(actions(&out), ["source-remove"]);
    read(&payloads(&out)[0], |j| assert_eq!(j.sources.iter().map(|s| s.ssrc).collect::<Vec<_>>(), [150, 151]));
    // The focus may not have heard of it, which is as well.
    assert!(g.answer(&out, error(Condition::BadRequest), at(7)).is_empty());
}

#[test]
fn a_source_that_the_accept_of_a_session_replaced_under_its_id_has_no_room_for_follows() {
    let (mut g, _) = Guest::in_session();
    let mut more = sources(OWN, 101);
    more.extend((0..5).map(|n| LocalSource {
        name: format!("{OWN}-v{}", n + 1),
        msid: format!("{OWN}-video-{}-1 84615c77-2441-4d1f-801d-591a4bc1beaa-1", n + 1),
        ..desktop(OWN, 200 + 10 * n)
    }));
    g.side.j.set_local_sources(more);
    let out = g.side.drain(at(4));
    g.side.answer_all(&out, at(5));
    // The focus forgot what it knew with the session: what was told in it is to be told again.
    let out = g.focus(&offer().replace("session-initiate", "transport-replace"), at(6));
    let mut told = BTreeSet::new();
    read(&payloads(&out)[0], |j| told.extend(j.sources.iter().map(|s| s.ssrc)));
    assert!(told.len() < 13, "not all fit");
    let out = g.side.answer_all(&out, at(7));
    for xml in payloads(&out) {
        read(&xml, |j| told.extend(j.sources.iter().map(|s| s.ssrc)));
    }
    assert!(actions(&out).iter().all(|a| a == "source-add"));
    assert_eq!(told.len(), 13);
}

#[test]
fn an_engine_that_never_answers_leads_to_another_session() {
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let d = Document::parse_with(&offer(), ns::CLIENT, &Default::default()).unwrap();
    let from = g.jid("focus");
    g.side.j.on_iq(&from, "id1", d.root(), at(1));
    while g.side.j.poll_output().is_some() {}
    let out = g.wait(60_001);
    assert_eq!(actions(&out), ["session-terminate"]);
    assert_eq!(bridge_ended(&out), Some(EndReason::Restarting));
}

#[test]
fn leaving_the_room_ends_the_session_without_a_word() {
    let (mut g, _) = Guest::in_session();
    g.side.j.leave();
    let out = g.side.drain(at(9));
    assert_eq!((kinds(&out), bridge_ended(&out)), (vec!["removed", "close", "bridge-ended"], Some(EndReason::Left)));
    let (mut g, _) = Guest::in_session();
    g.conference.own = None;
    assert_eq!(bridge_ended(&g.tell(at(9))), Some(EndReason::Left));
    assert!(g.side.j.next_deadline().is_none());
}

#[test]
fn an_accept_that_is_refused_comes_back_without_its_sources() {
    let begin = || {
        let mut g = Guest::new(REAL, OWN, &["560b777f"]);
        let out = g.focus(&offer(), at(1));
        (g, out)
    };
    for condition in [Condition::BadRequest, Condition::ResourceConstraint, Condition::Forbidden] {
        let (mut g, out) = begin();
        let why = IqAnswer::Error(StanzaError::new(condition).with_text("why"));
        let out = g.answer(&out, why, at(2));
        assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "sources-refused", "rejoin"]);
        let condition = condition.as_str();
        assert_eq!(rejoin(&out), Some(RejoinReason::AcceptRefused { condition, text: "why".into() }));
        assert!(g.side.j.next_deadline().is_none());
        let out = g.focus(&offer(), at(3));
        read(&payloads(&out)[0], |j| assert!(j.sources.is_empty()));
        assert!(g.side.answer_all(&out, at(4)).is_empty());
        // A source that was made anew is tried.
        g.side.j.set_local_sources(sources(OWN, 201));
        assert_eq!(actions(&g.side.drain(at(5))), ["source-add"]);
    }
    // Of a session that was replaced, or is not known any more: the next one is awaited.
    for condition in [Condition::Gone, Condition::ItemNotFound, Condition::BadRequest] {
        let (mut g, out) = begin();
        let out = g.answer(&out, error(condition), at(2));
        assert_eq!(kinds(&out), ["removed", "close", "bridge-ended"]);
        assert_eq!(rejoin(&g.wait(10_002)), Some(RejoinReason::NotInvited));
    }
    let (mut g, out) = begin();
    let out = g.answer(&out, IqAnswer::Timeout, at(2));
    assert_eq!(actions(&out), ["session-terminate"]);
}
