//! Replies that a sender waits for: until all have arrived, the time is over, or the missing recipients are gone.

use libswarm_common::lock::Mutex;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::member::Shared;
use crate::model::message::{Kind, MemberRef, MessageData, Receipt};
use crate::model::payload::Payload;
use crate::util::completion::Done;

/// The interval at which the sender queries which of the missing recipients are gone.
const CHECK_AFTER: Duration = Duration::from_secs(1);
/// The limit of members in one such query.
const MAX_ASKED: usize = 1000;

#[derive(Default)]
pub(crate) struct Replies {
    state: Mutex<State>,
    /// Notified when a deadline is earlier than before, or when the member has ended.
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// By the number of the message to which they reply.
    awaited: HashMap<u64, Awaited>,
    /// The deadlines of sent messages.
    limits: BTreeSet<(Instant, u64)>,
    /// When the keeper checks next; `None` while it sleeps.
    next: Option<Instant>,
    closed: bool,
}

/// The acknowledgements or replies to one message.
#[derive(Default)]
struct Awaited {
    replies: Vec<(MemberRef, Option<Payload>)>,
    answered: HashSet<String>,
    /// Set once Redis has returned the recipients.
    sent: Option<Sent>,
}

struct Sent {
    receipt: Receipt,
    done: Done<Receipt>,
    /// The incarnation that receives the replies.
    by: String,
    at: Instant,
    limit: Instant,
    /// Recipients that have not answered and are not known to be gone.
    owing: HashSet<String>,
}

impl Awaited {
    fn is_complete(&self) -> bool {
        self.sent.as_ref().is_some_and(|sent| sent.owing.is_empty())
    }

    fn end(self) {
        let Some(Sent { mut receipt, done, .. }) = self.sent else { return };
        receipt.missing = receipt.recipients.iter().filter(|member| !self.answered.contains(*member)).cloned().collect();
        receipt.replies = self.replies;
        done(Ok(receipt));
    }
}

impl State {
    fn remove(&mut self, number: u64) -> Option<Awaited> {
        let awaited = self.awaited.remove(&number)?;
        if let Some(sent) = &awaited.sent {
            self.limits.remove(&(sent.limit, number));
        }
        Some(awaited)
    }

    fn remove_where(&mut self, mut over: impl FnMut(&mut Awaited) -> bool) -> Vec<Awaited> {
        let numbers: Vec<u64> =
            self.awaited.iter_mut().filter_map(|(number, awaited)| over(awaited).then_some(*number)).collect();
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }
}

impl Replies {
    pub(super) fn any(&self) -> bool {
        !self.state.lock().awaited.is_empty()
    }

    /// Collects replies to a message from now on.
    pub(super) fn expect(&self, number: u64) {
        self.state.lock().awaited.insert(number, Awaited::default());
    }

    /// Stops collecting: the message was not sent.
    pub(super) fn forget(&self, number: u64) {
        self.state.lock().remove(number);
    }

    /// The message was put into the inboxes of its recipients.
    pub(super) fn sent(&self, number: u64, receipt: Receipt, limit: Duration, by: &str, done: Done<Receipt>) {
        let mut state = self.state.lock();
        let mut awaited = state.remove(number).unwrap_or_default();
        let owing = receipt.recipients.iter().filter(|member| !awaited.answered.contains(*member)).cloned().collect();
        let at = Instant::now();
        let limit = at + limit;
        awaited.sent = Some(Sent { receipt, done, by: by.to_owned(), at, limit, owing });
        if awaited.is_complete() || state.closed {
            drop(state);
            return awaited.end();
        }
        state.awaited.insert(number, awaited);
        state.limits.insert((limit, number));
        let due = limit.min(at + CHECK_AFTER);
        if state.next.is_none_or(|next| due < next) {
            state.next = Some(due);
            drop(state);
            self.changed.notify_one();
        }
    }

    /// An acknowledgement or a reply has arrived.
    pub(crate) fn arrived(&self, data: MessageData) {
        let mut state = self.state.lock();
        let Some(awaited) = state.awaited.get_mut(&data.about) else { return };
        if !awaited.answered.insert(data.from.incarnation.clone()) {
            return;
        }
        if let Some(sent) = &mut awaited.sent {
            sent.owing.remove(&data.from.incarnation);
        }
        awaited.replies.push((data.from, (data.kind == Kind::Reply).then_some(data.payload)));
        let ended = awaited.is_complete().then(|| state.remove(data.about)).flatten();
        drop(state);
        ended.into_iter().for_each(Awaited::end);
    }

    /// These members are gone, and all their messages have arrived.
    pub(crate) fn gone(&self, members: &[String]) {
        let ended = self.state.lock().remove_where(|awaited| {
            let Some(sent) = &mut awaited.sent else { return false };
            members.iter().any(|member| sent.owing.remove(member)) && sent.owing.is_empty()
        });
        ended.into_iter().for_each(Awaited::end);
    }

    /// Ends all waits: no more replies can arrive.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.limits.clear();
        let awaited = std::mem::take(&mut state.awaited);
        drop(state);
        for sent in awaited.into_values().filter_map(|awaited| awaited.sent) {
            (sent.done)(Err(super::closed()));
        }
        self.changed.notify_one();
    }

    /// Ends each wait at its deadline, until the member has ended.
    pub(super) async fn keep(&self, shared: &Shared) {
        loop {
            let (closed, next) = {
                let state = self.state.lock();
                (state.closed, state.next)
            };
            match next {
                _ if closed => return,
                None => self.changed.notified().await,
                Some(next) => {
                    let _ = tokio::time::timeout_at(next, self.changed.notified()).await;
                    if Instant::now() >= next {
                        self.check(shared).await;
                    }
                }
            }
        }
    }

    /// Ends waits that are over, and queries which recipients are gone. The answer arrives in the inbox, behind all messages of those recipients.
    async fn check(&self, shared: &Shared) {
        let (now, incarnation) = (Instant::now(), shared.incarnation());
        let mut owing = HashSet::new();
        let ended = {
            let mut state = self.state.lock();
            let ended = state.remove_where(|awaited| {
                let Some(sent) = &awaited.sent else { return false };
                // Replies to an incarnation that is gone cannot arrive any more.
                let over = sent.limit <= now || !incarnation.is_empty() && sent.by != incarnation;
                if !over && sent.at + CHECK_AFTER <= now {
                    owing.extend(sent.owing.iter().cloned());
                }
                over
            });
            let first = state.limits.first().map(|(limit, _)| *limit);
            state.next = first.map(|limit| limit.min(now + CHECK_AFTER));
            ended
        };
        ended.into_iter().for_each(Awaited::end);
        if incarnation.is_empty() {
            return;
        }
        let owing: Vec<String> = owing.into_iter().collect();
        for members in owing.chunks(MAX_ASKED) {
            if let Err(failed) = shared.store.ask_who_is_gone(&incarnation, members).await {
                // The next check queries again.
                tracing::debug!(error = %failed.error, "asking who is gone");
                return;
            }
        }
    }
}
