//! Commands about flows.

use libswarm::{Error, Master, NewFlow, NewJob, Payload};

use crate::line::{Answer, Command, bytes};

/// `None` if the command is about something else.
pub async fn obey(master: &Master, command: &Command) -> Result<Option<Answer>, Error> {
    Ok(Some(match command.name.as_str() {
        "add_flow" => {
            let added = master.add_flow(read(command)?).await?;
            let answer = Answer::ok().with("id", &added.id).with("existed", added.existed);
            let answer = answer.with_list("ids", added.jobs.iter().map(|job| &job.id));
            answer.with_list("existed_each", added.jobs.iter().map(|job| job.existed))
        }
        "flow" => match master.flow(command.text("id")?).await? {
            Some(mut flow) => {
                flow.jobs.iter_mut().for_each(|job| job.after.sort());
                Answer::ok()
                    .with("id", &flow.id)
                    .with("cancel_rest", flow.cancel_rest)
                    .with_list("ids", flow.jobs.iter().map(|job| &job.id))
                    .with_list("states", flow.jobs.iter().map(|job| job.state.name()))
                    .with_list("after_each", flow.jobs.iter().map(|job| job.after.join("+")))
            }
            None => Answer::ok().with("id", ""),
        },
        _ => return Ok(None),
    }))
}

fn read(command: &Command) -> Result<NewFlow, Error> {
    let (ids, after) = (command.list("ids")?, command.list("after_each")?);
    let mut jobs = Vec::new();
    for (position, payload) in command.list("payloads")?.iter().enumerate() {
        let mut job = NewJob::new(Payload::raw_json(bytes(payload)?));
        for (name, value) in &command.fields {
            if !matches!(name.as_str(), "id" | "payloads" | "ids" | "after_each" | "shape" | "cancel_rest") {
                job.set(name, value)?;
            }
        }
        if let Some(id) = ids.get(position) {
            job = job.id(id);
        }
        for id in after.get(position).into_iter().flat_map(|ids| ids.split('+')).filter(|id| !id.is_empty()) {
            job.set("after", id)?;
        }
        jobs.push(job);
    }
    let flow = match (command.get("shape"), jobs.pop()) {
        (Some("fan_in"), Some(last)) => NewFlow::fan_in(jobs, last),
        (shape, last) => {
            jobs.extend(last);
            if shape == Some("chain") { NewFlow::chain(jobs) } else { NewFlow::new(jobs) }
        }
    };
    let flow = flow.cancel_rest(command.get("cancel_rest") == Some("true"));
    Ok(match command.get("id") {
        Some(id) => flow.id(id),
        None => flow,
    })
}
