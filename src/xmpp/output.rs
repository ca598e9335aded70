//! What goes into a stream and what comes out of it.

use super::error::StreamError;
use super::iq::{IqResult, IqToken};
use crate::error::Error;
use crate::wire::disco::Info;
use crate::wire::extdisco::IceServer;
use crate::wire::{Document, Jid};
use std::fmt;

/// What happens to a stream. Of one transport at a time: once the stream asked to close it, nothing of it may come in any more.
pub enum Input {
    /// A connection was made for the stream.
    TransportOpened,
    /// One message came.
    Frame(String),
    /// The connection ended, or none came about: with the transport's error if it has one.
    TransportClosed { reason: Option<Error> },
    /// The time of [`super::Stream::next_deadline`] has come.
    Timer,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Input::TransportOpened => f.write_str("TransportOpened"),
            // Frames carry tokens and passwords: only their size is shown, here and below.
            Input::Frame(t) => write!(f, "Frame({} bytes)", t.len()),
            Input::TransportClosed { reason } => write!(f, "TransportClosed({reason:?})"),
            Input::Timer => f.write_str("Timer"),
        }
    }
}

/// What a stream wants done, and tells.
pub enum Output {
    /// Send this as one message.
    SendFrame(String),
    /// Send what is queued, then close the connection. Nothing of it comes in any more.
    CloseTransport,
    /// Make a new connection for the same stream: the first attempt may have failed by sending ahead (design, the flight plan).
    Reconnect { pipelined: bool },
    /// The server's first `<open/>` is here; once per connection.
    Opened,
    /// The login succeeded.
    Authenticated,
    /// The stream has an address. What is sent from here on leaves together with the stream's own questions.
    Bound { jid: Jid },
    /// Stream management is decided: on, or refused, not offered, or not answered. Exactly once after `Bound`.
    Online { sm: bool },
    /// A stanza that the stream does not answer itself.
    Stanza(Document),
    /// The one answer to a request.
    IqAnswer { token: IqToken, result: IqResult },
    /// Identities and features of the domain, asked for after `Bound`, or pushed at any time, even before; None when the question
    /// failed.
    Domain(Option<Info>),
    /// The ICE servers of the deployment; never empty.
    IceServers(Vec<IceServer>),
    /// The stream is over by our wish. Nothing follows.
    Closed,
    /// The stream failed. Nothing follows.
    Failed(StreamError),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Output::SendFrame(t) => write!(f, "SendFrame({} bytes)", t.len()),
            Output::CloseTransport => f.write_str("CloseTransport"),
            Output::Reconnect { pipelined } => write!(f, "Reconnect {{ pipelined: {pipelined} }}"),
            Output::Opened => f.write_str("Opened"),
            Output::Authenticated => f.write_str("Authenticated"),
            Output::Bound { .. } => f.write_str("Bound"),
            Output::Online { sm } => write!(f, "Online {{ sm: {sm} }}"),
            Output::Stanza(d) => write!(f, "Stanza({d:?})"),
            Output::IqAnswer { token, result } => write!(f, "IqAnswer({token:?}, {result:?})"),
            Output::Domain(info) => write!(f, "Domain(known: {})", info.is_some()),
            Output::IceServers(s) => write!(f, "IceServers({s:?})"),
            Output::Closed => f.write_str("Closed"),
            Output::Failed(e) => write!(f, "Failed({e:?})"),
        }
    }
}
