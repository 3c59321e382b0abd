//! Answers of calls as JSON text.

use std::ffi::{CString, c_char};

use libswarm::{Error, ErrorKind, Result};

use crate::call::{Answer, swarm_call};
use crate::error::text as c_text;

/// The answer of a call as JSON text, UTF-8 with a final NUL. NULL if there is none, such as for swarm_master_job with the id of
/// no job, or before the call has ended. Valid as long as the call. The reference of the C API lists the fields.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_json(call: Option<&swarm_call>) -> *const c_char {
    swarm_call::read::<Json>(call).and_then(|json| json.0.as_ref()).map_or(std::ptr::null(), |text| text.as_ptr())
}

/// JSON text, or none.
pub(crate) struct Json(pub(crate) Option<CString>);

impl Answer for Json {}

impl Json {
    pub(crate) fn of(value: &impl serde::Serialize) -> Result<Json> {
        json_text(serde_json::to_string(value)).map(|text| Json(Some(text)))
    }
}

pub(crate) fn json_text(json: serde_json::Result<String>) -> Result<CString> {
    let json = json.map_err(|e| Error::new(ErrorKind::Internal, format!("writing the answer as JSON: {e}")))?;
    // JSON text has no NUL.
    Ok(c_text(&json))
}
