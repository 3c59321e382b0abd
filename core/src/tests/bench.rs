//! A store on a private Redis, and the calls of its members as the tests of the scripts make them.

use std::sync::Arc;
use std::time::Duration;

use super::server::Redis;
use crate::config::options::Options;
use crate::model::job_options::NewJob;
use crate::model::payload::Payload;
use crate::store::codec::msgpack::{write_array, write_integer, write_string};
use crate::store::codec::record::write_record;
use crate::store::envelope::Envelopes;
use crate::store::{AddCall, AddReply, Store, SyncCall, SyncReply};

pub(super) const UNKNOWN: &str = "00000000000000000000";

pub(super) struct Bench {
    pub(super) redis: Redis,
    pub(super) store: Store,
}

impl Bench {
    pub(super) async fn join(&self, member: &str, fields: &[(&str, &str)]) {
        let mut packed = Vec::new();
        write_array(&mut packed, 2 * fields.len() + 2);
        for (name, value) in fields.iter().chain(&[("role", "worker")]) {
            write_string(&mut packed, name.as_bytes());
            write_string(&mut packed, value.as_bytes());
        }
        self.store.join(member, &packed, &[0x90], "").await.unwrap();
    }

    /// Joins as a worker for these tasks, written as in Lua.
    pub(super) async fn join_for(&self, member: &str, tasks: &str) {
        self.join(member, &[]).await;
        let script = format!("return redis.call('HSET', KEYS[1], 'tasks', cmsgpack.pack({tasks}))");
        let _: u64 = self.ask(&["EVAL", &script, "1", &format!("{{t}}:member:{member}")]);
    }

    pub(super) async fn add(&self, member: &str, number: u64, jobs: &[(&str, bool)]) -> AddReply {
        let (mut packed, mut own, mut largest) = (Vec::new(), Vec::new(), 0);
        write_array(&mut packed, 2 * jobs.len());
        for (id, _) in jobs {
            write_string(&mut packed, id.as_bytes());
            let before = packed.len();
            write_record(&mut packed, &NewJob::new(Payload::bytes(id.as_bytes())), "", None, Envelopes::NONE);
            largest = largest.max(packed.len() - before);
        }
        let positions: Vec<u64> = (1..).zip(jobs).filter(|(_, (_, own))| *own).map(|(position, _)| position).collect();
        if !positions.is_empty() {
            write_array(&mut own, positions.len());
            positions.iter().for_each(|position| write_integer(&mut own, *position));
        }
        let call = AddCall { incarnation: member.into(), number, jobs: packed, checked: own, largest, extras: Vec::new() };
        self.store.add(&call).await.unwrap()
    }

    /// Adds a job of any kind.
    pub(super) async fn add_one(&self, member: &str, number: u64, mut job: NewJob) {
        let adds = crate::adding::Adds::default();
        let (answer, _) = tokio::sync::oneshot::channel::<()>();
        job.fresh = false;
        adds.push(crate::adding::Submission::new(vec![job], Box::new(move |_| drop(answer))));
        let batch = adds.next_batch(member, number, None, &mut libswarm_common::id::random_ids(), Envelopes::NONE).unwrap();
        let AddReply::Done { .. } = self.store.add(&batch.call).await.unwrap() else { panic!("unknown member") };
    }

    /// Finishes a job as failed.
    pub(super) async fn fail(&self, member: &str, number: u64, job: &(String, u64)) {
        let mut packed = Vec::new();
        write_array(&mut packed, 4);
        write_array(&mut packed, 1);
        write_string(&mut packed, job.0.as_bytes());
        write_array(&mut packed, 1);
        write_string(&mut packed, format!("{}:{member}", job.1).as_bytes());
        write_array(&mut packed, 1);
        write_array(&mut packed, 3);
        ["f", "failed", "why"].iter().for_each(|word| write_string(&mut packed, word.as_bytes()));
        write_array(&mut packed, 0);
        let call = SyncCall { number, ended: packed, ..SyncCall::default() };
        done(self.store.sync(member, &call).await.unwrap());
    }

    /// An empty round. Whether a job has failed.
    pub(super) async fn sync_failed(&self) -> bool {
        done(self.sync("w", 0, "", &[]).await);
        self.store.stats().await.unwrap().failed > 0
    }

    /// Finishes jobs (`kind` c: completed, r: released, s: stopped; id; fence) and asks for `credit` more.
    pub(super) async fn sync(&self, member: &str, number: u64, credit: &str, finished: &[(char, &str, u64)]) -> SyncReply {
        let mut packed = Vec::new();
        if !finished.is_empty() {
            let mut finished = finished.to_vec();
            finished.sort_by_key(|(kind, _, _)| *kind != 'c');
            let detailed = finished.iter().filter(|(kind, _, _)| *kind != 'c').count();
            write_array(&mut packed, 4);
            write_array(&mut packed, finished.len());
            finished.iter().for_each(|(_, id, _)| write_string(&mut packed, id.as_bytes()));
            write_array(&mut packed, finished.len());
            finished.iter().for_each(|(_, _, fence)| write_string(&mut packed, format!("{fence}:{member}").as_bytes()));
            write_array(&mut packed, detailed);
            for (kind, _, _) in &finished[finished.len() - detailed..] {
                write_array(&mut packed, 1);
                write_string(&mut packed, kind.to_string().as_bytes());
            }
            write_array(&mut packed, 0);
        }
        let call = SyncCall { number, keep_from: String::new(), credit: credit.into(), ended: packed, ..SyncCall::default() };
        self.store.sync(member, &call).await.unwrap()
    }

    /// Asks for `credit` jobs. The assigned ones: id and fence.
    pub(super) async fn take(&self, member: &str, number: u64, credit: u32) -> Vec<(String, u64)> {
        done(self.sync(member, number, &credit.to_string(), &[]).await).0
    }

    pub(super) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.redis.ask(words)
    }

    pub(super) fn expire(&self, member: &str) {
        let _: i64 = self.ask(&["ZADD", "{t}:due", "1", &format!("L:{member}")]);
    }
}

pub(super) fn bench() -> Bench {
    let redis = Redis::start();
    let mut options = Options::new("t");
    options.set("socket", redis.socket().to_str().unwrap()).unwrap();
    // Long, so that a busy machine does not cut calls short.
    options.set("lease", "60000").unwrap();
    options.set("timeout", "60000").unwrap();
    Bench { store: Store::new(Arc::new(options), tokio::runtime::Handle::current()), redis }
}

/// Waits for a state, at most for 10 s.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !is_so().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not within 10 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The jobs (id and fence), the positions of stale and of deleted ones, of a round that was carried out.
pub(super) fn done(reply: SyncReply) -> (Vec<(String, u64)>, Vec<usize>, Vec<usize>) {
    match reply {
        SyncReply::Done { jobs, stale, deleted, .. } => {
            (jobs.into_iter().map(|job| job.unwrap()).map(|job| (job.id, job.fence)).collect(), stale, deleted)
        }
        SyncReply::UnknownMember => panic!("unknown member"),
        SyncReply::Old => panic!("old batch"),
    }
}

pub(super) fn existed(reply: AddReply) -> Vec<usize> {
    match reply {
        AddReply::Done { existed, .. } => existed.iter().map(|job| job.position).collect(),
        AddReply::UnknownMember(_) => panic!("unknown member"),
    }
}

/// Runs a whole sweep. The ids of the jobs that wait or are active.
pub(super) async fn swept(b: &Bench, member: &str) -> Vec<String> {
    let _: u64 = b.ask(&["HSET", "{t}:meta", "sweep", "j0"]);
    let _: u64 = b.ask(&["ZADD", "{t}:due", "1", "S:"]);
    until("the sweep is over", async || {
        done(b.sync(member, 0, "", &[]).await);
        b.ask::<Option<f64>>(&["ZSCORE", "{t}:due", "S:"]).is_none()
    })
    .await;
    let mut ids: Vec<String> = b.ask(&["HKEYS", "{t}:jobs"]);
    ids.retain(|id| !id.is_empty());
    ids
}
