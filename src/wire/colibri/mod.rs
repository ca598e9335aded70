//! Messages of the bridge channel: JSON with a `colibriClass`; docs/protocol/04 §1.6, §2, §3.
//!
//! Reading is lenient: what is not understood is [`FromBridge::Unknown`], odd entries of a list are passed over. Writing is strict,
//! because the videobridge drops a whole message for one key that it does not know.

mod from_bridge;
mod scan;
mod to_bridge;

pub use from_bridge::{FromBridge, MappedSource, Speakers};
pub use to_bridge::{AudioSubscription, Bitrates, EndpointStats, Loss, ReceiverConstraints, ToBridge};

use serde_json::{Map, Value};
use std::fmt;

/// Longest message that is read, bytes. The largest real ones are source maps: 100 sources of 130 bytes.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// How deep objects and lists of a message may stand within each other.
pub const MAX_DEPTH: usize = 64;
/// Entries read of one list (sources, speakers); more are passed over.
pub const MAX_LIST: usize = 512;
/// Longest class, endpoint id or source name that is taken.
pub const MAX_NAME_BYTES: usize = 256;
/// Longest application payload that is sent, bytes of JSON.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// Why a text is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColibriError {
    /// Over [`MAX_MESSAGE_BYTES`].
    TooLarge,
    /// Over [`MAX_DEPTH`].
    TooDeep,
    /// An object names a key twice. The bridge drops such a message; what it sends itself is not looked at for that.
    DuplicateKey,
    /// Not a JSON object with a `colibriClass`.
    Malformed,
    /// A field of this class is missing or of a wrong type.
    Field(&'static str),
}

impl fmt::Display for ColibriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ColibriError::TooLarge => f.write_str("the message is over its limit"),
            ColibriError::TooDeep => f.write_str("the message is nested too deep"),
            ColibriError::DuplicateKey => f.write_str("an object names a key twice"),
            ColibriError::Malformed => f.write_str("not a JSON object with a colibriClass"),
            ColibriError::Field(name) => write!(f, "{name} is missing or of a wrong type"),
        }
    }
}

impl std::error::Error for ColibriError {}

/// How the bridge is to treat a video source, and how it describes one (§2.7, §2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum BridgeVideoType {
    #[default]
    Camera,
    Desktop,
    /// A screen at more than 5 frames a second.
    DesktopHighFps,
    /// Nothing is sent: muted or removed.
    None,
    Disabled,
}

impl BridgeVideoType {
    const NAMES: [(BridgeVideoType, &'static str); 5] = [
        (BridgeVideoType::Camera, "camera"),
        (BridgeVideoType::Desktop, "desktop"),
        (BridgeVideoType::DesktopHighFps, "desktop_high_fps"),
        (BridgeVideoType::None, "none"),
        (BridgeVideoType::Disabled, "disabled"),
    ];

    /// The word, as clients send it.
    pub fn as_str(self) -> &'static str {
        BridgeVideoType::NAMES.iter().find(|(t, _)| *t == self).map_or("", |(_, n)| n)
    }

    /// The type of a word in whatever case: the bridge writes upper case.
    pub fn parse(s: &str) -> Option<BridgeVideoType> {
        BridgeVideoType::NAMES.iter().find(|(_, n)| n.eq_ignore_ascii_case(s)).map(|(t, _)| *t)
    }
}

/// Splits a message into its class and its fields.
fn object(text: &str) -> Result<(String, Map<String, Value>), ColibriError> {
    if text.len() > MAX_MESSAGE_BYTES {
        return Err(ColibriError::TooLarge);
    }
    if !scan::depth_within(text, MAX_DEPTH) {
        return Err(ColibriError::TooDeep);
    }
    let mut map: Map<String, Value> = serde_json::from_str(text).map_err(|_| ColibriError::Malformed)?;
    match map.remove("colibriClass") {
        Some(Value::String(class)) if class.len() <= MAX_NAME_BYTES => Ok((class, map)),
        _ => Err(ColibriError::Malformed),
    }
}

/// Writes an object of this class.
fn text(class: &str, fields: Map<String, Value>) -> String {
    let mut map = Map::new();
    map.insert("colibriClass".into(), class.into());
    map.extend(fields);
    Value::Object(map).to_string()
}

fn name(v: &Value) -> Option<String> {
    v.as_str().filter(|s| !s.is_empty() && s.len() <= MAX_NAME_BYTES).map(str::to_owned)
}

fn names(v: Option<&Value>) -> Option<Vec<String>> {
    Some(v?.as_array()?.iter().filter_map(name).take(MAX_LIST).collect())
}

/// An SSRC as number or text: 1 to 2³²−1.
fn ssrc(v: &Value) -> Option<u32> {
    let n = v.as_u64().or_else(|| v.as_str()?.parse().ok())?;
    u32::try_from(n).ok().filter(|n| *n != 0)
}

/// A height: −1 for no limit, else pixels.
fn height(v: &Value) -> Option<i32> {
    v.as_i64().and_then(|n| i32::try_from(n).ok()).filter(|n| *n >= -1)
}

#[cfg(test)]
mod tests;
