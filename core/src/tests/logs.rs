//! Logs of jobs: repeated lines, and their removal by the sweep.

use std::time::Duration;

use super::bench::{Bench, bench, done, until};
use crate::model::job_options::NewJob;
use crate::store::SyncCall;
use crate::store::codec::inspect;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::store::envelope::Envelopes;

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
    done(b.store.sync("w", &SyncCall { values, ..SyncCall::default() }).await.unwrap());
}

#[tokio::test]
async fn repeated_lines_of_a_log_are_stored_once() {
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
    done(b.sync("w", 2, "1", &[('r', "a", job.1)]).await);
    // An execution that is over adds none; in the next one, numbers begin again.
    log(&b, &job, &[(10, "late")]).await;
    let again = b.take("w", 3, 1).await.pop();
    let again = again.unwrap_or_else(|| {
        ("a".to_owned(), b.ask::<String>(&["HGET", "{t}:owner", "a"]).split(':').next().unwrap().parse().unwrap())
    });
    log(&b, &again, &[(1, "four")]).await;
    assert_eq!(texts().await, ["one", "two", "three:3", "four"]);
}

#[tokio::test]
async fn the_sweep_removes_logs_without_a_job_and_expires_kept_jobs() {
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
        done(b.sync("w", 0, "", &[]).await);
        b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "S:"]).is_none() && b.ask::<u64>(&["EXISTS", "{t}:completed"]) == 0
    })
    .await;
    assert_eq!(b.ask::<Vec<String>>(&["HKEYS", "{t}:logs"]), ["a"]);
    assert_eq!(b.ask::<u64>(&["EXISTS", "{t}:log:b", "{t}:log:gone", "{t}:completed_at", "{t}:completed_until"]), 0);
    assert_eq!(b.ask::<u64>(&["LLEN", "{t}:log:a"]), 1);
    assert_eq!(b.store.stats().await.unwrap().damaged, 2);
}
