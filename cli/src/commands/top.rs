//! `swarm top`: watches a cluster.

use std::io::IsTerminal;
use std::time::Duration;

use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::Output;
use crate::output::times::parse_duration;
use crate::signals::Stop;
use crate::top;
use crate::top::snapshot::Looks;

#[derive(Debug, clap::Args)]
#[command(after_help = "Keys: arrows choose, p pauses and r resumes the chosen task or worker, ? shows help, q quits.")]
pub(crate) struct Args {
    /// The time between two looks; 200ms at least.
    #[arg(long, value_parser = parse_duration, default_value = "1s", value_name = "TIME")]
    every: Duration,
    /// With --json, end after so many lines.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "NUMBER", requires = "json")]
    count: Option<u64>,
}

pub(crate) async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let every = args.every.max(Duration::from_millis(200));
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !output.json && !terminal {
        return Err(Trouble::usage(
            "top needs a terminal; `swarm top --json` prints a line for each look, `swarm status` one table",
        ));
    }
    let session = Session::open(global)?;
    let mut stop = Stop::new()?;
    let done = match output.json {
        true => tokio::select! {
            done = lines(args.count, every, &session, output) => done,
            () = stop.requested() => Ok(Exit::Ok),
        },
        false => top::run(&session, every, output.colors, &mut stop).await,
    };
    session.close().await;
    done
}

/// Prints a line for each look.
async fn lines(count: Option<u64>, every: Duration, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = Looks::default();
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 {
        ticks.tick().await;
        match looks.look(session).await {
            Ok(look) => {
                output.json(&look)?;
                left -= 1;
            }
            Err(error) if error.kind().is_retryable() => output.warn(error.message()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Exit::Ok)
}
