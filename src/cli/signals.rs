//! The signals that end a command, as something to wait for.
//!
//! What must hold: while this lives they end nothing by themselves; afterwards they do again, and one that came meanwhile
//! and was not taken does so at once.

use std::os::fd::{AsFd, BorrowedFd};

use falseticker::{Error, Result};
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// SIGINT, SIGTERM and SIGHUP, held back from this thread.
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// From now on.
    pub fn hold() -> Result<Self> {
        let refused = |errno: Errno| Error::not_applied("wait for signals", errno.desc());
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        let fd =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(refused)?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(refused)?;
        Ok(Signals { fd, before })
    }

    /// Takes what has come, for a command that ends because of it, and in its own way.
    pub fn take(self) {
        while let Ok(Some(_)) = self.fd.read_signal() {}
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}
