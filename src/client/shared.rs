//! What the driver and the API handles of one client share: the snapshot that getters read, the request slots, and the way
//! in. No lock here is held while user code runs.

use super::queue::{FOR_EVER, Queue};
use super::reader::ReaderShared;
use super::status::Statuses;
use super::writer::WriterShared;
use crate::error::{Code, Error, Stage};
use crate::media::OutgoingFrame;
use crate::media::peer::Stats;
use crate::meeting::event::{
    ClientState, Event, EventKind, Participant, ParticipantKey, TimelineStage, Track, TrackKey,
};
use crate::meeting::measure::MeetingStats;
use crate::meeting::stats::IgnoredStats;
use crate::meeting::{Command, ReaderKey};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Requests of one client that may wait for completion at once; past it a call answers [`Code::Busy`].
pub const MAX_REQUESTS: usize = 1024;

/// Into the driver.
pub(crate) enum ToDriver {
    Command(Command),
    NewReader(ReaderKey, Arc<ReaderShared>),
    NewWriter(TrackKey, Arc<WriterShared>),
    Frame(TrackKey, OutgoingFrame),
    /// Wants the counters of the media session.
    Stats(std::sync::mpsc::SyncSender<Option<Stats>>),
    /// Wants the statistics of one of our tracks, or of everything.
    Measure(Option<TrackKey>, std::sync::mpsc::SyncSender<MeetingStats>),
    /// The handle is gone: leave without waiting.
    Free,
}

/// What getters see. It may be ahead of the queue.
#[derive(Default)]
pub(crate) struct Snapshot {
    pub state: ClientState,
    pub endpoint_id: Option<String>,
    pub participants: BTreeMap<ParticipantKey, Arc<Participant>>,
    pub tracks: BTreeMap<TrackKey, Arc<Track>>,
    pub statuses: Statuses,
    pub timeline: Vec<(TimelineStage, u64)>,
    /// What came and was passed over.
    pub ignored: IgnoredStats,
    /// Why the client closed, where that was an error.
    pub ended: Option<Error>,
}

pub(crate) struct Shared {
    pub id: u64,
    pub user_value: u64,
    pub queue: Queue,
    pub tx: mpsc::UnboundedSender<ToDriver>,
    pub snapshot: Mutex<Snapshot>,
    closed: Condvar,
    requests: AtomicUsize,
    next_key: AtomicU64,
    /// Set by free: nothing more is pushed to the queue.
    pub freed: AtomicBool,
}

impl Shared {
    pub fn new(id: u64, user_value: u64, queue: Queue, tx: mpsc::UnboundedSender<ToDriver>) -> Shared {
        Shared {
            id,
            user_value,
            queue,
            tx,
            snapshot: Mutex::default(),
            closed: Condvar::new(),
            requests: AtomicUsize::new(0),
            // Keys of remote objects come from the machine, which counts from 1; ours have the top bit.
            next_key: AtomicU64::new(LOCAL_KEYS),
            freed: AtomicBool::new(false),
        }
    }

    /// A key for an object that the program makes. Never one that the machine makes.
    pub fn key(&self) -> u64 {
        self.next_key.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request that will be completed, with its slot reserved.
    pub fn request(&self, command: Command) -> Result<(), Error> {
        self.reserve()?;
        self.send(ToDriver::Command(command))
    }

    /// The same for what may not be refused: the end of an object that was made with a request of its own. It is asked for once of each.
    pub fn request_end(&self, command: Command) -> Result<(), Error> {
        if self.state() == ClientState::Closed {
            return Err(self.closed_error());
        }
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.send(ToDriver::Command(command))
    }

    fn reserve(&self) -> Result<(), Error> {
        if self.state() == ClientState::Closed {
            return Err(self.closed_error());
        }
        // A completion that nobody took still occupies its slot: a program that does not drain its queue cannot fill memory.
        let waiting = self.queue.waiting_requests(self.id);
        if self.requests.fetch_add(1, Ordering::AcqRel) + waiting >= MAX_REQUESTS {
            self.requests.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::new(Code::Busy, Stage::None, "too many requests are outstanding"));
        }
        Ok(())
    }

    /// The same with something that the driver must have before the command: it comes only with a slot, so that a refused
    /// request leaves nothing behind.
    pub fn request_after(&self, before: ToDriver, command: Command) -> Result<(), Error> {
        self.reserve()?;
        self.send(before)?;
        self.send(ToDriver::Command(command))
    }

    pub fn send(&self, message: ToDriver) -> Result<(), Error> {
        self.tx.send(message).map_err(|_| self.closed_error())
    }

    /// What a call on a closed client answers. A call can lose the race against a connection that fails at once, so the
    /// answer says why the client closed, as the CLOSED event does.
    pub fn closed_error(&self) -> Error {
        match &self.snapshot.lock().ended {
            None => Error::new(Code::Closed, Stage::None, "the client is closed"),
            Some(why) => Error { code: Code::Closed, text: format!("the client is closed: {why}"), ..why.clone() },
        }
    }

    /// Asks the driver for statistics of one of our tracks, or of everything.
    ///
    /// # Errors
    /// `Timeout`: it did not answer in time. `Closed`.
    pub fn measure(&self, track: Option<TrackKey>, timeout: Option<Duration>) -> Result<MeetingStats, Error> {
        let (tx, rx) = std::sync::mpsc::sync_channel(1);
        if self.state() == ClientState::Closed {
            return Err(self.closed_error());
        }
        self.send(ToDriver::Measure(track, tx))?;
        rx.recv_timeout(timeout.unwrap_or(FOR_EVER)).map_err(|e| match e {
            RecvTimeoutError::Timeout => Error::new(Code::Timeout, Stage::None, "no answer in time"),
            RecvTimeoutError::Disconnected => self.closed_error(),
        })
    }

    pub fn state(&self) -> ClientState {
        self.snapshot.lock().state
    }

    /// Waits for the end; `false` when the time is over first.
    pub fn wait_closed(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout.min(FOR_EVER);
        let mut snapshot = self.snapshot.lock();
        while snapshot.state != ClientState::Closed {
            if self.closed.wait_until(&mut snapshot, deadline).timed_out() {
                return snapshot.state == ClientState::Closed;
            }
        }
        true
    }

    /// An event on its way out: the snapshot follows it first, so that a getter called on it is never behind.
    pub fn publish(&self, event: Event) {
        let mut done = false;
        {
            let mut s = self.snapshot.lock();
            s.statuses.follow(&event.kind);
            match &event.kind {
                EventKind::State(state) => s.state = *state,
                EventKind::Joined(j) => s.endpoint_id = Some(j.endpoint_id.clone()),
                EventKind::ParticipantJoined(p) | EventKind::ParticipantUpdated(p, _) => {
                    s.participants.insert(p.key, p.clone());
                }
                EventKind::ParticipantLeft(l) => {
                    s.participants.remove(&l.participant.key);
                }
                EventKind::TrackAdded(t) | EventKind::TrackUpdated(t) => {
                    s.tracks.insert(t.key, t.clone());
                }
                EventKind::TrackRemoved(t) => {
                    s.tracks.remove(&t.key);
                }
                EventKind::Timeline(stage, at) => s.timeline.push((*stage, *at)),
                EventKind::RequestDone(_) => {
                    self.requests.fetch_sub(1, Ordering::AcqRel);
                }
                EventKind::Closed(why) => {
                    s.ended = why.as_deref().cloned();
                    s.state = ClientState::Closed;
                    s.participants.clear();
                    s.tracks.clear();
                    done = true;
                }
                _ => {}
            }
        }
        let silent = matches!(event.kind, EventKind::RequestDone(_)) && event.tag == 0;
        if !silent && !self.freed.load(Ordering::Acquire) {
            self.queue.push(self.id, self.user_value, event);
        }
        if done {
            self.closed.notify_all();
        }
    }
}

/// First key of objects that the program makes.
pub(crate) const LOCAL_KEYS: u64 = 1 << 63;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;
    use crate::meeting::TrackOptions;

    #[test]
    fn a_track_past_the_limit_of_requests_leaves_nothing_with_the_driver() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let shared = Shared::new(1, 0, Queue::new().expect("a queue"), tx);
        let options = TrackOptions::new(Codec::Opus);
        let add = || {
            let writer = Arc::new(WriterShared::new(&options));
            let command = Command::AddTrack { track: TrackKey(1), options: options.clone(), tag: 0 };
            shared.request_after(ToDriver::NewWriter(TrackKey(1), writer), command)
        };
        assert!((0..MAX_REQUESTS).all(|_| add().is_ok()));
        while rx.try_recv().is_ok() {}
        assert_eq!(add().map_err(|e| e.code), Err(Code::Busy));
        assert!(rx.try_recv().is_err());
    }

    #[test]
    fn what_nothing_completes_takes_no_slot_and_the_end_of_a_track_is_never_refused() {
        let (tx, mut rx) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(1, 0, Queue::new().expect("a queue"), tx));
        let track = TrackKey(1);
        let state = Arc::new(WriterShared::new(&TrackOptions::new(Codec::Vp8)));
        let writer = super::super::Writer::new(track, state, shared.clone());
        (0..=MAX_REQUESTS).for_each(|_| writer.set_limited(true, 90).expect("not refused"));
        while shared.request(Command::SetMuted { track, muted: true, tag: 0 }).is_ok() {}
        while rx.try_recv().is_ok() {}
        drop(writer);
        let ended = |m: &ToDriver| matches!(m, ToDriver::Command(Command::RemoveTrack { track: TrackKey(1), tag: 0 }));
        assert!(rx.try_recv().is_ok_and(|m| ended(&m)));
    }
}
