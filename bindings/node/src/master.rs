//! The native half of a master.

use std::sync::Arc;

use libswarm::{Added, Choices, Master};
use libswarm_host::lock::Mutex;
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;

use crate::credentials::NativeCredentials;
use crate::failure::Failure;
use crate::followers::Followers;
use crate::outgoing::{Answer, answer, json_of, to_json};
use crate::session::{Session, session};
use crate::{batch, options};

/// An open master. Calls pass a token, with which `take` returns their answers.
#[napi]
pub struct NativeMaster {
    pub(crate) session: Option<Session<Master>>,
    /// What is chosen from now: the last answer of `choices`, until it is assigned.
    pub(crate) round: Arc<Mutex<Option<Choices>>>,
    pub(crate) followers: Followers,
}

/// Opens a master; `wake` is called when there are events or answers.
#[napi(catch_unwind)]
pub fn open_master(
    cluster: String,
    settings: Vec<String>,
    wake: Function<'_, (), ()>,
    credentials: Option<&NativeCredentials>,
) -> napi::Result<Either<NativeMaster, Failure>> {
    let opened = Session::open(
        &wake,
        |threads| Master::start(options::with_credentials(&cluster, &settings, credentials)?, threads.handle()),
        |master, mailbox| master.set_wake(move || mailbox.wake()),
    )?;
    Ok(match opened {
        Ok(session) => Either::A(NativeMaster { session: Some(session), round: Arc::default(), followers: Followers::default() }),
        Err(error) => Either::B(error.into()),
    })
}

session!(NativeMaster, Master);

#[napi]
impl NativeMaster {
    /// Adds jobs and awaits their results, each with its own token.
    #[napi(catch_unwind)]
    pub fn run(&self, tokens: &[u32], text: String, blob: Option<&[u8]>) {
        let Some(open) = &self.session else { return };
        let jobs = batch::jobs(&text, blob.unwrap_or_default(), tokens.len());
        let jobs = jobs.unwrap_or_else(|error| tokens.iter().map(|_| Err(error.clone())).collect());
        for (token, job) in tokens.iter().zip(jobs) {
            match job {
                Ok(job) => {
                    let (token, mailbox) = (*token, open.mailbox.clone());
                    open.wait(token, |master| async move {
                        let on_added = |added: &Added| {
                            if added.existed {
                                mailbox.answer(token, Answer::Existed(added.id.clone()));
                            }
                        };
                        answer(master.run_with(job, on_added).await, Answer::Outcome)
                    });
                }
                Err(error) => open.mailbox.answer(*token, Answer::Failed(error)),
            }
        }
    }

    /// Deletes jobs; answers whether each existed.
    #[napi(catch_unwind)]
    pub fn delete_jobs(&self, token: u32, ids: Vec<String>) {
        self.call(token, |master| async move { answer(master.delete_many(ids).await, Answer::Flags) });
    }

    /// Awaits the result of a job.
    #[napi(catch_unwind)]
    pub fn result(&self, token: u32, id: String) {
        if let Some(open) = &self.session {
            open.wait(token, |master| async move { answer(master.result(id).await, Answer::Outcome) });
        }
    }

    /// Stops waiting for a result.
    #[napi(catch_unwind)]
    pub fn cancel(&self, token: u32) {
        if let Some(open) = &self.session {
            open.cancel(token);
        }
    }

    /// Counts of the cluster.
    #[napi(catch_unwind)]
    pub fn stats(&self, token: u32) {
        self.call(token, |master| async move { answer(master.stats().await, |stats| json_of(&stats)) });
    }

    /// Removes every key of the cluster.
    #[napi(catch_unwind)]
    pub fn obliterate(&self, token: u32) {
        self.call(token, |master| async move { answer(master.obliterate().await, |()| Answer::Done) });
    }

    /// Leaves the cluster.
    #[napi(catch_unwind)]
    pub fn close(&self, token: u32) {
        self.call(token, |master| async move { answer(master.close().await, |()| Answer::Done) });
    }

    /// The local state of the member, as JSON.
    #[napi(catch_unwind)]
    pub fn health(&self) -> Option<String> {
        self.session.as_ref().map(|open| to_json(&open.member.health()))
    }
}

impl Drop for NativeMaster {
    fn drop(&mut self) {
        // The object was collected, or its environment ends: leaves the cluster without blocking the thread.
        if let Some(Session { member, threads, .. }) = self.session.take() {
            threads.spawn(async move { drop(member.close().await) });
        }
    }
}
