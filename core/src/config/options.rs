//! Every option of a cluster, a member and a connection: one table, checked once, the same in all languages.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::address::{Address, DEFAULT_PORT, DEFAULT_SENTINEL_PORT, host_ports};
use crate::config::codec_keys::CodecKeys;
use crate::config::credentials::CredentialsSource;
use crate::model::extras::MAX_PRIORITY;
use libswarm_common::error::{Result, invalid};
use libswarm_common::id::check_name;
use libswarm_common::language::{Language, Listed, option};
use libswarm_common::value::{YEAR, bounded, choice, parse_bool, parse_ms, shown, unknown, whole, within};

const MIB: u64 = 1024 * 1024;
/// The upper bound of the option `max_payload`.
pub(crate) const MAX_PAYLOAD: usize = 16 * 1024 * 1024;
/// The lower bound of the option `compress_from`: compression saves nothing of shorter values.
const MIN_COMPRESSED: usize = 64;
const MAX_DB: i64 = i32::MAX as i64;

/// The names of clusters for tests begin with it.
pub(crate) const TESTING_PREFIX: &str = "swarm-testing-";

/// The names that [`Options::set`] accepts from users.
const NAMES: [&str; 49] = [
    "url",
    "host",
    "port",
    "socket",
    "sentinels",
    "sentinel_master",
    "nodes",
    "db",
    "prefix",
    "username",
    "password",
    "credentials_file",
    "credentials_interval",
    "sentinel_username",
    "sentinel_password",
    "tls",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "tls_verify",
    "lease",
    "timeout",
    "max_payload",
    "max_pending_bytes",
    "eviction",
    "name",
    "group",
    "slots",
    "priority_slots",
    "strict_slots",
    "prefetch",
    "task",
    "failed_max",
    "failed_max_bytes",
    "failed_ttl",
    "events",
    "events_max",
    "rebalance",
    "window",
    "stop_grace",
    "max_crashes",
    "rejoin",
    "requeue",
    "completed_max",
    "completed_max_bytes",
    "completed_ttl",
    "codec_keys",
    "codec_required",
    "compress_from",
];

/// TLS by rustls. The certificates of the system are trusted if `ca` is not set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Path of a PEM file with the certificates to trust instead of those of the system: certificates of authorities, or of the server itself.
    pub ca: Option<PathBuf>,
    /// Path of a PEM file with the client's certificate chain.
    pub cert: Option<PathBuf>,
    /// Path of a PEM file with the client's private key.
    pub key: Option<PathBuf>,
    /// Whether the server's certificate is verified; default true. Without verification, the connection is encrypted, but the server may be an
    /// impostor.
    pub verify: bool,
}

impl Default for Tls {
    fn default() -> Self {
        Tls { ca: None, cert: None, key: None, verify: true }
    }
}

/// What to do about a server that may evict keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Eviction {
    /// Refuse to work with it. The default.
    #[default]
    Refuse,
    /// Log a warning and continue.
    Warn,
}

/// The position at which jobs of a lost or leaving worker are requeued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Requeue {
    /// In front of all waiting jobs, so that recovered jobs do not wait again. The default.
    #[default]
    Front,
    /// Behind all waiting jobs, as assemblage did.
    Back,
}

/// When transitions of jobs are recorded for [`Master::events`](crate::Master::events).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub enum Recording {
    /// While a master follows them, and for 30 s after that.
    Follow,
    /// Always.
    Always,
}

/// All options. Create them with [`Options::new`], change them by name with [`Options::set`] or field by field, then check them once.
///
/// ```
/// let mut options = libswarm::Options::new("mail");
/// options.set("url", "redis://localhost:6379/2")?;
/// options.slots = Some(4);
/// options.check()?;
/// # Ok::<(), libswarm::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "bindings"), non_exhaustive)]
pub struct Options {
    /// Name of the cluster; also the key prefix if `prefix` is not set.
    pub cluster: String,
    /// Replaces the cluster's name in the keys.
    pub prefix: Option<String>,
    /// The address of Redis; default `localhost:6379`.
    pub address: Address,
    /// Number of the database; 0 in a Redis Cluster.
    pub db: i64,
    /// ACL user.
    pub username: Option<String>,
    /// Password of the user, or of the server.
    pub password: Option<String>,
    /// Replaces `username` and `password` by credentials that may change.
    pub credentials: Option<CredentialsSource>,
    /// How often it is asked whether they have changed; default 10 s, 100 ms to 1 day.
    pub credentials_interval: Duration,
    /// ACL user at the Sentinels, if they require one.
    pub sentinel_username: Option<String>,
    /// Password at the Sentinels.
    pub sentinel_password: Option<String>,
    /// TLS, if it is used.
    pub tls: Option<Tls>,
    /// The lease: how long a member may be silent before its jobs are reclaimed; default 15 s, 1 s to 1 day.
    pub lease: Duration,
    /// How long a call waits for Redis before it fails; default 5 s, 100 ms to 1 hour.
    pub timeout: Duration,
    /// Largest payload that `add` accepts, in bytes; default 512 KiB, at most 16 MiB.
    pub max_payload: usize,
    /// The limit of payload bytes that are submitted and not yet stored by Redis. Beyond it, a submission fails with
    /// [`BufferFull`](crate::ErrorKind::BufferFull); a submission while nothing waits is always accepted. Default 64 MiB, 1 MiB to 4 GiB.
    pub max_pending_bytes: u64,
    /// Keys with which this member encrypts and decrypts what it stores for programs: payloads, results, checkpoints, progress, lines of logs, errors and
    /// messages. None by default.
    pub codec_keys: CodecKeys,
    /// Whether this member refuses to read such values that are not encrypted; default false.
    pub codec_required: bool,
    /// Such values of at least this number of bytes are compressed, 64 to 16 MiB. None are by default.
    pub compress_from: Option<usize>,
    /// What to do about a server that may evict keys.
    pub eviction: Eviction,
    /// The member's name, which inspections and logs show.
    pub name: String,
    /// The member's group.
    pub group: String,
    /// The limit of active jobs; default [`DEFAULT_CONCURRENCY`](crate::DEFAULT_CONCURRENCY) with a handler, else unlimited.
    pub slots: Option<u32>,
    /// Guaranteed slots of a worker per range of priorities: the lowest priority of each range, and its number of slots. The remaining slots belong
    /// to the range of priority 0.
    pub priority_slots: Vec<(i64, u32)>,
    /// Whether a higher range that is full may use slots of the lowest range only; default false.
    pub strict_slots: bool,
    /// Jobs assigned beyond the slots, so that one starts at once when a slot becomes free; default 0, at most 10,000.
    pub prefetch: u32,
    /// Tasks that a worker accepts, "" for jobs without one; default only jobs without a task.
    pub tasks: Vec<String>,
    /// The limit of failed jobs that the cluster keeps, the newest ones. If no member sets it, 10,000.
    pub failed_max: Option<u32>,
    /// The limit of bytes of failed jobs that the cluster keeps, the newest ones; 1 MiB to 1 TiB. If no member sets it, 256 MiB.
    pub failed_max_bytes: Option<u64>,
    /// How long failed jobs are kept. If no member sets it, forever.
    pub failed_ttl: Option<Duration>,
    /// The limit of completed jobs that the cluster keeps, the newest ones. If no member sets it, 0: none but those with the option `keep_completed`,
    /// at most 10,000.
    pub completed_max: Option<u32>,
    /// The limit of bytes of completed jobs that the cluster keeps, the newest ones; 1 MiB to 1 TiB. If no member sets it, 256 MiB.
    pub completed_max_bytes: Option<u64>,
    /// How long completed jobs are kept. If no member sets it, as long as the limits allow.
    pub completed_ttl: Option<Duration>,
    /// When the cluster records transitions of jobs. If no member sets it, while a master follows them.
    pub events: Option<Recording>,
    /// The limit of transitions that the cluster keeps, the newest ones; 100 to 1,000,000. If no member sets it, 10,000.
    pub events_max: Option<u32>,
    /// Whether jobs move to this worker when it joins, from workers with more active jobs than the mean; default false.
    pub rebalance: bool,
    /// The limit of jobs that are assigned and not yet taken by the program; default 1,000.
    pub window: u32,
    /// How long a handler may take to stop once its job's `run_timeout` or `total_timeout` is over. After it, the job is retried elsewhere, and the
    /// handler is counted as stuck and keeps its slot until it returns. Default 30 s, 100 ms to 1 day.
    pub stop_grace: Duration,
    /// A job fails as `poison` when more workers than this crashed while it was active on them; default 3.
    pub max_crashes: u32,
    /// Whether a worker that lost its lease registers anew; default true.
    pub rejoin: bool,
    /// The position at which this worker's jobs are requeued when it leaves or is lost.
    pub requeue: Requeue,
    /// Whether a worker accepts jobs at once, or only from [`Worker::accept`](crate::Worker::accept), [`Worker::next`](crate::Worker::next) or
    /// [`Worker::process`](crate::Worker::process) on. Default true; false in bindings, whose programs may have no handler yet.
    pub auto_accept: bool,
    /// The language of the binding, which the registry of members shows.
    pub language: String,
}

impl Options {
    /// The defaults, for the cluster with this name.
    pub fn new(cluster: impl Into<String>) -> Self {
        Options {
            cluster: cluster.into(),
            prefix: None,
            address: Address::local(),
            db: 0,
            username: None,
            password: None,
            credentials: None,
            credentials_interval: Duration::from_secs(10),
            sentinel_username: None,
            sentinel_password: None,
            tls: None,
            lease: Duration::from_secs(15),
            timeout: Duration::from_secs(5),
            max_payload: 512 * 1024,
            max_pending_bytes: 64 * MIB,
            codec_keys: CodecKeys::default(),
            codec_required: false,
            compress_from: None,
            eviction: Eviction::Refuse,
            name: String::new(),
            group: String::new(),
            slots: None,
            priority_slots: Vec::new(),
            strict_slots: false,
            prefetch: 0,
            tasks: Vec::new(),
            failed_max: None,
            failed_max_bytes: None,
            failed_ttl: None,
            completed_max: None,
            completed_max_bytes: None,
            completed_ttl: None,
            events: None,
            events_max: None,
            rebalance: false,
            window: 1000,
            stop_grace: Duration::from_secs(30),
            max_crashes: 3,
            rejoin: true,
            requeue: Requeue::Front,
            auto_accept: true,
            language: "rust".into(),
        }
    }

    /// Sets one option by its name, which is the same in every language. Durations are in milliseconds, lists are comma-separated, booleans are
    /// `true` or `false`. `task` adds one name to the tasks; `priority_slots` is `1:30,2:20`.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "url" => return self.set_url(value),
            "host" => self.address.tcp().0 = value.to_owned(),
            "port" => self.address.tcp().1 = whole(name, value, 1, u16::MAX)?,
            "socket" => self.address = Address::Unix(value.into()),
            "sentinels" => *self.address.sentinel().0 = host_ports(name, value, DEFAULT_SENTINEL_PORT)?,
            "sentinel_master" => *self.address.sentinel().1 = value.to_owned(),
            "nodes" => self.address = Address::Cluster(host_ports(name, value, DEFAULT_PORT)?),
            "db" => self.db = whole(name, value, 0, MAX_DB)?,
            "prefix" => self.prefix = Some(value.to_owned()),
            "username" => self.username = Some(value.to_owned()),
            "password" => self.password = Some(value.to_owned()),
            "credentials_file" => self.set_credentials(CredentialsSource::file(value))?,
            "credentials_interval" => self.credentials_interval = parse_ms(name, value)?,
            "sentinel_username" => self.sentinel_username = Some(value.to_owned()),
            "sentinel_password" => self.sentinel_password = Some(value.to_owned()),
            "tls" => self.tls = parse_bool(name, value)?.then(|| self.tls.take().unwrap_or_default()),
            "tls_ca" => self.tls.get_or_insert_default().ca = Some(value.into()),
            "tls_cert" => self.tls.get_or_insert_default().cert = Some(value.into()),
            "tls_key" => self.tls.get_or_insert_default().key = Some(value.into()),
            "tls_verify" => match (parse_bool(name, value)?, &mut self.tls) {
                (true, None) => {}
                (verify, tls) => tls.get_or_insert_default().verify = verify,
            },
            "lease" => self.lease = parse_ms(name, value)?,
            "timeout" => self.timeout = parse_ms(name, value)?,
            "max_payload" => self.max_payload = whole(name, value, 0, MAX_PAYLOAD)?,
            "max_pending_bytes" => self.max_pending_bytes = whole(name, value, MIB, 4096 * MIB)?,
            "codec_keys" => self.codec_keys = value.parse()?,
            "codec_required" => self.codec_required = parse_bool(name, value)?,
            "compress_from" => self.compress_from = Some(whole(name, value, MIN_COMPRESSED, MAX_PAYLOAD)?),
            "eviction" => self.eviction = choice(name, value, &[("refuse", Eviction::Refuse), ("warn", Eviction::Warn)])?,
            "name" => self.name = value.to_owned(),
            "group" => self.group = value.to_owned(),
            "slots" => self.slots = Some(whole(name, value, 1, u32::MAX)?),
            "priority_slots" => self.priority_slots = priority_slots(value)?,
            "strict_slots" => self.strict_slots = parse_bool(name, value)?,
            "prefetch" => self.prefetch = whole(name, value, 0, 10_000)?,
            "task" => self.tasks.push(value.to_owned()),
            "failed_max" => self.failed_max = Some(whole(name, value, 1, 1_000_000)?),
            "failed_max_bytes" => self.failed_max_bytes = Some(whole(name, value, MIB, MIB * MIB)?),
            "failed_ttl" => self.failed_ttl = Some(parse_ms(name, value)?),
            "completed_max" => self.completed_max = Some(whole(name, value, 0, 1_000_000)?),
            "completed_max_bytes" => self.completed_max_bytes = Some(whole(name, value, MIB, MIB * MIB)?),
            "completed_ttl" => self.completed_ttl = Some(parse_ms(name, value)?),
            "events" => self.events = Some(choice(name, value, &[("follow", Recording::Follow), ("always", Recording::Always)])?),
            "events_max" => self.events_max = Some(whole(name, value, 100, 1_000_000)?),
            "rebalance" => self.rebalance = parse_bool(name, value)?,
            "window" => self.window = whole(name, value, 1, 10_000)?,
            "stop_grace" => self.stop_grace = parse_ms(name, value)?,
            "max_crashes" => self.max_crashes = whole(name, value, 0, 200)?,
            "rejoin" => self.rejoin = parse_bool(name, value)?,
            "requeue" => self.requeue = choice(name, value, &[("front", Requeue::Front), ("back", Requeue::Back)])?,
            "auto_accept" => self.auto_accept = parse_bool(name, value)?,
            "language" => self.language = value.to_owned(),
            _ => return Err(unknown("option", name, &NAMES, Language::current().options_page(Listed::Member))),
        }
        Ok(())
    }

    /// Sets `credentials`; refused if it is a file and a function is set, or the other way round.
    pub fn set_credentials(&mut self, source: CredentialsSource) -> Result<()> {
        if self.credentials.as_ref().is_some_and(|before| !before.is_like(&source)) {
            return Err(invalid(
                Language::current().text("{credentials_file} and a function for credentials exclude each other: set one of them"),
            ));
        }
        self.credentials = Some(source);
        Ok(())
    }

    /// The prefix of every key, without braces: the cluster's name, or `prefix` if it is set.
    pub fn key_prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.cluster)
    }

    /// Whether it is a cluster for tests: its clock can be moved, and all its members read their inboxes.
    pub(crate) fn is_for_tests(&self) -> bool {
        self.key_prefix().starts_with(TESTING_PREFIX)
    }

    /// Checks the options as far as possible without a connection.
    pub fn check(&self) -> Result<()> {
        check_name("cluster name", self.key_prefix())?;
        if self.key_prefix().contains(['{', '}']) {
            return Err(invalid("the cluster name has a brace; braces mark the hash slot and are set by libswarm"));
        }
        for (what, name) in [("member name", &self.name), ("group", &self.group)] {
            if !name.is_empty() {
                check_name(what, name)?;
            }
        }
        within("lease", self.lease, Duration::from_secs(1), Duration::from_secs(86_400))?;
        within("timeout", self.timeout, Duration::from_millis(100), Duration::from_secs(3600))?;
        within("credentials_interval", self.credentials_interval, Duration::from_millis(100), Duration::from_secs(86_400))?;
        bounded("max_payload", self.max_payload, 0, MAX_PAYLOAD)?;
        bounded("max_pending_bytes", self.max_pending_bytes, MIB, 4096 * MIB)?;
        bounded("compress_from", self.compress_from.unwrap_or(MIN_COMPRESSED), MIN_COMPRESSED, MAX_PAYLOAD)?;
        within("stop_grace", self.stop_grace, Duration::from_millis(100), Duration::from_secs(86_400))?;
        bounded("slots", self.slots.unwrap_or(1), 1, u32::MAX)?;
        bounded("window", self.window, 1, 10_000)?;
        bounded("prefetch", self.prefetch, 0, 10_000)?;
        if self.tasks.len() > 100 {
            return Err(invalid(format!("{} has {} names, a worker takes at most 100 tasks", option("task"), self.tasks.len())));
        }
        for task in self.tasks.iter().filter(|task| !task.is_empty()) {
            check_name("task", task)?;
        }
        bounded("failed_max", self.failed_max.unwrap_or(1), 1, 1_000_000)?;
        bounded("failed_max_bytes", self.failed_max_bytes.unwrap_or(MIB), MIB, MIB * MIB)?;
        if let Some(ttl) = self.failed_ttl {
            within("failed_ttl", ttl, Duration::from_secs(1), 10 * YEAR)?;
        }
        bounded("completed_max", self.completed_max.unwrap_or(0), 0, 1_000_000)?;
        bounded("completed_max_bytes", self.completed_max_bytes.unwrap_or(MIB), MIB, MIB * MIB)?;
        if let Some(ttl) = self.completed_ttl {
            within("completed_ttl", ttl, Duration::from_secs(1), 10 * YEAR)?;
        }
        bounded("events_max", self.events_max.unwrap_or(100), 100, 1_000_000)?;
        self.ranges(self.slots)?;
        bounded("max_crashes", self.max_crashes, 0, 200)?;
        bounded("db", self.db, 0, MAX_DB)?;
        let own = |text: &str| invalid(Language::current().text(text));
        if self.codec_required && self.codec_keys.is_empty() {
            return Err(own("{codec_required} without {codec_keys} refuses everything: set {codec_keys} too"));
        }
        if self.credentials.is_some() && (self.username.is_some() || self.password.is_some()) {
            return Err(own("credentials that may change replace {username} and {password}: leave these out, also in the url"));
        }
        if self.db > 0 && matches!(self.address, Address::Cluster(_)) {
            return Err(own("a Redis Cluster has only database 0: leave {db} out"));
        }
        self.address.check()?;
        if self.tls.is_some() && matches!(self.address, Address::Unix(_)) {
            return Err(own("TLS is not available over a Unix socket: remove {tls} and all options that begin with it"));
        }
        if let Some(Tls { cert, key, .. }) = &self.tls
            && cert.is_some() != key.is_some()
        {
            return Err(own("{tls_cert} and {tls_key} go together: set both or neither"));
        }
        Ok(())
    }

    /// The number of slots that ranges of priorities guarantee: the worker cannot have fewer.
    pub(crate) fn guaranteed_slots(&self) -> u64 {
        self.priority_slots.iter().filter(|(from, _)| *from != 0).map(|(_, slots)| u64::from(*slots)).sum()
    }

    /// Ranges of priorities, ascending: the lowest priority of each, and how many jobs of the range are active at once. A job belongs to the
    /// highest range whose lowest priority does not exceed the job's priority, or otherwise to the lowest range. `slots` are those that the worker
    /// has now.
    pub(crate) fn ranges(&self, slots: Option<u32>) -> Result<Vec<(i64, u32)>> {
        if self.priority_slots.is_empty() {
            return Ok(Vec::new());
        }
        let Some(slots) = slots else {
            return Err(invalid(Language::current().text("{priority_slots} divides the slots of a worker: set {slots} too")));
        };
        let mut own: Vec<(i64, u32)> = self.priority_slots.iter().copied().filter(|(from, _)| *from != 0).collect();
        let guaranteed = self.guaranteed_slots();
        let Some(rest) = u64::from(slots).checked_sub(guaranteed) else {
            return Err(invalid(format!(
                "{} guarantees {guaranteed} slots, but the worker has {slots}",
                option("priority_slots")
            )));
        };
        own.push((0, rest as u32));
        own.sort_unstable();
        if own.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(invalid(format!("{} names a priority twice", option("priority_slots"))));
        }
        let mut total = 0;
        Ok(own
            .into_iter()
            .map(|(from, slots)| {
                total += slots;
                match (self.strict_slots, from) {
                    (true, 0) => (from, slots),
                    (true, _) => (from, slots + rest as u32),
                    (false, _) => (from, total),
                }
            })
            .collect())
    }
}

/// Logs and messages never show passwords.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("cluster", &self.cluster)
            .field("address", &self.address)
            .field("db", &self.db)
            .field("username", &self.username)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// `1:30,2:20`.
fn priority_slots(text: &str) -> Result<Vec<(i64, u32)>> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let pair =
                part.split_once(':').and_then(|(from, slots)| Some((from.trim().parse().ok()?, slots.trim().parse().ok()?)));
            pair.filter(|(from, _): &(i64, u32)| from.unsigned_abs() <= MAX_PRIORITY.unsigned_abs()).ok_or_else(|| {
                invalid(format!(
                    "{} has `{}`; it is {}",
                    option("priority_slots"),
                    shown(part),
                    Language::current().priority_slots()
                ))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use libswarm_common::error::ErrorKind;

    fn with(settings: &[(&str, &str)]) -> Result<Options> {
        let mut options = Options::new("mail");
        for (name, value) in settings {
            options.set(name, value)?;
        }
        options.check()?;
        Ok(options)
    }

    #[test]
    fn bad_options_are_refused_with_a_reason() {
        for settings in [
            &[("url", "localhost")] as &[_],
            &[("url", "http://x")],
            &[("url", "redis+sentinel://a")],
            &[("lease", "999")],
            &[("lease", "-1")],
            &[("slots", "0")],
            &[("slots", "many")],
            &[("priority_slots", "1:30")],
            &[("slots", "10"), ("priority_slots", "1:6,2:5")],
            &[("slots", "10"), ("priority_slots", "1")],
            &[("slots", "10"), ("priority_slots", "1:2,1:3")],
            &[("task", "a\nb")],
            &[("failed_max", "0")],
            &[("failed_max_bytes", "1048575")],
            &[("completed_max", "1000001")],
            &[("completed_max_bytes", "1048575")],
            &[("completed_ttl", "999")],
            &[("max_pending_bytes", "1048575")],
            &[("max_pending_bytes", "4294967297")],
            &[("stop_grace", "99")],
            &[("stop_grace", "inf")],
            &[("tls_verify", "no")],
            &[("db", "-1")],
            &[("nodes", "a:1"), ("db", "1")],
            &[("prefix", "a{b}")],
            &[("prefix", "a\n")],
            &[("tls_cert", "c.pem")],
            &[("codec_keys", "k")],
            &[("codec_required", "true")],
            &[("compress_from", "63")],
            &[("compress_from", "16777217")],
            &[("eviction", "maybe")],
            &[("colour", "red")],
        ] {
            let error = with(settings).expect_err(&format!("{settings:?}"));
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{settings:?}: {error}");
        }
        assert_eq!(Options::new("").check().unwrap_err().kind(), ErrorKind::InvalidArgument);
    }

    #[test]
    fn slots_are_guaranteed_as_in_proletariat() {
        let slots = |strict_slots: &str, slots: &str, guaranteed: &str| -> Vec<u32> {
            let options = with(&[("slots", slots), ("priority_slots", guaranteed), ("strict_slots", strict_slots)]).unwrap();
            options.ranges(options.slots).unwrap().into_iter().map(|(_, limit)| limit).collect()
        };
        assert_eq!(slots("false", "100", "1:30,2:20"), [50, 80, 100]);
        assert_eq!(slots("true", "100", "1:30,2:20"), [50, 80, 70]);
        assert_eq!(slots("false", "10", "2:2, 1:3"), [5, 8, 10]);
        assert_eq!(slots("true", "10", "0:99,1:3,2:2"), [5, 8, 7]);
    }

    #[test]
    fn passwords_do_not_show() {
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let options = with(&[("password", "hunter2"), ("codec_keys", &format!("k:{key}"))]).unwrap();
        assert!(!format!("{options:?}").contains("hunter2") && !format!("{options:?}").contains(key));
    }

    mod any {
        use proptest::prelude::*;

        use super::super::*;

        fn value() -> impl Strategy<Value = String> {
            prop_oneof!["-?[0-9]{0,20}", "[0-9.e+-]{0,10}", "(true|false|front|back|warn|refuse|nan|inf|-0|1:2,3:4)", ".{0,40}"]
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

            #[test]
            fn whatever_is_set_is_refused_by_name_or_can_be_checked(settings in proptest::collection::vec((proptest::sample::select(NAMES.to_vec()), value()), 0..6)) {
                let mut options = Options::new("mail");
                for (name, value) in &settings {
                    let before = options.clone();
                    if let Err(error) = options.set(name, value) {
                        prop_assert!(error.message().contains(name), "{name}: {error}");
                        let shows = !value.is_empty() && value.len() > 8 && error.message().contains(value.as_str());
                        prop_assert!(!shows || !name.contains("password") && !matches!(*name, "url" | "codec_keys"), "{name}: {error}");
                        prop_assert_eq!((&options.password, options.db, options.lease), (&before.password, before.db, before.lease));
                    }
                }
                let secret = options.password.clone().filter(|secret| secret.len() > 8 && settings.iter().all(|(name, value)| name.contains("password") || value != secret));
                let shown = format!("{options:?} {:?}", options.check());
                prop_assert!(secret.is_none_or(|secret| !shown.contains(&secret)), "{shown}");
            }

            #[test]
            fn unknown_names_are_refused(name in ".{0,300}") {
                prop_assume!(!NAMES.contains(&name.as_str()) && name != "language" && name != "auto_accept");
                let error = Options::new("mail").set(&name, "hunter2secret").unwrap_err();
                prop_assert!(error.message().starts_with("unknown option") && !error.message().contains("hunter2secret") && error.message().len() < 800);
            }
        }
    }

    #[test]
    fn every_name_that_is_listed_is_taken() {
        for name in NAMES {
            let error = Options::new("mail").set(name, "\u{1}").err();
            assert!(error.is_none_or(|error| !error.message().contains("unknown")), "{name}");
        }
    }
}
