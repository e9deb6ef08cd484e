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

use super::ledger::{Copied, Entry, PATH, Phase, Shared};
use super::means::Means;
use super::slot::{SLOTS, Slot};
use crate::process::ProcessId;
use crate::raw;

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
        self.0.iter().flatten().filter(|view| view.is_live).map(View::shared)
    }

    /// Whether there is another freeze by these means at all.
    pub(super) fn any(&self, means: Means) -> bool {
        self.live().any(|shared| shared.means() == means && shared.phase().claims())
    }

    /// Whether another freeze holds a process by these means.
    pub(super) fn hold(&self, id: ProcessId, means: Means) -> bool {
        self.holder(id, means).is_some()
    }

    /// Whether another freeze has stopped a process by a signal, or is resuming it: then nobody else has stopped it. A freeze
    /// that nobody answers for any more counts as well: the next command resumes whom it has stopped and no other holds.
    pub(super) fn have_stopped(&self, id: ProcessId) -> bool {
        let all = self.0.iter().flatten().map(View::shared);
        let of_signals =
            all.filter(|shared| shared.means() == Means::Signal && shared.phase() != Phase::Done);
        of_signals.flat_map(Shared::held).any(|entry| entry.id() == id)
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

/// A ledger.
struct View {
    at: *mut Shared,
    /// Whether somebody answers for it.
    is_live: bool,
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
        let view = View { at: at?.cast(), is_live };
        view.shared().check().is_ok().then_some(view)
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
