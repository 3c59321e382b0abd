//! The messages of a member: each method starts a call, as those of the native master and worker do.

use std::future::Future;
use std::sync::Arc;

use pyo3::prelude::*;

use crate::call::Call;
use crate::errors::raise;
use crate::fork::Owned;
use crate::members::{OpenMaster, Shared};
use crate::messages::{address, data, exit_code, how_many, new_message};
use crate::options::text;
use crate::value::Value;

/// The member that sends.
pub(crate) enum Sender {
    Master(OpenMaster),
    Worker(Arc<Shared>),
}

/// Created for each use, because it keeps the runtime alive.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Messages {
    sender: Owned<Sender>,
}

impl Messages {
    pub(crate) fn new(sender: Sender) -> Self {
        Messages { sender: Owned::new(sender) }
    }

    fn spawn<F>(&self, py: Python<'_>, call: impl FnOnce(libswarm::Messages) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        match self.sender.get().map_err(raise)? {
            Sender::Master(member) => Ok(Call::spawn(&member.runtime, None, None, call(member.master.messages()))),
            Sender::Worker(shared) => shared.spawn(py, |worker| call(worker.messages())),
        }
    }
}

#[pymethods]
impl Messages {
    /// Queues a message now, behind those of earlier calls: its Receipt.
    fn send(
        &self,
        py: Python<'_>,
        to: &Bound<'_, PyAny>,
        payload: &Bound<'_, PyAny>,
        acknowledged: &Bound<'_, PyAny>,
        request: &Bound<'_, PyAny>,
        to_self: &Bound<'_, PyAny>,
    ) -> PyResult<Call> {
        let message = new_message(to, payload, acknowledged, request, to_self)?;
        match self.sender.get().map_err(raise)? {
            Sender::Master(member) => {
                let (call, done) = Call::done(None, Value::Receipt);
                member.master.messages().submit(message, done);
                Ok(call)
            }
            Sender::Worker(shared) => shared.send(py, message),
        }
    }

    /// Requests that programs exit with this code: a Receipt.
    fn kill(&self, py: Python<'_>, to: &Bound<'_, PyAny>, code: &Bound<'_, PyAny>) -> PyResult<Call> {
        let (to, code) = (address(to)?, exit_code(code)?);
        self.spawn(py, move |messages| async move { messages.kill(to, code).await.map(Value::Receipt) })
    }

    fn confirm(&self, py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Call> {
        let name = text("name", name)?;
        self.spawn(py, |messages| async move { messages.confirm(&name).await.map(|()| Value::Nothing) })
    }

    fn confirmations(&self, py: Python<'_>, count: &Bound<'_, PyAny>, name: &Bound<'_, PyAny>) -> PyResult<Call> {
        let (count, name) = (how_many(count)?, text("name", name)?);
        self.spawn(py, move |messages| async move { messages.confirmations(count, &name).await.map(Value::Confirmations) })
    }

    fn set_data(&self, py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Call> {
        let data = data(value)?;
        self.spawn(py, |messages| async move { messages.set_data(data).await.map(|()| Value::Nothing) })
    }
}
