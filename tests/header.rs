//! `include/jmeet.h` and `jmeet_testkit.h` are what cbindgen makes of `src/ffi` today, every exported function is one macro call, and
//! `jmeet.hpp` leaves none out.
//!
//! `JMEET_WRITE_HEADER=1 cargo test --test header` writes the headers anew.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources() -> Vec<PathBuf> {
    // In the order in which a reader of the header wants them.
    let order = [
        "version",
        "status",
        "event_kind",
        "room_kinds",
        "media_kinds",
        "args",
        "error",
        "log",
        "runtime",
        "queue",
        "event",
        "event_info",
        "client",
        "conference",
        "bridge_info",
        "bridge_states",
        "mute",
        "refusals",
        "tones",
        "stats",
        "participant",
        "track",
        "writer",
        "reader",
        "frame",
    ];
    order.iter().map(|name| source(name)).collect()
}

#[test]
fn every_file_that_exports_functions_is_part_of_a_header() {
    let mut known = sources();
    known.push(source("testkit"));
    for file in std::fs::read_dir(root().join("src/ffi")).unwrap().map(|f| f.unwrap().path()) {
        let exports = std::fs::read_to_string(&file).is_ok_and(|t| t.contains("\n#[unsafe(no_mangle)]"));
        assert!(!exports || known.contains(&file), "{} is in no header", file.display());
    }
}

fn source(name: &str) -> PathBuf {
    root().join("src/ffi").join(format!("{name}.rs"))
}

/// What a field of this type is in an INIT macro.
fn zero(declaration: &str) -> &'static str {
    match declaration {
        d if d.contains('*') => "NULL",
        d if d.starts_with("jmeet_str ") || d.starts_with("jmeet_bytes ") => "{ NULL, 0 }",
        d if d.starts_with("bool ") => "false",
        _ => "0",
    }
}

/// An INIT macro for each struct that starts with `struct_size`, naming every field in order: designators are not C++11.
fn init_macros(header: &str) -> String {
    let mut out = String::new();
    for part in header.split("typedef struct {").skip(1) {
        let Some((body, rest)) = part.split_once("\n} ") else { continue };
        let name = rest.split(';').next().unwrap_or_default();
        let mut fields = Vec::new();
        let mut comment = false;
        for line in body.lines().map(str::trim).filter(|l| !l.is_empty()) {
            comment |= line.starts_with("/*");
            if !comment {
                fields.push(line.trim_end_matches(';'));
            }
            comment &= !line.ends_with("*/");
        }
        if fields.first() != Some(&"uint32_t struct_size") {
            continue;
        }
        let values: Vec<&str> = fields[1..].iter().map(|f| zero(f)).collect();
        let _ = write!(
            out,
            "/** A `{name}` with every field at its default. */\n#define {}_INIT \\\n    {{ (uint32_t)sizeof({name}), {} }}\n\n",
            name.to_uppercase(),
            values.join(", ")
        );
    }
    out.trim_end().to_owned()
}

/// A comment of one line takes one line.
fn one_line_comments(header: &str) -> String {
    let lines: Vec<&str> = header.lines().collect();
    let mut out = String::new();
    let mut n = 0;
    while n < lines.len() {
        let text = lines.get(n + 1).and_then(|l| l.trim_start().strip_prefix("* "));
        let ends = lines.get(n + 2).is_some_and(|l| l.trim() == "*/");
        match (lines[n].strip_suffix("/**"), text) {
            (Some(indent), Some(text)) if ends && indent.trim().is_empty() => {
                let _ = writeln!(out, "{indent}/** {text} */");
                n += 3;
            }
            _ => {
                out.push_str(lines[n]);
                out.push('\n');
                n += 1;
            }
        }
    }
    out
}

fn generate(config: &str, sources: &[PathBuf]) -> String {
    let config = cbindgen::Config::from_file(root().join(config)).expect("a configuration");
    let mut builder = cbindgen::Builder::new().with_config(config.clone());
    for source in sources {
        builder = builder.with_src(source);
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads src/ffi").write(&mut bytes);
    let header = String::from_utf8(bytes).expect("UTF-8");
    // cbindgen has one choice for both; descriptors and sockets are intptr_t, sizes are size_t.
    let header = header.replace("ptrdiff_t", "intptr_t");
    let header = one_line_comments(&header);
    let (body, end) = header.rsplit_once("#endif").expect("an include guard");
    format!("{}\n\n{}\n\n#endif{end}", body.trim_end(), init_macros(&header))
}

fn is_committed(name: &str, header: &str) {
    let path = root().join("include").join(name);
    if std::env::var_os("JMEET_WRITE_HEADER").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("include/");
        std::fs::write(&path, header).expect("a header");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    for (n, (old, new)) in committed.lines().zip(header.lines()).enumerate() {
        assert_eq!(old, new, "include/{name} line {}: run JMEET_WRITE_HEADER=1 cargo test --test header", n + 1);
    }
    assert_eq!(committed.len(), header.len());
}

#[test]
fn the_committed_header_is_what_the_source_says() {
    is_committed("jmeet.h", &generate("cbindgen.toml", &sources()));
}

#[test]
fn the_committed_testkit_header_is_what_the_source_says() {
    is_committed("jmeet_testkit.h", &generate("cbindgen-testkit.toml", &[source("testkit")]));
}

/// Each exported function of a source: its name, comment and body.
fn functions(path: &Path) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(path).expect("a source file");
    let mut out = Vec::new();
    for (at, _) in text.match_indices("#[unsafe(no_mangle)]") {
        let comment: Vec<&str> = text[..at].lines().rev().take_while(|l| l.starts_with("///")).collect();
        let item = &text[at..];
        let name = item.split("fn ").nth(1).and_then(|s| s.split('(').next()).unwrap_or_default();
        let end = item.find("\n}\n").expect("a function ends");
        let body = item[..end].split_once("{\n").expect("a body").1;
        out.push((name.to_owned(), comment.join("\n"), body.to_owned()));
    }
    out
}

fn all_functions() -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("src/ffi")).expect("src/ffi") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            found.extend(functions(&path));
        }
    }
    assert!(found.len() > 80, "{}", found.len());
    found
}

#[test]
fn every_exported_function_is_one_macro_call() {
    for (name, _, body) in all_functions() {
        let body = body.trim();
        assert!(body.starts_with("entry!(") && body.ends_with(')'), "{name}: {body}");
        // The parenthesis that opens the macro closes at the very end.
        let mut depth = 0;
        let closes = body.char_indices().find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            *c == ')' && depth == 0
        });
        assert_eq!(closes.map(|(at, _)| at), Some(body.len() - 1), "{name}: more than one macro call");
    }
}

#[test]
fn every_exported_function_is_documented_and_named_by_the_rule() {
    for (name, comment, _) in all_functions() {
        assert!(name.starts_with("jmeet_"), "{name}");
        assert!(comment.len() > "/// Reads".len(), "{name} needs words");
    }
}

/// A header without its comments.
fn code(header: &str) -> String {
    let text = std::fs::read_to_string(root().join("include").join(header)).expect("a header");
    let mut out = String::new();
    for (n, part) in text.split("/*").enumerate() {
        out.push_str(if n == 0 { part } else { part.split_once("*/").expect("a comment ends").1 });
    }
    out.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// What `jmeet.hpp` does without, beside the `_init` functions: C++ sees the INIT macros.
const NOT_FOR_CPP: [(&str, &str); 4] = [
    ("jmeet_error_status", "jmeet_error_get reads all of an error at once"),
    ("jmeet_error_stage", "jmeet_error_get reads all of an error at once"),
    ("jmeet_error_condition", "jmeet_error_get reads all of an error at once"),
    ("jmeet_error_text", "jmeet_error_get reads all of an error at once"),
];

#[test]
fn the_header_for_cpp_calls_every_function() {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (c, cpp) = (code("jmeet.h"), code("jmeet.hpp"));
    let words: std::collections::HashSet<&str> = cpp.split(|c: char| !is_word(c)).collect();
    let declared: Vec<&str> = c
        .match_indices('(')
        .filter_map(|(at, _)| c[..at].rsplit(|c: char| !is_word(c)).next())
        .filter(|name| name.starts_with("jmeet_") && !name.ends_with("_init"))
        .collect();
    assert!(declared.len() > 120, "{}", declared.len());
    for name in &declared {
        let excepted = NOT_FOR_CPP.iter().any(|(n, _)| n == name);
        assert!(
            words.contains(name) != excepted,
            "{name}: call it in jmeet.hpp, or say in NOT_FOR_CPP why not, not both"
        );
    }
    for (name, _) in NOT_FOR_CPP {
        assert!(declared.contains(&name), "{name} is no function any more");
    }
}

#[test]
fn extern_c_functions_live_in_ffi_only() {
    fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if std::fs::read_to_string(&path).is_ok_and(|t| t.contains("no_mangle")) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("src"), &mut found);
    // The testkit has C functions of its own, in its own header.
    found.retain(|p| !p.starts_with(root().join("src/ffi")) && !p.starts_with(root().join("src/testkit")));
    assert!(found.is_empty(), "{found:?}");
}
