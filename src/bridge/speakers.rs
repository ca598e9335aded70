//! Who speaks, and who spoke before; docs/protocol/04 §2.11.

use crate::wire::colibri::Speakers as Said;

/// Earlier speakers that are kept; the bridge tells ten with the dominant one.
pub const MAX_PREVIOUS_SPEAKERS: usize = 32;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpeakerChange {
    /// Another one speaks, or silence begins or ends.
    Dominant,
    /// The earlier ones alone.
    Previous,
}

/// The speakers of a meeting, as the bridge hears them.
#[derive(Debug, Default)]
pub struct Speakers(Said);

impl Speakers {
    /// The bridge says who speaks.
    pub fn set(&mut self, mut said: Said) -> Option<SpeakerChange> {
        said.previous.truncate(MAX_PREVIOUS_SPEAKERS);
        let news = if (&said.dominant, said.silence) != (&self.0.dominant, self.0.silence) {
            Some(SpeakerChange::Dominant)
        } else {
            (said.previous != self.0.previous).then_some(SpeakerChange::Previous)
        };
        self.0 = said;
        news
    }

    /// Somebody left. Who speaks in the place of a dominant one, the bridge says later.
    pub fn remove(&mut self, endpoint: &str) -> Option<SpeakerChange> {
        let before = self.0.previous.len();
        self.0.previous.retain(|p| p != endpoint);
        if self.0.dominant == endpoint {
            self.0.dominant.clear();
        }
        (self.0.previous.len() < before).then_some(SpeakerChange::Previous)
    }

    /// The dominant speaker, in silence the last one; may be ourselves.
    pub fn dominant(&self) -> Option<&str> {
        Some(self.0.dominant.as_str()).filter(|d| !d.is_empty())
    }

    /// Earlier ones, the latest first.
    pub fn previous(&self) -> &[String] {
        &self.0.previous
    }

    /// Nobody speaks, where the bridge looks for that.
    pub fn silence(&self) -> bool {
        self.0.silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(dominant: &str, previous: &[&str], silence: bool) -> Said {
        Said { dominant: dominant.into(), previous: previous.iter().map(|p| p.to_string()).collect(), silence }
    }

    #[test]
    fn a_change_is_told_once_and_apart_from_that_of_the_earlier_ones() {
        let mut s = Speakers::default();
        assert_eq!((s.dominant(), s.silence()), (None, false));
        assert_eq!(s.set(said("a", &[], false)), Some(SpeakerChange::Dominant));
        assert_eq!(s.set(said("a", &[], false)), None);
        assert_eq!(s.set(said("a", &["b"], false)), Some(SpeakerChange::Previous));
        assert_eq!(s.set(said("a", &["b"], true)), Some(SpeakerChange::Dominant));
        assert_eq!((s.dominant(), s.previous().len(), s.silence()), (Some("a"), 1, true));
        assert_eq!(s.set(said("b", &["a"], false)), Some(SpeakerChange::Dominant));
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let mut s = Speakers::default();
        s.set(said("me", &["a", "b", "c"], false));
        assert_eq!(s.remove("b"), Some(SpeakerChange::Previous));
        assert_eq!(s.previous(), ["a", "c"]);
        assert_eq!(s.remove("b"), None);
        assert_eq!((s.remove("me"), s.dominant()), (None, None));
    }

    #[test]
    fn earlier_speakers_have_a_bound() {
        let mut s = Speakers::default();
        for (n, kept) in
            [(MAX_PREVIOUS_SPEAKERS, MAX_PREVIOUS_SPEAKERS), (MAX_PREVIOUS_SPEAKERS + 1, MAX_PREVIOUS_SPEAKERS)]
        {
            s.set(Said { previous: (0..n).map(|i| i.to_string()).collect(), ..said("a", &[], false) });
            assert_eq!(s.previous().len(), kept);
        }
    }
}
