//! The seam between everything above RTP and the peer engine (design §5.8, §9): commands and datagrams in, packets,
//! events and one deadline out.
//!
//! An engine moves RTP and knows SSRCs, never frames, participants or source names. Below this line: ICE, DTLS, SRTP,
//! SCTP, RTX and NACK, reports, transport-cc, bandwidth estimate, pacing. Above it: packetiser, reorder, layers, tracks, ownership of
//! SSRCs. Everything here is plain data and `Send`; no type of a dependency but `bytes::Bytes` appears.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::env::Env;
use crate::time::Time;

/// One connection to the bridge or to one peer: a machine without clock, socket or thread.
///
/// After each `handle_…` or `send_rtp` call, drain [`poll_output`](PeerEngine::poll_output) until it gives `None`, then
/// wait until [`next_deadline`](PeerEngine::next_deadline) at most. Nothing here fails: what goes wrong for good is
/// [`Event::Failed`], what is not understood is counted in [`Stats`].
pub trait PeerEngine: Send {
    /// Does what a command says.
    fn handle_command(&mut self, command: Command, now: Time);

    /// Takes one datagram that arrived at the local address `local` (one given by [`Command::AddLocalAddress`]).
    fn handle_datagram(&mut self, local: SocketAddr, remote: SocketAddr, data: &[u8], now: Time);

    /// Takes notice of the time; to be called at [`next_deadline`](PeerEngine::next_deadline).
    fn handle_timeout(&mut self, now: Time);

    /// Sends one RTP packet of a stream made with [`Command::AddSender`]; the engine numbers it. Dropped, and counted,
    /// for an unknown SSRC and before [`Event::Secure`].
    fn send_rtp(&mut self, packet: &OutgoingRtp, now: Time);

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

/// What the engine must know of the negotiated RTP session (docs/protocol/04 §6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtpConfig {
    pub extensions: ExtensionIds,
    pub payload_types: Vec<PayloadType>,
}

impl RtpConfig {
    /// What Jicofo offers of Opus (111), VP8 (100) and its repairs (96) with its header extensions (docs/protocol/04 §6): for an engine
    /// that is driven without Jingle.
    pub fn jicofo() -> RtpConfig {
        let pt = |pt, kind, clock, repairs, nack| PayloadType { pt, kind, clock, repairs, nack };
        RtpConfig {
            extensions: ExtensionIds {
                audio_level: 1,
                abs_send_time: 3,
                transport_cc: 5,
                mid: 10,
                dependency_descriptor: 11,
            },
            payload_types: vec![
                pt(111, CodecKind::Audio, 48_000, None, false),
                pt(100, CodecKind::Video, 90_000, None, true),
                pt(96, CodecKind::Video, 90_000, Some(100), false),
            ],
        }
    }
}

/// Ids of the RTP header extensions; 0 = not negotiated (docs/protocol/04 §6.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    pub audio_level: u8,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    pub abs_send_time: u8,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: u8,
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`; read only.
    pub mid: u8,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`; read only, what we send
    /// stands in [`OutgoingRtp::extra`].
    pub dependency_descriptor: u8,
}

/// One RTP payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadType {
    pub pt: u8,
    pub kind: CodecKind,
    /// RTP clock rate, Hz.
    pub clock: u32,
    /// On a retransmission payload type (RFC 4588), the one that it repairs (`apt`).
    pub repairs: Option<u8>,
    /// Lost packets are asked for again (`rtcp-fb nack`).
    pub nack: bool,
}

/// What a payload type carries, as far as an engine cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodecKind {
    Audio,
    Video,
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

/// A DTLS certificate with its private key. Made once per process, or per client, and shared by engines.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// PKCS #8, DER. Never logged.
    pub private_key: Vec<u8>,
    /// Of the certificate, sha-256.
    pub fingerprint: Fingerprint,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// A certificate fingerprint as in XEP-0320: `hash` is `sha-256` and so on, `value` upper-case hexadecimal with colons.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    pub hash: String,
    pub value: String,
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

/// Our part of a Jingle transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalTransport {
    pub credentials: IceCredentials,
    pub fingerprint: Fingerprint,
}

/// The peer's part of a Jingle transport, and the DTLS role that follows for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteTransport {
    pub credentials: IceCredentials,
    /// The peer's certificate must match one of them; none at all refuses the peer.
    pub fingerprints: Vec<Fingerprint>,
    /// Ours. Client when our `setup` is `active` (or the peer's `passive`), server in the other case.
    pub dtls: DtlsRole,
}

/// Which side of the DTLS handshake we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// `setup="active"`
    Client,
    /// `setup="passive"`
    Server,
}

/// An ICE candidate over UDP, component 1 (XEP-0176, RFC 8445 §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub foundation: String,
    pub priority: u32,
    pub address: SocketAddr,
    pub kind: CandidateKind,
    /// The base of a reflexive or relayed candidate.
    pub related: Option<SocketAddr>,
}

/// Where a candidate's address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relayed,
}

impl CandidateKind {
    /// The word of XEP-0176 and of SDP.
    pub fn as_str(self) -> &'static str {
        match self {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relayed => "relay",
        }
    }

    /// The kind of that word.
    pub fn parse(s: &str) -> Option<CandidateKind> {
        Some(match s {
            "host" => CandidateKind::Host,
            "srflx" => CandidateKind::ServerReflexive,
            "prflx" => CandidateKind::PeerReflexive,
            "relay" => CandidateKind::Relayed,
            _ => return None,
        })
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

/// A stream that we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub ssrc: u32,
    /// SSRC and payload type for repairs (RFC 4588); without, repairs are plain repeats.
    pub rtx: Option<(u32, u8)>,
    /// The payload type to begin with; packets may change it.
    pub pt: u8,
}

/// The sequence numbers that the next packets of a stream get: its own, and its repairs'.
///
/// Who receives through a bridge keeps SRTP's replay list and rollover counter of an SSRC for as long as it is in the meeting, and the
/// bridge a projection: a stream that begins anew on its SSRC behind the numbers of before would be taken for a replay, up to 32,768 packets
/// long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    pub seq: u16,
    pub rtx_seq: u16,
}

/// One RTP packet to send.
#[derive(Clone, Debug)]
pub struct OutgoingRtp {
    pub ssrc: u32,
    pub pt: u8,
    /// RTP timestamp.
    pub ts: u32,
    pub marker: bool,
    /// Audio level extension, if negotiated.
    pub level: Option<AudioLevel>,
    /// One more header extension, `(id, value)`: the dependency descriptor.
    pub extra: Option<(u8, Bytes)>,
    /// At most [`MAX_RTP_PAYLOAD`] bytes.
    pub payload: Bytes,
}

/// SSRCs received that have state, and streams that are sent, of one session: at most this many each.
pub const MAX_STREAMS: usize = 1024;

/// The largest RTP payload that still leaves room for header, extensions and tags in a 1280-byte IPv6 packet.
pub const MAX_RTP_PAYLOAD: usize = 1180;

/// RFC 6464: 0 (loudest) to 127 (silence), in −dBov, and whether it is speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioLevel {
    pub level: u8,
    pub voice: bool,
}

/// What an engine wants done.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send from the socket of `local`.
    Transmit(Transmit),
    Event(Event),
}

/// Datagrams to send: one, or several of one size that lie one behind the other, so that a system that can (GSO) takes them by one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub data: Vec<u8>,
    /// Length of each but the last, which may be shorter.
    pub segment: usize,
}

impl Transmit {
    /// Joined datagrams take at most this many bytes; one alone may be longer.
    pub const MAX_JOINED: usize = 16 * 1024;
    /// As many datagrams are joined at most: Linux takes no more by one call.
    pub const MAX_DATAGRAMS: usize = 64;

    /// One datagram.
    pub fn one(local: SocketAddr, remote: SocketAddr, data: Vec<u8>) -> Transmit {
        let segment = data.len();
        Transmit { local, remote, data, segment }
    }

    /// Each datagram.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.data.chunks(self.segment.max(1))
    }

    /// Whether one more datagram of so many bytes, on this path, may lie behind those that are here.
    #[inline]
    pub fn takes(&self, (local, remote): (SocketAddr, SocketAddr), len: usize) -> bool {
        len <= self.segment
            && self.data.len() + len <= Transmit::MAX_JOINED
            && self.data.len() < self.segment * Transmit::MAX_DATAGRAMS
            && self.data.len().is_multiple_of(self.segment)
            && self.remote == remote
            && self.local == local
    }
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

/// Where the connection stands (RFC 8445, as the W3C states it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceState {
    New,
    Checking,
    Connected,
    /// Nothing authentic came for a while; may come back.
    Disconnected,
    Failed,
    Closed,
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

/// One RTP packet from the peer, decrypted, repairs undone, duplicates removed, not reordered.
///
/// Any SSRC is delivered, also one nobody named yet: who owns it is decided above.
#[derive(Clone, Debug)]
pub struct IncomingRtp {
    pub ssrc: u32,
    pub pt: u8,
    /// Sequence number, unwrapped. A stream begins at 65536 or above, so a packet before its first is not negative.
    pub seq: u64,
    /// RTP timestamp.
    pub ts: u32,
    pub marker: bool,
    /// It came as a repair: RTX, or plain after it was asked for.
    pub recovered: bool,
    pub arrival: Time,
    pub level: Option<AudioLevel>,
    /// The peer's name for the stream or its slot, on packets that carry one.
    pub mid: Option<Mid>,
    /// The AV1 dependency descriptor, on packets that carry one.
    pub dependency_descriptor: Option<Bytes>,
    /// A slice of the received packet.
    pub payload: Bytes,
}

/// An RTP stream's `mid` (RFC 9143 §15), kept in place: it is read per packet.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mid {
    len: u8,
    text: [u8; MAX_MID],
}

/// The longest `mid` that is read; Jitsi's are a letter and a small number. A longer one counts as none.
pub const MAX_MID: usize = 15;

impl Mid {
    /// `None` if it is empty, too long, or not printable ASCII.
    #[inline]
    pub fn new(b: &[u8]) -> Option<Mid> {
        if b.is_empty() || b.len() > MAX_MID || !b.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut text = [0; MAX_MID];
        text[..b.len()].copy_from_slice(b);
        Some(Mid { len: b.len() as u8, text })
    }

    /// As signalled.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// RTP time of one stream bound to the sender's wall clock (RFC 3550 §6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub ssrc: u32,
    /// 32.32 fixed point, seconds since 1900.
    pub ntp: u64,
    pub rtp: u32,
}

impl SenderReport {
    /// The report's wall time, µs since 1970.
    pub fn unix_us(&self) -> i64 {
        let seconds = (self.ntp >> 32) as i64 - NTP_UNIX_OFFSET;
        seconds * 1_000_000 + (((self.ntp & 0xffff_ffff) * 1_000_000) >> 32) as i64
    }
}

/// Seconds from 1900 (NTP) to 1970 (Unix).
pub const NTP_UNIX_OFFSET: i64 = 2_208_988_800;

/// The estimate for what we send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// bit/s.
    pub bps: u64,
    pub rtt: Option<Duration>,
    /// Lost packets of the last feedback, in 1/256.
    pub loss: u8,
}

/// Counters of one stream, from its first packet on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamStats {
    pub ssrc: u32,
    /// We send it; else it comes.
    pub sent: bool,
    /// Each once, repairs that mended something included.
    pub packets: u64,
    /// Of their payloads.
    pub bytes: u64,
    /// Packets that came as a repair, or that we sent again.
    pub repaired: u64,
    /// Packets that never came; of what we send, as the other side says.
    pub lost: u64,
    /// How uneven they arrive (RFC 3550 §6.4.1); of what we send, as the other side says.
    pub jitter: Duration,
    /// Of payload, lately.
    pub bits_per_second: u64,
    /// When the newest packet came or went, µs of the monotonic clock.
    pub last_us: u64,
}

/// Counters of one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// RTP packets received and authentic, repairs included.
    pub rtp_in: u64,
    pub rtp_in_bytes: u64,
    /// RTP packets sent, repairs not included.
    pub rtp_out: u64,
    pub rtp_out_bytes: u64,
    /// Repairs sent on NACK.
    pub rtx_out: u64,
    /// Packets sent only to try a rate.
    pub padding_out: u64,
    /// Packets that arrived only as a repair, or after they were asked for.
    pub recovered: u64,
    /// Packets that were there already.
    pub duplicates: u64,
    /// Missing packets, asked for as often as we could, that never came.
    pub unrecovered: u64,
    /// Sequence numbers asked for, repeats included.
    pub nacks_out: u64,
    /// Sequence numbers asked of us.
    pub nacks_in: u64,
    pub key_frame_requests_out: u64,
    pub key_frame_requests_in: u64,
    pub transport_cc_out: u64,
    pub transport_cc_in: u64,
    /// SRTP or SRTCP that is not authentic, or is replayed.
    pub srtp_errors: u64,
    /// STUN refused for a wrong user name, integrity or form.
    pub stun_refused: u64,
    /// Datagrams, RTCP parts and packets that were not understood or came too early for their kind.
    pub junk: u64,
    /// Packets given to `send_rtp` that could not go.
    pub send_dropped: u64,
    /// Texts on data channels.
    pub texts_in: u64,
    pub texts_out: u64,
    /// Texts that could not go.
    pub texts_dropped: u64,
    /// Binary, oversized and malformed messages, and those of no channel, that were ignored.
    pub messages_ignored: u64,
    pub rtt: Option<Duration>,
    /// Sources known now, both directions.
    pub streams: u32,
    /// The path media takes now.
    pub path: Option<Path>,
}

/// Local and remote address of the selected pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    /// How the address that the peer sees came to be.
    pub local_kind: CandidateKind,
    pub remote_kind: CandidateKind,
}

/// Whether a candidate address makes sense at all: not unspecified, multicast, broadcast or link-local, port not 0;
/// loopback only where `loopback` says so.
pub fn usable_address(a: SocketAddr, loopback: bool) -> bool {
    if a.port() == 0 || a.ip().is_unspecified() || a.ip().is_multicast() {
        return false;
    }
    match a.ip() {
        IpAddr::V4(ip) => !ip.is_broadcast() && (loopback || !ip.is_loopback()) && !ip.is_link_local(),
        // A link-local IPv6 address needs a scope that the wire does not carry.
        IpAddr::V6(ip) => (loopback || !ip.is_loopback()) && (ip.segments()[0] & 0xffc0) != 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let c = IceCredentials { ufrag: "uf".into(), pwd: "secret".into() };
        assert!(!format!("{c:?}").contains("secret"));
        let fingerprint = Fingerprint { hash: "sha-256".into(), value: "AA".into() };
        let i = Identity { certificate: vec![1], private_key: vec![213], fingerprint };
        assert!(!format!("{i:?}").contains("213"));
    }

    #[test]
    fn a_mid_at_the_limit_is_read_and_one_past_it_is_not() {
        assert_eq!(Mid::new(b"v0").as_ref().map(Mid::as_str), Some("v0"));
        assert!(Mid::new(&[b'a'; MAX_MID]).is_some());
        for bad in [&[b'a'; MAX_MID + 1][..], b"", b"a b", &[0xff]] {
            assert_eq!(Mid::new(bad), None);
        }
    }

    #[test]
    fn datagrams_are_joined_while_they_have_one_size_and_one_path_up_to_the_limits() {
        let path: (SocketAddr, SocketAddr) =
            ("192.0.2.1:5".parse().expect("address"), "192.0.2.2:5".parse().expect("address"));
        let of = |n: usize, len: usize| Transmit { segment: len, ..Transmit::one(path.0, path.1, vec![0; n * len]) };
        assert!(of(1, 100).takes(path, 100) && of(3, 100).takes(path, 1));
        assert!(!of(1, 100).takes(path, 101), "longer ones begin anew");
        assert!(!of(1, 100).takes((path.1, path.0), 100) && !of(1, 100).takes((path.0, path.0), 100));
        let mut ended = of(2, 100);
        ended.data.push(0);
        assert!(!ended.takes(path, 1), "a shorter one is the last");
        assert_eq!(ended.datagrams().map(<[u8]>::len).collect::<Vec<_>>(), [100, 100, 1]);
        assert!(
            of(Transmit::MAX_DATAGRAMS - 1, 10).takes(path, 10) && !of(Transmit::MAX_DATAGRAMS, 10).takes(path, 10)
        );
        let fit = Transmit::MAX_JOINED / 1024;
        assert!(of(fit - 1, 1024).takes(path, 1024) && !of(fit, 1024).takes(path, 1));
        assert!(!Transmit::one(path.0, path.1, vec![]).takes(path, 0), "an empty datagram is nobody's neighbour");
        assert_eq!(Transmit::one(path.0, path.1, vec![0; 70_000]).datagrams().count(), 1);
    }

    #[test]
    fn candidate_kinds_read_back() {
        use CandidateKind::*;
        for k in [Host, ServerReflexive, PeerReflexive, Relayed] {
            assert_eq!(CandidateKind::parse(k.as_str()), Some(k));
        }
        assert_eq!(CandidateKind::parse("x"), None);
    }

    #[test]
    fn senseless_addresses_are_not_usable() {
        for bad in
            ["0.0.0.0:1", "1.2.3.4:0", "224.0.0.1:5", "255.255.255.255:5", "169.254.1.1:5", "[fe80::1]:5", "[::]:5"]
        {
            assert!(!usable_address(bad.parse().expect(bad), true), "{bad}");
        }
        for local in ["127.0.0.1:5", "[::1]:5"] {
            let a = local.parse().expect(local);
            assert!(usable_address(a, true) && !usable_address(a, false));
        }
        assert!(usable_address("192.0.2.1:5".parse().expect("address"), false));
    }

    #[test]
    fn a_sender_report_tells_wall_time() {
        let sr = SenderReport { ssrc: 1, ntp: ((NTP_UNIX_OFFSET as u64 + 10) << 32) | 0x8000_0000, rtp: 0 };
        assert_eq!(sr.unix_us(), 10_500_000);
    }
}
