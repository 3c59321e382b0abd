//! The error object of functions that can fail.

use std::ffi::{CString, c_char};

use libswarm::Error;

use crate::status::swarm_status;

/// Why a call failed: a status, and a message that states what was being done and what to do about the error.
pub struct swarm_error {
    status: swarm_status,
    retryable: bool,
    message: CString,
}

/// The status of the error; `SWARM_OK` for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_error_status(error: Option<&swarm_error>) -> swarm_status {
    error.map_or(swarm_status::SWARM_OK, |error| error.status)
}

/// The message, UTF-8; "" for NULL. Valid as long as the error.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_error_message(error: Option<&swarm_error>) -> *const c_char {
    error.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Whether the same call may succeed later without any change by the caller; false for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_error_is_retryable(error: Option<&swarm_error>) -> bool {
    error.is_some_and(|error| error.retryable)
}

/// Frees an error that a function returned. Errors passed to callbacks are borrowed and must not be freed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_error_free(error: Option<Box<swarm_error>>) {
    // Without a guard: nothing in it can panic.
    drop(error);
}

impl From<Error> for swarm_error {
    fn from(error: Error) -> Self {
        swarm_error { status: error.kind().into(), retryable: error.kind().is_retryable(), message: text(error.message()) }
    }
}

/// The error for a callback; NULL if there is none.
pub(crate) fn shown(error: &Option<swarm_error>) -> *const swarm_error {
    error.as_ref().map_or(std::ptr::null(), |error| error)
}

/// `text` for C; NUL bytes are replaced by U+FFFD.
pub(crate) fn text(text: &str) -> CString {
    CString::new(text).unwrap_or_else(|_| CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default())
}
