//! The native master: each method starts a call, for which a thread or an event loop waits.

use std::sync::Arc;

use std::time::Duration;

use libswarm::{Added, Choosing, Done, Error, ErrorKind, EventsOptions, JobState, NewFlow, NewJob, Options};
use libswarm_host::lock::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::call::{Call, Limit};
use crate::choices::Choices;
use crate::errors::{invalid, raise};
use crate::events::event_tuple;
use crate::fork::Owned;
use crate::group::Group;
use crate::info;
use crate::job_events::JobEvents;
use crate::limits::Limits;
use crate::mailbox::Mailbox;
use crate::members::OpenMaster;
use crate::messages::Subscribed;
use crate::messaging::{Messages, Sender};
use crate::new_job::{new_job, new_jobs};
use crate::options::{self, Text, duration, flag, integer, options, some_duration, some_text, some_texts, text, texts};
use crate::runtime;
use crate::schedules::Schedules;
use crate::value::Value;

/// Adds jobs and awaits results. Connects in the background, from its creation.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Master {
    /// None once closed, so that the runtime can end.
    member: Owned<Mutex<Option<OpenMaster>>>,
    /// Jobs added one by one in the same tick of an event loop.
    gathered: Mutex<Vec<NewJob>>,
    max_payload: usize,
    subscribed: Arc<Subscribed>,
}

impl Master {
    fn member(&self) -> PyResult<OpenMaster> {
        self.open()?.ok_or_else(|| {
            crate::exit::pass_closed();
            closed()
        })
    }

    /// None once it is closed.
    fn open(&self) -> PyResult<Option<OpenMaster>> {
        Ok(self.member.get().map_err(raise)?.lock().clone())
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<NewJob>> {
        self.gathered.lock()
    }

    fn spawn<F>(&self, limit: Limit, call: impl FnOnce(libswarm::Master) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        let OpenMaster { master, runtime } = self.member()?;
        Ok(Call::spawn(&runtime, None, limit, call(master)))
    }

    fn submit(&self, jobs: Vec<NewJob>, into: fn(Vec<Added>) -> Value) -> PyResult<Call> {
        let member = self.member()?;
        let (call, done) = Call::done(None, into);
        member.master.submit(jobs, done);
        Ok(call)
    }
}

/// Without a `close`, submitted jobs are still sent: the runtime lives until then.
impl Drop for Master {
    fn drop(&mut self) {
        if let Ok(Some(call)) = self.close() {
            call.forget();
        }
    }
}

#[pymethods]
impl Master {
    /// `credentials` is the function of the option, or None.
    #[new]
    #[pyo3(signature = (cluster, settings, credentials=None))]
    fn new(cluster: Text, settings: Vec<(Text, Text)>, credentials: Option<Py<PyAny>>) -> PyResult<Self> {
        let mut options: Options = options(cluster, settings)?;
        crate::credentials::set(&mut options, credentials)?;
        let runtime = runtime::current().map_err(raise)?;
        let max_payload = options.max_payload;
        let master = libswarm::Master::start(options, runtime.handle()).map_err(raise)?;
        Ok(Master {
            member: Owned::new(Mutex::new(Some(OpenMaster { master, runtime }))),
            gathered: Mutex::default(),
            max_payload,
            subscribed: Subscribed::new(None),
        })
    }

    /// Adds one job: `[(id, existed, replaced)]`.
    fn add(&self, payload: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<Call> {
        self.submit(vec![new_job(payload, options)?], Value::Added)
    }

    /// Adds many jobs in one call: `[(id, existed, replaced)]`, or with `ids_only` their ids.
    #[pyo3(signature = (jobs, ids, options, ids_only=false))]
    fn add_many(
        &self,
        jobs: &Bound<'_, PyList>,
        ids: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        ids_only: bool,
    ) -> PyResult<Call> {
        self.submit(new_jobs(jobs, ids, options)?, if ids_only { Value::Ids } else { Value::Added })
    }

    /// Checks and encodes one job now, which `flush` sends with the others. Returns its position among them.
    fn gather(&self, payload: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<usize> {
        let job = new_job(payload, options)?;
        job.check(self.max_payload).map_err(raise)?;
        let mut gathered = self.gathered();
        gathered.push(job);
        Ok(gathered.len() - 1)
    }

    /// Adds the gathered jobs: `[(id, existed, replaced)]` in their order.
    fn flush(&self) -> PyResult<Call> {
        let jobs = std::mem::take(&mut *self.gathered());
        self.submit(jobs, Value::Added)
    }

    /// Adds a flow.
    fn add_flow(
        &self,
        jobs: &Bound<'_, PyList>,
        options: &Bound<'_, PyDict>,
        id: &Bound<'_, PyAny>,
        cancel_rest: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let none = jobs.py().None();
        let flow = NewFlow::new(new_jobs(jobs, none.bind(jobs.py()), options)?).cancel_rest(flag("cancel_rest", cancel_rest)?);
        let flow = match some_text("id", id)? {
            Some(id) => flow.id(id),
            None => flow,
        };
        self.spawn(None, |master| async move { master.add_flow(flow).await.map(Value::AddedFlow) })
    }

    /// A flow, by its id or that of one of its jobs.
    fn flow(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.spawn(None, |master| async move { Ok(Value::Flow(master.flow(&id).await?.map(Box::new))) })
    }

    fn delete_many(&self, ids: &Bound<'_, PyAny>) -> PyResult<Call> {
        let ids = texts("ids", ids)?;
        self.spawn(None, |master| async move { master.delete_many(ids).await.map(Value::Bools) })
    }

    fn delete(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.spawn(None, |master| async move { master.delete(id).await.map(Value::Bool) })
    }

    fn result(&self, id: &Bound<'_, PyAny>, timeout: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        let limit = limit(timeout, "the job has not finished; call result again to continue waiting")?;
        self.spawn(limit, |master| async move { master.result(id).await.map(Value::Outcome) })
    }

    /// Adds a job and waits for its outcome, in two calls. The first ends when Redis has stored the job, with `[(id, existed, replaced)]`, or when it is
    /// certain that it was not added, with `[]`; the second ends with the outcome.
    fn run(&self, payload: &Bound<'_, PyAny>, timeout: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<(Call, Call)> {
        let job = new_job(payload, options)?;
        let limit = limit(timeout, "the job has not finished and continues")?;
        let (added, on_added) = OnAdded::new();
        let ended = self.spawn(limit, |master| async move {
            master.run_with(job, |added| on_added.end(std::slice::from_ref(added))).await.map(Value::Outcome)
        })?;
        Ok((added, ended))
    }

    /// As `run` for many jobs, whose outcomes are values and errors in order.
    fn run_many(
        &self,
        jobs: &Bound<'_, PyList>,
        ids: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<(Call, Call)> {
        let jobs = new_jobs(jobs, ids, options)?;
        let limit = limit(timeout, "not all jobs have finished; the others continue")?;
        let (added, on_added) = OnAdded::new();
        let ended = self.spawn(limit, |master| async move {
            master.run_many_with(jobs, |added| on_added.end(added)).await.map(Value::Outcomes)
        })?;
        Ok((added, ended))
    }

    /// Checks many jobs now and adds them in the background; the group returns their outcomes as they finish.
    fn run_each(
        &self,
        jobs: &Bound<'_, PyList>,
        ids: &Bound<'_, PyAny>,
        timeout: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
    ) -> PyResult<Group> {
        let jobs = new_jobs(jobs, ids, options)?;
        for (position, job) in jobs.iter().enumerate() {
            job.check(self.max_payload).map_err(|error| raise(error.context(format_args!("job {position}, none was added"))))?;
        }
        let limit = some_duration("timeout", timeout)?;
        let OpenMaster { master, runtime } = self.member()?;
        Ok(Group::start(master, runtime, jobs, limit))
    }

    fn job(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let id = text("id", id)?;
        self.spawn(None, |master| async move { Ok(Value::Job(master.job(&id).await?.map(Box::new))) })
    }

    fn jobs(&self, state: &Bound<'_, PyAny>, after: &Bound<'_, PyAny>, limit: &Bound<'_, PyAny>) -> PyResult<Call> {
        let name = text("state", state)?;
        let Some(state) = JobState::from_name(&name) else {
            let names: Vec<_> = JobState::ALL.iter().map(|(name, _)| *name).collect();
            return Err(invalid(format!("there is no state `{name}`; the states are {}", names.join(", "))));
        };
        let after = some_text("after", after)?;
        let number = integer("limit", limit)?;
        let limit = u32::try_from(number)
            .map_err(|_| invalid(format!("limit is `{number}`, it must be a whole number from 1 to 1,000")))?;
        self.spawn(None, move |master| async move { master.jobs(state, after.as_deref(), limit).await.map(Value::Page) })
    }

    fn queues(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.queues().await.map(Value::Queues) })
    }

    fn metrics(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.metrics().await.map(|text| Value::SomeText(Some(text))) })
    }

    /// Counts of each task by minutes or hours. Times are in seconds since 1970.
    fn metrics_history(
        &self,
        resolution: &Bound<'_, PyAny>,
        start: &Bound<'_, PyAny>,
        end: &Bound<'_, PyAny>,
        task: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let (resolution, task) = (text("resolution", resolution)?, some_text("task", task)?);
        let ms = |time: Option<Duration>| time.map(|time| time.as_millis() as u64);
        let (start, end) = (ms(some_duration("start", start)?), ms(some_duration("end", end)?));
        self.spawn(None, move |master| async move {
            master.metrics_history_of(&resolution, start, end, task.as_deref()).await.map(Value::Metrics)
        })
    }

    fn members(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.members().await.map(Value::Members) })
    }

    /// Sets the slots of a worker: whether there is such a worker.
    fn set_worker_slots(&self, incarnation: &Bound<'_, PyAny>, slots: &Bound<'_, PyAny>) -> PyResult<Call> {
        let (incarnation, slots) = (text("incarnation", incarnation)?, options::slots(slots)?);
        self.spawn(None, move |master| async move { master.set_worker_slots(&incarnation, slots).await.map(Value::Bool) })
    }

    /// Pauses or resumes a worker: whether there is such a worker.
    fn pause_worker(&self, incarnation: &Bound<'_, PyAny>, paused: bool) -> PyResult<Call> {
        let incarnation = text("incarnation", incarnation)?;
        self.spawn(None, move |master| async move {
            let ordered = if paused { master.pause_worker(&incarnation).await } else { master.resume_worker(&incarnation).await };
            ordered.map(Value::Bool)
        })
    }

    fn pause(&self, task: &Bound<'_, PyAny>) -> PyResult<Call> {
        let task = some_text("task", task)?;
        self.spawn(None, |master| async move { master.pause(task.as_deref()).await.map(|()| Value::Nothing) })
    }

    fn resume(&self, task: &Bound<'_, PyAny>) -> PyResult<Call> {
        let task = some_text("task", task)?;
        self.spawn(None, |master| async move { master.resume(task.as_deref()).await.map(|()| Value::Nothing) })
    }

    /// Lets `assign` assign the jobs of `tasks`, or all; jobs that wait longer than `within` seconds are assigned by default.
    fn start_choosing(&self, within: &Bound<'_, PyAny>, tasks: &Bound<'_, PyAny>) -> PyResult<Call> {
        let choosing = Choosing { within: duration("within", within)?, tasks: texts("tasks", tasks)? };
        self.spawn(None, |master| async move { master.start_choosing(choosing).await.map(|()| Value::Nothing) })
    }

    /// Waits for jobs and workers that can accept them: `Choices`. One call at a time; SwarmClosed if the master does not choose.
    fn choices(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.choices().await.map(Value::Choices) })
    }

    /// Assigns the jobs as they were chosen: whether each was assigned.
    fn assign(&self, choices: &Choices) -> PyResult<Call> {
        let pairs = choices.chosen()?;
        self.spawn(None, |master| async move { master.assign(&pairs).await.map(Value::Bools) })
    }

    fn stop_choosing(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.stop_choosing().await.map(|()| Value::Nothing) })
    }

    fn retry_failed(&self, ids: &Bound<'_, PyAny>) -> PyResult<Call> {
        let ids = some_texts("ids", ids)?;
        self.spawn(None, |master| async move { master.retry_failed(ids.as_deref()).await.map(Value::Count) })
    }

    fn delete_failed(&self, ids: &Bound<'_, PyAny>) -> PyResult<Call> {
        let ids = some_texts("ids", ids)?;
        self.spawn(None, |master| async move { master.delete_failed(ids.as_deref()).await.map(Value::Count) })
    }

    fn delete_completed(&self, ids: &Bound<'_, PyAny>) -> PyResult<Call> {
        let ids = some_texts("ids", ids)?;
        self.spawn(None, |master| async move { master.delete_completed(ids.as_deref()).await.map(Value::Count) })
    }

    /// Begins to follow the transitions of jobs.
    fn events(&self, after: &Bound<'_, PyAny>) -> PyResult<JobEvents> {
        let options =
            some_text("after", after)?.map_or_else(EventsOptions::default, |after| EventsOptions::default().after(after));
        options.check().map_err(raise)?;
        let OpenMaster { master, runtime } = self.member()?;
        Ok(JobEvents::start(master, runtime, options))
    }

    /// Raises SwarmClosed if the master is closed.
    fn limits(&self) -> PyResult<Limits> {
        Ok(Limits::new(self.member()?))
    }

    fn schedules(&self) -> PyResult<Schedules> {
        Ok(Schedules::new(self.member()?))
    }

    /// Raises SwarmClosed if the master is closed.
    fn messages(&self) -> PyResult<Messages> {
        Ok(Messages::new(Sender::Master(self.member()?)))
    }

    /// Subscribes to the event `message`, `kill` or `member`. Never waits; an error is an event.
    fn subscribe(&self, event: Text) -> PyResult<()> {
        let OpenMaster { master, runtime } = self.member()?;
        let messages = master.messages();
        self.subscribed.subscribe(&runtime, messages, &event, Box::new(move || master.incarnation().is_some()))
    }

    /// Exits the process `grace` seconds after a request to exit, if Python has not ended it before.
    fn exit_on_kill(&self, grace: &Bound<'_, PyAny>) -> PyResult<()> {
        let grace = duration("grace", grace)?;
        self.member()?.master.on_kill(libswarm_host::exit::on_request(grace, |_, _| std::future::pending()).map_err(raise)?);
        Ok(())
    }

    fn ready(&self) -> PyResult<Call> {
        let subscribed = self.subscribed.clone();
        self.spawn(None, |master| async move {
            master.ready().await?;
            subscribed.settled().await;
            Ok(Value::Nothing)
        })
    }

    fn stats(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.stats().await.map(Value::Stats) })
    }

    fn obliterate(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.obliterate().await.map(|()| Value::Nothing) })
    }

    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        info::health(py, &self.member()?.master.health())
    }

    fn incarnation(&self) -> PyResult<String> {
        Ok(self.member()?.master.incarnation().unwrap_or_default())
    }

    /// `mailbox` announces events from now on.
    fn listen(&self, mailbox: &Mailbox) -> PyResult<()> {
        let post = mailbox.post()?;
        self.subscribed.set_post(post.clone());
        self.member()?.master.set_wake(move || post.announce());
        Ok(())
    }

    /// Up to `max` events as `(kind, detail)`.
    fn take<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        // The error ends the library's own thread, also at the exit of the program.
        let events = self.open()?.ok_or_else(closed)?.master.take_events(max);
        self.subscribed.take().chain(events).filter_map(|event| event_tuple(py, event, true).transpose()).collect()
    }

    /// Leaves the cluster. None if that was done before.
    fn close(&self) -> PyResult<Option<Call>> {
        let member = self.member.get().map_err(raise)?.lock().take();
        Ok(member.map(|OpenMaster { master, runtime }| {
            Call::spawn(&runtime, None, None, async move { master.close().await.map(|()| Value::Nothing) })
        }))
    }
}

/// Ends the first call of a `run`, at the latest when it is dropped.
struct OnAdded(Option<Done<Vec<Added>>>);

impl OnAdded {
    fn new() -> (Call, OnAdded) {
        let (call, done) = Call::done(None, Value::Added);
        (call, OnAdded(Some(done)))
    }

    fn end(mut self, added: &[Added]) {
        if let Some(done) = self.0.take() {
            done(Ok(added.to_vec()));
        }
    }
}

impl Drop for OnAdded {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done(Ok(Vec::new()));
        }
    }
}

fn limit(timeout: &Bound<'_, PyAny>, message: &'static str) -> PyResult<Limit> {
    Ok(some_duration("timeout", timeout)?.map(|limit| (limit, message)))
}

fn closed() -> PyErr {
    raise(Error::new(ErrorKind::Closed, "the master is closed"))
}
