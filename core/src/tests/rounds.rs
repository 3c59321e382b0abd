//! Repeated, old and foreign calls: batches of added jobs and rounds of workers.

use std::collections::BTreeSet;

use super::bench::{UNKNOWN, bench, done, existed};
use crate::store::{AddReply, SyncCall, SyncReply};

#[tokio::test]
async fn a_repeated_batch_has_no_second_effect() {
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
    assert!(matches!(b.add(UNKNOWN, 1, &[("x", false)]).await, AddReply::UnknownMember(epoch) if epoch == "a"));
}

#[tokio::test]
async fn a_repeated_round_assigns_the_same_jobs_and_finishes_none_twice() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false), ("3", false)]).await;
    let first = b.take("w", 1, 2).await;
    assert_eq!(first.len(), 2);
    let mut again = b.take("w", 1, 2).await;
    again.sort();
    assert_eq!(again, first);
    let end = [('c', &*first[0].0, first[0].1)];
    let (jobs, stale, _) = done(b.sync("w", 2, "1", &end).await);
    assert_eq!((jobs[0].0.as_str(), jobs.len(), stale.len()), ("3", 1, 0));
    assert_eq!(done(b.sync("w", 2, "1", &end).await), (jobs, vec![], vec![]));
    b.store.delete(&["3".into()]).await.unwrap();
    let SyncReply::Done { jobs, taken, credit, .. } = b.sync("w", 2, "1", &end).await else { panic!("known") };
    assert_eq!((jobs.len(), taken, credit), (0, 1, Some(0)), "an assigned job counts, even if it was deleted since");
    assert!(matches!(b.sync("w", 1, "2", &[]).await, SyncReply::Old));
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.completed, stats.active, stats.deleting, stats.waiting), (1, 1, 1, 0));
    assert!(matches!(b.sync(UNKNOWN, 1, "2", &[]).await, SyncReply::UnknownMember));
}

#[tokio::test]
async fn a_round_older_than_the_last_changes_nothing() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false)]).await;
    let jobs = b.take("w", 1, 1).await;
    done(b.sync("w", 2, "", &[('c', "1", jobs[0].1)]).await);
    let now: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
    let _: u64 = b.ask(&["ZADD", "{t}:due", &(now + 20_000).to_string(), "L:w"]);
    let before = b.store.stats().await.unwrap();
    assert!(matches!(b.sync("w", 1, "1", &[]).await, SyncReply::Old));
    assert_eq!(b.ask::<i64>(&["ZSCORE", "{t}:due", "L:w"]), now + 20_000, "the lease is not renewed");
    assert_eq!(b.store.stats().await.unwrap(), before);
}

#[tokio::test]
async fn a_job_deleted_after_the_lost_reply_is_not_assigned_again() {
    let b = bench();
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false), ("2", false)]).await;
    let first = b.take("w", 1, 2).await;
    assert_eq!(b.store.delete(&["1".into(), "none".into()]).await.unwrap(), [true, false]);
    assert_eq!(b.take("w", 1, 2).await, &first[1..]);
    let (_, stale, deleted) = done(b.sync("w", 2, "", &[('c', "1", first[0].1), ('c', "2", 5)]).await);
    assert_eq!((stale, deleted), (vec![1], vec![0]), "one was deleted, the other has another fence");
    let stats = b.store.stats().await.unwrap();
    assert_eq!((stats.active, stats.deleting, stats.completed), (1, 0, 0));
}

#[tokio::test]
async fn another_members_job_cannot_be_finished() {
    let b = bench();
    b.join("v", &[]).await;
    b.join("w", &[]).await;
    b.add("w", 1, &[("1", false)]).await;
    let job = b.take("w", 1, 1).await;
    for kind in ['c', 'r', 's'] {
        let (_, stale, _) = done(b.sync("v", job[0].1, "", &[(kind, "1", job[0].1)]).await);
        assert_eq!(stale, [0], "{kind}");
    }
    assert_eq!(b.store.stats().await.unwrap().active, 1);
}

/// As after a loss of power with `appendfsync everysec`, or a failover to a replica that lagged.
#[tokio::test]
async fn a_server_set_back_to_an_older_state_requeues_the_jobs_of_members() {
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
    done(b.sync("w", 2, "", &[('c', "a", jobs[0].1)]).await);
    assert!(matches!(b.store.sync("w", &answered(2)).await.unwrap(), SyncReply::Done { .. }));

    // The completion is undone, and in Redis the job is assigned to a member that has finished it.
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
    assert_eq!(b.store.stats().await.unwrap().crashes, 0, "no member crashed");
}
