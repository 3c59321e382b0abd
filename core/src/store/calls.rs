//! Calls of scripts over a member's connection: time limits, repetition, reconnection.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::runtime::Handle;

use super::envelope::Envelopes;
use super::failure::{Failed, Stage};
use super::keys::Keys;
use super::line::Line;
use super::script::{Script, Scripts};
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind, Result};

/// One member's command connection. It connects on first use and again after each loss. A call that fails is not repeated here, because only its
/// caller knows whether it may be.
pub(crate) struct Store {
    pub(super) options: Arc<Options>,
    pub(super) keys: Keys,
    pub(super) line: Arc<Line>,
    /// Replaces the scripts in tests.
    #[cfg(test)]
    pub(crate) scripts: Option<&'static Scripts>,
}

impl Store {
    /// Its connection uses `runtime`, from any calling thread.
    pub(crate) fn new(options: Arc<Options>, runtime: Handle) -> Self {
        let keys = Keys::new(options.key_prefix());
        let line = Line::new(options.clone(), keys.slot(), runtime);
        Store {
            options,
            keys,
            line,
            #[cfg(test)]
            scripts: None,
        }
    }

    pub(super) fn envelopes(&self) -> Envelopes<'_> {
        Envelopes::of(&self.options)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.line.is_connected()
    }

    /// The number of connections that have ended.
    pub(crate) fn losses(&self) -> u64 {
        *self.line.losses().borrow()
    }

    /// Resolves when more than `known` connections have ended, even if no call is made; returns how many have.
    pub(crate) async fn lost(&self, known: u64) -> u64 {
        let mut losses = self.line.losses().subscribe();
        let lost = losses.wait_for(|losses| *losses > known).await;
        // The sender lives as long as this object.
        lost.map_or(known, |losses| *losses)
    }

    /// How long one call waits: short enough that a dead connection is replaced before the lease is in danger.
    pub(super) fn call_limit(&self) -> Duration {
        (self.options.lease / 3).max(Duration::from_millis(500)).min(self.options.timeout)
    }

    /// As [`Store::call_limit`], for a command that costs Redis nothing: if it is not answered in time, the connection is dead and not only busy.
    pub(super) fn check_limit(&self) -> Duration {
        self.call_limit().min(Duration::from_secs(2))
    }

    /// The longest pause between attempts: within it every member reconnects after an outage and can renew its lease.
    pub(crate) fn longest_backoff(&self) -> Duration {
        (self.options.lease / 6).min(Duration::from_secs(1))
    }

    /// Calls a read-only script. It cannot repair damage that it finds, so another script does.
    pub(super) async fn read(&self, script: fn(&Scripts) -> &Script, args: impl Fn(&mut Cmd) -> &mut Cmd) -> Result<Value> {
        let answer = self.call_idempotent(script, args).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::StoreCorrupt) {
            // The caller receives the first error.
            if let Err(failed) = self.call(|s| &s.repair, |cmd| cmd).await {
                tracing::warn!(kind = failed.error.kind().name(), "the damage could not be repaired: {}", failed.error);
            }
        }
        answer
    }

    /// Repeats a call without a second effect until it is answered, an error is permanent, or the time is over.
    pub(super) async fn call_idempotent(
        &self,
        script: fn(&Scripts) -> &Script,
        args: impl Fn(&mut Cmd) -> &mut Cmd,
    ) -> Result<Value> {
        let deadline = tokio::time::Instant::now() + self.options.timeout;
        let mut backoff = crate::util::reconnect::ReconnectDelay::new(self.longest_backoff());
        loop {
            let failed = match self.call(script, &args).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            let pause = backoff.next();
            if !failed.error.kind().is_retryable()
                || failed.error.kind() == ErrorKind::StoreFull
                || tokio::time::Instant::now() + pause > deadline
            {
                return Err(failed.error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    pub(crate) async fn call(
        &self,
        script: fn(&Scripts) -> &Script,
        args: impl Fn(&mut Cmd) -> &mut Cmd,
    ) -> Result<Value, Failed> {
        let limit = self.call_limit();
        let mut link = self.line.link(limit).await?;
        let scripts = link.scripts;
        #[cfg(test)]
        let scripts = self.scripts.unwrap_or(scripts);
        let script = script(scripts);
        let answered = tokio::time::timeout(limit, async {
            let keys = self.keys.fixed();
            let mut by_digest = redis::cmd("EVALSHA");
            args(by_digest.arg(script.digest()).arg(keys.len()).arg(keys));
            match link.connection.send_packed_command(&by_digest).await.and_then(Value::extract_error) {
                Err(e) if e.kind() == redis::ErrorKind::Server(redis::ServerErrorKind::NoScript) => {
                    // This also loads the script. The source is sent, because the cache may be flushed again at any time.
                    let mut whole = redis::cmd("EVAL");
                    args(whole.arg(script.source()).arg(keys.len()).arg(keys));
                    link.connection.send_packed_command(&whole).await.and_then(Value::extract_error)
                }
                other => other,
            }
        });
        let failed = match answered.await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(e)) => Failed::redis(&self.options, Stage::Calling, script.name, &e),
            Err(_) => Failed::silent(&self.options.address, script.name, limit),
        };
        if failed.disconnect {
            self.line.drop_link(link.number);
        }
        Err(failed)
    }
}

/// A reply that could not be parsed: the call was executed, and the connection is intact.
pub(super) fn internal(error: Error) -> Failed {
    Failed { maybe_executed: true, disconnect: false, ..Failed::unsent(error) }
}
