//! The C ABI of libswarm, which `include/swarm.h` declares. The header is generated from this crate.
//!
//! One file per concept; the exported functions come first in each. Every body runs in [`guard`], so that no panic
//! crosses into C. User code runs on callback threads or on the caller's own thread, never on the runtime's.

#![allow(non_camel_case_types, reason = "types have the names that C sees")]
#![allow(clippy::missing_safety_doc, reason = "the contract is stated once, in the preamble of the header")]

#[cfg(panic = "abort")]
compile_error!("the C ABI turns panics into SWARM_ERR_PANIC, which needs panic = \"unwind\"");

// In the order of the header, which is also that of the layers: a module uses those above it.
pub mod status;

pub mod error;
pub mod version;

pub mod bytes;
pub mod flag;
mod guard;
mod sized;

mod dispatch;
pub mod runtime;

pub mod callback;
mod context;
pub mod log;

pub mod options;

pub mod credentials;

pub mod call;
pub mod json;

pub mod job_options;

pub mod member;

pub mod health;
pub mod messages;
pub mod metrics;

pub mod choosers;
pub mod master;

pub mod add;

pub mod outcome;
pub mod run;

pub mod control;
pub mod inspect;
pub mod queues;
pub mod schedules;

pub mod limits;

pub mod flows;

pub mod events;

pub mod choice;

pub mod job;
mod jobs;

pub mod result;

mod gathering;
mod handlers;
pub mod worker;

mod job_events;
pub mod work;

pub mod batches;

pub mod testing;

#[cfg(unix)]
pub mod supervisor;
