//! Holds a long-lived job on one of two workers; when that one leaves, the other takes over with a larger fence.
//! `cargo run --example active`, with the address of Redis in `SWARM_REDIS_URL`.

use std::time::Duration;

use libswarm::{Cluster, Event, Finish, Job, NewJob, Result, Worker};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = std::env::var("SWARM_REDIS_URL").unwrap_or_else(|_| "redis://localhost:6379".into());
    let cluster = Cluster::builder("example-long-lived-rust").url(&url).build()?;
    let first = cluster.worker().start().await?;
    let master = cluster.master().await?;
    let id = master.add(NewJob::json("the mailbox of user 7")?.id("user-7")).await?.id;

    let job = next_job(&first).await;
    println!("first worker holds {id}, fence {}", job.fence);
    let second = cluster.worker().start().await?;

    let leaving = tokio::spawn({
        let first = first.clone();
        async move { first.terminate(Duration::from_secs(5)).await }
    });
    while let Some(event) = first.next().await {
        if let Event::Delete { job, .. } = event {
            first.finish(job.fence, Finish::Stopped, None); // after its work has stopped
        }
    }
    leaving.await.expect("terminate does not panic")?;

    let again = next_job(&second).await;
    println!("second worker holds {id}, fence {}", again.fence);
    assert!(again.fence > job.fence);
    master.delete(&id).await?;
    second.terminate(Duration::ZERO).await?;
    master.close().await
}

async fn next_job(worker: &Worker) -> Job {
    loop {
        if let Some(Event::Add(job)) = worker.next().await {
            return job;
        }
    }
}
