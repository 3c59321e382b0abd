//! A master that chooses the workers of waiting jobs. Who is asked, and how often, is in `lib/chooser.js`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libswarm::{Choices, Choosing, JobInfo};
use napi_derive::napi;
use serde::Serialize;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, to_json};

/// A job, and the workers that it can be given to.
#[derive(Serialize)]
struct Question<'a, W> {
    job: &'a JobInfo,
    workers: Vec<W>,
}

#[napi]
impl NativeMaster {
    /// Chooses from now on, or in another way. `within` is in milliseconds; out of its bounds it is refused.
    #[napi(catch_unwind)]
    pub fn start_choosing(&self, token: u32, within: f64, tasks: Vec<String>) {
        let choosing = Choosing { within: Duration::from_millis(within as u64), tasks };
        self.call(token, |master| async move { answer(master.start_choosing(choosing).await, |()| Answer::Done) });
    }

    /// Waits until there is something to choose, for `next_choice`; `cancel` gives it up.
    #[napi(catch_unwind)]
    pub fn choices(&self, token: u32) {
        if let Some(open) = &self.session {
            let round = self.round.clone();
            open.wait(token, |master| async move {
                answer(master.choices().await, |choices| {
                    // A wait that is given up puts nothing over the answer of a later one, because the runtime has one thread.
                    *lock(&round) = Some(choices);
                    Answer::Done
                })
            });
        }
    }

    /// The next job that some worker has room for, with these workers, as JSON; null after the last.
    #[napi(catch_unwind)]
    pub fn next_choice(&self) -> Option<String> {
        let mut round = lock(&self.round);
        let (job, workers) = round.as_mut()?.next_job()?;
        let workers = workers.into_iter().map(|(worker, room)| worker.with_room(room)).collect();
        Some(to_json(&Question { job, workers }))
    }

    /// Gives this job to the worker of this incarnation. False if it is none of those that were shown with the job.
    #[napi(catch_unwind)]
    pub fn choose(&self, incarnation: String) -> bool {
        lock(&self.round).as_mut().is_some_and(|choices| choices.choose(&incarnation))
    }

    /// Assigns the jobs as they were chosen; answers which were assigned.
    #[napi(catch_unwind)]
    pub fn assign(&self, token: u32) {
        let round = lock(&self.round).take();
        let pairs = round.map_or_else(Vec::new, |choices| choices.chosen().to_vec());
        self.call(token, |master| async move { answer(master.assign(&pairs).await, Answer::Flags) });
    }

    /// Chooses no more.
    #[napi(catch_unwind)]
    pub fn stop_choosing(&self, token: u32) {
        *lock(&self.round) = None;
        self.call(token, |master| async move { answer(master.stop_choosing().await, |()| Answer::Done) });
    }
}

fn lock(round: &Mutex<Option<Choices>>) -> MutexGuard<'_, Option<Choices>> {
    round.lock().unwrap_or_else(PoisonError::into_inner)
}
