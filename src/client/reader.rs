//! The receiving end: frames of one track, or of everybody. A pull call; the queue behind it is bounded and counts what it drops.

use super::queue::FOR_EVER;
use super::shared::{Shared, ToDriver};
use super::wake::Wake;
use crate::error::{Code, Error, Stage};
use crate::media::EncodedFrame;
use crate::media::reader_queue::{ReaderQueue, ReaderStats};
use crate::meeting::{Command, ReaderKey};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What driver and handle of one reader share.
pub(crate) struct ReaderShared {
    state: Mutex<State>,
    arrived: Condvar,
    wake: Wake,
}

struct State {
    queue: ReaderQueue,
    ended: bool,
}

impl ReaderShared {
    pub fn new(queue: ReaderQueue) -> ReaderShared {
        ReaderShared {
            state: Mutex::new(State { queue, ended: false }),
            arrived: Condvar::new(),
            wake: Wake::default(),
        }
    }

    /// A frame from the driver.
    pub fn push(&self, frame: EncodedFrame) {
        self.state.lock().queue.push(frame);
        self.arrived.notify_one();
        self.wake.raise();
    }

    /// No frame follows.
    pub fn end(&self) {
        self.state.lock().ended = true;
        self.arrived.notify_all();
        self.wake.raise();
    }
}

struct Inner {
    key: ReaderKey,
    state: Arc<ReaderShared>,
    shared: Arc<Shared>,
    /// Held during `next`: a second thread is told `Busy`.
    taking: Mutex<()>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A closed client has dropped its readers already.
        let _ = self.shared.send(ToDriver::Command(Command::RemoveReader { reader: self.key }));
    }
}

/// Frames of one track, or of the whole conference but oneself. The last clone's end closes it.
#[derive(Clone)]
pub struct Reader(Arc<Inner>);

impl Reader {
    pub(super) fn new(key: ReaderKey, state: Arc<ReaderShared>, shared: Arc<Shared>) -> Reader {
        Reader(Arc::new(Inner { key, state, shared, taking: Mutex::new(()) }))
    }

    /// The next frame. `None` waits for ever, more than ten years as long.
    ///
    /// # Errors
    /// `Timeout`: none came in time. `Closed`: none will come, after the last was given. `Busy`: another thread is in this call.
    pub fn next(&self, timeout: Option<Duration>) -> Result<EncodedFrame, Error> {
        let Some(_taking) = self.0.taking.try_lock() else {
            return Err(Error::new(Code::Busy, Stage::None, "another thread reads here"));
        };
        let deadline = timeout.map(|t| Instant::now() + t.min(FOR_EVER));
        let mut s = self.0.state.state.lock();
        loop {
            if let Some(frame) = s.queue.pop() {
                if s.queue.is_empty() && !s.ended {
                    self.0.state.wake.clear();
                }
                return Ok(frame);
            }
            if s.ended {
                return Err(self.0.shared.closed_error());
            }
            self.0.state.wake.clear();
            match deadline {
                None => self.0.state.arrived.wait(&mut s),
                Some(d) => {
                    if Instant::now() >= d {
                        return Err(Error::new(Code::Timeout, Stage::None, "no frame in time"));
                    }
                    self.0.state.arrived.wait_until(&mut s, d);
                }
            }
        }
    }

    /// A descriptor that is readable while a frame waits (or the end). It belongs to the reader.
    pub fn fd(&self) -> Result<i32, Error> {
        let s = self.0.state.state.lock();
        let waiting = !s.queue.is_empty() || s.ended;
        self.0.state.wake.fd(waiting)
    }

    /// Calls `f` from a library thread whenever a frame arrives. It may only signal somebody else.
    pub fn set_wakeup(&self, f: Option<Box<dyn Fn() + Send + Sync>>) {
        self.0.state.wake.set_callback(f);
    }

    /// Frames delivered, dropped and waiting.
    pub fn stats(&self) -> ReaderStats {
        self.0.state.state.lock().queue.stats()
    }

    /// Ends it: a blocked `next` wakes with `Closed`.
    pub fn close(&self) {
        self.0.state.end();
        // A closed client has dropped its readers already.
        let _ = self.0.shared.send(ToDriver::Command(Command::RemoveReader { reader: self.0.key }));
    }
}
