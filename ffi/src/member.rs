//! What masters and workers share: their registration, their events, and the thread for their callbacks.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use libswarm::{Event, Health, Master, Messages, Result, Stats, Worker};
use tokio::sync::oneshot;

use crate::call::{Answer, call, swarm_call};
use crate::callback::{Registry, UserData, swarm_destroy_fn};
use crate::context::Context;
use crate::error::{shown, swarm_error, text as c_text};
use crate::guard::{given, guard, guard_value, invalid, place, texts};
use crate::status::swarm_status;
use libswarm_host::subscriptions::Subscriptions;

/// The common interface of masters and workers. It belongs to its master or worker; the program never frees it. All functions may
/// be called from many threads at once.
pub struct swarm_member {
    member: Arc<Member>,
}

/// Called when a member is registered; `incarnation` is its new identity in Redis, borrowed for the call.
pub type swarm_ready_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, incarnation: *const c_char)>;

/// Called when a member was closed; `error` is NULL if the program closed it, else the reason.
pub type swarm_close_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error)>;

/// Called for a problem in the background, such as a lost connection, once until it changes. `error` is borrowed.
pub type swarm_error_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, error: *const swarm_error)>;

/// Starts to wait until the member is registered and subscribed to the events for which callbacks were set before. The call ends
/// at once with a permanent error (wrong password, ...), and after the option `timeout` with the last connection error; the
/// member continues to connect.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_ready(member: Option<&swarm_member>) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        let (core, subscriptions) = (member.core()?.clone(), member.subscriptions.clone());
        Ok(swarm_call::awaited(&member.context, "registering the member", async move {
            core.ready().await?;
            subscriptions.settled().await;
            Ok(())
        }))
    })
}

/// Sets the callback for registrations; it is called after each new registration. NULL removes it. Set it before the other
/// callbacks of a master: a registration before the first on_* or swarm_call_on_done is still reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_ready(
    member: Option<&swarm_member>,
    callback: swarm_ready_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Ready { incarnation } = event {
                let incarnation = c_text(&incarnation);
                // SAFETY: the callback and its data belong together; the text lives until it returns.
                unsafe { function(user_data.pointer(), incarnation.as_ptr()) }
            }
        })
    });
    listen(member, Kind::Ready, listener);
}

/// Sets the callback for the end of the member: closed or terminated by the program (`error` is NULL), or a lost lease. After a
/// lost lease the member registers anew, unless the option `rejoin` is false. For all jobs of a worker the delete callback ran
/// before. NULL removes the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_close(
    member: Option<&swarm_member>,
    callback: swarm_close_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Close(reason) = event {
                let reason = reason.map(swarm_error::from);
                // SAFETY: the callback and its data belong together; the error lives until it returns.
                unsafe { function(user_data.pointer(), shown(&reason)) }
            }
        })
    });
    listen(member, Kind::Close, listener);
}

/// Sets the callback for problems in the background; NULL removes it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_on_error(
    member: Option<&swarm_member>,
    callback: swarm_error_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    let listener = callback.map(|function| {
        listener(move |event| {
            if let Event::Error(error) = event {
                let error = swarm_error::from(error);
                // SAFETY: the callback and its data belong together; the error lives until it returns.
                unsafe { function(user_data.pointer(), &error) }
            }
        })
    });
    listen(member, Kind::Error, listener);
}

/// Makes the member's callbacks run on a thread of the program, in swarm_member_dispatch, and writes a descriptor that is
/// readable while callbacks wait. Call it before swarm_worker_start of a worker, or before the first on_* or swarm_call_on_done
/// of a master. The member owns the descriptor: poll it, but neither read nor close it. Not available on Windows.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_fd(
    member: Option<&swarm_member>,
    fd: *mut c_int,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_member::open(member)?;
        let place = place(fd, "fd")?;
        place.set(member.context.fd()?);
        Ok(())
    })
}

/// Runs waiting callbacks on the calling thread; returns at once if there are none. It runs at most a few hundred at a time: the
/// descriptor stays readable while more wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_member_dispatch(member: Option<&swarm_member>, error: *mut *mut swarm_error) -> swarm_status {
    guard(error, || swarm_member::open(member)?.context.run_callbacks())
}

/// Starts to delete jobs of the cluster in any state. Their workers are notified to stop. For each id, swarm_call_existed returns
/// whether the job existed.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_member_delete(
    member: Option<&swarm_member>,
    ids: *const *const c_char,
    count: usize,
) -> *mut swarm_call {
    call(|| {
        let member = swarm_member::open(member)?;
        let core = member.core()?.clone();
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let ids = unsafe { texts(ids, count, "ids") }?;
        Ok(swarm_call::spawned(&member.context, "deleting jobs", async move { core.delete(ids).await }))
    })
}

/// Whether the job of each id existed.
pub(crate) struct Deleted(Vec<bool>);

impl Answer for Deleted {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn existed(&self, index: usize) -> bool {
        self.0.get(index).copied().unwrap_or(false)
    }
}

/// The core's handle of a member.
#[derive(Clone)]
pub(crate) enum Core {
    Master(Master),
    Worker(Worker),
}

impl Core {
    async fn ready(&self) -> Result<()> {
        match self {
            Core::Master(core) => core.ready().await,
            Core::Worker(core) => core.ready().await,
        }
    }

    async fn delete(&self, ids: Vec<String>) -> Result<Deleted> {
        match self {
            Core::Master(core) => core.delete_many(ids).await.map(Deleted),
            Core::Worker(core) => core.delete_many(ids).await.map(Deleted),
        }
    }

    pub(crate) fn health(&self) -> Health {
        match self {
            Core::Master(core) => core.health(),
            Core::Worker(core) => core.health(),
        }
    }

    pub(crate) async fn stats(&self) -> Result<Stats> {
        match self {
            Core::Master(core) => core.stats().await,
            Core::Worker(core) => core.stats().await,
        }
    }

    /// `ready` resolves when the program's callback has returned, or will not be called any more.
    pub(crate) fn exit_on_kill(&self, grace: Duration, ready: oneshot::Receiver<()>) -> Result<()> {
        let hook = libswarm_host::exit::on_request(grace, |_, _| async { drop(ready.await) })?;
        match self {
            Core::Master(core) => core.on_kill(hook),
            Core::Worker(core) => core.on_kill(hook),
        }
        Ok(())
    }

    fn messages(&self) -> Messages {
        match self {
            Core::Master(core) => core.messages(),
            Core::Worker(core) => core.messages(),
        }
    }

    fn incarnation(&self) -> Option<String> {
        match self {
            Core::Master(core) => core.incarnation(),
            Core::Worker(core) => core.incarnation(),
        }
    }
}

pub(crate) struct Member {
    pub(crate) context: Arc<Context>,
    core: OnceLock<Core>,
    pub(crate) listeners: Registry<Listeners>,
    pub(crate) subscriptions: Subscriptions,
}

impl swarm_member {
    pub(crate) fn new(context: Arc<Context>) -> swarm_member {
        let (core, listeners, subscriptions) = (OnceLock::new(), Registry::default(), Subscriptions::default());
        swarm_member { member: Arc::new(Member { context, core, listeners, subscriptions }) }
    }

    pub(crate) fn shared(&self) -> &Arc<Member> {
        &self.member
    }

    /// The member of a handle, if it may be used in this process.
    pub(crate) fn open(member: Option<&swarm_member>) -> Result<&Arc<Member>> {
        let member = &given(member, "member")?.member;
        member.context.owner.check()?;
        Ok(member)
    }
}

impl Member {
    /// Called once, when the member starts.
    pub(crate) fn start(&self, core: Core) {
        let _ = self.core.set(core);
    }

    pub(crate) fn core(&self) -> Result<&Core> {
        self.core.get().ok_or_else(|| invalid("the worker is not started; call swarm_worker_start first"))
    }

    pub(crate) fn worker(&self) -> Result<&Worker> {
        match self.core()? {
            Core::Worker(core) => Ok(core),
            Core::Master(_) => Err(invalid("the member is a master")),
        }
    }

    pub(crate) fn is_started(&self) -> bool {
        self.core.get().is_some()
    }

    pub(crate) fn messages(&self) -> Result<Messages> {
        self.core().map(Core::messages)
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.core.get().is_some_and(|core| core.incarnation().is_some())
    }

    /// Sets or removes the callback for a kind of event.
    pub(crate) fn listen(&self, kind: Kind, listener: Option<Listener>) {
        self.listeners.change(|listeners| match listener {
            Some(listener) => drop(listeners.called.insert(kind, listener)),
            None => drop(listeners.called.remove(&kind)),
        });
        // The callback thread of a worker starts with the worker: its descriptor may be requested until then. A failure to start
        // the thread cannot be reported here; the next call reports it.
        if self.is_started() {
            let _ = self.context.serve();
        }
    }
}

/// The kind of callback for an event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ready,
    Close,
    Error,
    Message,
    Kill,
    Peer,
}

pub(crate) type Listener = Arc<dyn Fn(Event) + Send + Sync>;

pub(crate) fn listener(function: impl Fn(Event) + Send + Sync + 'static) -> Listener {
    Arc::new(function)
}

/// The callbacks of a member, except those for jobs.
#[derive(Clone, Default)]
pub(crate) struct Listeners {
    called: BTreeMap<Kind, Listener>,
    /// Called after the callback for a request to exit.
    pub(crate) after_kill: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Listeners {
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.called.contains_key(&kind)
    }

    /// Calls the callback for an event that does not concern a job.
    pub(crate) fn call(&self, event: Event) {
        let kind = match &event {
            Event::Ready { .. } => Kind::Ready,
            Event::Close(_) => Kind::Close,
            Event::Error(_) => Kind::Error,
            Event::Message(_) => Kind::Message,
            Event::Kill { .. } => Kind::Kill,
            Event::Member { .. } => Kind::Peer,
            Event::Add(_) | Event::Delete { .. } | Event::Completed { .. } | Event::Failed { .. } | Event::Retrying { .. } => {
                return;
            }
        };
        if let Some(listener) = self.called.get(&kind) {
            listener(event);
        }
        if kind == Kind::Kill
            && let Some(after) = &self.after_kill
        {
            after();
        }
    }
}

fn listen(member: Option<&swarm_member>, kind: Kind, listener: Option<Listener>) {
    guard_value((), || {
        if let Ok(member) = swarm_member::open(member) {
            member.listen(kind, listener);
        }
    });
}
