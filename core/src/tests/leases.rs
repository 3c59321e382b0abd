//! Leases that expire, and what happens to the jobs of their workers.

use std::time::Duration;

use super::bench::{bench, done};
use crate::store::SyncReply;
use crate::store::codec::record;
use crate::store::envelope::Envelopes;

#[tokio::test]
async fn a_worker_that_renews_after_a_silence_is_assigned_waiting_jobs_by_any_round() {
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
        done(b.sync("m", 0, "", &[]).await);
        assert_eq!(b.store.stats().await.unwrap().waiting, 1);
        // A renewal, the last round sent again, the next round.
        done(b.sync("w", number, if number == 1 { "2" } else { "" }, &[]).await);
        let stats = b.store.stats().await.unwrap();
        assert_eq!((stats.waiting, stats.active), (0, 1), "round {number}");
    }
}

#[tokio::test]
async fn an_expired_lease_requeues_jobs_in_front_or_behind() {
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
async fn no_lease_expires_right_after_an_outage_of_the_server() {
    let b = bench();
    b.join("w", &[]).await;
    b.join("v", &[]).await;
    b.expire("w");
    let before: u64 = b.ask(&["HGET", "{t}:meta", "now"]);
    let _: u64 = b.ask(&["HSET", "{t}:meta", "now", &(before - 60_000).to_string()]);
    let SyncReply::Done { next, .. } = b.sync("v", 0, "", &[]).await else { panic!("known") };
    assert!(!next.is_zero() && next <= Duration::from_secs(20), "the next check is due when the grace ends: {next:?}");
    done(b.sync("w", 0, "", &[]).await);
}

#[tokio::test]
async fn a_crash_after_a_long_run_counts_as_the_first() {
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
