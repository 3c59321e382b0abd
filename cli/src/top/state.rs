//! What the display shows.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use libswarm::{Error, MemberInfo, Role, Snapshot, Stats};

use super::snapshot::Look;
use crate::commands::status::task;
use crate::recent::{Recent, Times};

/// The looks that the curve of completed jobs shows.
const HISTORY: usize = 120;
/// The name that stands for all tasks.
pub(super) const ALL: &str = "*";

/// A task as a row.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskRow {
    pub(super) name: String,
    pub(super) waiting: u64,
    pub(super) workers: u64,
    pub(super) paused: bool,
    pub(super) times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Focus {
    Tasks,
    Workers,
}

/// What the user may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    PauseTask(String),
    ResumeTask(String),
    PauseWorker(String),
    ResumeWorker(String),
}

impl Action {
    pub(super) fn question(&self) -> String {
        match self {
            Action::PauseTask(name) if name == ALL => "Pause all jobs?".to_owned(),
            Action::ResumeTask(name) if name == ALL => "Resume all jobs?".to_owned(),
            Action::PauseTask(name) => format!("Pause the task {}?", task(name)),
            Action::ResumeTask(name) => format!("Resume the task {}?", task(name)),
            Action::PauseWorker(worker) => format!("Pause the worker {worker}?"),
            Action::ResumeWorker(worker) => format!("Resume the worker {worker}?"),
        }
    }

    pub(super) fn done(&self) -> String {
        match self {
            Action::PauseTask(name) => format!("{} is paused; active jobs continue.", task(name)),
            Action::ResumeTask(name) => format!("{} is resumed.", task(name)),
            Action::PauseWorker(worker) => format!("The worker {worker} is paused; its active jobs continue."),
            Action::ResumeWorker(worker) => format!("The worker {worker} is resumed."),
        }
    }
}

/// Transitions in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) added: f64,
    pub(super) completed: f64,
    pub(super) failed: f64,
    pub(super) retried: f64,
}

pub(super) struct State {
    pub(super) cluster: String,
    pub(super) address: String,
    pub(super) colors: bool,
    pub(super) stats: Stats,
    pub(super) rates: Option<Rates>,
    /// Completed jobs in a second, of each look; the newest last.
    pub(super) history: VecDeque<u64>,
    pub(super) tasks: Vec<TaskRow>,
    pub(super) workers: Vec<MemberInfo>,
    pub(super) masters: usize,
    /// The answer had only a part of the members or queues.
    pub(super) partial: bool,
    /// Why there is no newer answer.
    pub(super) trouble: Option<String>,
    pub(super) focus: Focus,
    pub(super) chosen_task: usize,
    pub(super) chosen_worker: usize,
    pub(super) help: bool,
    pub(super) question: Option<Action>,
    pub(super) note: Option<String>,
    looked_at: Option<Instant>,
    /// The waiting job that is assigned next.
    pub(super) first: Option<String>,
}

impl State {
    pub(super) fn new(cluster: &str, address: &str, colors: bool) -> State {
        State {
            cluster: cluster.to_owned(),
            address: address.to_owned(),
            colors,
            stats: Stats::default(),
            rates: None,
            history: VecDeque::new(),
            tasks: Vec::new(),
            workers: Vec::new(),
            masters: 0,
            partial: false,
            trouble: None,
            focus: Focus::Tasks,
            chosen_task: 0,
            chosen_worker: 0,
            help: false,
            question: None,
            note: None,
            looked_at: None,
            first: None,
        }
    }

    /// Takes the result of a look.
    pub(super) fn looked(&mut self, looked: Result<Look, Error>) {
        match looked {
            Ok(look) => self.take(look, Instant::now()),
            Err(error) => {
                self.trouble = Some(error.message().to_owned());
                // Counters may begin anew.
                self.rates = None;
            }
        }
    }

    pub(super) fn take(&mut self, Look { snapshot, times }: Look, now: Instant) {
        let since = self.looked_at.replace(now).map(|before| now.saturating_duration_since(before));
        self.rates = match since {
            Some(since) if self.trouble.is_none() && !since.is_zero() => Some(rates(&self.stats, &snapshot.stats, since)),
            _ => None,
        };
        if let Some(rates) = self.rates {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(rates.completed.round() as u64);
        }
        self.trouble = None;
        self.first = snapshot.first_waiting.clone();
        self.tasks = tasks(&snapshot, &times);
        self.partial = snapshot.more_members || snapshot.more_queues;
        self.stats = snapshot.stats;
        let (workers, others) = snapshot.members.into_iter().partition::<Vec<_>, _>(|member| member.role == Role::Worker);
        (self.workers, self.masters) = (workers, others.len());
        self.chosen_task = self.chosen_task.min(self.tasks.len().saturating_sub(1));
        self.chosen_worker = self.chosen_worker.min(self.workers.len().saturating_sub(1));
    }

    /// Since when there is no answer.
    pub(super) fn silent_for(&self) -> Option<Duration> {
        self.looked_at.map(|at| at.elapsed())
    }

    /// The row that is chosen in the table that has the focus, as an action.
    pub(super) fn action(&self, pause: bool) -> Option<Action> {
        match self.focus {
            Focus::Tasks => self.tasks.get(self.chosen_task).map(|row| match pause {
                true => Action::PauseTask(row.name.clone()),
                false => Action::ResumeTask(row.name.clone()),
            }),
            Focus::Workers => self.workers.get(self.chosen_worker).map(|worker| match pause {
                true => Action::PauseWorker(worker.incarnation.clone()),
                false => Action::ResumeWorker(worker.incarnation.clone()),
            }),
        }
    }
}

fn rates(before: &Stats, now: &Stats, since: Duration) -> Rates {
    // After a loss of data the counters are smaller.
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / since.as_secs_f64();
    Rates {
        added: rate(before.added, now.added),
        completed: rate(before.completed, now.completed),
        failed: rate(before.failures, now.failures),
        retried: rate(before.retries, now.retries),
    }
}

/// All tasks that have waiting jobs, workers, a pause or ends in the last minutes; the row of all of them first.
fn tasks(snapshot: &Snapshot, times: &Recent) -> Vec<TaskRow> {
    let mut rows: BTreeMap<&str, TaskRow> = BTreeMap::new();
    let all_paused = snapshot.paused.iter().any(|name| name == ALL);
    for queue in &snapshot.queues {
        rows.entry(&queue.task).or_default().waiting += queue.waiting;
    }
    for worker in snapshot.members.iter().filter(|member| member.role == Role::Worker) {
        worker.tasks.iter().for_each(|name| rows.entry(name).or_default().workers += 1);
    }
    for name in snapshot.paused.iter().filter(|name| *name != ALL) {
        rows.entry(name).or_default().paused = true;
    }
    let mut all_times = Times::default();
    for (name, times) in times {
        all_times.add(times);
        rows.entry(name).or_default().times = times.clone();
    }
    let workers = snapshot.members.iter().filter(|member| member.role == Role::Worker).count() as u64;
    let all = TaskRow { name: ALL.to_owned(), waiting: snapshot.stats.waiting, workers, paused: all_paused, times: all_times };
    let named = rows.into_iter().map(|(name, row)| TaskRow { name: name.to_owned(), paused: row.paused || all_paused, ..row });
    std::iter::once(all).chain(named).collect()
}
