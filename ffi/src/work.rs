//! Which jobs a worker takes, and the callbacks for them.

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

/// Runs a job to its end. `job` is borrowed for the call. The result that is returned becomes the library's; it is made by
/// swarm_result_complete and its kin. NULL fails this attempt, and so does a result made of wrong arguments.
pub type swarm_process_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job) -> *mut swarm_result>;

/// Called when the work of a job must stop. `job` is the pointer that the add callback was given; it is valid for the
/// call, and after it only if the callee still owns it.
pub type swarm_delete_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *mut swarm_job, reason: swarm_delete_reason)>;

/// Called when Redis has accepted the completion of a job. `job` is borrowed for the call and is over.
pub type swarm_completed_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job)>;

/// Called when Redis has accepted that a job failed: no retry is left. `traceback` is "" if there is none. All are borrowed for the
/// call, and the job is over.
pub type swarm_failed_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job, message: *const c_char, traceback: *const c_char)>;

/// Called when Redis has accepted that an attempt failed, and that the next one comes after `delay_ms`. `traceback` is "" if there
/// is none. All are borrowed for the call, and this execution of the job is over.
pub type swarm_retrying_fn = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        job: *const swarm_job,
        message: *const c_char,
        traceback: *const c_char,
        delay_ms: u64,
    ),
>;

/// Sets the callback for jobs assigned to the worker, but for those of tasks with a callback of their own: see
/// swarm_worker_process. swarm_worker_start needs one or the other. It may be replaced at any time, also by
/// swarm_worker_process, but not removed: NULL leaves it as it is.
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
            // One that was closed takes no more jobs, whatever its callback.
            let _ = swarm_worker::open(worker).and_then(|worker| worker.set_handler(None, handler));
        });
    }
}

/// Runs `callback` for each job of a task, "" being the jobs without one, and ends the job as it returns. The worker takes the
/// tasks that have a callback of their own, and no others unless there is a callback for the rest too: `task` NULL sets
/// that one, in place of swarm_worker_on_add, for jobs without a task or those of the option `task`. May be called at any
/// time; a later call for the same task replaces its callback.
///
/// Callbacks of one worker run one at a time. A worker that has no other callbacks for jobs when it starts, nor the option
/// `slots`, has at most 10 jobs at once; with long callbacks, set `slots` to as many as may wait for their turn here. A job that is deleted
/// or reclaimed before its turn is not run; one that runs may ask swarm_job_cancelled.
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

/// Names the tasks that the worker takes besides those with a callback of their own, "" being jobs without a task; in place
/// of the option `task`. They go to the callback of swarm_worker_on_add, or that of swarm_worker_process for NULL, and are
/// taken while there is one. None named: only jobs without a task. At most 100; may be called at any time. Jobs that the
/// worker was assigned already stay.
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

/// Sets the callback for jobs whose work must stop; NULL removes it. A deleted job keeps its slot until its owner gives it up:
/// by any swarm_job_finish, such as with swarm_result_stopped, or by swarm_job_free.
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

/// Sets the callback for completed jobs, which comes when Redis has accepted the completion; NULL removes it.
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

/// Sets the callback for failed jobs, which comes when Redis has accepted that no retry is left; NULL removes it.
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
                // SAFETY: the callback and its data belong together; what it is given lives until it returns.
                unsafe { function(user_data.pointer(), job, message.as_ptr(), traceback.as_ptr()) }
            }
        })
    });
    listen_to_outcomes(worker, |handlers| handlers.failed = failed);
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
    let user_data = UserData::new(user_data, destroy);
    let retrying = callback.map(|function| {
        outcome(move |job, event| {
            if let Event::Retrying { error, delay, .. } = event {
                let (message, traceback) = (text(&error.message), text(&error.traceback));
                let delay = delay.as_millis() as u64;
                // SAFETY: the callback and its data belong together; what it is given lives until it returns.
                unsafe { function(user_data.pointer(), job, message.as_ptr(), traceback.as_ptr(), delay) }
            }
        })
    });
    listen_to_outcomes(worker, |handlers| handlers.retrying = retrying);
}

impl WorkerMember {
    /// Sets the handler of a task, or that of all jobs without their own.
    fn set_handler(&self, task: Option<&str>, handler: Handler) -> Result<()> {
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

    /// Has a worker that is started take these tasks.
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

/// Changes a callback for outcomes, which the core reports only if somebody wants them.
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
