//! Credentials that a function of the program gives.

use std::ffi::{c_char, c_void};

use libswarm::{Credentials, CredentialsSource};

use crate::callback::{UserData, swarm_destroy_fn};
use crate::guard::{guard, guard_value, optional_text, text};
use crate::options::swarm_options;
use crate::status::swarm_status;

/// Where a callback puts credentials. Valid during the callback.
pub struct swarm_credentials {
    given: Option<Credentials>,
}

/// Gives the credentials by swarm_credentials_set. If it does not, there are none now: members use those that they got last, and
/// report SWARM_ERR_AUTH_FAILED. It runs on a thread of the library, one call at a time for each member, and may block.
pub type swarm_credentials_fn = Option<unsafe extern "C" fn(user_data: *mut c_void, credentials: *mut swarm_credentials)>;

/// Sets the ACL user, NULL for the user `default`, and its password. Copies both.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_credentials_set(
    credentials: Option<&mut swarm_credentials>,
    username: *const c_char,
    password: *const c_char,
) -> swarm_status {
    guard(std::ptr::null_mut(), || {
        // SAFETY: non-NULL texts are NUL-terminated.
        let (username, password) = unsafe { (optional_text(username, "username")?, text(password, "password")?) };
        if let Some(credentials) = credentials {
            credentials.given = Some(Credentials { username: username.map(str::to_owned), password: password.to_owned() });
        }
        Ok(())
    })
}

/// Sets a function that gives the credentials, instead of the options `username` and `password`. It is called at each connection, and
/// in the interval `credentials_interval`; when the credentials have changed, open connections authenticate again. Members that are
/// created from these options share it; `destroy` runs when the options and all of them are freed. NULL as `callback` leaves them
/// unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_options_set_credentials(
    options: Option<&mut swarm_options>,
    callback: swarm_credentials_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
) {
    let user_data = UserData::new(user_data, destroy);
    guard_value((), || {
        let (Some(options), Some(callback)) = (options, callback) else { return };
        options.set_credentials(CredentialsSource::callback(move || {
            let mut credentials = swarm_credentials { given: None };
            // SAFETY: the callback and its data belong together, and `credentials` lives until it returns.
            unsafe { callback(user_data.pointer(), &raw mut credentials) };
            credentials.given.ok_or_else(|| "the callback has set none".to_owned())
        }));
    });
}
