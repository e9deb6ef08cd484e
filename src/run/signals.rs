//! Which signals `run` passes on to its program, and how it comes by them.
//!
//! What must hold: what somebody sends to `run` reaches the program; what the terminal sends to the whole process
//! group has reached the program already, and is not sent twice; what the program itself sends (to its group, say)
//! does not come back to it. A signal that somebody other than the terminal sends to the group (a shell's
//! `kill %1`) reaches the program twice: nothing in it tells the two apart.
//!
//! Source: signalfd(2), `si_code` in sigaction(2); the kernel's `drivers/tty/n_tty.c` (`__isig`) and
//! `drivers/tty/tty_jobctrl.c` for what a terminal sends, always as SI_KERNEL to a group.
#![expect(unsafe_code, reason = "a descriptor and a record that a system call has just filled")]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::process::{ProcessId, stat};
use crate::raw::{self, SignalSet};
use crate::{Error, Result};

/// Those that are looked at, besides the real-time ones.
const WATCHED: [i32; 15] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGURG,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGWINCH,
    libc::SIGCONT,
    libc::SIGTSTP,
];

/// The first real-time signal that libc leaves to programs, and the last one.
const REAL_TIME: std::ops::RangeInclusive<i32> = 34..=64;

/// How many parents up from a signal's sender the program is looked for.
const GENERATIONS: u32 = 1_000;

const fn bit(signal: i32) -> SignalSet {
    1 << (signal - 1)
}

/// All signals, for the time in which processes are made.
pub const ALL: SignalSet = SignalSet::MAX;

/// Those that [`Signals`] reads, which the process must block meanwhile: SIGCHLD as well.
pub fn watched() -> SignalSet {
    WATCHED.into_iter().chain(REAL_TIME).fold(bit(libc::SIGCHLD), |set, signal| set | bit(signal))
}

/// A signal that `run` was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// How it was sent: SI_USER and kin.
    pub code: i32,
    /// Who sent it; 0 when the kernel did.
    pub sender: i32,
}

impl Received {
    /// Whether it was sent to `run`, and not (as far as can be told) to the program as well.
    pub fn is_for_run_alone(self) -> bool {
        match self.code {
            libc::SI_USER | libc::SI_QUEUE | libc::SI_TKILL => true,
            // A timer that was set before `run` was executed: the program has not got it, since fork clears them.
            _ => matches!(self.signal, libc::SIGALRM | libc::SIGVTALRM | libc::SIGPROF),
        }
    }

    /// Whether this process has sent it itself.
    pub fn is_own(self) -> bool {
        self.code == libc::SI_USER && u32::try_from(self.sender) == Ok(std::process::id())
    }

    /// Whether it comes from a process below `keeper`, or from the keeper itself.
    pub fn is_from_below(self, keeper: ProcessId) -> bool {
        let mut pid = self.sender;
        for _ in 0..GENERATIONS {
            if pid == keeper.pid {
                return true;
            }
            let mut buffer = stat::Buffer::new();
            match stat::read(pid, &mut buffer) {
                Some(stat) if stat.ppid > 1 => pid = stat.ppid,
                _ => return false,
            }
        }
        false
    }
}

/// The signals that come for this process, one after the other.
#[derive(Debug)]
pub struct Signals(OwnedFd);

impl Signals {
    /// From now on; the caller blocks them.
    pub fn open() -> Result<Self> {
        let fd = raw::signalfd(watched())
            .map_err(|errno| Error::not_applied("watch the signals of the program", errno.desc()))?;
        // SAFETY: signalfd has just returned this descriptor, and nobody else knows of it.
        Ok(Signals(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// What to poll.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    /// The next one. Call it when [`Signals::fd`] is readable; otherwise it waits.
    pub fn next(&self) -> Option<Received> {
        let mut bytes = [0_u8; size_of::<libc::signalfd_siginfo>()];
        let length = raw::read(self.0.as_raw_fd(), &mut bytes).ok()?;
        if length != bytes.len() {
            return None;
        }
        // SAFETY: the kernel has filled exactly this record, which is numbers throughout; its alignment is not asked.
        let info: libc::signalfd_siginfo = unsafe { std::ptr::read_unaligned(bytes.as_ptr().cast()) };
        Some(Received {
            signal: i32::try_from(info.ssi_signo).ok()?,
            code: info.ssi_code,
            sender: i32::try_from(info.ssi_pid).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: i32 = 0x80;

    fn received(signal: i32, code: i32) -> Received {
        Received { signal, code, sender: 0 }
    }

    #[test]
    fn the_terminals_signals_are_not_doubled() {
        for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGWINCH, libc::SIGHUP] {
            assert!(!received(signal, KERNEL).is_for_run_alone(), "{signal}");
            assert!(received(signal, libc::SI_USER).is_for_run_alone(), "{signal}");
            assert!(received(signal, libc::SI_QUEUE).is_for_run_alone(), "{signal}");
            assert!(received(signal, libc::SI_TKILL).is_for_run_alone(), "{signal}");
        }
        assert!(received(libc::SIGALRM, KERNEL).is_for_run_alone(), "alarm() before exec");
    }

    #[test]
    fn libcs_own_signals_and_those_that_nobody_can_block_are_left_alone() {
        let set = watched();
        for signal in [libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, libc::SIGPIPE, 32, 33] {
            assert_eq!(set & bit(signal), 0, "{signal}");
        }
        for signal in [libc::SIGTERM, libc::SIGCHLD, 34, 64] {
            assert_ne!(set & bit(signal), 0, "{signal}");
        }
    }

    #[test]
    fn a_sender_is_known_by_its_parents() {
        let own = ProcessId::own().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let sender = i32::try_from(child.id()).unwrap();
        let from = |sender| Received { signal: libc::SIGTERM, code: libc::SI_USER, sender };
        assert!(from(sender).is_from_below(own));
        assert!(from(own.pid).is_from_below(own));
        assert!(!from(own.pid).is_from_below(ProcessId::of(sender).unwrap()));
        assert!(!from(1).is_from_below(own));
        assert!(!from(0).is_from_below(own));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
