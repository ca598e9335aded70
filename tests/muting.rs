//! Moderators mute, the focus decides, and who was muted asks to be heard again; in virtual time, through the bridge
//! (docs/protocol/03 §10.3).

use jmeet::Code;
use jmeet::media::Codec;
use jmeet::meeting::event::{EventKind, MuteKind, MutedBy, Role};
use jmeet::meeting::{Command, TrackKey, TrackOptions};
use jmeet::testkit::World;
use jmeet::testkit::bridge::BridgeConfig;
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;

/// Three in a room: the first who came is its moderator.
fn meeting(seed: u64, sessions: SessionOptions) -> World {
    let w = three(seed, sessions, BridgeConfig::default(), |_| {});
    let moderator = |e: &EventKind| matches!(e, EventKind::Role(Role::Moderator));
    assert!(w.peers[0].saw(|e| moderator(e) || matches!(e, EventKind::Joined(j) if j.role == Role::Moderator)));
    w
}

fn mute(w: &mut World, who: usize, whom: usize, kind: MuteKind, tag: u64) {
    w.command(who, Command::MuteParticipant { endpoint_id: NAMES[whom].into(), kind, tag });
    w.run(SECOND);
}

fn set_muted(w: &mut World, who: usize, track: TrackKey, muted: bool, tag: u64) {
    w.command(who, Command::SetMuted { track, muted, tag });
}

/// How a request of somebody was completed.
fn done(w: &World, who: usize, tag: u64) -> Option<Option<Code>> {
    let of = |e: &jmeet::meeting::Event| match &e.kind {
        EventKind::RequestDone(error) if e.tag == tag => Some(error.as_ref().map(|e| e.code)),
        _ => None,
    };
    w.peers[who].events.iter().find_map(|e| of(&e.1))
}

fn muted_by(w: &World, who: usize) -> Vec<MutedBy> {
    w.peers[who]
        .kinds()
        .filter_map(|e| if let EventKind::MutedBy(m) = e { Some((**m).clone()) } else { None })
        .collect()
}

/// The newest that somebody heard of the mute state of another's track.
fn seen(w: &World, who: usize, source: &str) -> Option<bool> {
    let of = |e: &EventKind| match e {
        EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) if t.source_name == source => Some(t.muted),
        _ => None,
    };
    w.peers[who].kinds().filter_map(of).last()
}

#[test]
fn a_moderators_mute_is_told_to_whom_it_concerns_and_seen_by_all() {
    let mut w = meeting(1, SessionOptions::default());
    mute(&mut w, 0, 2, MuteKind::Audio, 100);
    assert_eq!(done(&w, 0, 100), Some(None));
    let told = muted_by(&w, 2);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].kind, told[0].endpoint_id.as_str()), (MuteKind::Audio, NAMES[0]));
    assert!(told[0].participant.is_some());
    // The state before the reason for it.
    let kinds: Vec<&EventKind> = w.peers[2].kinds().collect();
    let updated = kinds.iter().position(|e| matches!(e, EventKind::TrackUpdated(t) if t.key == AUDIO && t.muted));
    let reason = kinds.iter().position(|e| matches!(e, EventKind::MutedBy(_)));
    assert!(updated.is_some() && updated < reason);
    assert_eq!((w.peers[2].writers[&AUDIO].0, w.peers[2].writers[&VIDEO].0), (true, false), "the camera goes on");
    let audio = format!("{}-a0", NAMES[2]);
    assert_eq!((seen(&w, 0, &audio), seen(&w, 1, &audio)), (Some(true), Some(true)));
    mute(&mut w, 0, 2, MuteKind::Camera, 101);
    assert!(w.peers[2].writers[&VIDEO].0);
    assert!(muted_by(&w, 0).is_empty() && muted_by(&w, 1).is_empty());
}

#[test]
fn who_was_muted_is_heard_again_once_the_focus_consents() {
    let mut w = meeting(2, SessionOptions::default());
    mute(&mut w, 0, 2, MuteKind::Audio, 0);
    set_muted(&mut w, 2, AUDIO, false, 100);
    assert_eq!(done(&w, 2, 100), None, "it is asked for first");
    w.run(SECOND);
    assert_eq!(done(&w, 2, 100), Some(None));
    assert!(!w.peers[2].writers[&AUDIO].0);
    assert_eq!(seen(&w, 0, &format!("{}-a0", NAMES[2])), Some(false));
    everybody_is_heard_and_seen(&mut w);
    // From now on the track is the program's own again.
    set_muted(&mut w, 2, AUDIO, true, 101);
    set_muted(&mut w, 2, AUDIO, false, 102);
    assert_eq!((done(&w, 2, 101), done(&w, 2, 102)), (Some(None), Some(None)), "nobody is asked");
}

#[test]
fn in_a_moderated_room_who_was_muted_stays_so_and_is_told_why() {
    let mut w = meeting(3, SessionOptions { keep_muted: true, ..SessionOptions::default() });
    mute(&mut w, 0, 2, MuteKind::Audio, 0);
    set_muted(&mut w, 2, AUDIO, false, 100);
    w.run(SECOND);
    assert_eq!(done(&w, 2, 100), Some(Some(Code::NotAllowed)));
    assert!(w.peers[2].writers[&AUDIO].0, "writers are told that it is muted still");
    assert_eq!(seen(&w, 0, &format!("{}-a0", NAMES[2])), Some(true));
    // Asked again it is asked again.
    set_muted(&mut w, 2, AUDIO, false, 101);
    w.run(SECOND);
    assert_eq!(done(&w, 2, 101), Some(Some(Code::NotAllowed)));
}

#[test]
fn a_track_of_a_kind_that_the_focus_muted_begins_muted_and_asks_as_well() {
    let mut w = meeting(6, SessionOptions::default());
    mute(&mut w, 0, 2, MuteKind::Audio, 0);
    w.command(2, Command::RemoveTrack { track: AUDIO, tag: 0 });
    w.run(SECOND);
    let (audio, video) = (TrackKey(AUDIO.0 + 50), TrackKey(AUDIO.0 + 51));
    for (track, codec) in [(audio, Codec::Opus), (video, Codec::Vp8)] {
        w.command(2, Command::AddTrack { track, options: TrackOptions::new(codec), tag: 0 });
    }
    w.run(SECOND);
    let name = format!("{}-a0", NAMES[2]);
    assert_eq!((w.peers[2].writers[&audio].0, w.peers[2].writers[&video].0), (true, false));
    assert_eq!((seen(&w, 2, &name), seen(&w, 0, &name)), (Some(true), Some(true)));
    set_muted(&mut w, 2, audio, false, 100);
    assert_eq!(done(&w, 2, 100), None, "it is asked for first");
    w.run(SECOND);
    assert_eq!((done(&w, 2, 100), w.peers[2].writers[&audio].0), (Some(None), false));
}

#[test]
fn who_is_no_moderator_is_refused_by_name() {
    let mut w = meeting(4, SessionOptions::default());
    mute(&mut w, 1, 2, MuteKind::Audio, 100);
    assert_eq!(done(&w, 1, 100), Some(Some(Code::NotAllowed)));
    w.command(0, Command::MuteParticipant { endpoint_id: "12345678".into(), kind: MuteKind::Audio, tag: 101 });
    w.run(SECOND);
    assert_eq!(done(&w, 0, 101), Some(Some(Code::NoSuchParticipant)));
    assert!(muted_by(&w, 2).is_empty());
    everybody_is_heard_and_seen(&mut w);
}

#[test]
fn a_wish_to_be_heard_that_was_taken_back_changes_nothing() {
    let mut w = meeting(5, SessionOptions::default());
    mute(&mut w, 0, 2, MuteKind::Audio, 0);
    set_muted(&mut w, 2, AUDIO, false, 100);
    set_muted(&mut w, 2, AUDIO, true, 101);
    assert_eq!((done(&w, 2, 100), done(&w, 2, 101)), (Some(Some(Code::Cancelled)), Some(None)));
    w.run(SECOND);
    assert!(w.peers[2].writers[&AUDIO].0);
    // At the end of the meeting, and with its track, it is cancelled too.
    set_muted(&mut w, 2, AUDIO, false, 102);
    w.command(2, Command::RemoveTrack { track: AUDIO, tag: 0 });
    assert_eq!(done(&w, 2, 102), Some(Some(Code::Cancelled)));
    mute(&mut w, 0, 2, MuteKind::Camera, 0);
    set_muted(&mut w, 2, VIDEO, false, 103);
    w.cut(2);
    w.run(SECOND);
    assert_eq!(done(&w, 2, 103), Some(Some(Code::Cancelled)));
}
