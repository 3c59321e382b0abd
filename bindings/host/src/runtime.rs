//! The one runtime of a process: made for the first member, ended with the last.

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
    /// How long the drop of the last share waits for the thread; `None`: it does not wait, because a task may drop the last share.
    pub wait_at_end: Option<Duration>,
    /// The threads of the program handle its signals, so this one gets none.
    pub blocks_signals: bool,
}

type Slot = Mutex<Weak<Shared>>;

/// Where a binding keeps its runtime, in a `static`.
pub struct RuntimeSlot {
    settings: Settings,
    /// A pointer, so that a forked child starts with a fresh slot even if this one was locked at the fork.
    slot: AtomicPtr<Slot>,
}

/// A share in the runtime, which ends with the last share.
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

    /// A share in the runtime, which is made if there is none. `before` is called before that.
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
        // A thread that cannot be started is a panic of tokio's, which must not be the program's.
        let tokio = match std::panic::catch_unwind(build) {
            Ok(built) => built.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed("the system allows no more threads, or has no memory for one".into())),
        };
        let shared = Arc::new(Shared { tokio: ManuallyDrop::new(tokio), origin: Origin::current(), wait_at_end });
        *current = Arc::downgrade(&shared);
        Ok(Runtime(shared))
    }

    /// Gives a forked child a fresh slot. The parent's is left as it is: another thread may hold its lock.
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
                    // SAFETY: made just above and seen by nobody else.
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
    /// Where the core runs.
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
            // Its threads do not exist in a forked child; joining them would wait for ever.
            _ if !self.origin.is_here() => std::mem::forget(tokio),
            Some(longest) => tokio.shutdown_timeout(longest),
            None => tokio.shutdown_background(),
        }
    }
}
