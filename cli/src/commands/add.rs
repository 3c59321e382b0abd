//! `swarm add`: adds a job.

use libswarm::{Added, NewJob, Outcome};
use serde_json::json;

use super::job_options::JobOptions;
use super::jobs::shown;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::{Output, legible};
use crate::payload::{self, Form};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The task; "" for a job without one.
    task: String,
    /// The payload, JSON by default; - reads it from the standard input. Without it, the payload is null.
    #[arg(allow_hyphen_values = true)]
    payload: Option<String>,
    #[command(flatten)]
    form: Form,
    /// Wait for the outcome and print the result; exit 1 if the job failed.
    #[arg(long, short)]
    wait: bool,
    #[command(flatten)]
    options: JobOptions,
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let payload = payload::read(args.payload.as_deref(), &args.form).await?;
    let mut job = NewJob::new(payload).task(&args.task);
    args.options.apply(&mut job)?;
    if args.wait {
        return wait(job, session, output).await;
    }
    let added = session.get_registered(session.master.add(job)).await?;
    if output.json {
        output.json(&added)?;
    } else {
        output.line(legible(&added.id))?;
        note(output, &added);
    }
    Ok(Exit::Ok)
}

fn note(output: &Output, added: &Added) {
    match (added.existed, added.replaced) {
        (_, true) => output.note("The job existed; its payload and options were replaced."),
        (true, false) => output.note("The job existed; nothing was added."),
        (false, false) => {}
    }
}

async fn wait(job: NewJob, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut id = String::new();
    let run = session.master.run_with(job, |added| {
        id.clone_from(&added.id);
        note(output, added);
    });
    let outcome = session.get_registered(run).await?;
    match outcome {
        Outcome::Completed(result) => {
            if output.json {
                let value = serde_json::from_slice::<Box<serde_json::value::RawValue>>(&result.bytes);
                match value {
                    Ok(value) => output.json(&Completed { id, state: "completed", result: value })?,
                    Err(_) => output.json(&json!({ "id": id, "state": "completed", "result": shown(&result) }))?,
                }
            } else {
                output.line(shown(&result))?;
            }
            Ok(Exit::Ok)
        }
        Outcome::Failed(failure) => {
            let reason = failure.reason.name();
            if output.json {
                output.json(&json!({ "id": id, "state": "failed", "reason": reason, "error": failure.message }))?;
                return Ok(Exit::No);
            }
            Err(Trouble::no(format!("the job {id} failed ({reason}): {}", failure.message)))
        }
    }
}

#[derive(serde::Serialize)]
struct Completed {
    id: String,
    state: &'static str,
    /// Its numbers stay as they are.
    result: Box<serde_json::value::RawValue>,
}
