//! Statistics of tracks, of our own connection and of the others', in virtual time; docs/protocol/04 §2.4, §17.

use jmeet::media::{Codec, MediaType};
use jmeet::meeting::Command;
use jmeet::meeting::event::{EventKind, LocalStats, MediaPath, ParticipantStats};
use jmeet::meeting::measure::TrackStats;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use jmeet::testkit::{BRIDGE, World};
use std::time::Duration;

fn web_socket(seed: u64) -> World {
    let config = BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() };
    three(seed, SessionOptions { sctp: false, ..SessionOptions::default() }, config, |_| {})
}

fn own(w: &World, who: usize) -> Vec<LocalStats> {
    let of = |e: &EventKind| if let EventKind::LocalStats(s) = e { Some((**s).clone()) } else { None };
    w.peers[who].kinds().filter_map(of).collect()
}

fn told(w: &World, who: usize, of: usize) -> Vec<ParticipantStats> {
    let find = |e: &EventKind| match e {
        EventKind::ParticipantStats(s) if s.endpoint_id == NAMES[of] => Some((**s).clone()),
        _ => None,
    };
    w.peers[who].kinds().filter_map(find).collect()
}

fn tracks(w: &World, who: usize) -> Vec<TrackStats> {
    w.peers[who].meeting.stats(w.now).tracks
}

#[test]
fn a_new_session_on_the_same_ssrcs_is_counted_from_its_beginning() {
    let mut w = three(21, SessionOptions::default(), BridgeConfig::default(), |_| {});
    let talk_for = |w: &mut World, seconds: u64| {
        let start = w.now;
        while w.now.since(start) < Duration::from_secs(seconds) {
            talk(w, &[0, 1, 2], 15);
        }
    };
    talk_for(&mut w, 30);
    w.kill_bridge();
    w.run(SECOND);
    w.start_bridge(BridgeConfig::default()).unwrap();
    assert!(w.run_until(30 * SECOND, |w| (0..3).all(|who| connected(w, who, MediaPath::Bridge) > 1)));
    let before: Vec<usize> = (0..3).map(|who| own(&w, who).len()).collect();
    talk_for(&mut w, 14);
    for (who, before) in before.into_iter().enumerate() {
        let said = own(&w, who);
        let first = said.get(before).expect("one in ten seconds");
        assert!(first.stats.audio.upload > 0 && first.stats.video.upload > 0, "{first:?}");
        assert_eq!(first.stats.loss.upload, 0, "{first:?}");
    }
}

#[test]
fn every_ten_seconds_the_program_and_the_others_are_told_how_our_connection_is() {
    let mut w = web_socket(1);
    let start = w.now;
    while w.now.since(start) < Duration::from_secs(24) {
        talk(&mut w, &[0, 1, 2], 15);
    }
    for (who, name) in NAMES.iter().enumerate() {
        let said = own(&w, who);
        assert!((2..=3).contains(&said.len()), "{said:?}");
        let last = said.last().unwrap();
        assert_eq!((last.path, last.stats.loss.total), (Some(MediaPath::Bridge), 0));
        assert_eq!(said[0].stats.connection_quality, 100, "too young to be judged");
        // The clip has a part of the bitrate that a picture of its height should have by then.
        assert!((1..100).contains(&last.stats.connection_quality), "{last:?}");
        assert!(last.stats.audio.upload > 0 && last.stats.video.upload > 0, "{last:?}");
        let (down, up) = (last.stats.video.download, last.stats.video.upload);
        assert!((up..=up * 3).contains(&down), "two others come, one goes: {last:?}");
        assert!(last.stats.max_height.is_some_and(|h| h > 0), "{last:?}");
        for of in (0..3).filter(|of| *of != who) {
            let theirs = told(&w, who, of);
            assert!(theirs.len() >= 2, "{theirs:?}");
            assert!(own(&w, of).iter().any(|o| o.stats == theirs[theirs.len() - 1].stats), "{theirs:?}");
        }
        let sent = w.told_to_bridge(name).filter(|t| t.contains("EndpointStats")).count();
        assert_eq!(sent, said.len());
    }
    assert_eq!(w.bridge_events.iter().filter(|e| format!("{:?}", e.1).starts_with("Dropped")).count(), 0);
}

#[test]
fn each_stream_is_counted_with_its_frames_its_size_and_its_rate() {
    let mut w = three(2, SessionOptions::default(), BridgeConfig::default(), |_| {});
    let clip = clip();
    talk(&mut w, &[0, 1, 2], 60);
    talk(&mut w, &[0, 1, 2], 30);
    w.frame(0, VIDEO, jmeet::media::OutgoingFrame::video(clip.frames[0].data.clone(), clip.frame_duration()));
    w.run(SECOND / 2);
    let all = tracks(&w, 0);
    assert!(all.iter().all(|t| t.path == MediaPath::Bridge));
    let of =
        |local: bool, media: MediaType| all.iter().filter(|t| t.local == local && t.media == media).collect::<Vec<_>>();
    let [audio] = of(true, MediaType::Audio)[..] else { panic!("{all:?}") };
    assert_eq!((audio.track, audio.codec, audio.frames, audio.stream.packets), (AUDIO, Some(Codec::Opus), 90, 90));
    let [video] = of(true, MediaType::Video)[..] else { panic!("{all:?}") };
    assert_eq!((video.track, video.codec, video.size, video.frames), (VIDEO, Some(Codec::Vp8), (320, 180), 91));
    assert!(video.stream.packets >= 91 && video.stream.bytes > 10_000 && video.stream.lost == 0, "{video:?}");
    let theirs = of(false, MediaType::Video);
    assert_eq!((theirs.len(), of(false, MediaType::Audio).len()), (2, 2), "{all:?}");
    for t in theirs {
        assert_eq!((t.size, t.codec, t.damaged, t.stream.lost), ((320, 180), Some(Codec::Vp8), 0, 0), "{t:?}");
        assert!(t.frames >= 60 && t.stream.packets >= 60 && t.stream.bytes > 10_000, "{t:?}");
    }
    for t in of(false, MediaType::Audio) {
        assert!(t.frames >= 80 && t.stream.packets >= t.frames && t.codec == Some(Codec::Opus), "{t:?}");
    }
    // While they speak there is a rate, and seconds after the end there is none.
    for n in 0..30 {
        w.frame(1, VIDEO, jmeet::media::OutgoingFrame::video(clip.frames[n].data.clone(), clip.frame_duration()));
        w.run(clip.frame_duration());
    }
    let rate = |w: &World| {
        let of = tracks(w, 0).into_iter().filter(|t| !t.local && t.media == MediaType::Video);
        of.map(|t| (t.stream.bits_per_second, t.frames_per_second)).max().unwrap()
    };
    let (bits, frames) = rate(&w);
    assert!(bits > 1000 && (10..=20).contains(&frames), "{bits} bit/s, {frames} a second");
    w.run(3 * SECOND);
    assert_eq!(rate(&w), (0, 0));
}

#[test]
fn loss_is_counted_where_it_happens_and_told_to_who_sends() {
    let mut w = three(3, SessionOptions::default(), BridgeConfig::default(), |_| {});
    // What counts for the quality is the loss of both ways together, and more comes than goes.
    w.link_mut(0, BRIDGE).options.loss = 0.4;
    w.link_mut(BRIDGE, 1).options.loss = 0.2;
    talk(&mut w, &[0, 1, 2], 150);
    w.run(2 * SECOND);
    let lost = |who: usize, local: bool, media: MediaType| -> u64 {
        tracks(&w, who).iter().filter(|t| t.local == local && t.media == media).map(|t| t.stream.lost).sum()
    };
    assert!(lost(0, true, MediaType::Audio) > 5, "as the bridge reports: {:?}", tracks(&w, 0));
    assert!(lost(1, false, MediaType::Audio) > 10, "{:?}", tracks(&w, 1));
    assert_eq!(lost(2, true, MediaType::Audio), 0);
    let repaired = |who: usize, local: bool| -> u64 {
        tracks(&w, who).iter().filter(|t| t.local == local).map(|t| t.stream.repaired).sum()
    };
    assert!(repaired(0, true) > 0 && repaired(1, false) > 0, "video is sent again");
    let last = own(&w, 0).pop().expect("ten seconds are over");
    assert!(last.stats.loss.upload >= 5 && last.stats.connection_quality < 100, "{last:?}");
}

#[test]
fn an_interruption_is_quality_zero_for_the_program_and_the_others_at_once() {
    let mut w = web_socket(4);
    everybody_is_heard_and_seen(&mut w);
    for (from, to) in [(0, BRIDGE), (BRIDGE, 0)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    let zero = |w: &World| told(w, 1, 0).last().is_some_and(|s| s.stats.connection_quality == 0);
    assert!(w.run_until(15 * SECOND, zero), "{:?}", told(&w, 1, 0));
    assert_eq!(own(&w, 0).last().map(|s| s.stats.connection_quality), Some(0));
}

#[test]
fn statistics_in_the_old_form_are_statistics_and_no_application_message() {
    let mut w = web_socket(5);
    let payload = r#"{"type":"stats","values":{"connectionQuality":40,"jvbRTT":12}}"#;
    w.command(0, Command::SendEndpointMessage { to: String::new(), payload: payload.into(), tag: 0 });
    w.run(SECOND);
    let said = told(&w, 1, 0).pop().expect("statistics");
    assert_eq!((said.stats.connection_quality, said.stats.jvb_rtt), (40, Some(12)));
    assert!(!w.peers[1].saw(|e| matches!(e, EventKind::EndpointMessage(_))));
}
