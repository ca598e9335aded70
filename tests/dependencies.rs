//! docs/dependencies.md: each direct dependency has its reason there, and the tree has the size that it says.

use std::collections::BTreeSet;
use std::path::Path;
#[cfg(all(feature = "cli", feature = "testkit", target_os = "linux", target_arch = "x86_64"))]
use std::process::Command;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

/// The names under a heading of Cargo.toml.
fn names(manifest: &str, heading: &str) -> Vec<String> {
    let section = manifest.split(&format!("\n{heading}\n")).nth(1).expect(heading);
    let lines = section.lines().take_while(|l| !l.starts_with('['));
    lines.filter_map(|l| l.split_once(" = ")).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn each_direct_dependency_has_its_reason() {
    let (manifest, page) = (read("Cargo.toml"), read("docs/dependencies.md"));
    let first = page.lines().filter_map(|l| l.strip_prefix("| ")?.split(" | ").next());
    let told: BTreeSet<&str> =
        first.flat_map(|cell| cell.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'))).collect();
    let mut all = names(&manifest, "[dependencies]");
    all.extend(names(&manifest, "[dev-dependencies]"));
    assert!(all.len() > 30, "{all:?}");
    let missing: Vec<_> = all.iter().filter(|n| *n != "jmeet" && !told.contains(n.as_str())).collect();
    assert!(missing.is_empty(), "no reason is told for {missing:?}");
}

/// How many crates there are with these features. By what cargo has at hand, which is all of them where all features were built.
#[cfg(all(feature = "cli", feature = "testkit", target_os = "linux", target_arch = "x86_64"))]
fn crates(features: &str, edges: &str) -> usize {
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--no-default-features"])
        .args(["--target", "x86_64-unknown-linux-gnu", "--features", features, "--edges", edges])
        .output()
        .expect("cargo tree");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).expect("UTF-8");
    text.lines().filter_map(|l| l.split(" (").next()).filter(|l| !l.is_empty()).collect::<BTreeSet<_>>().len()
}

#[cfg(all(feature = "cli", feature = "testkit", target_os = "linux", target_arch = "x86_64"))]
#[test]
fn the_tree_has_the_size_that_is_told() {
    let page = read("docs/dependencies.md");
    let table = page.split("| Features | Crates |").nth(1).expect("the table");
    let mut lines = 0;
    for line in table.lines().skip(2).take_while(|l| l.starts_with('|')) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let features = cells[0].split(':').next().expect("a name").replace(' ', "");
        let features = if features == "none" { "" } else { &features };
        let now = ["normal", "normal,build"].map(|e| crates(features, e).to_string());
        assert_eq!(now, [cells[1], cells[2]], "{}", cells[0]);
        lines += 1;
    }
    assert_eq!(lines, 6);
}
