//! The runtime under all members of this process: made with the first, ended with the last.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use libswarm::{Error, ErrorKind, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// Keeps the runtime alive.
pub(crate) struct Owner(Option<Runtime>);

impl Owner {
    pub(crate) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("taken only by drop").handle()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Never waits: the last owner may be a task of this very runtime.
            runtime.shutdown_background();
        }
    }
}

type Slot = Mutex<Weak<Owner>>;

/// Behind a pointer, so that a forked child can leave the parent's lock, in whatever state it was, and start afresh.
static SLOT: AtomicPtr<Slot> = AtomicPtr::new(std::ptr::null_mut());

/// The runtime of this process.
pub(crate) fn current() -> Result<Arc<Owner>> {
    let mut owner = slot().lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(owner) = owner.upgrade() {
        return Ok(owner);
    }
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("libswarm")
            .on_thread_start(leave_signals_to_python)
            .enable_all()
            .build()
    };
    let failed = |why: String| Error::new(ErrorKind::Internal, format!("the library's thread cannot be started: {why}"));
    // A thread that cannot be started is a panic of tokio's, which must not be the program's.
    let runtime = match std::panic::catch_unwind(build) {
        Ok(built) => built.map_err(|e| failed(e.to_string()))?,
        Err(_) => return Err(failed("the system allows no more threads, or has no memory for one".into())),
    };
    let made = Arc::new(Owner(Some(runtime)));
    *owner = Arc::downgrade(&made);
    Ok(made)
}

/// In a forked child: the parent's runtime is not ours.
pub(crate) fn forget_after_fork() {
    SLOT.store(std::ptr::null_mut(), Ordering::Release);
}

fn slot() -> &'static Slot {
    let mut slot = SLOT.load(Ordering::Acquire);
    if slot.is_null() {
        let fresh = Box::into_raw(Box::default());
        slot = match SLOT.compare_exchange(std::ptr::null_mut(), fresh, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: made just above and seen by nobody else.
                drop(unsafe { Box::from_raw(fresh) });
                other
            }
        };
    }
    // SAFETY: only ever a leaked box, never freed.
    unsafe { &*slot }
}

/// A signal interrupts the waits of the thread it is delivered to; only Python's threads have handlers to run.
#[cfg(unix)]
fn leave_signals_to_python() {
    // SAFETY: both sets are initialised by the calls themselves; blocking signals in a fresh thread affects no other.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &all, std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
fn leave_signals_to_python() {}
