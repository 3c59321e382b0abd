//! Guards the tasks of a member: a panic in one ends the member, and all pending calls fail.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use libswarm_common::panic::panic_text;

use super::TARGET;
use super::shared::{Shared, Source};
use libswarm_common::error::{Error, ErrorKind, Result};

/// Runs a task; returns an error if it panics.
pub(crate) async fn guarded<T>(what: &str, task: impl Future<Output = T>) -> Result<T> {
    AssertUnwindSafe(task).catch_unwind().await.map_err(|panic| {
        let error = panicked(&format!("{what}: {}", panic_text(&*panic)));
        tracing::error!(target: TARGET, "{error}");
        error
    })
}

pub(crate) fn panicked(what: &str) -> Error {
    Error::new(ErrorKind::Panic, format!("the member has ended, because a task of it panicked ({what})"))
}

/// The main task of a master or a worker.
pub(crate) trait MemberTask: Send {
    /// The name of the task in the error of a panic.
    const NAME: &'static str;

    /// Runs until the member has ended.
    fn run(&mut self) -> impl Future<Output = ()> + Send;

    /// Ends all pending calls with the error, after a panic.
    fn abort(&mut self, error: &Error);

    /// Ends the member: later calls and events fail with this error.
    fn end(&mut self, error: Error);
}

/// Runs the main task of a member, and ends the member if any of its tasks panics. The lease is left to expire: if a job caused the panic, a crash
/// is counted for that job.
pub(crate) async fn supervise<T: MemberTask>(shared: Arc<Shared>, mut task: T) {
    let watched = tokio::select! {
        ended = shared.guard_main(T::NAME, task.run()) => ended,
        () = shared.watch_credentials() => return,
    };
    let Err(error) = watched else { return };
    shared.died(&error);
    let abort = async { task.abort(&error) };
    let _ = guarded("the member's end", abort).await;
    task.end(error);
}

impl Shared {
    /// Reports the problems of the credentials that may change; never ends.
    async fn watch_credentials(&self) {
        let Some(source) = &self.options.credentials else { return std::future::pending().await };
        let mut changes = source.changes();
        loop {
            let problem = changes.borrow_and_update().problem.clone();
            match problem {
                Some(error) => self.report(Source::Credentials, &error),
                None => self.healed(Source::Credentials),
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Runs an additional task of the member. A panic in it ends the main task.
    pub(crate) async fn guard(&self, what: &str, task: impl Future<Output = ()>) {
        if let Err(error) = guarded(what, task).await {
            self.fatal.send_if_modified(|fatal| fatal.is_none().then(|| *fatal = Some(error)).is_some());
        }
    }

    /// Runs the main task until it ends, or until a task of the member panics. Returns the error of the panic.
    pub(crate) async fn guard_main(&self, what: &str, task: impl Future<Output = ()>) -> Result<()> {
        let mut fatal = self.fatal.subscribe();
        tokio::select! {
            ended = guarded(what, task) => ended,
            error = fatal.wait_for(Option::is_some) => match error {
                Ok(error) => Err(error.clone().unwrap_or_else(|| panicked(what))),
                Err(_) => Ok(()),
            },
        }
    }

    /// Records that the member has ended by a panic: its `close` event and every later call return the error.
    pub(crate) fn died(&self, error: &Error) {
        let _ = self.death.set(error.clone());
        self.report(Source::Calls, error);
    }

    /// The error of a call after the member has ended: that of the panic, or `closed`.
    pub(crate) fn why_closed(&self, closed: Error) -> Error {
        self.death.get().cloned().unwrap_or(closed)
    }
}
