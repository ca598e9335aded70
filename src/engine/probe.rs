//! Probes: a rate that was never carried is not believed, so before a layer is sent it is tried with padding (design §9, X14). A probe
//! fills up what the media leaves of the wanted rate, for a short while; what arrived of it, and how fast, is the answer. One that
//! did not reach its rate is followed by a time without any, longer each time.
//!
//! Padding is what was sent before, as repairs on an RTX stream, or empty packets there (RFC 3550 §5.1): the bridge drops either.

use std::time::Duration;

use super::twcc::Fate;

/// Between two portions of padding, µs.
pub(super) const TICK_US: u64 = 5_000;
/// A probe takes between these, µs.
pub(super) const MIN_PROBE_US: u64 = 50_000;
pub(super) const MAX_PROBE_US: u64 = 1_000_000;
/// A timer that comes late makes no burst longer than this, µs.
const MAX_CATCH_UP_US: u64 = 20_000;
/// How long the answers of the last packets are waited for, besides the round trip, µs.
const ANSWER_US: u64 = 500_000;
/// No probe for this long after one that failed; twice as long after the next.
pub(super) const HOLD_OFF_US: u64 = 5_000_000;
pub(super) const MAX_HOLD_OFF_US: u64 = 80_000_000;
/// A probe that got this part of its rate reached it.
const REACHED: f64 = 0.9;
/// What is believed of a rate at which the path was full.
const OF_FULL: f64 = 0.9;
/// More loss than this is no success.
const MAX_LOSS: f64 = 0.1;
/// Fewer packets say nothing.
const MIN_PACKETS: u32 = 8;

/// What a probe found out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outcome {
    /// What the path carried, bit/s; `None` if too little is known, and when the path was full: the estimate has heard of that.
    pub bps: Option<f64>,
    pub reached: bool,
}

struct Running {
    bps: f64,
    begun_us: u64,
    until_us: u64,
    /// Bytes that had been sent when it began.
    before: u64,
    next_us: u64,
    answer_us: u64,
    full: bool,
    packets: u32,
    lost: u32,
    sent: Span,
    arrived: Span,
}

/// Bytes over time.
#[derive(Default)]
struct Span {
    bytes: u64,
    ends: Option<(i64, i64)>,
    first_bytes: u64,
}

impl Span {
    fn add(&mut self, at_us: i64, size: u32) {
        self.bytes += u64::from(size);
        match &mut self.ends {
            None => (self.ends, self.first_bytes) = (Some((at_us, at_us)), u64::from(size)),
            Some((first, last)) => {
                if at_us <= *first {
                    self.first_bytes = if at_us < *first { 0 } else { self.first_bytes } + u64::from(size);
                    *first = at_us;
                }
                *last = (*last).max(at_us);
            }
        }
    }

    /// Bit/s; the first moment's bytes only begin the span.
    fn rate(&self) -> Option<f64> {
        let (first, last) = self.ends?;
        let us = (last - first) as f64;
        (us > 0.0).then(|| (self.bytes - self.first_bytes) as f64 * 8e6 / us)
    }
}

/// At most one probe, and when the next may be.
#[derive(Default)]
pub(super) struct Prober {
    running: Option<Running>,
    hold_until_us: u64,
    hold_off_us: u64,
}

impl Prober {
    /// Begins a probe, `sent` bytes having been sent so far; `false` while there is one, and in the time after a failed one.
    pub fn start(&mut self, bps: u64, duration: Duration, sent: u64, now_us: u64) -> bool {
        if self.running.is_some() || now_us < self.hold_until_us {
            return false;
        }
        let us = (duration.as_micros() as u64).clamp(MIN_PROBE_US, MAX_PROBE_US);
        self.running = Some(Running {
            bps: bps as f64,
            begun_us: now_us,
            until_us: now_us + us,
            before: sent,
            next_us: now_us,
            answer_us: now_us + us + ANSWER_US,
            full: false,
            packets: 0,
            lost: 0,
            sent: Span::default(),
            arrived: Span::default(),
        });
        true
    }

    /// The rate that is being tried.
    pub fn bps(&self) -> Option<u64> {
        self.running.as_ref().map(|r| r.bps as u64)
    }

    /// The padding to be sent now, bytes.
    pub fn padding(&mut self, sent: u64, now_us: u64) -> Option<u64> {
        let r = self.running.as_mut().filter(|r| r.next_us <= now_us && now_us < r.until_us)?;
        r.next_us = now_us + TICK_US;
        // A tick ahead, so that the rate is there over the whole of it.
        let due = r.bps * (now_us - r.begun_us + TICK_US) as f64 / 8e6;
        let most = r.bps * MAX_CATCH_UP_US as f64 / 8e6;
        Some((due - (sent - r.before) as f64).clamp(0.0, most) as u64)
    }

    /// The path is full: no more padding.
    pub fn full(&mut self, now_us: u64) {
        if let Some(r) = self.running.as_mut().filter(|r| now_us < r.until_us) {
            r.full = true;
            r.answer_us = r.answer_us - r.until_us + now_us;
            r.until_us = now_us;
        }
    }

    /// Takes what became of packets; the outcome when the last of the probe's was among them.
    pub fn told(&mut self, fates: &[Fate], now_us: u64) -> Option<Outcome> {
        let r = self.running.as_mut()?;
        let mut after = false;
        for f in fates {
            if f.sent_us >= r.until_us {
                after = true;
            } else if f.sent_us >= r.begun_us {
                r.packets += 1;
                r.sent.add(f.sent_us as i64, f.size);
                match f.arrival_us {
                    Some(at) => r.arrived.add(at, f.size),
                    None => r.lost += 1,
                }
                after |= f.sent_us + TICK_US >= r.until_us;
            }
        }
        (after && now_us >= r.until_us).then(|| self.finish(now_us))
    }

    /// When [`Prober::padding`] or [`Prober::late`] is due, µs.
    pub fn due_us(&self) -> Option<u64> {
        self.running.as_ref().map(|r| if r.next_us < r.until_us { r.next_us } else { r.answer_us })
    }

    /// The outcome if the answers did not come, or not all.
    pub fn late(&mut self, now_us: u64) -> Option<Outcome> {
        self.running.as_ref().filter(|r| r.answer_us <= now_us)?;
        Some(self.finish(now_us))
    }

    fn finish(&mut self, now_us: u64) -> Outcome {
        let Some(r) = self.running.take() else { return Outcome { bps: None, reached: false } };
        let loss = f64::from(r.lost) / f64::from(r.packets.max(1));
        let enough = r.packets >= MIN_PACKETS;
        let (sent, arrived) = (r.sent.rate(), r.arrived.rate());
        let outcome = match (sent, arrived) {
            (Some(sent), Some(arrived)) if enough && !r.full => {
                let carried = sent.min(arrived).min(r.bps);
                let reached = loss <= MAX_LOSS && carried >= REACHED * r.bps;
                Outcome { bps: Some(if reached { carried } else { OF_FULL * carried }), reached }
            }
            _ => Outcome { bps: None, reached: false },
        };
        if outcome.reached {
            self.hold_off_us = 0;
        } else {
            self.hold_off_us = (self.hold_off_us * 2).clamp(HOLD_OFF_US, MAX_HOLD_OFF_US);
            self.hold_until_us = now_us + self.hold_off_us;
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A probe over a link of `link` bit/s, without other media; `lose` each n-th packet.
    fn run(p: &mut Prober, bps: u64, link: f64, lose: u32, now: u64) -> (Outcome, u64) {
        assert!(p.start(bps, Duration::from_millis(200), 0, now));
        let (mut sent, mut free, mut fates, mut n) = (0, 0.0f64, vec![], 0);
        while let Some(due) = p.due_us() {
            if let Some(mut bytes) = p.padding(sent, due) {
                while bytes > 0 {
                    (sent, n) = (sent + 1000, n + 1);
                    free = free.max(due as f64) + 8e9 / link;
                    let arrival_us = (lose == 0 || n % lose != 0).then_some(free as i64);
                    fates.push(Fate { sent_us: due, size: 1000, arrival_us, packet: (0, 0) });
                    bytes = bytes.saturating_sub(1000);
                }
                continue;
            }
            return (p.told(&fates, due).or_else(|| p.late(due)).expect("an outcome"), sent);
        }
        panic!("it never ended");
    }

    #[test]
    fn a_probe_sends_its_rate_and_finds_what_the_path_carries() {
        let mut p = Prober::default();
        let (o, sent) = run(&mut p, 2_000_000, 1e8, 0, 1_000_000);
        assert!((50_000..56_000).contains(&sent), "{sent}");
        assert!(o.reached && o.bps.is_some_and(|b| (1_800_000.0..=2_000_000.0).contains(&b)), "{o:?}");
        let (o, _) = run(&mut p, 2_000_000, 1e6, 0, 2_000_000);
        assert!(!o.reached && o.bps.is_some_and(|b| (800_000.0..1_000_000.0).contains(&b)), "{o:?}");
    }

    #[test]
    fn a_late_timer_makes_no_long_burst() {
        let mut p = Prober::default();
        assert!(p.start(8_000_000, Duration::from_millis(200), 0, 0));
        assert_eq!(p.padding(0, MAX_CATCH_UP_US - TICK_US), Some(MAX_CATCH_UP_US), "a byte each µs");
        assert_eq!(p.padding(MAX_CATCH_UP_US, 150_000), Some(MAX_CATCH_UP_US));
    }

    #[test]
    fn a_probe_that_lost_too_much_is_no_success() {
        let every = (1.0 / MAX_LOSS) as u32;
        let reached = |lose| run(&mut Prober::default(), 2_000_000, 1e8, lose, 0).0.reached;
        assert!(reached(every + 1) && !reached(every - 2));
    }

    #[test]
    fn a_failed_probe_is_followed_by_a_growing_time_without() {
        let (mut p, mut now, mut waits) = (Prober::default(), 0, vec![]);
        for _ in 0..6 {
            let (o, _) = run(&mut p, 2_000_000, 1e8, 3, now);
            assert!(!o.reached);
            let begun = now;
            while !p.start(1, Duration::ZERO, 0, now) {
                now += 500_000;
            }
            p.running = None;
            waits.push((now - begun) / HOLD_OFF_US);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, MAX_HOLD_OFF_US / HOLD_OFF_US]);
        let (o, _) = run(&mut p, 500_000, 1e8, 0, now);
        assert!(o.reached && p.start(1, Duration::ZERO, 0, now + 1_000_000), "a success ends that");
    }

    #[test]
    fn a_probe_without_an_answer_ends_too_and_one_at_a_time_runs() {
        let mut p = Prober::default();
        assert!(p.start(1_000_000, Duration::from_secs(9), 0, 0));
        assert!(!p.start(1_000_000, Duration::from_secs(9), 0, 10));
        let mut ticks = 0;
        let last = loop {
            let due = p.due_us().expect("running");
            match p.padding(0, due) {
                Some(bytes) => {
                    assert!(bytes <= 2500, "{bytes}");
                    ticks += 1;
                }
                None => break due,
            }
        };
        assert_eq!((ticks, last), (MAX_PROBE_US / TICK_US, MAX_PROBE_US + ANSWER_US));
        assert_eq!(p.late(last), Some(Outcome { bps: None, reached: false }));
        assert_eq!(p.due_us(), None);
    }

    #[test]
    fn a_path_that_is_full_ends_the_padding() {
        let mut p = Prober::default();
        assert!(p.start(1_000_000, Duration::from_millis(500), 0, 0));
        assert!(p.padding(0, 0).is_some());
        p.full(7_000);
        assert_eq!(p.padding(0, 10_000), None);
        assert!(p.due_us().is_some_and(|t| t <= 7_000 + ANSWER_US));
    }
}
