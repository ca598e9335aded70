//! What the focus asks of a videobridge, and what that answers (Jicofo's colibri2, as values). The focus never holds the bridge:
//! whoever drives it carries requests there and answers back, so a focus may die and the bridge live on.

use super::sources::EndpointSources;
use crate::testkit::bridge::{self, Bridge};
use crate::time::Time;
use std::net::SocketAddr;

/// A request to the bridge. `conference` is the address of the room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Makes an endpoint; an endpoint of that id is expired before.
    Allocate(Allocate),
    /// The endpoint's side of the transport, from its session-accept.
    Accept {
        conference: String,
        endpoint: String,
        transport: RemoteTransport,
        /// How many videos it wants at first.
        initial_last_n: Option<u32>,
    },
    /// Its transport again: candidates, or the answer to an ICE restart.
    Transport { conference: String, endpoint: String, transport: RemoteTransport, generation: Option<u32> },
    /// All that the endpoint sends from now on.
    Sources { conference: String, endpoint: String, sources: EndpointSources },
    /// A new ICE agent beside the old one.
    RestartIce { conference: String, endpoint: String },
    /// The endpoint is muted by a moderator, in this medium.
    ForceMute { conference: String, endpoint: String, audio: bool, video: bool },
    /// The endpoint is gone.
    Expire { conference: String, endpoint: String },
}

/// What an endpoint needs at the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocate {
    pub conference: String,
    pub endpoint: String,
    /// Told back in the answer.
    pub token: u64,
    /// A data channel over SCTP.
    pub sctp: bool,
    /// SSRC rewriting: the bridge tells sources on the channel.
    pub rewriting: bool,
    /// Rewritten streams carry a MID.
    pub mid_demux: bool,
    /// RTX was offered.
    pub rtx: bool,
}

/// A participant's side of a transport.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RemoteTransport {
    pub ufrag: String,
    /// Never printed.
    pub pwd: String,
    /// Hash and value of the certificate's fingerprint.
    pub fingerprint: Option<(String, String)>,
    /// It opens the DTLS handshake.
    pub active: bool,
    pub candidates: Vec<SocketAddr>,
}

impl std::fmt::Debug for RemoteTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteTransport").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// The bridge's side.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BridgeTransport {
    pub ufrag: String,
    /// Never printed.
    pub pwd: String,
    /// Hash and value.
    pub fingerprint: (String, String),
    /// `actpass` before the roles are chosen, then `passive` or `active`.
    pub setup: String,
    pub candidates: Vec<SocketAddr>,
    /// URLs of the bridge channel, each with its password.
    pub web_sockets: Vec<String>,
}

impl std::fmt::Debug for BridgeTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BridgeTransport").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// An answer of the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The endpoint is there.
    Allocated {
        conference: String,
        endpoint: String,
        token: u64,
        transport: BridgeTransport,
        /// The bridge's own SSRCs: audio, video.
        own_ssrcs: (u32, u32),
    },
    /// There is no bridge, or it has no place.
    Refused { conference: String, endpoint: String, token: u64 },
    /// A new ICE agent waits.
    Restarted { conference: String, endpoint: String, transport: BridgeTransport, generation: u32 },
    /// No restart: switched off, or no such endpoint.
    Declined { conference: String, endpoint: String },
}

/// A bridge as the focus sees it.
pub trait Colibri: Send {
    /// Does what is asked, and answers what is answered.
    fn request(&mut self, request: Request, now: Time) -> Option<Answer>;

    /// The videobridge behind it, if one is: for those who carry its datagrams and WebSockets.
    fn videobridge(&mut self) -> Option<&mut Bridge> {
        None
    }

    /// Time has come to `now`.
    fn handle_timeout(&mut self, now: Time) {
        let _nothing_waits = now;
    }

    /// When [`Colibri::handle_timeout`] wants to be called.
    fn next_deadline(&self) -> Option<Time> {
        None
    }

    /// What it wants done.
    fn poll_output(&mut self) -> Option<bridge::Output> {
        None
    }
}
