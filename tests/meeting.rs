//! Whole meetings in virtual time: participants, server and media on one clock.

use jmeet::media::{Codec, MediaType, OutgoingFrame};
use jmeet::meeting::MAX_READERS;
use jmeet::meeting::event::{EventKind, MediaPath, MediaState, Role, changed};
use jmeet::meeting::{ClientOptions, Command, MAX_REJOINS, ReaderKey, ReaderOptions, TrackKey, TrackOptions};
use jmeet::testkit::World;
use jmeet::testkit::focus::Refusal;
use jmeet::testkit::link::LinkOptions;
use jmeet::testkit::media_files::{self, Clip};
use jmeet::{Code, Stage};
use std::time::Duration;

const AUDIO: TrackKey = TrackKey(1 << 63);
const VIDEO: TrackKey = TrackKey((1 << 63) + 1);
const READER: ReaderKey = ReaderKey((1 << 63) + 2);
const SECOND: Duration = Duration::from_secs(1);

fn named(nickname: &str) -> ClientOptions {
    ClientOptions { nickname: nickname.into(), display_name: format!("N {nickname}"), ..Default::default() }
}

fn join(w: &mut World, nickname: &str, media: bool) -> usize {
    let who = w.add(named(nickname)).unwrap();
    w.command(who, Command::Join { tag: 1 });
    if media {
        for (track, codec) in [(AUDIO, Codec::Opus), (VIDEO, Codec::Vp8)] {
            let options = TrackOptions::new(codec);
            w.command(who, Command::AddTrack { track, options, tag: 0 });
        }
        w.command(who, Command::AddReader { reader: READER, track: None, options: ReaderOptions::default() });
    }
    assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    who
}

fn connected(w: &World, who: usize) -> usize {
    w.peers[who].kinds().filter(|e| matches!(e, EventKind::Media(_, MediaState::Connected { .. }))).count()
}

fn pair(w: &mut World) -> (usize, usize) {
    let (a, b) = (join(w, "00000000", true), join(w, "ffffffff", true));
    assert!(w.run_until(10 * SECOND, |w| connected(w, a) == 1 && connected(w, b) == 1));
    (a, b)
}

fn clip() -> Clip {
    media_files::read_ivf(include_bytes!("fixtures/media/video.ivf")).unwrap()
}

/// Sends `n` video frames and as much audio both ways, at their pace.
fn talk(w: &mut World, people: &[usize], n: usize) {
    talk_while(w, people, n, |_, _| ());
}

/// The same; before each frame something happens.
fn talk_while(w: &mut World, people: &[usize], n: usize, mut happens: impl FnMut(&mut World, usize)) {
    let clip = clip();
    let packets = media_files::read_ogg_opus(include_bytes!("fixtures/media/audio.ogg")).unwrap();
    for i in 0..n {
        happens(w, i);
        for who in people {
            let f = OutgoingFrame::video(clip.frames[i % 60].data.clone(), clip.frame_duration());
            w.frame(*who, VIDEO, f);
            w.frame(*who, AUDIO, OutgoingFrame::audio(packets[i % 200].clone()));
        }
        w.run(clip.frame_duration());
    }
    w.run(SECOND);
}

fn received(w: &World, who: usize, media: MediaType) -> Vec<bytes::Bytes> {
    w.peers[who].frames.iter().filter(|f| f.1.media == media).map(|f| f.1.data.clone()).collect()
}

#[test]
fn two_meet_talk_and_leave_in_the_order_that_is_promised() {
    let mut w = World::new(1);
    let (a, b) = pair(&mut w);
    talk(&mut w, &[a, b], 60);
    let sent: Vec<_> = clip().frames.iter().map(|f| f.data.clone()).collect();
    for who in [a, b] {
        assert_eq!(received(&w, who, MediaType::Video), sent);
        assert_eq!(received(&w, who, MediaType::Audio).len(), 60);
    }
    w.command(a, Command::SendMessage { text: "hello".into(), tag: 7 });
    assert!(w.run_until(SECOND, |w| {
        w.peers[b].saw(|e| matches!(e, EventKind::Message(m) if m.text == "hello" && !m.delayed))
    }));
    assert!(w.run_until(SECOND, |w| w.peers[a].events.iter().any(|e| e.1.tag == 7)));
    assert!(!w.peers[a].saw(|e| matches!(e, EventKind::Message(_))), "own words are no event");

    w.command(b, Command::Leave { tag: 9 });
    assert!(w.run_until(5 * SECOND, |w| w.peers[b].saw(|e| matches!(e, EventKind::Closed(None)))));
    assert!(w.run_until(5 * SECOND, |w| w.peers[a].saw(|e| matches!(e, EventKind::ParticipantLeft(_)))));
    let at = |who: usize, f: &dyn Fn(&EventKind) -> bool| w.peers[who].kinds().position(f).unwrap();
    let last = |who: usize, f: &dyn Fn(&EventKind) -> bool| {
        let n = w.peers[who].events.len();
        n - 1 - w.peers[who].events.iter().rev().position(|e| f(&e.1.kind)).unwrap()
    };
    let joined = at(a, &|e| matches!(e, EventKind::ParticipantJoined(_)));
    assert!(joined < at(a, &|e| matches!(e, EventKind::TrackAdded(t) if !t.local)));
    assert!(
        last(a, &|e| matches!(e, EventKind::TrackRemoved(t) if !t.local))
            < at(a, &|e| matches!(e, EventKind::ParticipantLeft(_)))
    );
    assert_eq!(at(b, &|e| matches!(e, EventKind::Closed(_))), w.peers[b].events.len() - 1);
    assert_eq!(w.peers[b].events.iter().filter(|e| e.1.tag == 9).count(), 1);
}

#[test]
fn losses_are_repaired_by_retransmission_and_no_frame_is_missing() {
    for seed in 0..5 {
        let mut w = World::new(seed);
        w.link = LinkOptions { delay: Duration::from_millis(20), loss: 0.05, ..Default::default() };
        let (a, b) = pair(&mut w);
        talk(&mut w, &[a, b], 120);
        for (from, to) in [(a, b), (b, a)] {
            let (sent, got) =
                (w.peers[from].meeting.media_stats().unwrap(), w.peers[to].meeting.media_stats().unwrap());
            assert!(got.recovered > 0, "seed {seed}: {got:?}");
            assert!(sent.rtx_out >= got.recovered, "seed {seed}: {sent:?} {got:?}");
            assert_eq!(received(&w, to, MediaType::Video).len(), 120, "seed {seed}: {got:?}");
        }
    }
}

#[test]
fn who_gets_no_processor_reads_what_came_meanwhile_before_giving_up_on_it() {
    let mut w = World::new(4);
    w.link = LinkOptions { delay: Duration::from_millis(40), ..Default::default() };
    let (a, b) = pair(&mut w);
    talk_while(&mut w, &[a], 120, |w, i| match i % 12 {
        1 => w.link_mut(a, b).options.loss = 0.9,
        2 => w.link_mut(a, b).options.loss = 0.0,
        // The repair is asked for, and lies in the socket behind the next frame when it is long overdue.
        3 => w.peers[b].starved_until = w.now + Duration::from_millis(600),
        _ => {}
    });
    let got = w.peers[b].meeting.media_stats().unwrap();
    assert!(got.recovered >= 5, "{got:?}");
    assert_eq!(received(&w, b, MediaType::Video).len(), 120, "{got:?}");
}

#[test]
fn a_third_ends_peer_to_peer_and_it_comes_back_when_the_third_leaves() {
    let mut w = World::new(2);
    let (a, b) = pair(&mut w);
    let mut c = join(&mut w, "88888888", false);
    let ended =
        |w: &World, who: usize| w.peers[who].saw(|e| matches!(e, EventKind::Media(_, MediaState::Ended { .. })));
    assert!(w.run_until(5 * SECOND, |w| ended(w, a) && ended(w, b)));
    assert!(w.peers[a].writers.values().all(|(_, ready)| !ready));
    w.command(c, Command::Leave { tag: 0 });
    assert!(w.run_until(20 * SECOND, |w| connected(w, a) == 2 && connected(w, b) == 2));
    talk(&mut w, &[a, b], 15);
    assert_eq!(received(&w, a, MediaType::Video).len(), 15);
    c = join(&mut w, "88888888", false);
    assert!(w.run_until(5 * SECOND, |w| w.peers[a].writers.values().all(|(_, ready)| !ready)));
    w.command(c, Command::Leave { tag: 0 });
    assert!(w.run_until(20 * SECOND, |w| connected(w, a) == 3 && connected(w, b) == 3));
    talk(&mut w, &[a, b], 15);
    let timelines: Vec<u32> =
        w.peers[a].frames.iter().filter(|f| f.1.media == MediaType::Video).map(|f| f.1.timeline).collect();
    assert_eq!(timelines, [[1; 15], [2; 15]].concat(), "RTP time restarts with a session, and says so");
}

#[test]
fn mutes_are_seen_and_a_muted_track_sends_nothing() {
    let mut w = World::new(3);
    let (a, b) = pair(&mut w);
    w.command(a, Command::SetMuted { track: VIDEO, muted: true, tag: 4 });
    let muted = |w: &World, m: bool| w.peers[1].saw(|e| matches!(e, EventKind::TrackUpdated(t) if t.muted == m));
    assert!(w.run_until(SECOND, |w| muted(w, true)));
    talk(&mut w, &[a], 15);
    assert!(received(&w, b, MediaType::Video).is_empty());
    assert_eq!(received(&w, b, MediaType::Audio).len(), 15);
    w.command(a, Command::SetMuted { track: VIDEO, muted: false, tag: 5 });
    assert!(w.run_until(SECOND, |w| muted(w, false)));
    talk(&mut w, &[a], 15);
    assert_eq!(received(&w, b, MediaType::Video).len(), 15);
    assert_eq!(w.peers[a].events.iter().filter(|e| [4, 5].contains(&e.1.tag)).count(), 2);
}

#[test]
fn a_lost_connection_closes_media_and_then_tells_one_typed_end() {
    let mut w = World::new(4);
    let (a, b) = pair(&mut w);
    w.command(a, Command::SendMessage { text: "into the void".into(), tag: 11 });
    w.cut(a);
    assert!(w.run_until(5 * SECOND, |w| w.peers[a].saw(|e| matches!(e, EventKind::Closed(_)))));
    let kinds: Vec<_> = w.peers[a].kinds().collect();
    assert!(
        matches!(kinds.last(), Some(EventKind::Closed(Some(e))) if e.code == Code::Disconnected),
        "{:?}",
        kinds.last()
    );
    let ended = kinds.iter().position(|e| matches!(e, EventKind::Media(_, MediaState::Ended { .. }))).unwrap();
    assert!(ended < kinds.len() - 1);
    assert_eq!(w.peers[a].events.iter().filter(|e| e.1.tag == 11).count(), 1);
    w.command(a, Command::SendMessage { text: "late".into(), tag: 12 });
    assert!(
        w.peers[a]
            .events
            .iter()
            .any(|e| e.1.tag == 12 && matches!(&e.1.kind, EventKind::RequestDone(Some(e)) if e.code == Code::Closed))
    );
    assert!(w.run_until(90 * SECOND, |w| w.peers[b].saw(|e| matches!(e, EventKind::ParticipantLeft(_)))));
}

#[test]
fn a_server_that_falls_silent_after_the_upgrade_ends_the_join_in_time_and_the_stage_says_where() {
    use jmeet::testkit::Step;
    let steps = [
        (Some(Step::Open), Stage::Stream),
        (Some(Step::Auth), Stage::Auth),
        (Some(Step::Bind), Stage::Bind),
        // The focus answers each time that it is not ready.
        (None, Stage::ConferenceRequest),
        (Some(Step::Join), Stage::Join),
    ];
    for (step, stage) in steps {
        let mut w = World::new(5);
        w.server.faults.silent_at = step;
        if step.is_none() {
            w.server.focus().unwrap().refuse(Some(Refusal::NotReady(u32::MAX)));
        }
        let a = w.add(ClientOptions { join_timeout: 3 * SECOND, ..named("00000000") }).unwrap();
        w.command(a, Command::Join { tag: 1 });
        let start = w.now;
        assert!(w.run_until(10 * SECOND, |w| w.peers[a].saw(|e| matches!(e, EventKind::Closed(_)))), "{step:?}");
        assert!(w.now.since(start) <= 6 * SECOND, "{step:?}: {:?}", w.now.since(start));
        let done = w.peers[a].events.iter().find(|e| e.1.tag == 1).unwrap();
        let EventKind::RequestDone(Some(e)) = &done.1.kind else { panic!("{step:?}: {done:?}") };
        assert_eq!((e.code, e.stage), (Code::ServerTimeout, stage), "{step:?}");
    }
}

#[test]
fn a_media_session_that_fails_says_what_failed() {
    let is_stun = |b: &[u8]| b[0] < 4;
    let is_dtls = |b: &[u8]| (20..64).contains(&b[0]);
    for (lost, code) in [(is_stun as fn(&[u8]) -> bool, Code::Ice), (is_dtls, Code::Dtls)] {
        let mut w = World::new(16);
        w.lost = lost;
        let who = ["00000000", "ffffffff"].map(|n| join(&mut w, n, true));
        let end = |e: &EventKind| match e {
            EventKind::Media(MediaPath::PeerToPeer, MediaState::Ended(end)) => {
                Some((end.code, end.reason.clone(), end.by_peer))
            }
            _ => None,
        };
        assert!(w.run_until(90 * SECOND, |w| who.iter().all(|a| w.peers[*a].saw(|e| end(e).is_some()))), "{code:?}");
        let ends: Vec<_> = who.iter().filter_map(|a| w.peers[*a].kinds().find_map(end)).collect();
        // Whose clock ran out first says it; the other hears of it, or found the same.
        assert!(ends.contains(&(code, "connectivity-error".to_owned(), false)), "{ends:?}");
        assert!(ends.iter().all(|e| e.0 == code || (e.0, e.2) == (Code::Ok, true)), "{ends:?}");
    }
}

#[test]
fn forged_datagrams_are_counted_and_the_media_goes_on() {
    let mut w = World::new(15);
    let (a, b) = pair(&mut w);
    let refused = |w: &World| w.peers[a].meeting.ignored().refused_datagrams;
    assert_eq!(refused(&w), 0);
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let dtls = [&[22, 254, 253, 0, 0][..], &[9; 60]].concat();
    let (rtp, rtcp) = ([&[0x80, 100][..], &[5; 90]].concat(), [&[0x80, 200][..], &[5; 90]].concat());
    for (n, data) in [(1, stun), (2, rtp), (3, rtcp), (4, vec![0xff; 20])] {
        w.throw(a, &data);
        assert_eq!(refused(&w), n, "{:?}", &data[..2]);
    }
    w.throw(a, &dtls);
    talk(&mut w, &[b], 25);
    w.run(SECOND);
    let got = w.peers[a].frames.iter().filter(|f| f.1.media == MediaType::Video).count();
    assert_eq!(
        (got, w.peers[a].events.iter().any(|e| matches!(e.1.kind, EventKind::Media(_, MediaState::Ended { .. })))),
        (25, false)
    );
    // What a session counted stays when it ends.
    w.command(b, Command::Leave { tag: 0 });
    assert!(w.run_until(10 * SECOND, |w| w.peers[a].saw(|e| matches!(e, EventKind::ParticipantLeft(_)))));
    assert!(refused(&w) >= 4);
}

#[test]
fn an_impostor_of_the_focus_is_refused_and_the_meeting_goes_on() {
    let mut w = World::new(6);
    let (a, _) = pair(&mut w);
    let before = w.peers[a].events.len();
    for stanza in [
        "<iq xmlns='jabber:client' type='set' id='x1' from='room@conference.meet.localhost/ffffffff' to='me'><jingle xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='evil' initiator='focus@auth.meet.localhost/focus'/></iq>",
        "<iq xmlns='jabber:client' type='set' id='x2' from='evil@meet.localhost/x' to='me'><jingle xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='none'/></iq>",
        "<message xmlns='jabber:client' from='evil@meet.localhost/x'><json-message xmlns='http://jitsi.org/jitmeet'>{\"type\":</json-message></message>",
        "<presence xmlns='jabber:client' from='other@conference.meet.localhost/ffffffff'><x xmlns='http://jabber.org/protocol/muc#user'/></presence>",
        "<iq xmlns='jabber:client' type='get' id='x3' from='meet.localhost'><unknown xmlns='urn:x'/></iq>",
    ] {
        w.inject(a, stanza);
    }
    w.run(2 * SECOND);
    let new: Vec<_> = w.peers[a].events[before..].iter().map(|e| &e.1.kind).collect();
    assert!(new.iter().all(|e| matches!(e, EventKind::Bandwidth { .. } | EventKind::TargetBitrate { .. })), "{new:?}");
    assert_eq!(connected(&w, a), 1);
}

#[test]
fn nobody_reads_video_then_none_is_asked_for_and_a_wanted_height_reaches_the_sender() {
    let mut w = World::new(7);
    let (a, b) = pair(&mut w);
    assert_eq!(w.peers[a].writers[&VIDEO], (false, true));
    w.command(b, Command::RemoveReader { reader: READER });
    assert!(w.run_until(SECOND, |w| w.peers[a].writers[&VIDEO] == (false, false)), "video is not wanted any more");
    assert_eq!(w.peers[a].writers[&AUDIO], (false, true));
    let options = ReaderOptions { height: 180, ..Default::default() };
    w.command(b, Command::AddReader { reader: READER, track: None, options });
    assert!(w.run_until(SECOND, |w| w.peers[a].writers[&VIDEO] == (false, true)));
    assert!(w.heard_by_server("sourceName='00000000-v0'") && w.heard_by_server("maxHeight='180'"));
}

#[test]
fn many_readers_get_the_same_frames_and_a_reader_of_one_track_ends_with_it() {
    let mut w = World::new(8);
    let (a, b) = pair(&mut w);
    let (second, one) = (ReaderKey((1 << 63) + 50), ReaderKey((1 << 63) + 51));
    let audio = w.peers[a].kinds().find_map(|e| match e {
        EventKind::TrackAdded(t) if !t.local && t.media == MediaType::Audio => Some(t.key),
        _ => None,
    });
    w.command(a, Command::AddReader { reader: second, track: None, options: ReaderOptions::default() });
    w.command(a, Command::AddReader { reader: one, track: audio, options: ReaderOptions::default() });
    talk(&mut w, &[b], 15);
    let count = |w: &World, key: ReaderKey| w.peers[a].frames.iter().filter(|f| f.0 == key).count();
    assert_eq!((count(&w, READER), count(&w, second), count(&w, one)), (30, 30, 15));
    assert!(w.peers[a].frames.iter().all(|f| &*f.1.endpoint_id == "ffffffff"));
    w.command(b, Command::Leave { tag: 0 });
    assert!(w.run_until(5 * SECOND, |w| w.peers[a].ended_readers.contains(&one)));
    assert!(!w.peers[a].ended_readers.contains(&second));
}

#[test]
fn who_is_left_behind_is_told_apart_from_who_leaves() {
    for seed in [11, 12] {
        let mut w = World::new(seed);
        let (a, b) = pair(&mut w);
        if seed == 11 {
            w.command(a, Command::Leave { tag: 0 });
        } else {
            w.cut(a);
        }
        let closed = |w: &World, who: usize| w.peers[who].saw(|e| matches!(e, EventKind::Closed(_)));
        assert!(w.run_until(20 * SECOND, |w| closed(w, a)));
        w.run(20 * SECOND);
        let left = |who: usize| -> Vec<bool> {
            let of = |e: &EventKind| if let EventKind::ParticipantLeft(l) = e { Some(l.we_left) } else { None };
            w.peers[who].kinds().filter_map(of).collect()
        };
        assert_eq!((left(a), left(b)), (vec![true], vec![false]));
    }
}

struct Xor(u8);

impl jmeet::media::FrameTransform for Xor {
    fn outgoing(&mut self, _: &str, codec: Codec, data: bytes::Bytes) -> Option<bytes::Bytes> {
        // The first bytes stay: the packetiser and the depacketiser read them.
        let keep = if codec == Codec::Opus { 1 } else { 10 };
        Some(data.iter().enumerate().map(|(n, b)| if n < keep { *b } else { b ^ self.0 }).collect())
    }

    fn incoming(&mut self, _: &str, source: &str, codec: Codec, data: bytes::Bytes) -> Option<bytes::Bytes> {
        self.outgoing(source, codec, data)
    }
}

#[test]
fn a_transform_changes_whole_frames_both_ways() {
    let mut w = World::new(9);
    let (a, b) = pair(&mut w);
    w.peers[a].meeting.set_transform(Some(Box::new(Xor(7))));
    talk(&mut w, &[a], 15);
    let sent: Vec<_> = clip().frames[..15].iter().map(|f| f.data.clone()).collect();
    assert_ne!(received(&w, b, MediaType::Video), sent);
    w.peers[b].frames.clear();
    w.peers[b].meeting.set_transform(Some(Box::new(Xor(7))));
    talk(&mut w, &[a], 15);
    assert_eq!(received(&w, b, MediaType::Video), sent);
}

#[test]
fn a_track_may_be_removed_and_added_again_without_ending_the_session() {
    let mut w = World::new(10);
    let (a, b) = pair(&mut w);
    talk(&mut w, &[a, b], 15);
    w.command(a, Command::RemoveTrack { track: VIDEO, tag: 5 });
    let muted = |w: &World, m: bool| w.peers[1].saw(|e| matches!(e, EventKind::TrackUpdated(t) if t.muted == m));
    assert!(w.run_until(SECOND, |w| muted(w, true)));
    let again = TrackKey((1 << 63) + 40);
    let options = TrackOptions::new(Codec::Vp8);
    w.command(a, Command::AddTrack { track: again, options, tag: 6 });
    assert!(w.run_until(SECOND, |w| muted(w, false)));
    for f in &clip().frames[..15] {
        w.frame(a, again, OutgoingFrame::video(f.data.clone(), clip().frame_duration()));
        w.run(clip().frame_duration());
    }
    w.run(SECOND);
    assert_eq!(received(&w, b, MediaType::Video).len(), 30);
    assert!(!w.peers[a].saw(|e| matches!(e, EventKind::Media(_, MediaState::Ended { .. }))));
    assert_eq!(w.peers[a].kinds().filter(|e| matches!(e, EventKind::TrackRemoved(t) if t.local)).count(), 1);
}

#[test]
fn readers_are_bounded_and_the_one_past_the_bound_ends_at_once() {
    let mut w = World::new(5);
    let who = join(&mut w, "00000000", false);
    for n in 0..=MAX_READERS as u64 {
        w.command(who, Command::AddReader { reader: ReaderKey(n + 1), track: None, options: ReaderOptions::default() });
        assert!(n < MAX_READERS as u64 || w.peers[who].ended_readers == [ReaderKey(n + 1)]);
    }
}

/// A session-initiate of the focus, as short as the wire allows.
fn offer(sid: &str) -> String {
    let transport = "<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1' ufrag='uf00' pwd='pwdpwdpwdpwdpwdpwdpwdpwd'>\
        <fingerprint xmlns='urn:xmpp:jingle:apps:dtls:0' hash='sha-256' setup='actpass'>09:B1:51:0F:85:4C:80:19:A1:AF:81:73:47:EE:\
        ED:3D:00:3A:84:C7:76:C1:4E:34:BE:56:F6:42:AD:15:D5:D7</fingerprint></transport>";
    format!(
        "<iq xmlns='jabber:client' type='set' id='{sid}' from='room@conference.meet.localhost/focus'><jingle \
         xmlns='urn:xmpp:jingle:1' action='session-initiate' sid='{sid}' initiator='focus@focus.meet.localhost/focus'>\
         <content creator='initiator' name='audio' senders='both'><description xmlns='urn:xmpp:jingle:apps:rtp:1' \
         media='audio'><payload-type id='111' name='opus' clockrate='48000' channels='2'/></description>{transport}</content>\
         <bridge-session xmlns='http://jitsi.org/protocol/focus' id='b1'/></jingle></iq>"
    )
}

fn terminate(sid: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='set' id='t{sid}' from='room@conference.meet.localhost/focus'><jingle \
         xmlns='urn:xmpp:jingle:1' action='session-terminate' sid='{sid}'><reason><success/><text>moving</text></reason></jingle></iq>"
    )
}

#[test]
fn when_the_focus_does_not_invite_again_the_room_is_left_and_joined_again_and_to_the_program_nothing_happened() {
    let mut w = World::new(11);
    let without_p2p = |n: &str| ClientOptions { disable_p2p: true, ..named(n) };
    let (a, b) = (w.add(without_p2p("aaaaaaaa")).unwrap(), w.add(without_p2p("bbbbbbbb")).unwrap());
    for who in [a, b] {
        w.command(who, Command::Join { tag: 0 });
        assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    }
    w.command(a, Command::AddTrack { track: AUDIO, options: TrackOptions::new(Codec::Opus), tag: 0 });
    w.run(SECOND);
    w.inject(a, &offer("s1"));
    assert!(w.run_until(SECOND, |w| w.heard_by_server("session-accept")));
    let bridge = |e: &EventKind, ended: bool| match e {
        EventKind::Media(MediaPath::Bridge, MediaState::Connecting { .. }) => !ended,
        EventKind::Media(MediaPath::Bridge, MediaState::Ended { .. }) => ended,
        _ => false,
    };
    assert!(w.peers[a].saw(|e| bridge(e, false)));
    for (who, text) in [(a, "one"), (b, "two")] {
        w.command(who, Command::SendMessage { text: text.into(), tag: 0 });
    }
    w.run(SECOND);
    let before = w.peers[a].events.len();
    w.inject(a, &terminate("s1"));
    assert!(w.run_until(SECOND, |w| w.peers[a].saw(|e| bridge(e, true))));
    assert!(!w.heard_by_server("unavailable"), "an invitation may still come");
    assert!(w.run_until(120 * SECOND, |w| w.heard_by_server("unavailable")));
    // In again, under the same name, and nobody was told of a difference.
    w.command(b, Command::SendMessage { text: "while you were out".into(), tag: 0 });
    w.run(5 * SECOND);
    assert!(w.peers[b].saw(|e| matches!(e, EventKind::ParticipantLeft(_))), "the others saw us go");
    let told = w.peers[a].events[before..].iter().map(|e| &e.1.kind);
    let told: Vec<_> = told.filter(|e| !bridge(e, true) && !matches!(e, EventKind::BridgeChannel(_))).collect();
    // The focus made the other one moderator when we went, and something was said: that is all that is news. What the room told
    // again is none.
    let [EventKind::ParticipantUpdated(_, what), EventKind::Message(m)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*what, m.text.as_str(), m.delayed), (changed::ROLE, "while you were out", true));
    // A new invitation is taken, and words pass.
    w.inject(a, &offer("s2"));
    w.run(SECOND);
    assert_eq!(w.peers[a].kinds().filter(|e| bridge(e, false)).count(), 2);
    w.command(a, Command::SendMessage { text: "still here".into(), tag: 5 });
    assert!(w.run_until(SECOND, |w| w.peers[b].saw(|e| matches!(e, EventKind::Message(_)))));
}

#[test]
fn what_changed_about_ourselves_while_we_were_out_of_the_room_is_kept_and_told() {
    let mut w = World::new(13);
    let without_p2p = |n: &str| ClientOptions { disable_p2p: true, ..named(n) };
    let (a, b) = (w.add(without_p2p("aaaaaaaa")).unwrap(), w.add(without_p2p("bbbbbbbb")).unwrap());
    for who in [a, b] {
        w.command(who, Command::Join { tag: 0 });
        assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    }
    w.run(SECOND);
    let real = |w: &World, who: usize, nick: &str| {
        let joined = |e: &EventKind| match e {
            EventKind::ParticipantJoined(p) if p.endpoint_id == nick => Some(p.real_jid.clone()),
            _ => None,
        };
        w.peers[who].kinds().find_map(joined).expect("it joined")
    };
    let (real_a, real_b) = (real(&w, b, "aaaaaaaa"), real(&w, a, "bbbbbbbb"));
    let affiliate = |w: &mut World, by: &str, whom: &str, what: &str| {
        let bare = whom.split('/').next().unwrap();
        let iq = format!(
            "<iq xmlns='jabber:client' type='set' id='x1' to='room@conference.meet.localhost'><query \
             xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{what}' jid='{bare}'/></query></iq>"
        );
        let (conn, now) = (w.server.find(by).expect("it is there"), w.now);
        w.server.send_as(conn, &iq, now);
    };
    let roles = |w: &World| -> Vec<Role> {
        w.peers[a].kinds().filter_map(|e| if let EventKind::Role(r) = e { Some(*r) } else { None }).collect()
    };
    affiliate(&mut w, "aaaaaaaa", &real_b, "owner");
    w.command(a, Command::SetDisplayName { name: "Later".into(), tag: 0 });
    w.inject(a, &offer("s1"));
    assert!(w.run_until(SECOND, |w| w.heard_by_server("session-accept")));
    assert_eq!(roles(&w).last(), Some(&Role::Moderator));
    w.inject(a, &terminate("s1"));
    assert!(w.run_until(120 * SECOND, |w| w.heard_by_server("unavailable")));
    affiliate(&mut w, "bbbbbbbb", &real_a, "none");
    w.run(5 * SECOND);
    assert_eq!(roles(&w).last(), Some(&Role::Participant));
    let named = |e: &EventKind| matches!(e, EventKind::ParticipantJoined(p) if p.endpoint_id == "aaaaaaaa" && p.display_name == "Later");
    assert!(w.peers[b].saw(named), "{:?}", w.peers[b].kinds().collect::<Vec<_>>());
}

#[test]
fn a_bridge_that_never_comes_back_ends_the_meeting_after_a_few_rejoins() {
    let mut w = World::new(12);
    let a = w.add(ClientOptions { disable_p2p: true, ..named("aaaaaaaa") }).unwrap();
    let b = w.add(ClientOptions { disable_p2p: true, ..named("bbbbbbbb") }).unwrap();
    for who in [a, b] {
        w.command(who, Command::Join { tag: 0 });
        assert!(w.run_until(5 * SECOND, |w| w.peers[who].saw(|e| matches!(e, EventKind::Joined(_)))));
    }
    for n in 0..=MAX_REJOINS {
        let sid = format!("s{n}");
        w.inject(a, &offer(&sid));
        w.run(SECOND);
        w.inject(a, &terminate(&sid));
        w.run(90 * SECOND);
    }
    let ends: Vec<_> = w.peers[a].kinds().filter(|e| matches!(e, EventKind::Closed(_))).collect();
    assert!(matches!(&ends[..], [EventKind::Closed(Some(e))] if e.code == Code::Ice), "{ends:?}");
}
