//! Limits as the package shows them.

use libswarm::{Limit, LimitInfo};
use pyo3::prelude::*;

use crate::package::{fields, make, package};

pub(crate) fn info<'py>(py: Python<'py>, info: &LimitInfo) -> PyResult<Bound<'py, PyAny>> {
    let LimitInfo { name, figures, active, blocked, next_in } = info;
    let Limit { rate, per, burst, concurrency } = figures.clone().unwrap_or_default();
    let fields = fields!(py;
        name,
        rate,
        per = per.map(|per| per.as_secs_f64()),
        burst,
        concurrency,
        active,
        blocked,
        next_in = next_in.as_secs_f64(),
    );
    make(&package(py)?.limit_info, &fields)
}
