//! Tells a worker's program of its jobs, a batch at a time.

use std::sync::Arc;

use libswarm::{DeleteReason, Event};

use crate::dispatch::Source;
use crate::job::swarm_job;
use crate::member::{Listener, Listeners};
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
                Event::Add(job) => {
                    let job = Arc::new(swarm_job::new(job, self.jobs.clone()));
                    told.push(job.clone());
                    tell_add(&listeners, job);
                }
                Event::Delete { job, reason } => {
                    let in_batch = told.iter().find(|told| told.fence() == job.fence).cloned();
                    // Unknown if the program has finished it meanwhile: then it has stopped already.
                    if let Some(job) = in_batch.or_else(|| self.jobs.held(job.fence)) {
                        tell_delete(&listeners, &job, reason);
                    }
                }
                other => listeners.tell(other),
            }
        }
        self.jobs.end_batch(told);
        more
    }
}

/// Gives a job to the program, which owns it from here on.
fn tell_add(listeners: &Listeners, job: Arc<swarm_job>) {
    if let Some(listener) = &listeners.add
        && let Listener(Some(function), user_data) = &**listener
    {
        // SAFETY: the callback and its data belong together; the pointer's share in the job goes to the callee.
        unsafe { function(user_data.pointer(), Arc::into_raw(job).cast_mut()) }
    }
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
