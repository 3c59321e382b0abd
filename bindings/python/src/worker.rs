//! The native worker: batches of events out, finished jobs in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libswarm::Event;
use libswarm_host::lock::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::call::Call;
use crate::errors::raise;
use crate::events::event_tuple;
use crate::finishes::Finishes;
use crate::fork::Owned;
use crate::info;
use crate::job::Job;
use crate::mailbox::Mailbox;
use crate::members::{Shared, closed};
use crate::messages::Subscribed;
use crate::messaging::{Messages, Sender};
use crate::new_job::{new_job, new_jobs};
use crate::options::{self, Text, duration, options, text, texts};
use crate::runtime;
use crate::value::Value;

/// Accepts jobs. Connects in the background, from its creation.
#[pyclass(frozen, weakref, module = "libswarm._native")]
pub(crate) struct Worker {
    shared: Owned<Arc<Shared>>,
    subscribed: Arc<Subscribed>,
    rejoin: bool,
}

/// Without a `close`, nothing takes events any more, so that the jobs are requeued; the runtime lives until then.
impl Drop for Worker {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Worker {
    fn shared(&self) -> PyResult<&Arc<Shared>> {
        self.shared.get().map_err(raise)
    }

    /// Leaves without waiting, if that was not done before.
    fn abandon(&self) {
        let Ok(shared) = self.shared.get() else { return };
        shared.finishes.flush();
        if let Some(runtime) = shared.release() {
            let worker = shared.worker.clone();
            let leaving = async move { worker.terminate(Duration::ZERO).await.map(|()| Value::Nothing) };
            Call::spawn(&runtime, None, None, leaving).forget();
        }
    }

    /// The events as Python objects.
    fn to_objects<'py>(&self, py: Python<'py>, shared: &Arc<Shared>, events: Vec<Event>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut taken = Vec::with_capacity(events.len());
        let refused = std::mem::take(&mut *shared.refused.lock());
        for fence in refused {
            drop(shared.take_result(fence));
        }
        for event in events {
            match event {
                Event::Add(job) => {
                    let fence = job.fence;
                    let job = Bound::new(py, Job::new(job, shared.clone()))?;
                    shared.active().insert(fence, job.clone().into_any().unbind());
                    taken.push(job.into_any());
                }
                Event::Delete { job, reason } => {
                    // Otherwise the program has finished it meanwhile, and nothing has to stop.
                    let active = shared.active().get(&job.fence).map(|job| job.clone_ref(py));
                    if let Some(active) = active {
                        let listeners = active.bind(py).cast::<Job>()?.get().deleted(reason);
                        taken.push(("delete", active, listeners).into_pyobject(py)?.into_any());
                    }
                }
                Event::Completed { job } => {
                    let result = shared.take_result(job.fence);
                    taken.push(("completed", Job::new(job, shared.clone()), result).into_pyobject(py)?.into_any());
                }
                Event::Failed { job, error } => {
                    let error = (error.message, error.traceback);
                    taken.push(("failed", Job::new(job, shared.clone()), error).into_pyobject(py)?.into_any());
                }
                Event::Retrying { job, error, delay } => {
                    let error = (error.message, error.traceback, delay.as_secs_f64());
                    taken.push(("retrying", Job::new(job, shared.clone()), error).into_pyobject(py)?.into_any());
                }
                other => taken.extend(event_tuple(py, other, self.rejoin)?),
            }
        }
        Ok(taken)
    }
}

#[pymethods]
impl Worker {
    /// Visits the active jobs and callbacks, which only the worker owns, although its jobs share them.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Ok(shared) = self.shared.get() else { return Ok(()) };
        if let Some(awaiter) = &shared.awaiter {
            visit.call(awaiter)?;
        }
        // If another thread has locked it, it is in use.
        if let Some(schedule_flush) = shared.schedule_flush.try_lock()
            && let Some(schedule_flush) = &*schedule_flush
        {
            visit.call(schedule_flush)?;
        }
        if let Some(active) = shared.active.try_lock() {
            active.values().try_for_each(|job| visit.call(job))?;
        }
        if let Some(results) = shared.results.try_lock() {
            results.values().try_for_each(|result| visit.call(result))?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.abandon();
    }

    /// `mailbox` announces events. With `awaiter` and `schedule_flush` it is a worker of an event loop in this thread.
    #[new]
    #[pyo3(signature = (cluster, settings, mailbox, awaiter=None, schedule_flush=None, credentials=None))]
    fn new(
        cluster: Text,
        settings: Vec<(Text, Text)>,
        mailbox: &Mailbox,
        awaiter: Option<Py<PyAny>>,
        schedule_flush: Option<Py<PyAny>>,
        credentials: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let mut options = options(cluster, settings)?;
        crate::credentials::set(&mut options, credentials)?;
        let rejoin = options.rejoin;
        let post = mailbox.post()?;
        let subscribed = Subscribed::new(Some(post.clone()));
        let runtime = runtime::current().map_err(raise)?;
        let worker = libswarm::Worker::start(options, runtime.handle()).map_err(raise)?;
        worker.set_wake(move || post.announce());
        let finishes = Arc::new(Finishes::new(worker.clone()));
        let in_loop = schedule_flush.is_some();
        if in_loop {
            finishes.gather_here();
        }
        let shared = Shared {
            worker,
            finishes,
            runtime: Mutex::new(Some(runtime)),
            active: Mutex::default(),
            awaiter,
            schedule_flush: Mutex::new(schedule_flush),
            in_loop,
            reports: AtomicBool::new(false),
            results: Mutex::default(),
            refused: Arc::default(),
        };
        Ok(Worker { shared: Owned::new(Arc::new(shared)), subscribed, rejoin })
    }

    /// Takes up to `max` events; empty only if there are none: a Job for each assigned job, `(kind, ...)` for others. Finishes of this thread are
    /// gathered until `flush`.
    fn take<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let shared = self.shared()?;
        loop {
            let events: Vec<_> = self.subscribed.take().chain(shared.worker.take_events(max)).collect();
            let there = !events.is_empty();
            if events.len() > 1 {
                shared.finishes.gather_here();
            }
            let taken = self.to_objects(py, shared, events)?;
            if !taken.is_empty() || !there {
                return Ok(taken);
            }
        }
    }

    /// Sends the finishes since `take`, and in a thread stops gathering them.
    fn flush(&self) -> PyResult<()> {
        let shared = self.shared()?;
        if !shared.in_loop {
            shared.finishes.gather_no_more();
        }
        shared.finishes.flush();
        Ok(())
    }

    /// Whether outcomes that Redis has accepted are reported: `("completed", job, result)`, `("failed", job, (message, traceback))` and
    /// `("retrying", job, (message, traceback, delay in seconds))`. Each job is an object of its own.
    fn report_outcomes(&self, report: bool) -> PyResult<()> {
        let shared = self.shared()?;
        shared.reports.store(report, Ordering::Relaxed);
        shared.worker.report_outcomes(report);
        Ok(())
    }

    /// Accepts jobs from now on, if the option `auto_accept` is false. `slots` is the default of the option.
    #[pyo3(signature = (slots=None))]
    fn accept(&self, slots: Option<u32>) -> PyResult<()> {
        self.shared()?.worker.accept(slots);
        Ok(())
    }

    /// Sets the tasks to accept from now on, "" for jobs without one.
    fn set_tasks(&self, tasks: &Bound<'_, PyAny>) -> PyResult<()> {
        let tasks = texts("tasks", tasks)?;
        self.shared()?.worker.set_tasks(tasks).map_err(raise)
    }

    /// Sets the limit of active jobs from now on.
    fn set_slots(&self, slots: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared()?.worker.set_slots(options::slots(slots)?).map_err(raise)
    }

    /// The limit of active jobs; 0 for no limit.
    fn slots(&self) -> PyResult<u32> {
        Ok(self.shared()?.worker.slots().unwrap_or(0))
    }

    /// Pauses or resumes the worker.
    fn set_paused(&self, paused: bool) -> PyResult<()> {
        let worker = &self.shared()?.worker;
        if paused { worker.pause() } else { worker.resume() }.map_err(raise)
    }

    fn is_paused(&self) -> PyResult<bool> {
        Ok(self.shared()?.worker.is_paused())
    }

    /// Adds one job: `[(id, existed)]`.
    fn add(&self, py: Python<'_>, payload: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<Call> {
        self.shared()?.submit(py, vec![new_job(payload, options)?])
    }

    /// Adds many jobs in one call: `[(id, existed)]`.
    fn add_many(
        &self,
        py: Python<'_>,
        jobs: &Bound<'_, PyList>,
        ids: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Call> {
        self.shared()?.submit(py, new_jobs(jobs, ids, options)?)
    }

    fn messages(&self) -> PyResult<Messages> {
        Ok(Messages::new(Sender::Worker(self.shared()?.clone())))
    }

    /// Subscribes to the event `message`, `kill` or `member`. Never waits; an error is an event.
    fn subscribe(&self, event: Text) -> PyResult<()> {
        let shared = self.shared()?;
        let runtime = shared.runtime().ok_or_else(|| raise(closed()))?;
        let worker = shared.worker.clone();
        let is_registered = Box::new(move || worker.incarnation().is_some());
        self.subscribed.subscribe(&runtime, shared.worker.messages(), &event, is_registered)
    }

    /// Exits the process `grace` seconds after a request to exit, if Python has not ended it before.
    fn exit_on_kill(&self, grace: &Bound<'_, PyAny>) -> PyResult<()> {
        let grace = duration("grace", grace)?;
        self.shared()?.worker.on_kill(libswarm_host::exit::on_request(grace, |_, _| std::future::pending()).map_err(raise)?);
        Ok(())
    }

    /// The active jobs.
    fn active(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        Ok(self.shared()?.active().values().map(|job| job.clone_ref(py)).collect())
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Call> {
        let subscribed = self.subscribed.clone();
        self.shared()?.spawn(py, |worker| async move {
            worker.ready().await?;
            subscribed.settled().await;
            Ok(Value::Nothing)
        })
    }

    fn drain(&self, py: Python<'_>) -> PyResult<Call> {
        self.shared()?.spawn(py, |worker| {
            worker.stop_accepting();
            async move { worker.drain().await.map(|()| Value::Nothing) }
        })
    }

    fn terminate(&self, py: Python<'_>, grace: &Bound<'_, PyAny>) -> PyResult<Call> {
        let grace = duration("grace", grace)?;
        self.shared()?.spawn(py, move |worker| async move { worker.terminate(grace).await.map(|()| Value::Nothing) })
    }

    fn delete(&self, py: Python<'_>, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.shared()?.spawn(py, |worker| async move { worker.delete(id).await.map(Value::Bool) })
    }

    fn stats(&self, py: Python<'_>) -> PyResult<Call> {
        self.shared()?.spawn(py, |worker| async move { worker.stats().await.map(Value::Stats) })
    }

    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        info::health(py, &self.shared()?.worker.health())
    }

    fn incarnation(&self) -> PyResult<String> {
        Ok(self.shared()?.worker.incarnation().unwrap_or_default())
    }

    /// Releases the runtime and the jobs, after the last event.
    fn close(&self) -> PyResult<()> {
        drop(self.shared()?.release());
        Ok(())
    }

    /// Leaves without waiting, because nothing takes events any more.
    fn leave(&self) -> PyResult<()> {
        self.shared()?;
        self.abandon();
        Ok(())
    }
}

/// Checks options without connecting.
#[pyfunction]
pub(crate) fn check_options(cluster: Text, settings: Vec<(Text, Text)>) -> PyResult<()> {
    options(cluster, settings).map(drop)
}
