//! What an open master and an open worker have in common.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use libswarm::Error;
use libswarm_host::lock::Mutex;
use napi::bindgen_prelude::Function;
use tokio::task::AbortHandle;

use crate::mailbox::Mailbox;
use crate::outgoing::Answer;
use crate::runtime::{self, Runtime};
use libswarm_host::subscriptions::Subscriptions;

/// A member of the core, with its mailbox and its share in the runtime.
pub struct Session<M> {
    pub member: M,
    pub mailbox: Arc<Mailbox>,
    pub threads: Runtime,
    pub subscriptions: Subscriptions,
    waits: Arc<Mutex<HashMap<u32, AbortHandle>>>,
}

impl<M: Clone> Session<M> {
    /// Opens a member and announces its events.
    pub fn open(
        wake: &Function<'_, (), ()>,
        start: impl FnOnce(&Runtime) -> Result<M, Error>,
        announce: impl FnOnce(&M, Arc<Mailbox>),
    ) -> napi::Result<Result<Self, Error>> {
        let mailbox = Arc::new(Mailbox::new(wake)?);
        let started = runtime::share().and_then(|threads| Ok((start(&threads)?, threads)));
        Ok(started.map(|(member, threads)| {
            announce(&member, mailbox.clone());
            Session { member, mailbox, threads, subscriptions: Subscriptions::default(), waits: Arc::default() }
        }))
    }

    /// Answers `token` when the future that `call` returns is done.
    pub fn call<F>(&self, token: u32, call: impl FnOnce(M) -> F)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        let (future, mailbox) = (call(self.member.clone()), self.mailbox.clone());
        self.threads.spawn(async move { mailbox.answer(token, future.await) });
    }

    /// As [`Session::call`], but [`Session::cancel`] can cancel it.
    pub fn wait<F>(&self, token: u32, call: impl FnOnce(M) -> F)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        self.follow(token, |member, mailbox| {
            let future = call(member);
            async move { mailbox.answer(token, future.await) }
        });
    }

    /// As [`Session::wait`], for a future that puts its answers into the mailbox itself.
    pub fn follow<F>(&self, token: u32, call: impl FnOnce(M, Arc<Mailbox>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (future, waits) = (call(self.member.clone(), self.mailbox.clone()), self.waits.clone());
        // Locked while spawning, so that the task cannot remove its entry before it is inserted.
        let mut entries = self.waits.lock();
        let task = self.threads.spawn(async move {
            future.await;
            waits.lock().remove(&token);
        });
        entries.insert(token, task);
    }

    /// Cancels a wait; no answer follows, unless it is already under way.
    pub fn cancel(&self, token: u32) {
        if let Some(task) = self.waits.lock().remove(&token) {
            task.abort();
        }
    }
}

/// The part of every native class: its events, whether it keeps the event loop alive, its calls and its end.
macro_rules! session {
    ($native:ident, $member:ty) => {
        #[napi]
        impl $native {
            /// Writes events and answers into `rows`; call it again while `more` is true.
            #[napi(catch_unwind)]
            pub fn take(&self, mut rows: napi::bindgen_prelude::Float64ArraySlice<'_>) -> Option<crate::outgoing::Batch> {
                // SAFETY: the array is private to lib/channel.js and not shared, and JavaScript does not run during this call.
                let rows = unsafe { rows.as_mut() };
                self.session.as_ref().map(|open| open.mailbox.take(rows, |max| open.member.take_events(max)))
            }

            /// Sets whether it keeps its event loop alive.
            #[napi(catch_unwind)]
            pub fn keep_alive(&self, env: &napi::Env, alive: bool) {
                if let Some(open) = &self.session {
                    open.mailbox.keep_alive(env, alive);
                }
            }

            /// Ends what remains after a close; the object answers no more calls.
            #[napi(catch_unwind)]
            pub fn release(&mut self) {
                self.session = None;
            }
        }

        impl $native {
            /// Answers `token` when the future that `call` returns is done.
            pub(crate) fn call<F>(&self, token: u32, call: impl FnOnce($member) -> F)
            where
                F: Future<Output = Answer> + Send + 'static,
            {
                if let Some(open) = &self.session {
                    open.call(token, call);
                }
            }
        }
    };
}

pub(crate) use session;
