//! Three participants of ours in a room of the testkit's focus with its bridge, in virtual time: what tests of meetings through
//! the bridge begin with.

use super::bridge::BridgeConfig;
use super::focus::SessionOptions;
use super::media_files::{self, Clip};
use super::world::World;
use crate::media::{Codec, MediaType, OutgoingFrame};
use crate::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState};
use crate::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use std::time::Duration;

/// Everybody's microphone.
pub const AUDIO: TrackKey = TrackKey(1 << 63);
/// Everybody's camera.
pub const VIDEO: TrackKey = TrackKey((1 << 63) + 1);
/// Everybody's reader of everything.
pub const READER: ReaderKey = ReaderKey((1 << 63) + 2);
/// A second.
pub const SECOND: Duration = Duration::from_secs(1);

/// Somebody joins, with a microphone, a camera and a reader of everything.
///
/// # Panics
/// If that does not work.
pub fn join(w: &mut World, nickname: &str, change: impl Fn(&mut ClientOptions)) -> usize {
    let mut options = ClientOptions { nickname: nickname.into(), ..Default::default() };
    change(&mut options);
    let who = w.add(options).expect("as the fixture says");
    w.command(who, Command::Join { tag: 1 });
    for (track, codec) in [(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8)] {
        w.command(who, Command::AddTrack { track, options: TrackOptions::new(codec), tag: 0 });
    }
    w.command(who, Command::AddReader { reader: READER, track: None, options: ReaderOptions::default() });
    assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    who
}

/// How often `who` was told that media flows over a path.
pub fn connected(w: &World, who: usize, path: MediaPath) -> usize {
    w.peers[who]
        .kinds()
        .filter(|e| matches!(e, EventKind::Media(p, MediaState::Connected { .. }) if *p == path))
        .count()
}

/// Where the bridge channel of `who` stands.
pub fn channel(w: &World, who: usize) -> Option<BridgeChannel> {
    let last = |e: &EventKind| if let EventKind::BridgeChannel(c) = e { Some(*c) } else { None };
    w.peers[who].kinds().filter_map(last).last()
}

/// A clip of VP8.
///
/// # Panics
/// If the fixture is damaged.
pub fn clip() -> Clip {
    media_files::read_ivf(include_bytes!("../../tests/fixtures/media/video.ivf")).expect("as the fixture says")
}

/// Everybody of these speaks and shows `n` frames, at their pace.
///
/// # Panics
/// If the fixtures are damaged.
pub fn talk(w: &mut World, people: &[usize], n: usize) {
    let clip = clip();
    let packets = media_files::read_ogg_opus(include_bytes!("../../tests/fixtures/media/audio.ogg"))
        .expect("as the fixture says");
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
pub fn heard(w: &World, who: usize, of: &str, media: MediaType) -> usize {
    w.peers[who].frames.iter().filter(|f| f.1.media == media && *f.1.endpoint_id == *of).count()
}

/// Endpoint ids of the three.
pub const NAMES: [&str; 3] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"];

/// Three who have joined, with media and channels up.
///
/// # Panics
/// If that does not work.
pub fn three(
    seed: u64,
    sessions: SessionOptions,
    config: BridgeConfig,
    change: impl Fn(&mut ClientOptions) + Copy,
) -> World {
    let mut w = World::with_bridge(seed, sessions, config).expect("as the fixture says");
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

/// Everybody speaks and shows a while.
///
/// # Panics
/// If somebody does not hear and see all others.
pub fn everybody_is_heard_and_seen(w: &mut World) {
    talk(w, &[0, 1, 2], 60);
    for who in 0..3 {
        for (of, name) in NAMES.iter().enumerate().filter(|(of, _)| *of != who) {
            let (audio, video) = (heard(w, who, name, MediaType::Audio), heard(w, who, name, MediaType::Video));
            assert!(audio >= 50, "{who} heard {audio} packets of {of}");
            assert!(video >= 30, "{who} saw {video} pictures of {of}");
        }
    }
}
