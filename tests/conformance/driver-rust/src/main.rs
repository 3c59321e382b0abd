//! The conformance driver in Rust; README.md beside this folder describes the protocol.

mod flows;
mod follow;
mod journal;
mod limits;
mod line;
mod master;
mod messages;
mod metrics;
mod schedules;
mod worker;

use std::io::{BufRead, Write};

use libswarm::{Error, ErrorKind, Options};
use line::{Answer, Command};
use tokio::runtime::{Builder, Runtime};

/// What this process plays now.
enum Member {
    None,
    Master(master::MasterDriver),
    Worker(worker::WorkerDriver),
}

fn main() -> std::io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut member = Member::None;
    let mut out = std::io::stdout().lock();
    for text in std::io::stdin().lock().lines() {
        let answer = match Command::parse(&text?).and_then(|command| obey(&runtime, &mut member, &command)) {
            Ok(answer) => answer,
            Err(error) => Answer::error(&error),
        };
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn obey(runtime: &Runtime, member: &mut Member, command: &Command) -> Result<Answer, Error> {
    match command.name.as_str() {
        "hello" => return Ok(Answer::ok().with("language", "rust").with("version", libswarm::VERSION)),
        "master" => *member = Member::Master(master::MasterDriver::start(command, runtime.handle())?),
        "worker" => *member = Member::Worker(worker::WorkerDriver::start(command, runtime.handle())?),
        "reset" => match std::mem::replace(member, Member::None) {
            Member::Master(master) => runtime.block_on(master.reset()),
            Member::Worker(worker) => runtime.block_on(worker.reset()),
            Member::None => {}
        },
        _ => {
            return match member {
                Member::Master(master) => runtime.block_on(master.obey(command)),
                Member::Worker(worker) => runtime.block_on(worker.obey(command)),
                Member::None => Err(unknown(command)),
            };
        }
    }
    Ok(Answer::ok())
}

fn unknown(command: &Command) -> Error {
    Error::new(ErrorKind::Internal, format!("the driver has no command `{}` here", command.name))
}

/// The options of a member: every field but those that are the driver's own.
fn options(command: &Command, own: &[&str]) -> Result<Options, Error> {
    let mut options = Options::new(command.text("cluster")?);
    for (name, value) in &command.fields {
        if name == "tasks" {
            options.tasks = command.list(name)?;
        } else if name != "cluster" && !own.contains(&name.as_str()) {
            options.set(name, value)?;
        }
    }
    Ok(options)
}
