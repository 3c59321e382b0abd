//! Finishes and progress from handlers, on their way to the worker's task.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_common::error::Error;
use libswarm_common::lock::Mutex;
use tokio::sync::Notify;

use crate::model::job::Finish;
use crate::util::completion::Done;

/// A fence, how the job finishes, and the callback that is called when Redis has accepted it.
pub(crate) type Finished = (u64, Finish, Option<Done<()>>);

/// Finishes that are gathered while a round is under way.
#[derive(Default)]
pub(crate) struct Finishes {
    gathered: Mutex<Gathered>,
    pub(crate) arrived: Notify,
    /// Wakes those that wait for the end of a job.
    pub(crate) ended: Notify,
    /// The program subscribes to accepted outcomes.
    outcomes: AtomicBool,
}

#[derive(Default)]
struct Gathered {
    list: Vec<Finished>,
    /// The progress of jobs, by fence.
    progress: HashMap<u64, Vec<u8>>,
    /// Set when the worker has ended: the error of every later finish.
    closed: Option<Error>,
}

impl Finishes {
    pub(crate) fn push(&self, finishes: impl IntoIterator<Item = Finished>) {
        let mut gathered = self.gathered.lock();
        if let Some(error) = gathered.closed.clone() {
            drop(gathered);
            return refuse(finishes, &error);
        }
        let first = gathered.list.is_empty();
        gathered.list.extend(finishes);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn any(&self) -> bool {
        !self.gathered.lock().list.is_empty()
    }

    /// Removes and returns up to `most` of the gathered finishes.
    pub(crate) fn take(&self, most: usize) -> Vec<Finished> {
        let mut gathered = self.gathered.lock();
        if gathered.list.len() <= most {
            return std::mem::take(&mut gathered.list);
        }
        gathered.list.drain(..most).collect()
    }

    pub(crate) fn push_progress(&self, fence: u64, value: Vec<u8>) {
        let mut gathered = self.gathered.lock();
        let first = gathered.progress.is_empty();
        gathered.progress.insert(fence, value);
        drop(gathered);
        if first {
            self.arrived.notify_one();
        }
    }

    pub(crate) fn report_outcomes(&self, report: bool) {
        self.outcomes.store(report, Ordering::Relaxed);
    }

    pub(crate) fn reports_outcomes(&self) -> bool {
        self.outcomes.load(Ordering::Relaxed)
    }

    pub(crate) fn has_progress(&self) -> bool {
        !self.gathered.lock().progress.is_empty()
    }

    pub(crate) fn take_progress(&self) -> HashMap<u64, Vec<u8>> {
        std::mem::take(&mut self.gathered.lock().progress)
    }

    /// Rejects later finishes.
    pub(crate) fn close(&self, error: Error) {
        self.gathered.lock().closed = Some(error);
    }
}

/// Rejects finishes whose jobs are no longer assigned to this execution. A `Stopped` succeeds nevertheless.
pub(crate) fn refuse(finishes: impl IntoIterator<Item = Finished>, error: &Error) {
    for (_, finish, done) in finishes {
        if let Some(done) = done {
            done(if finish == Finish::Stopped { Ok(()) } else { Err(error.clone()) });
        }
    }
}
