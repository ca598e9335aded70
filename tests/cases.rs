//! Failures that Jitsi clients met in the field (docs/cases.md): each has its test, here where it takes a whole meeting and no other
//! test had it already. The media's cases run over a lossy link.

use jmeet::media::{Codec, MediaType, OutgoingFrame, VideoType};
use jmeet::meeting::event::{BridgeChannel, EventKind, MediaPath, MediaState, Track};
use jmeet::meeting::{ClientOptions, Command, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::link::LinkOptions;
use jmeet::testkit::{BRIDGE, World};
use jmeet::wire::colibri::MAX_PAYLOAD_BYTES;
use jmeet::{Code, Time};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const AUDIO: TrackKey = TrackKey(1 << 63);
const VIDEO: TrackKey = TrackKey((1 << 63) + 1);
const SCREEN: TrackKey = TrackKey((1 << 63) + 2);
const READER: ReaderKey = ReaderKey((1 << 63) + 9);
const SECOND: Duration = Duration::from_secs(1);
const NAMES: [&str; 3] = ["aaaaaaaa", "bbbbbbbb", "cccccccc"];

/// Names of all tests below a folder.
fn tests_below(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            for (_, after) in text.match_indices("#[test]").map(|(at, _)| text.split_at(at)) {
                let name = after.split_once("fn ").and_then(|(_, n)| n.split_once('('));
                found.extend(name.map(|n| n.0.to_owned()));
            }
        }
    }
}

#[test]
fn every_case_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests_below(&root.join(folder), &mut tests);
    }
    let page = std::fs::read_to_string(root.join("docs/cases.md")).expect("the page");
    let mut rows = BTreeSet::new();
    for line in page.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| Row")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [row, _, test] = cells[..] else { panic!("not three cells: {line}") };
        assert!(tests.contains(test.trim_matches('`')), "no such test: {line}");
        rows.insert(row.to_owned());
    }
    let of = |letter: &str, numbers: &[u32]| numbers.iter().map(|n| format!("{letter}{n}")).collect::<Vec<_>>();
    let wanted: BTreeSet<String> = [
        of("S", &[1, 3, 4, 6, 7, 8, 10, 11, 13, 14]),
        of("M", &[1, 3, 5, 6, 8, 9, 10, 11, 13]),
        of("I", &[1, 2, 3, 5, 7, 8, 9]),
        of("B", &[1, 2, 3, 4, 6, 7, 8]),
    ]
    .concat()
    .into_iter()
    .collect();
    assert_eq!(rows, wanted);
}

fn world(seed: u64, sessions: SessionOptions, config: BridgeConfig) -> World {
    let mut w = World::with_bridge(seed, sessions, BridgeConfig { fake: true, ..config }).expect("a bridge");
    w.link = LinkOptions { delay: Duration::from_millis(10), loss: 0.03, ..LinkOptions::default() };
    w
}

fn signalled() -> SessionOptions {
    SessionOptions { rewriting: false, ..SessionOptions::default() }
}

fn join(w: &mut World, nickname: &str, tracks: &[(TrackKey, Codec)]) -> usize {
    let options = ClientOptions { nickname: nickname.into(), disable_p2p: true, ..Default::default() };
    let who = w.add(options).expect("options");
    w.command(who, Command::Join { tag: 1 });
    for (track, codec) in tracks {
        add(w, who, *track, TrackOptions::new(*codec));
    }
    w.command(who, Command::AddReader { reader: READER, track: None, options: ReaderOptions::default() });
    assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    who
}

fn add(w: &mut World, who: usize, track: TrackKey, options: TrackOptions) {
    w.command(who, Command::AddTrack { track, options, tag: 0 });
}

const BOTH: [(TrackKey, Codec); 2] = [(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8)];

fn open(w: &World, who: usize) -> bool {
    let last = w.peers[who].kinds().filter_map(|e| if let EventKind::BridgeChannel(c) = e { Some(*c) } else { None });
    matches!(last.last(), Some(BridgeChannel::DataChannel | BridgeChannel::WebSocket))
}

fn all_open(w: &mut World) {
    assert!(w.run_until(20 * SECOND, |w| (0..w.peers.len()).all(|who| open(w, who))));
}

fn tracks(w: &World, who: usize) -> Vec<Track> {
    let mut found: Vec<Track> = Vec::new();
    for e in w.peers[who].kinds() {
        match e {
            EventKind::TrackAdded(t) if !t.local => found.push((**t).clone()),
            EventKind::TrackUpdated(t) => found.iter_mut().filter(|f| f.key == t.key).for_each(|f| *f = (**t).clone()),
            EventKind::TrackRemoved(t) => found.retain(|f| f.key != t.key),
            _ => {}
        }
    }
    found
}

fn names(w: &World, who: usize) -> BTreeSet<String> {
    tracks(w, who).into_iter().map(|t| t.source_name).collect()
}

/// Each shows pictures that say whose they are.
fn show(w: &mut World, who: &[(usize, TrackKey)], n: usize) {
    for i in 0..n {
        for (who, track) in who {
            let first = if i % 5 == 0 { 0x10 } else { 0x11 };
            let picture = vec![first, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0, *who as u8, (track.0 & 0xff) as u8];
            w.frame(*who, *track, OutgoingFrame::video(picture, Duration::from_millis(33)));
        }
        w.run(Duration::from_millis(33));
    }
    w.run(SECOND);
}

fn shown(w: &World, who: usize, source: &str) -> Vec<(u8, u8)> {
    let of = w.peers[who].frames.iter().filter(|f| *f.1.source_name == *source && f.1.media == MediaType::Video);
    of.map(|f| (f.1.data[10], f.1.data[11])).collect()
}

#[test]
fn two_video_sources_in_one_source_remove_are_both_gone() {
    // What goes within this time goes in one request.
    let sessions = SessionOptions { source_delay: Duration::from_millis(500), ..signalled() };
    let mut w = world(1, sessions, BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &[(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8), (SCREEN, Codec::Vp8)]);
    let b = join(&mut w, NAMES[1], &[]);
    assert!(w.run_until(20 * SECOND, |w| names(w, b).len() == 3));
    w.run(2 * SECOND);
    for track in [VIDEO, SCREEN] {
        w.command(a, Command::RemoveTrack { track, tag: 0 });
    }
    w.run(5 * SECOND);
    assert_eq!(names(&w, b), BTreeSet::from(["aaaaaaaa-a0".to_owned()]));
    assert_eq!(w.peers[b].meeting.signalled_sources(MediaPath::Bridge).iter().filter(|s| s.0 == NAMES[0]).count(), 1);
}

#[test]
fn a_source_that_the_focus_takes_away_is_gone_whatever_presence_goes_on_naming() {
    let mut w = world(11, signalled(), BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &[]);
    assert!(w.run_until(20 * SECOND, |w| names(w, b).len() == 2));
    w.run(2 * SECOND);
    let sources = w.peers[b].meeting.signalled_sources(MediaPath::Bridge);
    let (_, _, ssrcs) = sources.iter().find(|s| s.1 == "aaaaaaaa-v0").expect("the camera").clone();
    let room = "room@conference.meet.localhost";
    let now = w.now;
    let sid = w.server.with_focus(now, |f, _| f.session_of(room, NAMES[1]).map(|s| s.0.to_owned())).flatten();
    let sid = sid.expect("a session");
    let say = |w: &mut World, action: &str| {
        let one = |s: &u32| {
            format!(
                "<source xmlns='urn:xmpp:jingle:apps:rtp:ssma:0' ssrc='{s}' name='aaaaaaaa-v0'>\
                 <ssrc-info xmlns='http://jitsi.org/jitmeet' owner='aaaaaaaa'/><parameter name='msid' value='m t'/></source>"
            )
        };
        let inner: String = ssrcs.iter().map(one).collect();
        let stanza = format!(
            "<iq xmlns='jabber:client' type='set' id='{action}' from='{room}/focus' to='{}'>\
             <jingle xmlns='urn:xmpp:jingle:1' action='{action}' sid='{sid}'><content name='video'>\
             <description xmlns='urn:xmpp:jingle:apps:rtp:1' media='video'>{inner}</description></content></jingle></iq>",
            NAMES[1]
        );
        w.inject(b, &stanza);
        w.run(SECOND);
    };
    // As a page does that takes its camera out: its presence names it for ever.
    let audio = BTreeSet::from(["aaaaaaaa-a0".to_owned()]);
    say(&mut w, "source-remove");
    assert_eq!(names(&w, b), audio);
    w.command(a, Command::SetMuted { track: AUDIO, muted: true, tag: 0 });
    w.run(2 * SECOND);
    assert!(tracks(&w, b).iter().all(|t| t.muted), "presence came");
    assert_eq!(names(&w, b), audio, "and brought nothing back");
    let removed = |e: &EventKind| matches!(e, EventKind::TrackRemoved(_));
    assert_eq!(w.peers[b].kinds().filter(|e| removed(e)).count(), 1);
    say(&mut w, "source-add");
    assert_eq!(names(&w, b).len(), 2, "the focus did");
    show(&mut w, &[(a, VIDEO)], 60);
    assert!(shown(&w, b, "aaaaaaaa-v0").len() > 10);
    // And the other way: what presence alone brings is there again once it was away.
    say(&mut w, "source-remove");
    w.command(a, Command::RemoveTrack { track: VIDEO, tag: 0 });
    w.run(2 * SECOND);
    add(&mut w, a, VIDEO, TrackOptions::new(Codec::Vp8));
    w.run(2 * SECOND);
    assert_eq!(names(&w, b).len(), 2);
    assert_eq!(w.peers[b].kinds().filter(|e| removed(e)).count(), 2);
}

#[test]
fn a_mute_that_comes_before_its_track_is_the_tracks_from_the_start() {
    let mut w = world(2, signalled(), BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &[]);
    for (track, codec) in BOTH {
        add(&mut w, a, track, TrackOptions { muted: true, ..TrackOptions::new(codec) });
    }
    let b = join(&mut w, NAMES[1], &[]);
    assert!(w.run_until(20 * SECOND, |w| names(w, b).len() == 2));
    let first = |e: &EventKind| matches!(e, EventKind::TrackAdded(t) if !t.local && t.muted);
    assert_eq!(w.peers[b].kinds().filter(|e| first(e)).count(), 2, "muted from their first event on");
}

#[test]
fn a_screen_beside_a_camera_is_a_track_of_its_own() {
    let mut w = world(3, SessionOptions::default(), BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &[]);
    all_open(&mut w);
    add(&mut w, a, SCREEN, TrackOptions { video_type: VideoType::Desktop, ..TrackOptions::new(Codec::Vp8) });
    assert!(w.run_until(5 * SECOND, |w| names(w, b).len() == 3));
    w.run(SECOND);
    let kind = |name: &str| tracks(&w, b).iter().find(|t| t.source_name == name).map(|t| t.video_type);
    assert_eq!(kind("aaaaaaaa-v0"), Some(VideoType::Camera));
    assert_eq!(kind("aaaaaaaa-v1"), Some(VideoType::Desktop));
    show(&mut w, &[(a, VIDEO), (a, SCREEN)], 60);
    for (source, track) in [("aaaaaaaa-v0", VIDEO), ("aaaaaaaa-v1", SCREEN)] {
        let got = shown(&w, b, source);
        assert!(got.len() > 10 && got.iter().all(|g| g.1 == (track.0 & 0xff) as u8), "{source}: {got:?}");
    }
}

#[test]
fn a_remapped_slot_is_another_track_with_its_own_owner_and_mute_state() {
    let config = BridgeConfig { video_slots: 1, last_n: 1, ..BridgeConfig::default() };
    let mut w = world(4, SessionOptions::default(), config);
    let all: Vec<usize> = NAMES.iter().map(|n| join(&mut w, n, &BOTH)).collect();
    all_open(&mut w);
    w.run(2 * SECOND);
    show(&mut w, &[(0, VIDEO), (1, VIDEO)], 30);
    // One slot, two who show: muting one gives it to the other.
    w.command(all[0], Command::SetMuted { track: VIDEO, muted: true, tag: 0 });
    w.run(2 * SECOND);
    show(&mut w, &[(1, VIDEO)], 60);
    w.command(all[0], Command::SetMuted { track: VIDEO, muted: false, tag: 0 });
    w.command(all[1], Command::SetMuted { track: VIDEO, muted: true, tag: 0 });
    w.run(2 * SECOND);
    show(&mut w, &[(0, VIDEO)], 60);
    for (owner, source) in [(0, "aaaaaaaa-v0"), (1, "bbbbbbbb-v0")] {
        let got = shown(&w, 2, source);
        assert!(got.len() > 10 && got.iter().all(|g| usize::from(g.0) == owner), "{source}: {got:?}");
    }
    let muted = |name: &str| tracks(&w, 2).iter().find(|t| t.source_name == name).map(|t| t.muted);
    assert_eq!((muted("aaaaaaaa-v0"), muted("bbbbbbbb-v0")), (Some(false), Some(true)));
}

#[test]
fn video_goes_on_after_its_sender_took_another_ssrc() {
    let mut w = world(5, signalled(), BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &[]);
    all_open(&mut w);
    w.run(SECOND);
    show(&mut w, &[(a, VIDEO)], 30);
    let before = shown(&w, b, "aaaaaaaa-v0").len();
    assert!(before > 10);
    let ssrcs = |w: &World| w.peers[b].meeting.signalled_sources(MediaPath::Bridge);
    let old = ssrcs(&w);
    // The same name, other SSRCs.
    w.command(a, Command::RemoveTrack { track: VIDEO, tag: 0 });
    add(&mut w, a, SCREEN, TrackOptions::new(Codec::Vp8));
    w.run(3 * SECOND);
    assert_ne!(old, ssrcs(&w));
    show(&mut w, &[(a, SCREEN)], 60);
    assert!(shown(&w, b, "aaaaaaaa-v0").len() > before + 10);
}

#[test]
fn the_channel_works_over_sctp_alone() {
    let mut w = world(6, SessionOptions::default(), BridgeConfig { websocket: false, ..BridgeConfig::default() });
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &[]);
    all_open(&mut w);
    w.run(SECOND);
    w.command(a, Command::SendEndpointMessage { to: NAMES[1].into(), payload: r#"{"x":1}"#.into(), tag: 7 });
    w.run(SECOND);
    assert!(w.peers[b].saw(|e| matches!(e, EventKind::EndpointMessage(m) if m.endpoint_id == NAMES[0])));
}

fn over_websocket(seed: u64) -> World {
    let sessions = SessionOptions { sctp: false, ..SessionOptions::default() };
    let mut w = world(seed, sessions, BridgeConfig { sctp: false, websocket: true, ..BridgeConfig::default() });
    w.signalling = Duration::from_millis(10);
    w
}

#[test]
fn a_lost_channel_comes_back_and_what_is_wanted_is_said_again() {
    let mut w = over_websocket(7);
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &BOTH);
    all_open(&mut w);
    w.run(SECOND);
    show(&mut w, &[(a, VIDEO)], 10);
    let wishes = |w: &World| {
        let said = |e: &jmeet::testkit::bridge::Event| matches!(e, jmeet::testkit::bridge::Event::Message { endpoint, text } if endpoint == NAMES[1] && text.contains("ReceiverVideoConstraints"));
        w.bridge_events.iter().filter(|e| said(&e.1)).count()
    };
    let before = wishes(&w);
    assert!(before > 0 && w.cut_channel(b));
    w.run(Duration::from_millis(100));
    assert!(!open(&w, b), "its state is seen");
    assert!(w.run_until(60 * SECOND, |w| open(w, b)));
    w.run(SECOND);
    assert!(wishes(&w) > before);
    let seen = shown(&w, b, "aaaaaaaa-v0").len();
    show(&mut w, &[(a, VIDEO)], 60);
    assert!(shown(&w, b, "aaaaaaaa-v0").len() > seen + 10);
}

#[test]
fn a_refused_web_socket_is_mended_by_the_next_sessions_url() {
    let mut w = over_websocket(8);
    join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &BOTH);
    all_open(&mut w);
    w.run(SECOND);
    // Another bridge takes over, which knows no password of the old one.
    w.start_bridge(BridgeConfig { fake: true, sctp: false, websocket: true, ..BridgeConfig::default() })
        .expect("a bridge");
    w.run(SECOND);
    assert!(w.run_until(60 * SECOND, |w| open(w, b)));
    let connected = |e: &&EventKind| matches!(e, EventKind::Media(MediaPath::Bridge, MediaState::Connected { .. }));
    assert_eq!(w.peers[b].kinds().filter(connected).count(), 2);
}

#[test]
fn a_payload_at_its_limit_is_sent_and_one_past_it_is_refused() {
    let mut w = over_websocket(9);
    let a = join(&mut w, NAMES[0], &[]);
    let b = join(&mut w, NAMES[1], &[]);
    all_open(&mut w);
    let payload = |len: usize| format!(r#"{{"x":"{}"}}"#, "y".repeat(len - 8));
    for (tag, len) in [(11, MAX_PAYLOAD_BYTES), (12, MAX_PAYLOAD_BYTES + 1)] {
        w.command(a, Command::SendEndpointMessage { to: String::new(), payload: payload(len), tag });
    }
    w.run(SECOND);
    let done = |tag: u64| {
        let e = w.peers[a].events.iter().find(|e| e.1.tag == tag).map(|e| &e.1.kind);
        if let Some(EventKind::RequestDone(e)) = e { e.as_ref().map(|e| e.code) } else { panic!("{e:?}") }
    };
    assert_eq!((done(11), done(12)), (None, Some(Code::TooLarge)));
    let got = |e: &&EventKind| matches!(e, EventKind::EndpointMessage(m) if m.payload.len() == MAX_PAYLOAD_BYTES);
    assert_eq!(w.peers[b].kinds().filter(got).count(), 1);
}

#[test]
fn a_source_that_a_dying_focus_was_told_of_is_told_to_the_next_one() {
    let mut w = world(10, SessionOptions::default(), BridgeConfig::default());
    let a = join(&mut w, NAMES[0], &BOTH);
    join(&mut w, NAMES[1], &BOTH);
    all_open(&mut w);
    w.run(SECOND);
    w.server.stop_focus(w.now);
    add(&mut w, a, SCREEN, TrackOptions::new(Codec::Vp8));
    w.run(3 * SECOND);
    w.server.start_focus(w.now);
    w.run(30 * SECOND);
    let now: Time = w.now;
    let told = w.server.with_focus(now, |f, _| {
        let s = f.sources_of("room@conference.meet.localhost").map(|s| s.of(NAMES[0])).unwrap_or_default();
        s.sources.iter().filter_map(|s| s.name.clone()).collect::<BTreeSet<_>>()
    });
    let all = ["aaaaaaaa-a0", "aaaaaaaa-v0", "aaaaaaaa-v1"].map(str::to_owned);
    assert_eq!(told, Some(BTreeSet::from(all)));
}

#[test]
fn a_source_that_presence_took_away_is_not_brought_back_by_a_map() {
    let mut w = over_websocket(11);
    let a = join(&mut w, NAMES[0], &BOTH);
    let b = join(&mut w, NAMES[1], &[]);
    all_open(&mut w);
    w.run(SECOND);
    show(&mut w, &[(a, VIDEO)], 10);
    w.command(a, Command::RemoveTrack { track: VIDEO, tag: 0 });
    w.run(SECOND);
    assert_eq!(names(&w, b), BTreeSet::from(["aaaaaaaa-a0".to_owned()]));
    // The bridge keeps its slot, and tells all slots to a channel that opens.
    assert!(w.cut_channel(b));
    w.run(Duration::from_millis(100));
    assert!(w.run_until(60 * SECOND, |w| open(w, b)));
    w.run(SECOND);
    assert_eq!(names(&w, b), BTreeSet::from(["aaaaaaaa-a0".to_owned()]));
    // It comes back with the source.
    add(&mut w, a, SCREEN, TrackOptions::new(Codec::Vp8));
    w.run(SECOND);
    assert_eq!(names(&w, b).len(), 2);
    show(&mut w, &[(a, SCREEN)], 60);
    assert!(shown(&w, b, "aaaaaaaa-v0").len() > 10);
}

#[test]
fn whoever_ends_beside_a_dead_path_leaves_nothing_open() {
    let mut w = over_websocket(12);
    let a = join(&mut w, NAMES[0], &BOTH);
    join(&mut w, NAMES[1], &BOTH);
    all_open(&mut w);
    for (from, to) in [(a, BRIDGE), (BRIDGE, a)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    w.cut(a);
    w.run(SECOND);
    let held = w.peers[a].meeting.held();
    assert_eq!((held.sessions, held.sources, held.outputs), (0, 0, 0), "{held:?}");
}
