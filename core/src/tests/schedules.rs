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
        world.store.join("w", &fields, &[0x90]).await.unwrap();
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

    /// The slots that have jobs, in minutes after the beginning.
    fn slots(&self, id: &str) -> Vec<u64> {
        let ids: Vec<String> = self.redis.ask(&["HKEYS", "{t}:jobs"]);
        let mut slots: Vec<u64> = ids
            .iter()
            .filter_map(|job| Some((job.strip_prefix(id)?.strip_prefix('@')?.parse::<u64>().unwrap() - BEGIN) / MINUTE))
            .collect();
        slots.sort_unstable();
        slots
    }
}

fn each_minute(catch_up: CatchUp) -> Schedule {
    Schedule { catch_up, overlap: Overlap::Allow, ..Schedule::new(Timing::Every(Duration::from_secs(60))) }
}

#[tokio::test]
async fn missed_slots_are_caught_up_as_asked() {
    let mut world = World::new().await;
    let job = NewJob::json(&1).unwrap();
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
    let last = world.slots("last");
    assert_eq!((last[0], *last.last().unwrap()), (1, 40));
    assert!(last.len() <= 4, "{last:?}");
    // A day: of `all`, the newest hundred.
    world.set_clock(BEGIN + 2000 * MINUTE);
    world.tick().await;
    let all = world.slots("all");
    assert_eq!(*all.last().unwrap(), 2000);
    assert!(all.len() <= 40 + 16 + 100, "{}", all.len());
    assert_eq!(*world.slots("last").last().unwrap(), 2000);
    assert_eq!(world.redis.ask::<Option<u64>>(&["HGET", "{t}:meta", "damaged"]), None);
}

#[tokio::test]
async fn damaged_schedules_are_repaired() {
    let mut world = World::new().await;
    let job = NewJob::json(&1).unwrap();
    for id in ["a", "b", "c"] {
        world.store.put_schedule(id, &each_minute(CatchUp::Last), &job).await.unwrap();
    }
    let _: u64 = world.redis.ask(&["DEL", "{t}:schedule_times", "{t}:schedule_ids"]);
    let _: u64 = world.redis.ask(&["ZREM", "{t}:due", "H:"]);
    let _: u64 = world.redis.ask(&["HSET", "{t}:schedules", "c", "?"]);
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
    world.store.put_schedule("a", &schedule, &NewJob::json(&1).unwrap()).await.unwrap();
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
