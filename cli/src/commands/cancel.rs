//! `swarm cancel`: deletes jobs.

use serde_json::json;

use crate::confirm::confirm;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::{Output, count, legible};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ids of jobs.
    #[arg(required = true)]
    ids: Vec<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut ids = args.ids.clone();
    ids.sort();
    ids.dedup();
    confirm(args.yes, &format!("delete {}", count(ids.len() as u64, "job"))).await?;
    let existed = session.get_registered(session.master.delete_many(ids.clone())).await?;
    let missing: Vec<String> = ids.iter().zip(&existed).filter(|(_, existed)| !**existed).map(|(id, _)| id.clone()).collect();
    let deleted = ids.len() - missing.len();
    if output.json {
        output.json(&json!({ "deleted": deleted, "not_found": missing }))?;
    } else {
        output.line(format!("Deleted {}.", count(deleted as u64, "job")))?;
        for id in &missing {
            output.note(format!("There is no job `{}`.", legible(id)));
        }
    }
    Ok(if missing.is_empty() { Exit::Ok } else { Exit::No })
}
