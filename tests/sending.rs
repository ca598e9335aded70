//! What we send: which encodings, how much of each, which codec; in virtual time, through the testkit's bridge.

use jmeet::media::{Codec, OutgoingFrame};
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::{BRIDGE, World};
use std::collections::BTreeMap;
use std::time::Duration;

const VIDEO: TrackKey = TrackKey(1 << 63);
const READER: ReaderKey = ReaderKey((1 << 63) + 1);
const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(40);

fn camera() -> TrackOptions {
    TrackOptions { encodings: 3, height: 720, ..TrackOptions::new(Codec::Vp8) }
}

fn read(w: &mut World, who: usize, n: u64, height: u32) {
    let options = ReaderOptions { height, ..ReaderOptions::default() };
    w.command(who, Command::AddReader { reader: ReaderKey(READER.0 + n), track: None, options });
}

/// The first sends, the others read. Without peer to peer, unless `change` says otherwise.
fn meeting(seed: u64, people: usize, track: &TrackOptions, change: impl Fn(&mut ClientOptions)) -> World {
    let mut w = World::with_bridge(seed, SessionOptions::default(), BridgeConfig::default()).unwrap();
    for who in 0..people {
        let mut options =
            ClientOptions { nickname: format!("{who}").repeat(8), disable_p2p: true, ..Default::default() };
        change(&mut options);
        w.add(options).unwrap();
        w.command(who, Command::Join { tag: 1 });
        if who == 0 {
            w.command(0, Command::AddTrack { track: VIDEO, options: track.clone(), tag: 0 });
        } else {
            read(&mut w, who, 0, 0);
        }
    }
    let up = |e: &EventKind| matches!(e, EventKind::Media(_, MediaState::Connected { .. }));
    let open = |e: &EventKind| matches!(e, EventKind::BridgeChannel(BridgeChannel::DataChannel));
    let all = w.run_until(20 * SECOND, |w| {
        w.peers
            .iter()
            .all(|p| p.saw(up) && (p.saw(open) || p.saw(|e| matches!(e, EventKind::Media(MediaPath::PeerToPeer, _)))))
    });
    assert!(all);
    // Until the bridge has said what is wanted.
    w.run(SECOND);
    w
}

/// What the sender was told last of each encoding: bit/s and height.
fn targets(w: &World) -> BTreeMap<u32, (u64, u32)> {
    let told = w.peers[0].kinds().filter_map(|e| match e {
        EventKind::TargetBitrate { track: VIDEO, encoding, bits_per_second, height } => {
            Some((*encoding, (*bits_per_second, *height)))
        }
        _ => None,
    });
    told.collect()
}

fn heights(w: &World) -> Vec<u32> {
    targets(w).values().map(|t| t.1).collect()
}

fn key_frames_wanted(w: &World, of: u32) -> usize {
    w.peers[0]
        .kinds()
        .filter(|e| matches!(e, EventKind::KeyFrameWanted { track: VIDEO, encoding } if *encoding == of))
        .count()
}

/// An encoder that does as it is told: as much of each encoding as its target says, key frames where they are wanted.
#[derive(Default)]
struct Encoder {
    pictures: u64,
    asked: [usize; 3],
}

impl Encoder {
    fn picture(&mut self, w: &mut World) {
        for (encoding, (bps, height)) in targets(w) {
            if bps == 0 {
                continue;
            }
            let asked = key_frames_wanted(w, encoding);
            let key = self.pictures == 0 || asked > std::mem::replace(&mut self.asked[encoding as usize], asked);
            let bytes = bps as usize * FRAME.as_millis() as usize / 8000;
            let layer = if key { 0 } else { (self.pictures % 2) as u8 };
            let data = vp8(bytes.max(20), key, height as u16);
            let f = OutgoingFrame { encoding, temporal_id: Some(layer), ..OutgoingFrame::video(data, FRAME) };
            w.frame(0, VIDEO, f);
        }
        self.pictures += 1;
    }

    fn run(&mut self, w: &mut World, time: Duration) {
        for _ in 0..time.as_millis() / FRAME.as_millis() {
            self.picture(w);
            w.run(FRAME);
        }
    }
}

/// A VP8 frame by its header; what follows nobody decodes here.
fn vp8(bytes: usize, key: bool, height: u16) -> Vec<u8> {
    let mut b = vec![0x55; bytes];
    b[0] = if key { 0x10 } else { 0x11 };
    if key {
        let width = height * 16 / 9;
        b[3..6].copy_from_slice(&[0x9d, 0x01, 0x2a]);
        b[6..8].copy_from_slice(&width.to_le_bytes());
        b[8..10].copy_from_slice(&height.to_le_bytes());
    }
    b
}

fn sum(w: &World) -> u64 {
    targets(w).values().map(|t| t.0).sum()
}

#[test]
fn layers_go_up_one_after_the_other_as_probes_show_that_the_path_carries_them() {
    let mut w = meeting(1, 2, &camera(), |_| {});
    // Before anything is known of the path: the lowest, with what one may begin with.
    assert_eq!(heights(&w), [180, 0, 0]);
    assert_eq!(targets(&w)[&0].0, 200_000);
    let mut e = Encoder::default();
    e.run(&mut w, 20 * SECOND);
    assert_eq!(heights(&w), [180, 360, 720]);
    // All that they may take; changes of less than a twentieth are not told.
    assert!((2_090_000..=2_200_000).contains(&sum(&w)), "{:?}", targets(&w));
    let seen: Vec<u32> = w.peers[1].frames.iter().filter_map(|f| f.1.size.map(|s| u32::from(s.1))).collect();
    assert!(seen.contains(&180) && seen.last() == Some(&720), "{seen:?}");
}

#[test]
fn a_narrow_path_gets_no_more_than_it_carries_and_what_it_carries_is_used() {
    let mut w = meeting(2, 2, &camera(), |_| {});
    w.link_mut(0, BRIDGE).bandwidth = Some(900_000);
    let mut e = Encoder::default();
    e.run(&mut w, 40 * SECOND);
    let told = targets(&w);
    assert!(told[&0].0 > 0 && told[&1].0 > 0 && told[&2].0 == 0, "{told:?}");
    assert!((450_000..=900_000).contains(&sum(&w)), "{told:?}");
    let gaps: u32 = w.peers[1].frames.iter().rev().take(200).map(|f| f.1.gap).sum();
    assert!(gaps < 20, "{gaps} packets lost for good in the last 200 frames");
}

#[test]
fn no_more_is_sent_than_the_largest_that_somebody_wants() {
    let mut w = meeting(3, 3, &camera(), |_| {});
    let mut e = Encoder::default();
    e.run(&mut w, 15 * SECOND);
    assert_eq!(heights(&w), [180, 360, 720]);
    for who in 1..3 {
        w.command(who, Command::RemoveReader { reader: READER });
        read(&mut w, who, 1, 180 * who as u32);
    }
    e.run(&mut w, 3 * SECOND);
    assert_eq!(heights(&w), [180, 360, 0]);
    w.command(2, Command::RemoveReader { reader: ReaderKey(READER.0 + 1) });
    e.run(&mut w, 3 * SECOND);
    assert_eq!(heights(&w), [180, 0, 0]);
}

#[test]
fn what_nobody_reads_is_not_sent_and_comes_back_with_a_key_frame() {
    let mut w = meeting(4, 2, &camera(), |_| {});
    let mut e = Encoder::default();
    e.run(&mut w, 15 * SECOND);
    w.command(1, Command::RemoveReader { reader: READER });
    e.run(&mut w, 3 * SECOND);
    assert_eq!(heights(&w), [0, 0, 0]);
    assert_eq!(sum(&w), 0);
    // A program that has not heard of it yet sends nothing either.
    let before = w.peers[0].meeting.media_stats().unwrap().rtp_out;
    for encoding in 0..3 {
        w.frame(0, VIDEO, OutgoingFrame { encoding, ..OutgoingFrame::video(vp8(5000, true, 180), FRAME) });
    }
    assert_eq!(w.peers[0].meeting.media_stats().unwrap().rtp_out, before);
    let asked: Vec<usize> = (0..3).map(|e| key_frames_wanted(&w, e)).collect();
    read(&mut w, 1, 1, 0);
    w.peers[1].frames.clear();
    e.run(&mut w, 3 * SECOND);
    assert!(key_frames_wanted(&w, 0) > asked[0]);
    assert!(w.peers[1].frames.first().is_some_and(|f| f.1.key));
    // What was sent before needs no other proof than the estimate that is there still.
    e.run(&mut w, 10 * SECOND);
    assert_eq!(heights(&w), [180, 360, 720]);
}

#[test]
fn all_encodings_are_asked_for_a_key_frame_at_once() {
    let mut w = meeting(5, 3, &camera(), |_| {});
    let mut e = Encoder::default();
    e.run(&mut w, 15 * SECOND);
    let before = w.peers[0].events.len();
    let track = w.peers[1].kinds().find_map(|e| if let EventKind::TrackAdded(t) = e { Some(t.key) } else { None });
    w.command(1, Command::RequestKeyFrame { track: track.unwrap() });
    e.run(&mut w, SECOND);
    let asked = w.peers[0].events[before..].iter().filter_map(|(at, e)| match e.kind {
        EventKind::KeyFrameWanted { encoding, .. } => Some((at.mono_us, encoding)),
        _ => None,
    });
    let asked: Vec<_> = asked.collect();
    let (first, of): (u64, Vec<u32>) = (asked[0].0, asked.iter().map(|a| a.1).take(3).collect());
    assert_eq!(of, [0, 1, 2]);
    assert!(asked[2].0 - first <= 200_000);
}

#[test]
fn a_muted_track_takes_nothing_and_a_screen_of_few_pictures_goes_out_in_one_encoding() {
    let screen = TrackOptions { video_type: jmeet::media::VideoType::Desktop, ..camera() };
    let mut w = meeting(6, 2, &screen, |_| {});
    assert_eq!(heights(&w), [0, 0, 720]);
    w.command(0, Command::SetMuted { track: VIDEO, muted: true, tag: 0 });
    assert_eq!(heights(&w), [0, 0, 0]);
    w.command(0, Command::SetMuted { track: VIDEO, muted: false, tag: 0 });
    assert_eq!(heights(&w), [0, 0, 720]);
    let mut w = meeting(7, 2, &TrackOptions { max_frame_rate: 15, ..screen }, |_| {});
    assert_eq!(heights(&w), [180, 0, 0]);
    let types = |w: &mut World, text: &str| {
        w.bridge_events
            .iter()
            .any(|(_, e)| matches!(e, jmeet::testkit::bridge::Event::Message { text: t, .. } if t.contains(text)))
    };
    assert!(types(&mut w, "desktop_high_fps"));
}

#[test]
fn a_peer_gets_the_largest_encoding_no_higher_than_it_wants() {
    let mut w = meeting(8, 2, &camera(), |o| o.disable_p2p = false);
    let peer = |w: &World| {
        w.peers
            .iter()
            .all(|p| p.saw(|e| matches!(e, EventKind::Media(MediaPath::PeerToPeer, MediaState::Connected { .. }))))
    };
    assert!(w.run_until(20 * SECOND, peer));
    w.run(SECOND);
    assert_eq!(heights(&w), [0, 0, 720]);
    w.command(1, Command::RemoveReader { reader: READER });
    read(&mut w, 1, 1, 360);
    w.run(SECOND);
    assert_eq!(heights(&w), [0, 0, 360]);
    assert!(sum(&w) <= 500_000);
}

/// Frames of a codec, from the files that the tests have.
fn clip(codec: Codec) -> Vec<Vec<u8>> {
    let ivf = |file: &[u8]| {
        let (mut at, mut frames) = (32, vec![]);
        while at < file.len() {
            let size = u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
            frames.push(file[at + 12..at + 12 + size].to_vec());
            at += 12 + size;
        }
        frames
    };
    match codec {
        Codec::Vp8 => ivf(include_bytes!("fixtures/media/video.ivf")),
        Codec::Vp9 => ivf(include_bytes!("fixtures/media/video-vp9.ivf")),
        Codec::Av1 => ivf(include_bytes!("fixtures/media/video-av1.ivf")),
        _ => pictures(include_bytes!("fixtures/media/video.h264")),
    }
}

/// The pictures of an Annex B stream: each ends with its slice.
fn pictures(file: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = (0..file.len() - 3).filter(|at| file[*at..].starts_with(&[0, 0, 1])).collect();
    let (mut out, mut picture) = (vec![], vec![]);
    for (n, at) in starts.iter().enumerate() {
        let unit = &file[*at..starts.get(n + 1).copied().unwrap_or(file.len())];
        picture.push(0);
        picture.extend_from_slice(unit.strip_suffix(&[0]).unwrap_or(unit));
        if matches!(unit[3] & 0x1f, 1 | 5) {
            out.push(std::mem::take(&mut picture));
        }
    }
    out
}

/// The codec that the sender was told last.
fn wanted(w: &World) -> Vec<Codec> {
    let told = |e: &EventKind| if let EventKind::CodecWanted { track: VIDEO, codec } = e { Some(*codec) } else { None };
    w.peers[0].kinds().filter_map(told).collect()
}

/// Sends `n` pictures in whatever codec is wanted, beginning with a key frame.
fn show(w: &mut World, n: usize) -> Codec {
    let codec = *wanted(w).last().unwrap();
    let frames = clip(codec);
    for data in frames.into_iter().take(n) {
        w.frame(0, VIDEO, OutgoingFrame { codec: Some(codec), ..OutgoingFrame::video(data, FRAME) });
        w.run(FRAME);
    }
    w.run(SECOND);
    codec
}

fn seen(w: &World, who: usize, codec: Codec) -> usize {
    w.peers[who].frames.iter().filter(|f| f.1.codec == codec).count()
}

#[test]
fn every_codec_goes_through_the_bridge_and_between_two() {
    for (seed, codec) in [(20, Codec::Vp8), (21, Codec::H264), (22, Codec::Vp9), (23, Codec::Av1)] {
        for disable_p2p in [true, false] {
            let all = |o: &mut ClientOptions| {
                (o.disable_p2p, o.video_codecs) = (disable_p2p, vec![codec, Codec::Vp8]);
            };
            let mut w = meeting(seed, 2, &TrackOptions::new(codec), all);
            w.run(5 * SECOND);
            assert_eq!(show(&mut w, 30), codec);
            assert!(seen(&w, 1, codec) >= 28, "{codec:?}, p2p {}: {}", !disable_p2p, seen(&w, 1, codec));
            let first = w.peers[1].frames.iter().find(|f| f.1.codec == codec).unwrap();
            // Start codes and delimiters of H264 are the format's own business; what is in between is not.
            let sent = &clip(codec)[0];
            let tail = if codec == Codec::H264 { &sent[sent.len() - 500..] } else { sent };
            assert!(first.1.key && first.1.data.ends_with(tail), "{codec:?}");
        }
    }
}

#[test]
fn the_codec_is_one_that_everybody_has_and_follows_who_comes_and_goes() {
    let best = vec![Codec::Av1, Codec::Vp9, Codec::Vp8];
    let many = |o: &mut ClientOptions| o.video_codecs = best.clone();
    let mut w = meeting(24, 2, &TrackOptions::new(Codec::Vp8), many);
    assert!(w.heard_by_server("av1,vp9,vp8"));
    assert_eq!(show(&mut w, 30), Codec::Av1);
    assert!(seen(&w, 1, Codec::Av1) >= 28);
    // Somebody comes who has VP8 alone.
    let options = ClientOptions { nickname: "2".repeat(8), disable_p2p: true, ..Default::default() };
    let third = w.add(options).unwrap();
    w.command(third, Command::Join { tag: 1 });
    read(&mut w, third, 0, 0);
    let vp8 = |w: &World| wanted(w).last() == Some(&Codec::Vp8);
    assert!(!vp8(&w));
    assert!(w.run_until(10 * SECOND, vp8));
    w.run(5 * SECOND);
    // Frames of the codec before are refused: nothing of them goes out.
    let before = w.peers[0].meeting.media_stats().unwrap().rtp_out;
    for codec in [Some(Codec::Av1), Some(Codec::Vp9)] {
        w.frame(0, VIDEO, OutgoingFrame { codec, ..OutgoingFrame::video(clip(Codec::Av1)[0].clone(), FRAME) });
    }
    assert_eq!(w.peers[0].meeting.media_stats().unwrap().rtp_out, before);
    show(&mut w, 30);
    for who in 1..3 {
        assert!(seen(&w, who, Codec::Vp8) >= 25, "{who}: {}", seen(&w, who, Codec::Vp8));
    }
    w.command(third, Command::Leave { tag: 0 });
    assert!(w.run_until(10 * SECOND, |w| wanted(w).last() == Some(&Codec::Av1)));
    w.peers[1].frames.clear();
    show(&mut w, 30);
    assert!(seen(&w, 1, Codec::Av1) >= 25, "{}", seen(&w, 1, Codec::Av1));
    assert_eq!(wanted(&w), [Codec::Av1, Codec::Vp8, Codec::Av1]);
}

#[test]
fn a_program_that_named_no_codecs_keeps_its_own_unless_somebody_lacks_it() {
    let h264 = TrackOptions::new(Codec::H264);
    let mut w = meeting(25, 2, &h264, |o| {
        if o.nickname.starts_with('1') {
            o.video_codecs = vec![Codec::Vp8, Codec::H264];
        }
    });
    assert!(w.heard_by_server("h264,vp8"));
    assert_eq!(wanted(&w).last(), Some(&Codec::H264));
    let third = w.add(ClientOptions { nickname: "2".repeat(8), disable_p2p: true, ..Default::default() }).unwrap();
    w.command(third, Command::Join { tag: 1 });
    assert!(w.run_until(10 * SECOND, |w| wanted(w).last() == Some(&Codec::Vp8)));
    // It makes no VP8: its frames, which say nothing of their codec, are not sent.
    w.run(SECOND);
    let before = w.peers[0].meeting.media_stats().unwrap().rtp_out;
    w.frame(0, VIDEO, OutgoingFrame::video(clip(Codec::H264)[0].clone(), FRAME));
    assert_eq!(w.peers[0].meeting.media_stats().unwrap().rtp_out, before);
}

#[test]
fn a_burst_of_comings_and_goings_changes_the_codec_once() {
    let mut w = meeting(26, 2, &TrackOptions::new(Codec::Vp8), |o| o.video_codecs = vec![Codec::Vp9, Codec::Vp8]);
    let told = wanted(&w).len();
    for n in 2..6 {
        let options = ClientOptions { nickname: format!("{n}").repeat(8), disable_p2p: true, ..Default::default() };
        let who = w.add(options).unwrap();
        w.command(who, Command::Join { tag: 1 });
    }
    w.run(5 * SECOND);
    assert_eq!(wanted(&w)[told..], [Codec::Vp8]);
    for who in 2..6 {
        w.command(who, Command::Leave { tag: 0 });
    }
    w.run(5 * SECOND);
    assert_eq!(wanted(&w)[told..], [Codec::Vp8, Codec::Vp9]);
}

const AUDIO: TrackKey = TrackKey((1 << 63) + 20);

fn packets() -> Vec<Vec<u8>> {
    let file = include_bytes!("fixtures/media/audio.ogg");
    jmeet::testkit::media_files::read_ogg_opus(file).unwrap().iter().map(|p| p.to_vec()).collect()
}

/// The first speaks for so many packets of 20 ms.
fn speak(w: &mut World, n: usize) {
    for data in packets().into_iter().cycle().take(n) {
        w.frame(0, AUDIO, OutgoingFrame::audio(data));
        w.run(Duration::from_millis(20));
    }
}

fn keys_heard(w: &World, who: usize) -> String {
    w.peers[who].kinds().filter_map(|e| if let EventKind::Tone(t) = e { Some(t.key) } else { None }).collect()
}

fn press(w: &mut World, keys: &str, tag: u64) {
    let (held, gap) = (Duration::from_millis(100), Duration::from_millis(60));
    w.command(0, Command::SendTones { track: AUDIO, keys: keys.into(), held, gap, tag });
}

fn ended(w: &World, tag: u64) -> Option<jmeet::Code> {
    let mut done = w.peers[0].events.iter().filter(|e| e.1.tag == tag);
    match &done.next()?.1.kind {
        EventKind::RequestDone(None) => Some(jmeet::Code::Ok),
        EventKind::RequestDone(Some(e)) => Some(e.code),
        _ => None,
    }
}

#[test]
fn keys_of_a_telephone_reach_whoever_reads_the_audio_and_disturb_it_no_more_than_they_last() {
    let mut w = meeting(30, 3, &TrackOptions::new(Codec::Vp8), |_| {});
    let add = Command::AddTrack { track: AUDIO, options: TrackOptions::new(Codec::Opus), tag: 0 };
    w.command(0, add);
    w.run(2 * SECOND);
    speak(&mut w, 50);
    press(&mut w, "1*#d", 7);
    press(&mut w, "5", 8);
    assert_eq!(ended(&w, 8), Some(jmeet::Code::Busy), "one after the other");
    speak(&mut w, 50);
    assert_eq!(ended(&w, 7), Some(jmeet::Code::Ok));
    w.run(SECOND);
    for who in 1..3 {
        assert_eq!(keys_heard(&w, who), "1*#D");
        let audio: Vec<_> = w.peers[who].frames.iter().filter(|f| f.1.codec == Codec::Opus).collect();
        // While a key is held, a tenth of a second each time, there is no other audio; time goes on all the same.
        assert!((75..=85).contains(&audio.len()), "{}", audio.len());
        let times: Vec<u64> = audio.iter().map(|f| f.1.rtp_time).collect();
        assert!(times.is_sorted() && times[times.len() - 1] - times[0] <= 48 * 2100, "{times:?}");
        assert!(audio.iter().all(|f| f.1.timeline == audio[0].1.timeline));
    }
    // What cannot be is said, once each.
    for (tag, keys, code) in [(9, "x", jmeet::Code::InvalidArgument), (10, "", jmeet::Code::InvalidArgument)] {
        press(&mut w, keys, tag);
        assert_eq!(ended(&w, tag), Some(code));
    }
    w.command(0, Command::SetMuted { track: AUDIO, muted: true, tag: 0 });
    press(&mut w, "1", 11);
    assert_eq!(ended(&w, 11), Some(jmeet::Code::Muted));
    w.command(0, Command::SetMuted { track: AUDIO, muted: false, tag: 0 });
    press(&mut w, "123", 14);
    w.command(0, Command::SetMuted { track: AUDIO, muted: true, tag: 0 });
    assert_eq!(ended(&w, 14), Some(jmeet::Code::Muted), "a mute releases keys");
    w.run(2 * SECOND);
    assert_eq!(keys_heard(&w, 1), "1*#D1", "the one that was down has gone out, those after it do not");
    w.command(0, Command::SetMuted { track: AUDIO, muted: false, tag: 0 });
    press(&mut w, "123456", 12);
    w.command(0, Command::RemoveTrack { track: AUDIO, tag: 0 });
    assert_eq!(ended(&w, 12), Some(jmeet::Code::Gone));
    press(&mut w, "1", 13);
    assert_eq!(ended(&w, 13), Some(jmeet::Code::Gone));
}

#[test]
fn keys_that_are_pressed_when_the_client_leaves_are_answered_too() {
    let mut w = meeting(31, 2, &TrackOptions::new(Codec::Vp8), |_| {});
    press(&mut w, "1", 5);
    assert_eq!(ended(&w, 5), Some(jmeet::Code::Gone), "no such track yet");
    w.command(0, Command::AddTrack { track: AUDIO, options: TrackOptions::new(Codec::Opus), tag: 0 });
    w.run(2 * SECOND);
    press(&mut w, "1234567890", 6);
    w.command(0, Command::Leave { tag: 0 });
    w.run(10 * SECOND);
    assert_eq!(ended(&w, 6), Some(jmeet::Code::Cancelled));
}

#[test]
fn where_the_focus_offers_redundant_audio_ours_goes_out_plainly_and_is_heard() {
    let sessions = SessionOptions { red: true, ..SessionOptions::default() };
    let mut w = World::with_bridge(32, sessions, BridgeConfig::default()).unwrap();
    for who in 0..2 {
        let nickname = format!("{who}").repeat(8);
        w.add(ClientOptions { nickname, disable_p2p: true, ..Default::default() }).unwrap();
        w.command(who, Command::Join { tag: 1 });
    }
    w.command(0, Command::AddTrack { track: AUDIO, options: TrackOptions::new(Codec::Opus), tag: 0 });
    read(&mut w, 1, 0, 0);
    let up = |e: &EventKind| matches!(e, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }));
    assert!(w.run_until(20 * SECOND, |w| w.peers.iter().all(|p| p.saw(up))));
    w.run(SECOND);
    speak(&mut w, 50);
    assert!(w.peers[1].frames.len() >= 48, "{}", w.peers[1].frames.len());
}
