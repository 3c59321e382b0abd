//! How long the longest call of each script takes with very many jobs of one kind. Printed; a bound far above what is right is asserted, because
//! a script that searches what it should find by key takes seconds.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::server::Redis;
use crate::Event;
use crate::Master;
use crate::Worker;
use crate::model::health::Stats;
use crate::model::info::JobState;
use crate::model::job_options::NewJob;
use crate::model::limit::Limit;
use crate::model::payload::Payload;
use crate::store::{WITH_FLAGS, WITHOUT_FLAGS};

const JOBS: usize = 1_000_000;
const FEWER: usize = 200_000;
const TASKS: usize = 50_000;
/// What is right is 50 ms; a busy machine may take longer.
const BOUND: Duration = Duration::from_millis(500);

struct Crowd {
    redis: Redis,
    master: Master,
}

impl Crowd {
    async fn new() -> Crowd {
        let redis = Redis::start();
        let mut options = crate::Options::new("t");
        options.set("socket", redis.socket().to_str().unwrap()).unwrap();
        options.set("timeout", "60000").unwrap();
        options.set("max_pending_bytes", "4294967296").unwrap();
        let master = Master::start(options, &Handle::current()).unwrap();
        master.ready().await.unwrap();
        let _: () = redis.ask(&["CONFIG", "SET", "slowlog-log-slower-than", "1000"]);
        let _: () = redis.ask(&["CONFIG", "SET", "slowlog-max-len", "100000"]);
        Crowd { redis, master }
    }

    async fn worker(&self, settings: &[(&str, &str)]) -> Worker {
        let mut options = crate::Options::new("t");
        options.set("socket", self.redis.socket().to_str().unwrap()).unwrap();
        options.set("timeout", "60000").unwrap();
        for (name, value) in settings {
            options.set(name, value).unwrap();
        }
        let worker = Worker::start(options, &Handle::current()).unwrap();
        worker.ready().await.unwrap();
        worker
    }

    async fn add(&self, count: usize, with: impl Fn(usize, NewJob) -> NewJob) {
        for from in (0..count).step_by(100_000) {
            let jobs = (from..count.min(from + 100_000)).map(|n| with(n, NewJob::bytes("x").id(format!("j{n}")))).collect();
            self.master.add_many(jobs).await.unwrap();
        }
    }

    /// What is done with jobs whatever their kind.
    async fn everything(&self, with: impl Fn(usize, NewJob) -> NewJob) {
        let middle: Vec<String> = (500..1500).map(|n| format!("j{n}")).collect();
        self.master.delete_many(middle.clone()).await.unwrap();
        self.master.add_many((500..1500).map(|n| with(n, NewJob::bytes("x").id(format!("j{n}")))).collect()).await.unwrap();
        self.master.delete_many(middle).await.unwrap();
        for state in [JobState::Waiting, JobState::Active, JobState::Delayed, JobState::Blocked, JobState::Failed] {
            let page = self.master.jobs(state, None, 1000).await.unwrap();
            if let Some(next) = page.next {
                self.master.jobs(state, Some(&next), 1000).await.unwrap();
            }
        }
        self.master.stats().await.unwrap();
        self.master.queues().await.unwrap();
        self.master.members().await.unwrap();
        self.master.pause(None).await.unwrap();
        self.master.resume(None).await.unwrap();
    }

    /// Waits until the counts are right.
    async fn until(&self, right: impl Fn(&Stats) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            let stats = self.master.stats().await.unwrap();
            if right(&stats) {
                return;
            }
            assert!(Instant::now() < deadline, "not in time: {stats:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The longest call of each script, printed and compared with the bound.
    fn report(&self, what: &str) {
        let scripts = [&*WITH_FLAGS, &*WITHOUT_FLAGS].into_iter().flat_map(|all| all.all());
        let names: BTreeMap<String, &str> = scripts.map(|script| (script.digest().to_owned(), script.name)).collect();
        let slow: Vec<Vec<redis::Value>> = self.redis.ask(&["SLOWLOG", "GET", "100000"]);
        let mut longest: BTreeMap<&str, u64> = BTreeMap::new();
        for entry in slow {
            let micros: u64 = redis::from_redis_value(entry[2].clone()).unwrap();
            let words: Vec<Vec<u8>> = redis::from_redis_value(entry[3].clone()).unwrap();
            if let Some(name) = words.get(1).and_then(|digest| names.get(&*String::from_utf8_lossy(digest))) {
                let before = longest.entry(name).or_default();
                *before = (*before).max(micros);
            }
        }
        let all: Vec<String> = longest.iter().map(|(name, micros)| format!("{name} {:.1}", *micros as f64 / 1000.0)).collect();
        println!("{what}: longest calls in ms: {}", all.join(", "));
        for (name, micros) in longest {
            assert!(Duration::from_micros(micros) < BOUND, "{what}: `{name}` took {micros} us");
        }
    }
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn no_script_takes_long_with_a_million_plain_jobs() {
    let crowd = Crowd::new().await;
    crowd.add(JOBS, |_, job| job).await;
    crowd.everything(|_, job| job).await;
    let worker = crowd.worker(&[("slots", "1000")]).await;
    for _ in 0..100 {
        worker.next().await.unwrap();
    }
    worker.terminate(Duration::ZERO).await.unwrap();
    crowd.report("plain jobs");
    crowd.master.obliterate().await.unwrap();
    crowd.report("plain jobs, with their removal");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn no_script_takes_long_with_a_million_jobs_of_a_priority_or_delayed() {
    for (what, with) in [
        ("jobs of a priority", (|_, job: NewJob| job.priority(7)) as fn(usize, NewJob) -> NewJob),
        ("delayed jobs", |_, job: NewJob| job.delay(Duration::from_secs(3600))),
    ] {
        let crowd = Crowd::new().await;
        crowd.add(JOBS, with).await;
        crowd.everything(with).await;
        crowd.report(what);
    }
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn no_script_takes_long_with_many_jobs_of_one_resource() {
    let crowd = Crowd::new().await;
    let with = |_, job: NewJob| job.resource("r").assign_timeout(Duration::from_secs(120));
    crowd.add(FEWER, with).await;
    let worker = crowd.worker(&[]).await;
    // All but one are set aside for the resource.
    crowd.until(|stats| stats.blocked == FEWER as u64 - 1).await;
    crowd.everything(with).await;
    // The time of the others is over.
    crowd.until(|stats| stats.failures >= 20_000).await;
    worker.terminate(Duration::ZERO).await.unwrap();
    crowd.report("jobs of one resource");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn no_script_takes_long_with_a_million_jobs_at_a_limit() {
    let crowd = Crowd::new().await;
    crowd.master.limit("api", Limit::rate(100, Duration::from_secs(1)).concurrency(50)).await.unwrap();
    let with = |_, job: NewJob| job.limit("api");
    crowd.add(JOBS, with).await;
    let worker = crowd.worker(&[("slots", "1000")]).await;
    crowd.until(|stats| stats.blocked > JOBS as u64 - 2000).await;
    crowd.everything(with).await;
    for _ in 0..100 {
        if let Some(Event::Add(job)) = worker.next().await {
            job.complete(Payload::default()).await.unwrap();
        }
    }
    crowd.report("jobs at a limit");
    // All may start at once.
    crowd.master.remove_limit("api").await.unwrap();
    crowd.until(|stats| stats.active == 1000).await;
    worker.terminate(Duration::ZERO).await.unwrap();
    crowd.report("jobs of a removed limit");
    crowd.master.obliterate().await.unwrap();
    crowd.report("jobs of a limit, with their removal");
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn no_script_takes_long_with_very_many_tasks() {
    let crowd = Crowd::new().await;
    let with = |n: usize, job: NewJob| job.task(format!("t{}", n % TASKS));
    crowd.add(FEWER, with).await;
    crowd.everything(with).await;
    crowd.report("jobs of 50,000 tasks");
    crowd.master.obliterate().await.unwrap();
    crowd.report("jobs of 50,000 tasks, with their removal");
}
