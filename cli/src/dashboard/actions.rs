//! What viewers change, if the dashboard may write. Each action leaves a line in the audit log.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use libswarm::{ErrorKind, JobState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shared;
use super::audit;
use super::trouble::Refused;
use crate::failures::{self, BATCH, PAGE, error_of, fingerprint};

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Action {
    /// No job of the task starts, or none at all.
    Pause {
        task: Option<String>,
    },
    Resume {
        task: Option<String>,
    },
    PauseWorker {
        worker: String,
    },
    ResumeWorker {
        worker: String,
    },
    SetSlots {
        worker: String,
        slots: u32,
    },
    Delete {
        id: String,
    },
    Retry {
        id: String,
    },
    RetryFailed(Errors),
    DeleteFailed(Errors),
    RunSchedule {
        id: String,
    },
    PauseSchedule {
        id: String,
    },
    ResumeSchedule {
        id: String,
    },
    RemoveSchedule {
        id: String,
    },
}

/// Failed jobs with the same error.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Errors {
    reason: String,
    fingerprint: String,
}

pub(super) async fn act(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(viewer): ConnectInfo<SocketAddr>,
    body: Result<Json<Action>, JsonRejection>,
) -> Result<Json<Value>, Refused> {
    let Json(action) = body.map_err(|rejection| Refused::invalid(rejection.body_text()))?;
    let shown = serde_json::to_value(&action).unwrap_or_default();
    let done = match shared.rules.write {
        true => run(&shared, &action).await,
        false => Err(Refused::forbidden("this dashboard only reads; start it with --write to change anything")),
    };
    shared.cache.clear().await;
    audit::note(viewer, &shown, done.as_ref().map(|changed| *changed).map_err(|refused| refused.message()));
    Ok(Json(json!({ "changed": done? })))
}

/// Returns how much was changed; an error if what was named is gone.
async fn run(shared: &Shared, action: &Action) -> Result<u64, Refused> {
    let (session, master) = (&shared.session, &shared.session.master);
    let one = |done: bool, what: &str, name: &str| match done {
        true => Ok(1),
        false => Err(Refused::new(
            StatusCode::NOT_FOUND,
            ErrorKind::NotFound.name(),
            format!("{what} `{name}` is gone; nothing was changed"),
        )),
    };
    match action {
        Action::Pause { task } => Ok(session.get_registered(master.pause(task.as_deref())).await.map(|()| 1)?),
        Action::Resume { task } => Ok(session.get_registered(master.resume(task.as_deref())).await.map(|()| 1)?),
        Action::PauseWorker { worker } => one(session.get_registered(master.pause_worker(worker)).await?, "the worker", worker),
        Action::ResumeWorker { worker } => one(session.get_registered(master.resume_worker(worker)).await?, "the worker", worker),
        Action::SetSlots { worker, slots } => {
            one(session.get_registered(master.set_worker_slots(worker, *slots)).await?, "the worker", worker)
        }
        Action::Delete { id } => {
            let deleted = session.get_registered(master.delete_many(vec![id.clone()])).await?;
            one(deleted == [true], "the job", id)
        }
        Action::Retry { id } => {
            one(session.get_registered(master.retry_failed(Some(std::slice::from_ref(id)))).await? == 1, "the failed job", id)
        }
        Action::RetryFailed(errors) => every_failed(shared, errors, true).await,
        Action::DeleteFailed(errors) => every_failed(shared, errors, false).await,
        // 0 if it is skipped.
        Action::RunSchedule { id } => Ok(u64::from(session.get_registered(master.run_schedule(id)).await?.is_some())),
        Action::PauseSchedule { id } => one(session.get_registered(master.pause_schedule(id)).await?, "the schedule", id),
        Action::ResumeSchedule { id } => one(session.get_registered(master.resume_schedule(id)).await?, "the schedule", id),
        Action::RemoveSchedule { id } => one(session.get_registered(master.unschedule(id)).await?, "the schedule", id),
    }
}

/// Retries or deletes all failed jobs with an error.
async fn every_failed(shared: &Shared, errors: &Errors, retry: bool) -> Result<u64, Refused> {
    let (session, master) = (&shared.session, &shared.session.master);
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let page = session.get(master.jobs(JobState::Failed, after.as_deref(), PAGE)).await?;
        let same = page.jobs.into_iter().filter(|job| {
            let (reason, error) = error_of(job);
            reason == errors.reason && fingerprint(&error) == errors.fingerprint
        });
        ids.extend(same.map(|job| job.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut changed = 0;
    for some in ids.chunks(BATCH) {
        changed += session.get_registered(failures::change(master, some, retry)).await?;
    }
    Ok(changed)
}
