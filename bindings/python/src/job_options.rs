//! The options of a job: Python names and units as settings of the core.

use libswarm::NewJob;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString};

use crate::errors::{invalid, raise};
use crate::options::{Text, class_of, flag, integer, number, text, texts};

/// Read once, applied to every job of a call. Empty for a plain job.
#[derive(Default)]
pub(crate) struct JobOptions(Vec<Setting>);

enum Setting {
    /// An option of the core, with its text.
    Option(String, String),
    Header(String, String),
}

impl JobOptions {
    /// Options that are None keep their defaults.
    pub(crate) fn read(options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut settings = Settings(Vec::new());
        for (name, value) in options {
            if !value.is_none() {
                settings.read(name.extract()?, &value)?;
            }
        }
        let starts = |setting: &Setting| matches!(setting, Setting::Option(name, _) if name == "delay" || name == "run_at");
        if settings.0.iter().filter(|setting| starts(setting)).count() > 1 {
            return Err(invalid("delay and run_at are both given; a job starts after a delay or at a time"));
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
            "id" | "task" | "resource" | "group" | "durability" | "on_failure" => self.push(&name, text(&name, value)?),
            "result" | "ephemeral" => self.push(&name, boolean(&name, value)?),
            "limits" => self.push(&name, limits(value)?),
            "priority" | "retries" | "weight" => self.push(&name, whole(&name, value)?),
            "result_ttl" | "delay" | "debounce" | "max_wait" | "keep_completed" => self.push(&name, milliseconds(&name, value)?),
            "run_at" => self.push(&name, time(&name, value)?),
            "after" => {
                for id in texts(&name, value)? {
                    self.push(&name, id);
                }
            }
            "headers" => {
                for (header, value) in entries(&name, value)? {
                    self.0.push(Setting::Header(text("a header's name", &header)?, text("a header", &value)?));
                }
            }
            "backoff" if !value.is_instance_of::<PyMapping>() => {
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
                    ("jitter", "backoff_jitter", fraction),
                ],
            )?,
            "unique" => {
                // So that no part of the key of the call is left in one of its jobs.
                for (option, default) in [("unique", ""), ("unique_until", "end"), ("on_conflict", "drop")] {
                    self.push(option, default.into());
                }
                if value.is_instance_of::<PyMapping>() {
                    let parts: [(_, _, Reader); 3] =
                        [("key", "unique", text), ("until", "unique_until", until), ("on_conflict", "on_conflict", text)];
                    self.fields(&name, value, &parts)?;
                } else {
                    self.push("unique", text(&name, value)?);
                }
            }
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

    /// An option that is a mapping: each field is an option of the core.
    fn fields(&mut self, name: &str, value: &Bound<'_, PyAny>, known: &[(&str, &str, Reader)]) -> PyResult<()> {
        for (field, value) in entries(name, value)? {
            let field = text(name, &field)?;
            let Some((_, option, reader)) = known.iter().find(|(known, ..)| *known == field) else {
                let known: Vec<_> = known.iter().map(|(known, ..)| *known).collect();
                return Err(invalid(format!("{name} has no field `{field}`, only {}", known.join(", "))));
            };
            if !value.is_none() {
                self.push(option, reader(&format!("{name}[\"{field}\"]"), &value)?);
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
        return Err(invalid(format!("{name} is of type {}, it must be a mapping", class_of(value))));
    };
    mapping.items()?.extract().map_err(|_| invalid(format!("{name} is not a mapping of names to values")))
}

/// Limits: a name, or names and mappings with `name` and `cost`; as JSON.
fn limits(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(name) = text("limits", value) {
        return Ok(serde_json::json!([name]).to_string());
    }
    let wrong = || {
        invalid(format!(
            "limits is of type {}, it must be a name, or a list of names and of {{\"name\": ..., \"cost\": ...}}",
            class_of(value)
        ))
    };
    if value.is_instance_of::<PyMapping>() {
        return Err(wrong());
    }
    let mut list = Vec::new();
    for item in value.try_iter().map_err(|_| wrong())? {
        let item = item?;
        if !item.is_instance_of::<PyMapping>() {
            list.push(serde_json::Value::from(text("the name of a limit", &item)?));
            continue;
        }
        let mut fields = serde_json::Map::new();
        for (field, value) in entries("a limit", &item)? {
            let field = text("the name of a field", &field)?;
            let value = match &*field {
                "cost" => serde_json::Value::from(integer("cost", &value)?),
                _ => text(&field, &value)?.into(),
            };
            fields.insert(field, value);
        }
        list.push(fields.into());
    }
    Ok(serde_json::Value::Array(list).to_string())
}

/// A whole number, as the core reads it.
pub(crate) fn whole(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    integer(name, value).map(|number| number.to_string())
}

fn boolean(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    flag(name, value).map(|flag| flag.to_string())
}

fn fraction(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    number(name, "a number", value).map(|number| number.to_string())
}

/// A number of seconds, in milliseconds.
pub(crate) fn milliseconds(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    number(name, "a number of seconds", value).map(|seconds| (seconds * 1000.0).round().to_string())
}

/// "end", "start" or a number of seconds, in milliseconds.
fn until(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() {
        return match text(name, value)? {
            until if until == "end" || until == "start" => Ok(until),
            other => Err(invalid(format!("{name} is `{other}`, it must be end or start, or a number of seconds"))),
        };
    }
    number(name, "\"end\", \"start\", or a number of seconds", value).map(|seconds| (seconds * 1000.0).round().to_string())
}

/// A `datetime`, or seconds since 1970, in milliseconds.
pub(crate) fn time(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let Ok(timestamp) = value.getattr("timestamp") else {
        return number(name, "a datetime, or a number of seconds since 1970", value).map(|at| (at * 1000.0).round().to_string());
    };
    // Fails outside of the range of the system's clock.
    match timestamp.call0() {
        Ok(timestamp) => milliseconds(name, &timestamp),
        Err(_) => Err(invalid(format!("{name} is {value}, which is not a time that can be"))),
    }
}
