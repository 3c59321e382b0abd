//! A worker, driven by commands.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use libswarm::{BatchBy, Batching, Error, ErrorKind, Event, Finish, Job, Payload, Worker};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::journal::Journal;
use crate::line::{Answer, Command, misuse};
use crate::master::{describe, new_job, new_jobs, show_added, show_added_many};
use crate::messages::{self, Last};

/// What the handler does with a job.
#[derive(Clone, Copy, PartialEq)]
enum Behaviour {
    Hold,
    Echo,
    Burn(Duration),
    Wait(Duration),
    Late,
    /// Batches only.
    Fail,
}

/// What the program is notified of.
enum Report {
    Event(Event),
    /// The ids and fences of a batch.
    Batch(Vec<(String, u64)>),
}

/// What the handlers saw.
#[derive(Default, serde::Serialize)]
struct Counts {
    added: AtomicU64,
    deleted: AtomicU64,
    completed: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
}

struct Shared {
    worker: Worker,
    behaviour: Behaviour,
    journal: Journal,
    counts: Counts,
    /// The nodes of jobs that wait for others, or that others wait for, by fence.
    nodes: Mutex<HashMap<u64, String>>,
}

pub struct WorkerDriver {
    shared: Arc<Shared>,
    events: UnboundedReceiver<Report>,
    drained: Option<oneshot::Receiver<Result<(), Error>>>,
    last: Last,
}

impl WorkerDriver {
    pub fn start(command: &Command, runtime: &Handle) -> Result<Self, Error> {
        let behaviour = match command.get("behave") {
            None | Some("hold") => Behaviour::Hold,
            Some("echo") => Behaviour::Echo,
            Some("burn") => Behaviour::Burn(command.time("burn")?),
            Some("wait") => Behaviour::Wait(command.time("burn")?),
            Some("late") => Behaviour::Late,
            Some("fail") => Behaviour::Fail,
            Some(other) => return Err(misuse(format!("no behaviour `{other}`"))),
        };
        let journal = Journal::open(command.get("log"))?;
        let own = ["behave", "burn", "log", "batch_size", "batch_wait", "batch_by"];
        let batching = command.get("batch_size").map(|_| batching(command)).transpose()?;
        let worker = Worker::start(crate::options(command, &own)?, runtime)?;
        let shared = Arc::new(Shared { worker, behaviour, journal, counts: Counts::default(), nodes: Mutex::default() });
        let (report, events) = unbounded_channel();
        match batching {
            Some(batching) => handle_batches(&shared, batching, report, runtime)?,
            None => drop(runtime.spawn(handle_events(shared.clone(), report))),
        }
        Ok(WorkerDriver { shared, events, drained: None, last: Last::default() })
    }

    pub async fn reset(self) {
        // Terminated already, or Redis is gone: both are ways to end.
        let _ = self.shared.worker.terminate(Duration::ZERO).await;
    }

    pub async fn obey(&mut self, command: &Command) -> Result<Answer, Error> {
        let worker = &self.shared.worker;
        if let Some(answer) = messages::obey(&worker.messages(), &self.last, command).await? {
            return Ok(answer);
        }
        match command.name.as_str() {
            "exit_on_kill" => {
                worker.on_kill(messages::exit_on_kill(command)?);
                worker.messages().listen().await?;
                Ok(Answer::ok())
            }
            "ready" => {
                worker.ready().await?;
                Ok(Answer::ok().with("incarnation", worker.incarnation().unwrap_or_default()))
            }
            "health" => Answer::ok().with_fields(&worker.health()),
            "stats" => Answer::ok().with_fields(&worker.stats().await?),
            "counts" => Answer::ok().with_fields(&self.shared.counts),
            "event" => Ok(match timeout(command.time("timeout")?, self.events.recv()).await {
                Ok(Some(Report::Event(event))) => {
                    self.last.keep(&event);
                    describe(&event)
                }
                Ok(Some(Report::Batch(jobs))) => {
                    let answer = Answer::ok().with("event", "batch").with_list("ids", jobs.iter().map(|(id, _)| id));
                    let numbered = jobs.iter().enumerate();
                    numbered.fold(answer, |answer, (at, (_, fence))| answer.with(&format!("fence_{}", at + 1), fence))
                }
                Ok(None) | Err(_) => Answer::ok().with("event", "none"),
            }),
            "complete" => self.finish(command, Finish::Complete(command.payload()?)).await,
            "fail" => self.finish(command, Finish::Fail(command.text("message")?.into())).await,
            "fail_permanently" => self.finish(command, Finish::FailPermanently(command.text("message")?.into())).await,
            "rate_limited" => {
                let limit = command.get("limit").map(str::to_owned);
                self.finish(command, Finish::RateLimited { pause: command.time("after")?, limit }).await
            }
            "retry" => self.finish(command, Finish::Retry(command.text("message")?.into(), command.time("after")?)).await,
            "progress" => {
                worker.progress(command.number("fence")?, command.payload()?.bytes)?;
                Ok(Answer::ok())
            }
            "checkpoint" => {
                worker.checkpoint(command.number("fence")?, command.payload()?.bytes)?;
                Ok(Answer::ok())
            }
            "log" => {
                worker.log(command.number("fence")?, command.text("text")?);
                Ok(Answer::ok())
            }
            "inputs" => {
                let fence: u64 = command.number("fence")?;
                let node = self.shared.nodes.lock().expect("no thread panics with it").get(&fence).cloned().unwrap_or_default();
                let inputs = worker.inputs(&node).await?;
                Ok(Answer::ok().with("inputs", libswarm::inputs_to_json(&inputs)))
            }
            "tasks" => worker.set_tasks(command.list("tasks")?).map(|()| Answer::ok()),
            "set_slots" => worker.set_slots(command.number("slots")? as u32).map(|()| Answer::ok()),
            "pause" => worker.pause().map(|()| Answer::ok()),
            "resume" => worker.resume().map(|()| Answer::ok()),
            "paused" => Ok(Answer::ok().with("paused", worker.is_paused())),
            "add" => Ok(show_added(&worker.add(new_job(command)?).await?)),
            "add_many" => Ok(show_added_many(&worker.add_many(new_jobs(command)?).await?)),
            "release" => self.finish(command, Finish::Release).await,
            "delete" => Ok(Answer::ok().with("existed", worker.delete(command.text("id")?).await?)),
            "drain" => {
                let (worker, (done, drained)) = (worker.clone(), oneshot::channel());
                self.drained = Some(drained);
                // The outcome may never be asked for.
                tokio::spawn(async move { drop(done.send(worker.drain().await)) });
                Ok(Answer::ok())
            }
            "drained" => {
                let drained = self.drained.as_mut().ok_or_else(|| misuse("`drained` needs `drain` before"))?;
                let late = || Error::new(ErrorKind::Timeout, "the worker is not drained yet");
                let outcome = timeout(command.time("timeout")?, drained).await.map_err(|_| late())?;
                outcome.map_err(|_| misuse("the drain was never ended"))?.map(|()| Answer::ok())
            }
            "terminate" => worker.terminate(command.time("grace")?).await.map(|()| Answer::ok()),
            _ => Err(crate::unknown(command)),
        }
    }

    async fn finish(&self, command: &Command, finish: Finish) -> Result<Answer, Error> {
        let (done, outcome) = oneshot::channel();
        // The receiver waits below.
        let report = move |result: Result<(), Error>| drop(done.send(result));
        self.shared.worker.finish(command.number("fence")?, finish, Some(Box::new(report)));
        outcome.await.map_err(|_| misuse("the outcome of a finish was never reported"))??;
        Ok(Answer::ok())
    }
}

fn batching(command: &Command) -> Result<Batching, Error> {
    let by = match command.get("batch_by") {
        None | Some("task") => BatchBy::Task,
        Some("group") => BatchBy::Group,
        Some(other) => return Err(misuse(format!("no batches by `{other}`"))),
    };
    let wait = command.get("batch_wait").map_or(Ok(Duration::ZERO), |_| command.time("batch_wait"))?;
    let batching = Batching::new(command.number("batch_size")? as u32).wait(wait).by(by);
    // Before there is a worker.
    batching.check().map(|()| batching)
}

/// Keeps the handler of a batch until its jobs are finished, or must stop.
fn handle_batches(
    shared: &Arc<Shared>,
    batching: Batching,
    report: UnboundedSender<Report>,
    runtime: &Handle,
) -> Result<(), Error> {
    let (all, reports) = (shared.clone(), report.clone());
    let handler = move |jobs: Vec<Job>| {
        all.counts.added.fetch_add(jobs.len() as u64, Relaxed);
        // Nothing receives it after a reset.
        let _ = reports.send(Report::Batch(jobs.iter().map(|job| (job.id.clone(), job.fence)).collect()));
        let all = all.clone();
        async move {
            match all.behaviour {
                Behaviour::Fail => return Err("no"),
                Behaviour::Echo => jobs.iter().for_each(|job| complete(&all, job)),
                _ => {
                    for job in &jobs {
                        job.cancelled().await;
                    }
                }
            }
            Ok(())
        }
    };
    let process = shared.worker.process_batches(batching, handler)?.on_event(move |event| {
        let _ = report.send(Report::Event(event));
    });
    runtime.spawn(process.until(std::future::pending()));
    Ok(())
}

async fn handle_events(shared: Arc<Shared>, report: UnboundedSender<Report>) {
    while let Some(event) = shared.worker.next().await {
        match &event {
            Event::Ready { incarnation } => shared.journal.note("ready", &[("incarnation", incarnation)]),
            Event::Add(job) => {
                shared.note_add(job);
                if !job.node().is_empty() {
                    shared.nodes.lock().expect("no thread panics with it").insert(job.fence, job.node().to_owned());
                }
                shared.counts.added.fetch_add(1, Relaxed);
                match shared.behaviour {
                    Behaviour::Hold | Behaviour::Late | Behaviour::Fail => {}
                    Behaviour::Echo => complete(&shared, job),
                    Behaviour::Wait(time) => {
                        let (shared, job) = (shared.clone(), job.clone());
                        tokio::spawn(async move {
                            tokio::time::sleep(time).await;
                            complete(&shared, &job);
                        });
                    }
                    Behaviour::Burn(time) => {
                        tokio::task::block_in_place(|| burn(time));
                        complete(&shared, job);
                    }
                }
            }
            Event::Delete { job, .. } => {
                shared.note("delete", job);
                shared.counts.deleted.fetch_add(1, Relaxed);
                match shared.behaviour {
                    Behaviour::Late => complete(&shared, job),
                    _ => shared.worker.finish(job.fence, Finish::Stopped, None),
                }
            }
            Event::Close(_) => {
                shared.journal.note("close", &[("incarnation", &shared.worker.incarnation().unwrap_or_default())]);
                shared.counts.closed.fetch_add(1, Relaxed);
            }
            Event::Completed { .. } | Event::Failed { .. } | Event::Retrying { .. } => {}
            Event::Error(_) | Event::Message(_) | Event::Kill { .. } | Event::Member { .. } => {}
        }
        // The other behaviours may see more jobs than anyone will ask about.
        let asked_about = matches!(shared.behaviour, Behaviour::Hold | Behaviour::Late);
        if asked_about || !matches!(event, Event::Add(_)) {
            // Nothing receives it after a reset.
            let _ = report.send(Report::Event(event));
        }
    }
}

fn complete(shared: &Arc<Shared>, job: &Job) {
    let (all, active) = (shared.clone(), job.clone());
    let payload = Payload { bytes: job.payload.bytes.clone(), content_type: job.payload.content_type };
    let report = move |outcome: Result<(), Error>| match outcome {
        Ok(()) => {
            all.note("completed", &active);
            all.counts.completed.fetch_add(1, Relaxed);
        }
        Err(error) => {
            let (fence, code) = (active.fence.to_string(), error.kind().name());
            all.journal.note("refused", &[("job", &active.id), ("fence", &fence), ("code", code)]);
            all.counts.refused.fetch_add(1, Relaxed);
        }
    };
    shared.worker.finish(job.fence, Finish::Complete(payload), Some(Box::new(report)));
}

fn burn(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

impl Shared {
    fn note_add(&self, job: &Job) {
        let (fence, incarnation, payload) =
            (job.fence.to_string(), self.worker.incarnation().unwrap_or_default(), hex::encode(&job.payload.bytes));
        let fields = [("job", job.id.as_str()), ("fence", &fence), ("incarnation", &incarnation), ("payload", &payload)];
        self.journal.note("add", &fields);
    }

    fn note(&self, event: &str, job: &Job) {
        let (fence, incarnation) = (job.fence.to_string(), self.worker.incarnation().unwrap_or_default());
        self.journal.note(event, &[("job", &job.id), ("fence", &fence), ("incarnation", &incarnation)]);
    }
}
