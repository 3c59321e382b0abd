//! Schedules and their slots.

use redis::Value;

use crate::model::job_options::NewJob;
use crate::model::schedule::{Schedule, ScheduleInfo, SchedulePage, Scheduled};
use crate::store::calls::Store;
use crate::store::codec::slots::Wanted;
use crate::store::codec::{reply, schedule};
use libswarm_common::error::Result;
use libswarm_common::id::random_id;

impl Store {
    /// Creates or changes a schedule; see `lua/commands/schedule.lua`.
    pub(crate) async fn put_schedule(&self, id: &str, schedule: &Schedule, job: &NewJob) -> Result<Scheduled> {
        let (route, record, options) =
            (schedule::pack_route(job), schedule::record_of(job, self.envelopes())?, schedule::pack_options(schedule));
        let (nonce, timing) = (random_id(), schedule.timing_text());
        let reply = self
            .call_idempotent(
                |s| &s.schedule,
                |cmd| cmd.arg("put").arg(id).arg(&nonce).arg(&timing).arg(&route[..]).arg(&record[..]).arg(&options[..]),
            )
            .await?;
        let (how, wanted) = schedule::put(reply, id, schedule)?;
        if how != Scheduled::Unchanged && schedule.has_slots_ahead() {
            self.extend_schedule(&wanted).await?;
        }
        Ok(how)
    }

    /// Stores the next slots of a schedule.
    pub(crate) async fn extend_schedule(&self, wanted: &Wanted) -> Result<()> {
        let (slots, ended) = wanted.slots()?;
        self.call_idempotent(
            |s| &s.schedule,
            |cmd| cmd.arg("extend").arg(&wanted.id).arg(&wanted.timing).arg(wanted.known).arg(&slots[..]).arg(u8::from(ended)),
        )
        .await
        .map(drop)
    }

    async fn ask_schedules(&self, words: &[&str]) -> Result<Value> {
        self.call_idempotent(|s| &s.schedule, |cmd| cmd.arg(words)).await
    }

    /// Removes, pauses or resumes a schedule; whether there is one.
    pub(crate) async fn change_schedule(&self, what: &str, id: &str) -> Result<bool> {
        Ok(self.ask_schedules(&[what, id]).await? == Value::Int(1))
    }

    /// Adds the job of a schedule: `None` if there is no such schedule, an empty id if it was skipped.
    pub(crate) async fn run_schedule(&self, id: &str) -> Result<Option<String>> {
        match self.ask_schedules(&["run", id, &random_id()]).await? {
            Value::Nil => Ok(None),
            answer => Ok(Some(String::from_utf8_lossy(reply::bytes(&answer)?).into_owned())),
        }
    }

    pub(crate) async fn schedule_info(&self, id: &str) -> Result<Option<ScheduleInfo>> {
        match self.ask_schedules(&["show", id]).await? {
            Value::Nil => Ok(None),
            answer => Ok(schedule::info(reply::bytes(&answer)?)),
        }
    }

    pub(crate) async fn schedules(&self, after: &str, limit: u32) -> Result<SchedulePage> {
        schedule::page(self.ask_schedules(&["page", after, &limit.to_string()]).await?)
    }
}
