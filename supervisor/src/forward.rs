//! Writes lines to the output of this process. That blocks while the output is not read.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::{mpsc, oneshot};

use super::event::ProcessStream;
use libswarm_common::error::{Error, ErrorKind, Result};

/// The limit of lines that wait to be written. When it is reached, processes block as if they wrote directly.
const WAITING: usize = 64;

/// The queue to a separate thread: a thread that is blocked in a write must not delay the end of the runtime, as its own blocking threads would.
#[derive(Clone)]
pub(super) struct Forward(mpsc::Sender<(ProcessStream, Vec<u8>)>);

/// Resolves when everything is written, once all `Forward` are dropped.
pub(super) struct Written(oneshot::Receiver<()>);

impl Forward {
    pub(super) fn start() -> Result<(Forward, Written)> {
        let (sender, mut lines) = mpsc::channel::<(ProcessStream, Vec<u8>)>(WAITING);
        let (done, written) = oneshot::channel();
        let write = move || {
            block_sigpipe();
            while let Some((stream, line)) = lines.blocking_recv() {
                let fd = match stream {
                    ProcessStream::Stdout => rustix::stdio::stdout(),
                    ProcessStream::Stderr => rustix::stdio::stderr(),
                };
                // The output is closed; the processes continue.
                drop(write_all(fd, &line));
            }
            let _ = done.send(());
        };
        std::thread::Builder::new()
            .name("swarm-lines".into())
            .spawn(write)
            .map_err(|e| Error::new(ErrorKind::Internal, format!("the thread that writes lines cannot be started: {e}")))?;
        Ok((Forward(sender), Written(written)))
    }

    /// Waits only for space in the queue. The line has its newline.
    pub(super) async fn write(&self, stream: ProcessStream, line: Vec<u8>) {
        drop(self.0.send((stream, line)).await);
    }
}

impl Written {
    pub(super) async fn wait(self) {
        drop(tokio::time::timeout(Duration::from_secs(1), self.0).await);
    }
}

/// SIGPIPE may end this process by default; a write to a closed output by this crate must not do that.
fn block_sigpipe() {
    // SAFETY: the set is valid once emptied; only this thread's mask is changed.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// Writes the bytes in one write if the system accepts them all. Bypasses the buffers of the host's language, whose locks are not accessible here.
fn write_all(fd: BorrowedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Node makes its output non-blocking.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
