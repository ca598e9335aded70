//! Both sessions beside each other.

use super::*;

/// Two in a room with a focus: both may talk directly.
fn two() -> Guest {
    let mut g = Guest::new(REAL, OWN, &[]);
    g.conference.needs_bridge = false;
    g.tell(at(0));
    g.with(&["860b777f"], at(1));
    g
}

#[test]
fn a_peer_session_begins_and_ends_beside_the_bridge() {
    let mut g = two();
    let (p2p, _) = g.side.j.session(SessionKind::P2p).unwrap();
    let offered = std::mem::take(&mut g.side.out);
    assert_eq!(actions(&offered), ["session-initiate"]);
    // The offer of the focus finds another name for the same sources.
    let out = g.focus(&offer(), at(2));
    assert_eq!(actions(&out), ["session-accept"]);
    g.side.answer_all(&out, at(3));
    let bridge = g.key();
    assert!(bridge != p2p && g.side.j.kind(p2p) == Some(SessionKind::P2p));
    // Each hears its own.
    g.side.j.ice_connected(bridge, at(4));
    assert_eq!(kinds(&g.side.drain(at(4))), ["bridge-active"]);
    g.side.j.ice_connected(p2p, at(5));
    assert_eq!(kinds(&g.side.drain(at(5))), ["active"]);
    // The focus's request is none of the peer's, and the reverse.
    assert!(reply(&g.iq("860b777f", &request("source-add", ""), at(6))).contains("<unknown-session"));
    assert_eq!(kinds(&g.focus(&request("source-add", &json("x", &[5])), at(6))), ["added", "ack"]);
    assert_eq!(g.side.j.remote_sources(p2p).unwrap().iter().count(), 0);
    // A third one comes: the peer session ends, the bridge's goes on.
    let out = g.with(&["860b777f", "c"], at(7));
    assert_eq!((kinds(&out), actions(&out)), (vec!["iq", "close", "ended"], vec!["session-terminate".to_owned()]));
    assert_eq!(g.key(), bridge);
    // And back, after the wait.
    g.with(&["860b777f"], at(8));
    g.side.j.handle_timeout(at(5008));
    assert_eq!(actions(&g.side.drain(at(5008))), ["session-initiate"]);
    // The bridge ends: the peer session goes on.
    let out = g.focus(&request("session-terminate", "<reason><success/><text>moving</text></reason>"), at(5009));
    assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "ack"]);
    assert!(g.side.j.session(SessionKind::P2p).is_some());
}

#[test]
fn a_peer_gets_the_first_encoding_alone_and_the_bridge_all() {
    let mut g = Guest::new(REAL, OWN, &[]);
    g.conference.needs_bridge = false;
    g.tell(at(0));
    let mut s = sources(OWN, 101);
    s[1].encodings = vec![(11, Some(12)), (13, Some(14)), (15, Some(16))];
    g.side.j.set_local_sources(s.clone());
    let out = g.with(&["860b777f"], at(1));
    let ssrcs = |xml: &str| {
        let d = Document::parse(xml).unwrap();
        let j = wire::Jingle::read(d.root()).unwrap();
        (j.sources.iter().map(|s| s.ssrc).collect::<Vec<_>>(), j.sources.groups().count())
    };
    assert_eq!(ssrcs(&payloads(&out)[0]), (vec![101, 11, 12], 1));
    let out = g.focus(&offer(), at(2));
    assert_eq!(ssrcs(&payloads(&out)[0]), (vec![101, 11, 12, 13, 14, 15, 16], 4));
    g.side.answer_all(&out, at(3));
    // Other layers change nothing for the peer.
    s[1].encodings.truncate(2);
    g.side.j.set_local_sources(s);
    let out = g.side.drain(at(4));
    assert_eq!(actions(&out), ["source-remove", "source-add"]);
    assert!(g.side.j.session(SessionKind::P2p).is_some());
}

#[test]
fn one_session_id_names_one_session() {
    let mut g = Guest::new(REAL, "a60b777f", &[]);
    g.conference.needs_bridge = false;
    g.with(&["760b777f"], at(1));
    let out = g.focus(&offer(), at(2));
    g.side.answer_all(&out, at(2));
    // The peer's offer under the bridge's id.
    let p2p = initiate(SID);
    assert!(reply(&g.iq("760b777f", &p2p, at(3))).contains("<service-unavailable"));
    assert_eq!(actions(&g.iq("760b777f", &initiate("mine"), at(4))), ["session-accept"]);
    // And the focus's under the peer's.
    assert!(reply(&g.focus(&offer().replace(SID, "mine"), at(5))).contains("<service-unavailable"));
    assert!(reply(&g.focus(&request("source-add", "").replace(SID, "mine"), at(5))).contains("<unknown-session"));
}

#[test]
fn nothing_that_ends_a_living_peer_session_is_wished_for() {
    for exhausted in [false, true] {
        let mut g = two();
        let (p2p, _) = g.side.j.session(SessionKind::P2p).unwrap();
        let out = g.focus(&offer(), at(2));
        g.side.answer_all(&out, at(3));
        g.side.j.ice_connected(p2p, at(4));
        g.side.drain(at(4));
        if exhausted {
            for i in 1..=u64::from(MAX_RESTART_ATTEMPTS) {
                let key = g.key();
                g.side.j.restart_session(key, at(7000 * i)).unwrap();
                g.focus(&offer(), at(7000 * i + 1));
            }
            let key = g.key();
            g.side.j.media_failed(key, at(28_000));
        } else {
            g.focus(&request("session-terminate", "<reason><success/><text>moving</text></reason>"), at(7));
        }
        assert_eq!(rejoin(&g.side.drain(at(28_000))), None);
        g.side.j.handle_timeout(at(50_000));
        assert!(g.side.drain(at(50_000)).is_empty());
        // When it ends, the wish is there.
        g.side.j.ice_failed(p2p, at(50_001));
        assert!(g.side.j.next_deadline().is_some_and(|d| d <= at(50_001)));
        g.side.j.handle_timeout(at(50_002));
        let reason = if exhausted { RejoinReason::RestartsExhausted } else { RejoinReason::NotInvited };
        assert_eq!(rejoin(&g.side.drain(at(50_002))), Some(reason));
    }
}
