//! Packets whose owner is not known, or not for sure, in one session; and what is remembered of slots that change hands
//! (docs/protocol/04 §10).

use crate::media::early::{EARLY_WAIT, Early};
use crate::media::kind::MediaType;
use crate::media::peer::IncomingRtp;
use crate::media::takeover::{DOUBT, Takeover, Verdict};
use crate::time::{Time, earliest};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Without a channel a doubt ends after this time (default 10 s): better a wrong owner of what nobody can tell than a source that is never
/// heard again.
pub const MAX_DOUBT: Duration = Duration::from_secs(10);
/// SSRCs of slots without a source that are remembered, those too that were found by a `mid` which has moved; the oldest is forgotten first.
/// Many more than a bridge has slots.
pub const MAX_LEFT_SLOTS: usize = 1024;
/// Slots of those who left that are remembered for what is still on its way; the oldest is forgotten first.
pub const MAX_GONE_SLOTS: usize = 256;

/// Of one session.
#[derive(Default)]
pub(in crate::meeting) struct Unclear {
    /// Of SSRCs that nobody named yet, and of those whose owner is in doubt.
    pub early: Early,
    /// Packets of an owner that came after the next one had the SSRC.
    late: u64,
    /// Slots that lost their source and may have another, and SSRCs that were found to be theirs; each with its number in the order of losses.
    left: HashMap<u32, (u64, Takeover)>,
    losses: u64,
    /// Slots of those who left, when they did, and what was known of their packets.
    gone: VecDeque<(u32, Time, Takeover)>,
    /// The oldest doubt, or one before it.
    oldest: Option<Time>,
    /// The channel has been open since then: a map that was lost is repeated on it. While it is closed no map can come, and the
    /// one that opens tells everything again.
    open: Option<Time>,
}

impl Unclear {
    /// The channel to the bridge opened or closed.
    pub fn channel(&mut self, open: bool, now: Time) {
        self.open = open.then_some(now);
    }

    /// Packets that were dropped: those of an owner that came after the next one had the SSRC, and those that nobody claimed in time.
    pub fn passed_over(&self) -> (u64, u64) {
        (self.late, self.early.dropped())
    }

    /// A packet of the owner before.
    pub fn late(&mut self) {
        self.late += 1;
    }

    /// A slot lost its source.
    pub fn left(&mut self, ssrc: u32, t: Takeover) {
        if self.left.len() >= MAX_LEFT_SLOTS
            && !self.left.contains_key(&ssrc)
            && let Some(oldest) = self.left.iter().min_by_key(|(_, l)| l.0).map(|(ssrc, _)| *ssrc)
        {
            self.left.remove(&oldest);
        }
        self.losses += 1;
        self.left.insert(ssrc, (self.losses, t));
    }

    /// A slot went with its owner: what is still on its way on it is nobody's.
    pub fn owner_left(&mut self, ssrc: u32, t: Takeover, now: Time) {
        if self.gone.len() >= MAX_GONE_SLOTS {
            self.gone.pop_front();
        }
        self.gone.push_back((ssrc, now, t));
    }

    /// A packet of an SSRC that has no owner now: it waits for one, unless it is of the owner before.
    pub fn unowned(&mut self, p: IncomingRtp, now: Time) {
        let gone = self.gone.iter().any(|(ssrc, at, _)| *ssrc == p.ssrc && now <= *at + EARLY_WAIT);
        let before = self.left.get_mut(&p.ssrc).is_some_and(|l| l.1.packet(&p, None, true) != Verdict::Doubtful);
        if gone || before {
            self.late += 1;
        } else {
            self.early.push(p, now);
        }
    }

    /// Whether something came on this SSRC for an owner before.
    pub fn knows(&self, ssrc: u32) -> bool {
        self.left.contains_key(&ssrc) || self.gone.iter().any(|g| g.0 == ssrc)
    }

    /// A slot has a source.
    pub fn taken_over(&mut self, ssrc: u32, media: MediaType, now: Time) -> Takeover {
        let gone = self.gone.iter().position(|g| g.0 == ssrc).and_then(|at| self.gone.remove(at));
        let gone = gone.filter(|(_, at, _)| now <= *at + EARLY_WAIT).map(|(.., t)| (t, false));
        // The engine has forgotten the numbers of an SSRC whose owner left.
        let left = self.left.remove(&ssrc).map(|(_, t)| (t, true));
        let Some((mut t, numbered)) = left.or(gone) else { return Takeover::new(media) };
        t.hand_over(media, numbered, now);
        t
    }

    /// What waits is of the owner before.
    pub fn discard(&mut self, ssrc: u32, now: Time) {
        self.late += self.early.take(ssrc, now).len() as u64;
    }

    /// A slot is no more.
    pub fn forget(&mut self, ssrc: u32) {
        self.left.remove(&ssrc);
    }

    /// A packet waits for a map.
    pub fn doubtful(&mut self, p: IncomingRtp, now: Time) {
        self.oldest = earliest(self.oldest, Some(p.read_at()));
        self.early.push(p, now);
    }

    /// Whether doubts are to be looked at; whoever asks does so.
    pub fn is_due(&mut self, now: Time) -> bool {
        let due = self.next_deadline().is_some_and(|d| d <= now);
        if due {
            self.oldest = None;
        }
        due
    }

    /// Whether a doubt is to go on; if not, it is settled.
    pub fn keeps_waiting(&mut self, since: Time, now: Time) -> bool {
        let waits = self.ends(since) > now;
        if waits {
            self.oldest = earliest(self.oldest, Some(since));
        }
        waits
    }

    /// When the oldest doubt is settled if no map comes.
    pub fn next_deadline(&self) -> Option<Time> {
        self.oldest.map(|since| self.ends(since))
    }

    fn ends(&self, since: Time) -> Time {
        self.open.map_or(since + MAX_DOUBT, |open| since.max(open) + DOUBT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Heard;
    use super::super::bed_tests::{Bed, SSRC, of};
    use super::*;
    use crate::media::early::{EARLY_WAIT, MAX_EARLY_PACKETS};

    #[test]
    fn packets_that_overtake_their_map_wait_for_it_and_none_is_lost() {
        let mut b = Bed::new();
        b.ann();
        // The second before the first: jitter.
        for seq in [11, 10, 12] {
            b.sound(seq, 200 + (seq - 10) * 20, 5000 + seq);
        }
        assert_eq!(b.heard(), []);
        b.map(Some("ann"), Some("bob"), 5050);
        assert_eq!(b.heard(), of("bob", 10..=12));
        // Said again by a channel that opened again.
        b.map(None, Some("bob"), 5055);
        b.sound(13, 260, 5060);
        // One of ann's that took five seconds.
        b.sound(9, 180, 5061);
        assert_eq!((b.heard(), b.session.unclear.late), (of("bob", [13]), 1));
    }

    #[test]
    fn a_map_that_comes_first_takes_what_was_on_its_way_from_nobody() {
        let mut b = Bed::new();
        b.ann();
        b.map(Some("ann"), Some("bob"), 5000);
        b.sound(8, 160, 5001);
        b.sound(10, 200, 5010);
        b.sound(11, 220, 5030);
        assert_eq!(b.heard(), of("bob", [10, 11]));
        // And back again, packets first.
        b.sound(12, 240 + 4300, 9000);
        assert_eq!(b.heard(), []);
        b.map(Some("bob"), Some("ann"), 9020);
        assert_eq!(b.heard(), of("ann", [12]));
    }

    #[test]
    fn a_slot_that_nobody_has_keeps_what_comes_for_who_has_it_next() {
        let mut b = Bed::new();
        b.ann();
        b.sound(10, 200, 5000);
        b.map(Some("ann"), None, 5010);
        assert_eq!(b.sound(11, 220, 5020), Heard::Nothing);
        b.map(None, Some("bob"), 5030);
        assert_eq!(b.heard(), of("bob", [10, 11]));
        let now = b.at(5040);
        b.session.forget(SSRC, now);
    }

    #[test]
    fn a_source_that_has_a_slot_again_is_on_another_timeline() {
        let mut b = Bed::new();
        b.ann();
        let timeline = |b: &mut Bed| std::iter::from_fn(|| b.session.poll_frame()).map(|f| f.timeline).last();
        b.map(Some("ann"), None, 1000);
        b.map(None, Some("bob"), 2000);
        b.sound(20, 2000, 2010);
        let bobs = timeline(&mut b);
        b.map(Some("bob"), Some("ann"), 3000);
        b.sound(30, 77_000, 3010);
        let anns = timeline(&mut b);
        assert!(bobs.is_some() && anns.is_some() && anns != bobs, "{bobs:?} {anns:?}");
        b.map(Some("ann"), None, 4000);
        b.map(None, Some("ann"), 5000);
        b.sound(40, 5_000, 5010);
        let again = timeline(&mut b);
        assert!(again.is_some() && again != anns, "RTP time of the two cannot be compared");
    }

    #[test]
    fn without_a_map_the_owner_has_it_after_a_bounded_time() {
        let mut b = Bed::new();
        b.ann();
        for n in 0..3 {
            b.sound(10 + n, 200 + n * 20, 5000 + n * 20);
        }
        let due = b.at(5000) + DOUBT;
        assert_eq!(b.session.unclear.next_deadline(), Some(due));
        b.session.handle_timeout(b.at(5999));
        assert_eq!(b.heard(), []);
        b.session.handle_timeout(due);
        assert_eq!((b.heard(), b.session.unclear.next_deadline()), (of("ann", 10..=12), None));
        b.sound(13, 240 + 970, 6010);
        assert_eq!(b.heard(), of("ann", [13]));
    }

    #[test]
    fn while_the_channel_is_lost_the_owner_stays_in_doubt_until_the_next_one_has_told_its_maps() {
        let mut b = Bed::new();
        b.ann();
        b.session.unclear.channel(false, b.at(4000));
        for n in 0..200 {
            b.sound(10 + n, 200 + n * 20, 5000 + n * 20);
        }
        assert_eq!((b.heard(), b.session.unclear.next_deadline()), (vec![], Some(b.at(5000) + MAX_DOUBT)));
        let open = b.at(9000);
        b.session.unclear.channel(true, open);
        assert_eq!(b.session.unclear.next_deadline(), Some(open + DOUBT));
        b.map(Some("ann"), Some("bob"), 9000);
        let heard = b.heard();
        let kept = EARLY_WAIT.as_millis() as usize / 20;
        assert!(heard.iter().all(|h| h.0 == "bob") && (kept - 1..=kept + 1).contains(&heard.len()), "{}", heard.len());
    }

    #[test]
    fn without_a_channel_for_long_the_owner_is_heard_again() {
        let mut b = Bed::new();
        b.ann();
        b.session.unclear.channel(false, b.at(4000));
        b.sound(10, 200, 5000);
        let due = b.at(5000) + MAX_DOUBT;
        b.session.handle_timeout(due);
        b.sound(11, 220 + 10_000, 15_020);
        // What waited for so long is too old, and missing.
        let later = b.at(15_400);
        b.session.handle_timeout(later);
        assert_eq!((b.heard(), b.session.unclear.next_deadline()), (of("ann", [11]), None));
    }

    #[test]
    fn what_is_on_its_way_of_who_lost_a_slot_or_left_is_nobody_elses() {
        let mut b = Bed::new();
        b.ann();
        // She has no slot any more, and one of hers comes after that; bob, who has it next, was not heard before.
        b.map(Some("ann"), None, 185);
        b.sound(10, 200, 200);
        b.map(None, Some("bob"), 210);
        b.sound(11, 220, 220);
        assert_eq!((b.heard(), b.session.unclear.late), (of("bob", [11]), 1));
        // He leaves the room.
        let (now, late) = (b.at(230), b.at(230) + EARLY_WAIT);
        b.session.remove_source("bob-a0", &[SSRC], false, now);
        b.sound(12, 240, 240);
        b.map(None, Some("cid"), 250);
        assert_eq!((b.heard(), b.session.unclear.late), (vec![], 2));
        for n in 0..MAX_GONE_SLOTS as u32 + 1 {
            b.session.unclear.owner_left(1000 + n, Takeover::new(MediaType::Audio), late);
        }
        assert_eq!(b.session.unclear.gone.len(), MAX_GONE_SLOTS);
    }

    #[test]
    fn slots_without_a_source_are_remembered_so_many_and_the_oldest_goes() {
        let mut u = Unclear::default();
        let lose = |u: &mut Unclear, ssrc| u.left(ssrc, Takeover::new(MediaType::Video));
        (0..MAX_LEFT_SLOTS as u32).for_each(|ssrc| lose(&mut u, ssrc));
        lose(&mut u, 0);
        lose(&mut u, 5000);
        assert_eq!(u.left.len(), MAX_LEFT_SLOTS);
        assert_eq!((u.knows(0), u.knows(1), u.knows(2), u.knows(5000)), (true, false, true, true));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut b = Bed::new();
        b.ann();
        for n in 0..=MAX_EARLY_PACKETS as u64 {
            b.sound(10 + n, 200 + n, 5000);
        }
        b.map(Some("ann"), Some("bob"), 5001);
        assert_eq!((b.heard().len(), b.session.unclear.early.dropped()), (MAX_EARLY_PACKETS, 1));
    }
}
