//! The part of a member that its handles and its tasks share.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;
use libswarm_common::lock::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::TARGET;
use super::events::MemberEvents;
use super::profile::Profile;
use crate::config::options::Options;
use crate::model::event::QueuedEvent;
use crate::model::health::{Counts, Health};
use crate::store::envelope::Envelopes;
use crate::store::{Store, too_slow};
use crate::util::clock::{ClusterClock, boottime};

/// See the module.
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(crate) store: Store,
    pub(crate) events: MemberEvents,
    /// The limit of active jobs of a worker; 0 for no limit.
    pub(crate) slots: AtomicU32,
    /// A worker is assigned no jobs.
    pub(crate) paused: AtomicBool,
    pub(crate) active: AtomicU64,
    /// Jobs whose handlers were asked to stop and did not within the option `stop_grace`.
    pub(crate) stuck: AtomicU64,
    pub(crate) pending: AtomicU64,
    /// Jobs of the batch of adds under way.
    pub(crate) pending_adds: AtomicU64,
    pub(crate) counts: Counts,
    pub(crate) clock: ClusterClock,
    /// Something may be due earlier than the last round returned.
    pub(crate) round_wanted: Notify,
    pub(super) inbox_connected: Arc<AtomicBool>,
    ended: watch::Sender<bool>,
    /// Set when an additional task of the member has panicked.
    pub(super) fatal: watch::Sender<Option<Error>>,
    /// Set when the member has ended by a panic.
    pub(super) death: OnceLock<Error>,
    /// The member has removed the cluster: it registers anew only when its program makes a call.
    pub(crate) obliterated: AtomicBool,
    /// Tasks that a worker accepts: the option, or what the program has set since.
    pub(crate) tasks: Mutex<Vec<String>>,
    /// The limit of jobs that a worker requests: the option, or a smaller number that the program has set since.
    pub(crate) asks_for: AtomicU64,
    /// The registration data of this member that its program may change.
    pub(crate) profile: Profile,
    status: Mutex<Status>,
    /// `None` until the first registration or a permanent error; then the result of `ready`.
    pub(super) ready: watch::Sender<Option<Result<()>>>,
}

#[derive(Default)]
pub(super) struct Status {
    pub(super) incarnation: String,
    /// On the clock of `boottime`.
    pub(super) right_until: Duration,
    /// The current errors of calls, of the inbox and of the credentials.
    trouble: [Option<Error>; 3],
    troubled_since: Option<Instant>,
    /// The program was notified of it.
    reported: bool,
    /// The last error that went away, and when it did.
    healed: Option<(ErrorKind, Instant)>,
}

/// An error that goes away and recurs within this time counts as the same: a member has two connections, which fail and reconnect one after the
/// other.
const FLAPPING: Duration = Duration::from_secs(1);

/// The limit of jobs that one call to Redis deletes.
const MAX_DELETES: usize = 100;

/// The connection that has the problem.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Calls = 0,
    Inbox = 1,
    /// No connection: what its credentials come from.
    Credentials = 2,
}

impl Shared {
    pub(crate) fn new(options: Options, runtime: &Handle) -> Result<Self> {
        options.check()?;
        crate::store::prepare();
        boottime();
        let options = Arc::new(options);
        Ok(Shared {
            store: Store::new(options.clone(), runtime.clone()),
            events: MemberEvents::new(options.window, options.auto_accept),
            tasks: Mutex::new(options.tasks.clone()),
            asks_for: AtomicU64::new(u64::MAX),
            profile: Profile::default(),
            slots: AtomicU32::new(options.slots.unwrap_or(0)),
            paused: AtomicBool::new(false),
            options,
            active: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            pending_adds: AtomicU64::new(0),
            counts: Counts::default(),
            clock: ClusterClock::default(),
            round_wanted: Notify::new(),
            inbox_connected: Arc::new(AtomicBool::new(true)),
            ended: watch::Sender::new(false),
            fatal: watch::Sender::new(None),
            death: OnceLock::new(),
            obliterated: AtomicBool::new(false),
            status: Mutex::default(),
            ready: watch::Sender::new(None),
        })
    }

    /// What its values are stored in.
    pub(crate) fn envelopes(&self) -> Envelopes<'_> {
        Envelopes::of(&self.options)
    }

    /// The limit of active jobs of a worker; `None` for no limit.
    pub(crate) fn slots(&self) -> Option<u32> {
        Some(self.slots.load(Ordering::Relaxed)).filter(|slots| *slots > 0)
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn tasks(&self) -> Vec<String> {
        self.tasks.lock().clone()
    }

    pub(super) fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock()
    }

    pub(crate) fn incarnation(&self) -> String {
        self.status().incarnation.clone()
    }

    pub(crate) fn health(&self) -> Health {
        let status = self.status();
        let trouble = status.trouble.iter().flatten().next();
        let lease_left = status.right_until.saturating_sub(boottime());
        let taken = self.events.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connected = self.store.is_connected() && self.inbox_connected.load(Ordering::Relaxed);
        Health {
            healthy: connected && !lease_left.is_zero() && trouble.is_none(),
            connected,
            incarnation: Some(status.incarnation.clone()).filter(|incarnation| !incarnation.is_empty()),
            lease_left,
            active: self.active.load(Ordering::Relaxed),
            pending: count(&self.pending) + count(&self.pending_adds),
            error: trouble.cloned(),
            registrations: count(&self.counts.registrations),
            added: count(&self.counts.added),
            assigned: taken.adds,
            finished: count(&self.counts.finished),
            sent: count(&self.counts.sent),
            received: taken.messages,
            dropped: taken.dropped + count(&self.counts.missed),
            stuck: count(&self.stuck),
        }
    }

    /// Reports a problem to the program, once until its kind changes or it goes away.
    pub(crate) fn report(&self, source: Source, error: &Error) {
        if !error.kind().is_retryable() {
            self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(Err(error.clone()))).is_some());
        }
        let known = {
            let mut status = self.status();
            let known = status.reported && status.trouble.iter().flatten().any(|trouble| trouble.kind() == error.kind())
                || status.healed.is_some_and(|(kind, at)| kind == error.kind() && at.elapsed() < FLAPPING);
            status.reported |= !known;
            status.trouble[source as usize] = Some(error.clone());
            status.troubled_since.get_or_insert_with(Instant::now);
            known
        };
        // Logs a warning as often as an event is emitted: during an outage there is an attempt to connect every second.
        if known {
            tracing::debug!(target: TARGET, kind = error.kind().name(), "{error}");
        } else {
            tracing::warn!(target: TARGET, kind = error.kind().name(), "{error}");
            self.events.push([QueuedEvent::Error(error.clone())]);
        }
    }

    pub(crate) fn healed(&self, source: Source) {
        let mut status = self.status();
        let Some(error) = status.trouble[source as usize].take() else { return };
        if status.trouble.iter().all(Option::is_none) {
            (status.troubled_since, status.reported) = (None, false);
            status.healed = Some((error.kind(), Instant::now()));
            tracing::info!(target: TARGET, "connected again");
        }
    }

    /// The current error.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.status().trouble.iter().flatten().next().cloned()
    }

    pub(crate) fn troubled_for(&self) -> Duration {
        self.status().troubled_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits for the first registration. Returns a permanent error at once, and a temporary one after the option `timeout`.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut ready = self.ready.subscribe();
        let waited = tokio::time::timeout(self.options.timeout, ready.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Ok(())),
            _ => Err(self.trouble().unwrap_or_else(|| too_slow(&self.options, self.options.timeout))),
        }
    }

    /// The connection for a call of the program; an error if the member has ended.
    pub(crate) fn open_store(&self) -> Result<&Store> {
        if *self.ended.borrow() {
            return Err(self.why_closed(Error::new(ErrorKind::Closed, "the member is closed")));
        }
        Ok(&self.store)
    }

    /// Deletes jobs in any state, once `before` is ready. Returns whether each existed, in the order of the ids. A malformed id fails at once.
    pub(crate) async fn delete(&self, ids: &[String], before: impl Future<Output = ()>) -> Result<Vec<bool>> {
        ids.iter().try_for_each(|id| check_name("job id", id))?;
        before.await;
        let mut existed = Vec::with_capacity(ids.len());
        for ids in ids.chunks(MAX_DELETES) {
            existed.extend(self.open_store()?.delete(ids).await?);
        }
        Ok(existed)
    }

    /// Resolves when the member has ended.
    pub(crate) async fn ended(&self) {
        // The sender lives as long as this object.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(crate) fn end(&self, error: Error) {
        self.ended.send_replace(true);
        self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(Err(error))).is_some());
        self.status().right_until = Duration::ZERO;
        self.events.end();
    }
}
