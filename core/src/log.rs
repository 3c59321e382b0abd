//! Log records from the core to the sink of a binding, through a bounded queue. Off while no sink is set.
//!
//! A Rust program with its own `tracing` subscriber does not need this module: the subscriber receives the records.

use std::fmt::Write;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Once, RwLock, TryLockError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use libswarm_common::error::{Error, ErrorKind, Result};

/// The limit of records that wait for the sink; more are dropped and counted.
const QUEUE: usize = 1024;

/// A log record. It has only texts and a number, so that every language can represent it.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    pub level: u8,
    /// The module that logs, such as `libswarm::worker::task`.
    pub target: String,
    /// The message with its fields.
    pub message: String,
}

/// The function that receives records.
pub type LogSink = Box<dyn Fn(&LogRecord) + Send>;

static LEVEL: AtomicU8 = AtomicU8::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
/// The queue to the log thread, and the process that the thread runs in: a forked child has the memory but not the thread. Threads that log lock it
/// only for reading, so that they do not block each other and lose records.
static QUEUE_IN: RwLock<Option<WayIn>> = RwLock::new(None);

type WayIn = (u32, SyncSender<LogRecord>);

/// Sends records up to `level` (0 none, 1 error … 5 trace) to `sink`. The sink runs on its own thread, never on a runtime thread. There is one sink
/// per process: a later call replaces it, and `None` removes it after it has received all queued records. A forked child has no sink until it sets
/// one.
///
/// Fails with [`ErrorKind::InvalidArgument`] if the program has a `tracing` subscriber; that subscriber receives the records.
pub fn set_sink(level: u8, sink: Option<LogSink>) -> Result<()> {
    static INSTALL: Once = Once::new();
    static OURS: AtomicU8 = AtomicU8::new(0);
    INSTALL.call_once(|| {
        if tracing::subscriber::set_global_default(Queue).is_ok() {
            OURS.store(1, Ordering::Relaxed);
        }
    });
    if OURS.load(Ordering::Relaxed) == 0 {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "the program has its own tracing subscriber, which receives the records",
        ));
    }
    let sender = match sink {
        Some(sink) if level > 0 => Some(start(sink)?),
        _ => None,
    };
    let level = if sender.is_some() { level.min(5) } else { 0 };
    let deadline = Instant::now() + Duration::from_secs(1);
    let mut queue = loop {
        match unless_locked(QUEUE_IN.try_write()) {
            Some(queue) => break queue,
            // The lock is held only while one record is queued. A child that was forked at that moment inherits it locked forever.
            None if Instant::now() < deadline => std::thread::yield_now(),
            None => {
                return Err(Error::new(ErrorKind::Forked, "the log of the parent process was in use when this one was forked"));
            }
        }
    };
    if let Some((pid, parents)) = std::mem::replace(&mut *queue, sender.map(|sender| (std::process::id(), sender)))
        && pid != std::process::id()
    {
        std::mem::forget(parents);
    }
    drop(queue);
    LEVEL.store(level, Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
    Ok(())
}

fn start(sink: LogSink) -> Result<SyncSender<LogRecord>> {
    let (sender, records) = sync_channel(QUEUE);
    let drain = move || drain(&records, &sink);
    std::thread::Builder::new()
        .name("swarm-log".into())
        .spawn(drain)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("the log thread cannot be started: {e}")))?;
    Ok(sender)
}

fn drain(records: &Receiver<LogRecord>, sink: &LogSink) {
    for record in records {
        sink(&record);
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let message = format!("{dropped} log records were dropped because the sink is slow");
            sink(&LogRecord { level: 2, target: "libswarm::log".into(), message });
        }
    }
}

fn unless_locked<G>(tried: Result<G, TryLockError<G>>) -> Option<G> {
    match tried {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 1,
        Level::WARN => 2,
        Level::INFO => 3,
        Level::DEBUG => 4,
        Level::TRACE => 5,
    }
}

/// The subscriber that fills the queue.
struct Queue;

impl Subscriber for Queue {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) <= LEVEL.load(Ordering::Relaxed) && metadata.target().starts_with("libswarm")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        let metadata = event.metadata();
        let record = LogRecord { level: number(*metadata.level()), target: metadata.target().to_owned(), message: text.0 };
        // Never waits, neither for the sink nor for a thread that replaces it.
        let sent = unless_locked(QUEUE_IN.try_read()).is_some_and(|queue| match &*queue {
            Some((pid, sender)) if *pid == std::process::id() => sender.try_send(record).is_ok(),
            _ => true,
        });
        if !sent {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }

    // The core has no spans.
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// `message field=value field=value`
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let done = if field.name() == "message" {
            let rest = std::mem::take(&mut self.0);
            write!(self.0, "{value:?}{rest}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        debug_assert!(done.is_ok(), "writing to memory");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn records_reach_the_sink_up_to_the_level() {
        let (sender, records) = channel();
        set_sink(2, Some(Box::new(move |record| drop(sender.send(record.clone()))))).unwrap();
        tracing::info!("not this one");
        tracing::warn!(job = 7, "this one");
        let record = records.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!((record.level, &*record.message), (2, "this one job=7"));
        assert!(record.target.starts_with("libswarm::log"), "{}", record.target);
        // Fewer than the queue takes: none is lost because others log at the same time.
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..100).for_each(|_| tracing::warn!("one of many")));
            }
        });
        let mut many = std::iter::from_fn(|| records.recv_timeout(Duration::from_secs(10)).ok());
        assert_eq!(many.by_ref().filter(|record| record.message == "one of many").take(800).count(), 800);
        set_sink(0, None).unwrap();
        tracing::error!("nor this");
        assert!(records.recv_timeout(Duration::from_secs(10)).is_err(), "the thread and its sink are gone");
    }
}
