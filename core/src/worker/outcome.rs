//! Logs and emits the outcomes of executions.

use std::sync::Arc;
use std::time::Duration;

use crate::member::Shared;
use crate::model::event::{AcceptedOutcome, QueuedEvent};
use crate::model::job::{JobData, JobError};
use crate::store::Assigned;
use crate::util::completion::Done;

/// The target of records about jobs, the same for every language.
pub(super) const TARGET: &str = "libswarm::jobs";

/// A job's name in log records.
pub(super) fn named(job: &JobData) -> String {
    let task = if job.task().is_empty() { String::new() } else { format!(" of task `{}`", job.task()) };
    format!("job `{}`{task}", job.id)
}

/// Logs how many jobs were assigned, and at the finest level, which.
pub(super) fn log_assigned(jobs: &[Assigned]) {
    tracing::debug!(target: TARGET, "assigned {} jobs", jobs.len());
    if tracing::enabled!(target: TARGET, tracing::Level::TRACE) {
        for job in jobs.iter().flatten() {
            tracing::trace!(target: TARGET, "{} is assigned for attempt {} under fence {}", named(job), job.attempt(), job.fence);
        }
    }
}

/// Logs that an execution failed. `retry`: the pause before the next attempt, or `None` if there is none.
pub(super) fn log_failure(job: &JobData, error: &JobError, retry: Option<Duration>) {
    let (job, attempt, message) = (named(job), job.attempt(), &error.message);
    let traceback = if error.traceback.is_empty() { String::new() } else { format!("\n{}", error.traceback.trim_end()) };
    match retry {
        Some(pause) => {
            let pause = pause.as_millis();
            tracing::warn!(
                target: TARGET,
                "{job} failed at attempt {attempt}, next try in {pause} ms: {message}{traceback}"
            );
        }
        None => {
            tracing::error!(target: TARGET, "{job} failed at attempt {attempt}, no next try: {message}{traceback}")
        }
    }
}

/// Returns a callback that emits an outcome when Redis has accepted it, and then calls `done`.
pub(super) fn reporting(shared: &Arc<Shared>, job: &Arc<JobData>, outcome: AcceptedOutcome, done: Option<Done<()>>) -> Done<()> {
    let (shared, job) = (shared.clone(), job.clone());
    Box::new(move |result| {
        if result.is_ok() {
            shared.events.push([QueuedEvent::Outcome(job, outcome)]);
        }
        if let Some(done) = done {
            done(result);
        }
    })
}
