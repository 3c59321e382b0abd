//! Options of a member, by the names they have in every language.

use std::ffi::c_char;

use libswarm::{Error, Language, Options, Result};

use crate::error::swarm_error;
use crate::guard::{given, guard, guard_value, text};
use crate::status::swarm_status;

/// Options to make masters and workers from. Not for use by two threads at once.
pub struct swarm_options {
    options: Options,
    /// The first failure of a setter without a status; it makes swarm_master_new and swarm_worker_new fail.
    problem: Option<Error>,
}

/// The defaults, for the cluster of this name. Never NULL unless memory ran out; a bad name is refused by
/// swarm_master_new and swarm_worker_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_options_new(cluster: *const c_char) -> Option<Box<swarm_options>> {
    guard_value(None, || {
        // SAFETY: a non-NULL text is NUL-terminated.
        let (cluster, problem) = match unsafe { text(cluster, "cluster") } {
            Ok(cluster) => (cluster, None),
            Err(error) => ("", Some(error)),
        };
        Language::C.make_current();
        let mut options = Options::new(cluster);
        options.language = "c".into();
        Some(Box::new(swarm_options { options, problem }))
    })
}

/// Sets one option by name. Durations are in milliseconds, lists are comma-separated, booleans are "true" or "false". A
/// refused option leaves the others as they were. The names: url, host, port, socket, sentinels, sentinel_master, nodes,
/// db, prefix, username, password, sentinel_username, sentinel_password, tls, tls_ca, tls_cert, tls_key, tls_verify, lease,
/// timeout, max_payload, max_pending_bytes, eviction ("refuse" or "warn"), name, group, max_crashes, failed_max,
/// failed_max_bytes, failed_ttl; of workers also slots, priority_slots (1:30,2:20), strict_slots, prefetch, task (once for each),
/// rebalance, window, stop_grace, rejoin, requeue ("front" or "back"). Their bounds are in docs/reference/c-api.md, and in each error.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_options_set(
    options: Option<&mut swarm_options>,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        // SAFETY: non-NULL texts are NUL-terminated.
        let (name, value) = unsafe { (text(name, "name")?, text(value, "value")?) };
        given(options, "options")?.options.set(name, value)
    })
}

/// Where Redis is: redis://user:password@host:port/db, rediss://..., unix:///path/to/socket?db=0,
/// redis+sentinel://host:port,host:port/master/db or redis+cluster://host:port,host:port. A bad url is refused by
/// swarm_master_new and swarm_worker_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_options_set_url(options: Option<&mut swarm_options>, url: *const c_char) {
    // SAFETY: a non-NULL text is NUL-terminated.
    set_later_told(options, |options| options.set("url", unsafe { text(url, "url") }?));
}

/// The member's name, for people. A bad name is refused by swarm_master_new and swarm_worker_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_options_set_name(options: Option<&mut swarm_options>, name: *const c_char) {
    // SAFETY: a non-NULL text is NUL-terminated.
    set_later_told(options, |options| options.set("name", unsafe { text(name, "name") }?));
}

/// Jobs that a worker holds at most; unless set, 10 with callbacks of swarm_worker_process only, else unlimited. 0 is refused by swarm_worker_new.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_options_set_slots(options: Option<&mut swarm_options>, slots: u32) {
    set_later_told(options, |options| {
        options.slots = Some(slots);
        Ok(())
    });
}

/// How long a member may stay silent before its jobs go elsewhere, in milliseconds; 15,000 unless set, 1,000 to one day.
/// Other values are refused by swarm_master_new and swarm_worker_new.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_options_set_lease(options: Option<&mut swarm_options>, milliseconds: u64) {
    set_later_told(options, |options| options.set("lease", &milliseconds.to_string()));
}

/// Frees options. The members made from them keep their own copy. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_options_free(options: Option<Box<swarm_options>>) {
    guard_value((), || drop(options));
}

impl swarm_options {
    /// The options, checked.
    pub(crate) fn checked(&self) -> Result<Options> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        self.options.check()?;
        Ok(self.options.clone())
    }
}

/// Runs a setter that returns nothing: its first failure is kept and told when a member is made.
fn set_later_told(options: Option<&mut swarm_options>, set: impl FnOnce(&mut Options) -> Result<()>) {
    guard_value((), || {
        if let Some(options) = options
            && let Err(error) = set(&mut options.options)
        {
            options.problem.get_or_insert(error);
        }
    });
}
