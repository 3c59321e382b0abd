//! The native master: each method starts a call; the faces wait for it in their own manner.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libswarm::{Error, ErrorKind, NewJob, Options, Payload};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::call::{Call, Limit, Value};
use crate::errors::{invalid, raise};
use crate::fork::Owned;
use crate::mailbox::Mailbox;
use crate::options::{JobOptions, Text, options, seconds};
use crate::payload::{encode, encode_many};
use crate::runtime::{self, Owner};
use crate::worker::{event_tuple, health_dict};

#[derive(Clone)]
struct Member {
    master: libswarm::Master,
    runtime: Arc<Owner>,
}

/// Adds jobs and awaits results. Connects in the background, from the start.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Master {
    /// None once closed, so that the runtime can end.
    member: Owned<Mutex<Option<Member>>>,
    /// Jobs added one by one in the same tick of an event loop.
    gathered: Mutex<Vec<NewJob>>,
    max_payload: usize,
}

impl Master {
    fn member(&self) -> PyResult<Member> {
        let member = self.member.get().map_err(raise)?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        member.ok_or_else(|| raise(Error::new(ErrorKind::Closed, "the master is closed")))
    }

    fn gathered(&self) -> MutexGuard<'_, Vec<NewJob>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn<F>(&self, limit: Limit, call: impl FnOnce(libswarm::Master) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        let Member { master, runtime } = self.member()?;
        Ok(Call::spawn(&runtime, None, limit, call(master)))
    }

    fn submit(&self, jobs: Vec<NewJob>, into: fn(Vec<libswarm::Added>) -> Value) -> PyResult<Call> {
        let member = self.member()?;
        let (call, done) = Call::done(None, into);
        member.master.submit(jobs, done);
        Ok(call)
    }
}

/// Left open by the program: what was submitted is still sent, as the runtime lives until then.
impl Drop for Master {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[pymethods]
impl Master {
    #[new]
    fn new(cluster: Text, settings: Vec<(Text, Text)>) -> PyResult<Self> {
        let options: Options = options(cluster, settings)?;
        let runtime = runtime::current().map_err(raise)?;
        let max_payload = options.max_payload;
        let master = libswarm::Master::start(options, runtime.handle()).map_err(raise)?;
        Ok(Master { member: Owned::new(Mutex::new(Some(Member { master, runtime }))), gathered: Mutex::default(), max_payload })
    }

    /// Adds one job; answers `[(id, existed)]`.
    #[pyo3(signature = (payload, id=None, result=false, result_ttl=None))]
    fn add(&self, payload: &Bound<'_, PyAny>, id: Option<Text>, result: bool, result_ttl: Option<f64>) -> PyResult<Call> {
        let job = new_job(encode(payload)?, id, &JobOptions { result, result_ttl })?;
        self.submit(vec![job], Value::Added)
    }

    /// Adds many jobs in one crossing; answers `[(id, existed)]`, or with `ids_only` their ids.
    #[pyo3(signature = (payloads, ids=None, result=false, result_ttl=None, ids_only=false))]
    fn add_many(
        &self,
        payloads: &Bound<'_, PyList>,
        ids: Option<Vec<Text>>,
        result: bool,
        result_ttl: Option<f64>,
        ids_only: bool,
    ) -> PyResult<Call> {
        let payloads = encode_many(payloads)?;
        if let Some(ids) = &ids
            && ids.len() != payloads.len()
        {
            return Err(invalid(format!("{} ids for {} payloads", ids.len(), payloads.len())));
        }
        let options = JobOptions { result, result_ttl };
        let mut ids = ids.into_iter().flatten();
        let jobs = payloads.into_iter().map(|payload| new_job(payload, ids.next(), &options)).collect::<PyResult<_>>()?;
        self.submit(jobs, if ids_only { Value::Ids } else { Value::Added })
    }

    /// Checks and encodes one job now, to be sent with the others by `flush`; answers its place among them.
    #[pyo3(signature = (payload, id=None, result=false, result_ttl=None))]
    fn gather(&self, payload: &Bound<'_, PyAny>, id: Option<Text>, result: bool, result_ttl: Option<f64>) -> PyResult<usize> {
        let job = new_job(encode(payload)?, id, &JobOptions { result, result_ttl })?;
        job.check(self.max_payload).map_err(raise)?;
        let mut gathered = self.gathered();
        gathered.push(job);
        Ok(gathered.len() - 1)
    }

    /// Adds what was gathered; answers `[(id, existed)]` in its order.
    fn flush(&self) -> PyResult<Call> {
        let jobs = std::mem::take(&mut *self.gathered());
        self.submit(jobs, Value::Added)
    }

    fn delete_many(&self, ids: Vec<Text>) -> PyResult<Call> {
        let ids = ids.into_iter().map(|Text(id)| id).collect();
        self.spawn(None, |master| async move { master.delete_many(ids).await.map(Value::Bools) })
    }

    fn delete(&self, id: Text) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.delete(id.0).await.map(Value::Bool) })
    }

    #[pyo3(signature = (id, timeout=None))]
    fn result(&self, id: Text, timeout: Option<f64>) -> PyResult<Call> {
        let limit = limit(timeout, "the job has not ended; its result can be asked for again")?;
        self.spawn(limit, |master| async move { master.result(id.0).await.map(Value::Outcome) })
    }

    #[pyo3(signature = (payload, id=None, result_ttl=None, timeout=None))]
    fn run(&self, payload: &Bound<'_, PyAny>, id: Option<Text>, result_ttl: Option<f64>, timeout: Option<f64>) -> PyResult<Call> {
        let job = new_job(encode(payload)?, id, &JobOptions { result: true, result_ttl })?;
        let limit = limit(timeout, "the job has not ended and goes on")?;
        self.spawn(limit, |master| async move { master.run(job).await.map(Value::Outcome) })
    }

    fn ready(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.ready().await.map(|()| Value::Nothing) })
    }

    fn stats(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.stats().await.map(Value::Stats) })
    }

    fn obliterate(&self) -> PyResult<Call> {
        self.spawn(None, |master| async move { master.obliterate().await.map(|()| Value::Nothing) })
    }

    fn health<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        health_dict(py, &self.member()?.master.health())
    }

    fn incarnation(&self) -> PyResult<String> {
        Ok(self.member()?.master.incarnation())
    }

    /// Has `mailbox` announce events.
    fn listen(&self, mailbox: &Mailbox) -> PyResult<()> {
        let post = mailbox.post()?;
        self.member()?.master.set_wake(move || post.announce());
        Ok(())
    }

    /// Up to `max` events as `(kind, detail)`.
    fn take<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let events = self.member()?.master.take_events(max);
        events.into_iter().filter_map(|event| event_tuple(py, event, true).transpose()).collect()
    }

    /// Leaves the cluster. None if that was done before.
    fn close(&self) -> PyResult<Option<Call>> {
        let member = self.member.get().map_err(raise)?.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(member.map(|Member { master, runtime }| {
            Call::spawn(&runtime, None, None, async move { master.close().await.map(|()| Value::Nothing) })
        }))
    }
}

fn limit(timeout: Option<f64>, message: &'static str) -> PyResult<Limit> {
    Ok(timeout.map(|t| seconds("timeout", t)).transpose()?.map(|t| (t, message)))
}

fn new_job(payload: Payload, id: Option<Text>, options: &JobOptions) -> PyResult<NewJob> {
    let job = options.apply(NewJob::new(payload))?;
    Ok(match id {
        Some(Text(id)) => job.id(id),
        None => job,
    })
}
