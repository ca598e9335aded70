//! What media, its ways and its troubles can be: enums of the header, written out because cbindgen reads no macros.
//!
//! Values are never reused or renumbered; each enum is equal to its Rust counterpart. 0 is "unspecified", or "none" where that is a state.

/// Kinds of media.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media {
    /// In options: any.
    JMEET_MEDIA_UNSPECIFIED = 0,
    JMEET_MEDIA_AUDIO = 1,
    JMEET_MEDIA_VIDEO = 2,
}

/// What a video track shows.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_video_type {
    /// In options: a camera. In infos: not video.
    JMEET_VIDEO_TYPE_UNSPECIFIED = 0,
    JMEET_VIDEO_TYPE_CAMERA = 1,
    /// A screen or window.
    JMEET_VIDEO_TYPE_DESKTOP = 2,
}

/// What keeps an encoder of the program's from making all that it is to make.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_limitation {
    /// Not an answer.
    JMEET_LIMITATION_UNSPECIFIED = 0,
    /// Nothing does.
    JMEET_LIMITATION_NONE = 1,
    /// Too little CPU.
    JMEET_LIMITATION_CPU = 2,
}

/// Codecs of frames.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_codec {
    /// In options: Opus for audio, VP8 for video.
    JMEET_CODEC_UNSPECIFIED = 0,
    /// One Opus packet a frame (RFC 6716), RTP clock 48000 Hz.
    JMEET_CODEC_OPUS = 1,
    /// One VP8 frame (RFC 6386), RTP clock 90000 Hz.
    JMEET_CODEC_VP8 = 2,
    /// One H.264 access unit with Annex B start codes. One that is read has four-byte start codes and no access unit delimiter; a key frame
    /// brings its parameter sets. Sets that are written stay with their encoding of the track, and key frames that are written without
    /// both get them. They may be written by themselves, also muted, not ready, or while another codec is wanted (`JMEET_ERR_FULL`: again):
    /// then they take no time (`rtp_duration` 0 will do) and count as no frame. RTP clock 90000 Hz.
    JMEET_CODEC_H264 = 3,
    /// One VP9 frame, or the superframe of a picture's spatial layers, RTP clock 90000 Hz.
    JMEET_CODEC_VP9 = 4,
    /// One AV1 temporal unit of OBUs with sizes (low-overhead format), RTP clock 90000 Hz.
    JMEET_CODEC_AV1 = 5,
}

/// Which way media travels.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media_path {
    JMEET_MEDIA_PATH_UNSPECIFIED = 0,
    /// Straight to the one other participant.
    JMEET_MEDIA_PATH_PEER_TO_PEER = 1,
    /// Through the videobridge.
    JMEET_MEDIA_PATH_BRIDGE = 2,
}

/// How far a media session is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_media_state {
    JMEET_MEDIA_STATE_UNSPECIFIED = 0,
    /// Being set up.
    JMEET_MEDIA_STATE_CONNECTING = 1,
    /// Frames flow.
    JMEET_MEDIA_STATE_CONNECTED = 2,
    /// Over; `reason` says why. Another may follow.
    JMEET_MEDIA_STATE_ENDED = 3,
    /// The path was lost, or is being replaced, and another is sought; CONNECTED or ENDED follows.
    JMEET_MEDIA_STATE_RECOVERING = 4,
}

/// Where the channel to the bridge stands: video constraints, speakers and application messages travel on it.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_bridge_channel {
    JMEET_BRIDGE_CHANNEL_UNSPECIFIED = 0,
    /// There is no bridge session, or it offers none.
    JMEET_BRIDGE_CHANNEL_NONE = 1,
    JMEET_BRIDGE_CHANNEL_CONNECTING = 2,
    /// Open, over SCTP.
    JMEET_BRIDGE_CHANNEL_DATA_CHANNEL = 3,
    /// Open, over a WebSocket.
    JMEET_BRIDGE_CHANNEL_WEBSOCKET = 4,
    /// It broke and is tried again.
    JMEET_BRIDGE_CHANNEL_WAITING = 5,
    /// Only a new session brings it back; without it the bridge sends no video.
    JMEET_BRIDGE_CHANNEL_FAILED = 6,
}

/// How a remote video track does.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_streaming {
    JMEET_STREAMING_UNSPECIFIED = 0,
    /// Frames come, or none are to be expected: it is muted, or we want no video at all (no reader reads any, or `last_n` is negative).
    /// Audio is always this.
    JMEET_STREAMING_ACTIVE = 1,
    /// The bridge does not forward it, and `jmeet_suspended` says why: others come first, the bandwidth is too small, or this track is not
    /// wanted while others are.
    JMEET_STREAMING_INACTIVE = 2,
    /// It should come and does not: for 10 s through the bridge, for 2.5 s from a peer.
    JMEET_STREAMING_INTERRUPTED = 3,
    /// The bridge forwards it again; it has 10 s to begin.
    JMEET_STREAMING_RESTORING = 4,
}

/// Why the bridge does not forward a video track. It does not say so itself: this follows from what we know.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_suspended {
    /// It is forwarded, or nothing is known against it.
    JMEET_SUSPENDED_NONE = 0,
    /// It is not there any more.
    JMEET_SUSPENDED_GONE = 1,
    /// Its owner has muted it.
    JMEET_SUSPENDED_MUTED = 2,
    /// We ask for none of it: no reader reads it, or `jmeet_receive_options` leaves it out.
    JMEET_SUSPENDED_NOT_WANTED = 3,
    /// Others come first, and no more than our last-N are sent.
    JMEET_SUSPENDED_LAST_N = 4,
    /// It does not fit into the bandwidth that the bridge sees.
    JMEET_SUSPENDED_BANDWIDTH = 5,
}

/// Why tracks of ours are not sent.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum jmeet_source_refusal {
    JMEET_SOURCE_REFUSAL_UNSPECIFIED = 0,
    /// The other side refused them, with `condition` and `text`.
    JMEET_SOURCE_REFUSAL_REFUSED = 1,
    /// The other side did not answer.
    JMEET_SOURCE_REFUSAL_NOT_ANSWERED = 2,
    /// One endpoint may have so many streams and no more: fewer tracks, or fewer encodings.
    JMEET_SOURCE_REFUSAL_TOO_MANY = 3,
    /// A stream of them has the number of another one.
    JMEET_SOURCE_REFUSAL_CONFLICT = 4,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{Streaming, Suspended};
    use crate::media::kind::{Codec, MediaType, VideoType};
    use crate::meeting::event::{BridgeChannel, MediaPath};

    #[test]
    fn what_is_said_of_media_has_the_values_of_its_rust_counterpart() {
        let pairs = [
            (jmeet_media::JMEET_MEDIA_AUDIO as u32, MediaType::Audio as u32),
            (jmeet_media::JMEET_MEDIA_VIDEO as u32, MediaType::Video as u32),
            (jmeet_video_type::JMEET_VIDEO_TYPE_CAMERA as u32, VideoType::Camera as u32),
            (jmeet_video_type::JMEET_VIDEO_TYPE_DESKTOP as u32, VideoType::Desktop as u32),
            (jmeet_codec::JMEET_CODEC_OPUS as u32, Codec::Opus as u32),
            (jmeet_codec::JMEET_CODEC_VP8 as u32, Codec::Vp8 as u32),
            (jmeet_codec::JMEET_CODEC_H264 as u32, Codec::H264 as u32),
            (jmeet_codec::JMEET_CODEC_VP9 as u32, Codec::Vp9 as u32),
            (jmeet_codec::JMEET_CODEC_AV1 as u32, Codec::Av1 as u32),
            (jmeet_media_path::JMEET_MEDIA_PATH_PEER_TO_PEER as u32, MediaPath::PeerToPeer as u32),
            (jmeet_media_path::JMEET_MEDIA_PATH_BRIDGE as u32, MediaPath::Bridge as u32),
            (jmeet_bridge_channel::JMEET_BRIDGE_CHANNEL_NONE as u32, BridgeChannel::None as u32),
            (jmeet_bridge_channel::JMEET_BRIDGE_CHANNEL_FAILED as u32, BridgeChannel::Failed as u32),
            (jmeet_streaming::JMEET_STREAMING_ACTIVE as u32, Streaming::Active as u32),
            (jmeet_streaming::JMEET_STREAMING_RESTORING as u32, Streaming::Restoring as u32),
            (jmeet_suspended::JMEET_SUSPENDED_GONE as u32, Suspended::Gone as u32),
            (jmeet_suspended::JMEET_SUSPENDED_BANDWIDTH as u32, Suspended::Bandwidth as u32),
        ];
        for (n, (c, rust)) in pairs.into_iter().enumerate() {
            assert_eq!(c, rust, "pair {n}");
        }
    }
}
