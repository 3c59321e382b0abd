//! The address of Redis, and its text forms.

use std::path::PathBuf;

use libswarm_common::error::{Result, invalid};
use libswarm_common::language::{Language, option};

pub(super) const DEFAULT_HOST: &str = "localhost";
pub(crate) const DEFAULT_PORT: u16 = 6379;
pub(crate) const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// A host name or address with its port.
pub type HostPort = (String, u16);

/// The address of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Address {
    /// One server over TCP.
    Tcp(HostPort),
    /// One server over a Unix socket.
    Unix(PathBuf),
    /// The master that these Sentinels report.
    Sentinel {
        /// Any of the Sentinels.
        sentinels: Vec<HostPort>,
        /// The name of the master, as in `sentinel monitor <name>`.
        master: String,
    },
    /// The node of a Redis Cluster that owns this cluster's hash slot.
    Cluster(Vec<HostPort>),
}

impl Address {
    pub(crate) fn local() -> Self {
        Address::Tcp((DEFAULT_HOST.into(), DEFAULT_PORT))
    }

    /// Returns the host and port of a single server. An address of another kind becomes one: options may be set in any order.
    pub(crate) fn tcp(&mut self) -> &mut HostPort {
        if !matches!(self, Address::Tcp(_)) {
            *self = Address::local();
        }
        let Address::Tcp(pair) = self else { unreachable!("set just above") };
        pair
    }

    /// Returns the Sentinels and the name of the master. An address of another kind becomes one of Sentinels.
    pub(crate) fn sentinel(&mut self) -> (&mut Vec<HostPort>, &mut String) {
        if !matches!(self, Address::Sentinel { .. }) {
            *self = Address::Sentinel { sentinels: Vec::new(), master: String::new() };
        }
        let Address::Sentinel { sentinels, master } = self else { unreachable!("set just above") };
        (sentinels, master)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |hosts: &[HostPort]| hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect::<Vec<_>>().join(",");
        match self {
            Address::Tcp((host, port)) => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Sentinel { sentinels, master } => write!(f, "master `{master}` of the Sentinels {}", list(sentinels)),
            Address::Cluster(nodes) => write!(f, "the Redis Cluster at {}", list(nodes)),
        }
    }
}

impl Address {
    /// Checks the address as far as possible without a connection. No message shows an invalid address: it may be a password in the wrong place.
    pub(crate) fn check(&self) -> Result<()> {
        let own = |text: &str| Err(invalid(Language::current().text(text)));
        let good = |(host, port): &HostPort| is_host(host) && *port > 0;
        match self {
            Address::Tcp(pair) if !good(pair) => own(
                "{host} has to be the name or address of one machine, and {port} a number from 1 to 65,535; all in one is a {url}",
            ),
            Address::Unix(path) if path.as_os_str().is_empty() => own("{socket} has to be the path of a Unix socket"),
            Address::Sentinel { sentinels, master }
                if sentinels.is_empty() || master.is_empty() || !sentinels.iter().all(good) =>
            {
                own(
                    "for Sentinel, both {sentinels} (host:port of each) and {sentinel_master} (the name of the master) have to be set",
                )
            }
            Address::Cluster(nodes) if nodes.is_empty() || !nodes.iter().all(good) => {
                own("{nodes} has to name one node of the Redis Cluster or more, as host:port")
            }
            _ => Ok(()),
        }
    }
}

/// Addresses of several machines, comma-separated.
pub(crate) fn host_ports(name: &str, list: &str, default_port: u16) -> Result<Vec<HostPort>> {
    let parts = list.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .enumerate()
        .map(|(index, part)| {
            host_port(part, default_port).ok_or_else(|| {
                let number = index + 1;
                invalid(format!(
                    "{}: address {number} is not `host`, `host:port` or `[v6]:port` with a port from 1 to 65535",
                    option(name)
                ))
            })
        })
        .collect()
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
pub(super) fn host_port(text: &str, default_port: u16) -> Option<HostPort> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, Some(rest.strip_prefix(':')?)),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = match port {
        Some(port) => port.parse().ok()?,
        None => default_port,
    };
    (is_host(host) && port > 0).then(|| (host.to_owned(), port))
}

/// Whether this can be the name or the address of a machine.
pub(super) fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len()) && text.chars().all(|letter| letter.is_alphanumeric() || "-._".contains(letter))
        || text.split('%').next().is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()) && text.len() < 64
}
