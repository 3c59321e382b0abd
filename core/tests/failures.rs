//! What is kept, reported and logged of executions that fail.
#![allow(missing_docs)]

mod support;

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use libswarm::log::{LogRecord, set_sink};
use libswarm::{Event, Finish, Job, JobError, JobState, MAX_TRACEBACK, Master, NewJob, Outcome, Payload, Worker};
use support::{Redis, next_event, next_job, soon, until};
use tokio::runtime::Handle;

fn started(redis: &Redis) -> (Master, Worker) {
    (Master::start(redis.options(), &Handle::current()).unwrap(), Worker::start(redis.options(), &Handle::current()).unwrap())
}

/// What is logged of the job with this id at a level that shows by default, once it is.
async fn logged(id: &str) -> LogRecord {
    record(&format!("job `{id}`"), |record| record.level <= 2).await
}

/// The first record with this text, once there is one.
async fn record(text: &str, wanted: fn(&LogRecord) -> bool) -> LogRecord {
    static RECORDS: OnceLock<&'static Mutex<Vec<LogRecord>>> = OnceLock::new();
    let records = *RECORDS.get_or_init(|| {
        let records: &'static Mutex<Vec<LogRecord>> = Box::leak(Box::default());
        set_sink(4, Some(Box::new(|record: &LogRecord| records.lock().unwrap().push(record.clone())))).unwrap();
        records
    });
    let mut found = None;
    until("a record", || {
        found = records.lock().unwrap().iter().find(|record| record.message.contains(text) && wanted(record)).cloned();
        found.is_some()
    })
    .await;
    found.unwrap()
}

#[tokio::test]
async fn the_end_of_a_long_traceback_is_kept_with_the_failed_job() {
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    master.add(NewJob::json(&1).unwrap().id("deep").result(true)).await.unwrap();
    let traceback = format!("{}last line", "é".repeat(MAX_TRACEBACK));
    next_job(&worker).await.fail(JobError::new("broken", traceback.clone())).await.unwrap();
    let job = soon("the job", master.job("deep")).await.unwrap().unwrap();
    let failure = job.failure.unwrap();
    assert_eq!((job.state, &*failure.message), (JobState::Failed, "broken"));
    let kept = failure.traceback.as_deref().unwrap();
    assert!(kept.len() <= MAX_TRACEBACK && kept.len() > MAX_TRACEBACK - 4, "{}", kept.len());
    assert!(traceback.ends_with(kept));
    let listed = soon("the failed", master.jobs(JobState::Failed, None, 10)).await.unwrap().jobs;
    assert_eq!(listed[0].failure.as_ref(), Some(&failure));
    // Whoever awaits it gets the message only.
    let outcome = soon("the outcome", master.result("deep")).await.unwrap();
    assert!(matches!(outcome, Outcome::Failed(failure) if failure.message == "broken"));
}

#[tokio::test]
async fn a_traceback_of_the_last_attempt_is_kept() {
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    master.add(NewJob::json(&1).unwrap().id("twice").retries(1)).await.unwrap();
    let first = next_job(&worker).await;
    first.retry(JobError::new("one", "at one"), Duration::ZERO).await.unwrap();
    next_job(&worker).await.retry(JobError::new("two", "at two"), Duration::ZERO).await.unwrap();
    let job = soon("the job", master.job("twice")).await.unwrap().unwrap();
    let failure = job.failure.unwrap();
    assert_eq!((&*failure.message, failure.traceback.as_deref()), ("two", Some("at two")));
}

#[tokio::test]
async fn accepted_outcomes_are_reported_to_a_program_that_subscribes_to_them() {
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    let run = async |id: &str, finish: fn() -> Finish| {
        master.add(NewJob::json(&1).unwrap().id(id).retries(u32::from(id == "again"))).await.unwrap();
        let job = next_job(&worker).await;
        worker.finish(job.fence, finish(), None);
        job
    };
    let reported = |job: Job, what: &'static str| {
        let worker = worker.clone();
        async move {
            next_event(&worker, what, |event| match event {
                Event::Completed { job } => Some((job.fence, "completed".to_owned())),
                Event::Failed { job, error } => Some((job.fence, format!("failed {error} {}", error.traceback))),
                Event::Retrying { job, error, delay } => Some((job.fence, format!("retrying {error} {}", delay.as_millis()))),
                _ => None,
            })
            .await
            .eq(&(job.fence, what.to_owned()))
        }
    };
    // Not subscribed: the next outcome reported is of a later job.
    run("silent", || Finish::Complete(Payload::default())).await;
    soon("accepted", async {
        while worker.health().finished < 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    worker.report_outcomes(true);
    let job = run("done", || Finish::Complete(Payload::default())).await;
    assert!(reported(job, "completed").await);
    let job = run("bad", || Finish::Fail(JobError::new("no", "here"))).await;
    assert!(reported(job, "failed no here").await);
    let job = run("again", || Finish::Retry("later".into(), Duration::from_secs(50))).await;
    assert!(reported(job, "retrying later 50000").await);
    let job = run("released", || Finish::Release).await;
    let again = next_job(&worker).await;
    assert_eq!(again.id, job.id);
    // A finish that Redis refuses is no outcome.
    master.delete("released").await.unwrap();
    next_event(&worker, "deletion", |event| matches!(event, Event::Delete { .. }).then_some(())).await;
    worker.finish(again.fence, Finish::Complete(Payload::default()), None);
    let job = run("last", || Finish::FailPermanently("end".into())).await;
    assert!(reported(job, "failed end ").await);
}

#[tokio::test]
async fn a_failure_is_logged_with_attempt_next_try_and_traceback() {
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    let _ = tokio::time::timeout(Duration::ZERO, logged("none")).await;
    worker.set_tasks(vec![String::new(), "mail".into()]).unwrap();
    master.add(NewJob::json(&1).unwrap().id("logged-fail")).await.unwrap();
    next_job(&worker).await.fail(JobError::new("ValueError: no", "Traceback:\n  line 3\n")).await.unwrap();
    let record = logged("logged-fail").await;
    assert_eq!((record.level, &*record.target), (1, "libswarm::jobs"));
    assert_eq!(record.message, "job `logged-fail` failed at attempt 1, no next try: ValueError: no\nTraceback:\n  line 3");
    master.add(NewJob::json(&1).unwrap().id("logged-retry").retries(1).task("mail")).await.unwrap();
    next_job(&worker).await.retry("busy", Duration::from_millis(2500)).await.unwrap();
    let record = logged("logged-retry").await;
    assert_eq!((record.level, &*record.target), (2, "libswarm::jobs"));
    assert_eq!(record.message, "job `logged-retry` of task `mail` failed at attempt 1, next try in 2500 ms: busy");
}

#[tokio::test]
async fn a_wait_for_a_job_that_no_worker_takes_is_explained_in_the_log() {
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    let _ = tokio::time::timeout(Duration::ZERO, logged("none")).await;
    soon("ready", worker.ready()).await.unwrap();
    let run = |id: &str, task: &str| {
        let (master, job) = (master.clone(), NewJob::json(&1).unwrap().id(id).task(task));
        tokio::spawn(async move { master.run(job).await })
    };
    let alone = run("unwanted", "mail");
    let taken = run("wanted", "");
    let job = next_job(&worker).await;
    let record = logged("unwanted").await;
    assert_eq!((record.level, &*record.target), (2, "libswarm::jobs"));
    for part in ["of task `mail`", "awaited for 10 s", "none of the 1 workers takes it", "jobs without a task", "rust on"] {
        assert!(record.message.contains(part), "{part} is not in: {}", record.message);
    }
    job.complete(Payload::default()).await.unwrap();
    soon("run", taken).await.unwrap().unwrap();
    // It still waits, and runs as soon as a worker takes it.
    worker.set_tasks(vec!["mail".into()]).unwrap();
    next_job(&worker).await.complete(Payload::default()).await.unwrap();
    soon("run", alone).await.unwrap().unwrap();
}

#[tokio::test]
async fn normal_operation_is_logged_at_level_debug() {
    let _ = tokio::time::timeout(Duration::ZERO, logged("none")).await;
    let redis = Redis::start();
    let (master, worker) = started(&redis);
    soon("ready", worker.ready()).await.unwrap();
    let incarnation = worker.incarnation().unwrap();
    // The numbers are of this test alone.
    master.add_many((0..17).map(|n| NewJob::json(&n).unwrap().retries(1)).collect()).await.unwrap();
    let mut jobs = Vec::new();
    for _ in 0..17 {
        jobs.push(next_job(&worker).await);
    }
    let finish = |(n, job): (usize, Job)| {
        let finish =
            if n < 13 { Finish::Complete(Payload::default()) } else { Finish::Retry("later".into(), Duration::from_secs(60)) };
        (job.fence, finish, None)
    };
    worker.finish_many(jobs.into_iter().enumerate().map(finish).collect());
    for text in ["added 17 jobs, 0 existed", "finished: 13 completed, 4 retried; 0 refused as no longer assigned"] {
        let record = record(text, |_| true).await;
        assert_eq!((record.level, &*record.target), (4, "libswarm::jobs"), "{text}");
    }
    let registered = format!("registered as worker {incarnation}");
    assert_eq!(record(&registered, |_| true).await.level, 4);
    soon("terminate", worker.terminate(Duration::ZERO)).await.unwrap();
    assert_eq!(record(&format!("{incarnation} has left"), |_| true).await.level, 4);
    assert!(record("assigned ", |_| true).await.level == 4);
}
