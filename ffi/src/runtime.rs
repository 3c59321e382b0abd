//! The one runtime of the process: made with the first handle, ended with the last.

use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use libswarm::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle};

use crate::process::Owner;

/// No time limit beyond the option `timeout`, which bounds every command to Redis.
pub const SWARM_NO_TIMEOUT: u64 = u64::MAX;

/// How long the end of the runtime waits for its threads; only a name look-up can take longer, and is left behind.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// How long freeing an open member waits for Redis to learn of it; without an answer its lease ends.
pub(crate) const FAREWELL: Duration = Duration::from_secs(1);

type Slot = Mutex<Weak<Runtime>>;

/// A pointer, so that a forked child can start with a fresh slot even if the fork happened while this one was locked.
static SLOT: AtomicPtr<Slot> = AtomicPtr::new(std::ptr::null_mut());

/// A share in the runtime. Active by handles only, so that the last one is never dropped on a runtime thread.
pub(crate) struct Runtime {
    tokio: ManuallyDrop<tokio::runtime::Runtime>,
    owner: Owner,
}

impl Runtime {
    /// The runtime, made if no handle has one.
    pub(crate) fn shared() -> Result<Arc<Runtime>> {
        let mut current = slot().lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(runtime) = current.upgrade() {
            return Ok(runtime);
        }
        crate::log::set_default();
        crate::process::after_fork(forget_after_fork);
        let tokio = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("swarm-runtime")
            .on_thread_start(crate::process::block_signals)
            .enable_all()
            .build()
            .map_err(|e| Error::new(ErrorKind::Internal, format!("starting the runtime's thread: {e}")))?;
        let runtime = Arc::new(Runtime { tokio: ManuallyDrop::new(tokio), owner: Owner::current() });
        *current = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.tokio.handle()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        // SAFETY: taken once, here.
        let tokio = unsafe { ManuallyDrop::take(&mut self.tokio) };
        if self.owner.is_here() {
            tokio.shutdown_timeout(SHUTDOWN);
        } else {
            // Its threads do not exist in a forked child; joining them would wait for ever.
            std::mem::forget(tokio);
        }
    }
}

/// When a time limit that begins now is over; never without one.
pub(crate) fn deadline(timeout_ms: u64) -> Option<Instant> {
    (timeout_ms != SWARM_NO_TIMEOUT).then(|| Instant::now().checked_add(Duration::from_millis(timeout_ms))).flatten()
}

/// The error of a time limit of the caller's.
pub(crate) fn timed_out(timeout_ms: u64, doing: &str) -> Error {
    Error::new(ErrorKind::Timeout, format!("{doing} took longer than the {timeout_ms} ms given; it may still happen"))
}

/// Gives a forked child a fresh slot. The parent's is left as it is: another thread may have active its lock.
fn forget_after_fork() {
    SLOT.store(std::ptr::null_mut(), Ordering::Release);
    crate::log::forget_default();
}

fn slot() -> &'static Slot {
    let mut current = SLOT.load(Ordering::Acquire);
    if current.is_null() {
        let fresh = Box::into_raw(Box::new(Mutex::new(Weak::new())));
        current = match SLOT.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: `fresh` was made above and nobody has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        };
    }
    // SAFETY: slots are never freed.
    unsafe { &*current }
}
