//! The callbacks of a worker for its jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use libswarm::{Batching, DEFAULT_CONCURRENCY, DeleteReason, Event, Finish};

use crate::job::swarm_job;

/// How assigned jobs are processed.
#[derive(Clone)]
pub(crate) enum Handler {
    /// The program gets ownership of the job.
    Add(Arc<dyn Fn(*mut swarm_job) + Send + Sync>),
    /// The callback returns how the job finishes.
    Process(Arc<dyn Fn(*const swarm_job) -> Finish + Send + Sync>),
    /// The program gets ownership of the jobs of a batch.
    Batch(Batching, OnBatch),
}

type OnBatch = Arc<dyn Fn(&[*mut swarm_job]) + Send + Sync>;

type OnDelete = Arc<dyn Fn(*mut swarm_job, DeleteReason) + Send + Sync>;

/// Called with the finished job and its event.
pub(crate) type OnOutcome = Arc<dyn Fn(&swarm_job, &Event) + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Handlers {
    /// For jobs whose task has no handler.
    pub(crate) plain: Option<Handler>,
    /// For the jobs of a task, "" for those without one.
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

    /// The slots of a worker without the option. Process callbacks run one at a time: more jobs would only wait. Batches should be full.
    pub(crate) fn default_slots(&self) -> Option<u32> {
        self.plain.iter().chain(self.tasks.values()).try_fold(DEFAULT_CONCURRENCY, |slots, handler| match handler {
            Handler::Add(_) => None,
            Handler::Process(_) => Some(slots),
            Handler::Batch(batching, _) => Some(slots.max(batching.size)),
        })
    }

    /// Whether the core must report outcomes of jobs.
    pub(crate) fn want_outcomes(&self) -> bool {
        self.completed.is_some() || self.failed.is_some() || self.retrying.is_some()
    }

    /// The tasks with a handler, so that no job without one is assigned; empty for the core's default, jobs without a task.
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
