//! What viewers open: jobs, one job, failed jobs, schedules, limits, the server. No page reads more than `SCANNED` jobs.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use libswarm::{ErrorKind, JobState, ServerInfo};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::trouble::Refused;
use crate::commands::jobs::{Filter, payload_of};
use crate::failures::{Group, Groups, PAGE};
use crate::output::json::{job as job_json, schedule as schedule_json};

/// Jobs that a page shows, those that are looked through for it, and those of a flow that are shown.
const SHOWN: usize = 50;
const SCANNED: usize = 1000;
const FLOW: usize = 200;

type Answer = Result<Json<Value>, Refused>;

/// What a list of jobs shows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: String,
    #[serde(flatten)]
    filter: Filter,
    after: Option<String>,
}

impl Wanted {
    fn state(&self) -> Result<JobState, Refused> {
        let states =
            [JobState::Waiting, JobState::Active, JobState::Delayed, JobState::Blocked, JobState::Failed, JobState::Completed];
        let found = states.into_iter().find(|state| state.name() == self.state || self.state.is_empty());
        found.ok_or_else(|| {
            Refused::invalid(format!(
                "state is `{}`, it must be waiting, active, delayed, blocked, failed or completed",
                self.state
            ))
        })
    }
}

/// Jobs in a state that match, from a position on.
pub(super) async fn jobs(State(shared): State<Arc<Shared>>, uri: Uri, Query(wanted): Query<Wanted>) -> Answer {
    let state = wanted.state()?;
    let read = async {
        let (mut found, mut after, mut examined) = (Vec::new(), wanted.after.clone(), 0);
        loop {
            let page = shared.session.get(shared.session.master.jobs(state, after.as_deref(), SHOWN as u32)).await?;
            examined += page.jobs.len();
            found.extend(page.jobs.into_iter().filter(|job| wanted.filter.matches(job)).map(|job| job_json(job, false)));
            after = page.next;
            if after.is_none() || found.len() >= SHOWN || examined >= SCANNED {
                return Ok(json!({ "jobs": found, "next": after, "examined": examined }));
            }
        }
    };
    shared.cache.get(uri.to_string(), read).await.map(Json)
}

#[derive(Deserialize)]
pub(super) struct OneJob {
    id: String,
    #[serde(default)]
    payload: bool,
}

/// One job, with its flow if it belongs to one. The payload is read only if it is asked for.
pub(super) async fn job(State(shared): State<Arc<Shared>>, uri: Uri, Query(wanted): Query<OneJob>) -> Answer {
    if wanted.payload && !shared.rules.payloads {
        return Err(Refused::forbidden("this dashboard shows no payloads"));
    }
    let read = async {
        let master = &shared.session.master;
        let Some(job) = shared.session.get(master.job(&wanted.id)).await? else {
            let text = format!("there is no job `{}`: it was never added, was deleted, or is completed and not kept", wanted.id);
            return Err(Refused::new(StatusCode::NOT_FOUND, ErrorKind::NotFound.name(), text));
        };
        let content = wanted.payload.then(|| {
            let redaction = &shared.rules.redaction;
            let payload = if job.payload_encoded {
                json!({ "text": payload_of(&job), "bytes": job.payload.bytes.len() })
            } else {
                redaction.of_payload(&job.payload)
            };
            json!({ "payload": payload, "result": job.result.as_ref().map(|result| redaction.of_payload(result)) })
        });
        let mut shown = job_json(job, false);
        for name in ["progress", "checkpoint"] {
            if let Some(value) = shown.get_mut(name) {
                *value = if shared.rules.payloads { shared.rules.redaction.of(value.take()) } else { Value::Null };
            }
        }
        let flow = shared.session.get(master.flow(&wanted.id)).await?.map(|mut flow| {
            let number = flow.jobs.len();
            flow.jobs.truncate(FLOW);
            json!({ "id": flow.id, "number": number, "jobs": flow.jobs })
        });
        Ok(json!({ "job": shown, "content": content, "flow": flow }))
    };
    shared.cache.get(uri.to_string(), read).await.map(Json)
}

/// The newest failed jobs, grouped by error.
pub(super) async fn failed(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let read = async {
        let (mut groups, mut after, mut examined) = (Groups::default(), None, 0);
        loop {
            let page = shared.session.get(shared.session.master.jobs(JobState::Failed, after.as_deref(), PAGE)).await?;
            examined += page.jobs.len();
            page.jobs.iter().for_each(|job| groups.note(job));
            after = page.next;
            if after.is_none() || examined >= SCANNED {
                break;
            }
        }
        let groups: Vec<_> = groups.sorted().iter().map(Group::to_json).collect();
        Ok(json!({ "groups": groups, "examined": examined, "more": after.is_some() }))
    };
    shared.cache.get(uri.path().to_owned(), read).await.map(Json)
}

#[derive(Deserialize)]
pub(super) struct After {
    after: Option<String>,
}

pub(super) async fn schedules(State(shared): State<Arc<Shared>>, uri: Uri, Query(page): Query<After>) -> Answer {
    let read = async {
        let page = shared.session.get(shared.session.master.schedules(page.after.as_deref(), SHOWN as u32)).await?;
        Ok(json!({ "schedules": page.schedules.iter().map(schedule_json).collect::<Vec<_>>(), "next": page.next }))
    };
    shared.cache.get(uri.to_string(), read).await.map(Json)
}

pub(super) async fn limits(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let read = async {
        let queues = shared.session.get(shared.session.master.queues()).await?;
        Ok(json!({ "limits": queues.limits }))
    };
    shared.cache.get(uri.path().to_owned(), read).await.map(Json)
}

/// The server, also one that libswarm does not use.
pub(super) async fn redis(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let read = async { Ok(server_json(&shared.cluster.server().await?)) };
    shared.cache.get(uri.path().to_owned(), read).await.map(Json)
}

fn server_json(server: &ServerInfo) -> Value {
    json!({
        "address": server.address, "name": server.name, "version": server.version, "mode": server.mode, "role": server.role,
        "used_memory": server.used_memory, "max_memory": server.max_memory, "eviction_policy": server.eviction_policy,
        "append_only": server.append_only, "append_fsync": server.append_fsync, "snapshots": server.snapshots,
        "save_failed": server.save_failed, "clients": server.clients, "max_clients": server.max_clients,
        "round_trip_us": server.round_trip.as_micros() as u64, "clock_ahead_ms": server.clock_ahead_ms, "denied": server.denied,
        "warnings": server.warnings, "refusal": server.refusal.as_ref().map(|error| Refused::from(error.clone()).message().to_owned()),
    })
}
