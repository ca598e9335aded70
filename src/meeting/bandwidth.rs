//! What the path carries, shared over what we send: encodings that nobody wants get nothing, the others by their size
//! (docs/protocol/04 §2.9, §11.3).

use super::event::{EventKind, MediaPath, TrackKey};
use super::machine::Meeting;
use super::options::DEFAULT_HEIGHT;

/// Reserved for each of our audio tracks, bit/s.
const AUDIO_BPS: u64 = 40_000;

impl Meeting {
    /// Tells each encoding of our video its share of the estimate; 0: nobody wants it.
    pub(super) fn share_bandwidth(&mut self) {
        let Some(estimate) = self.estimate else { return };
        let Some(m) = self.medias.active() else { return };
        let bridge = m.path == MediaPath::Bridge;
        let endpoint = self.endpoint_id().unwrap_or_default();
        let mut shares: Vec<(TrackKey, u32, u64)> = Vec::new();
        for (key, encodings) in m.video_tracks() {
            let Some(t) = self.tracks.local.iter().find(|t| t.key == key) else { continue };
            let wanted = match &self.link {
                Some(l) if bridge => l.senders.get(&t.source_name(&endpoint)),
                _ => -1,
            };
            let top = if t.options.height == 0 { DEFAULT_HEIGHT } else { t.options.height };
            let lowest = encodings.start;
            for e in encodings {
                let height = top >> (t.options.encodings() - 1 - e).min(31);
                let fits = wanted == -1 || i64::from(height) <= i64::from(wanted) || e == lowest;
                // A picture twice as high has four times as many points.
                let weight = if wanted == 0 || t.muted || !fits { 0 } else { 1 << (2 * e) };
                shares.push((key, e, weight));
            }
        }
        let audio = self.tracks.local.len().saturating_sub(m.video_tracks().count()) as u64;
        let video = estimate.saturating_sub(audio * AUDIO_BPS);
        let all: u64 = shares.iter().map(|s| s.2).sum();
        for (track, encoding, weight) in shares {
            let bits_per_second = video * weight / all.max(1);
            self.emit(EventKind::TargetBitrate { track, encoding, bits_per_second });
        }
    }
}
