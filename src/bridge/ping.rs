//! Pings from endpoint to endpoint through the bridge: a client answers them even if it sends none; docs/protocol/04 §3.

use crate::wire::colibri::ToBridge;
use serde_json::{Value, json};

/// The answer to an application message, if it is a ping. `Some(None)`: one that wants no answer, and is nothing else either.
pub fn answer(from: &str, payload: &Value) -> Option<Option<ToBridge>> {
    match payload.get("type").and_then(Value::as_str)? {
        "e2e-ping-request" => {
            let id = payload.get("id").filter(|id| id.as_u64().is_some_and(|n| n != 0));
            let pong = |id: &Value| ToBridge::EndpointMessage {
                to: from.to_owned(),
                payload: json!({ "type": "e2e-ping-response", "id": id }),
            };
            Some(id.map(pong))
        }
        "e2e-ping-response" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_with_an_id_are_answered_to_the_sender_and_other_messages_left_alone() {
        let pong = answer("bb", &json!({"type": "e2e-ping-request", "id": 3}));
        let payload = json!({"type": "e2e-ping-response", "id": 3});
        assert_eq!(pong, Some(Some(ToBridge::EndpointMessage { to: "bb".into(), payload })));
        assert_eq!(answer("bb", &json!({"type": "e2e-ping-request", "id": 0})), Some(None));
        assert_eq!(answer("bb", &json!({"type": "e2e-ping-response", "id": 3})), Some(None));
        assert_eq!(answer("bb", &json!({"type": "other"})), None);
        assert_eq!(answer("bb", &json!({})), None);
    }
}
