//! Takes the file that DOCUMENTED_BLOCKS names, so that the blocks are compiled as a part of this crate; without it there are none.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-env-changed=DOCUMENTED_BLOCKS");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("blocks.rs");
    match std::env::var_os("DOCUMENTED_BLOCKS") {
        Some(blocks) => {
            println!("cargo::rerun-if-changed={}", blocks.display());
            std::fs::copy(&blocks, out).expect("the blocks can be copied");
        }
        None => std::fs::write(out, "async fn run(name: &str) -> Ended {\n    panic!(\"no block {name}\")\n}\n")
            .expect("can be written"),
    }
}
