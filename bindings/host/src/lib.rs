//! Shared code of the language bindings of libswarm. Code for one language only is in its binding.

pub mod exit;
pub mod fork;
pub mod log;
pub mod runtime;
pub mod signals;
pub mod subscriptions;
pub mod wake;

pub use libswarm_common::lock;
