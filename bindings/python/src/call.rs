//! A call under way, returned by every method that uses Redis. A thread waits for it, or an event loop is notified.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libswarm::{Done, Error, ErrorKind, Result};
use libswarm_host::lock::{Condvar, Mutex, MutexGuard};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use tokio::task::AbortHandle;

use crate::errors::{not_copied, raise};
use crate::fork::Owned;
use crate::mailbox::{Mailbox, Post};
use crate::runtime::Runtime;
use crate::value::Value;

/// How long Ctrl-C may be delayed in a blocking wait.
const SIGNAL_CHECK: Duration = Duration::from_millis(100);

/// A time limit, and the end of the error message when it has passed.
pub(crate) type Limit = Option<(Duration, &'static str)>;

/// Shared with the runtime. Contains no Python object, because it may be dropped on a runtime thread.
#[derive(Default)]
struct State {
    slot: Mutex<Slot>,
    ended: Condvar,
}

#[derive(Default)]
struct Slot {
    result: Option<Result<Value>>,
    waiter: Option<(Arc<Post>, u64)>,
    /// Whether the program has read the outcome, will be notified, or has aborted the call.
    seen: bool,
    /// Whether the program has dropped the call.
    dropped: bool,
}

impl Slot {
    /// Logs an error that the program does not read: at debug level if only the job or the member has ended meanwhile.
    fn log_unseen(&self) {
        if let (Some(Err(error)), false) = (&self.result, self.seen) {
            let expected = [ErrorKind::Closed, ErrorKind::Cancelled, ErrorKind::StaleFence, ErrorKind::JobDeleted];
            if expected.contains(&error.kind()) {
                tracing::debug!(target: "libswarm::calls", kind = error.kind().name(), "a call that the program did not wait for failed: {error}");
            } else {
                tracing::warn!(target: "libswarm::calls", kind = error.kind().name(), "a call that the program did not wait for failed: {error}");
            }
        }
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock()
    }
}

/// Ends the call. If dropped unused, it fails the call, which would never end otherwise.
struct Completer(Option<Arc<State>>);

impl Completer {
    fn complete(mut self, result: Result<Value>) {
        self.end(result);
    }

    fn end(&mut self, result: Result<Value>) {
        let Some(state) = self.0.take() else { return };
        let mut slot = state.lock();
        slot.result = Some(result);
        let waiter = slot.waiter.take();
        if slot.dropped {
            slot.log_unseen();
        }
        drop(slot);
        state.ended.notify_all();
        if let Some((post, token)) = waiter {
            post.deliver(token);
        }
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        self.end(Err(under_way()));
    }
}

fn under_way() -> Error {
    Error::new(ErrorKind::Closed, "the object was closed while this call was under way")
}

/// The present or future outcome of a request to Redis. `wait()` in threads, `await` in asyncio.
#[pyclass(frozen, module = "libswarm")]
pub(crate) struct Call {
    state: Owned<Arc<State>>,
    abort: Option<AbortHandle>,
    /// Creates a future of the event loop for this call (asyncio only).
    awaiter: Option<Py<PyAny>>,
}

impl Call {
    /// A call that ends when the core runs the returned closure.
    pub(crate) fn done<T>(awaiter: Option<Py<PyAny>>, into: fn(T) -> Value) -> (Call, Done<T>)
    where
        T: 'static,
    {
        let (state, completer) = Self::start();
        let done = Box::new(move |result: Result<T>| completer.complete(result.map(into)));
        (Call { state, abort: None, awaiter }, done)
    }

    /// A call that is a task of the runtime, which it keeps alive, with an optional time limit.
    pub(crate) fn spawn<F>(runtime: &Runtime, awaiter: Option<Py<PyAny>>, limit: Limit, future: F) -> Call
    where
        F: Future<Output = Result<Value>> + Send + 'static,
    {
        let (state, completer) = Self::start();
        let alive = runtime.clone();
        let task = runtime.handle().spawn(async move {
            let result = match limit {
                None => future.await,
                Some((limit, message)) => match tokio::time::timeout(limit, future).await {
                    Ok(result) => result,
                    Err(_) => Err(Error::new(ErrorKind::Timeout, format!("{} s have passed: {message}", limit.as_secs_f64()))),
                },
            };
            completer.complete(result);
            drop(alive);
        });
        Call { state, abort: Some(task.abort_handle()), awaiter }
    }

    /// A call that failed before anything was sent.
    pub(crate) fn failed(awaiter: Option<Py<PyAny>>, error: Error) -> Call {
        let (state, completer) = Self::start();
        completer.complete(Err(error));
        Call { state, abort: None, awaiter }
    }

    fn start() -> (Owned<Arc<State>>, Completer) {
        let state = Arc::<State>::default();
        (Owned::new(state.clone()), Completer(Some(state)))
    }

    fn state(&self) -> PyResult<&Arc<State>> {
        self.state.get().map_err(raise)
    }

    /// Drops a call of the library itself, whose outcome does not matter.
    pub(crate) fn forget(self) {
        if let Ok(state) = self.state.get() {
            state.lock().seen = true;
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Ok(state) = self.state.get() {
            let mut slot = state.lock();
            slot.dropped = true;
            slot.log_unseen();
        }
    }
}

#[pymethods]
impl Call {
    /// Blocks until the call ended and returns its value or raises its error; SwarmTimeout after `timeout` seconds.
    #[pyo3(signature = (timeout=None))]
    fn wait<'py>(&self, py: Python<'py>, timeout: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let state = self.state()?;
        let limit = timeout.map(|timeout| crate::options::duration("timeout", &timeout)).transpose()?;
        // A limit beyond the range of the clock is ignored.
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        while state.lock().result.is_none() {
            let slice = deadline.map_or(SIGNAL_CHECK, |d| SIGNAL_CHECK.min(d.saturating_duration_since(Instant::now())));
            if slice.is_zero() {
                return Err(raise(Error::new(ErrorKind::Timeout, "the call has not ended in time; it continues")));
            }
            py.detach(|| {
                let slot = state.lock();
                drop(state.ended.wait_while(slot, slice, |slot| slot.result.is_none()));
                crate::exit::pass_call();
            });
            if let Err(interrupt) = py.check_signals() {
                self.abort();
                return Err(interrupt);
            }
        }
        self.result(py)
    }

    /// Puts `token` into `mailbox` when the call ends, at once if it has ended.
    fn notify(&self, mailbox: &Mailbox, token: u64) -> PyResult<()> {
        let post = mailbox.post()?;
        let mut slot = self.state()?.lock();
        slot.seen = true;
        if slot.result.is_none() {
            slot.waiter = Some((post, token));
        } else {
            drop(slot);
            post.deliver(token);
        }
        Ok(())
    }

    /// Returns the value of a call that has ended, or raises its error; SwarmClosed for a call that has not ended.
    fn result<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let state = self.state()?;
        // Unlocked while Python objects are created, which may run any Python code.
        let taken = {
            let mut slot = state.lock();
            slot.seen = true;
            slot.result.take()
        };
        let Some(result) = taken else { return Err(raise(under_way())) };
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Closed) {
            crate::exit::pass_closed();
        }
        let object = match &result {
            Ok(value) => value.to_object(py),
            Err(error) => Err(raise(error.clone())),
        };
        state.lock().result = Some(result);
        object
    }

    /// Ends the wait. A request that was sent to Redis is not cancelled.
    fn abort(&self) {
        if let Ok(state) = self.state.get() {
            state.lock().seen = true;
        }
        if let (Some(task), Ok(_)) = (&self.abort, self.state.get()) {
            task.abort();
        }
    }

    /// Raises: a call belongs to its process.
    fn __reduce__(&self) -> PyResult<()> {
        Err(not_copied("a Call", "its result"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> std::result::Result<(), PyTraverseError> {
        match &self.awaiter {
            Some(awaiter) => visit.call(awaiter),
            None => Ok(()),
        }
    }

    /// A future of the running event loop (asyncio only).
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        match &slf.get().awaiter {
            Some(awaiter) => awaiter.bind(slf.py()).call1((slf,))?.call_method0("__await__"),
            None => Err(crate::errors::invalid("only a call of libswarm.aio can be awaited; use wait()")),
        }
    }
}
