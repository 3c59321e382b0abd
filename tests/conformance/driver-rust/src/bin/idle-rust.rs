//! Idle workers with default options, each of a cluster of its own: `idle-rust URL PREFIX COUNT`. Writes a line when all are registered,
//! and ends with its input.

use std::io::Read;

use libswarm::{Cluster, Result};
use tokio::runtime::Builder;

fn main() -> Result<()> {
    let [url, prefix, count] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else { panic!("URL PREFIX COUNT") };
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime can be made");
    let workers = runtime.block_on(async {
        let mut workers = Vec::new();
        for number in 0..count.parse().expect("COUNT is a number") {
            let cluster = Cluster::builder(format!("{prefix}-{number}")).url(url).build()?;
            let worker = cluster.worker().start().await?;
            worker.accept(None);
            workers.push(worker);
        }
        for worker in &workers {
            worker.ready().await?;
        }
        Result::Ok(workers)
    })?;
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    drop(workers);
    Ok(())
}
