//! The other freezes of the same node: whom they hold, so that the last one to end resumes a process, and no other.
//!
//! Why nobody need wait for anybody, nor take a lock that all share. A freeze writes whom it is about to hold into its
//! ledger, and only then looks whether another freeze is resuming somebody; if so it waits until that is over. A freeze
//! that ends says so in its ledger, and only then looks whom others hold. So whoever is resumed by one is stopped by
//! the other *after* that, or is seen to be held and left alone.
//!
//! What must hold: all is raw system calls and memory on the stack, since guards look as well; a freeze whose lock
//! nobody holds keeps nobody held.
#![expect(unsafe_code, reason = "memory shared with other freezes")]

use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

use super::ledger::{Copied, Entry, PATH, Phase, Shared, Unfit};
use super::means::Means;
use super::slot::{SLOTS, Slot};
use crate::process::ProcessId;
use crate::{HostInstant, raw};

/// The other freezes that were under way at one moment.
pub(super) struct Others([Option<View>; SLOTS]);

impl Others {
    /// Looks into the node's directory. `own` is left out.
    pub(super) fn look(dir: RawFd, own: Slot) -> Others {
        let mut all = [const { None }; SLOTS];
        for (slot, place) in Slot::all().zip(&mut all).filter(|(slot, _)| *slot != own) {
            *place = View::open(dir, slot);
        }
        Others(all)
    }

    fn live(&self) -> impl Iterator<Item = &Shared> {
        self.0.iter().flatten().filter(|view| view.is_live && view.is_written).map(View::shared)
    }

    /// Whether there is another freeze by these means at all.
    pub(super) fn any(&self, means: Means) -> bool {
        self.live().any(|shared| shared.means() == means && shared.phase().claims())
    }

    /// Whether another freeze holds a process by these means.
    pub(super) fn hold(&self, id: ProcessId, means: Means) -> bool {
        self.holder(id, means).is_some()
    }

    /// What each of the other freezes has to do with a process being stopped.
    pub(super) fn parts_in_the_stop_of(&self, id: ProcessId) -> Parts {
        let mut parts = [const { Part::None }; SLOTS];
        for (part, view) in parts.iter_mut().zip(&self.0) {
            *part = view.as_ref().map_or(Part::None, |view| view.part_in_the_stop_of(id));
        }
        Parts(parts)
    }

    /// The control group in which another freeze holds a process.
    pub(super) fn cgroup_of(&self, id: ProcessId) -> Option<Copied<{ PATH + 32 }>> {
        self.holder(id, Means::Cgroup).map(|(shared, _)| shared.cgroup.copy())
    }

    /// The control group from which another freeze that holds it has taken a process.
    pub(super) fn origin_of(&self, id: ProcessId) -> Option<Vec<u8>> {
        let (shared, entry) = self.holder(id, Means::Cgroup)?;
        let origin = shared.origins.get(usize::try_from(entry.origin()).ok()?)?;
        (!origin.is_empty()).then(|| origin.to_bytes())
    }

    /// Whether another freeze holds by control groups of another version: the kernel counts nobody as frozen whom the other
    /// one has frozen.
    pub(super) fn have_groups_but_of(&self, version: u32) -> bool {
        let of_groups =
            self.live().filter(|shared| shared.means() == Means::Cgroup && shared.phase() != Phase::Done);
        of_groups
            .map(|shared| shared.cgroup_version.load(Ordering::SeqCst))
            .any(|one| one != 0 && one != version)
    }

    fn holder(&self, id: ProcessId, means: Means) -> Option<(&Shared, &Entry)> {
        let of_these = self.live().filter(|shared| shared.means() == means && shared.phase().claims());
        of_these
            .filter_map(|shared| {
                Some((shared, shared.held().find(|entry| entry.id() == id && entry.tid() == 0)?))
            })
            .next()
    }

    /// Whether another freeze is resuming somebody.
    pub(super) fn are_thawing(&self) -> bool {
        self.live().any(|shared| matches!(shared.phase(), Phase::Thawing | Phase::CalledOff))
    }
}

/// What the other freezes had to do with a process being stopped, at one moment. Two that are equal, taken before and after
/// a look at the process, tell that none of them has begun or ended, or got to it, in between.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parts([Part; SLOTS]);

/// What one freeze has to do with a process being stopped.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    /// There is no such freeze.
    None,
    /// It is just beginning, and its ledger cannot be read yet.
    Unknown,
    /// It has not stopped the process, or all of it is over. When it began tells it from the next one in its slot.
    Innocent { began: HostInstant, is_over: bool },
    /// It has stopped the process, or will, or is resuming it.
    Stops,
}

impl Parts {
    /// Whether one of them has stopped it, is about to, or is resuming it. A freeze that nobody answers for any more counts as
    /// well: the next command resumes whom it has stopped and no other holds.
    pub(super) fn stop_it(&self) -> bool {
        self.0.contains(&Part::Stops)
    }

    /// Whether it is certain that none of them does.
    pub(super) fn leave_it_alone(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::None | Part::Innocent { .. }))
    }
}

/// A ledger.
struct View {
    at: *mut Shared,
    /// Whether somebody answers for it.
    is_live: bool,
    /// Whether it is a ledger already; else nothing has been done that it could tell.
    is_written: bool,
}

impl View {
    fn open(dir: RawFd, slot: Slot) -> Option<View> {
        let (lock, ledger) = slot.names();
        let flags = libc::O_RDWR | libc::O_CLOEXEC | libc::O_NOFOLLOW;
        let lock = raw::open_in(dir, lock, flags).ok()?;
        let is_live = raw::is_locked(lock) == Ok(true);
        let _ = raw::close(lock);
        let ledger = raw::open_in(dir, ledger, flags).ok()?;
        let at = match raw::length(ledger) {
            Ok(length) if length == size_of::<Shared>() => raw::map_file(ledger, length).ok(),
            _ => None,
        };
        let _ = raw::close(ledger);
        let mut view = View { at: at?.cast(), is_live, is_written: false };
        match view.shared().check() {
            Ok(()) => view.is_written = true,
            Err(Unfit::Empty) => {}
            Err(Unfit::Magic | Unfit::Version(_)) => return None,
        }
        Some(view)
    }

    fn part_in_the_stop_of(&self, id: ProcessId) -> Part {
        let shared = self.shared();
        if !self.is_written {
            return if self.is_live { Part::Unknown } else { Part::None };
        }
        // Before the entries, to which nothing is added once it is over.
        let is_over = shared.phase() == Phase::Done;
        let has_it = || shared.means() == Means::Signal && shared.held().any(|entry| entry.id() == id);
        if !is_over && has_it() { Part::Stops } else { Part::Innocent { began: shared.began(), is_over } }
    }

    fn shared(&self) -> &Shared {
        // SAFETY: a page-aligned mapping of this size, alive until drop, of a file that is as long; any bytes are valid
        // atomics.
        unsafe { &*self.at }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        // SAFETY: `shared` lends references for no longer than this value lives.
        unsafe { raw::unmap(self.at.cast(), size_of::<Shared>()) };
    }
}
