//! The guard process: it survives a supervisor that was killed, and kills its processes.

use libswarm_common::lock::Mutex;
use std::collections::BTreeSet;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::spawner::{Process, Spawner};
use super::system::close_others;
use libswarm_common::error::{Error, ErrorKind, Result};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{getpid, setsid};

/// Reads lines until all writers are gone, then kills the remaining groups. `*group` and `-group` add and remove one. `+group` comes from a child
/// itself, after a `=` of its parent; `!` revokes it if the child could not execute the program, because the parent then does not get its number.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
cd /
groups=' ' last=
remove() {
  case $groups in *" $1 "*) groups="${groups%% $1 *} ${groups#* $1 }" ;; esac
}
while read -r line; do
  case $line in +*) last=${line#?} ;; esac
  case $line in
    =) last= ;;
    '!') remove "$last" ;;
    [+*]*) group=${line#?}; remove "$group"; groups="$groups$group " ;;
    -*) remove "${line#-}" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group"; done
"#;

/// The pipe to the guard. All its ends are closed in programs that are executed, so the guard reads the end of the pipe when this process is gone.
pub(super) struct Guard {
    /// Kept open, so that a write never fails for lack of a reader: after a guard was killed, the next guard continues to read.
    reader: PipeReader,
    state: Mutex<State>,
}

struct State {
    writer: Option<PipeWriter>,
    groups: BTreeSet<i32>,
}

impl Guard {
    pub(super) fn new() -> Result<Guard> {
        let (reader, writer) = pipe().map_err(|e| Error::new(ErrorKind::Internal, format!("making the guard's pipe: {e}")))?;
        // A guard that does not read must not block writers.
        fcntl_setfl(&writer, OFlags::NONBLOCK)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("setting the guard's pipe: {e}")))?;
        Ok(Guard { reader, state: Mutex::new(State { writer: Some(writer), groups: BTreeSet::new() }) })
    }

    /// Runs the guard until [`Guard::close`]; restarts it if it is killed.
    pub(super) async fn run(self: Arc<Self>, spawner: Spawner) {
        loop {
            match self.start(&spawner).await {
                Ok(mut process) => {
                    process.exited().await;
                    process.reap();
                }
                Err(error) => tracing::warn!(%error, "the guard of processes cannot be started"),
            }
            if self.state.lock().writer.is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            tracing::warn!("the guard of processes was killed and is started again");
        }
    }

    async fn start(self: &Arc<Self>, spawner: &Spawner) -> io::Result<Process> {
        let stdin = self.reader.try_clone()?;
        let prepare = move || {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", SCRIPT, "swarm-guard"]).env_clear();
            command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
            // SAFETY: only calls that are safe after a fork.
            unsafe {
                command.pre_exec(|| {
                    close_others();
                    // Does not receive signals for this process' group or session.
                    Ok(setsid().map(drop)?)
                })
            };
            command
        };
        // The guard finds the groups in the pipe when it starts. If they exceed the 64 KiB of the pipe, the rest is sent when it reads.
        self.tell_all();
        let process = spawner.spawn(prepare, |_| ()).await?.watch();
        self.tell_all();
        Ok(process)
    }

    fn tell_all(&self) {
        let mut state = self.state.lock();
        let groups: Vec<i32> = state.groups.iter().copied().collect();
        groups.into_iter().for_each(|group| state.send(format_args!("*{group}\n")));
    }

    /// The descriptor for [`add_self`]; valid until the guard is closed.
    pub(super) fn fd(&self) -> RawFd {
        self.state.lock().writer.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    pub(super) fn before_fork(&self) {
        self.state.lock().send(format_args!("=\n"));
    }

    /// After a fork: adds the group of the child, or records that the child could not be started.
    pub(super) fn after_fork(&self, group: Option<i32>) {
        let mut state = self.state.lock();
        match group {
            Some(group) => {
                state.groups.insert(group);
                // A second time, for a guard that was started between the child's own line and this one.
                state.send(format_args!("*{group}\n"));
            }
            None => state.send(format_args!("!\n")),
        }
    }

    /// Removes a group without processes.
    pub(super) fn remove(&self, group: i32) {
        let mut state = self.state.lock();
        if state.groups.remove(&group) {
            state.send(format_args!("-{group}\n"));
        }
    }

    /// Lets the guard exit, which kills the remaining groups.
    pub(super) fn close(&self) {
        self.state.lock().writer = None;
    }
}

impl State {
    /// Writes a line in one write, which a pipe accepts as a whole. If the pipe is full because there is no guard, the next guard receives all
    /// groups.
    fn send(&mut self, line: std::fmt::Arguments<'_>) {
        if let Some(writer) = &mut self.writer {
            drop(writer.write(line.to_string().as_bytes()));
        }
    }
}

/// In the child, as soon as it leads its group. The child does it itself, because its parent may die before it could. Safe after a fork.
pub(super) fn add_self(guard: RawFd) {
    let pid = getpid().as_raw_nonzero().get();
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(pid).as_bytes();
    let mut line = [b'+'; 16];
    line[1..=digits.len()].copy_from_slice(digits);
    line[digits.len() + 1] = b'\n';
    // SAFETY: the pipe is open until the guard is closed, and is closed only in executed programs.
    let guard = unsafe { BorrowedFd::borrow_raw(guard) };
    // A failed write must not prevent the start: see `send`.
    let _ = rustix::io::write(guard, &line[..digits.len() + 2]);
}

/// A pipe whose ends are closed in programs that are executed, and are none of the first three descriptors, which a child replaces.
pub(super) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((above_two(reader.into())?.into(), above_two(writer.into())?.into()))
}

fn above_two(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { fd.try_clone() }
}
