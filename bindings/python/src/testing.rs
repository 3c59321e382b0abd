//! Help for the tests of programs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use libswarm::testing::{self, Recorded};
use libswarm::{Failure, FailureReason, Finish, Input, InputOutcome, Payload};
use libswarm_host::lock::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::Call;
use crate::errors::{invalid, raise};
use crate::finishes::Finishes;
use crate::fork::Owned;
use crate::job::Job;
use crate::members::Shared;
use crate::new_job::new_job;
use crate::options::{Text, duration, options, some_text, text};
use crate::payload::{decode, encode};
use crate::runtime::{self, Runtime};
use crate::value::Value;

/// The URL of the Redis for tests; the first call may start it.
#[pyfunction]
pub(crate) fn private_redis(py: Python<'_>) -> PyResult<String> {
    py.detach(testing::private_redis).map_err(raise)
}

/// A cluster for tests. Created for each use of its calls, because it keeps the runtime alive.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct TestCluster {
    inner: Owned<(testing::TestCluster, Runtime)>,
}

impl TestCluster {
    fn spawn<F>(&self, call: impl FnOnce(testing::TestCluster) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<()>> + Send + 'static,
    {
        let (cluster, runtime) = self.inner.get().map_err(raise)?;
        let done = call(cluster.clone());
        Ok(Call::spawn(runtime, None, None, async move { done.await.map(|()| Value::Nothing) }))
    }
}

#[pymethods]
impl TestCluster {
    /// The cluster with this name, or with a random one if it is empty.
    #[new]
    fn new(cluster: Text, settings: Vec<(Text, Text)>) -> PyResult<Self> {
        let cluster = if cluster.0.is_empty() { Text(testing::random_name()) } else { cluster };
        let runtime = runtime::current().map_err(raise)?;
        let cluster = testing::TestCluster::new(options(cluster, settings)?, runtime.handle()).map_err(raise)?;
        Ok(TestCluster { inner: Owned::new((cluster, runtime)) })
    }

    fn name(&self) -> PyResult<&str> {
        Ok(&self.inner.get().map_err(raise)?.0.options().cluster)
    }

    fn settled(&self, timeout: &Bound<'_, PyAny>) -> PyResult<Call> {
        let limit = duration("timeout", timeout)?;
        self.spawn(|cluster| async move { cluster.settled(limit).await })
    }

    fn advance(&self, seconds: &Bound<'_, PyAny>) -> PyResult<Call> {
        let by = duration("seconds", seconds)?;
        self.spawn(|cluster| async move { cluster.advance(by).await })
    }

    fn obliterate(&self) -> PyResult<Call> {
        self.spawn(|cluster| async move { cluster.obliterate().await })
    }
}

/// A job without a cluster, for tests of handlers.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct TestJob {
    inner: Owned<(testing::TestJob, Py<Job>)>,
}

#[pymethods]
impl TestJob {
    /// `last_checkpoint` is used unless it is None; `inputs` are `Input`s by id.
    #[new]
    fn new(
        payload: &Bound<'_, PyAny>,
        options: &Bound<'_, PyDict>,
        attempt: u32,
        crashes: u32,
        last_checkpoint: &Bound<'_, PyAny>,
        inputs: &Bound<'_, PyDict>,
        awaiter: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let mut test = testing::TestJob::new(new_job(payload, options)?).attempt(attempt).crashes(crashes);
        if !last_checkpoint.is_none() {
            let json: Box<serde_json::value::RawValue> = encode(last_checkpoint)?.to().map_err(raise)?;
            test = test.last_checkpoint(&json).map_err(raise)?;
        }
        let inputs = inputs.iter().map(|(id, input)| read_input(&id, &input)).collect::<PyResult<_>>()?;
        let test = test.inputs(inputs);
        let runtime = runtime::current().map_err(raise)?;
        let (job, worker) = test.on(runtime.handle()).map_err(raise)?;
        let shared = Shared {
            finishes: Arc::new(Finishes::new(worker.clone())),
            worker,
            runtime: Mutex::new(Some(runtime)),
            active: Mutex::new(HashMap::new()),
            in_loop: awaiter.is_some(),
            awaiter,
            schedule_flush: Mutex::new(None),
            reports: AtomicBool::new(false),
            results: Mutex::default(),
            refused: Arc::default(),
        };
        let job = Py::new(payload.py(), Job::new(job, Arc::new(shared)))?;
        Ok(TestJob { inner: Owned::new((test, job)) })
    }

    fn job(&self, py: Python<'_>) -> PyResult<Py<Job>> {
        Ok(self.inner.get().map_err(raise)?.1.clone_ref(py))
    }

    /// What the handler has done: `{"progress": [...], "checkpoints": [...], "log": [...], "finish": None or (name, value, after)}`.
    fn recorded<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Recorded { progress, checkpoints, log, finish, .. } = self.inner.get().map_err(raise)?.0.recorded();
        let values = |texts: Vec<String>| {
            texts.iter().map(|text| decode(py, &Payload::raw_json(text.as_str()))).collect::<PyResult<Vec<_>>>()
        };
        let recorded = PyDict::new(py);
        recorded.set_item("progress", values(progress)?)?;
        recorded.set_item("checkpoints", values(checkpoints)?)?;
        recorded.set_item("log", log)?;
        recorded.set_item("finish", finish.map(|finish| finished(py, finish)).transpose()?)?;
        Ok(recorded)
    }

    /// Asks the handler to stop; calls the listeners of `delete`.
    fn cancel(&self, py: Python<'_>) -> PyResult<()> {
        let (test, job) = self.inner.get().map_err(raise)?;
        test.cancel();
        for (listener, context) in job.get().deleted(libswarm::DeleteReason::Deleted) {
            context.call_method1(py, "run", (listener,))?;
        }
        Ok(())
    }
}

type Finished<'py> = (&'static str, Option<Bound<'py, PyAny>>, Option<f64>);

/// The name of the method that finished the job, its result, error text or limit, and its pause.
fn finished<'py>(py: Python<'py>, finish: Finish) -> PyResult<Finished<'py>> {
    let shown = |text: String| Ok::<_, PyErr>(Some(text.into_pyobject(py)?.into_any()));
    Ok(match finish {
        Finish::Complete(result) => ("complete", Some(decode(py, &result)?), None),
        Finish::Fail(error) => ("fail", shown(error.message)?, None),
        Finish::Retry(error, after) => ("retry", shown(error.message)?, Some(after.as_secs_f64())),
        Finish::FailPermanently(error) => ("fail_permanently", shown(error.message)?, None),
        Finish::RateLimited { pause, limit } => {
            let limit = limit.map(shown).transpose()?.flatten();
            ("rate_limited", limit, Some(pause.as_secs_f64()))
        }
        Finish::Release => ("release", None, None),
        Finish::Stopped => ("stopped", None, None),
    })
}

/// An `Input` of the package.
fn read_input(id: &Bound<'_, PyAny>, input: &Bound<'_, PyAny>) -> PyResult<Input> {
    let field = |name: &str| input.getattr(name).map_err(|_| invalid("inputs must be a dict of Input"));
    let outcome = match &*text("state", &field("state")?)? {
        "completed" => InputOutcome::Completed(Some(encode(&field("result")?)?)),
        "failed" => {
            let reason = some_text("reason", &field("reason")?)?.unwrap_or_else(|| "failed".into());
            let message = some_text("error", &field("error")?)?.unwrap_or_default();
            InputOutcome::Failed(Failure { reason: FailureReason::named(&reason), message })
        }
        "deleted" => InputOutcome::Deleted,
        other => return Err(invalid(format!("there is no state `{other}` of an input: completed, failed or deleted"))),
    };
    Ok(Input { id: text("id", id)?, outcome })
}
