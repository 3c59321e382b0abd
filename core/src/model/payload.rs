//! Bytes that programs exchange, and their limits.

use libswarm_common::error::{Result, invalid};

/// Longest result, in bytes.
pub const MAX_RESULT: usize = 128 * 1024;
/// Longest error text kept with a failed job, in bytes; longer ones are cut.
pub const MAX_ERROR_TEXT: usize = 16 * 1024;
/// Longest traceback kept with a failed job, in bytes; of longer ones the end is kept.
pub const MAX_TRACEBACK: usize = 16 * 1024;
/// Longest progress of a job, in bytes.
pub const MAX_PROGRESS: usize = 4096;

/// How the bytes of a payload or result are to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ContentType {
    /// UTF-8 JSON text. The default.
    #[default]
    Json,
    /// Bytes of the caller's own meaning.
    Bytes,
}

/// Bytes with their content type. libswarm never looks into them.
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
    /// How to read them.
    pub content_type: ContentType,
}

impl Payload {
    /// `value` as JSON text.
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(value).map_err(|e| invalid(format!("the value cannot be written as JSON: {e}")))?;
        Ok(Payload { bytes, content_type: ContentType::Json })
    }

    /// Bytes as they are.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Bytes }
    }

    /// Bytes that already are JSON text; not checked here.
    pub fn raw_json(bytes: impl Into<Vec<u8>>) -> Self {
        Payload { bytes: bytes.into(), content_type: ContentType::Json }
    }

    /// Reads the bytes as JSON, whatever the content type is.
    pub fn to<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.bytes).map_err(|e| invalid(format!("the payload is not the expected JSON: {e}")))
    }
}
