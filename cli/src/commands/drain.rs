//! `swarm drain`: pauses a worker and waits until its jobs have ended.

use std::time::Duration;

use serde_json::json;

use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::find;
use crate::output::times::parse_duration;
use crate::output::{Output, count, legible};

/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The worker: its incarnation or the beginning of it, its name, host:pid or process id.
    worker: String,
    /// How long to wait until its jobs have ended; 0s does not wait.
    #[arg(long, value_parser = parse_duration, default_value = "1h", value_name = "TIME")]
    wait: Duration,
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let workers = find::workers(session).await?;
    let worker = find::one(&workers, &args.worker)?;
    let incarnation = worker.incarnation.clone();
    if !session.get_registered(session.master.pause_worker(&incarnation)).await? {
        return Err(Trouble::not_found(format!("the worker `{}` has left", legible(&args.worker))));
    }
    let waited = tokio::time::timeout(args.wait, ended(session, output, &incarnation)).await;
    let (drained, active) = match waited {
        Ok(ended) => (true, ended?),
        Err(_) => {
            let workers = find::workers(session).await?;
            let active = workers.iter().find(|worker| worker.incarnation == incarnation).map_or(0, |worker| worker.active);
            (active == 0, active)
        }
    };
    if output.json {
        output.json(&json!({ "incarnation": incarnation, "drained": drained, "active": active }))?;
    } else if drained {
        output.line("The worker has no jobs and is assigned none; stop its program now.")?;
        output.note(format!("`swarm workers resume {incarnation}` undoes this."));
    } else {
        output.line(format!("The worker is paused and still runs {}.", count(active, "job")))?;
    }
    Ok(if drained { Exit::Ok } else { Exit::No })
}

/// Waits until the worker has no jobs, or has left.
async fn ended(session: &Session, output: &Output, incarnation: &str) -> Result<u64, Trouble> {
    let mut last = None;
    loop {
        let workers = find::workers(session).await?;
        let active = workers.iter().find(|worker| worker.incarnation == *incarnation).map_or(0, |worker| worker.active);
        if active == 0 {
            return Ok(0);
        }
        if last != Some(active) {
            output.note(format!("{} to go", count(active, "job")));
            last = Some(active);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
