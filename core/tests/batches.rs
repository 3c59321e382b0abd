//! Jobs of a worker in batches.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{ErrorKind, Job, Master, NewJob, Payload, Worker};
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
    let mut batches = worker.batches(3, Duration::from_millis(200)).unwrap();
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
async fn the_first_job_waits_for_others_unless_it_is_deleted() {
    let redis = Redis::start();
    let (master, worker) = start(&redis, &[]).await;
    let mut batches = worker.batches(2, LONG).unwrap();
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
async fn what_is_out_of_bounds_is_refused() {
    let redis = Redis::start();
    let (_, worker) = start(&redis, &[]).await;
    for (size, wait) in [(0, Duration::ZERO), (1001, Duration::ZERO), (1, Duration::from_millis(60_001))] {
        let refused = worker.batches(size, wait).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::InvalidArgument, "{refused}");
    }
}
