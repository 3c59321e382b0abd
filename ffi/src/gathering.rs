//! The jobs of a worker that wait for others of their batch.

use std::sync::Arc;

use libswarm::{Batching, Finish, Gathering, Job, Worker};
use libswarm_host::lock::Mutex;

use crate::context::Context;

/// See the module. Its callbacks have not run.
#[derive(Default)]
pub(crate) struct Batches(Mutex<State>);

#[derive(Default)]
struct State {
    gathering: Gathering,
    /// The worker drains or is freed: no more jobs wait.
    ended: bool,
}

impl Batches {
    /// Adds a job. Has the callbacks run again when its batch is due.
    pub(crate) fn add(&self, job: Job, batching: &Batching, worker: &Worker, context: &Context) {
        let mut state = self.0.lock();
        if state.ended {
            drop(state);
            return worker.finish(job.fence, Finish::Release, None);
        }
        if state.gathering.add(job, batching) && !batching.wait.is_zero() {
            let (wait, dispatch) = (batching.wait, Arc::downgrade(&context.dispatch));
            context.handle.spawn(async move {
                tokio::time::sleep(wait).await;
                if let Some(dispatch) = dispatch.upgrade() {
                    dispatch.signal();
                }
            });
        }
    }

    /// Whether no job waits here.
    pub(crate) fn is_idle(&self) -> bool {
        self.0.lock().gathering.is_empty()
    }

    /// Removes a job that was deleted. Returns whether it was here.
    pub(crate) fn remove(&self, fence: u64) -> bool {
        self.0.lock().gathering.remove(fence)
    }

    /// Removes and returns a batch that starts now; with `more` jobs to come only a full one.
    pub(crate) fn take(&self, more: bool) -> Option<Vec<Job>> {
        let mut state = self.0.lock();
        state.gathering.take_full().or_else(|| if more { None } else { state.gathering.take_due() })
    }

    /// Requeues all jobs, and those that come later.
    pub(crate) fn requeue(&self, worker: &Worker) {
        for job in self.end() {
            worker.finish(job.fence, Finish::Release, None);
        }
    }

    /// Removes and returns all jobs.
    pub(crate) fn end(&self) -> Vec<Job> {
        let mut state = self.0.lock();
        state.ended = true;
        state.gathering.withdraw()
    }
}
