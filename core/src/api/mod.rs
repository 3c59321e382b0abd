//! The handles that a program uses.

pub(crate) mod batches;
mod choosing;
pub(crate) mod cluster;
mod control;
pub(crate) mod event;
mod flows;
pub(crate) mod gathering;
pub(crate) mod group;
mod inspect;
pub(crate) mod job;
pub(crate) mod job_events;
mod limits;
pub(crate) mod master;
pub(crate) mod messages;
mod metrics;
pub(crate) mod process;
pub(crate) mod process_batches;
pub(crate) mod schedules;
pub(crate) mod spans;
pub(crate) mod worker;
