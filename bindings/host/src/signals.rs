//! The signals of the program stay with its own threads.

/// Keeps the program's signals off the calling thread, which runs none of its code: its handlers run, and its system calls are interrupted, on threads
/// of its own. It also keeps a cut connection from ending the program by SIGPIPE. Faults are left as they are, for crash reporters.
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

/// Elsewhere there are no such signals.
#[cfg(not(unix))]
pub fn block_signals() {}

/// Runs `body` with the program's signals kept off the calling thread, and so off the threads that are made meanwhile.
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
