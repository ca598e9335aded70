//! The bridge channel as the videobridge has it (docs/protocol/04 §1.2, §1.3, §1.6): a data channel or a WebSocket, whichever
//! spoke last, and messages read strictly.

use super::types::{ChannelKind, SocketKey};
use crate::wire::colibri::{AudioSubscription, BridgeVideoType, ReceiverConstraints, ToBridge};
use serde_json::{Map, Value};

/// What a client said.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    Hello,
    /// To whom, and the whole object.
    Message(String, Map<String, Value>),
    Stats(Map<String, Value>),
    Constraints(ReceiverConstraints),
    /// `LastNChangedEvent`: does not count as the first constraints.
    LastN(i32),
    Audio(AudioSubscription),
    /// Of a source; without a name, of the endpoint's first.
    VideoType(Option<String>, BridgeVideoType),
}

/// The channel of one endpoint.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub data: bool,
    pub socket: Option<SocketKey>,
    last: Option<ChannelKind>,
}

impl Channel {
    /// A message came this way: answers go the same.
    pub fn heard(&mut self, kind: ChannelKind) {
        self.last = Some(kind);
    }

    /// Which way to speak, if any.
    pub fn way(&self) -> Option<ChannelKind> {
        let open = |k: &ChannelKind| match k {
            ChannelKind::DataChannel => self.data,
            ChannelKind::WebSocket => self.socket.is_some(),
        };
        self.last.filter(open).or([ChannelKind::WebSocket, ChannelKind::DataChannel].into_iter().find(open))
    }
}

/// Reads a message as JVB does; why it is dropped otherwise. `lenient`: the keys of lib-jitsi-meet's 2022 releases are taken.
pub(super) fn read(text: &str, lenient: bool) -> Result<Incoming, String> {
    let message = match lenient.then(|| rename(text)).flatten() {
        Some(renamed) => ToBridge::parse(&renamed),
        None => ToBridge::parse(text),
    };
    let whole = || serde_json::from_str(text).map_err(|e| e.to_string());
    match message.map_err(|e| e.to_string())? {
        ToBridge::ClientHello => Ok(Incoming::Hello),
        ToBridge::EndpointMessage { to, .. } => Ok(Incoming::Message(to, whole()?)),
        ToBridge::EndpointStats(_) => Ok(Incoming::Stats(whole()?)),
        ToBridge::ReceiverVideoConstraints(c) => Ok(Incoming::Constraints(c)),
        ToBridge::ReceiverAudioSubscription(a) => Ok(Incoming::Audio(a)),
        ToBridge::SourceVideoType { source, video_type } => Ok(Incoming::VideoType(Some(source), video_type)),
        ToBridge::LastN(n) => Ok(Incoming::LastN(n)),
        ToBridge::VideoType(video_type) => Ok(Incoming::VideoType(None, video_type)),
    }
}

/// 2022's keys in today's words: endpoint ids stand for the endpoint's camera.
fn rename(text: &str) -> Option<String> {
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    if object.get("colibriClass").and_then(Value::as_str) != Some("ReceiverVideoConstraints") {
        return None;
    }
    let camera = |v: &Value| match v.as_str() {
        Some(s) if !s.contains("-v") => Value::from(format!("{s}-v0")),
        _ => v.clone(),
    };
    let cameras = |v: &Value| match v {
        Value::Array(a) => Value::Array(a.iter().map(camera).collect()),
        other => other.clone(),
    };
    let mut out = Map::new();
    for (key, value) in &object {
        match key.as_str() {
            "onStageEndpoints" => drop(out.entry("onStageSources").or_insert_with(|| cameras(value))),
            "selectedEndpoints" => drop(out.entry("selectedSources").or_insert_with(|| cameras(value))),
            "constraints" => {
                let all = value.as_object().cloned().unwrap_or_default();
                let named = all.into_iter().map(|(k, v)| {
                    let name = camera(&Value::from(k));
                    (name.as_str().unwrap_or_default().to_owned(), v)
                });
                out.insert("constraints".into(), Value::Object(named.collect()));
            }
            _ => drop(out.insert(key.clone(), value.clone())),
        }
    }
    Some(Value::Object(out).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(text: &str) -> String {
        read(text, false).expect_err(text)
    }

    #[test]
    fn a_message_with_one_unknown_key_is_dropped_whole() {
        let c = |rest: &str| format!(r#"{{"colibriClass":"ReceiverVideoConstraints"{rest}}}"#);
        assert!(matches!(read(&c(""), false), Ok(Incoming::Constraints(c)) if c == ReceiverConstraints::default()));
        assert!(read(&c(r#","lastN":2,"constraints":{"a-v0":{"maxHeight":180,"idealHeight":5}}"#), false).is_ok());
        for bad in [
            r#","onStageEndpoints":[]"#,
            r#","selectedEndpoints":["a"]"#,
            r#","lastN":"2""#,
            r#","constraints":{"a-v0":{}}"#,
            r#","defaultConstraints":{"maxHeight":-2}"#,
            r#","lastN":1,"lastN":1"#,
            r#","constraints":{"a-v0":{"maxHeight":1},"a-v0":{"maxHeight":2}}"#,
        ] {
            dropped(&c(bad));
        }
        for bad in ["", "{}", "[]", "x", r#"{"colibriClass":"Nonsense"}"#, r#"{"colibriClass":"ServerHello"}"#] {
            dropped(bad);
        }
        dropped(r#"{"colibriClass":"SourceVideoTypeMessage","sourceName":"a-v0","videoType":"hologram"}"#);
        dropped(r#"{"colibriClass":"EndpointMessage","msgPayload":{}}"#);
    }

    #[test]
    fn words_are_taken_in_any_case_and_application_messages_keep_what_nobody_knows() {
        let t = r#"{"colibriClass":"SourceVideoTypeMessage","sourceName":"a-v0","videoType":"nOnE"}"#;
        assert_eq!(read(t, false), Ok(Incoming::VideoType(Some("a-v0".into()), BridgeVideoType::None)));
        let t = r#"{"colibriClass":"VideoTypeMessage","videoType":"camera"}"#;
        assert_eq!(read(t, false), Ok(Incoming::VideoType(None, BridgeVideoType::Camera)));
        let t = r#"{"colibriClass":"EndpointMessage","to":" ","x":null,"msgPayload":{"a":[{"a":1},{"a":":"}]}}"#;
        let Ok(Incoming::Message(to, m)) = read(t, false) else { panic!() };
        assert!(to.is_empty() && m.contains_key("x") && m["msgPayload"]["a"][1]["a"] == ":");
        assert_eq!(read(r#"{"colibriClass":"LastNChangedEvent","lastN":3}"#, false), Ok(Incoming::LastN(3)));
    }

    #[test]
    fn legacy_audio_modes_are_converted() {
        let read_mode = |mode: &str| {
            read(&format!(r#"{{"colibriClass":"ReceiverAudioSubscription","mode":"{mode}","list":["a-a0"]}}"#), false)
        };
        let list = || vec!["a-a0".to_owned()];
        for (mode, all, include, exclude) in [
            ("All", true, vec![], vec![]),
            ("None", false, vec![], vec![]),
            ("Include", false, list(), vec![]),
            ("Exclude", true, vec![], list()),
        ] {
            assert_eq!(read_mode(mode), Ok(Incoming::Audio(AudioSubscription { all, include, exclude })), "{mode}");
        }
        assert!(read_mode("all").is_err());
    }

    #[test]
    fn the_keys_of_2022_are_taken_only_behind_their_switch() {
        let t = r#"{"colibriClass":"ReceiverVideoConstraints","constraints":{"b":{"maxHeight":720}},"lastN":-1,
            "onStageEndpoints":["b"],"selectedEndpoints":["c-v1"]}"#;
        assert!(read(t, false).is_err());
        let Ok(Incoming::Constraints(c)) = read(t, true) else { panic!() };
        assert_eq!(c.on_stage, Some(vec!["b-v0".into()]));
        assert_eq!(c.selected, Some(vec!["c-v1".into()]));
        assert_eq!(c.heights.unwrap().get("b-v0"), Some(&720));
        let other = r#"{"colibriClass":"ReceiverVideoConstraints","pinned":1}"#;
        assert!(read(other, true).is_err());
    }

    #[test]
    fn the_channel_that_spoke_last_is_answered_and_the_other_one_when_it_is_gone() {
        let mut c = Channel::default();
        assert_eq!(c.way(), None);
        c.data = true;
        assert_eq!(c.way(), Some(ChannelKind::DataChannel));
        c.socket = Some(1);
        c.heard(ChannelKind::DataChannel);
        assert_eq!(c.way(), Some(ChannelKind::DataChannel));
        c.heard(ChannelKind::WebSocket);
        assert_eq!(c.way(), Some(ChannelKind::WebSocket));
        c.socket = None;
        assert_eq!(c.way(), Some(ChannelKind::DataChannel));
    }
}
