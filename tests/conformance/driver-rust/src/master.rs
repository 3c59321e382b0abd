//! A master, driven by commands.

use std::sync::{Mutex, mpsc};

use libswarm::{Added, Choosing, DeleteReason, Error, ErrorKind, Event, JobState, Master, NewJob, Outcome, Payload};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::flows;
use crate::follow::Follower;
use crate::limits;
use crate::line::{Answer, Command, bytes, misuse};
use crate::messages::{self, Last};
use crate::metrics;
use crate::schedules;

pub struct MasterDriver {
    master: Master,
    wake: std::sync::Arc<Notify>,
    last: Last,
    chooser: Mutex<Option<AbortHandle>>,
    follower: Follower,
}

impl MasterDriver {
    pub fn start(command: &Command, runtime: &Handle) -> Result<Self, Error> {
        let master = Master::start(crate::options(command, &["log"])?, runtime)?;
        let wake = std::sync::Arc::new(Notify::new());
        let notify = wake.clone();
        master.set_wake(move || notify.notify_one());
        Ok(MasterDriver { master, wake, last: Last::default(), chooser: Mutex::default(), follower: Follower::default() })
    }

    pub async fn reset(self) {
        // Closed already, or Redis is gone: both are ways to end.
        let _ = self.master.close().await;
    }

    pub async fn obey(&self, command: &Command) -> Result<Answer, Error> {
        let master = &self.master;
        if let Some(answer) = messages::obey(&master.messages(), &self.last, command).await? {
            return Ok(answer);
        }
        if let Some(answer) = limits::obey(master, command).await? {
            return Ok(answer);
        }
        if let Some(answer) = metrics::obey(master, command).await? {
            return Ok(answer);
        }
        if let Some(answer) = flows::obey(master, command).await? {
            return Ok(answer);
        }
        if let Some(answer) = self.follower.obey(master, command).await? {
            return Ok(answer);
        }
        if let Some(answer) = schedules::obey(master, command).await? {
            return Ok(answer);
        }
        match command.name.as_str() {
            "exit_on_kill" => {
                master.on_kill(messages::exit_on_kill(command)?);
                master.messages().listen().await?;
                Ok(Answer::ok())
            }
            "ready" => {
                master.ready().await?;
                Ok(Answer::ok().with("incarnation", master.incarnation().unwrap_or_default()))
            }
            "health" => Answer::ok().with_fields(&master.health()),
            "stats" => Answer::ok().with_fields(&master.stats().await?),
            "add" => Ok(show_added(&master.add(new_job(command)?).await?)),
            "add_value" => {
                let added = master.add(NewJob::new(Payload::raw_json(hard_value(command.text("value")?)?))).await?;
                Ok(Answer::ok().with("id", added.id))
            }
            "add_many" => Ok(show_added_many(&master.add_many(new_jobs(command)?).await?)),
            "run_many" => {
                let ephemeral = command.get("keep") != Some("true");
                let jobs = new_jobs(command)?.into_iter().map(|job| job.ephemeral(ephemeral)).collect();
                let mut existed = Vec::new();
                let on_added = |added: &[Added]| existed.extend(added.iter().map(|job| job.existed));
                let outcomes = limited(command, master.run_many_with(jobs, on_added)).await?;
                let each = outcomes.into_iter().map(|outcome| match outcome.and_then(Outcome::into_result) {
                    Ok(payload) => String::from_utf8_lossy(&payload.bytes).into_owned(),
                    Err(error) => error.kind().name().to_owned(),
                });
                Ok(Answer::ok().with_list("outcomes", each).with_list("existed_each", existed))
            }
            "job" => match master.job(command.text("id")?).await? {
                Some(job) => Ok(Answer::ok()
                    .with("state", job.state.name())
                    .with("holder", job.holder.as_deref().unwrap_or(""))
                    .with("fence", job.fence.unwrap_or(0))
                    .with("attempt", job.attempt)
                    .with("priority", job.priority)
                    .with("task", &job.task)
                    .with("resource", &job.resource)
                    .with("group", &job.group)
                    .with_list("limits", &job.limits)
                    .with("progress", job.progress.as_deref().unwrap_or(""))
                    .with("checkpoint", job.checkpoint.as_deref().unwrap_or(""))
                    .with("error", job.failure.as_ref().map_or("", |failure| &failure.message))
                    .with("reason", job.failure.as_ref().map_or("", |failure| failure.reason.name()))
                    .with("result", job.result.as_ref().map_or("".into(), |result| String::from_utf8_lossy(&result.bytes)))
                    .with("result_omitted", job.result_omitted)
                    .with_list("log", job.log.iter().map(|line| &line.text))
                    .with_list("failed_attempts", job.failed_attempts.iter().map(|one| format!("{}:{}", one.reason, one.error)))),
                None => Ok(Answer::ok().with("state", "none")),
            },
            "jobs" => {
                let state = command.text("state")?;
                let state = JobState::from_name(state).ok_or_else(|| misuse(format!("no state `{state}`")))?;
                let after = command.get("after").filter(|after| !after.is_empty());
                let page = master.jobs(state, after, command.number("limit")? as u32).await?;
                let ids = page.jobs.iter().map(|job| &job.id);
                Ok(Answer::ok().with_list("ids", ids).with("next", page.next.as_deref().unwrap_or("")))
            }
            "queues" => {
                let queues = master.queues().await?;
                let each = queues.queues.iter().map(|queue| format!("{}:{}:{}", queue.priority, queue.task, queue.waiting));
                Ok(Answer::ok()
                    .with_list("queues", each)
                    .with_list("limits", queues.limits.iter().map(|limit| &limit.name))
                    .with_list("paused", queues.paused)
                    .with("chooser", queues.chooser.is_some()))
            }
            "choose" => self.choose(command).await,
            "stop_choosing" => master.stop_choosing().await.map(|()| Answer::ok()),
            "members" => {
                let members = master.members().await?;
                let each = members.iter().map(|member| {
                    format!("{}:{}:{}:{}", member.role.name(), member.name, member.slots.unwrap_or(0), member.active)
                });
                Ok(Answer::ok()
                    .with_list("members", each)
                    .with_list("data", members.iter().map(|member| member.data.as_deref().unwrap_or("")))
                    .with_list("paused", members.iter().map(|member| member.paused)))
            }
            "pause" => master.pause(command.get("task")).await.map(|()| Answer::ok()),
            "resume" => master.resume(command.get("task")).await.map(|()| Answer::ok()),
            "set_worker_slots" => {
                let slots = command.number("slots")? as u32;
                Ok(Answer::ok().with("existed", master.set_worker_slots(command.text("worker")?, slots).await?))
            }
            "pause_worker" => Ok(Answer::ok().with("existed", master.pause_worker(command.text("worker")?).await?)),
            "resume_worker" => Ok(Answer::ok().with("existed", master.resume_worker(command.text("worker")?).await?)),
            "retry_failed" => Ok(Answer::ok().with("count", master.retry_failed(ids(command)?.as_deref()).await?)),
            "delete_failed" => Ok(Answer::ok().with("count", master.delete_failed(ids(command)?.as_deref()).await?)),
            "delete_completed" => Ok(Answer::ok().with("count", master.delete_completed(ids(command)?.as_deref()).await?)),
            "flood" => self.flood(command.number("count")?, command.payload()?),
            "delete" => Ok(Answer::ok().with("existed", master.delete(command.text("id")?).await?)),
            "delete_many" => {
                let existed = master.delete_many(command.list("ids")?).await?;
                Ok(Answer::ok().with_list("existed_each", existed))
            }
            "result" => outcome(limited(command, master.result(command.text("id")?)).await?),
            "run" => {
                let mut existed = false;
                let run = master.run_with(new_job(command)?, |added| existed = added.existed);
                let finished = limited(command, run).await?;
                Ok(outcome(finished)?.with("existed", existed))
            }
            "obliterate" => master.obliterate().await.map(|()| Answer::ok()),
            "close" => master.close().await.map(|()| Answer::ok()),
            "event" => Ok(self.event(command).await?),
            _ => Err(crate::unknown(command)),
        }
    }

    /// Chooses the worker of one name, or none.
    async fn choose(&self, command: &Command) -> Result<Answer, Error> {
        let choosing = Choosing { within: command.time("limit")?, tasks: command.list("tasks")? };
        let name = command.text("worker")?.to_owned();
        // Errors at once; then it goes on beside the other commands.
        self.master.start_choosing(choosing.clone()).await?;
        let master = self.master.clone();
        let choosing = tokio::spawn(async move {
            master.choose(choosing, |_, workers| workers.iter().position(|(worker, _)| worker.name == name)).await
        });
        if let Some(before) = self.chooser.lock().expect("not poisoned").replace(choosing.abort_handle()) {
            before.abort();
        }
        Ok(Answer::ok())
    }

    /// Every add is a call of its own; libswarm gathers those made while one is in flight.
    fn flood(&self, count: u64, payload: Payload) -> Result<Answer, Error> {
        let (done, outcomes) = mpsc::channel();
        for _ in 0..count {
            let done = done.clone();
            // The receiver is there until all have answered or one has failed.
            let report = move |added: Result<Vec<_>, Error>| drop(done.send(added));
            self.master.submit(vec![NewJob::new(payload.clone())], Box::new(report));
        }
        drop(done);
        let mut ids = Vec::new();
        for added in outcomes {
            ids.extend(added?.into_iter().map(|job| job.id));
        }
        Ok(Answer::ok().with_list("ids", ids))
    }

    async fn event(&self, command: &Command) -> Result<Answer, Error> {
        let limit = command.time("timeout")?;
        let next = async {
            loop {
                if let Some(event) = self.master.take_events(1).pop() {
                    return event;
                }
                self.wake.notified().await;
            }
        };
        Ok(match timeout(limit, next).await {
            Ok(event) => {
                self.last.keep(&event);
                describe(&event)
            }
            Err(_) => Answer::ok().with("event", "none"),
        })
    }
}

/// The answer for an event that masters and workers share.
pub fn describe(event: &Event) -> Answer {
    let answer = Answer::ok();
    match event {
        Event::Ready { incarnation } => answer.with("event", "ready").with("incarnation", incarnation),
        Event::Close(error) => answer.with("event", "close").with("code", error.as_ref().map_or("", |error| error.kind().name())),
        Event::Error(error) => answer.with("event", "error").with("code", error.kind().name()).with("message", error.message()),
        Event::Message(message) => {
            let answer = answer.with("event", "message").with("from", &message.from().name).with("group", &message.from().group);
            answer.with("wants_reply", message.wants_reply()).with_payload(message.payload())
        }
        Event::Kill { code, from } => answer.with("event", "kill").with("code", code).with("from", &from.name),
        Event::Member { change, role, member } => {
            answer.with("event", "member").with("change", change.name()).with("role", role.name()).with("name", &member.name)
        }
        Event::Add(job) => {
            let answer = answer.with("event", "add").with("id", &job.id).with("fence", job.fence).with("crashes", job.crashes);
            let answer = answer.with("attempt", job.attempt()).with("priority", job.priority()).with("task", job.task());
            let answer = answer
                .with("resource", job.resource())
                .with("group", job.group())
                .with("checkpoint", job.last_checkpoint().unwrap_or(""))
                .with("scheduled_for", job.scheduled_for().map_or(String::new(), |slot| slot.to_string()))
                .with_list("headers", job.headers().map(|(name, value)| format!("{name}={value}")));
            answer.with_payload(&job.payload)
        }
        Event::Completed { job } => answer.with("event", "completed").with("id", &job.id).with("fence", job.fence),
        Event::Failed { job, error } => {
            let answer = answer.with("event", "failed").with("id", &job.id).with("fence", job.fence);
            answer.with("message", &error.message).with("traceback", &error.traceback)
        }
        Event::Retrying { job, error, delay } => {
            let answer = answer.with("event", "retrying").with("id", &job.id).with("fence", job.fence);
            answer.with("message", &error.message).with("traceback", &error.traceback).with("delay", delay.as_millis())
        }
        Event::Delete { job, reason } => {
            let reason = match reason {
                DeleteReason::Deleted => "deleted",
                DeleteReason::Terminated => "terminated",
                DeleteReason::LeaseLost => "leaselost",
                DeleteReason::TimedOut => "timedout",
                DeleteReason::Moved => "moved",
            };
            answer.with("event", "delete").with("id", &job.id).with("fence", job.fence).with("reason", reason)
        }
    }
}

/// JSON text at the edges of what can be written or read.
fn hard_value(name: &str) -> Result<String, Error> {
    Ok(match name {
        "deep" => "[".repeat(10_000) + &"]".repeat(10_000),
        "big" => "9007199254740993".into(),
        "surrogate" => "\"\\ud800\"".into(),
        "nan" => "NaN".into(),
        other => return Err(misuse(format!("no value `{other}`"))),
    })
}

pub fn new_job(command: &Command) -> Result<NewJob, Error> {
    set_options(NewJob::new(command.payload()?), command)
}

/// The jobs of `payloads`, with the ids of `ids`, if there are any.
pub fn new_jobs(command: &Command) -> Result<Vec<NewJob>, Error> {
    let ids = command.list("ids")?;
    let job = |(index, payload): (usize, &String)| {
        let job = set_options(NewJob::new(Payload::raw_json(bytes(payload)?)), command)?;
        Ok(match ids.get(index) {
            Some(id) => job.id(id),
            None => job,
        })
    };
    command.list("payloads")?.iter().enumerate().map(job).collect()
}

/// Every field that is not the command's own is an option of the job.
fn set_options(mut job: NewJob, command: &Command) -> Result<NewJob, Error> {
    for (name, value) in &command.fields {
        if name == "after" {
            for id in command.list(name)? {
                job.set(name, &id)?;
            }
        } else if !matches!(name.as_str(), "payload" | "payloads" | "ids" | "type" | "timeout" | "keep") {
            job.set(name, value)?;
        }
    }
    Ok(job)
}

/// A job that was added.
pub fn show_added(added: &Added) -> Answer {
    Answer::ok().with("id", &added.id).with("existed", added.existed).with("replaced", added.replaced)
}

/// Jobs that were added.
pub fn show_added_many(added: &[Added]) -> Answer {
    let ids = added.iter().map(|job| &job.id);
    Answer::ok().with_list("ids", ids).with_list("existed_each", added.iter().map(|job| job.existed))
}

/// The ids of a command that may leave them out.
fn ids(command: &Command) -> Result<Option<Vec<String>>, Error> {
    command.get("ids").map(|_| command.list("ids")).transpose()
}

async fn limited<T>(command: &Command, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let limit = command.time("timeout")?;
    let late = || Error::new(ErrorKind::Timeout, format!("no outcome within {} ms", limit.as_millis()));
    timeout(limit, call).await.map_err(|_| late())?
}

fn outcome(outcome: Outcome) -> Result<Answer, Error> {
    match outcome {
        Outcome::Completed(payload) => Ok(Answer::ok().with_payload(&payload)),
        Outcome::Failed(failure) if failure.reason.name().is_empty() => Err(misuse("a failure without a reason")),
        Outcome::Failed(failure) => Err(Error::new(failure.kind(), failure.message)),
    }
}
