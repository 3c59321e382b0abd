//! The end of the program. A thread that comes back to an interpreter which is being taken down is ended by Python in a way that Rust
//! frames cannot bear, so waits that would end late do not end at all; the end of the process ends them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pyo3::prelude::*;

/// The thread that ends the program, once it has begun to.
static ENDING_THREAD: AtomicUsize = AtomicUsize::new(0);
/// The library's own threads have had their time.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Called when the program begins to end: from here on calls are waited for in this thread only.
#[pyfunction]
pub(crate) fn begin_exit() {
    ENDING_THREAD.store(this_thread(), Ordering::Release);
}

/// Called when all members have left: from here on no wait ends.
#[pyfunction]
pub(crate) fn end_exit() {
    ENDED.store(true, Ordering::Release);
}

/// Where a wait for a call may end, without the GIL. Never returns when the program is ending.
pub(crate) fn pass_call() {
    if ends_elsewhere() {
        stay();
    }
}

/// Where a thread of the program finds what it uses closed: by the end of the program, of which it cannot know, or else it is told so.
pub(crate) fn pass_closed() {
    if ends_elsewhere() {
        Python::attach(|py| py.detach(|| stay()));
    }
}

fn ends_elsewhere() -> bool {
    let ending = ENDING_THREAD.load(Ordering::Acquire);
    ending != 0 && ending != this_thread()
}

/// Where a wait for a mailbox may end, without the GIL. Never returns when the program has ended.
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

/// As `this_thread`: greenlets that stand in for threads share one.
#[pyfunction]
pub(crate) fn thread_number() -> usize {
    this_thread()
}

/// A number of this thread's own while it lives: the address of something of its own.
pub(crate) fn this_thread() -> usize {
    thread_local!(static MARK: u8 = const { 0 });
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}
