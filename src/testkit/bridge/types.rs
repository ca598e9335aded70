//! What goes into the bridge and comes out of it, as values: what a focus says in colibri2 and hears back
//! (docs/protocol/02 §5), and what a driver does for it.

use crate::media::peer::{Candidate, Fingerprint};
use crate::wire::colibri::BridgeVideoType;
use std::net::SocketAddr;

/// A WebSocket of the bridge, numbered by whoever holds the sockets.
pub type SocketKey = u64;

/// What a bridge is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgeConfig {
    /// Where it receives media; each is offered as a host candidate.
    pub addresses: Vec<SocketAddr>,
    /// Where clients reach its WebSockets, up to the server id and without a slash at the end
    /// (`wss://host/colibri-ws/jvb`): one base per bridge domain.
    pub websocket_urls: Vec<String>,
    /// Offers a data channel (JVB's default).
    pub sctp: bool,
    /// Offers WebSockets (not JVB's default).
    pub websocket: bool,
    /// `ServerHello` says this version.
    pub version: Option<String>,
    /// Takes the keys of lib-jitsi-meet's 2022 releases (`onStageEndpoints`, `selectedEndpoints` with endpoint ids), for which
    /// today's bridge drops the whole message.
    pub lib_jitsi_meet_2022: bool,
    /// Slots of SSRC rewriting per receiver and kind of media (JVB: 50); fewer force remaps.
    pub video_slots: usize,
    pub audio_slots: usize,
    /// Rewritten streams come on SSRCs that no map names: their `mid` alone tells which slot they are.
    pub mid_alone: bool,
    /// Greatest number of video sources that anybody gets; −1 any.
    pub last_n: i32,
    /// Estimates each client's downlink from its transport-cc feedback and gives video by it. Otherwise bandwidth is endless.
    pub estimate: bool,
    /// Its transports speak the fake engine's protocol instead of WebRTC's: for meetings of which only the order of things
    /// matters.
    pub fake: bool,
    /// Drops an endpoint's audio after a few packets of silence, as JVB does.
    pub discard_silence: bool,
}

impl Default for BridgeConfig {
    /// JVB's defaults, without addresses; both channels.
    fn default() -> BridgeConfig {
        BridgeConfig {
            addresses: Vec::new(),
            websocket_urls: Vec::new(),
            sctp: true,
            websocket: true,
            version: None,
            lib_jitsi_meet_2022: false,
            video_slots: 50,
            audio_slots: 50,
            mid_alone: false,
            last_n: -1,
            estimate: true,
            fake: false,
            discard_silence: true,
        }
    }
}

/// How one endpoint is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointOptions {
    /// Endpoints hear and see those of their own conference only.
    pub conference: String,
    /// Everything reaches it on the bridge's SSRCs, announced in source maps (docs/protocol/04 §10).
    pub ssrc_rewriting: bool,
    /// Rewritten streams carry a `mid`.
    pub mid_demux: bool,
    /// It gets a data channel where the bridge has them.
    pub sctp: bool,
    /// It gets WebSocket URLs where the bridge has them.
    pub websocket: bool,
    /// RTX was offered to it; without, repairs are plain.
    pub rtx: bool,
}

impl Default for EndpointOptions {
    /// As for a client with every feature.
    fn default() -> EndpointOptions {
        EndpointOptions {
            conference: String::new(),
            ssrc_rewriting: true,
            mid_demux: true,
            sctp: true,
            websocket: true,
            rtx: true,
        }
    }
}

/// The bridge's part of a transport, and what else a session-initiate needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub ufrag: String,
    pub pwd: String,
    pub fingerprint: Fingerprint,
    /// `actpass`.
    pub setup: &'static str,
    pub candidates: Vec<Candidate>,
    /// One per WebSocket base; empty without WebSockets.
    pub websockets: Vec<String>,
    /// Of the data channel; none without.
    pub sctp_port: Option<u16>,
    /// SSRC of the bridge's own source `jvb-a0`.
    pub audio_ssrc: u32,
    /// SSRC of the bridge's own source `jvb-v0`.
    pub video_ssrc: u32,
    /// 0 at first, then one more for each ICE restart.
    pub generation: u32,
}

/// A client's part of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTransport {
    pub ufrag: String,
    pub pwd: String,
    /// Not looked at in an ICE restart.
    pub fingerprint: Option<Fingerprint>,
    /// `active` or `passive`.
    pub setup: String,
    pub candidates: Vec<Candidate>,
}

/// What a source carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Audio,
    Video,
}

/// A source that an endpoint sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeSource {
    pub name: String,
    pub kind: Kind,
    pub video_type: BridgeVideoType,
    /// All its SSRCs.
    pub ssrcs: Vec<u32>,
    /// The SIM group, lowest layer first; empty for a single encoding.
    pub sim: Vec<u32>,
    /// The FID groups: primary and RTX.
    pub fid: Vec<(u32, u32)>,
}

impl BridgeSource {
    /// The SSRCs of its encodings, lowest first.
    pub fn encodings(&self) -> Vec<u32> {
        if !self.sim.is_empty() {
            return self.sim.clone();
        }
        self.ssrcs.iter().copied().find(|s| !self.fid.iter().any(|f| f.1 == *s)).into_iter().collect()
    }

    /// The RTX SSRC of an encoding.
    pub fn rtx_of(&self, ssrc: u32) -> Option<u32> {
        self.fid.iter().find(|f| f.0 == ssrc).map(|f| f.1)
    }
}

/// A request of the focus that cannot be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeError {
    /// No endpoint of that id.
    UnknownEndpoint,
    /// The endpoint is there already.
    EndpointExists,
    /// The bridge was killed: a focus hears nothing from it.
    Dead,
    /// The bridge has no room for more ([`super::MAX_ENDPOINTS`]).
    Full,
    /// A fingerprint, a role or a certificate that cannot be used.
    Transport(&'static str),
    /// Sources that a bridge refuses.
    Sources(&'static str),
}

impl std::fmt::Display for BridgeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BridgeError::UnknownEndpoint => f.write_str("no such endpoint"),
            BridgeError::Dead => f.write_str("the bridge does not answer"),
            BridgeError::EndpointExists => f.write_str("the endpoint exists already"),
            BridgeError::Full => f.write_str("the bridge is full"),
            BridgeError::Transport(what) | BridgeError::Sources(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for BridgeError {}

/// What the bridge wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Transmit {
        local: SocketAddr,
        remote: SocketAddr,
        data: Vec<u8>,
    },
    /// The WebSocket is let in: answer the upgrade.
    WebSocketAccept(SocketKey),
    /// The upgrade is answered with this HTTP status.
    WebSocketRefuse(SocketKey, u16),
    WebSocketSend(SocketKey, String),
    WebSocketClose(SocketKey, u16, &'static str),
    Event(Event),
}

/// Which way a channel goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    DataChannel,
    WebSocket,
}

/// What happens in the bridge, for focus and tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// ICE has a pair; of this generation.
    IceConnected {
        endpoint: String,
        generation: u32,
    },
    /// DTLS is up.
    Connected {
        endpoint: String,
    },
    /// A restart did not connect in time; what was before goes on, and the client is not told (docs/protocol/04 §5.1).
    RestartFailed {
        endpoint: String,
        generation: u32,
    },
    ChannelOpen {
        endpoint: String,
        kind: ChannelKind,
    },
    ChannelClosed {
        endpoint: String,
        kind: ChannelKind,
    },
    /// A message of a client, as it came.
    Message {
        endpoint: String,
        text: String,
    },
    /// A message that the bridge dropped; a real one says no word about it.
    Dropped {
        endpoint: String,
        text: String,
        reason: String,
    },
    /// The sender was asked for a key frame.
    KeyFrameWanted {
        endpoint: String,
        ssrc: u32,
    },
    /// The bridge gave up an endpoint by itself.
    Expired {
        endpoint: String,
        reason: Expiry,
    },
}

/// Why the bridge gave up an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    IceFailed,
    DtlsFailed,
    /// Nothing was heard for a minute.
    Inactive,
}
