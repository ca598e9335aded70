//! A bad link as a machine: packets go in, and come out later, in another order, twice or not at all. In virtual time between
//! two engines in memory, and on sockets in `media_proxy.rs`. Seeded: the same packets meet the same fate.

use crate::env::Env;
use crate::time::Time;
use std::collections::BTreeMap;
use std::time::Duration;

/// Packets under way at once; past it packets are dropped, as a full queue drops them.
pub const MAX_IN_FLIGHT: usize = 10_000;
/// How long a packet waits at most before a narrow link; then it is dropped.
pub const MAX_QUEUE: Duration = Duration::from_millis(300);
/// What the network adds to each datagram: UDP and IPv4 headers.
const HEADERS: usize = 28;

/// What the link does to each packet, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LinkOptions {
    /// Every packet takes this long.
    pub delay: Duration,
    /// And up to this much longer, evenly spread: packets overtake each other.
    pub jitter: Duration,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Share of packets that come twice.
    pub duplicate: f64,
}

/// One direction of a link.
#[derive(Debug)]
pub struct Link<T> {
    /// May be changed at any time; packets under way keep their fate.
    pub options: LinkOptions,
    /// bit/s; packets queue before it. `None`: as many as one likes.
    pub bandwidth: Option<u64>,
    /// When the last packet has gone through the narrow place.
    busy: Time,
    env: Env,
    queue: BTreeMap<(Time, u64), T>,
    /// What must not be lost, while everything is.
    stalled: Vec<T>,
    next: u64,
    dropped: u64,
}

impl<T: Clone> Link<T> {
    /// An empty link.
    pub fn new(options: LinkOptions, seed: u64) -> Link<T> {
        Link {
            options,
            bandwidth: None,
            busy: Time::default(),
            env: Env::seeded(seed),
            queue: BTreeMap::new(),
            stalled: Vec::new(),
            next: 0,
            dropped: 0,
        }
    }

    /// A datagram of `bytes` enters, which takes its time where bandwidth is limited.
    pub fn push_sized(&mut self, packet: T, bytes: usize, now: Time) {
        let Some(bandwidth) = self.bandwidth.filter(|b| *b > 0) else { return self.push(packet, now) };
        let start = self.busy.max(now);
        if start.since(now) > MAX_QUEUE {
            self.dropped += 1;
            return;
        }
        self.busy = start + Duration::from_micros((bytes + HEADERS) as u64 * 8_000_000 / bandwidth);
        self.push(packet, self.busy);
    }

    /// A message of a reliable channel enters: it comes once and in order, never later than packets that follow it, if need be after
    /// an outage.
    pub fn push_reliable(&mut self, message: T, now: Time) {
        if self.queue.len() + self.stalled.len() >= MAX_IN_FLIGHT {
            self.dropped += 1;
            return;
        }
        self.stalled.push(message);
        self.release(now);
    }

    fn release(&mut self, now: Time) {
        if self.options.loss < 1.0 {
            for message in std::mem::take(&mut self.stalled) {
                self.next += 1;
                self.queue.insert((now + self.options.delay, self.next), message);
            }
        }
    }

    /// A packet enters.
    pub fn push(&mut self, packet: T, now: Time) {
        self.release(now);
        let lost = self.chance(self.options.loss);
        let twice = self.chance(self.options.duplicate);
        if lost || self.queue.len() >= MAX_IN_FLIGHT {
            self.dropped += 1;
            return;
        }
        if twice {
            self.enqueue(packet.clone(), now);
        }
        self.enqueue(packet, now);
    }

    fn enqueue(&mut self, packet: T, now: Time) {
        let jitter = u32::try_from(self.options.jitter.as_micros()).unwrap_or(u32::MAX);
        let extra = Duration::from_micros(self.env.below(jitter).into());
        self.next += 1;
        self.queue.insert((now + self.options.delay + extra, self.next), packet);
    }

    fn chance(&mut self, share: f64) -> bool {
        // Always drawn, so that a change of one share leaves the other's fate alone.
        let drawn = f64::from(self.env.u32()) / f64::from(u32::MAX);
        share > 0.0 && drawn <= share
    }

    /// The next packet that has arrived by `now`.
    pub fn pop(&mut self, now: Time) -> Option<T> {
        let entry = self.queue.first_entry().filter(|e| e.key().0 <= now)?;
        Some(entry.remove())
    }

    /// When the next packet arrives.
    pub fn next_deadline(&self) -> Option<Time> {
        self.queue.first_key_value().map(|((t, _), _)| *t)
    }

    /// How many were lost.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(options: LinkOptions, count: u32) -> (Vec<u32>, u64) {
        let mut link = Link::new(options, 7);
        let mut out = Vec::new();
        for i in 0..count {
            let now = Time::new(u64::from(i) * 1000, 0);
            link.push(i, now);
            out.extend(std::iter::from_fn(|| link.pop(now)));
        }
        let end = link.next_deadline().map_or(Time::default(), |t| t + Duration::from_secs(60));
        out.extend(std::iter::from_fn(|| link.pop(end)));
        (out, link.dropped())
    }

    #[test]
    fn a_good_link_keeps_all_in_order() {
        assert_eq!(run(LinkOptions::default(), 100), ((0..100).collect(), 0));
    }

    #[test]
    fn delay_holds_a_packet_for_just_that_long() {
        let delay = Duration::from_millis(50);
        let mut link = Link::new(LinkOptions { delay, ..LinkOptions::default() }, 1);
        let start = Time::new(5, 5);
        link.push("x", start);
        assert_eq!(link.next_deadline(), Some(start + delay));
        assert_eq!(link.pop(start + (delay - Duration::from_micros(1))), None);
        assert_eq!(link.pop(start + delay), Some("x"));
    }

    #[test]
    fn loss_duplicates_and_jitter_are_as_asked_and_repeatable() {
        let options =
            LinkOptions { jitter: Duration::from_millis(20), loss: 0.1, duplicate: 0.05, ..LinkOptions::default() };
        let (got, dropped) = run(options, 10_000);
        assert!((900..1100).contains(&dropped), "{dropped}");
        let mut unique = got.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len() as u64, 10_000 - dropped);
        assert!((350..550).contains(&(got.len() - unique.len())));
        assert!(got.windows(2).any(|w| w[0] > w[1]), "packets overtake each other");
        assert_eq!(run(options, 10_000), (got, dropped));
        assert_eq!(run(LinkOptions { loss: 1.0, ..LinkOptions::default() }, 10), (vec![], 10));
    }

    #[test]
    fn a_narrow_link_carries_what_it_can_and_drops_what_would_wait_too_long() {
        let mut link = Link::new(LinkOptions::default(), 1);
        link.bandwidth = Some(1_000_000);
        let start = Time::new(1, 1);
        // 125 bytes with their headers: a millisecond each.
        for i in 0..1000 {
            link.push_sized(i, 125 - HEADERS, start);
        }
        assert_eq!(link.next_deadline(), Some(start + Duration::from_millis(1)));
        let end = start + Duration::from_secs(1);
        let passed = std::iter::from_fn(|| link.pop(end)).count() as u64;
        assert_eq!((passed, link.dropped()), (MAX_QUEUE.as_millis() as u64 + 1, 699));
        link.bandwidth = None;
        link.push_sized(0, 1000, end);
        assert_eq!(link.next_deadline(), Some(end));
    }

    #[test]
    fn a_link_holds_no_more_than_its_bound() {
        let mut link = Link::new(LinkOptions { delay: Duration::from_secs(1), ..LinkOptions::default() }, 1);
        for i in 0..=MAX_IN_FLIGHT {
            link.push(i, Time::default());
        }
        assert_eq!(link.dropped(), 1);
    }
}
