//! Waits and runs: the last hour by minutes, and the last minutes by task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use libswarm::{Histogram, Resolution, TaskCounts};
use serde_json::{Value, json};

use super::Shared;
use super::trouble::Refused;
use crate::recent;

const HOUR: Duration = Duration::from_secs(3600);
/// How long an answer is kept: the figures of a minute change slowly, and an answer costs several calls.
const FRESH: Duration = Duration::from_secs(15);

pub(super) async fn minutes(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<Value>, Refused> {
    let read = async {
        // Redis' clock may be ahead of the one of this machine.
        let (start, end) = (SystemTime::now() - HOUR, SystemTime::now() + HOUR);
        let rows = shared.session.get(shared.session.master.metrics_history(Resolution::Minute, start, end, None)).await?;
        let mut minutes: BTreeMap<SystemTime, TaskCounts> = BTreeMap::new();
        for row in rows {
            minutes.entry(row.start).or_default().add(&row.counts);
        }
        Ok(json!({ "minutes": minutes.into_iter().map(|(start, counts)| shown(start, &counts)).collect::<Vec<_>>() }))
    };
    shared.cache.get_for(FRESH, uri.path().to_owned(), read).await.map(Json)
}

pub(super) async fn recently(State(shared): State<Arc<Shared>>, uri: Uri) -> Result<Json<Value>, Refused> {
    let read = async { Ok(json!({ "tasks": recent::read(&shared.session).await? })) };
    shared.cache.get_for(FRESH, uri.path().to_owned(), read).await.map(Json)
}

fn shown(start: SystemTime, counts: &TaskCounts) -> Value {
    let at = start.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let ms = |histogram: &Histogram, rank| histogram.percentile(rank).map(|time| time.as_secs_f64() * 1000.0);
    json!({
        "at": at, "completed": counts.completed, "failed": counts.failed, "retried": counts.retried,
        "wait50": ms(&counts.wait, 0.5), "wait95": ms(&counts.wait, 0.95), "wait99": ms(&counts.wait, 0.99),
        "run50": ms(&counts.run, 0.5), "run95": ms(&counts.run, 0.95), "run99": ms(&counts.run, 0.99),
    })
}
