//! Members: leaving, notifications about members, and the rebalance among many.

use super::bench::{bench, done, until};

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
async fn many_watchers_are_notified_page_by_page() {
    let b = bench();
    let watchers: Vec<String> = (0..450).map(|n| format!("watcher{n}")).collect();
    for watcher in &watchers {
        b.join(watcher, &[("subscriptions", "w")]).await;
    }
    let all_notified = async || {
        done(b.sync("watcher0", 0, "", &[]).await);
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
async fn a_rebalance_reads_many_members_page_by_page() {
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
