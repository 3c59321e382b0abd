//! Metrics as the package shows them.

use std::time::UNIX_EPOCH;

use libswarm::{Histogram, MetricsRow, TaskCounts};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::package::{fields, make, package};

pub(crate) fn row<'py>(py: Python<'py>, row: &MetricsRow) -> PyResult<Bound<'py, PyAny>> {
    let MetricsRow { start, task, counts } = row;
    let TaskCounts { completed, failed, retried, released, deleted, wait, run } = counts;
    let start = start.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    let (wait, run) = (histogram(py, wait)?, histogram(py, run)?);
    make(&package(py)?.metrics_row, &fields!(py; start, task, completed, failed, retried, released, deleted, wait, run))
}

fn histogram<'py>(py: Python<'py>, histogram: &Histogram) -> PyResult<Bound<'py, PyAny>> {
    let percentile = |rank| histogram.percentile(rank).map(|time| time.as_secs_f64());
    let fields = fields!(py;
        count = histogram.count(),
        buckets = PyTuple::new(py, histogram.buckets)?,
        p50 = percentile(0.5),
        p95 = percentile(0.95),
        p99 = percentile(0.99),
    );
    make(&package(py)?.histogram, &fields)
}
