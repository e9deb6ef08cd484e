//! Waiting in the foreground, until something has happened or a signal ends the command.

use std::os::fd::{AsFd, BorrowedFd};

use falseticker::freeze::Frozen;
use falseticker::{Error, HostInstant, Result, host_clock};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::time::{TimeSpec, TimeValLike};

/// Why a wait in the foreground is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// What was waited for has come.
    Ended,
    /// By a signal to this command.
    Signal,
}

/// The signals that end this command, as something to wait for.
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks them for this thread.
    pub fn block() -> Result<Self> {
        let refused = |errno: Errno| Error::not_applied("wait for signals", errno.desc());
        let mut set = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            set.add(signal);
        }
        set.thread_block().map_err(refused)?;
        SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map(Signals)
            .map_err(refused)
    }

    /// Waits for the end of a pause or for a signal.
    pub fn wait(&self, frozen: &Frozen) -> Result<Woken> {
        self.wait_until(frozen.until().unwrap_or(HostInstant::MAX), Some(frozen.as_fd()))
    }

    /// Waits for an instant, for a descriptor to become readable, or for a signal.
    pub fn wait_until(&self, until: HostInstant, other: Option<BorrowedFd<'_>>) -> Result<Woken> {
        let own = self.0.as_fd();
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
                Ok(_) if fds.first().is_some_and(|fd| fd.any() == Some(true)) => return Ok(Woken::Signal),
                Ok(_) => return Ok(Woken::Ended),
            }
        }
    }
}
