//! The exit of the program. During finalization, Python ends threads that return to the interpreter, which Rust frames do not survive. So waits that
//! would return then never return; the exit of the process ends them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;

/// The thread that ends the program, once that has started; else 0.
static ENDING_THREAD: AtomicUsize = AtomicUsize::new(0);
/// Whether all members have left, so that waits of the library's own threads do not return any more.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Called when the program starts to end: from here on waits for calls return in this thread only.
#[pyfunction]
pub(crate) fn begin_exit() {
    ENDING_THREAD.store(this_thread(), Ordering::Release);
}

/// Called when all members have left: from here on no wait returns.
#[pyfunction]
pub(crate) fn end_exit() {
    ENDED.store(true, Ordering::Release);
}

/// Called without the GIL after a wait for a call. While the program ends, it returns only in the thread that ends it.
pub(crate) fn pass_call() {
    if ends_elsewhere() {
        stay();
    }
}

/// Called before the error that an object is closed. Does not return if the exit of the program has closed the object.
pub(crate) fn pass_closed() {
    if ends_elsewhere() {
        Python::attach(|py| py.detach(|| stay()));
    }
}

fn ends_elsewhere() -> bool {
    let ending = ENDING_THREAD.load(Ordering::Acquire);
    ending != 0 && ending != this_thread()
}

/// Called without the GIL after a wait for a mailbox. Does not return when the program has ended.
pub(crate) fn pass_mailbox() {
    if ENDED.load(Ordering::Acquire) {
        stay();
    }
}

fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

/// `this_thread` for Python; greenlets that replace threads share one number.
#[pyfunction]
pub(crate) fn thread_number() -> usize {
    this_thread()
}

/// A number that is unique among live threads: the address of a thread-local.
pub(crate) fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}
