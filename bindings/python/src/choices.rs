//! Waiting jobs that a master chooses the workers of, one after another.

use std::collections::HashMap;

use libswarm::{Candidate, JobInfo};
use libswarm_host::lock::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyStringMethods};

use crate::errors::raise;
use crate::fork::Owned;
use crate::info;

/// One round of choices: its jobs, and what was chosen so far.
#[pyclass(frozen, module = "libswarm._native")]
pub(crate) struct Choices {
    round: Owned<Mutex<Round>>,
}

struct Round {
    choices: libswarm::Choices,
    /// The object of each worker, by its incarnation, as it was shown last: there may be a thousand workers for each of a hundred jobs.
    shown: HashMap<String, Shown>,
}

struct Shown {
    active: u64,
    room: u64,
    object: Py<PyAny>,
}

/// A job, and the workers that it can be given to.
type Question<'py> = (Bound<'py, PyAny>, Vec<Bound<'py, PyAny>>);

/// A worker to be shown.
enum Worker {
    AsBefore(Py<PyAny>),
    New(Candidate, u64),
}

impl Choices {
    pub(crate) fn new(choices: libswarm::Choices) -> Choices {
        Choices { round: Owned::new(Mutex::new(Round { choices, shown: HashMap::new() })) }
    }

    /// What was chosen so far.
    pub(crate) fn chosen(&self) -> PyResult<Vec<(String, String)>> {
        Ok(self.round()?.choices.chosen().to_vec())
    }

    /// Never held while Python code may run, as that may want it, too.
    fn round(&self) -> PyResult<MutexGuard<'_, Round>> {
        Ok(self.round.get().map_err(raise)?.lock())
    }
}

#[pymethods]
impl Choices {
    /// The next job that some worker has room for, with these workers: `(job, candidates)`. None after the last.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Question<'py>>> {
        let Some((job, workers)) = self.round()?.next_job(py) else { return Ok(None) };
        let job = info::job(py, &job)?;
        let workers = workers.into_iter().map(|worker| match worker {
            Worker::AsBefore(object) => Ok(object.into_bound(py)),
            Worker::New(worker, room) => self.show(py, worker, room),
        });
        Ok(Some((job, workers.collect::<PyResult<_>>()?)))
    }

    /// Gives this job to the worker of this incarnation. False if it is none of those that were returned with the job.
    fn choose(&self, incarnation: &Bound<'_, PyString>) -> PyResult<bool> {
        // An incarnation has no lone surrogates.
        let Ok(incarnation) = incarnation.to_str() else { return Ok(false) };
        Ok(self.round()?.choices.choose(incarnation))
    }
}

impl Choices {
    fn show<'py>(&self, py: Python<'py>, worker: Candidate, room: u64) -> PyResult<Bound<'py, PyAny>> {
        let object = info::candidate(py, &worker, room)?;
        let shown = Shown { active: worker.active, room, object: object.clone().unbind() };
        // Dropped after the lock, because that may run Python code.
        let _before = self.round()?.shown.insert(worker.incarnation, shown);
        Ok(object)
    }
}

impl Round {
    fn next_job(&mut self, py: Python<'_>) -> Option<(JobInfo, Vec<Worker>)> {
        let (job, workers) = self.choices.next_job()?;
        let workers = workers.into_iter().map(|(worker, room)| match self.shown.get(&worker.incarnation) {
            Some(shown) if (shown.active, shown.room) == (worker.active, room) => Worker::AsBefore(shown.object.clone_ref(py)),
            _ => Worker::New(worker.clone(), room),
        });
        Some((job.clone(), workers.collect()))
    }
}
