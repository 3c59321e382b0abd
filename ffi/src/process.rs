//! Which process this is. After a fork only the forking thread lives in the child: what the parent made must not be
//! used there, and is refused with a typed error instead of a hang.

use libswarm::{Error, ErrorKind, Result};

/// The process that made an object.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    pub(crate) fn current() -> Owner {
        Owner(current_id())
    }

    /// Whether this is the process that made the object.
    pub(crate) fn is_here(self) -> bool {
        self == Owner::current()
    }

    pub(crate) fn check(self) -> Result<()> {
        if self.is_here() {
            return Ok(());
        }
        let message = format!("the object was made by process {} before a fork; make a new one in the child", self.0);
        Err(Error::new(ErrorKind::Forked, message))
    }
}

/// Run in a forked child.
#[cfg(unix)]
static AFTER_FORK: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();

/// Has `run` run in a forked child, which may do nothing but store to atomics.
#[cfg(unix)]
pub(crate) fn after_fork(run: fn()) {
    // The same for every caller.
    let _ = AFTER_FORK.set(run);
}

#[cfg(not(unix))]
pub(crate) fn after_fork(_run: fn()) {}

/// The pid, kept because asking the kernel costs more than all the rest of a call; a fork handler renews it.
#[cfg(unix)]
fn current_id() -> u32 {
    use std::sync::Once;
    use std::sync::atomic::{AtomicU32, Ordering};

    static PID: AtomicU32 = AtomicU32::new(0);
    static REGISTERED: Once = Once::new();

    extern "C" fn in_child() {
        PID.store(std::process::id(), Ordering::Relaxed);
        if let Some(run) = AFTER_FORK.get() {
            run();
        }
    }

    match PID.load(Ordering::Relaxed) {
        0 => {
            REGISTERED.call_once(|| {
                // SAFETY: the handler only stores to atomics. Without memory for the registration, pids are asked for below.
                let registered = unsafe { libc::pthread_atfork(None, None, Some(in_child)) } == 0;
                if registered {
                    PID.store(std::process::id(), Ordering::Relaxed);
                }
            });
            std::process::id()
        }
        pid => pid,
    }
}

#[cfg(not(unix))]
fn current_id() -> u32 {
    // No fork here: an object is always in the process that made it.
    0
}

/// Runs `body` with the program's signals kept off the calling thread, and so off the threads that are made meanwhile.
#[cfg(unix)]
pub(crate) fn with_blocked_signals<T>(body: impl FnOnce() -> T) -> T {
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: writes the mask of the calling thread to its place.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), before.as_mut_ptr()) } != 0 {
        return body();
    }
    block_signals();
    let result = body();
    // SAFETY: it was written above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    result
}

/// Keeps the program's signals off the calling thread, which runs none of its code: its handlers run, and its system calls
/// are interrupted, on threads of its own. It also keeps a cut connection from ending the program by SIGPIPE. Faults are
/// left as they are, for crash reporters.
#[cfg(unix)]
pub(crate) fn block_signals() {
    // SAFETY: the set is initialised before it is used, and the calls only change the calling thread's mask.
    unsafe {
        let mut signals = std::mem::MaybeUninit::uninit();
        libc::sigfillset(signals.as_mut_ptr());
        for fault in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT, libc::SIGTRAP, libc::SIGPROF] {
            libc::sigdelset(signals.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, signals.as_ptr(), std::ptr::null_mut());
    }
}

#[cfg(not(unix))]
pub(crate) fn block_signals() {}
