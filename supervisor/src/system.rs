//! System calls, and everything that only Linux has.
//!
//! On other systems: CPUs cannot be selected (an error reports it); if a supervisor is killed, only its guard kills its processes, and not the
//! kernel as well; the exit of a process is detected by SIGCHLD instead of a descriptor for the process.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use libswarm_common::error::{Result, invalid};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};

/// The id of a process or group; 0 and 1 are refused, because they must not be signalled here.
fn pid(number: i32) -> Option<Pid> {
    Pid::from_raw(number).filter(|_| number > 1)
}

/// Sends `signal` to all processes of a group. Succeeds if the group is gone.
pub(super) fn signal_group(group: i32, signal: Signal) {
    if let Some(group) = pid(group) {
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Whether a group whose leader has been reaped has processes left. If a process has the group's number, the system has reused the number, which
/// only happens when the group is empty.
pub(super) fn group_is_left(group: i32) -> bool {
    let Some(group) = pid(group) else { return false };
    rustix::process::test_kill_process_group(group).is_ok() && rustix::process::test_kill_process(group).is_err()
}

/// Whether a group has processes besides those that have exited and are not reaped. Reads all of /proc.
#[cfg(target_os = "linux")]
pub(super) fn group_is_alive(group: i32) -> bool {
    let alive = |stat: &str| {
        // `pid (name) state parent group …`; the name may contain any characters.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let of_group = fields.nth(1)?.parse() == Ok(group);
        Some(of_group && state != "Z" && state != "X")
    };
    let Ok(processes) = std::fs::read_dir("/proc") else { return true };
    processes
        .flatten()
        .filter_map(|process| std::fs::read_to_string(process.path().join("stat")).ok())
        .any(|stat| alive(&stat) == Some(true))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn group_is_alive(group: i32) -> bool {
    group_is_left(group)
}

/// Reaps processes of the group that became children of this process, as orphans do if it is the init process of a container.
pub(super) fn reap_orphans(group: i32) {
    let Some(group) = pid(group) else { return };
    while let Ok(Some(_)) = rustix::process::waitpgid(group, WaitOptions::NOHANG) {}
}

/// In the child: signals that the host blocks on its threads must reach the program, above all TERM. Safe after a fork.
pub(super) fn unblock_signals() {
    // SAFETY: the set is valid once emptied; only the mask of the calling thread, the only one of the child, is changed.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Whether this child has exited. It is not reaped, so the system does not reuse its process id.
fn has_exited(number: i32) -> bool {
    let Some(pid) = pid(number) else { return true };
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), options), Ok(None))
}

/// Resolves when a child has exited, by SIGCHLD.
async fn exited_by_signal(pid: i32) {
    let Ok(mut children) = signal(SignalKind::child()) else {
        // Not possible for this signal; the exit would then be detected when the process is stopped.
        return std::future::pending().await;
    };
    while !has_exited(pid) {
        children.recv().await;
    }
}

#[cfg(target_os = "linux")]
mod own {
    use super::*;
    use rustix::process::{PidfdFlags, getppid, pidfd_open, set_parent_process_death_signal};
    use rustix::thread::{CpuSet, sched_setaffinity};
    use std::os::fd::OwnedFd;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// CPUs to run on, in the kernel's form; `None` if none are selected.
    #[derive(Clone, Copy)]
    pub(crate) struct Cpus(Option<CpuSet>);

    impl Cpus {
        /// One more than the largest number of a CPU.
        pub(crate) const MAX_CPUS: usize = CpuSet::MAX_CPU;

        pub(crate) fn new(cpus: &[usize]) -> Result<Cpus> {
            if cpus.is_empty() {
                return Ok(Cpus(None));
            }
            let mut set = CpuSet::new();
            for &cpu in cpus {
                if cpu >= Self::MAX_CPUS {
                    return Err(invalid(format!("cpus has {cpu}, it must be numbers below {}", Self::MAX_CPUS)));
                }
                set.set(cpu);
            }
            Ok(Cpus(Some(set)))
        }
    }

    /// In the child, before it executes the program: only calls that are safe after a fork. `parent` is the process that forks.
    pub(crate) fn before_exec(parent: u32, cpus: &Cpus) -> io::Result<()> {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if getppid().map_or(0, |pid| pid.as_raw_nonzero().get()) as u32 != parent {
            // The parent died before the line above, which then refers to the death of the process that adopted this child.
            // SAFETY: takes numbers only.
            unsafe { libc::_exit(1) };
        }
        if let Some(set) = &cpus.0 {
            // For the calling thread, the only one of the child.
            sched_setaffinity(None, set)?;
        }
        Ok(())
    }

    /// In the child: descriptors that the host forgot to mark are closed, too. Has no effect before Linux 5.11.
    pub(crate) fn close_others() {
        // SAFETY: takes numbers only, and closes nothing before the child becomes another program.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    }

    /// Detects the exit of a child: by a pidfd, or by SIGCHLD before Linux 5.3 and when no descriptors are left.
    pub(crate) struct ExitWatch {
        pid: i32,
        pidfd: Option<AsyncFd<OwnedFd>>,
    }

    impl ExitWatch {
        /// Must be called on a runtime, while the child has not been reaped.
        pub(crate) fn new(pid: i32) -> Self {
            let fd = super::pid(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::NONBLOCK).ok());
            // The replacement is newer than the oldest tokio that is allowed. This object owns the descriptor until it is dropped.
            #[allow(deprecated)]
            let register = |fd| AsyncFd::with_interest(fd, Interest::READABLE).ok();
            ExitWatch { pid, pidfd: fd.and_then(register) }
        }

        /// Resolves when the child has exited; it is not reaped yet.
        pub(crate) async fn exited(&self) {
            if let Some(pidfd) = &self.pidfd
                && pidfd.readable().await.is_ok()
            {
                return;
            }
            exited_by_signal(self.pid).await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod own {
    use super::*;

    #[derive(Clone, Copy)]
    pub(crate) struct Cpus;

    impl Cpus {
        pub(crate) const MAX_CPUS: usize = 1024;

        pub(crate) fn new(cpus: &[usize]) -> Result<Cpus> {
            if cpus.is_empty() { Ok(Cpus) } else { Err(invalid("cpus can only be selected on Linux; leave it empty")) }
        }
    }

    pub(crate) fn before_exec(_parent: u32, _cpus: &Cpus) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn close_others() {}

    pub(crate) struct ExitWatch(i32);

    impl ExitWatch {
        pub(crate) fn new(pid: i32) -> Self {
            ExitWatch(pid)
        }

        pub(crate) async fn exited(&self) {
            exited_by_signal(self.0).await;
        }
    }
}

pub(super) use own::{Cpus, ExitWatch, before_exec, close_others};

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_a_child_is_seen_without_a_pidfd_too() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "exit 3"]).spawn().unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(20), exited_by_signal(child.id() as i32)).await.unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3), "it was left to be reaped");
    }
}
