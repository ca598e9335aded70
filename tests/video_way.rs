//! Video that changes its way, from the peer to the bridge: what leans on pictures that went the other way is of no use there, and numbers
//! that go on hide it from whoever receives them. In virtual time.

use jmeet::media::{Codec, FrameTransform, MediaType, OutgoingFrame};
use jmeet::meeting::event::{EventKind, MediaPath, MediaState};
use jmeet::meeting::{ClientOptions, Command, ReaderOptions, TrackOptions};
use jmeet::testkit::World;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn p2p_up(w: &World, who: usize) -> bool {
    let last = |e: &EventKind| match e {
        EventKind::Media(MediaPath::PeerToPeer, s) => Some(matches!(s, MediaState::Connected { .. })),
        _ => None,
    };
    w.peers[who].kinds().filter_map(last).last().unwrap_or(false)
}

/// An encoder that knows nothing but what it is told, and takes its time: a key frame at first and some pictures after it is wanted, else
/// what leans on the picture before.
#[derive(Default)]
struct Encoder {
    looked_at: usize,
    shown: u32,
    key_in: Option<u32>,
}

impl Encoder {
    const DELAY: u32 = 5;

    /// Whether it was a key frame.
    fn show(&mut self, w: &mut World, who: usize) -> bool {
        let wanted = |e: &EventKind| matches!(e, EventKind::KeyFrameWanted { track, .. } if *track == VIDEO);
        if w.peers[who].kinds().skip(self.looked_at).any(wanted) && self.shown > 0 {
            self.key_in.get_or_insert(Encoder::DELAY);
        }
        self.key_in = self.key_in.map(|n| n - 1);
        let key = self.key_in.take_if(|n| *n == 0).is_some() || self.shown == 0;
        self.looked_at = w.peers[who].events.len();
        self.shown += 1;
        let mut picture = vec![if key { 0x10 } else { 0x11 }, 2, 0, 0x9d, 1, 0x2a, 64, 0, 64, 0];
        picture.resize(600, who as u8);
        w.frame(who, VIDEO, OutgoingFrame::video(picture, PICTURE));
        key
    }
}

const PICTURE: Duration = Duration::from_millis(40);

/// Packets of its own video that `who` sent to the bridge in the session that runs.
fn to_bridge(w: &World, who: usize) -> u64 {
    let tracks = w.peers[who].meeting.stats(w.now).tracks;
    let own = tracks.iter().filter(|t| t.local && t.media == MediaType::Video && t.path == MediaPath::Bridge);
    own.map(|t| t.stream.packets).sum()
}

/// Two who spoke through the bridge, and now do so directly; everybody's pictures are from its encoder.
fn two_who_changed_to_the_direct_way(seed: u64) -> (World, [Encoder; 2]) {
    let mut w = three(seed, SessionOptions::default(), BridgeConfig::default(), |_| {});
    let mut encoders = [Encoder::default(), Encoder::default()];
    show(&mut w, &mut encoders, 50);
    w.command(2, Command::Leave { tag: 0 });
    for _ in 0..2000 {
        show(&mut w, &mut encoders, 1);
        if p2p_up(&w, 0) && p2p_up(&w, 1) {
            break;
        }
    }
    assert!(p2p_up(&w, 0) && p2p_up(&w, 1));
    show(&mut w, &mut encoders, 50);
    (w, encoders)
}

fn show(w: &mut World, encoders: &mut [Encoder; 2], pictures: u32) {
    for _ in 0..pictures {
        for (who, e) in encoders.iter_mut().enumerate() {
            e.show(w, who);
        }
        w.run(PICTURE);
    }
}

#[test]
fn video_that_goes_through_the_bridge_again_begins_there_with_a_key_frame() {
    let (mut w, mut encoders) = two_who_changed_to_the_direct_way(18);
    for (from, to) in [(0, 1), (1, 0)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    let mut before = [to_bridge(&w, 0), to_bridge(&w, 1)];
    // What the bridge gets first of each of them since.
    let mut first = [None; 2];
    for _ in 0..3000 {
        for (who, e) in encoders.iter_mut().enumerate() {
            let key = e.show(&mut w, who);
            let sent = to_bridge(&w, who);
            if sent > std::mem::replace(&mut before[who], sent) {
                first[who].get_or_insert(key);
            }
        }
        w.run(PICTURE);
        if first.iter().all(Option::is_some) {
            break;
        }
    }
    assert_eq!(first, [Some(true); 2]);
    assert!(!p2p_up(&w, 0) && !p2p_up(&w, 1));
    for who in 0..2 {
        let times = |f: fn(&EventKind) -> bool| {
            w.peers[who].events.iter().filter(move |e| f(&e.1.kind)).map(|e| e.0.mono_us).next_back()
        };
        let ended = |e: &EventKind| matches!(e, EventKind::Media(MediaPath::PeerToPeer, MediaState::Ended { .. }));
        let wanted = |e: &EventKind| matches!(e, EventKind::KeyFrameWanted { .. });
        assert!(times(wanted) >= times(ended), "{who} is asked for a key frame by itself");
    }
    let since = w.now;
    show(&mut w, &mut encoders, 75);
    for (who, of) in [(0, NAMES[1]), (1, NAMES[0])] {
        let seen: Vec<_> = w.peers[who].frames.iter().map(|f| &f.1).filter(|f| *f.endpoint_id == *of).collect();
        let late = seen.iter().filter(|f| f.arrival_us > since.mono_us).count();
        assert!(late >= 60, "{who} saw {late} pictures");
        let timelines: Vec<(u32, bool)> = seen.iter().map(|f| (f.timeline, f.key)).collect();
        let begins = timelines.chunk_by(|a, b| a.0 == b.0).map(|c| c[0].1);
        assert!(begins.clone().count() >= 3 && begins.clone().all(|key| key), "{who}: {timelines:?}");
    }
}

#[test]
fn a_program_that_misses_the_wish_for_a_key_frame_is_asked_again() {
    let (mut w, _) = two_who_changed_to_the_direct_way(20);
    for (from, to) in [(0, 1), (1, 0)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    assert!(w.run_until(Duration::from_secs(90), |w| !p2p_up(w, 0)));
    let (mut encoder, before, sent) = (Encoder::default(), w.peers[0].events.len(), to_bridge(&w, 0));
    encoder.show(&mut w, 0);
    let begun = to_bridge(&w, 0);
    assert!(begun > sent, "a key frame goes out at once");
    let wanted = |w: &World, from: usize| {
        w.peers[0].events[from..].iter().filter(|e| matches!(e.1.kind, EventKind::KeyFrameWanted { .. })).count()
    };
    assert_eq!(wanted(&w, before), 0);
    // Another time, without one.
    let (mut w, _) = two_who_changed_to_the_direct_way(21);
    for (from, to) in [(0, 1), (1, 0)] {
        w.link_mut(from, to).options.loss = 1.0;
    }
    assert!(w.run_until(Duration::from_secs(90), |w| !p2p_up(w, 0)));
    let (before, sent) = (w.peers[0].events.len(), to_bridge(&w, 0));
    for _ in 0..75 {
        w.frame(0, VIDEO, OutgoingFrame::video(vec![0x11, 2, 0, 0], PICTURE));
        w.run(PICTURE);
    }
    assert_eq!(to_bridge(&w, 0), sent);
    assert!((5..=7).contains(&wanted(&w, before)), "{}", wanted(&w, before));
}

#[test]
fn who_is_left_by_its_peer_speaks_through_the_bridge_before_signalling_says_so() {
    let (mut w, mut encoders) = two_who_changed_to_the_direct_way(19);
    w.signalling = Duration::from_millis(800);
    // With visitors in nobody speaks directly; the other one does not know of them yet.
    w.inject(
        0,
        "<presence xmlns='jabber:client' from='room@conference.meet.localhost/focus'><x xmlns='http://jabber.org/protocol/muc#user'>\
         <item affiliation='owner' role='moderator' jid='focus@focus.meet.localhost/focus'/></x><conference-properties \
         xmlns='http://jitsi.org/protocol/focus'><property key='visitor-count' value='1'/></conference-properties></presence>",
    );
    for _ in 0..100 {
        show(&mut w, &mut encoders, 1);
        if !p2p_up(&w, 0) {
            break;
        }
    }
    let before = to_bridge(&w, 1);
    show(&mut w, &mut encoders, 15);
    assert!(p2p_up(&w, 1) && !p2p_up(&w, 0), "it was not told yet");
    assert!(to_bridge(&w, 1) > before);
}

/// Takes note of what kinds of NAL units are in each access unit that it is given.
struct Notes(Arc<Mutex<Vec<Vec<u8>>>>);

fn nal_units(frame: &[u8]) -> Vec<u8> {
    frame.windows(4).filter(|w| w.starts_with(&[0, 0, 1])).map(|w| w[3] & 31).collect()
}

impl FrameTransform for Notes {
    fn outgoing(&mut self, _: &str, _: Codec, data: bytes::Bytes) -> Option<bytes::Bytes> {
        self.0.lock().unwrap().push(nal_units(&data));
        Some(data)
    }

    fn incoming(&mut self, _: &str, _: &str, _: Codec, data: bytes::Bytes) -> Option<bytes::Bytes> {
        Some(data)
    }
}

#[test]
fn parameter_sets_that_were_written_once_are_in_every_key_frame_on_every_way() {
    let mut w = World::with_bridge(22, SessionOptions::default(), BridgeConfig::default()).unwrap();
    let join = |w: &mut World, nickname: &str| {
        let video_codecs = vec![Codec::H264, Codec::Vp8];
        let who = w.add(ClientOptions { nickname: nickname.into(), video_codecs, ..Default::default() }).unwrap();
        w.command(who, Command::Join { tag: 1 });
        w.command(who, Command::AddReader { reader: READER, track: None, options: ReaderOptions::default() });
        who
    };
    let (a, b) = (join(&mut w, "00000000"), join(&mut w, "ffffffff"));
    let notes = Arc::new(Mutex::new(vec![]));
    w.peers[a].meeting.set_transform(Some(Box::new(Notes(notes.clone()))));
    w.command(a, Command::AddTrack { track: VIDEO, options: TrackOptions::new(Codec::H264), tag: 0 });
    // As an encoder gives them: once, and long before anybody looks.
    let write = |w: &mut World, data: &[u8]| {
        w.frame(0, VIDEO, OutgoingFrame { codec: Some(Codec::H264), ..OutgoingFrame::video(data.to_vec(), PICTURE) });
        w.run(PICTURE);
    };
    let (sps, pps, idr) = ([0, 0, 1, 0x67, 0x42, 0xc0, 0x0c, 0x80], [0, 0, 1, 0x68, 0xc0], [0, 0, 1, 0x65, 0x88, 9]);
    write(&mut w, &[&sps[..], &pps].concat());
    let key_frames = |w: &World, who: usize| -> Vec<Vec<u8>> {
        w.peers[who].frames.iter().filter(|f| f.1.key).map(|f| nal_units(&f.1.data)).collect()
    };
    assert!(w.run_until(20 * SECOND, |w| p2p_up(w, a) && p2p_up(w, b)));
    write(&mut w, &idr);
    w.run(SECOND);
    assert_eq!(key_frames(&w, b), [[7, 8, 5]]);
    // A second set, in an access unit that nobody gets.
    w.command(a, Command::SetMuted { track: VIDEO, muted: true, tag: 0 });
    write(&mut w, &[&[0, 0, 1, 0x68, 0x40][..], &idr].concat());
    w.command(a, Command::SetMuted { track: VIDEO, muted: false, tag: 0 });
    let c = join(&mut w, "77777777");
    for _ in 0..200 {
        write(&mut w, &idr);
    }
    for who in [b, c] {
        let seen = key_frames(&w, who);
        assert!(seen.len() > 20 && seen.iter().skip(1).all(|k| *k == [7, 8, 8, 5]), "{who}: {seen:?}");
    }
    let notes = notes.lock().unwrap();
    assert!(!notes.is_empty() && notes.iter().all(|units| units.ends_with(&[5]) && units.starts_with(&[7, 8])));
    assert!(w.peers[a].meeting.stats(w.now).tracks.iter().any(|t| t.local && t.path == MediaPath::Bridge));
}
