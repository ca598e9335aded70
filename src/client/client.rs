//! One participant: one connection and its main room (design §5.3).

use super::conference::Conference;
use super::driver::Driver;
use super::queue::Queue;
use super::runtime::Runtime;
use super::shared::{Shared, ToDriver};
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{ClientState, Event, EventKind, MAIN_ROOM, TimelineStage};
use crate::meeting::stats::IgnoredStats;
use crate::meeting::{ClientOptions, Command};
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a freed client that was in a room goes on in the runtime to say good-bye.
pub const FREE_LINGER: Duration = Duration::from_millis(250);

struct Inner {
    shared: Arc<Shared>,
    room: Arc<str>,
    /// Until join: the driver, not yet running.
    idle: Mutex<Option<Driver>>,
    runtime: Runtime,
}

impl Drop for Inner {
    fn drop(&mut self) {
        free(&self.shared);
    }
}

fn free(shared: &Shared) {
    if !shared.freed.swap(true, Ordering::AcqRel) {
        // No driver is left when the client has closed already.
        let _ = shared.send(ToDriver::Free);
        shared.queue.forget(shared.id);
    }
}

/// A participant. Clones share it; the last one frees it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

impl Client {
    /// Makes a client. No I/O; threads only when `runtime` is `None`.
    ///
    /// # Errors
    /// `Options`, `TooLarge`: what [`ClientOptions::check`] finds. `Resources`.
    pub fn new(runtime: Option<&Runtime>, queue: &Queue, options: ClientOptions) -> Result<Client, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Client::with_id(runtime, queue, options, NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The same with a number that its events carry, which no other client on this queue may ever have.
    pub(crate) fn with_id(
        runtime: Option<&Runtime>,
        queue: &Queue,
        options: ClientOptions,
        id: u64,
    ) -> Result<Client, Error> {
        options.check()?;
        let runtime = match runtime {
            Some(r) => r.clone(),
            None => Runtime::new(1)?,
        };
        let (tx, rx) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared::new(id, options.user_value, queue.clone(), tx));
        let driver = Driver::new(options, shared.clone(), rx)?;
        // Only now: a client that could not be made must not keep its queue in use.
        queue.attach(id);
        let room = driver.room_jid().into();
        Ok(Client(Arc::new(Inner { shared, room, idle: Mutex::new(Some(driver)), runtime })))
    }

    /// Its number in the process; never reused.
    pub fn id(&self) -> u64 {
        self.0.shared.id
    }

    /// The value that its events carry.
    pub fn user_value(&self) -> u64 {
        self.0.shared.user_value
    }

    /// Connects and joins. Returns at once; the request with `tag` is done when we are in, or with the one reason why not.
    ///
    /// # Errors
    /// `State`: a client joins once. `Closed`.
    pub fn join(&self, tag: u64) -> Result<Conference, Error> {
        let driver = self.0.idle.lock().take();
        let Some(driver) = driver else {
            return Err(Error::new(Code::State, Stage::None, "a client joins once"));
        };
        self.0.shared.request(Command::Join { tag })?;
        // The driver keeps its threads: a client that is freed with a runtime of its own still says good-bye.
        let (threads, shared) = (self.0.runtime.clone(), self.0.shared.clone());
        self.0.runtime.spawn(async move {
            // A defect of ours ends this client with an event; the process and the other clients live (design §6).
            if AssertUnwindSafe(driver.run()).catch_unwind().await.is_err() {
                let error = Error::new(Code::Panic, Stage::None, "a defect of this library ended the client");
                let event = |kind| Event { tag: 0, conference: Some(MAIN_ROOM), kind };
                shared.publish(event(EventKind::State(ClientState::Closed)));
                shared.publish(event(EventKind::Closed(Some(error.into()))));
            }
            drop(threads);
        });
        Ok(self.conference())
    }

    /// The main room, joined or not.
    pub fn conference(&self) -> Conference {
        Conference::new(self.0.shared.clone(), self.0.room.clone())
    }

    /// Leaves and waits at most `timeout` until CLOSED is queued. A client that never joined closes at once.
    ///
    /// # Errors
    /// `Timeout`: it goes on closing, CLOSED follows.
    pub fn close(&self, timeout: Duration) -> Result<(), Error> {
        if let Some(mut driver) = self.0.idle.lock().take() {
            driver.close_unjoined();
            return Ok(());
        }
        match self.0.shared.request(Command::Leave { tag: 0 }) {
            Ok(()) => {}
            Err(e) if e.code == Code::Closed => return Ok(()),
            // No request slot: the leave itself needs none.
            Err(_) => self.0.shared.send(ToDriver::Command(Command::Leave { tag: 0 })).or_else(ignore_closed)?,
        }
        if timeout.is_zero() || self.0.shared.wait_closed(timeout) {
            return Ok(());
        }
        Err(Error::new(Code::Timeout, Stage::Leave, "not closed in time"))
    }

    /// Leaves without waiting and drops undelivered events; the runtime says good-bye for at most [`FREE_LINGER`].
    pub fn free(&self) {
        self.0.idle.lock().take();
        free(&self.0.shared);
    }

    /// Where it stands.
    pub fn state(&self) -> ClientState {
        self.0.shared.state()
    }

    /// What came from the server and was passed over so far.
    pub fn ignored(&self) -> IgnoredStats {
        self.0.shared.snapshot.lock().ignored
    }

    /// The stages reached so far, each with its time in µs of [`super::now_us`].
    pub fn timeline(&self) -> Vec<(TimelineStage, u64)> {
        self.0.shared.snapshot.lock().timeline.clone()
    }
}

fn ignore_closed(e: Error) -> Result<(), Error> {
    if e.code == Code::Closed { Ok(()) } else { Err(e) }
}
