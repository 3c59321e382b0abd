//! Open followers of the transitions of jobs.

use std::collections::HashMap;
use std::sync::Arc;

use libswarm::JobEvents;
use libswarm_host::lock::Mutex;

/// Of one master, by the token of the call that opened each.
#[derive(Clone, Default)]
pub(crate) struct Followers(pub(crate) Arc<Mutex<HashMap<u32, Arc<tokio::sync::Mutex<JobEvents>>>>>);
