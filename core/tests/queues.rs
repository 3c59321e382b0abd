//! Work queues: priorities, tasks, resources, delays, retries, timeouts, guaranteed slots, groups, and looking in.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use libswarm::{Backoff, Choosing, DeleteReason, ErrorKind, Event, Growth, JobState, Master, NewJob, Outcome, Payload, Worker};
use support::{Redis, master, next_event, next_job, soon, until_counts, worker};
use tokio::runtime::Handle;

fn job(name: &str) -> NewJob {
    NewJob::bytes("").id(name)
}

/// Adds jobs and answers nothing; the order is that of the list.
async fn add(master: &Master, jobs: Vec<NewJob>) {
    master.add_many(jobs).await.unwrap();
}

/// Takes `count` jobs, completing each at once; their ids in order.
async fn run(worker: &Worker, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let job = next_job(worker).await;
        ids.push(job.id.clone());
        job.complete(Payload::default()).await.unwrap();
    }
    ids
}

/// Nothing is left of what only these jobs have.
async fn is_clean(redis: &Redis, master: &Master) {
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.deleting, stats.delayed, stats.blocked), (0, 0, 0, 0, 0), "{stats:?}");
    assert_eq!(stats.added + stats.revived, stats.completed + stats.failures + stats.deleted, "{stats:?}");
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    for part in ["ready:", "resources", "blocked", "delayed", "stopping", "unique", "progress", "ephemeral", "queues"] {
        assert!(!keys.iter().any(|key| key.starts_with(&format!("{{test}}:{part}"))), "{part} is left: {keys:?}");
    }
    let due: Vec<String> = redis.ask(&["ZRANGE", "{test}:due", "0", "-1"]);
    assert!(due.iter().all(|entry| ["L:", "R:", "M:"].iter().any(|kind| entry.starts_with(kind))), "{due:?}");
}

#[tokio::test]
async fn higher_priorities_go_first_and_equal_ones_in_order() {
    let redis = Redis::start();
    let master = master(&redis);
    let of = |name: &str, priority| job(name).priority(priority);
    add(&master, vec![of("a", 0), of("b", -1), of("c", 5), of("d", 0), of("e", 5), of("f", 1 << 53), of("g", -1)]).await;
    let queues = master.queues().await.unwrap().queues;
    let counted: Vec<_> = queues.iter().map(|queue| (queue.priority, queue.waiting)).collect();
    assert_eq!(counted, [(1 << 53, 1), (5, 2), (0, 2), (-1, 2)]);
    let worker = worker(&redis, &[("slots", "1")]).await;
    assert_eq!(run(&worker, 7).await, ["f", "c", "e", "a", "d", "b", "g"]);
    is_clean(&redis, &master).await;
    // To a worker that waits, in one hop.
    add(&master, vec![of("h", -7)]).await;
    assert_eq!(next_job(&worker).await.priority(), -7);
}

#[tokio::test]
async fn a_worker_is_assigned_only_its_tasks_in_the_order_of_the_adds() {
    let redis = Redis::start();
    let master = master(&redis);
    let of = |name: &str, task: &str| job(name).task(task);
    add(&master, vec![of("1", "a"), of("2", "b"), job("3"), of("4", "c"), of("5", "a"), of("6", "b")]).await;
    let both = worker(&redis, &[("slots", "1"), ("task", "a"), ("task", "b")]).await;
    assert_eq!(run(&both, 4).await, ["1", "2", "5", "6"]);
    let plain = worker(&redis, &[("slots", "1")]).await;
    assert_eq!(run(&plain, 1).await, ["3"]);
    assert_eq!(master.stats().await.unwrap().waiting, 1, "no worker takes task c");
    add(&master, vec![of("7", "b")]).await;
    assert_eq!(next_job(&both).await.task(), "b");
    let last = worker(&redis, &[("task", "c"), ("task", "")]).await;
    assert_eq!(run(&last, 1).await, ["4"]);
}

#[tokio::test]
async fn jobs_of_one_resource_run_one_at_a_time_in_order() {
    let redis = Redis::start();
    let master = master(&redis);
    let of = |n: u32| job(&n.to_string()).resource(if n.is_multiple_of(2) { "even" } else { "odd" });
    let workers = [worker(&redis, &[]).await, worker(&redis, &[]).await];
    add(&master, (0..20).map(of).collect()).await;
    until_counts(&master, "18 are blocked", |stats| (stats.active, stats.blocked) == (2, 18)).await;
    let mut order = [Vec::new(), Vec::new()];
    while order[0].len() + order[1].len() < 20 {
        let (first, second) = (workers[0].next(), workers[1].next());
        let event = soon("an event", async {
            tokio::select! { event = first => event, event = second => event }
        })
        .await;
        if let Some(Event::Add(job)) = event {
            let n: usize = job.id.parse().unwrap();
            order[n % 2].push(n);
            assert_eq!(job.resource(), if n.is_multiple_of(2) { "even" } else { "odd" });
            job.complete(Payload::default()).await.unwrap();
        }
    }
    let [evens, odds] = order;
    assert!(evens.is_sorted() && odds.is_sorted(), "{evens:?} {odds:?}");
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_deleted_or_lost_execution_frees_its_resource_only_when_it_has_stopped() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    add(&master, vec![job("a").resource("r"), job("b").resource("r"), job("c").resource("r"), job("d").resource("r")]).await;
    let a = next_job(&worker).await;
    assert!(master.delete("c").await.unwrap(), "a blocked one");
    assert!(master.delete("a").await.unwrap());
    until_counts(&master, "a is being deleted", |stats| stats.deleting == 1).await;
    assert_eq!(master.stats().await.unwrap().active, 0, "b has to wait until a has stopped");
    a.stopped().await.unwrap();
    let b = next_job(&worker).await;
    assert_eq!(b.id, "b");
    b.release().await.unwrap();
    let again = next_job(&worker).await;
    assert_eq!(again.id, "b", "it keeps its turn");
    again.fail("no").await.unwrap();
    assert_eq!(run(&worker, 1).await, ["d"]);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn delayed_jobs_come_when_due_and_can_be_deleted_before() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let start = Instant::now();
    // Far apart, because the add itself takes a while on a busy machine.
    let at = std::time::SystemTime::now() + Duration::from_millis(600);
    add(
        &master,
        vec![
            job("late").delay(Duration::from_millis(1100)),
            job("soon").delay(Duration::from_millis(100)).priority(-3),
            job("at").run_at(at),
            job("never").delay(Duration::from_secs(3600)),
        ],
    )
    .await;
    assert_eq!(master.stats().await.unwrap().delayed, 4);
    assert_eq!(master.job("never").await.unwrap().unwrap().state, JobState::Delayed);
    assert!(master.delete("never").await.unwrap());
    assert_eq!(run(&worker, 3).await, ["soon", "at", "late"]);
    assert!(start.elapsed() >= Duration::from_millis(1100));
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_delayed_job_starts_though_its_master_is_gone() {
    let redis = Redis::start();
    let worker = worker(&redis, &[("lease", "60000")]).await;
    let master = master(&redis);
    add(&master, vec![job("a").delay(Duration::from_millis(200))]).await;
    master.close().await.unwrap();
    assert_eq!(next_job(&worker).await.id, "a", "long before the next renewal");
}

#[tokio::test]
async fn failed_attempts_are_repeated_after_their_backoff() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let backoff = Backoff { growth: Growth::Exponential, delay: Duration::from_millis(20), ..Backoff::default() };
    let waiting = tokio::spawn({
        let master = master.clone();
        async move { master.run(job("a").retries(2).backoff(backoff)).await }
    });
    for attempt in 1..=3 {
        let job = next_job(&worker).await;
        assert_eq!((job.attempt(), job.retries_left()), (attempt, 3 - attempt));
        let before = Instant::now();
        if attempt == 2 {
            job.retry("later", Duration::from_millis(150)).await.unwrap();
        } else {
            job.fail(format!("attempt {attempt}")).await.unwrap();
        }
        if attempt == 2 {
            assert_eq!(master.stats().await.unwrap().delayed, 1);
            let again = next_job(&worker).await;
            assert!(before.elapsed() >= Duration::from_millis(150));
            again.fail_permanently("enough").await.unwrap();
            break;
        }
    }
    let outcome = soon("the result", waiting).await.unwrap().unwrap();
    let error = outcome.into_result().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::JobFailed, "enough"));
    let failed = master.job("a").await.unwrap().unwrap();
    assert_eq!((failed.state, failed.attempt, &*failed.failure.unwrap().message), (JobState::Failed, 3, "enough"));
    // Run again by hand, with all its retries.
    assert_eq!(master.retry_failed(None).await.unwrap(), 1);
    let job = next_job(&worker).await;
    assert_eq!((job.attempt(), job.retries_left()), (1, 2));
    job.complete(Payload::default()).await.unwrap();
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.retries, stats.failures, stats.revived, stats.failed), (2, 1, 1, 0));
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn each_timeout_has_its_error_and_the_worker_is_notified() {
    let redis = Redis::start();
    let master = master(&redis);
    let short = Duration::from_millis(80);
    let kind = |outcome: libswarm::Result<Outcome>| outcome.unwrap().into_result().unwrap_err().kind();
    assert_eq!(kind(soon("assign", master.run(job("a").assign_timeout(short))).await), ErrorKind::AssignTimeout);
    assert_eq!(kind(soon("total", master.run(job("b").total_timeout(short))).await), ErrorKind::TotalTimeout);
    let worker = worker(&redis, &[("slots", "1")]).await;
    let (outcome, job_c) = tokio::join!(master.run(job("c").run_timeout(short).assign_timeout(short).resource("r")), async {
        let job = next_job(&worker).await;
        let reason = next_event(&worker, "delete", |event| match event {
            Event::Delete { reason, .. } => Some(reason),
            _ => None,
        })
        .await;
        assert_eq!(reason, DeleteReason::TimedOut);
        job
    });
    assert_eq!(kind(outcome), ErrorKind::RunTimeout);
    assert!(job_c.is_cancelled());
    add(&master, vec![job("d").resource("r")]).await;
    assert_eq!(master.stats().await.unwrap().active, 0, "the slot and the resource are still taken");
    assert_eq!(job_c.complete(Payload::default()).await.unwrap_err().kind(), ErrorKind::JobDeleted);
    assert_eq!(run(&worker, 1).await, ["d"]);
    // A run that takes too long is an attempt like any other.
    let (outcome, ()) = tokio::join!(master.run(job("e").run_timeout(short).retries(1)), async {
        let first = next_job(&worker).await;
        soon("the end", first.cancelled()).await;
        first.stopped().await.unwrap();
        let second = next_job(&worker).await;
        assert_eq!((second.attempt(), second.id.as_str()), (2, "e"));
        second.complete(Payload::json(&1).unwrap()).await.unwrap();
    });
    assert_eq!(outcome.unwrap().json::<u32>().unwrap(), 1);
    assert_eq!(master.delete_failed(Some(&["a".into(), "x".into()])).await.unwrap(), 1);
    assert_eq!(master.delete_failed(None).await.unwrap(), 2);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_timeout_waits_for_no_renewal() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("lease", "60000")]).await;
    master.pause(None).await.unwrap();
    add(&master, vec![job("a").run_timeout(Duration::from_millis(80))]).await;
    // The master's lease ends soon: the worker itself must notice.
    master.resume(None).await.unwrap();
    master.close().await.unwrap();
    next_job(&worker).await;
    let deleted = |event| matches!(event, Event::Delete { reason: DeleteReason::TimedOut, .. }).then_some(());
    next_event(&worker, "the timeout", deleted).await;
}

#[tokio::test]
async fn slots_are_guaranteed_for_higher_priorities() {
    for (strict_slots, expected) in [("false", [50, 80, 100]), ("true", [50, 80, 70])] {
        for (at, expected) in expected.into_iter().enumerate() {
            let redis = Redis::start();
            let master = master(&redis);
            let options = [("slots", "100"), ("priority_slots", "1:30,2:20"), ("strict_slots", strict_slots)];
            let jobs: Vec<_> = (0..120).map(|n| job(&n.to_string()).priority(at as i64)).collect();
            // Half of them wait for the worker, the others come to it.
            add(&master, jobs[..40].to_vec()).await;
            let worker = worker(&redis, &options).await;
            add(&master, jobs[40..].to_vec()).await;
            until_counts(&master, "the range is full", |stats| stats.active == expected).await;
            for _ in 0..10 {
                let job = next_job(&worker).await;
                job.complete(Payload::default()).await.unwrap();
            }
            until_counts(&master, "it is full again", |stats| (stats.completed, stats.active) == (10, expected)).await;
            if at == 0 {
                add(&master, (0..60).map(|n| job(&format!("p{n}")).priority(1)).collect()).await;
                until_counts(&master, "all slots are full", |stats| stats.active == 100).await;
            }
        }
    }
}

#[tokio::test]
async fn ephemeral_jobs_are_deleted_with_their_master() {
    let redis = Redis::start();
    let (other, leaving) = (master(&redis), master(&redis));
    add(&leaving, vec![job("a").ephemeral(true), job("b").ephemeral(true), job("c")]).await;
    let worker = worker(&redis, &[("slots", "1")]).await;
    let a = next_job(&worker).await;
    leaving.close().await.unwrap();
    soon("the end of a", a.cancelled()).await;
    a.stopped().await.unwrap();
    assert_eq!(run(&worker, 1).await, ["c"]);
    is_clean(&redis, &other).await;
}

#[tokio::test]
async fn pauses_stop_assignment_and_pages_show_where_jobs_are() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("slots", "3"), ("name", "ann"), ("task", ""), ("task", "t")]).await;
    master.pause(Some("t")).await.unwrap();
    master.pause(None).await.unwrap();
    let jobs = (0..10).map(|n| NewJob::json(&n).unwrap().id(format!("j{n}")).priority(n / 5).header("n", n.to_string()));
    add(&master, jobs.collect()).await;
    add(&master, vec![job("t").task("t").priority(9)]).await;
    let mut ids = Vec::new();
    let mut next: Option<String> = None;
    loop {
        let page = master.jobs(JobState::Waiting, next.as_deref(), 3).await.unwrap();
        ids.extend(page.jobs.iter().map(|job| job.id.clone()));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(ids, ["t", "j5", "j6", "j7", "j8", "j9", "j0", "j1", "j2", "j3", "j4"]);
    assert_eq!(master.queues().await.unwrap().paused, ["*", "t"]);
    assert_eq!(master.stats().await.unwrap().active, 0);
    master.resume(None).await.unwrap();
    let first = next_job(&worker).await;
    assert_eq!((&*first.id, first.headers().collect::<Vec<_>>()), ("j5", vec![("n", "5")]));
    first.progress(&serde_json::json!({"done": 0.5})).unwrap();
    let seen = soon("progress", async {
        loop {
            let seen = master.job("j5").await.unwrap().unwrap();
            if seen.progress.is_some() {
                return seen;
            }
        }
    })
    .await;
    assert_eq!(seen.progress.as_deref(), Some(r#"{"done":0.5}"#));
    assert_eq!((seen.state, &seen.holder, seen.fence), (JobState::Active, &worker.incarnation(), Some(first.fence)));
    let json = serde_json::to_value(&seen).unwrap();
    assert_eq!((&json["payload"], &json["progress"]["done"], &json["state"]), (&5.into(), &0.5.into(), &"active".into()));
    assert_eq!(master.jobs(JobState::Active, None, 100).await.unwrap().jobs.len(), 3);
    let members = master.members().await.unwrap();
    let ann = members.iter().find(|member| member.name == "ann").unwrap();
    assert_eq!((ann.active, ann.slots, &*ann.tasks, ann.free), (3, Some(3), &["".to_owned(), "t".to_owned()][..], 0));
    first.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&worker, 9).await.len(), 9);
    assert_eq!(master.job("j5").await.unwrap().map(|job| job.id), None);
    master.resume(Some("t")).await.unwrap();
    assert_eq!(run(&worker, 1).await, ["t"]);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_walk_over_pages_visits_every_job_though_each_page_is_deleted() {
    let redis = Redis::start();
    let master = master(&redis);
    let plain = |n: usize| job(&format!("{n:04}"));
    type Kind = (JobState, fn(NewJob) -> NewJob);
    let kinds: [Kind; 5] = [
        (JobState::Waiting, |job| job),
        (JobState::Waiting, |job| job.priority(3)),
        (JobState::Waiting, |job| job.task("t")),
        (JobState::Delayed, |job| job.delay(Duration::from_secs(600))),
        (JobState::Failed, |job| job),
    ];
    for (turn, (state, with)) in kinds.into_iter().enumerate() {
        add(&master, (0..1000).map(|n| with(plain(n))).collect()).await;
        if state == JobState::Failed {
            let worker = worker(&redis, &[]).await;
            for _ in 0..1000 {
                next_job(&worker).await.fail("no").await.unwrap();
            }
            worker.terminate(Duration::ZERO).await.unwrap();
        }
        let (mut seen, mut next) = (Vec::new(), None);
        loop {
            let page = master.jobs(state, next.as_deref(), 49).await.unwrap();
            let ids: Vec<String> = page.jobs.into_iter().map(|job| job.id).collect();
            master.delete_many(ids.clone()).await.unwrap();
            seen.extend(ids);
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 1000, "{state:?}, kind {turn}");
        until_counts(&master, "nothing is left", |stats| (stats.waiting, stats.delayed, stats.failed) == (0, 0, 0)).await;
    }
}

#[tokio::test]
async fn jobs_of_one_priority_come_in_their_order_whatever_their_task() {
    let redis = Redis::start();
    let master = master(&redis);
    let names: Vec<String> = (0..30).map(|n| format!("{n:02}")).collect();
    // Each in a batch of its own: plain ones, some with a task, some with another.
    for (n, name) in names.iter().enumerate() {
        add(&master, vec![if n % 3 == 0 { job(name) } else { job(name).task(if n % 3 == 1 { "a" } else { "b" }) }]).await;
    }
    let worker = worker(&redis, &[("task", ""), ("task", "a"), ("task", "b"), ("slots", "1")]).await;
    assert_eq!(run(&worker, names.len()).await, names);
}

#[tokio::test]
async fn jobs_at_hand_start_as_slots_become_free() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("slots", "1"), ("prefetch", "2")]).await;
    add(&master, (0..5).map(|n| job(&n.to_string())).collect()).await;
    until_counts(&master, "three are assigned", |stats| (stats.active, stats.waiting) == (3, 2)).await;
    let first = next_job(&worker).await;
    assert!(worker.take_events(10).is_empty(), "one slot, one job");
    assert!(master.delete("1").await.unwrap(), "it was never seen");
    first.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&worker, 3).await, ["2", "3", "4"]);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_worker_asks_for_no_more_jobs_than_its_limit() {
    let redis = Redis::start();
    let master = master(&redis);
    let limited = Worker::start(redis.options(), &Handle::current()).unwrap();
    // Before it is registered: no job can be on its way beyond the limit.
    limited.limit_slots(2).unwrap();
    limited.ready().await.unwrap();
    let other = worker(&redis, &[]).await;
    add(&master, (0..6).map(|n| job(&n.to_string())).collect()).await;
    // Without the limit each has three.
    for _ in 0..4 {
        next_job(&other).await;
    }
    let mut active = vec![next_job(&limited).await, next_job(&limited).await];

    limited.limit_slots(3).unwrap();
    other.terminate(Duration::ZERO).await.unwrap();
    active.push(next_job(&limited).await);
    until_counts(&master, "three wait", |stats| (stats.active, stats.waiting) == (3, 3)).await;

    limited.limit_slots(1).unwrap();
    for job in active {
        job.complete(Payload::default()).await.unwrap();
    }
    let last = next_job(&limited).await;
    until_counts(&master, "it has one", |stats| (stats.active, stats.waiting) == (1, 2)).await;
    last.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&limited, 2).await.len(), 2);

    // Its own slots are a limit, too.
    let own = worker(&redis, &[("slots", "1")]).await;
    limited.terminate(Duration::ZERO).await.unwrap();
    own.limit_slots(5).unwrap();
    add(&master, vec![job("a"), job("b")]).await;
    let first = next_job(&own).await;
    until_counts(&master, "the other waits", |stats| (stats.active, stats.waiting) == (1, 1)).await;
    first.complete(Payload::default()).await.unwrap();
    run(&own, 1).await;
    is_clean(&redis, &master).await;
    own.terminate(Duration::ZERO).await.unwrap();
    assert_eq!(own.limit_slots(1).unwrap_err().kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn durability_is_checked() {
    let redis = Redis::start();
    let master = master(&redis);
    let durable = master.add(job("a").durability(libswarm::Durability::Replica));
    let (durable, plain) = tokio::join!(durable, master.add(NewJob::bytes("")));
    assert_eq!(durable.unwrap_err().kind(), ErrorKind::NotDurable);
    assert!(plain.is_ok(), "it did not ask for it, though it went along");
    assert_eq!(master.add(job("b").durability(libswarm::Durability::Fsync)).await.unwrap_err().kind(), ErrorKind::NotDurable);
    let _: String = redis.ask(&["CONFIG", "SET", "appendonly", "yes", "appendfsync", "always"]);
    assert!(!master.add(job("c").durability(libswarm::Durability::Fsync)).await.unwrap().existed);
    assert_eq!(master.stats().await.unwrap().waiting, 4, "they are added all the same");
}

#[tokio::test]
async fn failed_jobs_are_bounded_in_number_and_age() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("failed_max", "2"), ("failed_ttl", "1000")]).await;
    add(&master, (0..4).map(|n| job(&n.to_string())).collect()).await;
    for _ in 0..4 {
        next_job(&worker).await.fail("no").await.unwrap();
    }
    let page = master.jobs(JobState::Failed, None, 10).await.unwrap();
    assert_eq!(page.jobs.iter().map(|job| &*job.id).collect::<Vec<_>>(), ["3", "2"], "the newest, newest first");
    until_counts(&master, "they are forgotten", |stats| stats.failed == 0).await;
}

#[tokio::test]
async fn active_jobs_move_to_a_worker_that_joins_if_it_asks_for_it() {
    let redis = Redis::start();
    let master = master(&redis);
    let old = [worker(&redis, &[]).await, worker(&redis, &[]).await];
    add(&master, (0..20).map(|n| job(&n.to_string())).collect()).await;
    for _ in 0..10 {
        next_job(&old[0]).await;
        next_job(&old[1]).await;
    }
    let idle = worker(&redis, &[]).await;
    assert_eq!(idle.health().active, 0, "off by default");
    idle.terminate(Duration::ZERO).await.unwrap();
    let joined = worker(&redis, &[("rebalance", "true")]).await;
    for worker in &old {
        for _ in 0..3 {
            let job = next_event(worker, "a move", |event| match event {
                Event::Delete { job, reason: DeleteReason::Moved } => Some(job),
                _ => None,
            })
            .await;
            job.stopped().await.unwrap();
        }
    }
    for _ in 0..6 {
        next_job(&joined).await;
    }
    assert_eq!([&old[0], &old[1], &joined].map(|worker| worker.health().active), [7, 7, 6]);
}

#[tokio::test]
async fn a_worker_can_change_its_tasks() {
    let redis = Redis::start();
    let master = master(&redis);
    add(&master, vec![job("1").task("a"), job("2").task("b")]).await;
    let worker = worker(&redis, &[("slots", "1")]).await;
    worker.set_tasks(vec!["b".into()]).unwrap();
    assert_eq!(run(&worker, 1).await, ["2"]);
    add(&master, vec![job("3")]).await;
    worker.set_tasks(vec!["a".into(), String::new()]).unwrap();
    assert_eq!(run(&worker, 2).await, ["1", "3"], "in the order in which they came, whatever their tasks");
    add(&master, vec![job("4").task("b"), job("5").task("a")]).await;
    assert_eq!(run(&worker, 1).await, ["5"]);
    assert_eq!(worker.set_tasks(vec!["x\n".into()]).unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_task_without_workers_and_waiting_jobs_is_forgotten() {
    let redis = Redis::start();
    let worker = worker(&redis, &[("task", "a"), ("task", "b")]).await;
    let known = || redis.ask::<Vec<String>>(&["SMEMBERS", "{test}:tasks"]).into_iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(known(), ["a", "b"].map(String::from).into());
    let master = master(&redis);
    add(&master, vec![job("1").task("b")]).await;
    next_job(&worker).await;
    worker.terminate(Duration::ZERO).await.unwrap();
    assert_eq!(known(), ["b"].map(String::from).into());
}

/// Has `choose` called by the name of the workers, in the background.
fn start_choosing(
    master: &Master,
    choosing: Choosing,
    mut choose: impl FnMut(&str, &[(String, u64)]) -> Option<usize> + Send + 'static,
) -> tokio::task::JoinHandle<libswarm::Result<()>> {
    let master = master.clone();
    tokio::spawn(async move {
        let by_name = |job: &libswarm::JobInfo, workers: &[(&libswarm::Candidate, u64)]| {
            let named: Vec<_> = workers.iter().map(|(worker, free)| (worker.name.clone(), *free)).collect();
            choose(&job.id, &named)
        };
        master.choose(choosing, by_name).await
    })
}

#[tokio::test]
async fn a_master_may_choose_the_worker_of_each_job() {
    let redis = Redis::start();
    let master = master(&redis);
    let ann = worker(&redis, &[("name", "ann"), ("slots", "2")]).await;
    let bob = worker(&redis, &[("name", "bob"), ("priority_slots", "5:1"), ("slots", "4")]).await;
    let (seen, mut shown) = tokio::sync::mpsc::unbounded_channel();
    let choosing = Choosing { within: Duration::from_secs(3600), ..Choosing::default() };
    let chooser = start_choosing(&master, choosing, move |job, workers| {
        let _ = seen.send((job.to_owned(), workers.to_vec()));
        // No worker takes jobs named x now.
        (!job.starts_with('x')).then(|| workers.iter().position(|(name, _)| name == "bob"))?
    });
    let next = |count: usize| {
        let bob = bob.clone();
        async move {
            let mut ids = Vec::new();
            for _ in 0..count {
                ids.push(next_job(&bob).await);
            }
            ids
        }
    };
    add(&master, vec![job("first")]).await;
    let first = next(1).await;
    let (id, workers) = soon("the first choice", shown.recv()).await.unwrap();
    assert_eq!(
        (id.as_str(), workers),
        ("first", vec![("bob".into(), 3), ("ann".into(), 2)]),
        "the guaranteed slot is not for it"
    );
    add(&master, vec![job("x"), job("a"), job("b"), job("c"), job("high").priority(7)]).await;
    let ids: Vec<_> = next(3).await.into_iter().map(|job| job.id.clone()).collect();
    assert_eq!(ids, ["high", "a", "b"], "higher priorities go first, and bob has two slots more for the others");
    assert_eq!(ann.health().active, 0, "it was not chosen");
    until_counts(&master, "two wait", |stats| stats.waiting == 2).await;
    for job in first {
        job.complete(Payload::default()).await.unwrap();
    }
    assert_eq!(next(1).await[0].id, "c");
    // The choice is over.
    master.stop_choosing().await.unwrap();
    assert_eq!(next_job(&ann).await.id, "x");
    soon("the end of choosing", chooser).await.unwrap().unwrap();
}

#[tokio::test]
async fn deleted_jobs_do_not_hide_those_behind_them_from_a_choice() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    master.start_choosing(Choosing { within: Duration::from_secs(3600), ..Choosing::default() }).await.unwrap();
    // So many that the entries of deleted ones stay.
    add(&master, (0..4400).map(|n| job(&format!("j{n}"))).collect()).await;
    master.delete_many((0..250).map(|n| format!("j{n}")).collect()).await.unwrap();
    let choices = soon("choices", master.choices()).await.unwrap();
    assert_eq!(choices.jobs[0].id, "j250");
    assert_eq!(master.assign(&[("j250".into(), worker.incarnation().unwrap())]).await.unwrap(), [true]);
    assert_eq!(next_job(&worker).await.id, "j250");
    master.stop_choosing().await.unwrap();
    assert_eq!(next_job(&worker).await.id, "j251");
}

#[tokio::test]
async fn jobs_are_assigned_by_default_when_the_choice_takes_too_long_or_the_chooser_leaves() {
    let redis = Redis::start();
    let adder = master(&redis);
    // With long leases, no member makes a call by chance.
    let mut patient = redis.options();
    patient.set("lease", "60000").unwrap();
    let slow = Master::start(patient, &Handle::current()).unwrap();
    let worker = worker(&redis, &[("task", ""), ("task", "t"), ("task", "u"), ("lease", "60000")]).await;
    let choosing = Choosing { within: Duration::from_millis(200), tasks: vec!["".into(), "t".into()] };
    let start = Instant::now();
    add(&adder, vec![job("a")]).await;
    assert_eq!(run(&worker, 1).await, ["a"], "no master chooses yet");
    slow.start_choosing(choosing.clone()).await.unwrap();
    assert_eq!(adder.queues().await.unwrap().chooser, slow.incarnation());
    add(&adder, vec![job("b").task("t"), job("c").task("u"), job("d")]).await;
    assert_eq!(run(&worker, 1).await, ["c"], "it does not choose for this task");
    let choices = soon("choices", slow.choices()).await.unwrap();
    assert_eq!(choices.jobs.iter().map(|job| job.id.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    assert_eq!(run(&worker, 2).await, ["b", "d"], "by default, within the time, in their order");
    assert!((Duration::from_millis(200)..Duration::from_secs(2)).contains(&start.elapsed()), "{:?}", start.elapsed());
    let late =
        slow.assign(&[("b".into(), choices.workers[0].incarnation.clone()), ("zzz".into(), "nobody".into())]).await.unwrap();
    assert_eq!(late, [false, false]);
    // It leaves while a job waits for it.
    slow.start_choosing(Choosing { within: Duration::from_secs(3600), ..choosing }).await.unwrap();
    add(&adder, vec![job("e")]).await;
    assert_eq!(soon("choices", slow.choices()).await.unwrap().jobs[0].id, "e");
    slow.close().await.unwrap();
    assert_eq!(run(&worker, 1).await, ["e"]);
    is_clean(&redis, &adder).await;
}
