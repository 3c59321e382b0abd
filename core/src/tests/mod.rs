//! Tests of the scripts and of what they share with the tasks of members: each transition, a model of all, hostile data, the longest calls.

mod bench;
mod ceilings;
mod clock;
mod damage;
mod failed_jobs;
mod hostile;
mod keys;
mod leases;
mod logs;
mod messages;
mod model;
mod queues;
mod registry;
mod rounds;
mod schedules;
#[path = "../../tests/support/server.rs"]
mod server;
mod sweep;
mod unique;
