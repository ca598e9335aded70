//! Bandwidth estimate from transport-cc (after draft-ietf-rmcat-gcc-02): a trend of one-way delay decides between growing,
//! holding and backing off; heavy loss backs off too. What was never sent is never believed: the estimate does not grow past
//! 1.5 × the acknowledged rate.

use std::collections::VecDeque;

use super::twcc::Fate;
use crate::media::peer::EstimateBounds;

/// Packets sent within this time travel as one group, µs.
const GROUP_US: u64 = 5_000;
/// Groups in the trend line.
const TREND: usize = 20;
/// Weight of the delay history in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// What a slope is multiplied with before it is compared (with the number of groups, at most [`MAX_DELTAS`]).
const TREND_GAIN: f64 = 4.0;
const MAX_DELTAS: u32 = 60;
/// The threshold adapts between these, ms.
const THRESHOLD: (f64, f64) = (6.0, 600.0);
const FIRST_THRESHOLD: f64 = 12.5;
/// A jump further beyond the threshold does not move it, ms.
const MAX_EXCESS: f64 = 15.0;
/// Over-use must last this long, µs.
const OVERUSE_US: i64 = 10_000;
/// The acknowledged rate is measured over this time, µs.
const RATE_WINDOW_US: i64 = 500_000;
/// Arrivals kept for that, at different times: 140 Mbit/s of video if each packet comes alone; the oldest go past it.
const MAX_ACKED: usize = 8192;
/// On over-use the estimate falls to this part of the acknowledged rate.
const BACK_OFF: f64 = 0.85;
/// Growth per second while the limit is unknown.
const GROWTH: f64 = 1.08;
/// How far above what is acknowledged an estimate may grow.
const HEADROOM: f64 = 1.5;
const HEADROOM_BPS: f64 = 10_000.0;
/// Loss is judged over this many packets at least.
const LOSS_PACKETS: u32 = 20;
/// Loss above it backs off; above the lower one nothing grows.
const LOSS_HIGH: f64 = 0.10;
const LOSS_LOW: f64 = 0.02;
/// Between two back-offs, µs (the round trip comes on top).
const BACK_OFF_EVERY_US: u64 = 300_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Usage {
    Normal,
    Over,
    Under,
}

#[derive(Clone, Copy)]
struct Group {
    first_sent_us: u64,
    last_sent_us: u64,
    arrival_us: i64,
}

/// The trend of one-way delay.
struct Trend {
    group: Option<Group>,
    before: Option<Group>,
    accumulated_ms: f64,
    smoothed_ms: f64,
    points: VecDeque<(f64, f64)>,
    first_arrival_us: i64,
    deltas: u32,
    threshold: f64,
    threshold_at_us: i64,
    over_since_us: Option<i64>,
    slope: f64,
    usage: Usage,
}

impl Trend {
    fn new() -> Trend {
        Trend {
            group: None,
            before: None,
            accumulated_ms: 0.0,
            smoothed_ms: 0.0,
            points: VecDeque::new(),
            first_arrival_us: 0,
            deltas: 0,
            threshold: FIRST_THRESHOLD,
            threshold_at_us: 0,
            over_since_us: None,
            slope: 0.0,
            usage: Usage::Normal,
        }
    }

    fn arrived(&mut self, sent_us: u64, arrival_us: i64) {
        match &mut self.group {
            Some(g) if sent_us < g.first_sent_us => {}
            Some(g) if sent_us - g.first_sent_us <= GROUP_US => {
                g.last_sent_us = g.last_sent_us.max(sent_us);
                g.arrival_us = g.arrival_us.max(arrival_us);
            }
            _ => {
                let done = self.group.replace(Group { first_sent_us: sent_us, last_sent_us: sent_us, arrival_us });
                if let Some(done) = done {
                    if let Some(before) = self.before.replace(done) {
                        self.delta(before, done);
                    } else {
                        self.first_arrival_us = done.arrival_us;
                    }
                }
            }
        }
    }

    fn delta(&mut self, before: Group, g: Group) {
        let sent = g.last_sent_us as i64 - before.last_sent_us as i64;
        let delta_ms = ((g.arrival_us - before.arrival_us) - sent) as f64 / 1000.0;
        self.deltas = (self.deltas + 1).min(MAX_DELTAS);
        self.accumulated_ms += delta_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.accumulated_ms;
        let at_ms = (g.arrival_us - self.first_arrival_us) as f64 / 1000.0;
        if self.points.len() >= TREND {
            self.points.pop_front();
        }
        self.points.push_back((at_ms, self.smoothed_ms));
        let before_slope = self.slope;
        if self.points.len() == TREND {
            self.slope = slope(&self.points).unwrap_or(self.slope);
        }
        let trend = self.slope * f64::from(self.deltas) * TREND_GAIN;
        if trend > self.threshold {
            let since = *self.over_since_us.get_or_insert(before.arrival_us);
            if g.arrival_us - since > OVERUSE_US && self.slope >= before_slope {
                self.usage = Usage::Over;
            }
        } else {
            self.over_since_us = None;
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.adapt(trend.abs(), g.arrival_us);
    }

    fn adapt(&mut self, trend: f64, at_us: i64) {
        let ms = ((at_us - self.threshold_at_us) as f64 / 1000.0).clamp(0.0, 100.0);
        self.threshold_at_us = at_us;
        if trend > self.threshold + MAX_EXCESS {
            return;
        }
        let k = if trend < self.threshold { 0.039 } else { 0.0087 };
        self.threshold = (self.threshold + k * (trend - self.threshold) * ms).clamp(THRESHOLD.0, THRESHOLD.1);
    }
}

/// Least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let n = points.len() as f64;
    let (sx, sy) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
    let (mx, my) = (sx / n, sy / n);
    let (num, den) =
        points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + (x - mx) * (y - my), b + (x - mx) * (x - mx)));
    (den > 0.0).then(|| num / den)
}

/// The estimate.
pub(super) struct Estimator {
    bounds: EstimateBounds,
    bps: f64,
    /// The acknowledged rate, bit/s.
    carried: f64,
    trend: Trend,
    acked: VecDeque<(i64, u64)>,
    acked_bytes: u64,
    /// The latest arrival so far, on the peer's clock, µs.
    newest: i64,
    /// Smoothed rate at which over-use set in, and its relative variance.
    limit: Option<(f64, f64)>,
    holding: bool,
    grown_us: Option<u64>,
    backed_off_us: Option<u64>,
    lost: u32,
    total: u32,
    loss: f64,
}

impl Estimator {
    pub fn new(bounds: EstimateBounds) -> Estimator {
        let max = bounds.max.max(bounds.min);
        Estimator {
            bounds,
            bps: bounds.initial.clamp(bounds.min, max) as f64,
            carried: 0.0,
            trend: Trend::new(),
            acked: VecDeque::new(),
            acked_bytes: 0,
            newest: i64::MIN,
            limit: None,
            holding: false,
            grown_us: None,
            backed_off_us: None,
            lost: 0,
            total: 0,
            loss: 0.0,
        }
    }

    /// bit/s.
    pub fn bps(&self) -> u64 {
        self.bps as u64
    }

    /// Of the last judged packets, 0 to 1.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// What the path was seen to carry of late, or what it is believed to carry if that is more, bit/s.
    pub fn carried(&self) -> u64 {
        self.carried.max(self.bps) as u64
    }

    /// The highest that it may become.
    pub fn max(&self) -> u64 {
        self.bounds.max.max(self.bounds.min)
    }

    /// A probe carried this rate: it is believed without having been acknowledged for long.
    pub fn probed(&mut self, bps: f64) {
        if bps > self.bps {
            self.bps = bps.clamp(self.bounds.min as f64, self.max() as f64);
            self.limit = self.limit.filter(|l| l.0 > bps);
        }
    }

    /// Takes the fates of one feedback. Whether the estimate had to fall.
    pub fn on_feedback(&mut self, now_us: u64, fates: &[Fate], rtt_us: u64) -> bool {
        for f in fates {
            self.total += 1;
            let Some(arrival_us) = f.arrival_us else {
                self.lost += 1;
                continue;
            };
            if arrival_us < self.newest.saturating_sub(RATE_WINDOW_US) {
                // Its clock went back: what it said before has no place among what it says now.
                (self.newest, self.acked_bytes) = (arrival_us, 0);
                self.acked.clear();
            }
            self.acked(arrival_us, u64::from(f.size));
            self.newest = self.newest.max(arrival_us);
            self.trend.arrived(f.sent_us, arrival_us);
        }
        let newest = self.newest;
        while let Some(&(at, size)) = self.acked.front()
            && newest - at > RATE_WINDOW_US
        {
            self.acked.pop_front();
            self.acked_bytes -= size;
        }
        if self.total >= LOSS_PACKETS {
            self.loss = f64::from(self.lost) / f64::from(self.total);
            (self.lost, self.total) = (0, 0);
        }
        let acked = self.acked_rate(newest);
        self.carried = acked.unwrap_or(0.0);
        let may_back_off = self.backed_off_us.is_none_or(|t| now_us.saturating_sub(t) > BACK_OFF_EVERY_US + rtt_us);
        let mut fell = true;
        if self.trend.usage == Usage::Over && may_back_off {
            self.back_off(now_us, BACK_OFF * acked.unwrap_or(self.bps), acked);
            self.trend.usage = Usage::Normal;
        } else if self.loss > LOSS_HIGH && may_back_off {
            // Not below what gets through: a queue that overflows loses most of what is too much.
            let through = BACK_OFF * acked.unwrap_or(0.0);
            self.back_off(now_us, (self.bps * (1.0 - 0.5 * self.loss)).max(through), None);
            // Judged; the next back-off needs new losses.
            self.loss = self.loss.min(LOSS_HIGH);
        } else if self.trend.usage == Usage::Normal && self.loss <= LOSS_LOW && may_back_off {
            self.grow(now_us, rtt_us, acked);
            fell = false;
        } else {
            self.grown_us = Some(now_us);
            fell = false;
        }
        self.bps = self.bps.clamp(self.bounds.min as f64, self.max() as f64);
        fell
    }

    /// What came at one time is one entry, a frame's packets mostly: the rate leaves out the first entry, which only begins its time, so that must be
    /// all of it.
    #[inline]
    fn acked(&mut self, arrival_us: i64, size: u64) {
        self.acked_bytes += size;
        match self.acked.back_mut() {
            Some((at, together)) if *at == arrival_us => *together += size,
            _ => {
                if self.acked.len() >= MAX_ACKED {
                    self.acked_bytes -= self.acked.pop_front().map_or(0, |a| a.1);
                }
                self.acked.push_back((arrival_us, size));
            }
        }
    }

    /// Bits per second that arrived over the window; `None` before it says something.
    fn acked_rate(&self, newest: i64) -> Option<f64> {
        let &(first, size) = self.acked.front()?;
        let (span, bytes) = (newest - first, self.acked_bytes - size);
        (span >= RATE_WINDOW_US / 4).then(|| bytes as f64 * 8_000_000.0 / span as f64)
    }

    fn back_off(&mut self, now_us: u64, to: f64, acked: Option<f64>) {
        self.bps = self.bps.min(to);
        self.backed_off_us = Some(now_us);
        self.grown_us = Some(now_us);
        self.holding = true;
        if let Some(acked) = acked {
            let (mean, spread) = self.limit.unwrap_or((acked, 0.4));
            let error = acked - mean;
            let mean = mean + 0.05 * error;
            let spread = 0.95 * spread + 0.05 * error * error / mean.max(1.0);
            self.limit = Some((mean, spread.clamp(0.4, 2.5)));
        }
    }

    fn grow(&mut self, now_us: u64, rtt_us: u64, acked: Option<f64>) {
        let Some(last) = self.grown_us.replace(now_us) else { return };
        let seconds = (now_us.saturating_sub(last) as f64 / 1e6).min(1.0);
        self.holding = false;
        let near = match (self.limit, acked) {
            (Some((mean, spread)), Some(acked)) => {
                let wide = 3.0 * (spread * mean).sqrt();
                if acked > mean + wide {
                    self.limit = None;
                }
                acked > mean - wide && acked <= mean + wide
            }
            _ => false,
        };
        let grown = if near {
            // One packet per response time.
            let response = rtt_us as f64 / 1e6 + 0.1;
            self.bps + (1200.0 * 8.0 / response) * seconds
        } else {
            self.bps * GROWTH.powf(seconds) + 1000.0 * seconds
        };
        // Without traffic there is nothing to believe.
        let cap = acked.map_or(self.bps, |a| HEADROOM * a + HEADROOM_BPS);
        self.bps = grown.min(cap.max(self.bps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: EstimateBounds = EstimateBounds { initial: 300_000, min: 30_000, max: 5_000_000 };

    /// Sends at `rate(estimate)` through a link of `link` bit/s with a queue of half a second, feedback every 50 ms.
    fn run(link: f64, seconds: u64, loss: u64, rate: impl Fn(f64) -> f64) -> (Estimator, Vec<u64>) {
        let mut e = Estimator::new(BOUNDS);
        let (mut log, mut free_us, mut due, mut sent, mut n) = (vec![], 0.0f64, 0.0f64, vec![], 0u64);
        for now in (0..seconds * 1_000_000).step_by(5000) {
            due += rate(e.bps) * 0.005 / 8.0;
            while due >= 1000.0 {
                due -= 1000.0;
                n += 1;
                free_us = free_us.max(now as f64);
                let drop = free_us - now as f64 > 500_000.0 || (loss > 0 && n.is_multiple_of(loss));
                if !drop {
                    free_us += 8000.0 * 1e6 / link;
                }
                let arrival_us = (!drop).then_some(free_us as i64 + 20_000);
                sent.push(Fate { sent_us: now, size: 1000, arrival_us, packet: (0, 0) });
            }
            if now % 50_000 == 0 {
                let at = |f: &Fate| f.arrival_us.unwrap_or(f.sent_us as i64 + 20_000) <= now as i64;
                let (told, rest): (Vec<_>, Vec<_>) = sent.iter().partition(|f| at(f));
                sent = rest;
                e.on_feedback(now, &told, 40_000);
                log.push(e.bps());
            }
        }
        (e, log)
    }

    #[test]
    fn it_finds_a_bottleneck_and_stays_near_it() {
        let (_, log) = run(1_000_000.0, 60, 0, |e| e);
        let tail = &log[log.len() / 2..];
        let mean = tail.iter().sum::<u64>() / tail.len() as u64;
        assert!((700_000..1_150_000).contains(&mean), "{mean}");
    }

    #[test]
    fn what_is_not_sent_is_not_believed() {
        let (e, _) = run(1e9, 60, 0, |_| 400_000.0);
        assert!(e.bps() <= 620_000, "{}", e.bps());
        let (e, _) = run(1e9, 60, 0, |_| 50_000.0);
        assert_eq!(e.bps(), BOUNDS.initial);
    }

    #[test]
    fn it_grows_to_its_maximum_on_a_free_path() {
        let (e, _) = run(1e9, 120, 0, |e| e);
        assert_eq!(e.bps(), BOUNDS.max);
    }

    #[test]
    fn heavy_loss_backs_off_light_loss_does_not() {
        let (e, _) = run(1e9, 20, 4, |e| e);
        assert!(e.bps() < 60_000, "{}", e.bps());
        let (e, _) = run(1e9, 20, 100, |e| e);
        assert!(e.bps() > 300_000, "{}", e.bps());
    }

    #[test]
    fn arrivals_are_bounded_and_a_clock_that_went_back_begins_anew() {
        let fate = |arrival_us| Fate { sent_us: 0, size: 1000, arrival_us: Some(arrival_us), packet: (0, 0) };
        let mut e = Estimator::new(BOUNDS);
        let in_turns: Vec<Fate> = (0..MAX_ACKED as i64 + 4).map(|i| fate(7 + i % 2)).collect();
        e.on_feedback(0, &in_turns[..MAX_ACKED], 0);
        assert_eq!(e.acked.len(), MAX_ACKED);
        e.on_feedback(0, &in_turns[MAX_ACKED..], 0);
        assert_eq!((e.acked.len(), e.acked_bytes), (MAX_ACKED, MAX_ACKED as u64 * 1000));
        // A time far ahead would keep all that follow out of the window, or in it, for ever.
        e.on_feedback(0, &[fate(1 << 40)], 0);
        assert_eq!(e.acked.len(), 1);
        for n in 0..300 {
            e.on_feedback(0, &[fate(n * 10_000)], 0);
        }
        assert_eq!(e.acked.len() as i64, RATE_WINDOW_US / 10_000 + 1);
        assert!((700_000..900_000).contains(&(e.acked_rate(e.newest).expect("a rate") as u64)));
    }

    #[test]
    fn frames_of_many_packets_are_acknowledged_at_their_rate() {
        let mut e = Estimator::new(BOUNDS);
        // Ten frames a second of 10,000 bytes: the first of them ends no interval.
        for n in 0..20 {
            let frame =
                [Fate { sent_us: n * 100_000, size: 1000, arrival_us: Some(n as i64 * 100_000), packet: (0, 0) }; 10];
            e.on_feedback(n * 100_000, &frame, 0);
        }
        assert_eq!((e.acked.len(), e.acked_rate(e.newest)), (6, Some(800_000.0)));
    }

    #[test]
    fn the_bounds_hold_and_silence_changes_nothing() {
        let mut e = Estimator::new(BOUNDS);
        for i in 0..100 {
            e.on_feedback(i * 50_000, &[], 0);
        }
        assert_eq!(e.bps(), BOUNDS.initial);
        let lost = [Fate { sent_us: 0, size: 1000, arrival_us: None, packet: (0, 0) }; 50];
        for i in 0..1000 {
            e.on_feedback(10_000_000 + i * 1_000_000, &lost, 0);
        }
        assert_eq!(e.bps(), BOUNDS.min);
    }
}
