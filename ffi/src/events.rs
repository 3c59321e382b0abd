//! Events: the transitions of jobs, which a master follows.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use libswarm::{Error, ErrorKind, EventsOptions, JobEvent, JobEventKind, JobEvents, Master, Result};
use libswarm_host::lock::{Mutex, MutexGuard};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::call::{call, swarm_call};
use crate::callback::{UserData, swarm_destroy_fn};
use crate::context::Context;
use crate::dispatch::{Deliver, closed};
use crate::error::{shown, swarm_error, text};
use crate::guard::{given, guard, optional_text, place};
use crate::master::swarm_master;
use crate::status::swarm_status;

/// The limit of events taken from the core at once.
const BATCH: usize = 64;

/// What became of a job.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum swarm_job_event_kind {
    /// It was added, and waits.
    SWARM_JOB_EVENT_ADDED = 0,
    /// An add with its unique key replaced it: it has other data, and waits.
    SWARM_JOB_EVENT_REPLACED = 1,
    /// It is delayed until `due_at`.
    SWARM_JOB_EVENT_DELAYED = 2,
    /// It waits for a limit, a resource, a unique key or other jobs: `reason` is "limit", "resource", "unique" or "jobs".
    SWARM_JOB_EVENT_BLOCKED = 3,
    /// Its delay is over, or what blocked it is free: it waits for a worker.
    SWARM_JOB_EVENT_WAITING = 4,
    /// It was assigned to a worker.
    SWARM_JOB_EVENT_ASSIGNED = 5,
    /// Its worker reported progress.
    SWARM_JOB_EVENT_PROGRESS = 6,
    /// It left its worker and waits again, without a failed attempt: `reason` is "" if the worker released it or left, "crashed" if
    /// the worker was lost, "limited" if its handler was refused what it needs.
    SWARM_JOB_EVENT_RELEASED = 7,
    /// An attempt failed, or the job timed out, and it is retried: at `due_at` if that is not 0, else at once. Without a reason: it
    /// had failed, and is retried on request.
    SWARM_JOB_EVENT_RETRYING = 8,
    /// It was completed.
    SWARM_JOB_EVENT_COMPLETED = 9,
    /// It failed permanently.
    SWARM_JOB_EVENT_FAILED = 10,
    /// It was deleted, in any state. A worker that runs it stops.
    SWARM_JOB_EVENT_DELETED = 11,
    /// The schedule `name` adds the job; SWARM_JOB_EVENT_ADDED follows.
    SWARM_JOB_EVENT_SCHEDULE_FIRED = 12,
    /// Events before this one are missing: they are not kept any more, were not recorded, or Redis lost data. It has no job. After a
    /// loss of data, events that are kept may come again.
    SWARM_JOB_EVENT_MISSED = 13,
}

/// A transition of a job. Texts that it does not have are "", numbers 0. Times are those of Redis' clock, in milliseconds since 1970.
/// It is borrowed for the call, with everything to which it points.
#[repr(C)]
pub struct swarm_job_event {
    /// The size of the struct in this library; a later one may be larger.
    pub struct_size: usize,
    /// A swarm_job_event_kind. A later library may have more.
    pub kind: i32,
    /// Where it is in the stream: the argument `after` of a follower that continues behind it.
    pub position: *const c_char,
    /// When it happened.
    pub time: u64,
    /// The job's id.
    pub id: *const c_char,
    /// The job's task. SWARM_JOB_EVENT_COMPLETED, _PROGRESS, _RELEASED and _BLOCKED may lack it.
    pub task: *const c_char,
    /// The incarnation of the worker that runs it, or ran it until now.
    pub worker: *const c_char,
    /// The fencing token of that execution.
    pub fence: u64,
    /// SWARM_JOB_EVENT_FAILED and _RETRYING: the reason, as inspections show it. _RELEASED and _BLOCKED: see these.
    pub reason: *const c_char,
    /// SWARM_JOB_EVENT_FAILED and _RETRYING: the error, at most 256 bytes. _PROGRESS: the progress as JSON, or "" if it is longer.
    pub text: *const c_char,
    /// SWARM_JOB_EVENT_DELAYED and _RETRYING: when the job is due.
    pub due_at: u64,
    /// SWARM_JOB_EVENT_SCHEDULE_FIRED: the id of the schedule. _BLOCKED: the name of the limit, the resource or the unique key.
    pub name: *const c_char,
}

/// Called with each event, in order; `error` is NULL then. Called a last time with NULL as `event` when the following has ended: with
/// SWARM_ERR_CLOSED after the master was closed, or with the error that cannot be repaired. Event and error are borrowed for the call.
pub type swarm_job_event_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, event: *const swarm_job_event, error: *const swarm_error)>;

/// A follower of events. It may be freed before or after its master.
pub struct swarm_events {
    follower: Arc<Follower>,
}

/// Follows the transitions of all jobs of the cluster, in the background. `after` is NULL for what happens from now on, which begins when
/// the call of swarm_events_ready ends; "0" for all that is kept; or the `position` of an event: all behind it. Redis keeps the last
/// 10,000 events, or as many as the option events_max states; SWARM_JOB_EVENT_MISSED stands for those that are not kept any more or were
/// not recorded. It reconnects by itself, and reads ahead no more than some 1,000 events while the callback runs.
///
/// Transitions are recorded while a master follows them and for 30 s after that, or always with the option events. Fails only with
/// SWARM_ERR_INVALID_ARGUMENT, SWARM_ERR_CLOSED or SWARM_ERR_FORKED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_events_new(
    master: Option<&swarm_master>,
    after: *const c_char,
    callback: swarm_job_event_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    events: *mut *mut swarm_events,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let master = swarm_master::open(master)?;
        let function = given(callback, "callback")?;
        let place = place(events, "events")?;
        // SAFETY: a non-NULL text is NUL-terminated.
        let after = unsafe { optional_text(after, "after") }?;
        let options = after.map_or_else(EventsOptions::default, |after| EventsOptions::default().after(after));
        options.check()?;
        master.context.serve()?;
        let follower = Follower::start(&master.core, &master.context, options, Listener { function, user_data });
        place.give(swarm_events { follower });
        Ok(())
    })
}

/// Starts to wait until transitions are recorded. Fails with the error that prevents it.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_events_ready(events: Option<&swarm_events>) -> *mut swarm_call {
    call(|| {
        let follower = &given(events, "events")?.follower;
        follower.context.owner.check()?;
        let mut ready = follower.ready.subscribe();
        Ok(swarm_call::awaited(&follower.context, "starting to follow events", async move {
            let ready = ready.wait_for(Option::is_some).await;
            ready.map_or_else(|_| Err(closed()), |ready| ready.clone().unwrap_or(Ok(())))
        }))
    })
}

/// Stops following and frees the follower. Its callback does not run any more when this function returns, unless it is called inside a
/// callback of its master: then the one that runs is the last. In a forked child it leaks what the parent's threads used. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_events_free(events: Option<Box<swarm_events>>) {
    let Some(events) = events else { return };
    // No panic is possible but for one in `destroy`, which is the program's.
    if events.follower.context.owner.is_here() {
        events.follower.stop();
    } else {
        std::mem::forget(events);
    }
}

struct Listener {
    function: unsafe extern "C" fn(*mut c_void, *const swarm_job_event, *const swarm_error),
    user_data: UserData,
}

/// A task that takes events, and the callback that receives them.
struct Follower {
    context: Arc<Context>,
    state: Mutex<State>,
    /// Locked while the callback runs.
    running: Mutex<()>,
    ready: watch::Sender<Option<Result<()>>>,
}

#[derive(Default)]
struct State {
    /// None once it is stopped, and after the last call.
    listener: Option<Arc<Listener>>,
    task: Option<JoinHandle<()>>,
    batch: Option<Batch>,
}

/// What the callback receives next.
struct Batch {
    events: Vec<JobEvent>,
    /// Nothing follows.
    end: Option<Error>,
    taken: oneshot::Sender<()>,
}

impl Follower {
    fn start(core: &Master, context: &Arc<Context>, options: EventsOptions, listener: Listener) -> Arc<Follower> {
        let state = State { listener: Some(Arc::new(listener)), ..State::default() };
        let (context, state, running) = (context.clone(), Mutex::new(state), Mutex::default());
        let follower = Arc::new(Follower { context, state, running, ready: watch::Sender::new(None) });
        let (core, own) = (core.clone(), follower.clone());
        let task = follower.context.handle.spawn(async move {
            match core.events(options).await {
                Ok(events) => {
                    own.ready.send_replace(Some(Ok(())));
                    // The master may be dropped while it is followed.
                    drop(core);
                    own.follow(events).await;
                }
                Err(error) => {
                    own.ready.send_replace(Some(Err(error.clone())));
                    own.pass(Vec::new(), Some(error)).await;
                }
            }
        });
        follower.lock().task = Some(task);
        follower
    }

    async fn follow(self: &Arc<Self>, mut events: JobEvents) {
        loop {
            match events.next_many(BATCH).await {
                Ok(events) if events.is_empty() => {
                    let error = Error::new(ErrorKind::Closed, "the master is closed");
                    return self.pass(Vec::new(), Some(error)).await;
                }
                Ok(events) => self.pass(events, None).await,
                Err(error) => return self.pass(Vec::new(), Some(error)).await,
            }
        }
    }

    /// Waits until the callback has received these events.
    async fn pass(self: &Arc<Self>, events: Vec<JobEvent>, end: Option<Error>) {
        let (taken, wait) = oneshot::channel();
        self.lock().batch = Some(Batch { events, end, taken });
        self.context.dispatch.push(self.clone());
        // It is not received if the master is freed, which ends this task, too.
        let _ = wait.await;
    }

    fn stop(&self) {
        let mut state = self.lock();
        let (listener, task) = (state.listener.take(), state.task.take());
        state.batch = None;
        drop(state);
        if let Some(task) = task {
            task.abort();
        }
        self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(Err(closed()))).is_some());
        if !self.context.dispatch.is_current() {
            drop(self.running.lock());
        }
        // Runs `destroy`, unless the callback runs on this thread and has a share.
        drop(listener);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Deliver for Follower {
    fn deliver(&self) {
        let _running = self.running.lock();
        let mut state = self.lock();
        let Some(Batch { events, end, taken }) = state.batch.take() else { return };
        drop(state);
        for event in &events {
            // Again for each event: the callback may have stopped it.
            let Some(listener) = self.lock().listener.clone() else { return };
            pass_event(&listener, event);
        }
        if let Some(error) = end
            && let Some(listener) = self.lock().listener.take()
        {
            let error = Some(swarm_error::from(error));
            // SAFETY: the callback and its data belong together; the error lives until it returns.
            unsafe { (listener.function)(listener.user_data.pointer(), std::ptr::null(), shown(&error)) }
        }
        // Fails if the task was stopped meanwhile.
        let _ = taken.send(());
    }
}

fn kind_of(kind: JobEventKind) -> swarm_job_event_kind {
    use swarm_job_event_kind::*;
    match kind {
        JobEventKind::Added => SWARM_JOB_EVENT_ADDED,
        JobEventKind::Replaced => SWARM_JOB_EVENT_REPLACED,
        JobEventKind::Delayed => SWARM_JOB_EVENT_DELAYED,
        JobEventKind::Blocked => SWARM_JOB_EVENT_BLOCKED,
        JobEventKind::Waiting => SWARM_JOB_EVENT_WAITING,
        JobEventKind::Assigned => SWARM_JOB_EVENT_ASSIGNED,
        JobEventKind::Progress => SWARM_JOB_EVENT_PROGRESS,
        JobEventKind::Released => SWARM_JOB_EVENT_RELEASED,
        JobEventKind::Retrying => SWARM_JOB_EVENT_RETRYING,
        JobEventKind::Completed => SWARM_JOB_EVENT_COMPLETED,
        JobEventKind::Failed => SWARM_JOB_EVENT_FAILED,
        JobEventKind::Deleted => SWARM_JOB_EVENT_DELETED,
        JobEventKind::ScheduleFired => SWARM_JOB_EVENT_SCHEDULE_FIRED,
        JobEventKind::Missed => SWARM_JOB_EVENT_MISSED,
    }
}

fn ms_since_1970(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn pass_event(listener: &Listener, event: &JobEvent) {
    // Destructured in full, so that a new field of the core does not compile until it is passed on.
    let JobEvent { position, kind, time, id, task, worker, fence, reason, text: error, due_at, name } = event;
    let texts: [CString; 7] = [position, id, task, worker, reason, error, name].map(|part| text(part));
    let [position, id, task, worker, reason, error, name] = texts.each_ref().map(|part| part.as_ptr());
    let event = swarm_job_event {
        struct_size: size_of::<swarm_job_event>(),
        kind: kind_of(*kind) as i32,
        position,
        time: ms_since_1970(*time),
        id,
        task,
        worker,
        fence: fence.unwrap_or(0),
        reason,
        text: error,
        due_at: due_at.map_or(0, ms_since_1970),
        name,
    };
    // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
    unsafe { (listener.function)(listener.user_data.pointer(), &event, std::ptr::null()) }
}
