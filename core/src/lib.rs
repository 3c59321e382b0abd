//! Spreads jobs over worker processes through Redis.
//!
//! A [`Master`] adds jobs to a named cluster, a [`Worker`] is given them and holds each until it completes, fails, releases or deletes it. If
//! a worker dies or stalls, its jobs start elsewhere within its lease and a second, each with a larger fence. Everything runs on the
//! caller's tokio runtime.
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

mod address;
mod clock;
mod cluster;
mod event;
mod health;
mod info;
mod job;
pub mod log;
mod master;
mod member;
mod messages;
mod new_job;
mod options;
mod store;
mod worker;

pub use address::{Address, HostPort};
pub use cluster::{Cluster, ClusterBuilder, WorkerBuilder};
pub use event::{DeleteReason, Event};
pub use health::{Health, Stats};
pub use info::{Candidate, Choices, JobInfo, JobPage, JobState, MemberInfo, QueueCount, Queues, Range};
pub use job::{
    ContentType, Failure, Finish, Job, JobData, JobError, MAX_ERROR_TEXT, MAX_PROGRESS, MAX_RESULT, MAX_TRACEBACK, Outcome,
    Payload,
};
pub use libswarm_common::backoff::{Backoff, Growth};
pub use libswarm_common::error::{Error, ErrorKind, Result};
pub use libswarm_common::id::{MAX_NAME, random_id};
pub use libswarm_common::language::Language;
pub use master::{Choosing, Group, Master};
pub use messages::{Change, MAX_DATA, MAX_MESSAGE, MemberRef, Message, Messages, NewMessage, Receipt, To};
pub use new_job::{Added, DEFAULT_RESULT_TTL, Durability, MAX_EXTRAS, MAX_PRIORITY, MAX_RETRIES, NewJob};
pub use options::{Eviction, Options, Requeue, Tls};
pub use worker::{DEFAULT_CONCURRENCY, Done, Process, Worker};

/// The version of this crate, of every front and package built from it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
