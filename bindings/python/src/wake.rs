//! A descriptor that turns readable: an eventfd on Linux, a pipe on other Unixes.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub(crate) struct Wake {
    read: OwnedFd,
    /// None on Linux, where one eventfd is both ends.
    write: Option<OwnedFd>,
}

impl Wake {
    #[cfg(target_os = "linux")]
    pub(crate) fn new() -> io::Result<Wake> {
        // SAFETY: a plain system call; the result is checked before it is owned.
        let fd = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: a fresh descriptor that nobody else owns.
        Ok(Wake { read: unsafe { OwnedFd::from_raw_fd(fd) }, write: None })
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new() -> io::Result<Wake> {
        let mut fds = [0; 2];
        // SAFETY: `fds` has room for the two descriptors.
        check(unsafe { libc::pipe(fds.as_mut_ptr()) })?;
        // SAFETY: fresh descriptors that nobody else owns.
        let [read, write] = fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        for fd in [&read, &write] {
            // SAFETY: plain system calls on descriptors owned above.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
            // SAFETY: as above.
            check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) })?;
        }
        Ok(Wake { read, write: Some(write) })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Makes the descriptor readable. From any thread.
    pub(crate) fn set(&self) {
        let fd = self.write.as_ref().unwrap_or(&self.read).as_raw_fd();
        let one = 1u64.to_ne_bytes();
        // SAFETY: `one` has the length given. A full pipe or counter is readable already, so the outcome does not matter.
        unsafe { libc::write(fd, one.as_ptr().cast(), one.len()) };
    }

    /// Makes the descriptor unreadable until the next `set`.
    pub(crate) fn clear(&self) {
        let mut buffer = [0u8; 64];
        // SAFETY: `buffer` has the length given; the descriptor never blocks.
        while unsafe { libc::read(self.fd(), buffer.as_mut_ptr().cast(), buffer.len()) } == buffer.len() as isize {}
    }

    /// Waits until the descriptor is readable, a signal came, or the time is over; true if readable.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let millis = timeout.map_or(-1, |t| t.as_millis().min(i32::MAX as u128) as i32);
        let mut poll = libc::pollfd { fd: self.fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid entry.
        unsafe { libc::poll(&mut poll, 1, millis) > 0 }
    }
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
