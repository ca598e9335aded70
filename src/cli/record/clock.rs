//! When the frames of one source were made, on the recording's clock.
//!
//! RTP time is exact within a run of frames and means nothing beyond it: a new SSRC, a rejoin, a new session or a sender that
//! stopped its clock during a pause begins a new run. Where a run lies is told by arrival: the frame that was least delayed in
//! its first seconds places all of it, so neither jitter nor a late repair moves it, and runs add no error to each other.

use std::collections::VecDeque;
use std::time::Duration;

/// How long the start of a run is looked at before its frames get their times. A picture of several packets is as late as the latest of them:
/// of a dozen in one second none may be in time to a few milliseconds.
pub const WINDOW: Duration = Duration::from_secs(2);
/// A run of which fewer frames came in that time is looked at for longer: a key frame that was repaired is late by a round trip, and may be all
/// that comes for a while.
const ENOUGH: u32 = 12;
/// Until it is so old; then it is placed by what there is.
pub const WIDE: Duration = Duration::from_secs(4);
/// Arrival and RTP time that part by more than this between two frames begin a new run.
pub const BREAK: Duration = Duration::from_millis(500);
/// A run ends when its frames lie further than this from where its first did: many small steps are a large one.
pub const DRIFT: Duration = Duration::from_secs(2);
/// A run on the same RTP clock that lies this near to the one before continues it: the network paused, not the sender.
const SAME: Duration = Duration::from_millis(250);

/// A run of frames on one RTP clock; grows.
pub type Run = u64;

#[derive(Debug)]
struct Unplaced {
    run: Run,
    opened_us: u64,
    /// Least of arrival − RTP time, and of how many frames.
    least: i64,
    frames: u32,
    /// The RTP clock is the one of the run before.
    same_clock: bool,
}

/// The clock of one source.
#[derive(Debug, Default)]
pub struct Clock {
    runs: VecDeque<Unplaced>,
    next: Run,
    /// Timeline, RTP time and arrival of the newest frame, µs.
    last: Option<(u32, u64, u64)>,
    /// Arrival − RTP time of the first frame of the newest run.
    first: i64,
    /// Where the run that was placed last lies.
    offset: i64,
    placed: Option<Run>,
}

fn us(d: Duration) -> u64 {
    d.as_micros() as u64
}

impl Unplaced {
    /// When it has been looked at for long enough.
    fn closes_us(&self) -> u64 {
        self.opened_us + us(if self.frames < ENOUGH { WIDE } else { WINDOW })
    }
}

impl Clock {
    /// A frame that arrived: the run that it belongs to.
    pub fn frame(&mut self, timeline: u32, rtp_us: u64, arrival_us: u64) -> Run {
        let same_clock = self.last.is_some_and(|l| l.0 == timeline);
        let runs_on = self.last.is_some_and(|(_, rtp, arrival)| {
            let made = rtp_us as i64 - rtp as i64;
            let came = arrival_us as i64 - arrival as i64;
            same_clock && made.abs_diff(came) <= us(BREAK)
        });
        let apart = arrival_us as i64 - rtp_us as i64;
        let drifted = apart.abs_diff(self.first) > us(DRIFT);
        if !runs_on || drifted {
            self.first = apart;
            self.runs.push_back(Unplaced {
                run: self.next,
                opened_us: arrival_us,
                least: apart,
                frames: 1,
                same_clock,
            });
            self.next += 1;
        } else if let Some(r) = self.runs.back_mut().filter(|r| arrival_us < r.closes_us()) {
            (r.least, r.frames) = (r.least.min(apart), r.frames + 1);
        }
        self.last = Some((timeline, rtp_us, arrival_us));
        self.next.saturating_sub(1)
    }

    /// What to add to RTP time of this run, once it is known; runs are asked for in their order. `now`: also without more frames.
    pub fn offset(&mut self, run: Run, now_us: u64) -> Option<i64> {
        while let Some(r) = self.runs.front().filter(|r| r.run <= run) {
            if now_us < r.closes_us() {
                return None;
            }
            if !(r.same_clock && self.placed.is_some() && r.least.abs_diff(self.offset) <= us(SAME)) {
                self.offset = r.least;
            }
            self.placed = Some(r.run);
            self.runs.pop_front();
        }
        Some(self.offset)
    }

    /// When the next run can be placed.
    pub fn next_deadline(&self) -> Option<u64> {
        self.runs.front().map(Unplaced::closes_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    /// Frames each 20 ms from `rtp` on, first arrival `at`, each delayed by `delay(n)`: their times.
    fn feed(c: &mut Clock, timeline: u32, rtp: u64, at: u64, n: u64, delay: impl Fn(u64) -> u64) -> Vec<(Run, u64)> {
        (0..n).map(|i| (c.frame(timeline, rtp + i * 20 * MS, at + i * 20 * MS + delay(i)), rtp + i * 20 * MS)).collect()
    }

    fn time(c: &mut Clock, f: (Run, u64)) -> u64 {
        (f.1 as i64 + c.offset(f.0, u64::MAX / 4).unwrap()) as u64
    }

    #[test]
    fn the_least_delayed_frame_places_the_run() {
        let mut c = Clock::default();
        let f = feed(&mut c, 1, 7_000 * MS, 100 * MS, 50, |i| if i == 9 { 0 } else { 80 * MS });
        assert_eq!(c.offset(f[0].0, 100 * MS), None, "not before its window is over");
        assert_eq!(c.next_deadline(), Some(180 * MS + us(WINDOW)));
        assert_eq!(time(&mut c, f[0]), 100 * MS);
        assert_eq!(time(&mut c, f[49]), 1080 * MS);
        assert_eq!(c.next_deadline(), None);
    }

    #[test]
    fn a_repaired_key_frame_that_is_alone_for_a_while_does_not_place_the_run() {
        let mut c = Clock::default();
        let f = feed(&mut c, 1, 0, 500 * MS, 1, |_| 120 * MS)[0];
        assert_eq!(c.offset(f.0, 620 * MS + us(WINDOW)), None);
        feed(&mut c, 1, 2_500 * MS, 3_000 * MS, u64::from(ENOUGH), |_| 3 * MS);
        assert_eq!(time(&mut c, f), 503 * MS);
        // If nothing follows, that is all that there is.
        let f = feed(&mut c, 2, 0, 9_000 * MS, 1, |_| 120 * MS)[0];
        assert_eq!(c.offset(f.0, 9_120 * MS + us(WIDE)), Some(9_120 * MS as i64));
    }

    #[test]
    fn a_new_timeline_is_placed_by_its_own_arrival() {
        let mut c = Clock::default();
        feed(&mut c, 1, 5_000 * MS, 0, 60, |_| 10 * MS);
        let f = feed(&mut c, 2, 900_000 * MS, 3_000 * MS, 60, |_| 10 * MS);
        assert_eq!(time(&mut c, f[0]), 3_010 * MS);
    }

    #[test]
    fn a_network_that_pauses_moves_nothing() {
        let mut c = Clock::default();
        let a = feed(&mut c, 1, 0, 0, 60, |_| 0);
        // 2 s late, then all at once.
        let b = feed(&mut c, 1, 1_200 * MS, 1_200 * MS, 200, |i| 2_000 * MS - (i * 20 * MS).min(2_000 * MS));
        assert_ne!(a[59].0, b[0].0);
        assert_eq!(time(&mut c, a[59]), 1_180 * MS);
        assert_eq!(time(&mut c, b[0]), 1_200 * MS);
    }

    #[test]
    fn a_clock_that_runs_away_in_small_steps_is_never_further_off_than_its_bound() {
        for step in [BREAK - Duration::from_millis(1), Duration::from_millis(3)] {
            let (mut c, mut rtp) = (Clock::default(), 9_000 * MS);
            let mut frames = Vec::new();
            for n in 0..2000 {
                // Each frame says that 20 ms more, or `step` less, have passed than did.
                frames.push((c.frame(1, rtp, n * 20 * MS), rtp, n * 20 * MS));
                rtp += 20 * MS + us(step);
            }
            for (run, rtp, arrival) in frames {
                let at = rtp as i64 + c.offset(run, u64::MAX / 4).unwrap();
                assert!(at.abs_diff(arrival as i64) <= us(DRIFT + WINDOW + BREAK), "{step:?} {at} {arrival}");
            }
        }
    }

    #[test]
    fn a_sender_whose_clock_stood_still_left_a_gap() {
        let mut c = Clock::default();
        let a = feed(&mut c, 1, 0, 0, 60, |_| 0);
        let b = feed(&mut c, 1, 1_200 * MS, 9_000 * MS, 60, |_| 0);
        assert_eq!((time(&mut c, a[59]), time(&mut c, b[0])), (1_180 * MS, 9_000 * MS));
        // And one that moved on stays in its run.
        let d = feed(&mut c, 1, 20_000 * MS, 27_800 * MS, 1, |_| 0);
        assert_eq!(d[0].0, b[0].0);
    }
}
