//! `swarm jobs`: jobs in a state, filtered.

use std::time::SystemTime;

use clap::ValueEnum;
use libswarm::{JobInfo, JobState};
use serde_json::json;

use super::status::task;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::json::job as job_json;
use crate::output::table::table;
use crate::output::times::relative;
use crate::output::{Output, count, first_line};

/// The jobs that one call reads.
const PAGE: u32 = 500;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    #[default]
    Waiting,
    Active,
    Delayed,
    Blocked,
    Failed,
    Completed,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The state of the jobs: waiting, active, delayed, blocked, failed or completed.
    #[arg(long, short, value_enum, default_value_t, hide_possible_values = true)]
    state: State,
    #[command(flatten)]
    filter: Filter,
    /// How many jobs to show.
    #[arg(long, short, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "NUMBER")]
    limit: u32,
    /// Continue a list: the text that the page before states.
    #[arg(long, value_name = "CURSOR")]
    after: Option<String>,
    /// How many jobs to look through for those that match.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..), value_name = "NUMBER")]
    scan: u64,
    /// Show payloads and results.
    #[arg(long)]
    payload: bool,
}

/// Conditions on jobs, all of which must hold.
#[derive(Clone, Debug, Default, clap::Args, serde::Deserialize)]
pub(crate) struct Filter {
    /// Of this task; "" for jobs without one.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// With this resource.
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Subject to this limit.
    #[arg(long, id = "limit_name", long = "limited-by", value_name = "LIMIT")]
    limited_by: Option<String>,
    /// With this header.
    #[arg(long, value_name = "NAME=VALUE")]
    header: Option<String>,
    /// Run by the worker whose incarnation begins with this.
    #[arg(long, value_name = "INCARNATION")]
    worker: Option<String>,
    /// Whose id contains this.
    #[arg(long, value_name = "TEXT")]
    id: Option<String>,
}

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        let Filter { task, group, resource, limited_by, header, worker, id } = self;
        [task, group, resource, limited_by, header, worker, id].iter().all(|part| part.is_none())
    }

    pub(crate) fn matches(&self, job: &JobInfo) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| wanted == value);
        let begins = |wanted: &Option<String>, value: &str| wanted.as_ref().is_none_or(|wanted| value.starts_with(&**wanted));
        let has_header = |wanted: &String| {
            let (name, value) = wanted.split_once('=').unwrap_or((wanted, ""));
            job.headers.get(name).is_some_and(|found| !wanted.contains('=') || found == value)
        };
        is(&self.task, &job.task)
            && is(&self.group, &job.group)
            && is(&self.resource, &job.resource)
            && self.limited_by.as_ref().is_none_or(|name| job.limits.contains(name))
            && self.header.as_ref().is_none_or(has_header)
            && begins(&self.worker, job.holder.as_deref().unwrap_or_default())
            && self.id.as_ref().is_none_or(|part| job.id.contains(&**part))
    }
}

fn state_of(state: State) -> JobState {
    match state {
        State::Waiting => JobState::Waiting,
        State::Active => JobState::Active,
        State::Delayed => JobState::Delayed,
        State::Blocked => JobState::Blocked,
        State::Failed => JobState::Failed,
        State::Completed => JobState::Completed,
    }
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let state = state_of(args.state);
    let (mut found, mut after, mut examined) = (Vec::new(), args.after.clone(), 0u64);
    loop {
        let missing = args.limit - found.len() as u32;
        // Without a filter, the page ends where the list ends, so that the cursor fits.
        let size = if args.filter.is_empty() { missing.min(PAGE) } else { PAGE.min(missing.max(50)) };
        let mut page = session.get(session.master.jobs(state, after.as_deref(), size)).await?;
        // Of a page with too many, only the part that is shown, so that the next one begins behind it.
        let mut matching = page.jobs.iter().enumerate().filter(|(_, job)| args.filter.matches(job));
        if let Some((last, _)) = matching.nth(missing as usize - 1).filter(|_| matching.next().is_some()) {
            page = session.get(session.master.jobs(state, after.as_deref(), last as u32 + 1)).await?;
        }
        examined += page.jobs.len() as u64;
        found.extend(page.jobs.into_iter().filter(|job| args.filter.matches(job)));
        after = page.next;
        if after.is_none() || found.len() as u32 >= args.limit || examined >= args.scan {
            break;
        }
    }
    let next = after;
    if output.json {
        let jobs: Vec<_> = found.into_iter().map(|job| job_json(job, args.payload)).collect();
        output.json(&json!({ "jobs": jobs, "next": next, "examined": examined }))?;
        return Ok(Exit::Ok);
    }
    if found.is_empty() {
        let name = state.name();
        output.line(match (args.filter.is_empty(), examined) {
            (true, _) if args.after.is_some() => format!("No more {name} jobs after this place."),
            (true, _) | (_, 0) => format!("No {name} jobs."),
            (false, _) => format!("None of {} matches.", count(examined, &format!("{name} job"))),
        })?;
    } else {
        output.line(listed(output, &found, state, args.payload))?;
    }
    if let Some(next) = next {
        output.note(format!("More: repeat the command with --after '{}'", next.replace('\'', "'\\''")));
    }
    Ok(Exit::Ok)
}

fn listed(output: &Output, jobs: &[JobInfo], state: JobState, payload: bool) -> String {
    let (heading, detail): (&str, fn(&JobInfo) -> String) = match state {
        JobState::Active => ("WORKER", |job| job.holder.clone().unwrap_or_default()),
        JobState::Failed => ("ERROR", |job| job.failure.as_ref().map_or_else(String::new, |f| first_line(&f.message, 50))),
        JobState::Blocked => ("LIMITS", |job| job.limits.join(", ")),
        _ => ("", |_| String::new()),
    };
    let rows = jobs.iter().map(|job| {
        let mut row = vec![
            job.id.clone(),
            if job.state == state { String::new() } else { job.state.name().to_owned() },
            task(&job.task).to_owned(),
            job.priority.to_string(),
            format!("{}/{}", job.attempt, u64::from(job.retries) + 1),
            job.group.clone(),
            job.resource.clone(),
            when(job).map_or_else(String::new, relative),
            detail(job),
        ];
        if payload {
            row.push(first_line(&payload_of(job), 60));
        }
        row
    });
    let mut headings = vec!["ID", "", "TASK", ">PRIORITY", ">ATTEMPT", "GROUP", "RESOURCE", "WHEN", heading];
    if payload {
        headings.push("PAYLOAD");
    }
    table(output, &headings, rows.collect())
}

/// The time that matters in the state of the job.
fn when(job: &JobInfo) -> Option<SystemTime> {
    let ended = job.completed_at.or(job.failure.as_ref().and_then(|failure| failure.at));
    ended.or(job.due_at).or(job.assigned_at)
}

/// The payload of a job as text.
pub(crate) fn payload_of(job: &JobInfo) -> String {
    if job.payload_encoded {
        return "(encoded: SWARM_CODEC_KEYS has no key for it)".to_owned();
    }
    shown(&job.payload)
}

/// A payload as text.
pub(crate) fn shown(payload: &libswarm::Payload) -> String {
    match (payload.content_type, std::str::from_utf8(&payload.bytes)) {
        (libswarm::ContentType::Json, Ok(text)) => text.to_owned(),
        (libswarm::ContentType::Bytes, Ok(text)) if !text.contains(|letter: char| letter.is_control() && letter != '\n') => {
            text.to_owned()
        }
        _ => format!("({} bytes)", payload.bytes.len()),
    }
}
