//! State of sources: our own as announced, and what others announce of theirs, if it is theirs; docs/protocol/03 §5.7.

use crate::wire::presence::OccupantPresence;
use crate::wire::source_info::{self, MAX_SOURCES, SourceEntry, SourceKind};

/// What is known of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceState {
    pub muted: bool,
    /// A screen and not a camera.
    pub desktop: bool,
}

/// The sources of one endpoint, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources(Vec<SourceEntry>);

impl Sources {
    /// The state of a source.
    pub(super) fn get(&self, name: &str) -> Option<SourceState> {
        let found = self.0.iter().find(|s| s.name == name)?;
        Some(SourceState { muted: found.muted, desktop: found.desktop })
    }

    /// The names, with what they are of.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, SourceKind)> {
        self.0.iter().filter_map(|s| Some((s.name.as_str(), source_info::parse_name(&s.name)?.1)))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets one of our own. False when there are [`MAX_SOURCES`] already.
    pub(super) fn set(&mut self, name: &str, state: SourceState) -> bool {
        let entry = SourceEntry { name: name.to_owned(), muted: state.muted, desktop: state.desktop };
        if let Some(s) = self.0.iter_mut().find(|s| s.name == name) {
            *s = entry;
        } else if self.0.len() < MAX_SOURCES {
            self.0.push(entry);
        } else {
            return false;
        }
        true
    }

    /// Removes one of our own.
    pub(super) fn remove(&mut self, name: &str) {
        self.0.retain(|s| s.name != name);
    }

    /// The JSON text of `SourceInfo`.
    pub(super) fn json(&self) -> String {
        source_info::write(&self.0)
    }

    /// Takes what a presence of `endpoint` says; true when something changed. Names of others are passed over, names that
    /// are gone are forgotten, text that is no JSON object changes nothing.
    pub(super) fn update(&mut self, endpoint: &str, presence: &OccupantPresence) -> bool {
        let new = match &presence.source_info {
            Some(json) => match source_info::read(json) {
                Some(mut all) => {
                    all.retain(|s| source_info::parse_name(&s.name).is_some_and(|(owner, _)| owner == endpoint));
                    for s in &mut all {
                        let audio = source_info::parse_name(&s.name).is_some_and(|(_, k)| k == SourceKind::Audio);
                        s.desktop &= !audio;
                    }
                    all
                }
                None => return false,
            },
            None => legacy(endpoint, presence),
        };
        let changed = new != self.0;
        self.0 = new;
        changed
    }
}

/// Senders from before `SourceInfo` have one source of each kind.
fn legacy(endpoint: &str, presence: &OccupantPresence) -> Vec<SourceEntry> {
    let l = presence.legacy;
    let entry = |kind: &str, muted, desktop| SourceEntry { name: format!("{endpoint}-{kind}0"), muted, desktop };
    let audio = l.audio_muted.map(|muted| entry("a", muted, false));
    let video = l.video_muted.map(|muted| entry("v", muted, l.desktop));
    audio.into_iter().chain(video).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::presence::LegacyMedia;

    fn presence(json: &str) -> OccupantPresence {
        OccupantPresence { source_info: Some(json.into()), ..OccupantPresence::default() }
    }

    #[test]
    fn only_own_names_count_and_missing_ones_are_forgotten() {
        let mut s = Sources::default();
        assert!(s.update("aa", &presence(r#"{"aa-a0":{"muted":true},"bb-a0":{"muted":true},"x":{}}"#)));
        assert_eq!(s.get("aa-a0"), Some(SourceState { muted: true, desktop: false }));
        assert_eq!((s.get("bb-a0"), s.get("x")), (None, None));
        assert!(!s.update("aa", &presence(r#"{"aa-a0":{"muted":true}}"#)));
        assert!(!s.update("aa", &presence("nonsense")) && !s.is_empty());
        assert!(s.update("aa", &presence("{}")) && s.is_empty());
    }

    #[test]
    fn an_audio_source_is_never_a_screen() {
        let mut s = Sources::default();
        s.update("aa", &presence(r#"{"aa-a0":{"videoType":"desktop"},"aa-v0":{"videoType":"desktop"}}"#));
        assert!(!s.get("aa-a0").unwrap().desktop && s.get("aa-v0").unwrap().desktop);
    }

    #[test]
    fn legacy_elements_count_only_without_source_info() {
        let legacy = LegacyMedia { audio_muted: Some(true), video_muted: Some(false), desktop: true };
        let mut p = OccupantPresence { legacy, ..OccupantPresence::default() };
        let mut s = Sources::default();
        assert!(s.update("aa", &p));
        assert_eq!(s.get("aa-a0"), Some(SourceState { muted: true, desktop: false }));
        assert_eq!(s.get("aa-v0"), Some(SourceState { muted: false, desktop: true }));
        p.source_info = Some("{}".into());
        assert!(s.update("aa", &p) && s.is_empty());
    }

    #[test]
    fn own_sources_are_limited() {
        let mut s = Sources::default();
        let state = SourceState { muted: false, desktop: false };
        assert!((0..MAX_SOURCES).all(|i| s.set(&format!("aa-v{i}"), state)));
        assert!(!s.set("aa-a0", state) && s.set("aa-v0", state));
        s.remove("aa-v1");
        assert!(s.set("aa-a0", state));
    }
}
