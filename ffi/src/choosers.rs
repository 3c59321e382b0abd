//! The callbacks of a master that choose the workers of waiting jobs.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use libswarm::{Choices, Choosing, Error, ErrorKind, Event, Master, Result};
use libswarm_host::lock::{Mutex, MutexGuard};
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::callback::UserData;
use crate::dispatch::Deliver;
use crate::guard::{invalid, optional_text};
use crate::json::json_text;
use crate::member::Member;

/// Chooses the worker of a job that waits: `job` is what swarm_master_job shows, `workers` an array of those that can take it
/// now, the least loaded first, both JSON and borrowed for the call; the reference of the C API lists the fields. Returns the incarnation of
/// one of them, or NULL to leave the job until there is something new to choose. The text stays the callee's, who keeps it
/// until the callback is called again. Another text leaves the job, too, and is reported to the callback of
/// swarm_member_on_error as SWARM_ERR_INVALID_ARGUMENT.
pub type swarm_choose_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, job: *const c_char, workers: *const c_char) -> *const c_char>;

/// A callback that chooses, with its data.
pub(crate) struct Listener {
    function: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *const c_char,
    user_data: UserData,
}

impl Listener {
    pub(crate) fn new(callback: swarm_choose_fn, user_data: UserData) -> Option<Listener> {
        callback.map(|function| Listener { function, user_data })
    }
}

/// The choosers of a master: the one that chooses, and those that are on their way to it.
pub(crate) struct Choosers {
    core: Master,
    member: Arc<Member>,
    /// Active while one is started or stopped.
    turn: tokio::sync::Mutex<()>,
    /// Not yet ended, in the order of their numbers.
    open: Mutex<Vec<Arc<Chooser>>>,
    newest: AtomicU64,
    calls: Calls,
    /// Callbacks that are over. The end of their data is the program's code, which does not run on the runtime's thread.
    over: Mutex<Vec<Arc<Listener>>>,
}

impl Choosers {
    pub(crate) fn new(core: Master, member: Arc<Member>) -> Arc<Choosers> {
        Arc::new(Choosers {
            core,
            member,
            turn: tokio::sync::Mutex::default(),
            open: Mutex::default(),
            newest: AtomicU64::new(0),
            calls: Calls::default(),
            over: Mutex::default(),
        })
    }

    /// Ends them all, without a word to Redis. No callback begins after it.
    pub(crate) fn end(&self) {
        let ended = std::mem::take(&mut *self.open.lock());
        for chooser in ended {
            chooser.end();
        }
    }

    /// Destroys the data of those that are over; not for the runtime's thread.
    pub(crate) fn clear(&self) {
        let over = std::mem::take(&mut *self.over.lock());
        drop(over);
    }

    pub(crate) fn last(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    /// Ends those up to this number, and waits until their tasks are gone.
    async fn end_through(&self, number: u64) {
        let ended: Vec<_> = self.open.lock().extract_if(.., |chooser| chooser.number <= number).collect();
        for chooser in ended {
            if let Some(task) = chooser.end() {
                // Cancelled, or at its end already.
                let _ = task.await;
            }
        }
    }
}

impl Choosers {
    pub(crate) async fn start(self: Arc<Self>, choosing: Choosing, chooser: Arc<Chooser>) -> Result<()> {
        let _turn = self.turn.lock().await;
        match self.core.start_choosing(choosing).await {
            Ok(()) => {
                self.end_through(chooser.number - 1).await;
                let task = self.member.context.handle.spawn(self.clone().keep_choosing(chooser.clone()));
                chooser.lock().task = Some(task);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::InvalidArgument => {
                self.open.lock().retain(|open| open.number != chooser.number);
                chooser.end();
                Err(error)
            }
            Err(error) => {
                self.end_through(chooser.number).await;
                // It may have become known; without this, its jobs wait no longer than `within`.
                let _ = self.core.stop_choosing().await;
                Err(error)
            }
        }
    }

    /// Ends choosers up to this number, and choosing altogether unless a later one chooses.
    pub(crate) async fn stop(self: Arc<Self>, number: u64) -> Result<()> {
        let _turn = self.turn.lock().await;
        self.end_through(number).await;
        let another = self.open.lock().iter().any(|chooser| chooser.lock().task.is_some());
        if another { Ok(()) } else { self.core.stop_choosing().await }
    }

    /// Undoes what a chooser began that nobody waits for any more.
    pub(crate) fn undo(self: &Arc<Self>, chooser: &Arc<Chooser>) {
        chooser.end();
        self.member.context.handle.spawn(self.clone().stop(chooser.number));
    }

    /// Waits until the callbacks that have begun by now have ended.
    pub(crate) async fn callbacks_ended(&self) {
        self.calls.ended().await;
    }

    /// Has the program choose, until that is ended from outside or cannot go on.
    async fn keep_choosing(self: Arc<Self>, chooser: Arc<Chooser>) {
        let error = loop {
            let choices = match self.core.choices().await {
                Ok(choices) => choices,
                Err(error) => break error,
            };
            let Some(choices) = chooser.ask(choices).await else { return };
            match self.core.assign(choices.chosen()).await {
                Err(error) if !error.kind().is_retryable() && error.kind() != ErrorKind::Closed => break error,
                _ => {}
            }
        };
        if error.kind() != ErrorKind::Closed {
            chooser.fail(error);
        }
        // In a task of its own, because it waits for the end of this one.
        self.member.context.handle.spawn(self.clone().stop(chooser.number));
    }
}

/// One callback that chooses, from the call that gives it to its end.
pub(crate) struct Chooser {
    number: u64,
    choosers: Weak<Choosers>,
    state: Mutex<State>,
}

struct State {
    /// None once it is ended.
    listener: Option<Arc<Listener>>,
    task: Option<JoinHandle<()>>,
    /// None also while the program is asked.
    round: Option<Round>,
    /// Why it cannot go on, until that is reported.
    failure: Option<Error>,
}

/// What is to be chosen at once.
struct Round {
    choices: Choices,
    reply: oneshot::Sender<Choices>,
}

impl Chooser {
    pub(crate) fn begin(choosers: &Arc<Choosers>, listener: Listener) -> Arc<Chooser> {
        let state = State { listener: Some(Arc::new(listener)), task: None, round: None, failure: None };
        let mut open = choosers.open.lock();
        let number = choosers.newest.fetch_add(1, Ordering::AcqRel) + 1;
        let chooser = Arc::new(Chooser { number, choosers: Arc::downgrade(choosers), state: Mutex::new(state) });
        open.push(chooser.clone());
        chooser
    }

    fn notify(self: &Arc<Self>) {
        if let Some(choosers) = self.choosers.upgrade() {
            choosers.member.context.dispatch.push(self.clone());
        }
    }

    /// Its callback is not begun any more. Answers the task, which is being cancelled.
    fn end(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let mut state = self.lock();
        let (listener, task) = (state.listener.take(), state.task.take());
        state.round = None;
        drop(state);
        if let (Some(listener), Some(choosers)) = (listener, self.choosers.upgrade()) {
            choosers.over.lock().push(listener);
            self.notify();
        }
        task.inspect(JoinHandle::abort)
    }

    /// Has the callback called for each of the jobs; none if it was ended.
    async fn ask(self: &Arc<Self>, choices: Choices) -> Option<Choices> {
        if !choices.has_next() {
            return Some(choices);
        }
        let (reply, answer) = oneshot::channel();
        let count = choices.jobs.len();
        {
            let mut state = self.lock();
            state.listener.as_ref()?;
            state.round = Some(Round { choices, reply });
        }
        // Once for each, so that other callbacks get their turn between. The last answers, without another turn of a program that polls.
        for _ in 0..count {
            self.notify();
        }
        answer.await.ok()
    }

    fn fail(self: &Arc<Self>, error: Error) {
        self.lock().failure = Some(error);
        self.notify();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Deliver for Chooser {
    fn deliver(&self) {
        let Some(choosers) = self.choosers.upgrade() else { return };
        choosers.clear();
        let mut state = self.lock();
        let mut trouble: Vec<_> = state.failure.take().into_iter().collect();
        let asked = state.listener.clone().zip(state.round.take());
        if asked.is_some() {
            // Under the lock, so that an end either prevents it or waits for it.
            choosers.calls.begin();
        }
        drop(state);
        if let Some((listener, mut round)) = asked {
            trouble.extend(round.ask(&listener).err());
            let more = round.choices.has_next();
            // Before the call counts as ended: the last share destroys the program's data.
            drop(listener);
            choosers.calls.end();
            let mut state = self.lock();
            if !more {
                // Nobody waits if it was ended meanwhile.
                let _ = round.reply.send(round.choices);
            } else if state.listener.is_some() {
                state.round = Some(round);
            }
        }
        let listeners = choosers.member.listeners.now();
        trouble.into_iter().for_each(|error| listeners.call(Event::Error(error)));
    }
}

impl Round {
    /// Asks the program about the next job.
    fn ask(&mut self, listener: &Listener) -> Result<()> {
        let Listener { function, user_data } = listener;
        let Some((job, workers)) = self.choices.next_job() else { return Ok(()) };
        let id = job.id.clone();
        let job = json_text(serde_json::to_string(job))?;
        // As values, whose keys are sorted.
        let workers = workers.iter().map(|(worker, room)| serde_json::to_value(worker.with_room(*room)));
        let workers = json_text(workers.collect::<serde_json::Result<Value>>().map(|workers| workers.to_string()))?;
        // SAFETY: the callback and its data belong together; what it is shown lives until it returns.
        let answer = unsafe { function(user_data.pointer(), job.as_ptr(), workers.as_ptr()) };
        // SAFETY: what it answers is NULL, or a text that stays until the callback is called again.
        if let Some(chosen) = unsafe { optional_text(answer, "the worker chosen") }?
            && !self.choices.choose(chosen)
        {
            let message =
                format!("the callback that chooses answered `{chosen}`, no worker that it was shown for the job `{id}`");
            return Err(invalid(message));
        }
        Ok(())
    }
}

/// Counts callbacks, begun and ended, so that their end can be waited for.
#[derive(Default)]
struct Calls(watch::Sender<(u64, u64)>);

impl Calls {
    fn begin(&self) {
        self.0.send_modify(|counts| counts.0 += 1);
    }

    fn end(&self) {
        self.0.send_modify(|counts| counts.1 += 1);
    }

    /// Waits until those begun by now have ended.
    async fn ended(&self) {
        let begun = self.0.borrow().0;
        // It fails only without a sender, and this is one.
        let _ = self.0.subscribe().wait_for(|counts| counts.1 >= begun).await;
    }
}
