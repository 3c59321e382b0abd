//! A batch of adds on its way to Redis, until its outcome is known.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::adds::{Adds, Batch};
use crate::member::{Shared, Source};
use crate::model::job_options::Durability;
use crate::store::{AddReply, Failed};
use crate::util::reconnect::ReconnectDelay;
use libswarm_common::error::{Error, ErrorKind};

/// A batch under way. It is sent again unchanged when the reply is lost.
pub(super) struct AddFlight {
    batch: Batch,
    backoff: ReconnectDelay,
    /// An earlier attempt may have been executed.
    maybe_executed: bool,
    /// The time of the first of the consecutive failures.
    failing_since: Option<Instant>,
    /// The epoch of the store when the batch was first sent.
    epoch: String,
    /// Its incarnation is gone and it was never executed: it is sent again under the next incarnation.
    orphaned: bool,
    pub(super) future: Pin<Box<dyn Future<Output = Result<AddReply, Failed>> + Send>>,
}

/// What to do after a reply.
pub(super) enum Landed {
    /// Redis has stored the batch. Contains the time until the next due entry, if a job may have changed it.
    Stored(Option<Duration>),
    /// The batch was not stored, or its outcome is unknown. Its submissions have failed.
    Failed,
    /// The batch is sent again.
    Again(AddFlight),
    /// Its incarnation is gone. The batch waits for [`AddFlight::adopt`].
    Orphaned(AddFlight),
}

impl AddFlight {
    pub(super) fn new(shared: &Arc<Shared>, batch: Batch, epoch: String) -> Self {
        AddFlight {
            future: send(shared, &batch, Duration::ZERO),
            batch,
            backoff: ReconnectDelay::new(shared.store.longest_backoff()),
            maybe_executed: false,
            failing_since: None,
            epoch,
            orphaned: false,
        }
    }

    pub(super) fn is_orphaned(&self) -> bool {
        self.orphaned
    }

    pub(super) fn incarnation(&self) -> &str {
        &self.batch.call.incarnation
    }

    /// Sends an orphaned batch under another incarnation.
    pub(super) fn adopt(&mut self, shared: &Arc<Shared>, incarnation: &str, number: u64, epoch: &str) {
        self.batch.renumber(incarnation, number);
        (self.orphaned, self.epoch) = (false, epoch.to_owned());
        self.future = send(shared, &self.batch, Duration::ZERO);
    }

    pub(super) fn landed(self, shared: &Arc<Shared>, adds: &Adds, answer: Result<AddReply, Failed>) -> Landed {
        match answer {
            Ok(AddReply::Done { existed, next, not_durable }) => {
                shared.healed(Source::Calls);
                let added = self.batch.count.saturating_sub(existed.len());
                tracing::debug!(target: "libswarm::jobs", "added {added} jobs, {} existed", existed.len());
                shared.counts.added.fetch_add(added as u64, Ordering::Relaxed);
                self.batch.succeed(adds, existed, not_durable.as_ref());
                Landed::Stored(next)
            }
            Ok(AddReply::UnknownMember(epoch)) => self.unknown(&epoch),
            Err(failed) => self.failed(shared, failed),
        }
    }

    /// The call failed: send it again, or fail the submissions.
    fn failed(mut self, shared: &Arc<Shared>, failed: Failed) -> Landed {
        // The outcome is as certain as it can be: some jobs may be stored, but no reply is missing.
        let known = failed.half_done && !self.maybe_executed;
        self.maybe_executed |= failed.maybe_executed;
        let pause = self.backoff.next();
        // A full store is an error of this call, not a background problem: renewals and completions still work.
        let full = failed.error.kind() == ErrorKind::StoreFull;
        if !full {
            shared.report(Source::Calls, &failed.error);
        }
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        if !full && failed.error.kind().is_retryable() && since.elapsed() + pause < shared.options.timeout {
            self.future = send(shared, &self.batch, pause);
            return Landed::Again(self);
        }
        let error = if known {
            let message = format!(
                "{}. Redis does not undo what the script did before the error: some of the jobs may have been added",
                failed.error.message()
            );
            Error::new(failed.error.kind(), message)
        } else if self.maybe_executed {
            let message =
                format!("{}. The reply to an earlier attempt was lost, so the jobs may have been added", failed.error.message());
            Error::new(ErrorKind::OutcomeUnknown, message)
        } else {
            failed.error
        };
        self.batch.fail(&error);
        Landed::Failed
    }

    /// Redis does not know the incarnation of the batch any more. The batch is sent again if it cannot have been executed in this epoch of the
    /// store.
    fn unknown(mut self, epoch: &str) -> Landed {
        if self.maybe_executed && self.epoch == epoch {
            let message = "the reply was lost and Redis has forgotten this member meanwhile: the jobs may have been added";
            self.batch.fail(&Error::new(ErrorKind::OutcomeUnknown, message));
            return Landed::Failed;
        }
        self.maybe_executed = false;
        self.orphaned = true;
        self.failing_since.get_or_insert_with(Instant::now);
        self.future = Box::pin(std::future::pending());
        Landed::Orphaned(self)
    }

    /// Whether the batch waits for an incarnation that cannot register because of `error`, or has waited for longer than `limit`.
    pub(super) fn has_waited_too_long(&self, error: &Error, limit: Duration) -> bool {
        self.orphaned && (!error.kind().is_retryable() || self.failing_since.is_some_and(|since| since.elapsed() >= limit))
    }

    pub(super) fn fail(self, error: &Error) {
        self.batch.fail(error);
    }
}

fn send(shared: &Arc<Shared>, batch: &Batch, pause: Duration) -> Pin<Box<dyn Future<Output = Result<AddReply, Failed>> + Send>> {
    let (shared, call, durability) = (shared.clone(), batch.call.clone(), batch.durability);
    Box::pin(async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let mut reply = shared.store.add(&call).await?;
        if let AddReply::Done { not_durable, .. } = &mut reply
            && durability > Durability::Memory
        {
            *not_durable = shared.store.make_durable(durability).await.err();
        }
        Ok(reply)
    })
}
