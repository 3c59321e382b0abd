//! A master that chooses the workers of waiting jobs.

use std::sync::Arc;

use libswarm_common::error::{Error, ErrorKind, Result};
use libswarm_common::id::check_name;
use libswarm_common::lock::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::waits::Waits;
use crate::member::Shared;
use crate::model::choices::Choices;
use crate::model::choosing::Choosing;
use crate::store::codec::choices;
use crate::store::codec::msgpack::{write_array, write_string};
use crate::util::reconnect::ReconnectDelay;

/// The limit of jobs that are shown at once.
const MAX_JOBS: &str = "100";

/// Whether and since when this master chooses workers.
pub(crate) struct Chooser {
    shared: Arc<Shared>,
    waits: Arc<Waits>,
    state: Mutex<State>,
    /// Notified when Redis has jobs that wait for a choice, or when this incarnation must register as the chooser.
    pub(crate) wanted: Notify,
}

#[derive(Default)]
struct State {
    /// The options of choosing, if this master chooses.
    choosing: Option<Choosing>,
    /// The incarnation under which this master is registered as the chooser.
    known: String,
    /// Redis may have registered this chooser, possibly by a call that was dropped or failed.
    registered: bool,
    /// More jobs may wait for a choice than were shown.
    more: bool,
    /// When the time for a choice is over. Only this master's task handles the deadline: other members do not know it.
    deadline: Option<Instant>,
}

impl Chooser {
    pub(crate) fn new(shared: Arc<Shared>, waits: Arc<Waits>) -> Self {
        Chooser { shared, waits, state: Mutex::default(), wanted: Notify::new() }
    }

    /// Starts to choose, or changes the options.
    pub(crate) async fn start(&self, choosing: Choosing) -> Result<()> {
        choosing.check()?;
        self.shared.ready().await?;
        self.shared.open_store()?;
        {
            let mut state = self.state.lock();
            *state = State { choosing: Some(choosing), registered: state.registered, ..State::default() };
        }
        // The inbox must be read from now on.
        self.waits.changed.notify_one();
        self.wanted.notify_one();
        if let Err(error) = self.register().await {
            self.stop_waiting();
            return Err(error);
        }
        Ok(())
    }

    /// Waits until jobs wait for a choice. Retries when Redis is not available.
    pub(crate) async fn next(&self) -> Result<Choices> {
        let mut backoff = ReconnectDelay::new(self.shared.store.longest_backoff());
        while self.is_active() {
            match self.ask().await {
                Ok(Some(choices)) => return Ok(choices),
                Ok(None) => {
                    backoff.reset();
                    self.wanted.notified().await;
                    self.state.lock().more = true;
                }
                Err(error) if error.kind() == ErrorKind::Closed => break,
                Err(error) if error.kind().is_retryable() => tokio::time::sleep(backoff.next()).await,
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(ErrorKind::Closed, "the master does not choose workers, or no more"))
    }

    /// Assigns jobs to workers: pairs of a job's id and a worker's incarnation. Returns which jobs were assigned.
    pub(crate) async fn assign(&self, pairs: &[(String, String)]) -> Result<Vec<bool>> {
        let mut packed = Vec::new();
        write_array(&mut packed, 2 * pairs.len());
        for (job, worker) in pairs {
            check_name("job id", job)?;
            write_string(&mut packed, job.as_bytes());
            write_string(&mut packed, worker.as_bytes());
        }
        let reply = self.shared.open_store()?.choose("assign", &self.shared.incarnation(), &packed).await?;
        let assigned = choices::assigned(reply)?;
        // Other jobs may wait behind these.
        let mut state = self.state.lock();
        (state.more, state.deadline) = (assigned.contains(&true), None);
        Ok(assigned)
    }

    /// Stops choosing.
    pub(crate) async fn stop(&self) -> Result<()> {
        self.stop_waiting();
        if self.state.lock().registered {
            self.shared.open_store()?.choose("stop", &self.shared.incarnation(), &[]).await?;
            let mut state = self.state.lock();
            (state.registered, state.known) = (false, String::new());
        }
        Ok(())
    }

    /// Registers this incarnation as the chooser in Redis, once per incarnation.
    async fn register(&self) -> Result<String> {
        let incarnation = self.shared.incarnation();
        let choosing = self.state.lock().choosing.clone();
        if let Some(choosing) = choosing
            && self.state.lock().known != incarnation
        {
            let store = self.shared.open_store()?;
            self.state.lock().registered = true;
            store.choose("start", &incarnation, &choices::pack_choosing(&choosing, &incarnation)).await?;
            let mut state = self.state.lock();
            if state.choosing == Some(choosing) {
                (state.known, state.more) = (incarnation.clone(), true);
            }
        }
        Ok(incarnation)
    }

    /// Reads from Redis which jobs wait for a choice.
    async fn ask(&self) -> Result<Option<Choices>> {
        let incarnation = self.register().await?;
        let store = self.shared.open_store()?;
        if !self.state.lock().more {
            return Ok(None);
        }
        let looked = store.choose("look", &incarnation, MAX_JOBS.as_bytes()).await?;
        let choices = choices::read(&looked, self.shared.envelopes())?;
        let mut state = self.state.lock();
        state.more = choices.is_some();
        if state.more {
            state.start_waiting();
            // The task must learn about the deadline.
            self.waits.changed.notify_one();
        }
        Ok(choices)
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state.lock().choosing.is_some()
    }

    /// Redis has notified this master that jobs wait for a choice.
    pub(crate) fn asked(&self) {
        self.state.lock().start_waiting();
        self.wanted.notify_one();
    }

    /// The time at which a round must be sent, so that the jobs are assigned by default.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.state.lock().deadline
    }

    /// The round at the deadline is sent.
    pub(crate) fn deadline_handled(&self) {
        self.state.lock().deadline = None;
    }

    /// The member has ended; Redis removes the chooser with it.
    pub(crate) fn end(&self) {
        *self.state.lock() = State::default();
        self.wake_all();
    }

    /// Ends all waits for choices.
    fn stop_waiting(&self) {
        let mut state = self.state.lock();
        (state.choosing, state.more, state.deadline) = (None, false, None);
        drop(state);
        self.wake_all();
    }

    /// Wakes all callers that wait for a choice, and the next one that is about to wait.
    fn wake_all(&self) {
        self.wanted.notify_waiters();
        self.wanted.notify_one();
    }
}

impl State {
    fn start_waiting(&mut self) {
        if let Some(choosing) = &self.choosing {
            self.deadline.get_or_insert(Instant::now() + choosing.within);
        }
    }
}
