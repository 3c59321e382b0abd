//! Inspecting the cluster, and changing what the inspection shows.

use super::master::Master;
use crate::model::info::{JobInfo, JobPage, JobState, MemberInfo, Queues, Snapshot};
use crate::store::codec::{inspect, limit};
use libswarm_common::error::Result;
use libswarm_common::id::check_name;
use libswarm_common::value::bounded;

/// The maximum number of jobs of one page.
pub const MAX_PAGE: u32 = 1000;

impl Master {
    /// Returns a job by its id, or `None` if there is none: it was never added, or is completed and not kept, or deleted, or its record has expired.
    pub async fn job(&self, id: &str) -> Result<Option<JobInfo>> {
        check_name("job id", id)?;
        inspect::job(&self.front.shared.open_store()?.inspect(&["job", id]).await?, self.front.shared.envelopes())
    }

    /// Returns jobs in a state, up to `limit` (at most 1,000), starting where the page before ended. Waiting jobs come in the order in which they
    /// will be assigned, delayed ones as they become due, failed and completed ones newest first. Active ones come in no order and include those being deleted.
    pub async fn jobs(&self, state: JobState, after: Option<&str>, limit: u32) -> Result<JobPage> {
        bounded("limit", limit, 1, MAX_PAGE)?;
        let state = if state == JobState::Deleting { JobState::Active } else { state };
        let words = ["jobs", state.name(), after.unwrap_or(""), &limit.to_string()];
        inspect::page(&self.front.shared.open_store()?.inspect(&words).await?, self.front.shared.envelopes())
    }

    /// Returns the number of waiting jobs by priority and task, the limits, and the paused tasks. [`Master::stats`] returns the counts by state.
    pub async fn queues(&self) -> Result<Queues> {
        let mut all = Queues::default();
        let mut cursor = String::new();
        loop {
            let reply = self.front.shared.open_store()?.inspect(&["counts", &cursor]).await?;
            cursor = inspect::queues(&reply, &mut all)?;
            if cursor.is_empty() {
                break;
            }
        }
        loop {
            let reply = self.front.shared.open_store()?.inspect(&["limits", &cursor]).await?;
            cursor = limit::page(&reply, &mut all.limits)?;
            if cursor.is_empty() {
                break;
            }
        }
        all.put_in_order();
        Ok(all)
    }

    /// Returns counts, queues and members with one call, whose work is bounded: of many queues and members only a part.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        inspect::snapshot(&self.front.shared.open_store()?.inspect(&["snapshot"]).await?)
    }

    /// Returns all live members.
    pub async fn members(&self) -> Result<Vec<MemberInfo>> {
        let mut all: Vec<MemberInfo> = Vec::new();
        let mut cursor = String::new();
        loop {
            let reply = self.front.shared.open_store()?.inspect(&["members", &cursor]).await?;
            let (members, next) = inspect::members(&reply)?;
            all.extend(members);
            if next.is_empty() {
                break;
            }
            cursor = next;
        }
        all.sort_by(|a, b| (a.joined_at, &a.incarnation).cmp(&(b.joined_at, &b.incarnation)));
        all.dedup_by(|a, b| a.incarnation == b.incarnation);
        Ok(all)
    }

    /// Ends the lease of a member at once, by its incarnation, for a caller that is certain that the member's process is dead. Its jobs are
    /// requeued and a crash is counted for them. If the member is alive after all, it finds that its lease is lost, and registers anew.
    #[doc(hidden)]
    pub async fn end_lease(&self, incarnation: &str) -> Result<()> {
        check_name("incarnation", incarnation)?;
        self.front.shared.open_store()?.end_lease(incarnation).await
    }

    /// Pauses assignment until [`Master::resume`]: of the jobs of a task ("" for jobs without one), or of all jobs. Active jobs continue.
    pub async fn pause(&self, task: Option<&str>) -> Result<()> {
        self.set_paused(task, true).await
    }

    /// Ends a pause.
    pub async fn resume(&self, task: Option<&str>) -> Result<()> {
        self.set_paused(task, false).await
    }

    async fn set_paused(&self, task: Option<&str>, on: bool) -> Result<()> {
        if let Some(task) = task.filter(|task| !task.is_empty()) {
            check_name("task", task)?;
        }
        self.front.shared.open_store()?.pause(task.unwrap_or("*"), on).await
    }

    /// Requeues failed jobs with all their retries: those with the ids, or all. Returns how many there were.
    pub async fn retry_failed(&self, ids: Option<&[String]>) -> Result<u64> {
        self.front.shared.open_store()?.failed("retry", ids).await
    }

    /// Deletes the records of failed jobs: those with the ids, or all. Returns how many there were.
    pub async fn delete_failed(&self, ids: Option<&[String]>) -> Result<u64> {
        self.front.shared.open_store()?.failed("delete", ids).await
    }

    /// Deletes the records of completed jobs that are kept: those with the ids, or all. Returns how many there were.
    pub async fn delete_completed(&self, ids: Option<&[String]>) -> Result<u64> {
        self.front.shared.open_store()?.failed("delete_completed", ids).await
    }
}
