//! The tasks of a master: jobs and queries to Redis, outcomes back.

pub(crate) mod chooser;
pub(crate) mod follower;
pub(crate) mod slow_waits;
pub(crate) mod task;
pub(crate) mod waits;

use libswarm_common::error::{Error, ErrorKind};

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the master is closed")
}
