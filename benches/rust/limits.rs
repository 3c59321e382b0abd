//! Limits: how late the next job of a rate starts while many wait.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bench_control::{CALL, next_command, say, say_samples};
use libswarm::{Event, Limit, Master, NewJob, Options, Payload, Worker};
use tokio::runtime::Runtime;

/// On the wall clock, which Redis on the same machine has too.
fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_micros() as u64
}

/// `starts count interval_ms waiting`: prints how late each handler started, in nanoseconds after the rate allowed it.
pub(crate) fn run(runtime: &Runtime, options: Options) {
    say("ready");
    runtime.block_on(async {
        let master = Master::start(options.clone(), runtime.handle()).expect("a master");
        let command = next_command().expect("a command");
        let interval = Duration::from_millis(command.number(1));
        master.limit("rate", Limit::rate(1, interval)).await.expect("a limit");
        for from in (0..command.number(2)).step_by(CALL as usize) {
            let to = command.number(2).min(from + CALL);
            master.add_many((from..to).map(|_| NewJob::bytes("x").limit("rate")).collect()).await.expect("jobs added");
        }
        let worker = Worker::start(options, runtime.handle()).expect("a worker");
        let mut samples = Vec::new();
        let mut allowed = None;
        while (samples.len() as u64) < command.number(0) {
            if let Some(Event::Add(job)) = worker.next().await {
                if let Some(allowed) = allowed {
                    samples.push(now_us().saturating_sub(allowed) * 1000);
                }
                // The fencing token is the time of the start on Redis' clock.
                allowed = Some(job.fence + interval.as_micros() as u64);
                job.complete(Payload::default()).await.expect("a completion");
            }
        }
        worker.terminate(Duration::ZERO).await.expect("a worker that left");
        say_samples(&samples);
    });
}
