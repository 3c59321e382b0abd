//! `swarm events`: follows what becomes of all jobs.

use std::time::Duration;

use libswarm::{EventsOptions, JobEvent};

use super::status::task;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::times::{absolute, relative};
use crate::output::{Color, Output, first_line, legible};
use crate::signals::Stop;

/// The pause before Redis is asked again.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Begin behind the event at this position; 0 for all that are kept. Without it, with what happens from now on.
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// End after so many events.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..), value_name = "NUMBER")]
    count: Option<u64>,
    /// Only events of this job.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Only events of this task, as far as they name one.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Only events of this kind, such as failed; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
}

impl Args {
    fn wants(&self, event: &JobEvent) -> bool {
        self.id.as_ref().is_none_or(|id| *id == event.id)
            && self.task.as_ref().is_none_or(|task| *task == event.task)
            && (self.kind.is_empty() || self.kind.iter().any(|kind| kind == event.kind.name()))
    }
}

pub(crate) async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let options = |after: &Option<String>| after.iter().fold(EventsOptions::default(), |options, after| options.after(after));
    options(&args.after).check()?;
    let session = Session::open(global)?;
    let mut stop = Stop::new()?;
    let mut after = args.after.clone();
    let mut left = args.count.unwrap_or(u64::MAX);
    let followed = async {
        loop {
            let mut events = match session.master.events(options(&after)).await {
                Ok(events) => events,
                Err(error) if error.kind().is_retryable() => {
                    output.warn(&format!("{}; waiting for Redis", error.message()));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            output.note("Following events; Ctrl-C ends.");
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) if error.kind().is_retryable() => {
                        output.warn(error.message());
                        break;
                    }
                    Err(error) => return Err(error.into()),
                };
                after = Some(event.position.clone());
                if args.wants(&event) {
                    match output.json {
                        true => output.json(&event)?,
                        false => output.line(line(output, &event))?,
                    }
                    left -= 1;
                    if left == 0 {
                        return Ok(Exit::Ok);
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let done = tokio::select! {
        done = followed => done,
        () = stop.requested() => Ok(Exit::Ok),
    };
    if let (Some(after), Ok(_), false) = (&after, &done, output.json) {
        output.note(format!("Continue with --after {after}"));
    }
    session.close().await;
    done
}

fn line(output: &Output, event: &JobEvent) -> String {
    let kind = event.kind.name();
    let color = match kind {
        "failed" | "missed" => Color::Red,
        "retrying" | "released" | "blocked" | "delayed" => Color::Yellow,
        "completed" => Color::Green,
        _ => Color::Bold,
    };
    let mut parts = vec![absolute(event.time), output.paint(color, &format!("{kind:<14}")), legible(&event.id)];
    if !event.task.is_empty() {
        parts.push(format!("task={}", legible(task(&event.task))));
    }
    let more = [("worker", &event.worker), ("reason", &event.reason), ("name", &event.name)];
    parts.extend(
        more.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={}", legible(value))),
    );
    parts.extend(event.due_at.map(|due| format!("due {}", relative(due))));
    // The progress is data of the program; it is in the JSON form.
    if !event.text.is_empty() && kind != "progress" {
        parts.push(first_line(&event.text, 100));
    }
    parts.join("  ")
}
