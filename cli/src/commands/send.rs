//! `swarm send`: sends a message to members.

use std::time::Duration;

use libswarm::{NewMessage, To};
use serde_json::json;

use super::jobs::shown;
use crate::connection::Session;
use crate::exit::{Exit, Trouble};
use crate::output::times::parse_duration;
use crate::output::{Output, count, legible};
use crate::payload::{self, Form};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The message, JSON by default; - reads it from the standard input.
    #[arg(allow_hyphen_values = true)]
    message: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    to: Recipients,
    /// Wait up to this time until all recipients have taken the message.
    #[arg(long, value_parser = parse_duration, value_name = "TIME", conflicts_with = "request")]
    acknowledged: Option<Duration>,
    /// Wait up to this time for the replies, and print them.
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    request: Option<Duration>,
}

/// Members that are subscribed to messages.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Recipients {
    /// To every member.
    #[arg(long)]
    all: bool,
    /// To the members of this group.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// To the members of this name.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// To the member with this incarnation.
    #[arg(long, value_name = "INCARNATION")]
    member: Option<String>,
}

impl Recipients {
    fn to(&self) -> To {
        match (&self.group, &self.name, &self.member) {
            (Some(group), ..) => To::Group(group.clone()),
            (_, Some(name), _) => To::Name(name.clone()),
            (.., Some(member)) => To::Member(member.clone()),
            _ => To::All,
        }
    }
}

pub(crate) async fn run(args: &Args, session: &Session, output: &Output) -> Result<Exit, Trouble> {
    let mut message = NewMessage::new(args.to.to(), payload::read(Some(&args.message), &args.form).await?);
    if let Some(limit) = args.acknowledged {
        message = message.acknowledged(limit);
    }
    if let Some(limit) = args.request {
        message = message.request(limit);
    }
    let receipt = session.get_registered(session.master.messages().send(message)).await?;
    let answered = args.acknowledged.is_some() || args.request.is_some();
    let complete = !receipt.recipients.is_empty() && receipt.missing.is_empty() && receipt.dropped == 0;
    if output.json {
        let replies = receipt.replies.iter().map(|(from, payload)| {
            let value = payload.as_ref().map(|payload| {
                serde_json::from_slice(&payload.bytes).unwrap_or_else(|_| serde_json::Value::String(shown(payload)))
            });
            json!({ "from": from, "payload": value })
        });
        let replies: Vec<_> = replies.collect();
        output.json(&json!({
            "recipients": receipt.recipients, "dropped": receipt.dropped, "replies": replies, "missing": receipt.missing,
        }))?;
        return Ok(if complete { Exit::Ok } else { Exit::No });
    }
    if receipt.recipients.is_empty() && receipt.dropped == 0 {
        output.line("No recipient: no such member is subscribed to messages.")?;
        return Ok(Exit::No);
    }
    output.line(format!("Sent to {}.", count(receipt.recipients.len() as u64, "member")))?;
    if receipt.dropped > 0 {
        output.line(format!("{} did not get it: their inboxes are full.", count(receipt.dropped, "member")))?;
    }
    for (from, reply) in receipt.replies.iter().filter(|_| answered) {
        let who = format!("{} {}:{}", from.incarnation, legible(&from.host), from.pid);
        match reply {
            Some(payload) => output.line(format!("{who}  {}", legible(&shown(payload))))?,
            None => output.line(format!("{who}  acknowledged"))?,
        }
    }
    for missing in &receipt.missing {
        output.line(format!("{missing}  did not answer in time, or is gone"))?;
    }
    Ok(if complete { Exit::Ok } else { Exit::No })
}
