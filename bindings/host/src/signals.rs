//! Signals are handled by the program's own threads.

/// Blocks signals on the calling thread, which runs no code of the program: the program's threads run its signal handlers and
/// have their system calls interrupted. This also prevents a lost connection from ending the program by SIGPIPE. Faults are not
/// blocked, for crash reporters.
#[cfg(unix)]
pub fn block_signals() {
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

/// Other systems have no such signals.
#[cfg(not(unix))]
pub fn block_signals() {}

/// Runs `body` with signals blocked on the calling thread, and so on the threads that `body` starts.
#[cfg(unix)]
pub fn with_blocked_signals<T>(body: impl FnOnce() -> T) -> T {
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
