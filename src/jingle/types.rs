//! What goes in and out of the Jingle machine, as plain values.

use crate::time::Time;
use crate::wire::jingle::{CandidateType, Media, VideoType};
use crate::wire::{Jid, StanzaError};
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::codecs::{Codec, Negotiated};
use super::sources::RemoteSource;

/// Settings, with the protocol's values as defaults (docs/protocol/02 §24).
#[derive(Clone, Debug)]
pub struct JingleConfig {
    /// Peer-to-peer sessions are made and accepted (default true).
    pub p2p: bool,
    /// Bridge sessions are accepted (default true).
    pub bridge: bool,
    /// Codecs that are offered to a peer and accepted from one: those that the layers above packetise (default Opus and
    /// VP8). The bridge's come from its offer.
    pub p2p_codecs: Vec<Codec>,
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
            bridge: true,
            p2p_codecs: vec![Codec::Opus, Codec::Vp8],
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

/// Whom a session is with. At most one of each kind exists at a time, both beside each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKind {
    /// The videobridge, by way of the focus.
    Bridge,
    /// The one other participant.
    P2p,
}

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
    /// The focus says that it has no bridge for us (`bridgeNotAvailable` in its presence): it will invite us when it has
    /// one again, and nothing is to be done until then.
    pub bridge_not_available: bool,
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
    /// SSRC of each encoding with that of its retransmissions, the lowest first. More than one is simulcast, which only
    /// the bridge is told of: a peer gets the first encoding. A source without any is not signalled.
    pub encodings: Vec<(u32, Option<u32>)>,
    pub msid: String,
}

impl LocalSource {
    /// The SSRCs: each encoding's, followed by that of its retransmissions.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + '_ {
        self.encodings.iter().flat_map(|(ssrc, rtx)| [Some(*ssrc), *rtx]).flatten()
    }
}

/// ICE user name fragment and password. The password is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    pub ufrag: String,
    pub pwd: String,
}

impl fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
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

/// What the bridge offers beside media (docs/protocol/02 §5.2, §5.5). The URLs hold passwords and are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BridgeOffer {
    /// `bridge-session@id`.
    pub id: Option<String>,
    pub region: Option<String>,
    /// URLs of the bridge channel over WebSocket, in the offer's order, without repeats.
    pub websockets: Vec<String>,
    /// SCTP port of the bridge channel over a data channel.
    pub sctp_port: Option<u16>,
    /// We are to begin with audio, or video, muted (`startmuted`: audio, video).
    pub start_muted: Option<(bool, bool)>,
}

impl fmt::Debug for BridgeOffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeOffer")
            .field("id", &self.id)
            .field("region", &self.region)
            .field("websockets", &self.websockets.len())
            .field("sctp_port", &self.sctp_port)
            .field("start_muted", &self.start_muted)
            .finish()
    }
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
    /// The engine's handshake did, or the certificate is another than was signalled.
    HandshakeFailed,
    /// An SSRC of ours changed, which peer-to-peer sessions do not signal.
    SourcesChanged,
    /// Another session of its kind took its place.
    Replaced,
    /// We asked the focus for a new session in its place.
    Restarting,
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

/// Where the bridge session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeState {
    /// The focus invited us.
    Starting,
    /// Media can flow; also said when a lost path is back.
    Active,
    /// The path was lost, and another is sought in this session.
    Recovering,
    /// It is over. With `Replaced` the next one starts at once; after `Restarting`, and after most reasons of the focus,
    /// one is awaited, and if none comes [`Event::RejoinWanted`] follows.
    Ended(EndReason),
}

/// Why nothing but leaving the room and joining it again helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejoinReason {
    /// The focus ended the session and did not invite us again in time.
    NotInvited,
    /// Several restarts did not bring media back.
    RestartsExhausted,
    /// The focus answered our accept with this error.
    AcceptRefused { condition: &'static str, text: String },
}

/// Why a source of ours is not sent to the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceRefusal {
    /// More SSRCs than the focus lets one endpoint have.
    TooManySsrcs,
    /// More groups than the focus lets one endpoint have.
    TooManyGroups,
    /// An SSRC that is 0, or used twice, or by somebody else.
    BadSsrc(u32),
    /// No msid, or that of another source of ours.
    BadMsid,
    /// The other side said so.
    Refused { condition: &'static str, text: String },
    /// The other side did not answer.
    NotAnswered,
}

/// Why a restart that was asked for is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartRefusal {
    /// No bridge session of this key that is established.
    NoSession,
    /// The focus told no id of the bridge session, without which it takes no such request.
    NoBridgeId,
    /// The focus has the restart in place switched off.
    NotSupported,
    /// One is under way.
    UnderWay,
}

/// Something the layers above want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    P2p {
        session: SessionKey,
        state: P2pState,
    },
    Bridge {
        session: SessionKey,
        state: BridgeState,
    },
    /// The focus refused the restart in place. When the path was lost, a new session is asked for.
    IceRestartRefused {
        session: SessionKey,
        condition: &'static str,
    },
    /// The bridge will not come back by itself: the room is to be left and joined again (docs/protocol/02 §23.15). Not
    /// said while media flows to the only other participant directly; then when that ends.
    RejoinWanted(RejoinReason),
    /// The focus offered a bridge session, which was refused, because such are switched off.
    BridgeOffered {
        sid: String,
    },
    /// A request was refused; the text is the condition, or the reason of the session-terminate.
    Refused {
        from: Jid,
        action: String,
        with: &'static str,
    },
    /// Sources of ours were refused, by the other side or before they were sent. They are not signalled again while
    /// they stay as they are.
    SourcesRefused {
        session: SessionKey,
        names: Vec<String>,
        why: SourceRefusal,
    },
}

/// Why sources are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The other side said so.
    Signalled,
    /// Their owner left the room, which nobody signals.
    OwnerLeft,
    /// The session that knew them is over; another one may know them too, or know them again soon.
    SessionEnded,
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
        /// The session is with the bridge, which offers this.
        bridge: Option<BridgeOffer>,
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
        because: Removal,
    },
    /// The bridge made a new ICE agent with these credentials: paths to it are to be sought beside the one in use, from
    /// a new local port, without touching DTLS (docs/protocol/02 §10.3). Answered by [`super::Jingle::ice_restarted`].
    RestartIce {
        session: SessionKey,
        generation: u64,
        credentials: IceCredentials,
        candidates: Vec<IceCandidate>,
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
