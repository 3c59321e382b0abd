//! Spreads jobs over worker processes through Redis.

mod clock;
mod error;
mod event;
mod health;
mod job;
pub mod log;
mod master;
mod member;
mod options;
mod store;
mod worker;

pub use error::{Error, ErrorKind, Result};
pub use event::{DeleteReason, Event};
pub use health::{Health, Stats};
pub use job::{
    Added, ContentType, DEFAULT_RESULT_TTL, Failure, Finish, Job, JobData, MAX_ERROR_TEXT, MAX_NAME, MAX_RESULT, NewJob, Outcome,
    Payload, random_id,
};
pub use master::Master;
pub use options::{Address, Eviction, HostPort, Options, Requeue, Tls};
pub use worker::{Done, Process, Worker};

/// The version of this crate, of every front and package built from it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
