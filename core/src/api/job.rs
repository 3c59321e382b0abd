//! A job that is active on a worker.

use std::sync::Arc;
use std::time::Duration;

use super::spans;
use crate::model::flow::Input;
use crate::model::job::{Finish, JobData, JobError};
use crate::model::job_options::{Added, NewJob};
use crate::model::payload::Payload;
use crate::util::completion::awaited;
use crate::worker::closed;
use crate::worker::handle::WorkerHandle;
use libswarm_common::error::Result;

/// An active job. A clone is the same execution; cloning is cheap.
///
/// Dropping it does nothing: the job stays active until it is completed, failed, released, deleted or reclaimed.
///
/// ```no_run
/// use libswarm::{Job, Payload};
///
/// # async fn example(job: Job) -> libswarm::Result<()> {
/// let text: String = job.json()?;
/// job.progress(&0.5)?;
/// job.complete(Payload::json(&text.len())?).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Job {
    pub(crate) data: Arc<JobData>,
    pub(crate) worker: WorkerHandle,
}

impl std::ops::Deref for Job {
    type Target = JobData;
    fn deref(&self) -> &JobData {
        &self.data
    }
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.data.fmt(f)
    }
}

impl Job {
    /// The payload read as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        self.payload.to()
    }

    /// Whether this execution of the job is over: the job was deleted, reclaimed, or finished.
    pub fn is_cancelled(&self) -> bool {
        self.execution.is_over()
    }

    /// Resolves when this execution of the job is over: the job was deleted, reclaimed, or finished.
    pub async fn cancelled(&self) {
        self.worker.until_ended(self).await
    }

    /// Completes the job; resolves when Redis has accepted it. Fails with [`ErrorKind::StaleFence`](crate::ErrorKind::StaleFence) if the job is no
    /// longer assigned to this execution.
    pub async fn complete(&self, result: Payload) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Complete(result)).await
    }

    /// Stores the progress of the job, which inspections of the job show. Can be called from any thread and never blocks. The latest value wins. At
    /// most 4 KiB. Ignored if the job is over.
    pub fn progress(&self, progress: &impl serde::Serialize) -> Result<()> {
        self.worker.progress(self.fence, Payload::json(progress)?.bytes)
    }

    /// Stores a checkpoint: a value, as JSON of at most 4 KiB, that the next execution of the job reads with
    /// [`last_checkpoint`](JobData::last_checkpoint), after a failed attempt, a release or a crash. Can be called from any thread and never blocks.
    /// The latest value wins; it is stored before this execution finishes. Ignored if the job is over.
    pub fn checkpoint(&self, checkpoint: &impl serde::Serialize) -> Result<()> {
        self.worker.checkpoint(self.fence, Payload::json(checkpoint)?.bytes)
    }

    /// Appends a line to the log of the job, which [`Master::job`](crate::Master::job) shows. Can be called from any thread and never blocks. The log
    /// keeps the newest 100 lines over all executions, and is removed with the job. A text of more than 1 KiB is cut and gets `…` at its end. Lines are
    /// stored before this execution finishes. Ignored if the job is over.
    pub fn log(&self, text: impl AsRef<str>) {
        self.worker.log(self.fence, text.as_ref());
    }

    /// Returns how the jobs ended that this one waited for (option `after`), by their ids; empty if it waited for none. Read from Redis at each call.
    /// Until this job has ended, their results are kept, whatever their `result_ttl`. With [`OnFailure::Ignore`](crate::OnFailure::Ignore), only
    /// completed ones are returned.
    pub async fn inputs(&self) -> Result<Vec<Input>> {
        self.worker.inputs(self.node_name()).await
    }

    /// Adds a job with the connection of the worker; see [`Worker::submit`](crate::Worker::submit).
    pub async fn add(&self, job: NewJob) -> Result<Added> {
        Ok(self.add_many(vec![job]).await?.swap_remove(0))
    }

    /// Adds many jobs with the connection of the worker; see [`Worker::submit`](crate::Worker::submit).
    pub async fn add_many(&self, mut jobs: Vec<NewJob>) -> Result<Vec<Added>> {
        let cluster = &self.worker.messaging().shared.options.cluster;
        let submit = |done| {
            let done = spans::adding(cluster, &mut jobs, done);
            self.worker.submit(jobs, done);
        };
        awaited(submit, closed).await
    }

    /// Fails this attempt. The job is retried after its backoff, or fails permanently if no retry is left.
    pub async fn fail(&self, error: impl Into<JobError>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Fail(error.into())).await
    }

    /// Fails this attempt. The job is retried after the pause `after`, or fails permanently if no retry is left.
    pub async fn retry(&self, error: impl Into<JobError>, after: Duration) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Retry(error.into(), after)).await
    }

    /// Gives the job back because what it needs refuses it for now (HTTP 429 with `Retry-After`): the limit `limit`, or with `None` each limit of the
    /// job, starts no jobs for this time, at most 365 days. No attempt is counted. A job without the limit is delayed by the time.
    pub async fn rate_limited(&self, after: Duration, limit: Option<&str>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::RateLimited { pause: after, limit: limit.map(str::to_owned) }).await
    }

    /// Fails the job permanently, even if retries are left.
    pub async fn fail_permanently(&self, error: impl Into<JobError>) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::FailPermanently(error.into())).await
    }

    /// Releases the job: it is requeued, and no crash or attempt is counted.
    pub async fn release(&self) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Release).await
    }

    /// Confirms that the work stopped after a `Delete` event.
    pub async fn stopped(&self) -> Result<()> {
        self.worker.finish_and_wait(self.fence, Finish::Stopped).await
    }

    /// Queues the job's deletion. Returns false if it did not exist any more. A `delete` event follows, as after a deletion by a master.
    pub async fn delete(&self) -> Result<bool> {
        self.worker.delete(self.id.clone()).await
    }
}
