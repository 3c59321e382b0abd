//! The values of calls, and their conversion to Python objects.

use libswarm::{
    Added, AddedFlow, FlowInfo, Input, JobEvent, JobInfo, JobPage, LimitInfo, MemberInfo, MemberRef, MetricsRow, Outcome, Queues,
    Receipt, Result, ScheduleInfo, SchedulePage, Stats,
};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::choices::Choices;
use crate::errors::{is_ours, job_failed, to_object};
use crate::{event_info, flow_info, info, limit_info, messages, metrics_info, payload, schedule_info};

/// The value of a call. Contains no Python object, because it may be dropped on a runtime thread.
pub(crate) enum Value {
    Nothing,
    Bool(bool),
    Bools(Vec<bool>),
    Count(u64),
    Numbers(Vec<u64>),
    /// In Python `(id, existed, replaced)`.
    Added(Vec<Added>),
    /// In Python ids alone.
    Ids(Vec<Added>),
    Outcome(Outcome),
    /// In Python values and errors.
    Outcomes(Vec<Result<Outcome>>),
    /// In Python `(position, value or error)`.
    Ended(Vec<(usize, Result<Outcome>)>),
    Stats(Stats),
    Job(Option<Box<JobInfo>>),
    Page(JobPage),
    Queues(Queues),
    Members(Vec<MemberInfo>),
    /// In Python a round of their own.
    Choices(libswarm::Choices),
    Receipt(Receipt),
    Name(&'static str),
    SomeText(Option<String>),
    Limit(Box<LimitInfo>),
    Schedule(Option<Box<ScheduleInfo>>),
    Schedules(SchedulePage),
    Confirmations(Vec<MemberRef>),
    AddedFlow(AddedFlow),
    Flow(Option<Box<FlowInfo>>),
    /// In Python a dict by id.
    Inputs(Vec<Input>),
    Events(Vec<JobEvent>),
    Metrics(Vec<MetricsRow>),
}

impl Value {
    /// The value as a Python object. Raises the outcome of a failed job.
    pub(crate) fn to_object<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self {
            Value::Nothing => py.None().into_bound(py),
            Value::Bool(bool) => bool.into_pyobject(py)?.to_owned().into_any(),
            Value::Bools(bools) => PyList::new(py, bools)?.into_any(),
            Value::Count(count) => count.into_pyobject(py)?.into_any(),
            Value::Numbers(numbers) => PyList::new(py, numbers)?.into_any(),
            Value::Added(added) => {
                let pairs: Vec<_> = added
                    .iter()
                    .map(|job| (&job.id, job.existed, job.replaced).into_pyobject(py))
                    .collect::<PyResult<Vec<Bound<'py, PyTuple>>>>()?;
                PyList::new(py, pairs)?.into_any()
            }
            Value::Ids(added) => PyList::new(py, added.iter().map(|job| &job.id))?.into_any(),
            Value::Outcome(outcome) => result(py, outcome)?,
            Value::Outcomes(outcomes) => {
                let outcomes: Vec<_> = outcomes.iter().map(|outcome| value_or_error(py, outcome)).collect::<PyResult<_>>()?;
                PyList::new(py, outcomes)?.into_any()
            }
            Value::Ended(ended) => {
                let pairs: Vec<_> = ended
                    .iter()
                    .map(|(position, outcome)| (position, value_or_error(py, outcome)?).into_pyobject(py))
                    .collect::<PyResult<Vec<Bound<'py, PyTuple>>>>()?;
                PyList::new(py, pairs)?.into_any()
            }
            Value::Stats(stats) => info::stats(py, stats)?,
            Value::Job(job) => job.as_ref().map(|job| info::job(py, job)).transpose()?.into_pyobject(py)?,
            Value::Page(page) => info::page(py, page)?,
            Value::Queues(queues) => info::queues(py, queues)?,
            Value::Members(members) => info::members(py, members)?.into_any(),
            Value::Choices(choices) => Choices::new(choices.clone()).into_pyobject(py)?.into_any(),
            Value::Name(name) => name.into_pyobject(py)?.into_any(),
            Value::SomeText(text) => text.into_pyobject(py)?,
            Value::Limit(found) => limit_info::info(py, found)?,
            Value::Schedule(found) => {
                found.as_ref().map(|found| schedule_info::info(py, found)).transpose()?.into_pyobject(py)?
            }
            Value::Schedules(page) => schedule_info::page(py, page)?,
            Value::AddedFlow(flow) => flow_info::added(py, flow)?,
            Value::Flow(found) => found.as_ref().map(|found| flow_info::info(py, found)).transpose()?.into_pyobject(py)?,
            Value::Inputs(inputs) => flow_info::inputs(py, inputs)?,
            Value::Events(events) => {
                let events: Vec<_> = events.iter().map(|event| event_info::event(py, event)).collect::<PyResult<_>>()?;
                PyList::new(py, events)?.into_any()
            }
            Value::Metrics(rows) => {
                let rows: Vec<_> = rows.iter().map(|row| metrics_info::row(py, row)).collect::<PyResult<_>>()?;
                PyList::new(py, rows)?.into_any()
            }
            Value::Receipt(receipt) => messages::receipt(py, receipt)?,
            Value::Confirmations(members) => PyList::new(py, messages::members(py, members)?)?.into_any(),
        })
    }
}

/// Returns a job's result, or raises its failure.
fn result<'py>(py: Python<'py>, outcome: &Outcome) -> PyResult<Bound<'py, PyAny>> {
    match outcome {
        Outcome::Completed(result) => payload::decode(py, result),
        Outcome::Failed(failure) => Err(job_failed(py, failure)),
    }
}

/// One of many outcomes: a value or an exception object.
fn value_or_error<'py>(py: Python<'py>, outcome: &Result<Outcome>) -> PyResult<Bound<'py, PyAny>> {
    match outcome {
        Err(error) => to_object(py, error),
        Ok(outcome) => match result(py, outcome) {
            Err(raised) if is_ours(py, &raised)? => Ok(raised.into_value(py).into_bound(py).into_any()),
            result => result,
        },
    }
}
