//! Handlers that do not stop when they are asked to.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{DeleteReason, ErrorKind, Event, Finish, Master, NewJob, Payload, Worker};
use support::{Redis, next_event, next_job, soon};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

fn worker(redis: &Redis, slots: u32) -> Worker {
    let mut options = redis.options();
    (options.slots, options.stop_grace) = (Some(slots), Duration::from_millis(200));
    Worker::start(options, &Handle::current()).unwrap()
}

async fn until_stuck(worker: &Worker, count: u64) {
    soon("stuck handlers", async {
        while worker.health().stuck != count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

async fn finish(worker: &Worker, fence: u64, finish: Finish) -> libswarm::Result<()> {
    let (sender, answer) = oneshot::channel();
    worker.finish(fence, finish, Some(Box::new(|result| drop(sender.send(result)))));
    soon("the answer", answer).await.unwrap()
}

#[tokio::test]
async fn a_job_whose_handler_hangs_after_its_timeout_is_retried_elsewhere() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let hanging = worker(&redis, 1);
    let job = NewJob::json(&1).unwrap().id("hangs").retries(1).result(true);
    let mut job = job.resource("one at a time");
    job.set("backoff", "fixed").unwrap();
    job.set("run_timeout", "200").unwrap();
    master.add(job).await.unwrap();
    let first = next_job(&hanging).await;
    let reason = |event| if let Event::Delete { reason, .. } = event { Some(reason) } else { None };
    assert_eq!(next_event(&hanging, "timeout", reason).await, DeleteReason::TimedOut);
    until_stuck(&hanging, 1).await;
    assert_eq!(hanging.health().active, 0);

    let other = worker(&redis, 1);
    let second = next_job(&other).await;
    assert_eq!((&second.id, second.attempt()), (&first.id, 2));
    assert!(second.fence > first.fence);
    // The slot of the one that hangs is taken: a further job waits, though that worker has nothing else to do.
    master.add(NewJob::json(&2).unwrap().id("waits")).await.unwrap();
    let stats = soon("stats", master.stats()).await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.deleting), (1, 1, 0));
    finish(&other, second.fence, Finish::Complete(Payload::json(&"second").unwrap())).await.unwrap();
    assert_eq!(next_job(&other).await.id, "waits");

    // The late end of the first execution changes nothing, and frees the slot.
    master.add(NewJob::json(&3).unwrap().id("last")).await.unwrap();
    let late = finish(&hanging, first.fence, Finish::Complete(Payload::json(&"first").unwrap())).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::StaleFence);
    assert_eq!(next_job(&hanging).await.id, "last");
    assert_eq!(hanging.health().stuck, 0);
    assert_eq!(soon("result", master.result("hangs")).await.unwrap().json::<String>().unwrap(), "second");
}

#[tokio::test]
async fn a_deleted_job_whose_handler_hangs_is_shown_and_stays_where_it_is() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let hanging = worker(&redis, 2);
    master.add(NewJob::json(&1).unwrap().id("active")).await.unwrap();
    let first = next_job(&hanging).await;
    assert!(soon("delete", master.delete("active")).await.unwrap());
    // Added again: it must not run beside the old execution.
    master.add(NewJob::json(&2).unwrap().id("active")).await.unwrap();
    until_stuck(&hanging, 1).await;
    let stats = soon("stats", master.stats()).await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.deleting), (1, 0, 1));
    finish(&hanging, first.fence, Finish::Stopped).await.unwrap();
    let again = next_job(&hanging).await;
    assert_eq!((&*again.id, again.json::<u32>().unwrap()), ("active", 2));
    assert_eq!(hanging.health().stuck, 0);
}
