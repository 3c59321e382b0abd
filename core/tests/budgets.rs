//! The memory that a process uses for commands that Redis does not take is bounded.
#![allow(missing_docs)]

mod support;

use std::time::Duration;

use libswarm::{ErrorKind, Master, NewJob, NewMessage, To};
use support::{Redis, soon};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

const MIB: usize = 1024 * 1024;

fn master(redis: &Redis) -> Master {
    let mut options = redis.options();
    for (name, value) in [("max_pending_bytes", "1048576"), ("max_payload", "4194304"), ("timeout", "60000"), ("lease", "60000")]
    {
        options.set(name, value).unwrap();
    }
    Master::start(options, &Handle::current()).unwrap()
}

fn job(bytes: usize) -> NewJob {
    NewJob::bytes(vec![0; bytes])
}

#[tokio::test]
async fn jobs_beyond_the_budget_are_refused_until_redis_has_taken_the_others() {
    let redis = Redis::start();
    let master = master(&redis);
    soon("ready", master.ready()).await.unwrap();
    let submit = |jobs: Vec<NewJob>| {
        let (sender, answer) = oneshot::channel();
        master.submit(jobs, Box::new(|result| drop(sender.send(result.map(|added| added.len())))));
        async { soon("the answer", answer).await.unwrap() }
    };
    // One alone may be larger than the budget, though all others then wait.
    let large = submit(vec![job(2 * MIB)]);
    let refused = submit(vec![job(1)]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::BufferFull);
    assert!(refused.kind().is_retryable() && refused.message().contains("max_pending_bytes"), "{refused}");
    assert_eq!(large.await.unwrap(), 1);

    // While Redis is silent, no more than the budget gathers.
    redis.ask::<()>(&["CLIENT", "PAUSE", "1500", "ALL"]);
    let halves = [submit(vec![job(MIB / 2)]), submit(vec![job(MIB / 4), job(MIB / 4)])];
    assert_eq!(submit(vec![job(1)]).await.unwrap_err().kind(), ErrorKind::BufferFull);
    // Of several jobs none is added.
    assert_eq!(submit(vec![job(0), job(1)]).await.unwrap_err().kind(), ErrorKind::BufferFull);
    // An empty payload is accepted.
    let empty = submit(vec![job(0)]);
    let [one, two] = halves;
    assert_eq!((one.await.unwrap(), two.await.unwrap(), empty.await.unwrap()), (1, 2, 1));
    soon("add", master.add(job(MIB))).await.unwrap();
    assert_eq!(soon("stats", master.stats()).await.unwrap().added, 6);
}

#[tokio::test]
async fn messages_count_by_their_bytes_too() {
    let redis = Redis::start();
    let master = master(&redis);
    soon("ready", master.ready()).await.unwrap();
    redis.ask::<()>(&["CLIENT", "PAUSE", "1500", "ALL"]);
    let mut answers = Vec::new();
    let mut refused = None;
    for _ in 0..200 {
        let (sender, mut answer) = oneshot::channel();
        let message = NewMessage::bytes(To::All, vec![0; 64 * 1024]);
        master.messages().submit(message, Box::new(|result| drop(sender.send(result))));
        match answer.try_recv() {
            Ok(result) => {
                refused = Some(result.unwrap_err());
                break;
            }
            Err(_) => answers.push(answer),
        }
    }
    assert_eq!(refused.unwrap().kind(), ErrorKind::BufferFull);
    assert!(answers.len() <= 16 + 16, "a batch under way and the budget, not {}", answers.len());
    for answer in answers {
        tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap().unwrap().unwrap();
    }
}
