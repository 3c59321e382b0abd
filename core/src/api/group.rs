//! Groups of jobs: many jobs are added at once, and all of their results are awaited.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::master::Master;
use crate::master::closed;
use crate::model::job::Outcome;
use crate::model::job_options::{Added, NewJob};
use crate::util::completion::awaited;
use libswarm_common::error::Result;
use libswarm_common::id::random_ids;

/// The results of a group, one by one as its jobs finish; returned by [`Master::run_each`]. Dropping it stops the waits, not the jobs.
///
/// ```no_run
/// use libswarm::{Master, NewJob};
///
/// # async fn example(master: Master) -> libswarm::Result<()> {
/// let mut group = master.run_each(vec![NewJob::json(&1)?, NewJob::json(&2)?]).await?;
/// while let Some((position, outcome)) = group.next().await {
///     println!("{position}: {outcome:?}");
/// }
/// # Ok(()) }
/// ```
pub struct Group {
    ended: FuturesUnordered<futures_util::future::BoxFuture<'static, (usize, Result<Outcome>)>>,
    /// The ids of the jobs that are awaited, in their order, and whether each existed.
    pub added: Vec<Added>,
}

impl Group {
    /// Returns the next job that finished: its position in the list, from 0, and its outcome. `None` when all have finished.
    pub async fn next(&mut self) -> Option<(usize, Result<Outcome>)> {
        self.ended.next().await
    }
}

impl Master {
    /// Adds jobs and awaits all of their outcomes. Returns them in the order of the jobs; see [`Master::run_each`].
    pub async fn run_many(&self, jobs: Vec<NewJob>) -> Result<Vec<Result<Outcome>>> {
        self.run_many_with(jobs, |_| ()).await
    }

    /// As [`Master::run_many`], and calls `on_added` once Redis has stored all jobs, before their outcomes are awaited; see [`Master::run_with`].
    pub async fn run_many_with(&self, jobs: Vec<NewJob>, on_added: impl FnOnce(&[Added])) -> Result<Vec<Result<Outcome>>> {
        let mut group = self.run_each(jobs).await?;
        on_added(&group.added);
        let mut outcomes = HashMap::with_capacity(group.added.len());
        while let Some((position, outcome)) = group.next().await {
            outcomes.insert(position, outcome);
        }
        let mut outcomes: Vec<_> = outcomes.into_iter().collect();
        outcomes.sort_by_key(|(position, _)| *position);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    /// Adds jobs with `result` set, and returns their outcomes one by one. Jobs with the option `ephemeral` are deleted if this master leaves or is
    /// lost; the bindings of other languages set it by default.
    pub async fn run_each(&self, jobs: Vec<NewJob>) -> Result<Group> {
        let mut fresh = random_ids();
        let mut waits = Vec::with_capacity(jobs.len());
        let limit = self.front.shared.options.max_payload;
        let mut ready = Vec::with_capacity(jobs.len());
        for (position, job) in jobs.into_iter().enumerate() {
            job.check(limit).map_err(|error| error.context(format_args!("job {position}, none was added")))?;
            let mut job = job.result(true);
            job.fresh = job.id.is_none();
            let id = job.id.get_or_insert_with(|| fresh.next()).clone();
            waits.push(self.front.waits.begin_adding(id));
            ready.push(job);
        }
        let added = awaited(|done| self.submit_for(ready, true, done), closed).await?;
        for (wait, added) in waits.iter_mut().zip(&added) {
            wait.stored(added);
        }
        let ended = waits
            .into_iter()
            .enumerate()
            .map(|(position, wait)| -> futures_util::future::BoxFuture<'static, _> {
                Box::pin(async move { (position, wait.outcome().await) })
            })
            .collect();
        Ok(Group { ended, added })
    }
}
