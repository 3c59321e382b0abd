//! Fork safety. After a fork only the forking thread lives in the child, which has the parent's memory but none of its threads. So the child must
//! neither use nor drop what the parent made; it gets a typed error instead of a hang.

use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use libswarm::{Error, ErrorKind, Result};

/// Called in a forked child. It may only store to atomics and call what is safe between fork and exec.
pub type ChildHandler = extern "C" fn();

/// Handlers at most: a few for each binding, which is a copy of this crate of its own.
const MAX_HANDLERS: usize = 4;

/// How many forks lie between the first process and this one.
static GENERATION: AtomicU64 = AtomicU64::new(0);
/// Kept, because asking the kernel costs more than the rest of a call; 0 until it is known.
static PID: AtomicU32 = AtomicU32::new(0);
static HANDLERS: [AtomicPtr<()>; MAX_HANDLERS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; MAX_HANDLERS];

fn current_pid() -> u32 {
    match PID.load(Ordering::Relaxed) {
        0 => std::process::id(),
        pid => pid,
    }
}

/// Notices every fork from now on, also one that the language does not know of. Later calls do nothing.
///
/// Fails with [`ErrorKind::Internal`] if the system has no memory for it.
pub fn watch() -> Result<()> {
    #[cfg(unix)]
    {
        static WATCHED: Once = Once::new();
        static STATUS: AtomicI32 = AtomicI32::new(0);
        extern "C" fn in_child() {
            GENERATION.fetch_add(1, Ordering::Relaxed);
            PID.store(std::process::id(), Ordering::Relaxed);
            for handler in &HANDLERS {
                let handler = handler.load(Ordering::Acquire);
                if !handler.is_null() {
                    // SAFETY: only `in_child_call` stores, and only functions of this type.
                    unsafe { std::mem::transmute::<*mut (), ChildHandler>(handler)() };
                }
            }
        }
        WATCHED.call_once(|| {
            // SAFETY: the handler only stores to atomics and calls such handlers. It stays loaded: no binding is ever unloaded.
            STATUS.store(unsafe { libc::pthread_atfork(None, None, Some(in_child)) }, Ordering::Relaxed);
            PID.store(std::process::id(), Ordering::Relaxed);
        });
        let status = STATUS.load(Ordering::Relaxed);
        if status != 0 {
            let cause = std::io::Error::from_raw_os_error(status);
            return Err(Error::new(ErrorKind::Internal, format!("forks cannot be noticed: {cause}")));
        }
    }
    Ok(())
}

/// Has `handler` called in every forked child, in the order of these calls. Ignored once there are four.
pub fn in_child_call(handler: ChildHandler) {
    for slot in &HANDLERS {
        if slot.compare_exchange(std::ptr::null_mut(), handler as *mut (), Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return;
        }
    }
}

/// The process that made an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    generation: u64,
    pid: u32,
}

impl Origin {
    /// This process.
    pub fn current() -> Origin {
        // Without memory for the handler, a fork shows in the pid alone.
        let _ = watch();
        Origin { generation: GENERATION.load(Ordering::Relaxed), pid: current_pid() }
    }

    /// Whether this is the process that made the object.
    pub fn is_here(self) -> bool {
        self.generation == GENERATION.load(Ordering::Relaxed) && self.pid == current_pid()
    }

    /// [`ErrorKind::Forked`] in any other process than the one that made the object.
    pub fn check(self) -> Result<()> {
        if self.is_here() {
            return Ok(());
        }
        let message = format!("the object was made by process {} before a fork; make a new one in the child", self.pid);
        Err(Error::new(ErrorKind::Forked, message))
    }
}

/// A value of the process that made it. In a forked child it is leaked rather than dropped.
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
