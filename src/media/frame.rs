//! Whole encoded frames, as programs read and write them (design §5.6).

use super::kind::{Codec, MediaType, ParticipantKey, TrackKey};
use super::peer::AudioLevel;
use super::{av1, h264, opus};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// A frame that arrived: what it is, whose, and when.
#[derive(Clone, Debug)]
pub struct EncodedFrame {
    /// Who sent it.
    pub endpoint_id: Arc<str>,
    /// The same as the meeting's key, while they are in the room. Whoever knows the roster sets it.
    pub participant: Option<ParticipantKey>,
    /// Of the track, while the room knows it.
    pub track: Option<TrackKey>,
    /// Which of their sources, `<endpoint id>-a0` and so on.
    pub source_name: Arc<str>,
    pub media: MediaType,
    pub codec: Codec,
    /// Simulcast encoding; 0 where there is one.
    pub encoding: u32,
    /// Temporal layer, where the payload says so.
    pub temporal_id: Option<u8>,
    /// Decodable on its own. Always true for audio.
    pub key: bool,
    /// Grows whenever RTP time restarts: a new SSRC, a rejoin. Times are comparable within one.
    pub timeline: u32,
    /// RTP time in ticks of the codec's clock, unwrapped.
    pub rtp_time: u64,
    /// When its last packet came to the socket, µs of the monotonic clock.
    pub arrival_us: u64,
    /// When the sender captured it, µs since the epoch, once a sender report was seen.
    pub capture_unix_us: Option<i64>,
    pub audio_level: Option<AudioLevel>,
    /// Packets lost for good since the frame before.
    pub gap: u32,
    /// Width and height of a key frame, where the payload says so.
    pub size: Option<(u16, u16)>,
    pub data: Bytes,
}

/// Whether these bytes may be a frame of this codec: those that a sender does not refuse as malformed. Of VP8 and VP9 whatever is not empty.
pub fn is_frame(codec: Codec, data: &[u8]) -> bool {
    match codec {
        Codec::Opus => opus::duration(data).is_some(),
        Codec::Vp8 | Codec::Vp9 => !data.is_empty(),
        Codec::H264 => h264::has_picture(data),
        Codec::Av1 => av1::is_temporal_unit(data),
    }
}

/// A frame to send.
#[derive(Clone, Debug)]
pub struct OutgoingFrame {
    pub data: Bytes,
    /// How long it lasts: the next frame's RTP time is that much later. Opus says it itself: `None`.
    pub duration: Option<Duration>,
    /// RFC 6464; without it nobody will show us as the speaker (docs/protocol/04 §7).
    pub audio_level: Option<AudioLevel>,
    /// Temporal layer of this frame; `None`: no layers.
    pub temporal_id: Option<u8>,
    /// What it is, where the track's codec has changed since it was made (`CodecWanted`); `None`: what the track was made with.
    pub codec: Option<Codec>,
    /// Which encoding of the track it belongs to, the smallest is 0; the encodings of one picture follow each other.
    pub encoding: u32,
    /// Whether it can be decoded on its own, where the data does not tell, because it was encrypted. `None`: it tells.
    pub key: Option<bool>,
}

impl OutgoingFrame {
    /// An Opus packet. Its duration stands in its first byte; its level counts as speech at medium volume unless set.
    pub fn audio(data: impl Into<Bytes>) -> OutgoingFrame {
        let level = AudioLevel { level: 30, voice: true };
        OutgoingFrame { audio_level: Some(level), ..OutgoingFrame::new(data.into(), None) }
    }

    /// A video frame that is shown for `duration`.
    pub fn video(data: impl Into<Bytes>, duration: Duration) -> OutgoingFrame {
        OutgoingFrame::new(data.into(), Some(duration))
    }

    fn new(data: Bytes, duration: Option<Duration>) -> OutgoingFrame {
        OutgoingFrame { data, duration, audio_level: None, temporal_id: None, codec: None, encoding: 0, key: None }
    }
}
