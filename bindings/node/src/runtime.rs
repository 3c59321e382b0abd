//! The threads that libswarm runs on: made with the first member of the process, ended with the last.

use std::future::Future;
use std::sync::{Arc, Mutex, Weak};

use libswarm::{Error, ErrorKind};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::AbortHandle;

static CURRENT: Mutex<Weak<Threads>> = Mutex::new(Weak::new());

/// A share in the runtime, which ends with the last share.
pub struct Threads(Option<Runtime>);

impl Threads {
    /// A share in the runtime of this process.
    pub fn share() -> Result<Arc<Threads>, Error> {
        let mut current = CURRENT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(threads) = current.upgrade() {
            return Ok(threads);
        }
        // One thread: the work per job is far below what one core and one Redis can do, and a second thread would
        // only add wake-ups between the two.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("assemblage")
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, format!("the threads of libswarm cannot be started: {e}")))?;
        let threads = Arc::new(Threads(Some(runtime)));
        *current = Arc::downgrade(&threads);
        Ok(threads)
    }

    /// Where the core runs.
    pub fn handle(&self) -> &Handle {
        match &self.0 {
            Some(runtime) => runtime.handle(),
            None => unreachable!("the runtime is taken out only when its last share is dropped"),
        }
    }

    /// Runs `task`, which keeps the threads alive until it ends.
    pub fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let share = self.clone();
        let guarded = async move {
            task.await;
            drop(share);
        };
        self.handle().spawn(guarded).abort_handle()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last share may be dropped by a task, where waiting for the threads would panic.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
