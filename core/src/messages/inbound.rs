//! What arrives: each message once, and to whoever waits for it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use super::{Kind, MemberRef, MessageData, Receipt};
use crate::error::Result;
use crate::job::{ContentType, Payload};
use crate::worker::Done;

/// Senders that are remembered, at most: the last number of each, so that what comes twice is known.
const SENDERS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Inbound {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the last message of each sender.
    last: HashMap<String, u64>,
    /// The senders, those first that are to be forgotten.
    senders: VecDeque<String>,
    /// By the number of the message that is answered.
    awaited: HashMap<u64, Awaited>,
    confirmations: Vec<Confirmations>,
    closed: bool,
}

#[derive(Default)]
struct Awaited {
    replies: Vec<(MemberRef, Option<Payload>)>,
    /// Once Redis has said who hears it.
    rest: Option<(Receipt, Done<Receipt>)>,
}

impl Awaited {
    fn is_complete(&self) -> bool {
        self.rest.as_ref().is_some_and(|(receipt, _)| self.replies.len() >= receipt.recipients.len())
    }

    fn end(self) {
        if let Some((mut receipt, done)) = self.rest {
            let replied: HashSet<&str> = self.replies.iter().map(|(from, _)| from.incarnation.as_str()).collect();
            receipt.missing = receipt.recipients.iter().filter(|member| !replied.contains(member.as_str())).cloned().collect();
            receipt.replies = self.replies;
            done(Ok(receipt));
        }
    }
}

struct Confirmations {
    name: String,
    count: usize,
    by: Vec<MemberRef>,
    done: oneshot::Sender<Result<Vec<MemberRef>>>,
}

impl Inbound {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.lock().awaited.is_empty()
    }

    /// Takes what an inbox brought; answers it if it is for the program.
    pub(crate) fn arrived(&self, data: MessageData) -> Option<MessageData> {
        let mut state = self.lock();
        if !state.is_new(&data) {
            return None;
        }
        match data.kind {
            Kind::Message | Kind::Acknowledged | Kind::Request | Kind::Kill => return Some(data),
            Kind::Acknowledgement | Kind::Reply => {
                let awaited = state.awaited.get_mut(&data.about)?;
                if awaited.replies.iter().all(|(from, _)| from.incarnation != data.from.incarnation) {
                    awaited.replies.push((data.from, (data.kind == Kind::Reply).then_some(data.payload)));
                }
                if awaited.is_complete() {
                    let ended = state.awaited.remove(&data.about);
                    drop(state);
                    ended?.end();
                }
            }
            Kind::Confirmation => {
                let name = data.payload;
                for waiting in &mut state.confirmations {
                    let known = waiting.by.iter().any(|from| from.incarnation == data.from.incarnation);
                    if name.content_type == ContentType::Bytes && waiting.name.as_bytes() == name.bytes && !known {
                        waiting.by.push(data.from.clone());
                    }
                }
                for done in
                    state.confirmations.extract_if(.., |waiting| waiting.by.len() >= waiting.count || waiting.done.is_closed())
                {
                    let _ = done.done.send(Ok(done.by));
                }
            }
        }
        None
    }

    /// Answers to a message are kept from now on.
    pub(super) fn await_answers(&self, number: u64) {
        self.lock().awaited.insert(number, Awaited::default());
    }

    /// A message was put into inboxes; whether its answers are still to come.
    pub(super) fn sent(&self, number: u64, receipt: Receipt, done: Done<Receipt>) -> bool {
        let mut state = self.lock();
        let mut awaited = state.awaited.remove(&number).unwrap_or_default();
        awaited.rest = Some((receipt, done));
        if awaited.is_complete() || state.closed {
            drop(state);
            awaited.end();
            return false;
        }
        state.awaited.insert(number, awaited);
        true
    }

    /// Its time is over.
    pub(super) fn expire(&self, number: u64) {
        let expired = self.lock().awaited.remove(&number);
        if let Some(expired) = expired {
            expired.end();
        }
    }

    pub(super) fn forget(&self, number: u64) {
        self.lock().awaited.remove(&number);
    }

    pub(super) fn confirmations(&self, count: usize, name: &str) -> oneshot::Receiver<Result<Vec<MemberRef>>> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.lock();
        if count == 0 {
            let _ = done.send(Ok(Vec::new()));
        } else if !state.closed {
            state.confirmations.push(Confirmations { name: name.to_owned(), count, by: Vec::new(), done });
        }
        receiver
    }

    /// Ends all waits: those for answers with what has come.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.confirmations.clear();
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        for (_, awaited) in awaited {
            if let Some((_, done)) = awaited.rest {
                done(Err(super::outbox::closed()));
            }
        }
    }
}

impl State {
    /// Whether this was not seen before: the numbers of a sender grow.
    fn is_new(&mut self, data: &MessageData) -> bool {
        if let Some(last) = self.last.get_mut(&data.sender) {
            return data.number > *last && {
                *last = data.number;
                true
            };
        }
        if self.senders.len() >= SENDERS
            && let Some(oldest) = self.senders.pop_front()
        {
            self.last.remove(&oldest);
        }
        self.senders.push_back(data.sender.clone());
        self.last.insert(data.sender.clone(), data.number);
        true
    }
}
