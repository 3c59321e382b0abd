//! The state of the task of a worker.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Command;
use super::arrivals::Arrivals;
use super::batch::Batch;
use super::finishes::{Finishes, Stored};
use super::handle::Ends;
use super::quotas::Quotas;
use crate::adding::Adder;
use crate::member::{Session, Shared};
use crate::messaging::Messaging;
use crate::model::execution::DeleteReason;
use crate::model::job::JobData;
use crate::store::Entry;
use crate::util::completion::Done;

/// The state; it is changed in `intake.rs` (jobs), `round.rs` (finishes), `stuck.rs` and `task.rs`.
pub(crate) struct Task {
    pub(super) shared: Arc<Shared>,
    pub(super) finishes: Arc<Finishes>,
    pub(super) messaging: Arc<Messaging>,
    pub(super) ends: Weak<Ends>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) session: Session,
    pub(super) adder: Adder,
    /// Jobs that are assigned and not finished, by fence.
    pub(super) active: HashMap<u64, Active>,
    /// A job arrived whose finish costs more than that of a plain job.
    pub(super) had_options: bool,
    pub(super) stuck: Stuck,
    /// Active jobs that wait here for a slot.
    pub(super) prefetched: VecDeque<Arc<JobData>>,
    /// Finishes of the program for the next round, and jobs to release or fail that the program has not received.
    pub(super) batch: Batch,
    /// The cluster keeps completed jobs: the rounds send their results.
    pub(super) keeps_completed: bool,
    /// Progress, checkpoints and lines of logs for the next round: id, fence, kind and value.
    pub(super) values: Vec<(String, u64, Stored, Vec<u8>)>,
    /// Deletions of unknown jobs: the round under way may return them.
    pub(super) early_deletes: Vec<(u64, String, DeleteReason)>,
    pub(super) arrivals: Arrivals,
    pub(super) quotas: Quotas,
    /// The number of jobs emitted to the program in this incarnation.
    pub(super) emitted: u64,
    /// The number of `Add` events that the program had taken when the incarnation began.
    pub(super) taken_before: u64,
    pub(super) number: u64,
    /// No more jobs are accepted; `drain_reported`: a round has withdrawn the credit.
    pub(super) draining: bool,
    pub(super) drain_reported: bool,
    /// The tasks have changed, and no round has sent them.
    pub(super) retask: bool,
    /// Slots and pause as Redis knows them, and the number of the last order that was processed.
    pub(super) reported: Reported,
    pub(super) ordered: u64,
    /// The credit in Redis exceeds the limit.
    pub(super) reslot: bool,
    pub(super) drained: Vec<Done<()>>,
    /// The earliest timeout of jobs that arrived or were added since the last round was sent: the reply of that round may not consider it.
    pub(super) first_clock: Option<Instant>,
    /// A round is due.
    pub(super) due: bool,
    /// When the next round is due at the latest.
    pub(super) wake: Instant,
    /// The first round of the incarnation was answered: it sent the first credit, and the worker is ready.
    pub(super) announced: bool,
    /// Entries that the inbox returned before that.
    pub(super) before_announced: Vec<Entry>,
    /// Every handle was dropped.
    pub(super) abandoned: bool,
    /// The grace of a close is over: finishes are still sent, active jobs are requeued.
    pub(super) overdue: bool,
    pub(super) closing: Option<(Instant, Done<()>)>,
}

/// A job that is assigned and not finished.
pub(crate) struct Active {
    pub(super) job: Arc<JobData>,
    /// The execution is over in Redis, and the program was asked to stop.
    pub(super) asked_to_stop: bool,
    /// The program was asked to stop, for any reason.
    pub(super) stopping: Option<Stopping>,
}

/// Since when the program has been asked to stop a job, and why.
pub(super) struct Stopping {
    pub(super) since: Instant,
    pub(super) reason: DeleteReason,
    pub(super) stuck: bool,
}

/// Slots and pause as Redis knows them.
#[derive(Clone, Copy, Default, PartialEq)]
pub(super) struct Reported {
    pub(super) slots: Option<u32>,
    pub(super) paused: bool,
    /// The number of the last order that was processed.
    pub(super) order: u64,
}

#[derive(Default)]
pub(super) struct Stuck {
    /// Abandoned executions whose handlers still run, by fence. Each occupies a slot.
    pub(super) abandoned: HashMap<u64, Arc<JobData>>,
    /// When the next job may count as stuck.
    pub(super) next_look: Option<Instant>,
}

impl Stuck {
    /// The number of slots that abandoned executions occupy.
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
            adder: Adder::new(shared.clone(), ends.adds.clone()),
            shared,
            messaging,
            finishes: ends.finishes.clone(),
            ends: Arc::downgrade(ends),
            commands,
            active: HashMap::new(),
            had_options: false,
            stuck: Stuck::default(),
            prefetched: VecDeque::new(),
            quotas: Quotas::default(),
            batch: Batch::default(),
            keeps_completed: false,
            values: Vec::new(),
            early_deletes: Vec::new(),
            arrivals: Arrivals::default(),
            emitted: 0,
            taken_before: 0,
            number: 0,
            draining: false,
            drain_reported: false,
            retask: false,
            reported: Reported::default(),
            ordered: 0,
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
