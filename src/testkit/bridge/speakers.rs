//! Who speaks (docs/protocol/04 §2.11): the dominant speaker and those before, from the audio levels of the packets. Simpler
//! than JVB's dominant speaker identification: the loudest of the last moments, with a margin before it changes.

use crate::time::Time;
use crate::wire::colibri::Speakers;
use std::collections::BTreeMap;
use std::time::Duration;

/// Length of the list, the dominant speaker included.
pub const RECENT_SPEAKERS: usize = 10;
/// How often the decision is looked at.
const INTERVAL: Duration = Duration::from_millis(300);
/// A level counts for so long.
const MEMORY: Duration = Duration::from_millis(1000);
/// Below it nobody speaks.
const FLOOR: f64 = 20.0;
/// So much louder than the dominant speaker must another be.
const MARGIN: f64 = 5.0;

struct Level {
    /// Smoothed, 0 (silence) to 127.
    value: f64,
    at: Time,
}

/// The speakers of one conference.
#[derive(Default)]
pub(super) struct SpeakerList {
    levels: BTreeMap<String, Level>,
    /// The dominant one first.
    recent: Vec<String>,
    decided: Option<Time>,
}

impl SpeakerList {
    /// A packet of an endpoint; `level` in −dBov, 127 is silence. `true` when the dominant speaker changed.
    pub fn heard(&mut self, endpoint: &str, level: u8, now: Time) -> bool {
        let value = f64::from(127 - level.min(127));
        if let Some(l) = self.levels.get_mut(endpoint) {
            let share = (now.since(l.at).as_secs_f64() / 0.2).min(1.0);
            l.value += (value - l.value) * share.max(0.05);
            l.at = now;
        } else {
            self.levels.insert(endpoint.to_owned(), Level { value, at: now });
        }
        if self.decided.is_some_and(|d| now.since(d) < INTERVAL) {
            return false;
        }
        self.decided = Some(now);
        self.decide(now)
    }

    fn decide(&mut self, now: Time) -> bool {
        let fresh = |l: &Level| if now.since(l.at) <= MEMORY { l.value } else { 0.0 };
        let loudest = self.levels.iter().max_by(|a, b| fresh(a.1).total_cmp(&fresh(b.1)));
        let Some((name, value)) = loudest.map(|(n, l)| (n.clone(), fresh(l))) else { return false };
        let dominant = self.recent.first();
        let own = dominant.and_then(|d| self.levels.get(d)).map_or(0.0, fresh);
        if value < FLOOR || dominant == Some(&name) || (own >= FLOOR && value < own + MARGIN) {
            return false;
        }
        self.recent.retain(|n| *n != name);
        self.recent.insert(0, name);
        self.recent.truncate(RECENT_SPEAKERS);
        true
    }

    /// An endpoint left; `true` when the list changed.
    pub fn remove(&mut self, endpoint: &str) -> bool {
        self.levels.remove(endpoint);
        let before = self.recent.len();
        self.recent.retain(|n| n != endpoint);
        self.recent.len() != before
    }

    /// Endpoint ids, the latest speaker first.
    pub fn recent(&self) -> &[String] {
        &self.recent
    }

    /// What clients are told; nothing before anybody spoke.
    pub fn message(&self) -> Option<Speakers> {
        let (dominant, previous) = self.recent.split_first()?;
        Some(Speakers { dominant: dominant.clone(), previous: previous.to_vec(), silence: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speak(s: &mut SpeakerList, who: &[(&str, u8)], from: Time, packets: u64) -> (Time, usize) {
        let (mut now, mut changes) = (from, 0);
        for _ in 0..packets {
            for (name, level) in who {
                changes += usize::from(s.heard(name, *level, now));
            }
            now = now + Duration::from_millis(20);
        }
        (now, changes)
    }

    #[test]
    fn the_one_who_speaks_becomes_dominant_and_the_others_are_remembered_in_order() {
        let mut s = SpeakerList::default();
        assert_eq!(s.message(), None);
        let (t, _) = speak(&mut s, &[("a", 127), ("b", 127)], Time::default(), 50);
        assert_eq!(s.message(), None);
        let (t, changes) = speak(&mut s, &[("a", 30), ("b", 127)], t, 50);
        assert_eq!((changes, s.recent()), (1, &["a".to_owned()][..]));
        let (t, _) = speak(&mut s, &[("a", 127), ("b", 40)], t, 100);
        let m = s.message().unwrap();
        assert_eq!((m.dominant.as_str(), &m.previous[..]), ("b", &["a".to_owned()][..]));
        // Two as loud as each other do not take turns.
        let (_, changes) = speak(&mut s, &[("a", 40), ("b", 40)], t, 200);
        assert_eq!(changes, 0);
        assert!(s.remove("b") && !s.remove("b"));
        assert_eq!(s.message().unwrap().dominant, "a");
    }

    #[test]
    fn the_list_has_its_limit() {
        let mut s = SpeakerList::default();
        let mut t = Time::default();
        for i in 0..=RECENT_SPEAKERS {
            t = speak(&mut s, &[(&format!("e{i}"), 10)], t + Duration::from_secs(2), 100).0;
        }
        assert_eq!(s.recent().len(), RECENT_SPEAKERS);
        assert_eq!(s.recent()[0], format!("e{RECENT_SPEAKERS}"));
    }
}
