//! A descriptor that stands for one process for good.
//!
//! What must hold: it is opened first and the start time compared afterwards. From the opening on the descriptor
//! names one process for ever, so if that comparison succeeds, no signal can reach whoever has the pid later.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::{ProcessId, stat};
use crate::{Error, HostInstant, Result, host_clock, raw};

/// One process, held so that its pid being recycled cannot matter.
#[derive(Debug)]
pub struct PidFd {
    fd: OwnedFd,
    id: ProcessId,
}

impl PidFd {
    /// A handle on `id`; `None` when that process is gone, whoever has its pid now.
    pub fn open(id: ProcessId) -> Result<Option<PidFd>> {
        match open_verified(id) {
            Ok(Some(fd)) => Ok(Some(PidFd { fd: own(fd), id })),
            Ok(None) => Ok(None),
            Err(errno) => {
                Err(Error::not_applied(format_args!("open a handle on process {id}"), errno.desc()))
            }
        }
    }

    /// Which process it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// Send a signal; false when the process has ended.
    pub fn signal(&self, signal: Signal) -> Result<bool> {
        match raw::pidfd_send_signal(self.raw(), signal as i32) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(errno) => {
                let error =
                    Error::not_applied(format_args!("send {signal} to process {}", self.id), errno.desc());
                Err(if errno == Errno::EPERM {
                    error.remedy("run falseticker as the user whose process it is, or as root")
                } else {
                    error
                })
            }
        }
    }

    /// Wait until the process has ended, or `until`; false when it still runs then.
    pub fn wait_exit(&self, until: HostInstant) -> Result<bool> {
        loop {
            let mut fds = [libc::pollfd { fd: self.raw(), events: libc::POLLIN, revents: 0 }];
            let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
            match raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left)) {
                Ok(0) => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(Error::not_applied(
                        format_args!("wait for process {}", self.id),
                        errno.desc(),
                    ));
                }
            }
        }
    }

    fn raw(&self) -> RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.fd)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[expect(unsafe_code, reason = "taking ownership of a descriptor")]
fn own(fd: RawFd) -> OwnedFd {
    use std::os::fd::FromRawFd;
    // SAFETY: pidfd_open has just returned this descriptor, and nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// The same for callers that may not allocate: they close it themselves.
pub(crate) fn open_verified(id: ProcessId) -> std::result::Result<Option<RawFd>, Errno> {
    let fd = match raw::pidfd_open(id.pid) {
        Ok(fd) => RawFd::try_from(fd).map_err(|_| Errno::EBADF)?,
        // EINVAL: no pid can be zero or below, and (before Linux 6.9) a thread that leads no process.
        Err(Errno::ESRCH | Errno::EINVAL) => return Ok(None),
        Err(errno) => return Err(errno),
    };
    let mut buffer = stat::Buffer::new();
    if stat::read(id.pid, &mut buffer).is_some_and(|stat| stat.id() == id) {
        return Ok(Some(fd));
    }
    let _ = raw::close(fd);
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_pid_is_refused_by_its_start_time() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        let other = ProcessId { start_ticks: id.start_ticks.wrapping_sub(1), ..id };
        assert!(PidFd::open(other).unwrap().is_none());
        let handle = PidFd::open(id).unwrap().unwrap();
        assert!(!handle.wait_exit(host_clock::monotonic()).unwrap());
        assert!(handle.signal(Signal::SIGKILL).unwrap());
        child.wait().unwrap();
        assert!(!handle.signal(Signal::SIGCONT).unwrap());
        assert!(PidFd::open(id).unwrap().is_none());
    }

    #[test]
    fn numbers_that_are_no_process_are_no_error() {
        for pid in [0, -1, i32::MAX] {
            assert!(PidFd::open(ProcessId { pid, start_ticks: 0 }).unwrap().is_none(), "{pid}");
        }
    }
}
