//! How calls ask the core and wait, or are told later: the same for members and supervisors.

use std::sync::Arc;

use libswarm::Result;
use tokio::runtime::Handle;

use crate::callback::{Reply, UserData};
use crate::dispatch::Dispatch;
use crate::operation::Pending;
use crate::runtime::wait;

/// What calls need of what they are about.
pub(crate) trait Asking: Send + Sync + 'static {
    type Core: Clone;

    /// What the core has of it, once it is started.
    fn core(&self) -> Result<&Self::Core>;

    fn handle(&self) -> &Handle;

    /// The callbacks, with somebody to run them once it is started.
    fn dispatching(self: &Arc<Self>) -> Result<&Arc<Dispatch>>;

    /// Registers an operation whose callback is to be called once.
    fn begin<T: Reply>(self: &Arc<Self>, function: T::Function, user_data: UserData) -> Result<Pending<T>> {
        Pending::begin(self.dispatching()?, function, user_data)
    }

    /// Asks the core and waits for its answer, at most `timeout_ms`.
    fn ask<T, F>(&self, timeout_ms: u64, doing: &str, call: impl FnOnce(Self::Core) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        wait(self.handle(), timeout_ms, doing, call(self.core()?.clone()))
    }

    /// Asks the core; `done` is told its answer.
    fn ask_async<T, F>(self: &Arc<Self>, done: T::Function, user_data: UserData, call: impl FnOnce(Self::Core) -> F) -> Result<()>
    where
        T: Reply,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let core = self.core()?.clone();
        let pending = self.begin::<T>(done, user_data)?;
        let answer = call(core);
        self.handle().spawn(async move { pending.end(answer.await) });
        Ok(())
    }
}
