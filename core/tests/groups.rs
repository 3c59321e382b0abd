//! Groups of waiting jobs take turns.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use libswarm::{ErrorKind, Job, JobState, Master, NewJob, Payload, Worker};
use support::{Redis, master, next_job, soon, until_counts, worker};

fn job(group: &str, number: usize) -> NewJob {
    NewJob::bytes("").id(format!("{group}{number}")).group(group)
}

fn jobs(group: &str, count: usize) -> Vec<NewJob> {
    (0..count).map(|number| job(group, number)).collect()
}

async fn done(job: Job) {
    job.complete(Payload::default()).await.unwrap();
}

/// Takes and completes one job at a time; their groups.
async fn run(worker: &Worker, count: usize) -> Vec<String> {
    let mut groups = Vec::new();
    for _ in 0..count {
        let job = next_job(worker).await;
        groups.push(job.group().to_owned());
        done(job).await;
    }
    groups
}

fn count(groups: &[String], group: &str) -> usize {
    groups.iter().filter(|one| *one == group).count()
}

/// Adds jobs that wait, because no worker is there; then a worker with one slot.
async fn waiting(redis: &Redis, jobs: Vec<NewJob>) -> (Master, Worker) {
    let master = master(redis);
    let number = jobs.len() as u64;
    master.add_many(jobs).await.unwrap();
    until_counts(&master, "jobs that wait", |stats| stats.waiting == number).await;
    (master, worker(redis, &[("slots", "1")]).await)
}

/// Nothing is left of queues.
async fn is_clean(redis: &Redis, master: &Master) {
    until_counts(master, "the end of all jobs", |stats| stats.waiting + stats.active + stats.deleting == 0).await;
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    for part in ["ready:", "turns:", "group:", "weights:", "group_waiting", "index", "queues"] {
        assert!(!keys.iter().any(|key| key.starts_with(&format!("{{test}}:{part}"))), "{part} is left: {keys:?}");
    }
}

#[tokio::test]
async fn groups_take_turns_however_long_they_are() {
    let redis = Redis::start();
    let mut all = jobs("big", 100);
    all.extend(jobs("small", 5));
    all.extend(jobs("tiny", 1));
    let (master, worker) = waiting(&redis, all).await;
    let first = run(&worker, 12).await;
    assert!(first[..4].contains(&"tiny".to_owned()), "{first:?}");
    assert_eq!(count(&first, "small"), 5, "{first:?}");
    let rest = run(&worker, 94).await;
    assert_eq!(count(&rest, "big"), 94);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_group_has_turns_by_its_weight_and_keeps_the_order_of_its_jobs() {
    let redis = Redis::start();
    let mut all: Vec<NewJob> = jobs("heavy", 40).into_iter().map(|job| job.weight(3)).collect();
    all.extend(jobs("light", 40));
    let (_master, worker) = waiting(&redis, all).await;
    let mut ids: HashMap<String, Vec<usize>> = HashMap::new();
    let mut groups = Vec::new();
    for _ in 0..40 {
        let job = next_job(&worker).await;
        let group = job.group().to_owned();
        ids.entry(group.clone()).or_default().push(job.id[group.len()..].parse().unwrap());
        groups.push(group);
        done(job).await;
    }
    assert!((29..=31).contains(&count(&groups, "heavy")), "{groups:?}");
    for numbers in ids.values() {
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[tokio::test]
async fn the_weight_that_counts_is_that_of_the_job_queued_last() {
    let redis = Redis::start();
    let mut all: Vec<NewJob> = jobs("a", 20).into_iter().map(|job| job.weight(1000)).collect();
    all.extend(jobs("b", 20));
    all.push(job("a", 20).weight(1));
    let (_master, worker) = waiting(&redis, all).await;
    let first = run(&worker, 20).await;
    assert!((9..=11).contains(&count(&first, "a")), "{first:?}");
}

#[tokio::test]
async fn a_group_that_comes_back_again_and_again_does_not_delay_the_others() {
    let redis = Redis::start();
    let mut all = jobs("b", 30);
    all.extend(jobs("c", 30));
    let (master, worker) = waiting(&redis, all).await;
    let mut groups = Vec::new();
    let mut number = 0;
    while number < 10 {
        master.add(job("a", number)).await.unwrap();
        number += 1;
        loop {
            let job = next_job(&worker).await;
            let group = job.group().to_owned();
            done(job).await;
            groups.push(group);
            if groups.last().unwrap() == "a" {
                break;
            }
        }
    }
    for group in ["b", "c"] {
        assert!(count(&groups, group) >= 9, "{group} was delayed: {groups:?}");
    }
}

#[tokio::test]
async fn groups_take_turns_inside_a_priority_and_a_task_only() {
    let redis = Redis::start();
    let of = |group: &str, number: usize, task: &str, priority: i64| job(group, number).task(task).priority(priority);
    let mut all: Vec<NewJob> = (0..3).map(|number| of("low", number, "t", 0)).collect();
    all.extend((3..6).map(|number| of("low", number, "t", 5)));
    all.extend((0..3).map(|number| of("other", number, "t", 5)));
    let master = master(&redis);
    master.add_many(all).await.unwrap();
    let worker = worker(&redis, &[("slots", "1"), ("task", "t")]).await;
    let groups = run(&worker, 9).await;
    assert_eq!(count(&groups[..6], "other"), 3, "{groups:?}");
    assert_eq!(count(&groups[..2], "other"), 1, "{groups:?}");
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn jobs_of_other_tasks_and_without_groups_keep_the_order_in_which_they_came() {
    let redis = Redis::start();
    let master = master(&redis);
    let plain = |id: &str| NewJob::bytes("").id(id);
    let all = vec![
        plain("p1"),
        job("a", 1),
        plain("t1").task("t"),
        job("a", 2),
        job("b", 1),
        plain("p2"),
        plain("t2").task("t"),
        job("b", 2),
    ];
    for job in all {
        master.add(job).await.unwrap();
    }
    let worker = worker(&redis, &[("slots", "1"), ("task", ""), ("task", "t")]).await;
    let mut ids = Vec::new();
    for _ in 0..8 {
        let job = next_job(&worker).await;
        ids.push(job.id.clone());
        done(job).await;
    }
    // The turns are a1, b1, a2, b2: a2 comes after b1, which came after it.
    assert_eq!(ids, ["p1", "a1", "t1", "b1", "a2", "p2", "t2", "b2"]);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_released_job_is_the_next_of_its_group() {
    let redis = Redis::start();
    let mut all = jobs("a", 5);
    all.extend(jobs("b", 5));
    let (_master, worker) = waiting(&redis, all).await;
    let job = next_job(&worker).await;
    let id = job.id.clone();
    job.release().await.unwrap();
    let mut next = Vec::new();
    for _ in 0..2 {
        let job = next_job(&worker).await;
        next.push(job.id.clone());
        done(job).await;
    }
    assert!(next.contains(&id), "{id} is not among {next:?}");
}

#[tokio::test]
async fn a_deleted_job_takes_no_turn() {
    let redis = Redis::start();
    let mut all = jobs("a", 50);
    all.extend(jobs("b", 4));
    let (master, worker) = waiting(&redis, all).await;
    // One of `a` is assigned to the worker.
    for number in 1..48 {
        assert!(master.delete(&format!("a{number}")).await.unwrap());
    }
    let groups = run(&worker, 7).await;
    assert_eq!(count(&groups[..5], "a"), 3, "{groups:?}");
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn inspections_show_groups_and_all_jobs_that_wait() {
    let redis = Redis::start();
    let master = master(&redis);
    let mut all: Vec<NewJob> = (0..300).map(|number| job(&format!("g{}:", number % 150), number)).collect();
    all.extend((0..40).map(|number| NewJob::bytes("").id(format!("plain{number}"))));
    all.extend((0..40).map(|number| NewJob::bytes("").id(format!("task{number}")).task("t").group("g:1:2")));
    let ids: BTreeSet<String> = all.iter().enumerate().map(|(at, _)| at.to_string()).collect();
    master.add_many(all).await.unwrap();
    let queues = master.queues().await.unwrap().queues;
    let rows: Vec<_> = queues.iter().map(|queue| (&*queue.task, queue.waiting, queue.groups)).collect();
    assert_eq!(rows, [("", 340, 150), ("t", 40, 1)]);
    for size in [7, 100, 1000] {
        let mut seen = BTreeMap::new();
        let mut next = None;
        loop {
            let page = master.jobs(JobState::Waiting, next.as_deref(), size).await.unwrap();
            for job in page.jobs {
                *seen.entry(job.id).or_insert(0) += 1;
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!((seen.len(), seen.values().max()), (ids.len(), Some(&1)), "pages of {size}");
    }
    let one = master.job("g7:7").await.unwrap().unwrap();
    assert_eq!((&*one.group, one.state), ("g7:", JobState::Waiting));
    assert!(master.delete("g7:7").await.unwrap());
    let queues = master.queues().await.unwrap().queues;
    assert_eq!((queues[0].waiting, queues[0].groups), (339, 150));
    master.obliterate().await.unwrap();
    is_clean(&redis, &support::master(&redis)).await;
}

#[tokio::test]
async fn bad_groups_and_weights_are_refused() {
    let redis = Redis::start();
    let master = master(&redis);
    let job = || NewJob::bytes("");
    for (wrong, kind, text) in [
        (job().group("x".repeat(257)), ErrorKind::TooLarge, "group"),
        (job().group("a\nb"), ErrorKind::InvalidArgument, "group"),
        (job().group("g").weight(0), ErrorKind::InvalidArgument, "weight"),
        (job().group("g").weight(1001), ErrorKind::InvalidArgument, "weight"),
        (job().weight(2), ErrorKind::InvalidArgument, "weight"),
    ] {
        let error = master.add(wrong).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(text), "{error}");
    }
    let error = job().set("weight", "heavy").unwrap_err();
    assert!(error.message().contains("weight") && error.message().contains("1,000"), "{error}");
    soon("nothing was added", async { assert_eq!(master.stats().await.unwrap().added, 0) }).await;
}

#[tokio::test]
#[ignore = "adds a million jobs"]
async fn small_groups_beside_one_of_a_million_jobs_wait_two_rounds_at_most() {
    const BIG: usize = 1_000_000;
    const SMALL: usize = 1000;
    let redis = Redis::start();
    let master = master(&redis);
    for from in (0..BIG).step_by(10_000) {
        master.add_many((from..from + 10_000).map(|number| job("big", number)).collect()).await.unwrap();
    }
    let small = |number: usize| (0..10).map(move |one| job(&format!("s{number}:"), one));
    master.add_many((0..SMALL).flat_map(small).collect()).await.unwrap();
    let worker = worker(&redis, &[("slots", "50")]).await;
    let mut last: HashMap<String, usize> = HashMap::new();
    let (mut longest, mut left) = (0, 10 * SMALL);
    for at in 0.. {
        let job = next_job(&worker).await;
        if job.group() != "big" {
            let before = last.insert(job.group().to_owned(), at).unwrap_or(0);
            longest = longest.max(at - before);
            left -= 1;
        }
        done(job).await;
        if left == 0 {
            break;
        }
    }
    // The slots of the worker are assigned before it takes them.
    assert!(longest <= 2 * (SMALL + 1) + 50, "a group waited for {longest} jobs of others");
    let waiting = master.stats().await.unwrap().waiting;
    assert!(waiting >= BIG as u64 - 11_000, "{waiting} jobs wait: the small groups had fewer turns than the big one");
}
