//! Sets the soname of the shared library: `libswarm.so.0.1` for 0.1.x, `libswarm.so.1` from 1.0, as cargo-c does.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let version = |part: &str| std::env::var(format!("CARGO_PKG_VERSION_{part}")).expect("set by cargo");
    let (major, minor) = (version("MAJOR"), version("MINOR"));
    let abi = if major == "0" { format!("{major}.{minor}") } else { major };
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux" | "android" | "freebsd" | "netbsd" | "openbsd" | "dragonfly") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libswarm.so.{abi}");
        }
        Ok("macos") => println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libswarm.{abi}.dylib"),
        _ => {}
    }
}
