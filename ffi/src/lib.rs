//! The C ABI of libswarm: what `include/swarm.h` declares. The header is generated from this crate.
//!
//! One file per concept; the exported functions come first in each. Every body runs in [`guard`], so that no panic
//! crosses into C. User code runs on callback threads or on the caller's own thread, never on the runtime's.

#![allow(non_camel_case_types, reason = "types have the names that C sees")]
#![allow(clippy::missing_safety_doc, reason = "the contract is stated once, in the preamble of the header")]

#[cfg(panic = "abort")]
compile_error!("the C ABI turns panics into SWARM_ERR_PANIC, which needs panic = \"unwind\"");

// In the order in which a reader of the header meets them.
pub mod error;
pub mod status;
pub mod version;

pub mod bytes;
pub mod callback;
pub mod options;

pub mod master;

pub mod add;
pub mod job_options;

pub mod outcome;

pub mod group;

pub mod deletion;

pub mod inspect;
pub mod queues;

pub mod choice;

pub mod worker;

pub mod tasks;

pub mod result;

pub mod job;

pub mod finish;

pub mod messages;

pub mod health;
pub mod log;

#[cfg(unix)]
pub mod supervisor;

mod asking;
mod dispatch;
mod fd;
pub mod flag;
mod guard;
mod job_events;
mod jobs;
mod member;
mod operation;
mod process;
pub mod runtime;
mod sized;
