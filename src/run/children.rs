//! The keeper's children: the next change of any of them.
//!
//! What must hold: no change is missed, be it told by the kernel or by the thread that follows execs (see
//! [`Collected`]); nothing is collected before it is to be; a stop that is that thread's own doing is left to it, though the kernel
//! shows it to every thread of the process (`wait_consider_task` in the kernel's `kernel/exit.c`).
#![expect(
    unsafe_code,
    reason = "wait(2) for its raw status, and a descriptor that the kernel has just given"
)]

use std::cell::Cell;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::reach::follow::Collected;
use crate::{Span, raw};

/// The children of the calling thread, which has SIGCHLD blocked.
pub struct Children<'a> {
    collected: &'a Collected,
    signals: OwnedFd,
    /// The process whose change has been collected already.
    told: Cell<i32>,
}

impl<'a> Children<'a> {
    /// `collected` is what somebody else collects of them.
    pub fn new(collected: &'a Collected) -> Result<Self, Errno> {
        let signals = raw::signalfd(1 << (libc::SIGCHLD - 1))?;
        // SAFETY: the kernel has just given it to us, and to nobody else.
        let signals = unsafe { OwnedFd::from_raw_fd(signals) };
        Ok(Children { collected, signals, told: Cell::new(0) })
    }

    /// The next change of any child, which is left to be collected: whose, and the raw status; pid 0 when there is none for
    /// now and `flags` say not to wait.
    pub fn next(&self, flags: i32) -> Result<(i32, i32), Errno> {
        loop {
            if let Some(told) = self.told() {
                return Ok(told);
            }
            match peek(flags | libc::WNOHANG) {
                // The last may have been collected between the two looks.
                Err(errno) => return self.told().ok_or(errno),
                // Other children's changes may stand behind this one.
                Ok(Peeked::Traced) => self.wait(Some(WHILE_TRACED)),
                Ok(Peeked::Nothing) if flags & libc::WNOHANG == 0 => self.wait(None),
                Ok(Peeked::Nothing) => return Ok((0, 0)),
                Ok(Peeked::Changed(pid, status)) => return Ok((pid, status)),
            }
        }
    }

    /// What has been collected already.
    fn told(&self) -> Option<(i32, i32)> {
        let (pid, status) = self.collected.take()?;
        self.told.set(pid);
        Some((pid, status))
    }

    /// Collects a change that [`Children::next`] has told, if it is still to be had.
    pub fn collect(&self, pid: i32, status: i32, flags: i32) -> Option<i32> {
        if self.told.replace(0) == pid {
            return Some(status);
        }
        let mut status = 0;
        // SAFETY: a live integer for the status.
        let collected =
            unsafe { libc::waitpid(pid, &raw mut status, flags | libc::WNOHANG | libc::__WNOTHREAD) };
        (collected == pid).then_some(status)
    }

    /// Waits until there may be something; what has come before is not missed, since a signal that is pending stays so.
    fn wait(&self, limit: Option<Span>) {
        let entry = |fd: i32| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
        let mut fds = [entry(self.signals.as_raw_fd()), entry(self.collected.as_fd().as_raw_fd())];
        let _ = raw::poll(&mut fds, limit.map(Span::as_nanos));
        if fds[0].revents != 0 {
            // Before the next look, so that who changes after that look sends another.
            let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
            let _ = raw::read(self.signals.as_raw_fd(), &mut info);
        }
    }
}

/// How long between two looks while a child stands in a stop of its tracer's, whose end is no event.
const WHILE_TRACED: Span = Span::from_millis(1);

enum Peeked {
    Nothing,
    Traced,
    /// Whose, and the raw status.
    Changed(i32, i32),
}

/// A change of any child, which is left to be collected.
fn peek(flags: i32) -> Result<Peeked, Errno> {
    // Threads that follow have children that they trace, whose news is theirs.
    let flags = flags | libc::WEXITED | libc::WNOWAIT | libc::__WNOTHREAD;
    // SAFETY: zeroes are a valid siginfo, which the kernel fills in; its fields are those of a child's change.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        Errno::result(libc::waitid(libc::P_ALL, 0, &raw mut info, flags))?;
        Ok(match (info.si_pid(), info.si_code) {
            (0, _) => Peeked::Nothing,
            (_, libc::CLD_TRAPPED) => Peeked::Traced,
            (pid, code) => Peeked::Changed(pid, raw_status(code, info.si_status())),
        })
    }
}

/// What `waitpid` would say.
fn raw_status(code: i32, status: i32) -> i32 {
    match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_KILLED => status & 0x7f,
        libc::CLD_DUMPED => status & 0x7f | 0x80,
        libc::CLD_CONTINUED => 0xffff,
        _ => (status & 0xff) << 8 | 0x7f,
    }
}
