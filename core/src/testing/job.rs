//! Jobs for tests of handlers, without Redis.

use std::sync::Arc;

use libswarm_common::error::Result;
use libswarm_common::id::random_id;
use tokio::runtime::Handle;

use crate::api::job::Job;
use crate::api::worker::Worker;
use crate::model::execution::DeleteReason;
use crate::model::flow::Input;
use crate::model::job::{Finish, JobData, ResultWanted};
use crate::model::job_options::NewJob;
use crate::model::payload::Payload;
use crate::worker::recorder::{Log, Recorder};

/// A job that no worker was assigned, to call a handler with it. It has the payload and the options of a [`NewJob`]; nothing of it uses Redis.
///
/// ```
/// use libswarm::testing::TestJob;
/// use libswarm::{Finish, Job, NewJob, Payload};
///
/// async fn double(job: Job) -> libswarm::Result<()> {
///     job.progress(&0.5)?;
///     job.complete(Payload::json(&(2 * job.json::<u64>()?))?).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> libswarm::Result<()> {
/// let test = TestJob::new(NewJob::json(&21)?).attempt(2);
/// double(test.job()?).await?;
/// assert_eq!(test.recorded().progress, ["0.5"]);
/// assert_eq!(test.recorded().finish, Some(Finish::Complete(Payload::json(&42)?)));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct TestJob {
    new: NewJob,
    attempt: u32,
    crashes: u32,
    checkpoint: Option<String>,
    inputs: Vec<Input>,
    made: Arc<std::sync::OnceLock<(Job, Worker, Arc<Recorder>)>>,
}

/// What the handler of a [`TestJob`] has done so far.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// Each progress, as JSON.
    pub progress: Vec<String>,
    /// Each checkpoint, as JSON.
    pub checkpoints: Vec<String>,
    /// The lines of the log, each cut to its length.
    pub log: Vec<String>,
    /// Jobs that were added by [`Job::add`] or [`Job::add_many`].
    pub added: Vec<NewJob>,
    /// How the job was finished; `None` while it is active. What a handler of [`Worker::process`] returns is not recorded here: the test has it.
    pub finish: Option<Finish>,
}

impl TestJob {
    /// A job of the first attempt. Its id is random if the job has none.
    pub fn new(job: NewJob) -> TestJob {
        TestJob { new: job, attempt: 1, crashes: 0, checkpoint: None, inputs: Vec::new(), made: Arc::default() }
    }

    /// Sets the number of the attempt, from 1; default 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt.max(1);
        self
    }

    /// Sets how many workers crashed while they ran the job; default 0.
    pub fn crashes(mut self, crashes: u32) -> Self {
        self.crashes = crashes;
        self
    }

    /// Sets the checkpoint of an earlier execution, as JSON.
    pub fn last_checkpoint(mut self, checkpoint: &impl serde::Serialize) -> Result<Self> {
        self.checkpoint = Some(text(Payload::json(checkpoint)?.bytes));
        Ok(self)
    }

    /// Sets what [`Job::inputs`] returns; default nothing.
    pub fn inputs(mut self, inputs: Vec<Input>) -> Self {
        self.inputs = inputs;
        self
    }

    /// Returns the job for the handler, the same at each call. Call it inside a tokio runtime. Fails if the options of the job are invalid.
    pub fn job(&self) -> Result<Job> {
        Ok(self.made(&Handle::current())?.0.clone())
    }

    /// The job with a worker that runs nothing, whose calls record what they do.
    #[cfg(feature = "bindings")]
    pub fn on(&self, runtime: &Handle) -> Result<(Job, Worker)> {
        let (job, worker, _) = self.made(runtime)?;
        Ok((job.clone(), worker.clone()))
    }

    fn made(&self, runtime: &Handle) -> Result<&(Job, Worker, Arc<Recorder>)> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        self.new.check(usize::MAX)?;
        let (data, inputs) = (Arc::new(self.data()), self.inputs.clone());
        let recorder = Arc::new(Recorder { job: data.clone(), inputs, log: libswarm_common::lock::Mutex::default() });
        let worker = Worker::recording(recorder.clone(), runtime)?;
        let job = Job { data, worker: worker.handle.clone() };
        Ok(self.made.get_or_init(|| (job, worker, recorder)))
    }

    fn data(&self) -> JobData {
        let id = self.new.id.clone().unwrap_or_else(random_id);
        let mut data = JobData::new(id, self.new.payload.clone(), 1);
        (data.crashes, data.failed_attempts) = (self.crashes, self.attempt - 1);
        data.extras.clone_from(&self.new.extras);
        data.result = self.new.result.then(|| ResultWanted { ttl_secs: 1, requester: String::new() });
        if let Some(checkpoint) = &self.checkpoint {
            data.extras.get_or_insert_default().checkpoint = Some(checkpoint.clone());
        }
        data
    }

    /// Asks the handler to stop, as a deletion of the job does: [`Job::is_cancelled`] is true from now on.
    pub fn cancel(&self) {
        if let Some((job, worker, _)) = self.made.get() {
            job.data.execution.stop(DeleteReason::Deleted);
            worker.handle.0.finishes.ended.notify_waiters();
        }
    }

    /// Returns what the handler has done so far.
    pub fn recorded(&self) -> Recorded {
        let Some((_, _, recorder)) = self.made.get() else { return Recorded::default() };
        let Log { progress, checkpoints, lines, added, finish } = &*recorder.log.lock();
        let texts = |list: &[Vec<u8>]| list.iter().cloned().map(text).collect();
        Recorded {
            progress: texts(progress),
            checkpoints: texts(checkpoints),
            log: lines.clone(),
            added: added.clone(),
            finish: finish.clone(),
        }
    }
}

impl std::fmt::Debug for TestJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestJob").field("job", &self.new).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}

/// What Rust has written as JSON is UTF-8; what a binding has, too.
fn text(json: Vec<u8>) -> String {
    String::from_utf8_lossy(&json).into_owned()
}
