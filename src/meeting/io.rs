//! What goes into a meeting and what comes out: the seam between the machine and whatever drives it.

use super::command::{Command, ReaderKey};
use super::event::{Event, TrackKey};
use crate::error::{Error, Stage};
use crate::media::{Codec, EncodedFrame, OutgoingFrame};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// One attempt at a connection. A late event of an older one is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionKey(pub u32);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The XMPP stream: sub-protocol `xmpp`.
    Stream,
    /// The bridge channel (docs/protocol/04 §1.3): no sub-protocol.
    Channel,
}

/// The sockets of one media session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketsKey(pub u64);

/// Into the machine.
pub enum Input<'a> {
    /// A deadline may have passed.
    Timer,
    Command(Command),
    /// A connection is at this stage of being made: resolve, connect, TLS, upgrade.
    Connecting(ConnectionKey, Stage),
    /// The socket is open and upgraded.
    Opened(ConnectionKey),
    /// One frame of text.
    Text(ConnectionKey, String),
    /// The connection could not be made, or is lost. The condition is the HTTP status that refused the upgrade, or the code
    /// with which the other side closed, where there was one.
    Lost(ConnectionKey, Error),
    /// Answer to [`Output::OpenSockets`]; empty when none could be opened.
    Sockets(SocketsKey, Vec<SocketAddr>),
    /// Answer to [`Output::Resolve`]; empty when the name has no address.
    Resolved(Vec<SocketAddr>),
    /// Datagrams of one sender that came together, one behind the other: each of `segment` bytes, the last perhaps shorter. They have
    /// lain in the socket for `waited`. The clock is not looked at: whoever reads gives all that lies there, and [`Input::Timer`] then if it
    /// is due, for what is waited for may be the next that is read.
    Datagrams {
        sockets: SocketsKey,
        local: SocketAddr,
        remote: SocketAddr,
        data: &'a [u8],
        segment: usize,
        waited: Duration,
    },
    /// A frame for a local track.
    Frame(TrackKey, OutgoingFrame),
}

/// Out of the machine.
pub enum Output {
    /// Open a WebSocket. The URL and the token are secrets.
    Connect {
        connection: ConnectionKey,
        purpose: Purpose,
        url: String,
        token: String,
    },
    Send {
        connection: ConnectionKey,
        text: String,
    },
    /// Send a WebSocket ping.
    Ping(ConnectionKey),
    /// Close it once everything is sent. Nothing of it comes in any more.
    CloseConnection(ConnectionKey),
    /// Look up the address of a STUN server.
    Resolve {
        host: String,
        port: u16,
    },
    /// Bind one socket per usable address.
    OpenSockets(SocketsKey),
    CloseSockets(SocketsKey),
    /// Datagrams, one behind the other: each of `segment` bytes, the last perhaps shorter. [`Meeting::recycle`](super::Meeting::recycle)
    /// takes `data` back.
    Transmit {
        sockets: SocketsKey,
        local: SocketAddr,
        remote: SocketAddr,
        data: Vec<u8>,
        segment: usize,
    },
    Event(Event),
    /// A frame for a reader.
    Frame(ReaderKey, EncodedFrame),
    /// The reader will get no more: its track is gone.
    ReaderEnded(ReaderKey),
    /// What a writer of this track is told from now on.
    /// `refused`: the other side takes none of this codec. `idle`: a bit for each encoding that is not to be sent now.
    /// `codec`: what frames must be.
    Writer {
        track: TrackKey,
        muted: bool,
        ready: bool,
        refused: bool,
        idle: u32,
        codec: Codec,
    },
    /// The writer's track is gone, or was never taken.
    WriterEnded(TrackKey),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither URLs nor stanzas: both carry secrets.
        f.write_str(match self {
            Output::Connect { .. } => "Connect",
            Output::Send { .. } => "Send",
            Output::Ping(_) => "Ping",
            Output::CloseConnection(_) => "CloseConnection",
            Output::Resolve { .. } => "Resolve",
            Output::OpenSockets(_) => "OpenSockets",
            Output::CloseSockets(_) => "CloseSockets",
            Output::Transmit { .. } => "Transmit",
            Output::Event(_) => "Event",
            Output::Frame(..) => "Frame",
            Output::ReaderEnded(_) => "ReaderEnded",
            Output::Writer { .. } => "Writer",
            Output::WriterEnded(_) => "WriterEnded",
        })
    }
}
