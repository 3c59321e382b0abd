//! Follows the events of jobs for a program.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::closed;
use crate::member::Shared;
use crate::model::job_event::JobEvent;
use crate::store::codec::events::{EventEntry, Position, lost};
use crate::store::{EventReader, Failed, Followed};
use crate::util::reconnect::ReconnectDelay;
use libswarm_common::error::{ErrorKind, Result};

/// How long transitions are recorded after a renewal, and how often a follower renews it.
const RECORDED: Duration = Duration::from_secs(30);
const RENEW: Duration = Duration::from_secs(10);
/// The pause while there is no cluster: its keys were removed, and no member has registered since.
const NO_CLUSTER: Duration = Duration::from_secs(1);
/// Events that are read before the program takes them, besides those of one read.
const QUEUE: usize = 256;

pub(crate) struct Follower {
    shared: Arc<Shared>,
    reader: EventReader,
    /// What has been read.
    at: Position,
    /// Redis does not have the data any more that was read.
    lost: bool,
    /// The incarnation of the master at the last read.
    incarnation: String,
    renew_at: Instant,
    backoff: ReconnectDelay,
    events: mpsc::Sender<Result<JobEvent>>,
}

impl Follower {
    /// Returns when transitions are recorded. `after`: `None` for what comes from now on.
    pub(crate) async fn start(
        shared: Arc<Shared>,
        after: Option<Position>,
    ) -> Result<(Follower, mpsc::Receiver<Result<JobEvent>>)> {
        shared.ready().await?;
        let at = after.filter(|after| *after != Position::START);
        let followed = shared.open_store()?.begin_to_follow(RECORDED, at).await?;
        let at = match followed {
            Followed::Until(last) => after.unwrap_or(last),
            Followed::Nothing | Followed::Lost => after.unwrap_or(Position::START),
        };
        let (events, receiver) = mpsc::channel(QUEUE);
        let follower = Follower {
            reader: EventReader::new(shared.options.clone()),
            at,
            lost: matches!(followed, Followed::Lost),
            renew_at: Instant::now() + if matches!(followed, Followed::Nothing) { NO_CLUSTER } else { RENEW },
            incarnation: shared.incarnation(),
            backoff: ReconnectDelay::new(shared.store.longest_backoff()),
            shared,
            events,
        };
        Ok((follower, receiver))
    }

    /// Runs until the program takes no more events, the master has ended, or an error is permanent.
    pub(crate) async fn run(mut self) {
        let (shared, events) = (self.shared.clone(), self.events.clone());
        let error = tokio::select! {
            () = events.closed() => return,
            () = shared.ended() => shared.why_closed(closed()),
            followed = self.follow() => match followed {
                Ok(()) => return,
                Err(error) => error,
            },
        };
        if error.kind() != ErrorKind::Closed {
            // Fails only if nobody receives it.
            let _ = events.send(Err(error)).await;
        }
    }

    async fn follow(&mut self) -> Result<()> {
        loop {
            let incarnation = self.shared.incarnation();
            // A member that registers anew may do so because Redis lost its data.
            if self.renew_at <= Instant::now() || incarnation != self.incarnation {
                self.incarnation = incarnation;
                self.renew().await?;
            }
            if std::mem::take(&mut self.lost) {
                self.at = Position::START;
                self.send(lost()).await?;
            }
            match self.reader.read(self.at).await {
                Ok(entries) => {
                    self.backoff.reset();
                    for entry in entries {
                        self.take(entry).await?;
                    }
                }
                Err(failed) => {
                    tokio::time::sleep(self.pause_after(failed)?).await;
                    // After a failover, Redis may lack what was read: this is checked before more is read.
                    self.renew_at = Instant::now();
                }
            }
        }
    }

    /// The pause before the next attempt, unless the error is permanent.
    fn pause_after(&mut self, failed: Failed) -> Result<Duration> {
        if failed.error.kind().is_retryable() {
            tracing::debug!(target: "libswarm::events", kind = failed.error.kind().name(), "{}", failed.error);
            Ok(self.backoff.next())
        } else {
            Err(failed.error)
        }
    }

    async fn renew(&mut self) -> Result<()> {
        let at = Some(self.at).filter(|at| *at != Position::START);
        let pause = match self.shared.store.follow(RECORDED, at).await {
            Ok(Followed::Until(_)) => RENEW,
            Ok(Followed::Nothing) => NO_CLUSTER,
            Ok(Followed::Lost) => {
                self.lost = true;
                RENEW
            }
            Err(failed) => self.pause_after(failed)?,
        };
        self.renew_at = Instant::now() + pause;
        Ok(())
    }

    async fn take(&mut self, entry: EventEntry) -> Result<()> {
        if self.at != Position::START && entry.first() > self.at.number.saturating_add(1) {
            self.send(entry.missed()).await?;
        }
        let (first, last, read) = (entry.first(), entry.last, self.at.number);
        for (number, event) in (first..).zip(entry.events) {
            // The position may be inside of the entry.
            if number > read {
                self.send(event).await?;
            }
        }
        self.at = last;
        Ok(())
    }

    /// Waits until the program has space for the event.
    async fn send(&mut self, event: JobEvent) -> Result<()> {
        let events = self.events.clone();
        loop {
            tokio::select! {
                permit = events.reserve() => {
                    if let Ok(permit) = permit {
                        permit.send(Ok(event));
                    }
                    return Ok(());
                }
                () = sleep_until(self.renew_at) => self.renew().await?,
            }
        }
    }
}
