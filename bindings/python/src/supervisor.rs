//! The native supervisor: programs in, batches of events out.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use libswarm::{Error, ErrorKind};
use libswarm_host::lock::Mutex;
use libswarm_supervisor::{Program, SupervisorEvent, SupervisorOptions};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::call::Call;
use crate::errors::{invalid, raise};
use crate::fork::Owned;
use crate::mailbox::Mailbox;
use crate::options::{Text, integer};
use crate::process::{self, event_tuple};
use crate::runtime::{self, Runtime};
use crate::signals;
use crate::value::Value;

/// Keeps the runtime alive while there are processes.
struct Running {
    supervisor: libswarm_supervisor::Supervisor,
    /// None once it has stopped, so that the runtime can end.
    runtime: Mutex<Option<Runtime>>,
}

impl Running {
    fn take_runtime(&self) -> Option<Runtime> {
        self.runtime.lock().take()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The end of the runtime would kill all processes at once, so it lives until their grace is over.
        if let Some(runtime) = self.take_runtime() {
            let supervisor = self.supervisor.clone();
            runtime.clone().handle().spawn(async move {
                drop(supervisor.stop().await);
                drop(runtime);
            });
        }
    }
}

/// A supervisor of processes. If dropped, it stops them in the background.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Supervisor {
    running: Owned<Running>,
}

impl Supervisor {
    fn running(&self) -> PyResult<&Running> {
        self.running.get().map_err(raise)
    }

    /// A call of the core, which fails after the stop.
    fn call<F>(&self, call: impl FnOnce(libswarm_supervisor::Supervisor) -> F) -> PyResult<Call>
    where
        F: Future<Output = libswarm::Result<Value>> + Send + 'static,
    {
        let running = self.running()?;
        let runtime = running.runtime.lock();
        Ok(match &*runtime {
            Some(runtime) => Call::spawn(runtime, None, None, call(running.supervisor.clone())),
            None => Call::failed(None, stopped()),
        })
    }
}

#[pymethods]
impl Supervisor {
    #[new]
    fn new(settings: Vec<(Text, Text)>) -> PyResult<Self> {
        let mut options = SupervisorOptions::default();
        for (Text(name), Text(value)) in settings {
            options.set(&name, &value).map_err(raise)?;
        }
        let runtime = runtime::current().map_err(raise)?;
        let supervisor = libswarm_supervisor::Supervisor::start(options, runtime.handle()).map_err(raise)?;
        Ok(Supervisor { running: Owned::new(Running { supervisor, runtime: Mutex::new(Some(runtime)) }) })
    }

    /// `mailbox` announces events from now on.
    fn listen(&self, mailbox: &Mailbox) -> PyResult<()> {
        let post = mailbox.post()?;
        self.running()?.supervisor.set_wake(move || post.announce());
        Ok(())
    }

    /// Takes up to `max` events as `(kind, fields)`; empty only if there are none.
    fn take<'py>(&self, py: Python<'py>, max: usize) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let events = self.running()?.supervisor.take_events(max);
        events.into_iter().map(|event: SupervisorEvent| event_tuple(py, event)).collect()
    }

    /// Starts processes: their ids.
    fn spawn(
        &self,
        command: Vec<u8>,
        args: Vec<Vec<u8>>,
        env: Vec<(Vec<u8>, Vec<u8>)>,
        cwd: Option<Vec<u8>>,
        settings: Vec<(Text, Text)>,
    ) -> PyResult<Call> {
        let mut program = Program::new(OsString::from_vec(command)).args(args.into_iter().map(OsString::from_vec));
        program.env = env.into_iter().map(|(name, value)| (OsString::from_vec(name), OsString::from_vec(value))).collect();
        program.dir = cwd.map(|cwd| PathBuf::from(OsString::from_vec(cwd)));
        for (Text(name), Text(value)) in settings {
            program.set(&name, &value).map_err(raise)?;
        }
        program.check().map_err(raise)?;
        self.call(|supervisor| async move { supervisor.spawn(program).await.map(Value::Numbers) })
    }

    fn kill(&self, id: &Bound<'_, PyAny>) -> PyResult<Call> {
        let number = integer("id", id)?;
        let id = u64::try_from(number).map_err(|_| invalid(format!("id is {number}, not the id of a process")))?;
        self.call(move |supervisor| async move { supervisor.kill(id).await.map(|()| Value::Nothing) })
    }

    fn reload(&self) -> PyResult<Call> {
        self.call(|supervisor| async move { supervisor.reload().await.map(|()| Value::Nothing) })
    }

    /// Stops all processes, even if nothing waits for the call. None after `close`.
    fn stop(&self) -> PyResult<Option<Call>> {
        let running = self.running()?;
        let runtime = running.runtime.lock();
        let supervisor = running.supervisor.clone();
        Ok(runtime
            .as_ref()
            .map(|runtime| Call::spawn(runtime, None, None, async move { supervisor.stop().await.map(|()| Value::Nothing) })))
    }

    fn handle_signals(&self) -> PyResult<()> {
        let running = self.running()?;
        let runtime = running.runtime.lock();
        if runtime.is_none() {
            return Err(raise(stopped()));
        }
        signals::hand_over(|| running.supervisor.handle_signals()).map_err(raise)
    }

    /// The processes, in the order of their ids.
    fn processes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        self.running()?.supervisor.list().iter().map(|info| process::info(py, info)).collect()
    }

    /// Releases the runtime, after the stop.
    fn close(&self) -> PyResult<()> {
        drop(self.running()?.take_runtime());
        Ok(())
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Closed, "the supervisor is stopped")
}
