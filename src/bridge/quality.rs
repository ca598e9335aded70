//! Our connection quality, 0 to 100, as the others show it; docs/protocol/04 §17.3.
//!
//! It compares what we send with what we should send by now, or looks at loss alone where there is no video to judge by.

use crate::time::Time;
use std::time::Duration;

/// Video younger than this is not judged by its bitrate.
pub const JUDGED_AFTER: Duration = Duration::from_secs(10);
/// Points that it rises by in a second, at most.
pub const RISE_PER_SECOND: f64 = 2.0;
/// No more is expected of anybody, kbit/s.
pub const MAX_TARGET_KBPS: f64 = 2500.0;
/// Heights that are judged by bitrate.
const HEIGHTS: [u32; 8] = [180, 240, 360, 480, 540, 720, 1080, 2160];
/// Senders begin with this much and grow by 8 % a second, kbit/s.
const RAMP_START_KBPS: f64 = 800.0;
const RAMP_GROWTH: f64 = 1.08;
/// The first second does not count, and past a minute more there is no ramp.
const RAMP_DELAY_MS: f64 = 1000.0;
const RAMP_MS: f64 = 60_000.0;

/// Greatest bitrates of a codec by height (docs/protocol/04 §11.1), bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelRates {
    pub low: u32,
    pub standard: u32,
    pub high: u32,
    pub full_hd: u32,
    pub ultra_hd: u32,
}

impl LevelRates {
    pub const AV1: LevelRates = LevelRates::of([100_000, 300_000, 1_000_000, 2_000_000, 4_000_000]);
    pub const VP9: LevelRates = LevelRates::of([100_000, 300_000, 1_200_000, 2_500_000, 5_000_000]);
    pub const VP8: LevelRates = LevelRates::of([200_000, 500_000, 1_500_000, 3_000_000, 6_000_000]);
    pub const H264: LevelRates = LevelRates::of([400_000, 800_000, 2_000_000, 4_000_000, 8_000_000]);

    const fn of([low, standard, high, full_hd, ultra_hd]: [u32; 5]) -> LevelRates {
        LevelRates { low, standard, high, full_hd, ultra_hd }
    }

    /// Of the greatest level that is no higher than this.
    pub fn at(&self, height: u32) -> u32 {
        match height {
            2160.. => self.ultra_hd,
            1080.. => self.full_hd,
            720.. => self.high,
            360.. => self.standard,
            90.. => self.low,
            _ => 0,
        }
    }

    /// What a sender of this height is to reach: in several layers, the sum of them.
    pub fn target(&self, height: u32, simulcast: bool) -> u32 {
        if !simulcast {
            return self.at(height);
        }
        let layers = std::iter::successors(Some(height), |h| Some(h / 2));
        layers.take_while(|h| *h >= HEIGHTS[0] && HEIGHTS.contains(h)).map(|h| self.at(h)).sum()
    }
}

/// Video that we send and that can be judged: a camera, not muted, with a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SentVideo {
    pub height: u32,
    /// What it is to reach, bit/s ([`LevelRates::target`]).
    pub target: u32,
    /// The later one of: the connection was there, the video was unmuted.
    pub since: Time,
    /// When the ramp of its bitrate began: session, unmute, or change of codec.
    pub started: Time,
}

/// What went up since the last look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sent {
    pub kbps: u32,
    /// Percent lost, where it is known.
    pub loss: Option<u8>,
    pub video: Option<SentVideo>,
}

/// The quality of one connection.
#[derive(Debug)]
pub struct Quality {
    value: f64,
    at: Option<Time>,
}

impl Default for Quality {
    fn default() -> Quality {
        Quality { value: 100.0, at: None }
    }
}

impl Quality {
    /// As it is now.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The connection was interrupted.
    pub fn interrupted(&mut self, now: Time) {
        (self.value, self.at) = (0.0, Some(now));
    }

    /// Takes what was sent into account.
    pub fn update(&mut self, sent: &Sent, now: Time) -> f64 {
        let most = self.at.map_or(100.0, |at| self.value + RISE_PER_SECOND * now.since(at).as_secs_f64());
        (self.value, self.at) = (judge(sent, now).min(most).min(100.0), Some(now));
        self.value
    }
}

fn judge(sent: &Sent, now: Time) -> f64 {
    let Some(video) = sent.video.filter(|v| HEIGHTS.contains(&v.height)) else {
        return match sent.loss.unwrap_or(0) {
            0..=2 => 100.0,
            3..=4 => 70.0,
            5..=6 => 50.0,
            7..=8 => 30.0,
            9..=12 => 10.0,
            _ => 0.0,
        };
    };
    let target = target_kbps(&video, now);
    let reached = if now.since(video.since) > JUDGED_AFTER && target > 0.0 {
        100.0 * f64::from(sent.kbps) / target
    } else {
        100.0
    };
    if sent.loss.is_some_and(|l| l >= 10) { reached.min(30.0) } else { reached }
}

fn target_kbps(video: &SentVideo, now: Time) -> f64 {
    let ms = (now.since(video.started).as_secs_f64() * 1000.0 - RAMP_DELAY_MS).max(0.0);
    let ramp = if ms > RAMP_MS { f64::INFINITY } else { RAMP_START_KBPS * RAMP_GROWTH.powf(ms / 1000.0) };
    MAX_TARGET_KBPS.min(f64::from(video.target) / 1000.0).min(ramp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

    fn at(ms: u64) -> Time {
        T0 + Duration::from_millis(ms)
    }

    fn loss(percent: u8) -> Sent {
        Sent { loss: Some(percent), ..Sent::default() }
    }

    #[test]
    fn without_video_loss_alone_counts() {
        let table = [(0, 100), (2, 100), (3, 70), (4, 70), (6, 50), (8, 30), (9, 10), (12, 10), (13, 0), (100, 0)];
        for (percent, quality) in table {
            assert_eq!(Quality::default().update(&loss(percent), T0), f64::from(quality), "{percent} %");
        }
        assert_eq!(Quality::default().update(&Sent::default(), T0), 100.0, "loss is not known");
        // A height that no table has is not judged by its bitrate.
        let odd = SentVideo { height: 500, target: 2_500_000, since: T0, started: T0 };
        let sent = Sent { video: Some(odd), loss: Some(5), kbps: 1 };
        assert_eq!(Quality::default().update(&sent, at(60_000)), 50.0);
    }

    #[test]
    fn video_is_judged_by_what_it_should_have_reached() {
        let video = SentVideo { height: 720, target: 2_200_000, since: T0, started: T0 };
        let quality = |kbps, loss, ms| {
            let sent = Sent { kbps, loss, video: Some(video) };
            Quality::default().update(&sent, at(ms))
        };
        assert_eq!(quality(1, None, 10_000), 100.0, "too young");
        assert_eq!(quality(1100, None, 70_000), 50.0);
        assert_eq!(quality(5000, None, 70_000), 100.0);
        assert_eq!(quality(5000, Some(10), 70_000), 30.0);
        assert_eq!(quality(220, Some(50), 70_000), 10.0);
        // Eleven seconds after its start a sender is to have 800 × 1.08^10 kbit/s.
        let ramp = quality(800, None, 11_000);
        assert!((ramp - 100.0 / 1.08_f64.powi(10)).abs() < 0.001, "{ramp}");
        let large = SentVideo { target: 6_000_000, ..video };
        let sent = Sent { kbps: MAX_TARGET_KBPS as u32 / 2, loss: None, video: Some(large) };
        assert_eq!(Quality::default().update(&sent, at(70_000)), 50.0, "no more is expected of anybody");
    }

    #[test]
    fn it_falls_at_once_and_rises_two_points_in_a_second() {
        let mut q = Quality::default();
        assert_eq!(q.update(&loss(0), T0), 100.0);
        assert_eq!(q.update(&loss(20), at(1000)), 0.0);
        assert_eq!(q.update(&loss(0), at(11_000)), 20.0);
        assert_eq!(q.update(&loss(5), at(12_500)), 23.0);
        q.interrupted(at(13_000));
        assert_eq!((q.value(), q.update(&loss(0), at(14_000))), (0.0, 2.0));
        assert_eq!(q.update(&loss(0), at(100_000)), 100.0);
    }

    #[test]
    fn a_target_is_the_sum_of_the_layers_of_the_table() {
        assert_eq!(LevelRates::VP8.target(720, true), 1_500_000 + 500_000 + 200_000);
        assert_eq!(LevelRates::VP8.target(720, false), 1_500_000);
        assert_eq!(LevelRates::VP9.target(1080, true), 2_500_000 + 300_000, "270 is in no table");
        assert_eq!(LevelRates::AV1.target(2160, true), 4_000_000 + 2_000_000 + 300_000);
        assert_eq!(LevelRates::H264.target(180, true), 400_000);
        let by_height =
            [89, 90, 270, 359, 360, 540, 719, 720, 1079, 1080, 2159, 2160].map(|h| LevelRates::VP8.at(h) / 1000);
        assert_eq!(by_height, [0, 200, 200, 200, 500, 500, 500, 1500, 1500, 3000, 3000, 6000]);
    }
}
