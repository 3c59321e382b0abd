//! Joins the Lua files of each command into one source, so that programs need not do it when they start.

#[path = "src/store/bundle.rs"]
mod bundle;

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=src/store/lua");
    println!("cargo::rerun-if-changed=src/store/bundle.rs");
    let folder = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    bundle::names().try_for_each(|name| std::fs::write(folder.join(format!("{name}.lua")), bundle::command(name)))
}
