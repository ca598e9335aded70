//! What an engine tells of how it goes: the estimate, sender reports, counters of streams and of the whole.

use std::time::Duration;

use super::Path;

/// RTP time of one stream bound to the sender's wall clock (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// 32.32 fixed point, seconds since 1900.
    pub ntp: u64,
    pub rtp: u32,
}

impl SenderReport {
    /// The report's wall time, µs since 1970.
    pub fn unix_us(&self) -> i64 {
        let seconds = (self.ntp >> 32) as i64 - NTP_UNIX_OFFSET;
        seconds * 1_000_000 + (((self.ntp & 0xffff_ffff) * 1_000_000) >> 32) as i64
    }
}

/// Seconds from 1900 (NTP) to 1970 (Unix).
pub const NTP_UNIX_OFFSET: i64 = 2_208_988_800;

/// The estimate for what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// bit/s.
    pub bps: u64,
    pub rtt: Option<Duration>,
    /// Lost packets of the last feedback, in 1/256.
    pub loss: u8,
}

/// Counters of one stream, from its first packet on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    pub ssrc: u32,
    /// We send it; else it comes.
    pub sent: bool,
    /// Each once, repairs that mended something included.
    pub packets: u64,
    /// Of their payloads.
    pub bytes: u64,
    /// Packets that came as a repair, or that we sent again.
    pub repaired: u64,
    /// Packets that never came; of what we send, as the other side says.
    pub lost: u64,
    /// How uneven they arrive (RFC 3550 §6.4.1); of what we send, as the other side says.
    pub jitter: Duration,
    /// Of payload, lately.
    pub bits_per_second: u64,
    /// When the newest packet came or went, µs of the monotonic clock.
    pub last_us: u64,
}

/// Counters of one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// RTP packets received and authentic, repairs included.
    pub rtp_in: u64,
    pub rtp_in_bytes: u64,
    /// RTP packets sent, repairs not included.
    pub rtp_out: u64,
    pub rtp_out_bytes: u64,
    /// Repairs sent on NACK.
    pub rtx_out: u64,
    /// Packets sent only to try a rate.
    pub padding_out: u64,
    /// Packets that arrived only as a repair, or after they were asked for.
    pub recovered: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Missing packets, asked for as often as we could, that never came.
    pub unrecovered: u64,
    /// Sequence numbers asked for, repeats included.
    pub nacks_out: u64,
    /// Sequence numbers asked of us.
    pub nacks_in: u64,
    pub key_frame_requests_out: u64,
    pub key_frame_requests_in: u64,
    pub transport_cc_out: u64,
    pub transport_cc_in: u64,
    /// SRTP or SRTCP that is not authentic, or is replayed.
    pub srtp_errors: u64,
    /// STUN refused for a wrong user name, integrity or form.
    pub stun_refused: u64,
    /// Datagrams, RTCP parts and packets that were not understood or came too early for their kind.
    pub junk: u64,
    /// Packets given to `send_rtp` that could not go.
    pub send_dropped: u64,
    /// Texts on data channels.
    pub texts_in: u64,
    pub texts_out: u64,
    /// Texts that could not go.
    pub texts_dropped: u64,
    /// Binary, oversized and malformed messages, and those of no channel, that were ignored.
    pub messages_ignored: u64,
    pub rtt: Option<Duration>,
    /// Sources known now, both directions.
    pub streams: u32,
    /// The path media takes now.
    pub path: Option<Path>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_report_tells_wall_time() {
        let sr = SenderReport { ssrc: 1, ntp: ((NTP_UNIX_OFFSET as u64 + 10) << 32) | 0x8000_0000, rtp: 0 };
        assert_eq!(sr.unix_us(), 10_500_000);
    }
}
