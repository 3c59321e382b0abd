//! Commands that run on: they come back by themselves when Redis does.
#![allow(missing_docs)]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use support::{Redis, Running, at, end, program, swarm, until};

fn follower(redis: &Redis, args: &[&str]) -> Running {
    let mut command = at(redis);
    command.args(args);
    Running::start(command)
}

#[test]
fn events_are_followed_and_continued() {
    let redis = Redis::start();
    let mut events = follower(&redis, &["events", "--kind", "added"]);
    events.complains("Following");
    swarm(&redis, &["add", "work", "1", "--id", "a"]).ends_with(0);
    let line = events.line();
    assert!(line.contains("added") && line.contains("task=work"), "{line}");
    events.signal(Signal::INT);
    assert_eq!(events.wait(), 0);
    let note = events.complains("Continue with --after");
    let after = note.rsplit(' ').next().unwrap();

    swarm(&redis, &["add", "work", "1", "--id", "b"]).ends_with(0);
    let done = swarm(&redis, &["events", "--json", "--after", after, "--count", "1"]).ends_with(0).json();
    assert_eq!((&done["id"], &done["kind"]), (&"b".into(), &"added".into()));
    let done = swarm(&redis, &["events", "--json", "--after", "0", "--id", "a", "--count", "1"]).ends_with(0).json();
    assert_eq!(done["id"], "a");
}

#[test]
fn followers_come_back_when_redis_does() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let events = follower(&redis, &["events", "--json", "--timeout", "500ms"]);
    let top = follower(&redis, &["top", "--json", "--every", "200ms", "--timeout", "500ms"]);
    let counts = |line: &str| serde_json::from_str::<Value>(line).unwrap()["stats"]["added"].as_u64().unwrap();
    assert_eq!(counts(&top.line()), 0);
    // The follower is registered once an event comes.
    until("the first event", || {
        swarm(&redis, &["add", "work", "1"]).ends_with(0);
        swarm(&redis, &["events", "--json", "--after", "0", "--count", "1"]).code == 0
    });
    let first: Value = serde_json::from_str(&events.line()).unwrap();
    assert_eq!(first["kind"], "added");
    redis.kill();
    top.complains("refused");
    redis.run();
    until("both see a new job", || {
        swarm(&redis, &["add", "work", "1", "--id", "after"]).ends_with(0);
        serde_json::from_str::<Value>(&events.line()).unwrap()["id"] == "after"
    });
    until("top goes on", || counts(&top.line()) >= 2);
}

#[test]
fn a_follower_waits_for_a_redis_that_is_not_there_yet() {
    let mut redis = Redis::start();
    redis.kill();
    let mut command = at(&redis);
    command.args(["run", "work", "--", "sh", "-c", "echo 7"]);
    let mut worker = Running::start(command);
    worker.complains("connecting");
    let mut command = at(&redis);
    command.args(["events", "--timeout", "500ms"]);
    let events = Running::start(command);
    events.complains("waiting for Redis");
    redis.run();
    worker.complains("is ready");
    events.complains("Following");
    swarm(&redis, &["add", "work", "--wait"]).ends_with(0).prints("7");
    assert!(events.line().contains("added"));
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait(), 0);
}

#[test]
fn a_worker_that_is_refused_ends() {
    let redis = Redis::with(&["--requirepass", "hunter2"]);
    let mut worker = follower(&redis, &["run", "work", "--", "true"]);
    assert_eq!(worker.wait(), 4);
}

#[test]
fn up_runs_a_server_and_leaves_nothing_behind() {
    let mut command = program();
    let server = std::env::var("REDIS_SERVER").unwrap_or_default();
    let folder = std::env::temp_dir().join(format!("swarm-test-up-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    command.args(["up", "--json"]).env("SWARM_REDIS_SERVER", server).env("TMPDIR", &folder);
    let mut up = Running::start(command);
    let url = serde_json::from_str::<Value>(&up.line()).unwrap()["url"].as_str().unwrap().to_owned();
    let mut status = program();
    status.args(["--redis", &url, "--cluster", "c", "status"]);
    end(status).ends_with(0).prints("c on 127.0.0.1");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    up.signal(Signal::TERM);
    assert_eq!(up.wait(), 0);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    std::fs::remove_dir(&folder).unwrap();
    let mut again = program();
    again.args(["--redis", &url, "--cluster", "c", "status"]);
    end(again).ends_with(3);

    let mut missing = program();
    missing.args(["up"]).env("SWARM_REDIS_SERVER", "/no/such/server");
    end(missing).ends_with(2).complains("SWARM_REDIS_SERVER");
    let mut none = program();
    none.args(["up"]).env("PATH", "/nonexistent");
    end(none).ends_with(1).complains("apt-get install redis-server");
}

#[test]
fn completions_and_man_pages_are_made() {
    for shell in ["bash", "zsh", "fish"] {
        let mut command = program();
        command.args(["completions", shell]);
        end(command).ends_with(0).prints("set-slots");
    }
    let dir = std::env::temp_dir().join(format!("swarm-test-man-{}", std::process::id()));
    let mut command = program();
    command.arg("man").arg(&dir);
    end(command).ends_with(0).prints("Wrote");
    assert!(std::fs::read_to_string(dir.join("swarm-add.1")).unwrap().contains("backoff"));
    std::fs::remove_dir_all(&dir).unwrap();
}
