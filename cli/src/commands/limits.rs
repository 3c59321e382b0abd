//! `swarm limits`: lists limits; sets or removes the figures of one.

use std::time::Duration;

use clap::Subcommand;
use libswarm::{Limit, LimitInfo};
use serde_json::json;

use crate::confirm::confirm;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::table::table;
use crate::output::times::{duration, parse_duration};
use crate::output::{Output, legible};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Only limits whose names begin with this.
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
}

impl Args {
    /// Whether nothing is changed.
    pub(crate) fn reads(&self) -> bool {
        self.action.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set the figures of a limit for the whole cluster.
    Set {
        /// The name; <group>:* sets those of all limits of a group.
        name: String,
        /// Jobs that start in each period.
        #[arg(long, value_name = "NUMBER")]
        rate: Option<u32>,
        /// The period of the rate [default: 1s].
        #[arg(long, value_parser = parse_duration, value_name = "TIME")]
        per: Option<Duration>,
        /// Jobs that may start at once after a pause.
        #[arg(long, value_name = "NUMBER")]
        burst: Option<u32>,
        /// Jobs that are active at a time.
        #[arg(long, value_name = "NUMBER")]
        concurrency: Option<u32>,
    },
    /// Remove the figures of a limit: it allows everything.
    Remove {
        name: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    match &args.action {
        None => list(args, session, output).await,
        Some(Action::Set { name, rate, per, burst, concurrency }) => {
            let mut limit = Limit::default();
            (limit.rate, limit.per, limit.burst, limit.concurrency) = (*rate, *per, *burst, *concurrency);
            let existed = session.get_registered(session.master.limit(name, limit)).await?;
            if output.json {
                output.json(&json!({ "name": name, "existed": existed }))?;
            } else {
                output.line(format!("The limit `{}` is {}.", legible(name), if existed { "changed" } else { "set" }))?;
            }
            Ok(Exit::Ok)
        }
        Some(Action::Remove { name, yes }) => {
            confirm(*yes, &format!("remove the figures of the limit `{}`", legible(name))).await?;
            if !session.get_registered(session.master.remove_limit(name)).await? {
                return Err(Trouble::not_found(format!("the limit `{}` has no figures", legible(name))));
            }
            if output.json {
                output.json(&json!({ "name": name, "existed": true }))?;
            } else {
                output.line(format!("The limit `{}` is removed.", legible(name)))?;
            }
            Ok(Exit::Ok)
        }
    }
}

async fn list(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut limits = session.get(session.master.queues()).await?.limits;
    let all = limits.len();
    limits.retain(|limit| args.name.as_ref().is_none_or(|name| limit.name.starts_with(&**name)));
    if output.json {
        output.json(&json!({ "limits": limits }))?;
        return Ok(Exit::Ok);
    }
    if limits.is_empty() {
        output.line(if all == 0 { "No limits are set." } else { "No limit matches." })?;
        return Ok(Exit::Ok);
    }
    let rows = limits.iter().map(|limit| {
        let next = if limit.next_in.is_zero() { "now".to_owned() } else { format!("in {}", duration(limit.next_in)) };
        vec![limit.name.clone(), rate(limit), concurrency(limit), limit.active.to_string(), limit.blocked.to_string(), next]
    });
    output.line(table(output, &["LIMIT", "RATE", ">CONCURRENCY", ">ACTIVE", ">BLOCKED", "NEXT START"], rows.collect()))?;
    Ok(Exit::Ok)
}

fn rate(info: &LimitInfo) -> String {
    let Some((limit, rate)) = info.figures.as_ref().and_then(|limit| Some((limit, limit.rate?))) else { return "-".to_owned() };
    let burst = limit.burst.filter(|burst| *burst > 1).map_or_else(String::new, |burst| format!(", burst {burst}"));
    format!("{rate} per {}{burst}", duration(limit.per.unwrap_or(Duration::from_secs(1))))
}

fn concurrency(info: &LimitInfo) -> String {
    info.figures.as_ref().and_then(|limit| limit.concurrency).map_or_else(|| "-".to_owned(), |jobs| jobs.to_string())
}
