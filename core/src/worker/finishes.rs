//! Finishes, progress and checkpoints from handlers, on their way to the worker's task.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm_common::error::Error;
use libswarm_common::lock::Mutex;
use tokio::sync::Notify;

use crate::model::job::Finish;
use crate::util::completion::Done;

/// A fence, how the job finishes, and the callback that is called when Redis has accepted it.
pub(crate) type Finished = (u64, Finish, Option<Done<()>>);

/// What is stored with an active job; the later value replaces the earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stored {
    Progress,
    Checkpoint,
}

/// Values of one round that belong to no finish of it, at most.
const MAX_VALUES: usize = 500;

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
    /// Progress and checkpoints, by fence.
    values: HashMap<(u64, Stored), Vec<u8>>,
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

    pub(crate) fn push_value(&self, fence: u64, kind: Stored, value: Vec<u8>) {
        let mut gathered = self.gathered.lock();
        let first = gathered.values.is_empty();
        gathered.values.insert((fence, kind), value);
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

    pub(crate) fn has_values(&self) -> bool {
        !self.gathered.lock().values.is_empty()
    }

    /// Removes and returns the values of a job that finishes: they were stored before.
    pub(crate) fn take_values_of(&self, fence: u64) -> Vec<(Stored, Vec<u8>)> {
        let mut gathered = self.gathered.lock();
        let of_kind = |kind| Some((kind, gathered.values.remove(&(fence, kind))?));
        [Stored::Progress, Stored::Checkpoint].into_iter().filter_map(of_kind).collect()
    }

    /// Removes and returns values, as many as a round takes.
    pub(crate) fn take_values(&self) -> Vec<(u64, Stored, Vec<u8>)> {
        let mut gathered = self.gathered.lock();
        let some: Vec<_> = gathered.values.keys().take(MAX_VALUES).copied().collect();
        some.into_iter().filter_map(|(fence, kind)| Some((fence, kind, gathered.values.remove(&(fence, kind))?))).collect()
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
