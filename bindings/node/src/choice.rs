//! A master that chooses the workers of waiting jobs. `lib/chooser.js` calls the program.

use std::time::Duration;

use libswarm::Choosing;
use napi_derive::napi;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};

#[napi]
impl NativeMaster {
    /// Starts to choose, or changes the options. `within` is in milliseconds; it is refused if out of bounds.
    #[napi(catch_unwind)]
    pub fn start_choosing(&self, token: u32, within: f64, tasks: Vec<String>) {
        let choosing = Choosing { within: Duration::from_millis(within as u64), tasks };
        self.call(token, |master| async move { answer(master.start_choosing(choosing).await, |()| Answer::Done) });
    }

    /// Waits until jobs wait for a choice; `cancel` ends the wait.
    #[napi(catch_unwind)]
    pub fn choices(&self, token: u32) {
        if let Some(open) = &self.session {
            open.wait(token, |master| async move { answer(master.choices().await, |choices| json_of(&choices)) });
        }
    }

    /// Assigns each job to the worker at the same position, an incarnation; answers which were assigned.
    #[napi(catch_unwind)]
    pub fn assign(&self, token: u32, jobs: Vec<String>, workers: Vec<String>) {
        let pairs: Vec<_> = jobs.into_iter().zip(workers).collect();
        self.call(token, |master| async move { answer(master.assign(&pairs).await, Answer::Flags) });
    }

    /// Stops choosing.
    #[napi(catch_unwind)]
    pub fn stop_choosing(&self, token: u32) {
        self.call(token, |master| async move { answer(master.stop_choosing().await, |()| Answer::Done) });
    }
}
