//! `SourceInfo`: mute state and video type of an endpoint's sources, as JSON in presence; docs/protocol/03 §5.7.

use serde_json::{Map, Value};

/// Sources kept of one endpoint (default 64, design §7); more are passed over.
pub const MAX_SOURCES: usize = 64;
/// Longest JSON text looked at (default 32 KiB); a longer one is malformed.
pub const MAX_SOURCE_INFO_BYTES: usize = 32 * 1024;

/// What is said of one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceEntry {
    pub name: String,
    pub muted: bool,
    /// A screen and not a camera.
    pub desktop: bool,
}

/// Kind of a source, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    Audio,
    Video,
}

/// Endpoint id and kind in a source name `<endpoint>-a0`, `<endpoint>-v1`, `<endpoint>-a0.en` (§2); None for other names.
pub fn parse_name(name: &str) -> Option<(&str, SourceKind)> {
    // The endpoint id may itself contain `-`: the last one counts.
    let (owner, index) = name.rsplit_once('-')?;
    let kind = match index.chars().next()? {
        'a' => SourceKind::Audio,
        'v' => SourceKind::Video,
        _ => return None,
    };
    let (number, suffix) = match index[1..].split_once('.') {
        Some((n, s)) => (n, Some(s)),
        None => (&index[1..], None),
    };
    let good = !owner.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (good && suffix.is_none_or(|s| !s.is_empty() && !s.contains('.'))).then_some((owner, kind))
}

/// Reads the JSON text; None when it is no JSON object. Entries of the wrong type are passed over.
pub fn read(json: &str) -> Option<Vec<SourceEntry>> {
    if json.len() > MAX_SOURCE_INFO_BYTES {
        return None;
    }
    let map: Map<String, Value> = serde_json::from_str(json).ok()?;
    let entries = map.into_iter().filter_map(|(name, state)| {
        let state = state.as_object()?;
        Some(SourceEntry {
            name,
            muted: state.get("muted").and_then(Value::as_bool).unwrap_or(false),
            desktop: state.get("videoType").and_then(Value::as_str) == Some("desktop"),
        })
    });
    Some(entries.take(MAX_SOURCES).collect())
}

/// Writes the JSON text. The video type is left away for a camera, as readers expect.
pub fn write(sources: &[SourceEntry]) -> String {
    let mut map = Map::new();
    for s in sources {
        let mut state = Map::new();
        state.insert("muted".into(), s.muted.into());
        if s.desktop {
            state.insert("videoType".into(), "desktop".into());
        }
        map.insert(s.name.clone(), state.into());
    }
    Value::Object(map).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_owner_and_kind() {
        assert_eq!(parse_name("9d8e7f6a-a0"), Some(("9d8e7f6a", SourceKind::Audio)));
        assert_eq!(parse_name("a-b-v12"), Some(("a-b", SourceKind::Video)));
        assert_eq!(parse_name("9d8e7f6a-a0.en"), Some(("9d8e7f6a", SourceKind::Audio)));
        for bad in ["", "-a0", "x", "x-", "x-a", "x-b0", "x-a0.", "x-a0.e.n", "x-v1z", "x-ä1"] {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let sources = [
            SourceEntry { name: "e-a0".into(), muted: true, desktop: false },
            SourceEntry { name: "e-v1".into(), muted: false, desktop: true },
        ];
        let json = write(&sources);
        assert_eq!(json, r#"{"e-a0":{"muted":true},"e-v1":{"muted":false,"videoType":"desktop"}}"#);
        assert_eq!(read(&json).unwrap(), sources);
        assert_eq!(write(&[]), "{}");
    }

    #[test]
    fn defaults_and_junk() {
        let got = read(r#"{"e-v0":{},"e-v1":7,"e-v2":{"muted":"yes","videoType":"camera"}}"#).unwrap();
        assert_eq!(got.len(), 2);
        assert!(got.iter().all(|s| !s.muted && !s.desktop));
        for bad in ["", "[]", "{", "null", "7"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_limits_hold_at_and_past_them() {
        let many = |n: usize| {
            let list: Vec<_> =
                (0..n).map(|i| SourceEntry { name: format!("e-v{i}"), muted: false, desktop: false }).collect();
            write(&list)
        };
        assert_eq!(read(&many(MAX_SOURCES)).unwrap().len(), MAX_SOURCES);
        assert_eq!(read(&many(MAX_SOURCES + 1)).unwrap().len(), MAX_SOURCES);
        let fit = format!("{{}}{}", " ".repeat(MAX_SOURCE_INFO_BYTES - 2));
        assert_eq!(read(&fit), Some(vec![]));
        assert_eq!(read(&(fit + " ")), None);
        assert_eq!(read(&format!("{{\"e-a0\":{}", "[".repeat(10_000))), None);
    }
}
