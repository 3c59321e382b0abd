//! The overview: one look at the cluster in a while, for all viewers together; none while nobody watches.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::stream::{self, Stream, StreamExt};
use libswarm::{Snapshot, Stats};
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::MissedTickBehavior;

use super::Shared;
use super::trouble::Refused;

/// The time between two looks.
const EVERY: Duration = Duration::from_millis(1500);
/// The looks whose figures a new viewer gets: ten minutes.
const KEPT: usize = 400;

/// What the looks have found.
pub(super) struct Overview {
    latest: watch::Sender<Arc<Value>>,
    points: Mutex<VecDeque<Value>>,
    /// Somebody watches.
    watched: Notify,
}

impl Default for Overview {
    fn default() -> Overview {
        Overview { latest: watch::Sender::new(Arc::new(Value::Null)), points: Mutex::default(), watched: Notify::new() }
    }
}

/// Looks at the cluster as long as somebody watches.
pub(super) async fn keep(shared: Arc<Shared>) {
    let overview = &shared.overview;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        while overview.latest.receiver_count() == 0 {
            before = None;
            overview.watched.notified().await;
        }
        ticks.tick().await;
        let found = shared.session.try_get(shared.session.master.snapshot()).await.map_err(Refused::from);
        let look = match found {
            Ok(snapshot) => {
                let look = shown(&shared, &snapshot, before);
                before = Some((now(), snapshot.stats));
                let mut points = overview.points.lock().await;
                points.push_back(look["point"].clone());
                let extra = points.len().saturating_sub(KEPT);
                points.drain(..extra);
                look
            }
            Err(refused) => {
                before = None;
                json!({ "error": refused.to_json(), "at": now(), "address": shared.session.address, "cluster": shared.session.cluster })
            }
        };
        overview.latest.send_replace(Arc::new(look));
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

fn shown(shared: &Shared, snapshot: &Snapshot, before: Option<(u64, Stats)>) -> Value {
    let at = now();
    let rate = |count: fn(&Stats) -> u64| {
        before.as_ref().map(|(time, stats)| {
            let more = count(&snapshot.stats).saturating_sub(count(stats));
            more as f64 * 1000.0 / at.saturating_sub(*time).max(1) as f64
        })
    };
    let stats = &snapshot.stats;
    json!({
        "at": at,
        "address": shared.session.address,
        "cluster": shared.session.cluster,
        "write": shared.rules.write,
        "payloads": shared.rules.payloads,
        "snapshot": snapshot,
        "point": {
            "at": at,
            "added": rate(|stats| stats.added), "completed": rate(|stats| stats.completed), "failed": rate(|stats| stats.failures),
            "waiting": stats.waiting, "active": stats.active, "delayed": stats.delayed, "blocked": stats.blocked,
        },
    })
}

/// Sends the figures of the last minutes, and then every look.
pub(super) async fn stream(State(shared): State<Arc<Shared>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let receiver = shared.overview.latest.subscribe();
    shared.overview.watched.notify_one();
    let points: Vec<Value> = shared.overview.points.lock().await.iter().cloned().collect();
    let first = stream::once(async move { event("history", &json!(points)) });
    let looks = stream::unfold(receiver, |mut receiver| async move {
        receiver.changed().await.ok()?;
        let look = receiver.borrow_and_update().clone();
        Some((event("overview", &look), receiver))
    });
    Sse::new(first.chain(looks).map(Ok)).keep_alive(KeepAlive::default())
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}
