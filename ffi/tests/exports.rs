//! The shared library exports exactly what the header declares, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An interface that a reader can take in, without the functions for tests, `swarm_test_*`, which programs do not call. `nm -D --defined-only target/release/libswarm.so | wc -l` counts them.
const MAX_FUNCTIONS: usize = 155;

#[test]
fn exported_symbols_are_those_of_the_header() {
    let header = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/swarm.h"))
        .expect("reading include/swarm.h; `make header` writes it");
    let declared = declared_functions(&header);
    let exported = exported_symbols(&library());
    assert!(declared.len() > 50, "the header was not understood: {declared:?}");
    let count = declared.iter().filter(|name| !name.starts_with("swarm_test_")).count();
    assert!(count < MAX_FUNCTIONS, "{count} functions: find a way with fewer");
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!(only(&exported, &declared), Vec::<String>::new(), "exported but not declared");
    assert_eq!(only(&declared, &exported), Vec::<String>::new(), "declared but not exported");
}

/// The shared library that was built with this test; cargo puts both in the same folder.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the test has a path");
    let folder = test.parent().expect("the test is in a folder");
    let name = format!("{}swarm{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = folder.join(name);
    assert!(path.exists(), "cargo builds {} with this test", path.display());
    path
}

fn exported_symbols(library: &Path) -> BTreeSet<String> {
    let output = Command::new("nm").args(["-D", "--defined-only"]).arg(library).output().expect("running nm (binutils)");
    assert!(output.status.success(), "nm failed: {}", String::from_utf8_lossy(&output.stderr));
    let symbols = String::from_utf8_lossy(&output.stdout);
    symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

/// Names before a parenthesis at the start of a declaration; types in comments and callbacks have none.
fn declared_functions(header: &str) -> BTreeSet<String> {
    let outside_comments = header.lines().filter(|line| !line.trim_start().starts_with(['/', '*', '#']));
    let code = outside_comments.collect::<Vec<_>>().join("\n");
    let names = code.split('(').filter_map(|before| before.split(|c: char| !(c.is_alphanumeric() || c == '_')).next_back());
    names.filter(|name| name.starts_with("swarm_")).map(str::to_owned).collect()
}
