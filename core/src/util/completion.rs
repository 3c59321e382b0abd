//! Callbacks of calls.

use libswarm_common::error::{Error, Result};
use tokio::sync::oneshot;

/// Called once, from a runtime thread, when the outcome is known. Must be quick and must not block.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Makes a call that returns by callback, and awaits it. `closed` is the error if the callback is dropped.
pub(crate) async fn awaited<T: Send + 'static>(call: impl FnOnce(Done<T>), closed: impl FnOnce() -> Error) -> Result<T> {
    let (sender, receiver) = oneshot::channel();
    call(Box::new(move |result| drop(sender.send(result))));
    receiver.await.unwrap_or_else(|_| Err(closed()))
}
