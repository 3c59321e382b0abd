//! The packed record of a job.
/// What a job's record says about its result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResultWanted { pub(crate) ttl_secs: u32, pub(crate) requester: String }
