//! Choosing the workers of jobs.

use libswarm_common::error::{ErrorKind, Result};

use super::master::Master;
use crate::model::choices::{Candidate, Choices};
use crate::model::choosing::Choosing;
use crate::model::info::JobInfo;

impl Master {
    /// From now on this master chooses the workers of jobs: a job is assigned by [`Master::assign`], or by default when the time for a choice is over.
    /// A second call changes the settings. Of several choosers of a cluster the newest counts.
    pub async fn start_choosing(&self, choosing: Choosing) -> Result<()> {
        self.front.chooser.start(choosing).await
    }

    /// Waits until there are jobs and workers that can take them, and returns both. A chooser that was replaced by another waits here. Trouble
    /// with Redis is waited out; [`ErrorKind::Closed`] when the master does not choose, or no more. Dropping the future stops the wait, not the
    /// choosing.
    pub async fn choices(&self) -> Result<Choices> {
        self.front.chooser.next().await
    }

    /// Assigns jobs to workers: pairs of a job's id and a worker's incarnation; an empty list leaves all for later. Returns which were assigned; the
    /// others are gone, or their worker is gone or has no free slot. Jobs that are not assigned wait until there is something new to choose.
    pub async fn assign(&self, pairs: &[(String, String)]) -> Result<Vec<bool>> {
        self.front.chooser.assign(pairs).await
    }

    /// Stops choosing: jobs are assigned to the workers with the fewest active jobs.
    pub async fn stop_choosing(&self) -> Result<()> {
        self.front.chooser.stop().await
    }

    /// Chooses until the master stops choosing or is closed: `choose` is called for each job, in the order of assignment, with the
    /// workers that can take it and how many such jobs each can still take; it returns the position of one of them, or `None` to leave the job for later.
    pub async fn choose<F>(&self, choosing: Choosing, mut choose: F) -> Result<()>
    where
        F: FnMut(&JobInfo, &[(&Candidate, u64)]) -> Option<usize>,
    {
        self.start_choosing(choosing).await?;
        loop {
            let mut choices = match self.choices().await {
                Ok(choices) => choices,
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
                Err(error) => return Err(error),
            };
            while let Some((job, workers)) = choices.next_job() {
                let chosen = choose(job, &workers).and_then(|at| workers.get(at));
                if let Some(incarnation) = chosen.map(|(worker, _)| worker.incarnation.clone()) {
                    choices.choose(&incarnation);
                }
            }
            match self.assign(choices.chosen()).await {
                Err(error) if !error.kind().is_retryable() && error.kind() != ErrorKind::Closed => return Err(error),
                _ => {}
            }
        }
    }
}
