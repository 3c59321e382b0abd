//! The version of the loaded library.

use std::ffi::c_char;

/// The version of the binary interface: grows whenever programs must be compiled again.
pub const SWARM_ABI_VERSION: u32 = 1;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of the loaded library, such as "0.1.0". Compare with SWARM_VERSION of the header.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_version() -> *const c_char {
    VERSION.as_ptr().cast()
}

/// The SWARM_ABI_VERSION of the loaded library.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_abi_version() -> u32 {
    SWARM_ABI_VERSION
}
