//! The channel's transport: which one, when again, and when not; docs/protocol/04 §1.1–§1.4.
//!
//! A data channel is preferred where the bridge offers SCTP. The bridge accepts one data channel in an endpoint's life, so a
//! closed one is not opened again: a WebSocket takes over where one is offered, else a new session is wanted
//! (docs/protocol/04 §1.2). WebSockets are tried one at a time: an event of any other one is late and ignored. One whose other end
//! is gone without a word is found out by an echo, which the bridge owes us (§2.2).

use crate::env::Env;
use crate::time::{Time, earliest};
use crate::wire::colibri::ToBridge;
use std::collections::VecDeque;
use std::time::Duration;

/// First wait before a WebSocket is tried again; doubled with each attempt that fails.
pub const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest wait between attempts.
pub const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// Attempts in a row that the bridge itself refuses (HTTP 4xx: a URL that is not valid any more) before the channel counts as
/// failed. Until a new session brings new URLs nothing else can help (docs/protocol/04 §22.4).
pub const MAX_REFUSED: u32 = 4;
/// How long a data channel may take to open before a WebSocket is tried instead.
pub const SCTP_OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// A silent WebSocket is pinged this often: the bridge pings only where it has sent something, and closes after 60 s.
pub const PING_EVERY: Duration = Duration::from_secs(25);
/// A WebSocket on which the bridge has spoken, and is silent for this long, is asked for an echo. The bridge itself speaks
/// every 10 s once it has an estimate.
pub const ECHO_AFTER: Duration = Duration::from_secs(30);
/// How long the echo may take before the WebSocket counts as lost.
pub const ECHO_TIMEOUT: Duration = Duration::from_secs(15);
/// A WebSocket that was open this long was a good one: the waits begin anew. One that closes at once, again and again, would
/// otherwise be opened every second.
pub const STABLE_AFTER: Duration = Duration::from_secs(10);

/// What the bridge offers (docs/protocol/02 §5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// A data channel over SCTP.
    pub sctp: bool,
    /// URLs in the order of preference. They hold passwords.
    pub websockets: Vec<String>,
}

/// Which of the offered transports to take (docs/protocol/04 §1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// A data channel where both are offered.
    pub prefer_sctp: bool,
    /// URLs of this host are passed over, if there are others.
    pub ignore_domain: Option<String>,
}

impl Default for Options {
    fn default() -> Options {
        Options { prefer_sctp: true, ignore_domain: None }
    }
}

/// How the channel is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Transport {
    DataChannel = 1,
    WebSocket = 2,
}

/// Where the channel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// None is offered, or there is no session.
    None,
    Connecting(Transport),
    Open(Transport),
    /// It broke, or never opened; it is tried again by itself.
    Waiting,
    /// Nothing but a new session brings it back. Without it no video is asked for.
    Failed,
}

/// One attempt at a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt(pub u32);

/// What the channel wants done.
#[derive(Clone, PartialEq, Eq)]
pub enum Output {
    /// Open the data channel: label and protocol of [`LABEL`] and [`PROTOCOL`].
    OpenDataChannel,
    OpenWebSocket {
        attempt: Attempt,
        url: String,
    },
    CloseWebSocket(Attempt),
    SendData(String),
    SendWebSocket(Attempt, String),
    Ping(Attempt),
    /// Said at each change.
    State(ChannelState),
    /// Only a new session can bring a channel: the bridge takes no second data channel and offers no WebSocket.
    RestartWanted,
}

/// Label of the data channel.
pub const LABEL: &str = "JVB data channel";
/// Protocol of the data channel.
pub const PROTOCOL: &str = "http://jitsi.org/protocols/colibri";

/// The machine of one bridge session's channel.
pub struct Channel {
    env: Env,
    offer: Offer,
    state: ChannelState,
    /// The attempt whose events count.
    current: Option<Attempt>,
    next_attempt: u32,
    /// Which of the URLs is next.
    url: usize,
    retry: Duration,
    refused: u32,
    /// The next attempt, or the end of patience with a data channel.
    deadline: Option<Time>,
    /// DTLS is up.
    secure: bool,
    /// The data channel opened when a WebSocket carried the messages already: it waits for that one's end.
    spare: bool,
    socket: Option<Socket>,
    out: VecDeque<Output>,
}

/// An open WebSocket.
struct Socket {
    opened: Time,
    ping: Time,
    /// When an echo is asked for, or what was asked for is given up; none before the bridge has spoken.
    echo: Option<Time>,
    asked: bool,
}

impl Channel {
    /// A channel for a session with this offer. It begins at once; a data channel opens as soon as its engine can.
    pub fn new(offer: Offer, env: Env) -> Channel {
        Channel::with_options(offer, &Options::default(), env)
    }

    /// A channel that chooses otherwise.
    pub fn with_options(mut offer: Offer, options: &Options, env: Env) -> Channel {
        if let Some(ignored) = &options.ignore_domain
            && offer.websockets.iter().any(|url| !is_at(url, ignored))
        {
            offer.websockets.retain(|url| !is_at(url, ignored));
        }
        let mut c = Channel {
            env,
            offer,
            state: ChannelState::None,
            current: None,
            next_attempt: 0,
            url: 0,
            retry: FIRST_RETRY,
            refused: 0,
            deadline: None,
            secure: false,
            spare: false,
            socket: None,
            out: VecDeque::new(),
        };
        if c.offer.sctp && (options.prefer_sctp || c.offer.websockets.is_empty()) {
            c.data();
        } else if !c.offer.websockets.is_empty() {
            c.attempt();
        }
        c
    }

    /// Where it stands.
    pub fn state(&self) -> ChannelState {
        self.state
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When [`Channel::handle_timeout`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        let open = self.socket.as_ref().and_then(|s| earliest(Some(s.ping), s.echo));
        earliest(self.deadline, open)
    }

    /// DTLS is up: from now on the data channel has its time to open.
    pub fn media_secure(&mut self, now: Time) {
        self.secure = true;
        if self.state == ChannelState::Connecting(Transport::DataChannel) && self.deadline.is_none() {
            self.deadline = Some(now + SCTP_OPEN_TIMEOUT);
        }
    }

    /// The data channel is open.
    pub fn data_opened(&mut self) {
        if !self.offer.sctp {
            return;
        }
        // The bridge answers where it was spoken to last (docs/protocol/04 §1.3): what is on its way on an open WebSocket, perhaps a
        // source map that is told once, would be lost with it.
        if self.socket.is_some() {
            self.spare = true;
            return;
        }
        self.use_data();
    }

    /// The data channel is open, and carries everything from now on.
    fn use_data(&mut self) {
        self.spare = false;
        self.drop_socket();
        self.deadline = None;
        self.set(ChannelState::Open(Transport::DataChannel));
    }

    /// The data channel was closed, or refused.
    pub fn data_closed(&mut self) {
        self.spare = false;
        if !std::mem::take(&mut self.offer.sctp) || !self.is_data() {
            return;
        }
        self.instead();
    }

    /// A WebSocket is open.
    pub fn socket_opened(&mut self, attempt: Attempt, now: Time) {
        if self.current != Some(attempt) || self.socket.is_some() {
            return;
        }
        self.refused = 0;
        self.socket = Some(Socket { opened: now, ping: now + PING_EVERY, echo: None, asked: false });
        self.set(ChannelState::Open(Transport::WebSocket));
    }

    /// The bridge said something on this WebSocket; `false`: it is an old one, and what it says does not count.
    pub fn heard(&mut self, attempt: Attempt, now: Time) -> bool {
        let Some(s) = self.socket.as_mut().filter(|_| self.current == Some(attempt)) else { return false };
        s.echo = Some(now + ECHO_AFTER);
        s.asked = false;
        true
    }

    /// A WebSocket could not be opened, or broke. `status`: HTTP status of a refused upgrade; `code`: of the close frame.
    /// `alone`: nobody else is in the room.
    pub fn socket_lost(&mut self, attempt: Attempt, status: Option<u16>, code: Option<u16>, alone: bool, now: Time) {
        if self.current != Some(attempt) {
            return;
        }
        self.current = None;
        let open = self.socket.take();
        // The bridge let the endpoint go because the meeting is over (docs/protocol/04 §1.4).
        if code == Some(1001) && alone {
            return self.set(ChannelState::None);
        }
        if self.spare {
            return self.use_data();
        }
        if open.as_ref().is_some_and(|s| now.since(s.opened) >= STABLE_AFTER) {
            self.retry = FIRST_RETRY;
        }
        if status.is_some_and(is_final) {
            self.refused += 1;
            if self.refused >= MAX_REFUSED.max(self.offer.websockets.len() as u32) {
                return self.give_up(now);
            }
        }
        // What could not be opened may be right under another URL.
        if open.is_none() {
            self.url += 1;
        }
        // Up to a fifth more, so that a thousand clients of a restarted bridge do not come back at once.
        let jitter = self.env.below(201);
        self.deadline = Some(now + self.retry * (1000 + jitter) / 1000);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
        self.set(ChannelState::Waiting);
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.deadline.take_if(|d| is_due(*d, now)).is_some() {
            match self.state {
                ChannelState::Waiting => self.attempt(),
                ChannelState::Connecting(Transport::DataChannel) => self.instead(),
                _ => {}
            }
        }
        let (Some(s), Some(attempt)) = (&mut self.socket, self.current) else { return };
        if s.echo.is_some_and(|t| is_due(t, now)) {
            if s.asked {
                self.out.push_back(Output::CloseWebSocket(attempt));
                return self.socket_lost(attempt, None, None, false, now);
            }
            s.asked = true;
            s.echo = Some(now + ECHO_TIMEOUT);
            s.ping = now + PING_EVERY;
            self.out.push_back(Output::SendWebSocket(attempt, ToBridge::ClientHello.to_text()));
        } else if is_due(s.ping, now) {
            s.ping = now + PING_EVERY;
            self.out.push_back(Output::Ping(attempt));
        }
    }

    /// Sends a message. `false`: the channel is not open, and nothing is sent.
    pub fn send(&mut self, message: String, now: Time) -> bool {
        match (self.state, self.current, &mut self.socket) {
            (ChannelState::Open(Transport::DataChannel), ..) => self.out.push_back(Output::SendData(message)),
            (ChannelState::Open(Transport::WebSocket), Some(attempt), Some(s)) => {
                s.ping = now + PING_EVERY;
                self.out.push_back(Output::SendWebSocket(attempt, message));
            }
            _ => return false,
        }
        true
    }

    /// The session is over.
    pub fn close(&mut self) {
        self.drop_socket();
        (self.deadline, self.spare) = (None, false);
        self.offer = Offer::default();
        self.set(ChannelState::None);
    }

    /// Whether the data channel is what there is, or is to be.
    fn is_data(&self) -> bool {
        matches!(
            self.state,
            ChannelState::Connecting(Transport::DataChannel) | ChannelState::Open(Transport::DataChannel)
        )
    }

    fn drop_socket(&mut self) {
        self.socket = None;
        if let Some(a) = self.current.take() {
            self.out.push_back(Output::CloseWebSocket(a));
        }
    }

    /// The data channel will not do.
    fn instead(&mut self) {
        self.deadline = None;
        if self.offer.websockets.is_empty() {
            self.set(ChannelState::Failed);
            self.out.push_back(Output::RestartWanted);
        } else {
            self.attempt();
        }
    }

    /// No WebSocket will do.
    fn give_up(&mut self, now: Time) {
        self.offer.websockets.clear();
        if self.offer.sctp {
            // Not tried yet, or not opened in time.
            self.deadline = self.secure.then(|| now + SCTP_OPEN_TIMEOUT);
            self.data();
        } else {
            self.set(ChannelState::Failed);
        }
    }

    fn data(&mut self) {
        self.out.push_back(Output::OpenDataChannel);
        self.set(ChannelState::Connecting(Transport::DataChannel));
    }

    fn attempt(&mut self) {
        let urls = &self.offer.websockets;
        let Some(url) = urls.get(self.url % urls.len().max(1)).cloned() else { return };
        self.next_attempt += 1;
        let attempt = Attempt(self.next_attempt);
        self.current = Some(attempt);
        self.out.push_back(Output::OpenWebSocket { attempt, url });
        self.set(ChannelState::Connecting(Transport::WebSocket));
    }

    fn set(&mut self, state: ChannelState) {
        if self.state != state {
            self.state = state;
            self.out.push_back(Output::State(state));
        }
    }
}

fn is_due(at: Time, now: Time) -> bool {
    at.mono_us <= now.mono_us
}

/// Whether this answer to the upgrade says that the URL is wrong, or not valid any more (docs/protocol/04 §1.3). A proxy in
/// trouble, or one that wants patience, says nothing about the URL.
fn is_final(status: u16) -> bool {
    !matches!(status, 408 | 425 | 429 | 500..=599)
}

/// Whether a URL is of this host.
fn is_at(url: &str, host: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let named = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // What stands after the colon is a port, but within the brackets of an IPv6 address.
    let named = named.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(named, |(host, _)| host);
    named.eq_ignore_ascii_case(host)
}

#[cfg(test)]
mod tests;
