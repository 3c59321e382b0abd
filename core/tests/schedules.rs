//! Schedules: jobs that the cluster adds by itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use libswarm::{ErrorKind, Job, NewJob, Overlap, Payload, Schedule, Scheduled, Timing};
use support::{Redis, next_job, pair, soon};

fn every(ms: u64) -> Schedule {
    Schedule::new(Timing::Every(Duration::from_millis(ms)))
}

fn job() -> NewJob {
    NewJob::json(&1).unwrap()
}

fn slot_of(job: &Job) -> u64 {
    job.id.rsplit('@').next().unwrap().parse().unwrap()
}

async fn done(job: &Job) {
    job.complete(Payload::default()).await.unwrap();
}

#[tokio::test]
async fn each_slot_adds_one_job_and_the_same_schedule_changes_nothing() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    assert_eq!(master.schedule("a", every(200), job()).await.unwrap(), Scheduled::Created);
    let mut slots = BTreeSet::new();
    for _ in 0..30 {
        assert_eq!(master.schedule("a", every(200), job()).await.unwrap(), Scheduled::Unchanged);
        let job = next_job(&worker).await;
        assert!(slots.insert(slot_of(&job)), "{}", job.id);
        assert_eq!(job.scheduled_for(), Some(slot_of(&job)));
        done(&job).await;
    }
    let slots: Vec<u64> = slots.into_iter().collect();
    assert!(slots.windows(2).all(|pair| (pair[1] - pair[0]) % 200 == 0), "{slots:?}");
    let info = master.schedule_info("a").await.unwrap().unwrap();
    assert!(info.added >= 30 && info.next_at.unwrap() > slots[29] && !info.ended, "{info:?}");
    assert_eq!(master.schedule("a", every(200), job().priority(1)).await.unwrap(), Scheduled::Changed);
    assert!(soon("the changed job", next_job(&worker)).await.priority() <= 1);
    assert!(master.unschedule("a").await.unwrap() && !master.unschedule("a").await.unwrap());
    assert_eq!(master.stats().await.unwrap().damaged, 0);
}

#[tokio::test]
async fn jobs_overlap_as_asked() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let with = |overlap: Overlap| Schedule { overlap, ..every(100) };
    master.schedule("skip", with(Overlap::Skip), job()).await.unwrap();
    let first = next_job(&worker).await;
    soon("skipped slots", async {
        while master.schedule_info("skip").await.unwrap().unwrap().skipped < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    done(&first).await;
    assert!(slot_of(&next_job(&worker).await) >= slot_of(&first) + 400);
    master.unschedule("skip").await.unwrap();

    let other = Redis::start();
    let (master, worker) = pair(&other).await;
    master.schedule("queue", with(Overlap::QueueOne), job()).await.unwrap();
    let first = next_job(&worker).await;
    soon("one blocked", async {
        while master.stats().await.unwrap().blocked < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    soon("skipped slots", async {
        while master.schedule_info("queue").await.unwrap().unwrap().skipped < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(master.stats().await.unwrap().blocked, 1);
    done(&first).await;
    assert!(slot_of(&next_job(&worker).await) > slot_of(&first));
}

#[tokio::test]
async fn a_job_follows_when_the_one_before_has_finished() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let schedule = Schedule { limit: Some(3), ..Schedule::new(Timing::AfterEnd(Duration::from_millis(300))) };
    master.schedule("a", schedule, job()).await.unwrap();
    let mut last = 0;
    for number in 0..3 {
        let job = next_job(&worker).await;
        assert!(number == 0 || slot_of(&job) >= last + 300, "{last} {}", job.id);
        last = slot_of(&job);
        match number {
            0 => done(&job).await,
            1 => job.fail("no").await.unwrap(),
            _ => drop(master.delete(&job.id).await.unwrap()),
        }
    }
    soon("its end", async {
        while !master.schedule_info("a").await.unwrap().unwrap().ended {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn schedules_are_paused_run_by_hand_and_listed() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    let daily = || Schedule::new(Timing::Cron("0 3 * * *".into()));
    for id in ["b", "a", "c"] {
        assert_eq!(master.schedule(id, daily(), job().task("")).await.unwrap(), Scheduled::Created);
    }
    let page = master.schedules(None, 2).await.unwrap();
    assert_eq!(page.schedules.iter().map(|one| &*one.id).collect::<Vec<_>>(), ["a", "b"]);
    let rest = master.schedules(page.next.as_deref(), 2).await.unwrap();
    assert_eq!((rest.schedules.len(), rest.next), (1, None));
    assert_eq!(page.schedules[0].schedule, daily());
    let ran = master.run_schedule("a").await.unwrap().unwrap();
    assert_eq!(next_job(&worker).await.id, ran);
    assert!(master.pause_schedule("a").await.unwrap());
    assert!(master.schedule_info("a").await.unwrap().unwrap().paused);
    assert!(master.resume_schedule("a").await.unwrap());
    soon("a next slot", async {
        while master.schedule_info("a").await.unwrap().unwrap().next_at.is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!master.pause_schedule("nothing").await.unwrap());
    assert_eq!(master.run_schedule("nothing").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    let bad = master.schedule("a", daily(), job().id("own")).await;
    assert_eq!(bad.unwrap_err().kind(), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_job_that_is_replaced_stops_before_the_next_begins() {
    let redis = Redis::start();
    let (master, worker) = pair(&redis).await;
    master.schedule("a", Schedule { overlap: Overlap::Replace, ..every(300) }, job()).await.unwrap();
    let first = next_job(&worker).await;
    soon("its deletion", first.cancelled()).await;
    soon("the next one waits for it", async {
        while master.stats().await.unwrap().blocked == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert_eq!(master.stats().await.unwrap().active, 0, "none runs beside the first, which has not stopped");
    first.stopped().await.unwrap();
    assert!(slot_of(&next_job(&worker).await) > slot_of(&first));
}
