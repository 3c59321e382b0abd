//! Python values as payloads and back: JSON by the `json` module's C encoder and decoder, bytes as they are.

use libswarm::{ContentType, Payload};
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyList, PyMemoryView, PyString};

use crate::errors::invalid;

/// One value: bytes-like objects as bytes, everything else as JSON.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    if value.is_none() {
        return Ok(Payload::raw_json("null"));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Payload::bytes(bytes.as_bytes()));
    }
    if value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>() {
        let buffer = PyBuffer::<u8>::get(value).map_err(|_| invalid("only a buffer of bytes can be a payload"))?;
        return Ok(Payload::bytes(buffer.to_vec(value.py())?));
    }
    let text = codec(value.py(), &ENCODE, "encode")?.call1((value,))?;
    Ok(Payload::raw_json(utf8(&text)?.as_bytes()))
}

/// Many values, all in one call of the encoder, cut apart here; None if some are not JSON: bytes, or jobs with options of their own.
pub(crate) fn encode_many(values: &Bound<'_, PyList>) -> PyResult<Option<Vec<Payload>>> {
    let text = codec(values.py(), &ENCODE_LIST, "encode_list")?.call1((values,))?;
    if text.is_none() {
        return Ok(None);
    }
    Ok(Some(split_array(utf8(&text)?.as_bytes()).into_iter().map(Payload::raw_json).collect()))
}

/// The value of a payload.
pub(crate) fn decode<'py>(py: Python<'py>, payload: &Payload) -> PyResult<Bound<'py, PyAny>> {
    match payload.content_type {
        ContentType::Bytes => Ok(PyBytes::new(py, &payload.bytes).into_any()),
        ContentType::Json => {
            let text =
                std::str::from_utf8(payload.bytes.trim_ascii()).map_err(|_| invalid("the payload is not UTF-8; read `body`"))?;
            codec(py, &DECODE, "decode")?.call1((text,))
        }
    }
}

static ENCODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static ENCODE_LIST: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static DECODE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

fn codec<'py>(py: Python<'py>, function: &'static PyOnceLock<Py<PyAny>>, name: &str) -> PyResult<&'py Bound<'py, PyAny>> {
    function.import(py, "libswarm._codec", name)
}

/// Looks up what is otherwise looked up when first needed. Called when the package is imported: a lookup under way in another thread at
/// a fork would never end in the child.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    codec(py, &ENCODE, "encode")?;
    codec(py, &ENCODE_LIST, "encode_list")?;
    codec(py, &DECODE, "decode")?;
    Ok(())
}

fn utf8<'a>(text: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    text.cast::<PyString>()?.to_str()
}

/// The elements of a JSON array, as the encoder writes it: no space between them, a backslash only in strings.
fn split_array(text: &[u8]) -> Vec<&[u8]> {
    let mut elements = Vec::new();
    let (mut depth, mut start, mut at) = (0u32, 1, 0);
    while at < text.len() {
        match text[at] {
            b'"' => at = end_of_string(text, at + 1),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth -= 1;
                if depth == 0 && at > start {
                    elements.push(&text[start..at]);
                }
            }
            b',' if depth == 1 => {
                elements.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    elements
}

/// The index of the quote that ends the string which begins at `at`.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b'"' {
        at += if text[at] == b'\\' { 2 } else { 1 };
    }
    at
}
