//! Functions of the program, with their data.

use std::ffi::c_void;
use std::sync::Arc;

use libswarm_host::lock::Mutex;

/// Frees a `user_data`. It runs exactly once, after the last callback with that data, even if the call to which the data was
/// passed fails. May be NULL.
pub type swarm_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The program's data; `destroy` runs when this is dropped.
pub(crate) struct UserData {
    data: *mut c_void,
    destroy: swarm_destroy_fn,
}

// SAFETY: the header documents that callbacks, and so their data, are used on other threads, one at a time for each object.
unsafe impl Send for UserData {}
// SAFETY: only the pointer itself is read through a shared reference.
unsafe impl Sync for UserData {}

impl UserData {
    /// Takes ownership. Called first in a function, so that `destroy` runs whatever fails later.
    pub(crate) fn new(data: *mut c_void, destroy: swarm_destroy_fn) -> UserData {
        UserData { data, destroy }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: `destroy` belongs to this data and runs once, here.
            unsafe { destroy(self.data) }
        }
    }
}

/// The current callbacks of an object. A batch of events uses the callbacks that were set when it began.
#[derive(Default)]
pub(crate) struct Registry<L>(Mutex<Arc<L>>);

impl<L: Clone + Default> Registry<L> {
    pub(crate) fn now(&self) -> Arc<L> {
        self.0.lock().clone()
    }

    /// Changes the callbacks. The replaced ones are dropped, and their data destroyed, without the lock.
    pub(crate) fn change(&self, change: impl FnOnce(&mut L)) {
        let mut current = self.0.lock();
        let before = current.clone();
        let mut changed = L::clone(&before);
        change(&mut changed);
        *current = Arc::new(changed);
        drop(current);
        drop(before);
    }

    /// Removes all callbacks.
    pub(crate) fn clear(&self) {
        self.change(|listeners| *listeners = L::default());
    }
}
