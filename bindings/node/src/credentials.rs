//! Credentials that a function of the program returns. `lib/credentials.js` calls it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use libswarm::{Credentials, CredentialsSource};
use libswarm_host::lock::{Condvar, Mutex};
use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;

use crate::mailbox::Mailbox;

/// How long the function may take to answer.
const LIMIT: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Answer {
    /// The number of answers so far.
    number: u64,
    last: Option<Result<Credentials, String>>,
}

struct Asker {
    mailbox: Mailbox,
    answer: Mutex<Answer>,
    answered: Condvar,
}

/// A function of the program, asked from other threads.
#[napi]
pub struct NativeCredentials {
    asker: Arc<Asker>,
}

/// `wake` is called when the function is asked. It does not keep the event loop alive.
#[napi(catch_unwind)]
pub fn open_credentials(env: &Env, wake: Function<'_, (), ()>) -> napi::Result<NativeCredentials> {
    let mailbox = Mailbox::new(&wake)?;
    mailbox.keep_alive(env, false);
    Ok(NativeCredentials { asker: Arc::new(Asker { mailbox, answer: Mutex::default(), answered: Condvar::new() }) })
}

#[napi]
impl NativeCredentials {
    /// The function has returned these.
    #[napi(catch_unwind)]
    pub fn give(&self, username: Option<String>, password: String) {
        self.answer(Ok(Credentials { username, password }));
    }

    /// The function has failed.
    #[napi(catch_unwind)]
    pub fn refuse(&self, why: String) {
        self.answer(Err(why));
    }

    fn answer(&self, answer: Result<Credentials, String>) {
        self.asker.mailbox.rearm();
        let mut state = self.asker.answer.lock();
        (state.number, state.last) = (state.number + 1, Some(answer));
        drop(state);
        self.asker.answered.notify_all();
    }

    pub(crate) fn source(&self) -> CredentialsSource {
        let asker = self.asker.clone();
        CredentialsSource::callback(move || asker.ask())
    }
}

impl Asker {
    /// Blocks until the event loop has answered.
    fn ask(&self) -> Result<Credentials, String> {
        let until = Instant::now() + LIMIT;
        let mut state = self.answer.lock();
        let before = state.number;
        self.mailbox.wake();
        while state.number == before {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("the function has not answered within {} s", LIMIT.as_secs()));
            }
            state = self.answered.wait(state, Some(left));
        }
        state.last.clone().unwrap_or_else(|| Err("the function has not answered".to_owned()))
    }
}
