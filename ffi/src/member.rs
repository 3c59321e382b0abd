//! What masters and workers share: who listens to them, and the events that both have.

use std::sync::{Arc, Mutex, PoisonError};

use libswarm::{Error, Event};

use crate::callback::{UserData, swarm_add_fn, swarm_close_fn, swarm_delete_fn, swarm_error_fn, swarm_ready_fn};
use crate::error::{swarm_error, text};

/// A callback for events, replaced as a whole.
pub(crate) struct Listener<F>(pub(crate) F, pub(crate) UserData);

/// The callbacks of a member.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    pub(crate) add: Option<Arc<Listener<swarm_add_fn>>>,
    pub(crate) delete: Option<Arc<Listener<swarm_delete_fn>>>,
    pub(crate) ready: Option<Arc<Listener<swarm_ready_fn>>>,
    pub(crate) close: Option<Arc<Listener<swarm_close_fn>>>,
    pub(crate) error: Option<Arc<Listener<swarm_error_fn>>>,
}

/// The callbacks as they are now; a batch of events is told to those that were there when it began.
#[derive(Default)]
pub(crate) struct Registry(Mutex<Arc<Listeners>>);

impl Registry {
    pub(crate) fn now(&self) -> Arc<Listeners> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the callbacks. The replaced ones are dropped, and their data destroyed, without the lock.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Listeners)) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = current.clone();
        let mut changed = Listeners::clone(&before);
        change(&mut changed);
        *current = Arc::new(changed);
        drop(current);
        drop(before);
    }

    /// Removes all callbacks.
    pub(crate) fn clear(&self) {
        self.change(|listeners| *listeners = Listeners::default());
    }
}

impl Listeners {
    /// Tells an event that is not of a job.
    pub(crate) fn tell(&self, event: Event) {
        match event {
            Event::Ready { incarnation } => {
                if let Some(listener) = &self.ready
                    && let Some(function) = listener.0
                {
                    let incarnation = text(&incarnation);
                    // SAFETY: the callback and its data belong together; the text lives until it returns.
                    unsafe { function(listener.1.pointer(), incarnation.as_ptr()) }
                }
            }
            Event::Close(reason) => call_with_error(self.close.as_deref(), reason),
            Event::Error(error) => call_with_error(self.error.as_deref(), Some(error)),
            Event::Add(_) | Event::Delete { .. } => {}
        }
    }
}

fn call_with_error(listener: Option<&Listener<swarm_error_fn>>, error: Option<Error>) {
    if let Some(Listener(Some(function), user_data)) = listener {
        let error = error.map(swarm_error::from);
        // SAFETY: the callback and its data belong together; the error lives until it returns.
        unsafe { function(user_data.pointer(), error.as_ref().map_or(std::ptr::null(), |error| error)) }
    }
}
