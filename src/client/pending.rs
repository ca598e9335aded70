//! What waits in an event queue: one order, bounded and coalescing (design §6, "Overload"). No lock, no clock, no thread.
//!
//! * Lifecycle is bounded by live objects: a joined (added) event that nobody took is cancelled by its left (removed), and what was
//!   said about the object in between goes with it.
//! * State events keep the newest per object, at the place of the newest: nothing is seen before what caused it.
//! * Levels (bit rates) keep their place and take the newest value.
//! * Messages are bounded in number and bytes; the oldest go, counted in one OVERRUN event at their place.
//! * Completed requests are never dropped: the request slots bound them.

use super::queue::QueuedEvent;
use crate::meeting::event::{Event, EventKind, ParticipantKey, TrackKey};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// Messages of one client that wait at most. (Fewer under miri, which needs a minute to pass the real bound.)
pub const MAX_MESSAGES: usize = if cfg!(miri) { 32 } else { 1024 };
/// Bytes of text in the messages of one client that wait at most. One message alone may be larger.
pub const MAX_MESSAGE_BYTES_WAITING: usize = 4 << 20;
/// Encodings of one track about which events may wait (simulcast has three layers).
const MAX_ENCODINGS: u32 = 4;
/// Emptied places kept before the list is closed up.
const MAX_HOLES: usize = 64;

/// Which waiting event a new one may replace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    State,
    Joined,
    Role,
    Subject,
    Focus,
    Media(u32),
    Bandwidth,
    BridgeOffered,
    BridgeChannel,
    Speaker,
    Downlink,
    ParticipantStats(u64),
    LocalStats,
    StartMuted,
    MutedBy(u32),
    RestartRefused,
    Forwarded(u64),
    Streaming(u64),
    Connectivity(u64),
    RoundTrip(u64),
    BridgeAvailable,
    Overrun,
    Timeline(u32),
    ParticipantJoined(u64),
    ParticipantUpdated(u64),
    TrackAdded(u64),
    TrackUpdated(u64),
    Refresh(u64, u32),
    Bitrate(u64, u32),
    CodecWanted(u64),
}

/// What a client has one of.
const SINGLES: usize = 15;

impl Key {
    /// Its place among what a client has one of. Those are most events, and need no map.
    fn single(self) -> Option<usize> {
        Some(match self {
            Key::State => 0,
            Key::Joined => 1,
            Key::Role => 2,
            Key::Subject => 3,
            Key::Focus => 4,
            Key::Bandwidth => 5,
            Key::BridgeOffered => 6,
            Key::BridgeChannel => 7,
            Key::Speaker => 8,
            Key::Downlink => 9,
            Key::LocalStats => 10,
            Key::StartMuted => 11,
            Key::RestartRefused => 12,
            Key::BridgeAvailable => 13,
            Key::Overrun => 14,
            _ => return None,
        })
    }
}

enum Rule {
    /// Waits on its own, counted.
    Request,
    /// Takes the place of an older one, or goes to the end.
    Level(Key),
    /// Removes an older one and goes to the end.
    Newest(Key),
    /// Removed by its counterpart when nobody took it.
    Begins(Key),
    ParticipantLeft(u64),
    TrackRemoved(u64),
    Message(usize),
    Closed,
}

fn rule(event: &Event) -> Rule {
    match &event.kind {
        EventKind::RequestDone(_) => Rule::Request,
        EventKind::State(_) => Rule::Newest(Key::State),
        EventKind::Joined(_) => Rule::Newest(Key::Joined),
        EventKind::ParticipantJoined(p) => Rule::Begins(Key::ParticipantJoined(p.key.0)),
        EventKind::ParticipantUpdated(p, _) => Rule::Newest(Key::ParticipantUpdated(p.key.0)),
        EventKind::ParticipantLeft(l) => Rule::ParticipantLeft(l.participant.key.0),
        EventKind::Role(_) => Rule::Newest(Key::Role),
        EventKind::Message(m) => Rule::Message(m.text.len()),
        EventKind::Subject(_) => Rule::Newest(Key::Subject),
        EventKind::TrackAdded(t) => Rule::Begins(Key::TrackAdded(t.key.0)),
        EventKind::TrackUpdated(t) => Rule::Newest(Key::TrackUpdated(t.key.0)),
        EventKind::TrackRemoved(t) => Rule::TrackRemoved(t.key.0),
        EventKind::Focus(_) => Rule::Newest(Key::Focus),
        EventKind::Media(path, _) => Rule::Newest(Key::Media(*path as u32)),
        EventKind::BridgeChannel(_) => Rule::Newest(Key::BridgeChannel),
        EventKind::Speaker(_) => Rule::Newest(Key::Speaker),
        EventKind::EndpointMessage(m) => Rule::Message(m.payload.len()),
        EventKind::Tone(_) => Rule::Message(1),
        EventKind::TrackForwarded { track, .. } => Rule::Newest(Key::Forwarded(track.0)),
        EventKind::TrackStreaming { track, .. } => Rule::Newest(Key::Streaming(track.0)),
        // Ourselves are 0, which no participant is.
        EventKind::Connectivity(c) => Rule::Newest(Key::Connectivity(c.participant.map_or(0, |p| p.0))),
        EventKind::RoundTrip(r) => Rule::Newest(Key::RoundTrip(r.participant.0)),
        EventKind::SourcesRefused(r) => Rule::Message(r.names.iter().map(String::len).sum()),
        EventKind::ParticipantStats(s) => Rule::Level(Key::ParticipantStats(s.participant.0)),
        EventKind::LocalStats(_) => Rule::Level(Key::LocalStats),
        EventKind::StartMuted { .. } => Rule::Newest(Key::StartMuted),
        EventKind::MutedBy(m) => Rule::Newest(Key::MutedBy(m.kind as u32)),
        EventKind::RestartRefused { .. } => Rule::Newest(Key::RestartRefused),
        EventKind::Downlink { .. } => Rule::Level(Key::Downlink),
        EventKind::BridgeOffered => Rule::Newest(Key::BridgeOffered),
        EventKind::BridgeAvailable(_) => Rule::Newest(Key::BridgeAvailable),
        EventKind::KeyFrameWanted { track, encoding } => Rule::Level(Key::Refresh(track.0, *encoding)),
        EventKind::TargetBitrate { track, encoding, .. } => Rule::Level(Key::Bitrate(track.0, *encoding)),
        EventKind::CodecWanted { track, .. } => Rule::Newest(Key::CodecWanted(track.0)),
        EventKind::Bandwidth { .. } => Rule::Level(Key::Bandwidth),
        EventKind::Timeline(stage, _) => Rule::Newest(Key::Timeline(*stage as u32)),
        EventKind::Overrun { .. } => Rule::Level(Key::Overrun),
        EventKind::Closed(_) => Rule::Closed,
    }
}

struct Entry {
    number: u64,
    /// `None`: cancelled or replaced since.
    event: Option<QueuedEvent>,
}

#[derive(Default)]
struct Client {
    /// Number and size of each message that waits, oldest first.
    messages: VecDeque<(u64, usize)>,
    message_bytes: usize,
    /// Completed requests that wait.
    requests: usize,
    /// Numbers of the waiting events of which there is one: 0 for none.
    singles: [u64; SINGLES],
    /// CLOSED was pushed: nothing may follow it.
    closed: bool,
}

/// The events that wait, of all clients of one queue.
pub(super) struct Pending {
    entries: VecDeque<Entry>,
    live: usize,
    /// Number of the next entry, from 1.
    next: u64,
    index: HashMap<(u64, Key), u64, BuildHasherDefault<Mix>>,
    clients: HashMap<u64, Client, BuildHasherDefault<Mix>>,
    /// Objects whose removal must be told, because the program holds a handle.
    pinned: HashSet<(u64, Key), BuildHasherDefault<Mix>>,
}

impl Default for Pending {
    fn default() -> Pending {
        let (entries, clients) = Default::default();
        let (index, pinned) = Default::default();
        Pending { entries, live: 0, next: 1, index, clients, pinned }
    }
}

impl Pending {
    /// Events of `client` are taken from now on.
    pub fn attach(&mut self, client: u64) {
        self.clients.entry(client).or_default();
    }

    /// Drops what waits of `client` and takes no more of it.
    pub fn forget(&mut self, client: u64) {
        self.clients.remove(&client);
        self.index.retain(|k, _| k.0 != client);
        self.pinned.retain(|k| k.0 != client);
        self.entries.retain(|e| e.event.as_ref().is_some_and(|e| e.client != client));
        self.live = self.entries.len();
    }

    pub fn clients(&self) -> usize {
        self.clients.len()
    }

    /// Completed requests of `client` that nobody took yet.
    pub fn requests(&self, client: u64) -> usize {
        self.clients.get(&client).map_or(0, |c| c.requests)
    }

    pub fn is_empty(&self) -> bool {
        self.live == 0
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.live
    }

    /// A handle of this participant is in the program's hands: its left event must be delivered.
    pub fn pin_participant(&mut self, client: u64, key: ParticipantKey) {
        self.pinned.insert((client, Key::ParticipantJoined(key.0)));
    }

    /// A handle of this track is in the program's hands: its removed event must be delivered.
    pub fn pin_track(&mut self, client: u64, key: TrackKey) {
        self.pinned.insert((client, Key::TrackAdded(key.0)));
    }

    /// Adds an event, unless its client is unknown, forgotten or has closed.
    pub fn push(&mut self, event: QueuedEvent) {
        let id = event.client;
        let Some(client) = self.clients.get_mut(&id).filter(|c| !c.closed) else { return };
        match rule(&event.event) {
            Rule::Request => {
                client.requests += 1;
                self.append(event);
            }
            Rule::Closed => {
                client.closed = true;
                self.append(event);
            }
            Rule::Message(bytes) => {
                client.message_bytes += bytes;
                client.messages.push_back((self.next, bytes));
                self.append(event);
                self.bound_messages(id);
            }
            Rule::Level(key) => self.level(key, event),
            Rule::Newest(key) => match key.single() {
                Some(one) => {
                    let before = std::mem::replace(&mut client.singles[one], self.next);
                    if before > 0 {
                        self.take_out(before);
                    }
                    self.append(event);
                }
                None => self.newest(key, event),
            },
            Rule::Begins(key) => {
                self.know(id, key, self.next);
                self.append(event);
            }
            Rule::ParticipantLeft(p) => {
                for key in
                    [Key::ParticipantUpdated(p), Key::Connectivity(p), Key::RoundTrip(p), Key::ParticipantStats(p)]
                {
                    self.cancel(id, key);
                }
                if self.pinned.remove(&(id, Key::ParticipantJoined(p))) || !self.cancel(id, Key::ParticipantJoined(p)) {
                    self.append(event);
                }
            }
            Rule::TrackRemoved(t) => {
                self.cancel(id, Key::TrackUpdated(t));
                self.cancel(id, Key::CodecWanted(t));
                self.cancel(id, Key::Forwarded(t));
                self.cancel(id, Key::Streaming(t));
                for encoding in 0..MAX_ENCODINGS {
                    self.cancel(id, Key::Refresh(t, encoding));
                    self.cancel(id, Key::Bitrate(t, encoding));
                }
                if self.pinned.remove(&(id, Key::TrackAdded(t))) || !self.cancel(id, Key::TrackAdded(t)) {
                    self.append(event);
                }
            }
        }
    }

    /// The next event in order.
    pub fn pop(&mut self) -> Option<QueuedEvent> {
        loop {
            let entry = self.entries.pop_front()?;
            let Some(event) = entry.event else { continue };
            self.live -= 1;
            match rule(&event.event) {
                Rule::Message(bytes) => {
                    if let Some(c) = self.clients.get_mut(&event.client) {
                        c.messages.pop_front();
                        c.message_bytes -= bytes;
                    }
                }
                Rule::Request => {
                    if let Some(c) = self.clients.get_mut(&event.client) {
                        c.requests -= 1;
                    }
                }
                Rule::Level(key) | Rule::Newest(key) | Rule::Begins(key) => {
                    self.unknown(event.client, key);
                }
                Rule::ParticipantLeft(_) | Rule::TrackRemoved(_) | Rule::Closed => {}
            }
            return Some(event);
        }
    }

    fn append(&mut self, event: QueuedEvent) {
        self.entries.push_back(Entry { number: self.next, event: Some(event) });
        self.next += 1;
        self.live += 1;
    }

    /// Where the event of this key waits.
    fn known(&self, client: u64, key: Key) -> Option<usize> {
        let number = match key.single() {
            Some(one) => self.clients.get(&client).map(|c| c.singles[one]).filter(|n| *n > 0)?,
            None => *self.index.get(&(client, key))?,
        };
        self.find(number)
    }

    /// The event of this key is the one with this number.
    fn know(&mut self, client: u64, key: Key, number: u64) {
        match key.single() {
            Some(one) => {
                if let Some(c) = self.clients.get_mut(&client) {
                    c.singles[one] = number;
                }
            }
            None => drop(self.index.insert((client, key), number)),
        }
    }

    /// No event of this key waits any more; the number of the one that did.
    fn unknown(&mut self, client: u64, key: Key) -> Option<u64> {
        match key.single() {
            Some(one) => {
                let number = std::mem::take(&mut self.clients.get_mut(&client)?.singles[one]);
                (number > 0).then_some(number)
            }
            None => self.index.remove(&(client, key)),
        }
    }

    fn level(&mut self, key: Key, event: QueuedEvent) {
        let at = self.known(event.client, key);
        match at.and_then(|at| self.entries[at].event.as_mut()) {
            Some(waiting) => *waiting = event,
            None => {
                self.know(event.client, key, self.next);
                self.append(event);
            }
        }
    }

    fn newest(&mut self, key: Key, mut event: QueuedEvent) {
        let id = event.client;
        if let Some(old) = self.take(id, key)
            && let (EventKind::ParticipantUpdated(_, before), EventKind::ParticipantUpdated(_, changed)) =
                (old.event.kind, &mut event.event.kind)
        {
            *changed |= before;
        }
        self.know(id, key, self.next);
        self.append(event);
    }

    fn cancel(&mut self, client: u64, key: Key) -> bool {
        self.take(client, key).is_some()
    }

    fn take(&mut self, client: u64, key: Key) -> Option<QueuedEvent> {
        let number = self.unknown(client, key)?;
        self.take_out(number)
    }

    fn take_out(&mut self, number: u64) -> Option<QueuedEvent> {
        let at = self.find(number)?;
        let event = self.entries[at].event.take();
        self.live -= 1;
        self.close_up();
        event
    }

    fn find(&self, number: u64) -> Option<usize> {
        self.entries.binary_search_by_key(&number, |e| e.number).ok()
    }

    /// Cancelled places must not add up behind an event that nobody takes.
    fn close_up(&mut self) {
        if self.entries.len() > 2 * self.live + MAX_HOLES {
            self.entries.retain(|e| e.event.is_some());
        }
    }

    fn bound_messages(&mut self, id: u64) {
        loop {
            let Some(client) = self.clients.get_mut(&id) else { return };
            let over = client.messages.len() > MAX_MESSAGES
                || (client.message_bytes > MAX_MESSAGE_BYTES_WAITING && client.messages.len() > 1);
            if !over {
                return;
            }
            let Some((number, bytes)) = client.messages.pop_front() else { return };
            client.message_bytes -= bytes;
            let counted = self.known(id, Key::Overrun);
            let Some(oldest) = self.find(number) else { return };
            match counted.and_then(|at| self.entries[at].event.as_mut()).map(|e| &mut e.event.kind) {
                Some(EventKind::Overrun { dropped }) => {
                    *dropped += 1;
                    self.entries[oldest].event = None;
                    self.live -= 1;
                    self.close_up();
                }
                _ => {
                    if let Some(message) = &mut self.entries[oldest].event {
                        message.event.kind = EventKind::Overrun { dropped: 1 };
                    }
                    self.know(id, Key::Overrun, number);
                }
            }
        }
    }
}

/// A hash for keys that are small numbers of our own making: nobody outside can choose them, so no secret is needed.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(26) ^ n).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Error, Stage};
    use crate::media::kind::{Codec, MediaType, VideoType};
    use crate::meeting::event::*;
    use std::sync::Arc;

    fn participant(key: u64, name: &str) -> Arc<Participant> {
        Arc::new(Participant {
            key: ParticipantKey(key),
            endpoint_id: format!("{key:08x}"),
            display_name: name.into(),
            real_jid: String::new(),
            role: Role::Participant,
            features: vec![],
            raised_hand: String::new(),
        })
    }

    fn left(key: u64) -> EventKind {
        let participant = participant(key, "");
        EventKind::ParticipantLeft(Box::new(ParticipantLeft {
            participant,
            reason: String::new(),
            kicked: false,
            vanished: false,
            we_left: false,
        }))
    }

    fn track(key: u64) -> Arc<Track> {
        Arc::new(Track {
            key: TrackKey(key),
            participant: None,
            endpoint_id: "0000000a".into(),
            source_name: "0000000a-v0".into(),
            media: MediaType::Video,
            video_type: VideoType::Camera,
            muted: false,
            local: false,
            codec: None,
        })
    }

    fn message(text: &str) -> EventKind {
        EventKind::Message(Box::new(Message {
            participant: None,
            endpoint_id: "0000000a".into(),
            display_name: String::new(),
            text: text.into(),
            id: String::new(),
            private: false,
            delayed: false,
            sent_ms: 0,
        }))
    }

    fn pending() -> Pending {
        let mut p = Pending::default();
        p.attach(1);
        p.attach(2);
        p
    }

    fn push(p: &mut Pending, client: u64, kind: EventKind) {
        let event = Event { tag: 0, conference: Some(MAIN_ROOM), kind };
        p.push(QueuedEvent { client, user_value: client * 10, event });
    }

    fn drain(p: &mut Pending) -> Vec<String> {
        std::iter::from_fn(|| p.pop())
            .map(|e| match e.event.kind {
                EventKind::Message(m) => m.text,
                EventKind::ParticipantJoined(p) => format!("joined {}", p.key.0),
                EventKind::ParticipantUpdated(p, c) => format!("updated {} {} {c}", p.key.0, p.display_name),
                EventKind::ParticipantLeft(l) => format!("left {}", l.participant.key.0),
                EventKind::TrackAdded(t) => format!("added {}", t.key.0),
                EventKind::TrackRemoved(t) => format!("removed {}", t.key.0),
                EventKind::Overrun { dropped } => format!("overrun {dropped}"),
                EventKind::Bandwidth { bits_per_second } => format!("bandwidth {bits_per_second}"),
                k => format!("{k:?}"),
            })
            .collect()
    }

    #[test]
    fn an_untaken_joined_is_cancelled_by_its_left_with_all_between() {
        let mut p = pending();
        push(&mut p, 1, message("a"));
        push(&mut p, 1, EventKind::ParticipantJoined(participant(7, "x")));
        push(&mut p, 1, EventKind::TrackAdded(track(8)));
        push(&mut p, 1, EventKind::TrackUpdated(track(8)));
        for encoding in 0..MAX_ENCODINGS {
            push(&mut p, 1, EventKind::KeyFrameWanted { track: TrackKey(8), encoding });
        }
        push(&mut p, 1, EventKind::CodecWanted { track: TrackKey(8), codec: Codec::Vp8 });
        push(&mut p, 1, EventKind::ParticipantUpdated(participant(7, "y"), 1));
        push(&mut p, 1, EventKind::TrackRemoved(track(8)));
        push(&mut p, 1, left(7));
        assert_eq!(p.len(), 1);
        assert_eq!(drain(&mut p), ["a"]);
    }

    #[test]
    fn a_taken_or_pinned_joined_gets_its_left() {
        let mut p = pending();
        push(&mut p, 1, EventKind::ParticipantJoined(participant(7, "x")));
        assert_eq!(drain(&mut p), ["joined 7"]);
        push(&mut p, 1, left(7));
        assert_eq!(drain(&mut p), ["left 7"]);
        push(&mut p, 1, EventKind::ParticipantJoined(participant(9, "x")));
        push(&mut p, 1, EventKind::TrackAdded(track(8)));
        p.pin_participant(1, ParticipantKey(9));
        p.pin_track(1, TrackKey(8));
        push(&mut p, 1, EventKind::TrackRemoved(track(8)));
        push(&mut p, 1, left(9));
        assert_eq!(drain(&mut p), ["joined 9", "added 8", "removed 8", "left 9"]);
    }

    #[test]
    fn the_same_keys_of_two_clients_do_not_meet() {
        let mut p = pending();
        push(&mut p, 1, EventKind::ParticipantJoined(participant(7, "x")));
        push(&mut p, 2, left(7));
        assert_eq!(drain(&mut p), ["joined 7", "left 7"]);
    }

    #[test]
    fn updates_keep_the_newest_at_the_end_with_every_changed_bit() {
        let mut p = pending();
        push(&mut p, 1, EventKind::ParticipantUpdated(participant(7, "a"), 1));
        push(&mut p, 1, message("m"));
        push(&mut p, 1, EventKind::ParticipantUpdated(participant(7, "b"), 4));
        assert_eq!(drain(&mut p), ["m", "updated 7 b 5"]);
        push(&mut p, 1, EventKind::ParticipantUpdated(participant(7, "c"), 2));
        assert_eq!(drain(&mut p), ["updated 7 c 2"]);
    }

    #[test]
    fn levels_keep_their_place_and_take_the_newest_value() {
        let mut p = pending();
        push(&mut p, 1, EventKind::Bandwidth { bits_per_second: 1 });
        push(&mut p, 1, message("m"));
        for n in 2..100 {
            push(&mut p, 1, EventKind::Bandwidth { bits_per_second: n });
        }
        assert_eq!(drain(&mut p), ["bandwidth 99", "m"]);
    }

    #[test]
    fn messages_are_bounded_and_the_dropped_are_counted_at_their_place() {
        let mut p = pending();
        push(&mut p, 1, EventKind::ParticipantJoined(participant(7, "x")));
        for n in 0..MAX_MESSAGES {
            push(&mut p, 1, message(&n.to_string()));
        }
        assert_eq!(p.len(), MAX_MESSAGES + 1);
        for n in 0..3 {
            push(&mut p, 1, message(&format!("more {n}")));
        }
        push(&mut p, 2, message("other client"));
        let out = drain(&mut p);
        assert_eq!(out[..3], ["joined 7", "overrun 3", "3"]);
        assert_eq!(out[out.len() - 2..], ["more 2", "other client"]);
        assert_eq!(out.len(), MAX_MESSAGES + 3);
        // The count starts anew.
        for n in 0..=MAX_MESSAGES {
            push(&mut p, 1, message(&n.to_string()));
        }
        assert_eq!(drain(&mut p)[..2], ["overrun 1", "1"]);
    }

    #[test]
    fn message_bytes_are_bounded_but_one_message_always_fits() {
        let mut p = pending();
        let big = "x".repeat(MAX_MESSAGE_BYTES_WAITING + 1);
        push(&mut p, 1, message(&big));
        assert_eq!(drain(&mut p), [big.as_str()]);
        push(&mut p, 1, message("a"));
        push(&mut p, 1, message(&big));
        assert_eq!(drain(&mut p), ["overrun 1".to_string(), big]);
    }

    #[test]
    fn nothing_follows_closed_and_nothing_comes_of_the_unknown_and_forgotten() {
        let mut p = pending();
        push(&mut p, 1, message("a"));
        push(&mut p, 1, EventKind::Closed(Some(Error::new(Code::Kicked, Stage::Joined, "").into())));
        push(&mut p, 1, message("late"));
        push(&mut p, 1, EventKind::Closed(None));
        push(&mut p, 3, message("unknown"));
        assert_eq!(p.len(), 2);
        p.forget(2);
        push(&mut p, 2, message("forgotten"));
        assert_eq!((p.len(), p.clients()), (2, 1));
        p.forget(1);
        assert!(p.is_empty() && p.pop().is_none());
    }

    #[test]
    fn a_host_that_never_drains_costs_bounded_memory() {
        let mut p = pending();
        push(&mut p, 1, EventKind::Subject("stuck".into()));
        // Past every bound many times, where there is time for it.
        let rounds = if cfg!(miri) { 40 } else { 100_000 };
        for n in 0..rounds {
            push(&mut p, 1, EventKind::ParticipantJoined(participant(n, "x")));
            push(&mut p, 1, EventKind::State(ClientState::Joined));
            push(&mut p, 1, EventKind::TrackAdded(track(n)));
            push(&mut p, 1, EventKind::Bandwidth { bits_per_second: n });
            push(&mut p, 1, message("m"));
            push(&mut p, 1, EventKind::TrackRemoved(track(n)));
            push(&mut p, 1, left(n));
        }
        assert!(p.entries.len() <= 2 * (MAX_MESSAGES + 4) + MAX_HOLES, "{}", p.entries.len());
        assert!(p.index.len() <= 4);
        assert_eq!(p.len(), MAX_MESSAGES + 4);
    }

    #[test]
    fn completed_requests_are_counted_until_they_are_taken() {
        let mut p = pending();
        for tag in 1..4 {
            let event = Event { tag, conference: None, kind: EventKind::RequestDone(None) };
            p.push(QueuedEvent { client: 1, user_value: 0, event });
        }
        assert_eq!(p.requests(1), 3);
        assert_eq!(p.pop().map(|e| e.event.tag), Some(1));
        assert_eq!(p.requests(1), 2);
    }
}
