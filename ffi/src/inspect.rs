//! Looking into the cluster. What is seen is JSON text; docs/reference/c-api.md lists its fields.

use std::ffi::{CString, c_char, c_void};

use libswarm::{Error, ErrorKind, JobState, Master, Result};

use crate::asking::Asking;
use crate::callback::{UserData, swarm_destroy_fn, swarm_text_fn};
use crate::error::{swarm_error, text as c_text};
use crate::guard::{guard, guard_value, invalid, optional_text, place, text};
use crate::master::swarm_master;
use crate::status::swarm_status;

/// A text that a call handed out.
pub struct swarm_text {
    text: CString,
}

/// The text, UTF-8 with a final NUL; NULL for NULL. Lives as long as the object.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_text_get(text: Option<&swarm_text>) -> *const c_char {
    text.map_or(std::ptr::null(), swarm_text::as_ptr)
}

/// Frees a text that a call handed out. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_text_free(text: Option<Box<swarm_text>>) {
    guard_value((), || drop(text));
}

/// Writes what is known of a job to `json`, or NULL if there is none: it never was, or is completed, deleted or forgotten.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_job(
    master: Option<&swarm_master>,
    id: *const c_char,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(json, "json")?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        place.give_any(member.ask(timeout_ms, "looking up a job", |core| look_job(core, id))?);
        Ok(())
    })
}

/// As swarm_master_job, without waiting; `done` is called once.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_job_async(
    master: Option<&swarm_master>,
    id: *const c_char,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let id = unsafe { text(id, "id") }?.to_owned();
        member.ask_async(done, user_data, |core| look_job(core, id))
    })
}

/// Writes a page of the jobs in a state to `json`: "waiting" (in the order in which they will be given), "delayed" (as they
/// become due), "blocked" (for a resource or a similar job), "active" and "deleting" (both together, in no order) or "failed"
/// (newest first). At most `limit`, 1 to 1,000, from where the page before ended: `after` is its `next`, NULL for the first.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_jobs(
    master: Option<&swarm_master>,
    state: *const c_char,
    after: *const c_char,
    limit: u32,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(json, "json")?;
        // SAFETY: non-NULL texts are NUL-terminated.
        let page = unsafe { Page::read(state, after, limit) }?;
        place.give_any(member.ask(timeout_ms, "looking up jobs", |core| page.look(core))?);
        Ok(())
    })
}

/// As swarm_master_jobs, without waiting; `done` is called once.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_jobs_async(
    master: Option<&swarm_master>,
    state: *const c_char,
    after: *const c_char,
    limit: u32,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        // SAFETY: non-NULL texts are NUL-terminated.
        let page = unsafe { Page::read(state, after, limit) }?;
        member.ask_async(done, user_data, |core| page.look(core))
    })
}

/// Writes to `json` how many jobs wait, by priority and task, what is paused, and which master chooses workers.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_queues(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(json, "json")?;
        place.give_any(member.ask(timeout_ms, "counting the queues", look_queues)?);
        Ok(())
    })
}

/// As swarm_master_queues, without waiting; `done` is called once.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_queues_async(
    master: Option<&swarm_master>,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || swarm_master::member(master)?.ask_async(done, user_data, look_queues))
}

/// Writes to `json` what is known of all members alive.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_members(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    json: *mut *mut swarm_text,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let place = place(json, "json")?;
        place.give_any(member.ask(timeout_ms, "looking up the members", look_members)?);
        Ok(())
    })
}

/// As swarm_master_members, without waiting; `done` is called once.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_members_async(
    master: Option<&swarm_master>,
    done: swarm_text_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || swarm_master::member(master)?.ask_async(done, user_data, look_members))
}

impl swarm_text {
    pub(crate) fn as_ptr(&self) -> *const c_char {
        self.text.as_ptr()
    }
}

/// Which jobs are asked for.
struct Page {
    state: JobState,
    after: Option<String>,
    limit: u32,
}

impl Page {
    /// # Safety
    /// The texts that are not NULL end with a NUL.
    unsafe fn read(state: *const c_char, after: *const c_char, limit: u32) -> Result<Page> {
        // SAFETY: promised by the caller.
        let (state, after) = unsafe { (text(state, "state")?, optional_text(after, "after")?) };
        let known = || JobState::ALL.map(|(name, _)| name).join(", ");
        let state = JobState::from_name(state).ok_or_else(|| invalid(format!("`{state}` is none of the states {}", known())))?;
        Ok(Page { state, after: after.map(str::to_owned), limit })
    }

    async fn look(self, core: Master) -> Result<Option<swarm_text>> {
        written(serde_json::to_string(&core.jobs(self.state, self.after.as_deref(), self.limit).await?))
    }
}

async fn look_job(core: Master, id: String) -> Result<Option<swarm_text>> {
    match core.job(&id).await? {
        Some(job) => written(serde_json::to_string(&job)),
        None => Ok(None),
    }
}

async fn look_queues(core: Master) -> Result<Option<swarm_text>> {
    written(serde_json::to_string(&core.queues().await?))
}

async fn look_members(core: Master) -> Result<Option<swarm_text>> {
    written(serde_json::to_string(&core.members().await?))
}

fn written(json: serde_json::Result<String>) -> Result<Option<swarm_text>> {
    json_text(json).map(Some)
}

pub(crate) fn json_text(json: serde_json::Result<String>) -> Result<swarm_text> {
    let json = json.map_err(|e| Error::new(ErrorKind::Internal, format!("writing what was seen as JSON: {e}")))?;
    // JSON text has no NUL.
    Ok(swarm_text { text: c_text(&json) })
}
