//! Schedules of a cluster.

use libswarm_common::error::{Result, invalid};
use libswarm_common::value::bounded;

use super::inspect::MAX_PAGE;
use super::master::Master;
use crate::model::job_options::{Durability, NewJob, Start};
use crate::model::schedule::{Schedule, ScheduleInfo, SchedulePage, Scheduled, Timing, check_id};

impl Master {
    /// Creates or changes a schedule. It adds a job like `job` at each of its slots, with the id `<schedule>@<slot in ms since 1970>`; any living
    /// member of the cluster fires it. The same schedule again changes nothing. A change of the job alone keeps the slots.
    pub async fn schedule(&self, id: &str, schedule: Schedule, job: NewJob) -> Result<Scheduled> {
        check_id(id)?;
        schedule.check()?;
        let job = job_of(id, &schedule, job)?;
        job.check(self.front.shared.options.max_payload)?;
        let how = self.front.shared.open_store()?.put_schedule(id, &schedule, &job).await?;
        if how != Scheduled::Unchanged {
            self.front.shared.round_wanted.notify_one();
        }
        Ok(how)
    }

    /// Removes a schedule; jobs that it has added stay. Returns false if there was none.
    pub async fn unschedule(&self, id: &str) -> Result<bool> {
        self.change_schedule("remove", id).await
    }

    /// Pauses a schedule: it adds no jobs until it is resumed. Returns false if there is none.
    pub async fn pause_schedule(&self, id: &str) -> Result<bool> {
        self.change_schedule("pause", id).await
    }

    /// Resumes a schedule with its next slot; what it missed does not run. Returns false if there is none.
    pub async fn resume_schedule(&self, id: &str) -> Result<bool> {
        self.change_schedule("resume", id).await
    }

    /// Adds the job of a schedule now, beside its slots. Returns its id, or `None` if its option `overlap` skips it, or another job has its unique key
    /// and is left unchanged.
    pub async fn run_schedule(&self, id: &str) -> Result<Option<String>> {
        check_id(id)?;
        let job = self.front.shared.open_store()?.run_schedule(id).await?;
        let job = job.ok_or_else(|| invalid(format!("there is no schedule `{id}`")))?;
        Ok(Some(job).filter(|job| !job.is_empty()))
    }

    /// A schedule; `None` if there is none.
    pub async fn schedule_info(&self, id: &str) -> Result<Option<ScheduleInfo>> {
        check_id(id)?;
        self.front.shared.open_store()?.schedule_info(id).await
    }

    /// Schedules by their ids, up to `limit` (at most 1,000; a page may be shorter), from where the page before ended.
    pub async fn schedules(&self, after: Option<&str>, limit: u32) -> Result<SchedulePage> {
        bounded("limit", limit, 1, MAX_PAGE)?;
        self.front.shared.open_store()?.schedules(after.unwrap_or(""), limit).await
    }

    async fn change_schedule(&self, what: &str, id: &str) -> Result<bool> {
        check_id(id)?;
        let existed = self.front.shared.open_store()?.change_schedule(what, id).await?;
        self.front.shared.round_wanted.notify_one();
        Ok(existed)
    }
}

/// The job as the schedule adds it.
pub(crate) fn job_of(id: &str, schedule: &Schedule, mut job: NewJob) -> Result<NewJob> {
    if job.id.is_some() || job.start() != Start::Now || job.ephemeral || job.durability != Durability::Memory {
        return Err(invalid(
            "the job of a schedule has no id, delay, run_at, debounce, durability or ephemeral of its own: its slots decide",
        ));
    }
    if schedule.overlap.uses_resource() {
        if job.extras.as_ref().is_some_and(|extras| !extras.resource.is_empty()) {
            return Err(invalid("overlap `queue_one` and `replace` use the resource of the job; leave it out"));
        }
        job = job.resource(format!("schedule:{id}"));
    }
    let extras = job.extras.get_or_insert_default();
    id.clone_into(&mut extras.schedule);
    extras.then_next = matches!(schedule.timing, Timing::AfterEnd(_));
    Ok(job)
}
