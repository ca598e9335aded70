//! The C events without a meeting behind them, for tests and benches: a queue and a client on it whose events are pushed by hand.

use super::client::Client;
use super::event::jmeet_event;
use super::handle::{Object, get};
use super::queue::{Events, jmeet_queue, jmeet_queue_free, jmeet_queue_new, jmeet_queue_next};
use super::status::jmeet_status;
use crate::client::Queue;
use crate::meeting::event::{Event, EventKind, MAIN_ROOM};
use std::ptr::{null, null_mut};

/// What its events carry.
const USER_VALUE: u64 = 77;

/// A queue of C and a client on it that has no driver.
pub struct Bench {
    /// The queue.
    pub queue: *mut jmeet_queue,
    pub(super) client: usize,
    events: Queue,
}

impl Bench {
    /// An empty queue.
    ///
    /// # Panics
    /// When no queue is to be had.
    pub fn new() -> Bench {
        let mut queue = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { jmeet_queue_new(null(), &raw mut queue, null_mut()) }, jmeet_status::JMEET_OK);
        let events = get::<Events>(queue).map(|e| e.queue().clone()).expect("a queue");
        let client = Client::without_driver(&events);
        events.attach(client as u64);
        Bench { queue, client, events }
    }

    /// Something happens.
    pub fn push(&self, tag: u64, kind: EventKind) {
        self.events.push(self.client as u64, USER_VALUE, Event { tag, conference: Some(MAIN_ROOM), kind });
    }

    /// The event that waits.
    ///
    /// # Panics
    /// When none does.
    pub fn next(&self) -> *mut jmeet_event {
        let mut event = null_mut();
        // SAFETY: valid pointers.
        assert_eq!(unsafe { jmeet_queue_next(self.queue, 0, &raw mut event) }, jmeet_status::JMEET_OK);
        event
    }

    /// Frees both as a program does.
    ///
    /// # Panics
    /// When one of them was freed before.
    pub fn end(self) {
        self.events.forget(self.client as u64);
        Client::table().remove(self.client).expect("a client").end();
        // SAFETY: a handle.
        assert_eq!(unsafe { jmeet_queue_free(self.queue) }, jmeet_status::JMEET_OK);
    }
}

impl Default for Bench {
    fn default() -> Bench {
        Bench::new()
    }
}
