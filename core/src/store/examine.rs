//! A look at a server without using it: for diagnoses.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::{Cmd, FromRedisValue, Value};

use super::failure::{Failed, Stage};
use super::keys::Keys;
use super::link::{self, Connection};
use crate::config::options::Options;
use crate::model::server::ServerInfo;
use libswarm_common::error::Result;

const PINGS: usize = 5;

/// The commands that libswarm calls, itself or in scripts, with as many arguments as each needs. `K` is a key. The same are in
/// docs/guides/operations.md.
const COMMANDS: [&str; 63] = [
    "evalsha 0 0",
    "eval 0 0",
    "xread STREAMS K 0",
    "info",
    "ping",
    "select 0",
    "hget K a",
    "hset K a b",
    "hsetnx K a b",
    "hmget K a",
    "hdel K a",
    "hexists K a",
    "hlen K",
    "hgetall K",
    "hscan K 0",
    "hrandfield K",
    "hstrlen K a",
    "hvals K",
    "hkeys K",
    "hincrby K a 1",
    "sadd K a",
    "srem K a",
    "spop K",
    "scard K",
    "smembers K",
    "sismember K a",
    "smismember K a",
    "srandmember K",
    "sscan K 0",
    "zadd K 1 a",
    "zrem K a",
    "zrange K 0 1",
    "zrevrange K 0 1",
    "zrangebyscore K 0 1",
    "zscore K a",
    "zmscore K a",
    "zcard K",
    "zpopmin K",
    "zcount K 0 1",
    "zrandmember K",
    "zrank K a",
    "zrevrank K a",
    "zscan K 0",
    "zremrangebyrank K 0 1",
    "lpush K a",
    "rpush K a",
    "lpop K",
    "llen K",
    "lrange K 0 1",
    "lindex K 0",
    "lset K 0 a",
    "lpos K a",
    "rpop K",
    "xadd K * a b",
    "xlen K",
    "xrange K - +",
    "xtrim K MAXLEN 1",
    "unlink K",
    "exists K",
    "time",
    "get K",
    "set K a",
    "type K",
];

/// Connects, and asks the server for what can be known without a change.
pub(crate) async fn examine(options: &Options) -> Result<ServerInfo> {
    let limit = options.timeout;
    let looked = async {
        let keys = Keys::new(options.key_prefix());
        let (mut connection, info, checked) = link::connect_unchecked(options, keys.slot(), limit).await?;
        let mut server = of_info(options, &info);
        match checked {
            Ok(usable) => server.warnings = usable.warnings,
            Err(error) => server.refusal = Some(error),
        }
        (server.round_trip, server.clock_ahead_ms) = measure(options, &mut connection).await?;
        let settings = ask::<HashMap<String, String>>(&mut connection, &["CONFIG", "GET", "appendfsync"]).await;
        server.append_fsync = settings.and_then(|mut settings| settings.remove("appendfsync"));
        let settings = ask::<HashMap<String, String>>(&mut connection, &["CONFIG", "GET", "save"]).await;
        server.snapshots = settings.and_then(|mut settings| settings.remove("save"));
        server.denied = denied(&mut connection, keys.due()).await;
        Ok(server)
    };
    match tokio::time::timeout(limit, looked).await {
        Ok(looked) => looked.map_err(|failed: Failed| failed.error),
        Err(_) => Err(link::too_slow(options, limit)),
    }
}

fn of_info(options: &Options, info: &str) -> ServerInfo {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let text = |name: &str| field(name).unwrap_or_default().to_owned();
    let number = |name: &str| field(name).and_then(|value| value.parse::<u64>().ok());
    let name = field("server_name").unwrap_or("redis").to_owned();
    ServerInfo {
        address: options.address.to_string(),
        version: field(&format!("{name}_version")).map_or_else(|| text("redis_version"), str::to_owned),
        name,
        mode: text("redis_mode"),
        role: text("role"),
        used_memory: number("used_memory").unwrap_or(0),
        max_memory: number("maxmemory").filter(|bytes| *bytes > 0),
        eviction_policy: text("maxmemory_policy"),
        append_only: field("aof_enabled") == Some("1"),
        save_failed: ["rdb_last_bgsave_status", "aof_last_write_status"].iter().any(|name| field(name) == Some("err")),
        clients: number("connected_clients").unwrap_or(0),
        max_clients: number("maxclients"),
        ..ServerInfo::default()
    }
}

/// The median of the round trips, and the difference of the clocks in ms, unless the server refuses to state its time.
async fn measure(options: &Options, connection: &mut Connection) -> Result<(Duration, Option<i64>), Failed> {
    let mut trips: Vec<(Duration, Option<i64>)> = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let begun = Instant::now();
        let before = since_1970();
        let answer = connection.send_packed_command(&words(&["TIME"])).await;
        let trip = begun.elapsed();
        let answer = answer.or_else(|error| match error.code() {
            Some(_) => Ok(Value::Nil),
            None => Err(Failed::redis(options, Stage::Calling, "asking for the time", &error)),
        })?;
        let ahead = redis::from_redis_value::<(u64, u64)>(answer).ok().map(|(seconds, micros)| {
            let theirs = Duration::from_secs(seconds) + Duration::from_micros(micros);
            theirs.as_millis() as i64 - (before + trip / 2).as_millis() as i64
        });
        trips.push((trip, ahead));
    }
    trips.sort();
    // The fastest one is the most exact.
    Ok((trips[PINGS / 2].0, trips[0].1))
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Commands that the user may not call.
async fn denied(connection: &mut Connection, key: &str) -> Option<Vec<String>> {
    let user: String = ask(connection, &["ACL", "WHOAMI"]).await?;
    let questions = COMMANDS.iter().map(|command| {
        let mut connection = (**connection).clone();
        let mut question = words(&["ACL", "DRYRUN", &user]);
        for word in command.split(' ') {
            question.arg(if word == "K" { key } else { word });
        }
        let name = command.split(' ').next().unwrap_or_default();
        async move { (name, connection.send_packed_command(&question).await.and_then(Value::extract_error)) }
    });
    let mut denied = Vec::new();
    for (name, answer) in futures_util::future::join_all(questions).await {
        match answer {
            Ok(Value::Okay) => {}
            Ok(_) => denied.push(name.to_owned()),
            Err(_) => return None,
        }
    }
    Some(denied)
}

/// The reply to a command that the server may refuse.
async fn ask<T: FromRedisValue>(connection: &mut Connection, question: &[&str]) -> Option<T> {
    let answer = connection.send_packed_command(&words(question)).await.and_then(Value::extract_error).ok()?;
    redis::from_redis_value(answer).ok()
}

fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_grants_the_commands_that_are_looked_for() {
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guides/operations.md")).unwrap();
        let block = guide.split("ACL SETUSER swarm").nth(1).unwrap().split("```").next().unwrap();
        let mut granted: Vec<&str> = block.split_whitespace().filter_map(|word| word.strip_prefix('+')).collect();
        let mut known: Vec<&str> = COMMANDS.iter().filter_map(|command| command.split(' ').next()).collect();
        granted.sort_unstable();
        known.sort_unstable();
        assert_eq!(granted, known);
    }
}
