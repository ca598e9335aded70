//! Ten minutes of a meeting through the bridge, in virtual time, recorded: loss, sources that take over each other's SSRCs, a rejoin
//! of the recorder, and every file as long as its participant spoke. ffprobe, opusinfo and ffmpeg look at the files.

use bytes::Bytes;
use jmeet::cli::record::{FileKey, Output, Recorder, Summary};
use jmeet::media::{Codec, EncodedFrame, MediaType, OutgoingFrame, VideoType};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::World;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::link::LinkOptions;
use jmeet::testkit::media_files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command as Program, Stdio};
use std::time::Duration;

const AUDIO: TrackKey = TrackKey(1 << 63);
const VIDEO: TrackKey = TrackKey((1 << 63) + 1);
const READER: ReaderKey = ReaderKey((1 << 63) + 2);
const SECOND: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(20);
/// How far a length may be off.
const NEAR: f64 = 0.040;

/// Files in memory, as the command has them on disk.
#[derive(Default)]
struct Files {
    open: BTreeMap<FileKey, (String, Vec<u8>)>,
    done: BTreeMap<String, (Summary, Vec<u8>)>,
}

impl Files {
    fn take(&mut self, recorder: &mut Recorder) {
        while let Some(o) = recorder.poll_output() {
            match o {
                Output::Open { file, name } => assert!(self.open.insert(file, (name, vec![])).is_none()),
                Output::Append { file, bytes } => self.open.get_mut(&file).unwrap().1.extend(bytes),
                Output::Patch { file, at, bytes } => {
                    self.open.get_mut(&file).unwrap().1[at as usize..][..bytes.len()].copy_from_slice(&bytes);
                }
                Output::Close { file, summary } => {
                    let (name, bytes) = self.open.remove(&file).unwrap();
                    assert_eq!(name, summary.name);
                    assert!(self.done.insert(name, (summary, bytes)).is_none());
                }
            }
        }
    }

    /// Written into a folder of this test.
    fn write(&self, test: &str) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        std::fs::create_dir_all(&folder).unwrap();
        for (name, (_, bytes)) in &self.done {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        folder
    }

    fn length(&self, name: &str) -> f64 {
        self.done[name].0.length_us as f64 / 1e6
    }
}

fn output(program: &str, args: &[&str]) -> (String, String, bool) {
    let out = Program::new(program).args(args).stdin(Stdio::null()).output();
    let out = out.unwrap_or_else(|e| panic!("{program}: {e}; tests/install gets it"));
    let text = |b: Vec<u8>| String::from_utf8_lossy(&b).into_owned();
    (text(out.stdout), text(out.stderr), out.status.success())
}

/// The length that ffprobe reads, after every frame was decoded without an error.
fn plays(file: &str) -> f64 {
    // By the times of the file and not by a frame rate that is guessed from it: two pictures of one time are an error.
    let times = ["-fps_mode", "passthrough", "-enc_time_base", "-1"];
    let (_, errors, ok) = output("ffmpeg", &[&["-v", "error", "-i", file][..], &times, &["-f", "null", "-"]].concat());
    assert!(ok && errors.is_empty(), "{file}: {errors}");
    let (length, ..) = output("ffprobe", &["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", file]);
    if file.ends_with(".ogg") {
        let (told, warned, ok) = output("opusinfo", &[file]);
        assert!(ok && !told.contains("WARNING") && !warned.contains("WARNING"), "{file}: {told}{warned}");
    }
    length.trim().parse().unwrap_or_else(|_| panic!("{file}: {length}"))
}

/// A meeting whose first participant records.
struct Meeting {
    world: World,
    recorder: Recorder,
    files: Files,
    events: usize,
    /// Of each source, how often its RTP time began anew.
    timelines: BTreeMap<String, u32>,
    /// Of each source, the first frame that came and the last one.
    heard: BTreeMap<String, [Bytes; 2]>,
    /// Who speaks, and who shows a camera.
    speaks: BTreeSet<usize>,
    shows: BTreeSet<usize>,
    sent: [usize; 8],
}

impl Meeting {
    fn join(&mut self, nickname: &str, codecs: &[Codec]) -> usize {
        let options = ClientOptions {
            nickname: nickname.into(),
            display_name: nickname[..3].into(),
            disable_p2p: true,
            ..Default::default()
        };
        let who = self.world.add(options).unwrap();
        self.world.command(who, Command::Join { tag: 1 });
        for codec in codecs {
            let track = if *codec == Codec::Opus { AUDIO } else { VIDEO };
            self.world.command(who, Command::AddTrack { track, options: TrackOptions::new(*codec), tag: 0 });
        }
        if who == 0 {
            let options = ReaderOptions::default();
            self.world.command(who, Command::AddReader { reader: READER, track: None, options });
        }
        assert!(self.world.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
        who
    }

    fn connected(&self, who: usize) -> usize {
        let up = |e: &EventKind| matches!(e, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }));
        self.world.peers[who].kinds().filter(|e| up(e)).count()
    }

    fn record(&mut self) {
        let peer = &mut self.world.peers[0];
        for (_, e) in &peer.events[self.events..] {
            match &e.kind {
                EventKind::ParticipantJoined(p) => self.recorder.participant(&p.endpoint_id, &p.display_name),
                EventKind::ParticipantLeft(l) => {
                    self.recorder.participant_left(&l.participant.endpoint_id).unwrap();
                }
                EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) if !t.local => {
                    self.recorder.track(&t.endpoint_id, &t.source_name, t.media, t.video_type, t.muted);
                }
                _ => {}
            }
        }
        self.events = peer.events.len();
        for (_, f) in peer.frames.drain(..) {
            self.timelines.insert(f.source_name.to_string(), f.timeline);
            self.heard.entry(f.source_name.to_string()).or_insert_with(|| [f.data.clone(), f.data.clone()])[1] =
                f.data.clone();
            self.recorder.frame(f);
        }
        self.recorder.handle_timeout(self.world.now.mono_us).unwrap();
        self.files.take(&mut self.recorder);
    }

    /// Everybody who speaks or shows does so for this long.
    fn go_on(&mut self, time: Duration, packets: &[Bytes], clip: &media_files::Clip) {
        for _ in 0..time.as_millis() / STEP.as_millis() {
            for who in self.speaks.clone() {
                self.sent[who] += 1;
                let packet = packets[self.sent[who] % packets.len()].clone();
                self.world.frame(who, AUDIO, OutgoingFrame::audio(packet));
                // 12.5 pictures in a second; the last of them ends with the last sound, so that its loss, which nothing later shows
                // the receiver, changes no length.
                if self.shows.contains(&who) && self.sent[who] % 4 == 1 {
                    let picture = clip.frames[self.sent[who] / 4 % clip.frames.len()].data.clone();
                    self.world.frame(who, VIDEO, OutgoingFrame::video(picture, 4 * STEP));
                }
            }
            self.world.run(STEP);
            self.record();
        }
    }
}

#[test]
fn ten_minutes_with_loss_remaps_and_a_rejoin_are_as_long_as_they_were() {
    // Without the bridge's estimate: where that pauses a video, the bridge makes up how much RTP time went by from when the next key frame
    // came to it (docs/protocol/04 §8), and a repaired one is late by a repair for good. No length shows that which could be held to 40 ms.
    let config = BridgeConfig { audio_slots: 2, estimate: false, ..BridgeConfig::default() };
    let mut world = World::with_bridge(41, SessionOptions::default(), config).unwrap();
    // With jitter, packets overtake the map that gives their SSRC to another source.
    let (delay, jitter) = (Duration::from_millis(30), Duration::from_millis(20));
    world.link = LinkOptions { delay, jitter, loss: 0.02, ..LinkOptions::default() };
    let recorder = Recorder::new(world.now.mono_us, world.now.unix_us);
    let (files, timelines, heard) = (Files::default(), BTreeMap::new(), BTreeMap::new());
    let (speaks, shows) = (BTreeSet::new(), BTreeSet::new());
    let mut m = Meeting { world, recorder, files, events: 0, timelines, heard, speaks, shows, sent: [0; 8] };
    let packets = media_files::read_ogg_opus(include_bytes!("fixtures/media/audio.ogg")).unwrap();
    let clip = media_files::read_ivf(include_bytes!("fixtures/media/video.ivf")).unwrap();
    m.join("f0000000", &[]);
    let (ann, bob, col) = (
        m.join("a0000001", &[Codec::Opus, Codec::Vp8]),
        m.join("b0000002", &[Codec::Opus]),
        m.join("c0000003", &[Codec::Opus]),
    );
    let all = [0, ann, bob, col];
    for _ in 0..30 {
        if all.iter().all(|w| m.connected(*w) > 0) {
            break;
        }
        m.go_on(SECOND, &packets, &clip);
    }
    m.go_on(5 * SECOND, &packets, &clip);

    m.speaks.extend([ann, bob]);
    m.shows.insert(ann);
    m.go_on(200 * SECOND, &packets, &clip);
    // Col speaks in bob's place, and then bob in col's: two slots carry three people.
    m.speaks.remove(&bob);
    m.go_on(20 * SECOND, &packets, &clip);
    m.speaks.insert(col);
    m.go_on(140 * SECOND, &packets, &clip);
    m.speaks.remove(&col);
    m.go_on(20 * SECOND, &packets, &clip);
    m.speaks.insert(bob);
    m.go_on(60 * SECOND, &packets, &clip);
    // The focus ends the recorder's session and does not invite again: it leaves and joins, as the same participant to itself.
    let before = m.connected(0);
    let now = m.world.now;
    m.world.server.with_focus(now, |f, now| {
        f.end_session("room@conference.meet.localhost", "f0000000", "success", "moving", now)
    });
    m.go_on(160 * SECOND, &packets, &clip);
    assert!(m.connected(0) > before, "it is back");
    m.speaks.clear();
    m.go_on(2 * SECOND, &packets, &clip);
    m.recorder.finish().unwrap();
    m.files.take(&mut m.recorder);

    let names: Vec<&str> = m.files.done.keys().map(String::as_str).collect();
    assert_eq!(names, ["a00-a0000001.webm", "b00-b0000002.ogg", "c00-c0000003.ogg"]);
    // Three spoke through two slots, so each came on another's SSRC; the rejoin began everybody's RTP time anew.
    assert!(m.timelines["b0000002-a0"] >= 2 && m.timelines["a0000001-a0"] >= 2, "{:?}", m.timelines);
    // Nobody can tell of a last word that was lost, or of a first one that came after the second: they are not in the length of what is heard
    // alone. They are few.
    let unheard = |who: usize, source: &str| {
        let [first, last] = &m.heard[source];
        let missing = |data: &Bytes, sent: &dyn Fn(usize) -> usize| {
            (0..3)
                .find(|n| packets[sent(*n) % packets.len()] == data)
                .expect("at most two words at an end are not heard")
        };
        (missing(first, &|n| 1 + n) + missing(last, &|n| m.sent[who] - n)) as f64 * STEP.as_secs_f64()
    };
    let folder = m.files.write("ten-minutes");
    let lengths = [600.0, 600.0 - unheard(bob, "b0000002-a0"), 140.0 - unheard(col, "c0000003-a0")];
    for (name, seconds) in names.iter().zip(lengths) {
        let told = m.files.length(name);
        assert!((told - seconds).abs() < NEAR, "{name}: {told}, not {seconds}");
        let read = plays(folder.join(name).to_str().unwrap());
        assert!((read - seconds).abs() < NEAR, "{name}: ffprobe reads {read}, not {seconds}");
    }
}

/// A frame as the meeting would give it.
fn frame(
    source: &str,
    codec: Codec,
    at_ms: u64,
    data: &bytes::Bytes,
    key: bool,
    size: Option<(u16, u16)>,
) -> EncodedFrame {
    EncodedFrame {
        endpoint_id: "e0".into(),
        participant: None,
        track: None,
        source_name: source.into(),
        media: codec.media_type(),
        codec,
        encoding: 0,
        temporal_id: None,
        key,
        timeline: 1,
        rtp_time: at_ms * u64::from(codec.clock_rate()) / 1000,
        arrival_us: 1_000_000 + at_ms * 1000,
        capture_unix_us: None,
        audio_level: None,
        gap: 0,
        size,
        data: data.clone(),
    }
}

/// Frames of these sources at their pace: file, first and last millisecond.
fn feed(recorder: &mut Recorder, files: &mut Files, source: &str, file: &jmeet::cli::MediaFile, from: u64, to: u64) {
    let mut at = from as f64;
    for f in file.frames.iter().cycle() {
        // Thirds of milliseconds do not add up.
        if at + 1.0 >= to as f64 {
            return;
        }
        recorder.frame(frame(source, file.codec, at as u64, &f.data, f.key, f.key.then_some((320, 180))));
        recorder.handle_timeout(1_000_000 + at as u64 * 1000).unwrap();
        files.take(recorder);
        at += f.duration.as_secs_f64() * 1e3;
    }
}

fn fixture(bytes: &'static [u8]) -> jmeet::cli::MediaFile {
    jmeet::cli::MediaFile::read(&bytes::Bytes::from_static(bytes), 15.0).unwrap()
}

#[test]
fn every_codec_gets_its_container_a_change_begins_file_2_and_a_screen_a_file_of_its_own() {
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut files = Files::default();
    recorder.participant("e0", "Eve");
    recorder.track("e0", "e0-v1", MediaType::Video, VideoType::Desktop, false);
    for (n, bytes) in [
        &include_bytes!("fixtures/media/video.ivf")[..],
        include_bytes!("fixtures/media/video-vp9.ivf"),
        include_bytes!("fixtures/media/video-av1.ivf"),
        include_bytes!("fixtures/media/video.h264"),
    ]
    .into_iter()
    .enumerate()
    {
        let from = n as u64 * 4000;
        feed(&mut recorder, &mut files, "e0-v0", &fixture(bytes), from, from + 4000);
    }
    feed(&mut recorder, &mut files, "e0-v1", &fixture(include_bytes!("fixtures/media/video.ivf")), 16_000, 20_000);
    feed(&mut recorder, &mut files, "e0-a0", &fixture(include_bytes!("fixtures/media/audio.ogg")), 20_000, 24_000);
    recorder.finish().unwrap();
    files.take(&mut recorder);
    let names: Vec<&str> = files.done.keys().map(String::as_str).collect();
    assert_eq!(names, ["Eve-e0-2.webm", "Eve-e0-3.webm", "Eve-e0-4.mkv", "Eve-e0-v1.webm", "Eve-e0.webm"]);
    let folder = files.write("codecs");
    for (name, codecs, start, length) in [
        ("Eve-e0.webm", "vp8,opus", 0.0, 4.0),
        ("Eve-e0-2.webm", "vp9,opus", 4.0, 4.0),
        ("Eve-e0-3.webm", "av1,opus", 8.0, 4.0),
        // The last picture is from 16, and the sound goes on to 24.
        ("Eve-e0-4.mkv", "h264,opus", 12.0, 12.0),
        ("Eve-e0-v1.webm", "vp8", 16.0, 4.0),
    ] {
        let file = folder.join(name);
        let read = plays(file.to_str().unwrap());
        assert!((read - length).abs() < NEAR, "{name}: {read}");
        assert!((files.done[name].0.start_us as f64 / 1e6 - start).abs() < NEAR, "{name}: {:?}", files.done[name].0);
        let args = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0"];
        let told = output("ffprobe", &[&args[..], &[file.to_str().unwrap()]].concat()).0;
        assert_eq!(told.split_whitespace().collect::<Vec<_>>().join(","), codecs, "{name}");
    }
}

#[test]
fn a_file_that_is_cut_off_plays_to_where_it_was_cut() {
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut files = Files::default();
    feed(&mut recorder, &mut files, "e0-v0", &fixture(include_bytes!("fixtures/media/video.ivf")), 0, 20_000);
    let (name, bytes) = files.open.values().next().unwrap().clone();
    let folder = files.write("cut");
    let file = folder.join(&name);
    std::fs::write(&file, &bytes).unwrap();
    let (_, errors, ok) = output("ffmpeg", &["-v", "error", "-i", file.to_str().unwrap(), "-f", "null", "-"]);
    assert!(ok && errors.is_empty(), "{errors}");
    let args = [
        "-v",
        "error",
        "-select_streams",
        "v",
        "-count_frames",
        "-show_entries",
        "stream=nb_read_frames",
        "-of",
        "csv=p=0",
    ];
    let frames: usize = output("ffprobe", &[&args[..], &[file.to_str().unwrap()]].concat()).0.trim().parse().unwrap();
    // Of 300 pictures; those of the last seconds wait for their place, or for their cluster.
    assert!((300 - 5 * 15..300).contains(&frames), "{frames}");
}

#[test]
fn what_waits_is_bounded_and_sources_are_too() {
    use jmeet::cli::record::{self, FRAME_COST, MAX_HELD_BYTES, MAX_OF_PARTICIPANT};
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut files = Files::default();
    let big = bytes::Bytes::from(vec![0; MAX_HELD_BYTES / 4 - FRAME_COST]);
    for n in 0..5 {
        recorder.frame(frame("e0-v0", Codec::Vp8, n * 10, &big, true, Some((320, 180))));
        recorder.handle_timeout(1_000_000).unwrap();
        files.take(&mut recorder);
        // All four fit; the fifth pushes them out.
        assert_eq!(files.open.len(), usize::from(n == 4), "{n}");
    }
    // Past the limit only the files of whoever holds the most are hurried.
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut files = Files::default();
    let small = bytes::Bytes::from_static(&[0xf8, 0xff, 0xfe]);
    let mut other = frame("e1-a0", Codec::Opus, 0, &small, true, None);
    other.endpoint_id = "e1".into();
    recorder.frame(other);
    for n in 0..5 {
        recorder.frame(frame("e0-v0", Codec::Vp8, n * 10, &big, true, Some((320, 180))));
    }
    recorder.handle_timeout(1_000_000).unwrap();
    files.take(&mut recorder);
    assert_eq!(files.open.len(), 1, "e1's waits its time");
    recorder.handle_timeout(10_000_000).unwrap();
    files.take(&mut recorder);
    assert_eq!(files.open.len(), 2);
    let packet = bytes::Bytes::from_static(&[0xf8, 0xff, 0xfe]);
    // One participant takes up no more than their part, and all together no more than there is.
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut next = (0..).flat_map(|p| (0..MAX_OF_PARTICIPANT).map(move |n| (p, n)));
    let one = |p: usize, n: usize, recorder: &mut Recorder| {
        let mut f = frame(&format!("e{p}-a{n}"), Codec::Opus, 0, &packet, true, None);
        f.endpoint_id = format!("e{p}").into();
        recorder.frame(f);
    };
    for (p, n) in next.by_ref().take(record::MAX_SOURCES) {
        one(p, n, &mut recorder);
        if p == 0 && n == MAX_OF_PARTICIPANT - 1 {
            assert_eq!(recorder.passed_over(), 0);
            one(p, MAX_OF_PARTICIPANT, &mut recorder);
        }
    }
    assert_eq!(recorder.passed_over(), 1);
    let (p, n) = next.next().unwrap();
    one(p, n, &mut recorder);
    assert_eq!(recorder.passed_over(), 2);
}

#[test]
fn who_changes_codecs_all_the_time_makes_no_files_without_end() {
    use jmeet::cli::record::MAX_FILES;
    let mut recorder = Recorder::new(1_000_000, 0);
    let mut files = Files::default();
    let clip = media_files::read_ivf(include_bytes!("fixtures/media/video.ivf")).unwrap();
    let key = &clip.frames[0].data;
    // A key frame header of VP9 of 320 × 180 in profile 0.
    let vp9 = bytes::Bytes::from_static(&[0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0b, 0x30, 0x00]);
    for n in 0..=u64::from(MAX_FILES) {
        let (codec, data) = if n % 2 == 0 { (Codec::Vp8, key) } else { (Codec::Vp9, &vp9) };
        recorder.frame(frame("e0-v0", codec, n * 100, data, true, Some((320, 180))));
    }
    recorder.finish().unwrap();
    files.take(&mut recorder);
    assert_eq!((files.done.len(), recorder.passed_over()), (MAX_FILES as usize, 1));
}
