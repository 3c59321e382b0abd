//! Jobs from their adding to their end, one master, one or two workers, one Redis.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{DeleteReason, ErrorKind, Event, Finish, Master, NewJob, Outcome, Payload, Worker};
use support::{Redis, master, next_event, next_job, soon};
use tokio::runtime::Handle;

fn worker(redis: &Redis) -> Worker {
    Worker::start(redis.options(), &Handle::current()).unwrap()
}

#[tokio::test]
async fn a_job_is_assigned_run_and_removed() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis));
    let added = soon("add", master.add(NewJob::json(&7).unwrap())).await.unwrap();
    assert!(!added.existed && added.id.len() == 20);
    let job = next_job(&worker).await;
    assert_eq!((&job.id, job.json::<u32>().unwrap(), job.crashes), (&added.id, 7, 0));
    soon("complete", job.complete(Payload::json(&49).unwrap())).await.unwrap();
    assert_eq!(soon("complete again", job.complete(Payload::default())).await.unwrap_err().kind(), ErrorKind::StaleFence);
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.added, stats.completed), (0, 0, 1, 1));
}

#[tokio::test]
async fn waiting_jobs_come_in_order_within_the_slots() {
    let redis = Redis::start();
    let master = master(&redis);
    let jobs: Vec<NewJob> = (0..2500).map(|n| NewJob::json(&n).unwrap()).collect();
    let added = soon("add", master.add_many(jobs)).await.unwrap();
    assert_eq!(master.stats().await.unwrap().waiting, 2500);
    let mut options = redis.options();
    options.slots = Some(10);
    let worker = Worker::start(options, &Handle::current()).unwrap();
    let mut fence = 0;
    for (n, added) in added.iter().enumerate() {
        let job = next_job(&worker).await;
        assert_eq!((job.json::<usize>().unwrap(), &job.id), (n, &added.id));
        assert!(job.fence > fence, "fences grow");
        fence = job.fence;
        assert!(worker.health().active <= 10);
        worker.finish(job.fence, Finish::Complete(Payload::default()), None);
    }
    soon("all completed", async { while master.stats().await.unwrap().completed < 2500 {} }).await;
}

#[tokio::test]
async fn results_are_awaited_now_and_later() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis));
    let running = tokio::spawn(
        worker
            .process(|job| async move {
                match job.json::<i64>() {
                    Ok(n) if n >= 0 => Ok(n * n),
                    _ => Err("negative"),
                }
            })
            .until(std::future::pending()),
    );
    let squared: i64 = soon("run", master.run(NewJob::json(&12).unwrap())).await.unwrap().json().unwrap();
    assert_eq!(squared, 144);
    let failed = soon("run", master.run(NewJob::json(&-1).unwrap())).await.unwrap();
    assert!(
        matches!(&failed, Outcome::Failed(failure) if failure.reason == libswarm::FailureReason::Failed && failure.message == "negative"),
        "{failed:?}"
    );
    let id = master.add(NewJob::json(&5).unwrap().result(true)).await.unwrap().id;
    let late = self::master(&redis);
    assert_eq!(soon("result", late.result(&id)).await.unwrap().json::<i64>().unwrap(), 25);
    assert_eq!(soon("result", master.result(&id)).await.unwrap().json::<i64>().unwrap(), 25);
    assert_eq!(soon("unknown", master.result("nobody")).await.unwrap_err().kind(), ErrorKind::NotFound);
    running.abort();
}

#[tokio::test]
async fn a_result_may_be_awaited_before_there_is_a_worker() {
    let redis = Redis::start();
    let master = master(&redis);
    let id = master.add(NewJob::json(&3).unwrap().id("three").result(true)).await.unwrap().id;
    let other = self::master(&redis);
    let waiting = tokio::spawn(async move { other.result("three").await });
    soon("a waiter", async {
        while redis.ask::<u64>(&["HLEN", "{test}:waiters"]) == 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    let worker = worker(&redis);
    let job = next_job(&worker).await;
    assert_eq!(job.id, id);
    job.complete(Payload::bytes("\0\u{ff}")).await.unwrap();
    assert_eq!(soon("result", waiting).await.unwrap().unwrap(), Outcome::Completed(Payload::bytes("\0\u{ff}")));
    assert_eq!(redis.ask::<u64>(&["HLEN", "{test}:waiters"]), 0);
}

#[tokio::test]
async fn own_ids_are_added_once() {
    let redis = Redis::start();
    let master = master(&redis);
    let job = |payload: u32| NewJob::json(&payload).unwrap().id("user-7");
    let added = master.add_many(vec![job(1), job(2), NewJob::json(&3).unwrap()]).await.unwrap();
    assert_eq!(added.iter().map(|added| added.existed).collect::<Vec<_>>(), [false, true, false]);
    assert!(master.add(job(4)).await.unwrap().existed);
    assert_eq!(master.stats().await.unwrap().waiting, 2);
    let worker = worker(&redis);
    let first = next_job(&worker).await;
    assert_eq!((&*first.id, first.json::<u32>().unwrap()), ("user-7", 1));
    assert!(master.add(job(5)).await.unwrap().existed, "active jobs exist too");
    first.complete(Payload::default()).await.unwrap();
    assert!(!master.add(job(6)).await.unwrap().existed, "a finished one does not");
}

#[tokio::test]
async fn a_run_reports_that_a_job_with_this_id_existed() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis));
    let job = |payload: u32, id: &str| NewJob::json(&payload).unwrap().id(id);
    master.add(job(1, "a").result(true)).await.unwrap();
    let active = next_job(&worker).await;

    // It is answered while the job is active, so that who waits can see what for.
    let (reported, report) = tokio::sync::oneshot::channel();
    let running = tokio::spawn({
        let (master, job) = (master.clone(), job(2, "a"));
        async move { master.run_with(job, |added| reported.send(added.clone()).unwrap()).await }
    });
    let added = soon("it is reported", report).await.unwrap();
    assert_eq!((&*added.id, added.existed), ("a", true));
    let mut group = master.run_each(vec![job(3, "b"), job(4, "a")]).await.unwrap();
    assert_eq!(group.added.iter().map(|job| (&*job.id, job.existed)).collect::<Vec<_>>(), [("b", false), ("a", true)]);
    assert!(!running.is_finished());

    active.complete(Payload::json(&10).unwrap()).await.unwrap();
    assert_eq!(soon("the result", running).await.unwrap().unwrap().json::<u32>().unwrap(), 10);
    let (position, outcome) = soon("the result", group.next()).await.unwrap();
    assert_eq!((position, outcome.unwrap().json::<u32>().unwrap()), (1, 10));

    // Refused: nothing was added, and nothing is reported.
    let refused = master.run_with(job(5, ""), |_| panic!("reported")).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_member_is_counted_from_when_it_is_ready() {
    let redis = Redis::start();
    let looking = master(&redis);
    soon("ready", looking.ready()).await.unwrap();
    let (mut workers, mut masters) = (Vec::new(), Vec::new());
    for count in 1..=20 {
        if count % 2 == 0 {
            masters.push(master(&redis));
            soon("ready", masters[masters.len() - 1].ready()).await.unwrap();
        } else {
            workers.push(worker(&redis));
            soon("ready", workers[workers.len() - 1].ready()).await.unwrap();
        }
        assert_eq!(looking.stats().await.unwrap().members, count + 1);
        assert_eq!(looking.members().await.unwrap().len() as u64, count + 1);
    }
}

#[tokio::test]
async fn a_worker_that_has_not_reached_redis_is_drained_at_once() {
    let redis = Redis::start();
    let mut options = redis.options();
    options.set("socket", "/nonexistent/redis.sock").unwrap();
    let worker = Worker::start(options, &Handle::current()).unwrap();
    soon("the drain", worker.drain()).await.unwrap();
    soon("the end", worker.terminate(Duration::ZERO)).await.unwrap();
}

#[tokio::test]
async fn deleted_jobs_are_not_assigned_or_are_stopped() {
    let redis = Redis::start();
    let master = master(&redis);
    let waiting = master.add(NewJob::json(&1).unwrap()).await.unwrap().id;
    assert!(master.delete(&waiting).await.unwrap());
    assert!(!master.delete(&waiting).await.unwrap());
    let id = master.add(NewJob::json(&2).unwrap().id("active")).await.unwrap().id;
    let worker = worker(&redis);
    let job = next_job(&worker).await;
    assert_eq!(job.id, id, "the deleted one never comes");
    assert!(master.delete(&id).await.unwrap());
    let (deleted, reason) = next_event(&worker, "delete", |event| match event {
        Event::Delete { job, reason } => Some((job, reason)),
        _ => None,
    })
    .await;
    assert_eq!((deleted.fence, reason), (job.fence, DeleteReason::Deleted));
    assert!(job.is_cancelled());
    // Added again while the old execution has not stopped: it waits for that.
    assert!(!master.add(NewJob::json(&3).unwrap().id("active")).await.unwrap().existed);
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.active, stats.deleting, stats.waiting), (0, 1, 1));
    assert_eq!(soon("late", job.complete(Payload::default())).await.unwrap_err().kind(), ErrorKind::JobDeleted);
    let again = next_job(&worker).await;
    assert_eq!((&again.id, again.json::<u32>().unwrap()), (&id, 3));
    assert!(again.fence > job.fence);
    // A worker deletes any jobs of the cluster, more than one call takes.
    let added =
        master.add_many((0..150).map(|n| NewJob::json(&n).unwrap().delay(Duration::from_secs(60))).collect()).await.unwrap();
    let ids = added.into_iter().map(|added| added.id).chain(["nobody".to_owned()]).collect();
    let existed = worker.delete_many(ids).await.unwrap();
    assert!(existed.len() == 151 && existed[..150].iter().all(|existed| *existed) && !existed[150]);
    assert_eq!(worker.delete_many(vec!["a\nb".into()]).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn terminate_moves_jobs_and_leaves_nothing_behind() {
    let redis = Redis::start();
    let (master, first) = (master(&redis), worker(&redis));
    first.ready().await.unwrap();
    master.add_many((0..50).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    let mut active = Vec::new();
    for _ in 0..50 {
        active.push(next_job(&first).await);
    }
    let second = worker(&redis);
    second.ready().await.unwrap();
    let stopping = tokio::spawn({
        let first = first.clone();
        async move { first.terminate(Duration::from_secs(5)).await }
    });
    for expected in &active {
        let job = next_event(&first, "delete", |event| match event {
            Event::Delete { job, reason: DeleteReason::Terminated } => Some(job),
            _ => None,
        })
        .await;
        assert_eq!(job.fence, expected.fence);
        first.finish(job.fence, Finish::Stopped, None);
    }
    next_event(&first, "close", |event| matches!(event, Event::Close(None)).then_some(())).await;
    soon("terminate", stopping).await.unwrap().unwrap();
    assert_eq!(first.terminate(Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Closed);
    for _ in 0..50 {
        let job = next_job(&second).await;
        assert_eq!(job.crashes, 0, "leaving is not dying");
        second.finish(job.fence, Finish::Complete(Payload::default()), None);
    }
    soon("all completed", async { while master.stats().await.unwrap().completed < 50 {} }).await;
    second.terminate(Duration::ZERO).await.unwrap();
    master.obliterate().await.unwrap();
    master.close().await.unwrap();
    let left: Vec<String> = redis.ask(&["KEYS", "*"]);
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn jobs_are_balanced_over_workers() {
    let redis = Redis::start();
    let master = master(&redis);
    let workers: Vec<Worker> = (0..3).map(|_| worker(&redis)).collect();
    for worker in &workers {
        worker.ready().await.unwrap();
    }
    for chunk in [1, 1, 1, 5, 22] {
        master.add_many((0..chunk).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    }
    for worker in &workers {
        for _ in 0..10 {
            next_job(worker).await;
        }
        assert_eq!(worker.health().active, 10);
    }
}

#[tokio::test]
async fn drain_finishes_active_jobs_and_requeues_the_rest() {
    let redis = Redis::start();
    let (master, first) = (master(&redis), worker(&redis));
    first.ready().await.unwrap();
    master.add_many((0..20).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    let running = next_job(&first).await;
    let draining = tokio::spawn({
        let first = first.clone();
        async move { first.drain().await }
    });
    let second = worker(&redis);
    for _ in 0..19 {
        assert_eq!(next_job(&second).await.crashes, 0);
    }
    assert!(!draining.is_finished());
    running.complete(Payload::default()).await.unwrap();
    soon("drain", draining).await.unwrap().unwrap();
}

#[tokio::test]
async fn calls_of_a_closed_member_fail() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis));
    let waiting = tokio::spawn({
        let master = master.clone();
        async move { master.run(NewJob::json(&1).unwrap()).await }
    });
    let job = next_job(&worker).await;
    soon("close", master.close()).await.unwrap();
    assert_eq!(soon("the wait", waiting).await.unwrap().unwrap_err().kind(), ErrorKind::Closed);
    soon("terminate", worker.terminate(Duration::ZERO)).await.unwrap();
    assert_eq!(master.add(NewJob::json(&1).unwrap()).await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(master.delete("x").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(master.result("x").await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(master.stats().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(master.close().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(worker.stats().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(worker.drain().await.unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(soon("complete", job.complete(Payload::default())).await.unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn jobs_submitted_before_closing_are_added() {
    let redis = Redis::start();
    let first = master(&redis);
    let (sender, added) = tokio::sync::oneshot::channel();
    first.submit(vec![NewJob::json(&1).unwrap()], Box::new(move |result| drop(sender.send(result))));
    soon("close", first.close()).await.unwrap();
    assert_eq!(added.await.unwrap().unwrap().len(), 1);
    assert_eq!(master(&redis).stats().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn terminating_without_grace_still_sends_finished_jobs() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis));
    master.add_many((0..10).map(|n| NewJob::json(&n).unwrap()).collect()).await.unwrap();
    for n in 0..10 {
        let job = next_job(&worker).await;
        if n < 7 {
            worker.finish(job.fence, Finish::Complete(Payload::default()), None);
        }
    }
    soon("terminate", worker.terminate(Duration::ZERO)).await.unwrap();
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.completed, stats.waiting, stats.active), (7, 3, 0));
}

#[tokio::test]
async fn a_deletion_comes_after_the_jobs_that_were_submitted_before_it() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    // Before it is connected, and with batches under way.
    for round in 0..50 {
        let id = format!("job{round}");
        master.submit(vec![NewJob::bytes("").id(id.as_str())], Box::new(|added| drop(added.unwrap())));
        assert!(master.delete(id).await.unwrap(), "round {round}");
    }
    assert_eq!(master.stats().await.unwrap().waiting, 0);
}
