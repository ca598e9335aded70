//! Lost paths, restarts of both kinds, and the wait for another invitation.

use super::*;

const PWD: &str = "1a2s3d4f5g6h7j8k9l0q1w2e3r";

fn transport_info(attributes: &str) -> String {
    let inside = format!(
        "<content creator='initiator' name='audio'><transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' {attributes}>\
         <candidate component='1' foundation='1' generation='0' id='aa01' ip='198.51.100.20' network='0' port='10000' \
         priority='2130706431' protocol='udp' type='host'/></transport></content>"
    );
    request("transport-info", &inside)
}

fn generation(n: &str) -> String {
    transport_info(&format!("ufrag='9z8y' pwd='{PWD}' ice-generation='{n}'"))
}

fn moving() -> String {
    request("session-terminate", "<reason><success/><text>moving</text></reason>")
}

#[test]
fn a_new_path_in_place_is_asked_for_offered_and_answered() {
    let (mut g, key) = Guest::in_session();
    let out = {
        g.side.j.request_ice_restart(key, at(10)).unwrap();
        g.side.drain(at(10))
    };
    let id = "xmlns='http://jitsi.org/protocol/focus' id='";
    assert_eq!(actions(&out), ["session-info"]);
    assert!(payloads(&out)[0].contains(id) && payloads(&out)[0].contains("ice-restart='true'"));
    assert!(g.answer(&out, IqAnswer::Result, at(11)).is_empty());
    let out = g.focus(&generation("7"), at(12));
    let [Output::RestartIce { session, generation: 7, credentials, candidates }, Output::Reply(_)] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((*session, &*credentials.ufrag, candidates.len()), (key, "9z8y", 1));
    assert!(!format!("{out:?}").contains(PWD));
    // Our answer names the generation; those of another one are not sent.
    g.side.j.ice_restarted(key, 6, transport("old"));
    assert!(g.side.drain(at(13)).is_empty());
    g.side.j.ice_restarted(key, 7, transport("new"));
    let out = g.side.drain(at(13));
    let p = &payloads(&out)[0];
    let d = Document::parse(p).unwrap();
    let j = wire::Jingle::read(d.root()).unwrap();
    let t = j.contents[0].transport.as_ref().unwrap();
    assert_eq!((j.action, t.ice_generation, t.ufrag), (Action::TransportInfo, Some("7"), Some("fragnew")));
    assert_eq!(t.fingerprints[0].setup, Some(wire::Setup::Active));
    // The path lives: when the time is over nothing follows.
    assert!(g.wait(15_011).is_empty());
    assert_eq!(g.key(), key);
}

#[test]
fn generations_that_are_stale_repeated_or_incomplete_are_dropped() {
    let (mut g, _) = Guest::in_session();
    let restarts = |g: &mut Guest, text: &str| {
        let out = g.focus(text, at(5));
        assert_eq!(kinds(&out).last(), Some(&"ack"));
        kinds(&out).contains(&"restart-ice")
    };
    for bad in ["not-a-number", "0", "-1", "", "1.5", "99999999999999999999"] {
        assert!(!restarts(&mut g, &generation(bad)), "{bad}");
    }
    assert!(!restarts(&mut g, &transport_info("ufrag='9z8y' ice-generation='1'")));
    assert!(!restarts(&mut g, &transport_info(&format!("pwd='{PWD}' ice-generation='1'"))));
    assert!(!restarts(&mut g, &transport_info("ufrag='9z8y' pwd='short' ice-generation='1'")));
    assert!(!restarts(&mut g, &transport_info(&format!("ufrag='9z8y' pwd='{PWD}'"))));
    for (n, applied) in [("3", true), ("3", false), ("2", false), ("4", true), ("1", false), ("100", true)] {
        assert_eq!(restarts(&mut g, &generation(n)), applied, "{n}");
    }
    // Before the accept's result they wait, and the order among them counts.
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let out = g.focus(&offer(), at(1));
    for n in ["2", "1", "2", "3"] {
        assert!(!restarts(&mut g, &generation(n)));
    }
    assert_eq!(kinds(&g.side.answer_all(&out, at(6))), ["restart-ice", "restart-ice"]);
    // A new session counts from the beginning.
    g.focus(&offer().replace(SID, "second"), at(7));
    let accept = g.side.out.iter().rev().find(|o| matches!(o, Output::SendIq { .. })).cloned();
    g.side.answer_all(&[accept.unwrap()], at(8));
    assert!(restarts(&mut g, &generation("1").replace(SID, "second")));
}

#[test]
fn a_path_is_sought_in_place_first_then_in_a_new_session() {
    // The engine gives up before the server answered, or after, or when the wait for the new path is over.
    for (answered, failed) in [(false, 2000), (true, 2000), (true, 18_000)] {
        let (mut g, key) = Guest::in_session();
        g.side.j.request_ice_restart(key, at(1000)).unwrap();
        let asked = g.side.drain(at(1000));
        assert_eq!(actions(&asked), ["session-info"]);
        if answered {
            g.answer(&asked, IqAnswer::Result, at(1500));
        }
        if failed > 16_500 {
            assert!(g.wait(16_500).is_empty(), "the path of before may still hold");
        }
        g.side.j.ice_failed(key, at(failed));
        let out = g.side.drain(at(failed));
        assert_eq!(kinds(&out), ["bridge-recovering", "iq", "removed", "close", "bridge-ended"]);
        let p = &payloads(&out)[0];
        assert!(p.contains("<connectivity-error/><text>ICE FAILED</text>") && p.contains("restart='true'"));
        assert_eq!(bridge_ended(&out), Some(EndReason::Restarting));
        // Said twice, it is one loss.
        g.side.j.ice_failed(key, at(failed));
        assert!(g.side.drain(at(failed)).is_empty());
        // Whatever comes for the old session now is unknown; the new one begins in peace.
        assert!(reply(&g.focus(&request("source-add", ""), at(failed + 1))).contains("<unknown-session"));
        assert!(g.answer(&out, IqAnswer::Result, at(failed + 100)).is_empty());
        let out = g.focus(&offer().replace(SID, "second"), at(failed + 1000));
        assert!(kinds(&out).contains(&"create"));
        g.side.answer_all(&out, at(failed + 1100));
        let key = g.key();
        g.side.j.ice_connected(key, at(failed + 1200));
        assert_eq!(kinds(&g.side.drain(at(failed + 1200))), ["bridge-active"]);
        assert!(g.side.j.next_deadline().is_none());
    }
}

#[test]
fn a_path_that_comes_back_ends_the_seeking() {
    let (mut g, key) = Guest::in_session();
    g.side.j.request_ice_restart(key, at(1000)).unwrap();
    let out = g.side.drain(at(1000));
    g.answer(&out, IqAnswer::Result, at(1100));
    assert_eq!(kinds(&g.focus(&generation("1"), at(1200))), ["restart-ice", "ack"]);
    g.side.j.ice_connected(key, at(1300));
    assert!(g.side.drain(at(1300)).is_empty(), "it was not lost");
    assert!(g.side.j.next_deadline().is_none());
}

#[test]
fn refusals_of_the_restart_in_place_lead_to_a_new_session_once_the_path_is_lost() {
    // Asked too often, as the server sees it; a stale id; no answer.
    for answer in [error(Condition::ResourceConstraint), error(Condition::ItemNotFound), IqAnswer::Timeout] {
        let (mut g, key) = Guest::in_session();
        g.side.j.request_ice_restart(key, at(1000)).unwrap();
        let out = g.side.drain(at(1000));
        let out = g.answer(&out, answer.clone(), at(1100));
        assert_eq!(kinds(&out).contains(&"ice-restart-refused"), answer != IqAnswer::Timeout);
        assert!(actions(&out).is_empty() && g.side.j.next_deadline().is_none());
        g.side.j.ice_failed(key, at(1200));
        assert_eq!(actions(&g.side.drain(at(1200))), ["session-terminate"]);
    }
    // Switched off: never asked again.
    let (mut g, key) = Guest::in_session();
    assert_eq!(g.side.j.request_ice_restart(key, at(1000)), Ok(()));
    let out = g.side.drain(at(1000));
    let out = g.answer(&out, error(Condition::FeatureNotImplemented), at(1100));
    assert_eq!(kinds(&out), ["ice-restart-refused"]);
    assert_eq!(g.side.j.request_ice_restart(key, at(60_000)), Err(RestartRefusal::NotSupported));
    g.side.j.ice_failed(key, at(60_001));
    assert_eq!(actions(&g.side.drain(at(60_001))), ["session-terminate"]);
}

#[test]
fn restarts_that_are_asked_for_have_conditions() {
    let (mut g, key) = Guest::in_session();
    let none = SessionKey(99);
    assert_eq!(g.side.j.request_ice_restart(none, at(10)), Err(RestartRefusal::NoSession));
    assert_eq!(g.side.j.restart_session(none, at(10)), Err(RestartRefusal::NoSession));
    g.side.j.request_ice_restart(key, at(10)).unwrap();
    assert_eq!(g.side.j.request_ice_restart(key, at(11)), Err(RestartRefusal::UnderWay));
    assert_eq!(g.side.j.restart_session(key, at(11)), Err(RestartRefusal::UnderWay));
    let out = g.side.drain(at(12));
    g.answer(&out, IqAnswer::Timeout, at(13));
    // Too soon after the last one, it waits for its time; each kind has a budget of its own.
    g.side.j.request_ice_restart(key, at(1000)).unwrap();
    assert!(g.side.drain(at(1000)).is_empty());
    assert_eq!(actions(&g.wait(6010)), ["session-info"]);
    let out = g.side.out.split_off(g.side.out.len() - 1);
    g.answer(&out, IqAnswer::Timeout, at(6011));
    g.side.j.restart_session(key, at(6012)).unwrap();
    assert_eq!(actions(&g.side.drain(at(6012))), ["session-terminate"]);
    g.focus(&offer(), at(6013));
    let key = g.key();
    g.side.j.ice_connected(key, at(6014));
    g.side.j.restart_session(key, at(6015)).unwrap();
    // That the path is there does not change what was wanted.
    g.side.j.ice_connected(key, at(7000));
    assert_eq!(kinds(&g.side.drain(at(7000))), ["bridge-active"]);
    assert_eq!(actions(&g.wait(12_012)), ["session-terminate"]);
    // One too many.
    for i in 0..2 {
        g.focus(&offer(), at(13_000));
        let key = g.key();
        g.side.j.restart_session(key, at(20_000)).unwrap();
        let out = g.side.drain(at(20_000));
        assert_eq!(rejoin(&out).is_some(), i == 1, "{out:?}");
    }
    // Without the bridge's id the focus takes neither.
    let mut g = Guest::new(REAL, OWN, &["560b777f"]);
    let text = offer().replace("<bridge-session", "<no-session").replace("</bridge-session", "</no-session");
    g.focus(&text, at(1));
    let key = g.key();
    assert_eq!(g.side.j.restart_session(key, at(2)), Err(RestartRefusal::NoBridgeId));
    g.side.j.ice_failed(key, at(3));
    let out = g.side.drain(at(3));
    assert_eq!((bridge_ended(&out), rejoin(&out)), (Some(EndReason::IceFailed), Some(RejoinReason::RestartsExhausted)));
}

#[test]
fn three_restarts_that_do_not_help_end_in_the_wish_to_join_again() {
    let (mut g, _) = Guest::in_session();
    let mut now = 1000;
    let mut asked = Vec::new();
    for i in 0..MAX_RESTART_ATTEMPTS {
        let key = g.key();
        g.side.j.media_failed(key, at(now));
        let mut out = g.side.drain(at(now));
        if !actions(&out).contains(&"session-terminate".to_owned()) {
            now = g.side.j.next_deadline().unwrap().mono_us / 1000;
            out = g.wait(now);
        }
        assert_eq!(actions(&out), ["session-terminate"]);
        asked.push(now);
        g.answer(&out, IqAnswer::Result, at(now));
        now += 1;
        let out = g.focus(&offer().replace(SID, &format!("s{i}")), at(now));
        g.side.answer_all(&out, at(now));
    }
    assert!(asked.windows(2).all(|w| w[1] - w[0] >= 6000), "{asked:?}");
    let key = g.key();
    g.side.j.media_failed(key, at(now + 1));
    let out = g.side.drain(at(now + 1));
    assert_eq!(
        (kinds(&out), rejoin(&out)),
        (vec!["removed", "close", "bridge-ended", "rejoin"], Some(RejoinReason::RestartsExhausted))
    );
    // Joined again, all is as at first.
    g.side.j.leave();
    g.tell(at(now + 10_000));
    let out = g.focus(&offer(), at(now + 10_000));
    g.side.answer_all(&out, at(now + 10_000));
    let key = g.key();
    g.side.j.ice_failed(key, at(now + 20_000));
    assert_eq!(actions(&g.side.drain(at(now + 20_000))), ["session-terminate"]);
}

#[test]
fn moving_is_waited_for_so_long() {
    let (mut g, _) = Guest::in_session();
    let out = g.focus(&moving(), at(1000));
    assert_eq!(kinds(&out), ["removed", "close", "bridge-ended", "ack"]);
    assert_eq!(bridge_ended(&out), Some(EndReason::Peer { condition: "success".into(), text: "moving".into() }));
    let out = g.wait(1000 + REINVITE_WAIT.as_millis() as u64);
    assert_eq!(rejoin(&out), Some(RejoinReason::NotInvited));
    // Once.
    assert!(g.side.j.next_deadline().is_none());
    // In time, the invitation is taken.
    let (mut g, _) = Guest::in_session();
    g.focus(&moving(), at(1000));
    let out = g.focus(&offer().replace(SID, "second"), at(10_999));
    g.side.answer_all(&out, at(11_000));
    assert!(g.side.j.next_deadline().is_none() && g.has_session());
    // Alone for a time, or by then: the next invitation comes with the next participant.
    let (mut g, _) = Guest::in_session();
    g.focus(&request("session-terminate", "<reason><expired/><text>Idle session timeout</text></reason>"), at(1000));
    assert!(g.side.j.next_deadline().is_none());
    let (mut g, _) = Guest::in_session();
    g.focus(&moving(), at(1000));
    g.with(&[], at(2000));
    assert!(g.wait(11_000).is_empty());
}

#[test]
fn no_wait_ends_while_there_is_no_bridge_or_no_stream() {
    for by_bridge in [true, false] {
        let hold = |g: &mut Guest, held: bool, ms: u64| {
            if by_bridge {
                g.conference.bridge_not_available = held;
                assert!(g.tell(at(ms)).is_empty());
            } else {
                g.side.j.set_online(!held, at(ms));
            }
        };
        let (mut g, _) = Guest::in_session();
        g.focus(&moving(), at(1000));
        hold(&mut g, true, 2000);
        assert!(g.side.j.next_deadline().is_none());
        g.side.j.handle_timeout(at(600_000));
        assert!(g.side.drain(at(600_000)).is_empty());
        hold(&mut g, false, 600_000);
        assert_eq!(rejoin(&g.wait(610_000)), Some(RejoinReason::NotInvited));
        // Nor is anything asked.
        for lost in [true, false] {
            let (mut g, key) = Guest::in_session();
            hold(&mut g, true, 2000);
            if lost {
                g.side.j.ice_failed(key, at(3000));
                assert_eq!(kinds(&g.side.drain(at(3000))), ["bridge-recovering"]);
            } else {
                g.side.j.request_ice_restart(key, at(3000)).unwrap();
                assert!(g.side.drain(at(3000)).is_empty());
            }
            g.side.j.handle_timeout(at(100_000));
            assert!(g.side.drain(at(100_000)).is_empty() && g.side.j.next_deadline().is_none());
            if by_bridge {
                g.conference.bridge_not_available = false;
                g.side.j.set_conference(g.conference.clone(), at(100_001));
            } else {
                g.side.j.set_online(true, at(100_001));
            }
            assert_eq!(actions(&g.side.drain(at(100_001))), [if lost { "session-terminate" } else { "session-info" }]);
        }
    }
}

#[test]
fn a_restart_that_the_focus_refuses_is_waited_out_and_left() {
    for answer in [error(Condition::ResourceConstraint), error(Condition::Gone), error(Condition::ItemNotFound)] {
        let (mut g, key) = Guest::in_session();
        g.side.j.restart_session(key, at(1000)).unwrap();
        let out = g.side.drain(at(1000));
        assert!(g.answer(&out, answer, at(2000)).is_empty());
        assert_eq!(rejoin(&g.wait(12_000)), Some(RejoinReason::NotInvited));
    }
    let (mut g, key) = Guest::in_session();
    g.side.j.restart_session(key, at(1000)).unwrap();
    let out = g.side.drain(at(1000));
    assert_eq!(rejoin(&g.answer(&out, IqAnswer::Timeout, at(11_000))), Some(RejoinReason::NotInvited));
    // The answer of an old restart does not touch the session that came before it.
    let (mut g, key) = Guest::in_session();
    g.side.j.restart_session(key, at(1000)).unwrap();
    let asked = g.side.drain(at(1000));
    let out = g.focus(&offer().replace(SID, "second"), at(1100));
    g.side.answer_all(&out, at(1200));
    assert!(g.answer(&asked, error(Condition::ResourceConstraint), at(1300)).is_empty());
    assert!(g.has_session() && g.side.j.next_deadline().is_none());
}
