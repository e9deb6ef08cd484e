//! The guards: two processes that see to it that a pause ends.
//!
//! **Why a fork without exec.** The guard must work from a user's `#[test]`, whose executable has no hidden
//! subcommand to be executed, and must be running before the first process is stopped. So it is forked from the
//! caller, which may have many threads; everything after the fork is therefore raw syscalls on memory that
//! was made before: no allocation, no lock, no libc, not even its fork handlers. Its exit
//! signal is 0, so that no plain `wait` of the caller's sees it end, and no handler of his runs: the controller
//! collects the first guard by its pid, and that one the second.
//!
//! **What it holds.** Its own session; `/` as working directory; standard streams on /dev/null; of the caller's
//! descriptors only the lock, the node's directory and those below. All signals are blocked but the two that
//! cannot be. Its name is `ft-guard`, by which no freeze ever stops it.
//!
//! **What each watches**, both alike, so that one that is stopped or slow is no loss:
//! - the controller, by its pidfd and by the far end of a socket pair (which closes at exec, too);
//! - a timer at the planned end, set and moved by the controller through the descriptor that they share;
//! - SIGTERM, by which [`thaw`](super::thaw()) asks for the end;
//! - the bell, by which the controller says that all is done;
//! - the other guard, by its pidfd. When it dies the survivor forks another, unless it died in the middle of
//!   resuming; then, or if that cannot be done, the survivor resumes everyone.
//!
//! Whichever acts resumes everyone in the ledger, removes the record, and sees the other gone, in this order: by
//! then the other is not needed any more. All of it may be done twice without harm, and nobody else can freeze
//! the node meanwhile, since a guard that lives holds its lock.
//!
//! **What a killed or stopped guard can lose.** One killed: nothing, it is replaced. Both killed before a
//! replacement runs: the controller sees the socket close and resumes; if it is gone as well (or has detached),
//! the lock is free and the next command resumes from the record. Both stopped: they hold the lock but act on
//! nothing; the next command wakes them by SIGCONT, and the controller's own end of the pause needs them not at
//! all, since it resumes by itself and kills them, which reaches the stopped too. A controller that is stopped
//! while it still freezes could stop one more process after waking, so then the guards resume everyone and
//! *stay*, until the controller is dead or has given up.

mod holder;
mod watch;

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::ledger::{Ledger, Phase};
use super::lock::{Lock, above_streams};
use super::slot::Slot;
use crate::process::PidFd;
use crate::{Error, HostInstant, Result, Span, host_clock, raw};
use watch::Watch;

/// The guards' name, as `ps` shows it.
pub(super) const NAME: &str = "ft-guard";

const START_LIMIT: Span = Span::from_secs(5);
const LEAVE_LIMIT: Span = Span::from_millis(100);
/// How long a holder of threads may take to let go of them.
const HOLDER_LIMIT: Span = Span::from_secs(1);

/// The controller's hold on its guards.
#[derive(Debug)]
pub(super) struct Guards {
    /// Closed at the far end once all guards are gone.
    lifeline: UnixStream,
    bell: OwnedFd,
    timer: OwnedFd,
    /// The first guard's pid: our child, whom we collect.
    first: i32,
}

impl Guards {
    /// Start two guards over a ledger; they run when this returns.
    pub(super) fn start(ledger: &Ledger, lock: &Lock, dir: &OwnedFd, slot: Slot) -> Result<Guards> {
        let refused = |why: &dyn std::fmt::Display| {
            Error::not_applied("start the guard of the freeze", why)
                .remedy("raise the limits on processes and open files (ulimit -u, ulimit -n)")
        };
        let (lifeline, theirs) = UnixStream::pair().map_err(|why| refused(&why))?;
        let theirs = above_streams(OwnedFd::from(theirs)).map_err(|why| refused(&why))?;
        let bell = descriptor(raw::eventfd()).map_err(|why| refused(&why))?;
        let timer = descriptor(raw::timerfd()).map_err(|why| refused(&why))?;
        let own = raw::getpid().ok().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0);
        let controller = descriptor(raw::pidfd_open(own)).map_err(|why| refused(&why))?;
        let watch = Watch::new(
            ledger.shared(),
            slot,
            [
                lock.as_fd().as_raw_fd(),
                dir.as_raw_fd(),
                theirs.as_raw_fd(),
                bell.as_raw_fd(),
                timer.as_raw_fd(),
                controller.as_raw_fd(),
            ],
        );
        let first = watch.fork().map_err(|errno| refused(&errno.desc()))?;
        drop(theirs);
        let guards = Guards { lifeline, bell, timer, first };
        if !guards.wait(host_clock::monotonic().saturating_add(START_LIMIT)) {
            let late = refused(&"it was not ready within 5s");
            return Err(late.remedy("try again when the machine is less loaded"));
        }
        if guards.are_ready() { Ok(guards) } else { Err(refused(&"it ended before it was ready")) }
    }

    /// A guard writes one byte when both are up; here it is there, or the end of the stream.
    fn are_ready(&self) -> bool {
        raw::read(self.lifeline.as_raw_fd(), &mut [0]) == Ok(1)
    }

    /// Whether no guard is left.
    pub(super) fn are_gone(&self) -> bool {
        // Without asking for input: a byte of theirs is no sign of their end.
        let mut fds = [libc::pollfd { fd: self.lifeline.as_raw_fd(), events: 0, revents: 0 }];
        raw::poll(&mut fds, Some(0)).is_ok_and(|ready| ready > 0)
    }

    /// Wait until no guard is left; false at `until`.
    pub(super) fn wait(&self, until: HostInstant) -> bool {
        loop {
            let mut fds = [libc::pollfd { fd: self.lifeline.as_raw_fd(), events: libc::POLLIN, revents: 0 }];
            let left = until.saturating_since(host_clock::monotonic()).as_nanos().max(0);
            match raw::poll(&mut fds, (until != HostInstant::MAX).then_some(left)) {
                Err(Errno::EINTR) => {}
                Ok(0) | Err(_) => return false,
                Ok(_) => return true,
            }
        }
    }

    /// Let the guards end the pause at `at`, or at no instant.
    pub(super) fn set_end(&self, at: Option<HostInstant>) -> Result<()> {
        raw::timerfd_set(self.timer.as_raw_fd(), at.map(HostInstant::as_nanos))
            .map(drop)
            .map_err(|errno| Error::not_applied("set the guards' timer", errno.desc()))
    }

    /// Has the holder of threads look at the ledger.
    pub(super) fn ring(&self) {
        let _ = raw::write(self.bell.as_raw_fd(), &1_u64.to_ne_bytes());
    }

    /// Has the holder of threads, which finds the ledger's phase changed, let go of them; kills it if it does not.
    pub(super) fn let_go(&self) {
        self.ring();
        if !self.wait(host_clock::monotonic().saturating_add(HOLDER_LIMIT)) {
            // The kernel lets go of whatever the dead have traced.
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.first), Signal::SIGKILL);
            self.wait(host_clock::monotonic().saturating_add(HOLDER_LIMIT));
        }
    }

    /// All is done: send the guards home, and see them gone.
    pub(super) fn dismiss(&self, ledger: &Ledger, lock: &Lock) {
        ledger.shared().enter_phase(Phase::Done);
        self.ring();
        if self.wait(host_clock::monotonic().saturating_add(LEAVE_LIMIT)) {
            return;
        }
        // They are stopped. A replacement that starts now sees that all is done.
        for id in lock.holders().guards {
            if let Ok(Some(guard)) = PidFd::open(id) {
                let _ = guard.signal(Signal::SIGKILL);
            }
        }
        self.wait(host_clock::monotonic().saturating_add(LEAVE_LIMIT));
    }
}

impl AsFd for Guards {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lifeline.as_fd()
    }
}

impl Drop for Guards {
    fn drop(&mut self) {
        // Once all are gone the first is certainly dead or dying; while one lives it may be the first.
        let options = if self.are_gone() { 0 } else { libc::WNOHANG };
        while raw::wait(self.first, options) == Err(Errno::EINTR) {}
    }
}

/// A descriptor that a raw syscall has just made, above the standard streams.
#[expect(unsafe_code, reason = "taking ownership of a descriptor")]
fn descriptor(made: std::result::Result<usize, Errno>) -> std::io::Result<OwnedFd> {
    let fd = RawFd::try_from(made?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel has just made this descriptor for us.
    above_streams(unsafe { OwnedFd::from_raw_fd(fd) })
}
