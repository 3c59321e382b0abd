//! Tells a worker's program of its jobs, a batch at a time.

use std::ffi::c_void;
use std::sync::Arc;

use libswarm::{DeleteReason, Event, Finish, Job, JobError};

use crate::asking::Asking;
use crate::callback::UserData;
use crate::dispatch::Source;
use crate::error::text;
use crate::job::swarm_job;
use crate::jobs::Jobs;
use crate::member::{Handler, Listener, Listeners};
use crate::result::swarm_result;
use crate::worker::WorkerMember;

/// Events taken from the core at once. Large enough that the cost of a batch does not show, small enough that few jobs
/// are taken up before a slow callback gets to them.
const BATCH: usize = 64;

impl Source for WorkerMember {
    fn run_batch(&self) -> bool {
        let Ok(core) = self.core() else { return false };
        let events = core.take_events(BATCH);
        if events.is_empty() {
            return false;
        }
        let more = events.len() == BATCH;
        let listeners = self.listeners.now();
        let mut told = Vec::with_capacity(events.len());
        if events.len() > 1 {
            self.jobs.begin_batch();
        }
        for event in events {
            match event {
                Event::Add(job) => told.push(tell_add(&listeners, job, &self.jobs)),
                Event::Delete { job, reason } => {
                    let in_batch = told.iter().find(|told| told.fence() == job.fence).cloned();
                    // Unknown if the program has finished it meanwhile: then it has stopped already.
                    if let Some(job) = in_batch.or_else(|| self.jobs.active(job.fence)) {
                        tell_delete(&listeners, &job, reason);
                    }
                }
                Event::Completed { job } => {
                    if let Some(Listener(Some(function), user_data)) = listeners.completed.as_deref() {
                        let job = swarm_job::ended(job, self.jobs.clone());
                        // SAFETY: the callback and its data belong together; the job lives until it returns.
                        unsafe { function(user_data.pointer(), &job) }
                    }
                }
                Event::Failed { job, error } => {
                    if let Some(Listener(Some(function), user_data)) = listeners.failed.as_deref() {
                        let job = swarm_job::ended(job, self.jobs.clone());
                        let JobError { message, traceback } = error;
                        let (message, traceback) = (text(&message), text(&traceback));
                        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
                        unsafe { function(user_data.pointer(), &job, message.as_ptr(), traceback.as_ptr()) }
                    }
                }
                Event::Retrying { job, error, delay } => {
                    if let Some(Listener(Some(function), user_data)) = listeners.retrying.as_deref() {
                        let job = swarm_job::ended(job, self.jobs.clone());
                        let JobError { message, traceback } = error;
                        let (message, traceback) = (text(&message), text(&traceback));
                        let delay = delay.as_millis() as u64;
                        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
                        unsafe { function(user_data.pointer(), &job, message.as_ptr(), traceback.as_ptr(), delay) }
                    }
                }
                other => listeners.tell(other),
            }
        }
        self.jobs.end_batch(told);
        more
    }
}

/// Tells the program of a job, which is its own from here on, or is run to its end.
fn tell_add(listeners: &Listeners, job: Job, jobs: &Arc<Jobs>) -> Arc<swarm_job> {
    match listeners.handler(job.task()) {
        Some(Handler::Add(listener)) => {
            let job = Arc::new(swarm_job::owned(job, jobs.clone()));
            if let Listener(Some(function), user_data) = &**listener {
                // SAFETY: the callback and its data belong together; the pointer's share in the job goes to the callee.
                unsafe { function(user_data.pointer(), Arc::into_raw(job.clone()).cast_mut()) }
            }
            job
        }
        Some(Handler::Process(listener)) => {
            let job = Arc::new(swarm_job::lent(job, jobs.clone()));
            if let Listener(Some(function), user_data) = &**listener {
                process(*function, user_data, &job);
            }
            job
        }
        None => {
            // The worker takes no jobs without a handler; should one come, another worker may have one.
            let job = Arc::new(swarm_job::lent(job, jobs.clone()));
            job.end(Finish::Release);
            job
        }
    }
}

/// Runs a job, unless its work is in vain already.
fn process(
    function: unsafe extern "C" fn(*mut c_void, *const swarm_job) -> *mut swarm_result,
    user_data: &UserData,
    job: &Arc<swarm_job>,
) {
    let finish = if job.is_cancelled() {
        Finish::Stopped
    } else {
        // SAFETY: the callback and its data belong together; `job` outlives the call; what comes back is the library's.
        unsafe { swarm_result::take(function(user_data.pointer(), Arc::as_ptr(job))) }
    };
    job.end(finish);
}

fn tell_delete(listeners: &Listeners, job: &Arc<swarm_job>, reason: DeleteReason) {
    if job.is_finished() {
        return;
    }
    if let Some(listener) = &listeners.delete
        && let Listener(Some(function), user_data) = &**listener
    {
        // SAFETY: the callback and its data belong together; `job` keeps the pointer valid for the call.
        unsafe { function(user_data.pointer(), Arc::as_ptr(job).cast_mut(), reason.into()) }
    }
    job.told_to_stop();
}
