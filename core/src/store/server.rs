//! The properties of a server, and whether it can fulfil the guarantees.

use redis::Value;

use crate::config::address::Address;
use crate::config::options::{Eviction, Options};
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::{Language, option};
use libswarm_common::lock::Mutex;

/// The oldest server version that supports the commands and script rules of the scripts.
const OLDEST: (u32, u32) = (6, 2);

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

/// Checks the reply to INFO. Returns the properties of the server, or why it cannot be used.
pub(super) fn check(options: &Options, info: Value) -> Result<Server, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(info: &str, settings: &[(&str, &str)]) -> Result<Server, Error> {
        let mut options = Options::new("mail");
        settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
        check(&options, Value::BulkString(format!("redis_version:7.4.0\r\nrole:master\r\n{info}").into_bytes()))
    }

    #[test]
    fn only_servers_that_can_lose_jobs_are_refused() {
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
    fn a_warning_is_logged_once_until_it_changes() {
        let warnings = Warnings::default();
        let [first, second] = ["first", "second"].map(|text| vec![text.to_owned()]);
        assert_eq!(warnings.unseen(&first), ["first"]);
        assert!(warnings.unseen(&first).is_empty());
        assert_eq!(warnings.unseen(&second), ["second"]);
        assert_eq!(warnings.unseen(&first), ["first"]);
    }
}
