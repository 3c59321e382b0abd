//! From the configured address to one checked connection.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo,
    TlsCertificates, Value,
};

use super::failure::Failed;
use crate::address::{Address, HostPort};
use crate::error::{Error, ErrorKind, Result};
use crate::options::{Eviction, Options, Tls};

/// Oldest server whose commands and script rules the scripts rest on.
const OLDEST: (u32, u32) = (6, 2);

/// What the check of a server found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    /// Redis 7: scripts carry flags.
    pub(crate) script_flags: bool,
}

/// Connects to the server that holds hash slot `slot`, within `limit`.
pub(crate) async fn connect(options: &Options, slot: u16, limit: Duration) -> Result<MultiplexedConnection, Failed> {
    let attempt = async {
        let address = match &options.address {
            Address::Tcp(pair) => plain_or_tls(options, pair),
            Address::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Address::Sentinel { sentinels, master } => plain_or_tls(options, &ask_sentinels(options, sentinels, master).await?),
            Address::Cluster(nodes) => plain_or_tls(options, &ask_cluster(options, nodes, slot).await?),
        };
        open(options, address, login(options)).await
    };
    match tokio::time::timeout(limit, attempt).await {
        Ok(done) => done,
        Err(_) => {
            let message =
                format!("connecting to Redis at {} took over {} ms; check host and port", options.address, limit.as_millis());
            Err(Failed::unsent(Error::new(ErrorKind::Unavailable, message)))
        }
    }
}

/// Refuses a server that cannot keep the promises: too old, a replica, or one that evicts keys.
pub(crate) async fn check(options: &Options, connection: &mut MultiplexedConnection) -> Result<Server, Failed> {
    let info: Value =
        redis::cmd("INFO").query_async(connection).await.map_err(|e| Failed::redis(&options.address, "asking for INFO", &e))?;
    let info: String = redis::from_redis_value(info).map_err(|_| {
        Failed::unsent(Error::new(
            ErrorKind::WrongServer,
            format!("the server at {} answers INFO with something else than text; is it Redis?", options.address),
        ))
    })?;
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let refuse = |kind, message| Err(Failed::unsent(Error::new(kind, message)));
    let address = &options.address;
    if field("redis_mode") == Some("sentinel") {
        return refuse(
            ErrorKind::WrongServer,
            format!("{address} is a Sentinel; give it as `sentinels` with `sentinel_master`, or use a redis+sentinel:// url"),
        );
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
        return refuse(
            ErrorKind::WrongServer,
            format!("{address} is a node of a Redis Cluster; give it as `nodes`, or use a redis+cluster:// url"),
        );
    }
    if field("role") == Some("slave") {
        return refuse(
            ErrorKind::ReadOnlyReplica,
            format!("{address} is a read-only replica; give the master's address, or use Sentinel"),
        );
    }
    if let Some(policy) = field("maxmemory_policy")
        && policy != "noeviction"
    {
        let message = format!(
            "the server at {address} may evict keys (maxmemory-policy {policy}), so jobs could vanish; set maxmemory-policy noeviction, or the option eviction=warn"
        );
        match options.eviction {
            Eviction::Refuse => return refuse(ErrorKind::EvictionPolicy, message),
            Eviction::Warn => tracing::warn!("{message}"),
        }
    }
    Ok(Server { script_flags: version_pair.0 >= 7 })
}

async fn open(options: &Options, address: ConnectionAddr, login: RedisConnectionInfo) -> Result<MultiplexedConnection, Failed> {
    let failed = |e: &redis::RedisError| Failed { maybe_executed: false, ..Failed::redis(&options.address, "connecting", e) };
    let info: ConnectionInfo = address.into_connection_info().map_err(|e| failed(&e))?;
    let tcp = TcpSettings::default().set_nodelay(true);
    let info = info.set_redis_settings(login).set_tcp_settings(tcp);
    let client = match &options.tls {
        Some(tls) if !matches!(options.address, Address::Unix(_)) => {
            Client::build_with_tls(info, certificates(tls).map_err(Failed::unsent)?)
        }
        _ => Client::open(info),
    };
    // Time limits are the callers' own: they differ between calls and blocking reads.
    let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
    client.map_err(|e| failed(&e))?.get_multiplexed_async_connection_with_config(&config).await.map_err(|e| failed(&e))
}

fn login(options: &Options) -> RedisConnectionInfo {
    credentials(options.username.as_deref(), options.password.as_deref()).set_db(options.db)
}

fn credentials(username: Option<&str>, password: Option<&str>) -> RedisConnectionInfo {
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(username) = username {
        login = login.set_username(username);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    login
}

fn plain_or_tls(options: &Options, (host, port): &HostPort) -> ConnectionAddr {
    let (host, port) = (host.clone(), *port);
    match options.tls {
        Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        None => ConnectionAddr::Tcp(host, port),
    }
}

fn certificates(tls: &Tls) -> Result<TlsCertificates> {
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|e| Error::new(ErrorKind::Tls, format!("the file {} cannot be read: {e}", path.display())))
    };
    let client_tls = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig { client_cert: read(cert)?, client_key: read(key)? }),
        _ => None,
    };
    Ok(TlsCertificates { client_tls, root_cert: tls.ca.as_deref().map(read).transpose()? })
}

/// The address of the master, from the first Sentinel that knows it.
async fn ask_sentinels(options: &Options, sentinels: &[HostPort], master: &str) -> Result<HostPort, Failed> {
    let login = credentials(options.sentinel_username.as_deref(), options.sentinel_password.as_deref());
    let mut last = None;
    for sentinel in sentinels {
        let asked = async {
            let mut connection = open(options, plain_or_tls(options, sentinel), login.clone()).await?;
            let mut command = redis::cmd("SENTINEL");
            command.arg("get-master-addr-by-name").arg(master);
            command
                .query_async::<Option<(String, u16)>>(&mut connection)
                .await
                .map_err(|e| Failed::redis(&options.address, "asking a Sentinel", &e))
        };
        match asked.await {
            Ok(Some(address)) => return Ok(address),
            Ok(None) => {
                let message =
                    format!("the Sentinel {}:{} knows no master `{master}`; check sentinel_master", sentinel.0, sentinel.1);
                last = Some(Failed::unsent(Error::new(ErrorKind::WrongServer, message)));
            }
            Err(failed) => last = Some(failed),
        }
    }
    Err(last.unwrap_or_else(|| Failed::unsent(Error::new(ErrorKind::InvalidArgument, "no Sentinel is given"))))
}

/// The node that owns the slot, from the first node that answers.
async fn ask_cluster(options: &Options, nodes: &[HostPort], slot: u16) -> Result<HostPort, Failed> {
    let mut last = None;
    for node in nodes {
        let asked = async {
            let mut connection = open(options, plain_or_tls(options, node), login(options)).await?;
            let mut command = redis::cmd("CLUSTER");
            command.arg("SLOTS");
            command.query_async::<Value>(&mut connection).await.map_err(|e| {
                match e.to_string().contains("cluster support disabled") {
                    true => Failed::unsent(Error::new(
                        ErrorKind::WrongServer,
                        format!("{} is not a node of a Redis Cluster; give it as host and port", options.address),
                    )),
                    false => Failed::redis(&options.address, "asking for the slots", &e),
                }
            })
        };
        match asked.await {
            Ok(reply) => match owner(&reply, slot) {
                Some((host, port)) => return Ok((if host.is_empty() { node.0.clone() } else { host }, port)),
                None => {
                    let message = format!("no node of {} serves hash slot {slot} now", options.address);
                    last = Some(Failed::unsent(Error::new(ErrorKind::Unavailable, message)));
                }
            },
            Err(failed) => last = Some(failed),
        }
    }
    Err(last.unwrap_or_else(|| Failed::unsent(Error::new(ErrorKind::InvalidArgument, "no node is given"))))
}

/// In a reply of CLUSTER SLOTS (`[[first, last, [host, port, …], …], …]`), the master of the slot.
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
