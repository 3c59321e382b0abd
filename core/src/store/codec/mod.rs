//! Conversion between bytes in Redis and plain data.

pub(crate) mod choices;
pub(crate) mod events;
pub(crate) mod flow;
pub(crate) mod inspect;
pub(crate) mod limit;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod msgpack;
pub(crate) mod record;
pub(crate) mod reply;
pub(crate) mod schedule;
pub(crate) mod slots;
