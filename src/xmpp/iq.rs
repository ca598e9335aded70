//! The table of requests that wait for an answer (RFC 6120 §8.2.3, docs/protocol/01 §1.5).
//!
//! An answer counts only from the address that was asked: the reference matches the id alone, which lets anybody in the room
//! answer for the focus.

use crate::time::Time;
use crate::wire::{Document, Jid, Stanza, StanzaError};
use std::time::Duration;

/// Requests that may wait for their answers at once (default 1024).
pub const MAX_PENDING_IQS: usize = 1024;

/// Names one request of the upper layers until its one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IqToken(pub(super) u64);

/// Why a request has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IqError {
    /// No answer in the time given.
    Timeout,
    /// The stream ended first, or was not yet bound.
    Disconnected,
    /// [`MAX_PENDING_IQS`] requests wait already; this one was not sent.
    Busy,
    /// The answer is an error.
    Error(StanzaError),
}

impl std::fmt::Display for IqError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            IqError::Timeout => f.write_str("no answer in time"),
            IqError::Disconnected => f.write_str("the stream ended before the answer"),
            IqError::Busy => f.write_str("too many requests are waiting"),
            IqError::Error(e) => e.fmt(f),
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A request of the upper layers.
    Upper(IqToken),
    Session,
    Ping,
    Disco,
    /// External services, second version; on an error the first is asked.
    Services2,
    Services1,
}

#[derive(Debug)]
struct Pending {
    number: u64,
    to: Option<Jid>,
    deadline: Time,
    purpose: Purpose,
}

/// Requests in flight.
pub(super) struct IqTable {
    /// Start of every id. Random, so that nobody can answer what he was not asked.
    prefix: String,
    next: u64,
    pending: Vec<Pending>,
}

impl IqTable {
    pub fn new(prefix: String) -> IqTable {
        IqTable { prefix, next: 1, pending: Vec::new() }
    }

    /// A token for the upper layers.
    pub fn token(&mut self) -> IqToken {
        let token = IqToken(self.next);
        self.next += 1;
        token
    }

    /// Enters a request and returns its id; None when the table is full.
    pub fn add(&mut self, to: Option<Jid>, purpose: Purpose, timeout: Duration, now: Time) -> Option<String> {
        if self.pending.len() >= MAX_PENDING_IQS {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.pending.push(Pending { number, to, deadline: now + timeout, purpose });
        Some(format!("{}-{number}", self.prefix))
    }

    /// Takes the request that this result or error answers. `own` is our full address.
    pub fn take(&mut self, answer: Stanza<'_>, own: &Jid) -> Option<Purpose> {
        let number: u64 = answer.id()?.strip_prefix(self.prefix.as_str())?.strip_prefix('-')?.parse().ok()?;
        let at = self.pending.iter().position(|p| p.number == number)?;
        let asked = self.pending[at].to.as_ref();
        let genuine = match answer.from_str() {
            // The server speaks for itself and for our account without naming itself (RFC 6120 §8.1.2.1).
            None => asked.is_none_or(|to| to.as_str() == own.domain() || to.as_str() == own.bare_str()),
            Some(from) => Jid::parse(from).is_ok_and(|from| match asked {
                Some(to) => from == *to,
                None => [own.domain(), own.bare_str(), own.as_str()].contains(&from.as_str()),
            }),
        };
        genuine.then(|| self.pending.remove(at).purpose)
    }

    /// Takes one request whose time has run out.
    pub fn expired(&mut self, now: Time) -> Option<Purpose> {
        let at = self.pending.iter().position(|p| p.deadline <= now)?;
        Some(self.pending.remove(at).purpose)
    }

    /// Takes all requests: the stream ended.
    pub fn drain(&mut self) -> impl Iterator<Item = Purpose> + use<> {
        std::mem::take(&mut self.pending).into_iter().map(|p| p.purpose)
    }

    /// When the next request runs out.
    pub fn next_deadline(&self) -> Option<Time> {
        self.pending.iter().map(|p| p.deadline).min()
    }
}

/// The result a request brought: the whole stanza, or why there is none.
pub type IqResult = Result<Document, IqError>;

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(s: &str) -> Jid {
        Jid::parse(s).unwrap()
    }

    fn own() -> Jid {
        jid("u@meet.example/r")
    }

    fn take(table: &mut IqTable, id: &str, from: Option<&str>) -> Option<Purpose> {
        let from = from.map_or(String::new(), |f| format!(" from='{f}'"));
        let d = Document::parse(&format!("<iq xmlns='jabber:client' type='result' id='{id}'{from}/>")).unwrap();
        table.take(Stanza::read(d.root()).unwrap(), &own())
    }

    const SEC: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_counts_only_from_the_address_that_was_asked() {
        for (to, from, counts) in [
            (Some("focus.meet.example"), Some("focus.meet.example"), true),
            (Some("focus.meet.example"), Some("FOCUS.meet.example"), true),
            (Some("focus.meet.example"), Some("room@conference.meet.example/x"), false),
            (Some("focus.meet.example"), Some("not an @ address @"), false),
            (Some("focus.meet.example"), None, false),
            (Some("meet.example"), None, true),
            (Some("u@meet.example"), None, true),
            (None, None, true),
            (None, Some("meet.example"), true),
            (None, Some("u@meet.example"), true),
            (None, Some("u@meet.example/r"), true),
            (None, Some("v@meet.example"), false),
        ] {
            let mut t = IqTable::new("p".into());
            let id = t.add(to.map(jid), Purpose::Ping, SEC, Time::default()).unwrap();
            assert_eq!(take(&mut t, &id, from).is_some(), counts, "{to:?} {from:?}");
            // A false answer leaves the request waiting for the true one.
            assert_eq!(t.next_deadline().is_none(), counts);
        }
    }

    #[test]
    fn an_answer_counts_once_and_only_with_a_known_id() {
        let mut t = IqTable::new("p".into());
        let id = t.add(None, Purpose::Ping, SEC, Time::default()).unwrap();
        for other in ["p-999", "p-", "q-1", "", "p-99999999999999999999"] {
            assert_eq!(take(&mut t, other, None), None);
        }
        assert_eq!(take(&mut t, &id, None), Some(Purpose::Ping));
        assert_eq!(take(&mut t, &id, None), None);
    }

    #[test]
    fn requests_run_out_at_their_time_and_not_before() {
        let mut t = IqTable::new("p".into());
        t.add(None, Purpose::Ping, 2 * SEC, Time::default());
        t.add(None, Purpose::Disco, SEC, Time::default());
        let at = |us| Time::default() + Duration::from_micros(us);
        assert_eq!(t.next_deadline().map(|d| d.mono_us), Some(1_000_000));
        assert_eq!(t.expired(at(999_999)), None);
        assert_eq!(t.expired(at(1_000_000)), Some(Purpose::Disco));
        assert_eq!(t.expired(at(1_000_000)), None);
        assert_eq!(t.drain().collect::<Vec<_>>(), [Purpose::Ping]);
        assert_eq!(t.next_deadline(), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let mut t = IqTable::new("p".into());
        for _ in 0..MAX_PENDING_IQS {
            assert!(t.add(None, Purpose::Ping, SEC, Time::default()).is_some());
        }
        assert_eq!(t.add(None, Purpose::Ping, SEC, Time::default()), None);
    }
}
