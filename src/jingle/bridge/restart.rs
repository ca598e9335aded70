//! The policy of restarts: a new path in place while the engine lives, a new session once it does not, and when that does not help either,
//! the room again (docs/protocol/02 §10.4, §11.1, §23.11, §23.15). Values in, values out: it knows neither stanzas nor sessions.
//!
//! Each kind of request has a budget inside the focus's own limits, so that it never has to refuse us.

use crate::jingle::types::due;
use crate::time::Time;
use std::collections::VecDeque;
use std::time::Duration;

/// Least time between two requests of a kind: the focus's 5 s, and one more because a network may shorten the distance.
pub const MIN_BETWEEN_RESTARTS: Duration = Duration::from_secs(6);
/// Requests of a kind in [`RESTART_WINDOW`], as the focus allows them.
pub const MAX_RESTARTS_IN_WINDOW: usize = 5;
/// The focus's minute, and a second more.
pub const RESTART_WINDOW: Duration = Duration::from_secs(61);
/// Lost paths that are answered by restarts before the room is to be joined again.
pub const MAX_RESTART_ATTEMPTS: u32 = 3;
/// How long a restart in place may take; after that another may be asked for.
pub const IN_PLACE_WAIT: Duration = Duration::from_secs(15);
/// A path that held as long makes all attempts before it forgotten.
pub const STABLE_AFTER: Duration = Duration::from_secs(60);

/// How a path is sought again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A new ICE agent in the same session.
    InPlace,
    /// A new session.
    Full,
}

/// What a lost path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A restart, when its time has come.
    Restart,
    /// One is under way already.
    UnderWay,
    /// Enough of them.
    Exhausted,
}

/// When requests of a kind were made, and may be made.
#[derive(Debug, Default)]
pub(super) struct Budget(VecDeque<Time>);

impl Budget {
    /// The first moment, from `now` on, at which one more is allowed.
    pub(super) fn next(&self, now: Time) -> Time {
        let after = |t: Option<&Time>, wait| t.map_or(now, |t| *t + wait);
        let spaced = after(self.0.back(), MIN_BETWEEN_RESTARTS);
        let full = (self.0.len() >= MAX_RESTARTS_IN_WINDOW).then(|| after(self.0.front(), RESTART_WINDOW));
        [Some(spaced), full].into_iter().flatten().fold(now, Time::max)
    }

    pub(super) fn spend(&mut self, now: Time) {
        if self.0.len() >= MAX_RESTARTS_IN_WINDOW {
            self.0.pop_front();
        }
        self.0.push_back(now);
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Calm,
    /// A step waits for its budget; `wanted` whether a path is there or not.
    Due { step: Step, at: Time, wanted: bool },
    /// A restart in place was asked for.
    InPlace { until: Time },
}

/// Where the restarts of a conference are.
#[derive(Debug, Default)]
pub(super) struct Restarts {
    pub in_place: Budget,
    pub full: Budget,
    stage: Stage,
    attempts: u32,
    connected_since: Option<Time>,
    /// The focus has the restart in place switched off.
    pub unsupported: bool,
}

impl Restarts {
    /// A new session begins.
    pub(super) fn session_began(&mut self) {
        self.stage = Stage::Calm;
        self.connected_since = None;
    }

    /// A new participant of the room, as far as the focus is concerned.
    pub(super) fn forget_attempts(&mut self) {
        self.stage = Stage::Calm;
        self.attempts = 0;
    }

    pub(super) fn under_way(&self) -> bool {
        self.stage != Stage::Calm
    }

    pub(super) fn connected(&mut self, now: Time) {
        if !matches!(self.stage, Stage::Due { wanted: true, .. }) {
            self.stage = Stage::Calm;
        }
        self.connected_since.get_or_insert(now);
    }

    /// Somebody wants a restart for a reason of his own. One in place costs no attempt: the path that is there stays.
    pub(super) fn want(&mut self, step: Step, now: Time) -> Verdict {
        if self.under_way() {
            return Verdict::UnderWay;
        }
        if step == Step::Full && !self.attempt(self.connected_since, now) {
            return Verdict::Exhausted;
        }
        self.plan(step, true, now);
        Verdict::Restart
    }

    /// Counts an attempt, if there is one left.
    fn attempt(&mut self, connected_since: Option<Time>, now: Time) -> bool {
        if connected_since.is_some_and(|since| now.since(since) >= STABLE_AFTER) {
            self.attempts = 0;
        }
        let left = self.attempts < MAX_RESTART_ATTEMPTS;
        self.attempts += u32::from(left);
        left
    }

    /// The path is lost for good, for the engine is at its end: what was under way in place would be in vain.
    pub(super) fn lost(&mut self, now: Time) -> Verdict {
        let connected_since = self.connected_since.take();
        if matches!(self.stage, Stage::Due { step: Step::Full, .. }) {
            return Verdict::UnderWay;
        }
        if !self.attempt(connected_since, now) {
            return Verdict::Exhausted;
        }
        self.plan(Step::Full, false, now);
        Verdict::Restart
    }

    fn plan(&mut self, step: Step, wanted: bool, now: Time) {
        let budget = if step == Step::InPlace { &self.in_place } else { &self.full };
        self.stage = Stage::Due { step, at: budget.next(now), wanted };
    }

    /// A restart in place was asked for: the wait begins.
    pub(super) fn asked_in_place(&mut self, now: Time) {
        self.stage = Stage::InPlace { until: now + IN_PLACE_WAIT };
    }

    /// The asking was answered: the wait begins anew, if it is still of use.
    pub(super) fn in_place_accepted(&mut self, now: Time) {
        if matches!(self.stage, Stage::InPlace { .. }) {
            self.asked_in_place(now);
        }
    }

    /// The restart in place was refused, or its time is over. The path of before may still hold; if not, that is told.
    pub(super) fn in_place_failed(&mut self) {
        if matches!(self.stage, Stage::InPlace { .. }) {
            self.stage = Stage::Calm;
        }
    }

    /// The step whose time has come.
    pub(super) fn take_due(&mut self, now: Time) -> Option<Step> {
        if let Stage::InPlace { until } = self.stage
            && due(Some(until), now)
        {
            self.in_place_failed();
        }
        match self.stage {
            Stage::Due { step, at, .. } if due(Some(at), now) => {
                self.stage = Stage::Calm;
                Some(step)
            }
            _ => None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.stage {
            Stage::Calm => None,
            Stage::Due { at, .. } => Some(at),
            Stage::InPlace { until } => Some(until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Time {
        Time::new(ms * 1000, ms as i64 * 1000)
    }

    #[test]
    fn requests_stay_apart_and_below_their_number_in_a_window() {
        let mut b = Budget::default();
        assert_eq!(b.next(at(7)), at(7));
        let mut now = at(1000);
        let mut made = Vec::new();
        for _ in 0..12 {
            now = b.next(now);
            b.spend(now);
            made.push(now);
        }
        assert!(made.windows(2).all(|w| w[1].since(w[0]) >= MIN_BETWEEN_RESTARTS));
        assert!(
            made.windows(MAX_RESTARTS_IN_WINDOW + 1).all(|w| w[MAX_RESTARTS_IN_WINDOW].since(w[0]) >= RESTART_WINDOW)
        );
        // At the limit, not before it: the fifth comes as soon as it may.
        assert_eq!(made[4].since(made[0]), MIN_BETWEEN_RESTARTS * 4);
        assert_eq!(made[5].since(made[0]), RESTART_WINDOW);
    }

    #[test]
    fn in_place_comes_first_and_gives_way_to_a_new_session_when_the_path_is_lost() {
        for asked in [false, true] {
            let mut r = Restarts::default();
            r.in_place.spend(at(0));
            r.connected(at(0));
            assert_eq!(r.want(Step::InPlace, at(1000)), Verdict::Restart);
            if asked {
                assert_eq!((r.take_due(at(5999)), r.take_due(at(6000))), (None, Some(Step::InPlace)));
                r.asked_in_place(at(6000));
                assert_eq!((r.take_due(at(20_999)), r.deadline()), (None, Some(at(21_000))));
            }
            assert_eq!(r.lost(at(20_999)), Verdict::Restart);
            assert_eq!(r.lost(at(20_999)), Verdict::UnderWay);
            // An answer that is late changes nothing, nor does a refusal.
            r.in_place_accepted(at(20_999));
            r.in_place_failed();
            assert_eq!(r.take_due(at(20_999)), Some(Step::Full));
            assert!(!r.under_way());
        }
    }

    #[test]
    fn a_path_that_is_back_ends_the_round() {
        let mut r = Restarts::default();
        r.want(Step::InPlace, at(0));
        r.take_due(at(0));
        r.asked_in_place(at(0));
        r.connected(at(2000));
        assert_eq!((r.take_due(at(60_000)), r.deadline()), (None, None));
    }

    #[test]
    fn a_restart_in_place_that_fails_beside_a_living_path_leads_nowhere_else() {
        let mut r = Restarts::default();
        r.connected(at(0));
        r.asked_in_place(at(1));
        r.in_place_failed();
        assert!(!r.under_way());
        r.asked_in_place(at(3));
        assert_eq!((r.take_due(at(20_000)), r.under_way()), (None, false));
    }

    #[test]
    fn a_restart_that_is_wanted_waits_for_its_budget_and_not_for_a_loss() {
        let mut r = Restarts::default();
        r.full.spend(at(0));
        r.connected(at(1));
        assert_eq!(r.want(Step::Full, at(2)), Verdict::Restart);
        assert_eq!(r.want(Step::InPlace, at(2)), Verdict::UnderWay);
        // That the path is there is no news.
        r.connected(at(3));
        assert_eq!((r.take_due(at(5999)), r.take_due(at(6000))), (None, Some(Step::Full)));
        for _ in 1..MAX_RESTART_ATTEMPTS {
            assert_eq!(r.want(Step::Full, at(7000)), Verdict::Restart);
            r.session_began();
        }
        assert_eq!(r.want(Step::Full, at(8000)), Verdict::Exhausted);
        // One in place is no attempt.
        for _ in 0..9 {
            assert_eq!(r.want(Step::InPlace, at(9000)), Verdict::Restart);
            r.session_began();
        }
    }

    #[test]
    fn three_attempts_and_no_more_until_a_minute_was_stable() {
        let mut r = Restarts::default();
        let mut now = at(0);
        for _ in 0..MAX_RESTART_ATTEMPTS {
            r.connected(now);
            now = now + (STABLE_AFTER - Duration::from_millis(1));
            assert_eq!(r.lost(now), Verdict::Restart);
            assert_eq!(r.take_due(now), Some(Step::Full));
        }
        r.connected(now);
        now = now + (STABLE_AFTER - Duration::from_millis(1));
        assert_eq!(r.lost(now), Verdict::Exhausted);
        r.connected(now);
        now = now + STABLE_AFTER;
        assert_eq!(r.lost(now), Verdict::Restart);
        assert_eq!(r.attempts, 1);
    }
}
