//! What viewers open: jobs, one job, failed jobs, schedules, limits, the server. No page reads more than `SCANNED` jobs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use libswarm::{ErrorKind, JobInfo, JobState, ServerInfo};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::trouble::Refused;
use crate::commands::failed::{error_of, fingerprint};
use crate::output::json::{job as job_json, schedule as schedule_json};

/// Jobs that one call reads, those that a page shows, and those that are looked through for it.
const CALL: u32 = 500;
const SHOWN: usize = 50;
const SCANNED: usize = 1000;

type Answer = Result<Json<Value>, Refused>;

/// What a list of jobs shows.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    state: String,
    task: Option<String>,
    group: Option<String>,
    resource: Option<String>,
    /// A part of the id.
    id: Option<String>,
    /// `name` or `name=value`.
    header: Option<String>,
    /// The beginning of an incarnation.
    worker: Option<String>,
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

    fn matches(&self, job: &JobInfo) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let header = self.header.as_ref().is_none_or(|wanted| {
            let (name, value) = wanted.split_once('=').map_or((&**wanted, None), |(name, value)| (name, Some(value)));
            job.headers.get(name).is_some_and(|found| value.is_none_or(|value| found == value))
        });
        header
            && is(&self.task, &job.task)
            && is(&self.group, &job.group)
            && is(&self.resource, &job.resource)
            && self.id.as_ref().is_none_or(|part| job.id.contains(&**part))
            && self.worker.as_ref().is_none_or(|start| job.holder.as_deref().unwrap_or_default().starts_with(&**start))
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
            found.extend(page.jobs.into_iter().filter(|job| wanted.matches(job)).map(|job| job_json(job, false)));
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
            json!({ "payload": redaction.of_payload(&job.payload), "result": job.result.as_ref().map(|result| redaction.of_payload(result)) })
        });
        let mut shown = job_json(job, false);
        for name in ["progress", "checkpoint"] {
            if let Some(value) = shown.get_mut(name) {
                *value = if shared.rules.payloads { shared.rules.redaction.of(value.take()) } else { Value::Null };
            }
        }
        let flow = shared.session.get(master.flow(&wanted.id)).await.ok().flatten();
        let flow =
            flow.filter(|flow| flow.jobs.len() <= SCANNED).and_then(|flow| serde_json::from_str::<Value>(&flow.to_json()).ok());
        Ok(json!({ "job": shown, "content": content, "flow": flow }))
    };
    shared.cache.get(uri.to_string(), read).await.map(Json)
}

#[derive(Default)]
struct Group {
    count: u64,
    tasks: Vec<String>,
    last_at: u64,
    /// The newest job and its error.
    example: String,
    error: String,
}

/// The newest failed jobs, grouped by error.
pub(super) async fn failed(State(shared): State<Arc<Shared>>, uri: Uri) -> Answer {
    let read = async {
        let (mut groups, mut after, mut examined) = (BTreeMap::<(String, String), Group>::new(), None, 0);
        loop {
            let page = shared.session.get(shared.session.master.jobs(JobState::Failed, after.as_deref(), CALL)).await?;
            examined += page.jobs.len();
            page.jobs.iter().for_each(|job| note(&mut groups, job));
            after = page.next;
            if after.is_none() || examined >= SCANNED {
                break;
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse((group.count, group.last_at)));
        let groups = groups.into_iter().map(|((reason, fingerprint), group)| {
            json!({
                "reason": reason, "fingerprint": fingerprint, "error": group.error, "count": group.count, "tasks": group.tasks,
                "last_at": group.last_at, "example": group.example,
            })
        });
        Ok(json!({ "groups": groups.collect::<Vec<_>>(), "examined": examined, "more": after.is_some() }))
    };
    shared.cache.get(uri.path().to_owned(), read).await.map(Json)
}

fn note(groups: &mut BTreeMap<(String, String), Group>, job: &JobInfo) {
    let (reason, error) = error_of(job);
    let group = groups.entry((reason, fingerprint(&error))).or_default();
    group.count += 1;
    if !group.tasks.contains(&job.task) && group.tasks.len() < 10 {
        group.tasks.push(job.task.clone());
    }
    if group.example.is_empty() {
        group.example.clone_from(&job.id);
        group.error = error;
        group.last_at = job.failure.as_ref().and_then(|failure| failure.at).map_or(0, ms);
    }
}

fn ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
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
