//! A master that chooses the workers of waiting jobs.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Front, Master};
use crate::info::{Candidate, Choices, JobInfo};
use crate::member::Backoff;
use crate::store::choices;
use crate::store::record::{packed_strings, write_array, write_integer, write_string};
use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;
use libswarm_common::value::within;

/// Jobs shown at once, at most.
const MAX_JOBS: &str = "100";

/// Whether and since when this master chooses.
#[derive(Default)]
pub(crate) struct Chooser {
    state: Mutex<State>,
    /// Redis has something to choose, or has to be told that this incarnation chooses.
    pub(crate) wanted: Notify,
}

#[derive(Default)]
struct State {
    /// How this master chooses, if it does.
    choosing: Option<Choosing>,
    /// The incarnation of which Redis knows it.
    known: String,
    /// Redis may know one, also by a call that was dropped or failed.
    told: bool,
    /// There may be more to choose than was shown.
    more: bool,
    /// When the time for a choice is over. This master's task sees to it, as others do not know.
    deadline: Option<Instant>,
}

/// How a master chooses workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choosing {
    /// How long jobs may wait for a choice, 10 ms to 1 h; after it they go to the workers with the fewest, as without a chooser. That is seen to by
    /// the chooser's own member, whatever its program does; one that is stopped or cut off counts as gone when its lease ends.
    pub within: Duration,
    /// The tasks whose jobs are chosen for, "" for jobs without one; empty: all.
    pub tasks: Vec<String>,
}

impl Default for Choosing {
    fn default() -> Self {
        Choosing { within: Duration::from_secs(1), tasks: Vec::new() }
    }
}

impl Chooser {
    pub(crate) fn is_active(&self) -> bool {
        self.lock().choosing.is_some()
    }

    /// Redis asks for a choice.
    pub(crate) fn asked(&self) {
        self.lock().start_waiting();
        self.wanted.notify_one();
    }

    /// When a round has to be sent, so that jobs go by default.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.lock().deadline
    }

    /// Such a round is sent.
    pub(crate) fn looked_after(&self) {
        self.lock().deadline = None;
    }

    /// The member has ended, and Redis forgets with it that it chose.
    pub(crate) fn end(&self) {
        *self.lock() = State::default();
        self.wake_all();
    }

    /// Those that wait for choices are told that none come.
    pub(crate) fn stop(&self) {
        let mut state = self.lock();
        (state.choosing, state.more, state.deadline) = (None, false, None);
        drop(state);
        self.wake_all();
    }

    /// Wakes all that wait for something to choose, and the next that is about to.
    fn wake_all(&self) {
        self.wanted.notify_waiters();
        self.wanted.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn start_waiting(&mut self) {
        if let Some(choosing) = &self.choosing {
            self.deadline.get_or_insert(Instant::now() + choosing.within);
        }
    }
}

impl Master {
    /// From now on this master chooses: jobs are given only as [`Master::assign`] says, or by default when it does not in time. Again, it changes
    /// how. Of several choosers of a cluster the newest counts.
    pub async fn start_choosing(&self, choosing: Choosing) -> Result<()> {
        choosing.check()?;
        let Front { shared, chooser, waits, .. } = &*self.front;
        shared.ready().await?;
        shared.open_store()?;
        {
            let mut state = chooser.lock();
            *state = State { choosing: Some(choosing), told: state.told, ..State::default() };
        }
        // The inbox has to be read from now on.
        waits.changed.notify_one();
        chooser.wanted.notify_one();
        if let Err(error) = self.tell_that_it_chooses().await {
            chooser.stop();
            return Err(error);
        }
        Ok(())
    }

    /// Waits until jobs wait beside workers that could take them, and answers both. A chooser that was replaced by another waits here. Trouble
    /// with Redis is waited out; [`ErrorKind::Closed`] when the master does not choose, or no more. Dropping the future stops the wait, not the
    /// choosing.
    pub async fn choices(&self) -> Result<Choices> {
        let mut backoff = Backoff::new(self.front.shared.store.longest_backoff());
        while self.front.chooser.is_active() {
            match self.look_for_choices().await {
                Ok(Some(choices)) => return Ok(choices),
                Ok(None) => {
                    backoff.reset();
                    self.front.chooser.wanted.notified().await;
                    self.front.chooser.lock().more = true;
                }
                Err(error) if error.kind() == ErrorKind::Closed => break,
                Err(error) if error.kind().is_retryable() => tokio::time::sleep(backoff.next()).await,
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Closed, "the master does not choose workers, or no more"))
    }

    /// Gives jobs to workers: pairs of a job's id and a worker's incarnation, none to leave them all for later. Answers which were given; the
    /// others are gone, or the worker is or has no room any more. Jobs not assigned wait until there is something new to choose.
    pub async fn assign(&self, pairs: &[(String, String)]) -> Result<Vec<bool>> {
        let mut packed = Vec::new();
        write_array(&mut packed, 2 * pairs.len());
        for (job, worker) in pairs {
            check_name("job id", job)?;
            write_string(&mut packed, job.as_bytes());
            write_string(&mut packed, worker.as_bytes());
        }
        let Front { shared, chooser, .. } = &*self.front;
        let given = choices::given(shared.open_store()?.choose("assign", &shared.incarnation(), &packed).await?)?;
        // Others may have been behind those.
        let mut state = chooser.lock();
        (state.more, state.deadline) = (given.contains(&true), None);
        Ok(given)
    }

    /// Chooses no more: jobs go to the workers that hold the fewest.
    pub async fn stop_choosing(&self) -> Result<()> {
        let Front { shared, chooser, .. } = &*self.front;
        chooser.stop();
        if chooser.lock().told {
            shared.open_store()?.choose("stop", &shared.incarnation(), &[]).await?;
            let mut state = chooser.lock();
            (state.told, state.known) = (false, String::new());
        }
        Ok(())
    }

    /// Chooses until the master stops choosing or is closed: `choose` is asked for each job, in the order in which they would be given, which of the
    /// workers is to have it, with how many such jobs each can still take; `None` leaves it for later.
    pub async fn choose<F>(&self, choosing: Choosing, mut choose: F) -> Result<()>
    where
        F: FnMut(&JobInfo, &[(&Candidate, u64)]) -> Option<usize>,
    {
        self.start_choosing(choosing).await?;
        loop {
            let choices = match self.choices().await {
                Ok(choices) => choices,
                Err(error) if error.kind() == ErrorKind::Closed => return Ok(()),
                Err(error) => return Err(error),
            };
            let Choices { jobs, mut workers } = choices;
            let mut pairs = Vec::new();
            for job in jobs {
                let room: Vec<_> = workers
                    .iter()
                    .enumerate()
                    .map(|(at, worker)| (at, worker.room(&job)))
                    .filter(|(_, room)| *room > 0)
                    .collect();
                let shown: Vec<_> = room.iter().map(|(at, room)| (&workers[*at], *room)).collect();
                if shown.is_empty() {
                    continue;
                }
                if let Some((at, _)) = choose(&job, &shown).and_then(|chosen| room.get(chosen)) {
                    workers[*at].take(&job);
                    pairs.push((job.id, workers[*at].incarnation.clone()));
                }
            }
            match self.assign(&pairs).await {
                Err(error) if !error.kind().is_retryable() && error.kind() != ErrorKind::Closed => return Err(error),
                _ => {}
            }
        }
    }

    /// Once for each incarnation.
    async fn tell_that_it_chooses(&self) -> Result<String> {
        let Front { shared, chooser, .. } = &*self.front;
        let incarnation = shared.incarnation();
        let choosing = chooser.lock().choosing.clone();
        if let Some(choosing) = choosing
            && chooser.lock().known != incarnation
        {
            let store = shared.open_store()?;
            chooser.lock().told = true;
            store.choose("start", &incarnation, &choosing.packed(&incarnation)).await?;
            let mut state = chooser.lock();
            if state.choosing == Some(choosing) {
                (state.known, state.more) = (incarnation.clone(), true);
            }
        }
        Ok(incarnation)
    }

    async fn look_for_choices(&self) -> Result<Option<Choices>> {
        let Front { shared, chooser, .. } = &*self.front;
        let incarnation = self.tell_that_it_chooses().await?;
        let store = shared.open_store()?;
        if !chooser.lock().more {
            return Ok(None);
        }
        let choices = choices::read(&store.choose("look", &incarnation, MAX_JOBS.as_bytes()).await?)?;
        let mut state = chooser.lock();
        state.more = choices.is_some();
        if state.more {
            state.start_waiting();
            // The task has to know the deadline.
            self.front.waits.changed.notify_one();
        }
        Ok(choices)
    }
}

impl Choosing {
    fn check(&self) -> Result<()> {
        within("call.within", self.within, Duration::from_millis(10), Duration::from_secs(3600))?;
        self.tasks.iter().filter(|task| !task.is_empty()).try_for_each(|task| check_name("task", task))
    }

    /// For `scripts/choose.lua`.
    fn packed(&self, incarnation: &str) -> Vec<u8> {
        let mut out = Vec::new();
        write_array(&mut out, 3);
        write_string(&mut out, incarnation.as_bytes());
        write_integer(&mut out, self.within.as_millis() as u64);
        out.extend_from_slice(&packed_strings(&self.tasks));
        out
    }
}
