//! Opens a connection to the configured address, and checks the server.

use libswarm_common::lock::Mutex;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, Value, ValueCodec};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_util::codec::Decoder;

use super::failure::{Failed, Stage};
use super::tls;
use crate::config::address::{Address, HostPort};
use crate::config::credentials::{Credentials, CredentialsSource, State};
use crate::config::options::{Eviction, Options};
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::{Language, option};

/// The oldest server version that supports the commands and script rules of the scripts.
const OLDEST: (u32, u32) = (6, 2);
/// The limit of bytes of the replies while connecting; CLUSTER SLOTS of a thousand nodes has less than a tenth.
const MAX_GREETING: usize = 8 * 1024 * 1024;

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

/// The properties of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Server {
    /// Redis 7: scripts may have flags.
    pub(crate) script_flags: bool,
    /// Problems of the server that its operator should know, although it can be used.
    pub(crate) warnings: Vec<String>,
}

/// The warnings about a server that were logged, so that each is logged once and not at every connection.
#[derive(Default)]
pub(crate) struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    pub(crate) fn report(&self, warnings: &[String]) {
        self.unseen(warnings).iter().for_each(|warning| tracing::warn!("{warning}"));
    }

    /// Warnings that the previous check did not have.
    fn unseen(&self, warnings: &[String]) -> Vec<String> {
        let mut last = self.0.lock();
        let before = std::mem::replace(&mut *last, warnings.to_vec());
        warnings.iter().filter(|warning| !before.contains(warning)).cloned().collect()
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

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn dial(options: &Options, (host, port): &HostPort) -> Result<Box<dyn Stream>, Failed> {
    let addresses = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(|e| unreachable(options, e))?;
    let attempts: Vec<_> = addresses.map(|address| Box::pin(TcpStream::connect(address))).collect();
    if attempts.is_empty() {
        return Err(unreachable(options, io::Error::other(format!("the name {host} has no address"))));
    }
    // Tries all addresses at once: the first may belong to a host that does not respond.
    let (stream, _) = futures_util::future::select_ok(attempts).await.map_err(|e| unreachable(options, e))?;
    stream.set_nodelay(true).map_err(|e| unreachable(options, e))?;
    let Some(own) = &options.tls else { return Ok(Box::new(stream)) };
    let config = tls::config(own).map_err(Failed::unsent)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        let message = format!("TLS needs a host name or an address, and `{host}` is neither");
        Failed::unsent(Error::new(ErrorKind::Tls, message))
    })?;
    match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(e) => Err(match tls::failure(&e, &options.address.to_string()) {
            Some(error) => Failed::unsent(error),
            None => {
                let address = &options.address;
                let message = format!(
                    "connecting to Redis at {address}: it closed the connection during the TLS handshake ({e}): it may not support TLS on this port, or may have reached its limit of clients"
                );
                Failed::unsent(Error::new(ErrorKind::Unavailable, message))
            }
        }),
    }
}

fn unreachable(options: &Options, error: io::Error) -> Failed {
    Failed::redis(options, Stage::Connecting, "connecting", &RedisError::from(error))
}

/// The credentials and the database.
#[derive(Clone, Copy, Default)]
struct Login<'a> {
    username: Option<&'a str>,
    password: Option<&'a str>,
    db: i64,
}

impl<'a> Login<'a> {
    fn of(options: &'a Options) -> Self {
        Login { username: options.username.as_deref(), password: options.password.as_deref(), db: 0 }
    }

    fn of_credentials(credentials: &'a Credentials) -> Self {
        Login { username: credentials.username.as_deref(), password: Some(&credentials.password), db: 0 }
    }

    /// The command that authenticates, if there is a password.
    fn auth(&self) -> Option<Cmd> {
        let mut auth = Cmd::new();
        auth.arg("AUTH").arg(self.username).arg(self.password?);
        Some(auth)
    }
}

fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

/// Sends the authentication, SELECT and one command together, and returns the reply to the last. This is not done by the multiplexed connection: a
/// server that rejects clients sends an error before the first command, which that connection would not attribute to any command.
async fn greet(
    options: &Options,
    stream: &mut Box<dyn Stream>,
    login: &Login<'_>,
    ask: Option<Cmd>,
    stage: Stage,
    doing: &str,
) -> Result<Value, Failed> {
    let mut commands = Vec::with_capacity(3);
    commands.extend(login.auth());
    if login.db != 0 {
        commands.push(words(&["SELECT", &login.db.to_string()]));
    }
    commands.extend(ask);
    let packed: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
    let failed = |e: &RedisError| Failed::redis(options, stage, doing, e);
    // A failed write is not an error yet: the server may have sent the reason before it closed the connection.
    let written = async {
        stream.write_all(&packed).await?;
        stream.flush().await
    };
    let written: io::Result<()> = written.await;
    let (mut codec, mut bytes) = (ValueCodec::default(), BytesMut::with_capacity(8 * 1024));
    let mut answer = Value::Nil;
    for _ in &commands {
        answer = loop {
            if let Some(failed) = spoken(options, &bytes) {
                return Err(failed);
            }
            if let Some(value) = codec.decode(&mut bytes).map_err(|e| failed(&e))? {
                break value.extract_error().map_err(|e| failed(&e))?;
            }
            match stream.read_buf(&mut bytes).await {
                Ok(1..) if bytes.len() <= MAX_GREETING => {}
                Ok(1..) => {
                    let message =
                        format!("connecting to Redis at {}: it answers with more than {MAX_GREETING} bytes", options.address);
                    return Err(Failed::unsent(Error::new(ErrorKind::WrongServer, message)));
                }
                Ok(0) => return Err(written.map_or_else(|e| unreachable(options, e), |()| hung_up(options))),
                Err(e) => {
                    return Err(match tls::failure(&e, &options.address.to_string()) {
                        Some(error) => Failed::unsent(error),
                        None => hung_up(options),
                    });
                }
            }
        };
    }
    Ok(answer)
}

/// Detects by the first bytes that the peer is not a plain Redis server.
fn spoken(options: &Options, bytes: &[u8]) -> Option<Failed> {
    let address = &options.address;
    let (kind, what) = match bytes {
        // An alert of TLS.
        [0x15, 0x03, ..] => (ErrorKind::Tls, Language::current().text("it expects TLS: set {tls}, or use a rediss:// url")),
        [b'H', b'T', b'T', b'P', ..] => {
            (ErrorKind::WrongServer, Language::current().text("it is an HTTP server and not Redis: check {host} and {port}"))
        }
        _ => return None,
    };
    Some(Failed::unsent(Error::new(kind, format!("connecting to Redis at {address}: {what}"))))
}

/// The error if the server closed the connection without a reply.
fn hung_up(options: &Options) -> Failed {
    let hint = match options.tls {
        Some(_) => "see its log",
        None => "see its log; if it accepts only TLS, set {tls}, or use a rediss:// url",
    };
    let message = format!(
        "connecting to Redis at {}: it closed the connection without an answer; {}",
        options.address,
        Language::current().text(hint)
    );
    Failed::unsent(Error::new(ErrorKind::Unavailable, message))
}

/// Checks the reply to INFO. Returns the properties of the server, or why it cannot be used.
fn check(options: &Options, info: Value) -> Result<Server, Error> {
    let address = &options.address;
    let info: String = redis::from_redis_value(info).map_err(|_| {
        let message = format!("the server at {address} does not answer INFO with text; is it Redis?");
        Error::new(ErrorKind::WrongServer, message)
    })?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let refuse = |kind, message: String| Err(Error::new(kind, message));
    let name = Language::current();
    if field("redis_mode") == Some("sentinel") {
        let what = name.text("set it as {sentinels} with {sentinel_master}, or use a redis+sentinel:// url");
        return refuse(ErrorKind::WrongServer, format!("{address} is a Sentinel; {what}"));
    }
    let version = field("redis_version").unwrap_or("");
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version_pair = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version_pair < OLDEST {
        return refuse(
            ErrorKind::UnsupportedVersion,
            format!("the server at {address} is version `{version}`; Redis 6.2 or newer, or Valkey, is needed"),
        );
    }
    if field("redis_mode") == Some("cluster") && !matches!(address, Address::Cluster(_)) {
        let what = name.text("set it as {nodes}, or use a redis+cluster:// url");
        return refuse(ErrorKind::WrongServer, format!("{address} is a node of a Redis Cluster; {what}"));
    }
    if field("role") == Some("slave") {
        return refuse(
            ErrorKind::ReadOnlyReplica,
            format!("{address} is a read-only replica; use the master's address, or Sentinel"),
        );
    }
    let mut server = Server { script_flags: version_pair.0 >= 7, warnings: Vec::new() };
    if options.tls.as_ref().is_some_and(|tls| !tls.verify) {
        server.warnings.push(format!(
            "{} is false: anyone between this program and {address} can read and change everything, including the password",
            option("tls_verify")
        ));
    }
    match evicts(field("maxmemory_policy"), field("maxmemory")) {
        Evicts::Nothing => {}
        Evicts::NothingNow(why) => {
            let policy = field("maxmemory_policy").unwrap_or("");
            server.warnings.push(format!(
                "the server at {address} has maxmemory-policy {policy}: {why}; set noeviction to make this explicit"
            ));
        }
        Evicts::Jobs => {
            let policy = field("maxmemory_policy").unwrap_or("");
            let message = format!(
                "the server at {address} evicts keys when it is full (maxmemory-policy {policy}), so jobs could vanish; set maxmemory-policy noeviction, or the option {} to `warn`",
                option("eviction")
            );
            match options.eviction {
                Eviction::Refuse => return refuse(ErrorKind::EvictionPolicy, message),
                Eviction::Warn => server.warnings.push(message),
            }
        }
    }
    Ok(server)
}

/// Whether jobs can be evicted.
#[derive(Debug, PartialEq)]
enum Evicts {
    Nothing,
    /// Not with the current settings; the text is the reason.
    NothingNow(&'static str),
    Jobs,
}

fn evicts(policy: Option<&str>, maxmemory: Option<&str>) -> Evicts {
    match policy {
        None | Some("noeviction") => Evicts::Nothing,
        Some(policy) if policy.starts_with("volatile-") => Evicts::NothingNow(
            "it evicts only keys with a time to live, and those of jobs have none, so a full server refuses new jobs as with noeviction",
        ),
        Some(_) if maxmemory == Some("0") => Evicts::NothingNow("it would evict jobs if `maxmemory` were set"),
        Some(_) => Evicts::Jobs,
    }
}
/// The address of the master, from the first Sentinel that knows it.
async fn ask_sentinels(options: &Options, sentinels: &[HostPort], master: &str, deadline: Instant) -> Result<HostPort, Failed> {
    let login = Login { username: options.sentinel_username.as_deref(), password: options.sentinel_password.as_deref(), db: 0 };
    let question = || words(&["SENTINEL", "get-master-addr-by-name", master]);
    ask_each(options, sentinels, &login, question, (Stage::AskingSentinel, "asking a Sentinel"), deadline, |sentinel, reply| {
        match redis::from_redis_value::<Option<(String, u16)>>(reply) {
            Ok(Some(address)) => Ok(address),
            _ => {
                let (host, port) = sentinel;
                let message =
                    format!("the Sentinel {host}:{port} knows no master `{master}`; check {}", option("sentinel_master"));
                Err(Error::new(ErrorKind::WrongServer, message))
            }
        }
    })
    .await
}

/// The node that owns the slot, from the first node that answers.
async fn ask_cluster(
    options: &Options,
    nodes: &[HostPort],
    login: &Login<'_>,
    slot: u16,
    deadline: Instant,
) -> Result<HostPort, Failed> {
    let question = || words(&["CLUSTER", "SLOTS"]);
    let stage = (Stage::Connecting, "asking for the slots");
    ask_each(options, nodes, login, question, stage, deadline, |node, reply| match owner(&reply, slot) {
        Some((host, port)) => Ok((if host.is_empty() { node.0.clone() } else { host }, port)),
        None => {
            let message = format!("no node of {} serves hash slot {slot} now", options.address);
            Err(Error::new(ErrorKind::Unavailable, message))
        }
    })
    .await
}

/// Sends the query to one peer after the other until one answers it. Each has a share of the time, so that a silent peer does not use up that of
/// the others; another share is left for the connection to the server that the answer names.
async fn ask_each(
    options: &Options,
    peers: &[HostPort],
    login: &Login<'_>,
    question: impl Fn() -> Cmd,
    (stage, doing): (Stage, &str),
    deadline: Instant,
    read: impl Fn(&HostPort, Value) -> Result<HostPort, Error>,
) -> Result<HostPort, Failed> {
    let mut last = None;
    for (index, peer) in peers.iter().enumerate() {
        let share = deadline.saturating_duration_since(Instant::now()) / (peers.len() - index + 1) as u32;
        let asked = async {
            let mut stream = dial(options, peer).await?;
            greet(options, &mut stream, login, Some(question()), stage, doing).await
        };
        last = Some(match tokio::time::timeout(share, asked).await {
            Ok(Ok(reply)) => match read(peer, reply) {
                Ok(found) => return Ok(found),
                Err(error) => Failed::unsent(error),
            },
            Ok(Err(failed)) => failed,
            Err(_) => {
                let message =
                    format!("{doing}: {}:{} did not answer within {}", peer.0, peer.1, Language::current().duration(share));
                Failed::unsent(Error::new(ErrorKind::Unavailable, message))
            }
        });
    }
    Err(last.unwrap_or_else(|| Failed::unsent(Error::new(ErrorKind::InvalidArgument, "there is no address to query"))))
}

/// The master of the slot in a reply of CLUSTER SLOTS (`[[first, last, [host, port, …], …], …]`).
fn owner(reply: &Value, slot: u16) -> Option<HostPort> {
    let Value::Array(ranges) = reply else { return None };
    ranges.iter().find_map(|range| {
        let Value::Array(range) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = range.as_slice() else { return None };
        if !(*first..=*last).contains(&i64::from(slot)) {
            return None;
        }
        let [host, Value::Int(port), ..] = master.as_slice() else { return None };
        let host = match host {
            Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
            Value::SimpleString(host) => host.clone(),
            _ => String::new(),
        };
        Some((host, u16::try_from(*port).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(info: &str, settings: &[(&str, &str)]) -> Result<Server, Error> {
        let mut options = Options::new("mail");
        settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
        check(&options, Value::BulkString(format!("redis_version:7.4.0\r\nrole:master\r\n{info}").into_bytes()))
    }

    #[test]
    fn only_what_can_lose_jobs_is_refused() {
        for (info, warnings) in [
            ("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", 0),
            ("maxmemory:9\r\nmaxmemory_policy:noeviction\r\n", 0),
            ("", 0),
            ("maxmemory:9\r\nmaxmemory_policy:volatile-ttl\r\n", 1),
            ("maxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n", 1),
        ] {
            assert_eq!(checked(info, &[]).unwrap().warnings.len(), warnings, "{info}");
        }
        // The last is that of Dragonfly as a cache.
        for info in [
            "maxmemory:9\r\nmaxmemory_policy:allkeys-lfu\r\n",
            "maxmemory_policy:allkeys-random\r\n",
            "maxmemory:9\r\nmaxmemory_policy:eviction\r\n",
        ] {
            assert_eq!(checked(info, &[]).unwrap_err().kind(), ErrorKind::EvictionPolicy, "{info}");
            assert_eq!(checked(info, &[("eviction", "warn")]).unwrap().warnings.len(), 1, "{info}");
        }
        let unverified = checked("", &[("tls_verify", "false")]).unwrap();
        assert!(unverified.warnings[0].starts_with("tls_verify is false"), "{unverified:?}");
    }

    #[test]
    fn a_warning_is_given_once_until_it_changes() {
        let warnings = Warnings::default();
        let [first, second] = ["first", "second"].map(|text| vec![text.to_owned()]);
        assert_eq!(warnings.unseen(&first), ["first"]);
        assert!(warnings.unseen(&first).is_empty());
        assert_eq!(warnings.unseen(&second), ["second"]);
        assert_eq!(warnings.unseen(&first), ["first"]);
    }
}
