//! The outcomes that are awaited, and their waiters.

use libswarm_common::lock::Mutex;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{Notify, oneshot};

use super::closed;
use crate::model::job::Outcome;
use crate::model::job_options::Added;
use libswarm_common::error::{Error, Result};

/// A job counts as awaited for long after this many checks, one each 2 s: 10 s.
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
    /// The number of checks for long waits so far.
    checks: u32,
    /// Ids to query from Redis, because this master may not be registered there as waiting for them.
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
    /// The value of `State::checks` when the first wait began.
    since: u32,
    looked_up: bool,
}

struct Waiter {
    number: u64,
    sender: oneshot::Sender<Result<Outcome>>,
    knows: Knows,
}

/// What is known about the job of a waiter.
#[derive(PartialEq)]
enum Knows {
    /// The job is being added, since this registration: Redis may not have it yet.
    Adding(u64),
    /// Redis has or had the job.
    Stored,
    /// As `Stored`, and a query for the outcome is under way.
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
    /// Begins a wait for a job that was added earlier: its outcome is queried from Redis.
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
        let knows = if adding { Knows::Adding(state.registrations) } else { Knows::Stored };
        state.insert(id.clone(), Waiter { number, sender, knows });
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

    /// Queries all awaited ids, because this master has registered anew. Jobs that are being added follow when they are stored.
    pub(crate) fn ask_all(&self) {
        let mut state = self.state.lock();
        state.registrations += 1;
        let State { waiting, unasked, .. } = &mut *state;
        unasked.extend(waiting.iter().filter(|(_, waiting)| waiting.is_stored()).map(|(id, _)| id.clone()));
    }

    /// Returns up to `most` ids to query, and marks them as queried.
    pub(crate) fn take_unasked(&self, most: usize) -> Vec<String> {
        let mut state = self.state.lock();
        let State { waiting, unasked, .. } = &mut *state;
        // Ids without waiters do not count: other ids may be behind them, whose notification is already consumed.
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

    /// Ends the waits whose query found neither job nor result, with an error. Waits that began since the query continue: their job may be stored
    /// now.
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

    /// Runs a check: returns up to `most` ids that have been awaited for `MAX_CHECKS` checks and were not returned before.
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

    /// The ids could not be looked up: the next check returns them again.
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

impl State {
    fn insert(&mut self, id: String, waiter: Waiter) {
        let since = self.checks;
        let waiting = || Waiting { waiters: Vec::new(), since, looked_up: false };
        self.waiting.entry(id).or_insert_with(waiting).waiters.push(waiter);
    }

    /// Removes a waiter, if it still waits.
    fn take(&mut self, id: &str, number: u64) -> Option<Waiter> {
        let waiters = &mut self.waiting.get_mut(id)?.waiters;
        let waiter = waiters.swap_remove(waiters.iter().position(|waiter| waiter.number == number)?);
        if waiters.is_empty() {
            self.waiting.remove(id);
        }
        Some(waiter)
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
    /// Redis has the job. If it existed, its record does not name this master as the requester, and the wait is for the job that existed. If this
    /// master has registered anew meanwhile, the record names the previous incarnation.
    pub(crate) fn stored(&mut self, added: &Added) {
        let mut state = self.waits.state.lock();
        if added.id != self.id {
            let Some(waiter) = state.take(&self.id, self.number) else { return };
            added.id.clone_into(&mut self.id);
            state.insert(added.id.clone(), waiter);
        }
        let State { waiting, unasked, registrations, .. } = &mut *state;
        let waiters = waiting.get_mut(&self.id).map(|waiting| &mut waiting.waiters);
        let Some(waiter) = waiters.and_then(|waiters| waiters.iter_mut().find(|waiter| waiter.number == self.number)) else {
            return;
        };
        let ask = added.existed || waiter.knows != Knows::Adding(*registrations);
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
    fn redis_is_not_queried_for_jobs_that_are_being_added() {
        let waits = waits();
        let added = |id: &str, existed| Added { id: id.into(), existed, replaced: false };
        let mut wait = waits.begin_adding("job".into());
        waits.ask_all();
        assert_eq!(waits.take_unasked(9), [""; 0]);
        // The master has registered since: the record may name the incarnation before.
        wait.stored(&added("job", false));
        assert_eq!(waits.take_unasked(9), ["job"]);

        let mut other = waits.begin_adding("other".into());
        other.stored(&added("other", false));
        assert_eq!(waits.take_unasked(9), [""; 0]);
        waits.ask_all();
        assert_eq!(waits.take_unasked(9).len(), 2);

        let mut existing = waits.begin_adding("existing".into());
        existing.stored(&added("existing", true));
        assert_eq!(waits.take_unasked(9), ["existing"]);

        let mut dropped = waits.begin_adding("dropped".into());
        dropped.stored(&added("has-the-key", true));
        assert_eq!(waits.take_unasked(9), ["has-the-key"]);
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
