//! The tasks of a member are watched: a panic in one ends the member, and nobody waits for it any more.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use libswarm_common::panic::panic_text;

use super::Shared;
use libswarm_common::error::{Error, ErrorKind, Result};

/// Runs a task; a panic in it is an error.
pub(crate) async fn guarded<T>(what: &str, task: impl Future<Output = T>) -> Result<T> {
    AssertUnwindSafe(task).catch_unwind().await.map_err(|panic| {
        let error = panicked(&format!("{what}: {}", panic_text(&*panic)));
        tracing::error!("{error}");
        error
    })
}

pub(crate) fn panicked(what: &str) -> Error {
    Error::new(ErrorKind::Panic, format!("the member has ended, because a task of it panicked ({what})"))
}

impl Shared {
    /// Runs a task of the member beside its main one, which ends if this one panics.
    pub(crate) async fn guard(&self, what: &str, task: impl Future<Output = ()>) {
        if let Err(error) = guarded(what, task).await {
            self.fatal.send_if_modified(|fatal| fatal.is_none().then(|| *fatal = Some(error)).is_some());
        }
    }

    /// Runs the main task until it or another panics; that is answered.
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

    /// The member has ended by a panic: it is told, and so is whoever asks for something from now on.
    pub(crate) fn died(&self, error: &Error) {
        let _ = self.death.set(error.clone());
        self.report(super::Source::Calls, error);
    }

    /// What to answer to a call of a member that has ended: why, unless it was closed.
    pub(crate) fn why_closed(&self, closed: Error) -> Error {
        self.death.get().cloned().unwrap_or(closed)
    }
}
