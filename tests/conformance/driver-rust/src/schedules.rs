//! Commands about schedules.

use std::time::Duration;

use libswarm::{Error, Master, NewJob, Schedule, ScheduleInfo, Scheduled, Timing};

use crate::line::{Answer, Command};

/// `None` if the command is about something else.
pub async fn obey(master: &Master, command: &Command) -> Result<Option<Answer>, Error> {
    let id = command.get("id").unwrap_or("");
    Ok(Some(match command.name.as_str() {
        "schedule" => {
            let (schedule, job) = read(command)?;
            let how = match master.schedule(id, schedule, job).await? {
                Scheduled::Created => "created",
                Scheduled::Changed => "changed",
                Scheduled::Unchanged => "unchanged",
            };
            Answer::ok().with("how", how)
        }
        "unschedule" => Answer::ok().with("existed", master.unschedule(id).await?),
        "pause_schedule" => Answer::ok().with("existed", master.pause_schedule(id).await?),
        "resume_schedule" => Answer::ok().with("existed", master.resume_schedule(id).await?),
        "run_schedule" => Answer::ok().with("id", master.run_schedule(id).await?.unwrap_or_default()),
        "schedule_info" => match master.schedule_info(id).await? {
            Some(info) => fields(&info).iter().fold(Answer::ok(), |answer, (name, value)| answer.with(name, value)),
            None => Answer::ok().with("id", ""),
        },
        "schedules" => {
            let after = command.get("after").filter(|after| !after.is_empty());
            let page = master.schedules(after, command.number("limit")? as u32).await?;
            let answer = Answer::ok().with_list("ids", page.schedules.iter().map(|info| &info.id));
            let all: Vec<_> = page.schedules.iter().map(fields).collect();
            let answer = (1..all.first().map_or(0, |first| first.len()))
                .fold(answer, |answer, at| answer.with_list(all[0][at].0, all.iter().map(|one| &one[at].1)));
            answer.with("next", page.next.as_deref().unwrap_or(""))
        }
        _ => return Ok(None),
    }))
}

/// Fields that begin with `job_` are options of the job, all others those of the schedule.
fn read(command: &Command) -> Result<(Schedule, NewJob), Error> {
    let mut job = NewJob::new(command.payload()?);
    let mut options = Vec::new();
    for (name, value) in &command.fields {
        match (name.as_str(), name.strip_prefix("job_")) {
            ("id" | "payload" | "type", _) => {}
            (_, Some(option)) => job.set(option, value)?,
            (_, None) => options.push((name.clone(), value.clone())),
        }
    }
    Ok((Schedule::from_pairs(&options)?, job))
}

fn fields(info: &ScheduleInfo) -> [(&'static str, String); 20] {
    let (schedule, ms) = (&info.schedule, |time: Duration| time.as_millis().to_string());
    let (cron, every, after_end) = match &schedule.timing {
        Timing::Cron(text) => (text.clone(), String::new(), String::new()),
        Timing::Every(interval) => (String::new(), ms(*interval), String::new()),
        Timing::AfterEnd(pause) => (String::new(), String::new(), ms(*pause)),
    };
    [
        ("id", info.id.clone()),
        ("cron", cron),
        ("every", every),
        ("after_end", after_end),
        ("tz", schedule.tz.clone()),
        ("start", number(schedule.start)),
        ("end", number(schedule.end)),
        ("limit", number(schedule.limit)),
        ("jitter", ms(schedule.jitter)),
        ("overlap", schedule.overlap.name().to_owned()),
        ("catch_up", schedule.catch_up.name().to_owned()),
        ("task", info.task.clone()),
        ("priority", info.priority.to_string()),
        ("next_at", number(info.next_at)),
        ("last_at", number(info.last_at)),
        ("last_job", info.last_job.clone()),
        ("paused", info.paused.to_string()),
        ("ended", info.ended.to_string()),
        ("added", info.added.to_string()),
        ("skipped", info.skipped.to_string()),
    ]
}

fn number(value: Option<u64>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}
