//! The native worker: batches of events out, finished jobs in.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libswarm::{Error, ErrorKind, Event, Finish};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::call::Call;
use crate::errors::{raise, to_object};
use crate::finishes::Finishes;
use crate::fork::Owned;
use crate::info;
use crate::job::Job;
use crate::mailbox::Mailbox;
use crate::messages::{self, Hearing, Message};
use crate::messaging::{Messages, Sender};
use crate::options::{Text, duration, options, text, texts};
use crate::runtime::{self, Owner};
use crate::value::Value;

/// The part of a worker that its jobs share. Never owned by a runtime thread: it holds Python objects.
pub(crate) struct Shared {
    worker: libswarm::Worker,
    finishes: Arc<Finishes>,
    /// None once closed, so that the runtime can end.
    runtime: Mutex<Option<Arc<Owner>>>,
    /// The active jobs by fence, so that a deletion finds the object that the program has.
    active: Mutex<HashMap<u64, Py<Job>>>,
    /// Makes calls awaitable (asyncio only).
    awaiter: Option<Py<PyAny>>,
    /// Schedules a flush at the end of the loop's tick (asyncio only). None once closed, as it refers to the worker.
    schedule_flush: Mutex<Option<Py<PyAny>>>,
    in_loop: bool,
    /// Outcomes that Redis has accepted are reported.
    reports: AtomicBool,
    /// The results of jobs until they are reported; only if outcomes are reported.
    results: Mutex<HashMap<u64, Py<PyAny>>>,
    /// Jobs whose finish Redis has refused.
    refused: Arc<Mutex<Vec<u64>>>,
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
                    lock(&refused).push(fence);
                }
                reported(result);
            });
        }
        if self.finishes.push(fence, finish, Some(done)) {
            let schedule = lock(&self.schedule_flush).as_ref().map(|schedule| schedule.clone_ref(py));
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
            let before = lock(&self.results).insert(fence, result.clone().unbind());
            drop(before);
        }
    }

    fn take_result(&self, fence: u64) -> Option<Py<PyAny>> {
        lock(&self.results).remove(&fence)
    }

    pub(crate) fn in_loop(&self) -> bool {
        self.in_loop
    }

    pub(crate) fn progress(&self, fence: u64, value: Vec<u8>) -> PyResult<()> {
        self.worker.progress(fence, value).map_err(raise)
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

    pub(crate) fn send(&self, py: Python<'_>, message: libswarm::NewMessage) -> PyResult<Call> {
        let awaiter = self.awaiter.as_ref().map(|awaiter| awaiter.clone_ref(py));
        self.runtime().ok_or_else(|| raise(closed()))?;
        self.finishes.flush();
        let (call, done) = Call::done(awaiter, Value::Receipt);
        self.worker.messages().submit(message, done);
        Ok(call)
    }

    fn runtime(&self) -> Option<Arc<Owner>> {
        lock(&self.runtime).clone()
    }

    fn active(&self) -> MutexGuard<'_, HashMap<u64, Py<Job>>> {
        lock(&self.active)
    }
}

/// Takes jobs. Connects in the background, from its creation.
#[pyclass(frozen, weakref, module = "libswarm._native")]
pub(crate) struct Worker {
    shared: Owned<Arc<Shared>>,
    hearing: Arc<Hearing>,
    rejoin: bool,
}

/// Without a `close`: nothing takes events any more, so the jobs are requeued; the runtime lives until then.
impl Drop for Worker {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl Worker {
    fn shared(&self) -> PyResult<&Arc<Shared>> {
        self.shared.get().map_err(raise)
    }

    /// Leaves without waiting, unless that was done before.
    fn abandon(&self) {
        let Ok(shared) = self.shared.get() else { return };
        shared.finishes.flush();
        let runtime = lock(&shared.runtime).take();
        if let Some(runtime) = runtime {
            let worker = shared.worker.clone();
            let leaving = async move { worker.terminate(Duration::ZERO).await.map(|()| Value::Nothing) };
            Call::spawn(&runtime, None, None, leaving).forget();
        }
        let schedule_flush = lock(&shared.schedule_flush).take();
        let active = std::mem::take(&mut *shared.active());
        let results = std::mem::take(&mut *lock(&shared.results));
        drop((schedule_flush, active, results));
    }

    /// The events as Python objects.
    fn to_objects<'py>(&self, py: Python<'py>, shared: &Arc<Shared>, events: Vec<Event>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let mut taken = Vec::with_capacity(events.len());
        let refused = std::mem::take(&mut *lock(&shared.refused));
        for fence in refused {
            drop(shared.take_result(fence));
        }
        for event in events {
            match event {
                Event::Add(job) => {
                    let fence = job.fence;
                    let job = Bound::new(py, Job::new(job, shared.clone()))?;
                    shared.active().insert(fence, job.clone().unbind());
                    taken.push(job.into_any());
                }
                Event::Delete { job, reason } => {
                    // Otherwise the program has finished it meanwhile and has nothing to stop.
                    let active = shared.active().get(&job.fence).map(|job| job.clone_ref(py));
                    if let Some(active) = active {
                        let listeners = active.get().deleted(reason);
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
        // What another thread has locked is in use.
        if let Ok(schedule_flush) = shared.schedule_flush.try_lock()
            && let Some(schedule_flush) = &*schedule_flush
        {
            visit.call(schedule_flush)?;
        }
        if let Ok(active) = shared.active.try_lock() {
            active.values().try_for_each(|job| visit.call(job))?;
        }
        if let Ok(results) = shared.results.try_lock() {
            results.values().try_for_each(|result| visit.call(result))?;
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.abandon();
    }

    /// `mailbox` announces events. With `awaiter` and `schedule_flush` it is a worker of an event loop in this thread.
    #[new]
    #[pyo3(signature = (cluster, settings, mailbox, awaiter=None, schedule_flush=None))]
    fn new(
        cluster: Text,
        settings: Vec<(Text, Text)>,
        mailbox: &Mailbox,
        awaiter: Option<Py<PyAny>>,
        schedule_flush: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let options = options(cluster, settings)?;
        let rejoin = options.rejoin;
        let post = mailbox.post()?;
        let hearing = Hearing::new(Some(post.clone()));
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
        Ok(Worker { shared: Owned::new(Arc::new(shared)), hearing, rejoin })
    }

    /// Up to `max` events, none only if there are none: a Job for each assigned job, `(kind, ...)` for others. This thread's
    /// finishes gather until `flush`.
    fn take<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let shared = self.shared()?;
        loop {
            let events: Vec<_> = self.hearing.take().chain(shared.worker.take_events(max)).collect();
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

    /// Sets the tasks to take from now on, "" for jobs without one.
    fn set_tasks(&self, tasks: &Bound<'_, PyAny>) -> PyResult<()> {
        let tasks = texts("tasks", tasks)?;
        self.shared()?.worker.set_tasks(tasks).map_err(raise)
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
        self.hearing.hear(&runtime, shared.worker.messages(), &event, is_registered)
    }

    /// Exits the process `grace` seconds after a request to, unless Python has ended it before.
    fn exit_on_kill(&self, grace: &Bound<'_, PyAny>) -> PyResult<()> {
        self.shared()?.worker.exit_on_kill(duration("grace", grace)?, |_, _| std::future::pending()).map_err(raise)
    }

    /// The active jobs now.
    fn active(&self, py: Python<'_>) -> PyResult<Vec<Py<Job>>> {
        Ok(self.shared()?.active().values().map(|job| job.clone_ref(py)).collect())
    }

    fn ready(&self, py: Python<'_>) -> PyResult<Call> {
        let hearing = self.hearing.clone();
        self.shared()?.spawn(py, |worker| async move {
            worker.ready().await?;
            hearing.settled().await;
            Ok(Value::Nothing)
        })
    }

    fn drain(&self, py: Python<'_>) -> PyResult<Call> {
        self.shared()?.spawn(py, |worker| async move { worker.drain().await.map(|()| Value::Nothing) })
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
        let shared = self.shared()?;
        let runtime = lock(&shared.runtime).take();
        let schedule_flush = lock(&shared.schedule_flush).take();
        let active = std::mem::take(&mut *shared.active());
        let results = std::mem::take(&mut *lock(&shared.results));
        drop((runtime, schedule_flush, active, results));
        Ok(())
    }

    /// Leaves without waiting, because nothing takes events any more.
    fn leave(&self) -> PyResult<()> {
        self.shared()?;
        self.abandon();
        Ok(())
    }
}

/// Refuses bad options without connecting.
#[pyfunction]
pub(crate) fn check_options(cluster: Text, settings: Vec<(Text, Text)>) -> PyResult<()> {
    options(cluster, settings).map(drop)
}

/// An event without a job. None for an event with one.
pub(crate) fn event_tuple<'py>(py: Python<'py>, event: Event, rejoin: bool) -> PyResult<Option<Bound<'py, PyAny>>> {
    let tuple: Bound<'py, PyTuple> = match event {
        Event::Ready { incarnation } => ("ready", incarnation).into_pyobject(py)?,
        Event::Error(error) => ("error", to_object(py, &error)?).into_pyobject(py)?,
        Event::Close(None) => ("close", py.None(), true).into_pyobject(py)?,
        Event::Close(Some(error)) => ("close", to_object(py, &error)?, !rejoin).into_pyobject(py)?,
        Event::Message(message) => ("message", Message::new(message)).into_pyobject(py)?,
        Event::Kill { code, from } => ("kill", messages::kill(py, code, &from)?).into_pyobject(py)?,
        Event::Member { change, role, member } => ("member", messages::change(py, change, role, &member)?).into_pyobject(py)?,
        Event::Add(_) | Event::Delete { .. } | Event::Completed { .. } | Event::Failed { .. } | Event::Retrying { .. } => {
            return Ok(None);
        }
    };
    Ok(Some(tuple.into_any()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the worker is closed")
}
