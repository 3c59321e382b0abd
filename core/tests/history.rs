//! Completed jobs that are kept, and logs of jobs.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, SystemTime};

use libswarm::{
    Backoff, ErrorKind, JobInfo, JobState, Limit, MAX_KEPT_RESULT, MAX_LOG_LINE, Master, NewJob, OnConflict, Payload, Unique,
    Until, Worker,
};
use support::{Redis, master, next_job, soon, until_counts, worker};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(600);

fn job(id: &str) -> NewJob {
    NewJob::bytes("payload").id(id)
}

fn json(value: &impl serde::Serialize) -> Payload {
    Payload::json(value).unwrap()
}

async fn complete(worker: &Worker, result: Payload) {
    next_job(worker).await.complete(result).await.unwrap();
}

async fn shown(master: &Master, id: &str) -> JobInfo {
    master.job(id).await.unwrap().unwrap_or_else(|| panic!("there is no job {id}"))
}

async fn completed(master: &Master) -> Vec<String> {
    let page = master.jobs(JobState::Completed, None, 100).await.unwrap();
    page.jobs.into_iter().map(|job| job.id).collect()
}

fn texts(info: &JobInfo) -> Vec<&str> {
    info.log.iter().map(|line| &*line.text).collect()
}

/// No log is left, and nothing was damaged.
async fn no_log_is_left(redis: &Redis, master: &Master) {
    let keys: Vec<String> = redis.ask(&["KEYS", "{test}:log*"]);
    assert!(keys.is_empty(), "{keys:?}");
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn by_default_nothing_is_kept_and_nothing_is_written() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    master.limit("api", Limit::concurrent(9)).await.unwrap();
    let all = [
        job("a"),
        job("b").resource("r"),
        job("c").limit("api"),
        job("d").unique("u"),
        job("e").result(true),
        job("f").retries(1),
    ];
    for one in all {
        let id = master.add(one).await.unwrap().id;
        complete(&worker, json(&1)).await;
        assert!(master.job(&id).await.unwrap().is_none(), "{id}");
    }
    assert!(completed(&master).await.is_empty());
    let keys: Vec<String> = redis.ask(&["KEYS", "{test}:*"]);
    assert!(!keys.iter().any(|key| key.contains(":completed") || key.contains(":log")), "{keys:?}");
    let set: Option<String> = redis.ask(&["HGET", "{test}:meta", "completed_max"]);
    assert_eq!(set, None);
}

#[tokio::test]
async fn a_cluster_keeps_completed_jobs_of_all_kinds() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "100")]).await);
    master.limit("api", Limit::concurrent(1)).await.unwrap();
    let all = [
        job("plain"),
        job("resource").resource("r"),
        job("limit").limit("api"),
        job("unique").unique("u"),
        job("result").result(true),
        job("timeout").run_timeout(LONG).total_timeout(LONG),
        job("progress"),
    ];
    let before = SystemTime::now() - SECOND;
    for one in all {
        let id = master.add(one).await.unwrap().id;
        let running = next_job(&worker).await;
        if id == "progress" {
            running.progress(&1).unwrap();
        }
        running.complete(json(&id)).await.unwrap();
        let info = shown(&master, &id).await;
        assert_eq!((info.state, &*info.payload.bytes, info.attempt), (JobState::Completed, &b"payload"[..], 1), "{id}");
        assert_eq!((info.result, info.result_omitted), (Some(json(&id)), false), "{id}");
        assert_eq!((info.fence, info.holder), (Some(running.fence), worker.incarnation()), "{id}");
        let (assigned, completed) = (info.assigned_at.unwrap(), info.completed_at.unwrap());
        assert!(before <= assigned && assigned <= completed + SECOND / 1000 && completed < before + 60 * SECOND, "{id}");
        assert!(info.failure.is_none() && info.progress.is_none() && info.log.is_empty());
    }
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.completed, stats.kept, stats.damaged), (7, 7, 0));
    // What they used is free.
    for one in [job("resource2").resource("r"), job("limit2").limit("api"), job("unique2").unique("u")] {
        assert!(!master.add(one).await.unwrap().existed);
        complete(&worker, json(&1)).await;
    }
    let due: Vec<String> = redis.ask(&["ZRANGE", "{test}:due", "0", "-1"]);
    assert!(!due.iter().any(|entry| entry.starts_with("T:") || entry.starts_with("E:") || entry.starts_with("J:")), "{due:?}");
}

#[tokio::test]
async fn attempts_are_counted_and_failures_are_not_kept_as_completed() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "100")]).await);
    master.add(job("a").retries(2)).await.unwrap();
    for _ in 0..2 {
        next_job(&worker).await.retry("not yet", Duration::ZERO).await.unwrap();
    }
    complete(&worker, json(&"at last")).await;
    let info = shown(&master, "a").await;
    assert_eq!((info.attempt, info.retries, info.result), (3, 2, Some(json(&"at last"))));
    master.add(job("b")).await.unwrap();
    next_job(&worker).await.fail("no").await.unwrap();
    assert_eq!((shown(&master, "b").await.state, completed(&master).await), (JobState::Failed, vec!["a".to_owned()]));
}

#[tokio::test]
async fn jobs_decide_for_themselves_whether_and_how_long_they_are_kept() {
    let redis = Redis::start();
    let (master, old) = (master(&redis), worker(&redis, &[]).await);
    master.add_many(vec![job("none"), job("short").keep_completed(SECOND / 10), job("long").keep_completed(LONG)]).await.unwrap();
    for number in 0..3 {
        complete(&old, json(&number)).await;
    }
    assert!(master.job("none").await.unwrap().is_none());
    assert_eq!(shown(&master, "long").await.result, Some(json(&2)));
    until_counts(&master, "the end of the short age", |stats| stats.kept == 1).await;
    assert_eq!(completed(&master).await, ["long"]);
    old.terminate(Duration::ZERO).await.unwrap();
    let worker = worker(&redis, &[("completed_max", "10")]).await;
    master.add_many(vec![job("not").keep_completed(Duration::ZERO), job("other")]).await.unwrap();
    for _ in 0..2 {
        complete(&worker, json(&0)).await;
    }
    assert_eq!(completed(&master).await, ["other", "long"]);
    let too_long = job("x").keep_completed(Duration::from_secs(11 * 365 * 86_400));
    assert_eq!(master.add(too_long).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_worker_learns_that_completed_jobs_are_kept_from_now_on() {
    let redis = Redis::start();
    let (master, old) = (master(&redis), worker(&redis, &[]).await);
    let _new = worker(&redis, &[("completed_max", "10"), ("slots", "1"), ("task", "other")]).await;
    soon("a result that is kept", async {
        loop {
            master.add(job("a")).await.unwrap();
            complete(&old, json(&7)).await;
            // Kept in any case, with its result as soon as the worker knows that.
            let info = shown(&master, "a").await;
            assert_eq!(info.result_omitted, info.result.is_none());
            if info.result == Some(json(&7)) {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn completed_jobs_are_bounded_in_number_age_and_bytes() {
    let redis = Redis::start();
    let master = master(&redis);
    let first = worker(&redis, &[("completed_max", "3")]).await;
    master.add_many((0..50).map(|number| job(&number.to_string())).collect()).await.unwrap();
    for number in 0..50 {
        complete(&first, json(&number)).await;
    }
    assert_eq!(completed(&master).await, ["49", "48", "47"]);
    assert_eq!(shown(&master, "47").await.result, Some(json(&47)));
    // Many in one round.
    master.add_many((0..500).map(|number| job(&number.to_string())).collect()).await.unwrap();
    let mut finishes = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let one = next_job(&first).await;
        finishes.spawn(async move { one.complete(json(&1)).await });
    }
    while let Some(finish) = finishes.join_next().await {
        finish.unwrap().unwrap();
    }
    assert_eq!(completed(&master).await.len(), 3);
    first.terminate(Duration::ZERO).await.unwrap();
    let second = worker(&redis, &[("completed_max", "100"), ("completed_max_bytes", "1048576")]).await;
    for number in 0..6 {
        master.add(NewJob::bytes(vec![b'x'; 300_000]).id(format!("big{number}"))).await.unwrap();
        complete(&second, json(&1)).await;
    }
    assert_eq!(completed(&master).await, ["big5", "big4", "big3"]);
    let bytes: u64 = redis.ask(&["HGET", "{test}:meta", "completed_bytes"]);
    assert!((900_000..=1_048_576).contains(&bytes), "{bytes}");
    second.terminate(Duration::ZERO).await.unwrap();
    let third = worker(&redis, &[("completed_ttl", "1000")]).await;
    master.add(job("brief")).await.unwrap();
    complete(&third, json(&1)).await;
    assert_eq!(master.stats().await.unwrap().kept, 4);
    until_counts(&master, "the end of the age", |stats| stats.kept == 3).await;
    assert_eq!(master.delete_completed(None).await.unwrap(), 3);
    let bytes: u64 = redis.ask(&["HGET", "{test}:meta", "completed_bytes"]);
    assert_eq!(bytes, 0);
}

#[tokio::test]
async fn results_of_more_than_64_kib_are_left_out() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "9")]).await);
    master.add_many(vec![job("fits"), job("long"), job("awaited").result(true), job("empty")]).await.unwrap();
    for size in [MAX_KEPT_RESULT, MAX_KEPT_RESULT + 1, MAX_KEPT_RESULT + 1, 0] {
        complete(&worker, Payload::bytes(vec![1; size])).await;
    }
    let length = |info: JobInfo| (info.result.map(|result| result.bytes.len()), info.result_omitted);
    assert_eq!(length(shown(&master, "fits").await), (Some(MAX_KEPT_RESULT), false));
    assert_eq!(length(shown(&master, "long").await), (None, true));
    assert_eq!(length(shown(&master, "awaited").await), (None, true));
    assert_eq!(length(shown(&master, "empty").await), (Some(0), false));
    let result = master.result("awaited").await.unwrap().into_result().unwrap();
    assert_eq!(result.bytes.len(), MAX_KEPT_RESULT + 1, "who awaits it gets it");
}

#[tokio::test]
async fn many_jobs_with_long_results_finish_at_once() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "1000")]).await);
    master.add_many((0..300).map(|number| job(&number.to_string())).collect()).await.unwrap();
    let mut finishes = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let one = next_job(&worker).await;
        finishes.spawn(async move { one.complete(Payload::bytes(vec![1; MAX_KEPT_RESULT])).await });
    }
    while let Some(finish) = finishes.join_next().await {
        finish.unwrap().unwrap();
    }
    assert_eq!(master.stats().await.unwrap().kept, 300);
    for id in ["0", "150", "299"] {
        assert_eq!(shown(&master, id).await.result.map(|result| result.bytes.len()), Some(MAX_KEPT_RESULT));
    }
}

#[tokio::test]
async fn pages_are_newest_first_and_bounded_in_bytes() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "1000")]).await);
    for number in 0..100 {
        master.add(job(&number.to_string())).await.unwrap();
        complete(&worker, Payload::bytes(vec![1; MAX_KEPT_RESULT])).await;
    }
    let (mut ids, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = master.jobs(JobState::Completed, after.as_deref(), 1000).await.unwrap();
        assert!(page.jobs.iter().all(|job| job.result.is_some() && job.state == JobState::Completed));
        assert!(page.jobs.len() <= 65, "{}", page.jobs.len());
        ids.extend(page.jobs.into_iter().map(|job| job.id));
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    let newest_first: Vec<String> = (0..100).rev().map(|number| number.to_string()).collect();
    assert_eq!((ids, pages), (newest_first, 2));
}

#[tokio::test]
async fn attached_jobs_and_jobs_of_flows_are_kept() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "9")]).await);
    let unique = || Unique { key: "u".into(), until: Until::End, on_conflict: OnConflict::Attach };
    master.add_many(vec![job("a").unique(unique()), job("b").unique(unique())]).await.unwrap();
    complete(&worker, json(&"both")).await;
    let (a, b) = (shown(&master, "a").await, shown(&master, "b").await);
    assert_eq!((a.result, b.result), (Some(json(&"both")), Some(json(&"both"))));
    assert_eq!((b.state, b.fence, b.assigned_at), (JobState::Completed, None, None), "it was never assigned");
    master.add_many(vec![job("first"), job("then").after(["first"])]).await.unwrap();
    complete(&worker, json(&1)).await;
    complete(&worker, json(&2)).await;
    assert_eq!(shown(&master, "first").await.result, Some(json(&1)));
    assert_eq!(shown(&master, "then").await.result, Some(json(&2)));
    // Its worker does not know that others wait for it.
    master.add(job("before")).await.unwrap();
    let before = next_job(&worker).await;
    master.add(job("behind").after(["before"]).keep_completed(Duration::ZERO)).await.unwrap();
    before.complete(json(&3)).await.unwrap();
    complete(&worker, json(&4)).await;
    assert_eq!(shown(&master, "before").await.result, Some(json(&3)));
    assert!(master.job("behind").await.unwrap().is_none());
}

#[tokio::test]
async fn an_id_that_is_added_again_is_a_new_job() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "9")]).await);
    master.add(job("a")).await.unwrap();
    let first = next_job(&worker).await;
    first.log("first");
    first.complete(json(&1)).await.unwrap();
    assert!(!master.add(job("a")).await.unwrap().existed);
    let info = shown(&master, "a").await;
    assert!(
        matches!(info.state, JobState::Waiting | JobState::Active) && info.result.is_none() && info.log.is_empty(),
        "{info:?}"
    );
    assert_eq!(completed(&master).await, ["a"], "the one before");
    complete(&worker, json(&2)).await;
    let info = shown(&master, "a").await;
    assert_eq!((info.result, info.log, completed(&master).await.len()), (Some(json(&2)), Vec::new(), 1));
}

#[tokio::test]
async fn kept_jobs_can_be_deleted() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("completed_max", "9")]).await);
    master.add_many(["a", "b", "c", "d"].map(job).into()).await.unwrap();
    for _ in 0..4 {
        complete(&worker, json(&1)).await;
    }
    assert_eq!(master.delete_completed(Some(&["a".into(), "x".into()])).await.unwrap(), 1);
    assert!(master.delete("b").await.unwrap() && !master.delete("b").await.unwrap());
    // The job with this id and the one before.
    master.add(job("c").task("nobody")).await.unwrap();
    assert!(master.delete("c").await.unwrap());
    assert!(master.job("c").await.unwrap().is_none());
    assert_eq!(completed(&master).await, ["d"]);
    assert_eq!(master.delete_many(vec!["x".into(), "d".into(), "d".into()]).await.unwrap(), [false, true, false]);
    assert!(completed(&master).await.is_empty());
    let bytes: u64 = redis.ask(&["HGET", "{test}:meta", "completed_bytes"]);
    assert_eq!(bytes, 0);
    master.add(job("d")).await.unwrap();
    complete(&worker, json(&1)).await;
    assert_eq!(master.delete_failed(None).await.unwrap(), 0);
    master.obliterate().await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "{test}:completed*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn a_log_is_shown_in_every_state_and_kept_over_attempts() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    master.add(job("a").retries(1).keep_completed(LONG)).await.unwrap();
    let first = next_job(&worker).await;
    first.log("one");
    first.log("two\nlines: ü");
    soon("the log", async {
        while shown(&master, "a").await.log.len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let info = shown(&master, "a").await;
    assert_eq!((info.state, texts(&info)), (JobState::Active, vec!["one", "two\nlines: ü"]));
    assert!(info.log[0].time <= info.log[1].time && info.log[1].time.elapsed().unwrap() < 20 * SECOND);
    first.log("three");
    first.retry("not yet", LONG).await.unwrap();
    let info = shown(&master, "a").await;
    assert_eq!((info.state, texts(&info).len()), (JobState::Delayed, 3));
    master.delete("a").await.unwrap();
    no_log_is_left(&redis, &master).await;
    master.add(job("a").retries(1).keep_completed(LONG)).await.unwrap();
    let first = next_job(&worker).await;
    first.log("one");
    first.fail_permanently("no").await.unwrap();
    let info = shown(&master, "a").await;
    assert_eq!((info.state, texts(&info)), (JobState::Failed, vec!["one"]));
    no_log_is_left(&redis, &master).await;
    assert_eq!(master.retry_failed(None).await.unwrap(), 1);
    let again = next_job(&worker).await;
    assert_eq!(texts(&shown(&master, "a").await), ["one"]);
    again.log("two");
    again.complete(json(&1)).await.unwrap();
    let info = shown(&master, "a").await;
    assert_eq!((info.state, texts(&info)), (JobState::Completed, vec!["one", "two"]));
    assert!(master.jobs(JobState::Completed, None, 9).await.unwrap().jobs[0].log.is_empty(), "pages leave logs out");
    no_log_is_left(&redis, &master).await;
}

#[tokio::test]
async fn no_log_outlives_its_job() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    master.limit("api", Limit::concurrent(9)).await.unwrap();
    let kinds = [
        job("plain"),
        job("resource").resource("r"),
        job("limit").limit("api"),
        job("result").result(true),
        job("unique").unique("u"),
    ];
    for one in kinds {
        master.add(one).await.unwrap();
        let running = next_job(&worker).await;
        running.log("started");
        running.complete(json(&1)).await.unwrap();
        no_log_is_left(&redis, &master).await;
    }
    master.add(job("deleted")).await.unwrap();
    let running = next_job(&worker).await;
    running.log("started");
    master.delete("deleted").await.unwrap();
    running.log("too late");
    running.stopped().await.unwrap();
    no_log_is_left(&redis, &master).await;
    master.add(job("late").run_timeout(SECOND / 20)).await.unwrap();
    let running = next_job(&worker).await;
    running.log("started");
    soon("the timeout", running.cancelled()).await;
    running.stopped().await.unwrap();
    assert_eq!(texts(&shown(&master, "late").await), ["started"]);
    master.delete_failed(None).await.unwrap();
    no_log_is_left(&redis, &master).await;
    // A job between attempts that another one replaces.
    let unique = || Unique { key: "u".into(), until: Until::End, on_conflict: OnConflict::Replace };
    master.add(job("old").unique(unique()).retries(1)).await.unwrap();
    let running = next_job(&worker).await;
    running.log("started");
    running.retry("not yet", LONG).await.unwrap();
    assert!(master.add(job("new").unique(unique())).await.unwrap().replaced);
    no_log_is_left(&redis, &master).await;
    next_job(&worker).await.complete(json(&1)).await.unwrap();
    master.add(job("gone").retries(1)).await.unwrap();
    let running = next_job(&worker).await;
    running.log("started");
    running.retry("not yet", LONG).await.unwrap();
    drop(worker);
    master.obliterate().await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "{test}:*log*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn a_log_outlives_a_crash_and_is_deleted_by_a_plain_completion_elsewhere() {
    let redis = Redis::start();
    let (master, first) = (master(&redis), worker(&redis, &[("slots", "1")]).await);
    for keep in [false, true] {
        let id = format!("{keep}");
        let one = job(&id);
        master.add(if keep { one.keep_completed(LONG) } else { one }).await.unwrap();
        let running = next_job(&first).await;
        running.log("before the crash");
        soon("the log", async {
            while shown(&master, &id).await.log.is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let second = worker(&redis, &[]).await;
        master.end_lease(&first.incarnation().unwrap()).await.unwrap();
        let again = next_job(&second).await;
        assert_eq!((again.crashes, texts(&shown(&master, &id).await)), (1, vec!["before the crash"]));
        again.complete(json(&1)).await.unwrap();
        no_log_is_left(&redis, &master).await;
        let kept = master.job(&id).await.unwrap().map(|info| info.log.len());
        assert_eq!(kept, keep.then_some(1));
        second.terminate(Duration::ZERO).await.unwrap();
        soon("the first worker again", async {
            while first.ready().await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_log_is_bounded_in_lines_and_their_length() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    master.add(job("a").keep_completed(LONG).retries(1)).await.unwrap();
    let running = next_job(&worker).await;
    (0..60).for_each(|number| running.log(number.to_string()));
    running.retry("not yet", Duration::ZERO).await.unwrap();
    let running = next_job(&worker).await;
    (60..1000).for_each(|number| running.log(number.to_string()));
    running.log("é".repeat(MAX_LOG_LINE));
    running.complete(json(&1)).await.unwrap();
    let info = shown(&master, "a").await;
    assert_eq!((info.log.len(), &*info.log[0].text, &*info.log[98].text), (100, "901", "999"));
    let last = &info.log[99].text;
    assert!(last.len() <= MAX_LOG_LINE && last.ends_with("é…"), "{}", last.len());
    // Many jobs with long logs end at once.
    master.add_many((0..200).map(|number| job(&number.to_string()).keep_completed(LONG)).collect()).await.unwrap();
    let mut finishes = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let running = next_job(&worker).await;
        finishes.spawn(async move {
            (0..100).for_each(|number| running.log(format!("{number} {}", "x".repeat(1000))));
            running.complete(json(&1)).await
        });
    }
    while let Some(finish) = finishes.join_next().await {
        finish.unwrap().unwrap();
    }
    for id in ["0", "77", "199"] {
        assert_eq!(shown(&master, id).await.log.len(), 100);
    }
    no_log_is_left(&redis, &master).await;
}

fn attempts(info: &JobInfo) -> Vec<(&str, &str)> {
    info.failed_attempts.iter().map(|attempt| (&*attempt.reason, &*attempt.error)).collect()
}

#[tokio::test]
async fn every_attempt_that_failed_is_shown_with_its_worker() {
    let redis = Redis::start();
    let (master, first) = (master(&redis), worker(&redis, &[]).await);
    let at_once = Backoff { delay: Duration::ZERO, ..Backoff::default() };
    let a = job("a").retries(3).backoff(at_once).run_timeout(Duration::from_millis(300)).keep_completed(LONG);
    master.add(a).await.unwrap();
    let failed = next_job(&first).await;
    let long = "é".repeat(2000);
    failed.fail(long.as_str()).await.unwrap();
    let timed_out = next_job(&first).await;
    soon("the end of its time", timed_out.cancelled()).await;
    timed_out.stopped().await.unwrap();
    let crashed = next_job(&first).await;
    assert_eq!(attempts(&shown(&master, "a").await).len(), 2);
    master.end_lease(&first.incarnation().unwrap()).await.unwrap();
    let second = worker(&redis, &[]).await;
    complete(&second, Payload::default()).await;

    let info = shown(&master, "a").await;
    let seen = attempts(&info);
    assert_eq!(seen.iter().map(|(reason, _)| *reason).collect::<Vec<_>>(), ["failed", "run_timeout", "crashed"]);
    assert_eq!(seen[0].1, format!("{}…", "é".repeat(MAX_LOG_LINE / 2 - 2)));
    let found = &info.failed_attempts;
    assert_eq!(found.iter().map(|one| one.fence).collect::<Vec<_>>(), [failed.fence, timed_out.fence, crashed.fence]);
    assert!(found.iter().all(|one| Some(&one.holder) == first.incarnation().as_ref()), "{found:?}");
    assert!(found.iter().all(|one| one.assigned_at <= one.failed_at), "{found:?}");
    assert!(found.windows(2).all(|two| two[0].failed_at <= two[1].failed_at), "{found:?}");
    assert_eq!((info.state, info.log.len()), (JobState::Completed, 0));
    no_log_is_left(&redis, &master).await;
}

#[tokio::test]
async fn the_only_attempt_of_a_failed_job_is_shown_also_after_it_is_retried() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    master.add(job("a")).await.unwrap();
    let one = next_job(&worker).await;
    one.fail("no").await.unwrap();
    let info = shown(&master, "a").await;
    assert_eq!((info.state, attempts(&info)), (JobState::Failed, vec![("failed", "no")]));
    assert_eq!(info.failed_attempts[0].fence, one.fence);
    assert_eq!(master.retry_failed(None).await.unwrap(), 1);
    let again = next_job(&worker).await;
    assert_eq!((again.attempt(), attempts(&shown(&master, "a").await)), (1, vec![("failed", "no")]));
    again.complete(Payload::default()).await.unwrap();
    no_log_is_left(&redis, &master).await;
}

#[tokio::test]
async fn a_crash_with_many_jobs_is_noted_in_none_of_them() {
    let redis = Redis::start();
    let master = master(&redis);
    for (count, noted) in [(100, true), (101, false)] {
        let worker = worker(&redis, &[("slots", "200")]).await;
        master.add_many((0..count).map(|_| NewJob::bytes("x")).collect()).await.unwrap();
        let mut last = next_job(&worker).await;
        for _ in 1..count {
            last = next_job(&worker).await;
        }
        master.end_lease(&worker.incarnation().unwrap()).await.unwrap();
        let info = shown(&master, &last.id).await;
        assert_eq!((info.crashes, info.failed_attempts.len()), (1, usize::from(noted)));
        drop(worker);
        let page = master.jobs(JobState::Waiting, None, 1000).await.unwrap();
        master.delete_many(page.jobs.into_iter().map(|job| job.id).collect()).await.unwrap();
    }
    no_log_is_left(&redis, &master).await;
}
