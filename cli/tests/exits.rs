//! Exit codes, and what is said of servers that are away or cannot be used.
#![allow(missing_docs)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;

use support::{Redis, end, program, swarm, url};

fn to(url: &str, args: &[&str]) -> support::Done {
    let mut command = program();
    command.args(["--redis", url, "--cluster", "test"]).args(args);
    end(command)
}

/// Every command that needs a server, with arguments that it accepts.
const COMMANDS: [&[&str]; 15] = [
    &["status"],
    &["jobs"],
    &["job", "x"],
    &["add", "work", "1"],
    &["cancel", "x", "--yes"],
    &["failed"],
    &["failed", "retry", "--yes"],
    &["schedules"],
    &["limits"],
    &["pause"],
    &["resume", "work"],
    &["drain", "x"],
    &["workers"],
    &["send", "1", "--all"],
    &["workers", "set-slots", "x", "1"],
];

#[test]
fn a_server_that_is_away_ends_with_3_and_no_password_is_shown() {
    for args in COMMANDS {
        let done = to("redis://user:hunter2@127.0.0.1:1", args).ends_with(3).complains("refused").complains("swarm doctor");
        assert!(!format!("{done:?}").contains("hunter2"), "{done:?}");
        assert!(done.out.is_empty(), "{done:?}");
    }
    let done = to("redis://127.0.0.1:1", &["--json", "status"]).ends_with(3);
    let error: serde_json::Value = serde_json::from_str(&done.err).unwrap();
    assert_eq!(error["error"], "UNAVAILABLE");
    to("redis://user:hunter2@127.0.0.1:1", &["doctor"]).ends_with(1).prints("error    address").prints("swarm up");
}

#[test]
fn wrong_arguments_end_with_2() {
    let redis = Redis::start();
    for (args, text) in [
        (&["frob"][..], "unrecognized subcommand"),
        (&["jobs", "--state", "lost"], "lost"),
        (&["jobs", "--limit", "0"], "0"),
        (&["add", "work", "no json"], "--text"),
        (&["add", "work", "1", "--priority", "high"], "priority"),
        (&["add", "work", "1", "--retries", "201"], "200"),
        (&["add", "work", "1", "--delay", "5"], "unit"),
        (&["add", "work", "1", "--run-at", "tomorrow"], "ms since 1970"),
        (&["add", "work", "1", "--weight", "2"], "group"),
        (&["events", "--after", "nowhere"], "after"),
        (&["limits", "set", "x", "--burst", "2"], "a rate, a concurrency or both"),
        (&["send", "1"], "--all"),
        (&["cancel", "x"], "add --yes"),
        (&["failed", "delete", "extra"], "extra"),
        (&["run", "work", "--", "/no/such/command"], "not found"),
        (&["top"], "terminal"),
        (&["--timeout", "1ms", "status"], "timeout"),
        (&["--redis", "http://u:hunter2@x", "status"], "url"),
        (&["--db=-1", "status"], "db"),
    ] {
        let done = swarm(&redis, args).ends_with(2).complains(text);
        assert!(!done.err.contains("hunter2"), "{done:?}");
    }
    let mut command = program();
    command.arg("status");
    end(command).ends_with(2).complains("SWARM_CLUSTER");
    let mut command = program();
    command.arg("--help");
    end(command).ends_with(0).prints("Exit codes");
    let mut command = program();
    command.arg("--version");
    end(command).ends_with(0).prints(libswarm::VERSION);
}

#[test]
fn a_job_that_does_not_exist_exits_with_1() {
    let redis = Redis::start();
    for (args, text) in [
        (&["job", "x"][..], "there is no job `x`"),
        (&["drain", "x"], "there is no worker `x`"),
        (&["schedules", "run", "x"], "there is no schedule `x`"),
        (&["schedules", "pause", "x"], "there is no schedule `x`"),
        (&["schedules", "resume", "x"], "there is no schedule `x`"),
        (&["schedules", "remove", "x", "--yes"], "there is no schedule `x`"),
        (&["limits", "remove", "x", "--yes"], "has no figures"),
        (&["workers", "pause", "x"], "there is no worker `x`"),
        (&["cancel", "x", "--yes"], "There is no job `x`"),
    ] {
        swarm(&redis, args).ends_with(1).complains(text);
    }
    swarm(&redis, &["failed", "retry", "--yes"]).ends_with(1).prints("No failed jobs.");
    swarm(&redis, &["send", "1", "--all"]).ends_with(1).prints("No recipient");
}

#[test]
fn servers_that_refuse_exit_with_4_and_the_doctor_shows_what_to_do() {
    let replica = Redis::with(&["--replicaof", "127.0.0.1 1"]);
    swarm(&replica, &["status"]).ends_with(4).complains("READ_ONLY_REPLICA");
    swarm(&replica, &["add", "work", "1"]).ends_with(4).complains("read-only replica");
    swarm(&replica, &["doctor"]).ends_with(1).prints("replica").prints("use the address of the master");

    let locked = Redis::with(&["--requirepass", "hunter2"]);
    let done = swarm(&locked, &["status"]).ends_with(4).complains("AUTH_FAILED");
    assert!(!done.err.contains("hunter2"));
    swarm(&locked, &["doctor"]).ends_with(1).prints("SWARM_REDIS_PASSWORD");
    let mut command = support::at(&locked);
    command.env("SWARM_REDIS_PASSWORD", "hunter2").arg("status");
    end(command).ends_with(0);

    let evicting = Redis::with(&["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"]);
    swarm(&evicting, &["status"]).ends_with(4).complains("EVICTION_POLICY");
    swarm(&evicting, &["doctor"]).ends_with(1).prints("error    eviction").prints("noeviction");
    swarm(&evicting, &["--eviction", "warn", "doctor"]).ends_with(0).prints("warning  eviction");

    let full = Redis::with(&["--maxmemory", "1"]);
    swarm(&full, &["add", "work", "1"]).ends_with(4).complains("STORE_FULL");
    swarm(&full, &["status"]).ends_with(0);
    swarm(&full, &["doctor"]).ends_with(1).prints("error    memory");
}

#[test]
fn a_cluster_of_a_newer_protocol_is_refused() {
    let redis = Redis::start();
    swarm(&redis, &["add", "work", "1"]).ends_with(0);
    redis.ask::<i64>(&["HSET", "{test}:meta", "protocol", "99"]);
    swarm(&redis, &["status"]).ends_with(4).complains("PROTOCOL_VERSION");
    swarm(&redis, &["doctor"]).ends_with(1).prints("error    protocol").prints("upgrade this program");
}

#[test]
fn a_server_that_is_too_old_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while connection.read(&mut bytes).is_ok_and(|length| length > 0) {
                    let info = "# Server\r\nredis_version:5.0.7\r\nredis_mode:standalone\r\nrole:master\r\n";
                    let answer = match bytes.windows(4).any(|word| word.eq_ignore_ascii_case(b"INFO")) {
                        true => format!("${}\r\n{info}\r\n", info.len()),
                        false => "-ERR unknown command\r\n".to_owned(),
                    };
                    if connection.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let url = format!("redis://127.0.0.1:{port}");
    to(&url, &["status"]).ends_with(4).complains("UNSUPPORTED_VERSION").complains("5.0.7");
    to(&url, &["doctor"]).ends_with(1).prints("5.0.7").prints("upgrade the server");
}

#[test]
fn a_server_that_hangs_ends_with_3_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let begun = std::time::Instant::now();
    to(&url, &["--timeout", "300ms", "status"]).ends_with(3).complains("UNAVAILABLE");
    to(&url, &["--timeout", "300ms", "doctor"]).ends_with(1).prints("error    address");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn an_acl_user_learns_which_permissions_are_missing() {
    let redis = Redis::start();
    let user = ["ACL", "SETUSER", "poor", "on", ">hunter2", "~{test}:*", "+@all", "-xadd", "-hincrby"];
    redis.ask::<()>(&user);
    let mut command = support::at(&redis);
    command.args(["--username", "poor", "doctor"]).env("SWARM_REDIS_PASSWORD", "hunter2");
    let done = end(command).ends_with(1).prints("error    permissions").prints("+hincrby +xadd");
    assert!(!format!("{done:?}").contains("hunter2"));
    assert!(url(&redis).starts_with("unix://"));
}
