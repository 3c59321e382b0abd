//! A master that chooses the workers of waiting jobs.

use std::collections::VecDeque;
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use libswarm::{Candidate, Choices, Choosing, Error, ErrorKind, Event, JobInfo, Result};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::asking::Asking;
use crate::callback::{UserData, swarm_choose_fn, swarm_destroy_fn, swarm_done_fn};
use crate::dispatch::Dispatch;
use crate::error::swarm_error;
use crate::guard::{given, guard, invalid, optional_text, texts};
use crate::inspect::json_text;
use crate::master::{MasterMember, swarm_master};
use crate::member::{Listener, Member};
use crate::operation::{Deliver, Pending};
use crate::runtime::{deadline, timed_out, wait_done};
use crate::status::swarm_status;

const STARTING: &str = "starting to choose workers";
const STOPPING: &str = "ending the choice of workers";

/// From now on `callback` chooses the workers of waiting jobs, in place of one given before, until swarm_master_stop_choosing
/// or the end of the master. `tasks` limits it to the jobs of some tasks, "" being jobs without one; none named: all. Jobs for
/// which it has not answered after `within_ms`, 10 ms to 1 h, 0 being 1 s, go to the workers that hold the fewest, as without
/// it. Of several choosers of a cluster the newest counts.
///
/// After SWARM_ERR_INVALID_ARGUMENT all is as before; after any other error, also SWARM_ERR_TIMEOUT, this master does not
/// choose. Once it does, lost connections are waited out; an error that does not heal by itself ends the choosing and is told
/// to the callback of swarm_master_on_error.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_choose(
    master: Option<&swarm_master>,
    within_ms: u64,
    tasks: *const *const c_char,
    count: usize,
    timeout_ms: u64,
    callback: swarm_choose_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let listener = Listener::new(callback, user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        given(callback, "callback")?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let choosing = unsafe { read_choosing(within_ms, tasks, count) }?;
        let chooser = Chooser::begin(member, member.dispatching()?, listener);
        let start = member.clone().start_choosing(choosing, chooser.clone());
        let result = wait_whole(member, timeout_ms, STARTING, start);
        if matches!(&result, Err(error) if error.kind() == ErrorKind::Timeout) {
            // It may still start, which is undone.
            chooser.end();
            member.handle.spawn(member.clone().stop_choosing(chooser.number));
        }
        member.choosers.clear();
        result
    })
}

/// As swarm_master_choose, without waiting; `done` is called once, with the same `user_data`, and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_choose_async(
    master: Option<&swarm_master>,
    within_ms: u64,
    tasks: *const *const c_char,
    count: usize,
    callback: swarm_choose_fn,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let listener = Listener::new(callback, user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        given(callback, "callback")?;
        // SAFETY: the caller's array is readable for its count, and its texts end with a NUL.
        let choosing = unsafe { read_choosing(within_ms, tasks, count) }?;
        let dispatch = member.dispatching()?;
        let pending = Pending::begin(dispatch, done, UserData::shared(user_data, listener.clone()))?;
        let start = member.clone().start_choosing(choosing, Chooser::begin(member, dispatch, listener));
        member.handle.spawn(async move { pending.end(start.await) });
        Ok(())
    })
}

/// Chooses no more: jobs go to the workers that hold the fewest. A callback of swarm_master_choose that runs is waited for,
/// unless this is called inside it, and none begins after it. Without one nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn swarm_master_stop_choosing(
    master: Option<&swarm_master>,
    timeout_ms: u64,
    error: *mut *mut swarm_error,
) -> swarm_status {
    guard(error, || {
        let member = swarm_master::member(master)?;
        let until = deadline(timeout_ms);
        let stop = member.clone().stop_choosing(member.choosers.last());
        wait_whole(member, timeout_ms, STOPPING, stop)?;
        if !member.dispatch().is_current() && !member.choosers.calls.wait(until) {
            return Err(timed_out(timeout_ms, STOPPING));
        }
        member.choosers.clear();
        Ok(())
    })
}

/// As swarm_master_stop_choosing, without waiting; `done` is called once, after the last callback, and may be NULL.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn swarm_master_stop_choosing_async(
    master: Option<&swarm_master>,
    done: swarm_done_fn,
    user_data: *mut c_void,
    destroy: swarm_destroy_fn,
    error: *mut *mut swarm_error,
) -> swarm_status {
    let user_data = UserData::new(user_data, destroy);
    guard(error, || {
        let member = swarm_master::member(master)?;
        let stop = member.clone().stop_choosing(member.choosers.last());
        member.ask_async(done, user_data, |_| stop)
    })
}

/// Waits, at most `timeout_ms`, for what goes on after it.
fn wait_whole(
    member: &MasterMember,
    timeout_ms: u64,
    doing: &str,
    future: impl Future<Output = Result<()>> + Send + 'static,
) -> Result<()> {
    wait_done(timeout_ms, doing, |done| {
        member.handle.spawn(async move { done(future.await) });
    })
}

/// The choosers of a master: the one that chooses, and those that are on their way to it.
#[derive(Default)]
pub(crate) struct Choosers {
    /// Active while one is started or stopped.
    turn: tokio::sync::Mutex<()>,
    /// Not yet ended, in the order of their numbers.
    open: Mutex<Vec<Arc<Chooser>>>,
    newest: AtomicU64,
    calls: Calls,
    /// Callbacks that are over. The end of their data is the program's code, which does not run on the runtime's thread.
    over: Mutex<Vec<Arc<Listener<swarm_choose_fn>>>>,
}

impl Choosers {
    /// Ends them all, without a word to Redis. No callback begins after it.
    pub(crate) fn end(&self) {
        let ended = std::mem::take(&mut *lock(&self.open));
        for chooser in ended {
            chooser.end();
        }
    }

    /// Destroys the data of those that are over; not for the runtime's thread.
    pub(crate) fn clear(&self) {
        let over = std::mem::take(&mut *lock(&self.over));
        drop(over);
    }

    fn last(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Ends those up to this number, and waits until their tasks are gone.
    async fn end_through(&self, number: u64) {
        let ended: Vec<_> = lock(&self.open).extract_if(.., |chooser| chooser.number <= number).collect();
        for chooser in ended {
            if let Some(task) = chooser.end() {
                // Cancelled, or at its end already.
                let _ = task.await;
            }
        }
    }
}

impl MasterMember {
    async fn start_choosing(self: Arc<Self>, choosing: Choosing, chooser: Arc<Chooser>) -> Result<()> {
        let _turn = self.choosers.turn.lock().await;
        match self.core.start_choosing(choosing).await {
            Ok(()) => {
                self.choosers.end_through(chooser.number - 1).await;
                let task = self.handle.spawn(self.clone().keep_choosing(chooser.clone()));
                chooser.lock().task = Some(task);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                lock(&self.choosers.open).retain(|open| open.number != chooser.number);
                chooser.end();
                Err(error)
            }
            Err(error) => {
                self.choosers.end_through(chooser.number).await;
                // It may have become known; where this is not told, its jobs wait no longer than `within`.
                let _ = self.core.stop_choosing().await;
                Err(error)
            }
        }
    }

    /// Ends choosers up to this number, and choosing altogether unless a later one chooses.
    async fn stop_choosing(self: Arc<Self>, number: u64) -> Result<()> {
        let _turn = self.choosers.turn.lock().await;
        self.choosers.end_through(number).await;
        let another = lock(&self.choosers.open).iter().any(|chooser| chooser.lock().task.is_some());
        if another { Ok(()) } else { self.core.stop_choosing().await }
    }

    /// Has the program choose, until that is ended from outside or cannot go on.
    async fn keep_choosing(self: Arc<Self>, chooser: Arc<Chooser>) {
        let error = loop {
            let choices = match self.core.choices().await {
                Ok(choices) => choices,
                Err(error) => break error,
            };
            let Some(pairs) = chooser.ask(choices).await else { return };
            match self.core.assign(&pairs).await {
                Err(error) if !error.kind().is_retryable() && error.kind() != ErrorKind::Closed => break error,
                _ => {}
            }
        };
        if error.kind() != ErrorKind::Closed {
            chooser.fail(error);
        }
        // In a task of its own, because it waits for the end of this one.
        self.handle.spawn(self.clone().stop_choosing(chooser.number));
    }
}

/// One callback that chooses, from the call that gives it to its end.
pub(crate) struct Chooser {
    number: u64,
    member: Weak<MasterMember>,
    dispatch: Arc<Dispatch>,
    state: Mutex<State>,
}

struct State {
    /// None once it is ended.
    listener: Option<Arc<Listener<swarm_choose_fn>>>,
    task: Option<JoinHandle<()>>,
    round: Option<Round>,
    /// Why it cannot go on, until that is told.
    failure: Option<Error>,
}

/// What is to be chosen at once.
struct Round {
    jobs: VecDeque<JobInfo>,
    workers: Vec<Candidate>,
    chosen: Vec<(String, String)>,
    reply: oneshot::Sender<Vec<(String, String)>>,
}

impl Chooser {
    fn begin(member: &Arc<MasterMember>, dispatch: &Arc<Dispatch>, listener: Arc<Listener<swarm_choose_fn>>) -> Arc<Chooser> {
        let state = State { listener: Some(listener), task: None, round: None, failure: None };
        let mut open = lock(&member.choosers.open);
        let number = member.choosers.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let (member, dispatch) = (Arc::downgrade(member), dispatch.clone());
        let chooser = Arc::new(Chooser { number, member, dispatch, state: Mutex::new(state) });
        open.push(chooser.clone());
        chooser
    }

    /// Its callback is not begun any more. Answers the task, which is being cancelled.
    fn end(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let mut state = self.lock();
        let (listener, task) = (state.listener.take(), state.task.take());
        state.round = None;
        drop(state);
        if let (Some(listener), Some(member)) = (listener, self.member.upgrade()) {
            lock(&member.choosers.over).push(listener);
            self.dispatch.tell(self.clone());
        }
        task.inspect(JoinHandle::abort)
    }

    /// Has the callback called for each of the jobs; none if it was ended.
    async fn ask(self: &Arc<Self>, choices: Choices) -> Option<Vec<(String, String)>> {
        let (reply, answer) = oneshot::channel();
        let count = choices.jobs.len();
        let round = Round { jobs: choices.jobs.into(), workers: choices.workers, chosen: Vec::new(), reply };
        {
            let mut state = self.lock();
            state.listener.as_ref()?;
            state.round = Some(round);
        }
        // Once for each, so that other callbacks get their turn between.
        for _ in 0..count {
            self.dispatch.tell(self.clone());
        }
        answer.await.ok()
    }

    fn fail(self: &Arc<Self>, error: Error) {
        self.lock().failure = Some(error);
        self.dispatch.tell(self.clone());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Deliver for Chooser {
    fn deliver(&self) {
        let Some(member) = self.member.upgrade() else { return };
        member.choosers.clear();
        let mut trouble = Vec::new();
        let mut state = self.lock();
        trouble.extend(state.failure.take());
        let listener = state.listener.clone();
        let question = state.round.as_mut().and_then(Round::next);
        if let (Some(listener), Some((job, shown))) = (listener, question) {
            // Under the lock, so that an end either prevents it or waits for it.
            member.choosers.calls.begin();
            drop(state);
            let answer = ask(&listener, &job, &shown);
            // Before the call counts as ended: the last share destroys the program's data.
            drop(listener);
            member.choosers.calls.end();
            state = self.lock();
            match (answer, state.round.as_mut()) {
                (Ok(Some(worker)), Some(round)) => round.choose(job, &worker),
                (Err(error), _) => trouble.push(error),
                _ => {}
            }
        }
        if let Some(round) = state.round.take_if(|round| round.jobs.is_empty()) {
            // Nobody waits if it was ended meanwhile.
            let _ = round.reply.send(round.chosen);
        }
        drop(state);
        let listeners = member.listeners.now();
        trouble.into_iter().for_each(|error| listeners.tell(Event::Error(error)));
    }
}

impl Round {
    /// The next job that some workers have room for, and these.
    fn next(&mut self) -> Option<(JobInfo, Vec<(String, Value)>)> {
        while let Some(job) = self.jobs.pop_front() {
            let room = self.workers.iter().map(|worker| (worker, worker.room(&job)));
            let shown: Vec<_> = room.filter(|(_, room)| *room > 0).map(|(worker, room)| show(worker, room)).collect();
            if !shown.is_empty() {
                return Some((job, shown));
            }
        }
        None
    }

    fn choose(&mut self, job: JobInfo, incarnation: &str) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.incarnation == incarnation) {
            worker.take(&job);
            self.chosen.push((job.id, worker.incarnation.clone()));
        }
    }
}

/// # Safety
/// As for [`texts`].
unsafe fn read_choosing(within_ms: u64, tasks: *const *const c_char, count: usize) -> Result<Choosing> {
    // SAFETY: promised by the caller.
    let tasks = unsafe { texts(tasks, count, "tasks") }?;
    let default = Choosing::default().within;
    Ok(Choosing { within: if within_ms == 0 { default } else { Duration::from_millis(within_ms) }, tasks })
}

/// Asks the program: the incarnation of a worker shown, or none.
fn ask(listener: &Listener<swarm_choose_fn>, job: &JobInfo, shown: &[(String, Value)]) -> Result<Option<String>> {
    let Listener(Some(function), user_data) = listener else { return Ok(None) };
    let job_json = json_text(serde_json::to_string(job))?;
    let workers: Vec<_> = shown.iter().map(|(_, worker)| worker).collect();
    let workers = json_text(serde_json::to_string(&workers))?;
    // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
    let answer = unsafe { function(user_data.pointer(), job_json.as_ptr(), workers.as_ptr()) };
    // SAFETY: what it answers is NULL, or a text that stays until the callback is called again.
    let Some(chosen) = unsafe { optional_text(answer, "the worker chosen") }? else { return Ok(None) };
    if !shown.iter().any(|(incarnation, _)| incarnation == chosen) {
        let message =
            format!("the callback that chooses answered `{chosen}`, no worker that it was shown for the job `{}`", job.id);
        return Err(invalid(message));
    }
    Ok(Some(chosen.to_owned()))
}

fn show(worker: &Candidate, room: u64) -> (String, Value) {
    let Candidate { incarnation, name, group, host, pid, tasks, active, free: _, ranges: _ } = worker;
    let shown = json!({
        "incarnation": incarnation, "name": name, "group": group, "host": host, "pid": pid, "tasks": tasks, "active": active, "room": room,
    });
    (incarnation.clone(), shown)
}

/// Counts callbacks, so that their end can be waited for.
#[derive(Default)]
struct Calls {
    counts: Mutex<(u64, u64)>,
    ended: Condvar,
}

impl Calls {
    fn begin(&self) {
        lock(&self.counts).0 += 1;
    }

    fn end(&self) {
        lock(&self.counts).1 += 1;
        self.ended.notify_all();
    }

    /// Waits until those begun have ended; false if the deadline came first.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut counts = lock(&self.counts);
        let begun = counts.0;
        while counts.1 < begun {
            counts = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => self.ended.wait(counts).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return false,
                Some(left) => self.ended.wait_timeout(counts, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
        true
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
