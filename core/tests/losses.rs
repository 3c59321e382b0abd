//! Members that die, stall or are forgotten, and servers that lose their data, their scripts or their memory.
#![allow(missing_docs)]

mod support;

use std::time::{Duration, Instant};

use libswarm::{DeleteReason, ErrorKind, Event, Finish, Master, NewJob, Payload, Worker};
use support::{Redis, next_event, next_job, soon};
use tokio::runtime::Handle;

/// A worker on a runtime of its own, which can vanish as by kill -9.
struct Mortal {
    worker: Worker,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Mortal {
    fn start(options: libswarm::Options) -> Mortal {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Mortal { worker: Worker::start(options, runtime.handle()).unwrap(), runtime: Some(runtime) }
    }

    fn die(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

fn jobs(count: u32) -> Vec<NewJob> {
    (0..count).map(|n| NewJob::json(&n).unwrap()).collect()
}

#[tokio::test]
async fn a_dead_workers_jobs_start_elsewhere_within_the_lease_and_a_second() {
    let redis = Redis::start();
    let mut dying = Mortal::start(redis.options());
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    dying.worker.ready().await.unwrap();
    master.add_many(jobs(500)).await.unwrap();
    let mut fences = std::collections::HashMap::new();
    for _ in 0..500 {
        let job = next_job(&dying.worker).await;
        fences.insert(job.id.clone(), job.fence);
    }
    master.close().await.unwrap();
    let survivor = Worker::start(redis.options(), &Handle::current()).unwrap();
    survivor.ready().await.unwrap();
    dying.die();
    let crashed = Instant::now();
    for _ in 0..500 {
        let job = next_job(&survivor).await;
        assert!(job.fence > fences.remove(&job.id).expect("each once"));
        assert_eq!(job.crashes, 1);
    }
    assert!(crashed.elapsed() <= Duration::from_secs(3), "lease 2 s + 1 s, took {:?}", crashed.elapsed());
}

#[tokio::test]
async fn the_lease_of_a_worker_known_to_be_dead_can_be_ended() {
    let redis = Redis::start();
    let with_lease = |lease: &str| {
        let mut options = redis.options();
        options.set("lease", lease).unwrap();
        options
    };
    // Longer than this test may take, so that it does not expire.
    let mut dying = Mortal::start(with_lease("600000"));
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    dying.worker.ready().await.unwrap();
    // More than one call to Redis requeues.
    const JOBS: usize = 1200;
    master.add_many(jobs(JOBS as u32)).await.unwrap();
    let mut fences = std::collections::HashMap::new();
    for _ in 0..JOBS {
        let job = next_job(&dying.worker).await;
        fences.insert(job.id.clone(), job.fence);
    }
    let dead = dying.worker.incarnation().unwrap();
    dying.die();
    let survivor = Worker::start(redis.options(), &Handle::current()).unwrap();
    survivor.ready().await.unwrap();
    soon("the lease is ended", master.end_lease(&dead)).await.unwrap();
    for _ in 0..JOBS {
        let job = next_job(&survivor).await;
        assert!(job.fence > fences.remove(&job.id).expect("each once"));
        assert_eq!(job.crashes, 1);
    }
    assert!(master.members().await.unwrap().iter().all(|member| member.incarnation != dead));

    // A second call, and one for an unknown member, change nothing.
    master.end_lease(&dead).await.unwrap();
    assert_eq!(master.end_lease("").await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(master.stats().await.unwrap().active, JOBS as u64);

    // One that lives after all has lost its jobs, and takes part again.
    let lived = survivor.incarnation().unwrap();
    master.end_lease(&lived).await.unwrap();
    let mut lost = 0;
    let again = next_event(&survivor, "it registers again", |event| match event {
        Event::Delete { reason: DeleteReason::LeaseLost, .. } => {
            lost += 1;
            None
        }
        Event::Ready { incarnation } if incarnation != lived => Some(incarnation),
        _ => None,
    })
    .await;
    assert!(lost == JOBS && again == survivor.incarnation().unwrap());
    next_job(&survivor).await;
}

#[tokio::test]
async fn jobs_of_workers_that_crash_together_are_not_assigned_to_one_another() {
    let redis = Redis::start();
    let mut dying: Vec<_> = (0..8).map(|_| Mortal::start(redis.options())).collect();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    for mortal in &dying {
        mortal.worker.ready().await.unwrap();
    }
    master.add_many(jobs(80)).await.unwrap();
    for mortal in &dying {
        next_job(&mortal.worker).await;
    }
    let survivor = Worker::start(redis.options(), &Handle::current()).unwrap();
    survivor.ready().await.unwrap();
    dying.iter_mut().for_each(Mortal::die);
    let crashed = Instant::now();
    for _ in 0..80 {
        assert_eq!(next_job(&survivor).await.crashes, 1, "none was assigned to a dead worker");
    }
    assert!(crashed.elapsed() <= Duration::from_secs(3), "lease 2 s + 1 s, took {:?}", crashed.elapsed());
}

#[tokio::test]
async fn a_member_with_a_longer_lease_detects_the_crash_of_one_with_a_shorter() {
    let redis = Redis::start();
    let mut options = redis.options();
    options.set("lease", "60000").unwrap();
    let patient = Worker::start(options, &Handle::current()).unwrap();
    patient.ready().await.unwrap();
    let mut hasty = redis.options();
    hasty.set("task", "t").unwrap();
    let mut dying = Mortal::start(hasty);
    dying.worker.ready().await.unwrap();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    master.add(NewJob::bytes("").task("t")).await.unwrap();
    next_job(&dying.worker).await;
    master.close().await.unwrap();
    patient.set_tasks(vec!["t".into()]).unwrap();
    dying.die();
    let crashed = Instant::now();
    next_job(&patient).await;
    assert!(crashed.elapsed() <= Duration::from_secs(3), "lease 2 s + 1 s, took {:?}", crashed.elapsed());
}

#[tokio::test]
async fn a_job_that_kills_its_worker_fails_no_other_job() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let mut options = redis.options();
    options.set("lease", "1000").unwrap();
    options.set("slots", "10").unwrap();
    master.add_many(jobs(10)).await.unwrap();
    // Job 3 kills whoever starts it, the others are soon done.
    let mut rounds = 0;
    loop {
        rounds += 1;
        assert!(rounds < 12, "it has to be found out");
        let mut worker = Mortal::start(options.clone());
        worker.worker.ready().await.unwrap();
        let killed = soon("the end of the round", async {
            loop {
                match tokio::time::timeout(Duration::from_millis(50), worker.worker.next()).await {
                    Ok(Some(Event::Add(job))) if job.json::<u32>().unwrap() == 3 => return true,
                    Ok(Some(Event::Add(job))) => {
                        // They take as long as it takes the bad one to start.
                        let job = job.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                            drop(job.complete(libswarm::Payload::default()).await);
                        });
                    }
                    Ok(_) | Err(_) => {}
                }
                // Another page of the sweep, which must find nothing to repair.
                let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
                let stats = master.stats().await.unwrap();
                if stats.completed + stats.failed == 10 {
                    return false;
                }
            }
        })
        .await;
        worker.die();
        if !killed {
            break;
        }
        soon("its jobs are requeued", async {
            while master.stats().await.unwrap().active > 0 {
                let _: u64 = redis.ask(&["ZADD", "{test}:due", "1", "S:"]);
            }
        })
        .await;
    }
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.completed, stats.failed, stats.damaged), (9, 1, 0), "after {rounds} rounds");
}

#[tokio::test]
async fn a_job_whose_workers_crash_too_often_fails_as_poison() {
    let redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let mut options = redis.options();
    options.set("lease", "1000").unwrap();
    options.set("max_crashes", "1").unwrap();
    let waiting = tokio::spawn({
        let master = master.clone();
        async move { master.run(NewJob::json(&1).unwrap()).await }
    });
    for _ in 0..2 {
        let mut dying = Mortal::start(options.clone());
        next_job(&dying.worker).await;
        dying.die();
    }
    let outcome = soon("the failure", waiting).await.unwrap().unwrap();
    assert!(
        matches!(&outcome, libswarm::Outcome::Failed(failure) if failure.reason == libswarm::FailureReason::Poison),
        "{outcome:?}"
    );
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.failed, stats.waiting, stats.active, stats.crashes), (1, 0, 0, 2));
}

#[tokio::test]
async fn members_register_again_at_a_server_that_restarts_empty() {
    let mut redis = Redis::start();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
    master.add(NewJob::json(&1).unwrap()).await.unwrap();
    let old = next_job(&worker).await;
    redis.kill();
    redis.run();
    let back = Instant::now();
    let deleted = next_event(&worker, "delete", |event| match event {
        Event::Delete { job, reason: DeleteReason::LeaseLost } => Some(job.fence),
        _ => None,
    })
    .await;
    assert_eq!(deleted, old.fence);
    next_event(&worker, "close", |event| match event {
        Event::Close(Some(error)) if error.kind() == ErrorKind::LeaseLost => Some(()),
        _ => None,
    })
    .await;
    next_event(&worker, "ready", |event| matches!(event, Event::Ready { .. }).then_some(())).await;
    assert!(back.elapsed() <= Duration::from_secs(2), "took {:?}", back.elapsed());
    assert_eq!(old.complete(Payload::default()).await.unwrap_err().kind(), ErrorKind::StaleFence);
    soon("add", master.add(NewJob::json(&2).unwrap())).await.unwrap();
    let new = next_job(&worker).await;
    assert!(new.fence > old.fence, "fences grow over the loss");
    assert_eq!(new.json::<u32>().unwrap(), 2);
}

#[tokio::test]
async fn a_short_outage_moves_no_job() {
    let mut redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    master.add_many(jobs(20)).await.unwrap();
    let mut active = Vec::new();
    for _ in 0..20 {
        active.push(next_job(&worker).await);
    }
    let before = worker.incarnation().unwrap();
    redis.kill();
    redis.run();
    for job in &active {
        soon("complete", job.complete(Payload::default())).await.unwrap();
    }
    assert_eq!(worker.incarnation().unwrap(), before);
    assert_eq!(master.stats().await.unwrap().completed, 20);
}

#[tokio::test]
async fn a_member_that_cannot_renew_stops_before_its_lease_ends() {
    let redis = Redis::start();
    let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    master.add(NewJob::json(&1).unwrap()).await.unwrap();
    let job = next_job(&worker).await;
    let stalled = Instant::now();
    let _: String = redis.ask(&["CLIENT", "PAUSE", "4000", "ALL"]);
    job.cancelled().await;
    let stopped = stalled.elapsed();
    assert!(stopped < Duration::from_secs(2), "before the lease of 2 s ends, took {stopped:?}");
    assert!(stopped > Duration::from_millis(800), "not at the first delay, took {stopped:?}");
    let again = next_job(&worker).await;
    assert!(again.id == job.id && again.fence > job.fence);
}

#[tokio::test]
async fn flushed_scripts_are_loaded_again() {
    let redis = Redis::start();
    let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    for n in 0..50 {
        let _: String = redis.ask(&["SCRIPT", "FLUSH"]);
        soon("add", master.add(NewJob::json(&n).unwrap())).await.unwrap();
        let _: String = redis.ask(&["SCRIPT", "FLUSH"]);
        soon("complete", next_job(&worker).await.complete(Payload::default())).await.unwrap();
    }
    let stats = master.stats().await.unwrap();
    assert_eq!((stats.added, stats.completed, stats.waiting, stats.active), (50, 50, 0, 0));
}

#[tokio::test]
async fn a_full_server_refuses_adds_and_nothing_else() {
    let redis = Redis::with(&["--maxmemory", "8mb"]);
    let worker = Worker::start(redis.options(), &Handle::current()).unwrap();
    let master = Master::start(redis.options(), &Handle::current()).unwrap();
    let big = || NewJob::bytes(vec![0; 100_000]).result(true);
    let full = soon("the store to fill", async {
        loop {
            if let Err(error) = master.add(big()).await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(full.kind(), ErrorKind::StoreFull, "{full}");
    let incarnation = worker.incarnation().unwrap();
    let job = next_job(&worker).await;
    soon("complete", job.complete(Payload::json(&"done").unwrap())).await.unwrap();
    let job = next_job(&worker).await;
    assert!(soon("delete", master.delete(&job.id)).await.unwrap());
    worker.finish(job.fence, Finish::Stopped, None);
    for _ in 0..10 {
        soon("complete", next_job(&worker).await.complete(Payload::default())).await.unwrap();
    }
    soon("adding again", async { while master.add(big()).await.is_err() {} }).await;
    assert_eq!(worker.incarnation().unwrap(), incarnation, "the lease was kept");
}
