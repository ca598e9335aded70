//! The channel's transport: which one, when again, and when not; docs/protocol/04 §1.1–§1.4.
//!
//! A data channel is preferred where the bridge offers SCTP. The bridge accepts one data channel in an endpoint's life, so a
//! closed one is not opened again: a WebSocket takes over where one is offered, else a new session is wanted
//! (docs/protocol/04 §1.2). WebSockets are tried one at a time: an event of any other one is late and ignored.

use crate::env::Env;
use crate::time::Time;
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
/// Messages that wait for the channel to open; past it the oldest goes.
pub const MAX_WAITING: usize = 64;

/// What the bridge offers (docs/protocol/02 §5.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// A data channel over SCTP.
    pub sctp: bool,
    /// URLs in the order of preference. They hold passwords.
    pub websockets: Vec<String>,
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
    deadline: Option<Time>,
    waiting: VecDeque<String>,
    out: VecDeque<Output>,
}

impl Channel {
    /// A channel for a session with this offer. It begins at once; a data channel opens as soon as its engine can.
    pub fn new(offer: Offer, env: Env) -> Channel {
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
            waiting: VecDeque::new(),
            out: VecDeque::new(),
        };
        if c.offer.sctp {
            c.out.push_back(Output::OpenDataChannel);
            c.set(ChannelState::Connecting(Transport::DataChannel));
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
        self.deadline
    }

    /// DTLS is up: from now on the data channel has its time to open.
    pub fn media_secure(&mut self, now: Time) {
        if self.state == ChannelState::Connecting(Transport::DataChannel) && self.deadline.is_none() {
            self.deadline = Some(now + SCTP_OPEN_TIMEOUT);
        }
    }

    /// The data channel is open.
    pub fn data_opened(&mut self) {
        if !self.offer.sctp {
            return;
        }
        // Late, after a WebSocket was begun instead: the bridge takes what it gets, and one is enough.
        if let Some(a) = self.current.take() {
            self.out.push_back(Output::CloseWebSocket(a));
        }
        self.deadline = None;
        self.opened(Transport::DataChannel);
    }

    /// The data channel was closed, or refused.
    pub fn data_closed(&mut self) {
        if !std::mem::take(&mut self.offer.sctp) || self.current.is_some() {
            return;
        }
        self.instead();
    }

    /// A WebSocket is open.
    pub fn socket_opened(&mut self, attempt: Attempt, now: Time) {
        if self.current != Some(attempt) {
            return;
        }
        self.retry = FIRST_RETRY;
        self.refused = 0;
        self.deadline = Some(now + PING_EVERY);
        self.opened(Transport::WebSocket);
    }

    /// A WebSocket could not be opened, or broke. `status`: HTTP status of a refused upgrade; `code`: of the close frame.
    /// `alone`: nobody else is in the room.
    pub fn socket_lost(&mut self, attempt: Attempt, status: Option<u16>, code: Option<u16>, alone: bool, now: Time) {
        if self.current != Some(attempt) {
            return;
        }
        self.current = None;
        // The bridge let the endpoint go because the meeting is over (docs/protocol/04 §1.4).
        if code == Some(1001) && alone {
            self.deadline = None;
            return self.set(ChannelState::None);
        }
        // Refused as such, or answered by something that is no bridge: another URL may be right, this one will not be.
        if status.is_some() {
            self.url += 1;
            self.refused += 1;
            if self.refused >= MAX_REFUSED.max(self.offer.websockets.len() as u32) {
                self.deadline = None;
                return self.set(ChannelState::Failed);
            }
        } else if !matches!(self.state, ChannelState::Open(_)) {
            self.url += 1;
        }
        // Up to a fifth more, so that a thousand clients of a restarted bridge do not come back at once.
        let jitter = u64::from(self.env.below(201));
        self.deadline = Some(now + self.retry * (1000 + jitter as u32) / 1000);
        self.retry = (self.retry * 2).min(LONGEST_RETRY);
        self.set(ChannelState::Waiting);
    }

    /// Takes notice of the time.
    pub fn handle_timeout(&mut self, now: Time) {
        if self.deadline.is_none_or(|d| d.mono_us > now.mono_us) {
            return;
        }
        self.deadline = None;
        match (self.state, self.current) {
            (ChannelState::Open(Transport::WebSocket), Some(a)) => {
                self.out.push_back(Output::Ping(a));
                self.deadline = Some(now + PING_EVERY);
            }
            (ChannelState::Waiting, _) => self.attempt(),
            (ChannelState::Connecting(Transport::DataChannel), _) => self.instead(),
            _ => {}
        }
    }

    /// Sends a message; `false` when it is lost: `wait` says whether it waits for the channel to open.
    pub fn send(&mut self, message: String, wait: bool, now: Time) -> bool {
        match (self.state, self.current) {
            (ChannelState::Open(Transport::DataChannel), _) => self.out.push_back(Output::SendData(message)),
            (ChannelState::Open(Transport::WebSocket), Some(a)) => {
                self.deadline = Some(now + PING_EVERY);
                self.out.push_back(Output::SendWebSocket(a, message));
            }
            _ if !wait || self.state == ChannelState::Failed || self.state == ChannelState::None => return false,
            _ => {
                if self.waiting.len() >= MAX_WAITING {
                    self.waiting.pop_front();
                }
                self.waiting.push_back(message);
            }
        }
        true
    }

    /// The session is over.
    pub fn close(&mut self) {
        if let Some(a) = self.current.take() {
            self.out.push_back(Output::CloseWebSocket(a));
        }
        self.deadline = None;
        self.offer = Offer::default();
        self.set(ChannelState::None);
    }

    /// What waited for the channel; to be sent after what is said on every opening.
    pub fn take_waiting(&mut self) -> impl Iterator<Item = String> + use<> {
        std::mem::take(&mut self.waiting).into_iter()
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

    fn attempt(&mut self) {
        let urls = &self.offer.websockets;
        let Some(url) = urls.get(self.url % urls.len().max(1)).cloned() else { return };
        self.next_attempt += 1;
        let attempt = Attempt(self.next_attempt);
        self.current = Some(attempt);
        self.out.push_back(Output::OpenWebSocket { attempt, url });
        self.set(ChannelState::Connecting(Transport::WebSocket));
    }

    fn opened(&mut self, transport: Transport) {
        self.set(ChannelState::Open(transport));
    }

    fn set(&mut self, state: ChannelState) {
        if self.state != state {
            self.state = state;
            self.out.push_back(Output::State(state));
        }
    }
}

#[cfg(test)]
mod tests;
