//! The task of a worker: jobs from Redis to their handlers, finishes back.

mod arrivals;
pub(crate) mod batch;
mod control;
pub(crate) mod finishes;
pub(crate) mod handle;
mod intake;
pub(crate) mod measures;
mod outcome;
mod quotas;
#[cfg(feature = "testing")]
pub(crate) mod recorder;
mod round;
mod state;
mod stuck;
mod task;

use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind};

use crate::util::completion::Done;
pub(crate) use state::Task;

pub(crate) enum Command {
    Drain(Done<()>),
    Terminate(Duration, Done<()>),
    /// The tasks have changed.
    Tasks,
    /// The slots or the limit of requested jobs have changed, or the worker was paused or resumed.
    Control,
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the worker is closed")
}

fn stale(fence: u64) -> Error {
    let which = if fence == 0 { String::new() } else { format!(" (fence {fence})") };
    Error::new(ErrorKind::StaleFence, format!("the job is no longer assigned to this execution{which}; nothing was changed"))
}
