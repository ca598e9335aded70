//! An encoder that has too little CPU, and visitors that lack a codec: what is sent and received then; in virtual time, through the
//! testkit's bridge.

use jmeet::media::Codec;
use jmeet::meeting::Command;
use jmeet::meeting::event::EventKind;
use jmeet::testkit::World;
use jmeet::testkit::bridge::{BridgeConfig, Event};
use jmeet::testkit::focus::SessionOptions;
use jmeet::testkit::three::*;
use std::time::Duration;

const ROOM: &str = "room@conference.meet.localhost";

/// The codecs that `who` was told for its camera.
fn wanted(w: &World, who: usize) -> Vec<Codec> {
    let told = |e: &EventKind| if let EventKind::CodecWanted { track: VIDEO, codec } = e { Some(*codec) } else { None };
    w.peers[who].kinds().filter_map(told).collect()
}

/// What the first asked of the bridge: last-N and the default height.
fn asked(w: &World) -> Vec<(i64, i64)> {
    let text = |e: &(jmeet::time::Time, Event)| match &e.1 {
        Event::Message { endpoint, text, .. } if endpoint == NAMES[0] => Some(text.clone()),
        _ => None,
    };
    let number = |text: &str, key: &str| {
        let rest = text.split_once(key)?.1.trim_start_matches(['"', ':', '{']);
        rest.split([',', '}']).next()?.parse().ok()
    };
    let wishes = w.bridge_events.iter().filter_map(text).filter(|t| t.contains("ReceiverVideoConstraints"));
    wishes.filter_map(|t| Some((number(&t, "lastN")?, number(&t, "\"defaultConstraints\":{\"maxHeight\"")?))).collect()
}

fn limited(w: &mut World, limited: bool, height: u32) {
    w.command(0, Command::SetLimited { track: VIDEO, limited, height });
}

#[test]
fn an_encoder_without_cpu_gets_cheaper_codecs_then_less_is_received_and_it_comes_back() {
    let all = vec![Codec::Av1, Codec::Vp9, Codec::Vp8];
    let mut w = three(1, SessionOptions::default(), BridgeConfig::default(), |o| o.video_codecs = all.clone());
    w.run(2 * SECOND);
    assert_eq!(wanted(&w, 0).last(), Some(&Codec::Av1));
    let before = wanted(&w, 0).len();
    limited(&mut w, true, 90);
    w.run(59 * SECOND);
    assert_eq!(wanted(&w, 0).len(), before);
    w.run(2 * SECOND);
    assert_eq!(wanted(&w, 0)[before..], [Codec::Vp9]);
    let first = asked(&w).len();
    w.run(72 * SECOND);
    assert_eq!(wanted(&w, 0)[before..], [Codec::Vp9, Codec::Vp8]);
    assert_eq!(asked(&w).len(), first, "nothing else meanwhile");
    // There is none that is cheaper: fewer videos, then smaller ones.
    w.run(12 * SECOND);
    assert_eq!(asked(&w)[first..], [(3, 2160)]);
    w.run(20 * SECOND);
    assert_eq!(asked(&w)[first..], [(3, 2160), (3, 1080), (3, 720)]);
    assert_eq!((wanted(&w, 1).len(), wanted(&w, 2).len()), (1, 1), "the others stay with theirs");
    limited(&mut w, false, 0);
    w.run(125 * SECOND);
    assert_eq!(asked(&w)[first + 3..], [(4, 720), (5, 720)]);
    // Too much, all the same: for good.
    limited(&mut w, true, 90);
    w.run(SECOND);
    limited(&mut w, false, 0);
    let last = asked(&w).len();
    assert_eq!(asked(&w)[last - 1], (3, 720));
    w.run(300 * SECOND);
    assert_eq!(asked(&w).len(), last);
}

#[test]
fn a_program_that_names_no_codecs_keeps_its_own_and_receives_less() {
    let mut w = three(2, SessionOptions::default(), BridgeConfig::default(), |_| {});
    w.run(2 * SECOND);
    let (codecs, first) = (wanted(&w, 0).len(), asked(&w).len());
    // A height that it is to have is no reason, and audio has no height.
    limited(&mut w, true, 720);
    w.command(0, Command::SetLimited { track: AUDIO, limited: true, height: 0 });
    w.run(100 * SECOND);
    assert_eq!((wanted(&w, 0).len(), asked(&w).len()), (codecs, first));
    limited(&mut w, true, 0);
    w.run(SECOND);
    assert_eq!((wanted(&w, 0).len(), &asked(&w)[first..]), (codecs, &[(3, 2160)][..]));
    // The track goes, and with it the limit.
    w.command(0, Command::RemoveTrack { track: VIDEO, tag: 0 });
    w.run(Duration::from_secs(60 * 30));
    assert_eq!(asked(&w).last(), Some(&(-1, 2160)));
}

#[test]
fn what_visitors_can_decode_counts_from_the_moment_that_the_focus_says_it() {
    let all = vec![Codec::Av1, Codec::Vp9, Codec::Vp8];
    let mut w = three(3, SessionOptions::default(), BridgeConfig::default(), |o| o.video_codecs = all.clone());
    w.run(2 * SECOND);
    let before = wanted(&w, 0).len();
    for codecs in [Some("vp9,vp8"), Some("vp9, vp8,h266"), Some("h266"), Some("vp8"), None] {
        let now = w.now;
        w.server.with_focus(now, |f, _| f.set_property(ROOM, "visitor-codecs", codecs));
        w.run(SECOND / 2);
    }
    assert_eq!(wanted(&w, 0)[before..], [Codec::Vp9, Codec::Av1, Codec::Vp8, Codec::Av1]);
}
