//! Takes events in batches and completes every job at once.

use std::sync::Arc;

use bench_control::{SLOTS, monotonic, next_command, say, say_samples, sent_at};
use libswarm::{Event, Finish, Options, Payload, Worker};
use tokio::runtime::Runtime;
use tokio::sync::Notify;

pub(crate) fn run(runtime: &Runtime, mut options: Options) {
    options.slots = Some(SLOTS);
    say("ready");
    let Some(command) = next_command() else { return };
    let count = command.count();
    let begun = monotonic();
    let worker = Worker::start(options, runtime.handle()).expect("a worker");
    runtime.block_on(async {
        worker.ready().await.expect("a registered worker");
        say("started");
        match command.name.as_str() {
            "drain" => {
                complete(&worker, count, |_, _| ()).await;
                while worker.stats().await.expect("stats").active > 0 {}
                say(&format!("done {}", monotonic() - begun));
            }
            "slice" => {
                complete(&worker, count, |_, _| ()).await;
                say(&format!("done {}", monotonic() - begun));
            }
            "dispatch" => {
                let mut samples = Vec::new();
                complete(&worker, count, |payload, _| samples.push(monotonic().saturating_sub(sent_at(payload)))).await;
                say_samples(&samples);
            }
            "stages" => {
                libswarm::measure_stages();
                let mut samples = Vec::new();
                complete(&worker, count, |payload, fence| {
                    let [read, queued, taken] = libswarm::stages();
                    samples.extend([sent_at(payload), fence, read, queued, taken, monotonic()]);
                })
                .await;
                say_samples(&samples);
            }
            "idle" => std::future::pending().await,
            other => panic!("no command `{other}`"),
        }
    });
    next_command();
}

/// Completes jobs until there were `count`; `handle` gets the payload and the fence of each.
async fn complete(worker: &Worker, count: u64, mut handle: impl FnMut(&[u8], u64)) {
    let readable = Arc::new(Notify::new());
    let wake = readable.clone();
    worker.set_wake(move || wake.notify_one());
    let mut handled = 0;
    while handled < count {
        let events = worker.take_events(SLOTS as usize);
        if events.is_empty() {
            readable.notified().await;
            continue;
        }
        let mut finishes = Vec::with_capacity(events.len());
        for event in events {
            if let Event::Add(job) = event {
                handle(&job.payload.bytes, job.fence);
                handled += 1;
                finishes.push((job.fence, Finish::Complete(Payload::default()), None));
            }
        }
        worker.finish_many(finishes);
    }
}
