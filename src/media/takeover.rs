//! An SSRC of the bridge's that goes on with another source before the map that says so is there (docs/protocol/04 §10.2, §10.3).
//!
//! Sequence numbers go on, and the map comes another way than the packets, so that either may be first, and a lost map is repeated
//! only a while later. But a change leaves traces in the packets themselves: the slot that is taken was not used for a while, yet RTP
//! time does not follow the clock through that silence; and VP8's and VP9's picture ids are the new source's own. Where the traces
//! are, the owner is in doubt, and packets wait until a map names the new one, or no map comes in time. The other way around, numbers
//! that the owner before had are the owner before's, also after the map.

use super::kind::{Codec, MediaType};
use super::peer::IncomingRtp;
use super::sender::PAUSE;
use super::{vp8, vp9};
use crate::time::Time;
use std::time::Duration;

/// A shorter pause is no silence: no slot is taken over that was used a moment ago.
pub const SILENCE: Duration = Duration::from_millis(300);
/// RTP time and clock may differ so much after a silence: what the network adds to one packet and not to another. RTP time may lag
/// behind by [`PAUSE`] more: after a shorter one a sender, as ours, goes on without a gap.
pub const BELIEVABLE: Duration = Duration::from_millis(150);
/// How long a map is awaited while the channel is open: as long as SCTP takes to repeat it twice or a socket once.
pub const DOUBT: Duration = Duration::from_secs(1);
/// Picture ids of one source may jump so far, and by so much more for each second without a packet.
pub const MAX_PICTURES: u64 = 64;
const PICTURES_PER_SECOND: u64 = 60;
/// Just after a map, pictures that are so near behind the last one of the owner before are of that one: they were on their way.
pub const MAX_LATE_PICTURES: u16 = 8;
/// How long after a map packets of the owner before may come.
pub const MAX_LATE: Duration = Duration::from_millis(300);
/// Clocks of two machines differ by less than one part in so many.
const DRIFT: u32 = 2048;

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the owner's.
    Known,
    /// It was doubtful, and is the owner's after all; so is what waits.
    Settled,
    /// Perhaps another's: it waits.
    Doubtful,
    /// It is of the owner before.
    Late,
    /// It is the owner's, and what came since the map was of the owner before.
    Anew,
}

/// The newest packet.
#[derive(Clone, Copy, Debug)]
struct Newest {
    seq: u64,
    arrival: Time,
    /// Of the newest picture that had an id.
    picture: Option<(Codec, u16)>,
    /// How far the clock is ahead of RTP time, ticks: the least of late, for delays only add to it.
    ahead: u32,
    /// The same of this packet alone: a sender may have paused without a gap, and is where it was then.
    raw: u32,
}

impl Newest {
    /// Whether a packet that comes so much later has the time of this one's source.
    fn is_believable(&self, next: &Newest, clock: u32) -> bool {
        let passed = next.arrival.since(self.arrival);
        [self.ahead, self.raw].into_iter().any(|before| believable(next.raw, before, clock, passed))
    }
}

/// Where the doubt is from.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: Time,
    newest: Newest,
    why: Why,
}

/// What raised a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// RTP time. If it catches up, the network was slow, and that is all.
    Time,
    /// Picture ids.
    Pictures,
    /// A map gave the slot away before anything of its owner came: this first picture is of either.
    First(Codec, u16),
}

/// A map gave the slot to this owner.
#[derive(Clone, Copy, Debug)]
struct Given {
    at: Time,
    /// Nothing came of the owner before.
    unheard: bool,
    /// That one's last picture.
    picture: Option<(Codec, u16)>,
}

/// One SSRC.
#[derive(Clone, Debug)]
pub struct Takeover {
    clock: u32,
    /// Numbers up to this one are of the owner before.
    before: Option<u64>,
    given: Option<Given>,
    newest: Option<Newest>,
    doubt: Option<Doubt>,
}

impl Takeover {
    /// An SSRC that has its first owner.
    pub fn new(media: MediaType) -> Takeover {
        let clock = match media {
            MediaType::Audio => Codec::Opus.clock_rate(),
            MediaType::Video => Codec::Vp8.clock_rate(),
        };
        Takeover { clock, before: None, given: None, newest: None, doubt: None }
    }

    /// What maps said of this slot, for another SSRC of it on which nothing came yet; `None` if something came on this one, whose numbers are
    /// not that one's.
    pub fn untouched(&self) -> Option<Takeover> {
        let nothing = self.newest.is_none() && self.before.is_none() && self.doubt.is_none();
        nothing.then(|| self.clone())
    }

    /// A packet, and its codec where it is known. `keeps_time`: its RTP time is that of its moment, which that of a telephone's keys is not.
    pub fn packet(&mut self, p: &IncomingRtp, codec: Option<Codec>, keeps_time: bool) -> Verdict {
        if self.before.is_some_and(|b| p.seq <= b) {
            return Verdict::Late;
        }
        let picture = codec.and_then(|c| Some((c, picture_id(c, &p.payload)?)));
        let given = self.given.filter(|g| p.arrival < g.at + MAX_LATE);
        if let (Some((codec, old)), Some((same, new))) = (given.and_then(|g| g.picture), picture)
            && codec == same
            && new.wrapping_sub(old) & 0x7fff <= MAX_LATE_PICTURES
        {
            self.before = Some(p.seq);
            return Verdict::Late;
        }
        let raw = self.ticks(p.arrival).wrapping_sub(p.ts);
        let next = Newest { seq: p.seq, arrival: p.arrival, picture, ahead: raw, raw };
        let Some(newest) = self.newest else { return self.first(next, given, p.read_at()) };
        // What fills a gap says nothing of what comes after it.
        if p.seq <= newest.seq {
            return Verdict::Known;
        }
        if let Some(d) = &mut self.doubt {
            if p.seq > d.newest.seq {
                d.newest = next;
            }
            if !keeps_time || d.why != Why::Time || !newest.is_believable(&next, self.clock) {
                return Verdict::Doubtful;
            }
            self.doubt = None;
            self.follow(newest, next, codec);
            return Verdict::Settled;
        }
        if !keeps_time {
            self.newest = Some(Newest { seq: p.seq, ..newest });
            return Verdict::Known;
        }
        let passed = p.arrival.since(newest.arrival);
        let (goes_on, why) = match (newest.picture, picture) {
            (Some((codec, old)), Some((same, new))) if codec == same => {
                (pictures_go_on(old, new, passed), Why::Pictures)
            }
            _ => (passed < SILENCE || newest.is_believable(&next, self.clock), Why::Time),
        };
        if goes_on {
            self.follow(newest, next, codec);
            return Verdict::Known;
        }
        if given.is_some() && why == Why::Pictures {
            self.newest = Some(next);
            return Verdict::Anew;
        }
        self.doubt = Some(Doubt { since: p.read_at(), newest: next, why });
        Verdict::Doubtful
    }

    /// A packet where none was known yet to be the owner's.
    fn first(&mut self, next: Newest, given: Option<Given>, now: Time) -> Verdict {
        if let Some(Doubt { newest, why: Why::First(codec, first), .. }) = &mut self.doubt {
            let (is_newer, passed) = (next.seq > newest.seq, next.arrival.since(newest.arrival));
            let verdict = match next.picture {
                Some((same, new)) if (same, new) != (*codec, *first) => {
                    match same == *codec && pictures_go_on(*first, new, passed) {
                        true => Verdict::Settled,
                        false if is_newer => Verdict::Anew,
                        false => Verdict::Late,
                    }
                }
                _ => Verdict::Doubtful,
            };
            if is_newer {
                *newest = next;
            }
            if matches!(verdict, Verdict::Settled | Verdict::Anew) {
                self.doubt = None;
                self.newest = Some(next);
            }
            return verdict;
        }
        match (given, next.picture) {
            (Some(Given { unheard: true, .. }), Some((codec, id))) => {
                self.doubt = Some(Doubt { since: now, newest: next, why: Why::First(codec, id) });
                Verdict::Doubtful
            }
            _ => {
                self.newest = Some(next);
                Verdict::Known
            }
        }
    }

    /// Since when the owner is in doubt.
    pub fn doubtful_since(&self) -> Option<Time> {
        self.doubt.map(|d| d.since)
    }

    /// No map came in time: the owner is who it was. Whether what waits is that one's: a single picture just after a map may as well be
    /// of the owner before, and is worth less than the harm.
    pub fn settle(&mut self) -> bool {
        match self.doubt.take() {
            Some(Doubt { newest, why: Why::First(..), .. }) => {
                (self.before, self.given) = (Some(newest.seq), None);
                false
            }
            Some(d) => {
                self.newest = Some(d.newest);
                true
            }
            None => true,
        }
    }

    /// A map gives the SSRC to another source. What was doubtful is that one's. `numbered`: sequence numbers go on.
    pub fn hand_over(&mut self, media: MediaType, numbered: bool, now: Time) {
        let before = self.newest.map(|n| n.seq).or(self.before).filter(|_| numbered);
        let picture = self.newest.and_then(|n| n.picture);
        let given = Some(Given { at: now, unheard: self.newest.is_none(), picture });
        *self = Takeover { before, given, ..Takeover::new(media) };
    }

    /// Quickly down, slowly up: a route that is slower now is no delay.
    fn follow(&mut self, old: Newest, mut next: Newest, codec: Option<Codec>) {
        let more = next.ahead.wrapping_sub(old.ahead).cast_signed();
        if more > 0 {
            next.ahead = old.ahead.wrapping_add_signed(more / 16);
        }
        // A packet of no picture, as one of padding, says nothing; another codec counts anew.
        next.picture = next.picture.or(old.picture.filter(|(before, _)| codec.is_none_or(|c| c == *before)));
        self.newest = Some(next);
    }

    fn ticks(&self, t: Time) -> u32 {
        (u128::from(t.mono_us) * u128::from(self.clock) / 1_000_000) as u32
    }
}

fn believable(ahead: u32, before: u32, clock: u32, passed: Duration) -> bool {
    let ticks = |d: Duration| (d.as_micros() * u128::from(clock) / 1_000_000).min(u128::from(u32::MAX)) as u32;
    let off = ahead.wrapping_sub(before).cast_signed();
    let most = if off > 0 { BELIEVABLE + PAUSE } else { BELIEVABLE };
    off.unsigned_abs() <= ticks(most).saturating_add(ticks(passed) / DRIFT)
}

fn pictures_go_on(old: u16, new: u16, passed: Duration) -> bool {
    // Half of the numbers are behind.
    let most = (MAX_PICTURES + PICTURES_PER_SECOND * passed.as_secs()).min(0x3fff);
    u64::from(new.wrapping_sub(old) & 0x7fff) <= most
}

/// The 15-bit picture id of a packet; shorter ones come around too soon to tell anything.
fn picture_id(codec: Codec, payload: &[u8]) -> Option<u16> {
    match codec {
        Codec::Vp8 => vp8::picture_id(payload),
        Codec::Vp9 => vp9::picture_id(payload),
        Codec::Opus | Codec::H264 | Codec::Av1 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::vp8::Descriptor;
    use bytes::{BufMut, Bytes, BytesMut};

    fn packet(seq: u64, ts: u32, at_ms: u64, payload: Bytes) -> IncomingRtp {
        IncomingRtp {
            ssrc: 1,
            pt: 111,
            seq,
            ts,
            marker: false,
            recovered: false,
            arrival: at(at_ms),
            waited_us: 0,
            level: None,
            mid: None,
            dependency_descriptor: None,
            payload,
        }
    }

    /// Sound that was sent at a moment and came at another; `ts_ms` is the sender's clock.
    fn sound(t: &mut Takeover, seq: u64, ts_ms: u32, at_ms: u64) -> Verdict {
        t.packet(&packet(seq, ts_ms.wrapping_mul(48), at_ms, Bytes::from_static(&[8])), Some(Codec::Opus), true)
    }

    fn at(ms: u64) -> Time {
        Time::new(1_000_000, 0) + Duration::from_millis(ms)
    }

    /// Ten packets of one who speaks, the last at 180.
    fn spoken() -> Takeover {
        let mut t = Takeover::new(MediaType::Audio);
        for n in 0..10 {
            assert_eq!(sound(&mut t, 100 + n, n as u32 * 20, n * 20), Verdict::Known);
        }
        t
    }

    fn picture(t: &mut Takeover, seq: u64, id: u16, at_ms: u64) -> Verdict {
        let mut b = BytesMut::new();
        Descriptor { start: true, picture_id: Some(id), ..Default::default() }.write(&mut b);
        b.put_u8(0x11);
        t.packet(&packet(seq, (at_ms as u32).wrapping_mul(90), at_ms, b.freeze()), Some(Codec::Vp8), true)
    }

    #[test]
    fn time_that_goes_on_as_if_there_had_been_no_silence_is_anothers_and_waits() {
        let mut t = spoken();
        // The bridge goes on with the next number and the time of one packet.
        for n in 0..5 {
            assert_eq!(sound(&mut t, 110 + n, 200 + n as u32 * 20, 5000 + n * 20), Verdict::Doubtful);
        }
        assert_eq!(t.doubtful_since(), Some(at(5000)));
        // One of before that was on its way for long is not.
        assert_eq!(sound(&mut t, 105, 100, 5100), Verdict::Known);
        t.hand_over(MediaType::Audio, true, at(5100));
        assert_eq!(t.doubtful_since(), None);
        assert_eq!((sound(&mut t, 109, 180, 5100), sound(&mut t, 110, 200, 5000)), (Verdict::Late, Verdict::Known));
        // Who had the slot before, on another one, has a silence of another length.
        let mut t = spoken();
        assert_eq!(sound(&mut t, 110, 180 + 5300, 180 + 5000), Verdict::Doubtful);
    }

    #[test]
    fn who_was_silent_is_known_again_at_once() {
        for silence in [100, 300, 5_000, 3_600_000, 40 * 3_600_000] {
            let mut t = spoken();
            // 40 ms later than ever, and clocks that differ by 200 parts in a million.
            let ts = 180 + silence as u32 + (silence / 5000) as u32;
            assert_eq!(sound(&mut t, 110, ts, 180 + silence + 40), Verdict::Known, "{silence}");
        }
    }

    #[test]
    fn a_network_that_stands_still_raises_a_doubt_that_ends_with_it() {
        let mut t = spoken();
        let all: Vec<Verdict> =
            (0..40).map(|n| sound(&mut t, 110 + n, 200 + n as u32 * 20, (200 + n * 20).max(800))).collect();
        assert_eq!(all[0], Verdict::Doubtful);
        let settled = all.iter().position(|v| *v == Verdict::Settled).unwrap();
        assert!(settled < 30 && all[settled + 1..].iter().all(|v| *v == Verdict::Known), "{all:?}");
        assert_eq!(t.doubtful_since(), None);
    }

    #[test]
    fn what_may_be_late_at_most_raises_no_doubt_and_a_little_more_does() {
        for (more, verdict) in [(0, Verdict::Known), (2, Verdict::Doubtful)] {
            let late = (BELIEVABLE + PAUSE).as_millis() as u64 + more;
            let mut t = Takeover::new(MediaType::Audio);
            sound(&mut t, 1, 0, 0);
            let pause = SILENCE.as_millis() as u64 + late;
            assert_eq!(sound(&mut t, 2, (pause - late) as u32, pause), verdict, "{more}");
            let mut t = Takeover::new(MediaType::Audio);
            sound(&mut t, 1, 0, 0);
            assert_eq!(sound(&mut t, 2, 20, SILENCE.as_millis() as u64 - 1), Verdict::Known, "no silence");
        }
    }

    #[test]
    fn a_pause_after_which_a_sender_goes_on_without_a_gap_is_no_change_of_hands() {
        let mut t = spoken();
        let pause = PAUSE.as_millis() as u64 + 20;
        for n in 0..10 {
            assert_eq!(sound(&mut t, 110 + n, 200 + n as u32 * 20, 180 + pause + n * 20), Verdict::Known, "{n}");
        }
    }

    #[test]
    fn a_pause_without_a_gap_is_still_known_of_after_the_next_silence() {
        // 250 ms that RTP time did not follow, some packets, and a silence that it did follow.
        let mut t = spoken();
        for n in 0..6 {
            assert_eq!(sound(&mut t, 110 + n, 200 + n as u32 * 20, 430 + n * 20), Verdict::Known, "{n}");
        }
        assert_eq!(sound(&mut t, 116, 5300, 5530 + BELIEVABLE.as_millis() as u64), Verdict::Known);
    }

    #[test]
    fn a_key_of_a_telephone_that_is_held_for_long_says_nothing_of_the_owner() {
        let mut t = spoken();
        for n in 0..50 {
            // One RTP time for as long as it is pressed.
            let p = packet(110 + n, 200 * 48, 200 + n * 50, Bytes::from_static(&[1]));
            assert_eq!(t.packet(&p, None, false), Verdict::Known);
        }
        assert_eq!(sound(&mut t, 160, 3_500, 3_500), Verdict::Known);
    }

    #[test]
    fn picture_ids_of_one_codec_say_nothing_of_anothers() {
        let mut t = Takeover::new(MediaType::Video);
        picture(&mut t, 1, 100, 0);
        let plain = packet(2, 40 * 90, 40, Bytes::from_static(&[1]));
        assert_eq!(t.packet(&plain, Some(Codec::Av1), true), Verdict::Known);
        assert_eq!(picture(&mut t, 3, 20_000, 80), Verdict::Known);
        assert_eq!(picture(&mut t, 4, 700, 120), Verdict::Doubtful);
    }

    #[test]
    fn a_doubt_without_a_map_ends_with_the_owner_and_his_new_time() {
        let mut t = spoken();
        assert_eq!((sound(&mut t, 110, 200, 5000), t.settle()), (Verdict::Doubtful, true));
        assert_eq!((sound(&mut t, 111, 220, 5020), t.doubtful_since()), (Verdict::Known, None));
        // Nothing is in doubt: nothing happens.
        t.settle();
        assert_eq!(sound(&mut t, 112, 240, 5040), Verdict::Known);
    }

    #[test]
    fn pictures_with_ids_of_their_own_are_anothers_also_without_a_silence() {
        let mut t = Takeover::new(MediaType::Video);
        for n in 0..5 {
            assert_eq!(picture(&mut t, n, 32_765 + n as u16, n * 40), Verdict::Known, "{n}");
        }
        assert_eq!(picture(&mut t, 5, 700, 200), Verdict::Doubtful);
        assert_eq!(picture(&mut t, 6, 700, 200), Verdict::Doubtful);
        t.hand_over(MediaType::Video, true, at(200));
        assert_eq!((picture(&mut t, 4, 1, 240), picture(&mut t, 7, 701, 240)), (Verdict::Late, Verdict::Known));
    }

    #[test]
    fn pictures_of_the_owner_before_that_the_map_overtook_are_late() {
        let most = MAX_LATE_PICTURES;
        let late = MAX_LATE.as_millis() as u64;
        for (id, ms, verdict) in [
            (100, 0, Verdict::Late),
            (100 + most, late - 1, Verdict::Late),
            (100 + most + 1, late - 1, Verdict::Known),
            (100, late, Verdict::Known),
        ] {
            let mut t = Takeover::new(MediaType::Video);
            picture(&mut t, 1, 100, 0);
            t.hand_over(MediaType::Video, true, at(40));
            assert_eq!(picture(&mut t, 3, id, 40 + ms), verdict, "{id} {ms}");
        }
        // Also behind the first of the new owner.
        let mut t = Takeover::new(MediaType::Video);
        picture(&mut t, 1, 100, 0);
        t.hand_over(MediaType::Video, true, at(40));
        assert_eq!((picture(&mut t, 4, 700, 50), picture(&mut t, 3, 101, 60)), (Verdict::Known, Verdict::Late));
        assert_eq!((picture(&mut t, 2, 1, 60), picture(&mut t, 5, 701, 70)), (Verdict::Late, Verdict::Known));
    }

    /// A slot that was given away before anything of its owner came.
    fn unheard() -> Takeover {
        let mut t = Takeover::new(MediaType::Video);
        t.hand_over(MediaType::Video, true, at(0));
        t
    }

    #[test]
    fn where_nothing_came_of_the_owner_before_the_second_picture_tells_whose_the_first_was() {
        let mut t = unheard();
        let first = (picture(&mut t, 1, 9_000, 0), picture(&mut t, 2, 9_000, 1));
        assert_eq!((first, picture(&mut t, 4, 700, 20)), ((Verdict::Doubtful, Verdict::Doubtful), Verdict::Anew));
        assert_eq!((picture(&mut t, 5, 701, 40), t.doubtful_since()), (Verdict::Known, None));
        let mut t = unheard();
        assert_eq!((picture(&mut t, 1, 700, 0), picture(&mut t, 2, 701, 20)), (Verdict::Doubtful, Verdict::Settled));
        assert_eq!((picture(&mut t, 3, 702, 40), t.doubtful_since()), (Verdict::Known, None));
        // In the other order.
        let mut t = unheard();
        assert_eq!((picture(&mut t, 2, 700, 0), picture(&mut t, 1, 9_000, 1)), (Verdict::Doubtful, Verdict::Late));
        assert_eq!(picture(&mut t, 3, 701, 20), Verdict::Settled);
        // No second one, and what comes long after the map.
        let mut t = unheard();
        picture(&mut t, 1, 700, 0);
        assert!(!t.settle(), "it is nobody's");
        assert_eq!((picture(&mut t, 1, 700, 20), picture(&mut t, 2, 9, 20)), (Verdict::Late, Verdict::Known));
        assert_eq!(picture(&mut unheard(), 1, 700, MAX_LATE.as_millis() as u64), Verdict::Known);
        // Where numbers begin anew, the same, whatever they are.
        let mut t = Takeover::new(MediaType::Video);
        picture(&mut t, 1000, 100, 0);
        t.hand_over(MediaType::Video, false, at(40));
        assert_eq!((picture(&mut t, 3, 101, 50), picture(&mut t, 4, 700, 60)), (Verdict::Late, Verdict::Known));
        // Given to the next one meanwhile: it is of either still.
        let mut t = unheard();
        picture(&mut t, 1, 9_000, 0);
        t.hand_over(MediaType::Video, true, at(10));
        assert_eq!((picture(&mut t, 1, 9_000, 10), picture(&mut t, 2, 700, 30)), (Verdict::Doubtful, Verdict::Anew));
    }

    #[test]
    fn picture_ids_that_go_on_are_the_owners_whatever_the_time_says() {
        let most = MAX_PICTURES as u16;
        for (jump, at, verdict) in [
            (1, 10_000, Verdict::Known),
            (most, 40, Verdict::Known),
            (most + 1, 40, Verdict::Doubtful),
            (most + 60, 1000, Verdict::Known),
            (most + 61, 1000, Verdict::Doubtful),
            (0x4000, 100_000_000, Verdict::Doubtful),
            (0x7fff, 40, Verdict::Doubtful),
        ] {
            let mut t = Takeover::new(MediaType::Video);
            picture(&mut t, 1, 100, 0);
            assert_eq!(picture(&mut t, 2, (100 + jump) & 0x7fff, at), verdict, "{jump} {at}");
        }
    }

    /// On an SSRC that the slot's `mid` told; seeds 604 and 1001 of the simulated meetings.
    #[test]
    fn a_slot_that_was_given_away_before_anything_came_is_in_doubt_on_another_of_its_ssrcs_too() {
        let mut slot = Takeover::new(MediaType::Video);
        slot.hand_over(MediaType::Video, true, at(0));
        let mut found = slot.untouched().expect("nothing came");
        assert_eq!(picture(&mut found, 10, 7, 20), Verdict::Doubtful, "it may be of who had the slot");
        assert_eq!(picture(&mut Takeover::new(MediaType::Video), 10, 7, 20), Verdict::Known);
        // What came on the slot's own says nothing of the numbers of another.
        assert!(spoken().untouched().is_none() && found.untouched().is_none());
    }
}
