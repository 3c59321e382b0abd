//! Calls the callbacks of a worker for its jobs, a batch at a time.

use std::sync::Arc;

use libswarm::{DeleteReason, Event, Finish, Job};

use crate::dispatch::Source;
use crate::handlers::{Handler, Handlers, OnOutcome};
use crate::job::swarm_job;
use crate::jobs::{Jobs, Kept};
use crate::worker::WorkerMember;

/// The limit of events taken from the core at once. Large enough to make the cost of a batch negligible, small enough that few
/// jobs wait behind a slow callback.
const BATCH: usize = 64;

impl Source for WorkerMember {
    fn run_batch(&self) -> bool {
        let Ok(core) = self.member.worker() else { return false };
        let events = core.take_events(BATCH);
        if events.is_empty() && self.batches.is_idle() {
            return false;
        }
        let more = events.len() == BATCH;
        let (handlers, listeners) = (self.handlers.now(), self.member.listeners.now());
        let mut delivered = Vec::with_capacity(events.len());
        if events.len() > 1 {
            self.jobs.begin_batch();
        }
        for event in events {
            match event {
                Event::Add(job) => match handlers.handler(job.task()) {
                    Some(Handler::Batch(batching, _)) => self.batches.add(job, batching, core, &self.context),
                    handler => delivered.push(call_add(handler, job, &self.jobs)),
                },
                Event::Delete { job, reason } => {
                    if self.batches.remove(job.fence) {
                        core.finish(job.fence, Finish::Stopped, None);
                        continue;
                    }
                    let in_batch = delivered.iter().find(|delivered| delivered.fence() == job.fence).cloned();
                    // The job is unknown if the program has finished it meanwhile: it has stopped then.
                    if let Some(job) = in_batch.or_else(|| self.jobs.active(job.fence)) {
                        call_delete(&handlers, &job, reason);
                    }
                }
                Event::Completed { ref job } => call_outcome(&handlers.completed, job, &event, &self.jobs),
                Event::Failed { ref job, .. } => call_outcome(&handlers.failed, job, &event, &self.jobs),
                Event::Retrying { ref job, .. } => call_outcome(&handlers.retrying, job, &event, &self.jobs),
                other => listeners.call(other),
            }
        }
        while let Some(jobs) = self.batches.take(more) {
            self.jobs.begin_batch();
            call_batch(&handlers, jobs, &self.jobs, &mut delivered);
        }
        self.jobs.end_batch(delivered);
        more
    }
}

/// Passes the job to the add callback, or runs its process callback.
fn call_add(handler: Option<&Handler>, job: Job, jobs: &Arc<Jobs<swarm_job>>) -> Arc<swarm_job> {
    match handler {
        Some(Handler::Add(add)) => {
            let job = Arc::new(swarm_job::owned(job, jobs.clone()));
            // From here on the program owns this share in the job.
            add(Arc::into_raw(job.clone()).cast_mut());
            job
        }
        Some(Handler::Process(process)) => {
            let job = Arc::new(swarm_job::lent(job, jobs.clone()));
            // Does not run a job whose result would be rejected.
            job.end(if job.is_cancelled() { Finish::Stopped } else { process(Arc::as_ptr(&job)) });
            job
        }
        Some(Handler::Batch(_, start)) => {
            let job = Arc::new(swarm_job::owned(job, jobs.clone()));
            start(&[Arc::into_raw(job.clone()).cast_mut()]);
            job
        }
        None => {
            // Jobs without a handler are not accepted; if one arrives nevertheless, it is released for another worker.
            let job = Arc::new(swarm_job::lent(job, jobs.clone()));
            job.end(Finish::Release);
            job
        }
    }
}

/// Passes the jobs of a batch, which are of one task, to its callback.
fn call_batch(handlers: &Handlers, batch: Vec<Job>, jobs: &Arc<Jobs<swarm_job>>, delivered: &mut Vec<Arc<swarm_job>>) {
    let handler = batch.first().and_then(|job| handlers.handler(job.task()));
    let Some(Handler::Batch(_, start)) = handler else {
        // The callback was replaced while they waited.
        return delivered.extend(batch.into_iter().map(|job| call_add(handler, job, jobs)));
    };
    let batch: Vec<_> = batch.into_iter().map(|job| Arc::new(swarm_job::owned(job, jobs.clone()))).collect();
    // From here on the program owns these shares in the jobs.
    let pointers: Vec<_> = batch.iter().map(|job| Arc::into_raw(job.clone()).cast_mut()).collect();
    start(&pointers);
    delivered.extend(batch);
}

fn call_delete(handlers: &Handlers, job: &Arc<swarm_job>, reason: DeleteReason) {
    if job.is_finished() {
        return;
    }
    if let Some(delete) = &handlers.delete {
        delete(Arc::as_ptr(job).cast_mut(), reason);
    }
    job.told_to_stop();
}

fn call_outcome(callback: &Option<OnOutcome>, job: &Job, event: &Event, jobs: &Arc<Jobs<swarm_job>>) {
    if let Some(callback) = callback {
        callback(&swarm_job::ended(job.clone(), jobs.clone()), event);
    }
}
