//! The JSON form of fields, which the bindings return.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libswarm_common::error::Error;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::job::JobFailure;
use super::payload::{ContentType, Payload};

/// A duration in milliseconds.
pub(super) fn as_ms<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(value.as_millis() as u64)
}

fn ms_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// A time in milliseconds since 1970.
pub(super) fn time<S: Serializer>(value: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(ms_since_1970(*value))
}

/// As [`time`]; `None` must be skipped.
pub(super) fn optional_time<S: Serializer>(value: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(ms_since_1970).serialize(serializer)
}

/// A text; empty for `None`.
pub(super) fn or_empty<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text.as_deref().unwrap_or(""))
}

/// A number; 0 for `None`.
pub(super) fn or_zero<S: Serializer, N: Copy + Default + Serialize>(
    number: &Option<N>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    number.unwrap_or_default().serialize(serializer)
}

/// The text itself if it is valid JSON, else the text as a JSON string.
pub(super) fn raw<S: Serializer>(text: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    match text.clone().and_then(|text| RawValue::from_string(text).ok()) {
        Some(json) => json.serialize(serializer),
        None => text.serialize(serializer),
    }
}

/// `payload` for JSON, `payload_base64` for bytes.
pub(super) fn payload<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    content(payload, ["payload", "payload_base64"], &mut map)?;
    map.end()
}

/// The `state` completed with the `result` if it is JSON, `result_base64` for bytes.
pub(super) fn result<S: Serializer>(payload: &Payload, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(2))?;
    map.serialize_entry("state", "completed")?;
    content(payload, ["result", "result_base64"], &mut map)?;
    map.end()
}

/// `result` for JSON, `result_base64` for bytes, nothing for `None`.
pub(super) fn kept_result<S: Serializer>(result: &Option<Payload>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if let Some(payload) = result {
        content(payload, ["result", "result_base64"], &mut map)?;
    }
    map.end()
}

fn content<M: SerializeMap>(payload: &Payload, [json_name, bytes_name]: [&str; 2], map: &mut M) -> Result<(), M::Error> {
    use base64::Engine;
    let json = (payload.content_type == ContentType::Json)
        .then(|| String::from_utf8(payload.bytes.clone()).ok().and_then(|text| RawValue::from_string(text).ok()))
        .flatten();
    match json {
        Some(json) => map.serialize_entry(json_name, &json),
        None => map.serialize_entry(bytes_name, &base64::engine::general_purpose::STANDARD.encode(&payload.bytes)),
    }
}

/// The name of the kind as `error`, and `error_message`; both empty for `None`.
pub(super) fn error_fields<S: Serializer>(error: &Option<Error>, serializer: S) -> Result<S::Ok, S::Error> {
    let kind = error.as_ref().map_or("", |error| error.kind().name());
    serializer.collect_map([("error", kind), ("error_message", error.as_ref().map_or("", Error::message))])
}

/// `reason`, `error`, `traceback` and `failed_at`, as far as they are known.
pub(super) fn failure<S: Serializer>(failure: &Option<JobFailure>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    if let Some(JobFailure { reason, message, traceback, at }) = failure {
        if !reason.name().is_empty() {
            map.serialize_entry("reason", reason.name())?;
        }
        if !message.is_empty() {
            map.serialize_entry("error", message)?;
        }
        if let Some(traceback) = traceback {
            map.serialize_entry("traceback", traceback)?;
        }
        if let Some(at) = at {
            map.serialize_entry("failed_at", &ms_since_1970(*at))?;
        }
    }
    map.end()
}
