//! Helpers of the other layers: the clock of leases, delays between attempts to reconnect, callbacks of calls.

pub(crate) mod clock;
pub(crate) mod completion;
pub(crate) mod reconnect;
pub(crate) mod stages;

/// The output of a future if there is one; otherwise never ready.
pub(crate) async fn optional<F: Future + Unpin>(future: &mut Option<F>) -> F::Output {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
