//! The native half of a worker.

use std::time::Duration;

use libswarm::{Done, Error, Worker};
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;

use crate::credentials::NativeCredentials;
use crate::failure::Failure;
use crate::outgoing::{Answer, answer, json_of, to_json};
use crate::session::{Session, session};
use crate::{batch, options};

/// An open worker. Calls pass a token, with which `take` returns their answers.
#[napi]
pub struct NativeWorker {
    pub(crate) session: Option<Session<Worker>>,
}

/// The default limit of active jobs of a worker with a handler.
#[napi]
pub const DEFAULT_CONCURRENCY: u32 = libswarm::DEFAULT_CONCURRENCY;

/// Opens a worker; `wake` is called when there are events or answers.
#[napi(catch_unwind)]
pub fn open_worker(
    cluster: String,
    settings: Vec<String>,
    wake: Function<'_, (), ()>,
    credentials: Option<&NativeCredentials>,
) -> napi::Result<Either<NativeWorker, Failure>> {
    let opened = Session::open(
        &wake,
        |threads| Worker::start(options::with_credentials(&cluster, &settings, credentials)?, threads.handle()),
        |worker, mailbox| worker.set_wake(move || mailbox.wake()),
    )?;
    Ok(match opened {
        Ok(session) => Either::A(NativeWorker { session: Some(session) }),
        Err(error) => Either::B(error.into()),
    })
}

session!(NativeWorker, Worker);

#[napi]
impl NativeWorker {
    /// Finishes jobs, see `batch::finishes`.
    #[napi(catch_unwind)]
    pub fn finish(&self, rows: &[f64], text: String, blob: Option<&[u8]>) -> Option<Failure> {
        let open = self.session.as_ref()?;
        let finishes = match batch::finishes(rows, &text, blob.unwrap_or_default()) {
            Ok(finishes) => finishes,
            Err(error) => return Some(error.into()),
        };
        let done = |token: u32| {
            let mailbox = open.mailbox.clone();
            Box::new(move |result: Result<(), Error>| mailbox.answer(token, answer(result, |()| Answer::Done))) as Done<()>
        };
        let finishes = finishes.into_iter().map(|(fence, finish, token)| (fence, finish, (token != 0).then(|| done(token))));
        open.member.finish_many(finishes.collect());
        None
    }

    /// Stores the progress of a job, as JSON.
    #[napi(catch_unwind)]
    pub fn progress(&self, fence: f64, value: String) -> Option<Failure> {
        self.session.as_ref()?.member.progress(fence as u64, value.into_bytes()).err().map(Failure::from)
    }

    /// Appends a line to the log of a job.
    #[napi(catch_unwind)]
    pub fn log(&self, fence: f64, text: String) {
        if let Some(session) = &self.session {
            session.member.log(fence as u64, &text);
        }
    }

    /// Stores a checkpoint of a job, as JSON.
    #[napi(catch_unwind)]
    pub fn checkpoint(&self, fence: f64, value: String) -> Option<Failure> {
        self.session.as_ref()?.member.checkpoint(fence as u64, value.into_bytes()).err().map(Failure::from)
    }

    /// Accepts jobs from now on, if the option `auto_accept` is false. `slots` is the limit of active jobs if the option `slots` is not set.
    #[napi(catch_unwind)]
    pub fn accept(&self, slots: Option<u32>) {
        if let Some(open) = &self.session {
            open.member.accept(slots);
        }
    }

    /// Whether outcomes that Redis has accepted are emitted.
    #[napi(catch_unwind)]
    pub fn report_outcomes(&self, report: bool) {
        if let Some(open) = &self.session {
            open.member.report_outcomes(report);
        }
    }

    /// Sets the tasks that the worker accepts from now on.
    #[napi(catch_unwind)]
    pub fn set_tasks(&self, tasks: Vec<String>) -> Option<Failure> {
        self.session.as_ref()?.member.set_tasks(tasks).err().map(Failure::from)
    }

    /// Limits the number of jobs that the worker accepts from now on.
    #[napi(catch_unwind)]
    pub fn limit_slots(&self, slots: u32) -> Option<Failure> {
        self.session.as_ref()?.member.limit_slots(slots).err().map(Failure::from)
    }

    /// How the jobs ended that the job with this node waited for.
    #[napi(catch_unwind)]
    pub fn inputs(&self, token: u32, node: String) {
        self.call(token, |worker| async move {
            answer(worker.inputs(&node).await, |inputs| Answer::Json(libswarm::inputs_to_json(&inputs)))
        });
    }

    /// Queues the deletion of a job of the cluster; answers whether it existed.
    #[napi(catch_unwind)]
    pub fn delete_job(&self, token: u32, id: String) {
        self.call(token, |worker| async move { answer(worker.delete(id).await, |existed| Answer::Flags(vec![existed])) });
    }

    /// Accepts no new jobs, and waits until the active ones are finished.
    #[napi(catch_unwind)]
    pub fn drain(&self, token: u32) {
        self.call(token, |worker| {
            worker.stop_accepting();
            async move { answer(worker.drain().await, |()| Answer::Done) }
        });
    }

    /// Terminates the worker and requeues all jobs, after at most `grace` milliseconds.
    #[napi(catch_unwind)]
    pub fn terminate(&self, token: u32, grace: f64) {
        let grace = Duration::try_from_secs_f64(grace / 1000.0).unwrap_or(Duration::MAX);
        self.call(token, move |worker| async move { answer(worker.terminate(grace).await, |()| Answer::Done) });
    }

    /// Counts of the cluster.
    #[napi(catch_unwind)]
    pub fn stats(&self, token: u32) {
        self.call(token, |worker| async move { answer(worker.stats().await, |stats| json_of(&stats)) });
    }

    /// The local state of the member, as JSON.
    #[napi(catch_unwind)]
    pub fn health(&self) -> Option<String> {
        self.session.as_ref().map(|open| to_json(&open.member.health()))
    }
}

impl Drop for NativeWorker {
    fn drop(&mut self) {
        // The object was collected, or its environment ends, so that the jobs cannot run any more: releases them at once.
        if let Some(Session { member, threads, .. }) = self.session.take() {
            threads.spawn(async move { drop(member.terminate(Duration::ZERO).await) });
        }
    }
}
