//! A master that chooses the workers of waiting jobs. `lib/chooser.js` calls the program.

use std::time::Duration;

use libswarm::{Choosing, JobInfo};
use napi_derive::napi;
use serde::Serialize;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, to_json};

/// A job, and the workers to which it can be assigned.
#[derive(Serialize)]
struct Question<'a, W> {
    job: &'a JobInfo,
    workers: Vec<W>,
}

#[napi]
impl NativeMaster {
    /// Starts to choose, or changes the options. `within` is in milliseconds; it is refused if out of bounds.
    #[napi(catch_unwind)]
    pub fn start_choosing(&self, token: u32, within: f64, tasks: Vec<String>) {
        let choosing = Choosing { within: Duration::from_millis(within as u64), tasks };
        self.call(token, |master| async move { answer(master.start_choosing(choosing).await, |()| Answer::Done) });
    }

    /// Waits until jobs wait for a choice, for `next_choice`; `cancel` ends the wait.
    #[napi(catch_unwind)]
    pub fn choices(&self, token: u32) {
        if let Some(open) = &self.session {
            let round = self.round.clone();
            open.wait(token, |master| async move {
                answer(master.choices().await, |choices| {
                    // A wait that is given up puts nothing over the answer of a later one, because the runtime has one thread.
                    *round.lock() = Some(choices);
                    Answer::Done
                })
            });
        }
    }

    /// The next job that at least one worker can accept, with these workers, as JSON; null after the last.
    #[napi(catch_unwind)]
    pub fn next_choice(&self) -> Option<String> {
        let mut round = self.round.lock();
        let (job, workers) = round.as_mut()?.next_job()?;
        let workers = workers.into_iter().map(|(worker, room)| worker.with_room(room)).collect();
        Some(to_json(&Question { job, workers }))
    }

    /// Chooses the worker of this incarnation for this job. False if it was not shown with the job.
    #[napi(catch_unwind)]
    pub fn choose(&self, incarnation: String) -> bool {
        self.round.lock().as_mut().is_some_and(|choices| choices.choose(&incarnation))
    }

    /// Assigns the jobs to the chosen workers; answers which were assigned.
    #[napi(catch_unwind)]
    pub fn assign(&self, token: u32) {
        let round = self.round.lock().take();
        let pairs = round.map_or_else(Vec::new, |choices| choices.chosen().to_vec());
        self.call(token, |master| async move { answer(master.assign(&pairs).await, Answer::Flags) });
    }

    /// Stops choosing.
    #[napi(catch_unwind)]
    pub fn stop_choosing(&self, token: u32) {
        *self.round.lock() = None;
        self.call(token, |master| async move { answer(master.stop_choosing().await, |()| Answer::Done) });
    }
}
