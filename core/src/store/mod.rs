//! All that knows Redis.
pub(crate) mod record;
