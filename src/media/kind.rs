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
}

impl Codec {
    /// The name in `payload-type` (case is not significant on the wire).
    pub fn rtp_name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::Vp8 => "VP8",
        }
    }

    /// The codec of a `payload-type` name.
    pub fn from_rtp_name(name: &str) -> Option<Codec> {
        [Codec::Opus, Codec::Vp8].into_iter().find(|c| c.rtp_name().eq_ignore_ascii_case(name))
    }

    /// What it carries.
    pub fn media_type(self) -> MediaType {
        match self {
            Codec::Opus => MediaType::Audio,
            Codec::Vp8 => MediaType::Video,
        }
    }

    /// RTP clock, Hz.
    pub fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::Vp8 => 90_000,
        }
    }
}
