//! Calls that take time: waiting for them, or a callback when they end.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use libswarm::{Done, Error, ErrorKind, Result};
use libswarm_host::lock::{Condvar, Mutex};
use tokio::task::AbortHandle;

use crate::callback::{UserData, swarm_destroy_fn};
use crate::context::Context;
use crate::dispatch::{Deliver, closed};
use crate::error::{shown, swarm_error};
use crate::guard::{given, guard, guard_value, panicked};
use crate::runtime::{SWARM_NO_TIMEOUT, deadline, timed_out};
use crate::status::swarm_status;

/// A call that takes time, with its answer once it has ended. The program frees it exactly once, by swarm_call_end,
/// swarm_call_on_done or swarm_call_free. Only one thread at a time may wait for it and read its answer.
pub struct swarm_call {
    /// None if the call was refused at its start.
    context: Option<Arc<Context>>,
    /// What the call does, for error messages.
    doing: &'static str,
    waits: Waits,
    result: OnceLock<Result<Box<dyn Answer>>>,
    state: Mutex<State>,
    ended: Condvar,
}

/// What a wait for a call includes, and therefore where it is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// The end of the call.
    End,
    /// The end of the call, which cannot happen inside a callback of the same object.
    Outside,
    /// The end of the call and of the callbacks that it causes.
    Callbacks,
}

#[derive(Default)]
struct State {
    callback: Option<(swarm_done_fn, UserData)>,
    /// The key of the registered callback.
    key: Option<usize>,
    /// The number of waiting threads; if there are none, the system call to notify them is saved.
    waiting: usize,
    /// The task of a call that only waits; aborted when the program does not wait for it any more.
    task: Option<AbortHandle>,
    timer: Option<AbortHandle>,
    ends: Option<Box<Ends>>,
    /// Starts the call. Set if the call was created inside a callback for which it waits: a wait in that callback is refused and
    /// changes nothing.
    deferred: Option<Box<dyn FnOnce() + Send>>,
}

/// Functions that run at the end of some calls.
pub(crate) struct Ends {
    /// Called if the program frees the call before its end.
    pub(crate) abandon: Option<Box<dyn FnOnce() + Send>>,
    /// Called after the end or when the program frees the call, on a thread of the program or of its callbacks.
    pub(crate) settle: Box<dyn Fn() + Send>,
}

/// Called once when a call has ended. `error` is NULL if it succeeded; `call` is for reading the answer. Both are borrowed.
pub type swarm_done_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, call: *const swarm_call)>;

/// Waits until the call has ended, at most `timeout_ms`, and returns its status. SWARM_ERR_TIMEOUT if it has not ended by then:
/// it continues, and can be waited for again. 0 does not wait.
///
/// Some calls wait for callbacks: swarm_master_close, swarm_worker_drain, swarm_worker_terminate, swarm_supervisor_stop, and
/// swarm_master_run_many with `each`. If the program has called swarm_<type>_fd of the object, waiting for such a call runs the
/// callbacks. Inside a callback of the same object the wait returns SWARM_ERR_IN_CALLBACK and changes nothing: a call that was
/// created there starts with swarm_call_on_done or swarm_call_free, and never with swarm_call_end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_call_wait(
    call: Option<&swarm_call>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || given(call, "call")?.wait(timeout_ms))
}

/// Waits as swarm_call_wait does, then frees the call, whatever the status; for calls whose answer is not needed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_call_end(call: *mut swarm_call, timeout_ms: u64, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        // SAFETY: the caller owns the call and passes its ownership.
        let call = given(unsafe { swarm_call::take(call) }, "call")?;
        let result = call.wait(timeout_ms);
        if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InCallback) {
            let never_begun = call.state.lock().deferred.take();
            drop(never_begun);
        }
        call.give_up();
        result
    })
}

/// Calls `done` when the call has ended, or with SWARM_ERR_TIMEOUT after `timeout_ms`. It runs with the other callbacks of the
/// object of the call. The library takes ownership of the call, even if this function fails. `done` may be NULL: the call then
/// continues to its end, when `destroy` runs.
///
/// If the call was refused at its start, such as for a wrong argument, this function returns its status, and `done` is not
/// called.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_call_on_done(
    call: *mut swarm_call,
    timeout_ms: u64,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        // SAFETY: the caller owns the call and passes its ownership.
        let call = given(unsafe { swarm_call::take(call) }, "call")?;
        call.call_back(timeout_ms, done, user_data)
    })
}

/// Frees the call with its answer. If it has not ended, it continues, except for calls that only wait (swarm_member_ready,
/// swarm_member_confirmations, swarm_master_result, and the wait of swarm_master_run and swarm_master_run_many), which end, and
/// swarm_master_choose, which is undone. Accepts NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_call_free(call: *mut swarm_call) {
    guard_value((), || {
        // SAFETY: the caller owns the call and passes its ownership.
        if let Some(call) = unsafe { swarm_call::take(call) } {
            call.give_up();
        }
    });
}

/// The number of entries of the answer: jobs added, outcomes, or ids deleted. For swarm_master_retry_failed,
/// swarm_master_delete_failed and swarm_master_delete_completed, the number of jobs that were changed. 0 before the call has ended,
/// and for all other answers.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_count(call: Option<&swarm_call>) -> usize {
    answer(call).map_or(0, |answer| answer.count())
}

/// The id of the added job at `index`, or of the job that has its unique key; NULL if there is none. Valid as long as the call.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_id(call: Option<&swarm_call>, index: usize) -> *const c_char {
    guard_value(std::ptr::null(), || answer(call).map_or(std::ptr::null(), |answer| answer.id(index)))
}

/// Whether the job with the id at `index` existed before: it was to be added or has the unique key of the one that was, or it was
/// to be deleted.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_existed(call: Option<&swarm_call>, index: usize) -> bool {
    answer(call).is_some_and(|answer| answer.existed(index))
}

/// Whether the existing job with the id at `index` got the payload and the options of the one that was to be added. If not, it was
/// left unchanged.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_replaced(call: Option<&swarm_call>, index: usize) -> bool {
    answer(call).is_some_and(|answer| answer.replaced(index))
}

/// The answer of a call. Parts that only one kind of call has are read from the type itself, see [`swarm_call::read`].
pub(crate) trait Answer: Any + Send + Sync {
    fn count(&self) -> usize {
        0
    }

    fn id(&self, _index: usize) -> *const c_char {
        std::ptr::null()
    }

    fn existed(&self, _index: usize) -> bool {
        false
    }

    fn replaced(&self, _index: usize) -> bool {
        false
    }
}

impl Answer for () {}

/// The number of changed entries.
pub(crate) struct Changed(pub(crate) u64);

impl Answer for Changed {
    fn count(&self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

fn answer(call: Option<&swarm_call>) -> Option<&dyn Answer> {
    call?.result.get()?.as_deref().ok()
}

/// Starts a call; a refused call has ended at once.
pub(crate) fn call(body: impl FnOnce() -> Result<Arc<swarm_call>>) -> *mut swarm_call {
    let begun = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(panicked(&*panic)));
    begun.unwrap_or_else(swarm_call::refused).into_raw()
}

impl swarm_call {
    fn new(context: Option<&Arc<Context>>, doing: &'static str, waits: Waits) -> Arc<swarm_call> {
        let (result, state, ended) = (OnceLock::new(), Mutex::default(), Condvar::new());
        Arc::new(swarm_call { context: context.cloned(), doing, waits, result, state, ended })
    }

    fn refused(error: Error) -> Arc<swarm_call> {
        let call = swarm_call::new(None, "", Waits::End);
        let _ = call.result.set(Err(error));
        call
    }

    /// A call whose answer `future` returns. It continues if the program does not wait for it any more.
    pub(crate) fn spawned<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        let call = swarm_call::new(Some(context), doing, Waits::End);
        call.spawn(context, future);
        call
    }

    /// A call that only waits: `future` is dropped if the program does not wait for it any more.
    pub(crate) fn awaited<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        let call = swarm_call::new(Some(context), doing, Waits::End);
        let task = call.spawn(context, future);
        call.state.lock().task = Some(task);
        call
    }

    /// As `spawned`; a wait also includes the callbacks that the call causes.
    pub(crate) fn joined<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        swarm_call::joining(context, doing, Waits::Callbacks, false, future)
    }

    /// As `spawned`; a wait is refused inside a callback of the same object.
    pub(crate) fn outside<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        swarm_call::joining(context, doing, Waits::Outside, false, future)
    }

    /// As `joined`; `future` is dropped if the program does not wait for it any more.
    pub(crate) fn joined_awaited<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        swarm_call::joining(context, doing, Waits::Callbacks, true, future)
    }

    fn joining<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        waits: Waits,
        only_waits: bool,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        let call = swarm_call::new(Some(context), doing, waits);
        let (begun, own) = (call.clone(), context.clone());
        let begin = move || {
            let task = begun.spawn(&own, future);
            if only_waits {
                begun.state.lock().task = Some(task);
            }
        };
        if context.dispatch.is_current() {
            call.state.lock().deferred = Some(Box::new(begin));
        } else {
            begin();
        }
        call
    }

    /// As `spawned`, with functions that run at its end.
    pub(crate) fn settled<A: Answer>(
        context: &Arc<Context>,
        doing: &'static str,
        ends: Ends,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> Arc<swarm_call> {
        let call = swarm_call::new(Some(context), doing, Waits::End);
        call.state.lock().ends = Some(Box::new(ends));
        call.spawn(context, future);
        call
    }

    /// A call that the core ends by a callback.
    pub(crate) fn submitted<T: 'static, A: Answer + From<T>>(
        context: &Arc<Context>,
        doing: &'static str,
        submit: impl FnOnce(Done<T>),
    ) -> Arc<swarm_call> {
        let call = swarm_call::new(Some(context), doing, Waits::End);
        let completion = Completion(Some(call.clone()));
        submit(Box::new(move |result: Result<T>| completion.end(result.map(A::from))));
        call
    }

    fn spawn<A: Answer>(
        self: &Arc<Self>,
        context: &Context,
        future: impl Future<Output = Result<A>> + Send + 'static,
    ) -> AbortHandle {
        let completion = Completion(Some(self.clone()));
        context.handle.spawn(async move { completion.end(future.await) }).abort_handle()
    }

    /// The answer, if it is of this type.
    pub(crate) fn read<A: Answer>(call: Option<&swarm_call>) -> Option<&A> {
        let answer: &dyn Any = answer(call)?;
        answer.downcast_ref()
    }

    /// Returns the pointer for the program, which owns it.
    pub(crate) fn into_raw(self: Arc<Self>) -> *mut swarm_call {
        Arc::into_raw(self).cast_mut()
    }

    /// # Safety
    /// `call` is NULL or was handed out by `into_raw`, and is not used after this.
    unsafe fn take(call: *mut swarm_call) -> Option<Arc<swarm_call>> {
        // SAFETY: promised by the caller.
        (!call.is_null()).then(|| unsafe { Arc::from_raw(call.cast_const()) })
    }

    /// Sets the answer. Can be called from any thread and is quick. Only the first answer counts.
    fn finish(&self, result: Result<Box<dyn Answer>>) {
        let mut state = self.state.lock();
        if self.result.set(result).is_err() {
            return;
        }
        let (key, timer, _task) = (state.key.take(), state.timer.take(), state.task.take());
        if state.waiting > 0 {
            self.ended.notify_all();
        }
        drop(state);
        if let Some(timer) = timer {
            timer.abort();
        }
        if let Some(context) = &self.context {
            if let Some(key) = key {
                context.dispatch.end(key);
            }
            if self.waits == Waits::Callbacks {
                context.dispatch.nudge();
            }
        }
    }

    pub(crate) fn wait(&self, timeout_ms: u64) -> Result<()> {
        if let Some(context) = &self.context {
            context.owner.check()?;
            let until = deadline(timeout_ms);
            if self.waits != Waits::End {
                context.dispatch.check_outside(self.doing)?;
                self.begin_deferred();
            }
            let ended = match context.source().filter(|_| self.waits == Waits::Callbacks) {
                Some(source) => context.dispatch.wait(&*source, until, || self.result.get().is_some()),
                None => self.wait_end(until),
            };
            if !ended {
                return Err(timed_out(timeout_ms, self.doing));
            }
            self.settle();
        }
        match self.result.get() {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error.clone()),
            None => Err(closed()),
        }
    }

    fn begin_deferred(&self) {
        let deferred = self.state.lock().deferred.take();
        if let Some(begin) = deferred {
            begin();
        }
    }

    fn wait_end(&self, until: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        while self.result.get().is_none() {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            state.waiting += 1;
            state = self.ended.wait(state, left);
            state.waiting -= 1;
        }
        true
    }

    fn call_back(self: Arc<Self>, timeout_ms: u64, done: swarm_done_fn, user_data: UserData) -> Result<()> {
        let Some(context) = &self.context else {
            return self.wait(0);
        };
        context.owner.check()?;
        let dispatch = context.serve()?;
        self.begin_deferred();
        let mut state = self.state.lock();
        let key = dispatch.register(self.clone())?;
        state.callback = Some((done, user_data));
        if self.result.get().is_some() {
            drop(state);
            dispatch.end(key);
            return Ok(());
        }
        state.key = Some(key);
        if timeout_ms != SWARM_NO_TIMEOUT {
            let call = self.clone();
            let expire = async move {
                tokio::time::sleep(Duration::from_millis(timeout_ms)).await;
                call.expire(timeout_ms);
            };
            state.timer = Some(context.handle.spawn(expire).abort_handle());
        }
        Ok(())
    }

    fn expire(&self, timeout_ms: u64) {
        self.abandon();
        self.finish(Err(timed_out(timeout_ms, self.doing)));
    }

    /// The program does not wait for the call any more. Ends its effects on the program's side.
    fn give_up(&self) {
        if self.context.as_ref().is_some_and(|context| context.owner.is_here()) {
            self.begin_deferred();
            if self.result.get().is_none() {
                self.abandon();
            }
            self.settle();
        }
    }

    fn abandon(&self) {
        let mut state = self.state.lock();
        let task = state.task.take();
        let abandon = state.ends.as_mut().and_then(|ends| ends.abandon.take());
        drop(state);
        if let Some(task) = task {
            task.abort();
        }
        if let Some(abandon) = abandon {
            abandon();
        }
    }

    fn settle(&self) {
        let ends = self.state.lock().ends.take();
        if let Some(ends) = &ends {
            (ends.settle)();
        }
    }
}

impl Deliver for swarm_call {
    fn deliver(&self) {
        let mut state = self.state.lock();
        let (callback, timer) = (state.callback.take(), state.timer.take());
        drop(state);
        if let Some(timer) = timer {
            timer.abort();
        }
        let result = self.result.get_or_init(|| Err(closed()));
        if let Some((Some(done), user_data)) = &callback {
            let error = result.as_ref().err().cloned().map(swarm_error::from);
            // SAFETY: the callback and its data belong together; its arguments live until it returns.
            unsafe { done(user_data.pointer(), shown(&error), self) }
        }
        drop(callback);
        self.settle();
    }
}

/// Ends a call. If it is dropped without a result, the call ends as closed.
struct Completion(Option<Arc<swarm_call>>);

impl Completion {
    fn end<A: Answer>(mut self, result: Result<A>) {
        if let Some(call) = self.0.take() {
            call.finish(result.map(|answer| Box::new(answer) as Box<dyn Answer>));
        }
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.finish(Err(closed()));
        }
    }
}
