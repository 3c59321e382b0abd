//! Help for the tests of programs, behind the feature `testing`: a private Redis, clusters whose clock can be moved, and jobs without a cluster.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use libswarm::{Job, NewJob, testing};
//!
//! # async fn example() -> libswarm::Result<()> {
//! let cluster = testing::cluster()?;
//! let worker = cluster.worker().start().await?;
//! tokio::spawn(worker.process(|job: Job| async move { job.json::<u64>() }).until(std::future::pending()));
//! let master = cluster.master().await?;
//! master.add(NewJob::json(&7)?.delay(Duration::from_secs(3600))).await?;
//! cluster.advance(Duration::from_secs(3600)).await?;
//! cluster.settled(Duration::from_secs(5)).await?;
//! assert_eq!(master.stats().await?.completed, 1);
//! # Ok(()) }
//! ```

mod cluster;
mod job;
mod redis;

pub use cluster::{TestCluster, cluster, random_name};
pub use job::{Recorded, TestJob};
pub use redis::private_redis;
