//! The options of a job by their Python names and units, as settings of the core's.

use libswarm::NewJob;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyMapping};

use crate::errors::{invalid, raise};
use crate::options::Text;

/// Read once, set on every job of a call. Empty for a plain job.
#[derive(Default)]
pub(crate) struct JobOptions(Vec<Setting>);

enum Setting {
    /// An option of the core's, with its text.
    Option(String, String),
    Header(String, String),
}

impl JobOptions {
    /// Those that are None are left at their defaults.
    pub(crate) fn read(options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut settings = Settings(Vec::new());
        for (name, value) in options {
            if !value.is_none() {
                settings.read(name.extract()?, &value)?;
            }
        }
        Ok(JobOptions(settings.0))
    }

    pub(crate) fn apply(&self, mut job: NewJob) -> PyResult<NewJob> {
        for setting in &self.0 {
            match setting {
                Setting::Option(name, text) => job.set(name, text).map_err(raise)?,
                Setting::Header(name, value) => job = job.header(name, value),
            }
        }
        Ok(job)
    }
}

struct Settings(Vec<Setting>);

impl Settings {
    fn read(&mut self, Text(name): Text, value: &Bound<'_, PyAny>) -> PyResult<()> {
        match &*name {
            "id" | "task" | "resource" | "similar" | "durability" => self.push(&name, text(&name, value)?),
            "result" | "tied" | "priority" | "retries" => self.push(&name, plain(value)?),
            "result_ttl" | "delay" => self.push(&name, milliseconds(&name, value)?),
            "run_at" => self.push(&name, time(&name, value)?),
            "headers" => {
                for (header, value) in entries(&name, value)? {
                    self.0.push(Setting::Header(text("a header's name", &header)?, text("a header", &value)?));
                }
            }
            "backoff" if value.extract::<f64>().is_ok() => {
                self.push("backoff", "fixed".into());
                self.push("backoff_delay", milliseconds(&name, value)?);
            }
            "backoff" => self.fields(
                &name,
                value,
                &[
                    ("type", "backoff", text),
                    ("delay", "backoff_delay", milliseconds),
                    ("max", "backoff_max", milliseconds),
                    ("jitter", "backoff_jitter", |_, value| plain(value)),
                ],
            )?,
            "timeouts" => self.fields(
                &name,
                value,
                &[
                    ("assign", "assign_timeout", milliseconds),
                    ("run", "run_timeout", milliseconds),
                    ("total", "total_timeout", milliseconds),
                ],
            )?,
            _ => return Err(invalid(format!("there is no job option `{name}`"))),
        }
        Ok(())
    }

    /// An option that is a mapping: each field is an option of the core's.
    fn fields(&mut self, name: &str, value: &Bound<'_, PyAny>, known: &[(&str, &str, Reader)]) -> PyResult<()> {
        for (field, value) in entries(name, value)? {
            let field = text(name, &field)?;
            let Some((_, option, reader)) = known.iter().find(|(known, ..)| *known == field) else {
                let known: Vec<_> = known.iter().map(|(known, ..)| *known).collect();
                return Err(invalid(format!("{name} has no field `{field}`, only {}", known.join(", "))));
            };
            if !value.is_none() {
                self.push(option, reader(&format!("{name} {field}"), &value)?);
            }
        }
        Ok(())
    }

    fn push(&mut self, name: &str, text: String) {
        self.0.push(Setting::Option(name.to_owned(), text));
    }
}

type Reader = fn(&str, &Bound<'_, PyAny>) -> PyResult<String>;
type Entries<'py> = Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>;

fn entries<'py>(name: &str, value: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    let Ok(mapping) = value.cast::<PyMapping>() else {
        return Err(invalid(format!("{name} is a {}, it must be a mapping", value.get_type().name()?)));
    };
    mapping.items()?.extract()
}

fn text(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    value.extract::<Text>().map(|Text(text)| text).map_err(|_| {
        invalid(match value.get_type().name() {
            Ok(kind) if kind != "str" => format!("{name} is a {kind}, it must be a str"),
            _ => format!("{name} has lone surrogates, which cannot be written as UTF-8"),
        })
    })
}

/// As the core reads it, or refuses it.
fn plain(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.cast::<PyBool>() {
        Ok(bool) => Ok(bool.is_true().to_string()),
        Err(_) => Ok(value.str()?.to_string_lossy().into_owned()),
    }
}

/// Of a number of seconds.
fn milliseconds(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.extract::<f64>() {
        Ok(seconds) => Ok((seconds * 1000.0).round().to_string()),
        Err(_) => Err(invalid(format!("{name} is a {}, it must be a number of seconds", value.get_type().name()?))),
    }
}

/// Of a `datetime`, or of seconds since 1970.
fn time(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.getattr("timestamp") {
        Ok(timestamp) => milliseconds(name, &timestamp.call0()?),
        Err(_) => milliseconds(name, value),
    }
}
