//! The server of `swarm dashboard`.
//!
//! One snapshot of the cluster serves all viewers (`overview.rs`). Pages that list more are read when a viewer opens them, and kept for a second
//! (`cache.rs`). Only `actions.rs` changes anything.

mod access;
mod actions;
mod assets;
mod audit;
mod cache;
mod history;
mod overview;
mod pages;
mod redaction;
mod trouble;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Router, middleware};
use libswarm::Cluster;
use tokio::net::TcpListener;

use crate::connection::Session;
use crate::exit::Trouble;
use crate::signals::Stop;
pub(crate) use access::Access;
pub(crate) use redaction::Redaction;

/// What the viewers may see and do.
pub(crate) struct Rules {
    pub(crate) access: Access,
    /// Viewers may change the cluster.
    pub(crate) write: bool,
    /// Viewers may see payloads and results.
    pub(crate) payloads: bool,
    pub(crate) redaction: Redaction,
}

/// What all requests use.
pub(crate) struct Shared {
    session: Session,
    cluster: Cluster,
    rules: Rules,
    overview: overview::Overview,
    cache: cache::Cache,
}

/// Serves until the user stops it.
pub(crate) async fn serve(
    listener: TcpListener,
    session: Session,
    cluster: Cluster,
    rules: Rules,
    stop: &mut Stop,
) -> Result<(), Trouble> {
    let shared =
        Arc::new(Shared { session, cluster, rules, overview: overview::Overview::default(), cache: cache::Cache::default() });
    let app = routes(shared.clone()).into_make_service_with_connect_info::<SocketAddr>();
    let watching = tokio::spawn(overview::keep(shared.clone()));
    let served = tokio::select! {
        served = axum::serve(listener, app) => served.map_err(|error| Trouble::no(format!("the dashboard cannot be served: {error}"))),
        () = stop.requested() => Ok(()),
    };
    watching.abort();
    shared.session.leave().await;
    served
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(assets::page))
        .route("/assets/{*path}", get(assets::file))
        .route("/api/overview", get(overview::stream))
        .route("/api/history", get(history::minutes))
        .route("/api/recent", get(history::recently))
        .route("/api/jobs", get(pages::jobs))
        .route("/api/job", get(pages::job))
        .route("/api/failed", get(pages::failed))
        .route("/api/schedules", get(pages::schedules))
        .route("/api/limits", get(pages::limits))
        .route("/api/redis", get(pages::redis))
        .route("/api/action", post(actions::act))
        .layer(middleware::from_fn_with_state(shared.clone(), access::check))
        .with_state(shared)
}
