//! Where Redis is, and the texts that say it.

use std::path::PathBuf;

use crate::error::{Result, invalid};
use crate::options::Options;
use crate::value::parse;

const DEFAULT_HOST: &str = "localhost";
pub(crate) const DEFAULT_PORT: u16 = 6379;
pub(crate) const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// A host name or address with its port.
pub type HostPort = (String, u16);

/// Where Redis is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// One server over TCP.
    Tcp(HostPort),
    /// One server over a Unix socket.
    Unix(PathBuf),
    /// The master that these Sentinels name.
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

    /// The one server over TCP, made one if it is something else: its parts are set in any order.
    pub(crate) fn tcp(&mut self) -> &mut HostPort {
        if !matches!(self, Address::Tcp(_)) {
            *self = Address::local();
        }
        let Address::Tcp(pair) = self else { unreachable!("set just above") };
        pair
    }

    /// The Sentinels and the name of the master, made such if it is something else.
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

impl Options {
    /// `redis://`, `rediss://`, `unix://`, `redis+sentinel://h1,h2/master/db` and `redis+cluster://h1,h2`; `rediss+…` for TLS.
    pub(crate) fn set_url(&mut self, text: &str) -> Result<()> {
        let bad = |why: &str| {
            invalid(format!(
                "the url is not usable: {why}. Forms: redis://user:password@host:port/db, rediss://…, unix:///path/to/socket?db=0, redis+sentinel://host:port,host:port/master/db, redis+cluster://host:port,host:port"
            ))
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| bad("it has no scheme"))?;
        if let "unix" | "redis+unix" = scheme {
            let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
            for (key, value) in form_urlencoded::parse(query.as_bytes()) {
                match &*key {
                    "db" => self.db = parse("db", &value)?,
                    "user" => self.username = Some(value.into_owned()),
                    "pass" => self.password = Some(value.into_owned()),
                    other => return Err(bad(&format!("unknown parameter `{other}`"))),
                }
            }
            self.address = Address::Unix(path.into());
            return Ok(());
        }
        let (tls, kind) = match scheme {
            "redis" | "valkey" => (false, ""),
            "rediss" | "valkeys" => (true, ""),
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            other => return Err(bad(&format!("unknown scheme `{other}`"))),
        };
        let (login, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let hosts = if hosts.is_empty() { DEFAULT_HOST } else { hosts };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let decoded = |part: &str| (!part.is_empty()).then(|| percent_decoded(part));
        if let Some(user) = decoded(user) {
            self.username = Some(user);
        }
        if let Some(password) = decoded(password) {
            self.password = Some(password);
        }
        let mut path = path.split('/').filter(|part| !part.is_empty());
        self.address = match kind {
            "sentinel" => Address::Sentinel {
                sentinels: host_ports("url", hosts, DEFAULT_SENTINEL_PORT)?,
                master: path.next().map(percent_decoded).ok_or_else(|| bad("the name of the master is missing"))?,
            },
            "cluster" => Address::Cluster(host_ports("url", hosts, DEFAULT_PORT)?),
            _ => Address::Tcp(host_port("url", hosts, DEFAULT_PORT)?),
        };
        if let Some(db) = path.next() {
            self.db = parse("db", db)?;
        }
        if path.next().is_some() {
            return Err(bad("the path has too many parts"));
        }
        if tls {
            self.tls.get_or_insert_default();
        }
        Ok(())
    }
}

pub(crate) fn host_ports(name: &str, list: &str, default_port: u16) -> Result<Vec<HostPort>> {
    list.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| host_port(name, part, default_port)).collect()
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`.
fn host_port(name: &str, text: &str, default_port: u16) -> Result<HostPort> {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (
            host,
            Some(rest.strip_prefix(':').ok_or_else(|| invalid(format!("{name}: `{text}` lacks a colon before the port")))?),
        ),
        None => match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(default_port), |port| parse(name, port))?;
    if host.is_empty() || port == 0 {
        return Err(invalid(format!("{name}: `{text}` needs a host, and a port from 1 to 65535 if any")));
    }
    Ok((host.to_owned(), port))
}

fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str) -> Options {
        let mut options = Options::new("mail");
        options.set("url", url).unwrap();
        options.check().unwrap();
        options
    }

    #[test]
    fn urls_name_every_kind_of_server() {
        let options = with("rediss://ann:p%40ss@db.example:7000/3");
        assert_eq!(options.address, Address::Tcp(("db.example".into(), 7000)));
        assert_eq!((options.username.as_deref(), options.password.as_deref()), (Some("ann"), Some("p@ss")));
        assert_eq!((options.db, options.tls.is_some()), (3, true));
        let options = with("redis://:a+b=c&d=@db.example");
        assert_eq!((options.username, options.password.as_deref()), (None, Some("a+b=c&d=")));
        let options = with("unix:///tmp/r.sock?db=2");
        assert_eq!((options.address, options.db), (Address::Unix("/tmp/r.sock".into()), 2));
        let options = with("redis+sentinel://a:1,b/main/4");
        let sentinels = vec![("a".into(), 1), ("b".into(), 26379)];
        assert_eq!((options.address, options.db), (Address::Sentinel { sentinels, master: "main".into() }, 4));
        let options = with("redis+cluster://a:1,[::1]:2");
        assert_eq!(options.address, Address::Cluster(vec![("a".into(), 1), ("::1".into(), 2)]));
        for bad in ["redis://[::1]6380", "redis+cluster://a,:7000", "redis://a:0", "redis+sentinel://a", "http://a"] {
            assert!(Options::new("mail").set("url", bad).is_err(), "{bad}");
        }
    }
}
