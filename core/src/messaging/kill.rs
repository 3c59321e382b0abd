//! Requests that the program exits.

use futures_util::future::BoxFuture;
use libswarm_common::lock::Mutex;

use crate::model::message::MemberRef;

/// Lets the member leave the cluster: a worker is terminated without grace, a master is closed. Resolves when that is done.
pub type Leave = BoxFuture<'static, ()>;

type Hook = Box<dyn FnOnce(i32, MemberRef, Leave) + Send>;

/// The function that is called at the first request, if the program set one.
#[derive(Default)]
pub(crate) struct KillHook(Mutex<Option<(Hook, Leave)>>);

impl KillHook {
    pub(crate) fn set(&self, hook: impl FnOnce(i32, MemberRef, Leave) + Send + 'static, leave: Leave) {
        *self.0.lock() = Some((Box::new(hook), leave));
    }

    /// Later requests are ignored.
    pub(super) fn requested(&self, code: i32, from: &MemberRef) {
        let set = self.0.lock().take();
        if let Some((hook, leave)) = set {
            hook(code, from.clone(), leave);
        }
    }
}
