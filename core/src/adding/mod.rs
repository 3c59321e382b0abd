//! Adds jobs: what masters and workers share. A member gathers the jobs that its program adds and sends them in batches.

mod adder;
mod adds;
mod flight;

pub(crate) use adder::{Adder, Landing};
pub(crate) use adds::Adds;
#[cfg(test)]
pub(crate) use adds::Submission;
