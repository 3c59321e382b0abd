//! Opens a connection to the configured address, and checks the server.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, Value};
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::discovery::{ask_cluster, ask_sentinels};
use super::failure::{Failed, Stage};
use super::greeting::{Login, dial, greet, unreachable, words};
use super::server::{Server, check};
use crate::config::address::Address;
use crate::config::credentials::{CredentialsSource, State};
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::Language;

/// A connection. Its task ends when the last clone is dropped, even while replies are pending.
#[derive(Clone)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    driver: Arc<Driver>,
    /// The number of the credentials that it has used last; 0 if they do not change.
    login: u64,
}

struct Driver {
    task: JoinHandle<()>,
    /// Closed when the task has ended.
    running: watch::Receiver<()>,
}

impl Driver {
    fn start(work: impl Future<Output = ()> + Send + 'static) -> Arc<Driver> {
        let (end, running) = watch::channel(());
        let task = tokio::spawn(async move {
            let _end = end;
            work.await;
        });
        Arc::new(Driver { task, running })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Connection {
    /// Whether the server has closed the connection: commands would be lost.
    pub(crate) fn is_closed(&self) -> bool {
        self.driver.task.is_finished()
    }

    /// Authenticates again if the credentials have changed, or with `anew` if they were rejected. If that fails, the connection keeps those before; the
    /// source of the credentials reports it.
    pub(crate) async fn log_in_again(&mut self, options: &Options, anew: bool) {
        let is_due = |source: &&CredentialsSource| source.number() != self.login || anew && source.is_rejected();
        let Some(source) = options.credentials.as_ref().filter(is_due) else { return };
        let state = source.now();
        let auth = Login::of_credentials(&state.credentials).auth();
        let Some(auth) = auth else { return };
        match tokio::time::timeout(options.timeout, self.inner.send_packed_command(&auth)).await {
            Ok(answer) => match answer.and_then(Value::extract_error) {
                Ok(_) => source.accepted(),
                Err(error) => {
                    let failed = Failed::redis(options, Stage::Connecting, "authenticating again", &error);
                    source.report(failed.error);
                }
            },
            // The next call notices that the connection is silent.
            Err(_) => return,
        }
        self.login = state.number;
    }

    /// Resolves when the connection has ended, even if it is not used. Does not keep it open.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut running = self.driver.running.clone();
        async move { while running.changed().await.is_ok() {} }
    }
}

impl Deref for Connection {
    type Target = MultiplexedConnection;

    fn deref(&self) -> &MultiplexedConnection {
        &self.inner
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut MultiplexedConnection {
        &mut self.inner
    }
}

/// Connects to the server that owns hash slot `slot`, within `limit`.
pub(crate) async fn connect(options: &Options, slot: u16, limit: Duration) -> Result<Connection, Failed> {
    // Sends a command at any rate: the reply shows why a server that rejects clients closes the connection.
    let ask =
        (options.password.is_none() && options.credentials.is_none() && options.db == 0).then(|| words(&["INFO", "server"]));
    within(options, limit, async { Ok(greeted(options, slot, limit, ask).await?.0) }).await
}

/// As [`connect`], but rejects a server that cannot fulfil the guarantees: too old, a replica, or one that may evict jobs.
pub(crate) async fn connect_checked(options: &Options, slot: u16, limit: Duration) -> Result<(Connection, Server), Failed> {
    within(options, limit, async {
        let (connection, info) = greeted(options, slot, limit, Some(words(&["INFO"]))).await?;
        let server = check(options, info).map_err(Failed::unsent)?;
        Ok((connection, server))
    })
    .await
}

/// As [`connect`], and returns the reply to INFO, and whether the server can be used.
pub(super) async fn connect_unchecked(
    options: &Options,
    slot: u16,
    limit: Duration,
) -> Result<(Connection, String, Result<Server, Error>), Failed> {
    within(options, limit, async {
        let (connection, info) = greeted(options, slot, limit, Some(words(&["INFO"]))).await?;
        let checked = check(options, info.clone());
        Ok((connection, redis::from_redis_value(info).unwrap_or_default(), checked))
    })
    .await
}

async fn within<T>(options: &Options, limit: Duration, attempt: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    match tokio::time::timeout(limit, attempt).await {
        Ok(done) => done,
        Err(_) => Err(Failed::unsent(too_slow(options, limit))),
    }
}

/// The error if no connection was possible within `limit`.
pub(crate) fn too_slow(options: &Options, limit: Duration) -> Error {
    let what = Language::current().text(match options.tls {
        Some(_) => "check {host} and {port}, and that the server speaks TLS there",
        None => "check {host} and {port}",
    });
    let message = format!("connecting to Redis at {} took over {}; {what}", options.address, Language::current().duration(limit));
    Error::new(ErrorKind::Unavailable, message)
}

/// Opens a connection, authenticates, and sends a first command. Returns its reply, too.
async fn greeted(options: &Options, slot: u16, limit: Duration, ask: Option<Cmd>) -> Result<(Connection, Value), Failed> {
    let deadline = Instant::now() + limit;
    let state = credentials(options).await?;
    let login = state.as_ref().map_or_else(|| Login::of(options), |state| Login::of_credentials(&state.credentials));
    let mut stream = match &options.address {
        Address::Tcp(pair) => dial(options, pair).await?,
        Address::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(|e| unreachable(options, e))?),
        Address::Sentinel { sentinels, master } => {
            dial(options, &ask_sentinels(options, sentinels, master, deadline).await?).await?
        }
        Address::Cluster(nodes) => dial(options, &ask_cluster(options, nodes, &login, slot, deadline).await?).await?,
    };
    let login = Login { db: options.db, ..login };
    let answer = greet(options, &mut stream, &login, ask, Stage::Connecting, "connecting").await?;
    // Without time limits: callers have their own, which differ between calls and blocking reads. Authentication is done already.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
    let (inner, driver) = MultiplexedConnection::new_with_config(&nobody, stream, config)
        .await
        .map_err(|e| Failed::redis(options, Stage::Connecting, "connecting", &e))?;
    let login = state.map_or(0, |state| state.number);
    Ok((Connection { inner, driver: Driver::start(driver), login }, answer))
}

/// The credentials that may change, as they are now.
async fn credentials(options: &Options) -> Result<Option<State>, Failed> {
    match &options.credentials {
        Some(source) => source.ask().await.map(Some).map_err(Failed::unsent),
        None => Ok(None),
    }
}
