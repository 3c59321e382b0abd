//! The way of a job from Redis to its handler, for benchmarks.

use napi_derive::napi;

/// Notes the times that `stages` answers from now on.
#[napi]
pub fn measure_stages() {
    libswarm::measure_stages();
}

/// When the newest job was read from its inbox, queued and taken by JavaScript, in nanoseconds of `process.hrtime`.
#[napi]
pub fn stages() -> Vec<f64> {
    libswarm::stages().map(|time| time as f64).to_vec()
}
