//! What a video source sends: how many streams, how large, how fast, in which scalability mode (docs/protocol/04 §11). Pure
//! functions of codec, track, settings and the height that somebody wants.

use super::kind::Codec;

/// Encodings of a source towards a bridge; a connection to one peer has one.
pub const LAYERS: usize = 3;
/// The height that is wanted of a source before anybody said so.
pub const DEFAULT_HEIGHT: u32 = 2160;
/// A screen share of at most this frame rate is sent sharp and slow.
pub const CAPPED_FPS: u32 = 5;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Track {
    Camera,
    /// A screen. `capped`: of at most [`CAPPED_FPS`], for text.
    Desktop {
        capped: bool,
    },
}

/// Quality levels, by height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Low,
    Standard,
    High,
    FullHd,
    UltraHd,
}

impl Level {
    /// The level of a height. Below the lowest row it is the lowest.
    pub fn of(height: u32) -> Level {
        match height {
            2160.. => Level::UltraHd,
            1080.. => Level::FullHd,
            720.. => Level::High,
            360.. => Level::Standard,
            _ => Level::Low,
        }
    }
}

/// Highest bitrates of a codec, bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bitrates {
    pub low: u32,
    pub standard: u32,
    pub high: u32,
    pub full_hd: u32,
    pub ultra_hd: u32,
    pub screen_share: u32,
}

impl Bitrates {
    /// The defaults of Jitsi's clients; audio has none.
    pub fn of(codec: Codec) -> Bitrates {
        let [low, standard, high, full_hd, ultra_hd] = match codec {
            Codec::Opus => [0; 5],
            Codec::Av1 => [100_000, 300_000, 1_000_000, 2_000_000, 4_000_000],
            Codec::Vp9 => [100_000, 300_000, 1_200_000, 2_500_000, 5_000_000],
            Codec::Vp8 => [200_000, 500_000, 1_500_000, 3_000_000, 6_000_000],
            Codec::H264 => [400_000, 800_000, 2_000_000, 4_000_000, 8_000_000],
        };
        let screen_share = if codec == Codec::Opus { 0 } else { 2_500_000 };
        Bitrates { low, standard, high, full_hd, ultra_hd, screen_share }
    }

    /// Of a level.
    pub fn at(&self, level: Level) -> u32 {
        match level {
            Level::Low => self.low,
            Level::Standard => self.standard,
            Level::High => self.high,
            Level::FullHd => self.full_hd,
            Level::UltraHd => self.ultra_hd,
        }
    }
}

/// Other bitrates than the defaults (`videoQuality.<codec>.maxBitratesVideo`); zero counts as absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BitrateOverrides {
    pub low: Option<u32>,
    pub standard: Option<u32>,
    pub high: Option<u32>,
    pub full_hd: Option<u32>,
    pub ultra_hd: Option<u32>,
    pub screen_share: Option<u32>,
}

/// How a codec is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodecSettings {
    pub bitrates: BitrateOverrides,
    /// The encoder takes scalability modes (`scalabilityModeEnabled`).
    pub scalability: bool,
    /// Three streams instead of spatial layers in one (`useSimulcast`).
    pub simulcast: bool,
    /// Prediction between spatial layers in key pictures alone (`useKSVC`).
    pub key_svc: bool,
}

impl Default for CodecSettings {
    fn default() -> Self {
        CodecSettings { bitrates: BitrateOverrides::default(), scalability: true, simulcast: false, key_svc: true }
    }
}

/// A source to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    pub codec: Codec,
    pub settings: CodecSettings,
    pub track: Track,
    /// Of what is captured.
    pub height: u32,
    /// The connection goes to one peer.
    pub p2p: bool,
    /// Several streams are forbidden by the deployment (`disableSimulcast`).
    pub simulcast_disabled: bool,
    /// What a capped screen share may take (`videoQuality.desktopbitrate`), bit/s.
    pub desktop_bitrate: Option<u32>,
}

/// Spatial and temporal layers in one stream (W3C WebRTC-SVC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    pub spatial: u8,
    pub temporal: u8,
    /// Prediction between spatial layers in key pictures alone.
    pub key: bool,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = if self.key && self.spatial > 1 { "_KEY" } else { "" };
        write!(f, "L{}T{}{key}", self.spatial, self.temporal)
    }
}

/// One stream of a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Encoding {
    pub active: bool,
    /// bit/s.
    pub max_bitrate: u32,
    /// Width and height of the capture are divided by it.
    pub scale: f64,
    /// `None`: the encoder's own choice (VP8: two temporal layers).
    pub mode: Option<Mode>,
}

/// How the encodings of a source are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Structure {
    /// One stream per size.
    Simulcast,
    /// One stream, with spatial layers.
    Svc,
    /// One stream of one size.
    Single,
}

impl Source {
    fn bitrates(&self) -> Bitrates {
        let (d, o) = (Bitrates::of(self.codec), self.settings.bitrates);
        let or = |o: Option<u32>, d: u32| o.filter(|b| *b > 0).unwrap_or(d);
        Bitrates {
            low: or(o.low, d.low),
            standard: or(o.standard, d.standard),
            high: or(o.high, d.high),
            full_hd: or(o.full_hd, d.full_hd),
            ultra_hd: or(o.ultra_hd, d.ultra_hd),
            screen_share: or(o.screen_share, d.screen_share),
        }
    }

    fn structure(&self) -> Structure {
        let CodecSettings { scalability, simulcast, .. } = self.settings;
        match self.codec {
            _ if self.p2p || self.simulcast_disabled => Structure::Single,
            Codec::Opus => Structure::Single,
            Codec::Vp8 => Structure::Simulcast,
            Codec::H264 if scalability || simulcast => Structure::Simulcast,
            Codec::H264 => Structure::Single,
            Codec::Vp9 | Codec::Av1 if scalability && !simulcast => Structure::Svc,
            Codec::Vp9 | Codec::Av1 => Structure::Simulcast,
        }
    }

    /// How many streams it is signalled with, largest use of all heights.
    pub fn streams(&self) -> usize {
        if self.structure() == Structure::Simulcast { LAYERS } else { 1 }
    }

    /// The encodings, the smallest first, when `wanted` is the height that somebody wants. `suspended`: nothing is sent for now.
    pub fn encodings(&self, wanted: u32, suspended: bool) -> Vec<Encoding> {
        let on = wanted > 0 && !suspended;
        match self.structure() {
            Structure::Simulcast => self.simulcast(wanted, on),
            Structure::Svc => {
                let used = self.one(wanted, on, true);
                vec![used, Encoding { active: false, ..used }, Encoding { active: false, ..used }]
            }
            Structure::Single => vec![self.one(wanted, on, false)],
        }
    }

    /// The largest `n` of its encodings, at most [`LAYERS`], of which the smallest is kept for as long as anything is wanted.
    pub fn largest(&self, n: usize, wanted: u32, suspended: bool) -> Vec<Encoding> {
        let mut all = self.encodings(wanted, suspended);
        let mut kept = all.split_off(all.len().saturating_sub(n));
        if let Some(e) = kept.first_mut().filter(|_| n < LAYERS && self.structure() == Structure::Simulcast) {
            let whole = matches!(self.track, Track::Desktop { capped: true });
            e.active |= wanted > 0 && !suspended && !whole;
        }
        kept
    }

    fn simulcast(&self, wanted: u32, on: bool) -> Vec<Encoding> {
        let b = self.bitrates();
        let level = Level::of(self.height);
        let scales = match (self.track, level) {
            (Track::Camera, Level::UltraHd) => [12.0, 6.0, 1.0],
            (Track::Camera, Level::FullHd) => [6.0, 3.0, 1.0],
            _ => [4.0, 2.0, 1.0],
        };
        let bitrates = match self.track {
            Track::Camera => [b.low, b.standard, b.at(level)],
            Track::Desktop { capped: false } => [b.low, b.standard, b.screen_share],
            Track::Desktop { capped: true } => [self.desktop_bitrate.unwrap_or(b.screen_share); LAYERS],
        };
        // The low layer is kept whatever is wanted; more than one of capped text would be the same twice.
        let active = |scale: f64| match self.track {
            Track::Camera => f64::from(self.height) / scale <= f64::from(wanted) || scale == 4.0,
            Track::Desktop { capped } => !capped || scale == 1.0,
        };
        let mode = self.scalable().then_some(Mode { spatial: 1, temporal: 3, key: false });
        let all = scales.into_iter().zip(bitrates);
        all.map(|(scale, max_bitrate)| Encoding { active: on && active(scale), max_bitrate, scale, mode }).collect()
    }

    fn one(&self, wanted: u32, on: bool, spatial: bool) -> Encoding {
        let b = self.bitrates();
        let height = wanted.min(self.height);
        let (scale, max_bitrate, layers) = match self.track {
            Track::Camera => {
                let scale = if height == 0 { 1.0 } else { f64::from(self.height) / f64::from(height) };
                let level = Level::of(height);
                let layers = match level {
                    Level::Low => 1,
                    Level::Standard => 2,
                    _ => 3,
                };
                (scale, b.at(level), layers)
            }
            Track::Desktop { capped: true } => (1.0, self.desktop_bitrate.unwrap_or(b.screen_share), 1),
            Track::Desktop { capped: false } => (1.0, b.screen_share, 3),
        };
        let layers = if spatial { layers } else { 1 };
        let mode = Mode { spatial: layers, temporal: 3, key: self.settings.key_svc && layers > 1 };
        Encoding { active: on && height > 0, max_bitrate, scale, mode: self.scalable().then_some(mode) }
    }

    /// VP8's encoder decides for itself.
    fn scalable(&self) -> bool {
        self.settings.scalability && self.codec != Codec::Vp8
    }

    /// The height that should go out, by which an overloaded encoder is recognised (docs/protocol/04 §11.5).
    pub fn expected_height(&self, wanted: u32) -> u32 {
        let simulcast = self.structure() == Structure::Simulcast && self.track == Track::Camera;
        if !simulcast {
            return wanted.min(self.height);
        }
        let active = self.encodings(wanted, false).into_iter().filter(|e| e.active);
        active.map(|e| (f64::from(self.height) / e.scale) as u32).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_streams_the_smaller_is_kept_while_anything_is_wanted() {
        let s = camera(Codec::Vp8, 720);
        let e = |wanted, suspended| active(&s.largest(2, wanted, suspended));
        assert_eq!(
            [e(720, false), e(360, false), e(180, false)],
            [vec![true, true], vec![true, false], vec![true, false]]
        );
        assert_eq!([e(0, false), e(720, true)], [vec![false; 2], vec![false; 2]]);
        assert_eq!(scales(&s.largest(2, 720, false)), [2.0, 1.0]);
        assert_eq!(s.largest(3, 180, false), s.encodings(180, false));
        assert_eq!(active(&desktop(Codec::Vp8, true).largest(2, 720, false)), [false, true]);
        let single = Source { simulcast_disabled: true, ..s };
        assert_eq!(
            single.largest(1, 360, false).iter().map(|e| (e.max_bitrate, e.scale)).collect::<Vec<_>>(),
            [(500_000, 2.0)]
        );
    }

    fn camera(codec: Codec, height: u32) -> Source {
        Source {
            codec,
            settings: CodecSettings::default(),
            track: Track::Camera,
            height,
            p2p: false,
            simulcast_disabled: false,
            desktop_bitrate: None,
        }
    }

    fn desktop(codec: Codec, capped: bool) -> Source {
        Source { track: Track::Desktop { capped }, ..camera(codec, 1080) }
    }

    fn active(e: &[Encoding]) -> Vec<bool> {
        e.iter().map(|e| e.active).collect()
    }

    fn bitrates(e: &[Encoding]) -> Vec<u32> {
        e.iter().map(|e| e.max_bitrate).collect()
    }

    fn scales(e: &[Encoding]) -> Vec<f64> {
        e.iter().map(|e| e.scale).collect()
    }

    fn modes(e: &[Encoding]) -> Vec<Option<String>> {
        e.iter().map(|e| e.mode.map(|m| m.to_string())).collect()
    }

    /// The one that is used of full SVC.
    fn first(s: &Source, wanted: u32) -> (u32, String, f64) {
        let e = s.encodings(wanted, false);
        assert_eq!(active(&e), [true, false, false]);
        (e[0].max_bitrate, e[0].mode.unwrap().to_string(), e[0].scale)
    }

    #[test]
    fn av1_camera_of_720_is_one_svc_stream() {
        let s = camera(Codec::Av1, 720);
        assert_eq!(first(&s, 720), (1_000_000, "L3T3_KEY".into(), 1.0));
        assert_eq!(first(&s, 360), (300_000, "L2T3_KEY".into(), 2.0));
        assert_eq!(first(&s, 180), (100_000, "L1T3".into(), 4.0));
        assert_eq!(active(&s.encodings(0, false)), [false; 3]);
    }

    #[test]
    fn av1_camera_of_2160_scales_down_to_what_is_wanted() {
        let s = camera(Codec::Av1, 2160);
        let want = [
            (2160, 4_000_000, 1.0),
            (1080, 2_000_000, 2.0),
            (720, 1_000_000, 3.0),
            (360, 300_000, 6.0),
            (180, 100_000, 12.0),
        ];
        for (height, bitrate, scale) in want {
            let got = first(&s, height);
            assert_eq!((got.0, got.2), (bitrate, scale), "{height}");
        }
    }

    #[test]
    fn vp9_camera_of_1080_and_of_an_odd_height() {
        let s = camera(Codec::Vp9, 1080);
        for (height, bitrate, scale) in
            [(2160, 2_500_000, 1.0), (720, 1_200_000, 1.5), (360, 300_000, 3.0), (180, 100_000, 6.0)]
        {
            let got = first(&s, height);
            assert_eq!((got.0, got.2), (bitrate, scale), "{height}");
        }
        let s = camera(Codec::Vp9, 550);
        for height in [2160, 720] {
            assert_eq!(first(&s, height), (300_000, "L2T3_KEY".into(), 1.0));
        }
        assert_eq!(first(&s, 360), (300_000, "L2T3_KEY".into(), 550.0 / 360.0));
        assert_eq!(first(&s, 180), (100_000, "L1T3".into(), 550.0 / 180.0));
    }

    #[test]
    fn vp9_without_key_svc_predicts_between_layers_everywhere() {
        let mut s = camera(Codec::Vp9, 720);
        s.settings.key_svc = false;
        let modes: Vec<String> = [720, 360, 180].into_iter().map(|h| first(&s, h).1).collect();
        assert_eq!(modes, ["L3T3", "L2T3", "L1T3"]);
    }

    #[test]
    fn av1_and_vp9_as_simulcast_are_three_streams_at_every_height() {
        for codec in [Codec::Av1, Codec::Vp9] {
            let mut s = camera(codec, 720);
            s.settings.simulcast = true;
            s.settings.bitrates = BitrateOverrides {
                low: Some(300_000),
                standard: Some(600_000),
                high: Some(2_000_000),
                full_hd: Some(0),
                ..BitrateOverrides::default()
            };
            assert_eq!(s.streams(), 3);
            for (height, on) in
                [(720, [true; 3]), (360, [true, true, false]), (180, [true, false, false]), (0, [false; 3])]
            {
                let e = s.encodings(height, false);
                assert_eq!(active(&e), on, "{height}");
                assert_eq!(bitrates(&e), [300_000, 600_000, 2_000_000]);
                assert_eq!(modes(&e), vec![Some("L1T3".to_string()); 3]);
                assert_eq!(scales(&e), [4.0, 2.0, 1.0]);
            }
        }
    }

    #[test]
    fn vp9_without_scalability_modes_is_three_configured_encodings() {
        let mut s = camera(Codec::Vp9, 720);
        s.settings.scalability = false;
        for (height, on) in [(720, [true; 3]), (360, [true, true, false]), (180, [true, false, false]), (0, [false; 3])]
        {
            let e = s.encodings(height, false);
            assert_eq!((active(&e), modes(&e)), (on.to_vec(), vec![None; 3]));
            assert_eq!((bitrates(&e), scales(&e)), (vec![100_000, 300_000, 1_200_000], vec![4.0, 2.0, 1.0]));
        }
    }

    #[test]
    fn vp9_takes_other_bitrates_from_the_configuration() {
        let mut s = camera(Codec::Vp9, 720);
        s.settings.bitrates = BitrateOverrides {
            low: Some(300_000),
            standard: Some(600_000),
            high: Some(2_000_000),
            ..BitrateOverrides::default()
        };
        let got: Vec<u32> = [720, 360, 180].into_iter().map(|h| first(&s, h).0).collect();
        assert_eq!(got, [2_000_000, 600_000, 300_000]);
    }

    #[test]
    fn h264_camera_is_simulcast_with_temporal_layers() {
        let s = camera(Codec::H264, 720);
        for (height, on) in [(720, [true; 3]), (360, [true, true, false]), (180, [true, false, false]), (0, [false; 3])]
        {
            let e = s.encodings(height, false);
            assert_eq!(active(&e), on);
            assert_eq!(bitrates(&e), [400_000, 800_000, 2_000_000]);
            assert_eq!(modes(&e), vec![Some("L1T3".to_string()); 3]);
        }
    }

    #[test]
    fn h264_without_scalability_is_a_single_stream() {
        let mut s = camera(Codec::H264, 720);
        s.settings.scalability = false;
        for (height, bitrate, scale) in [(720, 2_000_000, 1.0), (360, 800_000, 2.0), (180, 400_000, 4.0)] {
            let e = s.encodings(height, false);
            assert_eq!(e, [Encoding { active: true, max_bitrate: bitrate, scale, mode: None }]);
        }
        assert_eq!(active(&s.encodings(0, false)), [false]);
        assert_eq!(s.streams(), 1);
    }

    #[test]
    fn vp8_camera_is_simulcast_without_modes() {
        let e = camera(Codec::Vp8, 720).encodings(720, false);
        assert_eq!((bitrates(&e), modes(&e)), (vec![200_000, 500_000, 1_500_000], vec![None; 3]));
        let s = camera(Codec::Vp8, 2160);
        let e = s.encodings(180, false);
        assert_eq!(active(&e), [true, false, false]);
        assert_eq!((bitrates(&e), scales(&e)), (vec![200_000, 500_000, 6_000_000], vec![12.0, 6.0, 1.0]));
        assert_eq!(active(&s.encodings(360, false)), [true, true, false]);
        let e = camera(Codec::Vp8, 1080).encodings(1080, false);
        assert_eq!((bitrates(&e), scales(&e)), (vec![200_000, 500_000, 3_000_000], vec![6.0, 3.0, 1.0]));
    }

    #[test]
    fn a_screen_share_of_text_is_one_sharp_stream_and_one_of_film_three() {
        let e = desktop(Codec::Vp8, true).encodings(180, false);
        assert_eq!((active(&e), bitrates(&e)), (vec![false, false, true], vec![2_500_000; 3]));
        let e = desktop(Codec::Vp8, false).encodings(180, false);
        assert_eq!((active(&e), bitrates(&e)), (vec![true; 3], vec![200_000, 500_000, 2_500_000]));
        for codec in [Codec::Vp9, Codec::Av1] {
            assert_eq!(first(&desktop(codec, true), 180), (2_500_000, "L1T3".into(), 1.0));
            assert_eq!(first(&desktop(codec, false), 180), (2_500_000, "L3T3_KEY".into(), 1.0));
        }
        let mut s = desktop(Codec::Vp8, true);
        s.desktop_bitrate = Some(700_000);
        assert_eq!(bitrates(&s.encodings(2160, false)), [700_000; 3]);
    }

    #[test]
    fn a_suspended_transfer_is_inactive_with_bitrates_and_modes_as_ever() {
        for s in [camera(Codec::Av1, 720), camera(Codec::Vp8, 720), camera(Codec::H264, 720), desktop(Codec::Vp9, true)]
        {
            let (on, off) = (s.encodings(720, false), s.encodings(720, true));
            assert_eq!(active(&off), [false; 3]);
            assert_eq!((bitrates(&on), modes(&on), scales(&on)), (bitrates(&off), modes(&off), scales(&off)));
        }
    }

    #[test]
    fn one_peer_gets_one_stream() {
        for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1, Codec::H264] {
            let s = Source { p2p: true, ..camera(codec, 720) };
            for (height, scale) in [(720, 1.0), (360, 2.0), (180, 4.0)] {
                let e = s.encodings(height, false);
                assert_eq!((active(&e), scales(&e)), (vec![true], vec![scale]));
                let mode = (codec != Codec::Vp8).then(|| "L1T3".to_string());
                assert_eq!(modes(&e), [mode], "{codec:?}");
            }
        }
        let s = Source { p2p: true, ..desktop(Codec::Vp8, false) };
        let e = s.encodings(180, false);
        assert_eq!((scales(&e), bitrates(&e)), (vec![1.0], vec![2_500_000]));
        // The same where the deployment forbids more.
        let s = Source { simulcast_disabled: true, ..camera(Codec::Vp8, 720) };
        assert_eq!(s.encodings(360, false).len(), 1);
    }

    #[test]
    fn levels_are_those_of_the_table() {
        use Level::*;
        let rows = [
            (2160, UltraHd),
            (2159, FullHd),
            (1080, FullHd),
            (720, High),
            (540, Standard),
            (480, Standard),
            (360, Standard),
            (270, Low),
            (180, Low),
            (90, Low),
            (0, Low),
        ];
        for (height, level) in rows {
            assert_eq!(Level::of(height), level, "{height}");
        }
    }

    #[test]
    fn the_expected_height_is_that_of_the_largest_active_stream() {
        assert_eq!(camera(Codec::Vp8, 720).expected_height(400), 360);
        assert_eq!(camera(Codec::Vp8, 720).expected_height(100), 180);
        assert_eq!(camera(Codec::Vp8, 720).expected_height(0), 0);
        assert_eq!(camera(Codec::Av1, 720).expected_height(400), 400);
        assert_eq!(desktop(Codec::Vp8, true).expected_height(2160), 1080);
        assert_eq!(camera(Codec::Av1, 720).expected_height(DEFAULT_HEIGHT), 720);
    }
}
