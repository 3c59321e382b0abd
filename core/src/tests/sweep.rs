//! The sweep requeues jobs that are in no structure, and leaves sound ones alone.

use std::time::Duration;

use super::bench::{bench, done, swept, until};
use crate::model::job_options::NewJob;
use crate::model::unique::{OnConflict, Unique};
use crate::store::{SyncCall, SyncReply};

#[tokio::test]
async fn jobs_in_no_structure_are_requeued() {
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
            done(b.sync("all", number, "", &[('c', &job.id, job.fence)]).await);
        }
        ran.sort();
        ran.dedup();
        ran.len() >= 6
    })
    .await;
}

#[tokio::test]
async fn a_sweep_in_the_call_that_requeues_a_job_finds_its_limit_sound() {
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
    done(b.sync("v", 1, "", &[]).await);
    assert_ne!(b.ask::<String>(&["HGET", "{t}:meta", "swept"]), "0", "a page of the sweep ran");
    assert_eq!(b.store.stats().await.unwrap().damaged, 0);
}
