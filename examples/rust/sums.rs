//! Adds a thousand jobs, sums their numbers on a worker and awaits every result.
//! `cargo run --example sums`, with the address of Redis in `SWARM_REDIS_URL`.

use libswarm::{Cluster, Job, NewJob, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::var("SWARM_REDIS_URL").unwrap_or_else(|_| "redis://localhost:6379".into());
    let cluster = Cluster::builder("example-sums").url(&url).build()?;

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = cluster.worker().slots(64).start().await?;
    let working = tokio::spawn(
        worker
            .process(|job: Job| async move { job.json::<[i64; 2]>().map(|[a, b]| a + b) })
            .until(async { stopped.await.unwrap_or(()) }),
    );

    let master = cluster.master().await?;
    let jobs = (0..1000).map(|n| Ok(NewJob::json(&[n, 1])?.result(true))).collect::<Result<Vec<_>>>()?;
    let mut total = 0;
    for added in master.add_many(jobs).await? {
        total += master.result(added.id).await?.json::<i64>()?;
    }
    println!("the sum is {total}");
    assert_eq!(total, 500_500);

    master.close().await?;
    drop(stop);
    working.await.expect("the worker does not panic")
}
