//! What to do about an encoder that has too little CPU (docs/protocol/04 §13.3): first a codec that is cheaper to encode; where that is not
//! to be had, less to decode: fewer videos, then smaller ones. It comes back step by step, unless that was too much once.
//!
//! Frames come encoded, so what the encoder lacks is the program's to say. While it says so, a step is taken each [`STEP`], as often as
//! lib-jitsi-meet looks at its statistics.

use crate::time::{Time, earliest};
use std::collections::BTreeMap;
use std::time::Duration;

/// An encoder is limited for so long before it gets another codec.
pub const CODEC_WAIT: Duration = Duration::from_secs(60);
/// Between two steps down that make less of what is received.
pub const STEP: Duration = Duration::from_secs(10);
/// The limitation is gone for so long before there is one step up, and between two of them.
pub const RAMP_UP: Duration = Duration::from_secs(60);
/// Last-N is not made lower.
pub const LOWEST_LAST_N: i32 = 3;
/// What any number of videos counts as.
pub const ANY_LAST_N: i32 = 25;
/// Heights that what is received is cut to, one after the other; the last is not gone below.
pub const HEIGHTS: [i32; 8] = [2160, 1080, 720, 540, 480, 360, 270, 180];

/// What is known of everything around, at one moment.
pub struct View<'a> {
    /// The height that a track is to be sent with now; 0: it is not to be sent.
    pub expected: &'a dyn Fn(u64) -> u32,
    /// Whether a track may get a codec that is cheaper to encode.
    pub cheaper: &'a dyn Fn(u64) -> bool,
    /// What we want to receive from a bridge; `None` where there is none.
    pub received: Option<Received>,
}

/// What is received through a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Last-N as it is wanted without a limit of ours: −1 any.
    pub last_n: i32,
    /// Sources that reach us.
    pub forwarded: usize,
    /// The greatest height that is wanted of any without a limit of ours: −1 any.
    pub height: i32,
}

/// What an encoder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Encoder {
    /// It has too little CPU.
    limited: bool,
    /// Height of what it makes; 0: not told.
    height: u32,
}

impl Encoder {
    /// Whether it makes less than it is to make.
    fn falls_short(&self, expected: u32) -> bool {
        let told = if self.height == 0 { self.limited } else { self.height < expected };
        expected > 0 && told
    }
}

/// The controller.
#[derive(Debug, Default)]
pub struct Adaptation {
    encoders: BTreeMap<u64, Encoder>,
    /// The track whose codec is to be another one, and when.
    codec: Option<(Time, u64)>,
    /// The next look at encoders that stay limited.
    step: Option<Time>,
    /// When less was made of what is received.
    lowered: Option<Time>,
    raise: Option<Time>,
    /// A step up was too much: there is none any more.
    blocked: bool,
    last_n: Option<i32>,
    height: Option<i32>,
}

impl Adaptation {
    /// The program says what the encoder of a track does now; `height` 0: what it is to do, unless it is limited. To be followed by
    /// [`Adaptation::handle_timeout`].
    pub fn set(&mut self, track: u64, limited: bool, height: u32, now: Time) {
        if self.encoders.insert(track, Encoder { limited, height }) != Some(Encoder { limited, height }) {
            self.step = Some(now);
        }
    }

    /// A track is gone.
    pub fn forget(&mut self, track: u64, now: Time) {
        if self.encoders.remove(&track).is_some() {
            self.codec.take_if(|c| c.1 == track);
            self.step = Some(now);
        }
    }

    /// When [`Adaptation::handle_timeout`] is due.
    pub fn next_deadline(&self) -> Option<Time> {
        earliest(earliest(self.codec.map(|c| c.0), self.step), self.raise)
    }

    /// Does what is due. The track that is to get a cheaper codec, if one is; limits may have changed.
    pub fn handle_timeout(&mut self, now: Time, view: &View<'_>) -> Option<u64> {
        let due = |t: Time| t <= now;
        let mut cheaper = None;
        if let Some((_, track)) = self.codec.take_if(|c| due(c.0))
            && let Some(e) = self.encoders.get(&track)
            && (e.limited || e.falls_short((view.expected)(track)))
        {
            cheaper = Some(track);
        }
        if self.raise.take_if(|t| due(*t)).is_some() {
            if self.encoders.values().any(|e| e.limited) {
                self.blocked = true;
            } else {
                self.go_up(view);
            }
            self.step.get_or_insert(now);
        }
        if cheaper.is_some() {
            // What the new codec takes is not known yet.
            self.step = Some(now + STEP);
        } else if self.step.take_if(|t| due(*t)).is_some() {
            self.look(now, view);
        }
        cheaper
    }

    /// What we want to receive, cut to what there is CPU for: last-N, −1 any.
    pub fn last_n(&self, wanted: i32) -> i32 {
        self.last_n.map_or(wanted, |most| if wanted < 0 { most } else { wanted.min(most) })
    }

    /// The same of a height: −1 any. None is made larger.
    pub fn height(&self, wanted: i32) -> i32 {
        self.height.map_or(wanted, |most| if wanted < 0 { most } else { wanted.min(most) })
    }

    fn look(&mut self, now: Time, view: &View<'_>) {
        for (track, e) in self.encoders.clone() {
            if !e.falls_short((view.expected)(track)) {
                self.codec.take_if(|c| c.1 == track);
                continue;
            }
            // Short of something else, as of a larger picture, is nothing that helps here.
            if !e.limited {
                continue;
            }
            if self.raise.take().is_some() {
                self.blocked = true;
            }
            if self.codec.is_none() && (view.cheaper)(track) {
                self.codec = Some((now + CODEC_WAIT, track));
            }
            if self.codec.is_none() && self.lowered.is_none_or(|t| now >= t + STEP) && self.go_down(view) {
                self.lowered = Some(now);
            }
        }
        let is_less = self.last_n.is_some() || self.height.is_some();
        let limited = self.encoders.values().any(|e| e.limited);
        if !limited && is_less && !self.blocked {
            self.raise.get_or_insert(now + RAMP_UP);
        }
        self.step = limited.then_some(now + STEP);
    }

    /// Fewer videos, or smaller ones; whether there was anything left to do.
    fn go_down(&mut self, view: &View<'_>) -> bool {
        let Some(r) = view.received else { return false };
        let last_n = self.last_n(if r.last_n < 0 { ANY_LAST_N } else { r.last_n });
        if last_n > LOWEST_LAST_N {
            let half = i32::try_from(r.forwarded / 2).unwrap_or(i32::MAX);
            self.last_n = Some(half.clamp(LOWEST_LAST_N, last_n));
            return true;
        }
        let height = self.height(if r.height < 0 { HEIGHTS[0] } else { r.height });
        let lower = HEIGHTS.into_iter().find(|h| *h < height);
        if let Some(lower) = lower {
            self.height = Some(lower);
        }
        lower.is_some()
    }

    /// One video more; where there are all that are wanted, larger ones.
    fn go_up(&mut self, view: &View<'_>) {
        let wanted = view.received.unwrap_or(Received { last_n: -1, forwarded: 0, height: -1 });
        let (most, tallest) = (
            if wanted.last_n < 0 { ANY_LAST_N } else { wanted.last_n },
            if wanted.height < 0 { HEIGHTS[0] } else { wanted.height },
        );
        if let Some(n) = self.last_n {
            self.last_n = Some(n + 1).filter(|n| *n < most);
        } else if let Some(h) = self.height {
            let higher = HEIGHTS.into_iter().rev().find(|more| *more > h);
            self.height = higher.filter(|h| *h < tallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Time {
        Time::new(1_000_000, 0) + Duration::from_secs(s)
    }

    /// A camera of 720 with the cheapest codec, and what is received.
    struct Bed {
        a: Adaptation,
        cheaper: bool,
        expected: u32,
        received: Option<Received>,
        /// When it got another codec.
        changed: Vec<u64>,
        now: u64,
    }

    impl Bed {
        fn new(forwarded: usize, last_n: i32) -> Bed {
            let received = Some(Received { last_n, forwarded, height: 720 });
            Bed { a: Adaptation::default(), cheaper: false, expected: 720, received, changed: vec![], now: 0 }
        }

        fn run(&mut self, until: u64) {
            while let Some(t) = self.a.next_deadline().filter(|t| *t <= at(until)) {
                let (expected, cheaper) = (self.expected, self.cheaper);
                let view = View { expected: &|_| expected, cheaper: &|_| cheaper, received: self.received };
                if self.a.handle_timeout(t, &view).is_some() {
                    self.changed.push(t.since(at(0)).as_secs());
                }
                assert!(self.a.next_deadline().is_none_or(|d| d > t), "the same moment again");
            }
            self.now = until;
        }

        fn say(&mut self, limited: bool, height: u32) {
            self.a.set(1, limited, height, at(self.now));
            self.run(self.now);
        }

        fn last_n(&self) -> i32 {
            self.a.last_n(self.received.map_or(-1, |r| r.last_n))
        }
    }

    #[test]
    fn last_n_is_half_of_what_is_forwarded_but_three_and_comes_back_by_one_a_minute() {
        let mut b = Bed::new(10, 25);
        b.say(true, 360);
        assert_eq!(b.last_n(), 5);
        // Saying it again is no further step.
        b.say(true, 360);
        b.run(9);
        assert_eq!(b.last_n(), 5);
        b.received = Some(Received { last_n: 25, forwarded: 5, height: 720 });
        b.run(10);
        assert_eq!(b.last_n(), LOWEST_LAST_N);
        b.say(false, 720);
        b.run(69);
        assert_eq!(b.last_n(), 3);
        b.run(70);
        assert_eq!(b.last_n(), 4);
        // Too much, half a minute later: back to three, for good.
        b.run(100);
        b.say(true, 360);
        assert_eq!(b.last_n(), 3);
        b.say(false, 720);
        b.run(10_000);
        assert_eq!((b.last_n(), b.a.next_deadline()), (3, None));
    }

    #[test]
    fn with_all_videos_back_nothing_limits_any_more() {
        let mut b = Bed::new(8, 6);
        b.say(true, 180);
        assert_eq!(b.last_n(), 4);
        b.say(false, 0);
        b.run(119);
        assert_eq!(b.last_n(), 5);
        b.run(120);
        assert_eq!((b.last_n(), b.a.last_n, b.a.next_deadline()), (6, None, None));
        // Any is any again.
        let mut b = Bed::new(100, -1);
        b.say(true, 180);
        assert_eq!(b.last_n(), ANY_LAST_N, "never more than before");
    }

    #[test]
    fn where_videos_are_few_they_become_smaller_down_to_180_and_back() {
        let mut b = Bed::new(2, 2);
        let heights: Vec<i32> = (0..7)
            .map(|n| {
                if n == 0 {
                    b.say(true, 90)
                } else {
                    b.run(n * 10)
                }
                assert_eq!(b.last_n(), 2);
                b.a.height(-1)
            })
            .collect();
        assert_eq!(heights, [540, 480, 360, 270, 180, 180, 180]);
        assert_eq!((b.a.height(90), b.a.height(0), b.a.height(720)), (90, 0, 180), "none is made larger");
        b.say(false, 720);
        let heights: Vec<i32> = (1..=6)
            .map(|n| {
                b.run(60 + n * 60);
                b.a.height(720)
            })
            .collect();
        assert_eq!(heights, [270, 360, 480, 540, 720, 720]);
        assert_eq!(b.a.next_deadline(), None);
    }

    #[test]
    fn a_cheaper_codec_comes_first_after_a_minute_and_nothing_else_meanwhile() {
        let mut b = Bed::new(10, 25);
        b.cheaper = true;
        b.say(true, 360);
        b.run(59);
        assert_eq!((b.last_n(), b.changed.len()), (25, 0));
        b.run(60);
        assert_eq!(b.changed, [60]);
        // Still limited with the new one: the next one, again a minute later; then there is none.
        b.run(130);
        assert_eq!((&*b.changed, b.last_n()), (&[60, 130][..], 25));
        b.cheaper = false;
        b.run(140);
        assert_eq!((b.changed.len(), b.last_n()), (2, 5));
    }

    #[test]
    fn an_encoder_that_is_up_again_keeps_its_codec() {
        let mut b = Bed::new(10, 25);
        b.cheaper = true;
        b.say(true, 360);
        b.run(50);
        // Limited and yet what it is to be, as lib-jitsi-meet has it: no reason to change.
        b.say(true, 720);
        b.run(500);
        assert_eq!((b.changed.len(), b.last_n()), (0, 25));
        // Smaller without a word of why at the end of the minute counts as limited still.
        b.say(true, 360);
        b.say(false, 360);
        b.run(560);
        assert_eq!(b.changed, [560]);
    }

    #[test]
    fn what_is_short_of_something_else_or_not_to_be_sent_changes_nothing() {
        let mut b = Bed::new(10, 25);
        b.say(false, 180);
        b.run(100);
        assert_eq!((b.last_n(), b.a.next_deadline()), (25, None));
        b.expected = 0;
        b.say(true, 0);
        b.run(200);
        assert_eq!(b.last_n(), 25);
        // Without a bridge there is nothing to receive less of.
        (b.expected, b.received) = (720, None);
        b.say(true, 90);
        b.run(300);
        assert_eq!((b.a.last_n(-1), b.a.height(-1)), (-1, -1));
    }

    #[test]
    fn a_word_that_changes_with_each_frame_is_one_step_in_its_time() {
        let mut b = Bed::new(100, 80);
        for n in 0..9 {
            b.now = n;
            b.say(true, 300 + n as u32);
            b.say(false, 720);
        }
        assert_eq!(b.last_n(), 50);
    }

    #[test]
    fn a_track_that_is_taken_away_limits_nothing_any_more() {
        let mut b = Bed::new(10, 6);
        b.say(true, 360);
        assert_eq!(b.last_n(), 5);
        b.a.forget(1, at(5));
        b.run(65);
        assert_eq!((b.last_n(), b.a.next_deadline()), (6, None));
        b.cheaper = true;
        b.say(true, 360);
        b.a.forget(1, at(66));
        b.run(1000);
        assert_eq!((b.changed.len(), b.a.next_deadline()), (0, None));
    }
}
