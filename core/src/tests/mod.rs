//! Tests of the scripts and of what they share with the tasks of members: each transition, a model of all, hostile data, the longest calls.

mod ceilings;
mod hostile;
mod model;
mod schedules;
mod scripts;
#[path = "../../tests/support/server.rs"]
mod server;
