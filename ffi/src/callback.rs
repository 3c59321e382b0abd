//! Functions of the program, with the data they are called with.

use std::ffi::c_void;
use std::sync::Arc;

use libswarm_host::lock::Mutex;

/// Ends the life of a `user_data`. It runs exactly once, after the last callback with that data, and also if the call that the
/// data was passed to fails. May be NULL.
pub type swarm_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The program's data; `destroy` runs when this is dropped.
pub(crate) struct UserData {
    data: *mut c_void,
    destroy: swarm_destroy_fn,
}

// SAFETY: the header says that callbacks, and so their data, are used on other threads, one at a time for each object.
unsafe impl Send for UserData {}
// SAFETY: only the pointer itself is read through a shared reference.
unsafe impl Sync for UserData {}

impl UserData {
    /// Takes ownership; made first thing in a call, so that `destroy` runs whatever fails after it.
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
            // SAFETY: `destroy` was given for this data and runs once, here.
            unsafe { destroy(self.data) }
        }
    }
}

/// The callbacks of an object as they are now; a batch of events goes to those that were there when it began.
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
