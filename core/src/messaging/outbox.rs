//! Messages on their way to Redis: gathered while a batch is under way, and sent in batches one after another, so that their order is kept.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::random_id;
use libswarm_common::language::option;
use libswarm_common::lock::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::replies::Replies;
use super::{Messaging, closed};
use crate::config::options::Options;
use crate::member::host;
use crate::model::message::{Kind, MemberRef, MessageData, NewMessage, Receipt, To, Wants};
use crate::model::payload::Payload;
use crate::store::codec::message::{Address, write_blob};
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::store::envelope::Envelopes;
use crate::util::completion::Done;
use crate::util::reconnect::ReconnectDelay;

/// The limit of messages in one batch.
const MAX_BATCH: usize = 100;
/// The limit of bytes in one batch; a single message may exceed it.
const MAX_BYTES: usize = 1024 * 1024;
/// The limit of messages that wait to be sent.
const MAX_WAITING: usize = 10_000;

/// The messages of a member that wait to be sent, and the replies that it waits for.
pub(super) struct Outbox {
    me: Me,
    state: Mutex<State>,
    max_pending_bytes: u64,
    arrived: Notify,
    /// Notified when all submitted messages are sent.
    drained: Notify,
    /// Notified when a message waits for replies, so that the inbox has to be read.
    pub(super) expects: Notify,
    pub(super) replies: Replies,
}

/// The sender's identity for recipients, which is the same in all its incarnations.
struct Me {
    id: String,
    name: String,
    group: String,
    host: String,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Outgoing>,
    /// Bytes of the payloads in the queue.
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

impl Outbox {
    pub(super) fn new(options: &Options) -> Self {
        let me = Me { id: random_id(), name: options.name.clone(), group: options.group.clone(), host: host() };
        Outbox {
            me,
            state: Mutex::default(),
            max_pending_bytes: options.max_pending_bytes,
            arrived: Notify::new(),
            drained: Notify::new(),
            expects: Notify::new(),
            replies: Replies::default(),
        }
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
        self.push_or_refuse(Outgoing { address, kind, number: 0, about: 0, payload, wants, to_self, done: Some(done) });
    }

    pub(super) fn confirm(&self, name: &str, done: Done<Receipt>) {
        self.push_or_refuse(Outgoing {
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

    /// Sends an acknowledgement or reply to the sender of a message.
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

    fn push_or_refuse(&self, outgoing: Outgoing) {
        if let Err((error, Some(done))) = self.push(outgoing) {
            done(Err(error));
        }
    }

    /// Queues the message, or returns the error and the callback to call with it.
    fn push(&self, mut outgoing: Outgoing) -> Result<(), (Error, Option<Done<Receipt>>)> {
        let mut state = self.state.lock();
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
            // Replies may arrive before the reply of Redis to the batch.
            self.replies.expect(outgoing.number);
            self.expects.notify_one();
        }
        state.queue.push_back(outgoing);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    fn take(&self) -> Vec<Outgoing> {
        let mut state = self.state.lock();
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

    /// Waits until all submitted messages are sent.
    pub(super) async fn sent(&self) {
        loop {
            let drained = self.drained.notified();
            if self.is_drained() {
                return;
            }
            drained.await;
        }
    }

    fn is_drained(&self) -> bool {
        let state = self.state.lock();
        state.queue.is_empty() && !state.sending || state.closed
    }

    /// Rejects later messages, and ends all waits.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let rest = std::mem::take(&mut state.queue);
        drop(state);
        for done in rest.into_iter().filter_map(|outgoing| outgoing.done) {
            done(Err(closed()));
        }
        self.replies.close();
        self.arrived.notify_one();
        self.drained.notify_waiters();
    }
}

/// The task that sends a member's messages.
pub(super) struct Sender {
    messaging: Arc<Messaging>,
    /// The incarnation of the last batch, and its number there.
    incarnation: String,
    number: u64,
}

impl Sender {
    pub(super) fn new(messaging: Arc<Messaging>) -> Self {
        Sender { messaging, incarnation: String::new(), number: 0 }
    }

    /// Runs until the member has ended.
    pub(super) async fn run(self) {
        let messaging = self.messaging.clone();
        tokio::join!(self.send_all(), messaging.outbox.replies.keep(&messaging.shared));
    }

    async fn send_all(mut self) {
        let messaging = self.messaging.clone();
        let outbox = &messaging.outbox;
        // What was too much for one call.
        let mut rest = Vec::new();
        loop {
            let mut batch = if rest.is_empty() { outbox.take() } else { std::mem::take(&mut rest) };
            if batch.is_empty() {
                outbox.drained.notify_waiters();
                if outbox.state.lock().closed {
                    return;
                }
                outbox.arrived.notified().await;
                continue;
            }
            match self.send(&mut batch).await {
                Ok(answers) => {
                    rest = batch.split_off(answers.len().min(batch.len()));
                    let sent = batch.iter().filter(|outgoing| outgoing.done.is_some()).count();
                    self.messaging.shared.counts.sent.fetch_add(sent as u64, Ordering::Relaxed);
                    for (outgoing, receipt) in batch.into_iter().zip(answers) {
                        outbox.answered(outgoing, receipt, &self.incarnation);
                    }
                }
                Err(error) => {
                    for outgoing in batch {
                        outbox.replies.forget(outgoing.number);
                        if let Some(done) = outgoing.done {
                            done(Err(error.clone()));
                        }
                    }
                }
            }
        }
    }

    /// Sends a batch; retries until it is answered, or the option `timeout` is over.
    async fn send(&mut self, batch: &mut [Outgoing]) -> Result<Vec<Receipt>> {
        let deadline = Instant::now() + self.messaging.shared.options.timeout;
        let mut backoff = ReconnectDelay::new(self.messaging.shared.store.longest_backoff());
        let mut maybe_executed = false;
        let mut numbered = false;
        loop {
            let incarnation = self.messaging.shared.incarnation();
            if incarnation != self.incarnation {
                // The number starts anew. Recipients drop a message that already arrived under the previous incarnation, by the number of the
                // message.
                (self.incarnation, self.number, numbered) = (incarnation, 0, false);
            }
            if !std::mem::replace(&mut numbered, true) {
                self.number += 1;
            }
            let error = if self.incarnation.is_empty() {
                self.messaging
                    .shared
                    .trouble()
                    .unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "the member is not registered yet"))
            } else {
                let packed = self.messaging.outbox.pack(batch, &self.incarnation, self.messaging.shared.envelopes());
                match self.messaging.shared.store.send(&self.incarnation, self.number, &packed).await {
                    Ok(Some(answers)) => return Ok(answers),
                    Ok(None) => Error::new(ErrorKind::LeaseLost, "the member has to register anew"),
                    Err(failed) => {
                        maybe_executed |= failed.maybe_executed;
                        failed.error
                    }
                }
            };
            let pause = backoff.next();
            if !error.kind().is_retryable() || Instant::now() + pause > deadline || self.messaging.outbox.state.lock().closed {
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
    fn pack(&self, batch: &[Outgoing], incarnation: &str, envelopes: Envelopes) -> Vec<u8> {
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
            let blob =
                write_blob(outgoing.kind, outgoing.number, outgoing.about, &self.me.id, &from, &outgoing.payload, envelopes);
            write_string(&mut out, &blob);
        }
        out
    }

    /// Redis has put the message into the inboxes.
    fn answered(&self, outgoing: Outgoing, receipt: Receipt, incarnation: &str) {
        let Some(done) = outgoing.done else { return };
        match outgoing.wants {
            Wants::Nothing => done(Ok(receipt)),
            Wants::Acknowledgements(limit) | Wants::Replies(limit) => {
                self.replies.sent(outgoing.number, receipt, limit, incarnation, done);
            }
        }
    }
}
