//! How members recover: from a server that was emptied, restarted or out of reach, with the leases that programs have; and that no call is stuck.
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use libswarm::{ErrorKind, Event, Finish, Master, NewJob, Options, Payload, Worker};
use support::{Proxy, Redis, next_job, soon, trouble, until};
use tokio::runtime::Handle;

/// Leases in ms: the default, that of Node, and the longest sensible one.
const LEASES: [&str; 3] = ["15000", "60000", "3600000"];

fn with_lease(redis: &Redis, lease: &str) -> Options {
    let mut options = redis.options();
    options.set("lease", lease).unwrap();
    options
}

fn behind(proxy: &Proxy, lease: &str) -> Options {
    let mut options = Options::new("test");
    options.set("url", &format!("redis://127.0.0.1:{}", proxy.port)).unwrap();
    options.set("lease", lease).unwrap();
    options
}

fn jobs(count: u32) -> Vec<NewJob> {
    (0..count).map(|n| NewJob::json(&n).unwrap()).collect()
}

/// The next error that a master tells.
async fn master_error(master: &Master) -> libswarm::Error {
    let mut found = None;
    until("an error of the master", || {
        for event in master.take_events(100) {
            if let Event::Error(error) = event {
                found.get_or_insert(error);
            }
        }
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// An idle worker and a master of each lease, each pair in a cluster of its own.
async fn idle_members(redis: &Redis) -> Vec<(Worker, Master)> {
    let mut members = Vec::new();
    for lease in LEASES {
        let mut options = with_lease(redis, lease);
        options.set("prefix", lease).unwrap();
        let worker = Worker::start(options.clone(), &Handle::current()).unwrap();
        let master = Master::start(options, &Handle::current()).unwrap();
        worker.ready().await.unwrap();
        // The worker works, and from now on both are idle.
        master.add(NewJob::json("first").unwrap()).await.unwrap();
        next_job(&worker).await.complete(Payload::default()).await.unwrap();
        members.push((worker, master));
    }
    members
}

#[tokio::test]
async fn idle_members_work_5_s_after_a_flushall_whatever_their_lease() {
    let redis = Redis::start();
    let members = idle_members(&redis).await;
    // A master that waits for a result is answered that there will be none.
    let (_, waiting) = &members[2];
    let id = waiting.add(NewJob::json("active").unwrap().result(true)).await.unwrap().id;
    let result = tokio::spawn({
        let waiting = waiting.clone();
        async move { waiting.result(id).await }
    });
    next_job(&members[2].0).await;
    redis.ask::<()>(&["FLUSHALL"]);
    let emptied = Instant::now();
    for (worker, master) in &members {
        master.add(NewJob::json("second").unwrap()).await.unwrap();
        let job = soon("the second job", async {
            loop {
                let job = next_job(worker).await;
                if job.payload.to::<String>().unwrap() == "second" {
                    return job;
                }
            }
        })
        .await;
        job.complete(Payload::default()).await.unwrap();
    }
    assert!(emptied.elapsed() <= Duration::from_secs(5), "took {:?}", emptied.elapsed());
    let error = soon("the end of the wait", result).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(emptied.elapsed() <= Duration::from_secs(6), "took {:?}", emptied.elapsed());
}

#[tokio::test]
async fn idle_members_work_2_s_after_a_restart_whatever_their_lease() {
    let mut redis = Redis::start();
    let members = idle_members(&redis).await;
    redis.kill();
    let killed = Instant::now();
    for (_, master) in &members {
        let error = master_error(master).await;
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let health = master.health();
        assert_eq!((health.healthy, health.connected, trouble(&health)), (false, false, Some(ErrorKind::Unavailable)));
    }
    assert!(killed.elapsed() <= Duration::from_secs(2), "idle masters reported it after {:?}", killed.elapsed());
    // Until the pauses between attempts are as long as they become.
    until("2.5 s have passed", || killed.elapsed() >= Duration::from_millis(2500)).await;
    redis.run();
    let opened = Instant::now();
    for (worker, master) in &members {
        master.add(NewJob::json("second").unwrap()).await.unwrap();
        next_job(worker).await;
    }
    assert!(opened.elapsed() <= Duration::from_secs(2), "took {:?}", opened.elapsed());
    until("all are healthy", || members.iter().all(|(worker, master)| worker.health().healthy && master.health().healthy)).await;
}

#[tokio::test]
async fn a_reset_of_the_connections_is_followed_by_a_round() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let worker = Worker::start(behind(&proxy, "3600000"), &Handle::current()).unwrap();
    let master = Master::start(behind(&proxy, "3600000"), &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    master.ready().await.unwrap();
    // When each gives up unless it renews; the next renewal that is due by time is 20 minutes away.
    let lease_ends = || [worker.health(), master.health()].map(|health| Instant::now() + health.lease_left);
    for _ in 0..3 {
        let begun = Instant::now();
        until("renewals can be distinguished", || begun.elapsed() > Duration::from_millis(300)).await;
        let before = lease_ends();
        proxy.reset();
        let reset = Instant::now();
        until("the leases are renewed", || {
            lease_ends().iter().zip(before).all(|(end, before)| *end > before + Duration::from_millis(100))
        })
        .await;
        assert!(reset.elapsed() <= Duration::from_secs(2), "took {:?}", reset.elapsed());
    }
}

#[tokio::test]
async fn a_connection_that_is_silent_is_noticed_within_6_s_whatever_the_lease() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let worker = Worker::start(behind(&proxy, "3600000"), &Handle::current()).unwrap();
    let master = Master::start(behind(&proxy, "3600000"), &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    master.ready().await.unwrap();
    proxy.cut();
    let cut = Instant::now();
    until("both report it", || {
        [worker.health(), master.health()].iter().all(|health| trouble(health) == Some(ErrorKind::Unavailable))
    })
    .await;
    assert!(cut.elapsed() <= Duration::from_secs(6), "took {:?}", cut.elapsed());
    proxy.heal();
    let healed = Instant::now();
    until("both are well", || worker.health().healthy && master.health().healthy).await;
    assert!(healed.elapsed() <= Duration::from_secs(2), "took {:?}", healed.elapsed());
}

#[tokio::test]
async fn a_master_is_closed_while_one_of_its_rounds_reconnects() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let master = Master::start(behind(&proxy, "1000"), &Handle::current()).unwrap();
    master.ready().await.unwrap();
    let connections = proxy.accepted();
    // A round is in the middle of connecting, and nothing else is under way.
    proxy.cut();
    proxy.reset();
    until("it reconnects", || proxy.accepted() > connections).await;
    let closing = tokio::spawn({
        let master = master.clone();
        async move { master.close().await }
    });
    // Its task has taken the command by then; a job assigned to it now would be another thing to wait for.
    let begun = Instant::now();
    until("it leaves", || begun.elapsed() > Duration::from_millis(200)).await;
    proxy.heal();
    soon("the end", closing).await.unwrap().unwrap();
}

#[tokio::test]
async fn floods_are_stored_once_and_masters_close_although_every_other_reply_is_lost() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let mut lost_last = false;
    proxy.lose(move |request| {
        let is_call = request.windows(7).any(|word| word == b"EVALSHA");
        if is_call {
            lost_last = !lost_last;
        }
        is_call && lost_last
    });
    for round in 1..=15_u64 {
        let mut options = behind(&proxy, "20000");
        options.set("timeout", "30000").unwrap();
        let master = Master::start(options, &Handle::current()).unwrap();
        let added = soon("the flood", master.add_many(jobs(3000))).await.unwrap();
        assert!(added.iter().all(|job| !job.existed));
        soon("the end", master.close()).await.unwrap();
        assert_eq!(redis.ask::<u64>(&["HLEN", "{test}:jobs"]), 3000 * round + 1, "each once, and one entry beside them");
    }
    assert!(proxy.lost() > 30, "only {} replies were lost", proxy.lost());
}

#[tokio::test]
async fn a_job_is_added_after_the_cluster_was_removed() {
    let redis = Redis::start();
    for way in 0..3 {
        let master = Master::start(with_lease(&redis, "3600000"), &Handle::current()).unwrap();
        master.add_many(jobs(3)).await.unwrap();
        master.obliterate().await.unwrap();
        if way == 1 {
            // The member has noticed, and waits for its program.
            let looked = Instant::now();
            until("it has looked", || looked.elapsed() > Duration::from_secs(4)).await;
            assert_eq!(redis.ask::<u64>(&["DBSIZE"]), 0, "it does not register again by itself");
        }
        let adding = master.add(NewJob::json("after").unwrap());
        if way == 2 {
            let (added, closed) = soon("add and close", async { tokio::join!(adding, master.close()) }).await;
            added.unwrap();
            closed.unwrap();
        } else {
            soon("the job after", adding).await.unwrap();
            assert_eq!(soon("stats", master.stats()).await.unwrap().waiting, 1);
            master.obliterate().await.unwrap();
            soon("the second after", master.add(NewJob::json("again").unwrap())).await.unwrap();
            soon("the end", master.close()).await.unwrap();
        }
        assert_eq!(redis.ask::<u64>(&["HLEN", "{test}:jobs"]), 2, "one job, and one entry beside it");
        redis.ask::<()>(&["FLUSHALL"]);
    }
}

#[tokio::test]
async fn a_batch_that_lost_its_member_fails_in_time_while_redis_is_away() {
    let redis = Redis::start();
    let proxy = Proxy::start(redis.socket());
    let mut options = behind(&proxy, "60000");
    options.set("timeout", "1500").unwrap();
    let master = Master::start(options, &Handle::current()).unwrap();
    // Redis knows the scripts, so that one call is one request.
    master.add(NewJob::json("before").unwrap()).await.unwrap();
    // The add is answered that the member is unknown; from then on no reply comes.
    redis.ask::<()>(&["FLUSHALL"]);
    let mut answered = false;
    proxy.lose(move |request| {
        let lose = answered;
        answered |= request.windows(11).any(|word| word == b"of no membe");
        lose
    });
    let begun = Instant::now();
    let error = soon("the add", master.add(NewJob::json("of no member").unwrap())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(6), "took {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_master_leaves_with_more_ephemeral_jobs_than_one_call_deletes() {
    let redis = Redis::start();
    let watcher = Master::start(redis.options(), &Handle::current()).unwrap();
    watcher.messages().watch().await.unwrap();
    let leaving = Master::start(with_lease(&redis, "60000"), &Handle::current()).unwrap();
    leaving.add_many(jobs(2500).into_iter().map(|job| job.ephemeral(true)).collect()).await.unwrap();
    let incarnation = leaving.incarnation().unwrap();
    let begun = Instant::now();
    leaving.close().await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(watcher.stats().await.unwrap().waiting, 0);
    let mut change = None;
    until("the news", || {
        for event in watcher.take_events(100) {
            if let Event::Member { change: how, member, .. } = event
                && member.incarnation == incarnation
                && how.name() != "joined"
            {
                change = Some(how.name());
            }
        }
        change.is_some()
    })
    .await;
    assert_eq!(change, Some("left"));
}

#[tokio::test]
async fn a_worker_leaves_with_more_jobs_than_one_call_requeues() {
    let redis = Redis::start();
    let mut options = with_lease(&redis, "60000");
    options.set("window", "10000").unwrap();
    let worker = Worker::start(options.clone(), &Handle::current()).unwrap();
    let master = Master::start(options, &Handle::current()).unwrap();
    master.add_many(jobs(2500)).await.unwrap();
    for _ in 0..2500 {
        next_job(&worker).await;
    }
    worker.terminate(Duration::ZERO).await.unwrap();
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.crashes), (2500, 0, 0));
}

#[tokio::test]
async fn late_outcomes_of_jobs_are_answered_however_many_come_at_once() {
    let redis = Redis::start();
    let worker = Worker::start(with_lease(&redis, "3600000"), &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    let (sender, mut answers) = tokio::sync::mpsc::unbounded_channel();
    // More than one round carries, and none of them is active.
    let finishes = (1..=3500_u64).map(|fence| {
        let sender = sender.clone();
        let done: libswarm::Done<()> = Box::new(move |answer| drop(sender.send(answer)));
        (fence, Finish::Complete(Payload::default()), Some(done))
    });
    worker.finish_many(finishes.collect());
    for _ in 0..3500 {
        let answer = soon("an answer", answers.recv()).await.unwrap();
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::StaleFence);
    }
}

#[tokio::test]
async fn a_result_is_requested_after_many_abandoned_waits() {
    let redis = Redis::start();
    let master = Master::start(with_lease(&redis, "3600000"), &Handle::current()).unwrap();
    master.ready().await.unwrap();
    for round in 0..5 {
        for n in 0..1000 {
            let mut wait = Box::pin(master.result(format!("{round}-{n}")));
            assert!(futures_util::FutureExt::now_or_never(&mut wait).is_none());
        }
        let error = soon("the answer", master.result("none")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_panic_in_a_masters_task_reaches_all_who_wait() {
    let redis = Redis::start();
    let master = Master::start(with_lease(&redis, "60000"), &Handle::current()).unwrap();
    master.ready().await.unwrap();
    let result = tokio::spawn({
        let master = master.clone();
        async move { master.run(NewJob::json("awaited").unwrap()).await }
    });
    // What it calls when jobs are added is the program's own.
    master.submit(jobs(1), Box::new(|_| panic!("of the test")));
    for _ in 0..2 {
        let error = soon("later adds", master.add(NewJob::json("later").unwrap())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
    }
    let error = soon("the wait", result).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
    let error = soon("a new wait", master.result("another")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panic, "{error}");
    assert_eq!(soon("stats", master.stats()).await.unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(soon("close", master.close()).await.unwrap_err().kind(), ErrorKind::Panic);
    let error = master.health().error.unwrap();
    assert!(error.kind() == ErrorKind::Panic && error.message().contains("of the test"), "{error:?}");
    let events = master.take_events(100);
    let is_panic = |error: &libswarm::Error| error.kind() == ErrorKind::Panic;
    assert!(events.iter().any(|event| matches!(event, Event::Error(error) if is_panic(error))), "{events:?}");
    assert!(matches!(events.last(), Some(Event::Close(Some(error))) if is_panic(error)), "{events:?}");
}

#[tokio::test]
async fn a_panic_in_a_workers_task_reaches_all_who_wait() {
    let redis = Redis::start();
    let worker = Worker::start(with_lease(&redis, "60000"), &Handle::current()).unwrap();
    let master = Master::start(with_lease(&redis, "60000"), &Handle::current()).unwrap();
    master.add_many(jobs(2)).await.unwrap();
    let first = next_job(&worker).await;
    let second = next_job(&worker).await;
    let draining = tokio::spawn({
        let worker = worker.clone();
        async move { worker.drain().await }
    });
    worker.finish(first.fence, Finish::Complete(Payload::default()), Some(Box::new(|_| panic!("of the test"))));
    assert_eq!(soon("the drain", draining).await.unwrap().unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(soon("an end", second.complete(Payload::default())).await.unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(soon("terminate", worker.terminate(Duration::ZERO)).await.unwrap_err().kind(), ErrorKind::Panic);
    assert_eq!(trouble(&worker.health()), Some(ErrorKind::Panic));
    let mut events = Vec::new();
    while let Some(event) = soon("an event", worker.next()).await {
        events.push(event);
    }
    let stops = |event: &Event| matches!(event, Event::Delete { job, .. } if job.fence == second.fence);
    assert!(events.iter().any(stops), "the program is asked to stop the job: {events:?}");
    assert!(matches!(events.last(), Some(Event::Close(Some(error))) if error.kind() == ErrorKind::Panic), "{events:?}");
}

#[tokio::test]
async fn a_grace_that_cannot_be_counted_is_refused() {
    let redis = Redis::start();
    let worker = Worker::start(with_lease(&redis, "60000"), &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    for grace in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_millis(u64::MAX), Duration::from_secs(86_401)] {
        let error = soon("the answer", worker.terminate(grace)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
    assert!(worker.health().healthy);
    soon("the end", worker.terminate(Duration::from_secs(86_400))).await.unwrap();
}
