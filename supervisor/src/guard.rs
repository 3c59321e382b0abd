//! What outlives a supervisor that was killed, and kills what it left.

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

/// Reads lines until all writers are gone, then kills the groups that are left. `*group` and `-group` add and remove one. `+group` comes from a child
/// itself, after a `=` of its parent; `!` takes that back if the child could not become the program: the parent never learnt its number.
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

/// The pipe to the guard. All its ends are closed in programs that are started, so the guard reads its end when this process is gone.
pub(super) struct Guard {
    /// Kept, so that a write never fails for want of a reader: the next guard reads on where one that was killed ended.
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
        // A guard that does not read must not block anybody.
        fcntl_setfl(&writer, OFlags::NONBLOCK)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("setting the guard's pipe: {e}")))?;
        Ok(Guard { reader, state: Mutex::new(State { writer: Some(writer), groups: BTreeSet::new() }) })
    }

    /// Runs the guard until [`Guard::close`], anew if it is killed.
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
            // SAFETY: calls that are safe after a fork only.
            unsafe {
                command.pre_exec(|| {
                    close_others();
                    // Not reached by what is sent to this process' group or session.
                    Ok(setsid().map(drop)?)
                })
            };
            command
        };
        // It finds them in the pipe as soon as it is there. More than its 64 KiB are sent when it reads.
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

    /// The descriptor for [`add_self`], valid while the guard is not closed.
    pub(super) fn fd(&self) -> RawFd {
        self.state.lock().writer.as_ref().map_or(-1, AsRawFd::as_raw_fd)
    }

    pub(super) fn before_fork(&self) {
        self.state.lock().send(format_args!("=\n"));
    }

    /// After a fork: the group of the child, or that it could not be started.
    pub(super) fn after_fork(&self, group: Option<i32>) {
        let mut state = self.state.lock();
        match group {
            Some(group) => {
                state.groups.insert(group);
                // Again, for a guard that was started between the child's own line and this one.
                state.send(format_args!("*{group}\n"));
            }
            None => state.send(format_args!("!\n")),
        }
    }

    /// Nothing of the group is left.
    pub(super) fn remove(&self, group: i32) {
        let mut state = self.state.lock();
        if state.groups.remove(&group) {
            state.send(format_args!("-{group}\n"));
        }
    }

    /// Lets the guard end, which kills the groups that are left.
    pub(super) fn close(&self) {
        self.state.lock().writer = None;
    }
}

impl State {
    /// One write for a line, which a pipe takes as a whole. If it is full because there is no guard, the next one gets all.
    fn send(&mut self, line: std::fmt::Arguments<'_>) {
        if let Some(writer) = &mut self.writer {
            drop(writer.write(line.to_string().as_bytes()));
        }
    }
}

/// In the child, as soon as it leads its group: by itself, for its parent may die before it could. Safe after a fork.
pub(super) fn add_self(guard: RawFd) {
    let pid = getpid().as_raw_nonzero().get();
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(pid).as_bytes();
    let mut line = [b'+'; 16];
    line[1..=digits.len()].copy_from_slice(digits);
    line[digits.len() + 1] = b'\n';
    // SAFETY: the pipe is open while the guard is not closed, and closed in programs only.
    let guard = unsafe { BorrowedFd::borrow_raw(guard) };
    // That it cannot be written is no reason not to start: see `send`.
    let _ = rustix::io::write(guard, &line[..digits.len() + 2]);
}

/// A pipe whose ends are closed in programs that are started, and are none of the first three descriptors, which a child replaces.
pub(super) fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    Ok((above_two(reader.into())?.into(), above_two(writer.into())?.into()))
}

fn above_two(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 { Ok(fd) } else { fd.try_clone() }
}
