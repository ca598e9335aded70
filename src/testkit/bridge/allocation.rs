//! Which video sources a receiver gets, and which layer of each (docs/protocol/04 §4): order, last-N, constraints, then the budget
//! is given out in rounds. Layers are spatial only; temporal ones are forwarded whole.

use crate::wire::colibri::ReceiverConstraints;
use std::collections::BTreeMap;

/// Above this height a camera is first brought to it before anything else gets more.
const PREFERRED_HEIGHT: i32 = 360;
/// How far the first on-stage screen share may go over the budget, bit/s.
const OVERSEND: u64 = 500_000;
/// Height of a source that is not named, once the receiver has said anything at all.
const DEFAULT_HEIGHT: i32 = 180;

/// One encoding of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub height: i32,
    /// Measured, bit/s; 0 when nothing comes.
    pub bps: u64,
}

/// A source that could be given.
#[derive(Clone, Debug)]
pub(super) struct Available {
    pub name: String,
    pub desktop: bool,
    /// Not muted.
    pub enabled: bool,
    /// Lowest first.
    pub layers: Vec<Layer>,
}

/// What became of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Allocated {
    pub name: String,
    /// Its place among those that there were.
    pub at: usize,
    /// What the receiver wants of it after last-N: −1 any height, 0 nothing.
    pub effective: i32,
    /// The layer it gets.
    pub layer: Option<usize>,
    /// bit/s of what it would get with endless bandwidth.
    pub ideal: u64,
}

/// What a receiver asked for so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub last_n: i32,
    pub on_stage: Vec<String>,
    pub selected: Vec<String>,
    pub default_height: i32,
    pub heights: BTreeMap<String, i32>,
    said: bool,
}

impl Default for Settings {
    /// Before the first message no video is wanted at all.
    fn default() -> Settings {
        Settings {
            last_n: -1,
            on_stage: Vec::new(),
            selected: Vec::new(),
            default_height: 0,
            heights: BTreeMap::new(),
            said: false,
        }
    }
}

impl Settings {
    /// Takes a message; what it does not name stays as it was.
    pub fn take(&mut self, c: ReceiverConstraints) {
        let first = !std::mem::replace(&mut self.said, true);
        let default = c.default_height.or(first.then_some(DEFAULT_HEIGHT));
        self.default_height = default.unwrap_or(self.default_height);
        self.last_n = c.last_n.unwrap_or(self.last_n);
        self.on_stage = c.on_stage.unwrap_or_else(|| std::mem::take(&mut self.on_stage));
        self.selected = c.selected.unwrap_or_else(|| std::mem::take(&mut self.selected));
        self.heights = c.heights.unwrap_or_else(|| std::mem::take(&mut self.heights));
    }

    fn wants(&self, name: &str) -> i32 {
        self.heights.get(name).copied().unwrap_or(self.default_height)
    }
}

/// Gives out `budget` bit/s. `sources` come in order of speech; `limit` is the bridge's own last-N (−1 none).
pub(super) fn allocate(settings: &Settings, sources: &[&Available], limit: i32, budget: u64) -> Vec<Allocated> {
    let rank = |s: &Available| {
        let at = |list: &[String]| list.iter().position(|n| *n == s.name);
        match (at(&settings.on_stage), at(&settings.selected)) {
            (Some(i), _) => (0, i),
            (None, Some(i)) => (1, i),
            (None, None) => (2 + usize::from(!s.enabled), 0),
        }
    };
    let mut order: Vec<(usize, &Available)> = sources.iter().copied().enumerate().collect();
    // Stable: those of the same rank stay in order of speech.
    order.sort_by_key(|(_, s)| rank(s));
    let last_n = [settings.last_n, limit].into_iter().filter(|n| *n >= 0).min();
    let mut left = last_n.map_or(usize::MAX, |n| n as usize);
    let mut open: Vec<Candidate<'_>> = order
        .into_iter()
        .map(|(at, source)| {
            let wanted = settings.wants(&source.name);
            let counts = wanted != 0 && source.enabled;
            let inside = counts && left > 0;
            left -= usize::from(inside);
            let on_stage = settings.on_stage.contains(&source.name);
            Candidate::new(at, source, if inside { wanted } else { 0 }, on_stage)
        })
        .collect();
    give(&mut open, budget);
    open.into_iter()
        .map(|c| Allocated {
            name: c.source.name.clone(),
            at: c.at,
            effective: c.effective,
            ideal: c.steps.last().map_or(0, |l| c.bps(*l)),
            layer: c.given.map(|g| c.steps[g]),
        })
        .collect()
}

struct Candidate<'a> {
    at: usize,
    source: &'a Available,
    effective: i32,
    on_stage: bool,
    /// Layers it may get, lowest first.
    steps: Vec<usize>,
    /// Into `steps`: up to there it is served before those after it.
    preferred: usize,
    given: Option<usize>,
}

impl<'a> Candidate<'a> {
    fn new(at: usize, source: &'a Available, effective: i32, on_stage: bool) -> Candidate<'a> {
        let layers = &source.layers;
        let any_active = layers.iter().any(|l| l.bps > 0);
        let lowest = layers.iter().map(|l| l.height).min().unwrap_or(0);
        let fits = |h: i32| effective < 0 || h <= effective;
        let small = (1..=180).contains(&effective);
        let wanted = |l: &Layer| {
            if source.desktop {
                fits(l.height)
            } else {
                fits(l.height) || l.height == lowest || (!small && l.height < PREFERRED_HEIGHT)
            }
        };
        let usable = |i: &usize| !any_active || layers[*i].bps > 0;
        let mut steps: Vec<usize> = Vec::new();
        if effective != 0 {
            steps = (0..layers.len()).filter(usable).filter(|i| wanted(&layers[*i])).collect();
            if steps.is_empty() {
                steps = (0..layers.len()).find(usable).into_iter().collect();
            }
        }
        let preferred = if source.desktop {
            steps.len().saturating_sub(1)
        } else {
            let goal = if small { lowest } else { PREFERRED_HEIGHT };
            steps.iter().rposition(|i| layers[*i].height <= goal).unwrap_or(0)
        };
        Candidate { at, source, effective, on_stage, steps, preferred, given: None }
    }

    fn bps(&self, layer: usize) -> u64 {
        self.source.layers[layer].bps
    }

    fn cost(&self, step: Option<usize>) -> u64 {
        step.map_or(0, |s| self.bps(self.steps[s]))
    }

    /// The next better step within `room` beyond what it has; on stage at first as far as it goes towards the preferred one.
    fn better(&self, room: u64) -> Option<usize> {
        let have = self.cost(self.given);
        let affordable = |s: &usize| self.cost(Some(*s)) <= have + room;
        let next = self.given.map_or(0, |g| g + 1);
        if self.on_stage && self.given.is_none() {
            return (next..=self.preferred.min(self.steps.len().saturating_sub(1)))
                .rev()
                .filter(|s| *s < self.steps.len())
                .find(affordable);
        }
        (next..self.steps.len()).take(1).find(affordable)
    }

    /// A higher layer that costs no more is taken instead.
    fn skip(&mut self) {
        let Some(given) = self.given else { return };
        let cost = self.cost(Some(given));
        let last = (given..self.steps.len()).rfind(|s| self.cost(Some(*s)) <= cost);
        self.given = last.or(self.given);
    }
}

fn give(open: &mut [Candidate<'_>], budget: u64) {
    let mut left = budget;
    loop {
        let mut changed = false;
        for c in open.iter_mut() {
            if let Some(step) = c.better(left) {
                let before = c.cost(c.given);
                c.given = Some(step);
                c.skip();
                left = (left + before).saturating_sub(c.cost(c.given));
                changed = true;
            }
            // On stage comes first: nothing for the others until it has what it prefers.
            if c.on_stage && !c.steps.is_empty() && c.given.is_none_or(|g| g < c.preferred) {
                break;
            }
        }
        if !changed {
            break;
        }
    }
    if let Some(c) = open.first_mut().filter(|c| c.on_stage && c.source.desktop) {
        let top = c.steps.len().saturating_sub(1);
        if c.given.is_none_or(|g| g < top)
            && !c.steps.is_empty()
            && c.cost(Some(top)) <= c.cost(c.given) + left + OVERSEND
        {
            c.given = Some(top);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allocate(settings: &Settings, sources: &[Available], limit: i32, budget: u64) -> Vec<Allocated> {
        super::allocate(settings, &sources.iter().collect::<Vec<_>>(), limit, budget)
    }

    fn camera(name: &str, bps: [u64; 3]) -> Available {
        let layers = [180, 360, 720].into_iter().zip(bps).map(|(height, bps)| Layer { height, bps }).collect();
        Available { name: name.into(), desktop: false, enabled: true, layers }
    }

    const FULL: [u64; 3] = [150_000, 500_000, 1_500_000];

    fn wanting(json: &[(&str, i32)], default: i32) -> Settings {
        let mut s = Settings::default();
        s.take(ReceiverConstraints {
            default_height: Some(default),
            heights: Some(json.iter().map(|(n, h)| ((*n).to_owned(), *h)).collect()),
            ..Default::default()
        });
        s
    }

    fn layers(s: &Settings, all: &[Available], budget: u64) -> Vec<(String, Option<usize>)> {
        allocate(s, all, -1, budget).into_iter().map(|a| (a.name, a.layer)).collect()
    }

    #[test]
    fn no_video_before_the_first_message_and_180_lines_after_one_that_says_nothing() {
        let all = [camera("a", FULL)];
        let mut s = Settings::default();
        assert_eq!(layers(&s, &all, u64::MAX), [("a".into(), None)]);
        s.take(ReceiverConstraints { last_n: Some(-1), ..Default::default() });
        let got = allocate(&s, &all, -1, u64::MAX);
        assert_eq!((got[0].effective, got[0].layer), (180, Some(0)));
        // Later messages leave alone what they do not name.
        s.take(ReceiverConstraints { default_height: Some(720), ..Default::default() });
        s.take(ReceiverConstraints { last_n: Some(5), ..Default::default() });
        assert_eq!(layers(&s, &all, u64::MAX), [("a".into(), Some(2))]);
    }

    #[test]
    fn heights_choose_layers_as_the_videobridge_does() {
        let all = [camera("a", FULL)];
        for (height, layer) in
            [(0, None), (100, Some(0)), (180, Some(0)), (200, Some(0)), (360, Some(1)), (720, Some(2)), (-1, Some(2))]
        {
            assert_eq!(layers(&wanting(&[("a", height)], 0), &all, u64::MAX), [("a".into(), layer)], "{height}");
        }
        // A layer that is not sent is not chosen, unless none is sent.
        let silent = [camera("a", [100_000, 0, 0])];
        assert_eq!(layers(&wanting(&[], 720), &silent, u64::MAX), [("a".into(), Some(0))]);
        let nothing = [camera("a", [0, 0, 0])];
        assert_eq!(layers(&wanting(&[], 720), &nothing, u64::MAX), [("a".into(), Some(2))]);
    }

    #[test]
    fn last_n_counts_what_is_wanted_and_enabled_and_the_rest_has_no_effective_height() {
        let mut muted = camera("m", FULL);
        muted.enabled = false;
        let all = [muted, camera("a", FULL), camera("z", FULL), camera("b", FULL)];
        let mut s = wanting(&[("z", 0)], 180);
        s.last_n = 1;
        let got = allocate(&s, &all, -1, u64::MAX);
        let effective: Vec<_> = got.iter().map(|a| (a.name.as_str(), a.effective)).collect();
        assert_eq!(effective, [("a", 180), ("z", 0), ("b", 0), ("m", 0)]);
        assert!(got.iter().all(|a| all[a.at].name == a.name));
        s.last_n = -1;
        let got = allocate(&s, &all, 0, u64::MAX);
        assert!(got.iter().all(|a| a.effective == 0 && a.layer.is_none()));
    }

    #[test]
    fn on_stage_comes_first_and_the_others_share_what_is_left_in_rounds() {
        let all = [camera("a", FULL), camera("b", FULL), camera("c", FULL)];
        let mut s = wanting(&[], 720);
        assert_eq!(layers(&s, &all, 1_200_000).iter().filter(|l| l.1.is_some()).count(), 3);
        s.on_stage = vec!["c".into()];
        let got = layers(&s, &all, 700_000);
        assert_eq!(got[0], ("c".into(), Some(1)));
        assert_eq!(got[1..], [("a".into(), Some(0)), ("b".into(), None)]);
        // It does not have what it prefers: nothing for the others.
        let got = layers(&s, &all, 400_000);
        assert_eq!(got, [("c".into(), Some(0)), ("a".into(), None), ("b".into(), None)]);
    }

    #[test]
    fn a_screen_on_stage_may_go_over_the_budget_and_others_may_not() {
        let mut screen = camera("s", [0, 0, 900_000]);
        screen.desktop = true;
        let all = [screen];
        let mut s = wanting(&[], 720);
        assert_eq!(layers(&s, &all, 500_000), [("s".into(), None)]);
        s.on_stage = vec!["s".into()];
        assert_eq!(layers(&s, &all, 500_000), [("s".into(), Some(2))]);
        assert_eq!(layers(&s, &all, 300_000), [("s".into(), None)]);
    }
}
