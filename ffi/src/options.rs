//! Options of a member, by names that are the same in every language.

use std::ffi::c_char;

use libswarm::{CredentialsSource, Error, Language, Options, Result};

use crate::guard::{guard_value, text};

/// Options of masters and workers. Only one thread at a time may use them.
pub struct swarm_options {
    options: Options,
    /// The error of the first invalid option; swarm_master_new and swarm_worker_new fail with it.
    problem: Option<Error>,
}

/// Creates options with the defaults, for the cluster with this name. NULL only if memory ran out. If the name is invalid,
/// swarm_master_new and swarm_worker_new fail.
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

/// Sets one option by name. Durations are in milliseconds, lists are comma-separated, booleans are "true" or "false". Unknown
/// names and invalid values are reported when the options are used: swarm_master_new and swarm_worker_new fail with the error of
/// the first. NULL as `options` is ignored.
///
/// `url` (such as `redis://localhost:6379/0`; the reference lists its forms), or host, port, socket, sentinels, sentinel_master, nodes, db; prefix, username, password,
/// credentials_file (JSON with `username` and `password`, instead of those), credentials_interval (100 to one day; 10,000),
/// sentinel_username, sentinel_password, tls, tls_ca, tls_cert, tls_key, tls_verify; lease (1,000 to one day; 15,000), timeout (100 to 1 h;
/// 5,000), max_payload, max_pending_bytes, codec_keys (`id:base64 of 32 bytes`, several with commas between), codec_required, compress_from (64 to
/// 16 MiB), eviction ("refuse" or "warn"), name, group, max_crashes, failed_max, failed_max_bytes,
/// failed_ttl, completed_max, completed_max_bytes, completed_ttl, events ("follow" or "always"), events_max; of workers also slots
/// (unlimited with swarm_worker_on_add; else 10, or the `size` of batches if that is more), priority_slots (1:30,2:20), strict_slots,
/// prefetch, task (once for each), rebalance, window, stop_grace, rejoin, requeue ("front" or "back"). The options of members
/// are listed with their bounds and defaults in the reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_options_set(options: Option<&mut swarm_options>, name: *const c_char, value: *const c_char) {
    guard_value((), || {
        let Some(options) = options else { return };
        // SAFETY: non-NULL texts are NUL-terminated.
        let texts = unsafe { text(name, "name").and_then(|name| Ok((name, text(value, "value")?))) };
        if let Err(error) = texts.and_then(|(name, value)| options.options.set(name, value)) {
            options.problem.get_or_insert(error);
        }
    });
}

/// Frees options. Members that were created from them keep a copy. Accepts NULL.
#[unsafe(no_mangle)]
pub extern "C" fn swarm_options_free(options: Option<Box<swarm_options>>) {
    guard_value((), || drop(options));
}

impl swarm_options {
    pub(crate) fn set_credentials(&mut self, source: CredentialsSource) {
        if let Err(error) = self.options.set_credentials(source) {
            self.problem.get_or_insert(error);
        }
    }

    /// The options, after checking them.
    pub(crate) fn checked(&self) -> Result<Options> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        self.options.check()?;
        Ok(self.options.clone())
    }
}
