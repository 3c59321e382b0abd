//! Runs callbacks: on a thread of the library, or on a thread of the program if it has requested the descriptor.
//!
//! Each object has its own. It is signalled once per batch of events or ended operations.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Instant;

use libswarm::{Error, ErrorKind, Result};
use libswarm_host::lock::{Condvar, Mutex, MutexGuard};
use slab::Slab;

use crate::guard::invalid;
use libswarm_host::wake::WakeFd;

/// The limit of ended operations in one round, so that the event loop of the program is not blocked for long.
const ROUND: usize = 256;

/// An object with a callback to run.
pub(crate) trait Deliver: Send + Sync {
    /// Runs its next callback. If the operation has not ended by then, it never will: its object is being freed.
    fn deliver(&self);
}

/// The source of an object's events.
pub(crate) trait Source: Send + Sync + 'static {
    /// Runs the callbacks of one batch of events. Returns whether more may wait.
    fn run_batch(&self) -> bool;
}

/// The callbacks of one object: those that are ready, and those of open operations.
#[derive(Default)]
pub(crate) struct Dispatch {
    state: Mutex<State>,
    changed: Condvar,
    /// Locked while callbacks run: those of one object never run at the same time.
    turn: Mutex<()>,
    fd: OnceLock<WakeFd>,
    /// Whether the thread of the library, or the program with the descriptor, runs the callbacks.
    served: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    signalled: bool,
    running: bool,
    stopping: bool,
    closed: bool,
    /// Threads in `changed.wait`; if there are none, the system call to notify them is saved.
    waiting: usize,
    thread: Option<JoinHandle<()>>,
    pending: Slab<Arc<dyn Deliver>>,
    /// Callbacks to run, in order.
    ended: VecDeque<Arc<dyn Deliver>>,
}

thread_local! {
    /// The objects whose callbacks are running on this thread, innermost last.
    static CURRENT: RefCell<Vec<*const Dispatch>> = const { RefCell::new(Vec::new()) };
}

impl Dispatch {
    /// Whether the calling thread is inside a callback of this object.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.with_borrow(|current| current.contains(&std::ptr::from_ref(self)))
    }

    /// Refuses a call that would wait for the callback in which it is made.
    pub(crate) fn check_outside(&self, doing: &str) -> Result<()> {
        if self.is_current() {
            let message = format!(
                "{doing} inside a callback of the same object would wait for itself; wait outside, or have it call back with swarm_call_on_done"
            );
            return Err(Error::new(ErrorKind::InCallback, message));
        }
        Ok(())
    }

    /// Selects a thread of the program; the descriptor is readable while callbacks wait.
    pub(crate) fn fd(&self) -> Result<c_int> {
        let state = self.lock();
        if let Some(fd) = self.fd.get() {
            return Ok(fd.number());
        }
        if state.thread.is_some() {
            return Err(invalid(
                "request the descriptor before callbacks run on the library's thread: before start, or on_* or first swarm_call_on_done of a master",
            ));
        }
        let fd = WakeFd::new()
            .map_err(|cause| Error::new(ErrorKind::Internal, format!("making a descriptor for dispatch: {cause}")))?;
        if state.signalled || !state.ended.is_empty() {
            fd.raise();
        }
        let number = fd.number();
        self.served.store(true, Ordering::Relaxed);
        // The lock is held, so no other thread can have set it.
        let _ = self.fd.set(fd);
        Ok(number)
    }

    /// Starts the callback thread, unless it runs or the program has requested the descriptor.
    pub(crate) fn start(self: &Arc<Self>, name: &str, source: Arc<dyn Source>) -> Result<()> {
        if self.served.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut state = self.lock();
        if state.thread.is_some() || state.stopping || self.fd.get().is_some() {
            return Ok(());
        }
        let dispatch = self.clone();
        let spawned = std::thread::Builder::new().name(name.into()).spawn(move || dispatch.run_until_stopped(&*source));
        state.thread = Some(spawned.map_err(|e| Error::new(ErrorKind::Internal, format!("starting the callback thread: {e}")))?);
        self.served.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Signals that events wait. Can be called from any thread and is quick.
    pub(crate) fn signal(&self) {
        self.signal_locked(&mut self.lock());
    }

    /// Runs waiting callbacks, at most one round, on the calling thread.
    pub(crate) fn dispatch(&self, source: &dyn Source) {
        let _turn = self.turn.lock();
        let mut round = Round::begin(self);
        let mut state = self.lock();
        state.signalled = false;
        if let Some(fd) = self.fd.get() {
            fd.clear();
        }
        let count = state.ended.len().min(ROUND);
        let ended: Vec<_> = state.ended.drain(..count).collect();
        round.more = !state.ended.is_empty();
        drop(state);
        // Events first: events that came before an operation ended are delivered before it.
        round.more |= source.run_batch();
        for operation in ended {
            operation.deliver();
        }
    }

    /// Waits until `finished` is true and all callbacks that were ready by then have run; false if the deadline passes first. If
    /// the program runs the callbacks on its own thread, this function runs them.
    pub(crate) fn wait(&self, source: &dyn Source, deadline: Option<Instant>, finished: impl Fn() -> bool) -> bool {
        self.wait_state(source, deadline, |_| finished())
    }

    fn wait_state(&self, source: &dyn Source, deadline: Option<Instant>, finished: impl Fn(&State) -> bool) -> bool {
        let own_thread = self.fd.get().is_some();
        let mut state = self.lock();
        loop {
            if own_thread && state.signalled && !state.running {
                drop(state);
                self.dispatch(source);
                state = self.lock();
                continue;
            }
            if finished(&state) && (state.closed || (!state.signalled && !state.running)) {
                return true;
            }
            let now = Instant::now();
            match deadline {
                Some(deadline) if deadline <= now => return false,
                Some(deadline) => state = self.wait_changed(state, Some(deadline - now)),
                None => state = self.wait_changed(state, None),
            }
        }
    }

    /// Waits until no operation is open, at most until the deadline.
    pub(crate) fn wait_settled(&self, source: &dyn Source, deadline: Instant) {
        self.wait_state(source, Some(deadline), |state| state.pending.is_empty());
    }

    /// Wakes threads in `wait` to check their condition again.
    pub(crate) fn nudge(&self) {
        self.notify(&self.lock());
    }

    /// Registers an open operation.
    pub(crate) fn register(&self, operation: Arc<dyn Deliver>) -> Result<usize> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        Ok(state.pending.insert(operation))
    }

    /// A registered operation has a callback to run before it ends.
    pub(crate) fn push(&self, operation: Arc<dyn Deliver>) {
        let mut state = self.lock();
        if !state.closed {
            state.ended.push_back(operation);
            self.signal_locked(&mut state);
        }
    }

    /// The operation registered under `key` has ended.
    pub(crate) fn end(&self, key: usize) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if let Some(operation) = state.pending.try_remove(key) {
            state.ended.push_back(operation);
            self.signal_locked(&mut state);
        }
    }

    /// Ends the callback thread and fails every open operation with CLOSED. No callback runs after it.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        self.notify(&state);
        let thread = state.thread.take();
        drop(state);
        if let Some(thread) = thread {
            // The thread catches its panics.
            let _ = thread.join();
        }
        let _turn = self.turn.lock();
        let _inside = Inside::enter(self);
        let mut state = self.lock();
        state.closed = true;
        let rest: Vec<_> = std::mem::take(&mut state.ended).into_iter().chain(state.pending.drain()).collect();
        drop(state);
        for operation in rest {
            operation.deliver();
        }
    }

    fn run_until_stopped(&self, source: &dyn Source) {
        loop {
            let mut state = self.lock();
            while !state.signalled && !state.stopping {
                state = self.wait_changed(state, None);
            }
            if state.stopping {
                return;
            }
            drop(state);
            // A panic in here is a bug; later callbacks still run.
            let _ = catch_unwind(AssertUnwindSafe(|| self.dispatch(source)));
        }
    }

    fn signal_locked(&self, state: &mut State) {
        if !state.signalled {
            state.signalled = true;
            if let Some(fd) = self.fd.get() {
                fd.raise();
            }
            self.notify(state);
        }
    }

    fn notify(&self, state: &State) {
        if state.waiting > 0 {
            self.changed.notify_all();
        }
    }

    fn wait_changed<'a>(&self, mut state: MutexGuard<'a, State>, limit: Option<std::time::Duration>) -> MutexGuard<'a, State> {
        state.waiting += 1;
        let mut state = self.changed.wait(state, limit);
        state.waiting -= 1;
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

/// While it exists, the calling thread counts as inside a callback.
struct Inside;

impl Inside {
    fn enter(dispatch: &Dispatch) -> Inside {
        CURRENT.with_borrow_mut(|current| current.push(dispatch));
        Inside
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        CURRENT.with_borrow_mut(|current| current.pop());
    }
}

/// A round of callbacks. Its end is recorded even if it panics.
struct Round<'a> {
    dispatch: &'a Dispatch,
    /// More callbacks wait than this round runs.
    more: bool,
    _inside: Inside,
}

impl<'a> Round<'a> {
    fn begin(dispatch: &'a Dispatch) -> Round<'a> {
        let _inside = Inside::enter(dispatch);
        dispatch.lock().running = true;
        Round { dispatch, more: false, _inside }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        let mut state = self.dispatch.lock();
        state.running = false;
        if self.more {
            self.dispatch.signal_locked(&mut state);
        }
        self.dispatch.notify(&state);
    }
}

pub(crate) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "closed before the operation ended; the operation may still take effect")
}
