//! Commands that show a cluster, for people and as JSON.
#![allow(missing_docs)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use libswarm::{NewJob, Schedule, Timing};
use support::{Redis, Running, at, master, swarm, until, worker};

const SECRET: &str = "hunter2-payload";

#[test]
fn an_empty_cluster_is_reported() {
    let redis = Redis::start();
    swarm(&redis, &["status"]).ends_with(0).prints("waiting 0").prints("No members").prints("No jobs wait");
    swarm(&redis, &["jobs"]).ends_with(0).prints("No waiting jobs.");
    swarm(&redis, &["jobs", "--state", "failed"]).ends_with(0).prints("No failed jobs.");
    swarm(&redis, &["failed"]).ends_with(0).prints("No failed jobs.");
    swarm(&redis, &["schedules"]).ends_with(0).prints("No schedules.");
    swarm(&redis, &["limits"]).ends_with(0).prints("No limits are set.");
    swarm(&redis, &["workers"]).ends_with(0).prints("No workers.");
    swarm(&redis, &["doctor"]).ends_with(0).prints("ok       protocol").prints("ok       permissions");
    assert_eq!(swarm(&redis, &["status", "--json"]).json()["stats"]["members"], 0, "it does not count itself");
    assert_eq!(swarm(&redis, &["doctor", "--json"]).json()["errors"], 0);
}

#[test]
fn metrics_are_printed_and_served() {
    let redis = Redis::start();
    swarm(&redis, &["add", "mail", "1"]).ends_with(0);
    swarm(&redis, &["metrics"]).ends_with(0).prints("swarm_jobs{state=\"waiting\"} 1");
    let mut command = at(&redis);
    command.args(["metrics", "--listen", "127.0.0.1:0"]);
    let server = Running::start(command);
    let url = server.line();
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics");
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("text/plain; version=0.0.4"), "{answer}");
    assert!(answer.contains("swarm_jobs{state=\"waiting\"} 1"), "{answer}");
}

#[test]
fn jobs_are_listed_in_pages_and_filtered() {
    let redis = Redis::start();
    for number in 0..5 {
        let task = if number < 3 { "mail" } else { "pdf" };
        let id = format!("job-{number}");
        swarm(&redis, &["add", task, &format!("\"{SECRET}\""), "--id", &id, "--group", "eu", "--header", "trace=7"]).ends_with(0);
    }
    let done = swarm(&redis, &["jobs"]).ends_with(0).prints("job-0").prints("job-4").prints("GROUP").prints("eu");
    assert!(!done.out.contains(SECRET) && !done.out.contains("RESOURCE"), "{done:?}");
    swarm(&redis, &["jobs", "--payload"]).ends_with(0).prints(SECRET);

    let page = swarm(&redis, &["jobs", "--limit", "2", "--json"]).ends_with(0).json();
    assert_eq!(page["jobs"].as_array().unwrap().len(), 2);
    assert!(page["jobs"][0].get("payload").is_none());
    let mut seen = 2;
    let mut next = page["next"].as_str().map(str::to_owned);
    while let Some(after) = next {
        let page = swarm(&redis, &["jobs", "--limit", "2", "--json", "--after", &after]).ends_with(0).json();
        seen += page["jobs"].as_array().unwrap().len();
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, 5);
    swarm(&redis, &["jobs", "--limit", "2"]).ends_with(0).complains("--after");

    let ids = |args: &[&str]| {
        let found = swarm(&redis, &[&["jobs", "--json"], args].concat()).ends_with(0).json();
        found["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--task", "pdf"]), ["job-3", "job-4"]);
    assert_eq!(ids(&["--task", "pdf", "--id", "4"]), ["job-4"]);
    assert_eq!(ids(&["--header", "trace=7", "--group", "eu", "--task", "mail"]).len(), 3);
    assert!(ids(&["--header", "trace=8"]).is_empty());
    swarm(&redis, &["jobs", "--task", "none"]).ends_with(0).prints("None of 5 waiting jobs matches.");
    assert!(ids(&["--resource", "x"]).is_empty());
}

#[test]
fn one_job_is_shown_without_its_payload_unless_that_is_asked_for() {
    let redis = Redis::start();
    let payload = format!(r#"{{"key": "{SECRET}", "number": 12345678901234567890123}}"#);
    swarm(&redis, &["add", "work", &payload, "--id", "one", "--retries", "2", "--keep-completed", "1h"])
        .ends_with(0)
        .prints("one");
    for args in [&["job", "one"][..], &["job", "one", "--json"]] {
        let done = swarm(&redis, args).ends_with(0).prints("work");
        assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
    }
    swarm(&redis, &["job", "one"]).prints("attempt     1 of 3");
    swarm(&redis, &["job", "one", "--payload"]).ends_with(0).prints(SECRET);
    swarm(&redis, &["job", "one", "--payload", "--json"]).ends_with(0).prints("12345678901234567890123");

    let _worker = worker(&redis, &["--log"], "echo started >&2; echo '\"result-7\"'");
    until("it is completed", || swarm(&redis, &["job", "one"]).out.contains("completed"));
    let done = swarm(&redis, &["job", "one"]).ends_with(0).prints("assigned to").prints("log: started");
    assert!(!done.out.contains("result-7"));
    swarm(&redis, &["job", "one", "--payload"]).prints("result-7");
    assert!(swarm(&redis, &["job", "one", "--json"]).json().get("result").is_none());
}

#[test]
fn failed_jobs_are_grouped_by_error() {
    let redis = Redis::start();
    let worker = worker(&redis, &["--slots", "4"], "read x; echo \"cannot open $x\" >&2; echo detail $SWARM_JOB_ID >&2; exit 1");
    for number in 0..6 {
        swarm(&redis, &["add", "work", if number < 4 { "\"a\"" } else { "\"b\"" }]).ends_with(0);
    }
    until("all fail", || swarm(&redis, &["status", "--json"]).json()["stats"]["failed"] == 6);
    let done = swarm(&redis, &["failed"]).ends_with(0).prints("cannot open \"a\"").prints("cannot open \"b\"");
    assert!(done.out.lines().nth(1).unwrap().trim_start().starts_with('4'), "{done:?}");
    let groups = swarm(&redis, &["failed", "--json"]).ends_with(0).json()["groups"].clone();
    assert_eq!((&groups[0]["count"], &groups[1]["count"], &groups[0]["reason"]), (&4.into(), &2.into(), &"failed".into()));
    swarm(&redis, &["failed", "--error", "\"b\""]).ends_with(0).prints("\"b\"");
    swarm(&redis, &["failed", "--reason", "poison"]).ends_with(0).prints("None of 6 failed jobs matches.");
    swarm(&redis, &["jobs", "--state", "failed"]).ends_with(0).prints("cannot open");
    drop(worker);

    // Each action asks, and says how many it changed.
    swarm(&redis, &["failed", "retry", "--error", "\"b\""]).ends_with(2).complains("this would retry 2 failed jobs; add --yes");
    swarm(&redis, &["failed", "retry", "--error", "\"c\"", "--yes"]).ends_with(1).prints("nothing was changed");
    swarm(&redis, &["failed", "retry", "--error", "\"b\"", "--yes"]).ends_with(0).prints("Retried 2 jobs.");
    assert_eq!(swarm(&redis, &["failed", "delete", "--yes", "--json"]).ends_with(0).json()["deleted"], 4);
    swarm(&redis, &["failed"]).ends_with(0).prints("No failed jobs.");
}

#[tokio::test]
async fn schedules_are_listed_and_changed() {
    let redis = Redis::start();
    let master = master(&redis).await;
    let job = || NewJob::json("x").unwrap().task("report");
    master.schedule("nightly", Schedule::new(Timing::Cron("0 3 * * *".into())), job()).await.unwrap();
    master.schedule("often", Schedule::new(Timing::Every(Duration::from_secs(3600))), job()).await.unwrap();
    swarm(&redis, &["schedules"]).ends_with(0).prints("nightly").prints("0 3 * * *").prints("every 1h").prints("report");
    let list = swarm(&redis, &["schedules", "--json"]).ends_with(0).json();
    assert_eq!((&list["schedules"][0]["cron"], &list["schedules"][1]["every"]), (&"0 3 * * *".into(), &3_600_000.into()));
    swarm(&redis, &["schedules", "pause", "nightly"]).ends_with(0).prints("is paused");
    swarm(&redis, &["schedules"]).prints("paused");
    swarm(&redis, &["schedules", "resume", "nightly"]).ends_with(0).prints("is resumed");
    swarm(&redis, &["schedules", "run", "nightly"]).ends_with(0).prints("nightly@");
    swarm(&redis, &["schedules", "run", "nightly"]).ends_with(1).prints("No job was added");
    swarm(&redis, &["schedules", "remove", "nightly"]).ends_with(2).complains("--yes");
    swarm(&redis, &["schedules", "remove", "nightly", "--yes"]).ends_with(0).prints("is removed");
    assert_eq!(swarm(&redis, &["schedules", "--json"]).json()["schedules"].as_array().unwrap().len(), 1);
    master.close().await.unwrap();
}

#[test]
fn limits_are_listed_and_set() {
    let redis = Redis::start();
    swarm(&redis, &["limits", "set", "api", "--rate", "5", "--per", "1m", "--burst", "2"]).ends_with(0).prints("is set");
    swarm(&redis, &["limits", "set", "db", "--concurrency", "3"]).ends_with(0);
    swarm(&redis, &["limits", "set", "db", "--concurrency", "4"]).ends_with(0).prints("is changed");
    swarm(&redis, &["limits"]).ends_with(0).prints("5 per 1m, burst 2").prints("db");
    swarm(&redis, &["limits", "--name", "x"]).ends_with(0).prints("No limit matches.");
    let list = swarm(&redis, &["limits", "--json"]).ends_with(0).json();
    assert_eq!((&list["limits"][0]["rate"], &list["limits"][1]["concurrency"]), (&5.into(), &4.into()));
    swarm(&redis, &["limits", "remove", "db", "--yes"]).ends_with(0);
}

#[test]
fn the_doctor_names_what_keeps_jobs_waiting() {
    let redis = Redis::with(&["--appendonly", "yes"]);
    swarm(&redis, &["add", "mails", "1"]).ends_with(0);
    swarm(&redis, &["doctor"]).ends_with(0).prints("1 job waits for a worker").prints("append-only file");
    let _worker = worker(&redis, &[], "true");
    swarm(&redis, &["pause", "mails"]).ends_with(0);
    swarm(&redis, &["doctor"]).ends_with(0).prints("no worker takes jobs that wait: mails").prints("paused: mails");
    redis.ask::<i64>(&["HSET", "{test}:jobs", "broken", "nonsense"]);
    redis.ask::<i64>(&["HSET", "{test}:failed", "broken", "nonsense"]);
    swarm(&redis, &["jobs"]).ends_with(0);
    swarm(&redis, &["failed"]).ends_with(0);
    swarm(&redis, &["job", "broken"]).ends_with(0);
    // Keys of another kind are removed, and what can be read is shown.
    for key in ["{test}:failed", "{test}:index", "{test}:delayed"] {
        redis.ask::<i64>(&["DEL", key]);
        redis.ask::<()>(&["SET", key, "junk"]);
        swarm(&redis, &["status"]).ends_with(0).prints("paused      mails");
    }
    swarm(&redis, &["doctor"]).ends_with(0).prints("warning  damage");
}

#[test]
fn control_characters_of_others_do_not_reach_the_terminal() {
    let redis = Redis::start();
    let _worker = worker(&redis, &[], "printf 'bad \\033[31m\\n' >&2; exit 1");
    swarm(&redis, &["add", "work", "\"\\u001b[31m\"", "--id", "x", "--header", "a=\u{1b}[31m"]).ends_with(0);
    until("it fails", || swarm(&redis, &["status", "--json"]).json()["stats"]["failed"] == 1);
    for args in [&["failed"][..], &["jobs", "--state", "failed", "--payload"], &["job", "x", "--payload"]] {
        let done = swarm(&redis, args).ends_with(0);
        assert!(!done.out.contains('\u{1b}'), "{done:?}");
    }
    assert!(swarm(&redis, &["status", "--color", "always"]).out.contains("\u{1b}[1m"));
}
