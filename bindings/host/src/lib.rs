//! What every language binding of libswarm needs. The bindings keep what is particular to their language.

pub mod exit;
pub mod fork;
pub mod log;
pub mod runtime;
pub mod signals;
pub mod subscriptions;
pub mod wake;

pub use libswarm_common::lock;
