//! Options of a master that chooses workers.

use std::time::Duration;

use libswarm_common::error::Result;
use libswarm_common::id::check_name;
use libswarm_common::value::within;

/// Options of a master that chooses workers.
///
/// ```no_run
/// use libswarm::{Choosing, Master};
///
/// # async fn example(master: Master) -> libswarm::Result<()> {
/// // The worker on the same machine, if it has a free slot; else the first.
/// master
///     .choose(Choosing::default(), |job, workers| {
///         let near = workers.iter().position(|(worker, _)| Some(&*worker.host) == job.headers.get("host").map(String::as_str));
///         near.or(Some(0))
///     })
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choosing {
    /// How long jobs may wait for a choice, 10 ms to 1 h. After it they are assigned by default, to the least loaded workers. The member of the
    /// chooser applies the deadline, even if its program is blocked; if the member itself is stopped or cut off, it counts as gone when its lease
    /// ends.
    pub within: Duration,
    /// The tasks for whose jobs workers are chosen, "" for jobs without one; empty for all.
    pub tasks: Vec<String>,
}

impl Default for Choosing {
    fn default() -> Self {
        Choosing { within: Duration::from_secs(1), tasks: Vec::new() }
    }
}

impl Choosing {
    pub(crate) fn check(&self) -> Result<()> {
        within("call.within", self.within, Duration::from_millis(10), Duration::from_secs(3600))?;
        self.tasks.iter().filter(|task| !task.is_empty()).try_for_each(|task| check_name("task", task))
    }
}
