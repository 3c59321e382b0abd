//! Help for the tests of programs: a private Redis, clusters whose clock can be moved, and jobs for callbacks without a cluster.

use std::ffi::{CString, c_char};
use std::sync::Arc;
use std::time::Duration;

use libswarm::testing::{Recorded, TestCluster, TestJob, private_redis, random_name};
use libswarm::{Options, Payload, Result};
use libswarm_host::fork::Origin;
use libswarm_host::lock::Mutex;
use serde_json::value::RawValue;

use crate::bytes::{json, swarm_bytes};
use crate::call::{call, swarm_call};
use crate::context::Context;
use crate::error::{swarm_error, text as c_text};
use crate::guard::{given, guard, guard_value, invalid, optional_text, place};
use crate::job::swarm_job;
use crate::job_options::{swarm_job_options, swarm_new_job};
use crate::jobs::Jobs;
use crate::runtime::{FAREWELL, Runtime, share};
use crate::status::swarm_status;

/// A cluster that no other test uses. Members whose options have its name and its URL belong to it.
pub struct swarm_test_cluster {
    core: TestCluster,
    context: Arc<Context>,
    name: CString,
    url: CString,
    /// Dropped last.
    _runtime: Runtime,
}

/// Creates a cluster with a new name, which begins with `swarm-testing-`, on the Redis for the tests of this process: that of the
/// environment variable SWARM_REDIS_URL, or a private server that the first call starts, within 10 s. The server is the program named
/// by SWARM_REDIS_SERVER, or `redis-server` or `valkey-server` of PATH; it listens on a Unix socket in a temporary directory, stores
/// nothing on disk, and ends when this process has ended, however that ends. Fails with SWARM_ERR_UNAVAILABLE if there is no such
/// program.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_test_cluster_new(
    cluster: *mut *mut swarm_test_cluster,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let place = place(cluster, "cluster")?;
        let (name, url) = (random_name(), private_redis()?);
        let mut options = Options::new(&name);
        options.set("url", &url)?;
        let owner = Origin::current();
        let runtime = share()?;
        let core = TestCluster::new(options, runtime.handle())?;
        let context = Context::new(owner, runtime.handle(), "swarm-testing");
        place.give(swarm_test_cluster { core, context, name: c_text(&name), url: c_text(&url), _runtime: runtime });
        Ok(())
    })
}

/// The name of the cluster, for swarm_options_new. Valid as long as the cluster; "" for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_cluster_name(cluster: Option<&swarm_test_cluster>) -> *const c_char {
    cluster.map_or(c"".as_ptr(), |cluster| cluster.name.as_ptr())
}

/// The address of its Redis, for the option `url`. Valid as long as the cluster; "" for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_cluster_url(cluster: Option<&swarm_test_cluster>) -> *const c_char {
    cluster.map_or(c"".as_ptr(), |cluster| cluster.url.as_ptr())
}

/// Starts to wait until nothing is left to do now: no job waits or is active, and nothing is due. Jobs that wait for a time do not
/// count: delayed ones, those of schedules, and those that only a limit blocks. Ends with SWARM_ERR_TIMEOUT after `limit_ms`, at most
/// 365 days; the message lists the jobs that are left. Callbacks must run meanwhile: on their own threads, or by swarm_member_dispatch.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_test_cluster_settled(cluster: Option<&swarm_test_cluster>, limit_ms: u64) -> *mut swarm_call {
    call(|| {
        let cluster = swarm_test_cluster::open(cluster)?;
        let core = cluster.core.clone();
        Ok(swarm_call::awaited(&cluster.context, "settling", async move { core.settled(Duration::from_millis(limit_ms)).await }))
    })
}

/// Starts to move the cluster's clock ahead, 1 ms to 10 years, as if this time had passed: leases of members that are gone, delays,
/// retries, timeouts, limits, schedules, and the times for which results and failed jobs are kept. First each member is asked to
/// renew its lease; one that does not within a second counts as gone. Leases of the others move with the clock, so none is lost.
/// Then the clock moves from each time at which something is due to the next. At each it waits until the jobs that begin there have
/// ended, at most a second, but not for jobs that were active before. Clocks inside a program do not move.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_test_cluster_advance(cluster: Option<&swarm_test_cluster>, ms: u64) -> *mut swarm_call {
    call(|| {
        let cluster = swarm_test_cluster::open(cluster)?;
        let core = cluster.core.clone();
        let by = Duration::from_millis(ms);
        Ok(swarm_call::spawned(&cluster.context, "moving the clock", async move { core.advance(by).await }))
    })
}

/// Removes the cluster from Redis, waiting at most a second, and frees it. Free its members before. In a forked child it only leaks
/// what the parent's threads used. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_cluster_free(cluster: Option<Box<swarm_test_cluster>>) {
    guard_value((), || {
        let Some(cluster) = cluster else { return };
        if !cluster.context.owner.is_here() {
            return std::mem::forget(cluster);
        }
        let core = cluster.core.clone();
        let removal = swarm_call::spawned(&cluster.context, "removing the cluster", async move { core.obliterate().await });
        // Without an answer the keys stay, which no other test uses.
        let _ = removal.wait(FAREWELL.as_millis() as u64);
    });
}

impl swarm_test_cluster {
    fn open(cluster: Option<&swarm_test_cluster>) -> Result<&swarm_test_cluster> {
        let cluster = given(cluster, "cluster")?;
        cluster.context.owner.check()?;
        Ok(cluster)
    }
}

/// A job that no worker was assigned, to call a process callback with it. Nothing of it uses Redis.
pub struct swarm_test_job {
    core: TestJob,
    job: Arc<swarm_job>,
    /// What swarm_test_job_recorded returned last.
    recorded: Mutex<CString>,
    /// Dropped last.
    _runtime: Runtime,
}

/// Creates a job with this payload, and the options with which it would be added, or NULL for the defaults. `attempt` is the number of
/// the attempt, from 1. `last_checkpoint` is that of an earlier execution, as JSON text; NULL for none. Fails with
/// SWARM_ERR_INVALID_ARGUMENT.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_test_job_new(
    payload: swarm_bytes,
    options: *const swarm_job_options,
    attempt: u32,
    last_checkpoint: *const c_char,
    job: *mut *mut swarm_test_job,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let place = place(job, "job")?;
        if attempt == 0 {
            return Err(invalid("attempt is 0, it must be 1 or more"));
        }
        // SAFETY: the caller's payload and options are readable, and a non-NULL text is NUL-terminated.
        let (new, checkpoint) =
            unsafe { (swarm_new_job { payload, options }.read()?, optional_text(last_checkpoint, "last_checkpoint")?) };
        let mut core = TestJob::new(new).attempt(attempt);
        if let Some(checkpoint) = checkpoint {
            // SAFETY: the bytes are those of the text.
            let checkpoint = unsafe { json(checkpoint.as_bytes().into(), "last_checkpoint") }?;
            let checkpoint: Box<RawValue> = Payload::raw_json(checkpoint).to()?;
            core = core.last_checkpoint(&checkpoint)?;
        }
        let owner = Origin::current();
        let runtime = share()?;
        let (job, worker) = core.on(runtime.handle())?;
        let jobs = Arc::new(Jobs::new(Context::new(owner, runtime.handle(), "swarm-testing")));
        jobs.start(worker, runtime.handle().clone());
        let job = Arc::new(swarm_job::lent(job, jobs));
        place.give(swarm_test_job { core, job, recorded: Mutex::default(), _runtime: runtime });
        Ok(())
    })
}

/// The job, for a process callback. Valid as long as the test's job; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_job_job(job: Option<&swarm_test_job>) -> *const swarm_job {
    job.map_or(std::ptr::null(), |job| Arc::as_ptr(&job.job))
}

/// What was done with the job, as JSON: `{"progress": [...], "checkpoints": [...], "log": [...]}`, each in the order of the calls. The
/// result of a process callback is not recorded: the test has it. Valid until the next call for this job; "" for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_job_recorded(job: Option<&swarm_test_job>) -> *const c_char {
    guard_value(c"".as_ptr(), || {
        let Some(job) = job else { return c"".as_ptr() };
        let Recorded { progress, checkpoints, log, .. } = job.core.recorded();
        let log = serde_json::to_string(&log).unwrap_or_default();
        let [progress, checkpoints] = [progress, checkpoints].map(|list| list.join(","));
        let text = format!(r#"{{"progress":[{progress}],"checkpoints":[{checkpoints}],"log":{log}}}"#);
        let mut recorded = job.recorded.lock();
        *recorded = c_text(&text);
        recorded.as_ptr()
    })
}

/// Asks the callback to stop, as a deletion of the job does: swarm_job_cancelled returns true from now on.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_job_cancel(job: Option<&swarm_test_job>) {
    guard_value((), || {
        if let Some(job) = job {
            job.core.cancel();
        }
    });
}

/// Frees the job of a test. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_test_job_free(job: Option<Box<swarm_test_job>>) {
    guard_value((), || drop(job));
}
