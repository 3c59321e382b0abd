//! Schedules on a clock of the test's own.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::server::Redis;
use crate::config::options::Options;
use crate::model::job_options::NewJob;
use crate::model::schedule::{CatchUp, Overlap, Schedule, Scheduled, Timing};
use crate::store::codec::msgpack::{write_array, write_string};
use crate::store::script::Scripts;
use crate::store::{Store, SyncCall, SyncReply};

/// 2026-10-24T12:00:00Z, the day before clocks go back in Europe.
const BEGIN: u64 = 1_792_843_200_000;
const MINUTE: u64 = 60_000;

struct World {
    redis: Redis,
    store: Store,
    clock: u64,
}

impl World {
    async fn new() -> World {
        let redis = Redis::start();
        let mut options = Options::new("t");
        options.set("socket", redis.socket().to_str().unwrap()).unwrap();
        options.set("lease", "86400000").unwrap();
        let mut store = Store::new(Arc::new(options), tokio::runtime::Handle::current());
        static SCRIPTS: LazyLock<Scripts> = LazyLock::new(|| {
            Scripts::altered(true, |source| source.replace("call('TIME')", "call('HMGET', '{t}:clock', 's', 'us')"))
        });
        store.scripts = Some(&SCRIPTS);
        let mut world = World { redis, store, clock: 0 };
        world.set_clock(BEGIN);
        let mut fields = Vec::new();
        write_array(&mut fields, 2);
        write_string(&mut fields, b"role");
        write_string(&mut fields, b"worker");
        world.store.join("w", &fields, &[0x90], "").await.unwrap();
        world
    }

    fn set_clock(&mut self, ms: u64) {
        self.clock = ms;
        let (s, us) = ((ms / 1000).to_string(), (ms % 1000 * 1000).to_string());
        let _: u64 = self.redis.ask(&["HSET", "{t}:clock", "s", &s, "us", &us]);
    }

    /// A member comes, and computes the slots that it is asked for, until nothing is due.
    async fn tick(&self) {
        for _ in 0..50 {
            let SyncReply::Done { wanted, next, .. } = self.store.sync("w", &SyncCall::default()).await.unwrap() else {
                panic!("the member is unknown")
            };
            let idle = wanted.is_empty() && next > Duration::ZERO;
            for one in wanted {
                self.store.extend_schedule(&one).await.unwrap();
            }
            if idle {
                return;
            }
        }
        panic!("something is always due");
    }

    /// Deletes the job of a slot.
    async fn end(&self, id: &str, minute: i64) {
        let job = format!("{id}@{}", BEGIN as i64 + minute * MINUTE as i64);
        assert_eq!(self.store.delete(std::slice::from_ref(&job)).await.unwrap(), [true], "{job}, of {:?}", self.slots(id));
    }

    /// The slots that have jobs, in minutes after the beginning.
    fn slots(&self, id: &str) -> Vec<i64> {
        let ids: Vec<String> = self.redis.ask(&["HKEYS", "{t}:jobs"]);
        let mut slots: Vec<i64> = ids
            .iter()
            .filter_map(|job| {
                Some((job.strip_prefix(id)?.strip_prefix('@')?.parse::<i64>().unwrap() - BEGIN as i64) / MINUTE as i64)
            })
            .collect();
        slots.sort_unstable();
        slots
    }
}

fn job() -> NewJob {
    NewJob::json(&1).unwrap()
}

fn each_minute(catch_up: CatchUp) -> Schedule {
    Schedule { catch_up, overlap: Overlap::Allow, ..Schedule::new(Timing::Every(Duration::from_secs(60))) }
}

#[tokio::test]
async fn missed_slots_are_caught_up_as_asked() {
    let mut world = World::new().await;
    let job = job();
    for (id, catch_up) in [("last", CatchUp::Last), ("none", CatchUp::Skip), ("all", CatchUp::All)] {
        assert_eq!(world.store.put_schedule(id, &each_minute(catch_up), &job).await.unwrap(), Scheduled::Created);
    }
    world.set_clock(BEGIN + MINUTE);
    world.tick().await;
    for id in ["last", "none", "all"] {
        assert_eq!(world.slots(id), [1], "{id}");
    }
    // An outage: more slots than were computed ahead.
    world.set_clock(BEGIN + 40 * MINUTE + 1);
    world.tick().await;
    assert_eq!(world.slots("all"), (1..=40).collect::<Vec<_>>());
    // One for all that were missed, or the one that has just come.
    assert_eq!((world.slots("last"), world.slots("none")), (vec![1, 40], vec![1, 40]));
    // A day: of `all`, the newest hundred.
    world.set_clock(BEGIN + 2000 * MINUTE);
    world.tick().await;
    assert_eq!(world.slots("all"), (1..=40).chain(1901..=2000).collect::<Vec<_>>());
    assert_eq!(world.slots("last"), [1, 40, 2000]);
    assert_eq!(world.redis.ask::<Option<u64>>(&["HGET", "{t}:meta", "damaged"]), None);
}

#[tokio::test]
async fn with_catch_up_skip_a_slot_missed_by_more_than_a_minute_does_not_run() {
    let mut world = World::new().await;
    let hourly = Schedule { catch_up: CatchUp::Skip, ..Schedule::new(Timing::Cron("0 * * * *".into())) };
    world.store.put_schedule("a", &hourly, &job()).await.unwrap();
    for minute in [60, 122, 180, 300] {
        world.set_clock(BEGIN + minute * MINUTE);
        world.tick().await;
        for done in ["a@1792846800000", "a@1792854000000"] {
            let _: u64 = world.redis.ask(&["HDEL", "{t}:jobs", done]);
        }
    }
    let info = world.store.schedule_info("a").await.unwrap().unwrap();
    assert_eq!((info.added, info.last_at), (3, Some(BEGIN + 300 * MINUTE)), "60, 180 and 300, not 120");
}

#[tokio::test]
async fn jitter_delays_jobs_and_loses_none() {
    let mut world = World::new().await;
    for (id, catch_up) in [("last", CatchUp::Last), ("none", CatchUp::Skip), ("all", CatchUp::All)] {
        let schedule = Schedule { jitter: Duration::from_secs(1800), ..each_minute(catch_up) };
        world.store.put_schedule(id, &schedule, &job()).await.unwrap();
    }
    for minute in 1..=90 {
        world.set_clock(BEGIN + minute * MINUTE);
        // The sweep checks twice in a call that queues delayed jobs, and must find nothing to repair.
        let _: u64 = world.redis.ask(&["ZADD", "{t}:due", "1", "S:"]);
        world.tick().await;
    }
    assert_eq!(world.redis.ask::<Option<u64>>(&["HGET", "{t}:meta", "damaged"]), None);
    for id in ["last", "none", "all"] {
        assert_eq!(world.slots(id), (1..=90).collect::<Vec<_>>(), "{id}");
    }
    assert!(world.redis.ask::<u64>(&["ZCARD", "{t}:delayed"]) > 20);
}

#[tokio::test]
async fn a_job_follows_when_another_has_finished_though_the_clock_is_set_or_the_limit_raised() {
    let mut world = World::new().await;
    let pause = |limit| Schedule {
        limit: Some(limit),
        catch_up: CatchUp::Skip,
        ..Schedule::new(Timing::AfterEnd(Duration::from_secs(60)))
    };
    let then_next = || crate::api::schedules::job_of("a", &pause(1), job()).unwrap();
    world.store.put_schedule("a", &pause(3), &then_next()).await.unwrap();
    world.tick().await;
    assert_eq!(world.slots("a"), [0]);
    assert!(!world.store.schedule_info("a").await.unwrap().unwrap().ended);
    world.end("a", 0).await;
    // An hour back.
    world.set_clock(BEGIN - 60 * MINUTE);
    world.tick().await;
    world.set_clock(BEGIN - 59 * MINUTE);
    world.tick().await;
    world.end("a", -59).await;
    // So late that slots of a clock would count as missed.
    world.set_clock(BEGIN + 20 * MINUTE);
    world.tick().await;
    world.end("a", -58).await;
    world.tick().await;
    assert!(world.store.schedule_info("a").await.unwrap().unwrap().ended);
    assert_eq!(world.store.put_schedule("a", &pause(4), &then_next()).await.unwrap(), Scheduled::Changed);
    world.set_clock(BEGIN + 21 * MINUTE);
    world.tick().await;
    assert_eq!(world.slots("a"), [21]);
}

#[tokio::test]
async fn a_raised_limit_runs_no_slot_that_passed_after_the_schedule_ended() {
    let mut world = World::new().await;
    let limited = |limit| Schedule { limit: Some(limit), ..each_minute(CatchUp::All) };
    world.store.put_schedule("a", &limited(2), &job()).await.unwrap();
    for minute in 1..=50 {
        world.set_clock(BEGIN + minute * MINUTE);
        world.tick().await;
    }
    assert_eq!(world.slots("a"), [1, 2]);
    assert_eq!(world.store.put_schedule("a", &limited(4), &job()).await.unwrap(), Scheduled::Changed);
    world.set_clock(BEGIN + 53 * MINUTE);
    world.tick().await;
    assert_eq!(world.slots("a"), [1, 2, 51, 52]);
}

#[tokio::test]
async fn a_pause_stays_when_the_timing_changes_and_runs_by_hand_are_beside_the_slots() {
    let world = World::new().await;
    world.store.put_schedule("a", &Schedule { limit: Some(1), ..each_minute(CatchUp::Last) }, &job()).await.unwrap();
    assert!(world.store.change_schedule("pause", "a").await.unwrap());
    let daily = Schedule { overlap: Overlap::Allow, ..Schedule::new(Timing::Cron("@daily".into())) };
    assert_eq!(world.store.put_schedule("a", &daily, &job()).await.unwrap(), Scheduled::Changed);
    assert!(world.store.schedule_info("a").await.unwrap().unwrap().paused);
    // Three in one millisecond.
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.store.run_schedule("a").await.unwrap().unwrap());
    }
    assert_eq!(ids, [0, 1, 2].map(|ms| format!("a@{}", BEGIN + ms)));
    assert_eq!(world.store.schedule_info("a").await.unwrap().unwrap().added, 0);
}

#[tokio::test]
async fn damaged_schedules_are_repaired() {
    let mut world = World::new().await;
    let job = job();
    for id in ["a", "b", "c", "d"] {
        world.store.put_schedule(id, &each_minute(CatchUp::Last), &job).await.unwrap();
    }
    let _: u64 = world.redis.ask(&["DEL", "{t}:schedule_times", "{t}:schedule_ids"]);
    let _: u64 = world.redis.ask(&["ZREM", "{t}:due", "H:"]);
    let _: u64 = world.redis.ask(&["HSET", "{t}:schedules", "c", "?"]);
    let _: u64 = world.redis.ask(&["HDEL", "{t}:schedule_jobs", "d"]);
    for second in 1..=120 {
        world.set_clock(BEGIN + 1000 * second);
        world.tick().await;
    }
    assert_eq!((world.slots("a"), world.slots("b"), world.slots("c")), (vec![1, 2], vec![1, 2], vec![]));
    let page = world.store.schedules("", 9).await.unwrap();
    assert_eq!(page.schedules.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["a", "b"]);
}

#[tokio::test]
async fn each_slot_runs_once_though_the_clock_is_set() {
    let mut world = World::new().await;
    let schedule = Schedule { overlap: Overlap::Allow, ..Schedule::new(Timing::Cron("*/10 * * * *".into())) };
    world.store.put_schedule("a", &schedule, &job()).await.unwrap();
    for minute in 1..=30 {
        world.set_clock(BEGIN + minute * MINUTE);
        world.tick().await;
    }
    assert_eq!(world.slots("a"), [10, 20, 30]);
    // An hour back, and on from there: what ran does not run again.
    for minute in 0..=100 {
        world.set_clock(BEGIN + (minute + 30) * MINUTE - 60 * MINUTE);
        world.tick().await;
    }
    assert_eq!(world.slots("a"), [10, 20, 30, 40, 50, 60, 70]);
    // An hour ahead.
    world.set_clock(BEGIN + 135 * MINUTE);
    world.tick().await;
    assert_eq!(*world.slots("a").last().unwrap(), 130);
}
