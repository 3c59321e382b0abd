//! The tasks that a worker accepts, and the callbacks for its jobs.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use libswarm::{Event, Options, Result};

use crate::callback::{UserData, swarm_destroy_fn};
use crate::error::{swarm_error, text};
use crate::guard::{given, guard, guard_value, optional_text, texts};
use crate::handlers::{Handler, Handlers, OnOutcome};
use crate::job::{swarm_delete_reason, swarm_job};
use crate::result::swarm_result;
use crate::status::swarm_status;
use crate::worker::{WorkerMember, swarm_worker};

/// Called with a job assigned to the worker. The callee owns `job`: see swarm_job_finish and swarm_job_free.
pub type swarm_add_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *mut swarm_job)>;

/// Runs a job and returns how it finishes. `job` is borrowed for the call. The library takes ownership of the returned result,
/// which is created by swarm_result_complete or a similar function. NULL fails this attempt, as does a result with invalid
/// arguments.
pub type swarm_process_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job) -> *mut swarm_result>;

/// Called when the work of a job must stop. `job` is the pointer that the add callback received. It is valid for the call, and
/// after it only if the callee still owns it.
pub type swarm_delete_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *mut swarm_job, reason: swarm_delete_reason)>;

/// Called when Redis has accepted the completion of a job. `job` is borrowed for the call and is over.
pub type swarm_completed_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job)>;

/// Called when Redis has accepted that a job failed permanently: no retry is left. `traceback` is "" if there is none. All are
/// borrowed for the call, and the job is over.
pub type swarm_failed_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job, message: *const c_char, traceback: *const c_char)>;

/// Called when Redis has accepted that an attempt failed. The next one follows after `delay_ms`. `traceback` is "" if there is
/// none. All are borrowed for the call, and this execution of the job is over.
pub type swarm_retrying_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        job: *const swarm_job,
        message: *const c_char,
        traceback: *const c_char,
        delay_ms: u64,
    ),
>;

/// Sets the callback for jobs assigned to the worker, except those of tasks with their own callback: see swarm_worker_process.
/// swarm_worker_start requires one of the two, or swarm_worker_process_batches. It can be replaced at any time, also by those, but
/// not removed: NULL leaves it unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_add(
    worker: Option<&swarm_worker>,
    callback: swarm_add_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    if let Some(function) = callback {
        guard_value((), || {
            // SAFETY: the callback and its data belong together; the pointer's share in the job goes to the callee.
            let handler = Handler::Add(Arc::new(move |job| unsafe { function(user_data.pointer(), job) }));
            // A closed worker accepts no more jobs, whatever its callback.
            let _ = swarm_worker::open(worker).and_then(|worker| worker.set_handler(None, handler));
        });
    }
}

/// Runs `callback` for each job of a task, "" for jobs without one, and finishes the job with the returned result. The worker
/// accepts the tasks that have their own callback. It accepts others only if there is a callback for the rest, too: with `task`
/// NULL this function sets it, in place of swarm_worker_on_add, for jobs without a task or those of the option `task`. May be
/// called at any time; a later call for the same task replaces its callback.
///
/// Callbacks of one worker run one at a time. A worker without other callbacks for jobs at its start and without the option
/// `slots` has at most 10 active jobs. With long callbacks, set `slots` to the number of jobs that may wait here. A job that is
/// deleted or reclaimed before its callback starts is not run; a running callback can check swarm_job_cancelled.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_process(
    worker: Option<&swarm_worker>,
    task: *const c_char,
    callback: swarm_process_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let worker = swarm_worker::open(worker)?;
        let function = given(callback, "callback")?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?;
        // SAFETY: the callback and its data belong together; the job outlives the call; what comes back is the library's.
        let process = move |job: *const swarm_job| unsafe { swarm_result::take(function(user_data.pointer(), job)) };
        worker.set_handler(task, Handler::Process(Arc::new(process)))
    })
}

/// Sets the tasks that the worker accepts besides those with their own callback, "" for jobs without a task; replaces the option
/// `task`. Their jobs are passed to the callback of swarm_worker_on_add, or that of swarm_worker_process for NULL; the tasks are
/// accepted while there is one. A count of 0 selects only jobs without a task. At most 100; may be called at any time. Jobs that
/// are assigned to the worker already stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_set_tasks(
    worker: Option<&swarm_worker>,
    tasks: *const *const c_char,
    count: usize,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let worker = swarm_worker::open(worker)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        worker.name_tasks(unsafe { texts(tasks, count, "tasks") }?)
    })
}

/// Sets the callback for jobs whose work must stop; NULL removes it. A deleted job keeps its slot until its owner ends its
/// ownership: by any swarm_job_finish, such as with swarm_result_stopped, or by swarm_job_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_delete(
    worker: Option<&swarm_worker>,
    callback: swarm_delete_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    guard_value((), || {
        if let Ok(worker) = swarm_worker::open(worker) {
            worker.handlers.change(|handlers| {
                handlers.delete = callback.map(|function| {
                    // SAFETY: the callback and its data belong together; the job is valid for the call.
                    let delete =
                        move |job, reason: libswarm::DeleteReason| unsafe { function(user_data.pointer(), job, reason.into()) };
                    Arc::new(delete) as _
                });
            });
        }
    });
}

/// Sets the callback for completed jobs; it is called when Redis has accepted the completion. NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_completed(
    worker: Option<&swarm_worker>,
    callback: swarm_completed_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let completed = callback.map(|function| {
        // SAFETY: the callback and its data belong together; the job lives until it returns.
        outcome(move |job, _| unsafe { function(user_data.pointer(), job) })
    });
    listen_to_outcomes(worker, |handlers| handlers.completed = completed);
}

/// Sets the callback for failed jobs; it is called when Redis has accepted that no retry is left. NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_failed(
    worker: Option<&swarm_worker>,
    callback: swarm_failed_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let failed = callback.map(|function| {
        outcome(move |job, event| {
            if let Event::Failed { error, .. } = event {
                let (message, traceback) = (text(&error.message), text(&error.traceback));
                // SAFETY: the callback and its data belong together; its arguments live until it returns.
                unsafe { function(user_data.pointer(), job, message.as_ptr(), traceback.as_ptr()) }
            }
        })
    });
    listen_to_outcomes(worker, |handlers| handlers.failed = failed);
}

/// Sets the callback for failed attempts that are followed by another; it is called when Redis has accepted that. NULL removes
/// it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_on_retrying(
    worker: Option<&swarm_worker>,
    callback: swarm_retrying_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let retrying = callback.map(|function| {
        outcome(move |job, event| {
            if let Event::Retrying { error, delay, .. } = event {
                let (message, traceback) = (text(&error.message), text(&error.traceback));
                let delay = delay.as_millis() as u64;
                // SAFETY: the callback and its data belong together; its arguments live until it returns.
                unsafe { function(user_data.pointer(), job, message.as_ptr(), traceback.as_ptr(), delay) }
            }
        })
    });
    listen_to_outcomes(worker, |handlers| handlers.retrying = retrying);
}

impl WorkerMember {
    /// Sets the handler of a task, or that of all jobs without their own.
    pub(crate) fn set_handler(&self, task: Option<&str>, handler: Handler) -> Result<()> {
        let named = self.named_tasks.lock();
        let before = self.handlers.now();
        let mut after = Handlers::clone(&before);
        match task {
            Some(task) => drop(after.tasks.insert(task.to_owned(), handler)),
            None => after.plain = Some(handler),
        }
        let (before, tasks) = (before.tasks_taken(&named), after.tasks_taken(&named));
        self.check_tasks(&tasks)?;
        let Handlers { plain, tasks: by_task, .. } = after;
        self.handlers.change(|handlers| (handlers.plain, handlers.tasks) = (plain, by_task));
        self.take(before, tasks)
    }

    fn name_tasks(&self, names: Vec<String>) -> Result<()> {
        let mut named = self.named_tasks.lock();
        self.check_tasks(&names)?;
        let handlers = self.handlers.now();
        let (before, tasks) = (handlers.tasks_taken(&named), handlers.tasks_taken(&names));
        self.check_tasks(&tasks)?;
        *named = names;
        self.take(before, tasks)
    }

    fn check_tasks(&self, tasks: &[String]) -> Result<()> {
        Options { tasks: tasks.to_vec(), ..self.options.clone() }.check()
    }

    /// Makes a worker that has started accept these tasks.
    fn take(&self, before: Vec<String>, tasks: Vec<String>) -> Result<()> {
        match self.member.worker() {
            Ok(core) if tasks != before => core.set_tasks(tasks),
            _ => Ok(()),
        }
    }
}

fn outcome(function: impl Fn(&swarm_job, &Event) + Send + Sync + 'static) -> OnOutcome {
    Arc::new(function)
}

/// Changes a callback for outcomes. The core reports outcomes only if there is a callback.
fn listen_to_outcomes(worker: Option<&swarm_worker>, change: impl FnOnce(&mut Handlers)) {
    guard_value((), || {
        if let Ok(worker) = swarm_worker::open(worker) {
            worker.handlers.change(change);
            if let Ok(core) = worker.member.worker() {
                core.report_outcomes(worker.handlers.now().want_outcomes());
            }
        }
    });
}
