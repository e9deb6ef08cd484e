//! What controller and guards share in memory: who has been stopped, and how far the freeze has come.
//!
//! What must hold: an entry is complete before the count includes it; everything is atomic, so that a process may
//! die between any two instructions and leave a ledger that the others can go on with; reading it and resuming
//! from it allocates nothing, since the guards do so after a fork. Processes stand in it by pid and start tick,
//! not by descriptor: a guard opens and verifies each anew, so a thousand processes need no thousand descriptors.
#![expect(unsafe_code, reason = "memory shared with the guards")]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use nix::errno::Errno;

use crate::process::{self, ProcessId};
use crate::{Error, Result, raw};

/// How many processes one freeze can hold. The memory is committed only as far as it is used.
const CAPACITY: usize = 1 << 18;

/// How far a freeze has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Phase {
    /// The controller stops processes. A guard that is asked to end the pause may not leave before the
    /// controller is dead or done: the controller could stop one more after the guard has gone.
    Freezing = 0,
    /// All are stopped; the controller sends no more stops, and the pause ends with the controller.
    Held = 1,
    /// The same, but the controller may leave.
    Detached = 2,
    /// A guard was asked to end the pause while it was [`Phase::Freezing`]; the controller must give up.
    CalledOff = 3,
    /// Somebody resumes the processes; whoever finds him dead does it again.
    Thawing = 4,
    /// All run again, and the record is gone.
    Done = 5,
}

impl Phase {
    fn of(number: u32) -> Phase {
        match number {
            0 => Phase::Freezing,
            1 => Phase::Held,
            2 => Phase::Detached,
            3 => Phase::CalledOff,
            5 => Phase::Done,
            _ => Phase::Thawing,
        }
    }
}

/// The shared memory. Zeroes are a valid, empty one.
#[repr(C)]
pub(super) struct Shared {
    phase: AtomicU32,
    count: AtomicU32,
    session: AtomicI32,
    entries: [Entry; CAPACITY],
}

#[repr(C)]
struct Entry {
    pid: AtomicI32,
    start_ticks: AtomicU64,
}

impl Shared {
    pub(super) fn phase(&self) -> Phase {
        Phase::of(self.phase.load(Ordering::SeqCst))
    }

    /// Go to a phase from wherever it is; the phase that was.
    pub(super) fn enter_phase(&self, phase: Phase) -> Phase {
        Phase::of(self.phase.swap(phase as u32, Ordering::SeqCst))
    }

    /// Go from one phase to another, unless it has moved.
    pub(super) fn step(&self, from: Phase, to: Phase) -> bool {
        self.phase.compare_exchange(from as u32, to as u32, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// The session of the guards, which never stop one another: 0 until they run.
    pub(super) fn session(&self) -> i32 {
        self.session.load(Ordering::SeqCst)
    }

    pub(super) fn set_session(&self, session: i32) {
        self.session.store(session, Ordering::SeqCst);
    }

    fn count(&self) -> usize {
        usize::try_from(self.count.load(Ordering::Acquire)).unwrap_or(0).min(CAPACITY)
    }

    /// Everyone who is to be resumed.
    pub(super) fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.entries[..self.count()].iter().map(|entry| ProcessId {
            pid: entry.pid.load(Ordering::Relaxed),
            start_ticks: entry.start_ticks.load(Ordering::Relaxed),
        })
    }

    /// Add processes. Only the controller does so, from one thread.
    pub(super) fn add(&self, processes: &[ProcessId]) -> Result<()> {
        let from = self.count();
        let Some(room) = self.entries[from..].get(..processes.len()) else {
            return Err(Error::not_applied(
                "stop the processes",
                format_args!("there are more than {CAPACITY} of them"),
            ));
        };
        for (entry, id) in room.iter().zip(processes) {
            entry.pid.store(id.pid, Ordering::Relaxed);
            entry.start_ticks.store(id.start_ticks, Ordering::Relaxed);
        }
        self.count.store(u32::try_from(from + processes.len()).unwrap_or(0), Ordering::Release);
        Ok(())
    }

    /// Resume everyone in it. Async-signal-safe. An error is that of the last process that could not be resumed;
    /// the others have been.
    pub(super) fn resume_all(&self) -> std::result::Result<(), Errno> {
        let mut result = Ok(());
        for id in self.processes() {
            if let Err(errno) = resume(id) {
                result = Err(errno);
            }
        }
        result
    }
}

fn resume(id: ProcessId) -> std::result::Result<(), Errno> {
    let Some(fd) = process::open_verified(id)? else { return Ok(()) };
    let sent = raw::pidfd_send_signal(fd, libc::SIGCONT);
    let _ = raw::close(fd);
    match sent {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// The controller's mapping of the ledger; a guard has its own by inheritance, and never gives it back.
#[derive(Debug)]
pub(super) struct Ledger(NonNull<Shared>);

// SAFETY: the memory is reached through shared references to atomics only, and is given back by the one owner.
unsafe impl Send for Ledger {}
// SAFETY: as above.
unsafe impl Sync for Ledger {}

impl Ledger {
    pub(super) fn new() -> Result<Ledger> {
        let refused = |why: &str| Error::not_applied("share memory with the guard", why);
        let at = raw::map_shared(size_of::<Shared>()).map_err(|errno| refused(errno.desc()))?;
        NonNull::new(at.cast()).map(Ledger).ok_or_else(|| refused("the kernel mapped it at 0"))
    }

    pub(super) fn shared(&self) -> &Shared {
        // SAFETY: a page-aligned mapping of this size, alive until drop; zeroes and any other bytes are valid
        // atomics.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // SAFETY: `shared` lends references for no longer than this value lives.
        unsafe { raw::unmap(self.0.as_ptr().cast(), size_of::<Shared>()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_and_entries_are_kept() {
        let ledger = Ledger::new().unwrap();
        let shared = ledger.shared();
        assert_eq!(shared.phase(), Phase::Freezing);
        assert!(shared.step(Phase::Freezing, Phase::Held));
        assert!(!shared.step(Phase::Freezing, Phase::Held));
        assert_eq!(shared.enter_phase(Phase::Done), Phase::Held);
        let two = [ProcessId { pid: -1, start_ticks: 2 }, ProcessId { pid: -3, start_ticks: u64::MAX }];
        shared.add(&two).unwrap();
        shared.add(&[]).unwrap();
        assert_eq!(shared.processes().collect::<Vec<_>>(), two);
        assert_eq!(shared.resume_all(), Ok(()));
        let all = vec![two[0]; CAPACITY - 2];
        shared.add(&all).unwrap();
        assert!(shared.add(&two[..1]).is_err());
    }
}
