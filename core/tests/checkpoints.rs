//! Checkpoints: values that an execution of a job stores for the next one.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use libswarm::{ErrorKind, Finish, Job, Master, NewJob, Payload, Worker};
use support::{Redis, next_job, pair, soon};
use tokio::runtime::Handle;

fn read(job: &Job) -> Option<u32> {
    job.last_checkpoint().map(|text| serde_json::from_str(text).unwrap())
}

#[tokio::test]
async fn a_checkpoint_stays_with_jobs_of_all_kinds_and_changes_nothing_else() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let kinds = [
        NewJob::json(&1).unwrap(),
        NewJob::bytes(vec![0, 255, 10]).result(true),
        NewJob::json(&1).unwrap().resource("r"),
        NewJob::json(&1).unwrap().resource("r").result(true).priority(1 << 40).task("").header("a", "b"),
        NewJob::json(&1).unwrap().retries(3).run_timeout(Duration::from_secs(60)).total_timeout(Duration::from_secs(3600)),
    ];
    for (number, new) in (0..).zip(kinds) {
        let id = format!("job {number}");
        master.add(new.id(&id)).await.unwrap();
        let job = next_job(&worker).await;
        assert_eq!((job.id.as_str(), read(&job)), (id.as_str(), None));
        job.checkpoint(&1).unwrap();
        job.checkpoint(&number).unwrap();
        // At once, so that both may be in one round.
        job.release().await.unwrap();
        let again = next_job(&worker).await;
        assert_eq!((again.id.as_str(), read(&again)), (id.as_str(), Some(number)));
        assert_eq!((&again.payload, again.priority(), again.resource()), (&job.payload, job.priority(), job.resource()));
        assert!(again.headers().eq(job.headers()) && again.retries_left() == job.retries_left());
        let shown = master.job(&id).await.unwrap().unwrap();
        assert_eq!(shown.checkpoint, Some(number.to_string()));
        again.complete(Payload::json(&"done").unwrap()).await.unwrap();
        if job.wants_result() {
            assert_eq!(soon("result", master.result(&id)).await.unwrap().json::<String>().unwrap(), "done");
        }
        assert!(master.job(&id).await.unwrap().is_none());
    }
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.damaged, stats.active, stats.waiting), (0, 0, 0));
}

#[tokio::test]
async fn a_failed_job_that_is_retried_goes_on_from_its_checkpoint() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add(NewJob::json(&1).unwrap().id("a")).await.unwrap();
    let job = next_job(&worker).await;
    job.checkpoint(&7).unwrap();
    job.fail("half way").await.unwrap();
    assert_eq!(master.job("a").await.unwrap().unwrap().checkpoint.as_deref(), Some("7"));
    assert_eq!(master.retry_failed(Some(&["a".into()])).await.unwrap(), 1);
    let second = next_job(&worker).await;
    assert_eq!(read(&second), Some(7));
    // A new job of the same id begins without one.
    master.delete("a").await.unwrap();
    second.stopped().await.unwrap();
    master.add(NewJob::json(&1).unwrap().id("a")).await.unwrap();
    assert_eq!(read(&next_job(&worker).await), None);
}

#[tokio::test]
async fn a_checkpoint_that_is_too_large_or_late_changes_nothing() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.add(NewJob::json(&1).unwrap().id("a")).await.unwrap();
    let first = next_job(&worker).await;
    first.checkpoint(&"x".repeat(4094)).unwrap();
    assert_eq!(first.checkpoint(&"x".repeat(4095)).unwrap_err().kind(), ErrorKind::TooLarge);
    first.release().await.unwrap();
    let second = next_job(&worker).await;
    assert_eq!(second.last_checkpoint().map(str::len), Some(4096));
    first.checkpoint(&"late").unwrap();
    second.release().await.unwrap();
    assert_eq!(next_job(&worker).await.last_checkpoint().map(str::len), Some(4096));
}

#[tokio::test]
async fn many_jobs_store_progress_and_checkpoints_at_once() {
    const JOBS: u32 = 3000;
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let mut options = redis.options();
    options.set("slots", &JOBS.to_string()).unwrap();
    options.set("window", &JOBS.to_string()).unwrap();
    let worker = Worker::start(options, &Handle::current()).unwrap();
    master.add_many((0..JOBS).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    let mut jobs = BTreeMap::new();
    while jobs.len() < JOBS as usize {
        let job = next_job(&worker).await;
        let number: u32 = job.json().unwrap();
        job.progress(&0.5).unwrap();
        job.checkpoint(&number).unwrap();
        jobs.insert(number, job);
    }
    let last = &jobs[&(JOBS - 1)].id;
    soon("all values", async {
        for id in [&jobs[&0].id, last] {
            while master.job(id).await.unwrap().unwrap().checkpoint.is_none() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .await;
    worker.finish_many(jobs.values().map(|job| (job.fence, Finish::Release, None)).collect());
    let mut seen = 0;
    while seen < JOBS {
        let job = next_job(&worker).await;
        assert_eq!(read(&job), Some(job.json().unwrap()));
        seen += 1;
    }
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}
