//! A descriptor that is readable while callbacks wait to be run: an eventfd on Linux, a pipe on other Unix systems.
//! Windows has no such descriptor; there the callback thread is the only way.

use std::ffi::c_int;

use libswarm::{Error, ErrorKind, Result};

/// The descriptor, closed when dropped.
pub(crate) struct SignalFd {
    #[cfg(unix)]
    read: std::os::fd::OwnedFd,
    /// The other end of a pipe; an eventfd is both ends.
    #[cfg(all(unix, not(target_os = "linux")))]
    write: std::os::fd::OwnedFd,
}

#[cfg(unix)]
impl SignalFd {
    pub(crate) fn number(&self) -> c_int {
        std::os::fd::AsRawFd::as_raw_fd(&self.read)
    }

    /// Makes the descriptor readable. A full pipe or counter already is.
    pub(crate) fn raise(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: the descriptor is ours and open, the buffer is of the given length.
        unsafe { libc::write(self.raising_end(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes the descriptor unreadable until it is raised again.
    pub(crate) fn clear(&self) {
        let mut buffer = [0u8; 512];
        // SAFETY: the descriptor is ours and open and does not block, the buffer is of the given length.
        while unsafe { libc::read(self.number(), buffer.as_mut_ptr().cast(), buffer.len()) } == buffer.len() as isize {}
    }
}

#[cfg(target_os = "linux")]
impl SignalFd {
    pub(crate) fn new() -> Result<SignalFd> {
        use std::os::fd::FromRawFd;
        // SAFETY: a plain system call.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(failed("eventfd"));
        }
        // SAFETY: the descriptor was just made and has no other owner.
        Ok(SignalFd { read: unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) } })
    }

    fn raising_end(&self) -> c_int {
        self.number()
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
impl SignalFd {
    pub(crate) fn new() -> Result<SignalFd> {
        use std::os::fd::FromRawFd;
        let mut ends = [0; 2];
        // SAFETY: the array has room for both ends.
        if unsafe { libc::pipe(ends.as_mut_ptr()) } < 0 {
            return Err(failed("pipe"));
        }
        // SAFETY: the descriptors were just made and have no other owner.
        let [read, write] = ends.map(|end| unsafe { std::os::fd::OwnedFd::from_raw_fd(end) });
        for end in ends {
            // SAFETY: plain system calls on open descriptors.
            unsafe {
                libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(end, libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        Ok(SignalFd { read, write })
    }

    fn raising_end(&self) -> c_int {
        std::os::fd::AsRawFd::as_raw_fd(&self.write)
    }
}

#[cfg(unix)]
fn failed(call: &str) -> Error {
    let cause = std::io::Error::last_os_error();
    Error::new(ErrorKind::Internal, format!("making a descriptor for dispatch with {call}: {cause}"))
}

#[cfg(not(unix))]
impl SignalFd {
    pub(crate) fn new() -> Result<SignalFd> {
        Err(Error::new(ErrorKind::InvalidArgument, "this system has no descriptor to wait on; use the callback thread"))
    }

    pub(crate) fn number(&self) -> c_int {
        -1
    }

    pub(crate) fn raise(&self) {}

    pub(crate) fn clear(&self) {}
}
