//! A running deployment: the server on a free loopback port with a thread of its own, and the handle by which a test steers
//! it. Calls block until the server has done them, which takes microseconds; events of clients are theirs to wait for.

use super::bridge::{self, BridgeConfig, BridgePlace};
use super::faults::Faults;
use super::focus::colibri::Colibri;
use super::focus::{Focus, Refusal, SessionOptions};
use super::link::LinkOptions;
use super::media_proxy::{MediaCounts, MediaKind, MediaProxy};
use super::server::io::{self as shell, Input};
use super::server::{Server, ServerOptions};
use crate::env::{Env, Random};
use crate::time::Time;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// The operating system's random numbers.
pub(super) struct OsRandom;

impl Random for OsRandom {
    fn fill(&mut self, out: &mut [u8]) {
        if getrandom::fill(out).is_err() {
            // No entropy at all: the clock still keeps ids apart.
            Env::seeded(super::wall_clock().mono_us).fill(out);
        }
    }
}

/// A Jitsi deployment in a test tube. Stops when dropped.
pub struct Deployment {
    address: SocketAddr,
    domain: String,
    inputs: tokio::sync::mpsc::UnboundedSender<Input>,
    thread: Option<JoinHandle<()>>,
    media: MediaProxy,
}

impl std::fmt::Debug for Deployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deployment").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Deployment {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start(options: ServerOptions) -> io::Result<Deployment> {
        Deployment::start_on(options, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts one at the given address: for participants in other network namespaces.
    pub fn start_on(options: ServerOptions, address: SocketAddr) -> io::Result<Deployment> {
        let domain = options.domain.clone();
        let (inputs, from) = tokio::sync::mpsc::unbounded_channel();
        let (started, start) = mpsc::channel();
        let to_shell = inputs.clone();
        let thread = std::thread::Builder::new().name("jmeet-testkit".into()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(r) => r,
                Err(e) => return drop(started.send(Err(e))),
            };
            runtime.block_on(async {
                let listener = TcpListener::bind(address).await;
                let bound = listener.and_then(|l| l.local_addr().map(|a| (l, a)));
                match bound {
                    Ok((listener, address)) => {
                        let server = Server::new(options, Env::new(OsRandom));
                        // The starter waits for it.
                        let _ = started.send(Ok(address));
                        shell::serve(listener, server, to_shell, from).await;
                    }
                    Err(e) => drop(started.send(Err(e))),
                }
            });
        })?;
        let address = start.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))??;
        Ok(Deployment { address, domain, inputs, thread: Some(thread), media: MediaProxy::default() })
    }

    /// The WebSocket URL, without a room.
    pub fn url(&self) -> String {
        format!("ws://{}{}", self.address, shell::PATH)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The XMPP domain; rooms are at `conference.DOMAIN`, the focus at `focus.DOMAIN`.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Runs `f` on the server, between two stanzas.
    pub fn with<R: Send + 'static>(&self, f: impl FnOnce(&mut Server, Time) -> R + Send + 'static) -> Option<R> {
        let (done, result) = mpsc::channel();
        let call = Box::new(move |server: &mut Server, now: Time| drop(done.send(f(server, now))));
        self.inputs.send(Input::Call(call)).ok()?;
        result.recv().ok()
    }

    /// Runs `f` on the connection of a client; `who` is its endpoint id in some room, or its address. `false` when there is
    /// none.
    fn with_client(&self, who: &str, f: impl FnOnce(&mut Server, u64, Time) + Send + 'static) -> bool {
        let who = who.to_owned();
        let done = self.with(move |s, now| {
            let found = s.find(&who);
            if let Some(conn) = found {
                f(s, conn, now);
            }
            found.is_some()
        });
        done.unwrap_or(false)
    }

    /// Cuts a client's socket without a word.
    pub fn cut(&self, who: &str) -> bool {
        self.with_client(who, |s, conn, now| s.cut(conn, now))
    }

    /// Lets nothing pass between server and client any more, or lets it pass again; the socket stays open.
    pub fn silence(&self, who: &str, silent: bool) -> bool {
        self.with_client(who, move |s, conn, _| s.silence(conn, silent))
    }

    /// Sends a frame to a client as it stands.
    pub fn inject(&self, who: &str, frame: &str) -> bool {
        let frame = frame.to_owned();
        self.with_client(who, move |s, conn, _| s.inject(conn, &frame))
    }

    /// Handles a stanza as if the client had sent it: a participant that does what this library would not.
    pub fn send_as(&self, who: &str, stanza: &str) -> bool {
        let stanza = stanza.to_owned();
        self.with_client(who, move |s, conn, now| s.send_as(conn, &stanza, now))
    }

    /// Ends a client's stream with a stream error (`conflict`, `system-shutdown` …).
    pub fn end_stream(&self, who: &str, condition: &str) -> bool {
        let condition = condition.to_owned();
        self.with_client(who, move |s, conn, now| s.end_stream(conn, &condition, now))
    }

    /// Sets the server's faults; the default is none.
    pub fn set_faults(&self, faults: Faults) {
        self.with(|s, _| s.faults = faults);
    }

    /// How the focus answers conference requests from now on; `None` means well.
    pub fn refuse_conference(&self, refusal: Option<Refusal>) {
        self.with(|s, _| s.focus().map(|f| f.refuse(refusal)));
    }

    /// The focus leaves all rooms, and comes back when it is asked.
    pub fn focus_leaves(&self) {
        self.with(|s, now| {
            s.focus().map(Focus::leave_all);
            s.handle_timeout(now);
        });
    }

    /// The focus is killed; requests are answered with `service-unavailable`.
    pub fn stop_focus(&self) {
        self.with(|s, now| s.stop_focus(now));
    }

    /// A new focus, which knows nothing of what was.
    pub fn start_focus(&self) {
        self.with(|s, now| s.start_focus(now));
    }

    /// Changes how the focus makes bridge sessions from now on; nothing in a deployment without them.
    pub fn configure_sessions(&self, change: impl Fn(&mut SessionOptions) + Send + 'static) {
        self.with(move |s, _| s.configure_sessions(change));
    }

    /// Starts a bridge on free ports of the deployment's address, a dead one's place too: then everybody is invited anew. Sessions
    /// are made where the options have [`ServerOptions::sessions`].
    ///
    /// # Errors
    /// When it cannot listen, or makes no certificate.
    pub fn start_bridge(&self, config: BridgeConfig) -> io::Result<()> {
        self.start_bridge_at(config, BridgePlace { address: self.address.ip(), ..BridgePlace::default() })
    }

    /// The same at another place, or with TLS.
    ///
    /// # Errors
    /// As [`Deployment::start_bridge`], and when certificate or key are not readable.
    pub fn start_bridge_at(&self, config: BridgeConfig, place: BridgePlace) -> io::Result<()> {
        let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (done, started) = mpsc::channel();
        self.inputs.send(Input::StartBridge(Box::new((config, place)), done)).map_err(|_| ended())?;
        started.recv().map_err(|_| ended())?
    }

    /// What the bridge that runs now told of itself, the newest last; at most [`bridge::io::KEPT_EVENTS`].
    pub fn bridge_events(&self) -> Vec<bridge::Event> {
        let (to, events) = mpsc::channel();
        let asked = self.inputs.send(Input::BridgeEvents(to));
        let events = asked.ok().and_then(|()| events.recv().ok()).unwrap_or_default();
        events.into_iter().map(|(_, e)| e).collect()
    }

    /// Runs `f` on the bridge; `None` when there is none.
    pub fn with_bridge<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut bridge::Bridge, Time) -> R + Send + 'static,
    ) -> Option<R> {
        self.with(move |s, now| s.bridge_mut().and_then(|b| b.videobridge()).map(|b| f(b, now))).flatten()
    }

    /// Gives the focus a bridge without sockets, a dead one's place too: then everybody is invited anew.
    pub fn set_bridge(&self, bridge: Box<dyn Colibri>) {
        self.with(move |s, now| s.set_bridge(bridge, now));
    }

    /// The bridge dies: its sockets close, sessions end with `moving`, the focus shows `bridgeNotAvailable`.
    pub fn kill_bridge(&self) {
        self.with(|s, now| s.kill_bridge(now));
    }

    /// The focus ends an endpoint's session with this reason and text; it is not invited again before it joins again.
    pub fn end_session(&self, room: &str, endpoint: &str, reason: &str, text: &str) {
        let room = format!("{room}@conference.{}", self.domain);
        let [endpoint, reason, text] = [endpoint, reason, text].map(str::to_owned);
        self.with(move |s, now| s.with_focus(now, |f, now| f.end_session(&room, &endpoint, &reason, &text, now)));
    }

    /// The focus sends everybody in a room a session-initiate with a new sid over the session that is running.
    pub fn invite_over(&self, room: &str) {
        let room = format!("{room}@conference.{}", self.domain);
        self.with(move |s, now| s.with_focus(now, |f, now| f.invite_over(&room, now)));
    }

    /// Sets a property of a conference, and shows it (docs/protocol/03 §8.1); `None` takes it away.
    pub fn set_conference_property(&self, room: &str, key: &str, value: Option<&str>) {
        let room = format!("{room}@conference.{}", self.domain);
        let (key, value) = (key.to_owned(), value.map(str::to_owned));
        self.with(move |s, now| s.with_focus(now, |f, _| f.set_property(&room, &key, value.as_deref())));
    }

    /// The current session of an endpoint at the focus: its sid, and whether it was accepted.
    pub fn session_of(&self, room: &str, endpoint: &str) -> Option<(String, bool)> {
        let (room, endpoint) = (format!("{room}@conference.{}", self.domain), endpoint.to_owned());
        let session = move |s: &mut Server, _: Time| {
            let (sid, accepted) = s.focus()?.session_of(&room, &endpoint)?;
            Some((sid.to_owned(), accepted))
        };
        self.with(session).flatten()
    }

    /// Puts a bad link between participants that meet from now on, and between them and the bridge: their media passes through it, in both
    /// directions. Called again it changes the link, also for media under way. It hides real candidates, so server-reflexive
    /// and relayed ones lead through it too.
    pub fn set_media_link(&self, link: LinkOptions) {
        self.media.set_options(link);
        let proxy = self.media.clone();
        self.with(|s, _| s.candidates = Some(Box::new(proxy)));
    }

    /// Lets nothing but these kinds of datagrams pass the link that [`Deployment::set_media_link`] puts; `None`: all.
    pub fn set_media_only(&self, only: Option<Vec<MediaKind>>) {
        self.media.set_only(only);
    }

    /// What the link let pass and what it dropped.
    pub fn media_counts(&self) -> MediaCounts {
        self.media.counts()
    }

    /// Destroys a room (its name, without domain).
    pub fn destroy_room(&self, room: &str, reason: &str) {
        let (room, reason) = (room.to_owned(), reason.to_owned());
        self.with(move |s, now| s.destroy_room(&room, &reason, now));
    }

    /// The endpoint ids in a room, the focus left out.
    pub fn endpoints(&self, room: &str) -> Vec<String> {
        let room = room.to_owned();
        self.with(move |s, _| s.endpoints(&room)).unwrap_or_default()
    }

    /// Waits until a room holds `count` endpoints; `false` when that does not happen in time.
    pub fn wait_for_endpoints(&self, room: &str, count: usize, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        loop {
            if self.endpoints(room).len() == count {
                return true;
            }
            if Instant::now() >= end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        // Gone already, if its thread is.
        let _ = self.inputs.send(Input::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
