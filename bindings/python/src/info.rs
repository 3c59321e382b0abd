//! Jobs, queues and members as those who look at a cluster see them: the fields of the classes in `libswarm.types`.

use libswarm::{Candidate, Choices, ContentType, JobInfo, JobPage, MemberInfo, Payload, QueueCount, Queues, Range};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use crate::errors::is_ours;
use crate::payload::decode;

// All are taken apart in full, so that a field added to the core is not missed here.

pub(crate) fn job<'py>(py: Python<'py>, job: &JobInfo) -> PyResult<Bound<'py, PyDict>> {
    let JobInfo {
        id,
        state,
        payload,
        priority,
        task,
        resource,
        headers,
        attempt,
        retries,
        crashes,
        holder,
        fence,
        assigned_at,
        due_at,
        progress,
        reason,
        error,
        traceback,
        failed_at,
    } = job;
    let dict = PyDict::new(py);
    dict.set_item("id", id)?;
    dict.set_item("state", state.name())?;
    dict.set_item("body", PyBytes::new(py, &payload.bytes))?;
    dict.set_item("content_type", content_type(payload))?;
    dict.set_item("priority", priority)?;
    dict.set_item("task", task)?;
    dict.set_item("resource", resource)?;
    dict.set_item("headers", headers)?;
    dict.set_item("attempt", attempt)?;
    dict.set_item("retries", retries)?;
    dict.set_item("crashes", crashes)?;
    dict.set_item("holder", holder)?;
    dict.set_item("fence", fence)?;
    dict.set_item("assigned_at", assigned_at.map(seconds))?;
    dict.set_item("due_at", due_at.map(seconds))?;
    dict.set_item("progress", progress.as_ref().map(|text| read(py, text)).transpose()?)?;
    dict.set_item("reason", reason)?;
    dict.set_item("error", error)?;
    dict.set_item("traceback", traceback)?;
    dict.set_item("failed_at", failed_at.map(seconds))?;
    Ok(dict)
}

/// `(jobs, next)`
pub(crate) fn page<'py>(py: Python<'py>, page: &JobPage) -> PyResult<Bound<'py, PyTuple>> {
    let JobPage { jobs, next } = page;
    let jobs: Vec<_> = jobs.iter().map(|one| job(py, one)).collect::<PyResult<_>>()?;
    (jobs, next).into_pyobject(py)
}

/// `(queues, paused, chooser)`
pub(crate) fn queues<'py>(py: Python<'py>, queues: &Queues) -> PyResult<Bound<'py, PyTuple>> {
    let Queues { queues, paused, chooser } = queues;
    let counts = queues.iter().map(|QueueCount { priority, task, waiting }| (priority, task, waiting));
    (PyList::new(py, counts)?, paused, chooser).into_pyobject(py)
}

pub(crate) fn members<'py>(py: Python<'py>, members: &[MemberInfo]) -> PyResult<Bound<'py, PyList>> {
    let dicts: Vec<_> = members.iter().map(|one| member(py, one)).collect::<PyResult<_>>()?;
    PyList::new(py, dicts)
}

fn member<'py>(py: Python<'py>, member: &MemberInfo) -> PyResult<Bound<'py, PyDict>> {
    let MemberInfo {
        incarnation,
        role,
        name,
        group,
        host,
        pid,
        language,
        version,
        slots,
        tasks,
        active,
        free,
        joined_at,
        lease_left_ms,
        data,
        dropped,
    } = member;
    let dict = PyDict::new(py);
    dict.set_item("incarnation", incarnation)?;
    dict.set_item("role", role)?;
    dict.set_item("name", name)?;
    dict.set_item("group", group)?;
    dict.set_item("host", host)?;
    dict.set_item("pid", pid)?;
    dict.set_item("language", language)?;
    dict.set_item("version", version)?;
    dict.set_item("slots", slots)?;
    dict.set_item("tasks", tasks)?;
    dict.set_item("active", active)?;
    dict.set_item("free", free)?;
    dict.set_item("joined_at", seconds(*joined_at))?;
    dict.set_item("lease_left", seconds(*lease_left_ms))?;
    let data = if data.is_empty() { None } else { Some(read(py, data)?) };
    dict.set_item("data", data)?;
    dict.set_item("dropped", dropped)?;
    Ok(dict)
}

/// `(jobs, workers)`
pub(crate) fn choices<'py>(py: Python<'py>, choices: &Choices) -> PyResult<Bound<'py, PyTuple>> {
    let Choices { jobs, workers } = choices;
    let jobs: Vec<_> = jobs.iter().map(|one| job(py, one)).collect::<PyResult<_>>()?;
    let workers: Vec<_> = workers.iter().map(|one| candidate(py, one)).collect::<PyResult<_>>()?;
    (jobs, workers).into_pyobject(py)
}

fn candidate<'py>(py: Python<'py>, candidate: &Candidate) -> PyResult<Bound<'py, PyDict>> {
    let Candidate { incarnation, name, group, host, pid, tasks, active, free, ranges } = candidate;
    let dict = PyDict::new(py);
    dict.set_item("incarnation", incarnation)?;
    dict.set_item("name", name)?;
    dict.set_item("group", group)?;
    dict.set_item("host", host)?;
    dict.set_item("pid", pid)?;
    dict.set_item("tasks", tasks)?;
    dict.set_item("active", active)?;
    dict.set_item("free", free)?;
    dict.set_item("ranges", PyList::new(py, ranges.iter().map(|Range { from, free }| (from, free)))?)?;
    Ok(dict)
}

pub(crate) fn content_type(payload: &Payload) -> &'static str {
    match payload.content_type {
        ContentType::Json => "json",
        ContentType::Bytes => "bytes",
    }
}

/// The value of a JSON text; one that Python cannot read is told as it is, so that it hides no other job.
fn read<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    match decode(py, &Payload::raw_json(text)) {
        Err(raised) if is_ours(py, &raised)? => Ok(text.into_pyobject(py)?.into_any()),
        value => value,
    }
}

/// Of milliseconds.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
