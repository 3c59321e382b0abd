//! One process with its group, from its start until no process of the group is left.

use std::io::PipeReader;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::FdFlags;
use rustix::process::Signal;
use tokio::net::unix::pipe::Receiver;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::event::{ProcessExit, ProcessState, ProcessStream};
use super::forward::Forward;
use super::guard::{Guard, add_self, pipe};
use super::list::{Entry, List};
use super::options::SupervisorOptions;
use super::output::{Output, Sink};
use super::program::{Program, ReadyBy};
use super::queue::EventQueue;
use super::spawner::{Process, Spawner};
use super::supervised::{PROCESS_NAME, READY_FD, SUPERVISOR_PID};
use super::system::{Cpus, before_exec, group_is_alive, group_is_left, reap_orphans, signal_group, unblock_signals};

/// How long a group may take to vanish after KILL.
const AFTER_KILL: Duration = Duration::from_secs(1);

/// State that all processes of a supervisor share.
pub(super) struct Context {
    pub(super) options: SupervisorOptions,
    pub(super) events: Arc<EventQueue>,
    pub(super) list: Arc<List>,
    pub(super) spawner: Spawner,
    pub(super) guard: Arc<Guard>,
    pub(super) forward: Option<Forward>,
}

/// A process that is dropped before [`Child::finish`] is killed with its group.
pub(super) struct Child {
    process: Process,
    said_ready: Option<Receiver>,
    /// The time until which it must report that it is ready.
    pub(super) ready_by: Instant,
    ready_at: Option<Instant>,
    output: Output,
    guard: Arc<Guard>,
    /// None once the process is reaped and another row of the list replaces this one.
    entry: Option<Entry>,
    finished: bool,
}

impl Child {
    /// Starts a process; the error contains the reason if that fails.
    pub(super) async fn start(
        context: &Context,
        program: &Arc<Program>,
        id: u64,
        name: &Arc<str>,
        restarts: u64,
    ) -> Result<Child, String> {
        let text = |error: &dyn std::fmt::Display| {
            let dir = program.dir.as_ref().map_or(String::new(), |dir| format!(" in {}", dir.display()));
            format!("{}{dir}: {error}", program.command.display())
        };
        let (prepare, said_ready) = prepare(context, program, name).map_err(|error| text(&error))?;
        let guard = context.guard.clone();
        let after = move |started: &std::io::Result<super::spawner::Started>| {
            guard.after_fork(started.as_ref().ok().map(super::spawner::Started::pid));
        };
        let mut started = context.spawner.spawn(prepare, after).await.map_err(|error| text(&error))?;
        let pid = started.pid();
        let (out, err) = started.child().map_or((None, None), |child| (child.stdout.take(), child.stderr.take()));
        let sink = Sink {
            id,
            name: name.clone(),
            pid: pid as u32,
            events: context.options.lines.then(|| context.events.clone()),
            forward: context.forward.clone(),
        };
        let mut output = Output::default();
        out.into_iter().for_each(|fd| output.read(ProcessStream::Stdout, fd.into(), sink.clone()));
        err.into_iter().for_each(|fd| output.read(ProcessStream::Stderr, fd.into(), sink.clone()));
        let said_ready = said_ready.map(|fd| Receiver::from_owned_fd(fd.into())).transpose();
        Ok(Child {
            process: started.watch(),
            // If the pipe cannot be read, the process will not be ready in time.
            said_ready: said_ready.unwrap_or_default(),
            ready_by: Instant::now() + program.ready_timeout,
            ready_at: None,
            output,
            guard: context.guard.clone(),
            entry: Some(context.list.add(id, name, Some(pid as u32), ProcessState::Starting, restarts)),
            finished: false,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid as u32
    }

    /// Resolves when the process has exited; it is not reaped yet.
    pub(super) async fn exited(&self) {
        self.process.exited().await;
    }

    /// Resolves when the process has reported that it is ready.
    pub(super) async fn said_ready(&self) {
        if let Some(pipe) = &self.said_ready {
            while pipe.readable().await.is_ok() {
                match pipe.try_read(&mut [0; 16]) {
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    // Closed without a report: the process will never be ready.
                    Ok(0) | Err(_) => break,
                    Ok(_) => return,
                }
            }
        }
        std::future::pending().await
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready_at.is_some()
    }

    pub(super) fn set_ready(&mut self) {
        self.ready_at = Some(Instant::now());
        self.said_ready = None;
        self.show(ProcessState::Ready);
    }

    fn show(&self, state: ProcessState) {
        if let Some(entry) = &self.entry {
            entry.set(state);
        }
    }

    /// The process was reaped: its process id may be reused.
    pub(super) fn unlist(&mut self) {
        self.entry = None;
    }

    /// How long the process has been ready.
    pub(super) fn ready_for(&self) -> Option<Duration> {
        self.ready_at.map(|at| at.elapsed())
    }

    /// Sends TERM to the group, and KILL if the process has not exited after `grace`. [`Child::finish`] handles the rest of the group.
    pub(super) async fn stop(&mut self, grace: Duration) -> ProcessExit {
        self.show(ProcessState::Stopping);
        signal_group(self.process.pid, Signal::TERM);
        if timeout_at(Instant::now() + grace, self.exited()).await.is_err() {
            signal_group(self.process.pid, Signal::KILL);
            self.exited().await;
        }
        self.reap().await
    }

    /// After the process has exited: returns how, once all its output is emitted. Sends TERM to the rest of its group.
    pub(super) async fn reap(&mut self) -> ProcessExit {
        self.show(ProcessState::Stopping);
        // While the process is not reaped, the system does not reuse the group's number.
        signal_group(self.process.pid, Signal::TERM);
        self.output.settle().await;
        self.process.reap()
    }

    /// After `reap`: waits until no process of the group is left, and kills the rest at `deadline`. The system has no call that waits for a group,
    /// so it checks at growing intervals, and only if there is a rest.
    pub(super) async fn finish(mut self, deadline: Instant) {
        let group = self.process.pid;
        let mut pause = Duration::from_millis(5);
        let mut killed = false;
        let mut until = deadline;
        loop {
            reap_orphans(group);
            if !group_is_left(group) {
                break;
            }
            let now = Instant::now();
            if now >= until {
                if killed {
                    // Dead processes that nobody has reaped yet do no harm.
                    if group_is_alive(group) {
                        tracing::warn!(group, "processes of the group are left after KILL");
                    }
                    break;
                }
                signal_group(group, Signal::KILL);
                killed = true;
                until = now + AFTER_KILL;
                pause = Duration::from_millis(5);
            }
            sleep_until(until.min(now + pause)).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        }
        self.finished = true;
        self.guard.remove(group);
        std::mem::take(&mut self.output).finish().await;
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A process that is not reaped kills its group itself.
        if !self.finished && self.process.is_reaped() && group_is_left(self.process.pid) {
            signal_group(self.process.pid, Signal::KILL);
        }
    }
}

/// Builds the command, on the thread that forks. Returns the end of the pipe on which the process reports that it is ready, too.
fn prepare(
    context: &Context,
    program: &Arc<Program>,
    name: &Arc<str>,
) -> std::io::Result<(impl FnOnce() -> Command + Send + 'static, Option<PipeReader>)> {
    let (reader, writer) = match program.ready {
        ReadyBy::Explicit => Some(pipe()?).unzip(),
        ReadyBy::Start => (None, None),
    };
    let cpus = Cpus::new(&program.cpus).map_err(std::io::Error::other)?;
    let (program, name, guard) = (program.clone(), name.clone(), context.guard.clone());
    let is_read = context.options.lines || context.options.forward;
    let make = move || {
        let output = || if is_read { Stdio::piped() } else { Stdio::null() };
        let parent = std::process::id();
        let mut command = Command::new(&program.command);
        // No input: a background process of a terminal is stopped when it reads from the terminal.
        command.args(&program.args).stdin(Stdio::null()).stdout(output()).stderr(output()).process_group(0);
        if let Some(dir) = &program.dir {
            command.current_dir(dir);
        }
        // If this process is supervised itself, the descriptor of its supervisor must not reach its children.
        command.env_remove(READY_FD);
        command.env(SUPERVISOR_PID, parent.to_string()).env(PROCESS_NAME, &*name);
        command.envs(program.env.iter().map(|(name, value)| (name, value)));
        if let Some(writer) = &writer {
            command.env(READY_FD, writer.as_raw_fd().to_string());
        }
        guard.before_fork();
        let guard = guard.fd();
        // SAFETY: only calls that are safe after a fork, and no allocation. The descriptors are open: that of the guard is not closed while there
        // are processes, the closure owns the other one.
        unsafe {
            command.pre_exec(move || {
                add_self(guard);
                unblock_signals();
                before_exec(parent, &cpus)?;
                if let Some(writer) = &writer {
                    rustix::io::fcntl_setfd(writer, FdFlags::empty())?;
                }
                Ok(())
            });
        }
        command
    };
    Ok((make, reader))
}
