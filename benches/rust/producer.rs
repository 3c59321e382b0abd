//! Adds jobs.

use std::time::Duration;

use bench_control::{CALL, FIRST, IN_FLIGHT, monotonic, next_command, say, say_samples};
use libswarm::{Master, NewFlow, NewJob, Options};
use tokio::runtime::Runtime;

use crate::Mail;

pub(crate) fn run(runtime: &Runtime, options: Options) {
    let master = Master::start(options, runtime.handle()).expect("a master");
    runtime.block_on(master.ready()).expect("a registered master");
    say("ready");
    while let Some(command) = next_command() {
        let begun = monotonic();
        match command.name.as_str() {
            "bulk" => runtime.block_on(bulk(&master, command.number(0), job)),
            "priority" => runtime.block_on(bulk(&master, command.number(0), |n| job(n).priority((n % 10) as i64))),
            "task" => runtime.block_on(bulk(&master, command.number(0), |n| job(n).task("mail"))),
            "retries" => runtime.block_on(bulk(&master, command.number(0), |n| job(n).retries(3))),
            // One that allows everything: what asking costs.
            "limit" => {
                runtime.block_on(master.limit("api", libswarm::Limit::concurrent(1_000_000))).expect("a limit");
                runtime.block_on(bulk(&master, command.number(0), |n| job(n).limit("api")));
            }
            "group" => {
                let (count, groups) = (command.number(0), command.number(1));
                runtime.block_on(bulk(&master, count, |n| job(n).group((n % groups).to_string())));
            }
            "chain" => runtime.block_on(chains(&master, command.number(0))),
            "fan_in" => {
                let parts = (1..command.number(0)).map(|n| job(FIRST + n));
                runtime.block_on(master.add_flow(NewFlow::fan_in(parts, job(FIRST)))).expect("a flow added");
            }
            "resource" => {
                let (count, resources) = (command.number(0), command.number(1));
                runtime.block_on(bulk(&master, count, |n| job(n).resource((n % resources).to_string())));
            }
            "delayed" => runtime.block_on(delayed(&master, command.number(0), command.number(1))),
            "run" => {
                let samples = runtime.block_on(round_trips(&master, command.number(0), command.number(1)));
                say_samples(&samples);
                continue;
            }
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

async fn bulk(master: &Master, count: u64, job: impl Fn(u64) -> NewJob) {
    let mut from = 0;
    while from < count {
        let to = count.min(from + CALL);
        master.add_many((from..to).map(|n| job(FIRST + n)).collect()).await.expect("jobs added");
        from = to;
    }
}

/// Chains of ten jobs, a hundred in each flow.
async fn chains(master: &Master, count: u64) {
    let id = |n: u64| n.to_string();
    let link = |n: u64| if n.is_multiple_of(10) { job(FIRST + n).id(id(n)) } else { job(FIRST + n).id(id(n)).after([id(n - 1)]) };
    for from in (0..count).step_by(1000) {
        let to = count.min(from + 1000);
        master.add_flow(NewFlow::new((from..to).map(link))).await.expect("a flow added");
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

/// Jobs that become due one by one, 2 ms apart, from `delay_ms` after the first on; each carries when it is due.
async fn delayed(master: &Master, count: u64, delay_ms: u64) {
    for n in 0..count {
        let delay = Duration::from_millis(delay_ms + n % 100);
        master.add(job(monotonic() + delay.as_nanos() as u64).delay(delay)).await.expect("a job added");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nanoseconds from before the add to the result, one job at a time.
async fn round_trips(master: &Master, count: u64, pause_us: u64) -> Vec<u64> {
    let mut samples = Vec::new();
    for _ in 0..count {
        tokio::time::sleep(Duration::from_micros(pause_us)).await;
        let begun = monotonic();
        master.run(job(begun)).await.expect("a result");
        samples.push(monotonic() - begun);
    }
    samples
}

async fn dispatch(master: &Master, count: u64, pause_us: u64) {
    for _ in 0..count {
        tokio::time::sleep(Duration::from_micros(pause_us)).await;
        master.add(job(monotonic())).await.expect("a job added");
    }
}
