//! Failed jobs: their retry and their limit in bytes.

use std::time::Duration;

use super::bench::{bench, done, until};
use crate::model::job_options::NewJob;
use crate::store::codec::reply;
use redis::Value;

#[tokio::test]
async fn jobs_that_fail_again_are_not_retried_twice_by_the_same_call() {
    let b = bench();
    b.join("w", &[]).await;
    let ids: Vec<String> = (0..450).map(|n| n.to_string()).collect();
    for (number, chunk) in ids.chunks(225).enumerate() {
        let jobs: Vec<(&str, bool)> = chunk.iter().map(|id| (id.as_str(), false)).collect();
        b.add("w", number as u64 + 1, &jobs).await;
    }
    for job in b.take("w", 1, 450).await {
        b.fail("w", job.1, &job).await;
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
            b.fail("w", number, &job).await;
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
async fn a_retried_job_waits_until_its_last_execution_has_stopped() {
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
        let (_, stale, _) = done(b.sync("w", 2, "-", &[('s', "1", fence)]).await);
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
        b.fail("w", number + 1, &job).await;
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
        b.fail("w", job.1, &job).await;
    }
    assert_eq!(b.store.failed("delete", None).await.unwrap(), is_exact("all failed") as u64 + 3 - is_exact("forgotten") as u64);
    assert_eq!(b.ask::<i64>(&["HGET", "{t}:meta", "failed_bytes"]), 0);
}
