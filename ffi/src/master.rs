//! Masters: creating, closing and freeing them.

use std::sync::Arc;

use libswarm::{Event, Master, Result};

use crate::call::{call, swarm_call};
use crate::choosers::Choosers;
use crate::context::Context;
use crate::dispatch::Source;
use crate::error::swarm_error;
use crate::guard::{given, guard, place};
use crate::member::{Core, Member, swarm_member};
use crate::options::swarm_options;
use crate::runtime::{FAREWELL, Runtime, share};
use crate::status::swarm_status;
use libswarm_host::fork::Origin;

/// The limit of events taken from the core at once.
const BATCH: usize = 64;

/// Adds and deletes jobs, and awaits results. All functions except swarm_master_free may be called from many threads at once.
pub struct swarm_master {
    shared: swarm_member,
    master: Arc<MasterMember>,
    /// Dropped after the member, which needs it until its end.
    _runtime: Runtime,
}

pub(crate) struct MasterMember {
    pub(crate) core: Master,
    pub(crate) member: Arc<Member>,
    pub(crate) context: Arc<Context>,
    pub(crate) choosers: Arc<Choosers>,
}

/// Creates a master and starts to connect in the background; see swarm_member_ready. Fails only if options are invalid, with the
/// error of the first invalid one. The caller keeps the options.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_new(
    options: Option<&swarm_options>,
    master: *mut *mut swarm_master,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let options = given(options, "options")?.checked()?;
        let place = place(master, "master")?;
        let owner = Origin::current();
        let runtime = share()?;
        let core = Master::start(options, runtime.handle())?;
        let context = Context::new(owner, runtime.handle(), "swarm-master");
        let wake = context.dispatch.clone();
        core.set_wake(move || wake.signal());
        let shared = swarm_member::new(context.clone());
        shared.shared().start(Core::Master(core.clone()));
        let member = shared.shared().clone();
        let choosers = Choosers::new(core.clone(), member.clone());
        let master = Arc::new(MasterMember { core, member, context, choosers });
        master.context.set_source(&master);
        place.give(swarm_master { shared, master, _runtime: runtime });
        Ok(())
    })
}

/// The interface that masters and workers share: events, messages, health. Valid as long as the master; NULL for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_master_member(master: Option<&swarm_master>) -> *const swarm_member {
    master.map_or(std::ptr::null(), |master| &master.shared)
}

/// Starts to close the master: it sends pending adds, leaves the cluster and closes the connections. Later calls end with
/// SWARM_ERR_CLOSED.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_close(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let closing = swarm_master::open(master)?.clone();
        let context = closing.context.clone();
        Ok(swarm_call::outside(&context, "closing the master", async move {
            let closed = closing.core.close().await;
            closing.choosers.end();
            closed
        }))
    })
}

/// Starts to remove every key of the cluster, even while other members use it: for tests, and to retire a cluster.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_obliterate(master: Option<&swarm_master>) -> *mut swarm_call {
    call(|| {
        let master = swarm_master::open(master)?;
        let core = master.core.clone();
        Ok(swarm_call::spawned(&master.context, "removing the cluster", async move { core.obliterate().await }))
    })
}

/// Closes the master if it is open, waiting at most a second for Redis, and frees it. Callbacks of open calls run with
/// SWARM_ERR_CLOSED on the calling thread before this function returns; none run after it. Inside a callback of this master it
/// changes nothing and returns SWARM_ERR_IN_CALLBACK. In a forked child it leaks what the parent's threads used and returns
/// SWARM_OK. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_master_free(master: Option<Box<swarm_master>>) -> swarm_status {
    let Some(master) = master.map(Box::into_raw) else { return swarm_status::SWARM_OK };
    guard(std::ptr::null_mut(), || {
        // SAFETY: the pointer is the box's from above.
        let open = unsafe { &(*master).master };
        if !open.context.owner.is_here() {
            return Ok(());
        }
        open.context.dispatch.check_outside("freeing")?;
        let core = open.core.clone();
        let farewell = swarm_call::spawned(&open.context, "closing", async move { core.close().await });
        // It was closed before, or Redis is not available: both need no further action.
        let _ = farewell.wait(FAREWELL.as_millis() as u64);
        open.choosers.end();
        open.context.dispatch.stop();
        open.choosers.clear();
        open.member.listeners.clear();
        // SAFETY: no callback runs any more, and the caller passed the handle's ownership.
        drop(unsafe { Box::from_raw(master) });
        Ok(())
    })
}

impl swarm_master {
    /// The member of a handle, if it may be used in this process.
    pub(crate) fn open(master: Option<&swarm_master>) -> Result<&Arc<MasterMember>> {
        let master = &given(master, "master")?.master;
        master.context.owner.check()?;
        Ok(master)
    }
}

impl Source for MasterMember {
    fn run_batch(&self) -> bool {
        let events = self.core.take_events(BATCH);
        let more = events.len() == BATCH;
        if !events.is_empty() {
            let listeners = self.member.listeners.now();
            events.into_iter().for_each(|event: Event| listeners.call(event));
        }
        more
    }
}
