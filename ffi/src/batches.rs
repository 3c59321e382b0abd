//! Callbacks for several jobs at once.

use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use libswarm::{BatchBy, Batching, Result};

use crate::callback::{UserData, swarm_destroy_fn};
use crate::error::swarm_error;
use crate::guard::{given, guard, invalid, optional_text};
use crate::handlers::Handler;
use crate::job::swarm_job;
use crate::sized;
use crate::status::swarm_status;
use crate::worker::swarm_worker;

/// What the jobs of a batch have in common.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_batch_by {
    /// Their task.
    SWARM_BATCH_BY_TASK = 0,
    /// Their task and group (`group` of swarm_job_options): each group of a task has its own batches, and so have the jobs without
    /// one.
    SWARM_BATCH_BY_GROUP = 1,
}

/// How jobs are gathered into batches. Start with `swarm_batch_options batch = SWARM_BATCH_OPTIONS_INIT;` and set `size`.
#[repr(C)]
pub struct swarm_batch_options {
    /// The size of the struct; set by SWARM_BATCH_OPTIONS_INIT.
    pub struct_size: usize,
    /// The largest number of jobs in a batch, 1 to 1,000: a batch starts when it has so many.
    pub size: u64,
    /// A batch starts this time after its first job arrived, 0 to 60,000. With 0, the default, it has the jobs that are there.
    pub wait_ms: u64,
    /// A swarm_batch_by; by default SWARM_BATCH_BY_TASK.
    pub by: i32,
}

/// Called with the jobs of a batch, at least one. The array is borrowed for the call. The callee owns each job, as that of
/// swarm_add_fn does: it finishes or frees each exactly once, in the call or later, on any thread.
pub type swarm_batch_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, jobs: *const *mut swarm_job, count: usize)>;

/// Passes the jobs of a task to `callback` in batches; `task` and the tasks that the worker accepts are as for
/// swarm_worker_process, whose callback for the same task this one replaces, and the other way round. Each job keeps its own
/// lease, fencing token and outcome, and is active until its owner finishes it. A job that is deleted or reclaimed while it waits
/// for others is not in the batch, and its delete callback is not called. Jobs that wait for others when the worker drains are
/// requeued; a paused worker starts its batches as they are due.
///
/// Each job uses a slot. A worker that has no callback of swarm_worker_on_add at its start and no option `slots` has 10, or `size`
/// if that is more. With fewer slots than `size` no batch is full, so each waits for `wait_ms`.
/// SWARM_ERR_INVALID_ARGUMENT if a field of `options` is out of its bounds; nothing has changed then.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_process_batches(
    worker: Option<&swarm_worker>,
    task: *const c_char,
    options: *const swarm_batch_options,
    callback: swarm_batch_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let worker = swarm_worker::open(worker)?;
        let function = given(callback, "callback")?;
        // SAFETY: a non-NULL text is NUL-terminated, and the options start with their size.
        let (task, batching) = unsafe { (optional_text(task, "task")?, read(options)?) };
        // SAFETY: the callback and its data belong together; the pointers' shares in the jobs go to the callee.
        let start = move |jobs: &[*mut swarm_job]| unsafe { function(user_data.pointer(), jobs.as_ptr(), jobs.len()) };
        worker.set_handler(task, Handler::Batch(batching, Arc::new(start)))
    })
}

/// # Safety
/// `options` is as for [`sized::read`].
unsafe fn read(options: *const swarm_batch_options) -> Result<Batching> {
    let defaults = swarm_batch_options { struct_size: size_of::<swarm_batch_options>(), size: 0, wait_ms: 0, by: 0 };
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(options, defaults, "options") }?;
    const TASK: i32 = swarm_batch_by::SWARM_BATCH_BY_TASK as i32;
    const GROUP: i32 = swarm_batch_by::SWARM_BATCH_BY_GROUP as i32;
    let by = match given.by {
        TASK => BatchBy::Task,
        GROUP => BatchBy::Group,
        other => return Err(invalid(format!("{other} is not a swarm_batch_by"))),
    };
    // A larger size is out of bounds, too.
    let size = u32::try_from(given.size).unwrap_or(u32::MAX);
    let batching = Batching::new(size).wait(Duration::from_millis(given.wait_ms)).by(by);
    batching.check()?;
    Ok(batching)
}
