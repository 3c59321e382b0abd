//! Operations whose callbacks are still to come: those that are told once, and those that are told part by part.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libswarm::{Done, Error, ErrorKind, Result};

use crate::callback::{Reply, UserData, swarm_done_fn, swarm_each_fn};
use crate::dispatch::Dispatch;
use crate::group::tell_part;
use crate::outcome::Ran;

/// An operation that can be told.
pub(crate) trait Deliver: Send + Sync {
    /// Calls a callback with what is next. Where nothing more came the operation is over: with its result, or as `Closed` if it
    /// has none.
    fn deliver(&self);
}

/// The side of an operation that ends it. Dropped without a result, it ends as closed.
pub(crate) struct Pending<T: Reply> {
    registered: Registered,
    operation: Arc<Once<T>>,
}

impl<T: Reply> Pending<T> {
    /// Registers an operation whose callback is to be called once.
    pub(crate) fn begin(dispatch: &Arc<Dispatch>, function: T::Function, user_data: UserData) -> Result<Pending<T>> {
        let operation = Arc::new(Once(Mutex::new(OnceState { callback: Some((function, user_data)), result: None })));
        Ok(Pending { registered: Registered::new(dispatch, operation.clone())?, operation })
    }

    /// Hands the result over; any thread, quick.
    pub(crate) fn end(self, result: Result<T>) {
        lock(&self.operation.0).result = Some(result);
        drop(self.registered);
    }

    pub(crate) fn into_done(self) -> Done<T> {
        Box::new(move |result| self.end(result))
    }
}

struct Once<T: Reply>(Mutex<OnceState<T>>);

struct OnceState<T: Reply> {
    callback: Option<(T::Function, UserData)>,
    result: Option<Result<T>>,
}

impl<T: Reply> Deliver for Once<T> {
    fn deliver(&self) {
        let mut state = lock(&self.0);
        let (callback, result) = (state.callback.take(), state.result.take());
        drop(state);
        if let Some((function, user_data)) = callback {
            // SAFETY: they were given together.
            unsafe { T::tell(function, user_data.pointer(), result.unwrap_or_else(|| Err(closed()))) }
        }
    }
}

/// The side of an operation that is told each outcome of a group, then its end. Dropped without a result, it ends as closed.
pub(crate) struct PendingEach {
    registered: Registered,
    operation: Arc<Each>,
}

impl PendingEach {
    pub(crate) fn begin(
        dispatch: &Arc<Dispatch>,
        each: swarm_each_fn,
        done: swarm_done_fn,
        user_data: UserData,
    ) -> Result<PendingEach> {
        let state = EachState { callbacks: Some((each, done, user_data)), parts: VecDeque::new(), result: None };
        let operation = Arc::new(Each(Mutex::new(state)));
        Ok(PendingEach { registered: Registered::new(dispatch, operation.clone())?, operation })
    }

    /// Hands one outcome over; any thread, quick.
    pub(crate) fn part(&self, index: usize, outcome: Result<Ran>) {
        lock(&self.operation.0).parts.push_back((index, outcome));
        self.registered.dispatch.tell(self.operation.clone());
    }

    /// Hands the result over, after all parts.
    pub(crate) fn end(self, result: Result<()>) {
        lock(&self.operation.0).result = Some(result);
        drop(self.registered);
    }
}

struct Each(Mutex<EachState>);

struct EachState {
    callbacks: Option<(swarm_each_fn, swarm_done_fn, UserData)>,
    /// The operation waits once for each of them, and once for its end.
    parts: VecDeque<(usize, Result<Ran>)>,
    result: Option<Result<()>>,
}

impl Deliver for Each {
    fn deliver(&self) {
        let mut state = lock(&self.0);
        // Out of the state for the call, in which the lock must not be active. Callbacks of one member never overlap.
        let Some(callbacks) = state.callbacks.take() else { return };
        let part = state.parts.pop_front();
        let result = if part.is_none() { state.result.take() } else { None };
        drop(state);
        let (each, done, user_data) = &callbacks;
        match part {
            Some((index, outcome)) => {
                // SAFETY: they were given together.
                unsafe { tell_part(*each, user_data.pointer(), index, outcome) };
                lock(&self.0).callbacks = Some(callbacks);
            }
            // SAFETY: they were given together.
            None => unsafe { Reply::tell(*done, user_data.pointer(), result.unwrap_or_else(|| Err(closed()))) },
        }
    }
}

/// An operation's place among those that are still to be told; dropping it hands the operation over as ended.
struct Registered {
    dispatch: Arc<Dispatch>,
    key: usize,
}

impl Registered {
    fn new(dispatch: &Arc<Dispatch>, operation: Arc<dyn Deliver>) -> Result<Registered> {
        Ok(Registered { key: dispatch.register(operation)?, dispatch: dispatch.clone() })
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.dispatch.end(self.key);
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "closed before the operation ended; what was asked for may still happen")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
