//! `swarm pause` and `swarm resume`: of a task or of all jobs.

use serde_json::json;

use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::{Output, legible};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The task; "" for jobs without one. Without it, all jobs.
    task: Option<String>,
}

pub(crate) async fn run(args: &Args, pause: bool, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let task = args.task.as_deref();
    let call = async {
        match pause {
            true => session.master.pause(task).await,
            false => session.master.resume(task).await,
        }
    };
    session.get_registered(call).await?;
    let done = if pause { "paused" } else { "resumed" };
    if output.json {
        output.json(&json!({ "task": task, "done": done }))?;
        return Ok(Exit::Ok);
    }
    let what = match task {
        None => format!("All jobs are {done}"),
        Some("") => format!("Jobs without a task are {done}"),
        Some(task) => format!("The task `{}` is {done}", legible(task)),
    };
    output.line(format!("{what}{}.", if pause { "; active jobs continue" } else { "" }))?;
    Ok(Exit::Ok)
}
