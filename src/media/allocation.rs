//! The bandwidth estimate, shared over what we send: audio first, then the lowest layer of each video source, then layer after layer up
//! (design §9 X14). A machine without I/O. An estimate believes only what was carried, so a layer is begun only after a probe has
//! carried as much as it takes; after a failure it has to wait, twice as long each time.

use super::kind::MediaType;
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Sources that share; more are not looked at.
pub const MAX_SOURCES: usize = 32;
/// Layers of one source.
pub const MAX_LAYERS: usize = 3;
/// How long a probe is sent.
pub const PROBE: Duration = Duration::from_millis(300);
/// From its end, how long the estimate may take to believe it.
pub const PROBE_SETTLE: Duration = Duration::from_secs(1);
/// Until the next try after the first failure; doubles with each one in a row.
pub const HOLD_OFF: Duration = Duration::from_secs(5);
/// The longest.
pub const MAX_HOLD_OFF: Duration = Duration::from_secs(60);
/// A layer that had to be given up within this time was a failed try.
pub const TRIAL: Duration = Duration::from_secs(10);
/// Between one layer up and the probe for the next.
pub const STEP: Duration = Duration::from_secs(1);
/// What the lowest layer of a source always gets, in 1/16 of its most: little is better than nothing.
const FLOOR: u64 = 4;
/// What a layer must get to be worth sending, in 1/16 of its most.
const WORTH: u64 = 10;
/// What a probe shows beyond what is needed, in 1/16.
const MARGIN: u64 = 1;

/// A source that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The caller's key.
    pub id: u64,
    pub media: MediaType,
    /// The highest bitrate of each encoding, the smallest first; 0: nobody wants it (`encodings`).
    pub layers: Vec<u64>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// An encoding is to be sent with this bitrate; 0: not at all.
    Target { source: u64, encoding: u32, bps: u64 },
    /// The engine is to try a higher rate.
    Probe { bps: u64, duration: Duration },
}

#[derive(Debug)]
struct Layer {
    max: u64,
    on: bool,
    bps: u64,
    told: Option<u64>,
    up_since: Option<Time>,
}

impl Layer {
    fn worth(&self) -> u64 {
        self.max * WORTH / 16
    }
}

#[derive(Debug)]
struct Shared {
    id: u64,
    media: MediaType,
    layers: Vec<Layer>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Try {
    needed: u64,
    until: Time,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Allocation {
    sources: Vec<Shared>,
    estimate: u64,
    /// The estimate is one, not the guess that it began with.
    measured: bool,
    trying: Option<Try>,
    not_before: Option<Time>,
    failures: u32,
    out: VecDeque<Output>,
}

impl Allocation {
    /// Nothing to send, nothing known of the path.
    pub fn new() -> Allocation {
        Allocation::default()
    }

    /// Nothing is known of the path but what one may begin with: no more is tried before the first estimate.
    pub fn starting_at(bps: u64) -> Allocation {
        Allocation { estimate: bps, ..Allocation::default() }
    }

    /// What is sent and wanted now, in order of importance. A layer that was sent goes on being sent.
    pub fn set_sources(&mut self, sources: &[Source], now: Time) {
        let mut old = std::mem::take(&mut self.sources);
        for s in sources.iter().take(MAX_SOURCES) {
            let mut known = old.iter().position(|o| o.id == s.id).map(|at| old.swap_remove(at).layers.into_iter());
            let layers = s.layers.iter().take(MAX_LAYERS).map(|max| {
                let before = known.as_mut().and_then(Iterator::next);
                let new = Layer { max: *max, on: false, bps: 0, told: None, up_since: None };
                before.map_or(new, |l| Layer { max: *max, on: l.on && *max > 0, ..l })
            });
            self.sources.push(Shared { id: s.id, media: s.media, layers: layers.collect() });
        }
        self.share(now);
    }

    /// What the path carries.
    pub fn estimate(&mut self, bps: u64, now: Time) {
        self.estimate = bps;
        self.measured = true;
        if self.trying.is_some_and(|t| bps >= t.needed) {
            self.trying = None;
            if let Some((source, layer)) = self.next_up() {
                let l = &mut self.sources[source].layers[layer];
                (l.on, l.up_since) = (true, Some(now));
            }
            self.not_before = Some(now + STEP);
        }
        self.share(now);
    }

    /// A deadline may have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.trying.is_some_and(|t| now >= t.until) {
            self.trying = None;
            self.failed(now);
        }
        self.share(now);
    }

    /// When to call [`Allocation::handle_timeout`].
    pub fn next_deadline(&self) -> Option<Time> {
        match self.trying {
            Some(t) => Some(t.until),
            None => self.not_before.filter(|_| self.next_up().is_some()),
        }
    }

    /// The next thing to be done.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn failed(&mut self, now: Time) {
        let wait = HOLD_OFF.saturating_mul(1 << self.failures.min(8)).min(MAX_HOLD_OFF);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now + wait);
    }

    /// The order in which video layers get something: all lowest ones first. Those that nobody wants are left out.
    fn order(&self) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for level in 0..MAX_LAYERS {
            for (at, s) in self.sources.iter().enumerate().filter(|s| s.1.media == MediaType::Video) {
                let wanted = s.layers.iter().enumerate().filter(|l| l.1.max > 0).nth(level);
                all.extend(wanted.map(|(layer, _)| (at, layer)));
            }
        }
        all
    }

    fn lowest(&self, (source, layer): (usize, usize)) -> bool {
        self.sources[source].layers[..layer].iter().all(|l| l.max == 0)
    }

    /// The next layer that is wanted and not sent, if all below it are.
    fn next_up(&self) -> Option<(usize, usize)> {
        self.order().into_iter().find(|(s, l)| !self.sources[*s].layers[*l].on)
    }

    fn audio(&self) -> u64 {
        let audio = self.sources.iter().filter(|s| s.media == MediaType::Audio);
        audio.flat_map(|s| &s.layers).map(|l| l.max).sum()
    }

    fn share(&mut self, now: Time) {
        let order = self.order();
        for at in &order {
            // The lowest layer needs no leave.
            if self.lowest(*at) {
                self.sources[at.0].layers[at.1].on = true;
            }
        }
        self.give_up(&order, now);
        let mut left = self.estimate.saturating_sub(self.audio());
        for s in &mut self.sources {
            for l in &mut s.layers {
                l.bps = if s.media == MediaType::Audio { l.max } else { 0 };
            }
        }
        // First what makes each layer worth sending, then the rest, from below.
        for (n, at) in order.iter().enumerate() {
            let lowest = self.lowest(*at);
            let others: u64 = order[n + 1..].iter().map(|o| self.needs(*o)).sum();
            let l = &mut self.sources[at.0].layers[at.1];
            if !l.on {
                continue;
            }
            let floor = if lowest { l.max * FLOOR / 16 } else { l.worth() };
            l.bps = left.saturating_sub(others).clamp(floor, l.max);
            left = left.saturating_sub(l.bps);
        }
        self.tell();
        self.try_next(now);
    }

    /// What a layer that is on takes at least.
    fn needs(&self, at: (usize, usize)) -> u64 {
        let l = &self.sources[at.0].layers[at.1];
        match (l.on, self.lowest(at)) {
            (false, _) => 0,
            (true, true) => l.max * FLOOR / 16,
            (true, false) => l.worth(),
        }
    }

    /// The highest layers go while the estimate does not carry what they are worth.
    fn give_up(&mut self, order: &[(usize, usize)], now: Time) {
        let audio = self.audio();
        for at in order.iter().rev() {
            let needed: u64 = order.iter().map(|o| self.needs(*o)).sum();
            if audio + needed <= self.estimate {
                return;
            }
            let lowest = self.lowest(*at);
            let l = &mut self.sources[at.0].layers[at.1];
            if !l.on || lowest {
                continue;
            }
            l.on = false;
            let trial = l.up_since.take().is_some_and(|t| now < t + TRIAL);
            self.failures = if trial { self.failures } else { 0 };
            self.failed(now);
        }
    }

    fn tell(&mut self) {
        for s in &mut self.sources {
            for (encoding, l) in s.layers.iter_mut().enumerate() {
                // Small changes are not worth an encoder's trouble.
                let same = l.told.is_some_and(|t| (t == 0) == (l.bps == 0) && t.abs_diff(l.bps) * 20 <= t);
                if !same {
                    l.told = Some(l.bps);
                    self.out.push_back(Output::Target { source: s.id, encoding: encoding as u32, bps: l.bps });
                }
            }
        }
    }

    fn try_next(&mut self, now: Time) {
        if !self.measured || self.estimate == 0 || self.trying.is_some() || self.not_before.is_some_and(|t| now < t) {
            return;
        }
        for l in self.sources.iter_mut().flat_map(|s| &mut s.layers) {
            // A layer that stayed was no failure, and what failed before is forgotten.
            if l.up_since.is_some_and(|t| now >= t + TRIAL) {
                l.up_since = None;
                self.failures = 0;
            }
        }
        let Some(next) = self.next_up() else { return };
        let on = self.order().into_iter().map(|(s, l)| &self.sources[s].layers[l]).filter(|l| l.on);
        // What is below it is not to suffer.
        let below: u64 = on.map(|l| l.max).sum();
        let needed = self.audio() + below + self.sources[next.0].layers[next.1].worth();
        let needed = needed + needed * MARGIN / 16;
        self.trying = Some(Try { needed, until: now + PROBE + PROBE_SETTLE });
        self.out.push_back(Output::Probe { bps: needed + needed * MARGIN / 16, duration: PROBE });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::Env;

    fn at(ms: u64) -> Time {
        Time::new(1_000_000 + ms * 1000, ms as i64 * 1000)
    }

    fn source(id: u64, media: MediaType, layers: &[u64]) -> Source {
        Source { id, media, layers: layers.to_vec() }
    }

    fn camera(id: u64) -> Source {
        source(id, MediaType::Video, &[200_000, 500_000, 1_500_000])
    }

    fn microphone() -> Source {
        source(1, MediaType::Audio, &[40_000])
    }

    fn drain(a: &mut Allocation) -> (Vec<(u64, u32, u64)>, Option<u64>) {
        let (mut targets, mut probe) = (vec![], None);
        while let Some(o) = a.poll_output() {
            match o {
                Output::Target { source, encoding, bps } => targets.push((source, encoding, bps)),
                Output::Probe { bps, duration } => {
                    assert_eq!((probe, duration), (None, PROBE));
                    probe = Some(bps);
                }
            }
        }
        (targets, probe)
    }

    /// The state of each encoding after all outputs.
    fn current(state: &mut std::collections::BTreeMap<(u64, u32), u64>, a: &mut Allocation) -> Option<u64> {
        let (targets, probe) = drain(a);
        state.extend(targets.into_iter().map(|t| ((t.0, t.1), t.2)));
        probe
    }

    #[test]
    fn audio_comes_first_and_the_lowest_layer_is_never_given_up() {
        let mut a = Allocation::new();
        a.set_sources(&[camera(2), microphone()], at(0));
        a.estimate(30_000, at(0));
        let (targets, _) = drain(&mut a);
        assert!(targets.contains(&(1, 0, 40_000)));
        assert!(targets.contains(&(2, 0, 50_000)));
        assert!(targets.contains(&(2, 1, 0)) && targets.contains(&(2, 2, 0)));
    }

    #[test]
    fn a_layer_goes_up_after_a_probe_that_the_estimate_believes_and_not_before() {
        let mut a = Allocation::new();
        let mut state = Default::default();
        a.set_sources(&[microphone(), camera(2)], at(0));
        a.estimate(300_000, at(0));
        let probe = current(&mut state, &mut a).unwrap();
        // Audio, the lowest layer whole, and what the next is worth.
        assert!(probe > 40_000 + 200_000 + 312_500);
        assert_eq!(state.values().copied().collect::<Vec<_>>(), [40_000, 200_000, 0, 0]);
        a.estimate(500_000, at(100));
        assert_eq!(current(&mut state, &mut a), None);
        assert_eq!(state[&(2, 1)], 0);
        a.estimate(probe, at(200));
        current(&mut state, &mut a);
        assert!(state[&(2, 1)] >= 312_500, "{state:?}");
        assert_eq!(state[&(2, 2)], 0);
        // The next one waits its step.
        assert_eq!(a.next_deadline(), Some(at(200) + STEP));
        a.handle_timeout(at(200) + STEP);
        let probe = current(&mut state, &mut a).unwrap();
        a.estimate(probe, at(1400));
        current(&mut state, &mut a);
        assert!(state[&(2, 2)] >= 937_500 && state[&(2, 1)] == 500_000, "{state:?}");
        assert_eq!(a.next_deadline(), None);
    }

    #[test]
    fn a_probe_that_fails_is_followed_by_a_wait_that_doubles_up_to_its_limit() {
        let mut a = Allocation::new();
        a.set_sources(&[camera(2)], at(0));
        a.estimate(300_000, at(0));
        let mut now = at(0);
        let mut wait = HOLD_OFF;
        for n in 0..8 {
            assert!(drain(&mut a).1.is_some(), "{n}");
            let end = a.next_deadline().unwrap();
            assert_eq!(end, now + PROBE + PROBE_SETTLE);
            a.handle_timeout(end);
            assert_eq!(drain(&mut a).1, None);
            now = a.next_deadline().unwrap();
            assert_eq!(now, end + wait, "{n}");
            a.handle_timeout(Time::new(now.mono_us - 1, now.unix_us - 1));
            assert_eq!(drain(&mut a).1, None);
            a.handle_timeout(now);
            wait = (wait * 2).min(MAX_HOLD_OFF);
        }
        assert_eq!(wait, MAX_HOLD_OFF);
    }

    #[test]
    fn when_the_estimate_falls_the_highest_layer_goes_and_comes_back_later() {
        let mut a = Allocation::new();
        let mut state = Default::default();
        a.set_sources(&[camera(2), camera(3)], at(0));
        let mut now = 0;
        a.estimate(300_000, at(0));
        for _ in 0..20 {
            let probe = current(&mut state, &mut a);
            now += 1000;
            a.handle_timeout(at(now));
            probe.into_iter().for_each(|p| a.estimate(p, at(now)));
        }
        assert!(state.values().all(|b| *b > 0), "{state:?}");
        a.estimate(1_700_000, at(now));
        assert_eq!(current(&mut state, &mut a), None);
        let on: Vec<_> = state.iter().filter(|s| *s.1 > 0).map(|s| *s.0).collect();
        assert_eq!(on, [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1)], "{state:?}");
        assert!(state.values().sum::<u64>() <= 1_700_000);
        assert!(a.next_deadline().unwrap() >= at(now) + HOLD_OFF);
        a.estimate(250_000, at(now + 100));
        current(&mut state, &mut a);
        assert_eq!(state.values().filter(|b| **b > 0).count(), 2);
        assert!(state[&(2, 0)] >= 50_000 && state[&(3, 0)] >= 50_000);
    }

    #[test]
    fn what_nobody_wants_is_not_sent_and_takes_nothing() {
        let mut a = Allocation::new();
        let mut state = Default::default();
        a.set_sources(&[source(2, MediaType::Video, &[0, 0, 2_500_000]), camera(3)], at(0));
        a.estimate(3_000_000, at(0));
        current(&mut state, &mut a);
        // The only one that is wanted is the lowest one.
        assert_eq!((state[&(2, 0)], state[&(2, 1)], state[&(2, 2)]), (0, 0, 2_500_000));
        a.set_sources(&[source(2, MediaType::Video, &[0, 0, 0]), camera(3)], at(10));
        current(&mut state, &mut a);
        assert_eq!((state[&(2, 2)], state[&(3, 0)]), (0, 200_000));
    }

    #[test]
    fn more_sources_and_layers_than_the_limits_are_not_looked_at() {
        let many: Vec<_> =
            (0..MAX_SOURCES as u64 + 1).map(|n| source(n, MediaType::Video, &[1600; MAX_LAYERS + 1])).collect();
        let mut a = Allocation::new();
        a.set_sources(&many, at(0));
        let (targets, _) = drain(&mut a);
        assert_eq!(targets.len(), MAX_SOURCES * MAX_LAYERS);
    }

    #[test]
    fn whatever_comes_the_sum_keeps_to_the_estimate_or_to_the_floors() {
        for seed in 0..200 {
            let mut env = Env::seeded(seed);
            let mut a = Allocation::new();
            let mut state = std::collections::BTreeMap::new();
            let mut now = 0;
            let (mut sources, mut estimate) = (vec![], 0);
            for step in 0..200 {
                now += u64::from(env.below(2000));
                match env.below(4) {
                    0 => {
                        sources = (0..env.below(4) as u64)
                            .map(|n| {
                                source(
                                    n,
                                    if n == 0 { MediaType::Audio } else { MediaType::Video },
                                    &[32_000, 500_000, 1_500_000][..1 + env.below(3) as usize],
                                )
                            })
                            .collect();
                        a.set_sources(&sources, at(now));
                    }
                    1 => a.handle_timeout(at(now)),
                    _ => {
                        estimate = u64::from(env.below(6_000_000));
                        a.estimate(estimate, at(now));
                    }
                }
                current(&mut state, &mut a);
                state.retain(|k, _| sources.iter().any(|s| s.id == k.0 && (k.1 as usize) < s.layers.len()));
                let audio: u64 = sources.iter().filter(|s| s.media == MediaType::Audio).flat_map(|s| &s.layers).sum();
                let floors =
                    sources.iter().filter(|s| s.media == MediaType::Video).map(|s| s.layers[0] / 4).sum::<u64>();
                let sum: u64 = state.values().sum();
                // Five per cent stay untold.
                assert!(
                    sum <= (estimate + estimate / 19).max(audio + floors),
                    "{seed} {step}: {state:?} of {estimate}"
                );
                for s in sources.iter().filter(|s| s.media == MediaType::Video) {
                    let on: Vec<bool> = (0..s.layers.len()).map(|e| state[&(s.id, e as u32)] > 0).collect();
                    assert!(on[0] && on.windows(2).all(|w| w[0] || !w[1]), "{seed} {step}: {state:?}");
                }
            }
        }
    }
}
