//! Workers that add jobs.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{ErrorKind, Job, NewJob, Options, Payload, Worker};
use support::{Proxy, Redis, master, next_job, soon, until, worker};
use tokio::runtime::Handle;

fn job(id: &str) -> NewJob {
    NewJob::bytes("").id(id)
}

#[tokio::test]
async fn a_handler_adds_jobs_whose_results_a_master_awaits() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[]).await);
    let handler = |job: Job| async move {
        let number: u64 = job.json()?;
        if number > 0 {
            let next = NewJob::json(&(number - 1))?.id(format!("number-{}", number - 1)).result(true);
            assert!(!job.add(next.clone()).await?.existed);
            assert!(job.add(next).await?.existed, "while this handler occupies the only slot");
        }
        Ok::<_, libswarm::Error>(number)
    };
    worker.set_slots(1).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(worker.process(handler).until(async { drop(stopped.await) }));
    master.run(NewJob::json(&3).unwrap()).await.unwrap();
    until("all are completed", || worker.health().finished == 4).await;
    let last: u64 = soon("the last", master.result("number-0")).await.unwrap().json().unwrap();
    assert_eq!((last, worker.health().added), (0, 3));
    stop.send(()).unwrap();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn options_and_answers_are_those_of_a_master() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("max_payload", "10")]).await);
    let jobs = vec![job("a").priority(7).task("other"), NewJob::bytes(""), job("a")];
    let added = worker.add_many(jobs).await.unwrap();
    assert_eq!(added.iter().map(|job| job.existed).collect::<Vec<_>>(), [false, false, true]);
    let info = master.job("a").await.unwrap().unwrap();
    assert_eq!((info.priority, info.task.as_str()), (7, "other"));
    assert_eq!(worker.add_many(Vec::new()).await.unwrap(), []);
    let error = worker.add_many(vec![job("b"), NewJob::bytes("12345678901")]).await.unwrap_err();
    assert_eq!((error.kind(), master.job("b").await.unwrap().is_none()), (ErrorKind::TooLarge, true), "{error}");
    // A deletion follows the jobs that were submitted before.
    worker.submit(vec![job("c")], Box::new(|added| drop(added.unwrap())));
    assert!(worker.delete("c").await.unwrap());
    worker.terminate(Duration::ZERO).await.unwrap();
    assert_eq!(worker.add(job("d")).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn jobs_that_were_added_before_a_worker_leaves_are_stored() {
    let redis = Redis::start();
    let (master, dropped, worker) = (master(&redis), worker(&redis, &[]).await, worker(&redis, &[]).await);
    let (sender, stored) = std::sync::mpsc::channel();
    for _ in 0..5000 {
        let sender = sender.clone();
        worker.submit(vec![NewJob::bytes("")], Box::new(move |added| sender.send(added).unwrap()));
    }
    worker.terminate(Duration::ZERO).await.unwrap();
    assert!((0..5000).all(|_| stored.recv().unwrap().is_ok()));
    assert_eq!(master.stats().await.unwrap().added, 5000);

    dropped.submit(vec![job("last")], Box::new(|_| ()));
    drop(dropped);
    soon("the job", async { while master.job("last").await.unwrap().is_none() {} }).await;
}

#[tokio::test]
async fn ephemeral_jobs_of_a_worker_are_deleted_when_it_leaves_or_is_lost() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("auto_accept", "false")]).await);
    worker.add(job("ephemeral").ephemeral(true)).await.unwrap();
    worker.add(job("lasting")).await.unwrap();
    let before = worker.incarnation().unwrap();
    master.end_lease(&before).await.unwrap();
    assert!(master.job("ephemeral").await.unwrap().is_none() && master.job("lasting").await.unwrap().is_some());
    until("a new incarnation", || worker.incarnation().is_some_and(|now| now != before)).await;
    worker.add(job("ephemeral").ephemeral(true)).await.unwrap();
    worker.terminate(Duration::ZERO).await.unwrap();
    assert!(master.job("ephemeral").await.unwrap().is_none() && master.job("lasting").await.unwrap().is_some());
}

#[tokio::test]
async fn a_lost_reply_adds_no_job_twice() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let master = master(&redis);
    let mut options = Options::new("test");
    options.set("url", &format!("redis://127.0.0.1:{}", proxy.port)).unwrap();
    let worker = Worker::start(options, &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    // Every second reply to a batch of these jobs.
    let mut batches = 0;
    proxy.lose(move |sent| {
        let of_batch = sent.windows(6).any(|part| part == b"marked");
        batches += u32::from(of_batch);
        of_batch && batches % 2 == 1
    });
    let mut added = 0;
    for _ in 0..10 {
        added += soon("the jobs", worker.add_many(vec![NewJob::bytes("marked"); 100])).await.unwrap().len() as u64;
    }
    assert!(proxy.lost() >= 10);
    let stats = master.stats().await.unwrap();
    assert_eq!((added, stats.added), (1000, 1000));
    let _ = next_job(&worker).await.complete(Payload::default()).await;
}

#[tokio::test]
async fn a_job_that_is_due_soon_wakes_the_worker_that_added_it() {
    let redis = Redis::start();
    let worker = worker(&redis, &[("lease", "60000")]).await;
    worker.accept(None);
    worker.add(job("soon").delay(Duration::from_millis(300))).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "soon");
}
