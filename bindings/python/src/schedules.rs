//! Schedules of a cluster.

use libswarm::{Schedule, Scheduled};

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::Call;
use crate::errors::{invalid, raise};
use crate::fork::Owned;
use crate::job_options::{milliseconds, time, whole};
use crate::members::OpenMaster;
use crate::new_job::new_job;
use crate::options::{integer, some_text, text};
use crate::value::Value;

/// Created for each use, because it keeps the runtime alive.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Schedules {
    member: Owned<OpenMaster>,
}

impl Schedules {
    pub(crate) fn new(member: OpenMaster) -> Self {
        Schedules { member: Owned::new(member) }
    }
}

#[pymethods]
impl Schedules {
    /// Creates or changes a schedule: "created", "changed" or "unchanged". `options` are those of a schedule; None stands for the default.
    fn set(
        &self,
        id: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        payload: &Bound<'_, PyAny>,
        job_options: &Bound<'_, PyDict>,
    ) -> PyResult<Call> {
        let (id, schedule, job) = (text("id", id)?, read(options)?, new_job(payload, job_options)?);
        self.member
            .get()
            .map_err(raise)?
            .spawn(|master| async move { master.schedule(&id, schedule, job).await.map(|how| Value::Name(name_of(how))) })
    }

    fn remove(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.member.get().map_err(raise)?.spawn(|master| async move { master.unschedule(&id).await.map(Value::Bool) })
    }

    fn pause(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.member.get().map_err(raise)?.spawn(|master| async move { master.pause_schedule(&id).await.map(Value::Bool) })
    }

    fn resume(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.member.get().map_err(raise)?.spawn(|master| async move { master.resume_schedule(&id).await.map(Value::Bool) })
    }

    /// The id of the job, or None if it was skipped.
    fn run(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.member.get().map_err(raise)?.spawn(|master| async move { master.run_schedule(&id).await.map(Value::SomeText) })
    }

    fn info(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.member
            .get()
            .map_err(raise)?
            .spawn(|master| async move { Ok(Value::Schedule(master.schedule_info(&id).await?.map(Box::new))) })
    }

    fn page(&self, after: &Bound<'_, PyAny>, limit: &Bound<'_, PyAny>) -> PyResult<Call> {
        let after = some_text("after", after)?;
        let number = integer("limit", limit)?;
        let limit = u32::try_from(number)
            .map_err(|_| invalid(format!("limit is `{number}`, it must be a whole number from 1 to 1,000")))?;
        self.member
            .get()
            .map_err(raise)?
            .spawn(move |master| async move { master.schedules(after.as_deref(), limit).await.map(Value::Schedules) })
    }
}

fn name_of(how: Scheduled) -> &'static str {
    match how {
        Scheduled::Created => "created",
        Scheduled::Changed => "changed",
        Scheduled::Unchanged => "unchanged",
    }
}

fn read(options: &Bound<'_, PyDict>) -> PyResult<Schedule> {
    let mut pairs = Vec::new();
    for (name, value) in options {
        let name = text("the name of an option", &name)?;
        if value.is_none() {
            continue;
        }
        let value = match &*name {
            "every" | "after_end" | "jitter" => milliseconds(&name, &value)?,
            "start" | "end" => time(&name, &value)?,
            "limit" => whole(&name, &value)?,
            _ => text(&name, &value)?,
        };
        pairs.push((name, value));
    }
    Schedule::from_pairs(&pairs).map_err(raise)
}
