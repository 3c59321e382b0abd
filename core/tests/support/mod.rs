//! What the tests of this crate share.
#![allow(dead_code, unused_imports, missing_docs)]

mod proxy;
mod server;

use std::time::Duration;

use libswarm::{ErrorKind, Event, Health, Job, Master, Options, Stats, Worker};
use tokio::runtime::Handle;

pub use proxy::Proxy;
pub use server::Redis;

impl Redis {
    /// Options of a member of cluster `test` with a lease of 2 s.
    pub fn options(&self) -> Options {
        let mut options = Options::new("test");
        options.set("socket", self.socket().to_str().unwrap()).unwrap();
        options.set("lease", "2000").unwrap();
        options
    }
}

/// Fails the test if `future` takes over 20 s.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap_or_else(|_| panic!("{what}: not within 20 s"))
}

/// The kind of the background error that a member reports.
pub fn trouble(health: &Health) -> Option<ErrorKind> {
    health.error.as_ref().map(|error| error.kind())
}

/// Waits until `state` is true.
pub async fn until(what: &str, mut state: impl FnMut() -> bool) {
    soon(what, async {
        while !state() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The next assigned job.
pub async fn next_job(worker: &Worker) -> Job {
    soon("a job", async {
        loop {
            match worker.next().await {
                Some(Event::Add(job)) => return job,
                Some(_) => {}
                None => panic!("the worker was closed"),
            }
        }
    })
    .await
}

/// The next event that `wanted` turns into a value.
pub async fn next_event<T>(worker: &Worker, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
    soon(what, async {
        loop {
            let event = worker.next().await.unwrap_or_else(|| panic!("the worker was closed before {what}"));
            if let Some(value) = wanted(event) {
                return value;
            }
        }
    })
    .await
}

/// A master of cluster `test`.
pub fn master(redis: &Redis) -> Master {
    Master::start(redis.options(), &Handle::current()).unwrap()
}

/// A registered worker of cluster `test`.
pub async fn worker(redis: &Redis, options: &[(&str, &str)]) -> Worker {
    let mut all = redis.options();
    for (name, value) in options {
        all.set(name, value).unwrap();
    }
    let worker = Worker::start(all, &Handle::current()).unwrap();
    worker.ready().await.unwrap();
    worker
}

/// A master and a registered worker.
pub async fn pair(redis: &Redis) -> (Master, Worker) {
    let worker = worker(redis, &[]).await;
    (master(redis), worker)
}

/// Waits until the cluster's counts are such.
pub async fn until_counts(master: &Master, what: &str, right: impl Fn(&Stats) -> bool) {
    soon(what, async {
        while !right(&master.stats().await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}
