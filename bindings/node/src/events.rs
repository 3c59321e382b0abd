//! The transitions of jobs, as a master follows them.

use std::sync::Arc;

use libswarm::EventsOptions;
use napi_derive::napi;

use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer, json_of};

/// Limit of events per answer.
const BATCH: usize = 256;

#[napi]
impl NativeMaster {
    /// Begins to follow the transitions of jobs; answers once they are recorded. `cancel` with the token stops the beginning.
    #[napi(catch_unwind)]
    pub fn open_events(&self, token: u32, after: Option<String>) {
        let Some(open) = &self.session else { return };
        let followers = self.followers.clone();
        open.wait(token, |master| async move {
            let options = after.map_or_else(EventsOptions::default, |after| EventsOptions::default().after(after));
            answer(master.events(options).await, |events| {
                followers.lock().insert(token, Arc::new(tokio::sync::Mutex::new(events)));
                Answer::Done
            })
        });
    }

    /// Answers with the next events, as JSON; with none at the end. `cancel` stops the wait.
    #[napi(catch_unwind)]
    pub fn take_events(&self, token: u32, follower: u32) {
        let Some(open) = &self.session else { return };
        let found = self.followers.lock().get(&follower).cloned();
        open.wait(token, |_| async move {
            match found {
                Some(events) => answer(events.lock().await.next_many(BATCH).await, |events| json_of(&events)),
                None => json_of(&[(); 0]),
            }
        });
    }

    /// Ends a follower.
    #[napi(catch_unwind)]
    pub fn close_events(&self, follower: u32) {
        self.followers.lock().remove(&follower);
    }
}
