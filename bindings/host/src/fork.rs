//! Fork safety. A forked child has the parent's memory, but of its threads only the one that forked. So the child must neither
//! use nor drop what the parent created; it gets a typed error instead of a hang.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use libswarm::{Error, ErrorKind, Result};

/// Called in a forked child. It may only store to atomics and call functions that are safe between fork and exec.
pub type ChildHandler = extern "C" fn();

/// The number of forks between the first process and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// The process id if forks are detected by the handler, because querying the kernel costs more than the rest of a call; else 0.
static PID: AtomicU32 = AtomicU32::new(0);
static IN_CHILD: OnceLock<ChildHandler> = OnceLock::new();

fn current_pid() -> u32 {
    match PID.load(Ordering::Relaxed) {
        0 => std::process::id(),
        pid => pid,
    }
}

/// Detects every fork from now on, even if the language does not. Later calls do nothing.
///
/// Fails with [`ErrorKind::Internal`] if the system has no memory left.
pub fn watch() -> Result<()> {
    #[cfg(unix)]
    {
        static STATUS: OnceLock<i32> = OnceLock::new();
        extern "C" fn in_child() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            PID.store(std::process::id(), Ordering::Relaxed);
            if let Some(handler) = IN_CHILD.get() {
                handler();
            }
        }
        let status = *STATUS.get_or_init(|| {
            // SAFETY: the handler only stores to atomics and calls one that does no more. It stays loaded: no binding is ever unloaded.
            let status = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
            if status == 0 {
                PID.store(std::process::id(), Ordering::Relaxed);
            }
            status
        });
        if status != 0 {
            let cause = std::io::Error::from_raw_os_error(status);
            return Err(Error::new(ErrorKind::Internal, format!("forks cannot be detected: {cause}")));
        }
    }
    Ok(())
}

/// Sets the function that is called in every forked child. A binding has one: a second call changes nothing.
pub fn in_child_call(handler: ChildHandler) {
    let _ = IN_CHILD.set(handler);
}

/// The process that created an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    generation: u64,
    pid: u32,
}

impl Origin {
    /// This process.
    pub fn current() -> Origin {
        // Without memory for the handler, a fork is detected by the process id, which is then not cached.
        let _ = watch();
        Origin { generation: GENERATION.load(Ordering::Relaxed), pid: current_pid() }
    }

    /// Whether this process created the object.
    pub fn is_here(self) -> bool {
        self.generation == GENERATION.load(Ordering::Relaxed) && self.pid == current_pid()
    }

    /// Returns [`ErrorKind::Forked`] in any process except the one that created the object.
    pub fn check(self) -> Result<()> {
        if self.is_here() {
            return Ok(());
        }
        let message = format!("the object was made by process {} before a fork; make a new one in the child", self.pid);
        Err(Error::new(ErrorKind::Forked, message))
    }
}

/// A value of the process that created it. In a forked child it is leaked and not dropped.
pub struct Owned<T> {
    origin: Origin,
    value: Option<T>,
}

impl<T> Owned<T> {
    /// Owned by this process.
    pub fn new(value: T) -> Self {
        Owned { origin: Origin::current(), value: Some(value) }
    }

    /// The value, or [`ErrorKind::Forked`] in a forked child.
    pub fn get(&self) -> Result<&T> {
        self.origin.check()?;
        self.value.as_ref().ok_or_else(|| Error::new(ErrorKind::Internal, "the value is taken by its drop only"))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if !self.origin.is_here() {
            std::mem::forget(self.value.take());
        }
    }
}
