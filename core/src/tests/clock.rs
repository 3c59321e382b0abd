//! Steps of the server's clock, times that users see, and unusual values of counters.

use std::time::Duration;

use super::bench::{Bench, bench, done, until};
use crate::model::job_options::NewJob;
use crate::store::SyncReply;
use crate::store::codec::inspect;
use crate::store::envelope::Envelopes;

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
async fn after_a_step_of_the_clock_nothing_is_early_and_nothing_stalls() {
    for hours in [-24, -1, 1, 24] {
        let b = bench();
        b.join("w", &[]).await;
        b.join("v", &[]).await;
        step(&b, hours).await;
        let before: i64 = b.ask(&["HGET", "{t}:meta", "now"]);
        let alive = done(b.sync("w", 0, "", &[]).await);
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
async fn reported_times_are_times_of_day() {
    let b = bench();
    b.join("w", &[]).await;
    step(&b, -24).await;
    done(b.sync("w", 0, "", &[]).await);
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
    let _ = b.fail("w", 2, &jobs[0]).await;
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
async fn invalid_values_of_the_clock_and_of_fences_stop_no_job() {
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
            let (_, stale, _) = done(b.sync("w", 2 * number + 1, "-", &[('c', &id, jobs[0].1)]).await);
            assert_eq!(stale, [0; 0], "{id}");
            let SyncReply::Done { next, .. } = b.sync("w", 0, "", &[]).await else { panic!("known") };
            assert!(next <= Duration::from_secs(60), "{id}: {next:?}");
            assert_eq!(b.store.stats().await.unwrap().members, 1, "{id}");
        }
    }
    assert!(b.store.stats().await.unwrap().damaged >= 20);
}
