//! Who awaits which job's outcome.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{Notify, oneshot};

use super::closed;
use super::patience::LONG;
use crate::error::{Error, Result};
use crate::job::Outcome;

/// All waits of a master.
#[derive(Default)]
pub(crate) struct Waits {
    state: Mutex<State>,
    /// Told when there are ids to ask Redis for, or the inbox is to be read.
    pub(crate) changed: Notify,
    /// Told when something is awaited while nothing was, and at the end.
    pub(super) begun: Notify,
}

#[derive(Default)]
struct State {
    waiting: HashMap<String, Waiting>,
    /// Looks for those that are awaited for long, so far.
    looks: u32,
    /// Ids that Redis is to be asked for: it may not know that this master awaits them.
    unasked: HashSet<String>,
    closed: Option<Error>,
}

/// All waits for one job.
struct Waiting {
    senders: Vec<oneshot::Sender<Result<Outcome>>>,
    /// `State::looks` when the first began.
    since: u32,
    looked_up: bool,
}

/// One wait; dropping it ends it.
pub(crate) struct Wait {
    waits: Arc<Waits>,
    id: String,
    outcome: oneshot::Receiver<Result<Outcome>>,
}

impl Waits {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins a wait. With `ask`, Redis is asked whether the outcome is there.
    pub(crate) fn begin(self: &Arc<Self>, id: String, ask: bool) -> Wait {
        let (sender, outcome) = oneshot::channel();
        let mut state = self.lock();
        if let Some(error) = &state.closed {
            drop(sender.send(Err(error.clone())));
            return Wait { waits: self.clone(), id, outcome };
        }
        let first = state.waiting.is_empty();
        let since = state.looks;
        let waiting = || Waiting { senders: Vec::new(), since, looked_up: false };
        state.waiting.entry(id.clone()).or_insert_with(waiting).senders.push(sender);
        if ask {
            state.unasked.insert(id.clone());
        }
        drop(state);
        if ask || first {
            self.changed.notify_one();
        }
        if first {
            self.begun.notify_one();
        }
        Wait { waits: self.clone(), id, outcome }
    }

    /// Has Redis asked for this id.
    pub(crate) fn ask(&self, id: String) {
        self.lock().unasked.insert(id);
        self.changed.notify_one();
    }

    /// Has Redis asked for all that is awaited: this master is a new member.
    pub(crate) fn ask_all(&self) {
        let mut state = self.lock();
        let ids: Vec<String> = state.waiting.keys().cloned().collect();
        state.unasked.extend(ids);
    }

    /// Up to `most` ids to ask for, which are taken as asked.
    pub(crate) fn take_unasked(&self, most: usize) -> Vec<String> {
        let mut state = self.lock();
        let State { waiting, unasked, .. } = &mut *state;
        // Those that nobody awaits any more do not count: behind them may be others, which were announced before.
        let (mut ids, mut gone) = (Vec::new(), Vec::new());
        for id in unasked.iter() {
            if ids.len() == most {
                break;
            }
            if waiting.contains_key(id) { &mut ids } else { &mut gone }.push(id.clone());
        }
        for id in ids.iter().chain(&gone) {
            unasked.remove(id);
        }
        ids
    }

    pub(crate) fn put_back(&self, ids: Vec<String>) {
        self.lock().unasked.extend(ids);
    }

    pub(crate) fn any(&self) -> bool {
        !self.lock().waiting.is_empty()
    }

    pub(crate) fn settle(&self, id: &str, outcome: &Result<Outcome>) {
        let waiting = self.lock().waiting.remove(id);
        for sender in waiting.into_iter().flat_map(|waiting| waiting.senders) {
            drop(sender.send(outcome.clone()));
        }
    }

    /// A look: up to `most` ids that have been awaited for `LONG` looks and were not answered here before.
    pub(super) fn long_awaited(&self, most: usize) -> Vec<String> {
        let mut state = self.lock();
        state.looks = state.looks.wrapping_add(1);
        let now = state.looks;
        let long = |waiting: &Waiting| !waiting.looked_up && now.wrapping_sub(waiting.since) >= LONG;
        let found = state.waiting.iter_mut().filter(|(_, waiting)| long(waiting)).take(most);
        found
            .map(|(id, waiting)| {
                waiting.looked_up = true;
                id.clone()
            })
            .collect()
    }

    /// They could not be looked up.
    pub(super) fn look_again(&self, ids: &[String]) {
        let mut state = self.lock();
        for id in ids {
            if let Some(waiting) = state.waiting.get_mut(id) {
                waiting.looked_up = false;
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    /// Ends all waits of these ids with an error.
    pub(crate) fn fail(&self, ids: &[String], error: &Error) {
        for id in ids {
            self.settle(id, &Err(error.clone()));
        }
    }

    /// Ends all waits, and those that begin later, with an error.
    pub(crate) fn close(&self, error: &Error) {
        let mut state = self.lock();
        state.closed = Some(error.clone());
        let waiting = std::mem::take(&mut state.waiting);
        state.unasked.clear();
        drop(state);
        for sender in waiting.into_values().flat_map(|waiting| waiting.senders) {
            drop(sender.send(Err(error.clone())));
        }
        self.begun.notify_one();
    }
}

impl Wait {
    pub(crate) async fn outcome(mut self) -> Result<Outcome> {
        (&mut self.outcome).await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.waits.lock();
        self.outcome.close();
        if let Some(waiting) = state.waiting.get_mut(&self.id) {
            waiting.senders.retain(|sender| !sender.is_closed());
            if waiting.senders.is_empty() {
                state.waiting.remove(&self.id);
            }
        }
    }
}
