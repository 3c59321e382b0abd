//! Bytes that cross the boundary, and their content types.

use std::ffi::{CStr, c_char};

use libswarm::{ContentType, Payload, Result};

use crate::guard::{guard_value, invalid};

/// A slice of bytes that the struct does not own. `{NULL, 0}` is the empty slice.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct swarm_bytes {
    /// The first byte; may be NULL if `len` is 0.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// How to interpret the bytes of a payload or result.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_content_type {
    /// UTF-8 JSON text; the default. The empty slice stands for `null`. A payload of a job or message that is not JSON is
    /// refused, because Python and Node could not read it. A result or reply that is not JSON is sent as bytes.
    SWARM_CONTENT_JSON = 0,
    /// Bytes whose format is defined by the program.
    SWARM_CONTENT_BYTES = 1,
}

/// The bytes of a NUL-terminated text, without the NUL; the empty slice for NULL. Does not copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_bytes_of(text: *const c_char) -> swarm_bytes {
    guard_value(swarm_bytes::EMPTY, || {
        if text.is_null() {
            return swarm_bytes::EMPTY;
        }
        // SAFETY: a non-NULL `text` is NUL-terminated.
        unsafe { CStr::from_ptr(text) }.to_bytes().into()
    })
}

impl swarm_bytes {
    pub(crate) const EMPTY: swarm_bytes = swarm_bytes { data: std::ptr::null(), len: 0 };

    /// A copy of the bytes. `name` is the argument's name in errors.
    pub(crate) unsafe fn to_vec(self, name: &str) -> Result<Vec<u8>> {
        if self.len == 0 {
            return Ok(Vec::new());
        }
        if self.data.is_null() || self.len > isize::MAX as usize {
            return Err(invalid(format!("the bytes of `{name}` are NULL or too long, with a length of {}", self.len)));
        }
        // SAFETY: the caller's slice is readable for its length.
        Ok(unsafe { std::slice::from_raw_parts(self.data, self.len) }.to_vec())
    }
}

impl From<&[u8]> for swarm_bytes {
    fn from(bytes: &[u8]) -> Self {
        if bytes.is_empty() { swarm_bytes::EMPTY } else { swarm_bytes { data: bytes.as_ptr(), len: bytes.len() } }
    }
}

impl From<ContentType> for swarm_content_type {
    fn from(content_type: ContentType) -> Self {
        match content_type {
            ContentType::Json => swarm_content_type::SWARM_CONTENT_JSON,
            ContentType::Bytes => swarm_content_type::SWARM_CONTENT_BYTES,
        }
    }
}

/// JSON text, checked because its receiver may have to parse it.
///
/// # Safety
/// The caller's slice is readable for its length.
pub(crate) unsafe fn json(bytes: swarm_bytes, name: &str) -> Result<Vec<u8>> {
    // SAFETY: promised by the caller.
    let bytes = unsafe { bytes.to_vec(name) }?;
    if bytes.is_empty() {
        return Ok(b"null".to_vec());
    }
    match check_json(&bytes) {
        Ok(()) => Ok(bytes),
        Err(why) => Err(invalid(format!("`{name}` is not JSON ({why}); pass other bytes as SWARM_CONTENT_BYTES"))),
    }
}

/// A payload of these bytes. Content types are integers here, because C may pass a number that is not in the enum.
pub(crate) unsafe fn payload(bytes: swarm_bytes, content_type: i32, name: &str) -> Result<Payload> {
    Ok(match content_type {
        // SAFETY: the caller's slice is readable for its length.
        0 => Payload { bytes: unsafe { json(bytes, name) }?, content_type: ContentType::Json },
        // SAFETY: as above.
        1 => Payload { bytes: unsafe { bytes.to_vec(name) }?, content_type: ContentType::Bytes },
        other => return Err(invalid(format!("{other} is not a swarm_content_type"))),
    })
}

/// A result or reply of these bytes. Bytes that should be JSON but are not are sent as bytes: if they were refused, a program
/// that ignores the status would let the receiver wait forever.
///
/// # Safety
/// As for [`payload`].
pub(crate) unsafe fn answer(bytes: swarm_bytes, content_type: i32, name: &str) -> Result<Payload> {
    // SAFETY: promised by the caller.
    let bytes = Payload::bytes(unsafe { bytes.to_vec(name) }?);
    match content_type {
        0 if bytes.bytes.is_empty() => Ok(Payload::raw_json("null")),
        0 if check_json(&bytes.bytes).is_ok() => Ok(Payload::raw_json(bytes.bytes)),
        0 | 1 => Ok(bytes),
        other => Err(invalid(format!("{other} is not a swarm_content_type"))),
    }
}

/// Parses the text without building a value.
fn check_json(bytes: &[u8]) -> std::result::Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|e| e.to_string())
}
