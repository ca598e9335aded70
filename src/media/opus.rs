//! What RTP needs to know of Opus: how long a packet lasts (RFC 6716 §3.1). One packet is one frame (RFC 7587).

use std::time::Duration;

/// Longest duration of one packet (RFC 6716 §3.2.5).
const MAX_PACKET: Duration = Duration::from_millis(120);

/// The duration of an Opus packet; `None` when it is none.
pub fn duration(packet: &[u8]) -> Option<Duration> {
    let toc = *packet.first()?;
    let config = toc >> 3;
    let frame_us: u32 = match config {
        // SILK: 10, 20, 40, 60 ms.
        0..=11 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        // Hybrid: 10, 20 ms.
        12..=15 => [10_000, 20_000][usize::from(config & 1)],
        // CELT: 2.5, 5, 10, 20 ms.
        _ => [2_500, 5_000, 10_000, 20_000][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1)? & 63),
    };
    let d = Duration::from_micros(u64::from(frame_us * frames));
    (frames > 0 && d <= MAX_PACKET).then_some(d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_follow_the_first_byte() {
        let ms = |p: &[u8]| duration(p).map(|d| d.as_micros());
        assert_eq!(ms(&[1 << 3]), Some(20_000)); // SILK NB 20 ms
        assert_eq!(ms(&[(31 << 3) | 1]), Some(40_000)); // CELT FB 20 ms, two frames
        assert_eq!(ms(&[16 << 3]), Some(2_500));
        assert_eq!(ms(&[(13 << 3) | 3, 3]), Some(60_000));
        assert_eq!(ms(&[(3 << 3) | 3, 2]), Some(MAX_PACKET.as_micros()));
        assert_eq!(ms(&[(3 << 3) | 3, 3]), None); // 180 ms
        assert_eq!(ms(&[3]), None);
        assert_eq!(ms(&[3, 0]), None);
        assert_eq!(ms(&[]), None);
    }
}
