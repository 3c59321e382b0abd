//! Ends the program when another member asks for it.

use std::time::Duration;

use libswarm::{Leave, MemberRef, Result};
use libswarm_common::value::within;

/// The longest grace.
const MAX_GRACE: Duration = Duration::from_secs(3600);

/// For `on_kill` of a master or worker: `prepare` is called with the exit code and who asks; once its future is ready, the member leaves and the process
/// exits with that code. `grace` after the request it exits with it in any case, without its exit handlers.
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
        // A thread of its own, which a busy runtime does not delay. It runs no exit handlers, which nothing bounds.
        let bound = move || {
            std::thread::sleep(grace);
            exit_now(code);
        };
        if let Err(error) = std::thread::Builder::new().name("swarm-exit".into()).spawn(bound) {
            tracing::error!(%error, "the end of the program is not bounded by its grace");
        }
        tokio::spawn(async move {
            // A task, so that a panic in it does not keep the program.
            if let Err(panic) = tokio::spawn(prepare(code, from)).await {
                tracing::error!(%panic, "what was to run before the end of the program has failed");
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
