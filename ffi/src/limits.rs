//! Limits: how many jobs start in a time, and how many are active.

use std::ffi::c_char;
use std::time::Duration;

use libswarm::{Limit, Result};

use crate::call::{call, swarm_call};
use crate::guard::{invalid, text};
use crate::job_options::SWARM_DEFAULT;
use crate::json::Json;
use crate::master::swarm_master;
use crate::sized;

/// The figures of a limit. Start with `swarm_limit limit = SWARM_LIMIT_INIT;` and set `rate`, `concurrency` or both.
#[repr(C)]
pub struct swarm_limit {
    /// The size of the struct; set by SWARM_LIMIT_INIT.
    pub struct_size: usize,
    /// Jobs that start in each period, 1 to 1,000,000; SWARM_DEFAULT for no rate.
    pub rate: u64,
    /// The period, 1 ms to a day, in milliseconds; SWARM_DEFAULT for 1 s.
    pub per: u64,
    /// Jobs that may start at once after a pause, 1 to 1,000,000; SWARM_DEFAULT for 1: starts are at least `per / rate` apart. In a
    /// period, at most `rate + burst - 1` jobs start.
    pub burst: u64,
    /// Jobs that are active at a time, 1 to 1,000,000; SWARM_DEFAULT for any number.
    pub concurrency: u64,
}

/// Starts to set the figures of a limit for the whole cluster; jobs with this limit in their options are subject to it. A name
/// `<group>:*` sets those of each limit `<group>:...` without figures of its own. Jobs that wait at the limit start as far as the
/// new figures allow; active jobs continue. NULL as `limit` removes the figures: the limit allows everything, and jobs that wait at
/// it start. swarm_call_json answers whether the limit had figures before: `true` or `false`. Fails with
/// SWARM_ERR_INVALID_ARGUMENT, whose message names the wrong field.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_limit(
    master: Option<&swarm_master>,
    name: *const c_char,
    limit: *const swarm_limit,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: the caller's text ends with a NUL.
        let (core, name) = (master.core.clone(), unsafe { text(name, "name") }?.to_owned());
        // SAFETY: a limit that is not NULL starts with its size.
        let figures = if limit.is_null() { None } else { Some(unsafe { read(limit) }?) };
        Ok(swarm_call::spawned(&master.context, "setting a limit", async move {
            Json::of(&match figures {
                Some(figures) => core.limit(&name, figures).await?,
                None => core.remove_limit(&name).await?,
            })
        }))
    })
}

/// Starts to look up a limit, whether it has figures or not. swarm_call_json answers `{"name", "rate", "per", "burst",
/// "concurrency", "active", "blocked", "next_in_ms"}`: the figures that are set, the number of active jobs that have the limit, of
/// those that wait at it, and the time until its rate lets the next one start. swarm_master_queues lists the limits of the cluster.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_limit_info(master: Option<&swarm_master>, name: *const c_char) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let (core, name) = (master.core.clone(), unsafe { text(name, "name") }?.to_owned());
        Ok(swarm_call::spawned(&master.context, "looking up a limit", async move { Json::of(&core.limit_info(&name).await?) }))
    })
}

/// # Safety
/// `limit` is as for [`sized::read`].
unsafe fn read(limit: *const swarm_limit) -> Result<Limit> {
    let defaults = swarm_limit {
        struct_size: size_of::<swarm_limit>(),
        rate: SWARM_DEFAULT,
        per: SWARM_DEFAULT,
        burst: SWARM_DEFAULT,
        concurrency: SWARM_DEFAULT,
    };
    // SAFETY: promised by the caller.
    let given = unsafe { sized::read(limit, defaults, "limit") }?;
    let figure = |name: &str, value: u64| match value {
        SWARM_DEFAULT => Ok(None),
        value => u32::try_from(value).map(Some).map_err(|_| invalid(format!("{name} is {value}, it must be 1 to 1,000,000"))),
    };
    Ok(Limit {
        rate: figure("rate", given.rate)?,
        per: (given.per != SWARM_DEFAULT).then(|| Duration::from_millis(given.per)),
        burst: figure("burst", given.burst)?,
        concurrency: figure("concurrency", given.concurrency)?,
    })
}
