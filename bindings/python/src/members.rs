//! Open masters and workers: the state that their Python objects share.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libswarm::{Error, ErrorKind, Finish};
use libswarm_host::lock::{Mutex, MutexGuard};
use pyo3::prelude::*;

use crate::call::Call;
use crate::errors::raise;
use crate::finishes::Finishes;
use crate::runtime::Runtime;
use crate::value::Value;

/// An open master.
#[derive(Clone)]
pub(crate) struct OpenMaster {
    pub(crate) master: libswarm::Master,
    pub(crate) runtime: Runtime,
}

impl OpenMaster {
    /// Makes a call of the master in the background.
    pub(crate) fn spawn<F>(&self, call: impl FnOnce(libswarm::Master) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        Ok(Call::spawn(&self.runtime, None, None, call(self.master.clone())))
    }
}

/// The part of a worker that its jobs share. Never owned by a runtime thread, because it contains Python objects.
pub(crate) struct Shared {
    pub(crate) worker: libswarm::Worker,
    pub(crate) finishes: Arc<Finishes>,
    /// None once closed, so that the runtime can end.
    pub(crate) runtime: Mutex<Option<Runtime>>,
    /// The active jobs by fence, each a `Job`, so that a deletion finds the object of the program.
    pub(crate) active: Mutex<HashMap<u64, Py<PyAny>>>,
    /// Makes calls awaitable (asyncio only).
    pub(crate) awaiter: Option<Py<PyAny>>,
    /// Schedules a flush at the end of the loop's tick (asyncio only). None once closed, as it refers to the worker.
    pub(crate) schedule_flush: Mutex<Option<Py<PyAny>>>,
    pub(crate) in_loop: bool,
    /// Whether outcomes that Redis has accepted are reported.
    pub(crate) reports: AtomicBool,
    /// The results of jobs until they are reported; only if outcomes are reported.
    pub(crate) results: Mutex<HashMap<u64, Py<PyAny>>>,
    /// Jobs whose finish Redis has refused.
    pub(crate) refused: Arc<Mutex<Vec<u64>>>,
}

impl Shared {
    pub(crate) fn finish(self: &Arc<Self>, py: Python<'_>, fence: u64, finish: Finish) -> PyResult<Call> {
        let job = self.active().remove(&fence);
        drop(job);
        let awaiter = self.awaiter.as_ref().map(|awaiter| awaiter.clone_ref(py));
        let Some(runtime) = self.runtime() else { return Ok(Call::failed(awaiter, closed())) };
        let (call, mut done) = Call::done(awaiter, |()| Value::Nothing);
        if self.reports.load(Ordering::Relaxed) {
            let refused = self.refused.clone();
            let reported = done;
            done = Box::new(move |result| {
                if result.is_err() {
                    refused.lock().push(fence);
                }
                reported(result);
            });
        }
        if self.finishes.push(fence, finish, Some(done)) {
            let schedule = self.schedule_flush.lock().as_ref().map(|schedule| schedule.clone_ref(py));
            match schedule {
                Some(schedule) => drop(schedule.call0(py)?),
                None => self.finishes.flush_later(&runtime),
            }
        }
        Ok(call)
    }

    /// Keeps a result until its acceptance is reported.
    pub(crate) fn keep_result(&self, fence: u64, result: &Bound<'_, PyAny>) {
        if self.reports.load(Ordering::Relaxed) {
            let before = self.results.lock().insert(fence, result.clone().unbind());
            drop(before);
        }
    }

    pub(crate) fn take_result(&self, fence: u64) -> Option<Py<PyAny>> {
        self.results.lock().remove(&fence)
    }

    pub(crate) fn progress(&self, fence: u64, value: Vec<u8>) -> PyResult<()> {
        self.worker.progress(fence, value).map_err(raise)
    }

    pub(crate) fn checkpoint(&self, fence: u64, value: Vec<u8>) -> PyResult<()> {
        self.worker.checkpoint(fence, value).map_err(raise)
    }

    pub(crate) fn log(&self, fence: u64, text: &str) {
        self.worker.log(fence, text);
    }

    pub(crate) fn spawn<F>(&self, py: Python<'_>, call: impl FnOnce(libswarm::Worker) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        let awaiter = self.awaiter.as_ref().map(|awaiter| awaiter.clone_ref(py));
        let runtime = self.runtime().ok_or_else(|| {
            crate::exit::pass_closed();
            raise(closed())
        })?;
        // Earlier finishes are sent before this call.
        self.finishes.flush();
        Ok(Call::spawn(&runtime, awaiter, None, call(self.worker.clone())))
    }

    /// Adds jobs.
    pub(crate) fn submit(&self, py: Python<'_>, jobs: Vec<libswarm::NewJob>) -> PyResult<Call> {
        let awaiter = self.awaiter.as_ref().map(|awaiter| awaiter.clone_ref(py));
        self.runtime().ok_or_else(|| raise(closed()))?;
        let (call, done) = Call::done(awaiter, Value::Added);
        self.worker.submit(jobs, done);
        Ok(call)
    }

    pub(crate) fn send(&self, py: Python<'_>, message: libswarm::NewMessage) -> PyResult<Call> {
        let awaiter = self.awaiter.as_ref().map(|awaiter| awaiter.clone_ref(py));
        self.runtime().ok_or_else(|| raise(closed()))?;
        self.finishes.flush();
        let (call, done) = Call::done(awaiter, Value::Receipt);
        self.worker.messages().submit(message, done);
        Ok(call)
    }

    pub(crate) fn runtime(&self) -> Option<Runtime> {
        self.runtime.lock().clone()
    }

    pub(crate) fn active(&self) -> MutexGuard<'_, HashMap<u64, Py<PyAny>>> {
        self.active.lock()
    }

    /// Releases the jobs, the callbacks and the runtime, which is returned.
    pub(crate) fn release(&self) -> Option<Runtime> {
        let runtime = self.runtime.lock().take();
        let schedule_flush = self.schedule_flush.lock().take();
        let active = std::mem::take(&mut *self.active());
        let results = std::mem::take(&mut *self.results.lock());
        drop((schedule_flush, active, results));
        runtime
    }
}

/// The error of a call on a closed worker.
pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the worker is closed")
}
