//! Payloads and results: bytes with a content type, and their limits.

use libswarm_common::error::{Result, invalid};

/// Longest result, in bytes.
pub const MAX_RESULT: usize = 128 * 1024;
/// Longest result that is kept with a completed job, in bytes; longer ones are left out.
pub const MAX_KEPT_RESULT: usize = 64 * 1024;
/// Longest error text kept with a failed job, in bytes; longer ones are cut.
pub const MAX_ERROR_TEXT: usize = 16 * 1024;
/// Longest traceback kept with a failed job, in bytes; of longer ones the end is kept.
pub const MAX_TRACEBACK: usize = 16 * 1024;
/// Longest progress of a job, in bytes.
pub const MAX_PROGRESS: usize = 4096;
/// Longest checkpoint of a job, in bytes.
pub const MAX_CHECKPOINT: usize = 4096;

/// How to interpret the bytes of a payload or result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// UTF-8 JSON text. The default.
    #[default]
    Json,
    /// Bytes whose format is defined by the program.
    Bytes,
}

/// Bytes with their content type. libswarm does not interpret them.
///
/// ```
/// let payload = libswarm::Payload::json(&[1, 2])?;
/// assert_eq!(payload.to::<Vec<u64>>()?, [1, 2]);
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How to interpret them.
    pub content_type: ContentType,
}

impl Payload {
    /// `value` as JSON text.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|e| invalid(format!("the value cannot be written as JSON: {e}")))?;
        Ok(Payload { bytes, content_type: ContentType::Json })
    }

    /// Bytes without interpretation.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Bytes }
    }

    /// Bytes that are JSON text already; not checked here.
    pub fn raw_json(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Json }
    }

    /// Parses the bytes as JSON, whatever the content type is.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|e| invalid(format!("the payload is not the expected JSON: {e}")))
    }
}
