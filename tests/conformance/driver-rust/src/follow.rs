//! Commands about the events of jobs.

use libswarm::{Error, EventsOptions, JobEvents, Master};
use tokio::sync::Mutex;

use crate::line::{Answer, Command, misuse};

/// The follower of a master, if it has one.
#[derive(Default)]
pub struct Follower(Mutex<Option<JobEvents>>);

impl Follower {
    /// `None` if the command is about something else.
    pub async fn obey(&self, master: &Master, command: &Command) -> Result<Option<Answer>, Error> {
        let mut follower = self.0.lock().await;
        Ok(Some(match command.name.as_str() {
            "follow" => {
                let after = command.get("after").map(str::to_owned);
                let options = after.map_or_else(EventsOptions::default, |after| EventsOptions::default().after(after));
                *follower = Some(master.events(options).await?);
                Answer::ok()
            }
            "unfollow" => {
                *follower = None;
                Answer::ok()
            }
            "followed" => {
                let events = follower.as_mut().ok_or_else(|| misuse("no follower"))?;
                let mut found = Vec::new();
                for _ in 0..command.number("count")? {
                    found.push(events.next().await.ok_or_else(|| misuse("the events have ended"))??);
                }
                Answer::ok()
                    .with_list("kinds", found.iter().map(|event| event.kind.name()))
                    .with_list("ids", found.iter().map(|event| &event.id))
                    .with_list("reasons", found.iter().map(|event| &event.reason))
                    .with_list("texts", found.iter().map(|event| &event.text))
                    .with_list("names", found.iter().map(|event| &event.name))
                    .with_list("fenced", found.iter().map(|event| event.fence.is_some() && !event.worker.is_empty()))
                    .with_list("due", found.iter().map(|event| event.due_at.is_some()))
                    .with("position", found.last().map_or("", |event| &event.position))
            }
            _ => return Ok(None),
        }))
    }
}
