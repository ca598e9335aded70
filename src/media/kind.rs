//! The few closed words of media that every layer above uses.

/// Audio or video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum MediaType {
    Audio = 1,
    Video = 2,
}

impl MediaType {
    /// As in SDP and Jingle.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaType::Audio => "audio",
            MediaType::Video => "video",
        }
    }
}

/// What a video source shows (docs/protocol/03 §5.7). Absent on the wire means camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum VideoType {
    #[default]
    Camera = 1,
    Desktop = 2,
}

/// Codecs whose payload format this library reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Codec {
    Opus = 1,
    Vp8 = 2,
    H264 = 3,
    Vp9 = 4,
    Av1 = 5,
}

impl Codec {
    /// All of them.
    pub const ALL: [Codec; 5] = [Codec::Opus, Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1];

    /// The name in `payload-type` (case is not significant on the wire).
    pub fn rtp_name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::Vp8 => "VP8",
            Codec::H264 => "H264",
            Codec::Vp9 => "VP9",
            Codec::Av1 => "AV1",
        }
    }

    /// The name in a participant's codec list (docs/protocol/04 §12).
    pub fn presence_name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::Vp8 => "vp8",
            Codec::H264 => "h264",
            Codec::Vp9 => "vp9",
            Codec::Av1 => "av1",
        }
    }

    /// The codec of a `payload-type` name, or of one in a codec list.
    pub fn from_rtp_name(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|c| c.rtp_name().eq_ignore_ascii_case(name))
    }

    /// What it carries.
    pub fn media_type(self) -> MediaType {
        match self {
            Codec::Opus => MediaType::Audio,
            Codec::Vp8 | Codec::H264 | Codec::Vp9 | Codec::Av1 => MediaType::Video,
        }
    }

    /// RTP clock, Hz.
    pub fn clock_rate(self) -> u32 {
        match self.media_type() {
            MediaType::Audio => 48_000,
            MediaType::Video => 90_000,
        }
    }
}

/// A participant of one client, never reused within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantKey(pub u64);

/// A track of one client: (endpoint id, source name). Never reused within it; survives every change of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackKey(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_in_any_case() {
        for c in Codec::ALL {
            assert_eq!(Codec::from_rtp_name(c.rtp_name()), Some(c));
            assert_eq!(Codec::from_rtp_name(c.presence_name()), Some(c));
            assert_eq!(c.presence_name(), c.rtp_name().to_lowercase());
        }
        assert_eq!(Codec::from_rtp_name("rtx"), None);
    }
}
