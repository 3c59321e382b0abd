//! Options of members by their common names, and conversions of arguments. Each error contains the name of its argument.

use std::time::Duration;

use libswarm::Options;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyStringMethods};

use crate::errors::{invalid, raise};

/// A str; anything else, or a str with lone surrogates, is a typed error.
pub(crate) struct Text(pub(crate) String);

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(text) = object.cast::<PyString>() else {
            return Err(invalid(format!("expected a str, got {}", object.get_type().name()?)));
        };
        match text.to_str() {
            Ok(text) => Ok(Text(text.to_owned())),
            Err(_) => Err(invalid("a str with lone surrogates cannot be written as UTF-8")),
        }
    }
}

/// The name of a value's class, for errors.
pub(crate) fn class_of(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".into(), |name| name.to_string_lossy().into_owned())
}

/// An argument that is a str.
pub(crate) fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyString>() {
        Err(_) => Err(invalid(format!("{name} is of type {}, it must be a str", class_of(value)))),
        Ok(text) => match text.to_str() {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(invalid(format!("{name} has lone surrogates, which cannot be written as UTF-8"))),
        },
    }
}

/// An argument that is a list of str; a single str, which is also a sequence of str, is refused.
pub(crate) fn texts(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let wrong = || invalid(format!("{name} is of type {}, it must be a list of str", class_of(values)));
    if values.is_instance_of::<PyString>() {
        return Err(invalid(format!("{name} is one str, it must be a list of them")));
    }
    if values.is_instance_of::<PyDict>() {
        return Err(wrong());
    }
    let each = format!("an element of {name}");
    values.try_iter().map_err(|_| wrong())?.map(|value| text(&each, &value?)).collect()
}

/// An argument that is a str or None.
pub(crate) fn some_text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if value.is_none() { Ok(None) } else { text(name, value).map(Some) }
}

/// As `texts`; None if there are none.
pub(crate) fn some_texts(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Option<Vec<String>>> {
    if values.is_none() { Ok(None) } else { texts(name, values).map(Some) }
}

/// An argument that is a whole number.
pub(crate) fn integer(name: &str, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if value.is_instance_of::<PyBool>() || value.getattr("__index__").is_err() {
        return Err(invalid(format!("{name} is of type {}, it must be an int", class_of(value))));
    }
    value.extract().map_err(|_| invalid(format!("{name} is out of bounds")))
}

/// An argument that is a number of slots; the core checks that it is not 0.
pub(crate) fn slots(value: &Bound<'_, PyAny>) -> PyResult<u32> {
    let number = integer("slots", value)?;
    u32::try_from(number).map_err(|_| invalid(format!("slots is `{number}`, it must be a whole number from 1 to {}", u32::MAX)))
}

/// An argument that is a number.
pub(crate) fn number(name: &str, what: &str, value: &Bound<'_, PyAny>) -> PyResult<f64> {
    if value.is_instance_of::<PyBool>() || value.is_instance_of::<PyString>() {
        return Err(invalid(format!("{name} is of type {}, it must be {what}", class_of(value))));
    }
    value.extract::<f64>().map_err(|_| invalid(format!("{name} is of type {}, it must be {what}", class_of(value))))
}

/// An argument that is True or False.
pub(crate) fn flag(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    match value.cast::<PyBool>() {
        Ok(flag) => Ok(flag.is_true()),
        Err(_) => Err(invalid(format!("{name} is of type {}, it must be True or False", class_of(value)))),
    }
}

/// A duration in seconds.
pub(crate) fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    seconds(name, number(name, "a number of seconds", value)?)
}

/// As `duration`; None if there is none.
pub(crate) fn some_duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if value.is_none() { Ok(None) } else { duration(name, value).map(Some) }
}

/// The options of a member, checked.
pub(crate) fn options(cluster: Text, settings: Vec<(Text, Text)>) -> PyResult<Options> {
    let mut options = Options::new(cluster.0);
    options.language = "python".into();
    for (Text(name), Text(value)) in settings {
        options.set(&name, &value).map_err(raise)?;
    }
    options.check().map_err(raise)?;
    Ok(options)
}

/// A duration in seconds, which must be finite and not negative.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| invalid(format!("{name} is {value}, it must be a number of seconds, from 0 on")))
}
