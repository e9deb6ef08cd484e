//! A guard's whole life, from the fork to its end.
//!
//! What must hold: it runs in a fork of a program with many threads, so everything here is raw syscalls on the
//! stack and on the ledger: nothing allocates, locks, panics or returns to the caller's code. A failure that
//! cannot be dealt with ends the pause, never the watch alone.
#![expect(unsafe_code, reason = "forks")]

use std::os::fd::RawFd;

use nix::errno::Errno;

use super::holder::Holder;
use crate::freeze::ledger::{Phase, Shared};
use crate::freeze::lock::{Place, line};
use crate::freeze::means::Means;
use crate::freeze::slot::Slot;
use crate::freeze::undo::undo;
use crate::process::stat;
use crate::raw::{self, SignalSet};

/// How long a guard waits to be collected by the one that forked it, in nanoseconds.
const PARENT_LIMIT: i64 = 30_000_000;

/// No descriptor; `poll` passes over it.
const NONE: RawFd = -1;

/// What a guard knows. All descriptors are its own copies, at the numbers that the caller had.
pub(super) struct Watch<'a> {
    ledger: &'a Shared,
    lock: RawFd,
    dir: RawFd,
    lifeline: RawFd,
    bell: RawFd,
    timer: RawFd,
    controller: RawFd,
    signals: RawFd,
    twin: RawFd,
    /// The twin's pid if it is our child, whom we collect.
    child: Option<i32>,
    place: Place,
    slot: Slot,
    /// Of a freeze of threads: it holds them, and has no twin, since the kernel undoes what it has done when it dies.
    holder: Option<Holder>,
}

impl<'a> Watch<'a> {
    /// `[lock, dir, lifeline, bell, timer, controller]`, all above the standard streams.
    pub(super) fn new(ledger: &'a Shared, slot: Slot, fds: [RawFd; 6]) -> Self {
        let [lock, dir, lifeline, bell, timer, controller] = fds;
        Watch {
            ledger,
            lock,
            dir,
            lifeline,
            bell,
            timer,
            controller,
            signals: NONE,
            twin: NONE,
            child: None,
            place: Place::FirstGuard,
            slot,
            holder: (ledger.means() == Means::Thread).then(Holder::default),
        }
    }

    /// Fork the first guard; its pid. It sends the caller no signal when it ends.
    pub(super) fn fork(self) -> Result<i32, Errno> {
        // The guards start with everything blocked: a handler of the caller's must not run in them.
        let before = raw::block_signals(SignalSet::MAX);
        // SAFETY: the child goes on in `settle`, which runs `raw` functions alone and never returns.
        let forked = match unsafe { raw::fork(0) } {
            Ok(0) => self.settle(),
            other => other,
        };
        raw::block_signals(before);
        forked
    }

    /// Let go of the caller's session, streams, descriptors and directory; fork the twin; watch.
    fn settle(mut self) -> ! {
        raw::come_first();
        let _ = raw::setsid();
        raw::settle_as(c"ft-guard");
        self.close_all_others();
        let _ = raw::reset_signal(libc::SIGCHLD);
        let own = own_pid();
        self.ledger.set_session(own);
        let set = [libc::SIGTERM, libc::SIGCHLD].map(|signal| 1 << (signal - 1));
        self.signals = match raw::signalfd(if self.holder.is_some() { set[0] | set[1] } else { set[0] }) {
            Ok(fd) => fd,
            // The caller sees the lifeline close before a byte came, and gives up.
            Err(_) => raw::exit(1),
        };
        self.name(self.place, own);
        if self.holder.is_some() {
            let _ = raw::write(self.lifeline, b"+");
            self.watch()
        }
        match self.fork_twin() {
            // The twin is up; so both are.
            Ok(true) => {
                let _ = raw::write(self.lifeline, b"+");
            }
            Ok(false) => {}
            Err(_) => raw::exit(1),
        }
        self.watch()
    }

    fn close_all_others(&self) {
        if let Ok(null) = raw::open(c"/dev/null", libc::O_RDWR | libc::O_CLOEXEC) {
            for stream in 0..3 {
                let _ = raw::dup2(null, stream);
            }
        } else {
            let _ = raw::close_range(0, 2);
        }
        let mut kept = [self.lock, self.dir, self.lifeline, self.bell, self.timer, self.controller];
        kept.sort_unstable();
        let mut from: u32 = 3;
        for fd in kept {
            let Ok(fd) = u32::try_from(fd) else { continue };
            if fd > from {
                let _ = raw::close_range(from, fd - 1);
            }
            from = fd.saturating_add(1);
        }
        let _ = raw::close_range(from, u32::MAX);
    }

    /// Fork the other guard. True in the one that forked, false in the new one.
    fn fork_twin(&mut self) -> Result<bool, Errno> {
        let own = descriptor(raw::pidfd_open(own_pid()))?;
        // SAFETY: the child goes on in `watch`, which never returns.
        match unsafe { raw::fork(libc::SIGCHLD) } {
            Ok(0) => {
                self.twin = own;
                self.child = None;
                self.place = self.place.twin();
                Ok(false)
            }
            Ok(pid) => {
                let _ = raw::close(own);
                // Without a handle the new one still watches this one.
                self.twin = descriptor(raw::pidfd_open(pid)).unwrap_or(NONE);
                self.child = Some(pid);
                self.name(self.place.twin(), pid);
                Ok(true)
            }
            Err(errno) => {
                let _ = raw::close(own);
                Err(errno)
            }
        }
    }

    /// Name a guard in the lock file.
    fn name(&self, place: Place, pid: i32) {
        let mut buffer = stat::Buffer::new();
        if let Some(stat) = stat::read(pid, &mut buffer) {
            let _ = raw::pwrite(self.lock, &line(stat.id()), place.offset());
        }
    }

    fn watch(mut self) -> ! {
        loop {
            let phase = self.ledger.phase();
            // A controller resumes processes by itself; threads it cannot.
            if phase == Phase::Thawing && self.holder.is_some() {
                self.finish();
            }
            if phase == Phase::Done {
                self.leave();
            }
            // Once called off there is nothing more to be asked for; once detached the controller may leave.
            let asked = phase != Phase::CalledOff;
            let bound = phase != Phase::Detached;
            let mut fds = [
                readable(self.controller, bound),
                readable(self.lifeline, bound),
                readable(self.signals, asked || self.holder.is_some()),
                readable(self.timer, asked),
                readable(self.twin, true),
                readable(self.bell, true),
            ];
            match raw::poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(_) => self.finish(),
            }
            let [controller, lifeline, mut signals, timer, twin, bell] = fds.map(|fd| fd.revents != 0);
            if self.holder.is_some() {
                signals = self.hold_threads(signals, bell) && asked;
            }
            // It may have detached and left since the phase was read.
            if (controller || lifeline) && self.ledger.phase() != Phase::Detached {
                self.finish();
            }
            if signals || timer {
                self.end_pause();
            }
            if twin {
                self.replace_twin();
            }
        }
    }

    /// Sees to threads that are to be held, and that are; whether the end was asked for by a signal.
    fn hold_threads(&mut self, signals: bool, bell: bool) -> bool {
        let Some(holder) = &mut self.holder else { return false };
        if bell {
            let _ = raw::read(self.bell, &mut [0; 8]);
            holder.take_new(self.ledger);
        }
        let mut is_asked = false;
        if signals {
            let mut info = [0_u8; size_of::<libc::signalfd_siginfo>()];
            // The number is its first field.
            if raw::read(self.signals, &mut info) == Ok(info.len()) {
                let number = u32::from_ne_bytes([info[0], info[1], info[2], info[3]]);
                is_asked = i32::try_from(number) == Ok(libc::SIGTERM);
            }
        }
        // Several ends may have been told by one signal.
        holder.hear(self.ledger);
        is_asked
    }

    /// End the pause; stay if the controller may still stop somebody.
    fn end_pause(&self) {
        if self.ledger.step(Phase::Freezing, Phase::CalledOff) {
            self.resume();
        } else if self.ledger.phase() != Phase::CalledOff {
            self.finish();
        }
    }

    fn replace_twin(&mut self) {
        if let Some(pid) = self.child.take() {
            let _ = raw::wait(pid, libc::WNOHANG);
        }
        let _ = raw::close(self.twin);
        self.twin = NONE;
        if self.ledger.phase() == Phase::Thawing {
            self.finish();
        }
        if self.fork_twin().is_err() {
            self.end_pause();
        }
    }

    fn resume(&self) {
        match &self.holder {
            Some(holder) => holder.let_go(self.ledger),
            None => drop(undo(self.ledger, self.dir, self.slot)),
        }
    }

    /// Resume everyone, say so, leave.
    fn finish(&self) -> ! {
        if self.ledger.enter_phase(Phase::Thawing) != Phase::Done {
            self.resume();
        }
        self.ledger.enter_phase(Phase::Done);
        self.leave()
    }

    /// All is done: leave, and let the twin not outlast this guard, nor stay behind as a zombie of a reaper that
    /// collects nobody (the first process of a container, often).
    fn leave(&self) -> ! {
        if self.child.is_none() && self.twin != NONE {
            // The parent collects us; only if it is stopped is it killed, and we are somebody else's to collect.
            let _ = raw::write(self.bell, &1_u64.to_ne_bytes());
            let _ = raw::poll(&mut [readable(self.twin, true)], Some(PARENT_LIMIT));
        }
        if self.twin != NONE {
            let _ = raw::pidfd_send_signal(self.twin, libc::SIGKILL);
        }
        if let Some(pid) = self.child {
            let _ = raw::wait(pid, 0);
        }
        raw::exit(0)
    }
}

fn readable(fd: RawFd, wanted: bool) -> libc::pollfd {
    libc::pollfd { fd: if wanted { fd } else { NONE }, events: libc::POLLIN, revents: 0 }
}

fn own_pid() -> i32 {
    raw::getpid().ok().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0)
}

fn descriptor(made: Result<usize, Errno>) -> Result<RawFd, Errno> {
    RawFd::try_from(made?).map_err(|_| Errno::EBADF)
}
