//! What focus and bridge do not let us do, or not yet, and how programs are told, in virtual time.

use jmeet::Code;
use jmeet::bridge::outbox::{MAX_WAITING, PATIENCE};
use jmeet::media::Codec;
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, SourceRefusal};
use jmeet::meeting::{Command, TrackKey, TrackOptions};
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use jmeet::testkit::{BRIDGE, World};

fn web_socket(seed: u64) -> World {
    let config = BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() };
    three(seed, SessionOptions { sctp: false, ..SessionOptions::default() }, config, |_| {})
}

fn say(w: &mut World, tag: u64) {
    let payload = format!(r#"{{"n":{tag}}}"#);
    w.command(0, Command::SendEndpointMessage { to: String::new(), payload, tag });
}

/// How requests were completed, in their order.
fn done(w: &World) -> Vec<(u64, Option<Code>)> {
    let of = |e: &jmeet::meeting::Event| match &e.kind {
        EventKind::RequestDone(error) if e.tag >= 100 => Some((e.tag, error.as_ref().map(|e| e.code))),
        _ => None,
    };
    w.peers[0].events.iter().filter_map(|e| of(&e.1)).collect()
}

fn heard_by(w: &World, who: usize) -> Vec<String> {
    let of = |e: &EventKind| if let EventKind::EndpointMessage(m) = e { Some(m.payload.clone()) } else { None };
    w.peers[who].kinds().filter_map(of).collect()
}

#[test]
fn messages_wait_while_the_channel_opens_again_and_are_done_in_their_order_when_they_are_on_their_way() {
    let mut w = web_socket(1);
    w.cut_channel(0);
    assert!(w.run_until(SECOND, |w| channel(w, 0) == Some(BridgeChannel::Waiting)));
    for n in 0..=MAX_WAITING as u64 {
        say(&mut w, 100 + n);
    }
    assert_eq!(done(&w), [(100 + MAX_WAITING as u64, Some(Code::Full))], "the one past the limit, and no other yet");
    w.run(5 * SECOND);
    assert_eq!(channel(&w, 0), Some(BridgeChannel::WebSocket));
    let sent: Vec<_> = (0..MAX_WAITING as u64).map(|n| (100 + n, None)).collect();
    assert_eq!(done(&w)[1..], sent);
    let heard: Vec<_> = (0..MAX_WAITING).map(|n| format!(r#"{{"n":{}}}"#, 100 + n)).collect();
    assert_eq!((heard_by(&w, 1), heard_by(&w, 2)), (heard.clone(), heard));
}

#[test]
fn a_message_that_waited_too_long_is_given_up_and_one_at_the_end_of_the_meeting_is_cancelled() {
    let mut w = web_socket(2);
    w.peers[0].unreachable = true;
    w.cut_channel(0);
    w.run(SECOND / 2);
    say(&mut w, 100);
    w.run(PATIENCE - SECOND / 10);
    assert!(done(&w).is_empty());
    w.run(SECOND / 5);
    assert_eq!(done(&w), [(100, Some(Code::NotReady))]);
    say(&mut w, 101);
    w.command(0, Command::Leave { tag: 0 });
    w.run(SECOND);
    assert_eq!(done(&w)[1..], [(101, Some(Code::Cancelled))]);
    w.run(2 * PATIENCE);
    assert!(heard_by(&w, 1).is_empty(), "what was given up is never sent");
}

#[test]
fn without_a_bridge_session_a_message_is_refused_at_once() {
    let mut w = World::new(3);
    join(&mut w, NAMES[0], |_| {});
    say(&mut w, 100);
    assert_eq!(done(&w), [(100, Some(Code::NotReady))]);
}

#[test]
fn a_message_waits_for_the_next_bridge_when_one_has_died() {
    let mut w = three(4, SessionOptions::default(), BridgeConfig::default(), |_| {});
    w.kill_bridge();
    w.run(SECOND);
    say(&mut w, 100);
    w.start_bridge(BridgeConfig::default()).unwrap();
    assert!(w.run_until(PATIENCE, |w| done(w) == [(100, None)]), "{:?}", done(&w));
}

#[test]
fn more_streams_than_the_focus_allows_are_refused_by_name_and_the_others_are_sent() {
    let mut w = three(5, SessionOptions::default(), BridgeConfig::default(), |_| {});
    for n in 0..4 {
        let options = TrackOptions { encodings: 3, ..TrackOptions::new(Codec::Vp8) };
        w.command(0, Command::AddTrack { track: TrackKey(AUDIO.0 + 10 + n), options, tag: 0 });
    }
    w.run(3 * SECOND);
    let of = |e: &EventKind| if let EventKind::SourcesRefused(r) = e { Some(r.clone()) } else { None };
    let told: Vec<_> = w.peers[0].kinds().filter_map(of).collect();
    for (refused, name) in told.iter().zip(["aaaaaaaa-v3", "aaaaaaaa-v4"]) {
        assert_eq!((refused.path, &refused.why), (MediaPath::Bridge, &SourceRefusal::TooManySsrcs));
        assert_eq!(refused.names, [name]);
    }
    assert_eq!(told.len(), 2, "{told:?}");
    everybody_is_heard_and_seen(&mut w);
}

#[test]
fn who_is_to_begin_muted_is_muted_and_told_and_may_unmute() {
    let sessions = SessionOptions { start_muted_after: (Some(2), None), ..SessionOptions::default() };
    let mut w = three(6, sessions, BridgeConfig::default(), |_| {});
    let told = |w: &World, who: usize| {
        let of =
            |e: &EventKind| if let EventKind::StartMuted { audio, video } = e { Some((*audio, *video)) } else { None };
        w.peers[who].kinds().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!([told(&w, 0), told(&w, 1), told(&w, 2)], [vec![], vec![], vec![(true, false)]]);
    let ours = |e: &EventKind| matches!(e, EventKind::TrackUpdated(t) if t.local && t.muted && t.key == AUDIO);
    assert!(w.peers[2].saw(ours));
    assert_eq!((w.peers[2].writers[&AUDIO].0, w.peers[2].writers[&VIDEO].0), (true, false));
    let muted = |e: &EventKind, muted: bool| match e {
        EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) => t.source_name == "cccccccc-a0" && t.muted == muted,
        _ => false,
    };
    assert!((0..2).all(|who| w.peers[who].saw(|e| muted(e, true))), "the others see it");
    w.command(2, Command::SetMuted { track: AUDIO, muted: false, tag: 0 });
    w.run(SECOND);
    assert!((0..2).all(|who| w.peers[who].saw(|e| muted(e, false))));
    everybody_is_heard_and_seen(&mut w);
}

#[test]
fn a_refused_restart_is_told_and_the_meeting_goes_on() {
    let sessions = SessionOptions { ice_restart: false, ..SessionOptions::default() };
    let mut w = three(7, sessions, BridgeConfig::default(), |_| {});
    for (from, to) in [(0, BRIDGE), (BRIDGE, 0)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    let refused = |e: &EventKind| matches!(e, EventKind::RestartRefused { condition } if !condition.is_empty());
    assert!(w.run_until(40 * SECOND, |w| w.peers[0].saw(refused)));
    for (from, to) in [(0, BRIDGE), (BRIDGE, 0)] {
        w.link_mut(from, to).options.loss = 0.0;
    }
    w.run(30 * SECOND);
    assert!(!w.peers[0].saw(|e| matches!(e, EventKind::Closed(_))));
    everybody_is_heard_and_seen(&mut w);
}
