//! What we ask of the bridge: last-N, on-stage and selected sources, heights and audio, from readers or from the program; said when it
//! changes and again on each opening of the channel; docs/protocol/04 §1.5, §2.5, §2.8, §4.

use jmeet::bridge::AllConstraints;
use jmeet::media::MediaType;
use jmeet::meeting::event::{BridgeChannel, EventKind, TrackKey};
use jmeet::meeting::{Command, ReaderKey, ReaderOptions};
use jmeet::testkit::World;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use serde_json::{Value, json};

/// Three whose channel is a WebSocket, which opens again after a cut.
fn meeting(seed: u64) -> World {
    let config = BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() };
    three(seed, SessionOptions { sctp: false, ..SessionOptions::default() }, config, |_| {})
}

/// The messages of this class that the third said, since number `from` of them.
fn said(w: &World, class: &str) -> Vec<Value> {
    let all = w.told_to_bridge(NAMES[2]).filter_map(|t| serde_json::from_str::<Value>(t).ok());
    all.filter(|m| m["colibriClass"] == class).collect()
}

fn reopen(w: &mut World) {
    w.cut_channel(2);
    assert!(w.run_until(SECOND, |w| channel(w, 2) == Some(BridgeChannel::Waiting)));
    assert!(w.run_until(10 * SECOND, |w| channel(w, 2) == Some(BridgeChannel::WebSocket)));
    w.run(SECOND / 2);
}

fn key(w: &World, source: &str) -> TrackKey {
    let found = w.peers[2].kinds().filter_map(|e| match e {
        EventKind::TrackAdded(t) if t.source_name == source => Some(t.key),
        _ => None,
    });
    found.last().expect("the track was added")
}

#[test]
fn what_the_program_wants_is_said_once_and_again_when_the_channel_opens_again() {
    let mut w = meeting(1);
    let before = said(&w, "ReceiverVideoConstraints").len();
    assert!(before >= 1, "said on the first opening");
    let wanted = AllConstraints {
        last_n: 3,
        on_stage: vec!["aaaaaaaa-v0".into()],
        selected: vec!["bbbbbbbb-v0".into()],
        default_height: 180,
        heights: [("aaaaaaaa-v0".to_owned(), 720)].into(),
    };
    for _ in 0..2 {
        w.command(2, Command::SetReceive { constraints: Some(wanted.clone()) });
    }
    w.run(SECOND / 2);
    let told = said(&w, "ReceiverVideoConstraints");
    assert_eq!(told.len(), before + 1, "the same again is no news");
    let message = json!({
        "colibriClass": "ReceiverVideoConstraints", "lastN": 3, "onStageSources": ["aaaaaaaa-v0"],
        "selectedSources": ["bbbbbbbb-v0"], "defaultConstraints": {"maxHeight": 180},
        "constraints": {"aaaaaaaa-v0": {"maxHeight": 720}}, "assumedBandwidthBps": -1,
    });
    assert_eq!(told.last(), Some(&message));
    reopen(&mut w);
    let told = said(&w, "ReceiverVideoConstraints");
    assert_eq!((told.len(), told.last()), (before + 2, Some(&message)));
    let types = said(&w, "SourceVideoTypeMessage");
    assert_eq!(types.iter().filter(|m| m["sourceName"] == "cccccccc-v0" && m["videoType"] == "camera").count(), 2);
    assert_eq!(w.bridge_events.iter().filter(|e| format!("{:?}", e.1).starts_with("Dropped")).count(), 0);
    // From the readers again.
    w.command(2, Command::SetReceive { constraints: None });
    w.run(SECOND / 2);
    let told = said(&w, "ReceiverVideoConstraints");
    assert_eq!(
        told.last().map(|m| (&m["lastN"], &m["defaultConstraints"]["maxHeight"])),
        Some((&json!(-1), &json!(2160)))
    );
}

#[test]
fn readers_ask_for_what_they_read_and_nothing_else() {
    let mut w = meeting(2);
    w.command(2, Command::RemoveReader { reader: READER });
    w.run(SECOND / 2);
    let last = |w: &World, class: &str| said(w, class).last().cloned().unwrap_or_default();
    assert_eq!(last(&w, "ReceiverVideoConstraints")["defaultConstraints"]["maxHeight"], 0);
    let deaf = json!({"colibriClass": "ReceiverAudioSubscription", "all": false, "include": [], "exclude": []});
    assert_eq!(last(&w, "ReceiverAudioSubscription"), deaf);
    talk(&mut w, &[0, 1], 15);
    let heard = w.peers[2].frames.len();
    // One microphone and one small picture.
    let (microphone, camera) = (key(&w, "aaaaaaaa-a0"), key(&w, "bbbbbbbb-v0"));
    for (n, track, height) in [(1, microphone, 0), (2, camera, 180)] {
        let options = ReaderOptions { height, ..ReaderOptions::default() };
        w.command(2, Command::AddReader { reader: ReaderKey(READER.0 + n), track: Some(track), options });
    }
    w.run(SECOND / 2);
    assert_eq!(last(&w, "ReceiverVideoConstraints")["constraints"], json!({"bbbbbbbb-v0": {"maxHeight": 180}}));
    assert_eq!(last(&w, "ReceiverAudioSubscription")["include"], json!(["aaaaaaaa-a0"]));
    talk(&mut w, &[0, 1], 30);
    let of: Vec<(String, MediaType)> =
        w.peers[2].frames[heard..].iter().map(|f| (f.1.source_name.to_string(), f.1.media)).collect();
    let count = |name: &str| of.iter().filter(|f| f.0 == name).count();
    assert!(count("aaaaaaaa-a0") >= 25 && count("bbbbbbbb-v0") >= 15, "{of:?}");
    assert_eq!(count("aaaaaaaa-v0") + count("bbbbbbbb-a0"), 0);
    // All of it is said again on the next opening, and what was not said before is not.
    reopen(&mut w);
    assert_eq!(last(&w, "ReceiverVideoConstraints")["constraints"], json!({"bbbbbbbb-v0": {"maxHeight": 180}}));
    assert_eq!(last(&w, "ReceiverAudioSubscription")["include"], json!(["aaaaaaaa-a0"]));
}

#[test]
fn no_video_at_all_is_last_n_zero_and_nobody_is_then_missed() {
    let mut w = meeting(3);
    everybody_is_heard_and_seen(&mut w);
    let none = AllConstraints { last_n: 0, ..AllConstraints::default() };
    w.command(2, Command::SetReceive { constraints: Some(none) });
    w.run(SECOND);
    w.peers[2].frames.clear();
    talk(&mut w, &[0, 1], 30);
    assert!(w.peers[2].frames.iter().all(|f| f.1.media == MediaType::Audio) && !w.peers[2].frames.is_empty());
    let streaming = |e: &EventKind| match e {
        EventKind::TrackStreaming { status, .. } => Some(*status),
        _ => None,
    };
    assert_eq!(w.peers[2].kinds().filter_map(streaming).last().unwrap_or_default(), jmeet::bridge::Streaming::Active);
}

#[test]
fn the_channel_is_the_one_that_the_program_prefers() {
    let three = |seed, prefer: bool| {
        three(seed, SessionOptions::default(), BridgeConfig::default(), |o| o.prefer_websocket = prefer)
    };
    for (prefer, kind) in [(false, BridgeChannel::DataChannel), (true, BridgeChannel::WebSocket)] {
        let w = three(4, prefer);
        assert!((0..3).all(|who| channel(&w, who) == Some(kind)));
    }
}
