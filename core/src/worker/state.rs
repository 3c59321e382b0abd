//! What the task of a worker knows.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Command;
use super::arrivals::Arrivals;
use super::batch::Batch;
use super::finishes::Finishes;
use super::handle::Ends;
use super::quotas::Quotas;
use crate::member::{Session, Shared};
use crate::messaging::Messaging;
use crate::model::event::DeleteReason;
use crate::model::job::JobData;
use crate::store::Entry;
use crate::util::completion::Done;

/// The state; what happens to it is in `intake.rs` (jobs), `round.rs` (finishes), `stuck.rs` and `task.rs`.
pub(crate) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) finishes: Arc<Finishes>,
    pub(super) messaging: Arc<Messaging>,
    pub(super) ends: Weak<Ends>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) session: Session,
    /// Jobs given and not yet ended, by fence.
    pub(super) active: HashMap<u64, Active>,
    pub(super) stuck: Stuck,
    /// Of the active, those that wait here for a slot.
    pub(super) prefetched: VecDeque<Arc<JobData>>,
    /// Finishes taken from the program that do not fit the round, and jobs to give back or fail unseen.
    pub(super) batch: Batch,
    /// Deletions of jobs not known yet: the round under way may bring them.
    pub(super) early_deletes: Vec<(u64, String, DeleteReason)>,
    pub(super) arrivals: Arrivals,
    pub(super) quotas: Quotas,
    /// Jobs emitted to the program in this incarnation.
    pub(super) emitted: u64,
    /// `EventQueue::taken` when the incarnation began.
    pub(super) taken_before: u64,
    pub(super) number: u64,
    /// No more jobs are wanted; and whether Redis knows.
    pub(super) draining: bool,
    pub(super) drain_told: bool,
    /// The tasks have changed, and Redis does not know.
    pub(super) retask: bool,
    /// Redis has more credit than it should.
    pub(super) reslot: bool,
    pub(super) drained: Vec<Done<()>>,
    /// When the first clock runs out of the jobs given since the last round was sent: its answer may not speak of them.
    pub(super) first_clock: Option<Instant>,
    /// A round is due.
    pub(super) due: bool,
    /// When the next round is due by itself.
    pub(super) wake: Instant,
    /// The first round of the incarnation was answered: it gave the first credit, and the worker takes part.
    pub(super) announced: bool,
    /// What the inbox brought before.
    pub(super) before_announced: Vec<Entry>,
    /// Every handle was dropped.
    pub(super) abandoned: bool,
    /// The grace of a close is over: what was finished is still sent, what is active is requeued.
    pub(super) overdue: bool,
    pub(super) closing: Option<(Instant, Done<()>)>,
}

/// A job given and not yet ended.
pub(crate) struct Active {
    pub(super) job: Arc<JobData>,
    /// It is over in Redis, and the program was asked to stop.
    pub(super) asked_to_stop: bool,
    /// The program was asked to stop, for whatever reason.
    pub(super) stopping: Option<Stopping>,
}

/// Since when a program has been asked to stop a job, and why.
pub(super) struct Stopping {
    pub(super) since: Instant,
    pub(super) reason: DeleteReason,
    pub(super) stuck: bool,
}

#[derive(Default)]
pub(super) struct Stuck {
    /// Executions given up whose handlers still run, by fence. Each keeps a slot.
    pub(super) abandoned: HashMap<u64, Arc<JobData>>,
    /// When the next job may have become stuck.
    pub(super) next_look: Option<Instant>,
}

impl Stuck {
    /// How many slots are taken besides those of active jobs.
    pub(super) fn slots(&self) -> usize {
        self.abandoned.len()
    }

    pub(super) fn priorities(&self) -> impl Iterator<Item = i64> {
        self.abandoned.values().map(|job| job.priority())
    }
}

impl Task {
    pub(crate) fn new(ends: &Arc<Ends>, commands: mpsc::UnboundedReceiver<Command>) -> Self {
        let messaging = ends.messaging.clone();
        let shared = messaging.shared.clone();
        Task {
            session: Session::new(shared.clone()),
            shared,
            messaging,
            finishes: ends.finishes.clone(),
            ends: Arc::downgrade(ends),
            commands,
            active: HashMap::new(),
            stuck: Stuck::default(),
            prefetched: VecDeque::new(),
            quotas: Quotas::default(),
            batch: Batch::default(),
            early_deletes: Vec::new(),
            arrivals: Arrivals::default(),
            emitted: 0,
            taken_before: 0,
            number: 0,
            draining: false,
            drain_told: false,
            retask: false,
            reslot: false,
            drained: Vec::new(),
            first_clock: None,
            due: false,
            wake: Instant::now(),
            announced: false,
            before_announced: Vec::new(),
            abandoned: false,
            overdue: false,
            closing: None,
        }
    }
}
