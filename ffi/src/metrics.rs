//! Metrics of the cluster.

use std::ffi::{CString, c_char};

use libswarm::Error;

use crate::call::{Answer, call, swarm_call};
use crate::error::text as c_text;
use crate::guard::{optional_text, text};
use crate::json::Json;
use crate::master::swarm_master;

/// The text of metrics.
struct Text(CString);

impl Answer for Text {}

/// Starts to read the metrics of the cluster; swarm_call_text answers them in the text format of Prometheus. Counters are exact, and
/// continue through restarts of members and of Redis.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_metrics(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "reading metrics", async move {
            Ok::<_, Error>(Text(c_text(&core.metrics().await?)))
        }))
    })
}

/// The answer of swarm_master_metrics, UTF-8 with a final NUL. NULL before the call has ended. Valid as long as the call.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_call_text(call: Option<&swarm_call>) -> *const c_char {
    swarm_call::read::<Text>(call).map_or(std::ptr::null(), |text| text.0.as_ptr())
}

/// Starts to read the counts of each task in slots of a minute (`resolution` "minute"; the last 24 hours are kept) or an hour ("hour";
/// 30 days), from that of `start_ms` until before `end_ms`, in ms since 1970 on Redis' clock; 0 for the first that is kept, or until
/// now. `task` is NULL for all tasks, "" for jobs without one. swarm_call_json answers a list in the order of time, of objects with
/// `start_ms`, `task`, `completed`, `failed`, `retried`, `released`, `deleted`, and `wait` and `run`: objects with `count`, `buckets`
/// (28 numbers, the first of times up to 1 ms, each next one up to twice as long, the last without a bound), and, if there are any,
/// `p50_ms`, `p95_ms` and `p99_ms`. A slot without ends of jobs has no object. Fails with SWARM_ERR_INVALID_ARGUMENT for another
/// resolution, or if `start_ms` is later than `end_ms`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_metrics_history(
    master: Option<&swarm_master>,
    resolution: *const c_char,
    start_ms: u64,
    end_ms: u64,
    task: *const c_char,
) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        // SAFETY: non-NULL texts are NUL-terminated.
        let (resolution, task) =
            unsafe { (text(resolution, "resolution")?.to_owned(), optional_text(task, "task")?.map(str::to_owned)) };
        let end = Some(end_ms).filter(|end| *end > 0);
        Ok(swarm_call::spawned(&master.context, "reading metrics", async move {
            Json::of(&core.metrics_history_of(&resolution, Some(start_ms), end, task.as_deref()).await?)
        }))
    })
}
