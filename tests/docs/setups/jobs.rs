#![allow(unused_imports, unused_variables, missing_docs, dead_code)]

use libswarm::*;

pub async fn run() -> crate::Ended {
    let cluster = Cluster::builder("docs").url(&std::env::var("SWARM_REDIS_URL")?).option("task", "resize").option("task", "").build()?;
    let worker = cluster.worker().start().await?;
    tokio::spawn(worker.process(|job: Job| async move { job.json::<serde_json::Value>() }).until(std::future::pending()));
    let master = cluster.master().await?;
    // BLOCK
    assert_eq!(result, "a.jpg");
    Ok(())
}
