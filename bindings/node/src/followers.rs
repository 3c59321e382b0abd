//! Open followers of events.

use std::collections::HashMap;
use std::sync::Arc;

use libswarm::JobEvents;
use libswarm_host::lock::{Mutex, MutexGuard};

type ByToken = HashMap<u32, Arc<tokio::sync::Mutex<JobEvents>>>;

/// Those of a master, by the token of the call that opened each.
#[derive(Clone, Default)]
pub(crate) struct Followers(Arc<Mutex<ByToken>>);

impl Followers {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ByToken> {
        self.0.lock()
    }
}
