//! Received messages: drops duplicates, and delivers confirmations to the calls that wait for them.

use libswarm_common::lock::Mutex;
use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use crate::model::message::{Kind, MemberRef, MessageData};
use crate::model::payload::ContentType;
use libswarm_common::error::Result;

/// The limit of remembered senders: the last number of each, which identifies duplicates.
const SENDERS: usize = 10_000;

#[derive(Default)]
pub(crate) struct Inbound {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The number of the last message of each sender.
    last: HashMap<String, u64>,
    /// The senders; the first is removed next.
    senders: VecDeque<String>,
    confirmations: Vec<Confirmations>,
    closed: bool,
}

struct Confirmations {
    name: String,
    count: usize,
    by: Vec<MemberRef>,
    done: oneshot::Sender<Result<Vec<MemberRef>>>,
}

impl Inbound {
    /// Processes an entry of the inbox. Returns it, unless it was a confirmation or a duplicate.
    pub(crate) fn arrived(&self, data: MessageData) -> Option<MessageData> {
        let mut state = self.state.lock();
        if !state.is_new(&data) {
            return None;
        }
        if data.kind != Kind::Confirmation {
            return Some(data);
        }
        let name = data.payload;
        for waiting in &mut state.confirmations {
            let known = waiting.by.iter().any(|from| from.incarnation == data.from.incarnation);
            if name.content_type == ContentType::Bytes && waiting.name.as_bytes() == name.bytes && !known {
                waiting.by.push(data.from.clone());
            }
        }
        for done in state.confirmations.extract_if(.., |waiting| waiting.by.len() >= waiting.count || waiting.done.is_closed()) {
            let _ = done.done.send(Ok(done.by));
        }
        None
    }

    pub(super) fn confirmations(&self, count: usize, name: &str) -> oneshot::Receiver<Result<Vec<MemberRef>>> {
        let (done, receiver) = oneshot::channel();
        let mut state = self.state.lock();
        if count == 0 {
            let _ = done.send(Ok(Vec::new()));
        } else if !state.closed {
            state.confirmations.push(Confirmations { name: name.to_owned(), count, by: Vec::new(), done });
        }
        receiver
    }

    /// Ends all waits.
    pub(super) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.confirmations.clear();
    }
}

impl State {
    /// Whether the message is no duplicate: the numbers of a sender grow.
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
