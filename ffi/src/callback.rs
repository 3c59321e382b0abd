//! Functions of the caller's, with the data they are called with.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use libswarm::{Added, Outcome, Receipt, Result, Stats};

use crate::add::swarm_added;
use crate::error::swarm_error;
use crate::group::swarm_outcomes;
use crate::health::swarm_stats;
use crate::inspect::swarm_text;
use crate::job::{swarm_delete_reason, swarm_job};
use crate::messages::message::swarm_message;
use crate::messages::presence::swarm_change;
use crate::messages::receipt::swarm_receipt;
use crate::messages::swarm_member;
use crate::outcome::{Ran, swarm_outcome};
use crate::result::swarm_result;

/// Ends the life of a `user_data`. Run exactly once, after the last callback with it, and also if the call that it was
/// given to fails. May be NULL.
pub type swarm_destroy_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// Told when an operation has ended; `error` is NULL if it succeeded.
pub type swarm_done_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error)>;

/// Told when jobs were added; `added` is NULL if that failed. Both are borrowed for the call.
pub type swarm_added_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, added: *const swarm_added)>;

/// Told when a job was deleted; `existed` is false if there was none, or if that failed.
pub type swarm_existed_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, existed: bool)>;

/// Told how a job ended; `outcome` is NULL if that could not be learnt. Both are borrowed for the call.
pub type swarm_outcome_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, outcome: *const swarm_outcome)>;

/// Told how all jobs of several ended; `outcomes` is NULL if they were not added or not awaited to the end. Both are borrowed
/// for the call.
pub type swarm_outcomes_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, outcomes: *const swarm_outcomes)>;

/// Told how one job of several ended; `index` is its position among those given. `outcome` is NULL if how it ended could not
/// be learnt, and `error` is NULL otherwise. Both are borrowed for the call.
pub type swarm_each_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, index: usize, error: *const swarm_error, outcome: *const swarm_outcome)>;

/// Told what was asked for, as JSON; `json` is NULL if that failed, or if there is no such thing. Both are borrowed for the
/// call.
pub type swarm_text_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, json: *const c_char)>;

/// Chooses the worker of a job that waits: `job` is what swarm_master_job gives, `workers` an array of those that can take it
/// now, the least loaded first, both JSON and borrowed for the call; docs/reference/c-api.md lists the fields. Answers the incarnation of
/// one of them, or NULL to leave the job until there is something new to choose. The text stays the callee's, who keeps it
/// until the callback is called again. Another text leaves the job, too, and is told to the callback of
/// swarm_master_on_error as SWARM_ERR_INVALID_ARGUMENT.
pub type swarm_choose_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const c_char, workers: *const c_char) -> *const c_char>;

/// Told how many jobs were changed; `count` is 0 if that failed.
pub type swarm_count_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, count: u64)>;

/// Told the counts of the cluster; `stats` is NULL if that failed. Both are borrowed for the call.
pub type swarm_stats_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, stats: *const swarm_stats)>;

/// Told when a member is registered; `incarnation` is its new identity in Redis.
pub type swarm_ready_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, incarnation: *const c_char)>;

/// Told when a member was closed; `error` is NULL if by the program itself, else the reason that forced it.
pub type swarm_close_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error)>;

/// Told of trouble in the background, such as a lost connection, once until it changes. `error` is borrowed.
pub type swarm_error_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error)>;

/// Told of a job given to the worker. The callee owns `job`: see swarm_job_complete and swarm_job_free.
pub type swarm_add_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *mut swarm_job)>;

/// Runs a job to its end. `job` is borrowed for the call. What is returned becomes the library's and says how the job ends:
/// swarm_result_complete and its kin make it. NULL fails this attempt.
pub type swarm_process_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job) -> *mut swarm_result>;

/// Told that the work of a job must stop. `job` is the pointer that the add callback was given; it is valid for the
/// call, and after it only if the callee still owns it.
pub type swarm_delete_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *mut swarm_job, reason: swarm_delete_reason)>;

/// Told that Redis has accepted the completion of a job. `job` is borrowed for the call and is over.
pub type swarm_completed_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job)>;

/// Told that Redis has accepted that a job failed: no retry is left. `traceback` is "" if there is none. All are borrowed for the
/// call, and the job is over.
pub type swarm_failed_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const swarm_job, message: *const c_char, traceback: *const c_char)>;

/// Told that Redis has accepted that an attempt failed, and that the next one comes after `delay_ms`. `traceback` is "" if there is
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

/// Told what became of a message that was sent; `receipt` is NULL if that failed. Both are borrowed for the call.
pub type swarm_receipt_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error, receipt: *const swarm_receipt)>;

/// Told of a message for this member. `message` is borrowed for the call; see swarm_message_keep.
pub type swarm_message_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, message: *const swarm_message)>;

/// Told of a member that came or went; `role` is "master" or "worker". Both are borrowed for the call.
pub type swarm_member_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, change: swarm_change, role: *const c_char, member: *const swarm_member)>;

/// Told that a member asks this program to end with an exit code; `from` is borrowed for the call.
pub type swarm_kill_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, code: i32, from: *const swarm_member)>;

/// Told of one log record; `level` is 1 (error) to 5 (trace). Both texts are borrowed for the call.
pub type swarm_log_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char)>;

/// The caller's data; `destroy` runs when this is dropped.
pub(crate) struct UserData {
    data: *mut c_void,
    destroy: swarm_destroy_fn,
    /// Whose data it is, where several callbacks have it.
    _owner: Option<Arc<dyn Send + Sync>>,
}

// SAFETY: the header says that callbacks, and so their data, are used on other threads, one at a time for each object.
unsafe impl Send for UserData {}
// SAFETY: only the pointer itself is read through a shared reference.
unsafe impl Sync for UserData {}

impl UserData {
    /// Takes ownership; made first thing in a call, so that `destroy` runs whatever fails after it.
    pub(crate) fn new(data: *mut c_void, destroy: swarm_destroy_fn) -> UserData {
        UserData { data, destroy, _owner: None }
    }

    /// The data of `owner` for another callback: it is destroyed after both.
    pub(crate) fn shared(data: *mut c_void, owner: Arc<dyn Send + Sync>) -> UserData {
        UserData { data, destroy: None, _owner: Some(owner) }
    }

    pub(crate) fn pointer(&self) -> *mut c_void {
        self.data
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: `destroy` was given for this data and runs once, here.
            unsafe { destroy(self.data) }
        }
    }
}

/// What an operation answers, and how its callback is told.
pub(crate) trait Reply: Send + Sized + 'static {
    type Function: Copy + Send;

    /// Calls `function`.
    ///
    /// # Safety
    /// `user_data` must be what `function` was given with.
    unsafe fn tell(function: Self::Function, user_data: *mut c_void, result: Result<Self>);
}

/// The error as a callback is shown it, NULL if there is none.
pub(crate) fn shown(error: &Option<swarm_error>) -> *const swarm_error {
    error.as_ref().map_or(std::ptr::null(), |error| error)
}

/// Splits a result in what a callback with an error and a value takes.
pub(crate) fn split<T, C: From<T>>(result: Result<T>) -> (Option<swarm_error>, Option<C>) {
    match result {
        Ok(value) => (None, Some(value.into())),
        Err(error) => (Some(error.into()), None),
    }
}

impl Reply for () {
    type Function = swarm_done_fn;

    unsafe fn tell(function: swarm_done_fn, user_data: *mut c_void, result: Result<()>) {
        let Some(function) = function else { return };
        let error = result.err().map(swarm_error::from);
        // SAFETY: the callback and its data belong together.
        unsafe { function(user_data, shown(&error)) }
    }
}

impl Reply for bool {
    type Function = swarm_existed_fn;

    unsafe fn tell(function: swarm_existed_fn, user_data: *mut c_void, result: Result<bool>) {
        let Some(function) = function else { return };
        let (error, existed) = split::<bool, bool>(result);
        // SAFETY: the callback and its data belong together.
        unsafe { function(user_data, shown(&error), existed.unwrap_or(false)) }
    }
}

impl Reply for u64 {
    type Function = swarm_count_fn;

    unsafe fn tell(function: swarm_count_fn, user_data: *mut c_void, result: Result<u64>) {
        let Some(function) = function else { return };
        let (error, count) = split::<u64, u64>(result);
        // SAFETY: the callback and its data belong together.
        unsafe { function(user_data, shown(&error), count.unwrap_or(0)) }
    }
}

impl Reply for Option<swarm_text> {
    type Function = swarm_text_fn;

    unsafe fn tell(function: swarm_text_fn, user_data: *mut c_void, result: Result<Option<swarm_text>>) {
        let Some(function) = function else { return };
        let (error, text) = split::<Option<swarm_text>, Option<swarm_text>>(result);
        let json = text.flatten();
        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
        unsafe { function(user_data, shown(&error), json.as_ref().map_or(std::ptr::null(), swarm_text::as_ptr)) }
    }
}

macro_rules! borrowed_reply {
    ($($value:ty => $shown:ty, $function:ty;)+) => { $(
        impl Reply for $value {
            type Function = $function;

            unsafe fn tell(function: $function, user_data: *mut c_void, result: Result<$value>) {
                let Some(function) = function else { return };
                let (error, value) = split::<$value, $shown>(result);
                let value = value.as_ref().map_or(std::ptr::null(), |value| value as *const $shown);
                // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
                unsafe { function(user_data, shown(&error), value) }
            }
        }
    )+ };
}

borrowed_reply! {
    Vec<Added> => swarm_added, swarm_added_fn;
    Outcome => swarm_outcome, swarm_outcome_fn;
    Ran => swarm_outcome, swarm_outcome_fn;
    Vec<Result<Ran>> => swarm_outcomes, swarm_outcomes_fn;
    Stats => swarm_stats, swarm_stats_fn;
    Receipt => swarm_receipt, swarm_receipt_fn;
}
