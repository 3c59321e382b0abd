//! What is known of a server before it is used.

use std::time::Duration;

use libswarm_common::error::Error;

/// A server as [`Cluster::server`](crate::Cluster::server) finds it, whether or not libswarm would use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct ServerInfo {
    /// Its address as it was set, without a login.
    pub address: String,
    /// `redis`, or another name such as `valkey`.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// `standalone`, `cluster` or `sentinel`.
    pub mode: String,
    /// `master` or `slave`.
    pub role: String,
    /// The bytes of memory that it uses.
    pub used_memory: u64,
    /// The bytes of memory that it may use; `None` for no limit.
    pub max_memory: Option<u64>,
    /// Its `maxmemory-policy`, or "" if it does not state one.
    pub eviction_policy: String,
    /// Whether it writes an append-only file.
    pub append_only: bool,
    /// Its `appendfsync`; `None` if it may not be asked.
    pub append_fsync: Option<String>,
    /// Its `save`, which states when it writes snapshots; `None` if it may not be asked.
    pub snapshots: Option<String>,
    /// The last attempt to write its data to disk failed.
    pub save_failed: bool,
    /// Its connections.
    pub clients: u64,
    /// How many it accepts; `None` if it does not state it.
    pub max_clients: Option<u64>,
    /// The time between a command and its reply: the median of five.
    pub round_trip: Duration,
    /// How far its clock is ahead of the one of this machine, in ms; negative if it is behind. Exact to half of `round_trip`. `None` if the server
    /// does not state its time.
    pub clock_ahead_ms: Option<i64>,
    /// Commands that libswarm uses and that the user may not call; `None` if the server cannot be asked: it is older than 7, or the user may not call
    /// `ACL`.
    pub denied: Option<Vec<String>>,
    /// What its operator should know, although it can be used.
    pub warnings: Vec<String>,
    /// Why libswarm does not use it.
    pub refusal: Option<Error>,
}
