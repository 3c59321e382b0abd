//! The signal handlers of a supervisor. The core's handlers call the previous ones, and are installed once in a process. So Python's handlers are
//! removed first; otherwise Ctrl-C would also raise KeyboardInterrupt. The core's handlers are reinstalled if Python has replaced them since. In a
//! forked child, where the core receives no signals, Python's handlers are restored.

use std::sync::atomic::{AtomicPtr, Ordering};

use libc::{c_int, sigaction};
use libswarm_host::lock::Mutex;

const SIGNALS: [c_int; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGTERM];

struct Handlers {
    pythons: [sigaction; 3],
    cores: [sigaction; 3],
}

/// Null before the first time; then a leaked box, which a forked child may read.
static HANDLERS: AtomicPtr<Handlers> = AtomicPtr::new(std::ptr::null_mut());

/// Lets the core handle the signals, by `install`.
pub(crate) fn hand_over(install: impl FnOnce() -> libswarm::Result<()>) -> libswarm::Result<()> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    // SAFETY: null or a leaked box.
    if let Some(handlers) = unsafe { HANDLERS.load(Ordering::Acquire).as_ref() } {
        install()?;
        set(&handlers.cores);
        return Ok(());
    }
    let pythons = SIGNALS.map(current);
    // SAFETY: all zeros is the default action without flags and mask.
    set(&[unsafe { std::mem::zeroed() }; 3]);
    let installed = install();
    if installed.is_ok() {
        let handlers = Handlers { pythons, cores: SIGNALS.map(current) };
        HANDLERS.store(Box::into_raw(Box::new(handlers)), Ordering::Release);
    } else {
        set(&pythons);
    }
    installed
}

/// Restores Python's handlers in a forked child; uses only calls that are allowed there.
pub(crate) fn give_back_after_fork() {
    // SAFETY: null or a leaked box.
    if let Some(handlers) = unsafe { HANDLERS.load(Ordering::Acquire).as_ref() } {
        set(&handlers.pythons);
    }
}

fn current(signal: c_int) -> sigaction {
    // SAFETY: all zeros is a valid sigaction, and the call only writes to it.
    unsafe {
        let mut action = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action);
        action
    }
}

fn set(actions: &[sigaction; 3]) {
    for (signal, action) in SIGNALS.into_iter().zip(actions) {
        // SAFETY: an action that was in force before, or the default; cannot fail for these signals.
        unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
    }
}
