//! The seam between everything above RTP and the peer engine (design §5.8, §9): commands and datagrams in, packets,
//! events and one deadline out.
//!
//! An engine moves RTP and knows SSRCs, never frames, participants or source names. Below this line: ICE, DTLS, SRTP,
//! SCTP, RTX and NACK, reports, transport-cc, bandwidth estimate, pacing. Above it: packetiser, reorder, layers, tracks, ownership of
//! SSRCs. Everything here is plain data and `Send`; no type of a dependency but `bytes::Bytes` appears.
//!
//! The trait, and what is asked and told through it, stand here; the words that these are made of have a file for each of the path, RTP
//! and counters, and are named from here.

mod rtp;
mod stats;
mod transport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::env::Env;
use crate::time::Time;

pub use rtp::{
    AudioLevel, CodecKind, ExtensionIds, IncomingRtp, MAX_MID, MAX_RTP_PAYLOAD, Mid, Numbers, OutgoingRtp, PayloadType,
    RtpConfig, Sender,
};
pub use stats::{Bandwidth, NTP_UNIX_OFFSET, SenderReport, Stats, StreamStats};
pub use transport::{
    Candidate, CandidateKind, DtlsRole, Fingerprint, IceCredentials, IceState, Identity, LocalTransport, Path,
    RemoteTransport, Transmit, usable_address,
};

/// One connection to the bridge or to one peer: a machine without clock, socket or thread.
///
/// After each `handle_…` or `send_rtp` call, drain [`poll_output`](PeerEngine::poll_output) until it gives `None`, then
/// wait until [`next_deadline`](PeerEngine::next_deadline) at most. Nothing here fails: what goes wrong for good is
/// [`Event::Failed`], what is not understood is counted in [`Stats`].
pub trait PeerEngine: Send {
    /// Does what a command says.
    fn handle_command(&mut self, command: Command, now: Time);

    /// Takes one datagram that has just arrived at the local address `local` (one given by [`Command::AddLocalAddress`]).
    fn handle_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time) {
        self.handle_datagram_after(local, remote, data, Duration::ZERO, now);
    }

    /// Takes one that had lain in the socket for `waited` before somebody came to read it. When media arrived is told, to the peer too, as of
    /// then: that we had too little of a processor is no delay of the path. Waits for what is missing begin now.
    fn handle_datagram_after(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        data: &[u8],
        waited: Duration,
        now: Time,
    );

    /// Takes notice of the time; to be called at [`next_deadline`](PeerEngine::next_deadline).
    fn handle_timeout(&mut self, now: Time);

    /// Sends one RTP packet of a stream made with [`Command::AddSender`]; the engine numbers it. Dropped, and counted,
    /// for an unknown SSRC and before [`Event::Secure`].
    fn send_rtp(&mut self, packet: OutgoingRtp, now: Time);

    /// The next thing that the engine wants done.
    fn poll_output(&mut self) -> Option<Output>;

    /// Takes back [`Transmit::data`] once it is sent, to be filled again. It need not be given: it saves an allocation.
    fn recycle(&mut self, _buffer: Vec<u8>) {}

    /// When the engine wants [`handle_timeout`](PeerEngine::handle_timeout) next, if at all.
    fn next_deadline(&self) -> Option<Time>;

    /// Our ICE credentials and certificate fingerprint; known from the start. The fingerprint is constant for the life of
    /// the engine, the credentials are those of the newest [`Command::RestartIce`].
    fn local_transport(&self) -> LocalTransport;

    /// Counters so far.
    fn stats(&self) -> Stats;

    /// Datagrams, and parts of them, that were not authentic or not understood, so far.
    fn refused(&self) -> u64 {
        let s = self.stats();
        s.srtp_errors + s.stun_refused + s.junk
    }

    /// Where a stream of ours is, for an engine that goes on with it; none where an engine does not number, or of an unknown SSRC.
    fn numbers(&self, _ssrc: u32) -> Option<Numbers> {
        None
    }

    /// Counters of each stream, both ways; none where an engine does not count them apart.
    fn streams(&self, _now: Time) -> Vec<StreamStats> {
        Vec::new()
    }
}

/// Makes engines: the real ones, or fakes in tests of the layers above.
pub trait PeerEngineFactory: Send {
    /// A new engine; ICE credentials and the like are drawn from `env`.
    fn create(&mut self, config: Config, env: &mut Env, now: Time) -> Result<Box<dyn PeerEngine>, Failure>;
}

/// What an engine is made from.
#[derive(Clone, Debug)]
pub struct Config {
    /// ICE role: `false` towards the bridge (docs/protocol/04 §5), `true` for the initiator of a P2P session.
    pub controlling: bool,
    /// Our DTLS certificate.
    pub identity: Arc<Identity>,
    /// STUN servers for server-reflexive candidates. (TURN servers will stand beside them.)
    pub stun_servers: Vec<SocketAddr>,
    /// Gather and accept loopback addresses; for tests on one machine.
    pub allow_loopback: bool,
    /// Payload types and header extensions as negotiated; may be replaced later by [`Command::SetRtp`].
    pub rtp: RtpConfig,
    /// SSRC of our own feedback (receiver reports, NACK, PLI, transport-cc).
    pub feedback_ssrc: u32,
    /// The CNAME of all our streams, as signalled with them.
    pub cname: String,
    /// Bounds of the bandwidth estimate.
    pub estimate: EstimateBounds,
    /// The peer's SCTP port (`sctpmap`; 5000 with the bridge), for a data channel over DTLS; `None`: no association.
    pub sctp: Option<u16>,
}

/// Bounds of the bandwidth estimate, bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EstimateBounds {
    pub initial: u64,
    pub min: u64,
    pub max: u64,
}

impl Default for EstimateBounds {
    /// 300 kbit/s to begin with, between 30 kbit/s and 10 Mbit/s.
    fn default() -> Self {
        EstimateBounds { initial: 300_000, min: 30_000, max: 10_000_000 }
    }
}

/// What the layers above ask of an engine.
#[derive(Clone, Debug)]
pub enum Command {
    /// A UDP socket of ours is bound to this address; gather on it.
    AddLocalAddress(SocketAddr),
    /// The socket of this address is gone.
    RemoveLocalAddress(SocketAddr),
    /// The peer's credentials, fingerprints and role: checks begin. Once per engine.
    SetRemote(RemoteTransport),
    /// A candidate of the peer; may come before [`Command::SetRemote`].
    AddRemoteCandidate(Candidate),
    /// Payload types and header extensions after the answer.
    SetRtp(RtpConfig),
    /// A stream that we will send.
    AddSender(Sender),
    /// A stream that was just added goes on where another engine left it ([`PeerEngine::numbers`]).
    Continue { ssrc: u32, numbers: Numbers },
    /// Stops a stream; its SSRC gets a BYE.
    RemoveSender(u32),
    /// `rtx` carries the repairs of the remote stream `primary` (an FID group or a source map).
    MapRtx { rtx: u32, primary: u32 },
    /// Packets of the remote stream `primary` carry this `mid`: so do those of its repairs, by which they are known also on an SSRC
    /// that [`Command::MapRtx`] did not name.
    MapMid { mid: Mid, primary: u32 },
    /// A remote SSRC is gone: its state, and that of its repairs, is dropped. It may come back.
    Forget(u32),
    /// Asks the sender of this remote SSRC for a key frame; throttled per SSRC.
    RequestKeyFrame(u32),
    /// Opens a data channel (RFC 8832), ordered and reliable; as soon as there is an association, if there is none yet.
    /// Nothing happens without [`Config::sctp`], and while a channel of ours is there.
    OpenChannel { label: String, protocol: String },
    /// Sends a text on the data channel. Dropped, and counted, while none is open, and when it does not fit into what may
    /// wait to be sent.
    SendText(String),
    /// An ICE restart in place, make before break (docs/protocol/02 §10): new checks from these local sockets, which must be
    /// new ones, towards the peer's new credentials; candidates that follow belong to them. What carries media goes on
    /// until the new path is there, or for good if it never is. A restart on the way is superseded.
    RestartIce { generation: u32, addresses: Vec<SocketAddr>, remote: IceCredentials },
    /// Sends padding and repeats beside the media, for this long, until that rate is reached: the estimate believes only
    /// what was carried, so a higher rate has to be tried first. Ends early when the path shows that it is full.
    Probe { bps: u64, duration: Duration },
    /// Ends the connection; outputs that say so come at once, then nothing more.
    Close,
}

/// SSRCs received that have state, and streams that are sent, of one session: at most this many each.
pub const MAX_STREAMS: usize = 1024;

/// What an engine wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send from the socket of `local`.
    Transmit(Transmit),
    Event(Event),
}

/// What an engine tells.
#[derive(Clone, Debug)]
pub enum Event {
    /// A local candidate to be told to the peer.
    Candidate(Candidate),
    /// No more candidates will come for the addresses given so far.
    GatheringDone,
    Ice(IceState),
    /// DTLS is up, the fingerprint was right: media flows.
    Secure,
    Rtp(IncomingRtp),
    /// The peer wants a key frame of our stream with this SSRC.
    KeyFrameWanted(u32),
    SenderReport(SenderReport),
    /// What the path to the peer carries.
    Bandwidth(Bandwidth),
    /// A remote SSRC said goodbye (RTCP BYE).
    Bye(u32),
    /// A data channel is open: [`Command::SendText`] has an effect from here on.
    ChannelOpen,
    ChannelText(String),
    /// No data channel is open any more, or none will be: the peer reset it or ended the association, which a bridge does
    /// when we leave and is no failure.
    ChannelClosed,
    /// Our credentials for this restart, to be told to the peer; comes at once.
    RestartCredentials {
        generation: u32,
        credentials: IceCredentials,
    },
    /// Media moved to a path of this restart.
    Restarted {
        generation: u32,
    },
    /// This restart did not connect in time, or a newer one took its place. The path before it goes on. Its local addresses
    /// follow as [`Event::AddressUnused`].
    RestartFailed {
        generation: u32,
    },
    /// The engine has no use for this local address any more: its socket may be closed.
    AddressUnused(SocketAddr),
    /// The connection is over for good. Comes at most once.
    Failed(Failure),
}

/// Why a connection failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No path, or the path was lost for too long.
    Ice,
    /// The handshake failed or ran out of time.
    Dtls,
    /// The peer's certificate is not the one that was signalled.
    Fingerprint,
    /// The peer ended the connection (DTLS close_notify) without a word in signalling.
    PeerClosed,
}
