//! Commands about limits.

use std::time::Duration;

use libswarm::{Error, Limit, Master};

use crate::line::{Answer, Command};

/// `None` if the command is about something else.
pub async fn obey(master: &Master, command: &Command) -> Result<Option<Answer>, Error> {
    let name = command.get("name").unwrap_or("");
    Ok(Some(match command.name.as_str() {
        "limit" => {
            let figures = command.fields.iter().filter(|(field, _)| field.as_str() != "name");
            let pairs: Vec<_> = figures.map(|(field, value)| (field.clone(), value.clone())).collect();
            Answer::ok().with("existed", master.limit(name, Limit::from_pairs(&pairs)?).await?)
        }
        "remove_limit" => Answer::ok().with("existed", master.remove_limit(name).await?),
        "limit_info" => {
            let info = master.limit_info(name).await?;
            let figures = info.figures.unwrap_or_default();
            let number = |value: Option<u32>| value.map_or(String::new(), |value| value.to_string());
            Answer::ok()
                .with("rate", number(figures.rate))
                .with("per", figures.per.map_or(String::new(), |per| per.as_millis().to_string()))
                .with("burst", number(figures.burst))
                .with("concurrency", number(figures.concurrency))
                .with("active", info.active)
                .with("blocked", info.blocked)
                .with("waits", info.next_in > Duration::ZERO)
        }
        _ => return Ok(None),
    }))
}
