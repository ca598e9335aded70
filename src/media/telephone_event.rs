//! Telephone events (RFC 4733): keys pressed, in the audio stream of a source. One that is heard is told once, with its first packet;
//! one that is sent is said every few milliseconds while it is held.

use crate::time::Time;
use std::collections::VecDeque;
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

/// How long a key is held unless chosen (docs/protocol/04 §14).
pub const DEFAULT_HELD: Duration = Duration::from_millis(200);
/// The pause after a key unless chosen.
pub const DEFAULT_GAP: Duration = Duration::from_millis(200);
/// The shortest that a key is held, and the longest, as in browsers.
pub const MIN_HELD: Duration = Duration::from_millis(40);
pub const MAX_HELD: Duration = Duration::from_secs(6);
/// The shortest pause, and the longest.
pub const MIN_GAP: Duration = Duration::from_millis(30);
pub const MAX_GAP: Duration = Duration::from_secs(6);
/// Keys of one call.
pub const MAX_KEYS: usize = 128;
/// Between two packets of a key that is held.
const STEP: Duration = Duration::from_millis(20);
/// How often its end is said: whoever misses it would hear it for ever (RFC 4733 §2.5.1.4).
const ENDS: usize = 3;
/// Later than this, the machine slept: nothing is caught up with, the key is held for so much longer.
const LATE: Duration = Duration::from_millis(100);
/// Loudness, −dBm0.
const VOLUME: u8 = 10;

/// One packet of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    pub payload: [u8; 4],
    /// RTP time at which the key began.
    pub ts: u32,
    /// The first of its key.
    pub marker: bool,
}

/// Why keys cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// None at all, or one that no telephone has.
    NoKeys,
    TooMany,
    /// Held or apart for too short or too long.
    Time,
}

/// Keys on their way out, one after the other. RTP times are those of the audio that they are sent among.
#[derive(Debug)]
pub struct Keys {
    waiting: VecDeque<u8>,
    held: Duration,
    gap: Duration,
    /// The event that is held now, since when, and the RTP time of its beginning.
    pressed: Option<(u8, Time, u32)>,
    next: Option<Time>,
}

impl Keys {
    /// Keys that begin at once; zero times are the defaults.
    pub fn new(keys: &str, held: Duration, gap: Duration, now: Time) -> Result<Keys, KeysError> {
        let or = |given: Duration, default| if given.is_zero() { default } else { given };
        let (held, gap) = (or(held, DEFAULT_HELD), or(gap, DEFAULT_GAP));
        if !(MIN_HELD..=MAX_HELD).contains(&held) || !(MIN_GAP..=MAX_GAP).contains(&gap) {
            return Err(KeysError::Time);
        }
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        let event = |c: char| "0123456789*#ABCD".find(c.to_ascii_uppercase()).and_then(|at| u8::try_from(at).ok());
        let waiting: VecDeque<u8> = keys.chars().map(event).collect::<Option<_>>().ok_or(KeysError::NoKeys)?;
        if waiting.is_empty() {
            return Err(KeysError::NoKeys);
        }
        Ok(Keys { waiting, held, gap, pressed: None, next: Some(now) })
    }

    /// When [`Keys::poll`] is due; none when all is said.
    pub fn next_deadline(&self) -> Option<Time> {
        self.next
    }

    /// A key is held now: no other audio goes out.
    pub fn is_pressed(&self) -> bool {
        self.pressed.is_some()
    }

    /// The packets that are due; `clock`: of the events, Hz. `begin` gives the RTP time of a key that begins now and lasts so long.
    pub fn poll(&mut self, now: Time, clock: u32, mut begin: impl FnMut(Duration) -> u32) -> Vec<Packet> {
        let mut out = Vec::new();
        let ticks = |d: Duration| u16::try_from(d.as_micros() * u128::from(clock) / 1_000_000).unwrap_or(u16::MAX);
        let late = self.next.map_or(Duration::ZERO, |t| now.since(t));
        if late > LATE {
            self.next = Some(now);
            if let Some((_, since, _)) = &mut self.pressed {
                *since = *since + late;
            }
        }
        while let Some(at) = self.next.filter(|t| *t <= now) {
            let Some((event, since, ts)) = self.pressed else {
                self.next = self.waiting.pop_front().map(|event| {
                    let ts = begin(self.held);
                    self.pressed = Some((event, at, ts));
                    out.push(packet(event, false, ticks(STEP), ts, true));
                    at + STEP
                });
                continue;
            };
            let passed = at.since(since);
            if passed < self.held {
                out.push(packet(event, false, ticks((passed + STEP).min(self.held)), ts, false));
                self.next = Some(at + STEP);
            } else {
                out.extend(std::iter::repeat_n(packet(event, true, ticks(self.held), ts, false), ENDS));
                self.pressed = None;
                self.next = (!self.waiting.is_empty()).then_some(at + self.gap);
            }
        }
        out
    }
}

fn packet(event: u8, ended: bool, ticks: u16, ts: u32, marker: bool) -> Packet {
    let [hi, lo] = ticks.to_be_bytes();
    Packet { payload: [event, u8::from(ended) << 7 | VOLUME, hi, lo], ts, marker }
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

    fn at(ms: u64) -> Time {
        Time::new(1_000_000 + ms * 1000, ms as i64 * 1000)
    }

    #[test]
    fn keys_that_are_sent_read_back_one_after_the_other_with_their_times() {
        let ms = Duration::from_millis;
        let mut k = Keys::new("1#d", ms(100), ms(50), at(0)).expect("keys");
        let (mut packets, mut begun) = (vec![], vec![]);
        while let Some(now) = k.next_deadline() {
            let from = packets.len();
            packets.extend(k.poll(now, 8000, |held| {
                assert_eq!(held, ms(100));
                begun.push((now.mono_us - 1_000_000) / 1000);
                begun.len() as u32
            }));
            assert!(packets.len() > from);
        }
        assert!(!k.is_pressed());
        assert_eq!(begun, [0, 150, 300]);
        let read: Vec<Key> = packets.iter().filter_map(|p| parse(&p.payload, p.ts, 8000)).collect();
        assert_eq!(read.len(), packets.len());
        for (n, key) in (1..).zip("1#D".chars()) {
            let of_key: Vec<_> = read.iter().filter(|k| k.rtp == n).collect();
            assert!(of_key.iter().all(|k| k.key == key));
            let held: Vec<u128> = of_key.iter().map(|k| k.held.as_millis()).collect();
            assert_eq!(held, [20, 40, 60, 80, 100, 100, 100, 100]);
            assert_eq!(of_key.iter().filter(|k| k.ended).count(), ENDS);
        }
        assert_eq!(packets.iter().filter(|p| p.marker).count(), 3);
    }

    #[test]
    fn after_a_sleep_nothing_is_caught_up_with_in_a_burst() {
        let ms = Duration::from_millis;
        let mut k = Keys::new("12", ms(100), ms(50), at(0)).expect("keys");
        assert_eq!(k.poll(at(0), 8000, |_| 1).len(), 1);
        // In the middle of a key, and in the pause before the next.
        let (mut now, mut packets, mut sleeps) = (0, vec![], vec![60_000, 3_600_000]);
        let mut pressed = true;
        while let Some(next) = k.next_deadline() {
            now = now.max((next.mono_us - 1_000_000) / 1000);
            if sleeps.len() == 2 || (sleeps.len() == 1 && pressed && !k.is_pressed()) {
                now += sleeps.remove(0);
            }
            pressed = k.is_pressed();
            let out = k.poll(at(now), 8000, |_| 2);
            assert!(out.len() <= ENDS, "{} at once", out.len());
            packets.extend(out);
        }
        assert!(sleeps.is_empty());
        let read: Vec<Key> = packets.iter().filter_map(|p| parse(&p.payload, p.ts, 8000)).collect();
        let held = |key| read.iter().filter(|k| k.key == key).map(|k| k.held.as_millis()).collect::<Vec<_>>();
        assert_eq!(held('1'), [40, 60, 80, 100, 100, 100, 100]);
        assert_eq!(held('2'), [20, 40, 60, 80, 100, 100, 100, 100]);
    }

    #[test]
    fn keys_at_their_limits_are_taken_and_past_them_refused() {
        let new = |keys: &str, held, gap| Keys::new(keys, held, gap, at(0)).err();
        let (zero, least) = (Duration::ZERO, Duration::from_millis(1));
        assert_eq!(new(&"5".repeat(MAX_KEYS), MIN_HELD, MIN_GAP), None);
        assert_eq!(new("5", MAX_HELD, MAX_GAP), None);
        assert_eq!(new(&"5".repeat(MAX_KEYS + 1), zero, zero), Some(KeysError::TooMany));
        for (held, gap) in
            [(MIN_HELD - least, zero), (MAX_HELD + least, zero), (zero, MIN_GAP - least), (zero, MAX_GAP + least)]
        {
            assert_eq!(new("5", held, gap), Some(KeysError::Time));
        }
        for bad in ["", "5x", "é", "1 2"] {
            assert_eq!(new(bad, zero, zero), Some(KeysError::NoKeys), "{bad}");
        }
        let k = Keys::new("5", zero, zero, at(0)).map(|k| (k.held, k.gap));
        assert_eq!(k.ok(), Some((DEFAULT_HELD, DEFAULT_GAP)));
    }
}
