//! Messages from one member to many.

use bench_control::{FIRST, monotonic, next_command, say, say_samples, sent_at};
use libswarm::{Event, Master, NewMessage, Options, To, Worker};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::unbounded_channel;

use crate::Mail;

/// Messages under way at once.
const AHEAD: u64 = 1000;

fn message(n: u64) -> NewMessage {
    NewMessage::json(To::All, &Mail::new(n)).expect("a payload")
}

/// `flood count`, `paced count pause_us`.
pub(crate) fn send(runtime: &Runtime, options: Options) {
    let master = Master::start(options, runtime.handle()).expect("a master");
    runtime.block_on(master.ready()).expect("a registered master");
    say("ready");
    while let Some(command) = next_command() {
        let begun = monotonic();
        runtime.block_on(async {
            for n in 0..command.number(0) {
                match command.name.as_str() {
                    // Those who hear are given time once in a while: what they have not read is bounded. The last is awaited too, because
                    // nothing is sent once this future is done.
                    "flood" if n % AHEAD == AHEAD - 1 || n + 1 == command.number(0) => {
                        drop(master.messages().send(message(FIRST + n).acknowledged(LONG)).await)
                    }
                    "flood" => master.messages().submit(message(FIRST + n), Box::new(|_| ())),
                    _ => {
                        tokio::time::sleep(std::time::Duration::from_micros(command.number(1))).await;
                        master.messages().send(message(monotonic())).await.expect("a message sent");
                    }
                }
            }
        });
        say(&format!("done {}", monotonic() - begun));
    }
    runtime.block_on(master.close()).expect("closing");
}

const LONG: std::time::Duration = std::time::Duration::from_secs(60);

/// `receive members count`: as many members receive so many messages each; prints the nanoseconds from before each was sent.
pub(crate) fn receive(runtime: &Runtime, options: Options) {
    say("ready");
    let Some(command) = next_command() else { return };
    runtime.block_on(async {
        let (members, count) = (command.number(0), command.number(1));
        let (received, mut all) = unbounded_channel();
        for _ in 0..members {
            let worker = Worker::start(options.clone(), runtime.handle()).expect("a worker");
            worker.messages().listen().await.expect("a listener");
            let received = received.clone();
            tokio::spawn(async move {
                while let Some(event) = worker.next().await {
                    if let Event::Message(message) = event {
                        received.send(monotonic().saturating_sub(sent_at(&message.payload().bytes))).expect("the collector");
                    }
                }
            });
        }
        say("started");
        let mut samples = Vec::new();
        while (samples.len() as u64) < members * count {
            samples.push(all.recv().await.expect("recipients"));
        }
        say_samples(&samples);
    });
    next_command();
}
