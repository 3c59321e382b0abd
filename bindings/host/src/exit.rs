//! Exits the program when another member requests it.

use std::time::Duration;

use libswarm::{Leave, MemberRef, Result};
use libswarm_common::value::within;

/// The upper bound of the grace.
const MAX_GRACE: Duration = Duration::from_secs(3600);

/// Exits on request, by `on_kill` of a master or worker. `prepare` is called with the exit code and the requesting member; once
/// its future is ready, the member leaves and the process exits with that code. When `grace` has passed since the request, the
/// process exits at any rate, without exit handlers.
///
/// Fails with [`ErrorKind::InvalidArgument`](libswarm::ErrorKind::InvalidArgument) if the grace is longer than 1 h.
pub fn on_request<F>(
    grace: Duration,
    prepare: impl FnOnce(i32, MemberRef) -> F + Send + 'static,
) -> Result<impl FnOnce(i32, MemberRef, Leave) + Send + 'static>
where
    F: Future<Output = ()> + Send + 'static,
{
    within("call.grace", grace, Duration::ZERO, MAX_GRACE)?;
    Ok(move |code: i32, from: MemberRef, leave: Leave| {
        // A separate thread, which a busy runtime does not delay. It runs no exit handlers, because they may block.
        let bound = move || {
            std::thread::sleep(grace);
            exit_now(code);
        };
        if let Err(error) = std::thread::Builder::new().name("swarm-exit".into()).spawn(bound) {
            tracing::error!(%error, "the exit of the program is not bounded by its grace");
        }
        tokio::spawn(async move {
            // In its own task, so that a panic in it does not prevent the exit.
            if let Err(panic) = tokio::spawn(prepare(code, from)).await {
                tracing::error!(%panic, "the callback before the exit of the program panicked");
            }
            leave.await;
            // Exit handlers may wait for this runtime.
            let _ = tokio::task::spawn_blocking(move || std::process::exit(code)).await;
        });
    })
}

/// Ends the process, whatever its other threads do.
#[cfg(unix)]
fn exit_now(code: i32) -> ! {
    // SAFETY: takes a number and never returns.
    unsafe { libc::_exit(code) }
}

#[cfg(not(unix))]
fn exit_now(code: i32) -> ! {
    std::process::exit(code)
}
