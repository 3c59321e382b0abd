//! Signals that end a command which runs until then.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Trouble;

/// SIGINT, SIGTERM and SIGHUP.
pub(crate) struct Stop {
    signals: [Signal; 3],
}

impl Stop {
    pub(crate) fn new() -> Result<Stop, Trouble> {
        let on = |kind| signal(kind).map_err(|error| Trouble::no(format!("signals cannot be handled: {error}")));
        Ok(Stop { signals: [on(SignalKind::interrupt())?, on(SignalKind::terminate())?, on(SignalKind::hangup())?] })
    }

    /// Resolves at the next of these signals.
    pub(crate) async fn requested(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
