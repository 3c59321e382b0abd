//! Ending the program when it is asked to.

use parking_lot::Mutex;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::message::MemberRef;
use libswarm_common::error::Result;
use libswarm_common::value::within;

/// The longest grace.
const HOUR: Duration = Duration::from_secs(3600);

type OnKill = Box<dyn FnOnce(i32, MemberRef) -> BoxFuture<'static, ()> + Send>;

/// What is done when the program is asked to end. Nothing, unless it was said.
#[derive(Default)]
pub(crate) struct ExitOnKill(Mutex<Option<Armed>>);

struct Armed {
    grace: Duration,
    on_kill: OnKill,
    leave: BoxFuture<'static, ()>,
}

impl ExitOnKill {
    pub(crate) fn arm<F: Future<Output = ()> + Send + 'static>(
        &self,
        grace: Duration,
        on_kill: impl FnOnce(i32, MemberRef) -> F + Send + 'static,
        leave: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        within("call.grace", grace, Duration::ZERO, HOUR)?;
        let on_kill: OnKill = Box::new(|code, from| Box::pin(on_kill(code, from)));
        *self.0.lock() = Some(Armed { grace, on_kill, leave: Box::pin(leave) });
        Ok(())
    }

    /// Ends the program, if it is to end. Later requests change nothing.
    pub(crate) fn asked(&self, code: i32, from: &MemberRef) {
        let armed = self.0.lock().take();
        let Some(Armed { grace, on_kill, leave }) = armed else { return };
        // A thread of its own, that a busy runtime does not hold up. Nor does anything else: it runs no exit handlers.
        let bound = move || {
            std::thread::sleep(grace);
            // SAFETY: ends the process, whatever its other threads do.
            unsafe { libc::_exit(code) }
        };
        if let Err(error) = std::thread::Builder::new().name("swarm-exit".into()).spawn(bound) {
            tracing::error!(%error, "ending the program is not bounded by its grace");
        }
        let from = from.clone();
        tokio::spawn(async move {
            // A task, so that a panic in it does not keep the program.
            let _ = tokio::spawn(on_kill(code, from)).await;
            leave.await;
            // Exit handlers may wait for this runtime.
            let _ = tokio::task::spawn_blocking(move || std::process::exit(code)).await;
        });
    }
}
