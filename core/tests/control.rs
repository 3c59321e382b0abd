//! Slots and pauses of running workers: by the worker itself, and by the order of a master.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use libswarm::{ErrorKind, Event, Master, MemberInfo, NewJob, Options, Payload, Worker};
use support::{Proxy, Redis, master, next_event, next_job, soon, until, worker};
use tokio::runtime::Handle;

async fn add(master: &Master, count: usize) {
    master.add_many(vec![NewJob::bytes(""); count]).await.unwrap();
}

/// Waits until the registration of a worker is such.
async fn until_shown(master: &Master, worker: &Worker, right: impl Fn(&MemberInfo) -> bool) {
    soon("the registration", async {
        loop {
            let members = master.members().await.unwrap();
            let own = members.iter().find(|member| Some(&member.incarnation) == worker.incarnation().as_ref());
            if own.is_some_and(&right) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// Waits until so many jobs are active and no more can be assigned.
async fn until_active(master: &Master, worker: &Worker, active: u64) {
    until_shown(master, worker, |member| (member.active, member.free) == (active, 0)).await;
}

#[tokio::test]
async fn a_paused_worker_keeps_its_jobs_and_is_assigned_no_others() {
    let redis = Redis::start();
    let (master, first) = (master(&redis), worker(&redis, &[("slots", "5")]).await);
    add(&master, 1).await;
    let running = next_job(&first).await;
    first.pause().unwrap();
    assert!(first.is_paused());
    until_shown(&master, &first, |member| member.paused && member.free == 0).await;
    add(&master, 3).await;
    // All others go to another worker.
    let second = worker(&redis, &[("slots", "5")]).await;
    for _ in 0..3 {
        next_job(&second).await.complete(Payload::default()).await.unwrap();
    }
    running.complete(Payload::default()).await.unwrap();
    second.pause().unwrap();
    until_shown(&master, &second, |member| member.paused).await;
    add(&master, 2).await;
    assert_eq!(master.stats().await.unwrap().waiting, 2);
    first.resume().unwrap();
    next_job(&first).await.complete(Payload::default()).await.unwrap();
    next_job(&first).await.complete(Payload::default()).await.unwrap();
    until_shown(&master, &first, |member| !member.paused && member.free == 5).await;
}

#[tokio::test]
async fn a_pause_requeues_jobs_that_the_program_has_not_taken() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("slots", "2"), ("prefetch", "3")]).await);
    add(&master, 9).await;
    let running = next_job(&worker).await;
    until_active(&master, &worker, 5).await;
    worker.pause().unwrap();
    until_active(&master, &worker, 1).await;
    assert_eq!(master.stats().await.unwrap().waiting, 8);
    assert_eq!(master.job(&running.id).await.unwrap().unwrap().attempt, 1);
    worker.resume().unwrap();
    until_active(&master, &worker, 5).await;
}

#[tokio::test]
async fn slots_can_be_changed_while_jobs_are_active() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("slots", "4")]).await);
    add(&master, 12).await;
    let mut jobs = Vec::new();
    for _ in 0..4 {
        jobs.push(next_job(&worker).await);
    }
    worker.set_slots(2).unwrap();
    assert_eq!(worker.slots(), Some(2));
    until_shown(&master, &worker, |member| member.slots == Some(2) && member.active == 4).await;
    for (left, job) in [(3, jobs.pop().unwrap()), (2, jobs.pop().unwrap()), (2, jobs.pop().unwrap())] {
        job.complete(Payload::default()).await.unwrap();
        until_active(&master, &worker, left).await;
    }
    worker.set_slots(7).unwrap();
    until_active(&master, &worker, 7).await;
    let error = worker.set_slots(0).unwrap_err();
    assert_eq!((error.kind(), worker.slots()), (ErrorKind::InvalidArgument, Some(7)));
}

#[tokio::test]
async fn a_master_orders_a_worker_by_its_incarnation() {
    let redis = Redis::start();
    // The worker is not subscribed to messages.
    let (master, worker) = (master(&redis), worker(&redis, &[("slots", "4")]).await);
    worker.accept(None);
    let incarnation = worker.incarnation().unwrap();
    assert!(master.pause_worker(&incarnation).await.unwrap());
    let members = master.members().await.unwrap();
    let own = members.iter().find(|member| member.incarnation == incarnation).unwrap();
    assert!(own.paused && own.free == 0, "{own:?}");
    until("the worker follows", || worker.is_paused()).await;
    add(&master, 9).await;
    assert!(master.set_worker_slots(&incarnation, 3).await.unwrap());
    until("the worker follows", || worker.slots() == Some(3)).await;
    assert!(master.resume_worker(&incarnation).await.unwrap());
    until_active(&master, &worker, 3).await;
    // Once the worker has confirmed its orders, nothing of them is left.
    soon("the confirmation", async {
        while redis.ask::<bool>(&["EXISTS", "{test}:orders"]) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;

    assert!(!master.pause_worker("00000000000000000000").await.unwrap());
    assert!(!master.set_worker_slots(&master.incarnation().unwrap(), 3).await.unwrap(), "a master is no worker");
    assert_eq!(master.set_worker_slots(&incarnation, 0).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(master.pause_worker("").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    worker.terminate(std::time::Duration::ZERO).await.unwrap();
    assert!(!master.resume_worker(&incarnation).await.unwrap());
    assert_eq!(worker.set_slots(3).unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn pause_and_slots_stay_when_the_worker_registers_again() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("slots", "4")]).await);
    worker.accept(None);
    let before = worker.incarnation().unwrap();
    worker.set_slots(6).unwrap();
    assert!(master.pause_worker(&before).await.unwrap());
    until("the worker follows", || worker.is_paused()).await;
    master.end_lease(&before).await.unwrap();
    until("a new incarnation", || worker.incarnation().is_some_and(|now| now != before)).await;
    until_shown(&master, &worker, |member| member.paused && member.slots == Some(6)).await;
    add(&master, 9).await;
    assert_eq!(master.stats().await.unwrap().waiting, 9);
    assert!(master.resume_worker(&worker.incarnation().unwrap()).await.unwrap());
    until_active(&master, &worker, 6).await;
}

#[tokio::test]
async fn an_order_that_the_worker_has_not_read_reaches_its_next_incarnation() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("slots", "4")]).await);
    worker.accept(None);
    let before = worker.incarnation().unwrap();
    // What an order leaves whose entry in the inbox the worker does not read.
    let order = "return redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack({ 1, 2, 0 }))";
    let _: u64 = redis.ask(&["EVAL", order, "1", "{test}:orders", &before]);
    master.end_lease(&before).await.unwrap();
    until("a new incarnation", || worker.incarnation().is_some_and(|now| now != before)).await;
    until_shown(&master, &worker, |member| member.slots == Some(2)).await;
    assert_eq!(worker.slots(), Some(2));
}

#[tokio::test]
async fn guaranteed_slots_bound_the_slots_of_a_worker() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("slots", "4"), ("priority_slots", "1:2")]).await;
    worker.accept(None);
    let incarnation = worker.incarnation().unwrap();
    let error = worker.set_slots(1).unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidArgument && error.message().contains("guarantees 2"), "{error}");
    let error = master.set_worker_slots(&incarnation, 1).await.unwrap_err();
    assert!(error.kind() == ErrorKind::InvalidArgument && error.message().contains("guarantees 2"), "{error}");
    // Two of four slots are for jobs of priority 1 only.
    let of = |priority| NewJob::bytes("").priority(priority);
    let jobs = |priority, count| master.add_many(vec![of(priority); count]);
    jobs(0, 5).await.unwrap();
    until_shown(&master, &worker, |member| member.active == 2).await;
    assert!(master.set_worker_slots(&incarnation, 5).await.unwrap());
    until_shown(&master, &worker, |member| member.active == 3).await;
    jobs(1, 5).await.unwrap();
    until_active(&master, &worker, 5).await;
}

#[tokio::test]
async fn a_worker_without_a_limit_gets_one_and_reports_that_of_its_handler() {
    let redis = Redis::start();
    let (master, worker) = (master(&redis), worker(&redis, &[("auto_accept", "false")]).await);
    until_shown(&master, &worker, |member| member.slots.is_none() && !member.paused).await;
    worker.accept(Some(10));
    until_shown(&master, &worker, |member| member.slots == Some(10) && member.free == 10).await;
    worker.set_slots(3).unwrap();
    until_shown(&master, &worker, |member| member.slots == Some(3) && member.free == 3).await;
    next_event(&worker, "ready", |event| matches!(event, Event::Ready { .. }).then_some(())).await;
}

#[tokio::test]
async fn an_order_whose_reply_is_lost_is_carried_out_once() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let worker = worker(&redis, &[("slots", "4")]).await;
    let mut options = Options::new("test");
    options.set("url", &format!("redis://127.0.0.1:{}", proxy.port)).unwrap();
    let master = Master::start(options, &Handle::current()).unwrap();
    master.ready().await.unwrap();
    let incarnation = worker.incarnation().unwrap();
    let (mut lost, sought) = (false, incarnation.clone());
    proxy.lose(move |sent| {
        let of_order = sent.windows(sought.len()).any(|part| part == sought.as_bytes());
        of_order && !std::mem::replace(&mut lost, true)
    });
    assert!(soon("the order", master.pause_worker(&incarnation)).await.unwrap());
    assert_eq!(proxy.lost(), 1);
    let number: u64 = redis.ask(&["HGET", &format!("{{test}}:member:{incarnation}"), "order"]);
    assert_eq!(number, 1);
    until("the worker follows", || worker.is_paused()).await;
    until_shown(&master, &worker, |member| member.paused).await;
}
