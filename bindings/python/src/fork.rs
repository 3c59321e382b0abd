//! Which process an object belongs to. After a fork the child has the parent's memory but none of its threads, so the
//! child must neither use nor even drop what those threads worked on.

use std::sync::atomic::{AtomicU64, Ordering};

use libswarm::{Error, ErrorKind, Result};
use pyo3::PyResult;

/// Counts the forks between the first process and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);

fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Has every fork noticed, also one that Python does not know of. Called once, when the module is loaded.
#[cfg(unix)]
pub(crate) fn install() -> PyResult<()> {
    extern "C" fn in_child() {
        // Only atomics and sigaction: little else is allowed between fork and exec in a process that had threads.
        GENERATION.fetch_add(1, Ordering::Relaxed);
        crate::runtime::forget_after_fork();
        crate::signals::give_back_after_fork();
    }
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    let mut status = 0;
    INSTALLED.call_once(|| {
        // SAFETY: `in_child` does only what is allowed there and stays loaded: Python never unloads an extension module.
        status = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
    if status != 0 {
        return Err(std::io::Error::from_raw_os_error(status).into());
    }
    Ok(())
}

/// Without fork there is nothing to notice.
#[cfg(not(unix))]
pub(crate) fn install() -> PyResult<()> {
    let _ = crate::runtime::forget_after_fork;
    Ok(())
}

/// A value of the process that made it: a typed error in a forked child, where it is leaked rather than dropped.
pub(crate) struct Owned<T> {
    generation: u64,
    value: Option<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        Owned { generation: generation(), value: Some(value) }
    }

    pub(crate) fn get(&self) -> Result<&T> {
        match &self.value {
            Some(value) if self.generation == generation() => Ok(value),
            _ => Err(Error::new(
                ErrorKind::Forked,
                "this object was made before a fork and belongs to the parent process; make a new one in the child",
            )),
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.generation != generation() {
            std::mem::forget(self.value.take());
        }
    }
}
