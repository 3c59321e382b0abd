//! `swarm job`: one job and its timeline.

use std::time::SystemTime;

use libswarm::{JobInfo, JobState, Role};

use super::jobs::{payload_of, shown};
use super::status::task;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::json::job as job_json;
use crate::output::times::{absolute, relative};
use crate::output::{Color, Output, first_line, legible, legible_lines};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The id of the job.
    id: String,
    /// Show the payload and the result.
    #[arg(long)]
    payload: bool,
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let Some(job) = session.get(session.master.job(&args.id)).await? else {
        return Err(Trouble::not_found(format!(
            "there is no job `{}`: it was never added, was deleted, or is completed and not kept",
            legible(&args.id)
        )));
    };
    if output.json {
        // As text, so that the numbers of a payload stay as they are.
        match args.payload {
            true => output.json(&job)?,
            false => output.json(&job_json(job, false))?,
        }
        return Ok(Exit::Ok);
    }
    let holder = match &job.holder {
        Some(holder) => named(session, holder).await,
        None => String::new(),
    };
    output.line(format!("{}  {}", output.paint(Color::Bold, &legible(&job.id)), state(output, &job)))?;
    for (name, value) in fields(&job, &holder) {
        if !value.is_empty() {
            output.line(format!("{name:<11} {}", legible(&value)))?;
        }
    }
    for (name, value) in &job.headers {
        output.line(format!("header      {}={}", legible(name), legible(value)))?;
    }
    let timeline = timeline(&job, &holder);
    if !timeline.is_empty() {
        output.line("")?;
    }
    for (time, text) in timeline {
        output.line(format!("{}  {:<10} {}", absolute(time), relative(time), legible(&text)))?;
    }
    if let Some(failure) = &job.failure {
        output.line(format!("\n{}", output.paint(Color::Red, &legible_lines(&failure.message))))?;
        if let Some(traceback) = &failure.traceback {
            output.line(output.paint(Color::Dim, &legible_lines(traceback)))?;
        }
    }
    if args.payload {
        output.line(format!("\npayload     {}", legible_lines(&payload_of(&job))))?;
        match &job.result {
            Some(result) => output.line(format!("result      {}", legible_lines(&shown(result))))?,
            None if job.result_omitted => output.line("result      (not kept)")?,
            None => {}
        }
    } else {
        output.note("Add --payload to see the payload and the result.");
    }
    Ok(Exit::Ok)
}

fn state(output: &Output, job: &JobInfo) -> String {
    let color = match job.state {
        JobState::Failed => Color::Red,
        JobState::Active | JobState::Completed => Color::Green,
        JobState::Blocked | JobState::Delayed | JobState::Deleting => Color::Yellow,
        _ => Color::Bold,
    };
    output.paint(color, job.state.name())
}

/// The worker with its place, as far as it is still a member.
async fn named(session: &Session, holder: &str) -> String {
    let members = session.get(session.master.members()).await.unwrap_or_default();
    match members.iter().find(|member| member.incarnation == holder && member.role == Role::Worker) {
        Some(worker) => format!("{holder} {} ({}:{})", worker.name, worker.host, worker.pid).replace("  ", " "),
        None => holder.to_owned(),
    }
}

fn fields(job: &JobInfo, holder: &str) -> Vec<(&'static str, String)> {
    vec![
        ("task", task(&job.task).to_owned()),
        ("priority", job.priority.to_string()),
        ("attempt", format!("{} of {}", job.attempt, u64::from(job.retries) + 1)),
        ("crashes", if job.crashes > 0 { job.crashes.to_string() } else { String::new() }),
        ("group", job.group.clone()),
        ("resource", job.resource.clone()),
        ("limits", job.limits.join(", ")),
        ("worker", holder.to_owned()),
        ("fence", job.fence.map_or_else(String::new, |fence| fence.to_string())),
        ("progress", job.progress.clone().unwrap_or_default()),
        ("checkpoint", job.checkpoint.as_ref().map_or_else(String::new, |text| format!("{} bytes of JSON", text.len()))),
        ("size", format!("{} bytes", job.payload.bytes.len())),
    ]
}

/// What is known of the job with its time, oldest first.
fn timeline(job: &JobInfo, holder: &str) -> Vec<(SystemTime, String)> {
    let mut all: Vec<(SystemTime, String)> = job.log.iter().map(|line| (line.time, format!("log: {}", line.text))).collect();
    for attempt in &job.failed_attempts {
        all.push((attempt.assigned_at, format!("assigned to {}, fence {}", attempt.holder, attempt.fence)));
        all.push((attempt.failed_at, format!("attempt failed: {}: {}", attempt.reason, first_line(&attempt.error, 100))));
    }
    if let Some(time) = job.assigned_at {
        all.push((time, format!("assigned to {holder}")));
    }
    if let Some(time) = job.completed_at {
        all.push((time, "completed".to_owned()));
    }
    if let Some(failure) = &job.failure {
        all.extend(failure.at.map(|time| (time, format!("failed: {}", failure.reason.name()))));
    }
    if let Some(time) = job.due_at {
        all.push((time, "due".to_owned()));
    }
    // Lines of the log with the same time stay in their order.
    all.sort_by_key(|(time, _)| *time);
    all
}
