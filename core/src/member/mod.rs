//! What masters and workers share: an incarnation registered in Redis, its lease, and how trouble is told.

mod guard;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rand::Rng;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::clock::boottime;
use crate::event::{Event, EventQueue, Told};
use crate::health::{Counts, Health};
use crate::messages::{Change, Outbox};
use crate::options::{Options, Requeue};
use crate::store::record::{packed_strings, write_array, write_signed, write_string};
use crate::store::{Entry, Failed, Inbox, Read, Store, too_slow};
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::random_id;
use libswarm_common::value::YEAR;

pub(crate) use guard::{guarded, panicked};

/// Pauses between attempts: doubling from 20 ms to a limit, the later half of each at random.
pub(crate) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub(crate) fn new(longest: Duration) -> Self {
        Backoff { next: Duration::from_millis(20), longest }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.next.min(self.longest);
        self.next = pause * 2;
        pause.mul_f64(rand::rng().random_range(0.5..=1.0))
    }

    pub(crate) fn reset(&mut self) {
        self.next = Duration::from_millis(20);
    }
}

/// The part of a member that its handles and its task both see.
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(crate) store: Store,
    pub(crate) events: EventQueue,
    /// Jobs that a worker holds at most; 0 for no limit.
    pub(crate) slots: AtomicU32,
    pub(crate) active: AtomicU64,
    /// Jobs whose handlers were told to stop and have not within the option `stop_grace`.
    pub(crate) stuck: AtomicU64,
    pub(crate) pending: AtomicU64,
    pub(crate) counts: Counts,
    inbox_connected: Arc<AtomicBool>,
    ended: AtomicBool,
    /// A task of the member beside its main one has panicked.
    fatal: watch::Sender<Option<Error>>,
    /// The member has ended by a panic.
    death: OnceLock<Error>,
    /// The member has removed the cluster: it registers anew only when its program wants something.
    pub(crate) obliterated: AtomicBool,
    /// Tasks that a worker takes; the option, until its program says otherwise.
    pub(crate) tasks: Mutex<Vec<String>>,
    /// How many jobs a worker asks for at most; the option, until its program says less.
    pub(crate) asks_for: AtomicU64,
    pub(crate) messages: Arc<Outbox>,
    status: Mutex<Status>,
    /// `None` until the first registration or lasting error; then what `ready` answers.
    ready: watch::Sender<Option<Result<()>>>,
}

#[derive(Default)]
struct Status {
    incarnation: String,
    /// On the clock of `boottime`.
    right_until: Duration,
    /// Of calls and of the inbox.
    trouble: [Option<Error>; 2],
    troubled_since: Option<Instant>,
    /// The program was told of it.
    told: bool,
    /// What was wrong last, and when that ended.
    healed: Option<(ErrorKind, Instant)>,
}

/// Trouble that ends and comes back within so long is the same: a member has two connections, which end and come back one after the other.
const FLAPPING: Duration = Duration::from_secs(1);

/// What trouble is with.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    Calls = 0,
    Inbox = 1,
}

impl Shared {
    pub(crate) fn new(options: Options, runtime: &Handle) -> Result<Self> {
        options.check()?;
        crate::store::prepare();
        crate::clock::boottime();
        let options = Arc::new(options);
        Ok(Shared {
            store: Store::new(options.clone(), runtime.clone()),
            events: EventQueue::new(options.window, options.auto_accept),
            tasks: Mutex::new(options.tasks.clone()),
            asks_for: AtomicU64::new(u64::MAX),
            messages: Arc::new(Outbox::new(&options)),
            slots: AtomicU32::new(options.slots.unwrap_or(0)),
            options,
            active: AtomicU64::new(0),
            stuck: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            counts: Counts::default(),
            inbox_connected: Arc::new(AtomicBool::new(true)),
            ended: AtomicBool::new(false),
            fatal: watch::Sender::new(None),
            death: OnceLock::new(),
            obliterated: AtomicBool::new(false),
            status: Mutex::default(),
            ready: watch::Sender::new(None),
        })
    }

    pub(crate) fn tasks(&self) -> Vec<String> {
        self.tasks.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn status(&self) -> std::sync::MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn incarnation(&self) -> String {
        self.status().incarnation.clone()
    }

    pub(crate) fn health(&self) -> Health {
        let status = self.status();
        let trouble = status.trouble.iter().flatten().next();
        let lease_left = status.right_until.saturating_sub(boottime());
        let told = self.events.counts();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connected = self.store.is_connected() && self.inbox_connected.load(Ordering::Relaxed);
        Health {
            healthy: connected && !lease_left.is_zero() && trouble.is_none(),
            connected,
            incarnation: status.incarnation.clone(),
            lease_left,
            active: self.active.load(Ordering::Relaxed),
            pending: self.pending.load(Ordering::Relaxed),
            error: trouble.map_or("", |error| error.kind().name()).to_owned(),
            error_message: trouble.map_or("", |error| error.message()).to_owned(),
            registrations: count(&self.counts.registrations),
            added: count(&self.counts.added),
            assigned: told.adds,
            finished: count(&self.counts.finished),
            sent: count(&self.counts.sent),
            received: told.messages,
            dropped: told.dropped + count(&self.counts.missed),
            stuck: count(&self.stuck),
        }
    }

    /// Tells the program of trouble, once until its kind changes or it heals.
    pub(crate) fn report(&self, source: Source, error: &Error) {
        if !error.kind().is_retryable() {
            self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(Err(error.clone()))).is_some());
        }
        let known = {
            let mut status = self.status();
            let known = status.told && status.trouble.iter().flatten().any(|trouble| trouble.kind() == error.kind())
                || status.healed.is_some_and(|(kind, at)| kind == error.kind() && at.elapsed() < FLAPPING);
            status.told |= !known;
            status.trouble[source as usize] = Some(error.clone());
            status.troubled_since.get_or_insert_with(Instant::now);
            known
        };
        // A warning as often as an event: an outage has an attempt to connect every second.
        if known {
            tracing::debug!(kind = error.kind().name(), "{error}");
        } else {
            tracing::warn!(kind = error.kind().name(), "{error}");
            self.events.push([Event::Error(error.clone())]);
        }
    }

    pub(crate) fn healed(&self, source: Source) {
        let mut status = self.status();
        let Some(error) = status.trouble[source as usize].take() else { return };
        if status.trouble.iter().all(Option::is_none) {
            (status.troubled_since, status.told) = (None, false);
            status.healed = Some((error.kind(), Instant::now()));
            tracing::info!("connected again");
        }
    }

    /// What is wrong now.
    pub(crate) fn trouble(&self) -> Option<Error> {
        self.status().trouble.iter().flatten().next().cloned()
    }

    pub(crate) fn troubled_for(&self) -> Duration {
        self.status().troubled_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Waits for the first registration. An error that waiting does not mend is answered at once; one that may, after the option `timeout`.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut ready = self.ready.subscribe();
        let waited = tokio::time::timeout(self.options.timeout, ready.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(answer)) => answer.clone().unwrap_or(Ok(())),
            _ => Err(self.trouble().unwrap_or_else(|| too_slow(&self.options, self.options.timeout))),
        }
    }

    /// The connection for a call of the program's, unless the member has ended.
    pub(crate) fn open_store(&self) -> Result<&Store> {
        if self.ended.load(Ordering::Acquire) {
            return Err(self.why_closed(Error::new(ErrorKind::Closed, "the member is closed")));
        }
        Ok(&self.store)
    }

    /// What an inbox brought besides jobs and results.
    pub(crate) fn heard(&self, entry: Entry) {
        let event = match entry {
            Entry::Message(data) => {
                let Some(data) = self.messages.inbound.arrived(data) else { return };
                if data.kind.is_answer() {
                    return self.messages.answers.arrived(data);
                }
                if let Some(code) = data.exit_code() {
                    self.messages.exit_on_kill.asked(code, &data.from);
                }
                Told::Message(Arc::new(data))
            }
            Entry::Member(change, role, member) => {
                if change != Change::Joined {
                    self.messages.answers.gone(std::slice::from_ref(&member.incarnation));
                }
                Told::Other(Event::Member { change, role, member })
            }
            Entry::Gone(members) => return self.messages.answers.gone(&members),
            Entry::Dropped(count) => {
                self.counts.missed.fetch_add(count, Ordering::Relaxed);
                let text = format!("{count} messages were dropped, because this member did not read its inbox");
                Told::Other(Event::Error(Error::new(ErrorKind::MessagesDropped, text)))
            }
            _ => return,
        };
        self.events.push([event]);
    }

    /// Waits until the messages that were submitted are sent, within the option `timeout`.
    pub(crate) async fn messages_sent(&self) {
        let _ = tokio::time::timeout(self.options.timeout, self.messages.sent()).await;
    }

    pub(crate) fn end(&self, error: Error) {
        self.messages.close();
        self.ended.store(true, Ordering::Release);
        self.ready.send_if_modified(|ready| ready.is_none().then(|| *ready = Some(Err(error))).is_some());
        self.status().right_until = Duration::ZERO;
        self.events.end();
    }
}

/// An incarnation and its lease, as the member's task sees it.
pub(crate) struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) incarnation: String,
    /// Which life of the store the incarnation was registered in.
    pub(crate) epoch: String,
    /// When the member's right to act ends, unless renewed; on the clock of `boottime`.
    pub(crate) right_until: Duration,
    pub(crate) backoff: Backoff,
    /// When Redis last answered as to a member that it knows.
    seen: tokio::time::Instant,
    /// Lost connections after which a round was sent or is under way.
    pub(crate) losses: u64,
}

/// A question whether Redis still knows the member.
pub(crate) type Probe = Pin<Box<dyn Future<Output = Result<bool, Failed>> + Send>>;

/// A member that has said nothing for so long asks whether Redis still knows it: it may have lost its data, or the connection may be silent. With
/// the renewals and the reads of the inbox that is less than one command a second.
const PROBE_AFTER: Duration = Duration::from_secs(3);
/// A member that leaves gives up after so long, if only parts of what it has are taken back at a time.
const MAX_LEAVE: Duration = Duration::from_secs(60);

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        let backoff = Backoff::new(shared.store.longest_backoff());
        Session {
            shared,
            incarnation: String::new(),
            epoch: String::new(),
            right_until: Duration::ZERO,
            backoff,
            seen: tokio::time::Instant::now(),
            losses: 0,
        }
    }

    /// Registers a new incarnation, trying until it succeeds. Cancel by dropping.
    pub(crate) async fn join(&mut self, role: &str) -> Duration {
        self.incarnation = random_id();
        let tasks = if role == "worker" { packed_tasks(&self.shared.tasks()) } else { None };
        let introduction = self.shared.messages.introduction();
        let fields = fields(&self.shared, role, tasks, &introduction);
        let settings = settings(&self.shared.options);
        loop {
            let (sent, losses) = (boottime(), self.shared.store.losses());
            match self.shared.store.join(&self.incarnation, &fields, &settings).await {
                Ok((epoch, next)) => {
                    (self.epoch, self.losses) = (epoch, losses);
                    self.shared.counts.registrations.fetch_add(1, Ordering::Relaxed);
                    self.renewed(sent);
                    self.shared.status().incarnation = self.incarnation.clone();
                    tracing::debug!("registered as {role} {}", self.incarnation);
                    self.introduce(&introduction).await;
                    return next;
                }
                Err(failed) => {
                    self.shared.report(Source::Calls, &failed.error);
                    tokio::time::sleep(self.backoff.next()).await;
                }
            }
        }
    }

    /// Says what has changed since registration was sent.
    async fn introduce(&self, said: &(String, String)) {
        let (hears, data) = self.shared.messages.introduction();
        for (letter, what) in [('l', "listen"), ('w', "watch")] {
            if hears.contains(letter) && !said.0.contains(letter) {
                self.say(what, "").await;
            }
        }
        if data != said.1 {
            self.say("data", &data).await;
        }
    }

    async fn say(&self, what: &str, data: &str) {
        if let Err(error) = self.shared.store.listen(&self.incarnation, what, data).await {
            self.shared.report(Source::Calls, &error);
        }
    }

    /// The member takes part from now on.
    pub(crate) fn announce(&self) {
        self.shared.ready.send_replace(Some(Ok(())));
        self.shared.events.push([Event::Ready { incarnation: self.incarnation.clone() }]);
    }

    /// The renewal sent at `sent` was answered: the right holds until a margin before the lease can end in Redis.
    pub(crate) fn renewed(&mut self, sent: Duration) {
        let lease = self.shared.options.lease;
        let margin = (lease / 10).max(Duration::from_millis(500));
        self.right_until = sent + lease - margin;
        self.shared.status().right_until = self.right_until;
        self.shared.healed(Source::Calls);
        self.backoff.reset();
        self.seen();
    }

    /// Redis has answered as to a member that it knows.
    pub(crate) fn seen(&mut self) {
        self.seen = tokio::time::Instant::now();
    }

    /// When it is time to ask whether Redis still knows the member.
    pub(crate) fn probe_at(&self) -> tokio::time::Instant {
        self.seen + PROBE_AFTER
    }

    pub(crate) fn probe(&self) -> Probe {
        let (shared, incarnation) = (self.shared.clone(), self.incarnation.clone());
        Box::pin(async move { shared.store.is_member(&incarnation).await })
    }

    /// Takes the answer of a probe; whether a round has to be sent, which finds out more.
    pub(crate) fn probed(&mut self, answer: Result<bool, Failed>) -> bool {
        // Whatever it is, the next probe has time.
        self.seen();
        match answer {
            Ok(known) => !known,
            Err(Failed { error, .. }) => {
                self.shared.report(Source::Calls, &error);
                true
            }
        }
    }

    /// Has what the member holds given back, and the member forgotten. Gives up when Redis is away for the option `timeout`; then the lease
    /// ends by itself.
    pub(crate) async fn leave(&mut self) -> Result<()> {
        use tokio::time::Instant;
        self.shared.messages_sent().await;
        let begun = Instant::now();
        let mut answered = begun;
        loop {
            match self.shared.store.leave(&self.incarnation).await {
                Ok(true) => {
                    tracing::debug!("{} has left", self.incarnation);
                    return Ok(());
                }
                Ok(false) if begun.elapsed() < MAX_LEAVE => answered = Instant::now(),
                Ok(false) => return Err(Error::new(ErrorKind::Timeout, "there was too much to give back")),
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

    /// Between renewals.
    pub(crate) fn renewal(&self) -> Duration {
        self.shared.options.lease / 3
    }

    /// When the next round is to go, the next thing being due after `next`, spread a little, so that of many members one or few act on it.
    pub(crate) fn next_round(&self, next: Duration, spread: Duration) -> Duration {
        self.renewal().min(next.saturating_add(spread.min(YEAR).mul_f64(rand::random::<f64>())))
    }

    /// Starts reading the inbox of this incarnation. Entries come with the id of the last one; the reader ends when the receiver is dropped.
    pub(crate) fn read_inbox(&self) -> InboxTask {
        let (sender, receiver) = mpsc::channel(4);
        let shared = self.shared.clone();
        let mut inbox = Inbox::new(shared.options.clone(), &self.incarnation, shared.inbox_connected.clone());
        let guarding = shared.clone();
        let read = async move {
            let mut backoff = Backoff::new(shared.store.longest_backoff());
            loop {
                match inbox.read().await {
                    Ok(read) => {
                        backoff.reset();
                        shared.healed(Source::Inbox);
                        if read.entries > 0 || read.again {
                            if sender.send(read).await.is_err() {
                                return;
                            }
                            // The member's task goes first: a job is told before the next read is sent.
                            tokio::task::yield_now().await;
                        }
                    }
                    Err(Failed { error, .. }) => {
                        shared.report(Source::Inbox, &error);
                        tokio::time::sleep(backoff.next()).await;
                    }
                }
            }
        };
        let task = tokio::spawn(async move { guarding.guard("the reader of the inbox", read).await });
        InboxTask { receiver, task }
    }
}

/// A running reader of an inbox; stops when dropped.
pub(crate) struct InboxTask {
    pub(crate) receiver: mpsc::Receiver<Read>,
    task: JoinHandle<()>,
}

impl Drop for InboxTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the registry keeps of a member, as a msgpack array of names and values.
fn fields(shared: &Shared, role: &str, tasks: Option<Vec<u8>>, (hears, data): &(String, String)) -> Vec<u8> {
    let options = &shared.options;
    let requeue = match options.requeue {
        Requeue::Front => "front",
        Requeue::Back => "back",
    };
    let (pid, crashes) = (std::process::id().to_string(), options.max_crashes.to_string());
    let slots = match shared.slots.load(Ordering::Relaxed) {
        0 => String::new(),
        slots => slots.to_string(),
    };
    let host = host();
    let all = [
        ("role", role),
        ("name", &options.name),
        ("group", &options.group),
        ("host", &host),
        ("pid", &pid),
        ("language", &options.language),
        ("version", crate::VERSION),
        ("slots", &slots),
        ("max_crashes", &crashes),
        ("requeue", requeue),
        ("hears", hears),
        ("data", data),
    ];
    let mut out = Vec::new();
    // Refused by `check` if it were an error.
    let ranges = options.ranges().unwrap_or_default();
    let more = usize::from(tasks.is_some()) + usize::from(!ranges.is_empty());
    write_array(&mut out, 2 * (all.len() + more));
    for (name, value) in all {
        write_string(&mut out, name.as_bytes());
        write_string(&mut out, value.as_bytes());
    }
    if let Some(tasks) = tasks {
        write_string(&mut out, b"tasks");
        write_string(&mut out, &tasks);
    }
    if !ranges.is_empty() {
        let mut packed = Vec::new();
        write_array(&mut packed, ranges.len());
        ranges.iter().for_each(|(from, _)| write_signed(&mut packed, *from));
        write_string(&mut out, b"ranges");
        write_string(&mut out, &packed);
    }
    out
}

/// The tasks a worker takes, packed; `None` if only jobs without one.
pub(crate) fn packed_tasks(tasks: &[String]) -> Option<Vec<u8>> {
    let mut tasks = tasks.to_vec();
    tasks.sort();
    tasks.dedup();
    (!tasks.iter().all(String::is_empty)).then(|| packed_strings(&tasks))
}

/// What a member sets for the whole cluster, as a msgpack array of names and values.
fn settings(options: &Options) -> Vec<u8> {
    let max = options.failed_max.map(|max| ("failed_max", max.to_string()));
    let bytes = options.failed_max_bytes.map(|bytes| ("failed_max_bytes", bytes.to_string()));
    let ttl = options.failed_ttl.map(|ttl| ("failed_ttl", ttl.as_millis().to_string()));
    let all: Vec<_> = max.into_iter().chain(bytes).chain(ttl).collect();
    let mut out = Vec::new();
    write_array(&mut out, 2 * all.len());
    for (name, value) in all {
        write_string(&mut out, name.as_bytes());
        write_string(&mut out, value.as_bytes());
    }
    out
}

/// This machine, as members tell it.
pub(crate) fn host() -> String {
    hostname::get().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
