//! Whether an execution of a job is over, and why.

use std::sync::atomic::{AtomicU8, Ordering};

/// Why a job that was not finished must stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum DeleteReason {
    /// A master or the worker itself deleted the job.
    Deleted,
    /// The worker is being terminated; the job goes to another worker.
    Terminated,
    /// The worker lost its lease; the job starts elsewhere.
    LeaseLost,
    /// The job's `run_timeout` or `total_timeout` is over.
    TimedOut,
    /// The job is to go to a worker that joined.
    Moved,
}

impl DeleteReason {
    /// In the order of their declaration.
    pub(crate) const ALL: [DeleteReason; 5] =
        [DeleteReason::Deleted, DeleteReason::Terminated, DeleteReason::LeaseLost, DeleteReason::TimedOut, DeleteReason::Moved];

    /// The name of the reason, which is the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            DeleteReason::Deleted => "deleted",
            DeleteReason::Terminated => "terminated",
            DeleteReason::LeaseLost => "lease_lost",
            DeleteReason::TimedOut => "timed_out",
            DeleteReason::Moved => "moved",
        }
    }
}

const ACTIVE: u8 = 0;
const FINISHED: u8 = 1;
/// From here on, the position of a reason in `DeleteReason::ALL`.
const FIRST_REASON: u8 = 2;

/// The state of an execution. It ends once: by the finish of the job, or for a reason.
#[derive(Debug)]
pub(crate) struct Execution(AtomicU8);

impl Execution {
    pub(crate) fn active() -> Self {
        Execution(AtomicU8::new(ACTIVE))
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) != ACTIVE
    }

    pub(crate) fn delete_reason(&self) -> Option<DeleteReason> {
        let position = self.0.load(Ordering::Acquire).checked_sub(FIRST_REASON)?;
        DeleteReason::ALL.get(usize::from(position)).copied()
    }

    /// The job was finished.
    pub(crate) fn finish(&self) {
        self.end(FINISHED);
    }

    /// The job was deleted or reclaimed.
    pub(crate) fn stop(&self, reason: DeleteReason) {
        self.end(FIRST_REASON + reason as u8);
    }

    fn end(&self, state: u8) {
        // The first end stays.
        let _ = self.0.compare_exchange(ACTIVE, state, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_kept() {
        for reason in DeleteReason::ALL {
            let execution = Execution::active();
            assert!(!execution.is_over() && execution.delete_reason().is_none());
            execution.stop(reason);
            assert!(execution.is_over() && execution.delete_reason() == Some(reason));
        }
    }

    #[test]
    fn the_first_end_stays() {
        let (finished, stopped) = (Execution::active(), Execution::active());
        finished.finish();
        finished.stop(DeleteReason::Moved);
        stopped.stop(DeleteReason::TimedOut);
        stopped.stop(DeleteReason::Terminated);
        stopped.finish();
        assert!(finished.is_over() && finished.delete_reason().is_none());
        assert_eq!(stopped.delete_reason(), Some(DeleteReason::TimedOut));
    }
}
