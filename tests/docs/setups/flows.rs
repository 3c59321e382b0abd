#![allow(unused_imports, unused_variables, missing_docs, dead_code)]

use libswarm::*;

pub async fn run() -> crate::Ended {
    let cluster = Cluster::builder("docs").url(&std::env::var("SWARM_REDIS_URL")?);
    let cluster = cluster.option("task", "cut").option("task", "encode").option("task", "join").build()?;
    let worker = cluster.worker().start().await?;
    let handler = |job: Job| async move { job.inputs().await.map(|inputs| format!("{} parts", inputs.len())) };
    tokio::spawn(worker.process(handler).until(std::future::pending()));
    let master = cluster.master().await?;
    // BLOCK
    Ok(())
}
