//! The jobs of one worker between their add callback and the core: the active ones, and finishes on their way.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libswarm::{Done, Error, ErrorKind, Finish, Result, Worker};
use libswarm_host::lock::Mutex;
use tokio::runtime::Handle;

use crate::context::Context;

/// The longest time that a finished job waits for its batch of callbacks to end, in case a later callback blocks.
const MAX_WAIT: Duration = Duration::from_millis(1);

type Finished = (u64, Finish, Option<Done<()>>);

/// A job that the program owns or owned.
pub(crate) trait Kept {
    fn fence(&self) -> u64;

    fn is_finished(&self) -> bool;

    /// Records that the job is kept among the active jobs; false if it is finished already.
    fn mark_kept(&self) -> bool;
}

/// The state that the jobs of a worker share.
pub(crate) struct Jobs<J> {
    pub(crate) context: Arc<Context>,
    /// Set by start.
    core: OnceLock<(Worker, Handle)>,
    /// Delivered and unfinished jobs, by fence, so that a delete callback gets the pointer of the add callback.
    active: Mutex<HashMap<u64, Arc<J>>>,
    /// Finishes of the current batch of callbacks; they are passed to the core together.
    finished: Mutex<Vec<Finished>>,
    gathering: AtomicBool,
    /// The flush after `MAX_WAIT` is scheduled.
    armed: AtomicBool,
    closed: AtomicBool,
}

impl<J: Kept + Send + Sync + 'static> Jobs<J> {
    pub(crate) fn new(context: Arc<Context>) -> Jobs<J> {
        Jobs {
            context,
            core: OnceLock::new(),
            active: Mutex::default(),
            finished: Mutex::default(),
            gathering: AtomicBool::new(false),
            armed: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn start(&self, core: Worker, handle: Handle) {
        // Only one caller of start gets here.
        let _ = self.core.set((core, handle));
    }

    /// The started worker, unless it was freed.
    pub(crate) fn open(&self) -> Result<&(Worker, Handle)> {
        let core = self.core.get().filter(|_| !self.closed.load(Ordering::Acquire));
        core.ok_or_else(|| Error::new(ErrorKind::Closed, "the worker of this job was freed; the job was requeued"))
    }

    /// A batch of callbacks for several jobs begins: their finishes are gathered.
    pub(crate) fn begin_batch(&self) {
        self.gathering.store(true, Ordering::Relaxed);
    }

    /// The batch ended. Stores its unfinished jobs; most are finished by then.
    pub(crate) fn end_batch(&self, delivered: Vec<Arc<J>>) {
        self.gathering.store(false, Ordering::Relaxed);
        self.flush();
        let mut open = delivered.into_iter().filter(|job| !job.is_finished()).peekable();
        if open.peek().is_none() {
            return;
        }
        let mut active = self.active.lock();
        for job in open {
            // Marked under the lock, so that a finish that reads the mark finds the job in the map.
            if job.mark_kept() {
                active.insert(job.fence(), job);
            }
        }
    }

    /// The job of an earlier batch with this fence.
    pub(crate) fn active(&self, fence: u64) -> Option<Arc<J>> {
        self.active.lock().get(&fence).cloned()
    }

    /// Removes a finished job.
    pub(crate) fn forget(&self, fence: u64) {
        let job = self.active.lock().remove(&fence);
        drop(job);
    }

    /// Passes a finish to the core: with the rest of the batch if the caller is in one of its callbacks, else at once.
    pub(crate) fn finish(self: &Arc<Self>, fence: u64, finish: Finish, done: Option<Done<()>>) -> Result<()> {
        let (core, handle) = self.open()?;
        if !self.gathering.load(Ordering::Relaxed) || !self.context.dispatch.is_current() {
            core.finish(fence, finish, done);
            return Ok(());
        }
        self.finished.lock().push((fence, finish, done));
        if !self.armed.swap(true, Ordering::AcqRel) {
            let jobs = self.clone();
            handle.spawn(async move {
                tokio::time::sleep(MAX_WAIT).await;
                jobs.armed.store(false, Ordering::Release);
                jobs.flush();
            });
        }
        Ok(())
    }

    /// Fails a job whose owner ended its ownership with a finish that was refused.
    pub(crate) fn fail_unheard(&self, fence: u64, error: &Error) {
        if let Ok((core, _)) = self.open() {
            core.finish(fence, Finish::FailPermanently(error.message().into()), None);
        }
    }

    /// The worker is freed: nothing can be finished any more. Drops the jobs, which refer to this object.
    pub(crate) fn close(&self) {
        self.flush();
        self.closed.store(true, Ordering::Release);
        let active = std::mem::take(&mut *self.active.lock());
        drop(active);
    }

    fn flush(&self) {
        let finished = std::mem::take(&mut *self.finished.lock());
        if let Some((core, _)) = self.core.get()
            && !finished.is_empty()
        {
            core.finish_many(finished);
        }
    }
}
