//! Finished jobs on their way to the core: those of one batch of events, or of one tick of an event loop, are sent together.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use libswarm::{Done, Finish};
use libswarm_host::lock::{Mutex, MutexGuard};

use crate::exit::this_thread;
use crate::runtime::Runtime;

/// How long a finished job may wait for the rest of its batch while the handler of the next job runs.
const MAX_WAIT: Duration = Duration::from_millis(2);

type Entry = (u64, Finish, Option<Done<()>>);

/// Contains no Python object, because it may be dropped on a runtime thread.
pub(crate) struct Finishes {
    worker: libswarm::Worker,
    gathered: Mutex<Vec<Entry>>,
    /// The thread whose finishes are gathered; those of other threads are sent at once.
    thread: AtomicUsize,
    /// Whether a task that sends gathered finishes after `MAX_WAIT` is under way.
    watched: AtomicBool,
}

impl Finishes {
    pub(crate) fn new(worker: libswarm::Worker) -> Self {
        Finishes { worker, gathered: Mutex::default(), thread: AtomicUsize::new(0), watched: AtomicBool::new(false) }
    }

    /// Gathers finishes of this thread until `flush`.
    pub(crate) fn gather_here(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
    }

    /// Sends every finish at once from now on.
    pub(crate) fn gather_no_more(&self) {
        self.thread.store(0, Ordering::Relaxed);
    }

    /// Gathers a finish. Returns true if it is the first to wait for a `flush`.
    pub(crate) fn push(&self, fence: u64, finish: Finish, done: Option<Done<()>>) -> bool {
        if self.thread.load(Ordering::Relaxed) != this_thread() {
            self.worker.finish(fence, finish, done);
            return false;
        }
        let mut gathered = self.lock();
        gathered.push((fence, finish, done));
        gathered.len() == 1
    }

    /// Sends the gathered finishes.
    pub(crate) fn flush(&self) {
        let gathered = std::mem::take(&mut *self.lock());
        if !gathered.is_empty() {
            self.worker.finish_many(gathered);
        }
    }

    /// Sends the gathered finishes soon, in case the thread does not call `flush`.
    pub(crate) fn flush_later(self: &Arc<Self>, runtime: &Runtime) {
        if !self.watched.swap(true, Ordering::AcqRel) {
            let finishes = self.clone();
            runtime.handle().spawn(async move {
                tokio::time::sleep(MAX_WAIT).await;
                finishes.watched.store(false, Ordering::Release);
                finishes.flush();
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.gathered.lock()
    }
}
