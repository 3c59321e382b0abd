//! The callbacks of a worker for its jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use libswarm::{DeleteReason, Event, Finish};

use crate::job::swarm_job;

/// What is done with a job that is assigned.
#[derive(Clone)]
pub(crate) enum Handler {
    /// It becomes the program's.
    Add(Arc<dyn Fn(*mut swarm_job) + Send + Sync>),
    /// The program runs it to its end.
    Process(Arc<dyn Fn(*const swarm_job) -> Finish + Send + Sync>),
}

type OnDelete = Arc<dyn Fn(*mut swarm_job, DeleteReason) + Send + Sync>;

/// Called with the job that ended and its event.
pub(crate) type OnOutcome = Arc<dyn Fn(&swarm_job, &Event) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Handlers {
    /// For jobs whose task has no handler of its own.
    pub(crate) plain: Option<Handler>,
    /// For the jobs of a task, "" being those without one.
    pub(crate) tasks: BTreeMap<String, Handler>,
    pub(crate) delete: Option<OnDelete>,
    pub(crate) completed: Option<OnOutcome>,
    pub(crate) failed: Option<OnOutcome>,
    pub(crate) retrying: Option<OnOutcome>,
}

impl Handlers {
    /// The handler for jobs of a task.
    pub(crate) fn handler(&self, task: &str) -> Option<&Handler> {
        self.tasks.get(task).or(self.plain.as_ref())
    }

    /// Whether every job is run to its end by its callback.
    pub(crate) fn only_process(&self) -> bool {
        self.plain.iter().chain(self.tasks.values()).all(|handler| matches!(handler, Handler::Process(_)))
    }

    /// Whether the core is to report outcomes of jobs.
    pub(crate) fn want_outcomes(&self) -> bool {
        self.completed.is_some() || self.failed.is_some() || self.retrying.is_some()
    }

    /// The tasks that have a handler, so that no job comes without one; none for the core's default, jobs without a task.
    pub(crate) fn tasks_taken(&self, named: &[String]) -> Vec<String> {
        let mut tasks: Vec<String> = self.tasks.keys().cloned().collect();
        if self.plain.is_some() {
            let without = [String::new()];
            let named = if named.is_empty() && !tasks.is_empty() { &without } else { named };
            tasks.extend(named.iter().filter(|task| !self.tasks.contains_key(*task)).cloned());
        }
        tasks
    }
}
