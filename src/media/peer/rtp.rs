//! The words of RTP: what was negotiated, streams and their numbers, packets on their way out and in.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::time::Time;

/// What the engine must know of the negotiated RTP session (docs/protocol/04 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpConfig {
    pub extensions: ExtensionIds,
    pub payload_types: Vec<PayloadType>,
}

impl RtpConfig {
    /// What Jicofo offers of Opus (111), VP8 (100) and its repairs (96) with its header extensions (docs/protocol/04 §6): for an engine
    /// that is driven without Jingle.
    pub fn jicofo() -> RtpConfig {
        let pt = |pt, kind, clock, repairs, nack| PayloadType { pt, kind, clock, repairs, nack };
        RtpConfig {
            extensions: ExtensionIds {
                audio_level: 1,
                abs_send_time: 3,
                transport_cc: 5,
                mid: 10,
                dependency_descriptor: 11,
            },
            payload_types: vec![
                pt(111, CodecKind::Audio, 48_000, None, false),
                pt(100, CodecKind::Video, 90_000, None, true),
                pt(96, CodecKind::Video, 90_000, Some(100), false),
            ],
        }
    }
}

/// Ids of the RTP header extensions; 0 = not negotiated (docs/protocol/04 §6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    pub audio_level: u8,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    pub abs_send_time: u8,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`; read only.
    pub mid: u8,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`; read only, what we send
    /// stands in [`OutgoingRtp::extra`].
    pub dependency_descriptor: u8,
}

/// One RTP payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadType {
    pub pt: u8,
    pub kind: CodecKind,
    /// RTP clock rate, Hz.
    pub clock: u32,
    /// On a retransmission payload type (RFC 4588), the one that it repairs (`apt`).
    pub repairs: Option<u8>,
    /// Lost packets are asked for again (`rtcp-fb nack`).
    pub nack: bool,
}

/// What a payload type carries, as far as an engine cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecKind {
    Audio,
    Video,
}

/// A stream that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub ssrc: u32,
    /// SSRC and payload type for repairs (RFC 4588); without, repairs are plain repeats.
    pub rtx: Option<(u32, u8)>,
    /// The payload type to begin with; packets may change it.
    pub pt: u8,
}

/// The sequence numbers that the next packets of a stream get: its own, and its repairs'.
///
/// Who receives through a bridge keeps SRTP's replay list and rollover counter of an SSRC for as long as it is in the meeting, and the
/// bridge a projection: a stream that begins anew on its SSRC behind the numbers of before would be taken for a replay, up to 32,768 packets
/// long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub seq: u16,
    pub rtx_seq: u16,
}

/// One RTP packet to send.
#[derive(Clone, Debug)]
pub struct OutgoingRtp {
    pub ssrc: u32,
    pub pt: u8,
    /// RTP timestamp.
    pub ts: u32,
    pub marker: bool,
    /// Audio level extension, if negotiated.
    pub level: Option<AudioLevel>,
    /// One more header extension, `(id, value)`: the dependency descriptor.
    pub extra: Option<(u8, Bytes)>,
    /// At most [`MAX_RTP_PAYLOAD`] bytes.
    pub payload: Bytes,
}

/// The largest RTP payload that still leaves room for header, extensions and tags in a 1280-byte IPv6 packet.
pub const MAX_RTP_PAYLOAD: usize = 1180;

/// RFC 6464: 0 (loudest) to 127 (silence), in −dBov, and whether it is speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    pub level: u8,
    pub voice: bool,
}

/// One RTP packet from the peer, decrypted, repairs undone, duplicates removed, not reordered.
///
/// Any SSRC is delivered, also one nobody named yet: who owns it is decided above.
#[derive(Clone, Debug)]
pub struct IncomingRtp {
    pub ssrc: u32,
    pub pt: u8,
    /// Sequence number, unwrapped. A stream begins at 65536 or above, so a packet before its first is not negative.
    pub seq: u64,
    /// RTP timestamp.
    pub ts: u32,
    pub marker: bool,
    /// It came as a repair: RTX, or plain after it was asked for.
    pub recovered: bool,
    /// When it came to the socket.
    pub arrival: Time,
    /// How much later it was read, µs.
    pub waited_us: u32,
    pub level: Option<AudioLevel>,
    /// The peer's name for the stream or its slot, on packets that carry one.
    pub mid: Option<Mid>,
    /// The AV1 dependency descriptor, on packets that carry one.
    pub dependency_descriptor: Option<Bytes>,
    /// A slice of the received packet.
    pub payload: Bytes,
}

impl IncomingRtp {
    /// When it was read. Waits for what is missing before it count from here: that may be the next to be read.
    pub fn read_at(&self) -> Time {
        self.arrival + Duration::from_micros(u64::from(self.waited_us))
    }
}

/// An RTP stream's `mid` (RFC 9143 §15), kept in place: it is read per packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid {
    len: u8,
    text: [u8; MAX_MID],
}

/// The longest `mid` that is read; Jitsi's are a letter and a small number. A longer one counts as none.
pub const MAX_MID: usize = 15;

impl Mid {
    /// `None` if it is empty, too long, or not printable ASCII.
    #[inline]
    pub fn new(b: &[u8]) -> Option<Mid> {
        if b.is_empty() || b.len() > MAX_MID || !b.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut text = [0; MAX_MID];
        text[..b.len()].copy_from_slice(b);
        Some(Mid { len: b.len() as u8, text })
    }

    /// As signalled.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mid_at_the_limit_is_read_and_one_past_it_is_not() {
        assert_eq!(Mid::new(b"v0").as_ref().map(Mid::as_str), Some("v0"));
        assert!(Mid::new(&[b'a'; MAX_MID]).is_some());
        for bad in [&[b'a'; MAX_MID + 1][..], b"", b"a b", &[0xff]] {
            assert_eq!(Mid::new(bad), None);
        }
    }
}
