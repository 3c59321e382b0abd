//! Spans of adds and attempts, with the feature `opentelemetry`; without it, calls that do nothing.

#[cfg(not(feature = "opentelemetry"))]
mod none;
#[cfg(feature = "opentelemetry")]
mod opentelemetry;

#[cfg(not(feature = "opentelemetry"))]
pub(super) use none::{Attempt, Trace, adding};
#[cfg(feature = "opentelemetry")]
pub use opentelemetry::Trace;
#[cfg(feature = "opentelemetry")]
pub(super) use opentelemetry::{Attempt, adding};
