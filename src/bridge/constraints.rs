//! What we ask of the bridge and what it asks of us: heights by source; docs/protocol/04 §2.5, §2.7–§2.9, §4.
//!
//! Every message says all of it, so that each can be lost with a channel and said again.

use crate::wire::colibri::{AudioSubscription, BridgeVideoType, ReceiverConstraints, ToBridge};
use std::collections::BTreeMap;

/// Sources of ours whose wishes are kept; there are fewer.
pub const MAX_SENDER_SOURCES: usize = 64;
/// Sources named in one wish of ours.
pub const MAX_WANTED_SOURCES: usize = 1024;

/// Which video we want, with every field said.
#[derive(Clone, Debug, PartialEq)]
pub struct AllConstraints {
    /// Greatest number of sources: −1 any.
    pub last_n: i32,
    /// Most important first.
    pub on_stage: Vec<String>,
    pub selected: Vec<String>,
    /// Greatest height of a source that is not named: −1 any, 0 none.
    pub default_height: i32,
    /// By source name.
    pub heights: BTreeMap<String, i32>,
}

impl Default for AllConstraints {
    /// No video: nobody reads any.
    fn default() -> AllConstraints {
        AllConstraints {
            last_n: -1,
            on_stage: Vec::new(),
            selected: Vec::new(),
            default_height: 0,
            heights: BTreeMap::new(),
        }
    }
}

impl AllConstraints {
    fn message(&self) -> ToBridge {
        ToBridge::ReceiverVideoConstraints(ReceiverConstraints {
            last_n: Some(self.last_n),
            on_stage: Some(self.on_stage.clone()),
            selected: Some(self.selected.clone()),
            default_height: Some(self.default_height),
            heights: Some(self.heights.clone()),
            assumed_bandwidth: Some(-1),
        })
    }
}

/// What we want to receive, and what we send as.
#[derive(Debug, Default)]
pub struct Receive {
    video: AllConstraints,
    audio: AudioSubscription,
    /// By name of our video sources.
    types: BTreeMap<String, BridgeVideoType>,
    open: bool,
}

impl Receive {
    /// What we want to see now; a message, if that is news and the channel is open.
    pub fn set_video(&mut self, mut wanted: AllConstraints) -> Option<ToBridge> {
        for list in [&mut wanted.on_stage, &mut wanted.selected] {
            list.truncate(MAX_WANTED_SOURCES);
        }
        while wanted.heights.len() > MAX_WANTED_SOURCES {
            wanted.heights.pop_last();
        }
        let news = self.video != wanted;
        self.video = wanted;
        (news && self.open).then(|| self.video.message())
    }

    /// What we want to hear now; a message, if that is news and the channel is open.
    pub fn set_audio(&mut self, mut wanted: AudioSubscription) -> Option<ToBridge> {
        for list in [&mut wanted.include, &mut wanted.exclude] {
            list.truncate(MAX_WANTED_SOURCES);
        }
        let news = self.audio != wanted;
        self.audio = wanted;
        (news && self.open).then(|| ToBridge::ReceiverAudioSubscription(self.audio.clone()))
    }

    /// Our video sources and what they are; messages for what is news. A source that is gone is said to be none.
    pub fn set_types(&mut self, types: BTreeMap<String, BridgeVideoType>) -> Vec<ToBridge> {
        let gone = self.types.keys().filter(|k| !types.contains_key(*k)).map(|k| (k.clone(), BridgeVideoType::None));
        let news = types.iter().filter(|(k, t)| self.types.get(*k) != Some(t)).map(|(k, t)| (k.clone(), *t));
        let said: Vec<_> = gone.chain(news).collect();
        self.types = types;
        if !self.open {
            return Vec::new();
        }
        said.into_iter().map(|(source, video_type)| ToBridge::SourceVideoType { source, video_type }).collect()
    }

    /// The channel opened, or opened again: everything is said (docs/protocol/04 §1.5).
    pub fn opened(&mut self) -> Vec<ToBridge> {
        self.open = true;
        let mut all = vec![self.video.message()];
        for (source, video_type) in &self.types {
            all.push(ToBridge::SourceVideoType { source: source.clone(), video_type: *video_type });
        }
        // Unless something is left out, the bridge sends all audio by itself.
        if self.audio != AudioSubscription::default() {
            all.push(ToBridge::ReceiverAudioSubscription(self.audio.clone()));
        }
        all
    }

    /// The channel is not open any more.
    pub fn closed(&mut self) {
        self.open = false;
    }
}

/// The greatest height that anybody wants of each of our sources.
#[derive(Debug, Default)]
pub struct SenderHeights(BTreeMap<String, i32>);

impl SenderHeights {
    /// The bridge said so; whether it is news. Kept also for sources that are not there yet.
    pub fn set(&mut self, source: String, height: i32) -> bool {
        if self.0.len() >= MAX_SENDER_SOURCES && !self.0.contains_key(&source) {
            return false;
        }
        self.0.insert(source, height) != Some(height)
    }

    /// −1 any, 0 none; any before the bridge has said something.
    pub fn get(&self, source: &str) -> i32 {
        self.0.get(source).copied().unwrap_or(-1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(default_height: i32) -> AllConstraints {
        AllConstraints { default_height, ..Default::default() }
    }

    #[test]
    fn a_wish_is_said_when_it_changes_and_again_on_each_opening() {
        let mut r = Receive::default();
        assert!(r.set_video(all(180)).is_none(), "not open yet");
        let types: BTreeMap<_, _> = [("a-v0".to_owned(), BridgeVideoType::Camera)].into();
        assert!(r.set_types(types.clone()).is_empty());
        assert_eq!(r.opened().len(), 2);
        assert!(r.set_video(all(180)).is_none());
        assert!(
            matches!(r.set_video(all(-1)), Some(ToBridge::ReceiverVideoConstraints(c)) if c.default_height == Some(-1))
        );
        assert!(r.set_types(types).is_empty());
        let none = r.set_types(BTreeMap::new());
        assert!(matches!(&none[..], [ToBridge::SourceVideoType { video_type: BridgeVideoType::None, .. }]));
        let deaf = AudioSubscription { all: false, include: Vec::new(), exclude: Vec::new() };
        assert!(r.set_audio(deaf.clone()).is_some() && r.set_audio(deaf).is_none());
        r.closed();
        assert!(r.set_video(all(0)).is_none());
        assert_eq!(r.opened().len(), 2, "video and the audio subscription");
    }

    #[test]
    fn a_wish_has_bounds() {
        let mut r = Receive::default();
        r.opened();
        for (n, kept) in [(MAX_WANTED_SOURCES, MAX_WANTED_SOURCES), (MAX_WANTED_SOURCES + 1, MAX_WANTED_SOURCES)] {
            let wanted = AllConstraints { heights: (0..n).map(|i| (i.to_string(), 1)).collect(), ..Default::default() };
            r.set_video(AllConstraints::default());
            let Some(ToBridge::ReceiverVideoConstraints(c)) = r.set_video(wanted) else { panic!() };
            assert_eq!(c.heights.map(|h| h.len()), Some(kept));
        }
    }

    #[test]
    fn the_bridges_wishes_are_kept_for_sources_to_come_and_bounded() {
        let mut s = SenderHeights::default();
        assert_eq!(s.get("a-v1"), -1);
        assert!(s.set("a-v1".into(), 0) && !s.set("a-v1".into(), 0));
        for n in 1..MAX_SENDER_SOURCES {
            assert!(s.set(format!("x{n}"), 180));
        }
        assert!(!s.set("past".into(), 180));
        assert!(s.set("a-v1".into(), 720), "a known one may change");
        assert_eq!((s.get("a-v1"), s.get("past")), (720, -1));
    }
}
