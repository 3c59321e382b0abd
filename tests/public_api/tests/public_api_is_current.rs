//! The public API of the crates that Rust programs use is what is committed beside this test. `SWARM_WRITE_PUBLIC_API=1` writes it anew.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The documentation of a crate as JSON. Only rustdoc gets the variable that has it write JSON: it makes cargo build dependencies anew.
fn json_of(package: &str) -> PathBuf {
    let target = Path::new(ROOT).join("target");
    let status = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--package", package, "--target-dir"])
        .arg(&target)
        .args(if package == "libswarm" { &["--features", "testing,opentelemetry"][..] } else { &[] })
        .args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("RUSTDOC", Path::new(env!("CARGO_MANIFEST_DIR")).join("rustdoc.sh"))
        .current_dir(ROOT)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "cargo rustdoc failed for {package}");
    target.join("doc").join(package.replace('-', "_")).with_extension("json")
}

/// Whether rustdoc of this toolchain writes the format that the library reads.
fn is_readable(json: &Path) -> bool {
    let text = std::fs::read_to_string(json).expect("rustdoc wrote it");
    let document: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let format = document["format_version"].as_u64();
    let readable = format == Some(57);
    if !readable {
        eprintln!("skipped: rustdoc of this toolchain writes format {format:?}, and the check reads 57");
    }
    readable
}

fn check(package: &str) {
    let json = json_of(package);
    if !is_readable(&json) {
        return;
    }
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .expect("a readable document");
    let now: String = api.items().map(|item| format!("{item}\n")).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).with_extension("txt");
    if std::env::var_os("SWARM_WRITE_PUBLIC_API").is_some() {
        std::fs::write(&file, &now).expect("the file is writable");
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let new: Vec<_> = now.lines().filter(|line| !committed.lines().any(|known| known == *line)).collect();
    let gone: Vec<_> = committed.lines().filter(|line| !now.lines().any(|known| known == *line)).collect();
    assert!(
        now == committed,
        "the public API of {package} has changed; if that is wanted, `make public-api` writes it anew\nnew: {new:#?}\ngone: {gone:#?}"
    );
}

#[test]
fn the_public_api_is_what_is_committed() {
    check("libswarm");
    check("libswarm-supervisor");
}
