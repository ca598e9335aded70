//! What goes in and out of the Jingle machine, as plain values.

use crate::time::Time;
use crate::wire::jingle::{CandidateType, Media, VideoType};
use crate::wire::{Jid, StanzaError};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::sources::RemoteSource;

/// Settings, with the protocol's values as defaults (docs/protocol/02 §24).
#[derive(Clone, Debug)]
pub struct JingleConfig {
    /// Peer-to-peer sessions are made and accepted (default true).
    pub p2p: bool,
    /// Wait before going back to peer to peer after a leave (default 5 s).
    pub back_to_p2p: Duration,
    /// How long candidates are collected for one request (default 150 ms).
    pub trickle_window: Duration,
    /// How long a request may stay unanswered (default 10 s).
    pub iq_timeout: Duration,
    /// How long a session may stay without an answer of the peer or credentials of the engine (default 60 s).
    pub accept_timeout: Duration,
}

impl Default for JingleConfig {
    fn default() -> JingleConfig {
        JingleConfig {
            p2p: true,
            back_to_p2p: Duration::from_secs(5),
            trickle_window: Duration::from_millis(150),
            iq_timeout: Duration::from_secs(10),
            accept_timeout: Duration::from_secs(60),
        }
    }
}

/// A session of this machine; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(pub u64);

/// A request of this machine that waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IqToken(pub u64);

/// Which side began the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Initiator,
    Responder,
}

/// Session states (docs/protocol/02 §1.2). An ended session is forgotten at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Offer and answer are not finished.
    Pending,
    /// Established.
    Active,
}

/// The room as far as sessions depend on it.
#[derive(Clone, Debug, Default)]
pub struct Conference {
    /// Our occupant address; none before the room has confirmed the join.
    pub own: Option<Jid>,
    /// The focus occupant, when one is there whose real address is the configured one.
    pub focus: Option<Jid>,
    /// All other participants, hidden ones too, without the focus.
    pub participants: Vec<Participant>,
    /// Visitors are present.
    pub visitors: bool,
    /// Transcription, or translation of audio, is on: only the bridge can do that.
    pub needs_bridge: bool,
}

/// One other participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Occupant address; its resource is the endpoint id.
    pub jid: Jid,
    /// A telephony gateway.
    pub jigasi: bool,
    /// A `poltergeist` bot.
    pub poltergeist: bool,
}

/// A source that we send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalSource {
    pub name: String,
    pub media: Media,
    pub video_type: Option<VideoType>,
    pub ssrc: u32,
    /// SSRC of the retransmissions.
    pub rtx: Option<u32>,
    pub msid: String,
}

/// Our ICE credentials and certificate. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct LocalTransport {
    pub ufrag: String,
    pub pwd: String,
    /// `sha-256`
    pub hash: String,
    /// Upper-case hexadecimal with colons.
    pub fingerprint: String,
}

impl fmt::Debug for LocalTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTransport").field("ufrag", &self.ufrag).field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// A candidate over UDP, component 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCandidate {
    pub foundation: String,
    pub priority: u32,
    pub address: SocketAddr,
    pub kind: CandidateType,
    /// Base of a reflexive or relayed candidate.
    pub related: Option<SocketAddr>,
}

/// Our side of the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    Client,
    Server,
}

/// The peer's transport. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteTransport {
    pub ufrag: String,
    pub pwd: String,
    /// Hash name and value; never empty.
    pub fingerprints: Vec<(String, String)>,
    /// Ours.
    pub dtls: DtlsRole,
}

impl fmt::Debug for RemoteTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteTransport").field("ufrag", &self.ufrag).field("dtls", &self.dtls).finish_non_exhaustive()
    }
}

/// Codecs that are negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    Opus,
    Vp8,
}

/// A payload type that both sides have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiatedPayload {
    pub pt: u8,
    pub codec: Codec,
    /// RTP clock, Hz.
    pub clock: u32,
    /// Payload type of its retransmissions.
    pub rtx: Option<u8>,
    pub nack: bool,
    pub pli: bool,
    pub fir: bool,
    pub transport_cc: bool,
}

/// Ids of header extensions that both sides have; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    pub audio_level: u8,
    pub abs_send_time: u8,
    pub transport_cc: u8,
}

/// What both sides agreed on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Negotiated {
    pub payloads: Vec<NegotiatedPayload>,
    pub extensions: ExtensionIds,
}

/// How a request of ours was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IqAnswer {
    Result,
    Error(StanzaError),
    /// Nothing came in time, or the stream is gone.
    Timeout,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The room is no place for peer to peer any more.
    NotWanted,
    /// The peer left the room.
    PeerLeft,
    /// We left the room.
    Left,
    /// The peer ended or refused it.
    Peer { condition: String, text: String },
    /// The peer did not answer, or answered with an error.
    NotAnswered,
    /// The peer's description cannot be used.
    BadDescription(&'static str),
    /// No path to the peer, or the path was lost.
    IceFailed,
    /// The engine failed otherwise.
    MediaFailed,
    /// An SSRC of ours changed, which peer-to-peer sessions do not signal.
    SourcesChanged,
}

/// Where the peer-to-peer session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum P2pState {
    /// A session was begun, by us or by the peer.
    Starting { role: Role, peer: String },
    /// Media can flow.
    Active,
    /// It is over.
    Ended(EndReason),
}

/// Something the layers above want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    P2p {
        session: SessionKey,
        state: P2pState,
    },
    /// The focus offered a bridge session, which was refused.
    BridgeOffered {
        sid: String,
    },
    /// A request was refused; the text is the condition, or the reason of the session-terminate.
    Refused {
        from: Jid,
        action: String,
        with: &'static str,
    },
    /// The other side refused sources of ours.
    SourcesRefused {
        session: SessionKey,
        names: Vec<String>,
    },
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A whole answer, to be sent as it is.
    Reply(String),
    /// A request of type `set`, to be sent within an IQ; its answer comes back with the token.
    SendIq {
        token: IqToken,
        to: Jid,
        payload: String,
        timeout: Duration,
    },
    /// An engine is needed; it answers with [`super::Jingle::local_transport`].
    CreateEngine {
        session: SessionKey,
        controlling: bool,
    },
    /// The peer's description, once per session.
    RemoteDescription {
        session: SessionKey,
        transport: RemoteTransport,
        negotiated: Negotiated,
    },
    RemoteCandidates {
        session: SessionKey,
        candidates: Vec<IceCandidate>,
    },
    SourcesAdded {
        session: SessionKey,
        sources: Vec<RemoteSource>,
    },
    /// The named sources, or the SSRCs of them that stand in the values, are gone.
    SourcesRemoved {
        session: SessionKey,
        sources: Vec<RemoteSource>,
    },
    /// Whether the peer wants video of us.
    LocalVideoWanted {
        session: SessionKey,
        wanted: bool,
    },
    /// Greatest heights, px, that the peer wants of our sources.
    RemoteConstraints {
        session: SessionKey,
        heights: Vec<(String, u32)>,
    },
    /// The session is over and with it its engine.
    CloseEngine {
        session: SessionKey,
    },
    Event(Event),
}

/// A deadline that is due at `now`.
pub(super) fn due(at: Option<Time>, now: Time) -> bool {
    // By the monotonic reading alone: the wall clock may have been set meanwhile.
    at.is_some_and(|t| t.mono_us <= now.mono_us)
}
