//! Many workers of one slot, each holding one job for good: members that a cluster has to carry.

use bench_control::{next_command, say};
use libswarm::{Event, Master, NewJob, Options, Worker};
use tokio::runtime::Runtime;

pub(crate) fn run(runtime: &Runtime, mut options: Options) {
    say("ready");
    let Some(command) = next_command() else { return };
    runtime.block_on(async {
        let master = Master::start(options.clone(), runtime.handle()).expect("a master");
        options.slots = Some(1);
        let mut workers = Vec::new();
        for _ in 0..command.number(0) {
            let worker = Worker::start(options.clone(), runtime.handle()).expect("a worker");
            worker.ready().await.expect("a registered worker");
            workers.push(worker);
        }
        let jobs = workers.iter().map(|_| NewJob::json(&"active").expect("a payload")).collect();
        master.add_many(jobs).await.expect("jobs added");
        for worker in &workers {
            while !matches!(worker.next().await.expect("an event"), Event::Add(_)) {}
        }
        master.close().await.expect("closing");
        say("started");
        std::future::pending::<()>().await;
    });
}
