//! Schedules: jobs that the cluster adds by itself.

use std::ffi::c_char;

use libswarm::{Error, Result, Schedule, Scheduled};

use crate::bytes::swarm_bytes;
use crate::call::{call, swarm_call};
use crate::error::text as c_text;
use crate::guard::{invalid, optional_text, text};
use crate::job_options::{SWARM_DEFAULT, swarm_job_options, swarm_new_job};
use crate::json::Json;
use crate::master::swarm_master;
use crate::sized;

/// What a schedule does when its job before has not ended.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_overlap {
    /// The slot is skipped.
    SWARM_OVERLAP_SKIP = 0,
    /// Both jobs run.
    SWARM_OVERLAP_ALLOW = 1,
    /// One job waits until the one before has ended.
    SWARM_OVERLAP_QUEUE_ONE = 2,
    /// The job before is deleted; the new one starts when it has stopped.
    SWARM_OVERLAP_REPLACE = 3,
}

/// What a schedule does with slots that passed while nothing ran.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_catch_up {
    /// One job for all of them.
    SWARM_CATCH_UP_LAST = 0,
    /// No job.
    SWARM_CATCH_UP_NONE = 1,
    /// A job for each, at most 100.
    SWARM_CATCH_UP_ALL = 2,
}

/// When a schedule adds jobs, and how. Start with `swarm_schedule_options options = SWARM_SCHEDULE_OPTIONS_INIT;` and set one of
/// `cron`, `every` and `after_end`. Times are in milliseconds, times of day in milliseconds since 1970 on Redis' clock.
#[repr(C)]
pub struct swarm_schedule_options {
    /// The size of the struct; set by SWARM_SCHEDULE_OPTIONS_INIT.
    pub struct_size: usize,
    /// 5 fields, or 6 with seconds first; also "@daily" and the like, `L`, `W` and `#`. NULL for none.
    pub cron: *const c_char,
    /// An interval, 100 ms to a year, counted from `start` or the creation; SWARM_DEFAULT for none.
    pub every: u64,
    /// The pause between the end of a job and the next one, 100 ms to a year; SWARM_DEFAULT for none.
    pub after_end: u64,
    /// The IANA time zone of `cron`; NULL for UTC.
    pub tz: *const c_char,
    /// No slot is before this time; SWARM_DEFAULT for no bound.
    pub start: u64,
    /// No slot is after this time; SWARM_DEFAULT for no bound.
    pub end: u64,
    /// The number of jobs after which it ends; SWARM_DEFAULT for no limit.
    pub limit: u64,
    /// Each job starts up to so much later, at random; at most a day.
    pub jitter: u64,
    /// A swarm_overlap.
    pub overlap: i32,
    /// A swarm_catch_up.
    pub catch_up: i32,
}

/// Starts to create or change a schedule, which adds a job with this payload and these options at each of its slots, with the id
/// `<schedule>@<slot in ms since 1970>`: each slot runs once. Any living member of the cluster fires it. The same schedule again
/// changes nothing; a change of the job or its options keeps the slots. swarm_call_json answers "created", "changed" or
/// "unchanged", in quotes.
///
/// `job` is NULL for the defaults; a job with an id, a delay, a durability or `ephemeral` is refused. Fails with
/// SWARM_ERR_INVALID_ARGUMENT, whose message names the field.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_schedule(
    master: Option<&swarm_master>,
    id: *const c_char,
    options: *const swarm_schedule_options,
    payload: swarm_bytes,
    job: *const swarm_job_options,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's texts, options and payload are readable.
        let (id, schedule, job) =
            unsafe { (text(id, "id")?.to_owned(), read(options)?, swarm_new_job { payload, options: job }.read()?) };
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

/// Starts to pause a schedule, or to resume it with its next slot; what it missed meanwhile does not run. swarm_call_json answers
/// `true` or, if there is none, `false`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_pause_schedule(
    master: Option<&swarm_master>,
    id: *const c_char,
    paused: bool,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, id) = (master.core.clone(), unsafe { text(id, "id") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "pausing a schedule", async move {
            Json::of(&if paused { core.pause_schedule(&id).await? } else { core.resume_schedule(&id).await? })
        }))
    })
}

/// Starts to add the job of a schedule now, beside its slots. swarm_call_json answers its id in quotes, or `null` if `overlap` skips
/// it. SWARM_ERR_INVALID_ARGUMENT if there is no such schedule.
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

/// Starts to look up a schedule; swarm_call_json is NULL if there is none.
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

/// Starts to read a page of the schedules, by their ids; at most `limit`, 1 to 1,000. `after` is the `next` of the page before, or
/// NULL for the first page.
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
/// `options` is as for [`sized::read`], and its texts end with a NUL.
unsafe fn read(options: *const swarm_schedule_options) -> Result<Schedule> {
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
    let given = unsafe { sized::read(options, defaults, "options") }?;
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
