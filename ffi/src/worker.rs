//! Workers: their life. What they are told of jobs is in `job_events`.

use std::ffi::{c_int, c_void};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use libswarm::{DEFAULT_CONCURRENCY, Messages, Options, Result, Worker};
use tokio::runtime::Handle;

use crate::asking::Asking;
use crate::callback::{
    UserData, swarm_add_fn, swarm_close_fn, swarm_completed_fn, swarm_delete_fn, swarm_destroy_fn, swarm_done_fn, swarm_error_fn,
    swarm_failed_fn, swarm_ready_fn, swarm_retrying_fn,
};
use crate::dispatch::Dispatch;
use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, invalid, place};
use crate::jobs::Jobs;
use crate::master::FAREWELL;
use crate::member::{Handler, Listener, Listeners, Member, Registry};
use crate::messages::hearing::{self, Hearing};
use crate::options::swarm_options;
use crate::process::Owner;
use crate::runtime::{Runtime, SWARM_NO_TIMEOUT};
use crate::status::swarm_status;

/// Takes jobs and runs them. All calls but swarm_worker_free may be made from many threads at once.
pub struct swarm_worker {
    member: Arc<WorkerMember>,
    /// Dropped after the member, whose end still needs it.
    _runtime: Arc<Runtime>,
}

pub(crate) struct WorkerMember {
    pub(crate) handle: Handle,
    pub(crate) owner: Owner,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) listeners: Registry,
    hearing: Hearing,
    pub(crate) jobs: Arc<Jobs>,
    pub(crate) options: Options,
    /// Set by start.
    core: OnceLock<Worker>,
    /// The tasks that the program named. Active while what the worker takes changes, and while it starts.
    pub(crate) named_tasks: Mutex<Vec<String>>,
}

/// Makes a worker. It neither connects nor takes jobs before swarm_worker_start. The options stay the caller's.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_new(
    options: Option<&swarm_options>,
    worker: *mut *mut swarm_worker,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let options = given(options, "options")?.checked()?;
        let place = place(worker, "worker")?;
        let owner = Owner::current();
        let runtime = Runtime::shared()?;
        let dispatch = Arc::new(Dispatch::default());
        let named_tasks = Mutex::new(options.tasks.clone());
        let member = Arc::new(WorkerMember {
            handle: runtime.handle().clone(),
            owner,
            dispatch: dispatch.clone(),
            listeners: Registry::default(),
            hearing: Hearing::default(),
            jobs: Arc::new(Jobs::new(owner, dispatch)),
            options,
            core: OnceLock::new(),
            named_tasks,
        });
        place.give(swarm_worker { member, _runtime: runtime });
        Ok(())
    })
}

/// Sets the callback for jobs given to the worker, but for those of tasks with a callback of their own: see
/// swarm_worker_process. swarm_worker_start needs one or the other. It may be replaced at any time, also by
/// swarm_worker_process, but not removed: NULL leaves it as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_add(
    worker: Option<&swarm_worker>,
    callback: swarm_add_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    if callback.is_some() {
        guard_value((), || {
            // One that was closed takes no more jobs, whatever its callback.
            let _ = swarm_worker::member(worker).and_then(|member| member.set_handler(None, Handler::Add(listener)));
        });
    }
}

/// Sets the callback for jobs whose work must stop; NULL removes it. A deleted job keeps its slot until its owner lets go
/// of it: swarm_job_stopped, any other finish, or swarm_job_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_delete(
    worker: Option<&swarm_worker>,
    callback: swarm_delete_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(worker, |listeners| listeners.delete = Some(listener));
}

/// Sets the callback for completed jobs, which comes when Redis has accepted the completion; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_completed(
    worker: Option<&swarm_worker>,
    callback: swarm_completed_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen_to_outcomes(worker, |listeners| listeners.completed = Some(listener));
}

/// Sets the callback for failed jobs, which comes when Redis has accepted that no retry is left; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_failed(
    worker: Option<&swarm_worker>,
    callback: swarm_failed_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen_to_outcomes(worker, |listeners| listeners.failed = Some(listener));
}

/// Sets the callback for failed attempts that are followed by another, which comes when Redis has accepted that; NULL removes
/// it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_retrying(
    worker: Option<&swarm_worker>,
    callback: swarm_retrying_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen_to_outcomes(worker, |listeners| listeners.retrying = Some(listener));
}

/// Sets the callback for registrations; it comes again after each new registration. NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_ready(
    worker: Option<&swarm_worker>,
    callback: swarm_ready_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(worker, |listeners| listeners.ready = Some(listener));
}

/// Sets the callback for the end of the worker: by terminate (`error` is NULL), or by a lost lease, after which the
/// worker registers anew unless the option `rejoin` is false. All its jobs had their delete callback before. NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_close(
    worker: Option<&swarm_worker>,
    callback: swarm_close_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(worker, |listeners| listeners.close = Some(listener));
}

/// Sets the callback for trouble in the background; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_error(
    worker: Option<&swarm_worker>,
    callback: swarm_error_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let listener = Listener::new(callback, user_data, destroy);
    listen(worker, |listeners| listeners.error = Some(listener));
}

/// Makes the worker's callbacks run on the caller's own thread, in swarm_worker_dispatch, and writes a descriptor that is
/// readable while some wait. To be called before swarm_worker_start. The descriptor stays the worker's: poll it, but
/// neither read nor close it. Not on Windows.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_fd(
    worker: Option<&swarm_worker>,
    fd: *mut c_int,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        let place = place(fd, "fd")?;
        place.set(member.dispatch.fd()?);
        Ok(())
    })
}

/// Runs callbacks that wait, on the calling thread; never blocks for want of them. At most a few hundred at a time: the
/// descriptor stays readable while more wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_dispatch(worker: Option<&swarm_worker>, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        member.dispatch.check_outside("dispatching")?;
        member.dispatch.dispatch(&**member);
        Ok(())
    })
}

/// Starts to connect and to take jobs, in the background; see swarm_worker_ready. Once for each worker.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_start(worker: Option<&swarm_worker>, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        let named = member.named_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if member.core.get().is_some() {
            return Err(invalid("the worker was started before; make a new one to start again"));
        }
        let listeners = member.listeners.now();
        if listeners.plain.is_none() && listeners.tasks.is_empty() {
            return Err(invalid(
                "the worker has no callback for jobs; set one with swarm_worker_on_add or swarm_worker_process first",
            ));
        }
        // Callbacks that run jobs to their end run one at a time: more jobs than this would only wait here.
        let slots = member.options.slots.or(listeners.only_process().then_some(DEFAULT_CONCURRENCY));
        let options = Options { tasks: listeners.tasks_taken(&named), slots, ..member.options.clone() };
        member.dispatch.start("swarm-worker", member)?;
        let core = Worker::start(options, &member.handle)?;
        member.jobs.start(core.clone(), member.handle.clone());
        let wake = member.dispatch.clone();
        let events = core.clone();
        // The lock held above makes this the only one to set it.
        let _ = member.core.set(core);
        // Callbacks may have been set meanwhile.
        events.report_outcomes(member.listeners.now().want_outcomes());
        events.set_wake(move || wake.signal());
        hearing::begin_all(member);
        Ok(())
    })
}

/// Waits until the worker is registered, and hears what it had callbacks for when this was called. Fails at once with an error
/// that needs the user (wrong password, ...), and after the option `timeout` with the last connection error; the worker goes on
/// trying.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_ready(
    worker: Option<&swarm_worker>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        swarm_worker::member(worker)?.await_ready(timeout_ms, "registering the worker", |core| async move { core.ready().await })
    })
}

/// Takes no new jobs, gives back those whose add callback has not run, and waits until those it holds are finished. After
/// SWARM_ERR_TIMEOUT it still takes none. Callbacks go on meanwhile: on the library's thread, or, after swarm_worker_fd,
/// inside this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_drain(
    worker: Option<&swarm_worker>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        let core = member.core()?.clone();
        member.wait_dispatching(timeout_ms, "draining", async move { core.drain().await })
    })
}

/// Drains without waiting; `done` is called once and may be NULL. Allowed inside callbacks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_drain_async(
    worker: Option<&swarm_worker>,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || swarm_worker::member(worker)?.ask_async(done, user_data, |core| async move { core.drain().await }))
}

/// Ends the worker: a delete callback for each job it holds, up to `grace_ms` (at most a day) for their owners to let go of them, then all
/// that is left goes to other workers, then the close callback. Callbacks run meanwhile as in swarm_worker_drain; when
/// this returns, all of them have run. A second call answers SWARM_ERR_CLOSED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_terminate(
    worker: Option<&swarm_worker>,
    grace_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        let core = member.core()?.clone();
        let grace = Duration::from_millis(grace_ms);
        member.wait_dispatching(SWARM_NO_TIMEOUT, "terminating", async move { core.terminate(grace).await })
    })
}

/// Terminates without waiting; `done` is called once, after the close callback, and may be NULL. Allowed inside callbacks.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_terminate_async(
    worker: Option<&swarm_worker>,
    grace_ms: u64,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let grace = Duration::from_millis(grace_ms);
        swarm_worker::member(worker)?.ask_async(done, user_data, |core| async move { core.terminate(grace).await })
    })
}

/// Terminates the worker if it runs, with no grace and waiting at most a second for Redis, and frees it. No callback comes
/// after it. Jobs still owned stay readable until they are freed; finishing them answers SWARM_ERR_CLOSED. Inside a
/// callback of this worker it changes nothing and answers SWARM_ERR_IN_CALLBACK. In a forked child it leaks what the
/// parent's threads used and answers SWARM_OK. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_worker_free(worker: Option<Box<swarm_worker>>) -> swarm_status {
    let Some(worker) = worker.map(Box::into_raw) else { return swarm_status::SWARM_OK };
    guard(std::ptr::null_mut(), || {
        // SAFETY: the pointer is the box's from above.
        let member = unsafe { &(*worker).member };
        if !member.owner.is_here() {
            return Ok(());
        }
        member.dispatch.check_outside("freeing")?;
        if let Some(core) = member.core.get() {
            let core = core.clone();
            let farewell = async move { core.terminate(Duration::ZERO).await };
            // Terminated before, or out of reach: there is nothing more to be done about either.
            let _ = member.wait_dispatching(FAREWELL.as_millis() as u64, "terminating", farewell);
            // One that was begun with terminate_async may still be on its way.
            member.dispatch.wait_settled(&**member, Instant::now() + FAREWELL);
        }
        member.dispatch.stop();
        member.jobs.close();
        member.listeners.clear();
        // SAFETY: no callback runs any more, and the caller gave the handle up.
        drop(unsafe { Box::from_raw(worker) });
        Ok(())
    })
}

impl swarm_worker {
    /// The member behind a handle, if it may be used in this process.
    pub(crate) fn member(worker: Option<&swarm_worker>) -> Result<&Arc<WorkerMember>> {
        let member = &given(worker, "worker")?.member;
        member.owner.check()?;
        Ok(member)
    }
}

impl Asking for WorkerMember {
    type Core = Worker;

    fn core(&self) -> Result<&Worker> {
        self.core.get().ok_or_else(|| invalid("the worker is not started; call swarm_worker_start first"))
    }

    fn handle(&self) -> &Handle {
        &self.handle
    }

    fn dispatching(self: &Arc<Self>) -> Result<&Arc<Dispatch>> {
        Ok(&self.dispatch)
    }
}

impl Member for WorkerMember {
    fn dispatch(&self) -> &Arc<Dispatch> {
        &self.dispatch
    }

    fn listeners(&self) -> &Registry {
        &self.listeners
    }

    fn messages(&self) -> Result<Messages> {
        Ok(self.core()?.messages())
    }

    fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    fn is_registered(&self) -> bool {
        self.core.get().is_some_and(|core| core.incarnation().is_some())
    }
}

impl WorkerMember {
    /// Waits for `future` and for the callbacks that it led to, at most `timeout_ms`.
    fn wait_dispatching(
        &self,
        timeout_ms: u64,
        doing: &str,
        future: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Result<()> {
        self.dispatch.wait_for(self, &self.handle, timeout_ms, doing, future)
    }
}

/// The same for callbacks of outcomes, which the core tells only if somebody listens.
fn listen_to_outcomes(worker: Option<&swarm_worker>, change: impl FnOnce(&mut Listeners)) {
    listen(worker, |listeners| change(listeners));
    guard_value((), || {
        if let Some(worker) = worker.filter(|worker| worker.member.owner.is_here())
            && let Some(core) = worker.member.core.get()
        {
            core.report_outcomes(worker.member.listeners.now().want_outcomes());
        }
    });
}

fn listen(worker: Option<&swarm_worker>, change: impl FnOnce(&mut Listeners)) {
    guard_value((), || {
        if let Some(worker) = worker.filter(|worker| worker.member.owner.is_here()) {
            worker.member.listeners.change(change);
        }
    });
}
