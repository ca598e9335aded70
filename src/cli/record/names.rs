//! Names of files: of the participant's name and endpoint id, both of which come from the network and may say anything.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a participant's name, of an endpoint id and of a source's name that a file's name takes over: with all three it stays
/// below the 255 of file systems.
const MAX_NAME: usize = 64;

/// Names given so far.
#[derive(Debug, Default)]
pub struct Names {
    given: BTreeSet<String>,
    /// By name without number, the number that was given last.
    last: BTreeMap<String, u32>,
}

/// Only what every file system takes, and nothing that means a place.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() + c.len_utf8() > MAX_NAME {
            break;
        }
        if c.is_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.trim_matches('_').to_owned()
}

impl Names {
    /// `Ann-1a2b3c4d.webm`, of a further source `Ann-1a2b3c4d-v1.webm`, and with a number where that is taken. Compared without case, as
    /// some file systems do.
    pub fn next(&mut self, display_name: &str, endpoint_id: &str, source: Option<&str>, extension: &str) -> String {
        let mut parts = vec![plain(display_name), plain(endpoint_id)];
        parts.extend(source.map(|s| plain(s.strip_prefix(endpoint_id).unwrap_or(s))));
        parts.retain(|p| !p.is_empty());
        if parts.is_empty() {
            parts.push("participant".into());
        }
        let base = parts.join("-");
        let last = self.last.entry(base.to_lowercase()).or_default();
        for n in *last + 1.. {
            let name = if n == 1 { format!("{base}.{extension}") } else { format!("{base}-{n}.{extension}") };
            // A second file of other kind is number 2 as well.
            let key = name.rsplit_once('.').map_or(&*name, |n| n.0).to_lowercase();
            if self.given.insert(key) {
                *last = n;
                return name;
            }
        }
        base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_never_given_twice() {
        let mut n = Names::default();
        assert_eq!(n.next("Ann Müller", "1a2b", None, "ogg"), "Ann_Müller-1a2b.ogg");
        assert_eq!(n.next("Ann Müller", "1a2b", None, "webm"), "Ann_Müller-1a2b-2.webm");
        assert_eq!(n.next("ann müller", "1A2B", None, "webm"), "ann_müller-1A2B-3.webm");
        assert_eq!(n.next("", "1a2b", Some("1a2b-v1"), "webm"), "1a2b-v1.webm");
        assert_eq!(n.next("../../etc/passwd", "..", None, "ogg"), "etc_passwd.ogg");
        assert_eq!(n.next("/", "", None, "ogg"), "participant.ogg");
        assert_eq!(n.next(&"x".repeat(500), "1", None, "ogg").len(), MAX_NAME + 6);
        let long = "\u{20000}".repeat(500);
        let name = n.next(&long, &long, Some(&format!("x{long}")), "webm");
        assert!(name.len() < 240 && name.starts_with(&"\u{20000}".repeat(MAX_NAME / 4)), "{name}");
    }
}
