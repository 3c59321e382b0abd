//! Adds jobs.

use std::time::Duration;

use bench_control::{CALL, FIRST, IN_FLIGHT, monotonic, next_command, say};
use libswarm::{Master, NewJob, Options};
use tokio::runtime::Runtime;

use crate::Mail;

pub(crate) fn run(runtime: &Runtime, options: Options) {
    let master = Master::start(options, runtime.handle()).expect("a master");
    runtime.block_on(master.ready()).expect("a registered master");
    say("ready");
    while let Some(command) = next_command() {
        let begun = monotonic();
        match command.name.as_str() {
            "bulk" => runtime.block_on(bulk(&master, command.number(0))),
            "one" => runtime.block_on(one_by_one(&master, command.number(0))),
            "dispatch" => runtime.block_on(dispatch(&master, command.number(0), command.number(1))),
            other => panic!("no command `{other}`"),
        }
        say(&format!("done {}", monotonic() - begun));
    }
    runtime.block_on(master.close()).expect("closing");
}

fn job(n: u64) -> NewJob {
    NewJob::json(&Mail::new(n)).expect("a payload")
}

async fn bulk(master: &Master, count: u64) {
    let mut from = 0;
    while from < count {
        let to = count.min(from + CALL);
        master.add_many((from..to).map(|n| job(FIRST + n)).collect()).await.expect("jobs added");
        from = to;
    }
}

/// As many tasks as adds are to be under way; each adds one job after another.
async fn one_by_one(master: &Master, count: u64) {
    let tasks: Vec<_> = (0..IN_FLIGHT)
        .map(|task| {
            let master = master.clone();
            tokio::spawn(async move {
                for n in (task..count).step_by(IN_FLIGHT as usize) {
                    master.add(job(FIRST + n)).await.expect("a job added");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task");
    }
}

async fn dispatch(master: &Master, count: u64, pause_us: u64) {
    for _ in 0..count {
        tokio::time::sleep(Duration::from_micros(pause_us)).await;
        master.add(job(monotonic())).await.expect("a job added");
    }
}
