//! Converts Python values to payloads and back: JSON by the C encoder and decoder of the `json` module, bytes unchanged.

use libswarm::{ContentType, Payload};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyRecursionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString};
use serde_json::value::RawValue;

use crate::errors::invalid;
use crate::options::class_of;
use crate::package::package;

/// One value: bytes-like objects as bytes, everything else as JSON.
pub(crate) fn encode(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    if value.is_none() {
        return Ok(Payload::raw_json("null"));
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(Payload::bytes(bytes.as_bytes()));
    }
    if is_bytes(value) {
        let buffer = PyBuffer::<u8>::get(value).map_err(|_| invalid("only a buffer of bytes can be a payload"))?;
        return Ok(Payload::bytes(buffer.to_vec(value.py())?));
    }
    Ok(Payload::raw_json(to_json(value)?.to_str()?.as_bytes()))
}

/// Many values, in one call of the encoder unless some of them are bytes.
pub(crate) fn encode_many(values: &Bound<'_, PyList>) -> PyResult<Vec<Payload>> {
    if values.iter().any(|value| is_bytes(&value)) {
        return values.iter().map(|value| encode(&value)).collect();
    }
    let text = to_json(values)?;
    let elements: Vec<&RawValue> = serde_json::from_str(text.to_str()?)
        .map_err(|error| invalid(format!("the values cannot be written as JSON: {error}")))?;
    Ok(elements.into_iter().map(|element| Payload::raw_json(element.get())).collect())
}

/// The value of a payload.
pub(crate) fn decode<'py>(py: Python<'py>, payload: &Payload) -> PyResult<Bound<'py, PyAny>> {
    match payload.content_type {
        ContentType::Bytes => Ok(PyBytes::new(py, &payload.bytes).into_any()),
        ContentType::Json => decode_json(py, &payload.bytes),
    }
}

/// The value of a JSON text as it was stored.
#[pyfunction]
pub(crate) fn decode_json<'py>(py: Python<'py>, payload_bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let text =
        std::str::from_utf8(payload_bytes.trim_ascii()).map_err(|_| invalid("the payload is not UTF-8; read `payload_bytes`"))?;
    let text = PyString::new(py, text);
    let read = Json::get(py)?.decode.bind(py).call1((&text,)).map_err(|error| {
        let is_expected = error.is_instance_of::<PyValueError>(py) || error.is_instance_of::<PyRecursionError>(py);
        explained(py, error, is_expected, |why| {
            format!("the bytes are not JSON that Python can read ({why}); they are in `payload_bytes`")
        })
    })?;
    let (value, end): (Bound<'_, PyAny>, usize) = read.extract()?;
    if end != text.len()? {
        return Err(invalid(format!("the bytes are not JSON: there is more after position {end}")));
    }
    Ok(value)
}

fn is_bytes(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() || value.is_instance_of::<PyMemoryView>()
}

/// Compact JSON text, without NaN.
fn to_json<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    let py = value.py();
    let json = Json::get(py)?;
    let encode = |encoder: &Py<PyAny>| -> PyResult<Bound<'py, PyString>> {
        let text = encoder.bind(py).call1((value,)).map_err(|error| {
            let is_expected = error.is_instance_of::<PyTypeError>(py)
                || error.is_instance_of::<PyValueError>(py)
                || error.is_instance_of::<PyOverflowError>(py)
                || error.is_instance_of::<PyRecursionError>(py);
            explained(py, error, is_expected, |why| format!("the value cannot be written as JSON: {why}"))
        })?;
        Ok(text.cast_into::<PyString>()?)
    };
    let text = encode(&json.encode)?;
    // Lone surrogates have no UTF-8; they are escaped, as in the JSON of every language.
    if text.to_str().is_ok() { Ok(text) } else { encode(&json.encode_ascii) }
}

/// Converts an error of the `json` module to one of this library, with the first as its cause; other errors stay unchanged.
fn explained(py: Python<'_>, error: PyErr, is_expected: bool, message: impl FnOnce(String) -> String) -> PyErr {
    if !is_expected {
        return error;
    }
    let why = error.value(py).str().map_or_else(|_| class_of(error.value(py)), |text| text.to_string_lossy().into_owned());
    let explained = invalid(message(why));
    explained.set_cause(py, Some(error));
    explained
}

/// Bound methods of the `json` module's encoders and decoder.
struct Json {
    encode: Py<PyAny>,
    encode_ascii: Py<PyAny>,
    /// `raw_decode`, which copies nothing.
    decode: Py<PyAny>,
}

static JSON: PyOnceLock<Json> = PyOnceLock::new();

impl Json {
    fn get(py: Python<'_>) -> PyResult<&Json> {
        JSON.get_or_try_init(py, || Json::new(py))
    }

    fn new(py: Python<'_>) -> PyResult<Json> {
        let json = py.import("json")?;
        let options = PyDict::new(py);
        options.set_item("allow_nan", false)?;
        options.set_item("separators", (",", ":"))?;
        options.set_item("default", pyo3::wrap_pyfunction!(write_instead, py)?)?;
        let encoder = |ascii: bool| {
            options.set_item("ensure_ascii", ascii)?;
            json.getattr("JSONEncoder")?.call((), Some(&options))?.getattr("encode").map(Bound::unbind)
        };
        let decoding = PyDict::new(py);
        decoding.set_item("parse_constant", pyo3::wrap_pyfunction!(refuse_constant, py)?)?;
        let decoder = json.getattr("JSONDecoder")?.call((), Some(&decoding))?;
        Ok(Json { encode: encoder(false)?, encode_ascii: encoder(true)?, decode: decoder.getattr("raw_decode")?.unbind() })
    }
}

/// Imports the `json` module when this one is loaded: an import in another thread during a fork would never end in the child.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    Json::get(py).map(drop)
}

/// Called by the encoder for a value that JSON does not have; returns what is written instead.
#[pyfunction]
fn write_instead<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let package = package(value.py())?;
    if is_bytes(value) {
        let message = "bytes can be a whole payload or result, but not a part of one; JSON has no bytes";
        Err(PyTypeError::new_err(message))
    } else if value.is_instance(package.new_job.bind(value.py()))? {
        let message = "a NewJob can be one of many that are added, but neither a payload nor a part of one";
        Err(PyTypeError::new_err(message))
    } else {
        package.to_json.bind(value.py()).call1((value,))
    }
}

/// Called by the decoder for NaN and infinities.
#[pyfunction]
fn refuse_constant(name: &str) -> PyResult<()> {
    Err(PyValueError::new_err(format!("{name} is not JSON")))
}
