//! `swarm workers`: lists workers; changes the slots of one, pauses or resumes it.

use clap::Subcommand;
use libswarm::MemberInfo;
use serde_json::json;

use super::status::{slots, tasks};
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::find;
use crate::output::table::table;
use crate::output::times::{duration, relative};
use crate::output::{Output, legible};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only workers that take this task; "" for jobs without one.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only workers of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

impl Args {
    /// Whether nothing is changed.
    pub(crate) fn reads(&self) -> bool {
        self.action.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set how many jobs a worker runs at once.
    SetSlots {
        /// The worker: its incarnation or the beginning of it, its name, host:pid or process id.
        worker: String,
        slots: u32,
    },
    /// Pause a worker: it is assigned no jobs. Active ones continue.
    Pause { worker: String },
    /// Resume a worker.
    Resume { worker: String },
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let workers = find::workers(session).await?;
    let master = &session.master;
    let (worker, existed, done) = match &args.action {
        None => return list(args, workers, output),
        Some(Action::SetSlots { worker, slots }) => {
            let found = find::one(&workers, worker)?;
            let existed = session.get_registered(master.set_worker_slots(&found.incarnation, *slots)).await?;
            (found, existed, format!("has {slots} slots"))
        }
        Some(Action::Pause { worker }) => {
            let found = find::one(&workers, worker)?;
            (found, session.get_registered(master.pause_worker(&found.incarnation)).await?, "is paused".to_owned())
        }
        Some(Action::Resume { worker }) => {
            let found = find::one(&workers, worker)?;
            (found, session.get_registered(master.resume_worker(&found.incarnation)).await?, "is resumed".to_owned())
        }
    };
    if !existed {
        return Err(Trouble::not_found(format!("the worker `{}` has left", worker.incarnation)));
    }
    if output.json {
        output.json(&json!({ "incarnation": worker.incarnation, "done": done }))?;
    } else {
        output.line(format!("The worker {} ({}:{}) {done}.", worker.incarnation, legible(&worker.host), worker.pid))?;
    }
    Ok(Exit::Ok)
}

fn list(args: &Args, mut workers: Vec<MemberInfo>, output: &Output) -> Result<Exit, Trouble> {
    let all = workers.len();
    workers.retain(|worker| {
        args.task.as_ref().is_none_or(|task| worker.tasks.contains(task))
            && args.group.as_ref().is_none_or(|group| worker.group == *group)
    });
    if output.json {
        output.json(&json!({ "workers": workers }))?;
        return Ok(Exit::Ok);
    }
    if workers.is_empty() {
        output.line(if all == 0 { "No workers." } else { "No worker matches." })?;
        return Ok(Exit::Ok);
    }
    let rows = workers.iter().map(|worker| {
        vec![
            worker.incarnation.clone(),
            worker.name.clone(),
            worker.group.clone(),
            format!("{}:{}", worker.host, worker.pid),
            format!("{} {}", worker.language, worker.version),
            slots(worker),
            tasks(&worker.tasks),
            relative(worker.joined_at),
            duration(worker.lease_left),
            if worker.paused { "paused".to_owned() } else { String::new() },
        ]
    });
    let headings = ["INCARNATION", "NAME", "GROUP", "HOST:PID", "PROGRAM", ">ACTIVE", "TASKS", "JOINED", "LEASE", ""];
    output.line(table(output, &headings, rows.collect()))?;
    Ok(Exit::Ok)
}
