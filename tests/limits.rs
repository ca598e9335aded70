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

/// One file: where it lies, what of it is code, and what is test.
struct Source {
    place: String,
    code: String,
    test: String,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Source {
        let text = std::fs::read_to_string(file).expect("a source");
        let place = file.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
        let all_test = place.starts_with("tests/") || place.contains("/tests/") || place.ends_with("tests.rs");
        let (code, test) = match text.split_once("#[cfg(test)]\nmod tests {") {
            _ if all_test => ("", &*text),
            Some((code, test)) => (code, test),
            None => (&*text, ""),
        };
        let (code, test) = (code.to_owned(), test.to_owned());
        Source { place, code, test }
    }

    fn limits(&self) -> impl Iterator<Item = &str> {
        self.code.lines().filter_map(|line| {
            let (_, rest) = line.split_once("const ")?;
            let name = rest.split(':').next().unwrap_or_default();
            let is_limit = words(name).count() == 1 && name.split('_').any(|w| w == "MAX");
            (is_limit && !line.trim_start().starts_with("//")).then_some(name)
        })
    }

    fn names(&self, limit: &str) -> bool {
        words(&self.test).any(|w| w == limit)
    }

    /// The folder, and the module's name.
    fn module(&self) -> (&str, &str) {
        let (folder, file) = self.place.rsplit_once('/').unwrap_or(("", &self.place));
        match file.strip_suffix(".rs").unwrap_or(file) {
            "mod" => (folder, folder.rsplit('/').next().unwrap_or_default()),
            stem => (folder, stem),
        }
    }

    /// Whether this limit of `other` is named here so that it cannot be a namesake's: in its own file, in the tests of its folder, or with its
    /// module's or folder's name before it.
    fn names_that_of(&self, other: &Source, limit: &str) -> bool {
        let (folder, module) = other.module();
        let (above, last) = folder.rsplit_once('/').unwrap_or(("", folder));
        let near = self.place == other.place
            || self.place.starts_with(&format!("{folder}/tests"))
            || self.place.starts_with(&format!("{above}/tests/{last}"))
            || self.module().0 == folder && self.place.ends_with("tests.rs");
        let by_name = [module, last].iter().any(|m| self.test.contains(&format!("{m}::{limit}")));
        near && self.names(limit) || by_name
    }
}

#[test]
fn every_limit_is_named_in_a_test() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![];
    sources(&root.join("src"), &mut files);
    sources(&root.join("tests"), &mut files);
    let all: Vec<_> = files.iter().filter(|f| !f.ends_with("limits.rs")).map(|f| Source::read(&root, f)).collect();
    // The testkit and the fuzzer are tests themselves.
    let ours = all.iter().filter(|s| !s.place.contains("testkit") && !s.place.contains("ffi/fuzz"));
    let limits: Vec<_> = ours.flat_map(|s| s.limits().map(move |l| (s, l))).collect();
    assert!(limits.len() > 80, "{}", limits.len());
    let known: BTreeSet<_> = NO_LIMITS.iter().map(|n| n.0).collect();
    let missing = limits.iter().filter(|(s, l)| {
        let alone = limits.iter().filter(|(_, other)| other == l).count() == 1;
        let named = all.iter().any(|test| if alone { test.names(l) } else { test.names_that_of(s, l) });
        !named && !known.contains(l) && !known.contains(&*format!("{}::{l}", s.module().1))
    });
    let missing: Vec<_> = missing.map(|(s, l)| format!("{l} of {}", s.place)).collect();
    assert!(missing.is_empty(), "no test names these limits: {missing:#?}");
    let is_there = |k: &&str| limits.iter().any(|(s, l)| l == k || format!("{}::{l}", s.module().1) == **k);
    let gone: Vec<_> = known.iter().filter(|k| !is_there(k)).collect();
    assert!(gone.is_empty(), "these are no constants any more: {gone:?}");
}
