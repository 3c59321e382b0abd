//! Jobs to add, from Python objects.

use libswarm::{NewJob, Payload};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors::invalid;
use crate::job_options::JobOptions;
use crate::options::some_texts;
use crate::package::package;
use crate::payload::{encode, encode_many};

/// One job.
pub(crate) fn new_job(payload: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<NewJob> {
    JobOptions::read(options)?.apply(NewJob::new(encode(payload)?))
}

/// Many jobs. Each of `jobs` is a payload, or a `NewJob` with options that override those of all.
pub(crate) fn new_jobs(jobs: &Bound<'_, PyList>, ids: &Bound<'_, PyAny>, options: &Bound<'_, PyDict>) -> PyResult<Vec<NewJob>> {
    if options.contains("id")? {
        return Err(invalid("an id is one job's own: give `ids`, or a NewJob for each job"));
    }
    let ids = some_texts("ids", ids)?;
    if let Some(ids) = &ids
        && ids.len() != jobs.len()
    {
        return Err(invalid(format!("{} ids for {} payloads", ids.len(), jobs.len())));
    }
    let common = JobOptions::read(options)?;
    let mut ids = ids.into_iter().flatten();
    let mut made = |payload: Payload, own: Option<&JobOptions>| {
        let job = match ids.next() {
            Some(id) => NewJob::new(payload).id(id),
            None => NewJob::new(payload),
        };
        own.unwrap_or(&common).apply(job)
    };
    let class = package(jobs.py())?.new_job.bind(jobs.py());
    for job in jobs {
        if job.is_instance(class)? {
            let (payloads, own) = apart(jobs, options, class)?;
            return encode_many(&payloads)?.into_iter().zip(own).map(|(payload, own)| made(payload, own.as_ref())).collect();
        }
    }
    encode_many(jobs)?.into_iter().map(|payload| made(payload, None)).collect()
}

type Apart<'py> = (Bound<'py, PyList>, Vec<Option<JobOptions>>);

/// The payloads, and the options of the jobs with their own.
fn apart<'py>(jobs: &Bound<'py, PyList>, common: &Bound<'py, PyDict>, class: &Bound<'py, PyAny>) -> PyResult<Apart<'py>> {
    let payloads = PyList::empty(jobs.py());
    let mut own = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.is_instance(class)? {
            let options = common.copy()?;
            let own_options = job.getattr("options")?;
            let Ok(own_options) = own_options.cast::<PyDict>() else {
                return Err(invalid("the options of a NewJob are no dict"));
            };
            options.update(own_options.as_mapping())?;
            // Its own `delay` or `run_at` overrides both of the call.
            for (one, other) in [("delay", "run_at"), ("run_at", "delay")] {
                if own_options.contains(one)? && !own_options.contains(other)? && options.contains(other)? {
                    options.del_item(other)?;
                }
            }
            own.push(Some(JobOptions::read(&options)?));
            payloads.append(job.getattr("payload")?)?;
        } else {
            own.push(None);
            payloads.append(job)?;
        }
    }
    Ok((payloads, own))
}
