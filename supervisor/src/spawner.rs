//! The single thread that forks, and the processes that it started.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;

use super::event::ProcessExit;
use super::system::{ExitWatch, signal_group};
use libswarm_common::error::{Error, ErrorKind, Result};
use rustix::process::Signal;

type Order = Box<dyn FnOnce() + Send>;

/// The queue to a thread that lives as long as a supervisor or any of its processes. A thread is needed because the kernel kills the children of a
/// thread that ends, and because a fork and the wait for a killed process may block, which no thread of the runtime may do.
#[derive(Clone)]
pub(super) struct Spawner(Sender<Order>);

impl Spawner {
    pub(super) fn start() -> Result<Spawner> {
        let (sender, orders) = channel::<Order>();
        std::thread::Builder::new()
            .name("swarm-spawn".into())
            // The end of this thread would end all processes, so a panic only ends one order.
            .spawn(move || orders.into_iter().for_each(|order| drop(catch_unwind(AssertUnwindSafe(order)))))
            .map_err(|e| Error::new(ErrorKind::Internal, format!("the thread that starts processes cannot be started: {e}")))?;
        Ok(Spawner(sender))
    }

    /// Starts a process. `prepare` and `after`, which receives whether it was started, run on the thread around the fork.
    pub(super) async fn spawn(
        &self,
        prepare: impl FnOnce() -> Command + Send + 'static,
        after: impl FnOnce(&io::Result<Started>) + Send + 'static,
    ) -> io::Result<Started> {
        let (sender, started) = oneshot::channel();
        let spawner = self.clone();
        let order: Order = Box::new(move || {
            let result = prepare().spawn().map(|child| Started { child: Some(child), spawner });
            after(&result);
            // If the caller does not wait any more, the process is killed here, by its drop.
            drop(sender.send(result));
        });
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.0.send(order).map_err(|_| gone())?;
        started.await.map_err(|_| gone())?
    }
}

/// A process that was started and is not watched yet. If dropped, it is killed with its group, and reaped.
pub(super) struct Started {
    child: Option<Child>,
    spawner: Spawner,
}

impl Started {
    pub(super) fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// The process id, which is also that of its group.
    pub(super) fn pid(&self) -> i32 {
        self.child.as_ref().map_or(0, |child| child.id() as i32)
    }

    /// Must be called on a runtime.
    pub(super) fn watch(self) -> Process {
        Process { pid: self.pid(), exit: ExitWatch::new(self.pid()), started: self }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal_group(child.id() as i32, Signal::KILL);
            // The thread may be gone with the process; then the child need not be reaped.
            drop(self.spawner.0.send(Box::new(move || drop(child.wait()))));
        }
    }
}

/// A child whose exit is watched. Until it is reaped, the system does not reuse its process id.
pub(super) struct Process {
    pub(super) pid: i32,
    exit: ExitWatch,
    started: Started,
}

impl Process {
    /// Resolves when the process has exited; it is not reaped yet.
    pub(super) async fn exited(&self) {
        self.exit.exited().await;
    }

    pub(super) fn is_reaped(&self) -> bool {
        self.started.child.is_none()
    }

    /// Reaps the process after `exited`, and returns how it exited.
    pub(super) fn reap(&mut self) -> ProcessExit {
        match self.started.child.take().map(|mut child| child.try_wait()) {
            Some(Ok(Some(status))) => match (status.code(), status.signal()) {
                (Some(code), _) => ProcessExit::Code(code),
                (None, Some(signal)) => ProcessExit::Signal(signal),
                (None, None) => ProcessExit::Unknown,
            },
            // The host waits for all children, or ignores SIGCHLD.
            _ => ProcessExit::Unknown,
        }
    }
}
