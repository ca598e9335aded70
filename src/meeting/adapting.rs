//! An encoder of the program's that has too little CPU: what `media::adaptation` says about it is carried out (docs/protocol/04 §13.3).

use super::event::TrackKey;
use super::machine::Meeting;
use super::tracks::LocalTrack;
use crate::bridge::AllConstraints;
use crate::media::adaptation::{Received, View};
use crate::media::kind::{MediaType, VideoType};
use crate::time::Time;

impl Meeting {
    /// What the encoder of a track does, as the program says.
    pub(super) fn set_limited(&mut self, track: TrackKey, limited: bool, height: u32, now: Time) {
        let is_video = |t: &LocalTrack| t.key == track && t.codec.media_type() == MediaType::Video;
        if self.tracks.local.iter().any(is_video) {
            self.adaptation.set(track.0, limited, height, now);
            self.adapt(now);
        }
    }

    /// Does what is due.
    pub(super) fn adapt(&mut self, now: Time) {
        let mut adaptation = std::mem::take(&mut self.adaptation);
        let overloaded = {
            // Where the program names no codecs, each track stays with its own.
            let may_choose = !self.options.video_codecs.is_empty();
            let local = |key: u64| self.tracks.local.iter().find(|t| t.key.0 == key);
            let is_less = |t: &LocalTrack| self.selection.has_cheaper(is_desktop(t), t.codec);
            let cheaper = |key: u64| may_choose && local(key).is_some_and(is_less);
            let expected = |key: u64| local(key).map_or(0, |t| self.sending.tallest(t.key));
            let view = View { expected: &expected, cheaper: &cheaper, received: self.received() };
            adaptation.handle_timeout(now, &view).and_then(local).map(|t| (is_desktop(t), t.codec))
        };
        self.adaptation = adaptation;
        if overloaded.is_some_and(|(desktop, codec)| self.selection.overloaded(desktop, codec)) {
            self.select_codecs(now);
        }
        self.signal_bridge();
    }

    fn received(&self) -> Option<Received> {
        let link = self.link.as_ref()?;
        let wanted = self.wanted_of_bridge();
        let taller = |a: i32, b: i32| if a < 0 || b < 0 { -1 } else { a.max(b) };
        let height = wanted.heights.values().copied().fold(wanted.default_height, taller);
        Some(Received { last_n: wanted.last_n, forwarded: link.forwarded.count(), height })
    }

    /// What we want to see through the bridge, without the limits of our CPU.
    pub(super) fn wanted_of_bridge(&self) -> AllConstraints {
        self.explicit.clone().unwrap_or_else(|| self.constraints_of_readers())
    }

    /// The same within them.
    pub(super) fn within_limits(&self, mut wanted: AllConstraints) -> AllConstraints {
        wanted.last_n = self.adaptation.last_n(wanted.last_n);
        for height in wanted.heights.values_mut().chain([&mut wanted.default_height]) {
            *height = self.adaptation.height(*height);
        }
        wanted
    }
}

fn is_desktop(t: &LocalTrack) -> bool {
    t.options.video_type == VideoType::Desktop
}
