//! Commands about metrics.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libswarm::{Error, Master, MetricsRow, Resolution};

use crate::line::{Answer, Command};

/// `None` if the command is about something else.
pub async fn obey(master: &Master, command: &Command) -> Result<Option<Answer>, Error> {
    Ok(Some(match command.name.as_str() {
        "metric" => {
            let (text, name) = (master.metrics().await?, command.text("name")?);
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            Answer::ok().with("value", value.unwrap_or(""))
        }
        "metrics_history" => {
            let resolution = Resolution::from_name(command.text("resolution")?)?;
            let time = |name: &str| {
                let ms = command.get(name).and_then(|text| text.parse().ok());
                ms.map(|ms| UNIX_EPOCH + Duration::from_millis(ms))
            };
            let (start, end) = (time("start").unwrap_or(UNIX_EPOCH), time("end").unwrap_or_else(SystemTime::now));
            let rows = master.metrics_history(resolution, start, end, command.get("task")).await?;
            let sum = |of: fn(&MetricsRow) -> u64| rows.iter().map(of).sum::<u64>();
            let tasks: BTreeSet<&str> = rows.iter().map(|row| &*row.task).collect();
            Answer::ok()
                .with_list("tasks", tasks)
                .with("completed", sum(|row| row.counts.completed))
                .with("failed", sum(|row| row.counts.failed))
                .with("retried", sum(|row| row.counts.retried))
                .with("released", sum(|row| row.counts.released))
                .with("deleted", sum(|row| row.counts.deleted))
                .with("waits", sum(|row| row.counts.wait.count()))
                .with("runs", sum(|row| row.counts.run.count()))
        }
        _ => return Ok(None),
    }))
}
