//! Options and job options, set by the names they have in every language.

use std::time::Duration;

use libswarm::{NewJob, Options};
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

/// Options that every job of one call has.
#[derive(Default)]
pub(crate) struct JobOptions {
    pub(crate) result: bool,
    pub(crate) result_ttl: Option<f64>,
}

impl JobOptions {
    pub(crate) fn apply(&self, job: NewJob) -> PyResult<NewJob> {
        let job = if self.result { job.result(true) } else { job };
        match self.result_ttl {
            Some(ttl) => Ok(job.result_ttl(seconds("result_ttl", ttl)?)),
            None => Ok(job),
        }
    }
}

/// A duration in seconds, which must be finite and not negative.
pub(crate) fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|_| invalid(format!("{name} is {value}, not a number of seconds")))
}
