//! The part of a worker that the handles of a program own.

use std::sync::Arc;

use libswarm_common::error::{Error, ErrorKind, Result, invalid};
use libswarm_common::language::option;
use tokio::sync::{mpsc, watch};

use super::finishes::{Finishes, Stored};
use super::{Command, closed};
use crate::adding::Adds;
use crate::messaging::Messaging;
use crate::model::flow::Input;
use crate::model::job::{Finish, JobData};
use crate::model::job_options::{Added, NewJob};
use crate::model::log::cut;
use crate::model::payload::{MAX_CHECKPOINT, MAX_PROGRESS};
use crate::store::envelope::ValueKind;
use crate::util::completion::{Done, awaited};

/// A handle; clones belong to the same worker. The worker ends when the last is dropped.
#[derive(Clone)]
pub(crate) struct WorkerHandle(pub(crate) Arc<Ends>);

/// The channels for the calls of a program.
pub(crate) struct Ends {
    pub(crate) messaging: Arc<Messaging>,
    pub(crate) adds: Arc<Adds>,
    pub(crate) finishes: Arc<Finishes>,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    /// The program has started to drain the worker.
    pub(crate) draining: watch::Sender<bool>,
    /// Answers calls of a job of a test.
    #[cfg(feature = "testing")]
    pub(crate) recorder: Option<Arc<super::recorder::Recorder>>,
}

impl WorkerHandle {
    pub(crate) fn messaging(&self) -> &Arc<Messaging> {
        &self.0.messaging
    }

    pub(crate) async fn until_ended(&self, job: &JobData) {
        loop {
            let ended = self.0.finishes.ended.notified();
            if job.execution.is_over() {
                return;
            }
            ended.await;
        }
    }

    pub(crate) async fn finish_and_wait(&self, fence: u64, finish: Finish) -> Result<()> {
        awaited(|done| self.0.finishes.push([(fence, finish, Some(done))]), closed).await
    }

    pub(crate) fn progress(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        self.store(fence, Stored::Progress, value, "progress", MAX_PROGRESS)
    }

    pub(crate) fn checkpoint(&self, fence: u64, value: Vec<u8>) -> Result<()> {
        self.store(fence, Stored::Checkpoint, value, "checkpoint", MAX_CHECKPOINT)
    }

    pub(crate) fn log(&self, fence: u64, text: &str) {
        let text = cut(text);
        let sealed = self.0.messaging.shared.envelopes().seal_text(ValueKind::Log, &text);
        self.0.finishes.push_line(fence, sealed.unwrap_or_else(|| text.into_bytes()));
    }

    fn store(&self, fence: u64, kind: Stored, value: Vec<u8>, what: &str, limit: usize) -> Result<()> {
        if value.len() > limit {
            let text = format!("the {what} has {} bytes, the limit is {limit}", value.len());
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        self.0.finishes.push_value(fence, kind, value);
        Ok(())
    }

    /// How the jobs ended that the job with this node waited for; a job without a node waited for none.
    pub(crate) async fn inputs(&self, node: &str) -> Result<Vec<Input>> {
        #[cfg(feature = "testing")]
        if let Some(recorder) = &self.0.recorder {
            return Ok(recorder.inputs.clone());
        }
        if node.is_empty() {
            return Ok(Vec::new());
        }
        self.0.messaging.shared.open_store()?.inputs(node).await
    }

    pub(crate) fn submit(&self, jobs: Vec<NewJob>, done: Done<Vec<Added>>) {
        if jobs.iter().any(NewJob::waits_for_others) {
            let text =
                format!("a worker adds no jobs that wait for others: leave out {}, or add them with a master", option("after"));
            return done(Err(invalid(text)));
        }
        #[cfg(feature = "testing")]
        if let Some(recorder) = &self.0.recorder {
            return done(Ok(recorder.add(jobs)));
        }
        self.0.adds.submit(jobs, self.0.messaging.shared.options.max_payload, false, done);
    }

    pub(crate) async fn delete(&self, id: String) -> Result<bool> {
        Ok(self.delete_many(&[id]).await?[0])
    }

    pub(crate) async fn delete_many(&self, ids: &[String]) -> Result<Vec<bool>> {
        self.0.messaging.shared.delete(ids, self.0.adds.settled()).await
    }
}
