//! Pings from endpoint to endpoint through the bridge: a client answers them even if it sends none; docs/protocol/04 §3.

use crate::wire::colibri::ToBridge;
use serde_json::{Value, json};

/// A ping in an application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ping {
    /// 0 wants no answer.
    Request(u64),
    Response(u64),
}

impl Ping {
    /// Reads an application message; none if it is something else.
    pub fn read(payload: &str) -> Option<Ping> {
        // Most messages are something else, and need no tree for that.
        if !payload.contains("e2e-ping-re") {
            return None;
        }
        let m: Value = serde_json::from_str(payload).ok()?;
        let id = m.get("id").and_then(Value::as_u64).unwrap_or(0);
        match m.get("type").and_then(Value::as_str)? {
            "e2e-ping-request" => Some(Ping::Request(id)),
            "e2e-ping-response" => Some(Ping::Response(id)),
            _ => None,
        }
    }

    /// The message to this endpoint.
    pub fn message(self, to: &str) -> ToBridge {
        let (kind, id) = match self {
            Ping::Request(id) => ("e2e-ping-request", id),
            Ping::Response(id) => ("e2e-ping-response", id),
        };
        ToBridge::EndpointMessage { to: to.to_owned(), payload: json!({ "type": kind, "id": id }) }
    }

    /// What it is answered with to its sender, if it wants that.
    pub fn answer(self, from: &str) -> Option<ToBridge> {
        match self {
            Ping::Request(id) if id != 0 => Some(Ping::Response(id).message(from)),
            Ping::Request(_) | Ping::Response(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_an_id_are_answered_to_the_sender_and_other_messages_left_alone() {
        let answer = |payload: &str| Ping::read(payload).map(|p| p.answer("bb"));
        let payload = json!({"type": "e2e-ping-response", "id": 3});
        assert_eq!(
            answer(r#"{"type":"e2e-ping-request","id":3}"#),
            Some(Some(ToBridge::EndpointMessage { to: "bb".into(), payload }))
        );
        for odd in [r#"{"type":"e2e-ping-request","id":0}"#, r#"{"type":"e2e-ping-request","id":"x"}"#] {
            assert_eq!(answer(odd), Some(None));
        }
        assert_eq!(answer(r#"{"type":"e2e-ping-response","id":3}"#), Some(None));
        for other in [
            r#"{"type":"other"}"#,
            r#"{"type":"e2e-ping-reply"}"#,
            r#"{"x":"e2e-ping-request"}"#,
            "{}",
            "e2e-ping-request",
        ] {
            assert_eq!(answer(other), None, "{other}");
        }
    }
}
