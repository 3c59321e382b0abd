#![allow(missing_docs)]

use libswarm::*;

pub async fn run() -> crate::Ended {
    let cluster = Cluster::builder("docs").url(&std::env::var("SWARM_REDIS_URL")?).build()?;
    let shutdown = std::future::pending();
    // BLOCK
    let result: String = cluster.master().await?.run(NewJob::json("a.jpg")?.task("resize")).await?.json()?;
    println!("{result}");
    Ok(())
}
