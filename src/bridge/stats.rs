//! Statistics of endpoints: when ours are said, and what the others say of theirs; docs/protocol/04 §2.4, §17.1, §17.2.

use crate::time::Time;
use crate::wire::colibri::EndpointStats;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;

/// Ours are said this often while the channel is open. It keeps a WebSocket busy, too.
pub const STATS_EVERY: Duration = Duration::from_secs(10);
/// Endpoints whose statistics are kept; past it those of another are not.
pub const MAX_STATS_ENDPOINTS: usize = 1024;

/// When our statistics are to be said.
#[derive(Debug, Default)]
pub struct StatsClock {
    open: bool,
    next: Option<Time>,
}

impl StatsClock {
    /// The channel opened.
    pub fn opened(&mut self, now: Time) {
        self.open = true;
        self.next = Some(now + STATS_EVERY);
    }

    /// The channel is not open any more.
    pub fn closed(&mut self) {
        *self = StatsClock::default();
    }

    /// The connection was interrupted: the others are to know now, that is, as soon as they can be told.
    pub fn at_once(&mut self, now: Time) {
        if self.open {
            self.next = Some(now);
        }
    }

    /// When [`StatsClock::is_due`] is wanted.
    pub fn next_deadline(&self) -> Option<Time> {
        self.next
    }

    /// Whether they are to be said now; once.
    pub fn is_due(&mut self, now: Time) -> bool {
        let due = self.next.is_some_and(|t| t.mono_us <= now.mono_us);
        if due {
            self.next = Some(now + STATS_EVERY);
        }
        due
    }
}

/// The newest statistics of each other endpoint.
#[derive(Debug, Default)]
pub struct RemoteStats(HashMap<String, EndpointStats>);

impl RemoteStats {
    /// Somebody's statistics came. None past the bound.
    pub fn set(&mut self, endpoint: &str, stats: &Map<String, Value>) -> Option<&EndpointStats> {
        if self.0.len() >= MAX_STATS_ENDPOINTS && !self.0.contains_key(endpoint) {
            return None;
        }
        let read = EndpointStats::read(stats);
        Some(self.0.entry(endpoint.to_owned()).insert_entry(read).into_mut())
    }

    /// Of an endpoint, if it has said any.
    pub fn get(&self, endpoint: &str) -> Option<&EndpointStats> {
        self.0.get(endpoint)
    }

    /// Somebody left.
    pub fn remove(&mut self, endpoint: &str) {
        self.0.remove(endpoint);
    }
}

/// The statistics in an application message, as older clients send them.
pub fn of_message(payload: &str) -> Option<Map<String, Value>> {
    // Most messages are something else, and need no tree for that.
    if !payload.contains("\"stats\"") {
        return None;
    }
    let m: Value = serde_json::from_str(payload).ok()?;
    let stats = m.get("type").and_then(Value::as_str) == Some("stats");
    m.get("values").filter(|_| stats).and_then(Value::as_object).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const T0: Time = Time { mono_us: 1_000_000, unix_us: 0 };

    #[test]
    fn ours_are_said_every_ten_seconds_while_the_channel_is_open_and_at_once_when_the_path_breaks() {
        let mut c = StatsClock::default();
        c.at_once(T0);
        assert!(!c.is_due(T0) && c.next_deadline().is_none());
        c.opened(T0);
        assert!(!c.is_due(T0));
        let t1 = T0 + STATS_EVERY;
        assert_eq!(c.next_deadline(), Some(t1));
        assert!(c.is_due(t1) && !c.is_due(t1));
        c.at_once(t1);
        assert!(c.is_due(t1) && !c.is_due(t1));
        c.closed();
        assert!(!c.is_due(t1 + STATS_EVERY));
    }

    #[test]
    fn the_newest_of_each_endpoint_are_kept_also_those_in_the_old_form() {
        let mut all = RemoteStats::default();
        let stats = of_message(r#"{"type":"stats","values":{"connectionQuality":40}}"#).unwrap();
        assert_eq!(all.set("a", &stats).map(|s| s.connection_quality), Some(40));
        let new = json!({"connectionQuality": 94.7, "jvbRTT": 3});
        all.set("a", new.as_object().unwrap());
        assert_eq!(all.get("a").map(|s| (s.connection_quality, s.jvb_rtt)), Some((94, Some(3))));
        all.remove("a");
        assert_eq!(all.get("a"), None);
        for other in [r#"{"type":"stats"}"#, r#"{"x":"stats","values":{}}"#, r#"["stats"]"#, "\"stats\"", "{"] {
            assert_eq!(of_message(other), None);
        }
    }

    #[test]
    fn endpoints_with_statistics_have_a_bound() {
        let (mut all, stats) = (RemoteStats::default(), Map::new());
        for n in 0..=MAX_STATS_ENDPOINTS {
            assert_eq!(all.set(&n.to_string(), &stats).is_some(), n < MAX_STATS_ENDPOINTS);
        }
        assert!(all.set("0", &stats).is_some());
    }
}
