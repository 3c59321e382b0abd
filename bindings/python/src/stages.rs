//! The way of a job from Redis to its handler, for benchmarks.

use pyo3::prelude::*;

/// Notes the times that `stages` returns from now on.
#[pyfunction]
pub(crate) fn measure_stages() {
    libswarm::measure_stages();
}

/// When the newest job was read from its inbox, queued and taken by Python, in nanoseconds of `time.monotonic_ns`.
#[pyfunction]
pub(crate) fn stages() -> [u64; 3] {
    libswarm::stages()
}
