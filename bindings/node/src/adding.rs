//! Adding jobs, by masters and workers.

use libswarm::{Added, Done, NewJob};
use napi_derive::napi;

use crate::batch;
use crate::master::NativeMaster;
use crate::outgoing::{Answer, answer};
use crate::session::Session;
use crate::worker::NativeWorker;

#[napi]
impl NativeMaster {
    /// Adds jobs, see `batch::jobs`.
    #[napi(catch_unwind)]
    pub fn submit(&self, token: u32, count: u32, text: String, blob: Option<&[u8]>) {
        if let Some(open) = &self.session {
            let jobs = batch::jobs(&text, blob.unwrap_or_default(), count as usize).and_then(batch::all);
            submit(open, token, jobs, |master, jobs, done| master.submit(jobs, done));
        }
    }
}

#[napi]
impl NativeWorker {
    /// Adds jobs, see `batch::jobs`.
    #[napi(catch_unwind)]
    pub fn submit(&self, token: u32, count: u32, text: String, blob: Option<&[u8]>) {
        if let Some(open) = &self.session {
            let jobs = batch::jobs(&text, blob.unwrap_or_default(), count as usize).and_then(batch::all);
            submit(open, token, jobs, |worker, jobs, done| worker.submit(jobs, done));
        }
    }
}

/// Answers `token` with the ids of the jobs and whether each existed.
fn submit<M>(
    open: &Session<M>,
    token: u32,
    jobs: libswarm::Result<Vec<NewJob>>,
    submit: impl FnOnce(&M, Vec<NewJob>, Done<Vec<Added>>),
) {
    let mailbox = open.mailbox.clone();
    match jobs {
        Ok(jobs) => submit(&open.member, jobs, Box::new(move |added| mailbox.answer(token, answer(added, Answer::Added)))),
        Err(error) => mailbox.answer(token, Answer::Failed(error)),
    }
}
