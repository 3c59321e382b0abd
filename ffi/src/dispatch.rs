//! Runs callbacks: on a thread of the library's, or on the caller's own thread when it asked for the descriptor.
//!
//! Each handle has one. It is signalled once per batch, whether the batch is of events or of ended operations.

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

/// Ended operations delivered in one round, so that a caller's event loop gets its turn.
const ROUND: usize = 256;

/// Something that has a callback to run.
pub(crate) trait Deliver: Send + Sync {
    /// Runs the callback that is next. An operation that has not ended by then never will: its object is freed.
    fn deliver(&self);
}

/// Where a handle's events come from.
pub(crate) trait Source: Send + Sync + 'static {
    /// Runs the callbacks of one batch of events; whether more may wait.
    fn run_batch(&self) -> bool;
}

/// The callbacks of one handle: those that can be run, and the operations whose callbacks are still to come.
#[derive(Default)]
pub(crate) struct Dispatch {
    state: Mutex<State>,
    changed: Condvar,
    /// Active while callbacks run: those of one handle never run at the same time.
    turn: Mutex<()>,
    fd: OnceLock<WakeFd>,
    /// Somebody runs the callbacks: the thread, or the caller with the descriptor.
    served: AtomicBool,
}

#[derive(Default)]
pub(crate) struct State {
    signalled: bool,
    running: bool,
    stopping: bool,
    closed: bool,
    /// Threads in `changed.wait`; without any, telling them costs a system call for nothing.
    waiting: usize,
    thread: Option<JoinHandle<()>>,
    pending: Slab<Arc<dyn Deliver>>,
    /// What waits to be delivered, in order.
    ended: VecDeque<Arc<dyn Deliver>>,
}

thread_local! {
    /// The handles whose callbacks are running on this thread, innermost last.
    static CURRENT: RefCell<Vec<*const Dispatch>> = const { RefCell::new(Vec::new()) };
}

impl Dispatch {
    /// Whether the calling thread is inside a callback of this handle.
    pub(crate) fn is_current(&self) -> bool {
        CURRENT.with_borrow(|current| current.contains(&std::ptr::from_ref(self)))
    }

    /// Refuses a call that would wait for the callback that it is made in.
    pub(crate) fn check_outside(&self, doing: &str) -> Result<()> {
        if self.is_current() {
            let message = format!(
                "{doing} inside a callback of the same object would wait for itself; wait outside, or have it call back with swarm_call_on_done"
            );
            return Err(Error::new(ErrorKind::InCallback, message));
        }
        Ok(())
    }

    /// Chooses the caller's own thread; the descriptor is readable while callbacks wait.
    pub(crate) fn fd(&self) -> Result<c_int> {
        let state = self.lock();
        if let Some(fd) = self.fd.get() {
            return Ok(fd.number());
        }
        if state.thread.is_some() {
            return Err(invalid(
                "the descriptor must be asked for before callbacks are set up on the library's thread: before start, on_* of a master, or its first swarm_call_on_done",
            ));
        }
        let fd = WakeFd::new()
            .map_err(|cause| Error::new(ErrorKind::Internal, format!("making a descriptor for dispatch: {cause}")))?;
        if state.signalled || !state.ended.is_empty() {
            fd.raise();
        }
        let number = fd.number();
        self.served.store(true, Ordering::Relaxed);
        // The lock is held, so nobody else can have set it.
        let _ = self.fd.set(fd);
        Ok(number)
    }

    /// Starts the callback thread, unless it runs or the caller asked for the descriptor.
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

    /// Events wait. Any thread, quick.
    pub(crate) fn signal(&self) {
        self.signal_locked(&mut self.lock());
    }

    /// Runs callbacks that wait, at most one round of them, on the calling thread.
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
        // Events first: what was pushed before an operation ended is delivered before it.
        round.more |= source.run_batch();
        for operation in ended {
            operation.deliver();
        }
    }

    /// Waits until `finished` and all that was due by then has been delivered; false if the deadline came first.
    /// Where the callbacks run on the caller's own thread, this runs them.
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

    /// Waits until no operation is open any more, at most until the deadline.
    pub(crate) fn wait_settled(&self, source: &dyn Source, deadline: Instant) {
        self.wait_state(source, Some(deadline), |state| state.pending.is_empty());
    }

    /// Tells those in `wait` that what they wait for may have come.
    pub(crate) fn nudge(&self) {
        self.notify(&self.lock());
    }

    /// Registers an operation that is still to be delivered.
    pub(crate) fn register(&self, operation: Arc<dyn Deliver>) -> Result<usize> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        Ok(state.pending.insert(operation))
    }

    /// A registered operation has something to deliver before it ends.
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

    /// Ends the callback thread and fails every operation still open with CLOSED. No callback comes after it.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        state.stopping = true;
        self.notify(&state);
        let thread = state.thread.take();
        drop(state);
        if let Some(thread) = thread {
            // It catches its panics.
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
            // A panic in here is a bug, but no reason to deliver nothing more to the program.
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

/// Marks the calling thread as inside a callback while it lives.
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

/// A round of callbacks; its end is marked also if it panics.
struct Round<'a> {
    dispatch: &'a Dispatch,
    /// More waits than this round runs.
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
    Error::new(ErrorKind::Closed, "closed before the operation ended; what was asked for may still happen")
}
