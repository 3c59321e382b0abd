//! Limits of rates and of active jobs.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use libswarm::{ErrorKind, Job, JobState, Limit, Master, NewJob, Payload, Worker};
use support::{Redis, master, next_job, soon, until_counts, worker};
use tokio::runtime::Handle;

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
/// A fencing token may be one more than the last, and a start is allowed in the millisecond in which its time comes.
const TOLERANCE: Duration = MS;

async fn pair(redis: &Redis, slots: &str) -> (Master, Worker) {
    let worker = worker(redis, &[("slots", slots)]).await;
    (master(redis), worker)
}

fn job(id: &str) -> NewJob {
    NewJob::bytes("").id(id)
}

fn jobs(name: &str, count: usize, limit: &str) -> Vec<NewJob> {
    (0..count).map(|number| job(&format!("{name}{number}")).limit(limit)).collect()
}

async fn done(job: Job) {
    job.complete(Payload::default()).await.unwrap();
}

/// Takes and completes jobs; ids, and when each started on Redis' clock, which is its fencing token.
async fn run(worker: &Worker, count: usize) -> Vec<(String, Duration)> {
    let mut all = Vec::new();
    for _ in 0..count {
        let job = next_job(worker).await;
        all.push((job.id.clone(), Duration::from_micros(job.fence)));
        done(job).await;
    }
    all
}

/// The time from the start of one job to that of another.
fn between(starts: &[(String, Duration)], one: usize, other: usize) -> Duration {
    starts[other].1 - starts[one].1
}

/// Nothing is left of jobs and lines.
async fn is_clean(redis: &Redis, master: &Master) {
    until_counts(master, "the end of all jobs", |stats| {
        stats.waiting + stats.active + stats.deleting + stats.delayed + stats.blocked == 0
    })
    .await;
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    for part in ["ready:", "resources", "blocked", "limited", "limit_users", "limit_turns", "stopping"] {
        assert!(!keys.iter().any(|key| key.starts_with(&format!("{{test}}:{part}"))), "{part} is left: {keys:?}");
    }
    let due: Vec<String> = redis.ask(&["ZRANGE", "{test}:due", "0", "-1"]);
    assert!(!due.iter().any(|entry| entry.starts_with("N:")), "{due:?}");
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn no_more_jobs_are_active_than_a_limit_allows_and_the_first_goes_first() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    assert!(!master.limit("api", Limit::concurrent(2)).await.unwrap());
    master.add_many(jobs("a", 6, "api")).await.unwrap();
    let (first, second) = (next_job(&worker).await, next_job(&worker).await);
    assert_eq!((&*first.id, &*second.id), ("a0", "a1"));
    let info = master.limit_info("api").await.unwrap();
    assert_eq!((info.active, info.blocked, info.figures), (2, 4, Some(Limit::concurrent(2))));
    assert_eq!(master.job("a2").await.unwrap().unwrap().state, JobState::Blocked);
    assert_eq!(master.job("a2").await.unwrap().unwrap().limits, ["api"]);
    // Others pass.
    master.add(job("other")).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "other");
    master.add(job("late").limit("api")).await.unwrap();
    done(second).await;
    let third = next_job(&worker).await;
    assert_eq!(third.id, "a2");
    done(first).await;
    done(third).await;
    let order: Vec<String> = run(&worker, 4).await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(order, ["a3", "a4", "a5", "late"]);
}

#[tokio::test]
async fn a_rate_spaces_starts_and_wakes_each_job_in_time() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    master.limit("api", Limit::rate(20, SECOND)).await.unwrap();
    master.add_many(jobs("a", 10, "api")).await.unwrap();
    let starts = run(&worker, 10).await;
    let ids: Vec<&str> = starts.iter().map(|(id, _)| &**id).collect();
    assert_eq!(ids, ["a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"]);
    for at in 1..10 {
        assert!(between(&starts, at - 1, at) >= 50 * MS - TOLERANCE, "{starts:?}");
    }
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_burst_starts_at_once_and_a_cost_takes_more() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    master.limit("api", Limit::rate(10, SECOND).burst(3)).await.unwrap();
    master.add_many(jobs("a", 4, "api")).await.unwrap();
    let starts = run(&worker, 4).await;
    // The first three at once, and the fourth an interval after them.
    assert!(between(&starts, 0, 2) < 100 * MS && between(&starts, 0, 3) >= 100 * MS - TOLERANCE, "{starts:?}");
    // A job that costs 5 waits for a full bucket and delays the next by 5 intervals.
    master.add_many(vec![job("dear").limit_at_cost("api", 5), job("next").limit("api")]).await.unwrap();
    let starts = run(&worker, 2).await;
    assert_eq!((&*starts[0].0, &*starts[1].0), ("dear", "next"));
    assert!(between(&starts, 0, 1) >= 300 * MS - TOLERANCE, "{starts:?}");
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_job_needs_all_its_limits_and_a_group_has_figures() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    master.limit("all", Limit::concurrent(3)).await.unwrap();
    master.limit("tenant:*", Limit::concurrent(1)).await.unwrap();
    master.limit("tenant:big", Limit::concurrent(2)).await.unwrap();
    let of = |id: &str, tenant: &str| job(id).limit("all").limit(format!("tenant:{tenant}"));
    let added = vec![of("a0", "a"), of("a1", "a"), of("b0", "big"), of("b1", "big"), of("b2", "big"), of("c0", "c")];
    master.add_many(added).await.unwrap();
    let mut active = Vec::new();
    for expected in ["a0", "b0", "b1"] {
        active.push(next_job(&worker).await);
        assert_eq!(active.last().unwrap().id, expected);
    }
    until_counts(&master, "three blocked jobs", |stats| stats.blocked == 3).await;
    let [a0, b0, b1] = <[Job; 3]>::try_from(active).unwrap();
    done(b0).await;
    let next = next_job(&worker).await;
    // `c0` or `b2`, but not a second job of tenant a.
    assert!(["b2", "c0"].contains(&&*next.id), "{}", next.id);
    done(a0).await;
    done(next).await;
    done(b1).await;
    let mut rest: Vec<String> = run(&worker, 2).await.into_iter().map(|(id, _)| id).collect();
    rest.sort();
    assert_eq!(rest[0], "a1");
    is_clean(&redis, &master).await;
    let limits = master.queues().await.unwrap().limits;
    let names: Vec<&str> = limits.iter().map(|limit| &*limit.name).collect();
    assert_eq!(names, ["all", "tenant:*", "tenant:big"]);
}

#[tokio::test]
async fn a_handler_can_let_a_limit_wait() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    master.add_many(vec![job("a").limit("api").retries(0), job("b").limit("api")]).await.unwrap();
    let (a, b) = (next_job(&worker).await, next_job(&worker).await);
    let start = Instant::now();
    a.rate_limited(200 * MS, None).await.unwrap();
    done(b).await;
    master.add(job("c").limit("api")).await.unwrap();
    until_counts(&master, "two blocked jobs", |stats| stats.blocked == 2).await;
    assert!(master.limit_info("api").await.unwrap().next_in > Duration::ZERO);
    let again = next_job(&worker).await;
    assert_eq!((&*again.id, again.attempt(), again.crashes), ("a", 1, 0));
    assert!(start.elapsed() >= 200 * MS);
    done(again).await;
    done(next_job(&worker).await).await;
    // Another limit than its own: the job is delayed, and that limit waits.
    master.add(job("d")).await.unwrap();
    let d = next_job(&worker).await;
    let start = Instant::now();
    d.rate_limited(100 * MS, Some("api")).await.unwrap();
    master.add(job("e").limit("api")).await.unwrap();
    for _ in 0..2 {
        done(next_job(&worker).await).await;
        assert!(start.elapsed() >= 100 * MS);
    }
    let error = {
        master.add(job("f")).await.unwrap();
        next_job(&worker).await.rate_limited(MS, Some("a\nb")).await.unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn figures_change_while_jobs_wait() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    let hour = Duration::from_secs(3600);
    master.limit("api", Limit::rate(1, hour)).await.unwrap();
    master.limit("group:*", Limit::rate(1, hour)).await.unwrap();
    master.add_many(jobs("a", 3, "api")).await.unwrap();
    master.add_many(jobs("g", 3, "group:x")).await.unwrap();
    done(next_job(&worker).await).await;
    done(next_job(&worker).await).await;
    until_counts(&master, "four blocked jobs", |stats| stats.blocked == 4 && stats.active == 0).await;
    assert!(master.limit("api", Limit::rate(1, hour)).await.unwrap());
    assert!(master.limit_info("api").await.unwrap().next_in > Duration::from_secs(3000));
    master.limit("api", Limit::rate(20, SECOND)).await.unwrap();
    done(next_job(&worker).await).await;
    assert!(master.remove_limit("api").await.unwrap());
    assert!(!master.remove_limit("api").await.unwrap());
    done(next_job(&worker).await).await;
    master.limit("group:*", Limit::rate(20, SECOND)).await.unwrap();
    run(&worker, 2).await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn waiting_and_active_jobs_can_be_deleted() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "1").await;
    master.limit("api", Limit::concurrent(1)).await.unwrap();
    master.add_many(jobs("a", 4, "api")).await.unwrap();
    let first = next_job(&worker).await;
    until_counts(&master, "waiting jobs", |stats| stats.active == 1).await;
    assert!(master.delete("a1").await.unwrap());
    assert!(master.delete("a0").await.unwrap());
    // The limit is used until the worker has stopped.
    assert_eq!(master.limit_info("api").await.unwrap().active, 1);
    first.stopped().await.unwrap();
    let next = next_job(&worker).await;
    assert_eq!(next.id, "a2");
    // The turn of a job that waits for a slot passes to the next when it is deleted.
    let holder = next;
    master.add(job("plain")).await.unwrap();
    done(holder).await;
    let third = next_job(&worker).await;
    assert!(["a3", "plain"].contains(&&*third.id));
    master.delete(if third.id == "a3" { "plain" } else { "a3" }).await.unwrap();
    done(third).await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_turn_waits_for_a_worker_without_using_the_rate() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    master.limit("api", Limit::rate(20, SECOND)).await.unwrap();
    let (_, worker) = pair(&redis, "1").await;
    master.add_many(jobs("a", 30, "api")).await.unwrap();
    let first = next_job(&worker).await;
    // The only slot is in use for longer than the rate needs for the next start.
    soon("the next start is allowed", async {
        while master.limit_info("api").await.unwrap().next_in > Duration::ZERO {
            tokio::time::sleep(5 * MS).await;
        }
    })
    .await;
    done(first).await;
    let starts = run(&worker, 5).await;
    for at in 1..5 {
        assert!(between(&starts, at - 1, at) >= 50 * MS - TOLERANCE, "{starts:?}");
    }
}

#[tokio::test]
async fn jobs_of_a_lost_worker_free_their_limit_and_start_first() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "5").await;
    master.limit("api", Limit::concurrent(1)).await.unwrap();
    master.add_many(jobs("a", 3, "api")).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "a0");
    let (_, other) = pair(&redis, "5").await;
    let incarnation = worker.incarnation().unwrap();
    master.end_lease(&incarnation).await.unwrap();
    let again = next_job(&other).await;
    assert_eq!((&*again.id, again.crashes), ("a0", 1));
    done(again).await;
    drop(worker);
    run(&other, 2).await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_limit_and_a_resource_apply_together() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "20").await;
    master.limit("api", Limit::concurrent(2)).await.unwrap();
    let of = |id: &str, resource: &str| job(id).limit("api").resource(resource);
    let added = vec![of("a0", "a"), of("a1", "a"), of("b0", "b"), of("b1", "b"), job("a2").resource("a"), of("c", "c")];
    master.add_many(added).await.unwrap();
    let mut left = 6;
    let mut active: Vec<Job> = Vec::new();
    while left > 0 {
        active.push(next_job(&worker).await);
        left -= 1;
        assert!(active.iter().filter(|job| job.id != "a2").count() <= 2);
        for resource in ["a", "b"] {
            assert!(active.iter().filter(|job| job.resource() == resource).count() <= 1, "{resource}");
        }
        if active.len() == 2 || left == 0 {
            done(active.remove(0)).await;
        }
    }
    for job in active {
        done(job).await;
    }
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn bad_limits_are_refused_and_an_obliterated_cluster_has_none() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "5").await;
    for (name, limit) in
        [("", Limit::concurrent(1)), ("a*", Limit::concurrent(1)), ("a", Limit::default()), ("a", Limit::rate(0, SECOND))]
    {
        assert_eq!(master.limit(name, limit).await.unwrap_err().kind(), ErrorKind::InvalidArgument, "{name}");
    }
    for bad in [job("x").limit("a").limit("a"), job("x").limit("a:*"), job("x").limit_at_cost("a", 0)] {
        assert_eq!(master.add(bad).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    }
    assert!(master.queues().await.unwrap().limits.is_empty());
    master.limit("api", Limit::concurrent(1)).await.unwrap();
    master.add_many(jobs("a", 3, "api")).await.unwrap();
    next_job(&worker).await;
    until_counts(&master, "two blocked jobs", |stats| stats.blocked == 2).await;
    master.obliterate().await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "*limit*"]);
    assert!(keys.is_empty(), "{keys:?}");
}

#[tokio::test]
async fn a_job_whose_turn_it_is_at_its_limit_waits_for_its_resource_in_one_place_and_delays_no_other() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis, "4").await;
    master.limit("api", Limit::concurrent(2)).await.unwrap();
    for new in [job("holder").resource("r"), job("x").limit("api"), job("z").limit("api")] {
        master.add(new).await.unwrap();
    }
    let (holder, x, z) = (next_job(&worker).await, next_job(&worker).await, next_job(&worker).await);
    master.add(job("both").limit("api").resource("r")).await.unwrap();
    until_counts(&master, "the line of the limit", |stats| stats.blocked == 1).await;
    done(x).await;
    until_counts(&master, "the turn of the job that waits for its resource", |stats| stats.active == 2).await;
    master.add_many(vec![job("1").limit("api"), job("2")]).await.unwrap();
    let others = [next_job(&worker).await, next_job(&worker).await];
    // It is queued before all others.
    z.release().await.unwrap();
    let z = next_job(&worker).await;
    assert_eq!(z.id, "z");
    done(holder).await;
    done(z).await;
    let both = next_job(&worker).await;
    assert_eq!(both.id, "both");
    for other in others {
        done(other).await;
    }
    master.add(job("end")).await.unwrap();
    assert_eq!(next_job(&worker).await.id, "end", "the job was queued twice");
    done(both).await;
}
