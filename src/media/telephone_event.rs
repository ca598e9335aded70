//! Telephone events (RFC 4733): keys pressed, in the audio stream of a source. A key is told once, with its first packet.

use std::time::Duration;

/// A key of a telephone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// `0`–`9`, `*`, `#`, `A`–`D`.
    pub key: char,
    /// RTP time of its beginning.
    pub rtp: u32,
    /// How long it was held, as far as this packet knows.
    pub held: Duration,
    pub ended: bool,
}

/// What a payload says at this RTP time. `None`: it is none, or an event that is no key.
pub fn parse(payload: &[u8], ts: u32, clock: u32) -> Option<Key> {
    let [event, flags, hi, lo, ..] = *payload else { return None };
    let key = match event {
        0..=9 => char::from(b'0' + event),
        10 => '*',
        11 => '#',
        12..=15 => char::from(b'A' + event - 12),
        _ => return None,
    };
    let ticks = u64::from(u16::from_be_bytes([hi, lo]));
    let held = Duration::from_micros(ticks * 1_000_000 / u64::from(clock.max(1)));
    Some(Key { key, rtp: ts, held, ended: flags & 0x80 != 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_with_their_duration() {
        let key = parse(&[1, 0x8a, 0x06, 0x40], 7, 8000);
        assert_eq!(key, Some(Key { key: '1', rtp: 7, held: Duration::from_millis(200), ended: true }));
        let keys: String = (0..20).filter_map(|e| parse(&[e, 10, 0, 160], 7, 8000)).map(|k| k.key).collect();
        assert_eq!(keys, "0123456789*#ABCD");
        for bad in [&[][..], &[1, 2, 3], &[16, 0, 0, 0]] {
            assert_eq!(parse(bad, 7, 8000), None);
        }
    }
}
