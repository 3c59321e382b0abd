//! The command connection of one member: opened on first use, and reopened after each loss.
//!
//! A separate task opens it, so that a caller that is cancelled, or is not polled for a while, delays no other caller.

use libswarm_common::lock::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::failure::Failed;
use super::link;
use super::script::Scripts;
use super::server::Warnings;
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind};

/// A connection and the properties of its server.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) connection: link::Connection,
    pub(super) scripts: &'static Scripts,
    /// Identifies this connection, as distinct from one that replaced it.
    pub(super) number: u64,
}

/// The result of a connection attempt, once it has one.
type Attempt = watch::Receiver<Option<Result<Link, Failed>>>;

enum State {
    Closed,
    Connecting(Attempt),
    Open(Link),
}

pub(super) struct Line {
    options: Arc<Options>,
    slot: u16,
    runtime: Handle,
    state: Mutex<State>,
    connected: AtomicBool,
    warnings: Warnings,
    /// The number of connections that have ended.
    losses: watch::Sender<u64>,
}

impl Line {
    pub(super) fn new(options: Arc<Options>, slot: u16, runtime: Handle) -> Arc<Self> {
        let state = Mutex::new(State::Closed);
        Arc::new(Line {
            options,
            slot,
            runtime,
            state,
            connected: AtomicBool::new(false),
            warnings: Warnings::default(),
            losses: watch::Sender::new(0),
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    pub(super) fn losses(&self) -> &watch::Sender<u64> {
        &self.losses
    }

    /// Returns the connection, or opens one. Callers share an attempt, and its failure.
    pub(super) async fn link(self: &Arc<Self>, limit: Duration) -> Result<Link, Failed> {
        let (mut attempt, starting) = {
            let mut state = self.state.lock();
            match &*state {
                // A call on a connection that has ended would fail as if its reply had been lost.
                State::Open(link) if !link.connection.is_closed() => return Ok(link.clone()),
                State::Connecting(attempt) => (attempt.clone(), None),
                before => {
                    if matches!(before, State::Open(_)) {
                        self.losses.send_modify(|losses| *losses += 1);
                    }
                    let (sender, attempt) = watch::channel(None);
                    *state = State::Connecting(attempt.clone());
                    (attempt, Some(sender))
                }
            }
        };
        // Spawned without the lock: a runtime that shuts down drops the task at once, and the drop takes the lock.
        if let Some(sender) = starting {
            self.runtime.spawn(self.clone().connect(limit, Attempting { line: self.clone(), sender: Some(sender) }));
        }
        let done = attempt.wait_for(Option::is_some).await;
        done.ok().and_then(|done| done.clone()).unwrap_or_else(|| Err(broken_off()))
    }

    async fn connect(self: Arc<Self>, limit: Duration, mut attempting: Attempting) {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let made = link::connect_checked(&self.options, self.slot, limit).await.map(|(connection, server)| {
            self.warnings.report(&server.warnings);
            let scripts = super::script::of(server.script_flags, &self.options);
            Link { connection, scripts, number: NUMBER.fetch_add(1, Ordering::Relaxed) }
        });
        let made = made.map(|link| (link.number, link.connection.ended(), link));
        let Ok((number, ended, link)) = made else {
            return attempting.end(made.map(|(_, _, link)| link));
        };
        attempting.end(Ok(link));
        drop(attempting);
        let line = Arc::downgrade(&self);
        drop(self);
        // Detects the end even while no call is made.
        tokio::select! {
            () = ended => {}
            () = Line::log_in_again(&line, number) => {}
        }
        if let Some(line) = line.upgrade() {
            line.drop_link(number);
        }
    }

    /// Authenticates the connection with this number again when the credentials have changed; ends only if there is no such connection any more.
    async fn log_in_again(line: &Weak<Self>, number: u64) {
        loop {
            let Some((options, source)) =
                line.upgrade().and_then(|line| Some((line.options.clone(), line.options.credentials.clone()?)))
            else {
                return std::future::pending().await;
            };
            tokio::time::sleep(options.credentials_interval).await;
            // A failure is reported by the source.
            let _ = source.ask().await;
            let open = line.upgrade().and_then(|line| match &*line.state.lock() {
                State::Open(link) if link.number == number => Some(link.connection.clone()),
                _ => None,
            });
            let Some(mut connection) = open else { return };
            connection.log_in_again(&options, true).await;
            if let Some(line) = line.upgrade()
                && let State::Open(link) = &mut *line.state.lock()
                && link.number == number
            {
                link.connection = connection;
            }
        }
    }

    /// The connection with this number is not usable any more.
    pub(super) fn drop_link(&self, number: u64) {
        let mut state = self.state.lock();
        if matches!(&*state, State::Open(link) if link.number == number) {
            *state = State::Closed;
            self.connected.store(false, Ordering::Relaxed);
            drop(state);
            self.losses.send_modify(|losses| *losses += 1);
        }
    }
}

/// An attempt under way. If its task ends early, by a panic or with its runtime, the next caller starts another attempt.
struct Attempting {
    line: Arc<Line>,
    /// Taken when the attempt has a result.
    sender: Option<watch::Sender<Option<Result<Link, Failed>>>>,
}

impl Attempting {
    fn end(&mut self, made: Result<Link, Failed>) {
        let Some(sender) = self.sender.take() else { return };
        self.line.connected.store(made.is_ok(), Ordering::Relaxed);
        *self.line.state.lock() = made.as_ref().map_or(State::Closed, |link| State::Open(link.clone()));
        sender.send_replace(Some(made));
    }
}

impl Drop for Attempting {
    fn drop(&mut self) {
        self.end(Err(broken_off()));
    }
}

fn broken_off() -> Failed {
    Failed::unsent(Error::new(ErrorKind::Unavailable, "the attempt to connect to Redis was aborted"))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn an_attempt_on_a_runtime_that_has_ended_fails_and_does_not_hang() {
        let ended = Builder::new_current_thread().build().unwrap();
        let line = Line::new(Arc::new(Options::new("t")), 0, ended.handle().clone());
        drop(ended);
        let (sender, failed) = mpsc::channel();
        std::thread::spawn(move || {
            let caller = Builder::new_current_thread().build().unwrap();
            sender.send(caller.block_on(line.link(Duration::from_secs(1))).is_err())
        });
        assert_eq!(failed.recv_timeout(Duration::from_secs(20)), Ok(true));
    }
}
