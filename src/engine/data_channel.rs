//! Data channels (RFC 8831, RFC 8832): who opened which stream, and what a message on it means. This file knows no association.
//! The two opening messages are ours: `rtc-datachannel` 0.21.1 panics on a first byte of 0 from the peer.
//!
//! The bridge takes one channel, opened by us (docs/protocol/04 §1.2). One that the peer opens is taken as well: in a session
//! between two participants either side may.

use bytes::Bytes;

/// Channels of one association, both sides' together; what the peer opens past it is not answered.
pub(super) const MAX_CHANNELS: usize = 16;
/// Label and protocol have 16-bit lengths; ours are cut at this many bytes.
pub(super) const MAX_LABEL: usize = 1024;
const ACK: u8 = 2;
const OPEN: u8 = 3;
/// Ordered and reliable, normal priority, no parameter: what stands before both lengths.
const OPEN_RELIABLE: [u8; 8] = [OPEN, 0, 1, 0, 0, 0, 0, 0];

/// What a message is, by its payload protocol identifier (RFC 8831 §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Control,
    Text,
    /// Stands for a text without a byte, which SCTP cannot carry.
    EmptyText,
    /// Binary, empty binary and what is unknown.
    Other,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Nobody is interested.
    Ignored,
    /// Our channel is open.
    Opened,
    /// The peer opened a channel: this answer goes back on it.
    Accepted(Bytes),
    Text(String),
}

struct Channel {
    stream: u16,
    ours: bool,
    open: bool,
}

/// The channels of one association.
#[derive(Default)]
pub(super) struct Channels {
    list: Vec<Channel>,
    opened: u16,
}

impl Channels {
    /// A channel of ours: its stream, and what opens it there. The DTLS client takes even streams (RFC 8832 §6). `None` while
    /// one of ours is there, or when there are too many.
    pub fn open(&mut self, dtls_client: bool, label: &str, protocol: &str) -> Option<(u16, Bytes)> {
        if self.list.len() >= MAX_CHANNELS || self.list.iter().any(|c| c.ours) {
            return None;
        }
        let stream = self.opened.checked_mul(2)?.checked_add(u16::from(!dtls_client))?;
        let (label, protocol) =
            (&label.as_bytes()[..label.len().min(MAX_LABEL)], &protocol.as_bytes()[..protocol.len().min(MAX_LABEL)]);
        let mut message = OPEN_RELIABLE.to_vec();
        message.extend_from_slice(&(label.len() as u16).to_be_bytes());
        message.extend_from_slice(&(protocol.len() as u16).to_be_bytes());
        message.extend_from_slice(label);
        message.extend_from_slice(protocol);
        self.opened += 1;
        self.list.push(Channel { stream, ours: true, open: false });
        Some((stream, Bytes::from(message)))
    }

    /// Takes a message that came on a stream.
    pub fn heard(&mut self, stream: u16, kind: Kind, payload: Vec<u8>) -> Heard {
        let room = self.list.len() < MAX_CHANNELS;
        let known = self.list.iter_mut().find(|c| c.stream == stream);
        match (kind, known) {
            (Kind::Control, Some(c)) if payload.first() == Some(&ACK) && c.ours && !c.open => {
                c.open = true;
                Heard::Opened
            }
            (Kind::Control, None) if room && is_open(&payload) => {
                self.list.push(Channel { stream, ours: false, open: true });
                Heard::Accepted(Bytes::from_static(&[ACK]))
            }
            (Kind::EmptyText, Some(c)) if c.open => Heard::Text(String::new()),
            (Kind::Text, Some(c)) if c.open => String::from_utf8(payload).map_or(Heard::Ignored, Heard::Text),
            _ => Heard::Ignored,
        }
    }

    /// The stream to send on: our own channel before one of the peer's.
    pub fn usable(&self) -> Option<u16> {
        self.list.iter().filter(|c| c.open).max_by_key(|c| c.ours).map(|c| c.stream)
    }

    /// Whether there is no channel, not even one that is being opened.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A stream was reset.
    pub fn closed(&mut self, stream: u16) {
        self.list.retain(|c| c.stream != stream);
    }
}

/// Whether a message opens a channel: whole, of whatever kind of reliability.
fn is_open(b: &[u8]) -> bool {
    let Some((head, names)) = b.split_first_chunk::<12>() else { return false };
    let be16 = |at: usize| usize::from(u16::from_be_bytes([head[at], head[at + 1]]));
    head[0] == OPEN && names.len() >= be16(8) + be16(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_opens_with_the_answer_and_carries_text() {
        let (mut a, mut b) = (Channels::default(), Channels::default());
        let (stream, open) = a.open(true, "JVB data channel", "http://jitsi.org/protocols/colibri").expect("first");
        assert_eq!(stream, 0);
        // As Chromium writes it: reliable, priority 256, both lengths, both names.
        let head = [3, 0, 1, 0, 0, 0, 0, 0, 0, 16, 0, 34];
        assert_eq!((&open[..12], &open[12..28]), (&head[..], &b"JVB data channel"[..]));
        assert!(a.usable().is_none() && a.open(true, "", "").is_none());
        let Heard::Accepted(ack) = b.heard(0, Kind::Control, open.to_vec()) else { panic!("not accepted") };
        assert_eq!(b.usable(), Some(0));
        assert_eq!(&ack[..], [2]);
        assert_eq!(a.heard(1, Kind::Control, ack.to_vec()), Heard::Ignored, "of another stream");
        assert_eq!(a.heard(0, Kind::Control, ack.to_vec()), Heard::Opened);
        assert_eq!(a.heard(0, Kind::Control, ack.to_vec()), Heard::Ignored, "once");
        assert_eq!(a.heard(0, Kind::Text, b"hi".to_vec()), Heard::Text("hi".into()));
        assert_eq!(a.heard(0, Kind::EmptyText, vec![0]), Heard::Text(String::new()));
        a.closed(0);
        assert_eq!(a.usable(), None);
        assert_eq!(a.open(true, "", "").map(|c| c.0), Some(2), "a stream is not used twice");
        assert_eq!(b.open(false, "", "").map(|c| c.0), Some(1), "the DTLS server takes odd ones");
    }

    #[test]
    fn what_is_no_text_of_an_open_channel_is_ignored() {
        let mut c = Channels::default();
        assert_eq!(c.heard(0, Kind::Text, b"hi".to_vec()), Heard::Ignored);
        let (_, open) = Channels::default().open(true, "", "").expect("first");
        for i in 0..MAX_CHANNELS as u16 {
            assert!(matches!(c.heard(i, Kind::Control, open.to_vec()), Heard::Accepted(_)));
        }
        assert_eq!(c.heard(MAX_CHANNELS as u16, Kind::Control, open.to_vec()), Heard::Ignored);
        assert_eq!(c.heard(0, Kind::Control, open.to_vec()), Heard::Ignored, "opened already");
        assert_eq!(c.heard(0, Kind::Text, vec![0xff]), Heard::Ignored);
        assert_eq!(c.heard(0, Kind::Other, b"hi".to_vec()), Heard::Ignored);
        for bad in [&[][..], &[0], &[1, 2, 3], &[3], &[3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0], &[7]] {
            assert_eq!(Channels::default().heard(0, Kind::Control, bad.to_vec()), Heard::Ignored, "{bad:?}");
        }
        assert!(c.open(true, "", "").is_none());
    }

    #[test]
    fn a_label_is_cut_at_its_limit() {
        let long = "x".repeat(MAX_LABEL + 1);
        let (_, open) = Channels::default().open(true, &long, "").expect("first");
        assert_eq!(open.len(), 12 + MAX_LABEL);
        let (_, open) = Channels::default().open(true, &long[1..], "").expect("first");
        assert_eq!(open.len(), 12 + MAX_LABEL);
    }
}
