//! A job of a worker.

use std::sync::{Arc, OnceLock};

use libswarm::{ContentType, DeleteReason, Error, ErrorKind, Finish, JobError, MAX_RESULT, Payload};
use libswarm_host::lock::{Mutex, MutexGuard};
use pyo3::exceptions::PyBaseException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::call::Call;
use crate::errors::{invalid, not_copied, raise};
use crate::fork::Owned;
use crate::info::content_type;
use crate::members::Shared;
use crate::options::{class_of, duration, some_text, text};
use crate::package::package;
use crate::payload::{decode, encode};
use crate::value::Value;

/// A job of this worker, active until it is completed, failed, released, stopped or reclaimed.
#[pyclass(frozen, weakref, module = "libswarm")]
pub(crate) struct Job {
    inner: Owned<(libswarm::Job, Arc<Shared>)>,
    /// The payload as a Python object, decoded at the first access.
    payload: OnceLock<Py<PyAny>>,
    deletion: Mutex<Deletion>,
}

#[derive(Default)]
struct Deletion {
    /// Set once the event was taken.
    reason: Option<DeleteReason>,
    /// Each listener has the context in which it was added.
    listeners: Vec<(Py<PyAny>, Py<PyAny>)>,
}

impl Job {
    pub(crate) fn new(job: libswarm::Job, shared: Arc<Shared>) -> Self {
        Job { inner: Owned::new((job, shared)), payload: OnceLock::new(), deletion: Mutex::default() }
    }

    /// Marks the job as deleted; returns the listeners to call.
    pub(crate) fn deleted(&self, reason: DeleteReason) -> Vec<(Py<PyAny>, Py<PyAny>)> {
        let mut deletion = self.deletion();
        deletion.reason = Some(reason);
        std::mem::take(&mut deletion.listeners)
    }

    fn inner(&self) -> PyResult<&(libswarm::Job, Arc<Shared>)> {
        self.inner.get().map_err(raise)
    }

    fn deletion(&self) -> MutexGuard<'_, Deletion> {
        self.deletion.lock()
    }

    fn finish(&self, py: Python<'_>, finish: Finish) -> PyResult<Call> {
        let (job, shared) = self.inner()?;
        // Listeners often refer to the job; without them the two do not keep each other alive.
        let listeners = std::mem::take(&mut self.deletion().listeners);
        drop(listeners);
        shared.finish(py, job.fence, finish)
    }
}

#[pymethods]
impl Job {
    /// The job's id.
    #[getter]
    fn id(&self) -> PyResult<&str> {
        Ok(&self.inner()?.0.id)
    }

    /// The payload: a value parsed from JSON, or bytes.
    #[getter]
    fn payload(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(payload) = self.payload.get() {
            return Ok(payload.clone_ref(py));
        }
        let payload = decode(py, &self.inner()?.0.payload)?.unbind();
        Ok(self.payload.get_or_init(|| payload).clone_ref(py))
    }

    /// The payload's bytes as they were stored.
    #[getter]
    fn payload_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.inner()?.0.payload.bytes))
    }

    /// "json" or "bytes".
    #[getter]
    fn content_type(&self) -> PyResult<&'static str> {
        Ok(content_type(&self.inner()?.0.payload))
    }

    /// The fencing token: larger with every assignment in the cluster, for conditions such as `WHERE fence <= :fence` in your own database.
    #[getter]
    fn fence(&self) -> PyResult<u64> {
        Ok(self.inner()?.0.fence)
    }

    /// How many workers crashed in a row while they ran this job.
    #[getter]
    fn crashes(&self) -> PyResult<u32> {
        Ok(self.inner()?.0.crashes)
    }

    /// The number of this attempt, from 1: one more than its failed attempts. Crashes of workers and releases do not count.
    #[getter]
    fn attempt(&self) -> PyResult<u32> {
        Ok(self.inner()?.0.attempt())
    }

    /// How many more attempts are left if this one fails.
    #[getter]
    fn retries_left(&self) -> PyResult<u32> {
        Ok(self.inner()?.0.retries_left())
    }

    /// The last value that an earlier execution stored with `checkpoint`, or None.
    #[getter]
    fn last_checkpoint<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.inner()?.0.last_checkpoint().map(|text| decode(py, &Payload::raw_json(text))).transpose()
    }

    /// The slot of its schedule, in ms since 1970 on Redis' clock; None if no schedule added the job.
    #[getter]
    fn scheduled_for(&self) -> PyResult<Option<u64>> {
        Ok(self.inner()?.0.scheduled_for())
    }

    /// The job's priority; default 0.
    #[getter]
    fn priority(&self) -> PyResult<i64> {
        Ok(self.inner()?.0.priority())
    }

    /// The job's task, or "".
    #[getter]
    fn task(&self) -> PyResult<&str> {
        Ok(self.inner()?.0.task())
    }

    /// The job's resource, or "".
    #[getter]
    fn resource(&self) -> PyResult<&str> {
        Ok(self.inner()?.0.resource())
    }

    /// The job's group, or "".
    #[getter]
    fn group(&self) -> PyResult<&str> {
        Ok(self.inner()?.0.group())
    }

    /// Whether workers crashed while they ran it and others.
    #[getter]
    fn _suspect(&self) -> PyResult<bool> {
        Ok(self.inner()?.0.is_suspect())
    }

    /// The headers that were added with the job.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let headers = PyDict::new(py);
        for (name, value) in self.inner()?.0.headers() {
            headers.set_item(name, value)?;
        }
        Ok(headers)
    }

    /// Whether the job is no longer active: deleted, reclaimed, or finished.
    #[getter]
    fn cancelled(&self) -> PyResult<bool> {
        Ok(self.inner()?.0.is_cancelled())
    }

    /// Why the job was deleted or reclaimed: "deleted", "terminated", "lease_lost", "timed_out" or "moved"; None if it was not.
    #[getter]
    fn delete_reason(&self) -> Option<&'static str> {
        // From the moment on at which `cancelled` is true, which is before the event is taken.
        let reason = self.inner.get().ok().and_then(|(job, _)| job.delete_reason());
        reason.or(self.deletion().reason).map(DeleteReason::name)
    }

    /// Whether its deletion was processed here: its listeners are called or about to be.
    #[getter]
    fn _deleted(&self) -> bool {
        self.deletion().reason.is_some()
    }

    /// Completes the job. Queued at once and never blocks; the call ends when Redis has accepted it.
    #[pyo3(signature = (result=None))]
    fn complete(&self, py: Python<'_>, result: Option<&Bound<'_, PyAny>>) -> PyResult<Call> {
        let encoded = match result {
            None => Payload::raw_json("null"),
            Some(result) => encode(result)?,
        };
        let size = encoded.bytes.len();
        if size > MAX_RESULT && self.inner()?.0.wants_result() {
            // Refused here and not by the core, so that the job stays active.
            return Err(raise(Error::new(
                ErrorKind::TooLarge,
                format!("the result has {size} bytes, the limit is {MAX_RESULT}"),
            )));
        }
        let (job, shared) = self.inner()?;
        if let Some(result) = result {
            shared.keep_result(job.fence, result);
        }
        self.finish(py, Finish::Complete(encoded))
    }

    /// Fails this attempt, with an error text and a traceback (default that of an exception). Both are logged and kept with a failed job; of a
    /// traceback the last 16 KiB. The job is retried after its backoff, or fails permanently if no retry is left.
    #[pyo3(signature = (error, traceback=None))]
    fn fail(&self, py: Python<'_>, error: &Bound<'_, PyAny>, traceback: Option<&Bound<'_, PyAny>>) -> PyResult<Call> {
        self.finish(py, Finish::Fail(job_error(error, traceback)))
    }

    /// As `fail`, but the job is retried after this many seconds.
    #[pyo3(signature = (error, after, traceback=None))]
    fn retry(
        &self,
        py: Python<'_>,
        error: &Bound<'_, PyAny>,
        after: &Bound<'_, PyAny>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Call> {
        let after = duration("after", after)?;
        self.finish(py, Finish::Retry(job_error(error, traceback), after))
    }

    /// Gives the job back because what it needs refuses it for now (HTTP 429): the limit, or for None each limit of the job, starts no jobs for
    /// `after` seconds, at most 365 days. No attempt is counted. A job without the limit is delayed by the time.
    #[pyo3(signature = (after, limit=None))]
    fn rate_limited(&self, py: Python<'_>, after: &Bound<'_, PyAny>, limit: Option<&Bound<'_, PyAny>>) -> PyResult<Call> {
        let pause = duration("after", after)?;
        let limit = limit.map(|limit| some_text("limit", limit)).transpose()?.flatten();
        self.finish(py, Finish::RateLimited { pause, limit })
    }

    /// As `fail`, but the job fails permanently, even if retries are left.
    #[pyo3(signature = (error, traceback=None))]
    fn fail_permanently(&self, py: Python<'_>, error: &Bound<'_, PyAny>, traceback: Option<&Bound<'_, PyAny>>) -> PyResult<Call> {
        self.finish(py, Finish::FailPermanently(job_error(error, traceback)))
    }

    /// Stores the progress of the job, which inspections show: a value that JSON can write, at most 4 KiB. Never blocks; the latest value wins.
    /// Ignored if the job is finished.
    fn progress(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = encode(value)?;
        if value.content_type == ContentType::Bytes {
            return Err(invalid("bytes cannot be the progress of a job, which is JSON"));
        }
        let (job, shared) = self.inner()?;
        shared.progress(job.fence, value.bytes)
    }

    /// Stores a checkpoint: a value that JSON can write, at most 4 KiB, that the next execution of the job reads as `last_checkpoint`, after a
    /// failed attempt, a release or a crash. Never blocks; the latest value wins, and is stored before this execution finishes. Ignored if the
    /// job is finished.
    fn checkpoint(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let value = encode(value)?;
        if value.content_type == ContentType::Bytes {
            return Err(invalid("bytes cannot be a checkpoint, which is JSON"));
        }
        let (job, shared) = self.inner()?;
        shared.checkpoint(job.fence, value.bytes)
    }

    /// Appends a line to the log of the job, which `Master.job` shows. Never blocks. The log keeps the newest 100 lines over all executions, and is
    /// removed with the job. A text of more than 1 KiB is cut and gets an ellipsis at its end. Lines are stored before this execution finishes.
    /// Ignored if the job is finished.
    fn log(&self, text: &Bound<'_, PyAny>) -> PyResult<()> {
        let text = crate::options::text("text", text)?;
        let (job, shared) = self.inner()?;
        shared.log(job.fence, &text);
        Ok(())
    }

    /// Releases the job: it is requeued, and no crash or attempt is counted.
    fn release(&self, py: Python<'_>) -> PyResult<Call> {
        self.finish(py, Finish::Release)
    }

    /// Reports that the work has stopped after the job was deleted, which frees its slot.
    fn stopped(&self, py: Python<'_>) -> PyResult<Call> {
        self.finish(py, Finish::Stopped)
    }

    /// Reads how the jobs ended that this one waited for (option `after`): the call returns a dict of `Input` by id, empty if it waited for none.
    /// Until this job has ended, their results are kept, whatever their `result_ttl`. With `on_failure="ignore"`, it has only completed ones.
    fn inputs(&self, py: Python<'_>) -> PyResult<Call> {
        let (job, shared) = self.inner()?;
        let job = job.clone();
        shared.spawn(py, |_| async move { job.inputs().await.map(Value::Inputs) })
    }

    /// Deletes the job from the cluster; the call returns whether it still existed. The event `delete` follows.
    fn delete_job(&self, py: Python<'_>) -> PyResult<Call> {
        let (job, shared) = self.inner()?;
        let id = job.id.clone();
        shared.spawn(py, |worker| async move { worker.delete(id).await.map(Value::Bool) })
    }

    /// The same as `delete_job`.
    #[pyo3(name = "deleteJob")]
    fn delete_job_alias(&self, py: Python<'_>) -> PyResult<Call> {
        self.delete_job(py)
    }

    /// Calls `listener()` when the job is deleted or reclaimed, at once if it has been. The only event is "delete".
    #[pyo3(signature = (event, listener))]
    fn on(&self, event: &Bound<'_, PyAny>, listener: Bound<'_, PyAny>) -> PyResult<()> {
        let event = text("event", event)?;
        if event != "delete" {
            return Err(invalid(format!("a job has no event `{event}`, only `delete`")));
        }
        let py = listener.py();
        package(py)?.check_job_listener.bind(py).call1((&listener, self.inner()?.1.in_loop))?;
        let context = COPY_CONTEXT.import(py, "contextvars", "copy_context")?.call0()?;
        let mut deletion = self.deletion();
        if deletion.reason.is_none() {
            deletion.listeners.push((listener.unbind(), context.unbind()));
            return Ok(());
        }
        drop(deletion);
        listener.call0().map(drop)
    }

    /// Raises: a job belongs to its worker.
    fn __reduce__(&self) -> PyResult<()> {
        Err(not_copied("a Job", "its id and payload"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(payload) = self.payload.get() {
            visit.call(payload)?;
        }
        // If another thread has locked it, it is in use.
        if let Some(deletion) = self.deletion.try_lock() {
            for (listener, context) in &deletion.listeners {
                visit.call(listener)?;
                visit.call(context)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let listeners = std::mem::take(&mut self.deletion().listeners);
        drop(listeners);
    }

    fn __repr__(&self) -> PyResult<String> {
        let job = &self.inner()?.0;
        Ok(format!("<Job {:?} fence={}>", job.id, job.fence))
    }
}

/// The error of a job; the default traceback is that of the exception.
fn job_error(error: &Bound<'_, PyAny>, traceback: Option<&Bound<'_, PyAny>>) -> JobError {
    let traceback = match traceback {
        Some(traceback) => error_text(traceback),
        None if error.is_instance_of::<PyBaseException>() => {
            let own = package(error.py()).and_then(|package| package.traceback_of.bind(error.py()).call1((error,)));
            own.map_or_else(|_| String::new(), |own| error_text(&own))
        }
        None => String::new(),
    };
    JobError::new(error_text(error), traceback)
}

/// The text of an error, which may be any object; never fails.
fn error_text(message: &Bound<'_, PyAny>) -> String {
    match message.str() {
        Ok(text) => text.to_string_lossy().into_owned(),
        Err(_) => format!("<{} without a readable text>", class_of(message)),
    }
}

static COPY_CONTEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Imports modules that would otherwise be imported when first used, possibly during a fork.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    COPY_CONTEXT.import(py, "contextvars", "copy_context").map(drop)
}
