//! What masters and workers share: who listens to them, and the events that both have.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use libswarm::{Error, Event, Result};
use tokio::runtime::Handle;

use crate::callback::{
    Reply, UserData, swarm_add_fn, swarm_close_fn, swarm_delete_fn, swarm_destroy_fn, swarm_error_fn, swarm_process_fn,
    swarm_ready_fn,
};
use crate::error::{swarm_error, text};
use crate::operation::Pending;
use crate::runtime::wait;

/// What the calls of masters and workers need of either.
pub(crate) trait Member: Send + Sync + 'static {
    type Core: Clone;

    /// The member of the core, once it is started.
    fn core(&self) -> Result<&Self::Core>;

    fn handle(&self) -> &Handle;

    /// Registers an operation whose callback is to be called once.
    fn begin<T: Reply>(self: &Arc<Self>, function: T::Function, user_data: UserData) -> Result<Pending<T>>;

    /// Asks the core and waits for its answer, at most `timeout_ms`.
    fn ask<T, F>(&self, timeout_ms: u64, doing: &str, call: impl FnOnce(Self::Core) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        wait(self.handle(), timeout_ms, doing, call(self.core()?.clone()))
    }

    /// Asks the core; `done` is told its answer.
    fn ask_async<T, F>(self: &Arc<Self>, done: T::Function, user_data: UserData, call: impl FnOnce(Self::Core) -> F) -> Result<()>
    where
        T: Reply,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let core = self.core()?.clone();
        let pending = self.begin::<T>(done, user_data)?;
        let answer = call(core);
        self.handle().spawn(async move { pending.end(answer.await) });
        Ok(())
    }
}

/// A callback for events, replaced as a whole.
pub(crate) struct Listener<F>(pub(crate) F, pub(crate) UserData);

impl<F> Listener<F> {
    /// Takes over the data; made first thing in a call.
    pub(crate) fn new(callback: F, user_data: *mut c_void, destroy: swarm_destroy_fn) -> Arc<Listener<F>> {
        Arc::new(Listener(callback, UserData::new(user_data, destroy)))
    }
}

/// What is done with a job that is given.
#[derive(Clone)]
pub(crate) enum Handler {
    /// It becomes the program's.
    Add(Arc<Listener<swarm_add_fn>>),
    /// The program runs it to its end.
    Process(Arc<Listener<swarm_process_fn>>),
}

/// The callbacks of a member.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    /// For jobs whose task has no handler of its own.
    pub(crate) plain: Option<Handler>,
    /// For the jobs of a task, "" being those without one.
    pub(crate) tasks: BTreeMap<String, Handler>,
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
    /// The handler for jobs of a task.
    pub(crate) fn handler(&self, task: &str) -> Option<&Handler> {
        self.tasks.get(task).or(self.plain.as_ref())
    }

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
            // Messages have no callback here yet, so no member listens.
            Event::Add(_) | Event::Delete { .. } | Event::Message(_) | Event::Kill { .. } | Event::Member { .. } => {}
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
