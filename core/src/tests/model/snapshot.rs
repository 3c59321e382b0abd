//! What a cluster stores at one moment, as `snapshot.lua` reads it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use redis::{FromRedisValue, Value, from_redis_value};

use crate::store::codec::record::split_record;
use crate::store::envelope::Envelopes;
use crate::store::inbox::{self, Entry};

/// Where a job is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Place {
    #[default]
    Nowhere,
    Waiting,
    /// Due at this time, in ms.
    Delayed(f64),
    /// It waits for a resource.
    Blocked,
    /// A member runs it: fence and incarnation.
    Active(u64, String),
    /// Added again while an earlier execution that was deleted has not stopped.
    Later,
}

/// All about one id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Job {
    pub(super) place: Place,
    /// It waits for its resource or its unique key, which one that is `Later` may do, too.
    pub(super) blocked: bool,
    /// An execution that is to stop: fence and incarnation.
    pub(super) stopping: Option<(u64, String)>,
    pub(super) failed: bool,
    pub(super) record: Vec<u8>,
}

impl Job {
    /// Whether this execution has not finished, even if it is to stop.
    pub(super) fn has_execution(&self, fence: u64) -> bool {
        matches!(self.place, Place::Active(its, _) if its == fence) || matches!(self.stopping, Some((its, _)) if its == fence)
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    pub(super) added: u64,
    pub(super) completed: u64,
    pub(super) failures: u64,
    pub(super) deleted: u64,
    pub(super) revived: u64,
    pub(super) now: u64,
    pub(super) grace: u64,
    /// Of the cluster's clock to the server's, in ms.
    pub(super) offset: u64,
}

/// Ids and scores.
type Entries = (Vec<String>, Vec<f64>);

#[derive(Clone, Default)]
pub(super) struct Snapshot {
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) resources: HashMap<String, String>,
    /// When leases end.
    pub(super) leases: BTreeMap<String, f64>,
    /// Members with credit by task: incarnation and score.
    pub(super) loads: HashMap<String, HashMap<String, u64>>,
    pub(super) counters: Counters,
    /// Jobs assigned through inboxes since the last reading: incarnation, id, fence.
    pub(super) notified: BTreeSet<(String, String, u64)>,
    pub(super) results: BTreeSet<String>,
    /// Entries of the queues in their order, with their scores unless the queue is a list; and tombstones.
    pub(super) queues: Vec<(String, Entries)>,
    pub(super) tombstones: HashMap<String, i64>,
    /// What breaks a rule of any state.
    pub(super) broken: Vec<String>,
}

fn unique_key(record: &[u8]) -> String {
    let extras = split_record(record).and_then(|(head, _)| head.extras);
    extras.map(|extras| extras.unique_key().clone()).unwrap_or_default()
}

fn read<T: FromRedisValue>(value: &mut Value) -> T {
    from_redis_value(std::mem::replace(value, Value::Nil)).unwrap_or_else(|error| panic!("{error}"))
}

/// `[[name, of it], …]`.
fn named<T: FromRedisValue>(value: &mut Value) -> Vec<(String, T)> {
    let pair = |mut pair: Value| {
        let mut parts: Vec<Value> = read(&mut pair);
        (read(&mut parts[0]), read(&mut parts[1]))
    };
    read::<Vec<Value>>(value).into_iter().map(pair).collect()
}

impl Snapshot {
    pub(super) fn take(connection: &mut redis::Connection) -> Snapshot {
        let mut parts: Vec<Value> =
            redis::cmd("EVAL").arg(include_str!("snapshot.lua")).arg(1).arg("{t}:meta").query(connection).unwrap();
        let [
            records,
            owners,
            delayed,
            blocked,
            resources,
            failed,
            queues,
            tombstones,
            due,
            members,
            loads,
            counters,
            inboxes,
            results,
            damage,
            unique,
            groups,
        ] = parts.as_mut_slice()
        else {
            panic!("a snapshot has 17 parts")
        };
        let mut found = Snapshot { resources: read(resources), broken: read(groups), ..Snapshot::default() };
        let mut records: BTreeMap<String, Vec<u8>> = read(records);
        let mut owners: BTreeMap<String, String> = read(owners);
        records.remove("");
        owners.remove("");
        let delayed: HashMap<String, f64> = read(delayed);
        let blocked: BTreeSet<String> = read(blocked);
        let failed: BTreeSet<String> = read(failed);
        let mut waiting: HashMap<String, i64> = HashMap::new();
        found.queues = named(queues);
        for (_, (ids, _)) in &found.queues {
            ids.iter().cloned().for_each(|id| *waiting.entry(id).or_default() += 1);
        }
        found.tombstones = read(tombstones);
        for (id, count) in &found.tombstones {
            *waiting.entry(id.clone()).or_default() -= count;
        }
        let ids: BTreeSet<String> = [&records.keys().cloned().collect(), &owners.keys().cloned().collect(), &blocked, &failed]
            .into_iter()
            .flatten()
            .chain(delayed.keys())
            .chain(waiting.iter().filter(|(_, count)| **count != 0).map(|(id, _)| id))
            .cloned()
            .collect();
        for id in ids {
            let owner = owners.get(&id).map(|owner| {
                let mut parts = owner.split(':');
                (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().to_owned(), parts.next().is_some())
            });
            let lines = waiting.get(&id).copied().unwrap_or(0);
            let places = [lines != 0, delayed.contains_key(&id), blocked.contains(&id), owner.is_some()];
            let record = records.remove(&id);
            let count = places.iter().filter(|place| **place).count();
            let to_stop = matches!(owner, Some((_, _, true)));
            // One that was added again may have its own time to wait for, but is in no queue yet.
            let one_place = if to_stop { lines == 0 && count <= 2 } else { count <= 1 && record.is_some() == (count == 1) };
            let only_failed = count == 0 && record.is_none() && failed.contains(&id);
            if !(0..=1).contains(&lines) || !one_place && !only_failed {
                found.broken.push(format!(
                    "`{id}` waits, is delayed, is blocked, has an owner: {places:?}, {lines} times in line, a record: {}",
                    record.is_some()
                ));
            }
            let mut job = Job { failed: failed.contains(&id), blocked: blocked.contains(&id), ..Job::default() };
            match owner {
                Some((fence, inc, true)) => {
                    job.stopping = Some((fence, inc));
                    if record.is_some() {
                        job.place = Place::Later;
                    }
                }
                Some((fence, inc, false)) => job.place = Place::Active(fence, inc),
                None if lines > 0 => job.place = Place::Waiting,
                None if blocked.contains(&id) => job.place = Place::Blocked,
                None => job.place = delayed.get(&id).map_or(Place::Nowhere, |due| Place::Delayed(*due)),
            }
            if job.failed && job.place != Place::Nowhere {
                found.broken.push(format!("`{id}` is failed and {:?}", job.place));
            }
            job.record = record.unwrap_or_default();
            found.jobs.insert(id, job);
        }
        let due: Vec<(String, f64)> = read(due);
        for (key, id) in read::<BTreeMap<String, String>>(unique) {
            let kept = due.iter().any(|(entry, _)| entry.strip_prefix("U:") == Some(&key));
            let has_it = |job: &Job| unique_key(&job.record) == key;
            if !found.jobs.get(&id).map_or(kept, |job| has_it(job) || kept && job.record.is_empty()) {
                found.broken.push(format!("the unique key `{key}` outlived its job `{id}`"));
            }
        }
        for (entry, at) in due {
            if let Some(inc) = entry.strip_prefix("L:") {
                found.leases.insert(inc.to_owned(), at);
            }
        }
        let members: BTreeSet<String> = read(members);
        if members != found.leases.keys().cloned().collect() {
            found.broken.push(format!("members are {members:?}, leases {:?}", found.leases));
        }
        for (task, scores) in named::<HashMap<String, u64>>(loads) {
            found.loads.insert(task, scores);
        }
        let [added, completed, failures, deleted, _crashes, _retries, revived, now, grace, offset, damaged]: [u64; 11] =
            read::<Vec<Option<f64>>>(counters)
                .into_iter()
                .map(|count| count.unwrap_or(0.0) as u64)
                .collect::<Vec<_>>()
                .try_into()
                .unwrap();
        found.counters = Counters { added, completed, failures, deleted, revived, now, grace, offset };
        for (inc, sent) in named::<Vec<Value>>(inboxes) {
            for mut entry in sent {
                let entry: Vec<Vec<u8>> = read(&mut entry);
                let [kind, blob] = entry.as_slice() else { panic!("an entry has one field") };
                if let Entry::Jobs(jobs) = inbox::parse(kind, blob, Envelopes::NONE).unwrap() {
                    for job in jobs {
                        let job = job.unwrap();
                        found.notified.insert((inc.clone(), job.id, job.fence));
                    }
                }
            }
        }
        found.results = read(results);
        let notes: HashMap<String, String> = read(damage);
        if damaged > 0 || !notes.is_empty() {
            found.broken.push(format!("{damaged} things were damaged, of which are noted {notes:?}"));
        }
        found
    }

    pub(super) fn job(&self, id: &str) -> &Job {
        static NONE: Job = Job { place: Place::Nowhere, blocked: false, stopping: None, failed: false, record: Vec::new() };
        self.jobs.get(id).unwrap_or(&NONE)
    }

    pub(super) fn credit(&self, inc: &str, task: &str) -> u64 {
        let score = self.loads.get(task).and_then(|load| load.get(inc));
        score.map_or(0, |score| 32767 - score % 65536 / 2)
    }

    /// The task of a job that has a record.
    pub(super) fn task(&self, id: &str) -> String {
        let head = split_record(&self.jobs[id].record).map(|(head, _)| head);
        head.and_then(|head| head.extras).map(|extras| extras.task).unwrap_or_default()
    }
}
