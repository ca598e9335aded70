//! What programs are told of speakers, endpoints and tracks by the bridge, in virtual time; docs/protocol/04 §2.10–§2.12, §3, §17.4.

use jmeet::bridge::{AllConstraints, SpeakerChange, Streaming, Suspended};
use jmeet::media::peer::AudioLevel;
use jmeet::media::{Codec, OutgoingFrame};
use jmeet::meeting::event::{EventKind, TrackKey};
use jmeet::meeting::{ClientOptions, Command, TrackOptions};
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use jmeet::testkit::{BRIDGE, World};
use jmeet::wire::colibri::FromBridge;
use std::time::Duration;

fn meeting(seed: u64) -> World {
    three(seed, SessionOptions::default(), BridgeConfig::default(), |_| {})
}

/// One speaks, the others are silent, for some seconds.
fn speaks(w: &mut World, who: usize, seconds: u32) {
    for _ in 0..seconds * 50 {
        for n in 0..3 {
            let level = Some(AudioLevel { level: if n == who { 10 } else { 127 }, voice: n == who });
            w.frame(n, AUDIO, OutgoingFrame { audio_level: level, ..OutgoingFrame::audio(vec![0xfc, 0xff, 0xfe]) });
        }
        w.run(Duration::from_millis(20));
    }
}

/// The camera of somebody, as another one knows it.
fn camera(w: &World, who: usize, of: usize) -> TrackKey {
    let name = format!("{}-v0", NAMES[of]);
    let found = w.peers[who].kinds().filter_map(|e| match e {
        EventKind::TrackAdded(t) if t.source_name == name => Some(t.key),
        _ => None,
    });
    found.last().expect("the track was added")
}

/// What was told of how a track streams.
fn streaming(w: &World, who: usize, track: TrackKey) -> Vec<Streaming> {
    let of = |e: &EventKind| match e {
        EventKind::TrackStreaming { track: t, status, .. } if *t == track => Some(*status),
        _ => None,
    };
    w.peers[who].kinds().filter_map(of).collect()
}

/// What was told of how a track is forwarded.
fn forwarded(w: &World, who: usize, track: TrackKey) -> Vec<Option<Suspended>> {
    let of = |e: &EventKind| match e {
        EventKind::TrackForwarded { track: t, suspended } if *t == track => Some(*suspended),
        _ => None,
    };
    w.peers[who].kinds().filter_map(of).collect()
}

fn show(w: &mut World, people: &[usize], frames: usize) {
    let clip = clip();
    for i in 0..frames {
        for who in people {
            w.frame(*who, VIDEO, OutgoingFrame::video(clip.frames[i % 60].data.clone(), clip.frame_duration()));
        }
        w.run(clip.frame_duration());
    }
}

#[test]
fn speakers_are_told_in_their_order_and_each_change_once() {
    let mut w = meeting(1);
    for who in [0, 2, 1] {
        speaks(&mut w, who, 6);
    }
    let told: Vec<_> =
        w.peers[1].kinds().filter_map(|e| if let EventKind::Speaker(s) = e { Some(s.clone()) } else { None }).collect();
    let dominant: Vec<&str> = told.iter().map(|s| s.endpoint_id.as_str()).collect();
    assert_eq!(dominant, [NAMES[0], NAMES[2], NAMES[1]], "{told:?}");
    assert!(told.iter().all(|s| s.change == SpeakerChange::Dominant && !s.silence));
    assert_eq!(told[2].previous, [NAMES[2], NAMES[0]]);
    assert!(told[1].participant.is_some() && told[2].participant.is_none(), "we are no participant of our own list");
    // Who leaves is taken off the list, which is news of the earlier ones alone.
    w.command(0, Command::Leave { tag: 0 });
    w.run(3 * SECOND);
    let last =
        w.peers[1].kinds().filter_map(|e| if let EventKind::Speaker(s) = e { Some(s.clone()) } else { None }).last();
    let last = last.expect("a speaker");
    assert_eq!((last.change, &last.previous[..]), (SpeakerChange::Previous, &[NAMES[2].to_owned()][..]));
}

#[test]
fn a_track_past_our_last_n_is_suspended_for_that_reason_and_inactive_until_it_comes_again() {
    let mut w = meeting(2);
    everybody_is_heard_and_seen(&mut w);
    let tracks = [camera(&w, 2, 0), camera(&w, 2, 1)];
    let one = AllConstraints { last_n: 1, default_height: 720, ..AllConstraints::default() };
    w.command(2, Command::SetReceive { constraints: Some(one) });
    show(&mut w, &[0, 1], 45);
    let gone = tracks.into_iter().find(|t| forwarded(&w, 2, *t).last() == Some(&Some(Suspended::LastN)));
    let gone = gone.expect("one of both is suspended");
    assert_eq!(streaming(&w, 2, gone).last(), Some(&Streaming::Inactive));
    let other = tracks[usize::from(gone == tracks[0])];
    assert_eq!(streaming(&w, 2, other).last().copied().unwrap_or_default(), Streaming::Active);
    w.command(2, Command::SetReceive { constraints: None });
    show(&mut w, &[0, 1], 45);
    assert_eq!(forwarded(&w, 2, gone).last(), Some(&None));
    assert_eq!(streaming(&w, 2, gone).last(), Some(&Streaming::Active));
}

#[test]
fn a_track_that_nobody_wants_and_one_that_is_muted_say_so() {
    let mut w = meeting(3);
    everybody_is_heard_and_seen(&mut w);
    let (a, b) = (camera(&w, 2, 0), camera(&w, 2, 1));
    w.command(0, Command::SetMuted { track: VIDEO, muted: true, tag: 0 });
    show(&mut w, &[1], 30);
    assert_eq!(forwarded(&w, 2, a).last(), Some(&Some(Suspended::Muted)));
    assert_ne!(streaming(&w, 2, a).last(), Some(&Streaming::Interrupted), "nothing is missed of a muted one");
    w.command(2, Command::RemoveReader { reader: READER });
    show(&mut w, &[1], 30);
    assert_eq!(forwarded(&w, 2, b).last(), Some(&Some(Suspended::NotWanted)));
    assert_eq!(streaming(&w, 2, b).last(), Some(&Streaming::Inactive));
}

#[test]
fn a_track_that_stops_without_a_word_is_interrupted_after_ten_seconds_and_active_with_its_next_packet() {
    let mut w = meeting(4);
    everybody_is_heard_and_seen(&mut w);
    let track = camera(&w, 1, 0);
    let stopped = w.now;
    let interrupted = |w: &World| streaming(w, 1, track).last() == Some(&Streaming::Interrupted);
    assert!(!interrupted(&w) && w.run_until(20 * SECOND, interrupted));
    let took = w.now.since(stopped);
    assert!(
        (Duration::from_secs(8)..=Duration::from_secs(10)).contains(&took),
        "its last packet was a moment before: {took:?}"
    );
    show(&mut w, &[0], 2);
    assert_eq!(streaming(&w, 1, track).last(), Some(&Streaming::Active));
}

#[test]
fn an_endpoint_that_the_bridge_hears_nothing_of_is_told_and_told_again_when_it_is_back() {
    let mut w = meeting(5);
    w.link_mut(0, BRIDGE).options.loss = 1.0;
    let told = |w: &World| -> Vec<bool> {
        let of = |e: &EventKind| match e {
            EventKind::Connectivity(c) if c.endpoint_id == NAMES[0] && c.participant.is_some() => Some(c.active),
            _ => None,
        };
        w.peers[1].kinds().filter_map(of).collect()
    };
    assert!(w.run_until(12 * SECOND, |w| told(w) == [false]), "{:?}", told(&w));
    w.link_mut(0, BRIDGE).options.loss = 0.0;
    assert!(w.run_until(20 * SECOND, |w| told(w) == [false, true]), "{:?}", told(&w));
}

#[test]
fn who_vanishes_as_recorded_is_inactive_first_and_gone_with_its_tracks_when_the_room_says_so() {
    let path = format!("{}/tests/fixtures/captures/64-real-participant-vanishes.txt", env!("CARGO_MANIFEST_DIR"));
    let capture = std::fs::read_to_string(path).unwrap();
    let recorded: Vec<&str> = capture.lines().filter_map(|l| l.strip_prefix("A< ")).collect();
    let [inactive, presence] = recorded[..] else { panic!("{recorded:?}") };
    let (gone, other) = ("7b25c1c3", "85405e61");
    let mut w = World::with_bridge(64, SessionOptions::default(), BridgeConfig::default()).unwrap();
    for name in [other, gone] {
        let options = ClientOptions {
            nickname: name.into(),
            room: "realcrash".into(),
            disable_p2p: true,
            ..ClientOptions::default()
        };
        let who = w.add(options).unwrap();
        w.command(who, Command::AddTrack { track: AUDIO, options: TrackOptions::new(Codec::Opus), tag: 0 });
        w.command(who, Command::Join { tag: 0 });
    }
    let track = |e: &EventKind| matches!(e, EventKind::TrackAdded(t) if t.endpoint_id == gone);
    assert!(w.run_until(20 * SECOND, |w| w.peers[0].saw(track)));
    w.run(5 * SECOND);
    // Nothing comes from it any more: what its bridge says of that is what was recorded.
    for (from, to) in [(1, BRIDGE), (BRIDGE, 1)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    let told = w.peers[0].events.len();
    let silent = |e: &EventKind| matches!(e, EventKind::Connectivity(c) if c.endpoint_id == gone && !c.active);
    assert!(w.run_until(12 * SECOND, |w| w.peers[0].saw(silent)));
    let message = FromBridge::parse(inactive).unwrap();
    assert!(
        matches!(&message, FromBridge::EndpointConnectivity { endpoint, active } if endpoint == gone && !active),
        "{message:?}"
    );
    w.run(Duration::from_millis(52_800));
    w.inject(0, presence);
    w.run(Duration::from_millis(1));
    // No source-remove comes, and its track is gone all the same, before it is.
    let events: Vec<&EventKind> = w.peers[0].events[told..].iter().map(|e| &e.1.kind).collect();
    let at = |f: &dyn Fn(&EventKind) -> bool| events.iter().position(|e| f(e));
    let connectivity = at(&silent);
    let removed = at(&|e| matches!(e, EventKind::TrackRemoved(t) if t.endpoint_id == gone));
    let left = at(
        &|e| matches!(e, EventKind::ParticipantLeft(l) if l.vanished && !l.kicked && l.participant.endpoint_id == gone),
    );
    let order = [connectivity, removed, left];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} {events:?}");
}

#[test]
fn round_trips_are_measured_by_the_greater_endpoint_id_alone_and_only_where_asked_for() {
    let mut w = World::with_bridge(6, SessionOptions::default(), BridgeConfig::default()).unwrap();
    w.link.delay = Duration::from_millis(20);
    for name in NAMES {
        join(&mut w, name, |o| o.measure_round_trips = name == NAMES[1]);
    }
    w.run(30 * SECOND);
    let told = |w: &World, who: usize| -> Vec<(String, Duration)> {
        let of = |e: &EventKind| match e {
            EventKind::RoundTrip(r) => Some((r.endpoint_id.clone(), r.round_trip)),
            _ => None,
        };
        w.peers[who].kinds().filter_map(of).collect()
    };
    assert!(told(&w, 0).is_empty() && told(&w, 2).is_empty());
    let [(who, trip)] = &told(&w, 1)[..] else { panic!("{:?}", told(&w, 1)) };
    assert_eq!(who, NAMES[0], "cccccccc is greater than bbbbbbbb, and would ask");
    assert!((Duration::from_millis(80)..Duration::from_millis(300)).contains(trip), "four ways of 20 ms: {trip:?}");
    let pings = |e: &EventKind| matches!(e, EventKind::EndpointMessage(_));
    assert!((0..3).all(|who| !w.peers[who].saw(pings)), "pings are no application messages");
}
