//! Code that the job queue (`libswarm`) and the process supervisor (`libswarm-supervisor`) share. Programs use it through these two crates: what
//! they re-export is public, the rest may change at any time.

pub mod backoff;
pub mod error;
pub mod event_queue;
pub mod id;
pub mod language;
pub mod lock;
pub mod panic;
pub mod value;
