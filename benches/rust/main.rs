//! libswarm as a Rust program uses it. `bench-rust producer|worker|sender|recipients|holders|scheduler|limiter <url> <cluster>`.

mod holders;
mod limits;
mod messages;
mod producer;
mod schedules;
mod worker;

use libswarm::Options;
use serde::{Deserialize, Serialize};

/// The payload of every job: 115 bytes as JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct Mail<'a> {
    n: u64,
    to: &'a str,
    text: &'a str,
}

impl Mail<'_> {
    pub(crate) fn new(n: u64) -> Self {
        Mail { n, to: "somebody@example.org", text: bench_control::TEXT }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, url, cluster] = arguments.as_slice() else { panic!("usage: bench-rust role url cluster") };
    let mut options = Options::new(cluster);
    options.set("url", url).expect("the url");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match role.as_str() {
        "producer" => producer::run(&runtime, options),
        "worker" => worker::run(&runtime, options),
        "sender" => messages::send(&runtime, options),
        "recipients" => messages::receive(&runtime, options),
        "holders" => holders::run(&runtime, options),
        "scheduler" => schedules::run(&runtime, options),
        "limiter" => limits::run(&runtime, options),
        other => panic!("no role `{other}`"),
    }
}
