//! Schedules: jobs that the cluster adds by itself.

use std::ffi::c_char;

use libswarm::{Error, Result, Schedule, Scheduled};

use crate::bytes::swarm_bytes;
use crate::call::{call, swarm_call};
use crate::error::text as c_text;
use crate::flag::swarm_flag;
use crate::guard::{invalid, optional_text, text};
use crate::job_options::{SWARM_DEFAULT, swarm_job_options, swarm_new_job};
use crate::json::Json;
use crate::master::swarm_master;
use crate::sized;

/// What a schedule does at a slot when its job before has not ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_overlap {
    /// The slot is skipped.
    SWARM_OVERLAP_SKIP = 0,
    /// Both jobs run.
    SWARM_OVERLAP_ALLOW = 1,
    /// The new job waits until the one before has ended. While one waits, slots are skipped.
    SWARM_OVERLAP_QUEUE_ONE = 2,
    /// The job before is deleted; the new one starts when it has stopped.
    SWARM_OVERLAP_REPLACE = 3,
}

/// What a schedule does with slots that passed while nothing ran.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_catch_up {
    /// One job for all of them, that of the last slot.
    SWARM_CATCH_UP_LAST = 0,
    /// No job for slots more than 60 s ago.
    SWARM_CATCH_UP_NONE = 1,
    /// A job for each, at most for the last 100.
    SWARM_CATCH_UP_ALL = 2,
}

/// When a schedule adds jobs, and how. Start with `swarm_schedule_options schedule = SWARM_SCHEDULE_OPTIONS_INIT;` and set one of
/// `cron`, `every` and `after_end`. Times are in milliseconds, times of day in milliseconds since 1970 on Redis' clock.
#[repr(C)]
pub struct swarm_schedule_options {
    /// The size of the struct; set by SWARM_SCHEDULE_OPTIONS_INIT.
    pub struct_size: usize,
    /// A cron expression of 5 fields, or 6 with seconds first; also "@daily" and the like, and `L`, `W` and `#`. NULL for none.
    pub cron: *const c_char,
    /// An interval, 100 ms to a year, counted from `start` or the creation; SWARM_DEFAULT for none.
    pub every: u64,
    /// The pause between the end of a job and the next one, 100 ms to a year; the first is added at once. Excludes `start`, `end`
    /// and `jitter`. SWARM_DEFAULT for none.
    pub after_end: u64,
    /// The IANA time zone of `cron`; NULL for UTC.
    pub tz: *const c_char,
    /// No slot is before this time, at most 2^53; SWARM_DEFAULT for no bound.
    pub start: u64,
    /// No slot is after this time, which is after `start`, at most 2^53; SWARM_DEFAULT for no bound.
    pub end: u64,
    /// The number of jobs that its slots add before it ends, 1 to 2^53; SWARM_DEFAULT for no limit.
    pub limit: u64,
    /// Each job is delayed by up to this much, at random; at most a day.
    pub jitter: u64,
    /// A swarm_overlap.
    pub overlap: i32,
    /// A swarm_catch_up.
    pub catch_up: i32,
}

/// Starts to create or change a schedule. At each of its slots, the cluster adds a job with this payload and these options, whose
/// id is `<schedule>@<slot in ms since 1970>`; any living member does that, and each slot adds one job. swarm_call_json answers
/// `"created"`, `"changed"`, or `"unchanged"` for the same schedule again. A change of the job or its options keeps the slots.
///
/// `id` has 1 to 200 bytes of UTF-8 without control characters. `options` are those of the jobs, NULL for the defaults; their
/// `id`, `delay`, `run_at`, `durability` and `ephemeral` must not be set, nor `resource` with SWARM_OVERLAP_QUEUE_ONE and
/// SWARM_OVERLAP_REPLACE, which use it. The call fails with SWARM_ERR_INVALID_ARGUMENT, whose message names the wrong field, or
/// SWARM_ERR_TOO_LARGE.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_schedule(
    master: Option<&swarm_master>,
    id: *const c_char,
    schedule: *const swarm_schedule_options,
    payload: swarm_bytes,
    options: *const swarm_job_options,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's texts, options and payload are readable.
        let (id, schedule, job) =
            unsafe { (text(id, "id")?.to_owned(), read(schedule)?, swarm_new_job { payload, options }.read()?) };
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "setting a schedule", async move {
            Json::of(&match core.schedule(&id, schedule, job).await? {
                Scheduled::Created => "created",
                Scheduled::Changed => "changed",
                Scheduled::Unchanged => "unchanged",
            })
        }))
    })
}

/// Starts to remove a schedule; jobs that it has added stay. swarm_call_json answers `true` or, if there was none, `false`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_unschedule(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "removing a schedule", async move { Json::of(&core.unschedule(&id).await?) }))
    })
}

/// Starts to pause a schedule, or with `paused` false to resume it at its next slot; slots that passed meanwhile add no jobs.
/// swarm_call_json answers `true` or, if there is no such schedule, `false`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause_schedule(
    master: Option<&swarm_master>,
    id: *const c_char,
    paused: swarm_flag,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "pausing a schedule", async move {
            Json::of(&if paused.is_set() { core.pause_schedule(&id).await? } else { core.resume_schedule(&id).await? })
        }))
    })
}

/// Starts to add the job of a schedule now, beside its slots, also while it is paused. swarm_call_json answers the id of the job
/// in quotes, or `null` if `overlap` skips it. Fails with SWARM_ERR_INVALID_ARGUMENT if there is no such schedule.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_run_schedule(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "running a schedule", async move { Json::of(&core.run_schedule(&id).await?) }))
    })
}

/// Starts to look up a schedule. swarm_call_json answers its fields, which the reference of the C API lists, or NULL if there is
/// none.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_schedule_info(master: Option<&swarm_master>, id: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "looking up a schedule", async move {
            Ok::<_, Error>(Json(core.schedule_info(&id).await?.map(|info| c_text(&info.to_json()))))
        }))
    })
}

/// Starts to read a page of schedules in the order of their ids, at most `limit`, 1 to 1,000, and at most 200. `after` is the
/// `next` of the page before, or NULL for the first page. swarm_call_json answers `{"schedules": [...], "next": text or null}`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_schedules(
    master: Option<&swarm_master>,
    after: *const c_char,
    limit: u32,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, after) = (master.core.clone(), unsafe { optional_text(after, "after") }?.map(str::to_owned));
        Ok(swarm_call::spawned(&master.context, "looking up schedules", async move {
            let page = core.schedules(after.as_deref(), limit).await?;
            Ok::<_, Error>(Json(Some(c_text(&page.to_json()))))
        }))
    })
}

/// # Safety
/// `schedule` is as for [`sized::read`], and its texts end with a NUL.
unsafe fn read(schedule: *const swarm_schedule_options) -> Result<Schedule> {
    let defaults = swarm_schedule_options {
        struct_size: size_of::<swarm_schedule_options>(),
        cron: std::ptr::null(),
        every: SWARM_DEFAULT,
        after_end: SWARM_DEFAULT,
        tz: std::ptr::null(),
        start: SWARM_DEFAULT,
        end: SWARM_DEFAULT,
        limit: SWARM_DEFAULT,
        jitter: 0,
        overlap: 0,
        catch_up: 0,
    };
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(schedule, defaults, "schedule") }?;
    let mut pairs = Vec::new();
    for (name, value) in [("cron", given.cron), ("tz", given.tz)] {
        // SAFETY: promised by the caller.
        if let Some(value) = unsafe { optional_text(value, name) }? {
            pairs.push((name.to_owned(), value.to_owned()));
        }
    }
    let numbers = [("every", given.every), ("after_end", given.after_end), ("start", given.start), ("end", given.end)];
    for (name, value) in numbers.into_iter().chain([("limit", given.limit), ("jitter", given.jitter)]) {
        if value != SWARM_DEFAULT {
            pairs.push((name.to_owned(), value.to_string()));
        }
    }
    let overlaps = ["skip", "allow", "queue_one", "replace"];
    let catch_ups = ["last", "none", "all"];
    for (name, value, names) in [("overlap", given.overlap, &overlaps[..]), ("catch_up", given.catch_up, &catch_ups[..])] {
        let known = usize::try_from(value).ok().and_then(|value| names.get(value));
        let known = known.ok_or_else(|| invalid(format!("{value} is not a swarm_{name}")))?;
        pairs.push((name.to_owned(), (*known).to_owned()));
    }
    Schedule::from_pairs(&pairs)
}
