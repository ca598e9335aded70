//! The event queue (design §6): many clients share one; a program drains it by [`Queue::next`], waits for it with a descriptor or
//! a wake-up, or lets one dispatcher thread call it back with the same events in the same order.
//!
//! No lock is held while user code runs. What waits, and what goes when nobody takes it, is in `pending.rs`.

use super::pending::Pending;
use super::wake::Wake;
use crate::error::{Code, Error, Stage};
use crate::meeting::event::{Event, ParticipantKey, TrackKey};
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

/// Longer waits than this are cut: ten years, so that the sum with now can be named.
pub const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// An event, whose it is, and the value that its client was made with.
#[derive(Clone, Debug)]
pub struct QueuedEvent {
    pub client: u64,
    pub user_value: u64,
    pub event: Event,
}

/// What a dispatcher calls. Dropped on the dispatcher thread, after the last call.
pub type Callback = Box<dyn FnMut(QueuedEvent) + Send>;

struct Dispatcher {
    /// Tells this dispatcher from those before it.
    number: u64,
    thread: ThreadId,
    /// The dispatcher thread whose callback set this one, and whose end this one waits for.
    after: Option<ThreadId>,
    handle: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    pending: Pending,
    closed: bool,
    dispatcher: Option<Dispatcher>,
    dispatchers: u64,
    /// The client whose event a callback is looking at, and on which thread.
    running: Option<(u64, ThreadId)>,
}

impl State {
    fn may_take(&self) -> Result<(), Error> {
        if self.closed {
            return Err(closed());
        }
        if self.dispatcher.is_some() {
            return Err(Error::new(Code::State, Stage::None, "the queue has a callback"));
        }
        Ok(())
    }
}

struct Inner {
    state: Mutex<State>,
    arrived: Condvar,
    /// A callback has returned.
    returned: Condvar,
    wake: Wake,
}

/// The last handle closes the queue; the dispatcher thread holds `Inner` only.
struct Owner(Arc<Inner>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// A queue of events. Clones share it; clients keep it alive.
#[derive(Clone)]
pub struct Queue(Arc<Owner>);

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Queue")
    }
}

fn closed() -> Error {
    Error::new(Code::Closed, Stage::None, "the queue is closed")
}

impl Queue {
    /// An empty queue. Starts no thread.
    ///
    /// # Errors
    /// None today; reserved for systems that refuse resources.
    pub fn new() -> Result<Queue, Error> {
        let inner =
            Inner { state: Mutex::default(), arrived: Condvar::new(), returned: Condvar::new(), wake: Wake::default() };
        Ok(Queue(Arc::new(Owner(Arc::new(inner)))))
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }

    /// Events of `client` are taken from now on, until [`Queue::forget`].
    pub fn attach(&self, client: u64) {
        self.inner().state.lock().pending.attach(client);
    }

    /// Adds an event of an attached client. What comes after its CLOSED, or after `forget`, is dropped.
    pub fn push(&self, client: u64, user_value: u64, event: Event) {
        let inner = self.inner();
        let mut s = inner.state.lock();
        if s.closed {
            return;
        }
        let was_empty = s.pending.is_empty();
        s.pending.push(QueuedEvent { client, user_value, event });
        let wake = was_empty && !s.pending.is_empty();
        drop(s);
        inner.arrived.notify_one();
        if wake {
            inner.wake.raise();
        }
    }

    /// Drops the undelivered events of a client that is freed. When it returns no callback with an event of this client runs, but
    /// the one that it was called from.
    pub fn forget(&self, client: u64) {
        let inner = self.inner();
        let me = std::thread::current().id();
        let mut s = inner.state.lock();
        s.pending.forget(client);
        inner.level(&s);
        while s.running.is_some_and(|(c, thread)| c == client && thread != me) {
            inner.returned.wait(&mut s);
        }
    }

    /// Clients attached now.
    pub fn clients(&self) -> usize {
        self.inner().state.lock().pending.clients()
    }

    /// Completed requests of `client` that wait in the queue: they still occupy their request slots.
    pub fn waiting_requests(&self, client: u64) -> usize {
        self.inner().state.lock().pending.requests(client)
    }

    /// The program holds a handle of this participant: its left event must reach it even if its joined event never did.
    pub fn pin_participant(&self, client: u64, key: ParticipantKey) {
        self.inner().state.lock().pending.pin_participant(client, key);
    }

    /// The program holds a handle of this track.
    pub fn pin_track(&self, client: u64, key: TrackKey) {
        self.inner().state.lock().pending.pin_track(client, key);
    }

    /// An event that waits already, without waiting for one.
    ///
    /// # Errors
    /// As [`Queue::next`], but for `Timeout`.
    pub fn ready(&self) -> Result<Option<QueuedEvent>, Error> {
        let inner = self.inner();
        let mut s = inner.state.lock();
        s.may_take()?;
        let event = s.pending.pop();
        inner.level(&s);
        Ok(event)
    }

    /// The next event. `None` waits for ever. Any number of threads may wait; each event goes to one of them.
    ///
    /// # Errors
    /// `Timeout`: none came in time. `Closed`: the queue was closed. `State`: it has a callback.
    pub fn next(&self, timeout: Option<Duration>) -> Result<QueuedEvent, Error> {
        let inner = self.inner();
        let mut s = inner.state.lock();
        let mut deadline = None;
        loop {
            s.may_take()?;
            if let Some(event) = s.pending.pop() {
                inner.level(&s);
                return Ok(event);
            }
            inner.level(&s);
            match timeout {
                None => inner.arrived.wait(&mut s),
                Some(t) => {
                    let over = t.is_zero() || {
                        let d = *deadline.get_or_insert_with(|| Instant::now() + t.min(FOR_EVER));
                        inner.arrived.wait_until(&mut s, d).timed_out()
                    };
                    if over && s.pending.is_empty() && !s.closed {
                        return Err(Error::new(Code::Timeout, Stage::None, "no event in time"));
                    }
                }
            }
        }
    }

    /// A descriptor that is readable while an event waits. It belongs to the queue: only wait for it.
    ///
    /// # Errors
    /// `Resources`; `Unsupported` where the system has no such descriptors.
    pub fn fd(&self) -> Result<i32, Error> {
        let s = self.inner().state.lock();
        self.inner().wake.fd(!s.pending.is_empty())
    }

    /// Calls `f` from the pushing thread whenever the queue stops being empty. It may only signal somebody else. Take what waits
    /// already after setting it.
    pub fn set_wakeup(&self, f: Option<Box<dyn Fn() + Send + Sync>>) {
        self.inner().wake.set_callback(f);
    }

    /// Starts a dispatcher thread that gives every event to `f`, or stops it. The one before is stopped first: when this returns no
    /// call of it runs but the one that this was called from, and a new one starts after that has returned.
    ///
    /// # Errors
    /// `Closed`. `Resources`: no thread to be had; `f` is dropped on this thread then.
    pub fn set_callback(&self, f: Option<Callback>) -> Result<(), Error> {
        let inner = self.inner();
        let mut s = inner.state.lock();
        if s.closed {
            return Err(closed());
        }
        let before = s.dispatcher.take();
        inner.arrived.notify_all();
        drop(s);
        let still_running = before.and_then(|d| d.stop());
        let Some(f) = f else { return Ok(()) };
        let after = still_running.as_ref().map(|h| h.thread().id());

        let mut s = inner.state.lock();
        if s.closed {
            return Err(closed());
        }
        if s.dispatcher.is_some() {
            return Err(Error::new(Code::Busy, Stage::None, "another thread sets a callback"));
        }
        s.dispatchers += 1;
        let number = s.dispatchers;
        let shared = inner.clone();
        let handle = std::thread::Builder::new()
            .name("jmeet-events".into())
            .spawn(move || {
                if let Some(before) = still_running {
                    // Its panic, if any, was its own: this one only waits for the end.
                    let _ = before.join();
                }
                shared.dispatch(number, f);
            })
            .map_err(|e| Error::new(Code::Resources, Stage::None, e.to_string()))?;
        s.dispatcher = Some(Dispatcher { number, thread: handle.thread().id(), after, handle });
        Ok(())
    }

    /// Ends the queue: blocked calls of `next` wake with `Closed`, the dispatcher stops as in [`Queue::set_callback`].
    pub fn close(&self) {
        self.inner().close();
    }
}

impl Dispatcher {
    /// Waits for its end, or gives back what there is to wait for when called from its own callback, or from the one whose end it
    /// waits for itself.
    fn stop(self) -> Option<JoinHandle<()>> {
        let me = std::thread::current().id();
        if self.thread == me || self.after == Some(me) {
            return Some(self.handle);
        }
        // A panic in user code has ended it already: there is nobody left to tell.
        let _ = self.handle.join();
        None
    }
}

impl Inner {
    /// The descriptor follows the level, under the lock so that it cannot fall behind.
    fn level(&self, s: &MutexGuard<'_, State>) {
        if s.pending.is_empty() {
            self.wake.clear();
        }
    }

    fn dispatch(&self, number: u64, mut f: Callback) {
        let me = std::thread::current().id();
        let mut s = self.state.lock();
        // Before the spawner has stored us there is nothing to compare with: it holds the lock until then.
        while s.dispatcher.as_ref().is_some_and(|d| d.number == number) {
            let Some(event) = s.pending.pop() else {
                self.level(&s);
                self.arrived.wait(&mut s);
                continue;
            };
            self.level(&s);
            s.running = Some((event.client, me));
            drop(s);
            // A panic in the program's own closure ends that call, not the delivery.
            let _ = catch_unwind(AssertUnwindSafe(|| f(event)));
            s = self.state.lock();
            s.running = None;
            self.returned.notify_all();
        }
        drop(s);
        drop(f);
    }

    fn close(&self) {
        let mut s = self.state.lock();
        s.closed = true;
        let dispatcher = s.dispatcher.take();
        s.pending = Pending::default();
        self.level(&s);
        drop(s);
        self.arrived.notify_all();
        if let Some(d) = dispatcher {
            d.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meeting::event::EventKind;
    use std::sync::mpsc;

    fn subject(text: &str) -> Event {
        Event { tag: 0, conference: None, kind: EventKind::Subject(text.into()) }
    }

    fn done(tag: u64) -> Event {
        Event { tag, conference: None, kind: EventKind::RequestDone(None) }
    }

    fn queue() -> Queue {
        let q = Queue::new().unwrap();
        q.attach(1);
        q.attach(2);
        q
    }

    fn code(r: Result<QueuedEvent, Error>) -> Code {
        r.map_or_else(|e| e.code, |_| Code::Ok)
    }

    #[test]
    fn next_times_out_and_wakes_for_an_event_and_for_close() {
        let q = queue();
        assert_eq!(code(q.next(Some(Duration::ZERO))), Code::Timeout);
        assert_eq!(code(q.next(Some(Duration::from_millis(5)))), Code::Timeout);
        let other = q.clone();
        let t = std::thread::spawn(move || (code(other.next(None)), code(other.next(Some(Duration::MAX)))));
        q.push(1, 0, subject("x"));
        while !q.inner().state.lock().pending.is_empty() {
            std::thread::yield_now();
        }
        q.close();
        assert_eq!(t.join().unwrap(), (Code::Ok, Code::Closed));
        q.push(1, 0, subject("late"));
        assert_eq!(code(q.next(None)), Code::Closed);
    }

    #[test]
    fn a_callback_gets_all_in_order_and_its_end_drops_it() {
        let q = queue();
        let (tx, rx) = mpsc::channel();
        struct End(mpsc::Sender<u64>);
        impl Drop for End {
            fn drop(&mut self) {
                self.0.send(0).unwrap();
            }
        }
        let last = if cfg!(miri) { 20 } else { 100 };
        q.push(1, 0, done(1));
        let end = End(tx);
        q.set_callback(Some(Box::new(move |e| end.0.send(e.event.tag).unwrap()))).unwrap();
        assert_eq!(code(q.next(None)), Code::State);
        for tag in 2..last {
            q.push(1 + tag % 2, 0, done(tag));
        }
        for tag in 1..last {
            assert_eq!(rx.recv(), Ok(tag));
        }
        q.set_callback(None).unwrap();
        assert_eq!(rx.recv(), Ok(0));
        q.push(1, 0, done(7));
        assert_eq!(q.next(None).unwrap().event.tag, 7);
    }

    #[test]
    fn forget_waits_for_the_callback_of_that_client_only() {
        let q = queue();
        let (entered, in_callback) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let finished = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let f = finished.clone();
        q.set_callback(Some(Box::new(move |_| {
            entered.send(()).unwrap();
            gate.recv().unwrap();
            f.store(true, std::sync::atomic::Ordering::SeqCst);
        })))
        .unwrap();
        q.push(1, 0, done(1));
        in_callback.recv().unwrap();
        q.forget(2);
        let waiter = std::thread::spawn({
            let q = q.clone();
            move || q.forget(1)
        });
        go.send(()).unwrap();
        waiter.join().unwrap();
        assert!(finished.load(std::sync::atomic::Ordering::SeqCst));
        q.push(1, 0, done(2));
        assert_eq!(q.clients(), 0);
        q.close();
    }

    #[test]
    fn inside_a_callback_everything_may_be_called() {
        let q = queue();
        let (tx, rx) = mpsc::channel();
        let inside = q.clone();
        q.set_callback(Some(Box::new(move |e| {
            inside.forget(1);
            let tx2 = tx.clone();
            inside.set_callback(Some(Box::new(move |e| tx2.send(e.event.tag).unwrap()))).unwrap();
            tx.send(e.event.tag).unwrap();
        })))
        .unwrap();
        q.push(1, 0, done(1));
        assert_eq!(rx.recv(), Ok(1));
        q.push(2, 0, done(2));
        assert_eq!(rx.recv(), Ok(2));
        let inside = q.clone();
        let (tx, rx) = mpsc::channel();
        q.set_callback(Some(Box::new(move |_| {
            inside.close();
            tx.send(()).unwrap();
        })))
        .unwrap();
        q.push(2, 0, done(3));
        rx.recv().unwrap();
        assert!(q.set_callback(None).is_err());
    }

    #[test]
    fn a_panic_in_a_callback_ends_that_call_only() {
        let q = queue();
        let (tx, rx) = mpsc::channel();
        q.set_callback(Some(Box::new(move |e| {
            assert_ne!(e.event.tag, 1, "meant to fail");
            tx.send(e.event.tag).unwrap();
        })))
        .unwrap();
        q.push(1, 0, done(1));
        q.push(1, 0, done(2));
        assert_eq!(rx.recv(), Ok(2));
        q.forget(1);
    }

    #[test]
    fn the_wake_up_comes_when_the_queue_stops_being_empty() {
        let q = queue();
        let (tx, rx) = mpsc::channel();
        q.set_wakeup(Some(Box::new(move || tx.send(()).unwrap())));
        q.push(1, 0, done(1));
        q.push(1, 0, done(2));
        assert_eq!(rx.try_iter().count(), 1);
        q.next(None).unwrap();
        q.push(1, 0, done(3));
        assert_eq!(rx.try_iter().count(), 0);
        while q.next(Some(Duration::ZERO)).is_ok() {}
        q.push(1, 0, done(4));
        assert_eq!(rx.try_iter().count(), 1);
    }

    #[test]
    fn the_last_handle_ends_the_dispatcher() {
        let (tx, rx) = mpsc::channel::<()>();
        let q = queue();
        q.set_callback(Some(Box::new(move |_| drop(tx.clone())))).unwrap();
        drop(q);
        assert!(rx.recv().is_err());
    }
}
