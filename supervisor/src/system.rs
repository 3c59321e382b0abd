//! What of the system is needed, and all that only Linux has.
//!
//! Elsewhere: CPUs cannot be chosen (an error says so); the processes of a supervisor that was killed are killed by its guard alone, and not by the
//! kernel as well; the end of a process is seen by SIGCHLD instead of a descriptor of its own.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use libswarm_common::error::{Result, invalid};

/// The result of a call that answers -1 for an error.
pub(super) fn answer(status: i32) -> io::Result<i32> {
    if status == -1 { Err(io::Error::last_os_error()) } else { Ok(status) }
}

/// Sends `signal` to all of a process group. That there is none any more is no error to anybody here.
pub(super) fn signal_group(group: i32, signal: i32) {
    debug_assert!(group > 1, "0 and -1 mean others");
    // SAFETY: takes numbers only.
    unsafe { libc::kill(-group, signal) };
}

/// Whether a group whose leader has been reaped has processes left. If there is a process with the group's number, then the number has been given
/// anew, which happens only when the group is empty.
pub(super) fn group_is_left(group: i32) -> bool {
    // SAFETY: takes numbers only; signal 0 only asks.
    let (of_group, of_leader) = unsafe { (libc::kill(-group, 0), libc::kill(group, 0)) };
    of_group == 0 && of_leader == -1
}

/// Whether a group has processes besides those that have ended and wait for somebody to reap them. Reads all of /proc.
#[cfg(target_os = "linux")]
pub(super) fn group_is_alive(group: i32) -> bool {
    let alive = |stat: &str| {
        // `pid (name) state parent group …`; the name may hold anything.
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

/// Reaps processes of the group that became children of this one, as happens to orphans if it is the first of a container.
pub(super) fn reap_orphans(group: i32) {
    // SAFETY: no status is asked for.
    while unsafe { libc::waitpid(-group, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// In the child: what the host keeps from its own threads must reach the program, above all TERM. Safe after a fork.
pub(super) fn unblock_signals() {
    // SAFETY: the set is valid once emptied; only the mask of the calling thread, the only one of the child, is changed.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Whether this child has ended. It stays to be reaped, so its number stays its own.
fn has_exited(pid: i32) -> bool {
    // SAFETY: all zeros is a valid siginfo_t.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is valid and writable.
    let status =
        unsafe { libc::waitid(libc::P_PID, pid as libc::id_t, &raw mut info, libc::WEXITED | libc::WNOHANG | libc::WNOWAIT) };
    // SAFETY: written by the call, or zero.
    status == -1 || unsafe { info.si_pid() } != 0
}

/// Resolves when a child has ended, by SIGCHLD.
async fn exited_by_signal(pid: i32) {
    let Ok(mut children) = signal(SignalKind::child()) else {
        // Not possible for this signal; then its end is seen when it is stopped.
        return std::future::pending().await;
    };
    while !has_exited(pid) {
        children.recv().await;
    }
}

#[cfg(target_os = "linux")]
mod own {
    use super::*;
    use std::os::fd::{FromRawFd, OwnedFd};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// CPUs to run on, in the kernel's form; `None` for no choice.
    #[derive(Clone, Copy)]
    pub(crate) struct Cpus(Option<libc::cpu_set_t>);

    impl Cpus {
        /// One more than the largest number of a CPU.
        pub(crate) const MAX_CPUS: usize = libc::CPU_SETSIZE as usize;

        pub(crate) fn new(cpus: &[usize]) -> Result<Cpus> {
            if cpus.is_empty() {
                return Ok(Cpus(None));
            }
            // SAFETY: all zeros is the empty set.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            for &cpu in cpus {
                if cpu >= Self::MAX_CPUS {
                    return Err(invalid(format!("cpus has {cpu}, it must be numbers below {}", Self::MAX_CPUS)));
                }
                // SAFETY: within the set.
                unsafe { libc::CPU_SET(cpu, &mut set) };
            }
            Ok(Cpus(Some(set)))
        }
    }

    /// In the child, before it becomes another program: calls that are safe after a fork only. `parent` is the process that forks.
    pub(crate) fn before_exec(parent: u32, cpus: &Cpus) -> io::Result<()> {
        // SAFETY: takes numbers only.
        answer(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) })?;
        // SAFETY: takes nothing.
        if unsafe { libc::getppid() } as u32 != parent {
            // It died before the line above, which then waits for the death of whoever adopted this child.
            // SAFETY: takes numbers only.
            unsafe { libc::_exit(1) };
        }
        if let Some(set) = &cpus.0 {
            // SAFETY: `set` is a whole set; 0 is the calling thread, the only one of the child.
            answer(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) })?;
        }
        Ok(())
    }

    /// In the child: what the host forgot to mark is not kept open by it either. Without effect before Linux 5.11.
    pub(crate) fn close_others() {
        // SAFETY: takes numbers only, and closes nothing before the child becomes another program.
        unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    }

    /// Sees the end of a child: by a pidfd, or by SIGCHLD before Linux 5.3 and when there are no descriptors left.
    pub(crate) struct ExitWatch {
        pid: i32,
        pidfd: Option<AsyncFd<OwnedFd>>,
    }

    impl ExitWatch {
        /// On a runtime, while the child has not been reaped.
        pub(crate) fn new(pid: i32) -> Self {
            // SAFETY: takes numbers only.
            let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, libc::PIDFD_NONBLOCK) } as i32;
            // SAFETY: a descriptor that nobody else knows.
            let fd = (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) });
            // What replaces it is newer than the oldest tokio that is allowed; the descriptor is this one's until it is dropped.
            #[allow(deprecated)]
            let register = |fd| AsyncFd::with_interest(fd, Interest::READABLE).ok();
            ExitWatch { pid, pidfd: fd.and_then(register) }
        }

        /// Resolves when the child has ended; it stays to be reaped.
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
            if cpus.is_empty() { Ok(Cpus) } else { Err(invalid("cpus can be chosen on Linux only; leave it empty")) }
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
