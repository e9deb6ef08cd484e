//! What the filter's listener is told, and what it answers.
//!
//! Source: seccomp_unotify(2); `struct seccomp_notif` and `seccomp_notif_resp` of the kernel's `include/uapi/linux/seccomp.h`.
#![expect(unsafe_code, reason = "ioctl(2) with the kernel's own records")]

use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{seccomp_notif, seccomp_notif_resp};
use nix::errno::Errno;

use crate::raw;

const RECEIVE: usize = 0xc050_2100;
const SEND: usize = 0xc018_2101;
const CONTINUE: u32 = 1;

const _: () = assert!(size_of::<seccomp_notif>() == 80 && size_of::<seccomp_notif_resp>() == 24);

/// A thread that is about to execute something, and waits to be let.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    id: u64,
    /// The thread.
    pub tid: i32,
}

/// The next notice; `None` once nobody is left who could give one.
pub(super) fn next(listener: BorrowedFd<'_>) -> Option<Notice> {
    loop {
        let mut fds = [libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
        match raw::poll(&mut fds, None) {
            Err(Errno::EINTR) => continue,
            Err(_) => return None,
            Ok(_) if fds[0].revents & libc::POLLIN == 0 => return None,
            Ok(_) => {}
        }
        // SAFETY: zeroes are what the kernel asks for, and a record of this kind is what it writes.
        let received = unsafe {
            let mut notice: seccomp_notif = std::mem::zeroed();
            ioctl(listener, RECEIVE, &raw mut notice as usize).map(|()| notice)
        };
        match received {
            Ok(notice) => return Some(Notice { id: notice.id, tid: notice.pid.cast_signed() }),
            // It was killed, or a signal was faster.
            Err(Errno::ENOENT | Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}

impl Notice {
    /// Lets it go on; false if it waits no more.
    pub(super) fn go_on(self, listener: BorrowedFd<'_>) -> bool {
        let answer = seccomp_notif_resp { id: self.id, val: 0, error: 0, flags: CONTINUE };
        // SAFETY: a live record of the kind that the kernel reads.
        unsafe { ioctl(listener, SEND, &raw const answer as usize) }.is_ok()
    }
}

/// # Safety
/// `record` must be what the request reads or writes.
unsafe fn ioctl(fd: BorrowedFd<'_>, request: usize, record: usize) -> Result<(), Errno> {
    // SAFETY: by this function's own contract.
    unsafe {
        raw::syscall(libc::SYS_ioctl, [fd.as_raw_fd().unsigned_abs() as usize, request, record, 0, 0, 0])
    }
    .map(drop)
}
