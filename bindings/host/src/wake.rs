//! A descriptor that is readable while there is something to do: an eventfd on Linux, a pipe on other Unix systems. Others have none.

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

    /// The descriptor, closed when dropped. It never blocks, and is closed in programs that are started.
    pub struct WakeFd {
        read: OwnedFd,
        /// The other end of a pipe; an eventfd is both ends.
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

        /// Its number, for a program's own event loop.
        pub fn number(&self) -> RawFd {
            self.read.as_raw_fd()
        }

        /// Makes it readable. From any thread.
        pub fn raise(&self) {
            // A full pipe or counter is readable already.
            let _ = rustix::io::write(self.write.as_ref().unwrap_or(&self.read), &1u64.to_ne_bytes());
        }

        /// Makes it unreadable until it is raised again.
        pub fn clear(&self) {
            let mut buffer = [0u8; 512];
            while matches!(rustix::io::read(&self.read, &mut buffer), Ok(count) if count == buffer.len()) {}
        }

        /// Waits until it is readable, a signal came, or the time is over; true if it is readable. `None`: for ever.
        pub fn wait(&self, limit: Option<Duration>) -> bool {
            let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
            matches!(poll(&mut [PollFd::from_borrowed_fd(self.read.as_fd(), PollFlags::IN)], limit.as_ref()), Ok(ready) if ready > 0)
        }
    }
}

#[cfg(not(unix))]
mod nowhere {
    use std::io;

    /// Cannot be made.
    pub struct WakeFd(());

    impl WakeFd {
        /// Always an error.
        pub fn new() -> io::Result<WakeFd> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no descriptor to wait on"))
        }

        /// No number.
        pub fn number(&self) -> i32 {
            -1
        }

        /// Does nothing.
        pub fn raise(&self) {}

        /// Does nothing.
        pub fn clear(&self) {}
    }
}
