//! The scripts, one transition after another, on a real Redis.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::server;
use crate::config::options::Options;
use crate::model::job_options::NewJob;
use crate::model::payload::Payload;
use crate::model::unique::{OnConflict, Unique};
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::store::codec::record::write_record;
use crate::store::codec::{inspect, record, reply};
use crate::store::envelope::Envelopes;
use crate::store::script::Scripts;
use crate::store::*;
use redis::Value;
use server::Redis;

const NOBODY: &str = "00000000000000000000";

struct Bench {
    redis: Redis,
    store: Store,
}

fn bench() -> Bench {
    let redis = Redis::start();
    let mut options = Options::new("t");
    options.set("socket", redis.socket().to_str().unwrap()).unwrap();
    // Long, so that a busy machine does not cut calls short.
    options.set("lease", "60000").unwrap();
    options.set("timeout", "60000").unwrap();
    Bench { store: Store::new(Arc::new(options), tokio::runtime::Handle::current()), redis }
}

impl Bench {
    async fn join(&self, member: &str, fields: &[(&str, &str)]) {
        let mut packed = Vec::new();
        write_array(&mut packed, 2 * fields.len() + 2);
        for (name, value) in fields.iter().chain(&[("role", "worker")]) {
            write_string(&mut packed, name.as_bytes());
            write_string(&mut packed, value.as_bytes());
        }
        self.store.join(member, &packed, &[0x90], "").await.unwrap();
    }

    /// Joins as a worker for these tasks, written as in Lua.
    async fn join_for(&self, member: &str, tasks: &str) {
        self.join(member, &[]).await;
        let script = format!("return redis.call('HSET', KEYS[1], 'tasks', cmsgpack.pack({tasks}))");
        let _: u64 = self.ask(&["EVAL", &script, "1", &format!("{{t}}:member:{member}")]);
    }

    async fn add(&self, member: &str, number: u64, jobs: &[(&str, bool)]) -> AddReply {
        let (mut packed, mut own, mut largest) = (Vec::new(), Vec::new(), 0);
        write_array(&mut packed, 2 * jobs.len());
        for (id, _) in jobs {
            write_string(&mut packed, id.as_bytes());
            let before = packed.len();
            write_record(&mut packed, &NewJob::new(Payload::bytes(id.as_bytes())), "", None, Envelopes::NONE);
            largest = largest.max(packed.len() - before);
        }
        let positions: Vec<u64> = (1..).zip(jobs).filter(|(_, (_, own))| *own).map(|(position, _)| position).collect();
        if !positions.is_empty() {
            write_array(&mut own, positions.len());
            positions.iter().for_each(|position| write_integer(&mut own, *position));
        }
        let call = AddCall { incarnation: member.into(), number, jobs: packed, checked: own, largest, extras: Vec::new() };
        self.store.add(&call).await.unwrap()
    }

    /// Adds a job of any kind.
    async fn add_one(&self, member: &str, number: u64, mut job: NewJob) {
        let adds = crate::adding::Adds::default();
        let (answer, _) = tokio::sync::oneshot::channel::<()>();
        job.fresh = false;
        adds.push(crate::adding::Submission::new(vec![job], Box::new(move |_| drop(answer))));
        let batch = adds.next_batch(member, number, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
        let AddReply::Done { .. } = self.store.add(&batch.call).await.unwrap() else { panic!("unknown member") };
    }

    /// Ends a job as failed.
    async fn end_failed(&self, member: &str, number: u64, job: &(String, u64)) {
        let mut packed = Vec::new();
        write_array(&mut packed, 4);
        write_array(&mut packed, 1);
        write_string(&mut packed, job.0.as_bytes());
        write_array(&mut packed, 1);
        write_string(&mut packed, format!("{}:{member}", job.1).as_bytes());
        write_array(&mut packed, 1);
        write_array(&mut packed, 3);
        ["f", "failed", "why"].iter().for_each(|word| write_string(&mut packed, word.as_bytes()));
        write_array(&mut packed, 0);
        let call = SyncCall { number, ended: packed, ..SyncCall::default() };
        given(self.store.sync(member, &call).await.unwrap());
    }

    /// A round that says nothing; whether a job has failed.
    async fn sync_failed(&self) -> bool {
        given(self.sync("w", 0, "", &[]).await);
        self.store.stats().await.unwrap().failed > 0
    }

    /// Ends jobs (`kind` c, r, s; id; fence) and asks for `credit` more.
    async fn sync(&self, member: &str, number: u64, credit: &str, ended: &[(char, &str, u64)]) -> SyncReply {
        let mut packed = Vec::new();
        if !ended.is_empty() {
            let mut ended = ended.to_vec();
            ended.sort_by_key(|(kind, _, _)| *kind != 'c');
            let detailed = ended.iter().filter(|(kind, _, _)| *kind != 'c').count();
            write_array(&mut packed, 4);
            write_array(&mut packed, ended.len());
            ended.iter().for_each(|(_, id, _)| write_string(&mut packed, id.as_bytes()));
            write_array(&mut packed, ended.len());
            ended.iter().for_each(|(_, _, fence)| write_string(&mut packed, format!("{fence}:{member}").as_bytes()));
            write_array(&mut packed, detailed);
            for (kind, _, _) in &ended[ended.len() - detailed..] {
                write_array(&mut packed, 1);
                write_string(&mut packed, kind.to_string().as_bytes());
            }
            write_array(&mut packed, 0);
        }
        let call = SyncCall { number, keep_from: String::new(), credit: credit.into(), ended: packed, ..SyncCall::default() };
        self.store.sync(member, &call).await.unwrap()
    }

    /// The jobs a round was given: id and fence.
    async fn take(&self, member: &str, number: u64, credit: u32) -> Vec<(String, u64)> {
        given(self.sync(member, number, &credit.to_string(), &[]).await).0
    }

    fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.redis.ask(words)
    }

    fn expire(&self, member: &str) {
        let _: i64 = self.ask(&["ZADD", "{t}:due", "1", &format!("L:{member}")]);
    }
}

/// Waits for a state, at most for 10 s.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn given(reply: SyncReply) -> (Vec<(String, u64)>, Vec<usize>, Vec<usize>) {
    match reply {
        SyncReply::Done { jobs, stale, deleted, .. } => {
            (jobs.into_iter().map(|job| job.unwrap()).map(|job| (job.id, job.fence)).collect(), stale, deleted)
        }
        SyncReply::UnknownMember => panic!("unknown member"),
        SyncReply::Old => panic!("old batch"),
    }
}

fn existed(reply: AddReply) -> Vec<usize> {
    match reply {
        AddReply::Done { existed, .. } => existed.iter().map(|job| job.position).collect(),
        AddReply::UnknownMember(_) => panic!("unknown member"),
    }
}

#[tokio::test]
async fn a_batch_sent_again_has_no_second_effect() {
    let b = bench();
    b.join("a", &[]).await;
    for _ in 0..2 {
        assert_eq!(existed(b.add("a", 1, &[("x", true), ("y", false), ("x", true)]).await), [2]);
    }
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.added), (2, 2));
    assert_eq!(existed(b.add("a", 2, &[("z", false)]).await), [0; 0]);
    assert_eq!(existed(b.add("a", 1, &[("late", false)]).await), [0; 0], "an older batch that comes late");
    assert_eq!(b.store.stats().await.unwrap().waiting, 3);
    assert!(matches!(b.add(NOBODY, 1, &[("x", false)]).await, AddReply::UnknownMember(epoch) if epoch == "a"));
}

#[tokio::test]
async fn a_round_sent_again_gives_the_same_jobs_and_ends_none_twice() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false), ("3", false)]).await;
    let first = b.take("w", 1, 2).await;
    assert_eq!(first.len(), 2);
    let mut again = b.take("w", 1, 2).await;
    again.sort();
    assert_eq!(again, first);
    let end = [('c', &*first[0].0, first[0].1)];
    let (jobs, stale, _) = given(b.sync("w", 2, "1", &end).await);
    assert_eq!((jobs[0].0.as_str(), jobs.len(), stale.len()), ("3", 1, 0));
    assert_eq!(given(b.sync("w", 2, "1", &end).await), (jobs, vec![], vec![]));
    b.store.delete(&["3".into()]).await.unwrap();
    let SyncReply::Done { jobs, taken, credit, .. } = b.sync("w", 2, "1", &end).await else { panic!("known") };
    assert_eq!((jobs.len(), taken, credit), (0, 1, Some(0)), "what was given counts, whatever became of it");
    assert!(matches!(b.sync("w", 1, "2", &[]).await, SyncReply::Old));
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.completed, stats.active, stats.deleting, stats.waiting), (1, 1, 1, 0));
    assert!(matches!(b.sync(NOBODY, 1, "2", &[]).await, SyncReply::UnknownMember));
}

#[tokio::test]
async fn a_round_that_comes_after_its_successors_changes_nothing() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false)]).await;
    let jobs = b.take("w", 1, 1).await;
    given(b.sync("w", 2, "", &[('c', "1", jobs[0].1)]).await);
    let now: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
    let _: u64 = b.ask(&["ZADD", "{t}:due", &(now + 20_000).to_string(), "L:w"]);
    let before = b.store.stats().await.unwrap();
    assert!(matches!(b.sync("w", 1, "1", &[]).await, SyncReply::Old));
    assert_eq!(b.ask::<i64>(&["ZSCORE", "{t}:due", "L:w"]), now + 20_000, "the lease is not renewed");
    assert_eq!(b.store.stats().await.unwrap(), before);
}

#[tokio::test]
async fn a_worker_that_is_back_after_a_silence_is_given_what_waits_by_any_round() {
    for number in [0, 1, 2] {
        let b = bench();
        b.join("w", &[]).await;
        b.join("m", &[]).await;
        b.join("d", &[]).await;
        b.add("m", 1, &[("job", false)]).await;
        assert_eq!(b.take("d", 1, 1).await.len(), 1);
        assert_eq!(b.take("w", 1, 2).await, []);
        // Jobs of lost members do not go to members that have not renewed for half their lease.
        let now: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
        let _: u64 = b.ask(&["ZADD", "{t}:due", &(now + 20_000).to_string(), "L:w", &(now - 1).to_string(), "L:d"]);
        let _: u64 = b.ask(&["HSET", "{t}:member:w", "lease", "60000"]);
        given(b.sync("m", 0, "", &[]).await);
        assert_eq!(b.store.stats().await.unwrap().waiting, 1);
        // A renewal, the last round sent again, the next round.
        given(b.sync("w", number, if number == 1 { "2" } else { "" }, &[]).await);
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.waiting, stats.active), (0, 1), "round {number}");
    }
}

/// As after a loss of power with `appendfsync everysec`, or a failover to a replica that lagged.
#[tokio::test]
async fn a_server_that_was_set_back_is_not_believed_to_know_what_a_member_holds() {
    let b = bench();
    b.join("w", &[]).await;
    let answered = |answered| SyncCall { answered, ..SyncCall::default() };
    b.add("w", 1, &[("a", false), ("b", false)]).await;
    let jobs = b.take("w", 1, 2).await;
    assert_eq!(jobs.len(), 2);
    let keys: Vec<String> = b.ask(&["KEYS", "{t}:*"]);
    for key in &keys {
        let _: i64 = b.ask(&["COPY", key, &format!("{key}:kept")]);
    }
    given(b.sync("w", 2, "", &[('c', "a", jobs[0].1)]).await);
    assert!(matches!(b.store.sync("w", &answered(2)).await.unwrap(), SyncReply::Done { .. }));

    // The completion is undone, and Redis has the job as assigned to a member that has ended it.
    for key in &keys {
        let _: () = b.ask(&["RENAME", &format!("{key}:kept"), key]);
    }
    // A member that knows no more than Redis does goes on.
    assert!(matches!(b.store.sync("w", &answered(1)).await.unwrap(), SyncReply::Done { .. }));
    assert!(matches!(b.store.sync("w", &answered(2)).await.unwrap(), SyncReply::UnknownMember));

    b.join("x", &[]).await;
    let again = b.take("x", 1, 5).await;
    assert_eq!(again.iter().map(|(id, _)| &id[..]).collect::<BTreeSet<_>>(), BTreeSet::from(["a", "b"]));
    assert!(again.iter().all(|(_, fence)| *fence > jobs[1].1));
    assert_eq!(b.store.stats().await.unwrap().crashes, 0, "nobody died");
}

#[tokio::test]
async fn a_job_deleted_after_the_lost_reply_is_not_given_again() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false)]).await;
    let first = b.take("w", 1, 2).await;
    assert_eq!(b.store.delete(&["1".into(), "none".into()]).await.unwrap(), [true, false]);
    assert_eq!(b.take("w", 1, 2).await, &first[1..]);
    let (_, stale, deleted) = given(b.sync("w", 2, "", &[('c', "1", first[0].1), ('c', "2", 5)]).await);
    assert_eq!((stale, deleted), (vec![1], vec![0]), "one was deleted, the other has another fence");
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.active, stats.deleting, stats.completed), (1, 0, 0));
}

#[tokio::test]
async fn another_members_job_cannot_be_ended() {
    let b = bench();
    b.join("v", &[]).await;
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false)]).await;
    let job = b.take("w", 1, 1).await;
    for kind in ['c', 'r', 's'] {
        let (_, stale, _) = given(b.sync("v", job[0].1, "", &[(kind, "1", job[0].1)]).await);
        assert_eq!(stale, [0], "{kind}");
    }
    assert_eq!(b.store.stats().await.unwrap().active, 1);
}

#[tokio::test]
async fn an_expired_lease_gives_the_jobs_back_in_front_or_behind() {
    for (requeue, order) in [("front", ["1", "2", "3", "4"]), ("back", ["3", "4", "1", "2"])] {
        let b = bench();
        b.join("w", &[("requeue", requeue)]).await;
        b.join("v", &[]).await;
        b.join("idle", &[]).await;
        b.expire("idle");
        b.add("w", 1, &[("0", false)]).await;
        b.store.delete(&["0".into()]).await.unwrap();
        b.add("v", 1, &[("1", false), ("2", false), ("3", false), ("4", false)]).await;
        assert_eq!(b.take("w", 1, 2).await.len(), 2);
        b.expire("w");
        b.sync("v", 0, "", &[]).await;
        let jobs: Vec<String> = b.take("v", 1, 4).await.into_iter().map(|(id, _)| id).collect();
        assert_eq!(jobs, order, "{requeue}");
        assert!(matches!(b.sync("w", 2, "", &[]).await, SyncReply::UnknownMember));
        assert_eq!(b.store.stats().await.unwrap().crashes, 2);
        assert_eq!(b.ask::<Vec<String>>(&["KEYS", "*:w"]), Vec::<String>::new());
        let known = |field: &str| b.ask::<u64>(&["HEXISTS", "{t}:meta", field]);
        assert_eq!((known("add:w"), known("add:idle"), known("sync:w")), (1, 0, 0), "who added is remembered");
    }
}

#[tokio::test]
async fn nobody_expires_right_after_the_server_was_away() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("v", &[]).await;
    b.expire("w");
    let before: u64 = b.ask(&["HGET", "{t}:meta", "now"]);
    let _: u64 = b.ask(&["HSET", "{t}:meta", "now", &(before - 60_000).to_string()]);
    let SyncReply::Done { next, .. } = b.sync("v", 0, "", &[]).await else { panic!("known") };
    assert!(!next.is_zero() && next <= Duration::from_secs(20), "looks again when the grace ends: {next:?}");
    given(b.sync("w", 0, "", &[]).await);
}

/// As seen by the cluster, the server's clock makes a step when all that Redis keeps of the time moves the other way.
async fn step(b: &Bench, hours: i64) {
    for field in ["now", "ticked"] {
        let last: i64 = b.ask(&["HGET", "{t}:meta", field]);
        let _: u64 = b.ask(&["HSET", "{t}:meta", field, &(last - hours * 3_600_000).to_string()]);
    }
    for (entry, due) in b.ask::<Vec<(String, i64)>>(&["ZRANGE", "{t}:due", "0", "-1", "WITHSCORES"]) {
        let _: u64 = b.ask(&["ZADD", "{t}:due", &(due - hours * 3_600_000).to_string(), &entry]);
    }
}

#[tokio::test]
async fn after_a_step_of_the_clock_nothing_is_early_and_nothing_stands_still() {
    for hours in [-24, -1, 1, 24] {
        let b = bench();
        b.join("w", &[]).await;
        b.join("v", &[]).await;
        step(&b, hours).await;
        let before: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
        let alive = given(b.sync("w", 0, "", &[]).await);
        assert_eq!(alive.0.len(), 0);
        let now: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
        assert!(now >= before, "{hours} h: it never goes back");
        assert_eq!(b.store.stats().await.unwrap().members, 2, "{hours} h: who is alive renews before leases end");
        b.add_one("w", 1, NewJob::bytes("").id("late").delay(Duration::from_millis(300))).await;
        b.add_one("w", 2, NewJob::bytes("").id("short").total_timeout(Duration::from_millis(200)).delay(Duration::from_secs(60)))
            .await;
        let day = std::time::SystemTime::now() + Duration::from_millis(400);
        b.add_one("w", 3, NewJob::bytes("").id("at").run_at(day)).await;
        assert_eq!(b.take("w", 1, 10).await, [], "{hours} h: their time has not come");
        until("the delays are over", async || b.sync_failed().await && b.store.stats().await.unwrap().delayed == 0).await;
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.failed, stats.active), (1, 2), "{hours} h: the timeout has come too");
        let lease_end: i64 = b.ask(&["ZSCORE", "{t}:due", "L:v"]);
        assert!(
            lease_end <= now + 60_000,
            "{hours} h: who is gone is missed after its lease, not after the step: {lease_end} {now}"
        );
    }
}

#[tokio::test]
async fn what_people_see_is_the_time_of_day() {
    let b = bench();
    b.join("w", &[]).await;
    step(&b, -24).await;
    given(b.sync("w", 0, "", &[]).await);
    let started = std::time::SystemTime::now();
    b.add_one("w", 1, NewJob::bytes("").id("late").delay(Duration::from_secs(60))).await;
    b.add_one("w", 2, NewJob::bytes("").id("1")).await;
    let since_1970 = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    let near = |time: std::time::SystemTime, what: &str| {
        let (ms, wanted) = (since_1970(time), since_1970(started));
        assert!((wanted..wanted + 60_000).contains(&ms), "{what}: {ms}, wanted {wanted}");
    };
    let due = inspect::job(&b.store.inspect(&["job", "late"]).await.unwrap(), Envelopes::NONE).unwrap().unwrap().due_at.unwrap();
    near(due - Duration::from_secs(59), "due");
    let jobs = b.take("w", 1, 1).await;
    near(
        inspect::job(&b.store.inspect(&["job", "1"]).await.unwrap(), Envelopes::NONE).unwrap().unwrap().assigned_at.unwrap(),
        "assigned",
    );
    let _ = b.end_failed("w", 2, &jobs[0]).await;
    near(
        inspect::job(&b.store.inspect(&["job", "1"]).await.unwrap(), Envelopes::NONE)
            .unwrap()
            .unwrap()
            .failure
            .unwrap()
            .at
            .unwrap(),
        "failed",
    );
}

#[tokio::test]
async fn absurd_values_of_the_clock_and_of_fences_stop_nothing() {
    let b = bench();
    b.join("w", &[]).await;
    let (mut number, mut last) = (0, 0);
    for field in [
        "now",
        "fence",
        "offset",
        "ticked",
        "grace",
        "protocol",
        "tombstones",
        "largest",
        "completed",
        "deleting",
        "queues",
        "sequence",
    ] {
        for value in [
            "",
            "x",
            "nan",
            "inf",
            "-inf",
            "-5",
            "1e300",
            "9223372036854775807",
            "18446744073709551616",
            "0.5",
            "8000000000000000",
        ] {
            if field == "protocol" && value.contains(['i', 'e', '9', '8']) && value != "-inf" {
                // That of a later version.
                continue;
            }
            let _: u64 = b.ask(&["HSET", "{t}:meta", field, value]);
            let id = format!("{field}={value}");
            number += 1;
            b.add("w", number, &[(&id, true)]).await;
            let jobs = b.take("w", 2 * number, 1).await;
            assert_eq!(jobs.len(), 1, "{id}");
            // A fence that it accepts counts from then on.
            assert!(jobs[0].1 > last, "{id}: {} is not above {last}", jobs[0].1);
            last = jobs[0].1;
            let (_, stale, _) = given(b.sync("w", 2 * number + 1, "-", &[('c', &id, jobs[0].1)]).await);
            assert_eq!(stale, [0; 0], "{id}");
            let SyncReply::Done { next, .. } = b.sync("w", 0, "", &[]).await else { panic!("known") };
            assert!(next <= Duration::from_secs(60), "{id}: {next:?}");
            assert_eq!(b.store.stats().await.unwrap().members, 1, "{id}");
        }
    }
    assert!(b.store.stats().await.unwrap().damaged >= 20);
}

#[tokio::test]
async fn jobs_that_fail_again_meanwhile_are_not_run_again_by_the_same_call() {
    let b = bench();
    b.join("w", &[]).await;
    let ids: Vec<String> = (0..450).map(|n| n.to_string()).collect();
    for (number, chunk) in ids.chunks(225).enumerate() {
        let jobs: Vec<(&str, bool)> = chunk.iter().map(|id| (id.as_str(), false)).collect();
        b.add("w", number as u64 + 1, &jobs).await;
    }
    for job in b.take("w", 1, 450).await {
        b.end_failed("w", job.1, &job).await;
    }
    let mut again = 0;
    let mut bound = Vec::new();
    let mut number = 1 << 52;
    loop {
        let reply = b.store.call(|s| &s.failed, |cmd| cmd.arg("retry").arg("").arg(&bound[..])).await.unwrap();
        let reply = reply::array(reply).unwrap();
        let [Value::Int(count), Value::Int(more), Value::BulkString(last)] = reply.as_slice() else { panic!("{reply:?}") };
        (again, bound) = (again + count, last.clone());
        number += 1;
        for job in b.take("w", number, 200).await {
            number += 1;
            b.end_failed("w", number, &job).await;
        }
        if *more == 0 {
            break;
        }
    }
    assert_eq!((again, b.store.stats().await.unwrap().failed), (450, 450));
    assert_eq!(b.store.failed("retry", Some(&["7".into(), "7".into()])).await.unwrap(), 1, "named twice, it runs once");
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.active + stats.waiting, stats.revived), (1, 451));
}

#[tokio::test]
async fn a_job_is_not_run_again_while_an_execution_is_still_to_stop() {
    for (resource, delay) in [("", 0), ("r", 0), ("", 1)] {
        let b = bench();
        b.join("w", &[]).await;
        b.join("v", &[]).await;
        let job = NewJob::bytes("").id("1").run_timeout(Duration::from_millis(20)).resource(resource);
        b.add_one("w", 1, job.clone()).await;
        let (_, fence) = b.take("w", 1, 1).await.pop().unwrap();
        until("it has timed out", async || b.sync_failed().await).await;
        if delay == 0 {
            assert_eq!(b.store.failed("retry", None).await.unwrap(), 1);
        } else {
            b.add_one("w", 2, job.delay(Duration::from_millis(50)).total_timeout(Duration::from_secs(60))).await;
        }
        assert_eq!(b.take("v", 1, 5).await, [], "the first execution goes on");
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.active, stats.deleting, stats.waiting + stats.delayed), (0, 1, 1), "{stats:?}");
        let (_, stale, _) = given(b.sync("w", 2, "-", &[('s', "1", fence)]).await);
        assert_eq!(stale, [0; 0]);
        until("it runs", async || {
            b.sync("v", 0, "", &[]).await;
            b.store.stats().await.unwrap().active == 1
        })
        .await;
        assert_eq!(b.ask::<String>(&["HGET", "{t}:owner", "1"]).split(':').nth(1), Some("v"), "once, and with its own clocks");
        assert_eq!(b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "E:1"]).is_some(), delay > 0);
    }
}

#[tokio::test]
async fn a_death_after_a_long_run_counts_as_the_first() {
    let b = bench();
    b.join("v", &[]).await;
    b.add("v", 1, &[("1", false)]).await;
    for (round, (fence_age, crashes)) in [(0, 1), (0, 2), (601_000_000, 1), (0, 2)].into_iter().enumerate() {
        let member = format!("w{round}");
        b.join(&member, &[("max_crashes", "2")]).await;
        let (_, fence) = b.take(&member, 1, 1).await.pop().unwrap();
        let _: u64 = b.ask(&["HSET", "{t}:owner", "1", &format!("{}:{member}", fence - fence_age)]);
        b.expire(&member);
        b.sync("v", 0, "", &[]).await;
        let record: Vec<u8> = b.ask(&["HGET", "{t}:jobs", "1"]);
        assert_eq!(record::read_record("1", 1, &record, Envelopes::NONE).unwrap().crashes, crashes, "round {round}");
    }
}

#[tokio::test]
async fn leaving_with_many_jobs_takes_several_bounded_calls() {
    let b = bench();
    b.join("w", &[]).await;
    let ids: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
    for (number, chunk) in ids.chunks(500).enumerate() {
        let jobs: Vec<(&str, bool)> = chunk.iter().map(|id| (id.as_str(), false)).collect();
        b.add("w", number as u64 + 1, &jobs).await;
    }
    assert_eq!(b.take("w", 1, 1500).await.len(), 1000, "a call is bounded");
    assert_eq!(b.take("w", 2, 501).await.len(), 500, "credit that could not be used was returned");
    assert!(!b.store.leave("w").await.unwrap());
    assert!(b.store.leave("w").await.unwrap());
    assert!(b.store.leave("w").await.unwrap(), "again has no effect");
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.waiting, stats.active, stats.crashes, stats.members), (1500, 0, 0, 0));
}

#[tokio::test]
async fn large_payloads_are_moved_few_at_a_time() {
    let b = bench();
    b.join("w", &[]).await;
    for number in 1..=8 {
        b.add_one("w", number, NewJob::bytes(vec![b'x'; 1_000_000])).await;
    }
    let SyncReply::Done { jobs, returned, .. } = b.sync("w", 1, "100", &[]).await else { panic!("known") };
    assert_eq!((jobs.len(), returned), (4, 96), "4 MiB a call");
}

#[tokio::test]
async fn ids_deleted_in_a_long_queue_leave_it_all_the_same() {
    let b = bench();
    b.join("w", &[]).await;
    let ids: Vec<String> = (0..5000).map(|n| n.to_string()).collect();
    for (number, chunk) in ids.chunks(1000).enumerate() {
        let jobs: Vec<(&str, bool)> = chunk.iter().map(|id| (id.as_str(), false)).collect();
        b.add("w", number as u64 + 1, &jobs).await;
    }
    b.store.delete(&["1".into(), "2".into(), "4999".into()]).await.unwrap();
    assert_eq!(b.store.stats().await.unwrap().waiting, 4997);
    b.add("w", 6, &[("2", true)]).await;
    let mut order = Vec::new();
    for number in 1.. {
        let jobs = b.take("w", number, 1000).await;
        if jobs.is_empty() {
            break;
        }
        order.extend(jobs.into_iter().map(|(id, _)| id));
    }
    assert_eq!(order.len(), 4998);
    assert_eq!((order[0].as_str(), order[1].as_str(), order[4997].as_str()), ("0", "3", "2"), "added again means behind all");
    assert_eq!(b.ask::<u64>(&["EXISTS", "{t}:tombstones"]) + b.ask::<u64>(&["HGET", "{t}:meta", "tombstones"]), 0);
}

#[tokio::test]
async fn nothing_is_left_after_obliterate_and_nothing_is_outside_the_prefix() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("v", &[]).await;
    b.add("w", 1, &[("1", false), ("2", true)]).await;
    b.take("v", 1, 1).await;
    b.store.leave("w").await.unwrap();
    b.store.delete(&["1".into()]).await.unwrap();
    let keys: Vec<String> = b.ask(&["KEYS", "*"]);
    assert!(keys.iter().all(|key| key.starts_with("{t}:")), "{keys:?}");
    b.store.obliterate().await.unwrap();
    assert_eq!(b.ask::<Vec<String>>(&["KEYS", "*"]), Vec::<String>::new());
}

#[tokio::test]
async fn scripts_run_without_flags_too_as_servers_before_redis_7_want_them() {
    let redis = Redis::start();
    for script in Scripts::new(false).all() {
        assert!(!script.source().starts_with("#!"), "{}", script.name);
        assert_eq!(redis.ask::<String>(&["SCRIPT", "LOAD", script.source()]), script.digest(), "{}", script.name);
    }
}

/// Sweeps until nothing is left to look for, and answers the ids that wait or are active.
async fn swept(b: &Bench, member: &str) -> Vec<String> {
    let _: u64 = b.ask(&["HSET", "{t}:meta", "sweep", "j0"]);
    let _: u64 = b.ask(&["ZADD", "{t}:due", "1", "S:"]);
    until("the sweep is over", async || {
        given(b.sync(member, 0, "", &[]).await);
        b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "S:"]).is_none()
    })
    .await;
    let mut ids: Vec<String> = b.ask(&["HKEYS", "{t}:jobs"]);
    ids.retain(|id| !id.is_empty());
    ids
}

#[tokio::test]
async fn damaged_records_harm_no_other_job() {
    // Of a resource that ends early, of extras that do, of extras out of bounds, of nothing at all.
    let damaged: [&[u8]; 6] = [&[64, 9, 9, b'x'], &[24, 0, 0, 200], b"\x18\x00\x00\x05\x81\xa1n\xcd\xff", b"", &[255], &[4]];
    for (task, record) in damaged.iter().flat_map(|record| [("", record), ("a", record)]) {
        let b = bench();
        b.join("w", &[]).await;
        b.join_for("v", "{'', 'a'}").await;
        for n in 0..300 {
            b.add_one("w", n + 1, NewJob::bytes("").id(n.to_string()).task(task)).await;
        }
        // The client of the tests takes text only.
        let escaped: String = record.iter().map(|byte| format!("\\{byte:03}")).collect();
        let set = format!("return redis.call('HSET', KEYS[1], '150', '{escaped}')");
        let _: u64 = b.ask(&["EVAL", &set, "1", "{t}:jobs"]);
        let call = SyncCall { number: 1, credit: "1000".into(), quotas: vec![0x90], ..SyncCall::default() };
        let SyncReply::Done { jobs, .. } = b.store.sync("v", &call).await.unwrap() else { panic!("known") };
        assert_eq!(jobs.len(), 300, "{record:?} {task}");
        assert_eq!(jobs.iter().filter(|job| job.is_err()).count(), 1, "{record:?}");
        // Its end: nothing that was in the record is in the way.
        let job = jobs.iter().find_map(|job| job.as_ref().err()).unwrap();
        b.end_failed("v", 2, &("150".into(), job.fence)).await;
        assert_eq!(b.store.stats().await.unwrap().failed, 1);
    }
}

#[tokio::test]
async fn a_damaged_dead_member_stops_nobodys_recovery() {
    let damages: [&[&str]; 7] = [
        &["SET", "{t}:active:d", "x"],
        &["HSET", "{t}:member:d", "tasks", "x"],
        &["HSET", "{t}:member:d", "max_crashes", "nan"],
        &["SET", "{t}:member:d", "x"],
        &["SET", "{t}:ephemeral:d", "x"],
        &["HSET", "{t}:meta", "add:d", "x"],
        &["HSET", "{t}:owner", "1", "x"],
    ];
    for damage in damages {
        let b = bench();
        for member in ["d", "e", "w"] {
            b.join(member, &[]).await;
        }
        b.add("w", 1, &[("1", false), ("2", false)]).await;
        assert_eq!(b.take("d", 1, 1).await.len() + b.take("e", 1, 1).await.len(), 2);
        if damage[0] == "SET" {
            let _: u64 = b.ask(&["DEL", damage[1]]);
        }
        let _: redis::Value = b.ask(damage);
        b.expire("d");
        b.expire("e");
        given(b.sync("w", 0, "", &[]).await);
        given(b.sync("w", 0, "", &[]).await);
        assert_eq!(b.ask::<Vec<String>>(&["SMEMBERS", "{t}:members"]), ["w"], "{damage:?}");
        let mut ids = swept(&b, "w").await;
        ids.sort();
        assert_eq!(ids, ["1", "2"], "{damage:?}");
        assert_eq!(b.take("w", 1, 5).await.len(), 2, "{damage:?}");
        assert!(b.store.stats().await.unwrap().damaged > 0 || damage[0] == "HSET", "{damage:?}");
    }
}

#[tokio::test]
async fn a_batch_with_unique_keys_sent_again_answers_the_same() {
    let b = bench();
    b.join("w", &[]).await;
    let job = |id: &str, on_conflict| NewJob::bytes("").id(id).unique(Unique { on_conflict, ..Unique::from("k") });
    b.add_one("w", 1, job("active", OnConflict::Drop)).await;
    assert_eq!(given(b.sync("w", 2, "1", &[]).await).0.len(), 1);
    let hows = [OnConflict::Drop, OnConflict::Latest, OnConflict::Replace, OnConflict::Latest, OnConflict::Attach];
    let jobs = (0..).zip(hows).map(|(n, how)| job(&format!("j{n}"), how)).collect();
    let adds = crate::adding::Adds::default();
    adds.push(crate::adding::Submission::new(jobs, Box::new(|_| ())));
    let batch = adds.next_batch("w", 3, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
    for _ in 0..2 {
        let AddReply::Done { existed, .. } = b.store.add(&batch.call).await.unwrap() else { panic!("known") };
        let answers: Vec<_> = existed.iter().map(|job| (job.position, job.other.as_deref().unwrap(), job.replaced)).collect();
        assert_eq!(answers, [(0, "active", false), (2, "active", false), (3, "j1", true)]);
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.added, stats.blocked, stats.active), (3, 2, 1), "{stats:?}");
    }
}

#[tokio::test]
async fn jobs_in_no_place_are_queued_anew() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("busy", &[]).await;
    let job = |id: &str| NewJob::bytes("").id(id);
    b.add_one("w", 1, job("first").resource("r")).await;
    assert_eq!(b.take("busy", 1, 1).await.len(), 1);
    b.add_one("w", 2, job("plain")).await;
    b.add_one("w", 3, job("task").task("a")).await;
    b.add_one("w", 4, job("priority").priority(7)).await;
    b.add_one("w", 5, job("delayed").delay(Duration::from_secs(60))).await;
    b.add_one("w", 6, job("blocked").resource("r")).await;
    let attach = || Unique { on_conflict: OnConflict::Attach, ..Unique::from("s") };
    b.add_one("w", 7, job("unique").unique(attach())).await;
    b.add_one("w", 8, job("attached").unique(attach())).await;
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.delayed, stats.active), (1, 1), "{stats:?}");
    let whole = stats.damaged;
    assert_eq!(swept(&b, "w").await.len(), 8);
    assert_eq!(b.store.stats().await.unwrap().damaged, whole, "nothing is damaged");
    for damage in [
        &["DEL", "{t}:ready:0", "{t}:ready:0:", "{t}:ready:7", "{t}:ready:0:a", "{t}:delayed"][..],
        &["DEL", "{t}:index", "{t}:queues", "{t}:queues:a", "{t}:tasks"],
        &["HSET", "{t}:owner", "plain", "5:nobody", "task", "garbage", "priority", "6:nobody:d"],
        &["DEL", "{t}:blocked:r", "{t}:unique:s"],
        &["HDEL", "{t}:unique", "s"],
        &["HSET", "{t}:unique", "s", "nobody", "other", "plain"],
        &["ZADD", "{t}:due", "1e18", "U:s"],
        &["HSET", "{t}:resources", "r", "nobody"],
        &["DEL", "{t}:resources"],
        &["DEL", "{t}:blocked"],
        &["SADD", "{t}:blocked", "plain", "task"],
        &["ZADD", "{t}:load", "0", "nobody", "1e300", "noone"],
        &["SADD", "{t}:members", "nobody"],
        &["HSET", "{t}:meta", "special", "", "sweep", "garbage", "chooser", "x", "asked", "1"],
    ] {
        let _: redis::Value = b.ask(damage);
        assert_eq!(swept(&b, "w").await.len(), 8, "{damage:?}");
    }
    assert_eq!(b.ask::<Vec<String>>(&["SMEMBERS", "{t}:members"]).len(), 2);
    assert!(b.store.stats().await.unwrap().damaged > whole);
    // All are run, by a worker that takes everything.
    let mut number = 0;
    let mut ran = Vec::new();
    b.join_for("all", "{'', 'a'}").await;
    until("all have run", async || {
        number += 1;
        let call = SyncCall { number, credit: "9".into(), quotas: vec![0x90], ..SyncCall::default() };
        let SyncReply::Done { jobs, .. } = b.store.sync("all", &call).await.unwrap() else { panic!("known") };
        for job in jobs {
            let job = job.unwrap();
            number += 1;
            ran.push(job.id.clone());
            given(b.sync("all", number, "", &[('c', &job.id, job.fence)]).await);
        }
        ran.sort();
        ran.dedup();
        ran.len() >= 6
    })
    .await;
}

#[tokio::test]
async fn a_sweep_in_the_call_in_which_a_job_leaves_its_worker_finds_its_limit_sound() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("v", &[]).await;
    let figures = crate::store::codec::limit::pack_figures(&crate::model::limit::Limit::concurrent(1));
    b.store.change_limit("set", "l", &figures).await.unwrap();
    for (number, id) in [(1, "a"), (2, "b")] {
        b.add_one("w", number, NewJob::bytes("").id(id).limit("l")).await;
    }
    assert_eq!(b.take("w", 1, 2).await.len(), 1, "the other waits at the limit");
    b.expire("w");
    let _: u64 = b.ask(&["HSET", "{t}:meta", "sweep", "t0", "swept", "0"]);
    given(b.sync("v", 1, "", &[]).await);
    assert_ne!(b.ask::<String>(&["HGET", "{t}:meta", "swept"]), "0", "a page of the sweep ran");
    assert_eq!(b.store.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn a_key_of_a_wrong_type_is_an_error_once() {
    // All keys but `meta`, which says what the others are.
    let fixed = keys::FIXED.iter().skip(1).chain(&keys::RARE).map(|part| (*part).to_owned());
    let of_member = keys::OF_MEMBER.iter().map(|part| format!("{part}:w"));
    let named =
        ["ready:0:", "ready:0:a", "queues:a", "load:a", "blocked:r", "unique:s", "turns:0:", "group:0:0::g", "weights:0:"]
            .map(str::to_owned);
    for part in fixed.chain(of_member).chain(named) {
        let b = bench();
        b.join("w", &[]).await;
        let mut number = 0;
        // Everything that members do, twice; what is lost with the key is lost.
        let mut errors = Vec::new();
        for turn in 0..8 {
            if turn == 2 {
                let key = format!("{{t}}:{part}");
                let _: u64 = b.ask(&["DEL", &key]);
                let _: () = b.ask(&["SET", &key, "not of this cluster"]);
            }
            if b.store.join("w", &[0x80 | 0x10], &[0x90], "").await.is_err() {
                errors.push(turn);
            }
            let job = || NewJob::bytes("");
            for job in [job().task("a"), job().resource("r"), job().unique("s"), job().group("g").weight(2), job()] {
                number += 1;
                let adds = crate::adding::Adds::default();
                adds.push(crate::adding::Submission::new(vec![job.result(true)], Box::new(|_| ())));
                let batch = adds.next_batch("w", number, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
                if b.store.add(&batch.call).await.is_err() {
                    errors.push(turn);
                }
            }
            number += 1;
            let call = SyncCall { number, credit: "2".into(), ..SyncCall::default() };
            match b.store.sync("w", &call).await {
                Ok(SyncReply::Done { jobs, .. }) => {
                    for job in jobs.into_iter().flatten() {
                        number += 1;
                        let call = [('c', job.id.as_str(), job.fence)];
                        if turn != 2 {
                            let _ = b.sync("w", number, "", &call).await;
                        }
                    }
                }
                Ok(_) => {}
                Err(_) => errors.push(turn),
            }
            for failed in [
                b.store.stats().await.is_err(),
                b.store.inspect(&["counts", ""]).await.is_err(),
                b.store.inspect(&["jobs", "waiting", "", "10"]).await.is_err(),
                b.store.delete(&["nothing".into()]).await.is_err(),
                b.store.failed("retry", None).await.is_err(),
            ] {
                if failed {
                    errors.push(turn);
                }
            }
        }
        errors.retain(|turn| *turn > 3);
        assert_eq!(errors, [0; 0], "{part}: turns with errors");
        assert!(b.store.stats().await.is_ok());
        // It may be the first to look at the key.
        if b.store.obliterate().await.is_err() {
            b.store.obliterate().await.unwrap();
        }
        assert_eq!(b.ask::<Vec<String>>(&["KEYS", "*"]), [""; 0], "{part}");
    }
}

#[tokio::test]
async fn failed_jobs_are_bounded_in_bytes_and_counted_exactly() {
    let b = bench();
    b.join("w", &[]).await;
    let _: u64 = b.ask(&["HSET", "{t}:meta", "failed_max_bytes", "1048576"]);
    let is_exact = |what: &str| {
        let ids: Vec<String> = b.ask(&["HKEYS", "{t}:failed"]);
        let bytes: i64 = ids.iter().map(|id| b.ask::<i64>(&["HSTRLEN", "{t}:failed", id])).sum();
        let counted: i64 = b.ask::<Option<i64>>(&["HGET", "{t}:meta", "failed_bytes"]).unwrap_or(0);
        assert_eq!((bytes, ids.len()), (counted, b.ask(&["ZCARD", "{t}:failed_at"])), "{what}");
        assert!(bytes <= 1_048_576, "{what}: {bytes}");
        ids.len()
    };
    let mut number = 0;
    for n in 0..12 {
        number += 2;
        b.add_one("w", number, NewJob::bytes(vec![b'x'; 300_000]).id(n.to_string())).await;
        let job = b.take("w", number, 1).await.pop().unwrap();
        b.end_failed("w", number + 1, &job).await;
        assert_eq!(is_exact("failed"), (n + 1).min(3), "the newest are kept");
    }
    assert_eq!(b.store.failed("retry", Some(&["11".into()])).await.unwrap(), 1);
    is_exact("retried");
    assert_eq!(b.store.delete(&["10".into()]).await.unwrap(), [true]);
    is_exact("deleted");
    b.add_one("w", 100, NewJob::bytes("").id("9")).await;
    assert_eq!(is_exact("added again"), 0);
    // One that is larger than all may be is kept until the next fails.
    b.add_one("w", 101, NewJob::bytes(vec![b'x'; 100_000]).id("small")).await;
    for job in b.take("w", 1000, 9).await {
        b.end_failed("w", job.1, &job).await;
    }
    assert_eq!(b.store.failed("delete", None).await.unwrap(), is_exact("all failed") as u64 + 3 - is_exact("forgotten") as u64);
    assert_eq!(b.ask::<i64>(&["HGET", "{t}:meta", "failed_bytes"]), 0);
}

/// A batch of messages to all, each of so many bytes.
fn messages_to_all(count: usize, size: usize) -> Vec<u8> {
    let mut packed = Vec::new();
    write_array(&mut packed, 4 * count);
    for _ in 0..count {
        write_string(&mut packed, b"a");
        write_string(&mut packed, b"");
        write_integer(&mut packed, 0);
        write_string(&mut packed, &vec![b'x'; size]);
    }
    packed
}

#[tokio::test]
async fn messages_to_many_members_take_several_calls() {
    let b = bench();
    b.join("m", &[]).await;
    for n in 0..60 {
        b.join(&format!("w{n}"), &[("subscriptions", "l")]).await;
    }
    let entries = || b.ask::<Vec<(String, Vec<(String, String)>)>>(&["XRANGE", "{t}:inbox:w59", "-", "+"]);
    let received = || entries().iter().flat_map(|(_, fields)| fields).filter(|(kind, _)| kind == "e").count();
    let batch = messages_to_all(100, 10);
    let answers = b.store.send("m", 1, &batch).await.unwrap().unwrap();
    // The 84th is that with which 5,000 deliveries are reached.
    assert_eq!((answers.len(), received()), (84, 84));
    assert!(answers.iter().all(|receipt| receipt.recipients.len() == 60));
    // The reply was lost: nothing is delivered twice, and no more is answered than was delivered.
    assert_eq!(b.store.send("m", 1, &batch).await.unwrap().unwrap().len(), 84);
    assert_eq!(received(), 84);
    assert_eq!(b.store.send("m", 2, &messages_to_all(16, 10)).await.unwrap().unwrap().len(), 16);
    assert_eq!(received(), 100);
}

#[tokio::test]
async fn an_inbox_has_64_mib_of_unread_messages() {
    let b = bench();
    b.join("m", &[]).await;
    b.join("slow", &[("subscriptions", "l")]).await;
    b.join("other", &[("subscriptions", "l")]).await;
    let send = async |number: u64, count: usize, size: usize| {
        b.store.send("m", number, &messages_to_all(count, size)).await.unwrap().unwrap()
    };
    let mut reached = 0;
    for number in 1..=60 {
        let receipts = send(number, 4, 1 << 20).await;
        reached += receipts.iter().filter(|receipt| receipt.recipients.iter().any(|inc| inc == "slow")).count();
        // This one reads.
        let _: u64 = b.ask(&["XTRIM", "{t}:inbox:other", "MAXLEN", "0"]);
        assert!(receipts.iter().all(|receipt| receipt.recipients.iter().any(|inc| inc == "other")), "batch {number}");
    }
    assert_eq!(reached << 20, 64 << 20);
    assert!(b.ask::<u64>(&["MEMORY", "USAGE", "{t}:inbox:slow", "SAMPLES", "0"]) < 112 << 20, "with what the allocator adds");
    // It reads half, and then all; what was dropped is reported.
    let length: usize = b.ask(&["XLEN", "{t}:inbox:slow"]);
    let _: u64 = b.ask(&["XTRIM", "{t}:inbox:slow", "MAXLEN", &(length / 2).to_string()]);
    let receipts = send(100, 40, 1 << 20).await;
    let reached = receipts.iter().filter(|receipt| receipt.recipients.iter().any(|inc| inc == "slow")).count();
    assert!((28..=32).contains(&reached), "{reached}");
    assert_eq!(b.ask::<u64>(&["HGET", "{t}:member:slow", "dropped"]), 60 * 4 - 64);
    for inbox in ["{t}:inbox:slow", "{t}:inbox:other"] {
        let _: u64 = b.ask(&["XTRIM", inbox, "MAXLEN", "0"]);
    }
    assert_eq!(send(101, 1, 65 << 20).await[0].recipients.len(), 2, "a single one always has room");
    assert_eq!(send(102, 1, 1).await[0].dropped, 2);
}

#[tokio::test]
async fn many_watchers_are_notified_page_by_page() {
    let b = bench();
    let watchers: Vec<String> = (0..450).map(|n| format!("watcher{n}")).collect();
    for watcher in &watchers {
        b.join(watcher, &[("subscriptions", "w")]).await;
    }
    let all_notified = async || {
        given(b.sync("watcher0", 0, "", &[]).await);
        b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "B:"]).is_none()
    };
    until("the members before are reported", &all_notified).await;
    for watcher in &watchers {
        let _: u64 = b.ask(&["XTRIM", &format!("{{t}}:inbox:{watcher}"), "MAXLEN", "0"]);
    }
    b.join("new", &[]).await;
    let posted = || watchers.iter().map(|watcher| b.ask::<u64>(&["XLEN", &format!("{{t}}:inbox:{watcher}")])).collect::<Vec<_>>();
    assert!(posted().iter().sum::<u64>() < 450, "one call is bounded");
    until("the new member is reported to all", &all_notified).await;
    // A page may come twice while Redis rehashes the set.
    assert!(posted().iter().all(|number| *number >= 1));
    assert_eq!(b.ask::<u64>(&["EXISTS", "{t}:broadcasts"]), 0);
}

#[tokio::test]
async fn a_rebalance_looks_at_many_members_page_by_page() {
    let b = bench();
    b.join("busy", &[]).await;
    let ids: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    b.add("busy", 1, &ids.iter().map(|id| (id.as_str(), false)).collect::<Vec<_>>()).await;
    assert_eq!(b.take("busy", 1, 300).await.len(), 300);
    assert!(!b.store.rebalance("busy").await.unwrap(), "it is alone");
    for n in 0..250 {
        let idle = format!("idle{n}");
        b.join(&idle, &[]).await;
        assert_eq!(b.take(&idle, 1, 5).await, []);
    }
    assert!(b.store.rebalance("idle0").await.unwrap());
    assert_eq!(b.ask::<u64>(&["XLEN", "{t}:inbox:busy"]), 1, "it is asked to release some");
    assert!(b.store.rebalance("idle0").await.unwrap());
    assert_eq!(b.ask::<u64>(&["XLEN", "{t}:inbox:busy"]), 1, "but not again while it stops jobs");
}

/// Sends lines of the log of a job: numbers and texts.
async fn log(b: &Bench, job: &(String, u64), lines: &[(u64, &str)]) {
    let mut values = Vec::new();
    write_array(&mut values, 4);
    write_string(&mut values, job.0.as_bytes());
    write_string(&mut values, format!("{}:w", job.1).as_bytes());
    write_string(&mut values, b"l");
    write_array(&mut values, 3 * lines.len());
    for (number, text) in lines {
        write_integer(&mut values, *number);
        write_integer(&mut values, 0);
        write_string(&mut values, text.as_bytes());
    }
    given(b.store.sync("w", &SyncCall { values, ..SyncCall::default() }).await.unwrap());
}

#[tokio::test]
async fn lines_of_a_log_that_are_sent_again_are_stored_once() {
    let b = bench();
    b.join("w", &[]).await;
    b.add_one("w", 1, NewJob::bytes("").id("a").keep_completed(Duration::from_secs(60))).await;
    let job = b.take("w", 1, 1).await.pop().unwrap();
    let texts = async || {
        let shown = inspect::job(&b.store.inspect(&["job", "a"]).await.unwrap(), Envelopes::NONE).unwrap().unwrap();
        shown.log.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    log(&b, &job, &[(3, "one"), (4, "two")]).await;
    log(&b, &job, &[(3, "one"), (4, "two")]).await;
    log(&b, &job, &[(4, "two"), (9, "three:3")]).await;
    assert_eq!(texts().await, ["one", "two", "three:3"]);
    given(b.sync("w", 2, "1", &[('r', "a", job.1)]).await);
    // An execution that is over adds none; in the next one, numbers begin anew.
    log(&b, &job, &[(10, "late")]).await;
    let again = b.take("w", 3, 1).await.pop();
    let again = again.unwrap_or_else(|| {
        ("a".to_owned(), b.ask::<String>(&["HGET", "{t}:owner", "a"]).split(':').next().unwrap().parse().unwrap())
    });
    log(&b, &again, &[(1, "four")]).await;
    assert_eq!(texts().await, ["one", "two", "three:3", "four"]);
}

#[tokio::test]
async fn the_sweep_removes_logs_whose_job_is_gone_and_expires_kept_jobs() {
    let b = bench();
    b.join("w", &[]).await;
    b.add_one("w", 1, NewJob::bytes("").id("a").keep_completed(Duration::from_secs(60))).await;
    b.add_one("w", 2, NewJob::bytes("").id("b")).await;
    let jobs = b.take("w", 1, 2).await;
    log(&b, &jobs[0], &[(1, "one")]).await;
    for id in ["b", "gone"] {
        let _: u64 = b.ask(&["RPUSH", &format!("{{t}}:log:{id}"), "1:1:1:left"]);
        let _: u64 = b.ask(&["HSET", "{t}:logs", id, ""]);
    }
    // A job that is kept, and whose entry in `due` is lost.
    let _: u64 = b.ask(&["HSET", "{t}:completed", "old", "x"]);
    let _: u64 = b.ask(&["ZADD", "{t}:completed_at", "1", "old"]);
    let _: u64 = b.ask(&["ZADD", "{t}:completed_until", "1", "old"]);
    assert_eq!(
        inspect::job(&b.store.inspect(&["job", "old"]).await.unwrap(), Envelopes::NONE).unwrap().unwrap().state.name(),
        "completed"
    );
    let _: u64 = b.ask(&["HSET", "{t}:meta", "sweep", "j0"]);
    let _: u64 = b.ask(&["ZADD", "{t}:due", "1", "S:"]);
    until("the sweep is over", async || {
        given(b.sync("w", 0, "", &[]).await);
        b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "S:"]).is_none() && b.ask::<u64>(&["EXISTS", "{t}:completed"]) == 0
    })
    .await;
    assert_eq!(b.ask::<Vec<String>>(&["HKEYS", "{t}:logs"]), ["a"]);
    assert_eq!(b.ask::<u64>(&["EXISTS", "{t}:log:b", "{t}:log:gone", "{t}:completed_at", "{t}:completed_until"]), 0);
    assert_eq!(b.ask::<u64>(&["LLEN", "{t}:log:a"]), 1);
    assert_eq!(b.store.stats().await.unwrap().damaged, 2);
}
