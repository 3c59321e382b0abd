//! Records what a handler does with a job of a test, which no worker runs.

use std::sync::Arc;

use libswarm_common::lock::Mutex;

use crate::model::flow::Input;
use crate::model::job::{Finish, JobData};
use crate::model::job_options::{Added, NewJob};
use libswarm_common::id::random_id;

/// What the handler of one job has done.
#[derive(Default)]
pub(crate) struct Log {
    /// JSON.
    pub(crate) progress: Vec<Vec<u8>>,
    pub(crate) checkpoints: Vec<Vec<u8>>,
    pub(crate) lines: Vec<String>,
    pub(crate) added: Vec<NewJob>,
    pub(crate) finish: Option<Finish>,
}

/// Takes the place of the task of a worker.
pub(crate) struct Recorder {
    pub(crate) job: Arc<JobData>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) log: Mutex<Log>,
}

impl Recorder {
    pub(super) fn progress(&self, value: Vec<u8>) {
        self.note(|log| log.progress.push(value));
    }

    pub(super) fn checkpoint(&self, value: Vec<u8>) {
        self.note(|log| log.checkpoints.push(value));
    }

    pub(super) fn line(&self, text: String) {
        self.note(|log| log.lines.push(text));
    }

    /// Nothing is noted once the job is finished.
    fn note(&self, change: impl FnOnce(&mut Log)) {
        let mut log = self.log.lock();
        if log.finish.is_none() {
            change(&mut log);
        }
    }

    /// Whether it is the first.
    pub(super) fn finish(&self, finish: Finish) -> bool {
        let mut log = self.log.lock();
        let first = log.finish.is_none();
        if first {
            log.finish = Some(finish);
            self.job.execution.finish();
        }
        first
    }

    pub(super) fn add(&self, jobs: Vec<NewJob>) -> Vec<Added> {
        let added =
            jobs.iter().map(|job| Added { id: job.id.clone().unwrap_or_else(random_id), existed: false, replaced: false });
        let added = added.collect();
        self.log.lock().added.extend(jobs);
        added
    }
}
