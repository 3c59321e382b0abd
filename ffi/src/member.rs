//! What masters and workers share: who listens to them, and the events that both have.

use std::collections::BTreeMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use libswarm::{Error, Event, Messages, Result};

use crate::asking::Asking;
use crate::callback::{
    UserData, swarm_add_fn, swarm_close_fn, swarm_completed_fn, swarm_delete_fn, swarm_destroy_fn, swarm_error_fn,
    swarm_failed_fn, swarm_kill_fn, swarm_member_fn, swarm_message_fn, swarm_process_fn, swarm_ready_fn, swarm_retrying_fn,
};
use crate::dispatch::Dispatch;
use crate::error::{swarm_error, text};
use crate::messages::exit::Told;
use crate::messages::hearing::Hearing;
use crate::messages::{kill, message, presence};

/// What the calls of masters and workers need of either, besides what all that asks the core needs.
pub(crate) trait Member: Asking {
    fn dispatch(&self) -> &Arc<Dispatch>;

    fn listeners(&self) -> &Registry;

    fn messages(&self) -> Result<Messages>;

    fn hearing(&self) -> &Hearing;

    fn is_registered(&self) -> bool;

    /// Waits until the core is ready, at most `timeout_ms`, and hears what it is to hear.
    fn await_ready<F>(&self, timeout_ms: u64, doing: &str, ready: impl FnOnce(Self::Core) -> F) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let hearing = self.hearing().clone();
        self.ask(timeout_ms, doing, |core| {
            let ready = ready(core);
            async move {
                ready.await?;
                hearing.settled().await;
                Ok(())
            }
        })
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
    pub(crate) completed: Option<Arc<Listener<swarm_completed_fn>>>,
    pub(crate) failed: Option<Arc<Listener<swarm_failed_fn>>>,
    pub(crate) retrying: Option<Arc<Listener<swarm_retrying_fn>>>,
    pub(crate) ready: Option<Arc<Listener<swarm_ready_fn>>>,
    pub(crate) close: Option<Arc<Listener<swarm_close_fn>>>,
    pub(crate) error: Option<Arc<Listener<swarm_error_fn>>>,
    pub(crate) message: Option<Arc<Listener<swarm_message_fn>>>,
    pub(crate) kill: Option<Arc<Listener<swarm_kill_fn>>>,
    /// Hears that the callback for that has returned.
    pub(crate) told_to_end: Option<Arc<Told>>,
    pub(crate) member: Option<Arc<Listener<swarm_member_fn>>>,
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

    /// Whether every job is run to its end by its callback.
    pub(crate) fn only_process(&self) -> bool {
        self.plain.iter().chain(self.tasks.values()).all(|handler| matches!(handler, Handler::Process(_)))
    }

    /// Whether outcomes of jobs are to be told.
    pub(crate) fn want_outcomes(&self) -> bool {
        fn calls<F>(listener: &Option<Arc<Listener<Option<F>>>>) -> bool {
            listener.as_ref().is_some_and(|listener| listener.0.is_some())
        }
        calls(&self.completed) || calls(&self.failed) || calls(&self.retrying)
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
            Event::Message(message) => message::tell(self.message.as_deref(), message),
            Event::Kill { code, from } => {
                kill::tell(self.kill.as_deref(), code, &from);
                self.told_to_end.iter().for_each(|told| told.set());
            }
            Event::Member { change, role, member } => presence::tell(self.member.as_deref(), change, role.name(), &member),
            Event::Add(_) | Event::Delete { .. } | Event::Completed { .. } | Event::Failed { .. } | Event::Retrying { .. } => {}
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
