//! Messages on their way to Redis: gathered while a batch is under way, sent one batch after another, so that their order is kept.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Answers, ExitOnKill, Inbound, Kind, MemberRef, MessageData, NewMessage, Receipt, To, Wants};
use crate::job::Payload;
use crate::member::{Backoff, Shared, host};
use crate::options::Options;
use crate::store::message::{Address, write_blob};
use crate::store::record::{write_array, write_integer, write_string};
use crate::worker::Done;
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::random_id;
use libswarm_common::language::option;

/// Messages of one batch, at most.
const MAX_BATCH: usize = 100;
/// And their bytes, unless the first alone has more.
const MAX_BYTES: usize = 1024 * 1024;
/// Messages that wait to be sent, at most.
const MAX_WAITING: usize = 10_000;

/// All that a member keeps of messages.
pub(crate) struct Outbox {
    me: Me,
    state: Mutex<State>,
    max_pending_bytes: u64,
    arrived: Notify,
    /// All that was submitted is sent.
    drained: Notify,
    /// The inbox is to be read from now on.
    pub(crate) changed: Notify,
    listens: AtomicBool,
    watches: AtomicBool,
    data: Mutex<String>,
    pub(crate) inbound: Inbound,
    pub(crate) answers: Answers,
    pub(crate) exit_on_kill: ExitOnKill,
}

/// What others are told of this member, through all its incarnations.
struct Me {
    id: String,
    name: String,
    group: String,
    host: String,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Outgoing>,
    /// Of the payloads in it.
    bytes: u64,
    number: u64,
    /// A batch is under way.
    sending: bool,
    closed: bool,
}

struct Outgoing {
    address: Address,
    kind: Kind,
    number: u64,
    about: u64,
    payload: Payload,
    wants: Wants,
    to_self: bool,
    done: Option<Done<Receipt>>,
}

pub(super) fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the member is closed")
}

impl Outbox {
    pub(crate) fn new(options: &Options) -> Self {
        let me = Me { id: random_id(), name: options.name.clone(), group: options.group.clone(), host: host() };
        Outbox {
            me,
            state: Mutex::default(),
            max_pending_bytes: options.max_pending_bytes,
            arrived: Notify::new(),
            drained: Notify::new(),
            changed: Notify::new(),
            listens: AtomicBool::new(false),
            watches: AtomicBool::new(false),
            data: Mutex::default(),
            inbound: Inbound::default(),
            answers: Answers::default(),
            exit_on_kill: ExitOnKill::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What an incarnation says of itself when it registers: letters for what it hears, and its data.
    pub(crate) fn introduction(&self) -> (String, String) {
        let letters = [(&self.listens, 'l'), (&self.watches, 'w')];
        let hears = letters.into_iter().filter(|(on, _)| on.load(Ordering::Acquire)).map(|(_, letter)| letter).collect();
        (hears, self.data.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }

    /// Whether the inbox has to be read for messages.
    pub(crate) fn reads_inbox(&self) -> bool {
        self.listens.load(Ordering::Acquire) || self.watches.load(Ordering::Acquire) || self.answers.any()
    }

    /// A later incarnation says it when it registers.
    pub(super) fn hear(&self, what: &str) {
        if what == "watch" { &self.watches } else { &self.listens }.store(true, Ordering::Release);
        self.changed.notify_one();
    }

    pub(super) fn set_data(&self, json: String) {
        *self.data.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = json;
    }

    pub(super) fn submit(&self, message: NewMessage, done: Done<Receipt>) {
        let kind = match message.wants {
            Wants::Nothing => Kind::Message,
            Wants::Acknowledgements(_) => Kind::Acknowledged,
            Wants::Replies(_) => Kind::Request,
        };
        self.submit_as(kind, message, done);
    }

    pub(super) fn kill(&self, message: NewMessage, done: Done<Receipt>) {
        self.submit_as(Kind::Kill, message, done);
    }

    fn submit_as(&self, kind: Kind, message: NewMessage, done: Done<Receipt>) {
        let address = match message.to {
            To::All => ('a', String::new()),
            To::Group(name) => ('g', name),
            To::Name(name) => ('n', name),
            To::Process { pid, host } if host.is_empty() => ('p', format!("{pid}@{}", self.me.host)),
            To::Process { pid, host } => ('p', format!("{pid}@{host}")),
            To::Member(incarnation) => ('m', incarnation),
        };
        let NewMessage { payload, wants, to_self, .. } = message;
        self.push_or_tell(Outgoing { address, kind, number: 0, about: 0, payload, wants, to_self, done: Some(done) });
    }

    pub(super) fn confirm(&self, name: &str, done: Done<Receipt>) {
        self.push_or_tell(Outgoing {
            address: ('a', String::new()),
            kind: Kind::Confirmation,
            number: 0,
            about: 0,
            payload: Payload::bytes(name.as_bytes()),
            wants: Wants::Nothing,
            to_self: true,
            done: Some(done),
        });
    }

    /// Sends the sender of a message what it waits for.
    pub(super) fn answer(&self, message: &MessageData, kind: Kind, payload: Payload) -> Result<()> {
        self.push(Outgoing {
            address: ('i', message.from.incarnation.clone()),
            kind,
            number: 0,
            about: message.number,
            payload,
            wants: Wants::Nothing,
            to_self: true,
            done: None,
        })
        .map_err(|(error, _)| error)
    }

    fn push_or_tell(&self, outgoing: Outgoing) {
        if let Err((error, Some(done))) = self.push(outgoing) {
            done(Err(error));
        }
    }

    /// Queues it, or gives back who is to hear that it was refused.
    fn push(&self, mut outgoing: Outgoing) -> Result<(), (Error, Option<Done<Receipt>>)> {
        let mut state = self.lock();
        if state.closed {
            return Err((closed(), outgoing.done));
        }
        if state.queue.len() >= MAX_WAITING && outgoing.done.is_some() {
            let text = format!("{MAX_WAITING} messages wait to be sent already");
            return Err((Error::new(ErrorKind::Unavailable, text), outgoing.done));
        }
        let bytes = outgoing.payload.bytes.len() as u64;
        if state.bytes > 0 && state.bytes + bytes > self.max_pending_bytes && outgoing.done.is_some() {
            let (waiting, limit) = (state.bytes, self.max_pending_bytes);
            let text = format!(
                "{waiting} bytes of messages wait to be sent already, and with {bytes} more they exceed {}, which is {limit}",
                option("max_pending_bytes")
            );
            return Err((Error::new(ErrorKind::BufferFull, text), outgoing.done));
        }
        state.bytes += bytes;
        state.number += 1;
        outgoing.number = state.number;
        if outgoing.wants != Wants::Nothing {
            // Answers may come before Redis has said who hears it.
            self.answers.expect(outgoing.number);
            self.changed.notify_one();
        }
        state.queue.push_back(outgoing);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    fn take(&self) -> Vec<Outgoing> {
        let mut state = self.lock();
        let mut bytes = 0;
        let fits = |outgoing: &&Outgoing| {
            let first = bytes == 0;
            bytes += outgoing.payload.bytes.len() + 200;
            first || bytes <= MAX_BYTES
        };
        let count = state.queue.iter().take(MAX_BATCH).take_while(fits).count();
        state.sending = count > 0;
        let taken: Vec<Outgoing> = state.queue.drain(..count).collect();
        state.bytes -= taken.iter().map(|outgoing| outgoing.payload.bytes.len() as u64).sum::<u64>();
        taken
    }

    /// Waits until all that was submitted is sent.
    pub(crate) async fn sent(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_drained() {
                return;
            }
            drained.await;
        }
    }

    fn is_drained(&self) -> bool {
        let state = self.lock();
        state.queue.is_empty() && !state.sending || state.closed
    }

    /// Refuses what comes from now on, and ends all waits.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let rest = std::mem::take(&mut state.queue);
        drop(state);
        for done in rest.into_iter().filter_map(|outgoing| outgoing.done) {
            done(Err(closed()));
        }
        self.inbound.close();
        self.answers.close();
        self.arrived.notify_one();
        self.drained.notify_waiters();
    }
}

/// The task that sends a member's messages.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    /// The incarnation of the last batch, and its number there.
    incarnation: String,
    number: u64,
}

impl Sender {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Sender { shared, incarnation: String::new(), number: 0 }
    }

    /// Runs until the member has ended.
    pub(crate) async fn run(self) {
        let shared = self.shared.clone();
        tokio::join!(self.send_all(), shared.messages.answers.keep(&shared));
    }

    async fn send_all(mut self) {
        let outbox = self.shared.messages.clone();
        loop {
            let mut batch = outbox.take();
            if batch.is_empty() {
                outbox.drained.notify_waiters();
                if outbox.lock().closed {
                    return;
                }
                outbox.arrived.notified().await;
                continue;
            }
            match self.send(&mut batch).await {
                Ok(answers) => {
                    let sent = batch.iter().filter(|outgoing| outgoing.done.is_some()).count();
                    self.shared.counts.sent.fetch_add(sent as u64, Ordering::Relaxed);
                    for (outgoing, receipt) in batch.into_iter().zip(answers) {
                        outbox.answered(outgoing, receipt, &self.incarnation);
                    }
                }
                Err(error) => {
                    for outgoing in batch {
                        outbox.answers.forget(outgoing.number);
                        if let Some(done) = outgoing.done {
                            done(Err(error.clone()));
                        }
                    }
                }
            }
        }
    }

    /// Sends until it is answered, or the option `timeout` is over.
    async fn send(&mut self, batch: &mut [Outgoing]) -> Result<Vec<Receipt>> {
        let deadline = Instant::now() + self.shared.options.timeout;
        let mut backoff = Backoff::new(self.shared.store.longest_backoff());
        let mut maybe_executed = false;
        let mut numbered = false;
        loop {
            let incarnation = self.shared.incarnation();
            if incarnation != self.incarnation {
                // What was sent under the one before and arrived is known by its number to those who got it.
                (self.incarnation, self.number, numbered) = (incarnation, 0, false);
            }
            if !std::mem::replace(&mut numbered, true) {
                self.number += 1;
            }
            let error = if self.incarnation.is_empty() {
                self.shared.trouble().unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "the member is not registered yet"))
            } else {
                let packed = self.shared.messages.pack(batch, &self.incarnation);
                match self.shared.store.send(&self.incarnation, self.number, &packed).await {
                    Ok(Some(answers)) => return Ok(answers),
                    Ok(None) => Error::new(ErrorKind::LeaseLost, "the member has to register anew"),
                    Err(failed) => {
                        maybe_executed |= failed.maybe_executed;
                        failed.error
                    }
                }
            };
            let pause = backoff.next();
            if !error.kind().is_retryable() || Instant::now() + pause > deadline || self.shared.messages.lock().closed {
                return Err(if maybe_executed && error.kind().is_retryable() {
                    Error::new(ErrorKind::OutcomeUnknown, format!("the message may have been sent: {error}"))
                } else {
                    error
                });
            }
            tokio::time::sleep(pause).await;
        }
    }
}

impl Outbox {
    fn pack(&self, batch: &[Outgoing], incarnation: &str) -> Vec<u8> {
        let from = MemberRef {
            incarnation: incarnation.to_owned(),
            name: self.me.name.clone(),
            group: self.me.group.clone(),
            host: self.me.host.clone(),
            pid: std::process::id(),
        };
        let mut out = Vec::new();
        write_array(&mut out, 4 * batch.len());
        for outgoing in batch {
            let (kind, name) = &outgoing.address;
            write_string(&mut out, kind.to_string().as_bytes());
            write_string(&mut out, name.as_bytes());
            write_integer(&mut out, u64::from(outgoing.to_self));
            let blob = write_blob(outgoing.kind, outgoing.number, outgoing.about, &self.me.id, &from, &outgoing.payload);
            write_string(&mut out, &blob);
        }
        out
    }

    /// Redis has put a message into the inboxes.
    fn answered(&self, outgoing: Outgoing, receipt: Receipt, incarnation: &str) {
        let Some(done) = outgoing.done else { return };
        match outgoing.wants {
            Wants::Nothing => done(Ok(receipt)),
            Wants::Acknowledgements(limit) | Wants::Replies(limit) => {
                self.answers.sent(outgoing.number, receipt, limit, incarnation, done);
            }
        }
    }
}
