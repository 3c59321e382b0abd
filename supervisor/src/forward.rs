//! The writer to this process' own output, which may block for as long as nobody reads it.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::sync::{mpsc, oneshot};

use super::event::ProcessStream;
use libswarm_common::error::{Error, ErrorKind, Result};

/// Lines that wait to be written; then the processes wait, as if they wrote by themselves.
const WAITING: usize = 64;

/// The way to a thread of its own: one that is stuck in a write must not hold up the end of the runtime, as its blocking threads do.
#[derive(Clone)]
pub(super) struct Forward(mpsc::Sender<(ProcessStream, Vec<u8>)>);

/// Resolves when all is written, once there is no `Forward` left.
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
                // Nobody reads it any more; the processes go on.
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

    /// Waits for room only. The line has its newline.
    pub(super) async fn write(&self, stream: ProcessStream, line: Vec<u8>) {
        drop(self.0.send((stream, line)).await);
    }
}

impl Written {
    pub(super) async fn wait(self) {
        drop(tokio::time::timeout(Duration::from_secs(1), self.0).await);
    }
}

/// A host may have left SIGPIPE deadly; a closed output of its own must not kill it by our hand.
fn block_sigpipe() {
    // SAFETY: the set is valid once emptied; only this thread's mask is changed.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGPIPE);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// In one write, unless the system takes only a part of it. Past the buffers of the host's language, which are not ours to lock.
fn write_all(fd: BorrowedFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            // Node makes its own output non-blocking.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
