//! What we ask of the bridge and what it asks of us: heights by source; docs/protocol/04 §2.5, §2.7–§2.9, §4.
//!
//! Every message says all of it, so that each can be lost with a channel and said again.

use crate::wire::colibri::{AudioSubscription, BridgeVideoType, ReceiverConstraints, ToBridge};
use std::collections::{BTreeMap, BTreeSet};

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
    /// Cut to its bounds. The bridge drops a message with a height or a last-N below −1.
    fn bounded(mut self) -> AllConstraints {
        for list in [&mut self.on_stage, &mut self.selected] {
            list.truncate(MAX_WANTED_SOURCES);
        }
        while self.heights.len() > MAX_WANTED_SOURCES {
            self.heights.pop_last();
        }
        self.heights.values_mut().chain([&mut self.last_n, &mut self.default_height]).for_each(|n| *n = (*n).max(-1));
        self
    }

    fn message(&self, assumed_bandwidth: i64) -> ToBridge {
        ToBridge::ReceiverVideoConstraints(ReceiverConstraints {
            last_n: Some(self.last_n),
            on_stage: Some(self.on_stage.clone()),
            selected: Some(self.selected.clone()),
            default_height: Some(self.default_height),
            heights: Some(self.heights.clone()),
            assumed_bandwidth: Some(assumed_bandwidth),
        })
    }
}

/// What we want to receive, and what we send as.
#[derive(Debug)]
pub struct Receive {
    video: AllConstraints,
    /// bit/s that the bridge is to take for granted, where it allows that; −1: its own estimate.
    assumed_bandwidth: i64,
    audio: AudioSubscription,
    /// The bridge has a subscription of ours: it stays, also when a channel ends, until another is said.
    audio_said: bool,
    /// By name of our video sources.
    types: BTreeMap<String, BridgeVideoType>,
    /// Sources that the bridge knows a type of, and that went while the channel was closed.
    gone: BTreeSet<String>,
    open: bool,
}

impl Default for Receive {
    fn default() -> Receive {
        Receive {
            video: AllConstraints::default(),
            assumed_bandwidth: -1,
            audio: AudioSubscription::default(),
            audio_said: false,
            types: BTreeMap::new(),
            gone: BTreeSet::new(),
            open: false,
        }
    }
}

impl Receive {
    /// What we want to see.
    pub fn video(&self) -> &AllConstraints {
        &self.video
    }

    /// What we want to see now; a message, if that is news and the channel is open.
    pub fn set_video(&mut self, wanted: AllConstraints) -> Option<ToBridge> {
        let wanted = wanted.bounded();
        let news = self.video != wanted;
        self.video = wanted;
        (news && self.open).then(|| self.video.message(self.assumed_bandwidth))
    }

    /// The bandwidth to take for granted, bit/s, −1 for none; a message, if that is news and the channel is open.
    pub fn set_assumed_bandwidth(&mut self, bits_per_second: i64) -> Option<ToBridge> {
        let news = std::mem::replace(&mut self.assumed_bandwidth, bits_per_second) != bits_per_second;
        (news && self.open).then(|| self.video.message(bits_per_second))
    }

    /// What we want to hear now; a message, if that is news and the channel is open.
    pub fn set_audio(&mut self, mut wanted: AudioSubscription) -> Option<ToBridge> {
        for list in [&mut wanted.include, &mut wanted.exclude] {
            list.truncate(MAX_WANTED_SOURCES);
        }
        let news = self.audio != wanted;
        self.audio = wanted;
        (news && self.open).then(|| self.audio_message())
    }

    /// Our video sources and what they are; messages for what is news. A source that is gone is said to be none.
    pub fn set_types(&mut self, types: BTreeMap<String, BridgeVideoType>) -> Vec<ToBridge> {
        let gone = self.types.keys().filter(|k| !types.contains_key(*k)).map(|k| (k.clone(), BridgeVideoType::None));
        let news = types.iter().filter(|(k, t)| self.types.get(*k) != Some(t)).map(|(k, t)| (k.clone(), *t));
        let said: Vec<_> = gone.chain(news).collect();
        self.types = types;
        if !self.open {
            self.gone.retain(|name| !self.types.contains_key(name));
            let none = said.into_iter().filter(|(_, t)| *t == BridgeVideoType::None).map(|(name, _)| name);
            self.gone.extend(none.filter(|name| !self.types.contains_key(name)));
            while self.gone.len() > MAX_SENDER_SOURCES {
                self.gone.pop_first();
            }
            return Vec::new();
        }
        said.into_iter().map(|(source, video_type)| ToBridge::SourceVideoType { source, video_type }).collect()
    }

    /// The channel opened, or opened again: everything is said (docs/protocol/04 §1.5).
    pub fn opened(&mut self) -> Vec<ToBridge> {
        self.open = true;
        let mut all = vec![self.video.message(self.assumed_bandwidth)];
        let gone = std::mem::take(&mut self.gone).into_iter().map(|source| (source, BridgeVideoType::None));
        let types = self.types.iter().map(|(source, t)| (source.clone(), *t));
        all.extend(gone.chain(types).map(|(source, video_type)| ToBridge::SourceVideoType { source, video_type }));
        // Unless something was left out once, the bridge sends all audio by itself.
        if self.audio_said || self.audio != AudioSubscription::default() {
            all.push(self.audio_message());
        }
        all
    }

    /// The channel is not open any more.
    pub fn closed(&mut self) {
        self.open = false;
    }

    fn audio_message(&mut self) -> ToBridge {
        self.audio_said = true;
        ToBridge::ReceiverAudioSubscription(self.audio.clone())
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
    fn what_the_bridge_was_told_once_is_taken_back_after_an_outage() {
        let mut r = Receive::default();
        let types = |names: &[&str]| names.iter().map(|n| (n.to_string(), BridgeVideoType::Camera)).collect();
        r.set_types(types(&["a-v0", "a-v1"]));
        r.set_types(types(&["a-v0", "a-v1", "a-v2"]));
        r.opened();
        r.set_audio(AudioSubscription { all: false, ..AudioSubscription::default() });
        r.closed();
        assert!(r.set_audio(AudioSubscription::default()).is_none());
        assert!(r.set_types(types(&["a-v0"])).is_empty() && r.set_types(types(&["a-v0", "a-v2"])).is_empty());
        let said: Vec<_> = r.opened().iter().skip(1).map(ToBridge::to_text).collect();
        let source = |name: &str, t: &str| {
            format!(r#"{{"colibriClass":"SourceVideoTypeMessage","sourceName":"{name}","videoType":"{t}"}}"#)
        };
        let audio = r#"{"all":true,"colibriClass":"ReceiverAudioSubscription","exclude":[],"include":[]}"#.to_owned();
        let wanted = [source("a-v1", "none"), source("a-v0", "camera"), source("a-v2", "camera"), audio];
        assert_eq!(said, wanted, "the bridge kept what it was told before");
        r.closed();
        assert_eq!(r.opened().len(), 4, "what went is said once");
    }

    #[test]
    fn sources_that_went_during_an_outage_have_a_bound() {
        let mut r = Receive::default();
        let all = (0..=MAX_SENDER_SOURCES).map(|n| (format!("a-v{n}"), BridgeVideoType::Camera)).collect();
        r.set_types(all);
        r.opened();
        r.closed();
        r.set_types(BTreeMap::new());
        assert_eq!(r.opened().len(), 1 + MAX_SENDER_SOURCES);
    }

    #[test]
    fn the_assumed_bandwidth_goes_with_every_wish() {
        let mut r = Receive::default();
        let of = |m: Option<ToBridge>| match m {
            Some(ToBridge::ReceiverVideoConstraints(c)) => c.assumed_bandwidth,
            _ => None,
        };
        assert_eq!(of(r.set_assumed_bandwidth(1000)), None);
        assert_eq!(of(r.opened().into_iter().next()), Some(1000));
        assert_eq!((of(r.set_assumed_bandwidth(1000)), of(r.set_assumed_bandwidth(-1))), (None, Some(-1)));
        assert_eq!(of(r.set_video(all(7))), Some(-1));
    }

    #[test]
    fn no_wish_is_one_that_the_bridge_would_drop() {
        let mut r = Receive::default();
        let heights = [("a-v0".to_owned(), -5)].into();
        r.set_video(AllConstraints { last_n: i32::MIN, default_height: -2, heights, ..Default::default() });
        for m in r.opened() {
            assert_eq!(ToBridge::parse(&m.to_text()), Ok(m));
        }
        assert_eq!((r.video().last_n, r.video().default_height, r.video().heights["a-v0"]), (-1, -1, -1));
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
