//! The commands, one in each file.

pub(crate) mod add;
pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod dashboard;
pub(crate) mod doctor;
pub(crate) mod drain;
pub(crate) mod events;
pub(crate) mod failed;
pub(crate) mod job;
pub(crate) mod job_options;
pub(crate) mod jobs;
pub(crate) mod limits;
pub(crate) mod man;
pub(crate) mod metrics;
pub(crate) mod pause;
pub(crate) mod run;
pub(crate) mod schedules;
pub(crate) mod send;
pub(crate) mod status;
pub(crate) mod top;
pub(crate) mod up;
pub(crate) mod workers;

use clap::CommandFactory;
use libswarm::ErrorKind;

use crate::args::{Cli, Command};
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::Output;

/// Runs the command that the arguments name.
pub(crate) async fn run(cli: Cli, output: &Output) -> Result<Exit, Trouble> {
    let global = &cli.global;
    match cli.command {
        Command::Doctor(args) => doctor::run(&args, global, output).await,
        Command::Status(args) => reading(global, output, async |session| status::run(&args, session, output).await).await,
        Command::Top(args) => top::run(&args, global, output).await,
        Command::Jobs(args) => reading(global, output, async |session| jobs::run(&args, session, output).await).await,
        Command::Job(args) => reading(global, output, async |session| job::run(&args, session, output).await).await,
        Command::Add(args) => with(global, async |session| add::run(&args, session, output).await).await,
        Command::Cancel(args) => with(global, async |session| cancel::run(&args, session, output).await).await,
        Command::Failed(args) if args.reads() => {
            reading(global, output, async |session| failed::run(&args, session, output).await).await
        }
        Command::Failed(args) => with(global, async |session| failed::run(&args, session, output).await).await,
        Command::Schedules(args) if args.reads() => {
            reading(global, output, async |session| schedules::run(&args, session, output).await).await
        }
        Command::Schedules(args) => with(global, async |session| schedules::run(&args, session, output).await).await,
        Command::Limits(args) if args.reads() => {
            reading(global, output, async |session| limits::run(&args, session, output).await).await
        }
        Command::Limits(args) => with(global, async |session| limits::run(&args, session, output).await).await,
        Command::Pause(args) => with(global, async |session| pause::run(&args, true, session, output).await).await,
        Command::Resume(args) => with(global, async |session| pause::run(&args, false, session, output).await).await,
        Command::Drain(args) => with(global, async |session| drain::run(&args, session, output).await).await,
        Command::Workers(args) if args.reads() => {
            reading(global, output, async |session| workers::run(&args, session, output).await).await
        }
        Command::Workers(args) => with(global, async |session| workers::run(&args, session, output).await).await,
        Command::Events(args) => events::run(&args, global, output).await,
        Command::Send(args) => with(global, async |session| send::run(&args, session, output).await).await,
        Command::Run(args) => run::run(&args, global, output).await,
        Command::Metrics(args) => metrics::run(&args, global, output).await,
        Command::Dashboard(args) => dashboard::run(&args, global, output).await,
        Command::Up(args) => up::run(&args, output).await,
        Command::Completions(args) => completions::run(&args, Cli::command(), output),
        Command::Man(args) => man::run(&args, Cli::command(), output),
    }
}

/// As [`with`], for a command that only reads. If it meets damage, the library repairs it or sets it aside, and the command is run again.
async fn reading(
    global: &Global,
    output: &Output,
    command: impl AsyncFn(&Session) -> Result<Exit, Trouble>,
) -> Result<Exit, Trouble> {
    let session = Session::open(global)?;
    let mut done = command(&session).await;
    if done.as_ref().is_err_and(|trouble| trouble.kind == ErrorKind::StoreCorrupt.name()) {
        output.note("A key of the cluster was damaged. It was repaired or removed; `swarm doctor` counts such cases.");
        done = command(&session).await;
    }
    session.close().await;
    done
}

/// Runs a command with a session, which is closed at the end.
async fn with(global: &Global, command: impl AsyncFnOnce(&Session) -> Result<Exit, Trouble>) -> Result<Exit, Trouble> {
    let session = Session::open(global)?;
    let done = command(&session).await;
    session.close().await;
    done
}
