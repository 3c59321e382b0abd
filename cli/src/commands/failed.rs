//! `swarm failed`: failed jobs, grouped by error; retries and deletes them over a filter.

use std::io::IsTerminal;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use libswarm::{JobInfo, JobState};
use serde_json::json;

use super::jobs::Filter;
use super::status::tasks;
use crate::confirm::confirm;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::failures::{self, BATCH, Group, Groups, PAGE, error_of};
use crate::output::table::table;
use crate::output::times::relative;
use crate::output::{Output, count, first_line};

/// The characters of an error that a table shows.
const TEXT: usize = 60;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    which: Which,
}

impl Args {
    /// Whether nothing is changed.
    pub(crate) fn reads(&self) -> bool {
        self.action.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run failed jobs again, with all their retries: those that match, or all.
    Retry(Bulk),
    /// Delete failed jobs: those that match, or all.
    Delete(Bulk),
}

#[derive(Debug, clap::Args)]
struct Bulk {
    #[command(flatten)]
    which: Which,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
struct Which {
    #[command(flatten)]
    filter: Filter,
    /// That failed for this reason: failed, poison, corrupt, undecodable, assign_timeout, run_timeout, total_timeout or dependency_failed.
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Whose error contains this text in its first line.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

impl Which {
    fn matches(&self, job: &JobInfo) -> bool {
        let (reason, error) = error_of(job);
        self.filter.matches(job)
            && self.reason.as_ref().is_none_or(|wanted| *wanted == reason)
            && self.error.as_ref().is_none_or(|part| error.contains(&**part))
    }
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    match &args.action {
        None => list(&args.which, session, output).await,
        Some(Action::Retry(bulk)) => change(bulk, true, session, output).await,
        Some(Action::Delete(bulk)) => change(bulk, false, session, output).await,
    }
}

/// Calls `each` with every failed job that matches, newest first.
async fn every(which: &Which, session: &Session, mut each: impl FnMut(&JobInfo)) -> Result<u64, Trouble> {
    let (mut after, mut examined) = (None, 0);
    loop {
        let page = session.get(session.master.jobs(JobState::Failed, after.as_deref(), PAGE)).await?;
        examined += page.jobs.len() as u64;
        page.jobs.iter().filter(|job| which.matches(job)).for_each(&mut each);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(examined),
        }
    }
}

async fn list(which: &Which, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut groups = Groups::default();
    let examined = every(which, session, |job| groups.note(job)).await?;
    let groups = groups.sorted();
    if output.json {
        let all: Vec<_> = groups.iter().map(Group::to_json).collect();
        output.json(&json!({ "groups": all, "examined": examined }))?;
        return Ok(Exit::Ok);
    }
    if groups.is_empty() {
        output.line(match examined {
            0 => "No failed jobs.".to_owned(),
            _ => format!("None of {} matches.", count(examined, "failed job")),
        })?;
        return Ok(Exit::Ok);
    }
    let rows = groups.iter().map(|group| {
        vec![
            group.count.to_string(),
            group.reason.clone(),
            first_line(&group.error, TEXT),
            tasks(&group.tasks),
            group.last.map_or_else(String::new, relative),
            group.example.clone(),
        ]
    });
    output.line(table(output, &[">JOBS", "REASON", "ERROR", "TASKS", "LAST", "NEWEST JOB"], rows.collect()))?;
    Ok(Exit::Ok)
}

async fn change(bulk: &Bulk, retry: bool, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut ids: Vec<String> = Vec::new();
    let examined = every(&bulk.which, session, |job| ids.push(job.id.clone())).await?;
    let (verb, done) = if retry { ("retry", "retried") } else { ("delete", "deleted") };
    if ids.is_empty() {
        if output.json {
            output.json(&json!({ done: 0, "matched": 0 }))?;
        } else {
            output.line(match examined {
                0 => "No failed jobs.".to_owned(),
                _ => format!("None of {} matches; nothing was changed.", count(examined, "failed job")),
            })?;
        }
        return Ok(Exit::No);
    }
    confirm(bulk.yes, &format!("{verb} {}", count(ids.len() as u64, "failed job"))).await?;
    let bar = progress(output, ids.len() as u64);
    let mut changed = 0;
    for some in ids.chunks(BATCH) {
        match session.get(failures::change(&session.master, some, retry)).await {
            Ok(number) => changed += number,
            Err(mut trouble) => {
                bar.abandon();
                trouble.message = format!("{done} {changed} of {} jobs, then: {}", ids.len(), trouble.message);
                return Err(trouble);
            }
        }
        bar.inc(some.len() as u64);
    }
    bar.finish_and_clear();
    if output.json {
        output.json(&json!({ done: changed, "matched": ids.len() }))?;
    } else {
        let title = if retry { "Retried" } else { "Deleted" };
        output.line(format!("{title} {}.", count(changed, "job")))?;
        if changed < ids.len() as u64 {
            output.note(format!("{} had gone meanwhile.", count(ids.len() as u64 - changed, "job")));
        }
    }
    Ok(Exit::Ok)
}

/// A bar on a terminal, nothing elsewhere.
fn progress(output: &Output, length: u64) -> ProgressBar {
    if output.json || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} jobs, {eta} left");
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
