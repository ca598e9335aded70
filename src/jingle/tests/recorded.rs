//! Against recorded lib-jitsi-meet clients, in both roles, and real bridge sessions.

use super::*;

#[test]
fn the_recorded_responder_is_answered_as_initiator() {
    let mut a = Side::new("62c191da", 1);
    let out = a.join(&["83bcb962"], at(0));
    assert_eq!(kinds(&out), ["starting", "create", "iq"]);
    assert_eq!(actions(&out), ["session-initiate"]);
    assert!(matches!(&out[1], Output::CreateEngine { controlling: true, .. }));
    assert!(a.answer_all(&out, at(1)).is_empty());
    let sid = {
        let p = payloads(&out).remove(0);
        let d = Document::parse(&p).unwrap();
        d.root().attr("sid").unwrap().to_owned()
    };
    assert_eq!(sid.len(), 12);
    let theirs = |action| recorded("03-p2p-session", 'A', false, action).replace("df2d94a1d999", &sid);
    // Candidates that overtake the answer wait for it.
    assert_eq!(kinds(&a.iq("83bcb962", &theirs("transport-info"), at(2))), ["ack"]);
    let out = a.iq("83bcb962", &theirs("session-accept"), at(3));
    assert_eq!(kinds(&out), ["description", "added", "candidates", "iq", "ack"]);
    assert_eq!(actions(&out), ["content-modify"]);
    let Output::RemoteDescription { transport, negotiated, .. } = &out[0] else { panic!() };
    assert_eq!((&*transport.ufrag, transport.dtls), ("cAXW", DtlsRole::Server));
    let pts: Vec<_> = negotiated.payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect();
    assert_eq!(pts, [(Codec::Opus, 111, None), (Codec::Vp8, 96, Some(97))]);
    let Output::SourcesAdded { sources, .. } = &out[1] else { panic!() };
    assert_eq!(sources.iter().map(|s| &*s.name).collect::<Vec<_>>(), ["83bcb962-a0", "83bcb962-v0"]);
    let Output::RemoteCandidates { candidates, .. } = &out[2] else { panic!() };
    // Four of eight: the others are TCP.
    assert_eq!(candidates.len(), 4);
    let out = a.iq("83bcb962", &theirs("content-modify"), at(4));
    assert_eq!(kinds(&out), ["constraints", "ack"]);
    let add = recorded("05-p2p-screenshare-source-add", 'A', false, "source-add").replace("df2d94a1d999", &sid);
    let out = a.iq("83bcb962", &add, at(5));
    let Output::SourcesAdded { sources, .. } = &out[0] else { panic!("{out:?}") };
    assert_eq!((&*sources[0].name, sources[0].video_type), ("83bcb962-v1", Some(VideoType::Desktop)));
    assert_eq!(kinds(&a.iq("83bcb962", &add, at(6))), ["ack"]);
    let key = a.j.session(SessionKind::P2p).unwrap().0;
    a.j.ice_connected(key, at(7));
    a.j.ice_connected(key, at(7));
    assert_eq!(kinds(&a.drain(at(7))), ["active"]);
    let end = recorded("06-p2p-terminate-restart-leave", 'A', false, "session-terminate").replace("df2d94a1d999", &sid);
    let out = a.iq("83bcb962", &end, at(8));
    assert_eq!(kinds(&out), ["removed", "close", "ended", "ack"]);
    assert_eq!(
        ended(&out),
        Some(EndReason::Peer { condition: "success".into(), text: "Turning off P2P session".into() })
    );
}

#[test]
fn the_recorded_initiator_is_accepted() {
    for (file, sid) in [("03-p2p-session", "df2d94a1d999"), ("06-p2p-terminate-restart-leave", "472362d07e28")] {
        let mut b = Side::new("83bcb962", 2);
        assert!(b.join(&["62c191da"], at(0)).is_empty());
        let theirs = |action| recorded(file, 'B', false, action);
        let out = b.iq("62c191da", &theirs("session-initiate"), at(1));
        // The engine of this test answers at once; the acknowledgement came first all the same.
        assert_eq!(kinds(&out), ["starting", "create", "description", "added", "ack", "iq"]);
        assert_eq!(reply(&out), format!("<iq xmlns='jabber:client' type='result' to='{ROOM}/62c191da' id='id1'/>"));
        let Output::RemoteDescription { transport, .. } = &out[2] else { panic!() };
        assert_eq!(transport.dtls, DtlsRole::Client);
        let p = payloads(&out).remove(0);
        let d = Document::parse(&p).unwrap();
        let j = wire::Jingle::read(d.root()).unwrap();
        assert_eq!((j.action, j.sid, j.ignored), (Action::SessionAccept, sid, 0));
        assert_eq!((j.initiator, j.responder), (Some(jid("62c191da").as_str()), Some(jid("83bcb962").as_str())));
        for c in &j.contents {
            let f = &c.transport.as_ref().unwrap().fingerprints[0];
            assert_eq!((f.setup, c.senders), (Some(wire::Setup::Active), Some(wire::Senders::Both)));
        }
        // Candidates wait until the accept is acknowledged.
        assert_eq!(kinds(&b.iq("62c191da", &theirs("transport-info"), at(2))), ["ack"]);
        assert_eq!(kinds(&b.answer_all(&out, at(3))), ["candidates"]);
        assert_eq!(b.j.session(SessionKind::P2p).unwrap().1, SessionState::Active);
        assert_eq!(b.j.next_deadline(), None);
    }
}

/// What two descriptions say, without what differs by intent.
fn described(xml: &str) -> Vec<String> {
    let d = Document::parse(xml).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let mut out = vec![format!("{:?} {:?}", j.action, j.groups)];
    for c in &j.contents {
        let (d, t) = (c.description.as_ref().unwrap(), c.transport.as_ref().unwrap());
        out.push(format!(
            "{} {:?} {:?} {:?} mux {} mixed {}",
            c.name, c.creator, c.senders, d.media, d.rtcp_mux, d.extmap_allow_mixed
        ));
        // Codecs: ours are those that we packetise; of their feedback goog-remb is old and not ours. Numbers are equal.
        for p in d.payload_types.iter().filter(|p| matches!((p.name, p.id), ("opus" | "VP8", _) | ("rtx", 97))) {
            let mut fb: Vec<_> =
                p.feedback.iter().filter(|f| f.kind != "goog-remb").map(|f| format!("{f:?}")).collect();
            fb.sort();
            out.push(format!("{} {} {:?} {:?} {:?} {fb:?}", p.id, p.name, p.clockrate, p.channels, p.parameters));
        }
        let ours = |uri: &&str| codecs::EXTENSIONS.iter().any(|(_, _, u)| u == uri);
        let mut uris: Vec<_> = d.extensions.iter().map(|x| x.uri).filter(ours).collect();
        uris.sort_unstable();
        out.push(format!("{uris:?}"));
        out.push(format!("{:?}", t.fingerprints.iter().map(|f| (f.hash, f.setup, f.required)).collect::<Vec<_>>()));
    }
    for s in j.sources.iter() {
        out.push(format!("{:?} {:?} {:?} {:?} {}", s.media, s.name, s.video_type, s.owner, s.content));
    }
    out.extend(j.sources.groups().map(|g| format!("{:?} {}", g.semantics, g.ssrcs.len())));
    out
}

#[test]
fn our_descriptions_are_those_of_the_recorded_client() {
    // Differences, each on purpose:
    // - fewer codecs and header extensions: only those that this library implements; ids of extensions are our own;
    // - no goog-remb: transport-cc replaces it;
    // - candidates known when the offer is written stand in it, instead of in a transport-info right behind it;
    // - `responder` is our occupant address: the real address is nobody's business, and neither side reads it.
    let mut a = Side::new("62c191da", 1);
    let ours = payloads(&a.join(&["83bcb962"], at(0))).remove(0);
    assert_eq!(described(&ours), described(&recorded("03-p2p-session", 'A', true, "session-initiate")));
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &recorded("03-p2p-session", 'B', false, "session-initiate"), at(1));
    let ours = payloads(&out).remove(0);
    assert_eq!(described(&ours), described(&recorded("03-p2p-session", 'B', true, "session-accept")));
    // The smaller requests are the same to the letter, but for ids and order.
    let mut j = Wanted { video: true, heights: None }.request("df2d94a1d999", &format!("{ROOM}/62c191da"));
    assert_eq!(canonical(&j), canonical(&recorded("03-p2p-session", 'A', true, "content-modify")));
    j = Wanted { video: true, heights: Some(vec![("62c191da-v0".into(), 2160)]) }
        .request("df2d94a1d999", &format!("{ROOM}/62c191da"));
    assert_eq!(canonical(&j), canonical(&recorded("03-p2p-session", 'B', true, "content-modify")));
    j = terminate::request("df2d94a1d999", &format!("{ROOM}/62c191da"), "success", "Turning off P2P session");
    assert_eq!(canonical(&j), canonical(&recorded("06-p2p-terminate-restart-leave", 'B', true, "session-terminate")));
}

fn canonical(xml: &str) -> String {
    fn of(e: Element<'_>) -> String {
        let mut attrs: Vec<_> = e.attrs().collect();
        attrs.sort_unstable();
        let children: Vec<String> = e.children().map(of).collect();
        format!("<{} {} {attrs:?}>{}{}", e.name(), e.ns(), e.text(), children.concat())
    }
    of(Document::parse(xml).unwrap().root())
}

#[test]
fn sources_of_real_bridge_sessions_fill_the_table() {
    for file in [
        "30-bridge-session",
        "32-bridge-session-2022-client",
        "51-real-session-json-sources",
        "52-real-source-add-remove",
        "57-real-session-xml-sources",
    ] {
        let mut tables = std::collections::BTreeMap::<char, SourceTable>::new();
        let mut seen = 0;
        for (who, _, frame) in capture(file).iter().filter(|f| !f.1) {
            let Ok(d) = Document::parse_with(frame, ns::CLIENT, &Default::default()) else { continue };
            let Some(j) = d.root().child("jingle", ns::JINGLE).and_then(wire::Jingle::read) else { continue };
            let table = tables.entry(*who).or_default();
            let change = match j.action {
                Action::SourceRemove => table.remove(&j.sources, Authority::Focus),
                _ => table.add(&j.sources, Authority::Focus),
            };
            assert_eq!(change.refused, 0, "{file}");
            seen += change.sources.len();
        }
        assert!(seen > 1, "{file}: {seen}");
    }
}

#[test]
fn the_peers_numbers_are_used_in_the_answer() {
    let mut b = Side::new("83bcb962", 2);
    b.join(&["62c191da"], at(0));
    let offer = recorded("03-p2p-session", 'B', false, "session-initiate");
    // VP8 as 100 with rtx 101, opus as 109 and in capitals; an extension id that needs the long form is passed over.
    let offer = offer.replace("'opus'", "'OPUS'");
    let d = Document::parse(&offer).unwrap();
    let mut j = wire::Jingle::read(d.root()).unwrap();
    for p in j.contents.iter_mut().flat_map(|c| &mut c.description.as_mut().unwrap().payload_types) {
        match (p.name, p.parameter("apt")) {
            ("VP8", _) => p.id = 100,
            ("OPUS", _) => p.id = 109,
            ("rtx", Some("96")) => {
                p.id = 101;
                p.parameters[0].value = "100";
            }
            // Makes room, as a real offer would.
            (_, _) if matches!(p.id, 100 | 101 | 109) => p.id = 50,
            _ => {}
        }
    }
    for x in j.contents.iter_mut().flat_map(|c| &mut c.description.as_mut().unwrap().extensions) {
        if x.uri == codecs::TRANSPORT_CC {
            x.id = 15;
        }
    }
    let out = b.iq("62c191da", &j.to_xml(), at(1));
    let negotiated = out.iter().find_map(|o| match o {
        Output::RemoteDescription { negotiated, .. } => Some(negotiated.clone()),
        _ => None,
    });
    let n = negotiated.unwrap();
    assert_eq!(
        n.payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect::<Vec<_>>(),
        [(Codec::Opus, 109, None), (Codec::Vp8, 100, Some(101))]
    );
    assert_eq!(n.extensions, ExtensionIds { audio_level: 1, abs_send_time: 2, transport_cc: 0, ..Default::default() });
    let p = payloads(&out).remove(0);
    assert!(p.contains("id='101' name='rtx'") && p.contains("name='apt' value='100'"), "{p}");
}

#[test]
fn of_a_recorded_offer_the_codecs_are_taken_that_were_allowed_in_the_kind_that_we_write() {
    let all = [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];
    let mut b = Side::new("83bcb962", 2);
    b.j.config.p2p_codecs = all.to_vec();
    b.join(&["62c191da"], at(0));
    let out = b.iq("62c191da", &recorded("03-p2p-session", 'B', false, "session-initiate"), at(1));
    let negotiated = out.iter().find_map(|o| match o {
        Output::RemoteDescription { negotiated, .. } => Some(negotiated.clone()),
        _ => None,
    });
    let pts: Vec<_> = negotiated.unwrap().payloads.iter().map(|p| (p.codec, p.pt, p.rtx)).collect();
    // H264 is offered five times or so; constrained baseline in packetization mode 1 is meant.
    assert_eq!(
        pts,
        [
            (Codec::Opus, 111, None),
            (Codec::Vp8, 96, Some(97)),
            (Codec::Vp9, 98, Some(99)),
            (Codec::H264, 108, Some(109)),
            (Codec::Av1, 45, Some(46))
        ]
    );
    // What we offer is understood by ourselves, and only what we offered is taken from an answer.
    let (mut a, mut b) = (Side::new("aaaa", 1), Side::new("bbbb", 2));
    a.j.config.p2p_codecs = all.to_vec();
    b.j.config.p2p_codecs = vec![Codec::Opus, Codec::H264, Codec::Vp9];
    let from_b = b.join(&["aaaa"], at(0));
    let from_a = a.join(&["bbbb"], at(0));
    assert_eq!(payloads(&from_a)[0].matches("name='rtx'").count(), 4);
    exchange(&mut a, &mut b, from_a, from_b, at(1));
    for side in [&a, &b] {
        let n = side.out.iter().find_map(|o| match o {
            Output::RemoteDescription { negotiated, .. } => Some(negotiated.clone()),
            _ => None,
        });
        let codecs: Vec<_> = n.unwrap().payloads.iter().map(|p| p.codec).collect();
        assert_eq!(codecs, [Codec::Opus, Codec::Vp9, Codec::H264]);
    }
}
