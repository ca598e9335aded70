//! SCTP over DTLS behind a seam (RFC 9260, RFC 8261): `rtc-sctp`'s association, and what it must be guarded from (design §9, X8,
//! X15).
//!
//! * Who sends INIT: the bridge never does (docs/protocol/04 §1.2), a browser always, at once. The DTLS client sends it at once and
//!   ignores the peer's while it waits for an answer, which is what RFC 9260 §5.2.1 makes the peer give; the DTLS server waits
//!   [`INIT_PATIENCE`] for the peer's and lets it win. The crate would make two associations of a collision.
//! * Chunks are looked at before the crate sees them: it takes any stream, any jump of FORWARD-TSN (a loop as long as the jump), any
//!   number of reset requests, and chunks of one message without end; an ERROR report would end the association; an ABORT whose causes are
//!   longer than it is a panic.
//! * The crate's ports are 5000; another one of the peer's is written over.
//! * What is longer than [`MAX_PACKET`] is not sent: DTLS does not split application data.
//! * A path that is gone is ICE's affair: data is repeated for as long as it takes.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc_sctp::{
    Association, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Ppi, ServerConfig, StreamEvent, TimerConfig, TransportConfig,
    max_payload_size_for_mtu,
};
use rtc_shared::TransportProtocol;

use super::data_channel::{Channels, Heard, Kind};

/// The largest message taken and sent (`max-message-size`, docs/protocol/04 §1.2). A larger one that comes is ignored.
pub(super) const MAX_MESSAGE: usize = 262_144;
/// Bytes of texts that may wait to be sent or acknowledged; what does not fit is dropped.
pub(super) const MAX_BUFFERED_OUT: usize = 1024 * 1024;
/// The longest SCTP packet: 1280 bytes of IPv6, less 48 of headers and 37 of a DTLS 1.2 record, and room for TURN.
pub(super) const MAX_PACKET: usize = 1191;
/// Received bytes of messages that are not whole yet, as told to the peer.
const RECEIVE_WINDOW: u32 = 512 * 1024;
/// The same as we count it, repeats included, and the number of chunks: past either the peer does not keep to the window, and the
/// association ends.
pub(super) const MAX_PENDING_BYTES: usize = 1024 * 1024;
pub(super) const MAX_PENDING_CHUNKS: usize = 16_384;
/// Streams the peer may send on.
pub(super) const MAX_STREAM: u16 = 1024;
/// How far data and FORWARD-TSN may be ahead of the newest data that came.
pub(super) const MAX_JUMP: u32 = 16_384;
/// Differences of serial numbers from here on are negative (RFC 1982).
const BEHIND: u32 = 1 << 31;
/// Stream resets in the life of an association; more are ignored.
pub(super) const MAX_RESETS: u32 = 256;
/// How long the DTLS server waits for the peer's INIT before it sends its own.
pub(super) const INIT_PATIENCE: Duration = Duration::from_millis(500);
/// The port on our side, and the one the crate knows on the other.
const PORT: u16 = 5000;

const DATA: u8 = 0;
const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const SACK: u8 = 3;
const ABORT: u8 = 6;
const ERROR: u8 = 9;
const RECONFIG: u8 = 130;
const FORWARD_TSN: u8 = 192;
const HEADER: usize = 12;
const DATA_HEADER: usize = 16;

/// What SCTP wants done or tells.
#[derive(Debug)]
pub(super) enum SctpOutput {
    /// One packet for DTLS.
    Packet(Bytes),
    Open,
    Text(String),
    /// No channel is open any more, or none will be.
    Closed,
}

/// Counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SctpStats {
    pub texts_in: u64,
    pub texts_out: u64,
    pub texts_dropped: u64,
    pub messages_ignored: u64,
    /// Packets that never reached the association.
    pub refused: u64,
}

/// The association of one connection, with its data channels. It lives once: what ended stays so.
pub(super) struct Sctp {
    endpoint: Endpoint,
    association: Option<(AssociationHandle, Association)>,
    remote_port: u16,
    dtls_client: bool,
    /// The peer's INIT that we answered, and the answer: it may be lost.
    answered: Option<(u32, Vec<Bytes>)>,
    /// The INIT was ours.
    initiated: bool,
    /// When we stop waiting for the peer's INIT.
    init_at: Option<Instant>,
    up: bool,
    over: bool,
    wanted: Option<(String, String)>,
    channels: Channels,
    /// A channel was told open and not yet closed.
    told_open: bool,
    pending_bytes: usize,
    pending_chunks: usize,
    newest_tsn: Option<u32>,
    resets: u32,
    out: VecDeque<SctpOutput>,
    pub stats: SctpStats,
}

/// The crate wants addresses; DTLS has the real ones.
fn nowhere() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], PORT))
}

fn transport() -> TransportConfig {
    let timers = TimerConfig { max_t3_rtx_retrans: usize::MAX, ..TimerConfig::default() };
    TransportConfig::default()
        .with_max_message_size(MAX_MESSAGE as u32)
        .with_max_receive_buffer_size(RECEIVE_WINDOW)
        .with_max_num_inbound_streams(MAX_STREAM)
        .with_max_num_outbound_streams(MAX_STREAM)
        .with_timer_config(timers)
}

impl Sctp {
    /// Nothing happens before [`Sctp::start`].
    pub fn new(remote_port: u16) -> Sctp {
        let mut config = EndpointConfig::new();
        config.max_payload_size(max_payload_size_for_mtu(MAX_PACKET as u32));
        let server = Arc::new(ServerConfig::new(transport()));
        Sctp {
            endpoint: Endpoint::new(nowhere(), TransportProtocol::UDP, Arc::new(config), Some(server)),
            association: None,
            remote_port,
            dtls_client: false,
            answered: None,
            initiated: false,
            init_at: None,
            up: false,
            over: false,
            wanted: None,
            channels: Channels::default(),
            told_open: false,
            pending_bytes: 0,
            pending_chunks: 0,
            newest_tsn: None,
            resets: 0,
            out: VecDeque::new(),
            stats: SctpStats::default(),
        }
    }

    /// DTLS is up.
    pub fn start(&mut self, dtls_client: bool, now: Instant) {
        self.dtls_client = dtls_client;
        if dtls_client {
            self.connect(now);
        } else {
            self.init_at = Some(now + INIT_PATIENCE);
        }
    }

    fn connect(&mut self, now: Instant) {
        (self.init_at, self.initiated) = (None, true);
        self.association = self.endpoint.connect(now, ClientConfig::new(transport()), nowhere()).ok();
        if self.association.is_none() {
            return self.end();
        }
        self.run(now);
    }

    /// Opens a channel now, or as soon as the association is up.
    pub fn open(&mut self, label: String, protocol: String, now: Instant) {
        if !self.over {
            self.wanted = Some((label, protocol));
            self.run(now);
        }
    }

    /// Sends a text.
    pub fn send(&mut self, text: String, now: Instant) {
        if self.write_text(text, now).is_some() {
            self.stats.texts_out += 1;
            self.run(now);
        } else {
            self.stats.texts_dropped += 1;
        }
    }

    fn write_text(&mut self, text: String, now: Instant) -> Option<()> {
        let id = self.channels.usable()?;
        let mut stream = self.association.as_mut()?.1.stream(id).ok()?;
        if text.len() > MAX_MESSAGE || stream.buffered_amount().ok()? + text.len() > MAX_BUFFERED_OUT {
            return None;
        }
        if text.is_empty() {
            stream.write_sctp(now, &Bytes::from_static(&[0]), Ppi::StringEmpty).ok()?;
        } else {
            stream.write_sctp(now, &Bytes::from(text), Ppi::String).ok()?;
        }
        Some(())
    }

    /// Takes what DTLS carried.
    pub fn handle(&mut self, data: Vec<u8>, now: Instant) {
        if self.over {
            return;
        }
        let Some(data) = self.admit(data, now) else {
            self.stats.refused += 1;
            return;
        };
        match self.endpoint.handle(now, nowhere(), None, data.packet) {
            Some((handle, DatagramEvent::AssociationEvent(e))) => {
                if let Some((h, a)) = &mut self.association
                    && *h == handle
                {
                    a.handle_event(e);
                }
            }
            Some((handle, DatagramEvent::NewAssociation(a))) => {
                // Ours, if there was one, gave way.
                (self.init_at, self.initiated) = (None, false);
                self.association = Some((handle, a));
                let before = self.out.len();
                self.run(now);
                let packets = self.out.iter().skip(before).filter_map(|o| match o {
                    SctpOutput::Packet(p) => Some(p.clone()),
                    _ => None,
                });
                self.answered = data.init.map(|tag| (tag, packets.collect()));
                return;
            }
            _ => self.stats.refused += 1,
        }
        self.run(now);
    }

    /// Looks at a packet before the association does.
    fn admit(&mut self, mut data: Vec<u8>, now: Instant) -> Option<Admitted> {
        let (source, mut init) = (u16::from_be_bytes([*data.first()?, *data.get(1)?]), None);
        if source != self.remote_port || data.len() < HEADER {
            return None;
        }
        if self.remote_port != PORT {
            let sum = checksum(&data);
            if data[8..12] != sum {
                return None;
            }
            data[..2].copy_from_slice(&PORT.to_be_bytes());
            let sum = checksum(&data);
            data[8..12].copy_from_slice(&sum);
        }
        let (mut bytes, mut count) = (0, 0);
        for chunk in chunks(&data) {
            let chunk = chunk?;
            match chunk[0] {
                DATA => {
                    let head = chunk.first_chunk::<DATA_HEADER>()?;
                    if u16::from_be_bytes([head[8], head[9]]) >= MAX_STREAM {
                        return None;
                    }
                    let (tsn, newest) = (be32(head, 4), self.newest_tsn?);
                    match tsn.wrapping_sub(newest) {
                        1..=MAX_JUMP => self.newest_tsn = Some(tsn),
                        0 | BEHIND.. => {}
                        _ => return None,
                    }
                    bytes += chunk.len() - DATA_HEADER;
                    count += 1;
                }
                INIT | INIT_ACK => {
                    let head = chunk.first_chunk::<20>()?;
                    let handshaking = self.dtls_client && self.association.is_some();
                    if self.up || (chunk[0] == INIT && handshaking) {
                        return None;
                    }
                    self.newest_tsn = Some(be32(head, 16).wrapping_sub(1));
                    if chunk[0] == INIT {
                        init = Some(be32(head, 4));
                    }
                }
                ERROR => return None,
                ABORT if !has_whole_causes(&chunk[4..]) => return None,
                RECONFIG => {
                    self.resets += 1;
                    if self.resets > MAX_RESETS {
                        return None;
                    }
                }
                FORWARD_TSN => {
                    let to = be32(chunk.first_chunk::<8>()?, 4);
                    if (MAX_JUMP + 1..BEHIND).contains(&to.wrapping_sub(self.newest_tsn?)) {
                        return None;
                    }
                }
                _ => {}
            }
        }
        if let (Some(tag), Some((known, packets))) = (init, &self.answered)
            && tag == *known
        {
            self.out.extend(packets.iter().cloned().map(SctpOutput::Packet));
            return None;
        }
        self.pending_bytes += bytes;
        self.pending_chunks += count;
        if self.pending_bytes > MAX_PENDING_BYTES || self.pending_chunks > MAX_PENDING_CHUNKS {
            self.abort(now);
            return None;
        }
        Some(Admitted { packet: Bytes::from(data), init })
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.init_at.is_some_and(|t| t <= now) {
            return self.connect(now);
        }
        if let Some((_, a)) = &mut self.association
            && a.poll_timeout().is_some_and(|t| t <= now)
        {
            a.handle_timeout(now);
            self.run(now);
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        let association = self.association.as_ref().and_then(|(_, a)| a.poll_timeout());
        [self.init_at, association].into_iter().flatten().min()
    }

    /// Says goodbye; the packet comes out of [`Sctp::poll`].
    pub fn abort(&mut self, now: Instant) {
        if let Some((_, a)) = &mut self.association {
            // Its only error is that it is closed already.
            let _ = a.abort();
        }
        self.run(now);
        self.end();
    }

    /// DTLS is gone, and the association with it.
    pub fn lost(&mut self) {
        self.end();
    }

    pub fn poll(&mut self) -> Option<SctpOutput> {
        self.out.pop_front()
    }

    fn end(&mut self) {
        (self.association, self.init_at, self.answered) = (None, None, None);
        let waiting = self.told_open || self.wanted.take().is_some() || !self.channels.is_empty();
        if !std::mem::replace(&mut self.over, true) && waiting {
            self.out.push_back(SctpOutput::Closed);
        }
        self.told_open = false;
    }

    /// Everything the association has to say and to send.
    fn run(&mut self, now: Instant) {
        let Some((handle, mut a)) = self.association.take() else { return };
        let mut failed = false;
        while let Some(e) = a.poll() {
            match e {
                Event::Connected => self.up = true,
                Event::HandshakeFailed { .. } => failed = true,
                Event::AssociationLost { id, .. } => self.channels.closed(id),
                Event::Stream(StreamEvent::Readable { id }) => self.read(&mut a, id, now),
                _ => {}
            }
        }
        if self.up
            && let Some((label, protocol)) = self.wanted.take()
            && let Some((id, open)) = self.channels.open(self.dtls_client, &label, &protocol)
            && write_control(&mut a, id, &open, now).is_none()
        {
            self.channels.closed(id);
        }
        self.tell();
        // The address book of the endpoint needs no care: it has one entry.
        while a.poll_endpoint_event().is_some() {}
        while let Some(t) = a.poll_transmit(now) {
            if let Payload::RawEncode(packets) = t.message {
                packets.into_iter().for_each(|p| self.transmit(p));
            }
        }
        // An association that answers an INIT is closed until the cookie comes back.
        let closed = a.is_closed() && (self.up || self.initiated);
        self.association = Some((handle, a));
        if failed || closed {
            self.end();
        }
    }

    fn read(&mut self, a: &mut Association, id: u16, now: Instant) {
        while let Ok(Some(message)) = a.stream(id).and_then(|mut s| s.read_sctp()) {
            let len = message.len();
            self.pending_bytes = self.pending_bytes.saturating_sub(len);
            self.pending_chunks = self.pending_chunks.saturating_sub(message.chunks.len());
            let kind = match message.ppi {
                Ppi::Dcep => Kind::Control,
                Ppi::String => Kind::Text,
                Ppi::StringEmpty => Kind::EmptyText,
                _ => Kind::Other,
            };
            if len > MAX_MESSAGE || kind == Kind::Other {
                self.stats.messages_ignored += 1;
                continue;
            }
            let mut payload = vec![0; len];
            if message.read(&mut payload).is_err() {
                self.stats.messages_ignored += 1;
                continue;
            }
            match self.channels.heard(id, kind, payload) {
                Heard::Ignored => self.stats.messages_ignored += 1,
                Heard::Opened => self.tell(),
                Heard::Accepted(answer) => {
                    if write_control(a, id, &answer, now).is_none() {
                        self.channels.closed(id);
                    }
                    self.tell();
                }
                Heard::Text(t) => {
                    self.stats.texts_in += 1;
                    self.out.push_back(SctpOutput::Text(t));
                }
            }
        }
    }

    /// Tells when the first channel opened, or the last one closed.
    fn tell(&mut self) {
        let open = self.channels.usable().is_some();
        if open != self.told_open {
            self.told_open = open;
            self.out.push_back(if open { SctpOutput::Open } else { SctpOutput::Closed });
        }
    }

    fn transmit(&mut self, packet: Bytes) {
        // An acknowledgment that tells of nothing in waiting.
        if let [SACK, ..] = packet.get(HEADER..).unwrap_or_default()
            && packet.len() >= HEADER + 16
            && be32(&packet, HEADER + 8) == RECEIVE_WINDOW
            && packet[HEADER + 12..HEADER + 14] == [0, 0]
        {
            (self.pending_bytes, self.pending_chunks) = (0, 0);
        }
        if packet.len() > MAX_PACKET {
            self.stats.texts_dropped += 1;
            return;
        }
        let packet = if self.remote_port == PORT { packet } else { readdress(&packet, self.remote_port) };
        self.out.push_back(SctpOutput::Packet(packet));
    }
}

/// A packet that may go to the association; the tag of its INIT, if it has one.
struct Admitted {
    packet: Bytes,
    init: Option<u32>,
}

fn write_control(a: &mut Association, id: u16, message: &Bytes, now: Instant) -> Option<()> {
    if a.stream(id).is_err() {
        a.open_stream(id, Ppi::Binary).ok()?;
    }
    a.stream(id).ok()?.write_sctp(now, message, Ppi::Dcep).ok()?;
    Some(())
}

fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// Whether the error causes of an ABORT are as long as they say.
fn has_whole_causes(mut causes: &[u8]) -> bool {
    while let [_, _, high, low, ..] = *causes {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if len < 4 || len > causes.len() {
            return false;
        }
        causes = &causes[len..];
    }
    true
}

/// The chunks of a packet, each at least its header; one `None` for a malformed rest.
fn chunks(packet: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = packet.get(HEADER..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let whole = std::mem::take(&mut rest);
        let len = whole.get(2..4).map_or(0, |l| usize::from(u16::from_be_bytes([l[0], l[1]])));
        if len < 4 || len > whole.len() {
            return Some(None);
        }
        rest = whole.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Some(&whole[..len]))
    })
}

/// The packet to another port of the peer.
fn readdress(packet: &[u8], port: u16) -> Bytes {
    let mut b = packet.to_vec();
    b[2..4].copy_from_slice(&port.to_be_bytes());
    let sum = checksum(&b);
    b[8..12].copy_from_slice(&sum);
    Bytes::from(b)
}

/// CRC32c over the packet with a checksum of zero (RFC 9260 §6.8). Bit by bit: only another port than 5000 needs it.
pub(super) fn checksum(packet: &[u8]) -> [u8; 4] {
    let mut crc = u32::MAX;
    for (i, b) in packet.iter().enumerate() {
        crc ^= u32::from(if (8..12).contains(&i) { 0 } else { *b });
        for _ in 0..8 {
            crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 };
        }
    }
    (!crc).to_le_bytes()
}
