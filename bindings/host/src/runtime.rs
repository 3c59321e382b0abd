//! The single runtime of a process: created for the first member, ended with the last.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use libswarm::{Error, ErrorKind, Result};
use libswarm_common::lock::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::task::AbortHandle;

use crate::fork::Origin;
use crate::signals::block_signals;

/// How the runtime of a binding behaves.
pub struct Settings {
    /// The name of its thread.
    pub thread_name: &'static str,
    /// How long the drop of the last share waits for the thread. `None` does not wait, because a task may drop the last share.
    pub wait_at_end: Option<Duration>,
    /// The threads of the program handle its signals, so the runtime's thread blocks them.
    pub blocks_signals: bool,
}

type Slot = Mutex<Weak<Shared>>;

/// Stores the runtime of a binding, in a `static`.
pub struct RuntimeSlot {
    settings: Settings,
    /// A pointer, so that a forked child can start with a new slot even if this one was locked at the fork.
    slot: AtomicPtr<Slot>,
}

/// A share in the runtime. The runtime ends with the last share.
#[derive(Clone)]
pub struct Runtime(Arc<Shared>);

struct Shared {
    tokio: ManuallyDrop<tokio::runtime::Runtime>,
    origin: Origin,
    wait_at_end: Option<Duration>,
}

impl RuntimeSlot {
    /// A slot without a runtime.
    pub const fn new(settings: Settings) -> Self {
        RuntimeSlot { settings, slot: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Returns a share in the runtime, which is created if there is none. `before` is called before that.
    ///
    /// One thread: the work per job is far below what one core and one Redis can do, and a second thread would only add wake-ups between the two.
    pub fn share(&self, before: impl FnOnce()) -> Result<Runtime> {
        let mut current = self.slot().lock();
        if let Some(shared) = current.upgrade() {
            return Ok(Runtime(shared));
        }
        before();
        let Settings { thread_name, wait_at_end, blocks_signals } = self.settings;
        let build = || {
            let mut builder = Builder::new_multi_thread();
            if blocks_signals {
                builder.on_thread_start(block_signals);
            }
            builder.worker_threads(1).thread_name(thread_name).enable_all().build()
        };
        let failed = |why: String| Error::new(ErrorKind::Internal, format!("the library's thread cannot be started: {why}"));
        // tokio panics if a thread cannot be started; that must not be a panic of the program.
        let tokio = match std::panic::catch_unwind(build) {
            Ok(built) => built.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed("the system allows no more threads, or has no memory for one".into())),
        };
        let shared = Arc::new(Shared { tokio: ManuallyDrop::new(tokio), origin: Origin::current(), wait_at_end });
        *current = Arc::downgrade(&shared);
        Ok(Runtime(shared))
    }

    /// Installs a new slot in a forked child. The parent's slot is left unchanged: another thread may have locked it.
    pub fn forget_after_fork(&self) {
        self.slot.store(std::ptr::null_mut(), Ordering::Release);
    }

    fn slot(&self) -> &'static Slot {
        let mut current = self.slot.load(Ordering::Acquire);
        if current.is_null() {
            let fresh = Box::into_raw(Box::<Slot>::default());
            current = match self.slot.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => fresh,
                Err(other) => {
                    // SAFETY: created just above and not shared.
                    drop(unsafe { Box::from_raw(fresh) });
                    other
                }
            };
        }
        // SAFETY: slots are never freed.
        unsafe { &*current }
    }
}

impl Runtime {
    /// The handle of the core's runtime.
    pub fn handle(&self) -> &Handle {
        self.0.tokio.handle()
    }

    /// Runs `task`, which keeps the runtime alive until it ends.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let share = self.clone();
        let task = async move {
            task.await;
            drop(share);
        };
        self.handle().spawn(task).abort_handle()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let tokio = unsafe { ManuallyDrop::take(&mut self.tokio) };
        match self.wait_at_end {
            // Its threads do not exist in a forked child; joining them would wait forever.
            _ if !self.origin.is_here() => std::mem::forget(tokio),
            Some(longest) => tokio.shutdown_timeout(longest),
            None => tokio.shutdown_background(),
        }
    }
}
