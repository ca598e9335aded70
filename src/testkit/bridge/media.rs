//! What an endpoint sends, as the bridge sees it (docs/protocol/04 §4.3, §7): its sources and their encodings, how much comes on
//! each, how high the picture is, and which packets of silence are not worth forwarding.

use super::receiver::SourceRef;
use super::table::Key;
use super::types::{BridgeSource, Kind};
use crate::time::Time;
use crate::wire::colibri::BridgeVideoType;
use std::time::Duration;

/// Height that the lowest layer is taken for until a key frame tells better; each further one doubles it.
const LOWEST_HEIGHT: i32 = 180;
/// Silent packets in a row that still go out.
const SILENCE_PASSED: u32 = 3;
/// The level of silence, −dBov.
const SILENCE: u8 = 127;
/// A source is not asked for a key frame more often.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(200);

const BUCKETS: usize = 20;
const BUCKET: Duration = Duration::from_millis(50);

/// Bytes of the last second.
#[derive(Clone, Debug, Default)]
pub(super) struct Rate {
    buckets: [u32; BUCKETS],
    newest: u64,
}

impl Rate {
    fn turn(&mut self, now: Time) -> usize {
        let number = now.mono_us / BUCKET.as_micros() as u64;
        for n in (self.newest + 1..=number).rev().take(BUCKETS) {
            self.buckets[n as usize % BUCKETS] = 0;
        }
        self.newest = self.newest.max(number);
        self.newest as usize % BUCKETS
    }

    fn add(&mut self, bytes: usize, now: Time) {
        let at = self.turn(now);
        self.buckets[at] = self.buckets[at].saturating_add(bytes as u32);
    }

    fn bps(&mut self, now: Time) -> u64 {
        self.turn(now);
        self.buckets.iter().map(|b| u64::from(*b) * 8).sum()
    }
}

/// One encoding of a source.
#[derive(Clone, Debug)]
pub(super) struct Encoding {
    pub ssrc: u32,
    pub rtx: Option<u32>,
    pub height: i32,
    rate: Rate,
    active: bool,
}

/// Where the packets of a source go, as long as nothing changes in its conference.
#[derive(Debug)]
pub(super) struct Route {
    /// Holds while the conference has this number ([`super::conference::Conference::routes`]).
    pub made: u64,
    pub name: String,
    pub owner: String,
    pub kind: Kind,
    /// Its lowest SSRC and that one's RTX.
    pub primary: (u32, Option<u32>),
    pub video_type: BridgeVideoType,
    /// In the order of ids.
    pub to: Vec<Key>,
}

impl Route {
    /// The source as receivers hear of it.
    pub fn reference(&self) -> SourceRef<'_> {
        let (primary, rtx) = self.primary;
        SourceRef { name: &self.name, owner: &self.owner, kind: self.kind, primary, rtx, video_type: self.video_type }
    }
}

/// A source of an endpoint.
#[derive(Debug)]
pub(super) struct Source {
    pub signalled: BridgeSource,
    /// Lowest first.
    pub encodings: Vec<Encoding>,
    /// Its type, as signalled or as said on the channel since.
    pub video_type: BridgeVideoType,
    /// The height that its sender was told last.
    pub told: Option<i32>,
    asked: Option<Time>,
    silent: u32,
    left_out: u64,
    pub route: Option<Route>,
}

impl Source {
    /// A source as it was signalled.
    pub fn new(signalled: BridgeSource) -> Source {
        let one = |(i, ssrc): (usize, u32)| Encoding {
            ssrc,
            rtx: signalled.rtx_of(ssrc),
            height: LOWEST_HEIGHT << i.min(6),
            rate: Rate::default(),
            active: false,
        };
        let encodings = signalled.encodings().into_iter().enumerate().map(one).collect();
        let video_type = signalled.video_type;
        Source { signalled, encodings, video_type, told: None, asked: None, silent: 0, left_out: 0, route: None }
    }

    /// Whether it is video that may be wanted.
    pub fn enabled(&self) -> bool {
        self.signalled.kind == Kind::Video
            && !matches!(self.video_type, BridgeVideoType::None | BridgeVideoType::Disabled)
    }

    /// Whether it is a screen.
    pub fn desktop(&self) -> bool {
        matches!(self.video_type, BridgeVideoType::Desktop | BridgeVideoType::DesktopHighFps)
    }

    /// Whether any of it came when its rates were looked at last, or since.
    pub fn active(&self) -> bool {
        self.encodings.iter().any(|e| e.active)
    }

    /// A video packet came; `true` when the layers are others than before.
    pub fn video_came(&mut self, encoding: usize, bytes: usize, height: Option<u16>, now: Time) -> bool {
        let e = &mut self.encodings[encoding];
        e.rate.add(bytes, now);
        let began = !std::mem::replace(&mut e.active, true);
        let height = height.map(i32::from).filter(|h| *h > 0);
        let other = height.is_some_and(|h| h != e.height);
        e.height = height.unwrap_or(e.height);
        began || other
    }

    /// bit/s of each encoding.
    pub fn rates(&mut self, now: Time) -> Vec<u64> {
        let one = |e: &mut Encoding| {
            let bps = e.rate.bps(now);
            e.active = bps > 0;
            bps
        };
        self.encodings.iter_mut().map(one).collect()
    }

    /// The number that an audio packet goes out with; `None` when it is one more of a long silence. What is left out leaves no
    /// gap in the numbers.
    pub fn audio_came(&mut self, seq: u64, level: Option<u8>) -> Option<u64> {
        self.silent = if level == Some(SILENCE) { self.silent.saturating_add(1) } else { 0 };
        if self.silent > SILENCE_PASSED {
            self.left_out += 1;
            return None;
        }
        seq.checked_sub(self.left_out)
    }

    /// The SSRC to ask for a key frame on (the lowest, whichever is wanted), unless it was asked a moment ago.
    pub fn ask(&mut self, now: Time) -> Option<u32> {
        if self.asked.is_some_and(|a| now.since(a) < KEY_FRAME_INTERVAL) {
            return None;
        }
        let ssrc = self.encodings.first()?.ssrc;
        self.asked = Some(now);
        Some(ssrc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::new(BridgeSource {
            name: "a-v0".into(),
            kind: Kind::Video,
            video_type: BridgeVideoType::Camera,
            ssrcs: vec![1, 2, 3, 11, 12, 13],
            sim: vec![1, 2, 3],
            fid: vec![(1, 11), (2, 12), (3, 13)],
        })
    }

    #[test]
    fn layers_double_in_group_order_until_a_key_frame_says_better() {
        let mut s = source();
        assert_eq!(
            s.encodings.iter().map(|e| (e.ssrc, e.rtx, e.height)).collect::<Vec<_>>(),
            [(1, Some(11), 180), (2, Some(12), 360), (3, Some(13), 720)]
        );
        let now = Time::new(10_000_000, 0);
        assert!(s.video_came(0, 1000, None, now));
        assert!(!s.video_came(0, 1000, Some(180), now));
        assert!(s.video_came(0, 1000, Some(90), now));
        assert_eq!(s.rates(now), [24_000, 0, 0]);
        assert_eq!(s.rates(now + Duration::from_secs(2)), [0, 0, 0]);
        assert!(s.video_came(0, 1, None, now + Duration::from_secs(2)));
    }

    #[test]
    fn a_rate_is_of_the_last_second() {
        let mut r = Rate::default();
        let mut now = Time::new(60_000_000, 0);
        for _ in 0..300 {
            r.add(125, now);
            now = now + Duration::from_millis(10);
        }
        assert!((95_000..=100_000).contains(&r.bps(now)), "{}", r.bps(now));
    }

    #[test]
    fn the_fourth_silent_packet_and_those_after_it_are_left_out_without_a_gap() {
        let mut s = source();
        let mut out = Vec::new();
        for (seq, level) in [(1, 30), (2, 127), (3, 127), (4, 127), (5, 127), (6, 127), (7, 20), (8, 127)] {
            out.extend(s.audio_came(seq, Some(level)));
        }
        assert_eq!(out, [1, 2, 3, 4, 5, 6]);
        assert_eq!(s.audio_came(9, None), Some(7));
    }

    #[test]
    fn key_frames_are_asked_of_the_lowest_layer_and_not_too_often() {
        let mut s = source();
        let now = Time::default();
        assert_eq!((s.ask(now), s.ask(now)), (Some(1), None));
        assert_eq!(s.ask(now + KEY_FRAME_INTERVAL), Some(1));
    }
}
