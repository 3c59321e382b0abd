//! Jobs, queues and members as objects of the package's classes.

use libswarm::{
    Candidate, ContentType, FailedAttempt, Health, JobInfo, JobPage, LogLine, MemberInfo, Payload, QueueCount, Queues, Stats,
};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::errors::is_ours;
use crate::package::{fields, make, package};
use crate::payload::decode;

// Destructured in full, so that a new field of the core does not compile until it is added here.

pub(crate) fn job<'py>(py: Python<'py>, job: &JobInfo) -> PyResult<Bound<'py, PyAny>> {
    let JobInfo {
        id,
        state,
        payload,
        payload_encoded,
        priority,
        task,
        resource,
        group,
        limits,
        headers,
        attempt,
        retries,
        crashes,
        holder,
        fence,
        assigned_at,
        due_at,
        progress,
        checkpoint,
        failure,
        completed_at,
        result,
        result_omitted,
        log,
        failed_attempts,
    } = job;
    let failed = failure.as_ref();
    let log: Vec<_> = log.iter().map(|one| line(py, one)).collect::<PyResult<_>>()?;
    let failed_attempts: Vec<_> = failed_attempts.iter().map(|one| attempt_of(py, one)).collect::<PyResult<_>>()?;
    let fields = fields!(py;
        id,
        state = state.name(),
        payload_bytes = PyBytes::new(py, &payload.bytes),
        content_type = content_type(payload),
        payload_encoded,
        priority,
        task,
        resource,
        group,
        limits,
        headers,
        attempt,
        retries,
        crashes,
        holder = holder.as_deref().unwrap_or(""),
        fence = fence.unwrap_or(0),
        assigned_at = assigned_at.map(seconds),
        due_at = due_at.map(seconds),
        progress = progress.as_ref().map(|text| read(py, text)).transpose()?,
        checkpoint = checkpoint.as_ref().map(|text| read(py, text)).transpose()?,
        reason = failed.map_or("", |failed| failed.reason.name()),
        error = failed.map_or("", |failed| &failed.message),
        traceback = failed.and_then(|failed| failed.traceback.as_deref()).unwrap_or(""),
        failed_at = failed.and_then(|failed| failed.at).map(seconds),
        completed_at = completed_at.map(seconds),
        result = result.as_ref().map(|result| kept(py, result)).transpose()?,
        result_omitted,
        log,
        failed_attempts,
    );
    make(&package(py)?.job_info, &fields)
}

fn line<'py>(py: Python<'py>, line: &LogLine) -> PyResult<Bound<'py, PyAny>> {
    let LogLine { time, text } = line;
    make(&package(py)?.log_line, &fields!(py; time = seconds(*time), text))
}

fn attempt_of<'py>(py: Python<'py>, attempt: &FailedAttempt) -> PyResult<Bound<'py, PyAny>> {
    let FailedAttempt { fence, holder, reason, error, assigned_at, failed_at } = attempt;
    let (assigned_at, failed_at) = (seconds(*assigned_at), seconds(*failed_at));
    make(&package(py)?.failed_attempt, &fields!(py; fence, holder, reason, error, assigned_at, failed_at))
}

/// A result that is kept. One that Python cannot parse is returned as its bytes, so that the rest of the answer is usable.
fn kept<'py>(py: Python<'py>, result: &Payload) -> PyResult<Bound<'py, PyAny>> {
    match decode(py, result) {
        Err(raised) if is_ours(py, &raised)? => Ok(PyBytes::new(py, &result.bytes).into_any()),
        value => value,
    }
}

pub(crate) fn page<'py>(py: Python<'py>, page: &JobPage) -> PyResult<Bound<'py, PyAny>> {
    let JobPage { jobs, next } = page;
    let jobs: Vec<_> = jobs.iter().map(|one| job(py, one)).collect::<PyResult<_>>()?;
    make(&package(py)?.job_page, &fields!(py; jobs, next))
}

pub(crate) fn queues<'py>(py: Python<'py>, queues: &Queues) -> PyResult<Bound<'py, PyAny>> {
    let Queues { queues, limits, paused, chooser } = queues;
    let limits: Vec<_> = limits.iter().map(|one| crate::limit_info::info(py, one)).collect::<PyResult<_>>()?;
    let queues: Vec<_> = queues.iter().map(|one| queue(py, one)).collect::<PyResult<_>>()?;
    make(&package(py)?.queues, &fields!(py; queues, limits, paused, chooser = chooser.as_deref().unwrap_or("")))
}

fn queue<'py>(py: Python<'py>, count: &QueueCount) -> PyResult<Bound<'py, PyAny>> {
    let QueueCount { priority, task, waiting, groups } = count;
    make(&package(py)?.queue_count, &fields!(py; priority, task, waiting, groups))
}

pub(crate) fn members<'py>(py: Python<'py>, members: &[MemberInfo]) -> PyResult<Bound<'py, PyList>> {
    let members: Vec<_> = members.iter().map(|one| member(py, one)).collect::<PyResult<_>>()?;
    PyList::new(py, members)
}

fn member<'py>(py: Python<'py>, member: &MemberInfo) -> PyResult<Bound<'py, PyAny>> {
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
        paused,
        tasks,
        active,
        free,
        joined_at,
        lease_left,
        data,
        dropped,
    } = member;
    let fields = fields!(py;
        incarnation,
        role = role.name(),
        name,
        group,
        host,
        pid,
        language,
        version,
        slots = slots.unwrap_or(0),
        paused = *paused,
        tasks,
        active,
        free,
        joined_at = seconds(*joined_at),
        lease_left = lease_left.as_secs_f64(),
        data = data.as_ref().map(|text| read(py, text)).transpose()?,
        dropped,
    );
    make(&package(py)?.member_info, &fields)
}

pub(crate) fn stats<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyAny>> {
    let Stats {
        waiting,
        active,
        deleting,
        delayed,
        blocked,
        failed,
        results,
        members,
        added,
        completed,
        failures,
        deleted,
        crashes,
        retries,
        revived,
        damaged,
        kept,
    } = stats;
    let fields = fields!(py;
        waiting,
        active,
        deleting,
        delayed,
        blocked,
        failed,
        results,
        members,
        added,
        completed,
        failures,
        deleted,
        crashes,
        retries,
        revived,
        damaged,
        kept,
    );
    make(&package(py)?.stats, &fields)
}

pub(crate) fn health<'py>(py: Python<'py>, health: &Health) -> PyResult<Bound<'py, PyAny>> {
    let Health {
        healthy,
        connected,
        incarnation,
        lease_left,
        active,
        pending,
        error,
        registrations,
        added,
        assigned,
        finished,
        sent,
        received,
        dropped,
        stuck,
    } = health;
    let fields = fields!(py;
        healthy,
        connected,
        incarnation = incarnation.as_deref().unwrap_or(""),
        lease_left = lease_left.as_secs_f64(),
        active,
        pending,
        error = error.as_ref().map_or("", |error| error.kind().name()),
        error_message = error.as_ref().map_or("", |error| error.message()),
        registrations,
        added,
        assigned,
        finished,
        sent,
        received,
        dropped,
        stuck,
    );
    make(&package(py)?.health, &fields)
}

/// A worker with its room for a job, instead of what that is counted from.
pub(crate) fn candidate<'py>(py: Python<'py>, candidate: &Candidate, room: u64) -> PyResult<Bound<'py, PyAny>> {
    let Candidate { incarnation, name, group, host, pid, tasks, active, free: _, ranges: _ } = candidate;
    make(&package(py)?.candidate, &fields!(py; incarnation, name, group, host, pid, tasks, active, room))
}

pub(crate) fn content_type(payload: &Payload) -> &'static str {
    match payload.content_type {
        ContentType::Json => "json",
        ContentType::Bytes => "bytes",
    }
}

/// The value of a JSON text. A text that Python cannot parse is returned unchanged, so that the rest of the answer is usable.
fn read<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    match decode(py, &Payload::raw_json(text)) {
        Err(raised) if is_ours(py, &raised)? => Ok(text.into_pyobject(py)?.into_any()),
        value => value,
    }
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
