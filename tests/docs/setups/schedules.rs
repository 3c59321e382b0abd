#![allow(unused_imports, unused_variables, missing_docs, dead_code)]

use std::time::Duration;

use libswarm::*;

pub async fn run() -> crate::Ended {
    let cluster = Cluster::builder("docs").url(&std::env::var("SWARM_REDIS_URL")?).build()?;
    let watcher = cluster.master().await?;
    // By default its next job is added when the first has ended.
    let shutdown = async move {
        while !watcher.schedule_info("heartbeat").await.is_ok_and(|info| info.is_some_and(|info| info.added > 1)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    // BLOCK
    Ok(())
}
