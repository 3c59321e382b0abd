//! Which jobs a worker takes: handlers for each task, and tasks that the program names.

use std::ffi::{c_char, c_void};
use std::sync::PoisonError;

use libswarm::{Options, Result};

use crate::asking::Asking;
use crate::callback::{swarm_destroy_fn, swarm_process_fn};
use crate::error::swarm_error;
use crate::guard::{given, guard, optional_text, texts};
use crate::member::{Handler, Listener, Listeners};
use crate::status::swarm_status;
use crate::worker::{WorkerMember, swarm_worker};

/// Runs `callback` for each job of a task, "" being the jobs without one, and ends the job as it returns. The worker takes the
/// tasks that have a callback of their own, and no others unless there is a callback for the rest too: `task` NULL sets
/// that one, in place of swarm_worker_on_add, for jobs without a task or those of the option `task`. May be called at any
/// time; a later call for the same task replaces its callback.
///
/// Callbacks of one worker run one at a time. A worker that has no other callbacks for jobs when it starts, nor the option
/// `slots`, holds at most 10 jobs; with long callbacks, set `slots` to as many as may wait for their turn here. A job that is deleted or taken back before its turn is not run; one that runs may ask swarm_job_cancelled.
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
    let listener = Listener::new(callback, user_data, destroy);
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        given(callback, "callback")?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let task = unsafe { optional_text(task, "task") }?;
        member.set_handler(task, Handler::Process(listener))
    })
}

/// Names the tasks that the worker takes besides those with a callback of their own, "" being jobs without a task; in place
/// of the option `task`. They go to the callback of swarm_worker_on_add, or that of swarm_worker_process for NULL, and are
/// taken while there is one. None named: only jobs without a task. At most 100; may be called at any time. Jobs that the
/// worker has been given already stay its.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_worker_set_tasks(
    worker: Option<&swarm_worker>,
    tasks: *const *const c_char,
    count: usize,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_worker::member(worker)?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        member.name_tasks(unsafe { texts(tasks, count, "tasks") }?)
    })
}

impl WorkerMember {
    /// Sets the handler of a task, or that of all jobs without their own.
    pub(crate) fn set_handler(&self, task: Option<&str>, handler: Handler) -> Result<()> {
        let named = self.named_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.listeners.now();
        let mut after = Listeners::clone(&before);
        match task {
            Some(task) => drop(after.tasks.insert(task.to_owned(), handler)),
            None => after.plain = Some(handler),
        }
        let (before, tasks) = (before.tasks_taken(&named), after.tasks_taken(&named));
        self.check_tasks(&tasks)?;
        let Listeners { plain, tasks: handlers, .. } = after;
        self.listeners.change(|listeners| (listeners.plain, listeners.tasks) = (plain, handlers));
        self.take(before, tasks)
    }

    fn name_tasks(&self, names: Vec<String>) -> Result<()> {
        let mut named = self.named_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_tasks(&names)?;
        let listeners = self.listeners.now();
        let (before, tasks) = (listeners.tasks_taken(&named), listeners.tasks_taken(&names));
        self.check_tasks(&tasks)?;
        *named = names;
        self.take(before, tasks)
    }

    fn check_tasks(&self, tasks: &[String]) -> Result<()> {
        Options { tasks: tasks.to_vec(), ..self.options.clone() }.check()
    }

    /// Tells a worker that is started what it takes.
    fn take(&self, before: Vec<String>, tasks: Vec<String>) -> Result<()> {
        match self.core() {
            Ok(core) if tasks != before => core.set_tasks(tasks),
            _ => Ok(()),
        }
    }
}

impl Listeners {
    /// The tasks that have a handler, so that no job comes without one; none for the core's default, jobs without a task.
    pub(crate) fn tasks_taken(&self, named: &[String]) -> Vec<String> {
        let mut tasks: Vec<String> = self.tasks.keys().cloned().collect();
        if self.plain.is_some() {
            let without = [String::new()];
            let named = if named.is_empty() && !tasks.is_empty() { &without } else { named };
            tasks.extend(named.iter().filter(|task| !self.tasks.contains_key(*task)).cloned());
        }
        tasks
    }
}
