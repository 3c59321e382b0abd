//! A descriptor that is readable while there is work to do: an eventfd on Linux, a pipe on other Unix systems. Other systems have
//! none.

#[cfg(not(unix))]
pub use nowhere::WakeFd;
#[cfg(unix)]
pub use unix::WakeFd;

#[cfg(unix)]
mod unix {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    /// The descriptor; closed when dropped. It never blocks, and is closed in programs that are executed.
    pub struct WakeFd {
        read: OwnedFd,
        /// The write end of a pipe; an eventfd needs no second descriptor.
        write: Option<OwnedFd>,
    }

    impl WakeFd {
        /// A descriptor that is not readable.
        #[cfg(target_os = "linux")]
        pub fn new() -> io::Result<WakeFd> {
            use rustix::event::{EventfdFlags, eventfd};
            Ok(WakeFd { read: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?, write: None })
        }

        /// A descriptor that is not readable.
        #[cfg(not(target_os = "linux"))]
        pub fn new() -> io::Result<WakeFd> {
            let (read, write) = rustix::pipe::pipe()?;
            for end in [&read, &write] {
                rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
                rustix::io::ioctl_fionbio(end, true)?;
            }
            Ok(WakeFd { read, write: Some(write) })
        }

        /// The number of the descriptor, for an event loop of the program.
        pub fn number(&self) -> RawFd {
            self.read.as_raw_fd()
        }

        /// Makes it readable. Can be called from any thread.
        pub fn raise(&self) {
            // A full pipe or counter is readable already.
            let _ = rustix::io::write(self.write.as_ref().unwrap_or(&self.read), &1u64.to_ne_bytes());
        }

        /// Makes it unreadable until it is raised again.
        pub fn clear(&self) {
            let mut buffer = [0u8; 512];
            while matches!(rustix::io::read(&self.read, &mut buffer), Ok(count) if count == buffer.len()) {}
        }

        /// Waits until it is readable, a signal arrives, or the time is over; true if it is readable. `None` waits forever.
        pub fn wait(&self, limit: Option<Duration>) -> bool {
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            matches!(poll(&mut [PollFd::from_borrowed_fd(self.read.as_fd(), PollFlags::IN)], limit.as_ref()), Ok(ready) if ready > 0)
        }
    }
}

#[cfg(not(unix))]
mod nowhere {
    use std::io;

    /// Not available on this system.
    pub struct WakeFd(());

    impl WakeFd {
        /// Always fails.
        pub fn new() -> io::Result<WakeFd> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no descriptor to wait on"))
        }

        /// Never called.
        pub fn number(&self) -> i32 {
            -1
        }

        /// Does nothing.
        pub fn raise(&self) {}

        /// Does nothing.
        pub fn clear(&self) {}
    }
}
