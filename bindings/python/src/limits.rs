//! Limits of a cluster.

use libswarm::Limit;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::Call;
use crate::errors::raise;
use crate::fork::Owned;
use crate::job_options::{milliseconds, whole};
use crate::members::OpenMaster;
use crate::options::text;
use crate::value::Value;

/// Created for each use, because it keeps the runtime alive.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Limits {
    member: Owned<OpenMaster>,
}

impl Limits {
    pub(crate) fn new(member: OpenMaster) -> Self {
        Limits { member: Owned::new(member) }
    }
}

#[pymethods]
impl Limits {
    /// Sets the figures of a limit: `rate`, `per` in seconds, `burst`, `concurrency`; None stands for the default. Whether it had figures.
    fn set(&self, name: &Bound<'_, PyAny>, figures: &Bound<'_, PyDict>) -> PyResult<Call> {
        let (name, limit) = (text("name", name)?, read(figures)?);
        self.member.get().map_err(raise)?.spawn(|master| async move { master.limit(&name, limit).await.map(Value::Bool) })
    }

    fn remove(&self, name: &Bound<'_, PyAny>) -> PyResult<Call> {
        let name = text("name", name)?;
        self.member.get().map_err(raise)?.spawn(|master| async move { master.remove_limit(&name).await.map(Value::Bool) })
    }

    fn info(&self, name: &Bound<'_, PyAny>) -> PyResult<Call> {
        let name = text("name", name)?;
        self.member
            .get()
            .map_err(raise)?
            .spawn(|master| async move { master.limit_info(&name).await.map(|info| Value::Limit(Box::new(info))) })
    }
}

fn read(figures: &Bound<'_, PyDict>) -> PyResult<Limit> {
    let mut pairs = Vec::new();
    for (name, value) in figures {
        let name = text("the name of an option", &name)?;
        if !value.is_none() {
            let value = if name == "per" { milliseconds(&name, &value)? } else { whole(&name, &value)? };
            pairs.push((name, value));
        }
    }
    Limit::from_pairs(&pairs).map_err(raise)
}
