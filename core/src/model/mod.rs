//! Plain data: no connections, no tasks.

mod as_json;
pub(crate) mod choices;
pub(crate) mod choosing;
mod cron;
pub(crate) mod event;
pub(crate) mod execution;
pub(crate) mod extras;
pub(crate) mod flow;
pub(crate) mod health;
pub(crate) mod info;
pub(crate) mod job;
pub(crate) mod job_event;
pub(crate) mod job_options;
pub(crate) mod limit;
pub(crate) mod log;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod orders;
pub(crate) mod payload;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod unique;
