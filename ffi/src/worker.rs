//! Workers: creating, terminating and freeing them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libswarm::{Options, Result, Worker};
use libswarm_host::lock::Mutex;

use crate::call::{call, swarm_call};
use crate::callback::Registry;
use crate::context::Context;
use crate::error::swarm_error;
use crate::gathering::Batches;
use crate::guard::{given, guard, invalid, place};
use crate::handlers::Handlers;
use crate::job::swarm_job;
use crate::jobs::Jobs;
use crate::member::{Core, Member, swarm_member};
use crate::messages::subscriptions;
use crate::options::swarm_options;
use crate::runtime::{FAREWELL, Runtime, share};
use crate::status::swarm_status;
use libswarm_host::fork::Origin;

/// Accepts jobs and runs them. All functions except swarm_worker_free may be called from many threads at once.
pub struct swarm_worker {
    shared: swarm_member,
    worker: Arc<WorkerMember>,
    /// Dropped after the member, which needs it until its end.
    _runtime: Runtime,
}

pub(crate) struct WorkerMember {
    pub(crate) member: Arc<Member>,
    pub(crate) context: Arc<Context>,
    pub(crate) handlers: Registry<Handlers>,
    pub(crate) jobs: Arc<Jobs<swarm_job>>,
    pub(crate) batches: Arc<Batches>,
    pub(crate) options: Options,
    /// The tasks that the program has set. Locked while the accepted tasks change, and while the worker starts.
    pub(crate) named_tasks: Mutex<Vec<String>>,
}

/// Creates a worker. It neither connects nor accepts jobs before swarm_worker_start. Fails only if options are invalid, with the
/// error of the first invalid one. The caller keeps the options.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_new(
    options: Option<&swarm_options>,
    worker: *mut *mut swarm_worker,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let options = given(options, "options")?.checked()?;
        let place = place(worker, "worker")?;
        let owner = Origin::current();
        let runtime = share()?;
        let context = Context::new(owner, runtime.handle(), "swarm-worker");
        let shared = swarm_member::new(context.clone());
        let worker = Arc::new(WorkerMember {
            member: shared.shared().clone(),
            context: context.clone(),
            handlers: Registry::default(),
            jobs: Arc::new(Jobs::new(context)),
            batches: Arc::default(),
            named_tasks: Mutex::new(options.tasks.clone()),
            options,
        });
        worker.context.set_source(&worker);
        place.give(swarm_worker { shared, worker, _runtime: runtime });
        Ok(())
    })
}

/// The interface that masters and workers share: events, messages, health. Valid as long as the worker; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_worker_member(worker: Option<&swarm_worker>) -> *const swarm_member {
    worker.map_or(std::ptr::null(), |worker| &worker.shared)
}

/// Starts to connect and to accept jobs, in the background; see swarm_member_ready. Call it once for each worker. Requires a
/// callback for jobs: swarm_worker_on_add, swarm_worker_process or swarm_worker_process_batches.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_start(worker: Option<&swarm_worker>, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || {
        let worker = swarm_worker::open(worker)?;
        let named = worker.named_tasks.lock();
        if worker.member.is_started() {
            return Err(invalid("the worker was started before; create a new one to start again"));
        }
        let handlers = worker.handlers.now();
        if handlers.plain.is_none() && handlers.tasks.is_empty() {
            return Err(invalid(
                "the worker has no callback for jobs; set one with swarm_worker_on_add, swarm_worker_process or swarm_worker_process_batches first",
            ));
        }
        let slots = worker.options.slots.or_else(|| handlers.default_slots());
        let options = Options { tasks: handlers.tasks_taken(&named), slots, ..worker.options.clone() };
        worker.context.serve()?;
        let core = Worker::start(options, &worker.context.handle)?;
        worker.jobs.start(core.clone(), worker.context.handle.clone());
        let (wake, events) = (worker.context.dispatch.clone(), core.clone());
        // The lock held above makes this the only call that sets it.
        worker.member.start(Core::Worker(core));
        // Callbacks may have been set meanwhile.
        events.report_outcomes(worker.handlers.now().want_outcomes());
        events.set_wake(move || wake.signal());
        subscriptions::begin_all(&worker.member);
        Ok(())
    })
}

/// Starts to drain: the worker accepts no new jobs and requeues those whose callback has not run. The call ends when its
/// active jobs are finished. After SWARM_ERR_TIMEOUT the worker still accepts none. Callbacks continue meanwhile, and a wait
/// includes them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_drain(worker: Option<&swarm_worker>) -> *mut swarm_call {
    call(|| {
        let worker = swarm_worker::open(worker)?;
        let (core, waiting) = (worker.member.worker()?.clone(), worker.batches.clone());
        Ok(swarm_call::joined(&worker.context, "draining", async move {
            let (drained, ()) = tokio::join!(core.drain(), async { waiting.requeue(&core) });
            drained
        }))
    })
}

/// Starts to terminate the worker: it runs a delete callback for each active job, waits up to `grace_ms` (at most a day) until
/// their owners end their ownership, requeues the rest, and runs the close callback. Callbacks run meanwhile as in
/// swarm_worker_drain; when a wait returns, all of them have run. A second call ends with SWARM_ERR_CLOSED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_worker_terminate(worker: Option<&swarm_worker>, grace_ms: u64) -> *mut swarm_call {
    call(|| {
        let worker = swarm_worker::open(worker)?;
        let (core, grace) = (worker.member.worker()?.clone(), Duration::from_millis(grace_ms));
        Ok(swarm_call::joined(&worker.context, "terminating", async move { core.terminate(grace).await }))
    })
}

/// Terminates the worker if it runs, without grace and waiting at most a second for Redis, and frees it. No callback runs after
/// it. Jobs that the program still owns can be read until they are freed; finishing them returns SWARM_ERR_CLOSED. Inside a
/// callback of this worker it changes nothing and returns SWARM_ERR_IN_CALLBACK. In a forked child it leaks what the parent's
/// threads used and returns SWARM_OK. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_worker_free(worker: Option<Box<swarm_worker>>) -> swarm_status {
    let Some(worker) = worker.map(Box::into_raw) else { return swarm_status::SWARM_OK };
    guard(std::ptr::null_mut(), || {
        // SAFETY: the pointer is the box's from above.
        let open = unsafe { &(*worker).worker };
        if !open.context.owner.is_here() {
            return Ok(());
        }
        open.context.dispatch.check_outside("freeing")?;
        if let Ok(core) = open.member.worker() {
            let core = core.clone();
            let farewell = swarm_call::joined(&open.context, "terminating", async move { core.terminate(Duration::ZERO).await });
            // It was terminated before, or Redis is not available: both need no further action.
            let _ = farewell.wait(FAREWELL.as_millis() as u64);
            // A termination for which the program did not wait may still be under way.
            open.context.dispatch.wait_settled(&**open, Instant::now() + FAREWELL);
        }
        open.context.dispatch.stop();
        open.jobs.close();
        drop(open.batches.end());
        open.handlers.clear();
        open.member.listeners.clear();
        // SAFETY: no callback runs any more, and the caller passed the handle's ownership.
        drop(unsafe { Box::from_raw(worker) });
        Ok(())
    })
}

impl swarm_worker {
    /// The worker of a handle, if it may be used in this process.
    pub(crate) fn open(worker: Option<&swarm_worker>) -> Result<&Arc<WorkerMember>> {
        let worker = &given(worker, "worker")?.worker;
        worker.context.owner.check()?;
        Ok(worker)
    }
}
