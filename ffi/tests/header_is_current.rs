//! The committed header is what the sources say. `SWARM_WRITE_HEADER=1` writes it instead (`make header`).

use std::path::Path;

#[path = "header/sections.rs"]
mod sections;

#[test]
fn header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../include/swarm.h");
    let generated = generate(root);
    if std::env::var_os("SWARM_WRITE_HEADER").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().expect("the path has a parent")).expect("making include/");
        std::fs::write(&path, generated).expect("writing include/swarm.h");
        return;
    }
    let committed = std::fs::read_to_string(&path).expect("reading include/swarm.h; `make header` writes it");
    assert!(committed == generated, "include/swarm.h is not what ffi/src says; run `make header` and commit it");
}

fn generate(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("reading cbindgen.toml");
    let after_includes = config.after_includes.expect("cbindgen.toml has after_includes");
    config.after_includes = Some(after_includes.replace("@VERSION@", &version_lines()));
    let mut header = Vec::new();
    cbindgen::Builder::new().with_crate(root).with_config(config).generate().expect("generating the header").write(&mut header);
    sections::arrange(&String::from_utf8(header).expect("the header is text"), &root.join("src"))
}

/// The version comes from the manifest alone, so that it cannot be typed wrong a second time.
fn version_lines() -> String {
    let [major, minor, patch] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
    format!(
        "#define SWARM_VERSION \"{}\"\n\
         #define SWARM_VERSION_MAJOR {major}\n\
         #define SWARM_VERSION_MINOR {minor}\n\
         #define SWARM_VERSION_PATCH {patch}\n\
         #define SWARM_VERSION_NUMBER (SWARM_VERSION_MAJOR * 1000000 + SWARM_VERSION_MINOR * 1000 + SWARM_VERSION_PATCH)",
        env!("CARGO_PKG_VERSION")
    )
}
