//! Inspecting the cluster, and changing what the inspection shows.

use libswarm::{Error, ErrorKind, JobState};
use napi_derive::napi;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};

#[napi]
impl NativeMaster {
    /// A job by its id, or null.
    #[napi(catch_unwind)]
    pub fn job(&self, token: u32, id: String) {
        self.call(token, |master| async move { answer(master.job(&id).await, |job| json_of(&job)) });
    }

    /// A page of the jobs in a state.
    #[napi(catch_unwind)]
    pub fn jobs(&self, token: u32, state: String, after: Option<String>, limit: u32) {
        self.call(token, move |master| async move {
            let Some(state) = JobState::from_name(&state) else {
                let known: Vec<&str> = JobState::ALL.iter().map(|(name, _)| *name).collect();
                let message = format!("there is no state `{state}`, it must be one of {}", known.join(", "));
                return Answer::Failed(Error::new(ErrorKind::InvalidArgument, message));
            };
            answer(master.jobs(state, after.as_deref(), limit).await, |page| json_of(&page))
        });
    }

    /// Counts by priority and task, and the paused tasks.
    #[napi(catch_unwind)]
    pub fn queues(&self, token: u32) {
        self.call(token, |master| async move { answer(master.queues().await, |queues| json_of(&queues)) });
    }

    /// All live members.
    #[napi(catch_unwind)]
    pub fn members(&self, token: u32) {
        self.call(token, |master| async move { answer(master.members().await, |members| json_of(&members)) });
    }

    /// Ends the lease of a member whose process has died.
    #[napi(catch_unwind)]
    pub fn end_lease(&self, token: u32, incarnation: String) {
        self.call(token, |master| async move { answer(master.end_lease(&incarnation).await, |()| Answer::Done) });
    }

    /// Pauses the assignment of the jobs of a task, or of all jobs.
    #[napi(catch_unwind)]
    pub fn pause(&self, token: u32, task: Option<String>) {
        self.call(token, |master| async move { answer(master.pause(task.as_deref()).await, |()| Answer::Done) });
    }

    /// Ends a pause.
    #[napi(catch_unwind)]
    pub fn resume(&self, token: u32, task: Option<String>) {
        self.call(token, |master| async move { answer(master.resume(task.as_deref()).await, |()| Answer::Done) });
    }

    /// Requeues failed jobs, those with the ids or all; answers how many there were.
    #[napi(catch_unwind)]
    pub fn retry_failed(&self, token: u32, ids: Option<Vec<String>>) {
        self.call(token, |master| async move { answer(master.retry_failed(ids.as_deref()).await, |count| json_of(&count)) });
    }

    /// Deletes the records of completed jobs that are kept, those with the ids or all; answers how many there were.
    #[napi(catch_unwind)]
    pub fn delete_completed(&self, token: u32, ids: Option<Vec<String>>) {
        self.call(token, |master| async move { answer(master.delete_completed(ids.as_deref()).await, |count| json_of(&count)) });
    }

    /// Deletes the records of failed jobs, those with the ids or all; answers how many there were.
    #[napi(catch_unwind)]
    pub fn delete_failed(&self, token: u32, ids: Option<Vec<String>>) {
        self.call(token, |master| async move { answer(master.delete_failed(ids.as_deref()).await, |count| json_of(&count)) });
    }
}
