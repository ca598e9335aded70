//! The layers of the design hold: a module uses only modules of a smaller number, equals never use each other, and
//! `tokio` appears only where I/O is done.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer. Root modules (`time`, `env`, `error`, `log`, `few`) are free for all; the testkit stands outside and may use what it
/// likes below the C ABI.
const LAYERS: [(&str, u8); 12] = [
    ("wire", 1),
    ("xmpp", 2),
    ("jingle", 3),
    ("bridge", 3),
    ("media", 3),
    ("conference", 4),
    ("engine", 4),
    ("meeting", 5),
    ("client", 6),
    ("testkit", 6),
    ("ffi", 7),
    ("cli", 7),
];
/// Where an asynchronous runtime may be named.
const TOKIO: [&str; 2] = ["client", "testkit"];

fn layer(module: &str) -> Option<u8> {
    LAYERS.iter().find(|(m, _)| *m == module).map(|(_, l)| *l)
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Source without comments and string contents, so that only code is looked at.
fn code(source: &str) -> String {
    source.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The top modules that a file names by `crate::…`, also in groups (`crate::{wire::Jid, xmpp::Stream}`).
fn used(code: &str) -> Vec<String> {
    let ident = |s: &str| s.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` and `mycrate::` are other things; `$crate` is treated alike.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            out.push(ident(rest));
            continue;
        };
        let mut depth = 0;
        let mut from = 0;
        for (i, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    out.push(ident(&group[from..i]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    out.push(ident(&group[from..i]));
                    from = i + 1;
                }
                _ => {}
            }
        }
    }
    out
}

fn violations(module: &str, source: &str) -> Vec<String> {
    let code = code(source);
    let Some(own) = layer(module) else { return Vec::new() };
    let mut out: Vec<String> = used(&code)
        .into_iter()
        .filter(|m| m != module && layer(m).is_some_and(|l| l >= own))
        .map(|m| format!("{module} uses {m}"))
        .collect();
    if !TOKIO.contains(&module) && code.contains("tokio") {
        out.push(format!("{module} names tokio"));
    }
    out
}

#[test]
fn no_module_uses_its_own_layer_or_one_above() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 8, "the source tree was found");
    let mut found = Vec::new();
    for file in files {
        let below = file.strip_prefix(&src).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let module = first.strip_suffix(".rs").unwrap_or(first);
        let source = fs::read_to_string(&file).unwrap();
        found.extend(violations(module, &source).into_iter().map(|v| format!("{}: {v}", below.display())));
    }
    assert!(found.is_empty(), "layer violations:\n{}", found.join("\n"));
}

#[test]
fn every_directory_of_the_source_has_a_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // Binaries stand above: they only call into their layer.
        assert!(
            !entry.path().is_dir() || name == "bin" || layer(&name).is_some(),
            "src/{name} has no layer in tests/layers.rs"
        );
    }
}

#[test]
fn the_check_sees_what_it_is_for() {
    assert_eq!(violations("wire", "use crate::xmpp::Stream;"), ["wire uses xmpp"]);
    assert_eq!(violations("jingle", "use crate::{wire::{Jid, ns}, media::X};"), ["jingle uses media"]);
    assert_eq!(violations("conference", "fn f() -> crate::engine::E {}"), ["conference uses engine"]);
    assert_eq!(violations("meeting", "use tokio::time;"), ["meeting names tokio"]);
    assert!(violations("client", "use tokio::time; use crate::{meeting, xmpp}; // crate::ffi").is_empty());
    assert!(violations("meeting", "use crate::meeting::x; use crate::time::Time; use crate::conference;").is_empty());
}
