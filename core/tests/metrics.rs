//! Metrics: what happened to jobs, counted without keeping them.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use libswarm::{ErrorKind, Master, MetricsRow, NewJob, Payload, Resolution};
use support::{Redis, master, next_job, soon, until_counts, worker};

/// Samples of the text by name and labels.
async fn samples(master: &Master) -> BTreeMap<String, f64> {
    let text = master.metrics().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(name, value)| (name.to_owned(), value.parse().unwrap())).collect()
}

async fn count(master: &Master, task: &str, outcome: &str) -> u64 {
    let name = format!("swarm_jobs_total{{task=\"{task}\",outcome=\"{outcome}\"}}");
    samples(master).await.get(&name).map_or(0, |count| *count as u64)
}

fn job(task: &str) -> NewJob {
    NewJob::json(&1).unwrap().task(task)
}

/// The rows of the last and the next two hours.
async fn history(master: &Master, resolution: Resolution, task: Option<&str>) -> Vec<MetricsRow> {
    let (now, span) = (SystemTime::now(), Duration::from_secs(7200));
    master.metrics_history(resolution, now - span, now + span, task).await.unwrap()
}

#[tokio::test]
async fn each_finished_job_is_counted_by_task_and_outcome() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("task", ""), ("task", "mail")]).await);
    master.add_many((0..300).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    for _ in 0..300 {
        next_job(&worker).await.complete(Payload::default()).await.unwrap();
    }
    master.add(job("mail").retries(1)).await.unwrap();
    next_job(&worker).await.fail("once").await.unwrap();
    next_job(&worker).await.fail("twice").await.unwrap();
    master.add(job("mail").id("a")).await.unwrap();
    next_job(&worker).await.release().await.unwrap();
    let again = next_job(&worker).await;
    assert!(master.delete("a").await.unwrap());
    assert_eq!(again.complete(Payload::default()).await.unwrap_err().kind(), ErrorKind::JobDeleted);
    master.add(job("nobody").total_timeout(Duration::from_millis(1))).await.unwrap();
    until_counts(&master, "the timeout", |stats| stats.failures == 2).await;
    let mut counts = Vec::new();
    for task in ["", "mail", "nobody"] {
        for outcome in ["completed", "failed", "retried", "released", "deleted"] {
            counts.push(count(&master, task, outcome).await);
        }
    }
    assert_eq!(counts, [300, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 1, 0, 0, 0]);
    let shown = samples(&master).await;
    // Of `mail`, an attempt was retried and one failed; of the released execution and the deleted one no wait is counted.
    for (name, count) in [
        ("swarm_job_wait_seconds_count{task=\"\"}", 300.0),
        ("swarm_job_run_seconds_count{task=\"\"}", 300.0),
        ("swarm_job_run_seconds_bucket{task=\"\",le=\"+Inf\"}", 300.0),
        ("swarm_job_wait_seconds_count{task=\"mail\"}", 1.0),
        ("swarm_job_run_seconds_count{task=\"mail\"}", 3.0),
        ("swarm_job_run_seconds_count{task=\"nobody\"}", 0.0),
        ("swarm_jobs{state=\"failed\"}", 2.0),
        ("swarm_members{role=\"worker\"}", 1.0),
        ("swarm_members{role=\"master\"}", 1.0),
    ] {
        assert_eq!(shown.get(name), Some(&count), "{name}");
    }
    assert!(shown["swarm_redis_memory_bytes"] > 0.0 && shown["swarm_script_seconds_count"] > 0.0);
}

#[tokio::test]
async fn waits_begin_with_the_add_or_the_start_of_a_delayed_job_and_the_oldest_waiting_job_shows() {
    let redis = Redis::start();
    let pause = Duration::from_millis(300);
    let master = master(&redis);
    master.ready().await.unwrap();
    master.add_many(vec![job("now"), job("later").delay(pause)]).await.unwrap();
    soon("the oldest job is old", async {
        while samples(&master).await.get("swarm_oldest_waiting_seconds{task=\"now\"}").is_none_or(|age| *age < 0.6) {}
    })
    .await;
    let worker = worker(&redis, &[("task", "now"), ("task", "later")]).await;
    for _ in 0..2 {
        let job = next_job(&worker).await;
        let deadline = std::time::Instant::now() + Duration::from_millis(40);
        soon("the job runs for a while", async {
            while std::time::Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
        })
        .await;
        job.complete(Payload::default()).await.unwrap();
    }
    let rows = history(&master, Resolution::Hour, None).await;
    let of = |task: &str| rows.iter().find(|row| row.task == task).unwrap().counts.clone();
    let (now, later) = (of("now"), of("later"));
    let bounds = |histogram: &libswarm::Histogram| {
        let bucket = histogram.buckets.iter().position(|count| *count == 1).unwrap();
        (libswarm::Histogram::bound(bucket).unwrap() / 2, libswarm::Histogram::bound(bucket).unwrap())
    };
    assert!(bounds(&now.wait).1 >= 2 * pause, "{now:?}");
    assert!(bounds(&later.wait).0 < bounds(&now.wait).1, "{later:?}");
    assert!(later.wait.percentile(0.5).unwrap() < now.wait.percentile(0.5).unwrap() + Duration::from_millis(600));
    assert!(bounds(&now.run).1 >= Duration::from_millis(40) && bounds(&now.run).0 < 50 * Duration::from_millis(40));
    assert!(!samples(&master).await.contains_key("swarm_oldest_waiting_seconds{task=\"now\"}"));
}

#[tokio::test]
async fn tasks_after_the_first_hundred_are_counted_together() {
    let redis = Redis::start();
    let master = master(&redis);
    let ids: Vec<String> = (0..150).map(|n| format!("j{n}")).collect();
    let jobs = ids.iter().enumerate().map(|(n, id)| job(&format!("t{n}")).id(id)).collect();
    master.add_many(jobs).await.unwrap();
    master.delete_many(ids).await.unwrap();
    let total = async || {
        let counts = samples(&master).await;
        let of = |name: &String| name.starts_with("swarm_jobs_total") && name.ends_with("outcome=\"deleted\"}");
        counts.iter().filter(|(name, _)| of(name)).map(|(_, count)| *count as u64).collect::<Vec<_>>()
    };
    let before = total().await;
    assert_eq!((before.len(), before.iter().sum::<u64>(), *before.iter().max().unwrap()), (101, 150, 50));
    let rows = history(&master, Resolution::Minute, Some("other")).await;
    assert_eq!(rows.iter().map(|row| row.counts.deleted).sum::<u64>(), 50);
}

#[tokio::test]
async fn nothing_is_lost_or_counted_twice_when_minutes_are_added_up_or_redis_restarts() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    for n in 1..=3_u64 {
        master.add(NewJob::json(&n).unwrap()).await.unwrap();
        next_job(&worker).await.complete(Payload::default()).await.unwrap();
        // The present minute becomes an earlier one, which a member adds up.
        let now = redis.ask::<Vec<String>>(&["ZRANGE", "{test}:metric_minutes", "0", "-1"]);
        let minute: u64 = now.last().unwrap().parse().unwrap();
        let earlier = (minute - 60 * n).to_string();
        redis.ask::<redis::Value>(&["RENAME", &format!("{{test}}:metrics:{minute}"), &format!("{{test}}:metrics:{earlier}")]);
        redis.ask::<redis::Value>(&["ZADD", "{test}:metric_minutes", &earlier, &earlier]);
        redis.ask::<redis::Value>(&["ZREM", "{test}:metric_minutes", &minute.to_string()]);
        assert_eq!(count(&master, "", "completed").await, n);
        redis.kill();
        redis.run();
        soon("the minute is added up", async {
            while redis.try_ask(&["EXISTS", "{test}:metric_minutes"]) != Some(redis::Value::Int(0)) {
                let shown = master.metrics().await.map(drop);
                assert!(shown.is_ok() || shown.is_err_and(|error| error.kind().is_retryable()));
            }
        })
        .await;
        assert_eq!(count(&master, "", "completed").await, n);
    }
    let day = Duration::from_secs(86_400);
    let (now, mut rows) = (SystemTime::now(), Vec::new());
    for resolution in [Resolution::Minute, Resolution::Hour] {
        rows.push(master.metrics_history(resolution, now - day, now + day, None).await.unwrap());
    }
    for rows in &rows {
        assert_eq!(rows.iter().map(|row| row.counts.completed).collect::<Vec<_>>(), [1, 1, 1]);
        assert!(rows.windows(2).all(|pair| pair[0].start < pair[1].start));
        assert_eq!(rows.iter().map(|row| row.counts.run.count()).sum::<u64>(), 3);
    }
    let wrong = master.metrics_history(Resolution::Hour, now, now - day, None).await.unwrap_err();
    assert!(wrong.kind() == ErrorKind::InvalidArgument && wrong.message().contains("start is later than end"), "{wrong}");
}

#[tokio::test]
async fn damaged_counts_stop_no_job_and_slots_that_are_too_old_are_removed() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    let run = async || {
        master.add(NewJob::json(&1).unwrap()).await.unwrap();
        soon("the job runs", async { next_job(&worker).await.complete(Payload::default()).await }).await.unwrap();
    };
    run().await;
    let minutes: Vec<String> = redis.ask(&["ZRANGE", "{test}:metric_minutes", "0", "-1"]);
    let key = format!("{{test}}:metrics:{}", minutes[0]);
    let fields: Vec<String> = redis.ask(&["HKEYS", &key]);
    redis.ask::<redis::Value>(&["HSET", &key, &fields[0], "x", "?", "7"]);
    run().await;
    redis.ask::<redis::Value>(&["DEL", &key]);
    redis.ask::<redis::Value>(&["SET", &key, "7"]);
    run().await;
    for value in ["\u{1}", "\u{85}", ""] {
        redis.ask::<redis::Value>(&["HSET", "{test}:metrics", "total", value, "tasks", value, "m7", value, "h7", value]);
        run().await;
        master.metrics().await.unwrap();
    }
    // A minute that is over.
    redis.ask::<redis::Value>(&["HSET", "{test}:metrics:8", "c11", "5", "c", "5"]);
    redis.ask::<redis::Value>(&["ZADD", "{test}:metric_minutes", "8", "8"]);
    soon("the minute is added up", async {
        while redis.ask::<u64>(&["HEXISTS", "{test}:metrics", "m7"]) == 1 {
            run().await;
        }
    })
    .await;
    assert!(count(&master, "", "completed").await >= 5);
    master.obliterate().await.unwrap();
    assert_eq!(redis.ask::<Vec<String>>(&["KEYS", "{test}:metric*"]), [""; 0]);
}
