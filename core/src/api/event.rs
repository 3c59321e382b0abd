//! Events of a member for its program.

use std::sync::Arc;
use std::time::Duration;

use super::job::Job;
use super::messages::Message;
use crate::messaging::Messaging;
use crate::model::event::{AcceptedOutcome, QueuedEvent};
use crate::model::execution::DeleteReason;
use crate::model::job::JobError;
use crate::model::message::{Change, MemberRef, MessageData, Role};
use crate::worker::handle::WorkerHandle;
use libswarm_common::error::Error;

/// An event of a member. Events arrive in order.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Event {
    /// The member is registered under this incarnation. Emitted again after each new registration.
    Ready {
        /// The identity in Redis.
        incarnation: String,
    },
    /// A job was assigned to this worker. It is active until it is finished.
    Add(Job),
    /// The program must stop its work on this job, and then call [`Finish::Stopped`](crate::Finish::Stopped). A late completion counts as stopped.
    Delete {
        /// The job as it was assigned.
        job: Job,
        /// Why.
        reason: DeleteReason,
    },
    /// Redis has accepted the completion of this job. Emitted only after [`Worker::report_outcomes`](crate::Worker::report_outcomes), as are the
    /// next two events.
    Completed {
        /// The job as it was assigned.
        job: Job,
    },
    /// Redis has accepted that this job failed permanently: no retry is left.
    Failed {
        /// The job as it was assigned.
        job: Job,
        /// Why.
        error: JobError,
    },
    /// Redis has accepted that this attempt failed. The next attempt follows.
    Retrying {
        /// The job as it was assigned.
        job: Job,
        /// Why it failed.
        error: JobError,
        /// The time until it may start again.
        delay: Duration,
    },
    /// The worker was closed: `None` by terminate, or the [`LeaseLost`](crate::ErrorKind::LeaseLost) error that caused it. With the option
    /// `rejoin`, `Ready` follows after a lost lease. `Delete` was emitted for each of its jobs before.
    Close(Option<Error>),
    /// A message. Emitted if the member is [subscribed to messages](crate::Messages::listen).
    Message(Message),
    /// Another member requests that this program exits. Emitted if the member is [subscribed to messages](crate::Messages::listen).
    Kill {
        /// The requested exit code.
        code: i32,
        /// The member that requested it.
        from: MemberRef,
    },
    /// A member joined, left or was lost. Emitted if this member [subscribes to members](crate::Messages::watch).
    Member {
        /// What happened to the member.
        change: Change,
        /// The role of the member.
        role: Role,
        /// The member.
        member: MemberRef,
    },
    /// A problem in the background, such as a lost connection. Reported once until it changes.
    Error(Error),
}

impl Event {
    /// Converts a queued event into the event of a worker, with the handles that the program needs.
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

    /// Converts a queued event into the event of a master; `None` for events that only workers have.
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
