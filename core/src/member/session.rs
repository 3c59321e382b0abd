//! An incarnation of a member: joins, renews its lease, leaves, and detects that it is lost.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::random_id;
use libswarm_common::value::YEAR;
use tokio::time::Instant;

use super::TARGET;
use super::inbox::InboxTask;
use super::profile::Registered;
use super::registration::{fields, packed_tasks, settings};
use super::shared::{Shared, Source};
use crate::model::event::QueuedEvent;
use crate::model::message::Role;
use crate::model::orders::Orders;
use crate::store::{Failed, Joined, after};
use crate::util::clock::boottime;
use crate::util::optional;
use crate::util::reconnect::ReconnectDelay;

/// An incarnation and its lease.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) incarnation: String,
    /// The epoch of the store in which the incarnation was registered.
    pub(crate) epoch: String,
    /// Until when the member may process its jobs without another renewal, on the clock of `boottime`.
    pub(crate) right_until: Duration,
    pub(crate) backoff: ReconnectDelay,
    /// When Redis last answered a call in a way that shows that the member is registered.
    seen: Instant,
    probe: Option<Probe>,
    /// Entries of the inbox that no round has had trimmed, and the id of the last one.
    untrimmed: u32,
    last_entry: Option<String>,
    /// The number of lost connections after which a round was sent or is under way.
    pub(crate) losses: u64,
    /// Orders that the worker has not confirmed under the incarnation before.
    pub(crate) orders: Option<Orders>,
}

/// A query whether the member is still registered in Redis.
type Probe = Pin<Box<dyn Future<Output = Result<bool, Failed>> + Send>>;

/// A member that has had no answer for this long queries whether it is still registered: Redis may have lost its data, or the connection may be
/// dead. Together with the renewals and the reads of the inbox, this is less than one command a second.
const PROBE_AFTER: Duration = Duration::from_secs(3);
/// The limit of inbox entries that are read before a round is sent only to trim them.
const MAX_UNTRIMMED: u32 = 64;
/// How long a member that leaves continues if each call requeues only a part of its jobs.
const MAX_LEAVE: Duration = Duration::from_secs(60);

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let backoff = ReconnectDelay::new(shared.store.longest_backoff());
        Session {
            shared,
            incarnation: String::new(),
            epoch: String::new(),
            right_until: Duration::ZERO,
            backoff,
            seen: Instant::now(),
            losses: 0,
            orders: None,
            probe: None,
            untrimmed: 0,
            last_entry: None,
        }
    }

    /// Registers a new incarnation; retries until it succeeds. Returns when the first round is due. Drop the future to cancel it.
    pub(crate) async fn join(&mut self, role: Role) -> Duration {
        let before = std::mem::replace(&mut self.incarnation, random_id());
        let before = if role == Role::Worker { before } else { String::new() };
        let tasks = if role == Role::Worker { packed_tasks(&self.shared.tasks()) } else { None };
        let registered = self.shared.profile.now();
        let fields = fields(&self.shared, role, tasks, &registered);
        let settings = settings(&self.shared.options);
        loop {
            let (sent, losses) = (boottime(), self.shared.store.losses());
            match self.shared.store.join(&self.incarnation, &fields, &settings, &before).await {
                Ok(Joined { epoch, next, orders, now }) => {
                    self.shared.clock.answered(sent, now);
                    (self.epoch, self.losses, self.orders) = (epoch, losses, orders);
                    (self.untrimmed, self.last_entry, self.probe) = (0, None, None);
                    self.shared.counts.registrations.fetch_add(1, Ordering::Relaxed);
                    self.renewed(sent);
                    self.shared.status().incarnation = self.incarnation.clone();
                    tracing::debug!(target: TARGET, "registered as {} {}", role.name(), self.incarnation);
                    register_changes(&self.shared, &self.incarnation, &registered).await;
                    return next;
                }
                Err(failed) => {
                    self.shared.report(Source::Calls, &failed.error);
                    tokio::time::sleep(self.backoff.next()).await;
                }
            }
        }
    }

    /// Reports the member as ready.
    pub(crate) fn announce(&self) {
        self.shared.ready.send_replace(Some(Ok(())));
        self.shared.events.push([QueuedEvent::Ready { incarnation: self.incarnation.clone() }]);
    }

    /// The renewal sent at `sent` was answered: the member may process its jobs until a margin before the lease can expire in Redis.
    pub(crate) fn renewed(&mut self, sent: Duration) {
        let lease = self.shared.options.lease;
        let margin = (lease / 10).max(Duration::from_millis(500));
        self.right_until = sent + lease - margin;
        self.shared.status().right_until = self.right_until;
        self.shared.healed(Source::Calls);
        self.backoff.reset();
        self.seen();
    }

    /// Redis has answered in a way that shows that the member is registered.
    pub(crate) fn seen(&mut self) {
        self.seen = Instant::now();
    }

    /// Resolves when a round has to be sent because the member may not be registered in Redis any more: a connection was lost, or a probe found
    /// that it is not. `idle`: no call is under way whose reply would show it.
    pub(crate) async fn suspicion(&mut self, idle: bool) {
        loop {
            tokio::select! {
                answer = optional(&mut self.probe) => {
                    self.probe = None;
                    // Delays the next probe, whatever the answer is.
                    self.seen();
                    match answer {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(Failed { error, .. }) => return self.shared.report(Source::Calls, &error),
                    }
                }
                losses = self.shared.store.lost(self.losses), if idle => {
                    self.losses = losses;
                    return;
                }
                () = tokio::time::sleep_until(self.seen + PROBE_AFTER), if idle && self.probe.is_none() => {
                    let (shared, incarnation) = (self.shared.clone(), self.incarnation.clone());
                    self.probe = Some(Box::pin(async move { shared.store.is_member(&incarnation).await }));
                }
            }
        }
    }

    /// Cancels the probe under way.
    pub(crate) fn stop_probing(&mut self) {
        self.probe = None;
    }

    /// Counts entries that were read from the inbox; the next round trims them.
    pub(crate) fn entries_read(&mut self, entries: u32, last: String) {
        if entries > 0 {
            self.untrimmed += entries;
            self.last_entry = Some(last);
        }
    }

    /// Whether a round should be sent only to trim the inbox.
    pub(crate) fn must_trim(&self) -> bool {
        self.untrimmed >= MAX_UNTRIMMED
    }

    /// The first id of the inbox that the next round keeps.
    pub(crate) fn keep_from(&mut self) -> String {
        self.untrimmed = 0;
        self.last_entry.take().map_or_else(String::new, |id| after(&id))
    }

    /// Requeues the jobs of the member and removes it from the registry. Stops if Redis is not available for the option `timeout`; the lease then
    /// expires by itself, which is logged.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        let left = self.try_to_leave().await;
        match &left {
            Ok(()) => tracing::debug!(target: TARGET, "{} has left", self.incarnation),
            Err(error) => {
                tracing::warn!(target: TARGET, kind = error.kind().name(), "{} could not leave, its lease has to end: {error}", self.incarnation);
            }
        }
        left
    }

    async fn try_to_leave(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut answered = begun;
        loop {
            match self.shared.store.leave(&self.incarnation).await {
                Ok(true) => return Ok(()),
                Ok(false) if begun.elapsed() < MAX_LEAVE => answered = Instant::now(),
                Ok(false) => return Err(Error::new(ErrorKind::Timeout, "its jobs were not requeued in time")),
                Err(failed) => {
                    let pause = self.backoff.next();
                    if answered.elapsed() + pause > self.shared.options.timeout || !failed.error.kind().is_retryable() {
                        return Err(failed.error);
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    /// The interval of renewals.
    pub(crate) fn renewal(&self) -> Duration {
        self.shared.options.lease / 3
    }

    /// When to send the next round if the next due entry follows after `next`. The time is spread a little, so that one or few of many members
    /// process it.
    pub(crate) fn next_round(&self, next: Duration, spread: Duration) -> Duration {
        self.renewal().min(next.saturating_add(spread.min(YEAR).mul_f64(rand::random::<f64>())))
    }

    /// Starts reading the inbox of this incarnation.
    pub(crate) fn read_inbox(&self) -> InboxTask {
        super::inbox::read(self.shared.clone(), &self.incarnation)
    }
}

/// Registers what the program has changed since the registration was sent.
async fn register_changes(shared: &Shared, incarnation: &str, before: &Registered) {
    let now = shared.profile.now();
    let new = now.subscriptions.iter().filter(|to| !before.subscriptions.contains(to)).map(|to| (to.command(), ""));
    let data = (now.data != before.data).then_some(("data", now.data.as_str()));
    for (command, data) in new.chain(data) {
        if let Err(error) = shared.store.listen(incarnation, command, data).await {
            shared.report(Source::Calls, &error);
        }
    }
}
