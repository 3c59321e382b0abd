//! Runs a handler for each job of a worker.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinSet};

use super::Worker;
use crate::error::Result;
use crate::event::Event;
use crate::job::{Finish, Job, Payload};

/// How long handlers may take to stop when the worker is terminated.
const GRACE: Duration = Duration::from_secs(5);

/// A worker with its handler; made by [`Worker::process`].
pub struct Process<H> {
    worker: Worker,
    handler: H,
    other: Option<Box<dyn FnMut(Event) + Send>>,
}

impl<H, F, T, E> Process<H>
where
    H: Fn(Job) -> F,
    F: Future<Output = std::result::Result<T, E>> + Send + 'static,
    T: serde::Serialize + 'static,
    E: std::fmt::Display + 'static,
{
    pub(super) fn new(worker: Worker, handler: H) -> Self {
        Process { worker, handler, other: None }
    }

    /// Has `listener` told all else: messages, members that come and go, errors. It must be quick.
    #[must_use]
    pub fn on_event(mut self, listener: impl FnMut(Event) + Send + 'static) -> Self {
        self.other = Some(Box::new(listener));
        self
    }

    /// Runs until `shutdown` resolves, then drains and terminates; or until the worker is closed. A handler's `Ok` completes its job,
    /// `Err` fails it, a panic fails it too. The handler of a deleted or lost job is dropped at its next await.
    pub async fn until(mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let mut running: JoinSet<()> = JoinSet::new();
        let mut aborts: HashMap<u64, AbortHandle> = HashMap::new();
        let mut shutdown = std::pin::pin!(shutdown);
        let mut drain = None;
        loop {
            let event = tokio::select! {
                event = self.worker.next() => event,
                () = &mut shutdown, if drain.is_none() => {
                    let worker = self.worker.clone();
                    drain = Some(tokio::spawn(async move {
                        worker.drain().await?;
                        worker.terminate(GRACE).await
                    }));
                    continue;
                }
                Some(_) = running.join_next() => continue,
            };
            match event {
                Some(Event::Add(job)) => {
                    aborts.retain(|_, abort| !abort.is_finished());
                    let worker = self.worker.clone();
                    let fence = job.fence;
                    let work = (self.handler)(job);
                    aborts.insert(fence, running.spawn(finish_with(worker, fence, work)));
                }
                Some(Event::Delete { job, .. }) => {
                    if let Some(abort) = aborts.remove(&job.fence) {
                        abort.abort();
                    }
                }
                Some(event) => {
                    if let Event::Error(error) = &event {
                        tracing::warn!(%error, "worker");
                    }
                    if let Some(other) = &mut self.other {
                        other(event);
                    }
                }
                None => break,
            }
        }
        match drain {
            Some(drain) => drain.await.unwrap_or(Ok(())),
            None => Ok(()),
        }
    }
}

/// Ends the job when its handler is done, or stopped when the handler was dropped.
async fn finish_with<T: serde::Serialize, E: std::fmt::Display>(
    worker: Worker,
    fence: u64,
    work: impl Future<Output = std::result::Result<T, E>> + Send + 'static,
) {
    struct OnDrop(Worker, u64, Finish);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            if std::thread::panicking() {
                self.2 = Finish::Fail("the handler panicked".into());
            }
            self.0.finish(self.1, self.2.clone(), None);
        }
    }
    let mut end = OnDrop(worker, fence, Finish::Stopped);
    end.2 = match work.await {
        Ok(value) => Payload::json(&value).map_or_else(|error| Finish::Fail(error.to_string().into()), Finish::Complete),
        Err(error) => Finish::Fail(error.to_string().into()),
    };
}
