//! Counting and acknowledging stanzas (XEP-0198 §3–4, docs/protocol/01 §5.2).
//!
//! Resuming is a later step: the unacknowledged stanzas it will re-send, the id and the server's patience are kept already.

use std::collections::VecDeque;

/// Stanzas kept until acknowledged (default 512). Past it the stream goes on, but could no longer be resumed: what would have
/// to be re-sent is let go.
pub const MAX_UNACKED: usize = 512;
/// Bytes of stanzas kept until acknowledged (default 1 MiB), with the same consequence.
pub const MAX_UNACKED_BYTES: usize = 1 << 20;
/// An acknowledgement is asked for after so many stanzas (default 5, §5.2).
pub const ACK_EVERY: u32 = 5;

/// The server acknowledged what was never sent, or took an acknowledgement back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadAck;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Off,
    /// `<enable/>` is sent: what goes out counts from here on.
    Requested,
    /// `<enabled/>` is here: what comes in counts from here on.
    On,
}

/// The counters of one stream. All of them wrap at 2³² (XEP-0198 §4).
pub(super) struct Management {
    mode: Mode,
    received: u32,
    sent: u32,
    acked: u32,
    /// Sent since the last `<r/>` or `<a/>`.
    since_request: u32,
    unacked: VecDeque<String>,
    unacked_bytes: usize,
    /// The queue overflowed: its content is not all there is.
    lost: bool,
    resume_id: Option<String>,
    resume_max: Option<u32>,
}

impl std::fmt::Debug for Management {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Never the stanzas: they carry tokens.
        write!(f, "Management({:?}, in {}, out {}, acked {})", self.mode, self.received, self.sent, self.acked)
    }
}

impl Management {
    pub fn new() -> Management {
        Management {
            mode: Mode::Off,
            received: 0,
            sent: 0,
            acked: 0,
            since_request: 0,
            unacked: VecDeque::new(),
            unacked_bytes: 0,
            lost: false,
            resume_id: None,
            resume_max: None,
        }
    }

    /// `<enable/>` goes out now.
    pub fn requested(&mut self) {
        *self = Management { mode: Mode::Requested, ..Management::new() };
    }

    /// `<enabled/>` came. False when nobody asked.
    pub fn enabled(&mut self, id: Option<String>, max: Option<u32>) -> bool {
        if self.mode != Mode::Requested {
            return false;
        }
        (self.mode, self.resume_id, self.resume_max) = (Mode::On, id, max);
        true
    }

    /// `<failed/>` came: go on without. False when nobody asked.
    pub fn failed(&mut self) -> bool {
        let asked = self.mode == Mode::Requested;
        if asked {
            *self = Management::new();
        }
        asked
    }

    /// Whether management is on.
    pub fn is_on(&self) -> bool {
        self.mode == Mode::On
    }

    /// A stanza goes out.
    pub fn sent(&mut self, stanza: &str) {
        if self.mode == Mode::Off {
            return;
        }
        self.sent = self.sent.wrapping_add(1);
        self.since_request = self.since_request.saturating_add(1);
        if self.lost {
            return;
        }
        if self.unacked.len() >= MAX_UNACKED || self.unacked_bytes + stanza.len() > MAX_UNACKED_BYTES {
            self.lost = true;
            self.unacked = VecDeque::new();
            self.unacked_bytes = 0;
        } else {
            self.unacked_bytes += stanza.len();
            self.unacked.push_back(stanza.to_owned());
        }
    }

    /// Whether `<r/>` is due; if so it goes out now. Not before `<enabled/>`: a server that refuses would not know it.
    pub fn take_request(&mut self) -> bool {
        let due = self.mode == Mode::On && self.since_request >= ACK_EVERY;
        if due {
            self.since_request = 0;
        }
        due
    }

    /// A stanza came in.
    pub fn received(&mut self) {
        if self.mode == Mode::On {
            self.received = self.received.wrapping_add(1);
        }
    }

    /// The answer to `<r/>`; None while management is off.
    pub fn h(&self) -> Option<u32> {
        self.is_on().then_some(self.received)
    }

    /// `<a h/>` came.
    pub fn acked(&mut self, h: u32) -> Result<(), BadAck> {
        if self.mode != Mode::On {
            return Ok(());
        }
        let newly = h.wrapping_sub(self.acked);
        if newly > self.sent.wrapping_sub(self.acked) {
            return Err(BadAck);
        }
        self.acked = h;
        self.since_request = 0;
        for s in self.unacked.drain(..(newly as usize).min(self.unacked.len())) {
            self.unacked_bytes -= s.len();
        }
        // Everything that was let go has arrived: the queue is whole again.
        self.lost &= self.acked != self.sent;
        Ok(())
    }

    /// Stanzas sent and not acknowledged.
    pub fn outstanding(&self) -> u32 {
        self.sent.wrapping_sub(self.acked)
    }

    /// What a later connection needs to take this stream over: its id, and for how many seconds the server keeps it. None when
    /// the server does not offer it, or too much is unacknowledged to be sent again.
    pub fn resumable(&self) -> Option<(&str, Option<u32>)> {
        if self.lost { None } else { self.resume_id.as_deref().map(|id| (id, self.resume_max)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> Management {
        let mut m = Management::new();
        m.requested();
        assert!(m.enabled(Some("id".into()), Some(60)));
        m
    }

    #[test]
    fn outbound_counts_from_enable_and_inbound_from_enabled() {
        let mut m = Management::new();
        m.sent("<a/>");
        m.received();
        assert_eq!((m.outstanding(), m.h()), (0, None));
        m.requested();
        m.sent("<b/>");
        m.received();
        assert_eq!((m.outstanding(), m.h()), (1, None));
        m.enabled(None, None);
        m.received();
        assert_eq!((m.outstanding(), m.h()), (1, Some(1)));
        assert_eq!(m.acked(1), Ok(()));
        assert_eq!(m.outstanding(), 0);
    }

    #[test]
    fn an_acknowledgement_is_asked_for_after_every_fifth_stanza_since_the_last() {
        let mut m = Management::new();
        m.requested();
        for _ in 0..7 {
            m.sent("x");
            assert!(!m.take_request(), "not before <enabled/>");
        }
        m.enabled(None, None);
        assert!(m.take_request() && !m.take_request());
        for n in 1..=ACK_EVERY {
            m.sent("x");
            assert_eq!(m.take_request(), n == ACK_EVERY);
        }
        for _ in 1..ACK_EVERY {
            m.sent("x");
        }
        m.acked(3).unwrap();
        m.sent("x");
        assert!(!m.take_request(), "an <a/> starts the count anew");
    }

    #[test]
    fn an_acknowledgement_backwards_or_beyond_is_refused() {
        let mut m = on();
        m.sent("x");
        m.sent("x");
        assert_eq!(m.acked(3), Err(BadAck));
        assert_eq!(m.acked(1), Ok(()));
        assert_eq!(m.acked(0), Err(BadAck));
        assert_eq!(m.acked(1), Ok(()));
        assert_eq!(m.acked(2), Ok(()));
    }

    #[test]
    fn counters_wrap() {
        let mut m = on();
        (m.sent, m.acked, m.received) = (u32::MAX, u32::MAX, u32::MAX);
        m.sent("x");
        m.received();
        assert_eq!((m.acked(0), m.h(), m.outstanding()), (Ok(()), Some(0), 0));
    }

    #[test]
    fn refused_management_leaves_nothing_behind() {
        let mut m = Management::new();
        assert!(!m.failed() && !m.enabled(None, None), "unasked");
        m.requested();
        m.sent("x");
        assert!(m.failed());
        m.sent("x");
        assert_eq!((m.outstanding(), m.is_on(), m.resumable()), (0, false, None));
    }

    #[test]
    fn the_queue_is_bounded_by_count_and_bytes_and_the_stream_goes_on_past_it() {
        let mut m = on();
        for _ in 0..MAX_UNACKED {
            m.sent("x");
        }
        assert_eq!(m.resumable(), Some(("id", Some(60))));
        m.sent("x");
        assert_eq!((m.resumable(), m.unacked.len(), m.outstanding()), (None, 0, MAX_UNACKED as u32 + 1));
        assert_eq!(m.acked(MAX_UNACKED as u32 + 1), Ok(()));
        m.sent("x");
        assert_eq!((m.resumable().is_some(), m.unacked.len()), (true, 1));

        let mut m = on();
        m.sent(&"x".repeat(MAX_UNACKED_BYTES));
        assert!(m.resumable().is_some());
        m.sent("x");
        assert!(m.resumable().is_none());
    }
}
