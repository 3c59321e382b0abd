//! Options of members, set by the names they have in every language, and what arguments are read as.

use std::time::Duration;

use libswarm::Options;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors::{invalid, raise};

/// A text from Python; whatever is not one (or has lone surrogates) is a typed error.
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
    Duration::try_from_secs_f64(value).map_err(|_| invalid(format!("{name} is {value}, not a number of seconds")))
}
