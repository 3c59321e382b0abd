//! What a member reports to its program.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::messages::Message;
use crate::messaging::Messaging;
use crate::model::event::{AcceptedOutcome, DeleteReason, QueuedEvent};
use crate::model::job::JobError;
use crate::model::message::{Change, MemberRef, MessageData, Role};
use crate::worker::handle::WorkerHandle;
use libswarm_common::error::Error;

/// An event of a member, in order.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Event {
    /// The member is registered under this incarnation. Also after each new registration.
    Ready {
        /// The identity in Redis.
        incarnation: String,
    },
    /// A job was assigned to this worker. It is active until it is finished.
    Add(Job),
    /// The work of this job must stop; then finish it with [`Finish::Stopped`](crate::Finish::Stopped) (a late completion counts as that).
    Delete {
        /// The job as it was assigned.
        job: Job,
        /// Why.
        reason: DeleteReason,
    },
    /// Redis has accepted the completion of this job. Only with [`Worker::report_outcomes`](crate::Worker::report_outcomes), as the next two.
    Completed {
        /// The job as it was assigned.
        job: Job,
    },
    /// Redis has accepted that this job failed: no retry is left.
    Failed {
        /// The job as it was assigned.
        job: Job,
        /// Why.
        error: JobError,
    },
    /// Redis has accepted that this attempt failed, and that the next one follows.
    Retrying {
        /// The job as it was assigned.
        job: Job,
        /// Why it failed.
        error: JobError,
        /// Until it may start again.
        delay: Duration,
    },
    /// The worker was closed: `None` by terminate, or the [`LeaseLost`](crate::ErrorKind::LeaseLost) error that forced
    /// it, after which `Ready` follows if the option `rejoin` is set. All its jobs had their `Delete` before.
    Close(Option<Error>),
    /// A message, if the member [listens](crate::Messages::listen).
    Message(Message),
    /// Another member asks this program to end, if the member [listens](crate::Messages::listen).
    Kill {
        /// The exit code it is to end with.
        code: i32,
        /// Who asks.
        from: MemberRef,
    },
    /// A member came or went, if this one [watches](crate::Messages::watch).
    Member {
        /// How.
        change: Change,
        /// What it is.
        role: Role,
        /// Which.
        member: MemberRef,
    },
    /// Something is wrong in the background, such as a lost connection; reported once until it changes.
    Error(Error),
}

impl Event {
    /// The event of a worker, with the handles that the program needs.
    pub(super) fn of_worker(event: QueuedEvent, worker: &WorkerHandle) -> Event {
        let job = |data| Job { data, worker: worker.clone() };
        match event {
            QueuedEvent::Ready { incarnation } => Event::Ready { incarnation },
            QueuedEvent::Add(data) => Event::Add(job(data)),
            QueuedEvent::Delete(data, reason) => Event::Delete { job: job(data), reason },
            QueuedEvent::Outcome(data, AcceptedOutcome::Completed) => Event::Completed { job: job(data) },
            QueuedEvent::Outcome(data, AcceptedOutcome::Failed(error)) => Event::Failed { job: job(data), error },
            QueuedEvent::Outcome(data, AcceptedOutcome::Retrying(error, delay)) => {
                Event::Retrying { job: job(data), error, delay }
            }
            QueuedEvent::Close(error) => Event::Close(error),
            QueuedEvent::Message(data) => received(data, worker.messaging()),
            QueuedEvent::Member { change, role, member } => Event::Member { change, role, member },
            QueuedEvent::Error(error) => Event::Error(error),
        }
    }

    /// The event of a master; `None` for those that only workers have.
    pub(super) fn of_master(event: QueuedEvent, messaging: &Arc<Messaging>) -> Option<Event> {
        Some(match event {
            QueuedEvent::Add(_) | QueuedEvent::Delete(..) | QueuedEvent::Outcome(..) => return None,
            QueuedEvent::Ready { incarnation } => Event::Ready { incarnation },
            QueuedEvent::Close(error) => Event::Close(error),
            QueuedEvent::Message(data) => received(data, messaging),
            QueuedEvent::Member { change, role, member } => Event::Member { change, role, member },
            QueuedEvent::Error(error) => Event::Error(error),
        })
    }
}

fn received(data: Arc<MessageData>, messaging: &Arc<Messaging>) -> Event {
    match data.exit_code() {
        Some(code) => Event::Kill { code, from: data.from.clone() },
        None => Event::Message(Message::taken(data, messaging)),
    }
}
