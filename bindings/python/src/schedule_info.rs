//! Schedules as the package shows them.

use libswarm::{Schedule, ScheduleInfo, SchedulePage, Timing};
use pyo3::prelude::*;

use crate::package::{fields, make, package};

/// Seconds since 1970.
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

pub(crate) fn info<'py>(py: Python<'py>, info: &ScheduleInfo) -> PyResult<Bound<'py, PyAny>> {
    let ScheduleInfo { id, schedule, task, priority, next_at, last_at, last_job, paused, ended, added, skipped } = info;
    let Schedule { timing, tz, start, end, limit, jitter, overlap, catch_up } = schedule;
    let (cron, every, after_end) = match timing {
        Timing::Cron(text) => (Some(text), None, None),
        Timing::Every(interval) => (None, Some(interval.as_secs_f64()), None),
        Timing::AfterEnd(pause) => (None, None, Some(pause.as_secs_f64())),
    };
    let fields = fields!(py;
        id,
        cron,
        every,
        after_end,
        tz,
        start = start.map(seconds),
        end = end.map(seconds),
        limit,
        jitter = jitter.as_secs_f64(),
        overlap = overlap.name(),
        catch_up = catch_up.name(),
        task,
        priority,
        next_at = next_at.map(seconds),
        last_at = last_at.map(seconds),
        last_job,
        paused,
        ended,
        added,
        skipped,
    );
    make(&package(py)?.schedule_info, &fields)
}

pub(crate) fn page<'py>(py: Python<'py>, page: &SchedulePage) -> PyResult<Bound<'py, PyAny>> {
    let SchedulePage { schedules, next } = page;
    let schedules: Vec<_> = schedules.iter().map(|one| info(py, one)).collect::<PyResult<_>>()?;
    make(&package(py)?.schedule_page, &fields!(py; schedules, next))
}
