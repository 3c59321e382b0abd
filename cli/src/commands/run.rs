//! `swarm run`: a worker that runs a command for each job.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libswarm::{Event, Finish, Job, MAX_RESULT, Payload, Worker};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::connection;
use crate::exit::{Exit, Trouble};
use crate::global::Global;
use crate::output::times::parse_duration;
use crate::output::{Output, count, legible};
use crate::signals::Stop;

/// EX_TEMPFAIL of sysexits.h.
const TEMPORARY: i32 = 75;
/// The lines of stderr that are the error of a failed job, the last ones, and their bytes at most.
const LINES: usize = 20;
const LINE: usize = 1024;
/// How long a command may take to end after SIGKILL.
const LAST_CHANCE: Duration = Duration::from_secs(1);
/// The longest grace of a worker that is terminated.
const MAX_GRACE: Duration = Duration::from_secs(86_400);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The command gets the payload on stdin, and SWARM_JOB_ID, SWARM_TASK, SWARM_ATTEMPT and SWARM_FENCE in its environment.
What it prints is the result: JSON, or else text.
It ends with 0: the job is completed. With 75: the attempt failed, and retries follow. Otherwise: the job failed;
the last lines of stderr are the error.
If the job is deleted, the command and its children get SIGTERM, and SIGKILL after --kill-after.
On SIGINT and SIGTERM the worker takes no more jobs and waits for those that run; the second signal stops them.")]
pub(crate) struct Args {
    /// The task; "" for jobs without one.
    task: String,
    /// How many jobs run at once.
    #[arg(long, short, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), value_name = "NUMBER")]
    slots: u32,
    /// The name of the worker.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The group of the worker.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// How long the worker may be silent before its jobs move to others.
    #[arg(long, value_parser = parse_duration, value_name = "TIME")]
    lease: Option<Duration>,
    /// How long a command may take to stop after SIGTERM.
    #[arg(long, value_parser = parse_duration, default_value = "10s", value_name = "TIME")]
    kill_after: Duration,
    /// Write the lines of stderr to the log of the job, too.
    #[arg(long)]
    log: bool,
    /// The command and its arguments.
    #[arg(required = true, last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// What the tasks of the jobs share.
struct Shared {
    worker: Worker,
    command: Vec<String>,
    kill_after: Duration,
    log: bool,
}

pub(crate) async fn run(args: &Args, global: &Global, output: &Output) -> Result<Exit, Trouble> {
    let program = &args.command[0];
    if !can_run(program) {
        return Err(Trouble::usage(format!("the command `{}` is not found, or cannot be executed", legible(program))));
    }
    let mut options = connection::cluster(global)?.options().clone();
    options.slots = Some(args.slots);
    options.tasks = vec![args.task.clone()];
    options.name = args.name.clone().unwrap_or_else(|| "swarm run".to_owned());
    options.group = args.group.clone().unwrap_or_default();
    options.lease = args.lease.unwrap_or(options.lease);
    let mut stop = Stop::new()?;
    let worker = Worker::start(options, &Handle::current())?;
    let (command, kill_after) = (args.command.clone(), args.kill_after);
    let shared = Arc::new(Shared { worker: worker.clone(), command, kill_after, log: args.log });
    let mut running: HashMap<u64, oneshot::Sender<()>> = HashMap::new();
    let (mut finished, mut leaving) = (tokio::task::JoinSet::new(), None);
    let mut refused = None;
    loop {
        let event = tokio::select! {
            event = worker.next() => event,
            () = stop.requested() => {
                let before: Option<JoinHandle<_>> = leaving.take();
                leaving = Some(match before {
                    None => {
                        let jobs = count(finished.len() as u64, "job");
                        output.note(format!("Taking no more jobs; {jobs} to go. A second signal stops them."));
                        tokio::spawn(leave(worker.clone()))
                    }
                    Some(before) => {
                        before.abort();
                        // With a `Delete` event for each job.
                        let (worker, grace) = (worker.clone(), (shared.kill_after + LAST_CHANCE).min(MAX_GRACE));
                        tokio::spawn(async move { worker.terminate(grace).await })
                    }
                });
                continue;
            }
            Some(done) = finished.join_next() => {
                if let Ok(fence) = done {
                    running.remove(&fence);
                }
                continue;
            }
        };
        match event {
            Some(Event::Ready { incarnation }) => output.note(format!("Worker {incarnation} is ready.")),
            Some(Event::Add(job)) => {
                let (stop, stopped) = oneshot::channel();
                running.insert(job.fence, stop);
                finished.spawn(one(shared.clone(), job, stopped));
            }
            Some(Event::Delete { job, .. }) => {
                // If it has ended meanwhile, its finish is on the way.
                let _ = running.remove(&job.fence).map(|stop| stop.send(()));
            }
            Some(Event::Error(error)) => {
                output.warn(error.message());
                // Before it was registered once, nothing is lost by an error that does not pass.
                if !error.kind().is_retryable() && worker.incarnation().is_none() {
                    refused = Some(error);
                    break;
                }
            }
            Some(Event::Close(_)) if worker.health().registrations > 0 && leaving.is_none() => {
                output.note("The lease was lost; the worker registers anew.");
            }
            Some(_) => {}
            None => break,
        }
    }
    if let Some(error) = refused {
        return Err(error.into());
    }
    while finished.join_next().await.is_some() {}
    match leaving {
        Some(leaving) => leaving.await.unwrap_or(Ok(()))?,
        None => return Err(Trouble::no("the worker was closed")),
    }
    Ok(Exit::Ok)
}

/// Waits until all jobs have ended, and leaves.
async fn leave(worker: Worker) -> Result<(), libswarm::Error> {
    worker.drain().await?;
    worker.terminate(Duration::ZERO).await
}

/// Runs one job to its end; returns its fencing token.
async fn one(shared: Arc<Shared>, job: Job, stopped: oneshot::Receiver<()>) -> u64 {
    let fence = job.fence;
    let finish = match start(&shared, &job) {
        Ok(child) => watched(&shared, &job, child, stopped).await,
        Err(error) => Finish::Fail(format!("the command could not be started: {error}").into()),
    };
    shared.worker.finish(fence, finish, None);
    fence
}

fn start(shared: &Shared, job: &Job) -> std::io::Result<Child> {
    let mut command = Command::new(&shared.command[0]);
    command.args(&shared.command[1..]).env("SWARM_JOB_ID", &job.id).env("SWARM_TASK", job.task());
    command.env("SWARM_ATTEMPT", job.attempt().to_string()).env("SWARM_FENCE", job.fence.to_string());
    // A group of its own: a signal reaches its children, too, and Ctrl-C only this program, which drains.
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    dies_with_parent(&mut command);
    command.spawn()
}

/// Has the system kill the command if this program is killed, because its job then starts elsewhere.
#[cfg(target_os = "linux")]
pub(super) fn dies_with_parent(command: &mut Command) {
    // SAFETY: only system calls are made between fork and exec, and no memory is allocated. The parent is the thread that spawns: the main one.
    unsafe {
        command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn dies_with_parent(_: &mut Command) {}

/// What was read of stdout, and the last lines of stderr.
type Printed = (std::io::Result<Vec<u8>>, String);

/// Passes the payload, waits for the end, and reads what was printed.
async fn watched(shared: &Shared, job: &Job, mut child: Child, mut stopped: oneshot::Receiver<()>) -> Finish {
    let group = child.id().and_then(|pid| Pid::from_raw(pid as i32));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (payload, log) = (job.payload.bytes.clone(), shared.log.then(|| job.clone()));
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A command that does not read its input closes it.
            let _ = stdin.write_all(&payload).await;
        }
    };
    let read = async move {
        let mut result = Vec::new();
        if let Some(mut stdout) = stdout {
            (&mut stdout).take(MAX_RESULT as u64 + 1).read_to_end(&mut result).await?;
            tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await?;
        }
        Ok(result)
    };
    let lines = async move {
        match stderr {
            Some(stderr) => last_lines(stderr, log).await,
            None => String::new(),
        }
    };
    let printed = async { tokio::join!(write, read, lines) };
    let mut printed = std::pin::pin!(printed);
    let (mut out, mut ended): (Option<Printed>, Option<ExitStatus>) = (None, None);
    let (mut stopping, mut last_chances) = (false, 0);
    let mut last_chance = std::pin::pin!(tokio::time::sleep(shared.kill_after));
    loop {
        // Children that the command left behind may have its output open. They are killed, and one that is in another group is not waited for.
        if let Some(status) = ended.filter(|_| out.is_some() || last_chances > 1) {
            let (result, error) = out.unwrap_or_else(|| (Ok(Vec::new()), String::new()));
            return match result {
                _ if stopping => Finish::Stopped,
                Ok(result) => finish_of(status, result, error, job.wants_result()),
                Err(failed) => Finish::Fail(format!("the output of the command could not be read: {failed}").into()),
            };
        }
        tokio::select! {
            ((), result, error) = &mut printed, if out.is_none() => out = Some((result, error)),
            status = child.wait(), if ended.is_none() => match status {
                Ok(status) => {
                    ended = Some(status);
                    last_chance.as_mut().reset(Instant::now() + shared.kill_after);
                }
                Err(error) => return Finish::Fail(format!("the command was lost: {error}").into()),
            },
            Ok(()) = &mut stopped, if !stopping => {
                stopping = true;
                signal(group, Signal::TERM);
                last_chance.as_mut().reset(Instant::now() + shared.kill_after);
            }
            () = &mut last_chance, if stopping || ended.is_some() => {
                signal(group, Signal::KILL);
                last_chances += 1;
                last_chance.as_mut().reset(Instant::now() + LAST_CHANCE);
            }
        }
    }
}

fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = kill_process_group(group, signal);
    }
}

/// Passes stderr on, and returns its last lines.
async fn last_lines(stderr: tokio::process::ChildStderr, log: Option<Job>) -> String {
    let (mut reader, mut last, mut line) = (BufReader::new(stderr), VecDeque::new(), Vec::new());
    loop {
        line.clear();
        // A line without an end is read in parts.
        match (&mut reader).take(LINE as u64).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return Vec::from(last).join("\n"),
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        // Nobody may read it.
        let _ = writeln!(std::io::stderr(), "{text}");
        if let Some(job) = &log {
            job.log(&text);
        }
        if last.len() == LINES {
            last.pop_front();
        }
        last.push_back(text);
    }
}

/// How the job ends when the command has ended by itself.
fn finish_of(status: ExitStatus, stdout: Vec<u8>, error: String, wanted: bool) -> Finish {
    use std::os::unix::process::ExitStatusExt;
    let error = if error.trim().is_empty() {
        match (status.code(), status.signal()) {
            (Some(code), _) => format!("the command ended with code {code}"),
            (None, signal) => format!("the command was ended by signal {}", signal.unwrap_or(0)),
        }
    } else {
        error
    };
    match status.code() {
        Some(0) if wanted && stdout.len() > MAX_RESULT => {
            Finish::FailPermanently(format!("the command printed more than {MAX_RESULT} bytes, the limit of a result").into())
        }
        Some(0) => Finish::Complete(result_of(&stdout)),
        Some(TEMPORARY) => Finish::Fail(error.into()),
        _ => Finish::FailPermanently(error.into()),
    }
}

/// JSON as it is, else text as a JSON string; nothing is null.
fn result_of(stdout: &[u8]) -> Payload {
    let trimmed = stdout.trim_ascii();
    if trimmed.is_empty() {
        return Payload::raw_json("null");
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(trimmed).is_ok() {
        return Payload::raw_json(trimmed);
    }
    let text = String::from_utf8_lossy(stdout);
    Payload::raw_json(serde_json::Value::from(text.trim_end_matches(['\n', '\r'])).to_string())
}

/// Whether a command can be started: a path, or a name on PATH.
pub(super) fn can_run(program: &str) -> bool {
    let executable = |path: &Path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return executable(Path::new(program));
    }
    std::env::var_os("PATH").is_some_and(|all| std::env::split_paths(&all).any(|folder| executable(&folder.join(program))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_json_or_text() {
        let result = |printed: &[u8]| String::from_utf8(result_of(printed).bytes).unwrap();
        for (printed, expected) in [
            ("", "null"),
            ("\n", "null"),
            (" {\"a\": 1}\n", "{\"a\": 1}"),
            ("12\n", "12"),
            ("done\n", "\"done\""),
            ("a\nb\n", "\"a\\nb\""),
        ] {
            assert_eq!(result(printed.as_bytes()), expected, "{printed:?}");
        }
        assert_eq!(result(b"\xff"), "\"\u{fffd}\"");
    }
}
