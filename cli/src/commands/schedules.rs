//! `swarm schedules`: lists schedules; runs, pauses, resumes or removes one.

use clap::Subcommand;
use libswarm::{ScheduleInfo, Timing};
use serde_json::json;

use super::status::task;
use crate::confirm::confirm;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::json::schedule as schedule_json;
use crate::output::table::table;
use crate::output::times::{duration, of_ms, relative};
use crate::output::{Output, legible};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// How many schedules to show.
    #[arg(long, short, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "NUMBER")]
    limit: u32,
    /// Continue a list: the text that the page before states.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
}

impl Args {
    /// Whether nothing is changed.
    pub(crate) fn reads(&self) -> bool {
        self.action.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add the job of a schedule now, beside its slots.
    Run { id: String },
    /// Pause a schedule.
    Pause { id: String },
    /// Resume a schedule with its next slot.
    Resume { id: String },
    /// Remove a schedule; jobs that it has added stay.
    Remove {
        id: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let master = &session.master;
    let (id, existed, done) = match &args.action {
        None => return list(args, session, output).await,
        Some(Action::Run { id }) => return run_now(id, session, output).await,
        Some(Action::Pause { id }) => (id, session.get_registered(master.pause_schedule(id)).await?, "paused"),
        Some(Action::Resume { id }) => (id, session.get_registered(master.resume_schedule(id)).await?, "resumed"),
        Some(Action::Remove { id, yes }) => {
            confirm(*yes, &format!("remove the schedule `{}`", legible(id))).await?;
            (id, session.get_registered(master.unschedule(id)).await?, "removed")
        }
    };
    if !existed {
        return Err(missing(id));
    }
    if output.json {
        output.json(&json!({ "id": id, "done": done }))?;
    } else {
        output.line(format!("Schedule `{}` is {done}.", legible(id)))?;
    }
    Ok(Exit::Ok)
}

fn missing(id: &str) -> Trouble {
    Trouble::not_found(format!("there is no schedule `{}`; `swarm schedules` lists them", legible(id)))
}

async fn run_now(id: &str, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    if session.get(session.master.schedule_info(id)).await?.is_none() {
        return Err(missing(id));
    }
    let job = session.get_registered(session.master.run_schedule(id)).await?;
    if output.json {
        output.json(&json!({ "id": id, "job": job }))?;
    } else {
        match &job {
            Some(job) => output.line(legible(job))?,
            None => output.line("No job was added: the job before has not finished, or another job has its unique key.")?,
        }
    }
    Ok(if job.is_some() { Exit::Ok } else { Exit::No })
}

async fn list(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let page = session.get(session.master.schedules(args.after.as_deref(), args.limit)).await?;
    if output.json {
        let all: Vec<_> = page.schedules.iter().map(schedule_json).collect();
        output.json(&json!({ "schedules": all, "next": page.next }))?;
        return Ok(Exit::Ok);
    }
    if page.schedules.is_empty() {
        output.line(if args.after.is_some() { "No more schedules after this place." } else { "No schedules." })?;
        return Ok(Exit::Ok);
    }
    let rows = page.schedules.iter().map(|info| {
        vec![
            info.id.clone(),
            timing(info),
            task(&info.task).to_owned(),
            info.next_at.map_or_else(String::new, |at| relative(of_ms(at))),
            info.last_at.map_or_else(String::new, |at| relative(of_ms(at))),
            info.added.to_string(),
            info.skipped.to_string(),
            state(info).to_owned(),
        ]
    });
    output.line(table(output, &["SCHEDULE", "TIMING", "TASK", "NEXT", "LAST", ">ADDED", ">SKIPPED", ""], rows.collect()))?;
    if let Some(next) = page.next {
        output.note(format!("More: repeat the command with --after '{}'", next.replace('\'', "'\\''")));
    }
    Ok(Exit::Ok)
}

fn state(info: &ScheduleInfo) -> &'static str {
    match (info.ended, info.paused) {
        (true, _) => "ended",
        (_, true) => "paused",
        _ => "",
    }
}

fn timing(info: &ScheduleInfo) -> String {
    match &info.schedule.timing {
        Timing::Cron(text) if info.schedule.tz == "UTC" => text.clone(),
        Timing::Cron(text) => format!("{text} ({})", info.schedule.tz),
        Timing::Every(interval) => format!("every {}", duration(*interval)),
        Timing::AfterEnd(pause) => format!("{} after the end", duration(*pause)),
    }
}
