//! Our own pings: the round trip to other participants, by the rules of all clients; docs/protocol/04 §3.
//!
//! Of two participants the one with the greater endpoint id asks. A few answers are enough, and the more participants there are
//! the slower everybody asks.

use super::ping::Ping;
use crate::env::Env;
use crate::time::Time;
use crate::wire::colibri::ToBridge;
use std::collections::BTreeMap;
use std::time::Duration;

/// Nobody asks in a larger meeting than this, participants.
pub const MAX_PINGED_MEETING: usize = 200;
/// Answers that are enough.
pub const ENOUGH_ANSWERS: u32 = 5;
/// Requests to one participant, answered or not.
pub const MAX_PINGS: u64 = 10;
/// Shortest mean time between two requests to one participant.
const SHORTEST_MS: u64 = 1000;
/// Requests in a second that a whole meeting may make.
const MEETING_RATE: u64 = 250;

/// One participant that we ask.
struct Peer {
    next: Option<Time>,
    /// When each request went out, by its id less one.
    sent: Vec<Option<Time>>,
    answers: u32,
    best: Option<Duration>,
}

/// Whom we ask, and what came of it.
pub struct Pinger {
    own: String,
    env: Env,
    /// Others in the room, asked or not.
    others: usize,
    peers: BTreeMap<String, Peer>,
}

impl Pinger {
    /// For us, in a room that we enter.
    pub fn new(own: &str, env: Env) -> Pinger {
        Pinger { own: own.to_owned(), env, others: 0, peers: BTreeMap::new() }
    }

    /// Somebody is in the room.
    pub fn joined(&mut self, endpoint: &str, now: Time) {
        self.others += 1;
        if *self.own > *endpoint && self.peers.len() < MAX_PINGED_MEETING && !self.peers.contains_key(endpoint) {
            let next = Some(now + self.pause());
            self.peers.insert(endpoint.to_owned(), Peer { next, sent: Vec::new(), answers: 0, best: None });
        }
    }

    /// Somebody left.
    pub fn left(&mut self, endpoint: &str) {
        self.others = self.others.saturating_sub(1);
        self.peers.remove(endpoint);
    }

    /// The channel opened: what was due meanwhile does not go out all at once.
    pub fn opened(&mut self, now: Time) {
        let due: Vec<String> = self.peers.iter().filter(|(_, p)| p.next.is_some()).map(|p| p.0.clone()).collect();
        for endpoint in due {
            let next = now + self.pause();
            if let Some(p) = self.peers.get_mut(&endpoint) {
                p.next = Some(next);
            }
        }
    }

    /// When [`Pinger::handle_timeout`] is wanted, while the channel is open.
    pub fn next_deadline(&self) -> Option<Time> {
        self.peers.values().filter_map(|p| p.next).min()
    }

    /// The requests to send now; none while the meeting is too large.
    pub fn handle_timeout(&mut self, now: Time) -> Vec<ToBridge> {
        let due: Vec<String> = self
            .peers
            .iter()
            .filter(|(_, p)| p.next.is_some_and(|t| t.mono_us <= now.mono_us))
            .map(|p| p.0.clone())
            .collect();
        let ask = self.others < MAX_PINGED_MEETING;
        let mut requests = Vec::new();
        for endpoint in due {
            let pause = self.pause();
            let Some(p) = self.peers.get_mut(&endpoint) else { continue };
            if ask {
                p.sent.push(Some(now));
                requests.push(Ping::Request(p.sent.len() as u64).message(&endpoint));
            }
            p.next = ((p.sent.len() as u64) < MAX_PINGS).then(|| now + pause);
        }
        requests
    }

    /// An answer came; the round trip once enough of them are there.
    pub fn answered(&mut self, from: &str, id: u64, now: Time) -> Option<Duration> {
        let p = self.peers.get_mut(from)?;
        let at = usize::try_from(id.checked_sub(1)?).ok()?;
        let trip = now.since(p.sent.get_mut(at)?.take()?);
        p.best = Some(p.best.map_or(trip, |b| b.min(trip)));
        p.answers += 1;
        if p.answers != ENOUGH_ANSWERS {
            return None;
        }
        p.next = None;
        p.best
    }

    /// The shortest round trip so far.
    pub fn round_trip(&self, endpoint: &str) -> Option<Duration> {
        self.peers.get(endpoint)?.best
    }

    /// From one request to the next: half to one and a half of the mean.
    fn pause(&mut self) -> Duration {
        let n = self.others as u64 + 1;
        // Every pair sends five requests in the time in which the meeting may send all of them.
        let mean = (1000 * n * (n - 1) / 2 / MEETING_RATE).max(SHORTEST_MS);
        Duration::from_millis(mean * (501 + u64::from(self.env.below(1000))) / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

    fn room(own: &str, others: usize) -> Pinger {
        let mut p = Pinger::new(own, Env::seeded(1));
        (0..others).for_each(|n| p.joined(&format!("e{n:04}"), T0));
        p
    }

    /// Lets time pass to the next deadline.
    fn next(p: &mut Pinger, now: &mut Time) -> Vec<ToBridge> {
        *now = *now + p.next_deadline().expect("a deadline").since(*now);
        p.handle_timeout(*now)
    }

    #[test]
    fn the_greater_id_asks_until_five_answers_are_there_and_tells_the_shortest() {
        let mut p = room("a", 1);
        assert_eq!(p.next_deadline(), None, "the other one asks");
        p = room("f", 1);
        let mut now = T0;
        for id in 1..=5 {
            let before = now;
            assert_eq!(next(&mut p, &mut now), [Ping::Request(id).message("e0000")]);
            assert!((500..=1500).contains(&now.since(before).as_millis()), "{before:?} {now:?}");
            let trip = Duration::from_millis(100 - id);
            assert_eq!(p.answered("stranger", id, now), None);
            let told = p.answered("e0000", id, now + trip);
            assert_eq!(told, (id == 5).then_some(trip), "{id}");
            assert_eq!(p.answered("e0000", id, now), None, "an answer counts once");
        }
        assert_eq!((p.next_deadline(), p.round_trip("e0000")), (None, Some(Duration::from_millis(95))));
        p.left("e0000");
        assert_eq!(p.round_trip("e0000"), None);
    }

    #[test]
    fn who_never_answers_is_asked_so_often_and_no_more() {
        let mut p = room("f", 1);
        let mut now = T0;
        let mut asked = 0;
        while p.next_deadline().is_some() {
            asked += next(&mut p, &mut now).len() as u64;
        }
        assert_eq!(asked, MAX_PINGS);
        for id in [0, 11, u64::MAX] {
            assert_eq!(p.answered("e0000", id, now), None);
        }
    }

    #[test]
    fn nobody_is_asked_in_a_meeting_past_the_bound() {
        for (others, asked) in [(MAX_PINGED_MEETING - 1, true), (MAX_PINGED_MEETING, false)] {
            let mut p = room("f", others);
            let mut now = T0;
            assert_eq!(!next(&mut p, &mut now).is_empty(), asked);
        }
    }

    #[test]
    fn what_was_due_while_the_channel_was_closed_is_spread_out_when_it_opens() {
        let mut p = room("f", 50);
        let now = T0 + Duration::from_secs(100);
        assert!(p.next_deadline().is_some_and(|t| t.mono_us < now.mono_us));
        p.opened(now);
        assert!(p.handle_timeout(now).is_empty());
        assert!(p.next_deadline().is_some_and(|t| t.mono_us > now.mono_us));
    }

    #[test]
    fn a_large_meeting_asks_slowly() {
        let mut p = room("f", 99);
        let pauses: Vec<u128> = (0..200).map(|_| p.pause().as_millis()).collect();
        let mean = 1000 * (100 * 99 / 2) / 250;
        assert!(pauses.iter().all(|ms| (mean / 2..=mean * 3 / 2).contains(ms)), "{pauses:?}");
        assert!(pauses.iter().min() < pauses.iter().max());
    }
}
