//! Notifications from the runtime to Python, without the GIL: a descriptor that a thread or an event loop waits on, written once per
//! batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libswarm_host::lock::Mutex;
use pyo3::prelude::*;

use crate::fork::Owned;
use libswarm_host::wake::WakeFd;

/// The part for the runtime. Contains no Python object, because it may be dropped on a runtime thread.
pub(crate) struct Post {
    wake: WakeFd,
    /// Whether the descriptor was written and the tokens were not taken since.
    announced: AtomicBool,
    /// The tokens of calls that ended.
    tokens: Mutex<Vec<u64>>,
}

impl Post {
    /// Wakes the waiter, once until the tokens are taken.
    pub(crate) fn announce(&self) {
        if !self.announced.swap(true, Ordering::AcqRel) {
            self.wake.raise();
        }
    }

    pub(crate) fn deliver(&self, token: u64) {
        self.tokens.lock().push(token);
        self.announce();
    }
}

/// The part for a waiting thread or event loop.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Mailbox {
    post: Owned<Arc<Post>>,
}

impl Mailbox {
    pub(crate) fn post(&self) -> PyResult<Arc<Post>> {
        Ok(self.post.get().map_err(crate::errors::raise)?.clone())
    }
}

#[pymethods]
impl Mailbox {
    #[new]
    fn new() -> PyResult<Self> {
        let post = Post { wake: WakeFd::new()?, announced: AtomicBool::new(false), tokens: Mutex::default() };
        Ok(Mailbox { post: Owned::new(Arc::new(post)) })
    }

    /// The descriptor, which is readable while there are tokens or events.
    fn fileno(&self) -> PyResult<i32> {
        Ok(self.post()?.wake.number())
    }

    /// Waits up to `timeout` seconds, forever if None; true if there are tokens or events. A signal ends it early.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let post = self.post()?;
        let timeout = timeout.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
        let there = py.detach(|| {
            let there = post.wake.wait(timeout);
            crate::exit::pass_mailbox();
            there
        });
        py.check_signals()?;
        Ok(there)
    }

    /// Wakes the waiter. Can be called from any thread.
    fn announce(&self) -> PyResult<()> {
        self.post()?.announce();
        Ok(())
    }

    /// The tokens of the calls that ended. Take events only after this, so that none is missed.
    fn take(&self) -> PyResult<Vec<u64>> {
        let post = self.post()?;
        // In this order: a token that arrives after this announces itself again.
        post.wake.clear();
        post.announced.store(false, Ordering::Release);
        Ok(std::mem::take(&mut *post.tokens.lock()))
    }
}
