//! The table of the errors of Redis, and of proxies in front of it, with their meaning for a user of libswarm.

use redis::RedisError;

use super::tls;
use crate::config::address::Address;
use crate::config::options::Options;
use libswarm_common::error::{Error, ErrorKind};
use libswarm_common::language::Language;

/// A call that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) error: Error,
    /// Whether Redis may have executed the call nevertheless.
    pub(crate) maybe_executed: bool,
    /// Whether the connection can no longer be used.
    pub(crate) disconnect: bool,
    /// Redis has replied that it stopped the script half way: some of its changes may be done.
    pub(crate) half_done: bool,
}

/// The stage in which an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// While connecting: no command of a call was sent.
    Connecting,
    /// While a Sentinel was queried for the master.
    AskingSentinel,
    /// In the reply to a call.
    Calling,
}

impl Failed {
    /// A failure before anything was sent.
    pub(crate) fn unsent(error: Error) -> Self {
        Failed { error, maybe_executed: false, disconnect: true, half_done: false }
    }

    /// No reply arrived within the time limit.
    pub(crate) fn silent(address: &Address, doing: &str, limit: std::time::Duration) -> Self {
        let message =
            format!("{doing}: Redis at {address} did not answer within {}; reconnecting", Language::current().duration(limit));
        Failed { maybe_executed: true, ..Failed::unsent(Error::new(ErrorKind::Unavailable, message)) }
    }

    /// An error of a call or of a connection attempt.
    pub(crate) fn redis(options: &Options, stage: Stage, doing: &str, error: &RedisError) -> Self {
        let (text, meaning) = match error.code() {
            Some(code) => {
                let reply = error.detail().map_or_else(|| code.to_owned(), |detail| format!("{code} {detail}"));
                let meaning = find(&reply, Context::new(options, stage));
                (readable(&reply, options), meaning)
            }
            None => (readable(&error.to_string(), options), of_connection(error)),
        };
        let Meaning { kind, effect, link, advice } = meaning;
        let advice = Language::current().text(advice);
        let message =
            format!("{doing} with Redis at {}: {text}{}{advice}", options.address, if advice.is_empty() { "" } else { ". " });
        Failed {
            error: Error::new(kind, message),
            maybe_executed: stage == Stage::Calling && effect != Nothing,
            disconnect: link == Drop,
            half_done: stage == Stage::Calling && effect == Half,
        }
    }
}

/// Characters of an error that are reported, at most.
const MAX_TEXT: usize = 240;

/// The text of the error without the arguments that it quotes from the command, which may contain a password, and without the line of the script.
fn readable(text: &str, options: &Options) -> String {
    let text = text
        .split_once(", with args beginning with")
        .or_else(|| text.split_once(" with args beginning with"))
        .map_or(text, |(own, _)| own);
    let text = text.rsplit_once(" script: ").filter(|(_, rest)| rest.contains("@user_script")).map_or(text, |(own, _)| own);
    // Some servers add long instructions.
    let sentences = text.char_indices().nth(MAX_TEXT).map_or(text, |(end, _)| {
        let cut = &text[..end];
        cut.rsplit_once(". ").map_or(cut, |(whole, _)| whole)
    });
    let mut text = sentences.trim_end_matches(['.', ' ', '\n']).to_owned();
    for secret in [&options.password, &options.sentinel_password].into_iter().flatten().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "***");
    }
    text
}

/// Which part of a call was executed although the reply is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    Nothing,
    /// Unknown: the reply is that of a proxy, which has lost the reply of Redis.
    Unknown,
    /// Redis stopped the script, and does not undo the changes that it made before.
    Half,
}
use Effect::{Half, Nothing, Unknown};

/// Whether the connection is usable after the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Keep,
    /// A new connection may reach another server, or be accepted.
    Drop,
}
use Link::{Drop, Keep};

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meaning {
    kind: ErrorKind,
    effect: Effect,
    link: Link,
    /// What to do; `{name}` is an option.
    advice: &'static str,
}

/// The circumstances on which the meaning of an error depends.
#[derive(Clone, Copy)]
struct Context {
    cluster: bool,
    password: bool,
    stage: Stage,
}

impl Context {
    fn new(options: &Options, stage: Stage) -> Self {
        Context { cluster: matches!(options.address, Address::Cluster(_)), password: options.password.is_some(), stage }
    }
}

/// Where a rule applies.
#[derive(Clone, Copy)]
enum Only {
    Always,
    InCluster,
    /// On a connection that was authenticated with a password.
    LoggedIn,
    AtSentinel,
}

/// One row of the table: error replies and their meaning. The first row that matches a reply applies.
struct Rule {
    only: Only,
    /// The first word of the reply is one of these; empty for any.
    codes: &'static [&'static str],
    /// The reply contains one of these texts; empty for any.
    texts: &'static [&'static str],
    meaning: Meaning,
}

const fn rule(
    only: Only,
    codes: &'static [&'static str],
    texts: &'static [&'static str],
    (kind, effect, link): (ErrorKind, Effect, Link),
    advice: &'static str,
) -> Rule {
    Rule { only, codes, texts, meaning: Meaning { kind, effect, link, advice } }
}

const AGAIN: &str = "Trying again";
const PASSWORD: &str = "Check {username} and {password}; if the password was changed, start the program with the new one";
const PERMISSION: &str = "Allow that user the command, on all keys that begin with the prefix of this cluster in braces";
const NODE_OF_CLUSTER: &str = "This is a node of a Redis Cluster: set {nodes}, or use a redis+cluster:// url";
const PROXY: &str = "The answer is from a proxy in front of Redis: check that it reaches Redis. Trying again";

/// Texts are those of Redis 6.2 to 8, Valkey 7.2 to 8, KeyDB 6.3, Dragonfly, twemproxy, predixy, Envoy, Codis, Redis Enterprise and hosted services.
#[rustfmt::skip]
static TABLE: &[Rule] = &[
    rule(Only::Always, &["SWARMPROTOCOL"], &[], (ErrorKind::ProtocolVersion, Nothing, Keep),
        "Newer members use this cluster: upgrade this one"),

    // Limits and access.
    rule(Only::Always, &["ERR"], &["max number of clients", "max concurrent connections"], (ErrorKind::TooManyClients, Nothing, Drop),
        "Raise `maxclients` of the server or proxy, or run fewer members: each has two connections. Trying again"),
    rule(Only::Always, &["DENIED"], &[], (ErrorKind::ProtectedMode, Nothing, Drop),
        "The server has no password and so accepts only connections from its own machine: set one there (`requirepass`) and set {password}, or set `protected-mode no` there if its network is safe"),
    // The reply to a long request on a connection that is not authenticated: the server rejects it before it reads the command.
    rule(Only::LoggedIn, &["NOAUTH", "ERR"], &["Authentication required", "unauthenticated multibulk length", "unauthenticated bulk length"],
        (ErrorKind::Unavailable, Nothing, Drop), "The server no longer knows the user of this connection; connecting and logging in again"),
    rule(Only::AtSentinel, &["NOAUTH", "WRONGPASS", "ERR"],
        &["Authentication required", "invalid username-password pair", "invalid password", "without any password", "no password is set", "operation not permitted"],
        (ErrorKind::AuthFailed, Nothing, Drop), "Check {sentinel_username} and {sentinel_password}"),
    rule(Only::Always, &["NOAUTH", "ERR"],
        &["Authentication required", "unauthenticated multibulk length", "unauthenticated bulk length", "operation not permitted"],
        (ErrorKind::AuthFailed, Nothing, Drop), "The server requires a password: set {password}, and {username} unless it is that of the user `default`"),
    rule(Only::Always, &["NOAUTH", "WRONGPASS"], &[], (ErrorKind::AuthFailed, Nothing, Drop), PASSWORD),
    rule(Only::Always, &["ERR"], &["invalid password", "invalid username-password pair", "unauthorized"], (ErrorKind::AuthFailed, Nothing, Drop), PASSWORD),
    rule(Only::Always, &["ERR"], &["without any password configured", "no password is set", "no username-password pair is set"],
        (ErrorKind::AuthFailed, Nothing, Drop), "The server has no password: leave {password} out, or set one on the server"),
    rule(Only::Always, &["ERR"], &["wrong number of arguments for 'auth' command"], (ErrorKind::AuthFailed, Nothing, Drop),
        "The server or proxy has a password but no users: leave {username} out"),
    rule(Only::Always, &["NOPERM"], &[], (ErrorKind::PermissionDenied, Nothing, Keep), PERMISSION),
    rule(Only::Always, &["ERR"], &["auth permission deny", "ERR no permission"], (ErrorKind::PermissionDenied, Nothing, Keep), PERMISSION),
    rule(Only::Always, &["ERR"], &["ACL failure in script", "The user executing the script"], (ErrorKind::PermissionDenied, Half, Keep), PERMISSION),
    rule(Only::Always, &["ERR"], &["DB index is out of range", "invalid DB index"], (ErrorKind::InvalidArgument, Nothing, Drop),
        "{db} exceeds the number of databases of the server (its setting `databases`)"),
    rule(Only::Always, &["ERR"], &["SELECT is not allowed in cluster mode"], (ErrorKind::WrongServer, Nothing, Drop),
        "A Redis Cluster has only database 0: leave {db} out, and set {nodes} or use a redis+cluster:// url"),

    rule(Only::Always, &["ERR"], &["Bad TLS header"], (ErrorKind::Tls, Nothing, Drop), "The server expects TLS: set {tls}, or use a rediss:// url"),

    // Temporary states of the server.
    rule(Only::Always, &["OOM"], &[], (ErrorKind::StoreFull, Nothing, Keep),
        "Redis reached `maxmemory`; nothing was added. Raise it, or let jobs finish"),
    rule(Only::Always, &["ERR"], &["Out of memory", "not enough memory"], (ErrorKind::StoreFull, Half, Keep),
        "The server has no memory left. Raise its limit, or let jobs finish"),
    rule(Only::Always, &["MISCONF"], &[], (ErrorKind::PersistenceFailed, Nothing, Keep),
        "Redis cannot write to its disk, and accepts no changes until it can: check its log, and whether its disk is full or its folder cannot be written. Trying again"),
    // The server may be a master that is cut off: a new connection finds out where the master is.
    rule(Only::Always, &["NOREPLICAS"], &[], (ErrorKind::NotEnoughReplicas, Nothing, Drop),
        "This server has fewer replicas than its setting `min-replicas-to-write` requires: bring them back, or lower it. Trying again"),
    rule(Only::Always, &["LOADING"], &[], (ErrorKind::Unavailable, Nothing, Keep), "Redis is reading its data from disk. Trying again"),
    rule(Only::Always, &["BUSY"], &[], (ErrorKind::Unavailable, Nothing, Keep),
        "A long script or module command of another program blocks Redis; `SCRIPT KILL` ends a script that has written nothing. Trying again"),
    rule(Only::Always, &["ERR"], &["Script killed by user", "Function killed by user"], (ErrorKind::Unavailable, Nothing, Keep), AGAIN),
    rule(Only::Always, &["NOSCRIPT"], &[], (ErrorKind::Unavailable, Nothing, Keep), AGAIN),
    rule(Only::Always, &["UNBLOCKED", "SHUTDOWN"], &[], (ErrorKind::Unavailable, Nothing, Drop), "Connecting again"),
    rule(Only::Always, &["ERR"], &["request limit exceeded", "requests limit exceeded"], (ErrorKind::Unavailable, Nothing, Keep),
        "The quota of this hosted service is used up"),

    // The server does not have the keys, or not any more.
    rule(Only::Always, &["READONLY", "REDIRECT"], &[], (ErrorKind::ReadOnlyReplica, Nothing, Drop),
        "This is a read-only replica: use the master's address, or Sentinel. Connecting again"),
    rule(Only::Always, &["MASTERDOWN", "NOMASTERLINK"], &[], (ErrorKind::Unavailable, Nothing, Drop),
        "This is a replica that has lost its master. Connecting again"),
    rule(Only::InCluster, &["MOVED"], &[], (ErrorKind::Unavailable, Nothing, Drop), "The hash slot moved to another node; connecting to it"),
    rule(Only::InCluster, &["ASK"], &[], (ErrorKind::Unavailable, Nothing, Drop), "The hash slot is moving to another node. Trying again"),
    rule(Only::Always, &["MOVED", "ASK"], &[], (ErrorKind::WrongServer, Nothing, Drop), NODE_OF_CLUSTER),
    rule(Only::Always, &["TRYAGAIN"], &[], (ErrorKind::Unavailable, Nothing, Keep), "The hash slot is moving to another node. Trying again"),
    rule(Only::Always, &["ERR"], &["accessed during rehashing of the slot", "access a non local key in a cluster node"],
        (ErrorKind::Unavailable, Half, Drop), "The hash slot is moving to another node. Connecting again"),
    rule(Only::Always, &["CLUSTERDOWN"], &[], (ErrorKind::Unavailable, Nothing, Drop), "Part of the Redis Cluster is down. Connecting again"),
    rule(Only::Always, &["ERR"], &["cluster is down", "access a slot not served", "Cluster is not yet configured"],
        (ErrorKind::Unavailable, Nothing, Drop), "Part of the Redis Cluster is down. Connecting again"),
    rule(Only::Always, &["CROSSSLOT"], &[], (ErrorKind::WrongServer, Nothing, Keep),
        "This server or proxy does not keep the keys of one hash tag, `{…}`, together: use one that does"),
    rule(Only::Always, &["ERR"], &["hash to the same slot"], (ErrorKind::WrongServer, Half, Keep),
        "This server or proxy does not keep the keys of one hash tag, `{…}`, together: use one that does"),
    rule(Only::Always, &["ERR"], &["cluster support disabled"], (ErrorKind::WrongServer, Nothing, Drop),
        "This is not a node of a Redis Cluster: set {host} and {port}, or use a redis:// url"),
    rule(Only::AtSentinel, &["ERR"], &["unknown command"], (ErrorKind::WrongServer, Nothing, Drop),
        "This is not a Sentinel: check {sentinels}, or set {host} and {port}"),
    rule(Only::Always, &["ERR"], &["undeclared key"], (ErrorKind::WrongServer, Half, Keep),
        "Dragonfly has to be started with `--default_lua_flags=allow-undeclared-keys`"),
    rule(Only::Always, &["ERR"], &["command called from script", "command called from Lua script", "not allowed from script"], (ErrorKind::WrongServer, Half, Keep),
        "This server lacks a command of Redis 6.2, or has renamed it"),
    rule(Only::Always, &["ERR", "unsupported", "invalid"],
        &["unknown command", "unsupported command", "unknow command", "is not allowed", "not supported", "invalid request", "forbid transaction"],
        (ErrorKind::WrongServer, Nothing, Drop),
        "The server, or a proxy before it, does not support this command: it has to be Redis 6.2 or newer, or Valkey, with scripts and streams, and no such command renamed"),
    rule(Only::Always, &["ERR"], &["max request size exceeded", "invalid bulk length", "invalid multibulk length", "too big mbulk count", "too big bulk count"],
        (ErrorKind::TooLarge, Nothing, Drop), "The server or proxy accepts only smaller requests (`proto-max-bulk-len`): add fewer or smaller jobs at once"),

    // Errors of a damaged store.
    rule(Only::Always, &["WRONGTYPE"], &[], (ErrorKind::StoreCorrupt, Half, Keep), "A key under this prefix belongs to another program: use another {prefix}"),

    // Proxies. twemproxy replies with the texts of errno.
    rule(Only::Always, &["ERR", "no"],
        &["no upstream host", "no server avaliable", "no server available", "no server connection avaliable", "no server connection available", "Connection refused",
            "Host is down", "No route to host", "Network is unreachable", "Failed to connect to node", "external authentication failed", "slot is not ready", "Failed to get node for query", "handle request, "],
        (ErrorKind::ProxyFailed, Nothing, Drop), PROXY),
    rule(Only::Always, &["EXECABORT"], &[], (ErrorKind::ProxyFailed, Nothing, Drop), PROXY),
    rule(Only::Always, &["ERR"],
        &["Connection timed out", "Connection reset by peer", "Operation timed out", "Broken pipe", "ERR Invalid argument", "server connection close", "deliver request fail",
            "handle response, ", "backend conn", "Cluster node disconnected", "Invalid reply format from cluster", "Proxy error", "proxy fail", "proxy error", "unavailable"],
        (ErrorKind::ProxyFailed, Unknown, Drop), PROXY),
];

/// The meaning of an error reply that matches no row. Codes of Redis are in capitals; other replies are those of proxies.
fn unlisted(reply: &Reply) -> Meaning {
    let (kind, effect, link, advice) = match reply.code {
        _ if reply.in_script => (ErrorKind::Internal, Half, Keep, ""),
        code if code.chars().all(|letter| letter.is_ascii_uppercase()) => (ErrorKind::Internal, Unknown, Keep, ""),
        _ => (ErrorKind::ProxyFailed, Unknown, Drop, PROXY),
    };
    Meaning { kind, effect, link, advice }
}

/// An error reply, parsed.
struct Reply<'a> {
    code: &'a str,
    text: &'a str,
    in_script: bool,
}

impl<'a> Reply<'a> {
    fn new(text: &'a str) -> Self {
        let outer = text.split(' ').next().unwrap_or_default();
        let in_script = text.contains("user_script:") || text.contains("Error running script");
        let inner = text.strip_prefix("ERR Error running script").and_then(inner_code);
        Reply { code: inner.unwrap_or(outer), text, in_script }
    }
}

/// The code in an error that Redis before version 7 wraps: `ERR Error running script (call to f_…): @user_script:4: @user_script: 4: -READONLY You
/// can't write …`, or `…: @user_script:4: WRONGTYPE Operation …`.
fn inner_code(text: &str) -> Option<&str> {
    let (_, at_line) = text.rsplit_once("@user_script:")?;
    let (_, own) = at_line.split_once(": ")?;
    let code = own.split(' ').next()?.trim_start_matches('-');
    (code.len() > 2 && code.chars().all(|letter| letter.is_ascii_uppercase())).then_some(code)
}

fn find(text: &str, context: Context) -> Meaning {
    let reply = Reply::new(text);
    row(&reply, context).map_or_else(|| unlisted(&reply), |rule| rule.meaning)
}

/// The row of the table that matches a reply.
fn row(reply: &Reply, context: Context) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| {
        let here = match rule.only {
            Only::Always => true,
            Only::InCluster => context.cluster,
            Only::LoggedIn => context.password && context.stage == Stage::Calling,
            Only::AtSentinel => context.stage == Stage::AskingSentinel,
        };
        here && (rule.codes.is_empty() || rule.codes.contains(&reply.code))
            && (rule.texts.is_empty() || rule.texts.iter().any(|part| reply.text.contains(part)))
    })
}

/// The meaning of a failed connection, or of received bytes that are no reply.
fn of_connection(error: &RedisError) -> Meaning {
    let (kind, advice) = match error.kind() {
        redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => (
            ErrorKind::WrongServer,
            "This does not look like a Redis server: check {host} and {port}, and whether it requires {tls}",
        ),
        _ if tls::is_cause(error) => (ErrorKind::Tls, tls::ADVICE),
        _ => (ErrorKind::Unavailable, "Check {host} and {port}, and that the server runs"),
    };
    Meaning { kind, effect: Unknown, link: Drop, advice }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libswarm_common::error::ErrorKind::*;

    fn failed(url: &str, settings: &[(&str, &str)], stage: Stage, reply: &str) -> Failed {
        let mut options = Options::new("mail");
        options.set("url", url).unwrap();
        settings.iter().for_each(|(name, value)| options.set(name, value).unwrap());
        let bytes = format!("-{reply}\r\n");
        let error = redis::parse_redis_value(bytes.as_bytes()).unwrap().extract_error().unwrap_err();
        Failed::redis(&options, stage, "add", &error)
    }

    /// Every error text, with what it means in answer to a call: kind, what was executed, and what becomes of the connection.
    #[rustfmt::skip]
    const REPLIES: &[(&str, ErrorKind, Effect, Link)] = &[
        // Redis.
        ("SWARMPROTOCOL 2", ProtocolVersion, Nothing, Keep),
        ("ERR max number of clients reached", TooManyClients, Nothing, Drop),
        ("ERR max number of clients + cluster connections reached", TooManyClients, Nothing, Drop),
        ("DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface.", ProtectedMode, Nothing, Drop),
        ("DENIED Redis is running in protected mode because protected mode is enabled, no bind address was specified, no authentication password is requested to clients.", ProtectedMode, Nothing, Drop),
        ("NOAUTH Authentication required.", AuthFailed, Nothing, Drop),
        ("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time", AuthFailed, Nothing, Drop),
        ("ERR Protocol error: unauthenticated multibulk length", AuthFailed, Nothing, Drop),
        ("ERR Protocol error: unauthenticated bulk length", AuthFailed, Nothing, Drop),
        ("WRONGPASS invalid username-password pair or user is disabled.", AuthFailed, Nothing, Drop),
        ("ERR invalid password", AuthFailed, Nothing, Drop),
        ("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?", AuthFailed, Nothing, Drop),
        ("ERR Client sent AUTH, but no password is set", AuthFailed, Nothing, Drop),
        ("ERR wrong number of arguments for 'auth' command", AuthFailed, Nothing, Drop),
        ("NOPERM this user has no permissions to run the 'evalsha' command or its subcommand", PermissionDenied, Nothing, Keep),
        ("NOPERM this user has no permissions to access one of the keys used as arguments", PermissionDenied, Nothing, Keep),
        ("NOPERM This user has no permissions to run the 'evalsha' command", PermissionDenied, Nothing, Keep),
        ("NOPERM User swarm has no permissions to run the 'evalsha' command", PermissionDenied, Nothing, Keep),
        ("NOPERM No permissions to access a key", PermissionDenied, Nothing, Keep),
        ("ERR no permission", PermissionDenied, Nothing, Keep),
        ("ERR ACL failure in script: User swarm has no permissions to run the 'xadd' command script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:12.", PermissionDenied, Half, Keep),
        ("ERR The user executing the script can't run this command or subcommand script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:12.", PermissionDenied, Half, Keep),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand ", PermissionDenied, Half, Keep),
        ("ERR DB index is out of range", InvalidArgument, Nothing, Drop),
        ("ERR invalid DB index", InvalidArgument, Nothing, Drop),
        ("ERR SELECT is not allowed in cluster mode", WrongServer, Nothing, Drop),
        ("OOM command not allowed when used memory > 'maxmemory'.", StoreFull, Nothing, Keep),
        ("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'", StoreFull, Nothing, Keep),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:1: @user_script: 1: -OOM command not allowed when used memory > 'maxmemory'. ", StoreFull, Nothing, Keep),
        ("MISCONF Redis is configured to save RDB snapshots, but it is currently not able to persist on disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.", PersistenceFailed, Nothing, Keep),
        ("MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.", PersistenceFailed, Nothing, Keep),
        ("MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: No space left on device", PersistenceFailed, Nothing, Keep),
        ("MISCONF Errors writing to the AOF file: No space left on device", PersistenceFailed, Nothing, Keep),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:1: @user_script: 1: -MISCONF Errors writing to the AOF file: No space left on device ", PersistenceFailed, Nothing, Keep),
        ("NOREPLICAS Not enough good replicas to write.", NotEnoughReplicas, Nothing, Drop),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:1: @user_script: 1: -NOREPLICAS Not enough good replicas to write. ", NotEnoughReplicas, Nothing, Drop),
        ("LOADING Redis is loading the dataset in memory", Unavailable, Nothing, Keep),
        ("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Unavailable, Nothing, Keep),
        ("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.", Unavailable, Nothing, Keep),
        ("BUSY Redis is busy running a module command.", Unavailable, Nothing, Keep),
        ("user_script:2624: Missing bytes in input.", Internal, Half, Keep),
        ("ERR Script killed by user with SCRIPT KILL... script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:3.", Unavailable, Nothing, Keep),
        ("NOSCRIPT No matching script. Please use EVAL.", Unavailable, Nothing, Keep),
        ("NOSCRIPT No matching script.", Unavailable, Nothing, Keep),
        ("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)", Unavailable, Nothing, Drop),
        ("UNBLOCKED client unblocked via CLIENT UNBLOCK", Unavailable, Nothing, Drop),
        ("READONLY You can't write against a read only replica.", ReadOnlyReplica, Nothing, Drop),
        ("READONLY You can't write against a read only slave.", ReadOnlyReplica, Nothing, Drop),
        ("READONLY Can not run script with write flag on readonly replica", ReadOnlyReplica, Nothing, Drop),
        ("ERR Error running script (call to f_71fe2e7962348b06aa8ce3e244cdb3f774b4f549): @user_script:4: @user_script: 4: -READONLY You can't write against a read only slave. ", ReadOnlyReplica, Nothing, Drop),
        ("REDIRECT 10.0.0.7:6379", ReadOnlyReplica, Nothing, Drop),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Unavailable, Nothing, Drop),
        ("MASTERDOWN Link with MASTER is down, replica-serve-stale-data is set to 'no' and 'allow-stale' flag is not set on the script.", Unavailable, Nothing, Drop),
        ("MOVED 3999 127.0.0.1:6381", WrongServer, Nothing, Drop),
        ("ASK 3999 127.0.0.1:6381", WrongServer, Nothing, Drop),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Unavailable, Nothing, Keep),
        ("ERR Unable to execute command 'hset' in script because undeclared keys were accessed during rehashing of the slot script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:9.", Unavailable, Half, Drop),
        ("ERR Script attempted to access a non local key in a cluster node script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:9.", Unavailable, Half, Drop),
        ("CLUSTERDOWN The cluster is down", Unavailable, Nothing, Drop),
        ("CLUSTERDOWN The cluster is down and only accepts read commands", Unavailable, Nothing, Drop),
        ("CLUSTERDOWN Hash slot not served", Unavailable, Nothing, Drop),
        ("ERR Script attempted to execute a command while the cluster is down script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:1.", Unavailable, Nothing, Drop),
        ("CROSSSLOT Keys in request don't hash to the same slot", WrongServer, Nothing, Keep),
        ("ERR Script attempted to access keys that do not hash to the same slot script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:1.", WrongServer, Half, Keep),
        ("ERR This instance has cluster support disabled", WrongServer, Nothing, Drop),
        ("ERR unknown command 'EVALSHA', with args beginning with: '4e6d8fc8' '12' ", WrongServer, Nothing, Drop),
        ("ERR unknown command `XREAD`, with args beginning with: `BLOCK`, `5000`, ", WrongServer, Nothing, Drop),
        ("ERR Unknown Redis command called from script script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:3.", WrongServer, Half, Keep),
        ("ERR This Redis command is not allowed from script script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:3.", WrongServer, Half, Keep),
        ("ERR Protocol error: invalid bulk length", TooLarge, Nothing, Drop),
        ("ERR Protocol error: invalid multibulk length", TooLarge, Nothing, Drop),
        ("WRONGTYPE Operation against a key holding the wrong kind of value", StoreCorrupt, Half, Keep),
        ("WRONGTYPE Operation against a key holding the wrong kind of value script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:3.", StoreCorrupt, Half, Keep),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:1: WRONGTYPE Operation against a key holding the wrong kind of value ", StoreCorrupt, Half, Keep),
        ("EXECABORT Transaction discarded because of previous errors.", ProxyFailed, Nothing, Drop),
        ("ERR user_script:31: attempt to index local 'entry' (a nil value) script: 4e6d8fc8bb01276962cce5371fa795a7763657ae, on @user_script:31.", Internal, Half, Keep),
        ("ERR Error running script (call to f_4e6d8fc8bb01276962cce5371fa795a7763657ae): @user_script:31: user_script:31: attempt to index local 'entry' (a nil value) ", Internal, Half, Keep),
        ("ERR syntax error", Internal, Unknown, Keep),
        ("ERR", Internal, Unknown, Keep),
        // Valkey.
        ("DENIED Running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface.", ProtectedMode, Nothing, Drop),
        ("LOADING Valkey is loading the dataset in memory", Unavailable, Nothing, Keep),
        ("BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", Unavailable, Nothing, Keep),
        ("MISCONF Valkey is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.", PersistenceFailed, Nothing, Keep),
        // KeyDB.
        ("DENIED KeyDB is running in protected mode because protected mode is enabled, no bind address was specified, no authentication password is requested to clients.", ProtectedMode, Nothing, Drop),
        ("SHUTDOWN PENDING", Unavailable, Nothing, Drop),
        // Dragonfly.
        ("LOADING Dragonfly is loading the dataset in memory", Unavailable, Nothing, Keep),
        ("ERR Out of memory", StoreFull, Half, Keep),
        ("ERR script tried accessing undeclared key", WrongServer, Half, Keep),
        ("ERR Cluster is not yet configured", Unavailable, Nothing, Drop),
        ("ERR unknown command `WAITAOF`", WrongServer, Nothing, Drop),
        ("ERR Bad TLS header, double check if you enabled TLS for your client.", Tls, Nothing, Drop),
        // Envoy.
        ("upstream failure", ProxyFailed, Unknown, Drop),
        ("no upstream host", ProxyFailed, Nothing, Drop),
        ("upstream protocol error", ProxyFailed, Unknown, Drop),
        ("downstream protocol error", ProxyFailed, Unknown, Drop),
        ("invalid request", WrongServer, Nothing, Drop),
        ("unsupported command 'xread'", WrongServer, Nothing, Drop),
        ("ERR external authentication failed", ProxyFailed, Nothing, Drop),
        ("ERR unauthorized", AuthFailed, Nothing, Drop),
        ("ERR Client sent AUTH, but no username-password pair is set", AuthFailed, Nothing, Drop),
        ("WRONGPASS invalid username-password pair", AuthFailed, Nothing, Drop),
        // twemproxy.
        ("ERR Connection refused", ProxyFailed, Nothing, Drop),
        ("ERR Host is down", ProxyFailed, Nothing, Drop),
        ("ERR Connection timed out", ProxyFailed, Unknown, Drop),
        ("ERR Connection reset by peer", ProxyFailed, Unknown, Drop),
        ("ERR Invalid argument", ProxyFailed, Unknown, Drop),
        // predixy.
        ("ERR unknown command", WrongServer, Nothing, Drop),
        ("ERR auth permission deny", PermissionDenied, Nothing, Keep),
        ("ERR no server avaliable", ProxyFailed, Nothing, Drop),
        ("ERR no server connection avaliable", ProxyFailed, Nothing, Drop),
        ("ERR server connection close", ProxyFailed, Unknown, Drop),
        ("ERR deliver request fail", ProxyFailed, Unknown, Drop),
        ("ERR forbid transaction in current server pool", WrongServer, Nothing, Drop),
        // Codis and redis-cluster-proxy.
        ("ERR handle response, backend conn reset", ProxyFailed, Unknown, Drop),
        ("ERR handle request, command 'EVALSHA' is not allowed", WrongServer, Nothing, Drop),
        ("ERR handle request, slot is not ready, may be offline", ProxyFailed, Nothing, Drop),
        ("ERR Cluster node disconnected: 10.0.0.7:6379", ProxyFailed, Unknown, Drop),
        ("ERR Failed to get node for query", ProxyFailed, Nothing, Drop),
        // Hosted services.
        ("ERR max concurrent connections exceeded", TooManyClients, Nothing, Drop),
        ("ERR max request size exceeded. Limit: 1048576 bytes, Actual: 1077906 bytes.", TooLarge, Nothing, Drop),
        ("ERR max daily request limit exceeded. Limit: 10000, Usage: 10000.", Unavailable, Nothing, Keep),
    ];

    #[test]
    fn each_error_text_has_its_meaning() {
        for (reply, kind, effect, link) in REPLIES {
            let failed = failed("redis://localhost", &[], Stage::Calling, reply);
            let seen = (failed.error.kind(), failed.maybe_executed, failed.half_done, failed.disconnect);
            assert_eq!(seen, (*kind, *effect != Nothing, *effect == Half, *link == Drop), "{reply}: {}", failed.error);
            let message = failed.error.message();
            assert!(message.starts_with("add with Redis at localhost:6379: "), "{message}");
            assert!(!message.contains('{') || message.contains("{…}"), "{message}");
            assert!(*kind == Internal || message.contains(". "), "it says what to do: {message}");
        }
        let context = Context { cluster: false, password: false, stage: Stage::Calling };
        let used: Vec<_> = REPLIES.iter().filter_map(|(reply, ..)| row(&Reply::new(reply), context)).collect();
        let unused: Vec<_> = TABLE
            .iter()
            .filter(|rule| matches!(rule.only, Only::Always) && !used.iter().any(|row| std::ptr::eq(*row, *rule)))
            .map(|rule| format!("{:?} {:?}", rule.codes, rule.texts))
            .collect();
        assert!(unused.is_empty(), "no text is tested of the rows {unused:?}");
    }

    #[test]
    fn nothing_is_executed_by_an_error_while_connecting() {
        for (reply, kind, ..) in REPLIES {
            let failed = failed("redis://localhost", &[], Stage::Connecting, reply);
            assert_eq!((failed.error.kind(), failed.maybe_executed, failed.half_done), (*kind, false, false), "{reply}");
        }
    }

    #[test]
    fn some_mean_something_else_elsewhere() {
        let kind = |url: &str, stage, reply: &str| failed(url, &[], stage, reply).error.kind();
        assert_eq!(kind("redis+cluster://a:1", Stage::Calling, "MOVED 3999 127.0.0.1:6381"), Unavailable);
        assert_eq!(kind("redis+cluster://a:1", Stage::Calling, "ASK 3999 127.0.0.1:6381"), Unavailable);
        // With a password, it is enough to connect again, once; if the password is no longer right, that is what connecting says.
        for reply in ["NOAUTH Authentication required.", "ERR Protocol error: unauthenticated multibulk length"] {
            let lost = failed("redis://:secret@a:1", &[], Stage::Calling, reply);
            assert_eq!((lost.error.kind(), lost.maybe_executed, lost.disconnect), (Unavailable, false, true), "{}", lost.error);
            assert_eq!(kind("redis://:secret@a:1", Stage::Connecting, reply), AuthFailed);
        }
        let sentinel = "redis+sentinel://a:1/main";
        for reply in ["NOAUTH Authentication required.", "WRONGPASS invalid username-password pair or user is disabled."] {
            let refused = failed(sentinel, &[], Stage::AskingSentinel, reply).error;
            assert!(refused.kind() == AuthFailed && refused.message().contains("sentinel_password"), "{refused}");
        }
        let other = failed(
            sentinel,
            &[],
            Stage::AskingSentinel,
            "ERR unknown command 'SENTINEL', with args beginning with: 'get-master-addr-by-name' ",
        );
        assert!(other.error.kind() == WrongServer && other.error.message().contains("not a Sentinel"), "{}", other.error);
    }

    #[test]
    fn arguments_that_an_error_of_redis_quotes_are_not_shown() {
        let quoted = failed(
            "redis://ann:hunter2@a",
            &[],
            Stage::Connecting,
            "ERR unknown command 'AUTH', with args beginning with: 'ann' 'hunter2' ",
        );
        assert!(
            quoted.error.message().contains("unknown command 'AUTH'. ") && !quoted.error.message().contains("hunter2"),
            "{}",
            quoted.error
        );
        let echoed = failed("redis://:hunter2@a", &[], Stage::Connecting, "ERR what is hunter2?");
        assert!(!echoed.error.message().contains("hunter2"), "{}", echoed.error);
    }
}
