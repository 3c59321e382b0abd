//! The recorded transitions of each job are a path that leads to its state.

use std::collections::HashMap;

use super::snapshot::{Place, Snapshot};
use crate::model::job_event::{JobEvent, JobEventKind};
use crate::store::codec::events::{self, EventEntry, Position};
use crate::store::envelope::Envelopes;

#[derive(Clone, Debug, Default, PartialEq)]
enum State {
    #[default]
    Gone,
    Waiting,
    Delayed,
    Blocked,
    Active(u64, String),
    Failed,
}

/// What the events so far state.
#[derive(Default)]
pub(super) struct Recorded {
    at: Position,
    pub(super) count: usize,
    states: HashMap<String, State>,
}

/// The state after an event; `None` if the event cannot follow.
fn next(state: &State, event: &JobEvent) -> Option<State> {
    use JobEventKind::*;
    let active = matches!(state, State::Active(..));
    let owner = State::Active(event.fence.unwrap_or(0), event.worker.clone());
    let waits = matches!(state, State::Waiting | State::Delayed | State::Blocked);
    let fits = match event.kind {
        Added => matches!(state, State::Gone | State::Failed),
        Replaced => waits,
        Delayed | Blocked | Assigned => *state == State::Waiting,
        Waiting => matches!(state, State::Delayed | State::Blocked),
        Progress | Released => *state == owner,
        Retrying if event.reason.is_empty() => *state == State::Failed,
        Retrying => *state == owner,
        Completed => *state == owner || *state == State::Blocked && event.worker.is_empty(),
        Failed => *state == owner || waits && event.worker.is_empty(),
        Deleted => *state != State::Gone,
        ScheduleFired | Missed => !active,
    };
    fits.then(|| match event.kind {
        Added | Replaced | Waiting | Released => State::Waiting,
        Retrying if event.due_at.is_some() => State::Delayed,
        Retrying => State::Waiting,
        Delayed => State::Delayed,
        Blocked => State::Blocked,
        Assigned => owner,
        Failed => State::Failed,
        Completed | Deleted => State::Gone,
        Progress | ScheduleFired | Missed => state.clone(),
    })
}

impl Recorded {
    /// Reads what a step has added, and compares it with the state in Redis.
    pub(super) fn check(&mut self, connection: &mut redis::Connection, after: &Snapshot) -> Result<(), String> {
        let entries: Vec<(String, Vec<Vec<u8>>)> =
            redis::cmd("XRANGE").arg("{t}:events").arg(format!("({}", self.at)).arg("+").query(connection).unwrap();
        for (id, fields) in entries {
            let last = Position::of_id(&id).unwrap();
            let entry = EventEntry { last, events: events::read(last, &fields[1], Envelopes::NONE).unwrap() };
            if self.at != Position::START && entry.first() != self.at.number + 1 {
                return Err(format!("events are missing between {} and {last}", self.at));
            }
            self.at = last;
            self.count += entry.events.len();
            for event in entry.events {
                let state = self.states.entry(event.id.clone()).or_default();
                *state = next(state, &event).ok_or_else(|| format!("the event {event:?} follows {state:?}"))?;
            }
        }
        for id in after.jobs.keys().chain(self.states.keys()) {
            let (job, state) = (after.job(id), self.states.get(id).cloned().unwrap_or_default());
            let fits = match &job.place {
                Place::Nowhere if job.failed => state == State::Failed,
                // Old failed jobs are forgotten without an event.
                Place::Nowhere => matches!(state, State::Gone | State::Failed),
                Place::Waiting => state == State::Waiting,
                Place::Delayed(_) => state == State::Delayed,
                Place::Blocked => state == State::Blocked,
                Place::Active(fence, worker) => state == State::Active(*fence, worker.clone()),
                Place::Later if job.blocked => state == State::Blocked,
                Place::Later => matches!(state, State::Waiting | State::Delayed),
            };
            if !fits {
                return Err(format!("the events of `{id}` end in {state:?}, it is {:?}", job));
            }
        }
        self.states.retain(|_, state| *state != State::Gone);
        Ok(())
    }
}
