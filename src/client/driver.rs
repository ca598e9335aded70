//! The driver of one client: sockets, timers and queues around one [`Meeting`]. It decides nothing.
//!
//! One task per client. Every wake-up handles what is there within a budget, then drains the machine's outputs; it sleeps until
//! the machine's one next deadline.

use super::client::FREE_LINGER;
use super::clock::{instant, now, os_env};
use super::connection::{Connection, Progress};
use super::journal::Journal;
use super::reader::ReaderShared;
use super::shared::{Shared, ToDriver};
use super::udp::{self, Batch, RECEIVE_BUFFER, SendBatch, Udp};
use super::websocket::{self, Target};
use super::writer::WriterShared;
use crate::error::Error;
use crate::meeting::event::{Event, EventKind, TrackKey};
use crate::meeting::io::{ConnectionKey, Input, Output, Purpose, SocketsKey};
use crate::meeting::machine::Engines;
use crate::meeting::stats::IgnoredStats;
use crate::meeting::{ClientOptions, Command, Meeting, ReaderKey};
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::time::Sleep;

/// Times that the sockets are read before others get a turn: handles, connections, and the clock.
const READ_BUDGET: usize = 32;
/// Messages from handles handled per wake-up.
const MESSAGE_BUDGET: usize = 64;

type Lookup = Pin<Box<dyn Future<Output = Vec<SocketAddr>> + Send>>;

/// Why the task woke.
enum Wake {
    Message(ToDriver),
    HandlesGone,
    Connection(ConnectionKey, Progress),
    Readable(usize, usize),
    Resolved(Vec<SocketAddr>),
    Timer,
}

pub(crate) struct Driver {
    meeting: Meeting,
    options: ClientOptions,
    shared: Arc<Shared>,
    journal: Journal,
    rx: mpsc::UnboundedReceiver<ToDriver>,
    /// The stream's, and the bridge channel's where that is one.
    connections: Vec<Connection>,
    sockets: Vec<(SocketsKey, Vec<Arc<Udp>>)>,
    readers: HashMap<ReaderKey, Arc<ReaderShared>>,
    writers: HashMap<TrackKey, Arc<WriterShared>>,
    lookups: FuturesUnordered<Lookup>,
    batch: SendBatch,
    buffer: Vec<u8>,
    /// How often the sockets were read since others had a turn.
    reads: usize,
    farewells: Vec<tokio::task::JoinHandle<()>>,
    /// As the snapshot has it.
    ignored: IgnoredStats,
    closed: bool,
    freed: bool,
}

impl Driver {
    /// A driver at rest: no I/O yet.
    pub fn new(
        options: ClientOptions,
        shared: Arc<Shared>,
        rx: mpsc::UnboundedReceiver<ToDriver>,
    ) -> Result<Driver, Error> {
        let host = websocket::host(&options.url);
        let secrets = options.insecure_allow_plaintext_secrets || websocket::secrets_allowed(&options.url);
        let meeting = Meeting::new(options.clone(), &host, secrets, engines(), os_env())?;
        Ok(Driver {
            meeting,
            options,
            journal: Journal(shared.id),
            shared,
            rx,
            connections: Vec::new(),
            sockets: Vec::new(),
            readers: HashMap::new(),
            writers: HashMap::new(),
            lookups: FuturesUnordered::new(),
            batch: SendBatch::default(),
            buffer: Vec::new(),
            reads: 0,
            farewells: Vec::new(),
            ignored: IgnoredStats::default(),
            closed: false,
            freed: false,
        })
    }

    /// Address of the room.
    pub fn room_jid(&self) -> String {
        self.meeting.room_jid().to_string()
    }

    /// Closed before it ever joined: CLOSED all the same, exactly once.
    pub fn close_unjoined(&mut self) {
        while let Ok(m) = self.rx.try_recv() {
            self.on_message(m);
        }
        self.meeting.handle(Input::Command(Command::Leave { tag: 0 }), now());
        self.drain();
        self.shut();
    }

    /// After CLOSED: what is still on its way from handles is answered, and nobody waits for ever.
    fn shut(&mut self) {
        self.rx.close();
        while let Ok(m) = self.rx.try_recv() {
            self.on_message(m);
        }
        self.drain();
        for r in self.readers.values() {
            r.end();
        }
        for w in self.writers.values() {
            w.closed.store(true, Ordering::Release);
        }
    }

    /// Runs until the meeting is over.
    pub async fn run(mut self) {
        let mut sleep: Pin<Box<Sleep>> = Box::pin(tokio::time::sleep(std::time::Duration::ZERO));
        let mut linger: Option<std::time::Instant> = None;
        while !self.closed {
            let deadline = match (self.meeting.next_deadline().map(instant), linger) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            if let Some(d) = deadline {
                sleep.as_mut().reset(d.into());
            }
            let wake = poll_fn(|cx| self.poll(cx, deadline.is_some().then_some(&mut sleep))).await;
            self.on_wake(wake);
            self.drain();
            if self.freed && linger.is_none() {
                linger = Some(std::time::Instant::now() + FREE_LINGER);
            }
            if linger.is_some_and(|l| std::time::Instant::now() >= l) {
                break;
            }
        }
        for f in self.farewells.drain(..) {
            // A farewell that panicked is one not said.
            let _ = f.await;
        }
        self.shut();
    }

    fn poll(&mut self, cx: &mut Context<'_>, sleep: Option<&mut Pin<Box<Sleep>>>) -> Poll<Wake> {
        // Datagrams first: they are what has to be on time. Not for ever: a flood of them keeps nobody from leaving.
        let flooded = self.reads >= READ_BUDGET;
        if !flooded && let Some(readable) = self.poll_sockets(cx) {
            return Poll::Ready(readable);
        }
        self.reads = 0;
        match self.rx.poll_recv(cx) {
            Poll::Ready(Some(m)) => return Poll::Ready(Wake::Message(m)),
            Poll::Ready(None) if !self.freed => return Poll::Ready(Wake::HandlesGone),
            _ => {}
        }
        for c in &mut self.connections {
            if let Poll::Ready(progress) = c.poll(cx) {
                return Poll::Ready(Wake::Connection(c.key, progress));
            }
        }
        if let Poll::Ready(Some(found)) = Pin::new(&mut self.lookups).poll_next(cx) {
            return Poll::Ready(Wake::Resolved(found));
        }
        if let Some(sleep) = sleep
            && sleep.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Wake::Timer);
        }
        match flooded.then(|| self.poll_sockets(cx)).flatten() {
            Some(readable) => Poll::Ready(readable),
            None => Poll::Pending,
        }
    }

    /// The first socket that may be read.
    fn poll_sockets(&self, cx: &mut Context<'_>) -> Option<Wake> {
        for (s, (_, sockets)) in self.sockets.iter().enumerate() {
            for (n, socket) in sockets.iter().enumerate() {
                if socket.poll_readable(cx).is_ready() {
                    return Some(Wake::Readable(s, n));
                }
            }
        }
        None
    }

    fn on_wake(&mut self, wake: Wake) {
        match wake {
            Wake::Resolved(found) => self.meeting.handle(Input::Resolved(found), now()),
            Wake::Timer => self.meeting.handle(Input::Timer, now()),
            Wake::Message(m) => {
                self.on_message(m);
                for _ in 1..MESSAGE_BUDGET {
                    match self.rx.try_recv() {
                        Ok(m) => self.on_message(m),
                        Err(_) => break,
                    }
                }
            }
            Wake::HandlesGone => self.on_message(ToDriver::Free),
            Wake::Connection(key, Progress::At(stage)) => {
                self.journal.at(key, stage);
                self.meeting.handle(Input::Connecting(key, stage), now());
            }
            Wake::Connection(key, Progress::Opened) => {
                self.journal.opened(key);
                self.meeting.handle(Input::Opened(key), now());
            }
            Wake::Connection(key, Progress::Text(text)) => {
                self.journal.came(key, &text);
                self.meeting.handle(Input::Text(key, text), now());
            }
            Wake::Connection(key, Progress::Lost(e)) => {
                self.journal.lost(key, &e);
                self.connections.retain(|c| c.key != key);
                self.meeting.handle(Input::Lost(key, e), now());
            }
            Wake::Readable(s, n) => self.read(s, n),
        }
    }

    fn read(&mut self, s: usize, n: usize) {
        let (key, socket) = (self.sockets[s].0, self.sockets[s].1[n].clone());
        if self.buffer.is_empty() {
            self.buffer = vec![0; RECEIVE_BUFFER];
        }
        let (meeting, buffer) = (&mut self.meeting, &mut self.buffer);
        let local = socket.local;
        while self.reads < READ_BUDGET {
            self.reads += 1;
            let read = socket.receive(buffer, now, |Batch { remote, data, segment, at, waited }| {
                meeting.handle(Input::Datagrams { sockets: key, local, remote, data, segment, waited }, at);
            });
            // WouldBlock: no more wait; another error is a datagram lost, or an ICMP answer that ICE will notice by itself.
            if read.is_err() {
                break;
            }
        }
        // The clock after all that lay there: what it would give up on may have been among it.
        let at = now();
        if self.meeting.next_deadline().is_some_and(|d| d <= at) {
            self.meeting.handle(Input::Timer, at);
        }
    }

    fn on_message(&mut self, m: ToDriver) {
        match m {
            ToDriver::Command(c) => self.meeting.handle(Input::Command(c), now()),
            ToDriver::NewReader(key, shared) => {
                self.readers.insert(key, shared);
            }
            ToDriver::NewWriter(key, shared) => {
                self.writers.insert(key, shared);
            }
            ToDriver::Frame(track, frame) => {
                if let Some(w) = self.writers.get(&track) {
                    w.queued.fetch_sub(1, Ordering::AcqRel);
                }
                self.meeting.handle(Input::Frame(track, frame), now());
            }
            // Who asked may have stopped waiting.
            ToDriver::Stats(to) => drop(to.try_send(self.meeting.media_stats())),
            ToDriver::Measure(track, to) => drop(to.try_send(self.meeting.stats_of(track, now()))),
            ToDriver::Free => {
                self.freed = true;
                self.meeting.handle(Input::Command(Command::Leave { tag: 0 }), now());
            }
        }
    }

    fn drain(&mut self) {
        let ignored = self.meeting.ignored();
        if ignored != self.ignored {
            self.ignored = ignored;
            self.journal.ignored(&ignored);
            self.shared.snapshot.lock().ignored = ignored;
        }
        let mut sending: Option<Arc<Udp>> = None;
        while let Some(output) = self.meeting.poll_output() {
            match output {
                Output::Transmit { sockets, local, remote, data, segment } => {
                    let found = self.sockets.iter().find(|s| s.0 == sockets);
                    let Some(socket) = found.and_then(|s| s.1.iter().find(|u| u.local == local)) else { continue };
                    if let Some(s) = sending.take_if(|s| !Arc::ptr_eq(s, socket)) {
                        self.meeting.recycle(self.batch.flush(&s));
                    }
                    self.meeting.recycle(self.batch.push(socket, remote, data, segment));
                    if sending.is_none() {
                        sending = Some(socket.clone());
                    }
                }
                Output::Frame(reader, frame) => {
                    if let Some(r) = self.readers.get(&reader) {
                        r.push(frame);
                    }
                }
                Output::Event(e) => self.on_event(e),
                Output::Connect { connection, purpose, url, token } => {
                    let what = if purpose == Purpose::Stream { "the stream" } else { "the bridge channel" };
                    self.journal.connect(connection, what, &websocket::host(&url));
                    let target = Target {
                        url,
                        token,
                        protocol: (purpose == Purpose::Stream).then_some("xmpp"),
                        extra_ca_pem: self.options.extra_ca_pem.clone(),
                        insecure_tls: self.options.insecure_skip_tls_verification,
                    };
                    self.connections.push(Connection::new(connection, target));
                }
                Output::Ping(connection) => {
                    if let Some(c) = self.connections.iter_mut().find(|c| c.key == connection) {
                        c.ping();
                    }
                }
                Output::Send { connection, text } => {
                    self.journal.goes(connection, &text);
                    if let Some(c) = self.connections.iter_mut().find(|c| c.key == connection) {
                        c.send(text);
                    }
                }
                Output::CloseConnection(connection) => self.close(connection),
                Output::OpenSockets(key) => {
                    let ips = udp::local_addresses(self.options.allow_loopback);
                    let opened: Vec<Arc<Udp>> = ips.into_iter().filter_map(|ip| Udp::bind(ip).ok()).collect();
                    let addresses = opened.iter().map(|u| u.local).collect();
                    self.sockets.push((key, opened));
                    self.meeting.handle(Input::Sockets(key, addresses), now());
                }
                Output::CloseSockets(key) => {
                    if let Some(s) = sending.take() {
                        self.meeting.recycle(self.batch.flush(&s));
                    }
                    self.sockets.retain(|s| s.0 != key);
                }
                Output::Resolve { host, port } => {
                    let lookup = async move {
                        let found = tokio::net::lookup_host((host, port)).await;
                        // A server without an address is a server less; host candidates still work.
                        found.map(Iterator::collect).unwrap_or_default()
                    };
                    self.lookups.push(Box::pin(lookup));
                }
                Output::ReaderEnded(key) => {
                    if let Some(r) = self.readers.remove(&key) {
                        r.end();
                    }
                }
                Output::WriterEnded(track) => self.end_writer(track),
                Output::Writer { track, muted, ready, refused, idle, codec } => {
                    if let Some(w) = self.writers.get(&track) {
                        w.muted.store(muted, Ordering::Release);
                        w.ready.store(ready, Ordering::Release);
                        w.refused.store(refused, Ordering::Release);
                        w.idle.store(idle, Ordering::Release);
                        w.wanted.store(codec as u32, Ordering::Release);
                    }
                }
            }
        }
        if let Some(s) = sending {
            self.meeting.recycle(self.batch.flush(&s));
        }
    }

    fn on_event(&mut self, event: Event) {
        self.journal.event(&event);
        match &event.kind {
            EventKind::TrackRemoved(t) => self.end_writer(t.key),
            EventKind::Closed(_) => self.closed = true,
            _ => {}
        }
        self.shared.publish(event);
    }

    fn end_writer(&mut self, track: TrackKey) {
        if let Some(w) = self.writers.remove(&track) {
            w.closed.store(true, Ordering::Release);
        }
    }

    /// The connection is done with: a task of its own says good-bye.
    fn close(&mut self, connection: ConnectionKey) {
        let Some(at) = self.connections.iter().position(|c| c.key == connection) else { return };
        // Outside a runtime (a client that closes before it joined) there is no connection either.
        if let Some(farewell) = self.connections.swap_remove(at).farewell()
            && let Ok(rt) = tokio::runtime::Handle::try_current()
        {
            self.farewells.retain(|f| !f.is_finished());
            self.farewells.push(rt.spawn(farewell));
        }
    }
}

/// How this build makes engines; none without media. One certificate serves the process.
fn engines() -> Option<Engines> {
    #[cfg(feature = "media")]
    {
        use std::sync::OnceLock;
        static IDENTITY: OnceLock<Option<Arc<crate::media::peer::Identity>>> = OnceLock::new();
        let identity = IDENTITY.get_or_init(|| crate::engine::identity::generate().map(Arc::new)).clone()?;
        Some(Engines { factory: Box::new(crate::engine::Engines), identity })
    }
    #[cfg(not(feature = "media"))]
    None
}
