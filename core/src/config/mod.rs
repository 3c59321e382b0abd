//! Options of members, and addresses of Redis.

pub(crate) mod address;
pub(crate) mod codec_keys;
pub(crate) mod credentials;
pub(crate) mod options;
mod url;
