//! Every limit has a test: each constant of `src` whose name says that it is a maximum is named in a test, which therefore stands at it.
//! What needs none stands here with its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names that bound nothing that comes from outside.
const NO_LIMITS: [(&str, &str); 17] = [
    ("JMEET_MAX_FRAME_BYTES", "the header's word for client::MAX_FRAME_BYTES, compared at compile time"),
    ("JMEET_MAX_LOCAL_TRACKS", "the header's word for meeting::MAX_LOCAL_TRACKS, compared at compile time"),
    ("JMEET_MAX_MESSAGE_BYTES", "the header's word for client::MAX_MESSAGE_BYTES, compared at compile time"),
    ("JMEET_MAX_MESSAGES", "the header's word for client::MAX_MESSAGES, compared at compile time"),
    ("JMEET_MAX_REQUESTS", "the header's word for client::MAX_REQUESTS, compared at compile time"),
    ("MAX_CATCH_UP_US", "how far a late timer of the bandwidth probe catches up"),
    ("MAX_CHECKS", "handed to the ICE agent: its retries end with the session"),
    ("MAX_DELTAS", "a factor of the bandwidth estimator's arithmetic"),
    ("MAX_EXCESS", "a step of the bandwidth estimator's arithmetic"),
    ("MAX_EXTENSION_ID", "what one-byte header extensions can name (RFC 8285)"),
    ("MAX_GSO_BYTES", "what the kernel takes in one call"),
    ("MAX_HEIGHT", "the height that stands for any"),
    ("MAX_HOLD_OFF_US", "the longest pause after probes that failed"),
    ("MAX_LOSS", "a threshold: more loss is no success of a probe"),
    ("MAX_RTT", "a report that says more is passed over"),
    ("MAX_RUN", "the width of a field"),
    ("MAX_UNSENT", "handed to the WebSocket library"),
];

fn sources(dir: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|e| e == "rs") {
            all.push(path);
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

#[test]
fn every_limit_is_named_in_a_test() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut limits, mut tested) = (vec![], BTreeSet::new(), BTreeSet::new());
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    for file in files.iter().filter(|f| !f.ends_with("limits.rs")) {
        let text = std::fs::read_to_string(file).expect("a source");
        let place = file.strip_prefix(&root).expect("below the root").to_string_lossy().replace('\\', "/");
        let all_test = place.starts_with("tests/") || place.contains("/tests/") || place.ends_with("tests.rs");
        let (code, test) = match text.split_once("#[cfg(test)]\nmod tests {") {
            _ if all_test => ("", &*text),
            Some((code, test)) => (code, test),
            None => (&*text, ""),
        };
        tested.extend(words(test).map(str::to_owned));
        // The testkit and the fuzzer are tests themselves.
        if place.contains("testkit") || place.contains("ffi/fuzz") {
            continue;
        }
        for line in code.lines() {
            let Some((_, rest)) = line.split_once("const ") else { continue };
            let name = rest.split(':').next().unwrap_or_default();
            if !line.trim_start().starts_with("//") && words(name).count() == 1 && name.split('_').any(|w| w == "MAX") {
                limits.insert(name.to_owned());
            }
        }
    }
    assert!(limits.len() > 80, "{}", limits.len());
    let known: BTreeSet<_> = NO_LIMITS.iter().map(|n| n.0.to_owned()).collect();
    let missing: Vec<_> = limits.iter().filter(|l| !tested.contains(*l) && !known.contains(*l)).collect();
    assert!(missing.is_empty(), "no test names these limits: {missing:?}");
    let gone: Vec<_> = known.iter().filter(|k| !limits.contains(*k)).collect();
    assert!(gone.is_empty(), "these are no constants any more: {gone:?}");
}
