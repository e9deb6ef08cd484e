//! The signals that end a command, as something to wait for.
//!
//! What must hold: while this lives they end nothing by themselves; afterwards they do again, and one that came meanwhile
//! and was not taken does so at once.

use std::os::fd::{AsFd, BorrowedFd};

use falseticker::freeze::Frozen;
use falseticker::{Error, HostInstant, Result, host_clock};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::{TimeSpec, TimeValLike};

/// Why a wait in the foreground is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// What was waited for has come.
    Ended,
    /// A signal to this command.
    Signal,
}

/// SIGINT, SIGTERM and SIGHUP, and others that are asked for, held back from this thread.
pub struct Signals {
    fd: SignalFd,
    before: SigSet,
}

impl Signals {
    /// From now on.
    pub fn hold() -> Result<Self> {
        Signals::hold_with(&[])
    }

    /// These as well, which [`Signals::next`] tells apart.
    pub fn hold_with(others: &[Signal]) -> Result<Self> {
        let refused = |errno: Errno| Error::not_applied("wait for signals", errno.desc());
        let ends = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP];
        let set: SigSet = ends.iter().chain(others).copied().collect();
        let fd =
            SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(refused)?;
        let before = set.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(refused)?;
        Ok(Signals { fd, before })
    }

    /// Takes one that has come.
    pub fn next(&self) -> Option<Signal> {
        let taken = self.fd.read_signal().ok()??;
        i32::try_from(taken.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok())
    }

    /// Takes what has come, for a command that ends because of it, and in its own way.
    pub fn take(&self) {
        while let Ok(Some(_)) = self.fd.read_signal() {}
    }

    /// Waits for the end of a pause or for a signal, which it takes.
    pub fn wait(&self, frozen: &Frozen) -> Result<Woken> {
        self.wait_until(frozen.until().unwrap_or(HostInstant::MAX), Some(frozen.as_fd()))
    }

    /// Waits for an instant, for a descriptor to become readable, or for a signal, which it takes.
    pub fn wait_until(&self, until: HostInstant, other: Option<BorrowedFd<'_>>) -> Result<Woken> {
        let own = self.fd.as_fd();
        loop {
            let left = until.saturating_since(host_clock::monotonic()).as_nanos();
            if left <= 0 {
                return Ok(Woken::Ended);
            }
            let both = [own, other.unwrap_or(own)];
            let mut fds = both.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            match ppoll(&mut fds, Some(TimeSpec::nanoseconds(left)), None) {
                Err(Errno::EINTR) | Ok(0) => {}
                Err(errno) => return Err(Error::not_applied("wait for the end of the pause", errno.desc())),
                Ok(_) if fds.first().is_some_and(|fd| fd.any() == Some(true)) => {
                    self.take();
                    return Ok(Woken::Signal);
                }
                Ok(_) => return Ok(Woken::Ended),
            }
        }
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
