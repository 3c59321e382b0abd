//! The events of jobs.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use tokio::sync::mpsc;

use super::master::Master;
use crate::master::follower::Follower;
use crate::model::job_event::{EventsOptions, JobEvent};
use crate::store::codec::events::Position;
use libswarm_common::error::Result;

/// The transitions of all jobs of the cluster, in order; see [`Master::events`]. It ends when the master is closed, and after an error. Dropping it
/// stops the following.
#[derive(Debug)]
pub struct JobEvents {
    receiver: mpsc::Receiver<Result<JobEvent>>,
    /// An error that `next_many` has received behind events.
    #[cfg(feature = "bindings")]
    failed: Option<libswarm_common::error::Error>,
}

impl JobEvents {
    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<JobEvent>> {
        self.receiver.recv().await
    }

    /// The next events, at least one and at most `max`; none at the end. An error stands alone.
    #[cfg(feature = "bindings")]
    pub async fn next_many(&mut self, max: usize) -> Result<Vec<JobEvent>> {
        let mut events = Vec::new();
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        match self.receiver.recv().await {
            Some(first) => events.push(first?),
            None => return Ok(events),
        }
        while events.len() < max {
            match self.receiver.try_recv() {
                Ok(Ok(event)) => events.push(event),
                // The next call returns it.
                Ok(Err(error)) => {
                    self.failed = Some(error);
                    break;
                }
                Err(_) => break,
            }
        }
        Ok(events)
    }
}

impl Stream for JobEvents {
    type Item = Result<JobEvent>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

fn position_of(options: &EventsOptions) -> Result<Option<Position>> {
    options.after.as_deref().map(Position::of_option).transpose()
}

impl EventsOptions {
    /// Checks the options without a connection.
    pub fn check(&self) -> Result<()> {
        position_of(self).map(drop)
    }
}

impl Master {
    /// Follows the transitions of all jobs of the cluster. Returns once they are recorded; fails like [`Master::ready`], or if `after` is no position.
    ///
    /// Redis keeps the last 10,000 events, or as many as the option `events_max` states. A follower that continues after a
    /// [`position`](JobEvent::position) receives all that are still kept; [`JobEventKind::Missed`](crate::JobEventKind::Missed) stands for
    /// others. It reconnects by itself. A follower that takes no events is not sent more: at most some 1,000 are in memory.
    ///
    /// Transitions are recorded while a master follows them and for 30 s after that, or always with the option `events`.
    ///
    /// ```no_run
    /// use libswarm::{EventsOptions, Master};
    ///
    /// # async fn example(master: Master) -> libswarm::Result<()> {
    /// let mut events = master.events(EventsOptions::default()).await?;
    /// while let Some(event) = events.next().await {
    ///     let event = event?;
    ///     println!("{} {} {}", event.position, event.kind.name(), event.id);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn events(&self, options: EventsOptions) -> Result<JobEvents> {
        let after = position_of(&options)?;
        let shared = self.front.shared.clone();
        let (follower, receiver) = Follower::start(shared.clone(), after).await?;
        self.front.runtime.spawn(async move { shared.guard("a follower of events", follower.run()).await });
        Ok(JobEvents {
            receiver,
            #[cfg(feature = "bindings")]
            failed: None,
        })
    }
}
