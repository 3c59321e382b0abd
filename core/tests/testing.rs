//! Help for the tests of programs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use libswarm::testing::{TestJob, cluster, private_redis};
use libswarm::{
    Cluster, ErrorKind, Finish, Input, InputOutcome, Job, JobState, Limit, NewJob, Payload, Result, Schedule, Worker,
    WorkerBuilder,
};

const SOON: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

/// A worker whose handler counts its jobs and fails the first `failures` of them.
async fn counting(worker: WorkerBuilder, failures: u32) -> Result<(Worker, Arc<AtomicU32>)> {
    let (worker, count) = (worker.start().await?, Arc::new(AtomicU32::new(0)));
    let counted = count.clone();
    let process = worker.process(move |_: Job| {
        let attempt = counted.fetch_add(1, Ordering::SeqCst);
        async move { if attempt < failures { Err("not yet".to_owned()) } else { Ok(()) } }
    });
    tokio::spawn(process.until(std::future::pending()));
    Ok((worker, count))
}

#[tokio::test]
async fn delays_and_retries_pass_without_waiting() -> Result<()> {
    let cluster = cluster()?;
    let (_worker, runs) = counting(cluster.worker(), 2).await?;
    let master = cluster.master().await?;
    let begun = std::time::Instant::now();
    let backoff = libswarm::Backoff { delay: Duration::from_secs(60), ..libswarm::Backoff::default() };
    master.add(NewJob::json(&1)?.delay(HOUR).retries(3).backoff(backoff)).await?;
    cluster.settled(SOON).await?;
    assert_eq!(master.stats().await?.delayed, 1);
    cluster.advance(HOUR - Duration::from_secs(1)).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 0);
    cluster.advance(Duration::from_secs(200)).await?;
    cluster.settled(SOON).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert_eq!(master.stats().await?.completed, 1);
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    cluster.obliterate().await
}

#[tokio::test]
async fn slots_of_schedules_come_at_their_times() -> Result<()> {
    let cluster = cluster()?;
    let (_worker, runs) = counting(cluster.worker(), 0).await?;
    let master = cluster.master().await?;
    let every = Schedule::new(libswarm::Timing::Every(Duration::from_secs(60)));
    master.schedule("minutely", every, NewJob::json(&1)?).await?;
    cluster.advance(HOUR).await?;
    cluster.settled(SOON).await?;
    let count = runs.load(Ordering::SeqCst);
    assert!((59..=61).contains(&count), "{count}");
    Ok(())
}

#[tokio::test]
async fn members_that_live_keep_their_leases_and_their_jobs() -> Result<()> {
    let cluster = cluster()?;
    let worker = cluster.worker().start().await?;
    let master = cluster.master().await?;
    master.add(NewJob::json(&1)?.id("long").result(true)).await?;
    let libswarm::Event::Ready { .. } = worker.next().await.unwrap() else { panic!("not ready") };
    let Some(libswarm::Event::Add(job)) = worker.next().await else { panic!("no job") };
    let before = (worker.incarnation(), master.incarnation());
    cluster.advance(24 * HOUR).await?;
    assert_eq!((worker.incarnation(), master.incarnation()), before);
    assert_eq!((worker.health().registrations, master.health().registrations), (1, 1));
    assert!(!job.is_cancelled());
    job.complete(Payload::json(&2)?).await?;
    assert_eq!(master.result("long").await?.json::<u64>()?, 2);
    Ok(())
}

#[tokio::test]
async fn a_lost_worker_loses_its_lease() -> Result<()> {
    let cluster = cluster()?;
    let master = cluster.master().await?;
    master.add(NewJob::json(&1)?.id("orphan")).await?;
    // A worker whose runtime ends leaves no trace but its lease.
    let options = cluster.options().clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async move {
            let worker = Worker::start(options, &tokio::runtime::Handle::current()).unwrap();
            while !matches!(worker.next().await, Some(libswarm::Event::Add(_))) {}
            std::mem::forget(worker);
        });
        runtime.shutdown_background();
    })
    .join()
    .unwrap();
    assert_eq!(master.job("orphan").await?.unwrap().state, JobState::Active);
    let (_worker, runs) = counting(cluster.worker(), 0).await?;
    cluster.advance(Duration::from_secs(16)).await?;
    cluster.settled(SOON).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(master.stats().await?.crashes, 1);
    Ok(())
}

#[tokio::test]
async fn timeouts_and_limits_follow_the_clock() -> Result<()> {
    let cluster = cluster()?;
    let master = cluster.master().await?;
    master.add(NewJob::json(&1)?.id("late").assign_timeout(HOUR)).await?;
    cluster.advance(HOUR).await?;
    assert_eq!(master.job("late").await?.unwrap().state, JobState::Failed);

    master.limit("slow", Limit::rate(1, HOUR)).await?;
    let (_worker, runs) = counting(cluster.worker(), 0).await?;
    for number in 0..3 {
        master.add(NewJob::json(&number)?.limit("slow")).await?;
    }
    cluster.settled(SOON).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    cluster.advance(HOUR).await?;
    cluster.settled(SOON).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    Ok(())
}

#[tokio::test]
async fn unfinished_jobs_are_named() -> Result<()> {
    let cluster = cluster()?;
    let master = cluster.master().await?;
    master.add(NewJob::json(&1)?.id("forgotten").task("mail")).await?;
    let error = cluster.settled(Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.message().contains("1 waiting (`forgotten` of task `mail`)"), "{error}");
    Ok(())
}

#[tokio::test]
async fn only_a_cluster_for_tests_has_a_clock_that_moves() -> Result<()> {
    let mut options = libswarm::Options::new(format!("plain-{}", libswarm::random_id()));
    options.set("url", &private_redis()?)?;
    let cluster = libswarm::testing::TestCluster::new(options, &tokio::runtime::Handle::current())?;
    assert_eq!(cluster.advance(HOUR).await.unwrap_err().kind(), ErrorKind::InvalidArgument);
    cluster.settled(SOON).await?;
    let plain: &Cluster = &cluster;
    plain.master().await?.add(NewJob::json(&1)?).await?;
    assert_eq!(cluster.settled(Duration::ZERO).await.unwrap_err().kind(), ErrorKind::Timeout);
    cluster.obliterate().await
}

#[tokio::test]
async fn times_of_day_move_too() -> Result<()> {
    let cluster = cluster()?;
    let (_worker, runs) = counting(cluster.worker(), 0).await?;
    let master = cluster.master().await?;
    master.add(NewJob::json(&1)?.run_at(SystemTime::now() + HOUR)).await?;
    cluster.advance(HOUR + Duration::from_secs(1)).await?;
    cluster.settled(SOON).await?;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    Ok(())
}

#[tokio::test]
async fn a_job_without_a_cluster_records_what_its_handler_does() -> Result<()> {
    let input = Input { id: "before".into(), outcome: InputOutcome::Completed(Some(Payload::json(&3)?)) };
    let test = TestJob::new(NewJob::json(&7)?.id("j").task("mail").header("trace", "t1").retries(2))
        .attempt(2)
        .crashes(1)
        .last_checkpoint(&5)?
        .inputs(vec![input.clone()]);
    let job = test.job()?;
    assert_eq!((&*job.id, job.task(), job.attempt(), job.retries_left(), job.crashes), ("j", "mail", 2, 1, 1));
    assert_eq!((job.json::<u64>()?, job.last_checkpoint()), (7, Some("5")));
    assert_eq!(job.headers().collect::<Vec<_>>(), [("trace", "t1")]);
    assert_eq!(job.inputs().await?, [input]);
    job.progress(&0.25)?;
    job.progress(&0.5)?;
    job.checkpoint(&[1])?;
    job.log("half");
    assert!(!job.add(NewJob::json(&8)?.id("next")).await?.existed);
    assert_eq!(job.delete().await.unwrap_err().kind(), ErrorKind::Closed);
    assert!(!job.is_cancelled());
    job.retry("later", HOUR).await?;
    job.log("ignored");
    assert_eq!(job.complete(Payload::json(&1)?).await.unwrap_err().kind(), ErrorKind::StaleFence);
    let recorded = test.recorded();
    assert_eq!(
        (recorded.progress, recorded.checkpoints, recorded.log),
        (vec!["0.25".to_owned(), "0.5".into()], vec!["[1]".to_owned()], vec!["half".to_owned()])
    );
    assert_eq!((recorded.finish, recorded.added.len()), (Some(Finish::Retry("later".into(), HOUR)), 1));

    let test = TestJob::new(NewJob::json(&1)?);
    let job = test.job()?;
    let (waiting, ()) = tokio::join!(job.cancelled(), async { test.cancel() });
    assert_eq!((waiting, job.is_cancelled()), ((), true));
    Ok(())
}

#[test]
fn the_server_is_the_same_for_the_whole_process() -> Result<()> {
    assert_eq!(private_redis()?, private_redis()?);
    Ok(())
}
