#![allow(unused_imports, unused_variables, missing_docs, dead_code)]

use std::time::Duration;

use libswarm::*;

pub async fn run() -> crate::Ended {
    let cluster = Cluster::builder("docs").url(&std::env::var("SWARM_REDIS_URL")?).build()?;
    // BLOCK
    Ok(())
}
