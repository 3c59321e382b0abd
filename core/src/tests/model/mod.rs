//! Random operations on the scripts, each judged by rules that do not know how the scripts work (`rules.rs`).
//!
//! Members join, add, take, finish, leave, die and come back as if nothing had happened; calls are sent again and come late; the clock is the
//! test's own. After every step all that Redis stores is read and compared with what the step may have changed. A run follows from its seed:
//! `SWARM_MODEL_SEED` repeats one, `SWARM_MODEL_STEPS` makes it longer.
#![allow(clippy::unwrap_used)]

mod recorded;
mod rules;
mod snapshot;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::server;
use crate::adding::{Adds, Submission};
use crate::config::options::Options;
use crate::model::job::Finish;
use crate::model::job_options::NewJob;
use crate::model::metrics::TaskCounts;
use crate::model::payload::Payload;
use crate::model::unique::{Unique, Until};
use crate::store::codec::msgpack::{Unpack, write_array, write_string};
use crate::store::codec::record::read_record;
use crate::store::envelope::Envelopes;
use crate::store::script::Scripts;
use crate::store::*;
use crate::worker::batch::Batch;
use libswarm_common::backoff::Backoff;
use libswarm_common::id::Ids;
use recorded::Recorded;
use rules::judge;
use snapshot::{Place, Snapshot};
use std::sync::LazyLock;

/// Runs that found something once, and others.
const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
/// Steps of each run; the fault suite makes ten times as many.
const STEPS: usize = 2000;
/// Long, so that no call is cut short on a busy machine; the clock is the test's own.
const LEASE: u64 = 60_000;
const TASKS: [&str; 3] = ["", "a", "b"];

#[test]
fn whatever_comes_in_whatever_order_every_step_follows_the_rules() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let steps = number("SWARM_MODEL_STEPS").unwrap_or(STEPS as u64) as usize;
    match number("SWARM_MODEL_SEED") {
        Some(seed) => run(seed, steps),
        None => std::thread::scope(|scope| {
            let runs = SEEDS.map(|seed| scope.spawn(move || run(seed, steps)));
            runs.into_iter().for_each(|run| run.join().unwrap());
        }),
    }
}

fn run(seed: u64, steps: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(seed);
        for step in 0..steps {
            if let Err(why) = world.step().await {
                let history: Vec<String> = world.history.iter().map(|(pause, step)| format!("+{pause} ms {step:?}")).collect();
                panic!("seed {seed}, step {step}: {why}\nThe last steps:\n{}", history.join("\n"));
            }
        }
        let events = world.recorded.map(|recorded| recorded.count);
        assert!(events.is_none_or(|count| count > steps / 2), "only {events:?} events in {steps} steps");
    });
}

/// A member as its own process knows it.
struct Member {
    role: &'static str,
    tasks: Vec<String>,
    adds: Vec<Arc<AddCall>>,
    rounds: Vec<Arc<SyncCall>>,
    number: u64,
    batches: u64,
    /// It makes no calls but late ones.
    dead: bool,
}

/// What one step did.
#[derive(Default)]
pub(super) struct Step {
    what: String,
    /// The member that called.
    actor: String,
    /// Ids of new jobs, as passed; none if the call was sent before.
    adds: Vec<String>,
    /// Executions that the call finishes: id, fence, how.
    finishes: Vec<(String, u64, Finish)>,
    deletes: Vec<String>,
    /// Failed jobs that it runs again or forgets.
    retries: Vec<String>,
    forgets: Vec<String>,
    /// Credit that it adds; `None` withdraws all.
    grant: Option<u64>,
    leaves: bool,
    /// The call does what is due.
    ticks: bool,
    answer: Answer,
}

impl std::fmt::Debug for Step {
    /// Omits empty fields, to keep the history of steps readable.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Step { what, actor, adds, finishes, deletes, retries, forgets, grant, leaves: _, ticks, answer } = self;
        let Answer { jobs, stale, deleted, existed, returned, unknown } = answer;
        let lists: [(&str, &dyn std::fmt::Debug, bool); 9] = [
            ("adds", adds, adds.is_empty()),
            ("finishes", finishes, finishes.is_empty()),
            ("deletes", deletes, deletes.is_empty()),
            ("retries", retries, retries.is_empty()),
            ("forgets", forgets, forgets.is_empty()),
            ("jobs", jobs, jobs.is_empty()),
            ("stale", stale, stale.is_empty()),
            ("deleted", deleted, deleted.is_empty()),
            ("existed", existed, existed.is_empty()),
        ];
        write!(f, "{what} of {actor}, grant {grant:?}, returned {returned}")?;
        for (name, list, _) in lists.iter().filter(|(_, _, empty)| !empty) {
            write!(f, ", {name} {list:?}")?;
        }
        write!(f, "{}{}", if *ticks { ", ticks" } else { "" }, if *unknown { ", unknown" } else { "" })
    }
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Answer {
    jobs: Vec<(String, u64)>,
    /// Positions in `finishes`.
    stale: Vec<usize>,
    deleted: Vec<usize>,
    existed: Vec<usize>,
    returned: u64,
    unknown: bool,
}

pub(super) struct World {
    /// Lives as long as the run.
    _redis: server::Redis,
    connection: redis::Connection,
    store: Store,
    random: SmallRng,
    clock: u64,
    members: BTreeMap<String, Member>,
    paused: BTreeMap<String, bool>,
    before: Snapshot,
    /// Records of executions, by id and fence, as their members know them.
    executions: BTreeMap<(String, u64), Vec<u8>>,
    /// The largest fence so far.
    newest: u64,
    /// When jobs that wait came, of those that have waited since they were added.
    order: BTreeMap<String, usize>,
    added: usize,
    history: VecDeque<(u64, Step)>,
    /// What the recorded events state; every second run records none, as most clusters.
    recorded: Option<Recorded>,
    ids: Ids,
}

impl World {
    fn new(seed: u64) -> World {
        let redis = server::Redis::start();
        let mut options = Options::new("t");
        options.set("socket", redis.socket().to_str().unwrap()).unwrap();
        options.set("lease", &LEASE.to_string()).unwrap();
        options.set("timeout", "60000").unwrap();
        let mut store = Store::new(Arc::new(options), tokio::runtime::Handle::current());
        // Made once for all runs: the clock is a key, and lists are long from three entries on.
        static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
            Scripts::altered(true, |source| source.replace("call('TIME')", "call('HMGET', '{t}:clock', 's', 'us')"))
        });
        store.scripts = Some(&SCRIPTS);
        let connection = redis::Client::open(format!("unix://{}", redis.socket().display())).unwrap().get_connection().unwrap();
        World {
            connection,
            _redis: redis,
            store,
            random: SmallRng::seed_from_u64(seed),
            clock: 1_800_000_000_000,
            members: BTreeMap::new(),
            paused: BTreeMap::new(),
            before: Snapshot::default(),
            executions: BTreeMap::new(),
            newest: 0,
            order: BTreeMap::new(),
            added: 0,
            history: VecDeque::new(),
            recorded: (seed % 2 == 1).then(Recorded::default),
            ids: Ids::seeded(seed),
        }
    }

    async fn step(&mut self) -> Result<(), String> {
        let pause = match self.random.random_range(0..100) {
            0..60 => 0,
            60..90 => self.random.random_range(1..9000),
            90..99 => self.random.random_range(9000..45_000),
            _ => self.random.random_range(45_000..150_000),
        };
        self.clock += pause;
        // Somebody sets the server's clock.
        if self.random.random_bool(0.001) {
            let step = *[600_000, 3_600_000, 86_400_000].choose(&mut self.random).unwrap();
            self.clock = if self.random.random_bool(0.5) { self.clock + step } else { self.clock - step };
        }
        let _: () = redis::cmd("HSET")
            .arg("{t}:clock")
            .arg("s")
            .arg(self.clock / 1000)
            .arg("us")
            .arg(self.clock % 1000 * 1000)
            .query(&mut self.connection)
            .unwrap();
        let step = self.act().await;
        let after = Snapshot::take(&mut self.connection);
        let mut verdict = judge(&self.before, &after, &step, self);
        if let Some(recorded) = &mut self.recorded {
            verdict = verdict.and_then(|()| recorded.check(&mut self.connection, &after));
        }
        verdict = match verdict {
            Ok(()) => self.metrics_agree().await,
            wrong => wrong,
        };
        self.order.retain(|id, _| after.job(id).place == Place::Waiting);
        for (position, id) in step.adds.iter().enumerate() {
            // One that was dropped for its unique key may have been added later in the batch.
            let stored = !step.answer.existed.contains(&position);
            if stored && self.before.job(id).place == Place::Nowhere && after.job(id).place == Place::Waiting {
                self.added += 1;
                self.order.entry(id.clone()).or_insert(self.added);
            }
        }
        let notified = after.notified.iter().map(|(_, _, fence)| *fence);
        self.newest = notified.chain(step.answer.jobs.iter().map(|job| job.1)).fold(self.newest, u64::max);
        for (id, job) in &after.jobs {
            if let Place::Active(fence, _) = job.place {
                self.executions.entry((id.clone(), fence)).or_insert_with(|| job.record.clone());
            }
        }
        self.executions.retain(|(id, fence), _| after.job(id).has_execution(*fence));
        self.before = after;
        self.history.push_back((pause, step));
        if self.history.len() > 25 {
            self.history.pop_front();
        }
        verdict
    }

    /// Metrics count each end once: as many as the counters of the cluster.
    async fn metrics_agree(&self) -> Result<(), String> {
        let stats = self.store.stats().await.unwrap();
        let slots = self.store.metric_slots(&["total".to_owned()]).await.unwrap();
        let mut all = TaskCounts::default();
        let minutes = slots.minutes.iter().map(|(_, counts)| counts);
        slots.slots.iter().chain(minutes).flat_map(|counts| counts.values()).for_each(|counts| all.add(counts));
        let counted = (all.completed, all.failed, all.retried, all.deleted);
        let wanted = (stats.completed, stats.failures, stats.retries, stats.deleted);
        if counted == wanted { Ok(()) } else { Err(format!("metrics count {counted:?}, the cluster {wanted:?}")) }
    }

    async fn act(&mut self) -> Step {
        let alive = self.members.values().filter(|member| !member.dead).count();
        let chance = self.random.random_range(0..100);
        if alive < 2 || chance < 2 && alive < 6 {
            return self.join().await;
        }
        match chance {
            2..24 => self.add().await,
            24..66 => self.round().await,
            66..76 => self.idle_round().await,
            76..78 => self.again_add().await,
            78..82 => self.again_round().await,
            82..83 => self.leave().await,
            83..84 => self.die(),
            84..90 => self.delete().await,
            90..92 => self.pause().await,
            92..97 => self.failed().await,
            _ => self.idle_round().await,
        }
    }

    fn pick(&mut self, role: Option<&str>, dead: bool) -> Option<String> {
        let all: Vec<&String> = self
            .members
            .iter()
            .filter(|(_, m)| m.dead == dead && role.is_none_or(|role| m.role == role))
            .map(|(inc, _)| inc)
            .collect();
        all.choose(&mut self.random).map(|inc| (*inc).clone())
    }

    async fn join(&mut self) -> Step {
        let role = if self.random.random_bool(0.3) { "master" } else { "worker" };
        let inc = self.ids.next();
        let tasks: Vec<String> = match self.random.random_range(0..4) {
            _ if role == "master" => Vec::new(),
            0 | 1 => Vec::new(),
            2 => vec!["".into(), "a".into()],
            _ => vec!["a".into(), "b".into()],
        };
        let mut fields = Vec::new();
        let packed = crate::member::packed_tasks(&tasks);
        write_array(&mut fields, if packed.is_some() { 6 } else { 4 });
        let requeue = if self.random.random_bool(0.5) { "front" } else { "back" };
        for (name, value) in [("role", role), ("requeue", requeue)] {
            write_string(&mut fields, name.as_bytes());
            write_string(&mut fields, value.as_bytes());
        }
        if let Some(packed) = packed {
            write_string(&mut fields, b"tasks");
            write_string(&mut fields, &packed);
        }
        let mut settings = Vec::new();
        if self.recorded.is_some() {
            write_array(&mut settings, 2);
            write_string(&mut settings, b"recording");
            write_string(&mut settings, b"always");
        } else {
            write_array(&mut settings, 0);
        }
        self.store.join(&inc, &fields, &settings, "").await.unwrap();
        let tasks = if tasks.is_empty() { vec![String::new()] } else { tasks };
        let member = Member { role, tasks, adds: Vec::new(), rounds: Vec::new(), number: 0, batches: 0, dead: false };
        self.members.insert(inc.clone(), member);
        Step { what: format!("join {role}"), actor: inc, ticks: true, ..Step::default() }
    }

    fn new_job(&mut self) -> NewJob {
        let random = &mut self.random;
        let mut job = NewJob::bytes("x").result(random.random_bool(0.2));
        if random.random_bool(0.4) {
            job = job.id(format!("k{}", random.random_range(0..12)));
        }
        if random.random_bool(0.5) {
            return job;
        }
        job = job.task(*TASKS.choose(random).unwrap()).priority(*[-1, 0, 0, 5].choose(random).unwrap());
        if random.random_bool(0.3) {
            job = job.resource(*["r", "s"].choose(random).unwrap());
        }
        if random.random_bool(0.3) {
            let delay = Duration::from_millis(random.random_range(0..18_000));
            job = job.retries(random.random_range(1..3)).backoff(Backoff { delay, ..Backoff::default() });
        }
        if random.random_bool(0.3) {
            let until = *[Until::End, Until::Start, Until::Time(Duration::from_secs(20))].choose(random).unwrap();
            job = job.unique(Unique { until, ..Unique::from(*["u", "v", "w"].choose(random).unwrap()) });
        }
        if random.random_bool(0.3) {
            job = job.group(*["g", "h", "i"].choose(random).unwrap()).weight(random.random_range(1..4));
        }
        if random.random_bool(0.2) {
            job = job.delay(Duration::from_millis(random.random_range(1..60_000)));
        }
        if random.random_bool(0.1) {
            job = job.assign_timeout(Duration::from_millis(random.random_range(3000..90_000)));
        }
        if random.random_bool(0.1) {
            job = job.run_timeout(Duration::from_millis(random.random_range(3000..90_000)));
        }
        if random.random_bool(0.1) {
            job = job.total_timeout(Duration::from_millis(random.random_range(3000..150_000)));
        }
        job
    }

    async fn add(&mut self) -> Step {
        let inc = self.pick(None, false).unwrap();
        let count = if self.before.jobs.len() > 25 { 1 } else { self.random.random_range(1..6) };
        let jobs: Vec<NewJob> = (0..count).map(|_| self.new_job()).collect();
        let adds = Adds::default();
        adds.push(Submission::new(jobs.clone(), Box::new(|_| ())));
        let member = self.members.get_mut(&inc).unwrap();
        member.batches += 1;
        let batch = adds.next_batch(&inc, member.batches, None, &mut self.ids, Envelopes::NONE).unwrap();
        let ids = added_ids(&batch.call.jobs);
        member.adds.push(batch.call.clone());
        let answer = self.send_add(&batch.call).await;
        Step { what: "add".into(), actor: inc, adds: if answer.unknown { Vec::new() } else { ids }, answer, ..Step::default() }
    }

    async fn send_add(&mut self, call: &AddCall) -> Answer {
        match self.store.add(call).await.unwrap() {
            AddReply::Done { existed, .. } => {
                let existed = existed.iter().map(|job| job.position).collect();
                Answer { existed, ..Answer::default() }
            }
            AddReply::UnknownMember(_) => Answer { unknown: true, ..Answer::default() },
        }
    }

    /// A batch of adds comes once more, perhaps late.
    async fn again_add(&mut self) -> Step {
        let dead = self.random.random_bool(0.3);
        let Some(inc) = self.pick(None, dead) else { return self.idle_round().await };
        let Some(call) = self.members[&inc].adds.choose(&mut self.random).cloned() else { return self.idle_round().await };
        let answer = self.send_add(&call).await;
        Step { what: format!("add {} again", call.number), actor: inc, answer, ..Step::default() }
    }

    async fn round(&mut self) -> Step {
        let Some(inc) = self.pick(Some("worker"), false) else { return self.join().await };
        let mut batch = Batch::default();
        let mut finishes = Vec::new();
        let mine: Vec<(String, u64, Vec<u8>)> = self
            .before
            .jobs
            .iter()
            .filter_map(|(id, job)| match (&job.place, &job.stopping) {
                (Place::Active(fence, owner), _) if *owner == inc => Some((id.clone(), *fence, job.record.clone())),
                // One that was stopped in the step that began it is not known here, and ends with its member.
                (_, Some((fence, owner))) if *owner == inc => {
                    self.executions.get(&(id.clone(), *fence)).map(|record| (id.clone(), *fence, record.clone()))
                }
                // Not its own, or not yet: such an end comes late.
                (Place::Active(fence, _), _) if self.random.random_bool(0.01) => Some((id.clone(), *fence, job.record.clone())),
                _ => None,
            })
            .collect();
        for (id, fence, record) in mine {
            if !self.random.random_bool(0.4) {
                continue;
            }
            let fence = if self.random.random_bool(0.03) { fence - 1 } else { fence };
            let job = Arc::new(read_record(&id, fence, &record, Envelopes::NONE).unwrap());
            let finish = match self.random.random_range(0..10) {
                0..5 => Finish::Complete(Payload::bytes("r")),
                5..7 => Finish::Fail("no".into()),
                7 => Finish::FailPermanently("no".into()),
                8 => Finish::Release,
                _ => Finish::Stopped,
            };
            batch.finish(&job, false, finish.clone(), None, None, false);
            finishes.push((id, fence, finish));
        }
        let credit: u64 = if self.random.random_bool(0.5) { self.random.random_range(0..5) } else { 0 };
        let withdraw = self.random.random_bool(0.03);
        let measured = batch.pack_measures();
        let (ended, _) = batch.pack(&inc, Envelopes::NONE);
        if ended.is_empty() && credit == 0 && !withdraw {
            return self.idle_round_of(inc).await;
        }
        // The batch is packed plain jobs first and those with details last; positions in answers follow that order.
        let order = finished_ids(&ended);
        let mut ordered: Vec<(String, u64, Finish)> = Vec::new();
        for id in order {
            let at = finishes.iter().position(|finish| finish.0 == id).unwrap();
            ordered.push(finishes.remove(at));
        }
        let member = self.members.get_mut(&inc).unwrap();
        member.number += 1;
        let plain = member.tasks == [""];
        let call = Arc::new(SyncCall {
            number: member.number,
            credit: if withdraw {
                "-".into()
            } else if credit > 0 {
                credit.to_string()
            } else {
                String::new()
            },
            ended,
            measured,
            quotas: if plain { Vec::new() } else { vec![0x90] },
            ..SyncCall::default()
        });
        member.rounds.push(call.clone());
        let answer = self.send_round(&inc, &call).await;
        let finishes = if answer.unknown { Vec::new() } else { ordered };
        let grant = if withdraw { None } else { Some(credit) };
        Step { what: "round".into(), actor: inc, finishes, grant, ticks: !answer.unknown, answer, ..Step::default() }
    }

    async fn send_round(&mut self, inc: &str, call: &SyncCall) -> Answer {
        match self.store.sync(inc, call).await.unwrap() {
            SyncReply::Done { jobs, stale, deleted, returned, .. } => {
                let jobs = jobs.into_iter().map(|job| job.unwrap()).map(|job| (job.id, job.fence)).collect();
                Answer { jobs, stale, deleted, returned, ..Answer::default() }
            }
            SyncReply::UnknownMember | SyncReply::Old => Answer { unknown: true, ..Answer::default() },
        }
    }

    /// A round comes once more, perhaps late, perhaps of a member that is gone.
    async fn again_round(&mut self) -> Step {
        let dead = self.random.random_bool(0.3);
        let Some(inc) = self.pick(Some("worker"), dead) else { return self.idle_round().await };
        let rounds = &self.members[&inc].rounds;
        let late = self.random.random_bool(0.3);
        let Some(call) = (if late { rounds.choose(&mut self.random) } else { rounds.last() }).cloned() else {
            return self.idle_round().await;
        };
        let answer = self.send_round(&inc, &call).await;
        Step {
            what: format!("round {} again", call.number),
            actor: inc,
            grant: Some(0),
            ticks: !answer.unknown,
            answer,
            ..Step::default()
        }
    }

    async fn idle_round(&mut self) -> Step {
        match self.pick(None, false) {
            Some(inc) => self.idle_round_of(inc).await,
            None => self.join().await,
        }
    }

    async fn idle_round_of(&mut self, inc: String) -> Step {
        let answer = self.send_round(&inc, &SyncCall::default()).await;
        if answer.unknown {
            self.members.remove(&inc);
        }
        Step { what: "renew".into(), actor: inc, grant: Some(0), ticks: !answer.unknown, answer, ..Step::default() }
    }

    async fn leave(&mut self) -> Step {
        let inc = self.pick(None, false).unwrap();
        assert!(self.store.leave(&inc).await.unwrap());
        self.members.get_mut(&inc).unwrap().dead = true;
        Step { what: "leave".into(), actor: inc, leaves: true, ..Step::default() }
    }

    fn die(&mut self) -> Step {
        let inc = self.pick(None, false).unwrap();
        self.members.get_mut(&inc).unwrap().dead = true;
        Step { what: "die".into(), actor: inc, ..Step::default() }
    }

    async fn delete(&mut self) -> Step {
        let mut ids: Vec<String> = self.before.jobs.keys().cloned().collect();
        ids.push("nothing".into());
        let many = if ids.len() > 25 { 8 } else { 2 };
        let some: Vec<String> = ids.choose_multiple(&mut self.random, many).cloned().collect();
        let answers = self.store.delete(&some).await.unwrap();
        for (id, existed) in some.iter().zip(answers) {
            let job = self.before.job(id);
            assert_eq!(existed, job.failed || job.place != Place::Nowhere, "the answer for `{id}`");
        }
        Step { what: "delete".into(), deletes: some, ..Step::default() }
    }

    async fn pause(&mut self) -> Step {
        let task = *["", "a", "*"].choose(&mut self.random).unwrap();
        let on = self.random.random_bool(0.4);
        self.store.pause(task, on).await.unwrap();
        self.paused.insert(task.to_owned(), on);
        Step { what: format!("pause {task}: {on}"), ..Step::default() }
    }

    fn is_paused(&self, task: &str) -> bool {
        ["*", task].iter().any(|name| self.paused.get(*name) == Some(&true))
    }

    async fn failed(&mut self) -> Step {
        let mut ids: Vec<String> = self.before.jobs.iter().filter(|(_, job)| job.failed).map(|(id, _)| id.clone()).collect();
        ids.push("nothing".into());
        let all = self.random.random_bool(0.2);
        let some: Vec<String> = if all { ids } else { ids.choose_multiple(&mut self.random, 3).cloned().collect() };
        let retry = self.random.random_bool(0.6);
        self.store.failed(if retry { "retry" } else { "delete" }, (!all).then_some(&some)).await.unwrap();
        let what = format!("{} failed", if retry { "retry" } else { "forget" });
        let (retries, forgets) = if retry { (some, Vec::new()) } else { (Vec::new(), some) };
        Step { what, retries, forgets, ..Step::default() }
    }
}

/// The ids in a batch of adds, `[id, record, …]`.
fn added_ids(jobs: &[u8]) -> Vec<String> {
    let mut unpack = Unpack::new(jobs);
    let pair = |unpack: &mut Unpack| {
        let id = unpack.text().unwrap().to_owned();
        unpack.string().unwrap();
        id
    };
    (0..unpack.array().unwrap() / 2).map(|_| pair(&mut unpack)).collect()
}

/// The ids in a batch of finished executions, `[[id, …], …]`.
fn finished_ids(ended: &[u8]) -> Vec<String> {
    let mut unpack = Unpack::new(ended);
    if ended.is_empty() || unpack.array().unwrap() == 0 {
        return Vec::new();
    }
    (0..unpack.array().unwrap()).map(|_| unpack.text().unwrap().to_owned()).collect()
}
