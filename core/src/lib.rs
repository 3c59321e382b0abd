//! A distributed job queue on Redis.
//!
//! A [`Master`] adds jobs to a named cluster. Jobs are assigned to [`Worker`]s, which complete, fail, release or delete them. If a worker dies or
//! stalls, its jobs start elsewhere within its lease plus a second, each with a larger fencing token. Everything runs on the caller's tokio
//! runtime.
//!
//! ```no_run
//! # async fn example() -> libswarm::Result<()> {
//! use libswarm::{Cluster, Job, NewJob};
//!
//! let cluster = Cluster::builder("sums").url("redis://localhost:6379").build()?;
//! let worker = cluster.worker().slots(8).start().await?;
//! tokio::spawn(worker.process(|job: Job| async move { job.json::<[i64; 2]>().map(|[a, b]| a + b) }).until(std::future::pending()));
//!
//! let master = cluster.master().await?;
//! let sum: i64 = master.run(NewJob::json(&[1, 2])?).await?.json()?;
//! assert_eq!(sum, 3);
//! # Ok(())
//! # }
//! ```

// In the order of their layers: each module imports only from those below it (`scripts/check_layers.py`).
mod adding;
mod api;
mod config;
#[cfg(feature = "bindings")]
pub mod log;
mod master;
mod member;
mod messaging;
mod model;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(test)]
mod tests;
mod util;
mod worker;

pub use api::batches::Batches;
pub use api::cluster::{Cluster, ClusterBuilder, WorkerBuilder};
pub use api::event::Event;
#[cfg(feature = "bindings")]
pub use api::gathering::Gathering;
pub use api::gathering::{BatchBy, Batching};
pub use api::group::Group;
pub use api::job::Job;
pub use api::job_events::JobEvents;
pub use api::master::Master;
pub use api::messages::{Message, Messages};
pub use api::process::{DEFAULT_CONCURRENCY, Process};
pub use api::process_batches::{BatchResults, ProcessBatches};
#[cfg(feature = "opentelemetry")]
pub use api::spans::Trace;
pub use api::worker::Worker;
pub use config::address::{Address, HostPort};
pub use config::codec_keys::CodecKeys;
pub use config::credentials::{Credentials, CredentialsSource};
pub use config::options::{Eviction, Options, Recording, Requeue, Tls};
pub use libswarm_common::backoff::{Backoff, Growth};
pub use libswarm_common::error::{Error, ErrorKind, Result};
pub use libswarm_common::id::{MAX_NAME, random_id};
#[cfg(feature = "bindings")]
pub use libswarm_common::language::Language;
pub use messaging::Leave;
pub use model::choices::{Candidate, Choices, Range};
pub use model::choosing::Choosing;
pub use model::execution::DeleteReason;
pub use model::extras::{MAX_EXTRAS, MAX_PRIORITY, MAX_RETRIES, OnFailure};
#[cfg(feature = "bindings")]
pub use model::flow::inputs_to_json;
pub use model::flow::{
    AddedFlow, FlowInfo, FlowJob, FlowState, Input, InputOutcome, MAX_AFTER, MAX_FLOW_EDGES, MAX_FLOW_JOBS, NewFlow,
};
pub use model::health::{Health, Stats};
pub use model::info::{JobInfo, JobPage, JobState, MemberInfo, QueueCount, Queues, Snapshot};
pub use model::job::{Failure, FailureReason, Finish, JobData, JobError, JobFailure, Outcome};
pub use model::job_event::{EventsOptions, JobEvent, JobEventKind, MAX_EVENT_TEXT};
pub use model::job_options::{Added, DEFAULT_RESULT_TTL, Durability, NewJob};
#[cfg(feature = "bindings")]
pub use model::limit::LIMIT_OPTIONS;
pub use model::limit::{Limit, LimitInfo};
pub use model::log::{FailedAttempt, LogLine, MAX_LOG_LINE, MAX_LOG_LINES};
pub use model::message::{Change, MAX_DATA, MAX_MESSAGE, MemberRef, NewMessage, Receipt, Role, To};
pub use model::metrics::{BUCKETS, Histogram, MetricsRow, Resolution, TaskCounts};
pub use model::payload::{
    ContentType, MAX_CHECKPOINT, MAX_ERROR_TEXT, MAX_KEPT_RESULT, MAX_PROGRESS, MAX_RESULT, MAX_TRACEBACK, Payload,
};
#[cfg(feature = "bindings")]
pub use model::schedule::SCHEDULE_OPTIONS;
pub use model::schedule::{CatchUp, MAX_CAUGHT_UP, Overlap, Schedule, ScheduleInfo, SchedulePage, Scheduled, Timing};
pub use model::server::ServerInfo;
pub use model::unique::{OnConflict, Unique, Until};
pub use util::completion::Done;
#[cfg(feature = "bindings")]
pub use util::stages::{measure_stages, stages};

/// The version of this crate, of every binding and package built from it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
