//! Who awaits which job's outcome.

use libswarm_common::lock::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::closed;
use crate::model::job::Outcome;
use libswarm_common::error::{Error, Result};

/// Checks of what waits, one each 2 s, after which a job has been awaited for long: 10 s.
pub(super) const MAX_CHECKS: u32 = 5;

/// All waits of a master.
#[derive(Default)]
pub(crate) struct Waits {
    state: Mutex<State>,
    /// Notified when there are ids to query from Redis, or when the inbox has to be read.
    pub(crate) changed: Notify,
    /// Notified when the first wait begins while there was none, and when the master is closed.
    pub(super) begun: Notify,
}

#[derive(Default)]
struct State {
    waiting: HashMap<String, Waiting>,
    /// Checks for those that are awaited for long, so far.
    checks: u32,
    /// Ids that Redis is to be asked for: it may not know that this master awaits them.
    unasked: HashSet<String>,
    /// How often this master has registered. Redis sends outcomes to the incarnation that added the job.
    registrations: u64,
    /// Number of the last wait.
    number: u64,
    closed: Option<Error>,
}

/// All waits for one job.
struct Waiting {
    waiters: Vec<Waiter>,
    /// `State::checks` when the first began.
    since: u32,
    looked_up: bool,
}

struct Waiter {
    number: u64,
    sender: oneshot::Sender<Result<Outcome>>,
    knows: Knows,
}

/// What a waiter knows of its job.
#[derive(PartialEq)]
enum Knows {
    /// It is being added, since this registration: that Redis does not have it says nothing yet.
    Adding(u64),
    /// Redis has it, or had it.
    Stored,
    /// As `Stored`, and Redis is being asked for the outcome.
    Asked,
}

/// One wait; dropping it ends it.
pub(crate) struct Wait {
    waits: Arc<Waits>,
    id: String,
    number: u64,
    outcome: oneshot::Receiver<Result<Outcome>>,
}

impl Waits {
    /// Begins a wait for a job that somebody added: Redis is asked whether the outcome is there.
    pub(crate) fn begin(self: &Arc<Self>, id: String) -> Wait {
        self.begin_with(id, false)
    }

    /// Begins a wait for a job that is about to be added; [`Wait::stored`] follows.
    pub(crate) fn begin_adding(self: &Arc<Self>, id: String) -> Wait {
        self.begin_with(id, true)
    }

    fn begin_with(self: &Arc<Self>, id: String, adding: bool) -> Wait {
        let (sender, outcome) = oneshot::channel();
        let mut state = self.state.lock();
        state.number += 1;
        let number = state.number;
        if let Some(error) = &state.closed {
            drop(sender.send(Err(error.clone())));
            return Wait { waits: self.clone(), id, number, outcome };
        }
        let first = state.waiting.is_empty();
        let since = state.checks;
        let knows = if adding { Knows::Adding(state.registrations) } else { Knows::Stored };
        let waiting = || Waiting { waiters: Vec::new(), since, looked_up: false };
        state.waiting.entry(id.clone()).or_insert_with(waiting).waiters.push(Waiter { number, sender, knows });
        if !adding {
            state.unasked.insert(id.clone());
        }
        drop(state);
        if !adding || first {
            self.changed.notify_one();
        }
        if first {
            self.begun.notify_one();
        }
        Wait { waits: self.clone(), id, number, outcome }
    }

    /// Has Redis asked for all that is awaited: this master is a new member. What is being added follows when it is stored.
    pub(crate) fn ask_all(&self) {
        let mut state = self.state.lock();
        state.registrations += 1;
        let State { waiting, unasked, .. } = &mut *state;
        unasked.extend(waiting.iter().filter(|(_, waiting)| waiting.is_stored()).map(|(id, _)| id.clone()));
    }

    /// Up to `most` ids to ask for, which are taken as asked.
    pub(crate) fn take_unasked(&self, most: usize) -> Vec<String> {
        let mut state = self.state.lock();
        let State { waiting, unasked, .. } = &mut *state;
        // Those that nobody awaits any more do not count: behind them may be others, which were announced before.
        let (mut ids, mut gone) = (Vec::new(), Vec::new());
        for id in unasked.iter() {
            if ids.len() == most {
                break;
            }
            match waiting.get_mut(id).filter(|waiting| waiting.is_stored()) {
                Some(waiting) => {
                    waiting.waiters.iter_mut().filter(|waiter| waiter.is_stored()).for_each(|waiter| waiter.knows = Knows::Asked);
                    ids.push(id.clone());
                }
                None => gone.push(id.clone()),
            }
        }
        for id in ids.iter().chain(&gone) {
            unasked.remove(id);
        }
        ids
    }

    pub(crate) fn put_back(&self, ids: Vec<String>) {
        self.state.lock().unasked.extend(ids);
    }

    pub(crate) fn any(&self) -> bool {
        !self.state.lock().waiting.is_empty()
    }

    pub(crate) fn settle(&self, id: &str, outcome: &Result<Outcome>) {
        let waiting = self.state.lock().waiting.remove(id);
        for waiter in waiting.into_iter().flat_map(|waiting| waiting.waiters) {
            drop(waiter.sender.send(outcome.clone()));
        }
    }

    /// Ends the waits for which Redis was asked for this id with an error. One that began since then goes on: its job may be stored since.
    pub(crate) fn refuse(&self, id: &str, error: &Error) {
        let mut state = self.state.lock();
        let Some(waiting) = state.waiting.get_mut(id) else { return };
        let (asked, others) = std::mem::take(&mut waiting.waiters).into_iter().partition(|waiter| waiter.knows == Knows::Asked);
        waiting.waiters = others;
        if waiting.waiters.is_empty() {
            state.waiting.remove(id);
        }
        drop(state);
        let asked: Vec<Waiter> = asked;
        for waiter in asked {
            drop(waiter.sender.send(Err(error.clone())));
        }
    }

    /// A check: up to `most` ids that have been awaited for `MAX_CHECKS` checks and were not answered here before.
    pub(super) fn long_awaited(&self, most: usize) -> Vec<String> {
        let mut state = self.state.lock();
        state.checks = state.checks.wrapping_add(1);
        let now = state.checks;
        let long = |waiting: &Waiting| !waiting.looked_up && now.wrapping_sub(waiting.since) >= MAX_CHECKS;
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
        let mut state = self.state.lock();
        for id in ids {
            if let Some(waiting) = state.waiting.get_mut(id) {
                waiting.looked_up = false;
            }
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }

    /// Ends all waits, and those that begin later, with an error.
    pub(crate) fn close(&self, error: &Error) {
        let mut state = self.state.lock();
        state.closed = Some(error.clone());
        let waiting = std::mem::take(&mut state.waiting);
        state.unasked.clear();
        drop(state);
        for waiter in waiting.into_values().flat_map(|waiting| waiting.waiters) {
            drop(waiter.sender.send(Err(error.clone())));
        }
        self.begun.notify_one();
    }
}

impl Waiting {
    fn is_stored(&self) -> bool {
        self.waiters.iter().any(Waiter::is_stored)
    }
}

impl Waiter {
    fn is_stored(&self) -> bool {
        !matches!(self.knows, Knows::Adding(_))
    }
}

impl Wait {
    /// Redis has the job. If it `existed`, its record does not name this master; if this master has registered anew meanwhile, it names the
    /// incarnation before.
    pub(crate) fn stored(&self, existed: bool) {
        let mut state = self.waits.state.lock();
        let State { waiting, unasked, registrations, .. } = &mut *state;
        let waiters = waiting.get_mut(&self.id).map(|waiting| &mut waiting.waiters);
        let Some(waiter) = waiters.and_then(|waiters| waiters.iter_mut().find(|waiter| waiter.number == self.number)) else {
            return;
        };
        let ask = existed || waiter.knows != Knows::Adding(*registrations);
        waiter.knows = Knows::Stored;
        if ask {
            unasked.insert(self.id.clone());
            drop(state);
            self.waits.changed.notify_one();
        }
    }

    pub(crate) async fn outcome(mut self) -> Result<Outcome> {
        (&mut self.outcome).await.unwrap_or_else(|_| Err(closed()))
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.waits.state.lock();
        self.outcome.close();
        if let Some(waiting) = state.waiting.get_mut(&self.id) {
            waiting.waiters.retain(|waiter| !waiter.sender.is_closed());
            if waiting.waiters.is_empty() {
                state.waiting.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libswarm_common::error::ErrorKind;

    fn waits() -> Arc<Waits> {
        Arc::new(Waits::default())
    }

    fn not_found() -> Error {
        Error::new(ErrorKind::NotFound, "no such job")
    }

    #[test]
    fn redis_is_not_asked_for_what_is_being_added() {
        let waits = waits();
        let wait = waits.begin_adding("job".into());
        waits.ask_all();
        assert_eq!(waits.take_unasked(9), [""; 0]);
        // The master has registered since: the record may name the incarnation before.
        wait.stored(false);
        assert_eq!(waits.take_unasked(9), ["job"]);

        let other = waits.begin_adding("other".into());
        other.stored(false);
        assert_eq!(waits.take_unasked(9), [""; 0]);
        waits.ask_all();
        assert_eq!(waits.take_unasked(9).len(), 2);

        let existing = waits.begin_adding("existing".into());
        existing.stored(true);
        assert_eq!(waits.take_unasked(9), ["existing"]);
    }

    #[tokio::test]
    async fn that_there_is_no_job_ends_only_the_waits_that_asked() {
        let waits = waits();
        let asked = waits.begin("job".into());
        let adding = waits.begin_adding("job".into());
        assert_eq!(waits.take_unasked(9), ["job"]);
        let later = waits.begin("job".into());
        waits.refuse("job", &not_found());
        assert_eq!(asked.outcome().await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(waits.any());
        assert_eq!(waits.take_unasked(9), ["job"]);
        waits.refuse("job", &not_found());
        assert_eq!(later.outcome().await.unwrap_err().kind(), ErrorKind::NotFound);
        drop(adding);
        assert!(!waits.any());
    }
}
