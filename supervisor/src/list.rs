//! The list of processes.

use libswarm_common::lock::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::event::{ProcessInfo, ProcessState};

/// The result of [`Supervisor::list`](super::Supervisor::list).
#[derive(Default)]
pub(super) struct List(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// By id, and then in the order in which they were added.
    rows: BTreeMap<(u64, u64), ProcessInfo>,
    next: u64,
}

impl List {
    pub(super) fn all(&self) -> Vec<ProcessInfo> {
        self.0.lock().rows.values().cloned().collect()
    }

    /// Adds a process, or an id without a process.
    pub(super) fn add(self: &Arc<Self>, id: u64, name: &Arc<str>, pid: Option<u32>, state: ProcessState, restarts: u64) -> Entry {
        let info = ProcessInfo { id, name: name.clone(), pid, state, started_at: SystemTime::now(), restarts };
        let mut entries = self.0.lock();
        entries.next += 1;
        let key = (id, entries.next);
        entries.rows.insert(key, info);
        Entry { list: self.clone(), key }
    }
}

/// A row of the list; removed when dropped.
pub(super) struct Entry {
    list: Arc<List>,
    key: (u64, u64),
}

impl Entry {
    pub(super) fn set(&self, state: ProcessState) {
        if let Some(row) = self.list.0.lock().rows.get_mut(&self.key) {
            row.state = state;
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.list.0.lock().rows.remove(&self.key);
    }
}
