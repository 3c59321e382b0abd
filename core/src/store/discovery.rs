//! Which server to connect to: asks Sentinels for the master, and nodes of a cluster for the owner of a slot.

use redis::{Cmd, Value};
use tokio::time::Instant;

use super::failure::{Failed, Stage};
use super::greeting::{Login, dial, greet, words};
use crate::config::address::HostPort;
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::{Language, option};

/// The address of the master, from the first Sentinel that knows it.
pub(super) async fn ask_sentinels(
    options: &Options,
    sentinels: &[HostPort],
    master: &str,
    deadline: Instant,
) -> Result<HostPort, Failed> {
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
pub(super) async fn ask_cluster(
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
