//! Logs why a job has been awaited for long without being assigned: no worker accepts its task, or the task is paused.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::waits::Waits;
use crate::member::Shared;
use crate::model::info::{JobState, MemberInfo, Queues};
use crate::model::message::Role;
use crate::store::codec::inspect;
use libswarm_common::error::Result;

/// The time between two checks while results are awaited.
const CHECK: Duration = Duration::from_secs(2);
/// The limit of jobs that one check looks up: jobs of the same task wait for the same reason.
const MAX_NAMED: usize = 5;
/// The limit of tasks that are remembered as logged.
const MAX_TASKS: usize = 100;
/// The limit of workers that a record names.
const NAMED: usize = 5;

pub(crate) struct SlowWaits {
    shared: Arc<Shared>,
    waits: Arc<Waits>,
    /// Tasks that were logged as having no worker.
    said: HashSet<String>,
}

impl SlowWaits {
    pub(crate) fn new(shared: Arc<Shared>, waits: Arc<Waits>) -> Self {
        SlowWaits { shared, waits, said: HashSet::new() }
    }

    /// Runs until the master is closed. Costs nothing while no result is awaited.
    pub(crate) async fn run(mut self) {
        loop {
            self.waits.begun.notified().await;
            loop {
                if self.waits.is_closed() {
                    return;
                }
                if !self.waits.any() {
                    break;
                }
                tokio::time::sleep(CHECK).await;
                let ids = self.waits.long_awaited(MAX_NAMED);
                // A failure while Redis is not available is ignored: that is logged elsewhere.
                if !ids.is_empty() && self.look(&ids).await.is_err() {
                    self.waits.look_again(&ids);
                }
            }
        }
    }

    async fn look(&mut self, ids: &[String]) -> Result<()> {
        let mut there = None;
        for id in ids {
            let store = self.shared.open_store()?;
            let Some(job) = inspect::job(&store.inspect(&["job", id]).await?, self.shared.envelopes())? else { continue };
            if job.state != JobState::Waiting || self.said.contains(&job.task) || self.said.len() >= MAX_TASKS {
                continue;
            }
            if there.is_none() {
                let mut queues = Queues::default();
                // Every page contains the paused tasks.
                inspect::queues(&store.inspect(&["counts", ""]).await?, &mut queues)?;
                there = Some((self.workers().await?, queues));
            }
            if let Some(why) = there.as_ref().and_then(|(workers, queues)| why(&job.task, workers, queues)) {
                let task = if job.task.is_empty() { "without a task".to_owned() } else { format!("of task `{}`", job.task) };
                tracing::warn!(target: "libswarm::jobs", "job `{id}` {task} has been awaited for 10 s and is not begun: {why}");
                self.said.insert(job.task);
            }
        }
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<MemberInfo>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let (members, next) = inspect::members(&self.shared.open_store()?.inspect(&["members", &cursor]).await?)?;
            all.extend(members.into_iter().filter(|member| member.role == Role::Worker));
            if next.is_empty() {
                return Ok(all);
            }
            cursor = next;
        }
    }
}

/// `None` if the job only waits for its turn.
fn why(task: &str, workers: &[MemberInfo], queues: &Queues) -> Option<String> {
    if queues.paused.iter().any(|paused| paused == task || paused == "*") {
        return Some("it is paused".into());
    }
    if workers.is_empty() {
        return Some("the cluster has no worker".into());
    }
    if workers.iter().any(|worker| worker.tasks.iter().any(|taken| taken == task)) {
        return None;
    }
    let mut text = format!("none of the {} workers takes it. There are", workers.len());
    for worker in workers.iter().take(NAMED) {
        let tasks: Vec<_> = worker
            .tasks
            .iter()
            .map(|task| if task.is_empty() { "jobs without a task".into() } else { format!("`{task}`") })
            .collect();
        let name = if worker.name.is_empty() { &worker.incarnation } else { &worker.name };
        let _ = write!(text, " {name} ({} on {}, pid {}: {}),", worker.language, worker.host, worker.pid, tasks.join(", "));
    }
    text.pop();
    if workers.len() > NAMED {
        let _ = write!(text, " and {} more", workers.len() - NAMED);
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::waits::MAX_CHECKS;
    use super::*;

    #[test]
    fn the_waits_that_are_long_are_found_once() {
        let waits = Arc::new(Waits::default());
        let wait = waits.begin_adding("first".into());
        for _ in 1..MAX_CHECKS {
            assert_eq!(waits.long_awaited(MAX_NAMED), [""; 0]);
        }
        let later = waits.begin_adding("second".into());
        assert_eq!(waits.long_awaited(MAX_NAMED), ["first"]);
        assert_eq!(waits.long_awaited(MAX_NAMED), [""; 0]);
        waits.look_again(&["first".into()]);
        assert_eq!(waits.long_awaited(MAX_NAMED), ["first"]);
        drop((wait, later));
        assert!(!waits.any());
    }
}
