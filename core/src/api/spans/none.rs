//! No spans.

use std::sync::Arc;

use crate::model::job::{Finish, JobData};
use crate::model::job_options::{Added, NewJob};
use crate::util::completion::Done;

/// Of the same form as the one with spans.
#[derive(Clone, Copy, Default)]
pub(in crate::api) enum Trace {
    #[default]
    Nothing,
}

pub(in crate::api) fn adding(_: &str, _: &mut [NewJob], done: Done<Vec<Added>>) -> Done<Vec<Added>> {
    done
}

#[derive(Clone)]
pub(in crate::api) struct Attempt;

impl Attempt {
    pub(in crate::api) fn begin(_: &str, _: Trace, _: &Arc<JobData>) -> Self {
        Attempt
    }

    pub(in crate::api) fn begin_batch(_: &str, _: Vec<Arc<JobData>>) -> Self {
        Attempt
    }

    pub(in crate::api) fn call<R>(&self, handler: impl FnOnce() -> R) -> R {
        handler()
    }

    pub(in crate::api) fn run<F: Future>(&self, work: F) -> F {
        work
    }

    pub(in crate::api) fn raised(&self, _: &'static str, _: &str) {}

    pub(in crate::api) fn ended(&self, _: &[Finish]) {}
}
