//! Jobs of a worker in batches.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use libswarm::{BatchBy, Batching, Error, ErrorKind, Job, Master, NewJob, Outcome, Payload, Worker};
use support::{Redis, soon, until};
use tokio::runtime::Handle;

const LONG: Duration = Duration::from_secs(60);

async fn start(redis: &Redis, tasks: &[&str]) -> (Master, Worker) {
    let mut options = redis.options();
    options.set("auto_accept", "false").unwrap();
    tasks.iter().for_each(|task| options.set("task", task).unwrap());
    let worker = Worker::start(options, &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    (Master::start(redis.options(), &Handle::current()).unwrap(), worker)
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.id.as_str()).collect()
}

async fn add(master: &Master, ids: &[&str], task: &str) {
    master.add_many(ids.iter().map(|id| NewJob::bytes("").id(*id).task(task)).collect()).await.unwrap();
}

#[tokio::test]
async fn a_batch_has_the_jobs_of_one_task_that_are_there() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &["", "a"]).await;
    add(&master, &["1", "2", "3", "4"], "").await;
    add(&master, &["5"], "a").await;
    let mut batches = worker.batches(Batching::new(3).wait(Duration::from_millis(200))).unwrap();
    let full = soon("a full batch", batches.next()).await.unwrap();
    assert_eq!(ids(&full), ["1", "2", "3"]);
    assert_eq!(ids(&soon("the rest", batches.next()).await.unwrap()), ["4"]);
    assert_eq!(ids(&soon("the other task", batches.next()).await.unwrap()), ["5"]);
    full[0].complete(Payload::default()).await.unwrap();
    full[1].fail("no").await.unwrap();
    full[2].release().await.unwrap();
    assert_eq!(ids(&soon("what was released", batches.next()).await.unwrap()), ["3"]);
    worker.terminate(Duration::ZERO).await.unwrap();
    assert!(soon("the end", batches.next()).await.is_none());
}

#[tokio::test]
async fn a_batch_by_group_has_the_jobs_of_one_group_and_task() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &["", "a"]).await;
    let jobs = [("1", "", "x"), ("2", "", "y"), ("3", "a", "x"), ("4", "", ""), ("5", "", "x"), ("6", "", ""), ("7", "", "y")];
    let job = |(id, task, group): &(&str, &str, &str)| NewJob::bytes("").id(*id).task(*task).group(*group);
    master.add_many(jobs.iter().map(job).collect()).await.unwrap();
    let mut batches = worker.batches(Batching::new(2).wait(Duration::from_millis(500)).by(BatchBy::Group)).unwrap();
    let mut full = Vec::new();
    for _ in 0..3 {
        full.push(ids(&soon("a full batch", batches.next()).await.unwrap()).join(","));
    }
    full.sort();
    assert_eq!(full, ["1,5", "2,7", "4,6"]);
    assert_eq!(ids(&soon("the rest", batches.next()).await.unwrap()), ["3"]);
}

#[tokio::test]
async fn the_first_job_waits_for_others_unless_it_is_deleted() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &[]).await;
    let mut batches = worker.batches(Batching::new(2).wait(LONG)).unwrap();
    add(&master, &["deleted"], "").await;
    until("it waits", || worker.health().active == 1).await;
    // Takes the job, and is dropped while it waits.
    assert!(tokio::time::timeout(Duration::from_millis(50), batches.next()).await.is_err());
    assert!(master.delete("deleted").await.unwrap());
    add(&master, &["1", "2"], "").await;
    assert_eq!(ids(&soon("the others", batches.next()).await.unwrap()), ["1", "2"]);
    soon("it has stopped", async { while master.stats().await.unwrap().deleting > 0 {} }).await;
}

#[tokio::test]
async fn a_draining_worker_requeues_jobs_that_wait_for_a_full_batch() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &["", "a"]).await;
    let mut batches = worker.batches(Batching::new(2).wait(LONG)).unwrap();
    add(&master, &["1"], "").await;
    add(&master, &["2"], "a").await;
    until("both wait", || worker.health().active == 2).await;
    let (drained, none) =
        tokio::join!(soon("the drain", worker.drain()), tokio::time::timeout(Duration::from_millis(500), batches.next()));
    drained.unwrap();
    assert!(none.is_err());
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.completed), (2, 0, 0));
}

#[tokio::test]
async fn jobs_in_dropped_batches_are_requeued() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &[]).await;
    let mut batches = worker.batches(Batching::new(2).wait(LONG)).unwrap();
    add(&master, &["1"], "").await;
    until("it waits", || worker.health().active == 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), batches.next()).await.is_err());
    drop(batches);
    let mut batches = worker.batches(Batching::new(1)).unwrap();
    assert_eq!(ids(&soon("the job", batches.next()).await.unwrap()), ["1"]);
}

#[tokio::test]
async fn a_handler_gets_a_list_and_returns_one() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &[]).await;
    let handler = |jobs: Vec<Job>| async move {
        let numbers: Result<Vec<u64>, Error> = jobs.iter().map(Job::json).collect();
        Ok::<Vec<u64>, Error>(numbers?.into_iter().map(|number| number * jobs.len() as u64).collect())
    };
    let process = worker.process_batches(Batching::new(3).wait(LONG), handler).unwrap();
    let running = tokio::spawn(process.until(std::future::pending()));
    let jobs = (1..=6).map(|number| NewJob::json(&number).unwrap()).collect();
    let outcomes = soon("the results", master.run_many(jobs)).await.unwrap();
    let results: Vec<u64> = outcomes.into_iter().map(|outcome| outcome.unwrap().json().unwrap()).collect();
    assert_eq!(results, [3, 6, 9, 12, 15, 18]);
    worker.terminate(Duration::ZERO).await.unwrap();
    soon("the end", running).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_handler_that_fails_concerns_the_jobs_that_it_has_not_finished() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &["", "short", "panic", "empty"]).await;
    let handler = |jobs: Vec<Job>| async move {
        match jobs[0].task() {
            "short" => Ok(vec![1]),
            "panic" => panic!("oh"),
            _ => {
                jobs[0].complete(Payload::json(&"own").unwrap()).await.unwrap();
                jobs[1].fail_permanently("hopeless").await.unwrap();
                Err("the others")
            }
        }
    };
    let process = worker.process_batches(Batching::new(4).wait(LONG), handler).unwrap();
    tokio::spawn(process.until(std::future::pending()));
    let run = async |task: &'static str| {
        let jobs = (0..4).map(|_| NewJob::bytes("").task(task)).collect();
        soon("the outcomes", master.run_many(jobs))
            .await
            .unwrap()
            .into_iter()
            .map(|outcome| shown(outcome.unwrap()))
            .collect::<Vec<_>>()
    };
    let mut mixed = run("").await;
    mixed.sort();
    assert_eq!(mixed, ["\"own\"", "hopeless", "the others", "the others"]);
    for outcome in run("short").await {
        assert!(outcome.contains("batch of 4 jobs returned 1 results"), "{outcome}");
    }
    assert_eq!(run("panic").await, ["the handler panicked: oh"; 4]);
}

/// The result as JSON text, or the error text.
fn shown(outcome: Outcome) -> String {
    match outcome {
        Outcome::Completed(payload) => String::from_utf8(payload.bytes).unwrap(),
        Outcome::Failed(failure) => failure.message,
    }
}

#[tokio::test]
async fn a_handler_is_dropped_when_all_its_jobs_must_stop() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &[]).await;
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = dropped.clone();
    let handler = move |jobs: Vec<Job>| {
        let guard = SetOnDrop(flag.clone());
        async move {
            let _kept = (guard, jobs);
            std::future::pending::<Result<(), Error>>().await
        }
    };
    let process = worker.process_batches(Batching::new(2).wait(LONG), handler).unwrap();
    tokio::spawn(process.until(std::future::pending()));
    add(&master, &["1", "2"], "").await;
    until("both run", || worker.health().active == 2).await;
    assert!(master.delete("1").await.unwrap());
    soon("the deletion is known", async { while master.stats().await.unwrap().deleting == 0 {} }).await;
    assert!(!dropped.load(Ordering::Relaxed));
    assert!(master.delete("2").await.unwrap());
    soon("both have stopped", async { while master.stats().await.unwrap().deleting > 0 {} }).await;
    assert!(dropped.load(Ordering::Relaxed));
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn values_out_of_bounds_are_refused() {
    let redis = Redis::start();
    let (_, worker) = start(&redis, &[]).await;
    for (size, wait) in [(0, Duration::ZERO), (1001, Duration::ZERO), (1, Duration::from_millis(60_001))] {
        let refused = worker.batches(Batching::new(size).wait(wait)).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
}
