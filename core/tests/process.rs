//! Handlers in Rust: how many run, and how they stop with their worker.
#![allow(missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libswarm::{Cluster, DEFAULT_CONCURRENCY, Job, JobState, Master, NewJob, Outcome, Worker};
use support::{Redis, soon};
use tokio::sync::{Notify, oneshot};

async fn started(redis: &Redis) -> (Master, Worker) {
    let mut cluster = Cluster::builder("test");
    for (name, value) in [("socket", redis.socket().to_str().unwrap()), ("lease", "2000")] {
        cluster = cluster.option(name, value);
    }
    let cluster = cluster.build().unwrap();
    (soon("master", cluster.master()).await.unwrap(), soon("worker", cluster.worker().start()).await.unwrap())
}

fn jobs(count: u32) -> Vec<NewJob> {
    (0..count).map(|n| NewJob::json(&n).unwrap()).collect()
}

#[tokio::test]
async fn a_worker_takes_no_jobs_before_it_has_a_handler_and_then_no_more_than_documented() {
    let redis = Redis::start();
    let (master, worker) = started(&redis).await;
    soon("add", master.add_many(jobs(50))).await.unwrap();
    assert_eq!(soon("stats", master.stats()).await.unwrap().active, 0);
    let (running, most, done) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let handler = {
        let (running, most, done) = (running.clone(), most.clone(), done.clone());
        move |_: Job| {
            let (running, most, done) = (running.clone(), most.clone(), done.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                done.notified().await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok::<_, String>(())
            }
        }
    };
    tokio::spawn(worker.process(handler).until(std::future::pending()));
    soon("ten run", async {
        while running.load(Ordering::SeqCst) < DEFAULT_CONCURRENCY {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // In Redis, too: others may have the rest.
    let stats = soon("stats", master.stats()).await.unwrap();
    assert_eq!((stats.active, stats.waiting), (10, 40));
    soon("all are completed", async {
        while master.stats().await.unwrap().completed < 50 {
            done.notify_one();
        }
    })
    .await;
    assert_eq!(most.load(Ordering::SeqCst), DEFAULT_CONCURRENCY);
}

#[tokio::test]
async fn a_panic_fails_the_job_with_its_text() {
    let redis = Redis::start();
    let (master, worker) = started(&redis).await;
    let handler = |job: Job| {
        let n: u32 = job.json().unwrap();
        assert!(n != 0, "before the future, {n}");
        async move {
            assert!(n != 1, "inside of it, {n}");
            Ok::<_, String>(n)
        }
    };
    tokio::spawn(worker.process(handler).until(std::future::pending()));
    for (n, text) in [(0, "the handler panicked: before the future, 0"), (1, "the handler panicked: inside of it, 1")] {
        let outcome = soon("outcome", master.run(NewJob::json(&n).unwrap())).await.unwrap();
        assert!(matches!(&outcome, Outcome::Failed(failure) if failure.message == text), "{outcome:?}");
    }
    let third = soon("the worker lives", master.run(NewJob::json(&2).unwrap())).await.unwrap();
    assert_eq!(third.json::<u32>().unwrap(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn until_returns_though_handlers_hang() {
    let redis = Redis::start();
    let (master, worker) = started(&redis).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(std::sync::Mutex::new(blocked));
    let handler = {
        let begun = begun.clone();
        move |job: Job| {
            let (begun, blocked) = (begun.clone(), blocked.clone());
            async move {
                begun.fetch_add(1, Ordering::SeqCst);
                if job.json::<u32>()? == 0 {
                    // Never comes to an await.
                    let _ = blocked.lock().unwrap().recv();
                }
                std::future::pending::<libswarm::Result<()>>().await
            }
        }
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let until = worker.process(handler).grace(Duration::from_millis(200)).until(async { stopped.await.unwrap_or(()) });
    let until = tokio::spawn(until);
    soon("add", master.add_many(jobs(2))).await.unwrap();
    soon("both run", async {
        while begun.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    let before = Instant::now();
    drop(stop);
    soon("until", until).await.unwrap().unwrap();
    assert!(before.elapsed() < Duration::from_secs(10), "{:?}", before.elapsed());
    // Both jobs are requeued.
    let waiting = soon("jobs", master.jobs(JobState::Waiting, None, 10)).await.unwrap().jobs;
    assert_eq!(waiting.len(), 2);
    drop(release);
}

#[tokio::test]
async fn jobs_that_finish_within_the_grace_of_terminate_count() {
    let redis = Redis::start();
    let (master, worker) = started(&redis).await;
    let handler = |job: Job| async move {
        // Asked to stop, and finishes in its own way.
        job.cancelled().await;
        if job.json::<u32>().unwrap() == 0 { Ok("completed") } else { Err("failed") }
    };
    let until = tokio::spawn(worker.process(handler).until(std::future::pending()));
    let runs: Vec<_> = (0..2)
        .map(|n| {
            let master = master.clone();
            tokio::spawn(async move { master.run(NewJob::json(&n).unwrap()).await })
        })
        .collect();
    soon("both are active", async { while master.stats().await.unwrap().active < 2 {} }).await;
    soon("terminate", worker.terminate(Duration::from_secs(20))).await.unwrap();
    soon("until", until).await.unwrap().unwrap();
    let mut outcomes = Vec::new();
    for run in runs {
        outcomes.push(soon("an outcome", run).await.unwrap().unwrap());
    }
    assert_eq!(outcomes[0].clone().json::<String>().unwrap(), "completed");
    assert!(matches!(&outcomes[1], Outcome::Failed(failure) if failure.message == "failed"), "{outcomes:?}");
}
