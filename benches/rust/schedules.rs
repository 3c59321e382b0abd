//! Schedules: how late one fires, and many that are due at once.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bench_control::{Command, next_command, say, say_samples};
use libswarm::{Event, Master, NewJob, Options, Overlap, Payload, Schedule, Timing, Worker};
use tokio::runtime::Runtime;

/// Schedules that are set at once.
const AT_ONCE: u64 = 500;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// On the wall clock, which Redis on the same machine has too.
fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs_f64() * 1000.0
}

/// `fill count due_ms`, `fired count`, `ticks count interval_ms`.
pub(crate) fn run(runtime: &Runtime, options: Options) {
    say("ready");
    runtime.block_on(async {
        let master = Master::start(options.clone(), runtime.handle()).expect("a master");
        while let Some(command) = next_command() {
            match command.name.as_str() {
                "fill" => fill(&master, &command).await,
                "fired" => fired(&master, command.number(0)).await,
                _ => ticks(&master, &options, runtime, &command).await,
            }
        }
    });
}

/// Sets schedules whose next slot is at the same time.
async fn fill(master: &Master, command: &Command) {
    let start = Some(now_ms() as u64 + command.number(1));
    for from in (0..command.number(0)).step_by(AT_ONCE as usize) {
        let mut setting = tokio::task::JoinSet::new();
        for n in from..command.number(0).min(from + AT_ONCE) {
            let (master, schedule) = (master.clone(), Schedule { start, ..Schedule::new(Timing::Every(DAY)) });
            setting
                .spawn(async move { master.schedule(&format!("s{n}"), schedule, NewJob::bytes("x")).await.expect("a schedule") });
        }
        setting.join_all().await;
    }
    say("done");
}

/// Waits until so many jobs are there.
async fn fired(master: &Master, count: u64) {
    while master.stats().await.expect("counts").waiting < count {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    say("done");
}

/// Prints how late each handler started, in nanoseconds after its slot.
async fn ticks(master: &Master, options: &Options, runtime: &Runtime, command: &Command) {
    let worker = Worker::start(options.clone(), runtime.handle()).expect("a worker");
    worker.ready().await.expect("a registered worker");
    let timing = Timing::Every(Duration::from_millis(command.number(1)));
    let schedule = Schedule { overlap: Overlap::Allow, ..Schedule::new(timing) };
    master.schedule("ticks", schedule, NewJob::bytes("x")).await.expect("a schedule");
    let mut samples = Vec::new();
    while (samples.len() as u64) < command.number(0) {
        if let Some(Event::Add(job)) = worker.next().await {
            let late = now_ms() - job.scheduled_for().expect("a slot") as f64;
            samples.push((late.max(0.0) * 1e6) as u64);
            job.complete(Payload::default()).await.expect("a completion");
        }
    }
    master.unschedule("ticks").await.expect("no schedule");
    worker.terminate(Duration::ZERO).await.expect("a worker that left");
    say_samples(&samples);
}
