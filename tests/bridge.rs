//! Meetings through the videobridge, in virtual time: our participants, the testkit's focus and its bridge on another stack.

use jmeet::media::{Codec, MediaType, OutgoingFrame};
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::World;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::media_files::{self, Clip};
use std::time::Duration;

const AUDIO: TrackKey = TrackKey(1 << 63);
const VIDEO: TrackKey = TrackKey((1 << 63) + 1);
const READER: ReaderKey = ReaderKey((1 << 63) + 2);
const SECOND: Duration = Duration::from_secs(1);

fn join(w: &mut World, nickname: &str, change: impl Fn(&mut ClientOptions)) -> usize {
    let mut options = ClientOptions { nickname: nickname.into(), ..Default::default() };
    change(&mut options);
    let who = w.add(options).unwrap();
    w.command(who, Command::Join { tag: 1 });
    for (track, codec) in [(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8)] {
        w.command(who, Command::AddTrack { track, options: TrackOptions::new(codec), tag: 0 });
    }
    w.command(who, Command::AddReader { reader: READER, track: None, options: ReaderOptions::default() });
    assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    who
}

fn connected(w: &World, who: usize, path: MediaPath) -> usize {
    w.peers[who]
        .kinds()
        .filter(|e| matches!(e, EventKind::Media(p, MediaState::Connected { .. }) if *p == path))
        .count()
}

fn channel(w: &World, who: usize) -> Option<BridgeChannel> {
    let last = |e: &EventKind| if let EventKind::BridgeChannel(c) = e { Some(*c) } else { None };
    w.peers[who].kinds().filter_map(last).last()
}

fn clip() -> Clip {
    media_files::read_ivf(include_bytes!("fixtures/media/video.ivf")).unwrap()
}

/// Everybody speaks and shows `n` frames, at their pace.
fn talk(w: &mut World, people: &[usize], n: usize) {
    let clip = clip();
    let packets = media_files::read_ogg_opus(include_bytes!("fixtures/media/audio.ogg")).unwrap();
    for i in 0..n {
        for who in people {
            w.frame(*who, VIDEO, OutgoingFrame::video(clip.frames[i % 60].data.clone(), clip.frame_duration()));
            w.frame(*who, AUDIO, OutgoingFrame::audio(packets[i % 200].clone()));
        }
        w.run(clip.frame_duration());
    }
    w.run(SECOND);
}

/// How many frames of this media `who` got of `of`.
fn heard(w: &World, who: usize, of: &str, media: MediaType) -> usize {
    w.peers[who].frames.iter().filter(|f| f.1.media == media && *f.1.endpoint_id == *of).count()
}

const NAMES: [&str; 3] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"];

fn three(
    seed: u64,
    sessions: SessionOptions,
    config: BridgeConfig,
    change: impl Fn(&mut ClientOptions) + Copy,
) -> World {
    let mut w = World::with_bridge(seed, sessions, config).unwrap();
    for name in NAMES {
        join(&mut w, name, change);
    }
    let up = |w: &World, who| {
        connected(w, who, MediaPath::Bridge) > 0
            && matches!(channel(w, who), Some(BridgeChannel::DataChannel | BridgeChannel::WebSocket))
    };
    let all = w.run_until(20 * SECOND, |w| (0..3).all(|who| up(w, who)));
    let told: Vec<Vec<String>> = w.peers.iter().map(|p| p.kinds().map(|k| format!("{k:?}")).collect()).collect();
    assert!(all, "{told:#?}");
    w
}

fn everybody_is_heard_and_seen(w: &mut World) {
    talk(w, &[0, 1, 2], 60);
    for who in 0..3 {
        for (of, name) in NAMES.iter().enumerate().filter(|(of, _)| *of != who) {
            let (audio, video) = (heard(w, who, name, MediaType::Audio), heard(w, who, name, MediaType::Video));
            assert!(audio >= 50, "{who} heard {audio} packets of {of}");
            assert!(video >= 30, "{who} saw {video} pictures of {of}");
        }
    }
}

#[test]
fn three_hear_and_see_each_other_through_the_bridge_with_ssrc_rewriting() {
    let mut w = three(1, SessionOptions::default(), BridgeConfig::default(), |_| {});
    everybody_is_heard_and_seen(&mut w);
}

#[test]
fn three_hear_and_see_each_other_when_the_focus_signals_the_sources() {
    let mut w = three(2, SessionOptions::default(), BridgeConfig::default(), |o| o.disable_ssrc_rewriting = true);
    everybody_is_heard_and_seen(&mut w);
}

#[test]
fn the_channel_may_be_a_web_socket() {
    let config = BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() };
    let mut w = three(3, SessionOptions { sctp: false, ..SessionOptions::default() }, config, |_| {});
    assert_eq!(channel(&w, 0), Some(BridgeChannel::WebSocket));
    everybody_is_heard_and_seen(&mut w);
}
