//! Unique keys: one job at a time has each, and adds of others do nothing, replace it, or wait for it.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::time::{Duration, Instant};

use libswarm::{
    Added, ErrorKind, JobState, Master, NewJob, OnConflict, Outcome, Payload, Schedule, Timing, Unique, Until, Worker,
};
use support::{Redis, master, next_job, soon, until_counts, worker};
use tokio::runtime::Handle;

/// A job with the key `k`.
fn job(payload: u32, on_conflict: OnConflict) -> NewJob {
    NewJob::json(&payload).unwrap().unique(Unique { on_conflict, ..Unique::from("k") })
}

fn until(until: Until) -> Unique {
    Unique { until, ..Unique::from("k") }
}

fn number(outcome: Outcome) -> u32 {
    outcome.json().unwrap()
}

/// Takes a job, completes it with its payload plus 100, and returns the payload.
async fn run(worker: &Worker) -> u32 {
    let job = next_job(worker).await;
    let payload: u32 = job.json().unwrap();
    job.complete(Payload::json(&(payload + 100)).unwrap()).await.unwrap();
    payload
}

fn left(existing: &Added) -> Added {
    Added { existed: true, ..existing.clone() }
}

fn replaced(existing: &Added) -> Added {
    Added { existed: true, replaced: true, ..existing.clone() }
}

/// No key is left, and nothing that waits for one.
async fn is_clean(redis: &Redis, master: &Master) {
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.deleting, stats.delayed, stats.blocked), (0, 0, 0, 0, 0), "{stats:?}");
    assert_eq!(stats.added + stats.revived, stats.completed + stats.failures + stats.deleted, "{stats:?}");
    assert_eq!(stats.damaged, 0, "{stats:?}");
    let keys: Vec<String> = redis.ask(&["KEYS", "*"]);
    for part in ["unique", "blocked", "delayed", "ephemeral", "ready:", "resources"] {
        assert!(!keys.iter().any(|key| key.starts_with(&format!("{{test}}:{part}"))), "{part} is left: {keys:?}");
    }
    let due: Vec<String> = redis.ask(&["ZRANGE", "{test}:due", "0", "-1"]);
    assert!(due.iter().all(|entry| ["L:", "R:", "M:", "D:"].iter().any(|kind| entry.starts_with(kind))), "{due:?}");
}

#[tokio::test]
async fn an_add_is_dropped_until_the_job_with_the_key_finishes() {
    let redis = Redis::start();
    let (master, other) = (master(&redis), master(&redis));
    let first = master.add(job(1, OnConflict::Drop).result(true)).await.unwrap();
    assert_eq!((first.existed, first.replaced), (false, false));
    assert_eq!(other.add(job(2, OnConflict::Drop).id("own")).await.unwrap(), left(&first));
    assert!(master.job("own").await.unwrap().is_none());
    // A dropped run awaits the job that has the key.
    let run_of_other = tokio::spawn(async move { (other.run(job(3, OnConflict::Drop)).await.unwrap(), other) });
    let worker = worker(&redis, &[]).await;
    let taken = next_job(&worker).await;
    assert_eq!(taken.json::<u32>().unwrap(), 1);
    assert_eq!(master.add(job(4, OnConflict::Drop)).await.unwrap(), left(&first), "while it is active");
    assert_eq!(master.stats().await.unwrap().added, 1);
    taken.complete(Payload::json(&7).unwrap()).await.unwrap();
    let (outcome, _) = soon("the run", run_of_other).await.unwrap();
    assert_eq!(number(outcome), 7);
    assert_eq!(number(soon("the result", master.result(&first.id)).await.unwrap()), 7);
    let second = master.add(job(5, OnConflict::Drop)).await.unwrap();
    assert!(!second.existed && second.id != first.id);
    assert_eq!(run(&worker).await, 5);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn the_key_is_free_after_every_outcome() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("max_crashes", "0")]).await;
    let new = || job(1, OnConflict::Drop);
    let free = async |what: &str| {
        let added = master.add(new().id(format!("after {what}")).delay(Duration::from_secs(600))).await.unwrap();
        assert!(!added.existed, "{what}: {added:?}");
        assert!(master.delete(&added.id).await.unwrap());
    };
    master.add(new()).await.unwrap();
    next_job(&worker).await.fail_permanently("no").await.unwrap();
    free("a failure").await;
    // Between attempts it has its key.
    master.add(new().id("again").retries(1)).await.unwrap();
    next_job(&worker).await.retry("no", Duration::from_secs(600)).await.unwrap();
    assert_eq!(master.add(new()).await.unwrap().id, "again");
    master.delete("again").await.unwrap();
    free("a deletion while it was delayed").await;
    let deleted = master.add(new()).await.unwrap();
    let active = next_job(&worker).await;
    master.delete(&deleted.id).await.unwrap();
    free("a deletion while it was active").await;
    active.stopped().await.unwrap();
    for limited in [new().run_timeout(Duration::from_millis(20)), new().total_timeout(Duration::from_millis(20))] {
        master.add(limited).await.unwrap();
        let job = next_job(&worker).await;
        soon("the timeout", job.cancelled()).await;
        job.stopped().await.unwrap();
        free("a timeout").await;
    }
    let late = master.add(new().task("nobody").assign_timeout(Duration::from_millis(20)).result(true)).await.unwrap();
    let outcome = soon("the timeout", master.result(&late.id)).await.unwrap();
    assert_eq!(outcome.into_result().unwrap_err().kind(), ErrorKind::AssignTimeout);
    free("a timeout before it was assigned").await;
    let leaving = Master::start(redis.options(), &Handle::current()).unwrap();
    leaving.add(new().ephemeral(true).delay(Duration::from_secs(600))).await.unwrap();
    leaving.close().await.unwrap();
    free("the end of its master").await;
    until_counts(&master, "all have stopped", |stats| stats.deleting == 0).await;
    master.delete_failed(None).await.unwrap();
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn until_start_frees_the_key_at_the_first_assignment() {
    let redis = Redis::start();
    let master = master(&redis);
    let new = |payload: u32| NewJob::json(&payload).unwrap().unique(until(Until::Start)).retries(1);
    let first = master.add(new(1)).await.unwrap();
    assert_eq!(master.add(new(2)).await.unwrap(), left(&first));
    let worker = worker(&redis, &[("slots", "1")]).await;
    let taken = next_job(&worker).await;
    let third = master.add(new(3)).await.unwrap();
    assert!(!third.existed);
    assert_eq!(master.add(new(4)).await.unwrap(), left(&third));
    // A retry of the first is no second holder.
    taken.retry("again", Duration::ZERO).await.unwrap();
    assert_eq!((run(&worker).await, run(&worker).await), (3, 1));
    is_clean(&redis, &master).await;
    // A worker with free slots is assigned the job in the call that adds it.
    assert!(!master.add(new(5)).await.unwrap().existed);
    assert_eq!(run(&worker).await, 5);
    assert!(!master.add(new(6)).await.unwrap().existed);
    assert_eq!(run(&worker).await, 6);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_key_for_a_time_outlives_a_completed_job_and_no_other() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let time = Duration::from_millis(700);
    let new = |payload: u32| NewJob::json(&payload).unwrap().unique(until(Until::Time(time))).result(true);
    let begun = Instant::now();
    let first = master.add(new(1)).await.unwrap();
    assert_eq!(run(&worker).await, 1);
    let answer = master.add(new(2)).await.unwrap();
    if begun.elapsed() < time {
        assert_eq!(answer, left(&first));
        assert_eq!(number(soon("the run", master.run(new(3))).await.unwrap()), 101, "the result of the completed job");
    }
    soon("the end of the time", async { while master.add(new(4)).await.unwrap().existed {} }).await;
    assert!(begun.elapsed() >= time);
    // A failed or deleted job does not keep it.
    next_job(&worker).await.fail_permanently("no").await.unwrap();
    let fifth = master.add(new(5).delay(Duration::from_secs(60))).await.unwrap();
    assert!(!fifth.existed);
    master.delete(&fifth.id).await.unwrap();
    // Its time may end before the job does.
    let begun = Instant::now();
    assert!(!master.add(new(6)).await.unwrap().existed);
    let sixth = next_job(&worker).await;
    soon("the end of the time", async { while master.add(new(7)).await.unwrap().existed {} }).await;
    assert!(begun.elapsed() >= time);
    assert_eq!(run(&worker).await, 7);
    sixth.complete(Payload::default()).await.unwrap();
    master.delete_failed(None).await.unwrap();
    soon("no key is left", async {
        while redis.ask::<u64>(&["EXISTS", "{test}:unique"]) == 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn replace_changes_payload_and_options_of_a_waiting_job() {
    let redis = Redis::start();
    let (master, other) = (master(&redis), master(&redis));
    master.add(NewJob::json(&50).unwrap().id("before")).await.unwrap();
    let first = master.add(job(1, OnConflict::Replace).id("first")).await.unwrap();
    master.add(NewJob::json(&51).unwrap().id("behind")).await.unwrap();
    // In place: it keeps its turn.
    assert_eq!(master.add(job(2, OnConflict::Replace).header("a", "b")).await.unwrap(), replaced(&first));
    let worker = worker(&redis, &[("slots", "1"), ("task", ""), ("task", "t")]).await;
    assert_eq!(run(&worker).await, 50);
    let taken = next_job(&worker).await;
    assert_eq!((taken.id.as_str(), taken.json::<u32>().unwrap(), taken.headers().count()), ("first", 2, 1));
    assert_eq!(master.add(job(3, OnConflict::Replace)).await.unwrap(), left(&first), "an active job is not replaced");
    taken.complete(Payload::default()).await.unwrap();
    let active = next_job(&worker).await;
    assert_eq!(active.id, "behind");
    // Out of every place where a job can wait, into every other.
    let ways: [fn(NewJob) -> NewJob; 5] = [
        |job| job,
        |job| job.delay(Duration::from_secs(600)),
        |job| job.task("t").priority(7),
        |job| job.resource("r").total_timeout(Duration::from_secs(600)),
        |job| job.ephemeral(true).assign_timeout(Duration::from_secs(600)),
    ];
    let mut payload = 100;
    let second = master.add(job(payload, OnConflict::Replace)).await.unwrap();
    for from in ways {
        for to in ways {
            for way in [from, to] {
                payload += 1;
                assert_eq!(master.add(way(job(payload, OnConflict::Replace))).await.unwrap(), replaced(&second));
            }
            let stats = master.stats().await.unwrap();
            assert_eq!((stats.waiting + stats.delayed, stats.added), (1, 4), "{stats:?}");
            let queued: u64 = master.queues().await.unwrap().queues.iter().map(|queue| queue.waiting).sum();
            assert_eq!(queued, stats.waiting, "it is in one place");
        }
    }
    // Both masters that ran it get its result, also if the last one wants none.
    let runs: Vec<_> = [master.clone(), other]
        .into_iter()
        .map(|master| {
            payload += 1;
            let job = job(payload, OnConflict::Replace);
            tokio::spawn(async move { number(master.run(job).await.unwrap()) })
        })
        .collect();
    soon("both await it", async {
        while !redis.ask::<Option<String>>(&["HGET", "{test}:waiters", &second.id]).unwrap_or_default().contains(',') {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(master.add(job(900, OnConflict::Replace)).await.unwrap(), replaced(&second));
    active.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&worker).await, 900);
    for run in runs {
        assert_eq!(soon("the run", run).await.unwrap(), 1000);
    }
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn replace_takes_a_blocked_job_out_of_its_queue() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("slots", "9")]).await;
    master.add(NewJob::json(&1).unwrap().resource("r")).await.unwrap();
    let active = next_job(&worker).await;
    let blocked = master.add(job(2, OnConflict::Replace).resource("r")).await.unwrap();
    until_counts(&master, "it is blocked", |stats| stats.blocked == 1).await;
    assert_eq!(master.add(job(3, OnConflict::Replace)).await.unwrap(), replaced(&blocked));
    assert_eq!(run(&worker).await, 3);
    active.complete(Payload::default()).await.unwrap();
    until_counts(&master, "all are done", |stats| stats.completed == 2).await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn latest_runs_once_more_with_the_newest_payload() {
    let redis = Redis::start();
    let master = master(&redis);
    let first = master.add(job(1, OnConflict::Latest)).await.unwrap();
    assert_eq!(master.add(job(2, OnConflict::Latest)).await.unwrap(), replaced(&first), "while it waits, as replace");
    let worker = worker(&redis, &[]).await;
    let active = next_job(&worker).await;
    assert_eq!(active.json::<u32>().unwrap(), 2);
    let next = master.add(job(3, OnConflict::Latest).result(true)).await.unwrap();
    assert!(!next.existed);
    let state = master.job(&next.id).await.unwrap().unwrap().state;
    assert_eq!(state, JobState::Blocked);
    assert_eq!(master.add(job(4, OnConflict::Latest).priority(3)).await.unwrap(), replaced(&next));
    // Many of one batch, and attached ones, which finish with the active one.
    let many = master.add_many((5..10).map(|payload| job(payload, OnConflict::Latest)).collect()).await.unwrap();
    assert!(many.iter().all(|added| *added == replaced(&next)), "{many:?}");
    let attached = tokio::spawn({
        let master = master.clone();
        async move { number(master.run(job(50, OnConflict::Attach)).await.unwrap()) }
    });
    until_counts(&master, "two wait", |stats| stats.blocked == 2).await;
    assert_eq!(master.add(job(51, OnConflict::Drop)).await.unwrap(), left(&first));
    active.complete(Payload::json(&77).unwrap()).await.unwrap();
    assert_eq!(soon("the attached job", attached).await.unwrap(), 77);
    let last = next_job(&worker).await;
    assert_eq!((&last.id, last.json::<u32>().unwrap()), (&next.id, 9));
    // It has the key now, and what follows it is deleted or fails without a trace.
    let after = master.add(job(10, OnConflict::Latest)).await.unwrap();
    assert!(master.delete(&after.id).await.unwrap());
    let after = master.add(job(11, OnConflict::Latest).total_timeout(Duration::from_millis(20)).result(true)).await.unwrap();
    assert_eq!(
        soon("its timeout", master.result(&after.id)).await.unwrap().into_result().unwrap_err().kind(),
        ErrorKind::TotalTimeout
    );
    let after = master.add(job(12, OnConflict::Latest)).await.unwrap();
    assert!(!after.existed);
    // A failure of the one before lets it run, too.
    last.fail_permanently("no").await.unwrap();
    assert_eq!(run(&worker).await, 12);
    let failed = soon("the outcome", master.result(&next.id)).await.unwrap();
    assert_eq!(failed.into_result().unwrap_err().kind(), ErrorKind::JobFailed);
    master.delete_failed(None).await.unwrap();
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn attached_jobs_finish_with_the_outcome_of_the_first() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let of = |name: &str| job(0, OnConflict::Attach).id(name).result(true);
    let group = tokio::spawn({
        let master = master.clone();
        async move { master.run_many(vec![of("a"), of("b"), of("c")]).await.unwrap() }
    });
    let first = next_job(&worker).await;
    until_counts(&master, "two wait", |stats| stats.blocked == 2).await;
    assert!(master.delete("b").await.unwrap());
    first.complete(Payload::json(&7).unwrap()).await.unwrap();
    let outcomes = soon("the results", group).await.unwrap();
    assert_eq!(outcomes[0].clone().unwrap().json::<u32>().unwrap(), 7);
    assert_eq!(outcomes[1].clone().unwrap_err().kind(), ErrorKind::JobDeleted);
    assert_eq!(outcomes[2].clone().unwrap().json::<u32>().unwrap(), 7);
    // If the first is deleted, the next takes its place.
    master.add_many(vec![of("d"), of("e")]).await.unwrap();
    let d = next_job(&worker).await;
    assert!(master.delete("d").await.unwrap());
    soon("the end of d", d.cancelled()).await;
    d.stopped().await.unwrap();
    let e = next_job(&worker).await;
    assert_eq!(e.id, "e");
    e.complete(Payload::default()).await.unwrap();
    // Deleted together: the second is assigned when the first is deleted, and stopped.
    master.add_many(vec![of("f"), of("g"), of("h")]).await.unwrap();
    let f = next_job(&worker).await;
    until_counts(&master, "two wait", |stats| stats.blocked == 2).await;
    assert_eq!(master.delete_many(["f", "g", "h"].map(str::to_owned).to_vec()).await.unwrap(), [true; 3]);
    f.stopped().await.unwrap();
    until_counts(&master, "nothing is left", |stats| stats.active + stats.deleting + stats.waiting + stats.blocked == 0).await;
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_debounced_job_starts_after_a_pause_in_adds_or_its_longest_wait() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let (pause, longest) = (Duration::from_millis(300), Duration::from_millis(900));
    let new = |payload: u32| job(payload, OnConflict::Drop).debounce(pause).max_wait(longest);
    let begun = Instant::now();
    let first = master.add(new(0)).await.unwrap();
    let mut last = Instant::now();
    let mut payload = 0;
    // Adds without a pause, until the longest wait is over.
    let taken = loop {
        tokio::select! {
            job = next_job(&worker) => break job,
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
        let added = master.add(new(payload + 1)).await.unwrap();
        assert_eq!(added.id, first.id);
        if added.replaced {
            (payload, last) = (payload + 1, Instant::now());
        }
    };
    assert_eq!((taken.id.as_str(), taken.json::<u32>().unwrap()), (first.id.as_str(), payload));
    assert!(begun.elapsed() >= longest && last.elapsed() < pause, "{:?}", begun.elapsed());
    // Started: `on_conflict` applies.
    assert_eq!(master.add(new(1000)).await.unwrap(), left(&first));
    let follower = master.add(job(1001, OnConflict::Latest).debounce(pause)).await.unwrap();
    assert!(!follower.existed);
    taken.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&worker).await, 1001);
    // A single add starts after the pause; many in one batch are one.
    let begun = Instant::now();
    let many = master.add_many((1..=5).map(new).collect()).await.unwrap();
    assert_eq!(many.iter().filter(|added| !added.existed).count(), 1, "{many:?}");
    assert!(many.iter().all(|added| added.id == many[0].id));
    assert_eq!(master.job(&many[0].id).await.unwrap().unwrap().state, JobState::Delayed);
    assert_eq!(run(&worker).await, 5);
    assert!(begun.elapsed() >= pause);
    // Due, and still waiting for a worker: the newest payload counts, and nothing is delayed again.
    let waiting = master.add(new(6).task("t").debounce(Duration::from_millis(1))).await.unwrap();
    until_counts(&master, "it is due", |stats| stats.waiting == 1).await;
    assert_eq!(
        master.add(new(7).task("t").debounce(Duration::from_secs(60)).max_wait(Duration::from_secs(60))).await.unwrap(),
        replaced(&waiting)
    );
    worker.set_tasks(vec!["t".to_owned()]).unwrap();
    assert_eq!(run(&worker).await, 7);
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_failed_job_that_is_tried_again_takes_its_key_or_waits_for_it() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[]).await;
    let failed = master.add(job(1, OnConflict::Drop)).await.unwrap();
    next_job(&worker).await.fail_permanently("no").await.unwrap();
    assert_eq!(master.retry_failed(None).await.unwrap(), 1);
    let again = next_job(&worker).await;
    assert_eq!(master.add(job(2, OnConflict::Drop)).await.unwrap(), left(&failed));
    again.fail_permanently("no").await.unwrap();
    // Meanwhile another job has the key.
    master.add(job(3, OnConflict::Drop)).await.unwrap();
    let third = next_job(&worker).await;
    assert_eq!(master.retry_failed(None).await.unwrap(), 1);
    assert_eq!(master.job(&failed.id).await.unwrap().unwrap().state, JobState::Blocked);
    third.complete(Payload::default()).await.unwrap();
    let again = next_job(&worker).await;
    assert_eq!(again.id, failed.id);
    assert_eq!(master.add(job(4, OnConflict::Drop)).await.unwrap(), left(&failed), "it has its key");
    again.complete(Payload::default()).await.unwrap();
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn batches_with_many_jobs_of_a_key_are_decided_in_their_order() {
    let redis = Redis::start();
    let master = master(&redis);
    let key =
        |n: u32, on_conflict| NewJob::json(&n).unwrap().unique(Unique { on_conflict, ..Unique::from(format!("k{}", n % 50)) });
    let added = master.add_many((0..1000).map(|n| key(n, OnConflict::Drop)).collect()).await.unwrap();
    assert_eq!(added.iter().filter(|added| !added.existed).count(), 50);
    assert!((50..1000).all(|n| added[n] == left(&added[n % 50])));
    let more = master.add_many((0..1000).map(|n| key(n, OnConflict::Replace)).collect()).await.unwrap();
    assert!((0..1000).all(|n| more[n] == replaced(&added[n % 50])));
    assert_eq!(master.stats().await.unwrap().added, 50);
    // One that waits is replaced more than once in a batch, and moves from place to place.
    let waiting = master.add(job(0, OnConflict::Replace)).await.unwrap();
    let moved = |n: u32| match n % 4 {
        0 => job(n, OnConflict::Replace),
        1 => job(n, OnConflict::Replace).priority(3),
        2 => job(n, OnConflict::Replace).delay(Duration::from_secs(60)),
        _ => job(n, OnConflict::Drop).debounce(Duration::from_secs(60)),
    };
    for last in 1..9 {
        let many = master.add_many((0..=last).map(moved).collect()).await.unwrap();
        assert!(many.iter().all(|added| *added == replaced(&waiting)), "{many:?}");
        let queued: u64 = master.queues().await.unwrap().queues.iter().map(|queue| queue.waiting).sum();
        let stats = master.stats().await.unwrap();
        assert_eq!((queued, stats.delayed), if last % 4 < 2 { (51, 0) } else { (50, 1) }, "{last}");
    }
    assert!(master.delete(&waiting.id).await.unwrap());
    // Ids of the program's own and keys in one batch: what is dropped does not count as existing.
    let own = |id: &str, key: &str| NewJob::json(&1).unwrap().id(id).unique(key);
    let mixed = master.add_many(vec![own("a", "x"), own("b", "x"), own("b", "y"), own("b", "z"), own("c", "z")]).await.unwrap();
    let shown: Vec<_> = mixed.iter().map(|added| (&*added.id, added.existed)).collect();
    assert_eq!(shown, [("a", false), ("a", true), ("b", false), ("b", true), ("c", false)]);
    let worker = worker(&redis, &[]).await;
    let mut payloads = Vec::new();
    for _ in 0..53 {
        payloads.push(run(&worker).await);
    }
    assert_eq!(&payloads[..50], &(950..1000).collect::<Vec<_>>()[..], "the newest, in the order of the first");
    is_clean(&redis, &master).await;
}

#[tokio::test]
async fn a_key_of_a_lost_job_blocks_nothing() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("lease", "30000")]).await;
    // Damage: the job vanished without a transition.
    let lost = master.add(job(1, OnConflict::Drop).delay(Duration::from_secs(600))).await.unwrap();
    let _: u64 = redis.ask(&["HDEL", "{test}:jobs", &lost.id]);
    assert!(!master.add(job(2, OnConflict::Drop)).await.unwrap().existed);
    assert_eq!(run(&worker).await, 2);
    // With jobs that wait for it: the sweep lets the next one run.
    let lost = master.add(job(3, OnConflict::Drop)).await.unwrap();
    let active = next_job(&worker).await;
    master.add_many(vec![job(4, OnConflict::Attach), job(5, OnConflict::Latest)]).await.unwrap();
    let _: u64 = redis.ask(&["HDEL", "{test}:jobs", &lost.id]);
    let _: u64 = redis.ask(&["HDEL", "{test}:owner", &lost.id]);
    assert_eq!(run(&worker).await, 4);
    assert_eq!(run(&worker).await, 5);
    assert_eq!(active.complete(Payload::default()).await.unwrap_err().kind(), ErrorKind::StaleFence);
    // A key that was removed is taken again by its job.
    let kept = master.add(job(6, OnConflict::Drop)).await.unwrap();
    let active = next_job(&worker).await;
    let _: u64 = redis.ask(&["DEL", "{test}:unique"]);
    soon("the key is taken again", async {
        while redis.ask::<Option<String>>(&["HGET", "{test}:unique", "k"]).as_deref() != Some(&kept.id) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    active.complete(Payload::default()).await.unwrap();
    assert!(!master.add(job(7, OnConflict::Drop)).await.unwrap().existed);
    master.obliterate().await.unwrap();
    let keys: Vec<String> = redis.ask(&["KEYS", "{test}:unique*"]);
    assert_eq!(keys, [""; 0]);
}

#[tokio::test]
async fn a_schedule_adds_no_job_while_another_has_its_key() {
    let redis = Redis::start();
    let master = master(&redis);
    let worker = worker(&redis, &[("lease", "30000")]).await;
    let owner = master.add(job(1, OnConflict::Drop)).await.unwrap();
    let active = next_job(&worker).await;
    let every = Schedule::new(Timing::Every(Duration::from_millis(100)));
    master.schedule("s", every, job(2, OnConflict::Drop)).await.unwrap();
    soon("slots are skipped", async {
        while master.schedule_info("s").await.unwrap().unwrap().skipped < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(master.run_schedule("s").await.unwrap(), None);
    assert_eq!(master.stats().await.unwrap().added, 1);
    active.complete(Payload::default()).await.unwrap();
    let slot = next_job(&worker).await;
    assert!(slot.id.starts_with("s@") && slot.id != owner.id);
    master.unschedule("s").await.unwrap();
    slot.complete(Payload::default()).await.unwrap();
    // After the end of its job, the next one follows, whoever has the key.
    let after_end = Schedule::new(Timing::AfterEnd(Duration::from_millis(100)));
    master.add(job(3, OnConflict::Drop)).await.unwrap();
    let active = next_job(&worker).await;
    master.schedule("t", after_end, job(4, OnConflict::Drop)).await.unwrap();
    soon("it is skipped", async {
        while master.schedule_info("t").await.unwrap().unwrap().skipped < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    active.complete(Payload::default()).await.unwrap();
    assert_eq!(run(&worker).await, 4);
    assert_eq!(run(&worker).await, 4);
    master.unschedule("t").await.unwrap();
    let refused = master.schedule(
        "u",
        Schedule::new(Timing::Every(Duration::from_secs(1))),
        job(5, OnConflict::Drop).debounce(Duration::from_secs(1)),
    );
    assert!(refused.await.unwrap_err().message().contains("debounce"));
}

#[tokio::test]
async fn invalid_options_are_refused_and_change_nothing() {
    let redis = Redis::start();
    let master = master(&redis);
    let ms = Duration::from_millis;
    let with = |until, on_conflict| NewJob::bytes("").unique(Unique { key: "k".into(), until, on_conflict });
    let plain = || NewJob::bytes("");
    for (job, kind, text) in [
        (plain().unique(""), ErrorKind::InvalidArgument, "unique key is empty"),
        (plain().unique("a\nb"), ErrorKind::InvalidArgument, "control character"),
        (plain().unique("x".repeat(257)), ErrorKind::TooLarge, "257 bytes, the limit is 256"),
        (with(Until::Time(ms(0)), OnConflict::Drop), ErrorKind::InvalidArgument, "unique_until"),
        (with(Until::Time(Duration::from_secs(366 * 86_400)), OnConflict::Drop), ErrorKind::InvalidArgument, "(1 year)"),
        (with(Until::Start, OnConflict::Attach), ErrorKind::InvalidArgument, "set unique_until to end"),
        (with(Until::Time(ms(5)), OnConflict::Attach), ErrorKind::InvalidArgument, "attach"),
        (with(Until::Start, OnConflict::Latest), ErrorKind::InvalidArgument, "latest"),
        (plain().debounce(ms(5)), ErrorKind::InvalidArgument, "set unique"),
        (plain().max_wait(ms(5)), ErrorKind::InvalidArgument, "set debounce and unique"),
        (plain().unique("k").max_wait(ms(5)), ErrorKind::InvalidArgument, "set debounce"),
        (plain().unique("k").debounce(ms(0)), ErrorKind::InvalidArgument, "debounce is 0 ms"),
        (plain().unique("k").debounce(ms(5)).max_wait(ms(4)), ErrorKind::InvalidArgument, "max_wait is 4 ms, it must be 5 ms"),
        (plain().unique("k").debounce(ms(5)).delay(ms(5)), ErrorKind::InvalidArgument, "leave out delay"),
        (plain().unique("k").debounce(ms(5)).run_at(std::time::SystemTime::now()), ErrorKind::InvalidArgument, "run_at"),
        (with(Until::End, OnConflict::Attach).debounce(ms(5)), ErrorKind::InvalidArgument, "attach"),
        (with(Until::Time(ms(5)), OnConflict::Drop).debounce(ms(5)), ErrorKind::InvalidArgument, "to start or end"),
    ] {
        let error = master.add(job).await.unwrap_err();
        assert!(error.kind() == kind && error.message().contains(text), "{error}: {text}");
    }
    let set = |name: &str, value: &str| NewJob::bytes("").set(name, value).unwrap_err().message().to_owned();
    assert!(set("unique_until", "stop").contains("it must be end or start, or a number of milliseconds"));
    assert!(set("on_conflict", "keep").contains("drop or replace or attach or latest"));
    assert!(set("similar", "k").contains("unknown job option"));
    assert_eq!(master.stats().await.unwrap().added, 0);
    let mut by_name = NewJob::bytes("");
    for (name, value) in [("unique", "k"), ("unique_until", "5000"), ("on_conflict", "replace")] {
        by_name.set(name, value).unwrap();
    }
    assert!(!master.add(by_name).await.unwrap().existed);
    assert!(master.add(with(Until::End, OnConflict::Replace)).await.unwrap().replaced);
}
