//! `swarm metrics`: what Prometheus reads, once or as a server.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, http};
use tokio::net::TcpListener;

use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::Output;
use crate::signals::Stop;

/// The format's name and version.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Serve them at /metrics of this address until the program is stopped. They contain names of tasks, and no ids or payloads.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

pub(crate) async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let session = Session::open(global)?;
    let done = match args.listen {
        Some(address) => serve(address, session, output).await,
        None => {
            let text = session.get(session.master.metrics()).await;
            session.close().await;
            output.line(text?.trim_end())
        }
    };
    done.map(|()| Exit::Ok)
}

async fn serve(address: SocketAddr, session: Session, output: &Output) -> Result<(), Trouble> {
    let mut stop = Stop::new()?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Trouble::no(format!("metrics cannot be served at {address}: {error}; choose another address with --listen"))
    })?;
    output.line(format!("http://{}/metrics", listener.local_addr().unwrap_or(address)))?;
    let session = Arc::new(session);
    let app = Router::new().route("/metrics", get(scraped)).with_state(session.clone());
    let served = tokio::select! {
        served = axum::serve(listener, app) => served.map_err(|error| Trouble::no(format!("metrics cannot be served: {error}"))),
        () = stop.requested() => Ok(()),
    };
    session.leave().await;
    served
}

/// The metrics; 503 with the reason while Redis is away, so that the scrape fails and `up` is 0.
async fn scraped(State(session): State<Arc<Session>>) -> Response {
    match session.get(session.master.metrics()).await {
        Ok(text) => ([(CONTENT_TYPE, http::HeaderValue::from_static(FORMAT))], text).into_response(),
        Err(trouble) => (StatusCode::SERVICE_UNAVAILABLE, trouble.message).into_response(),
    }
}
