//! A freeze's ledger: who is held and by which means, and how far the freeze has come. A file in the node's directory,
//! which controller and guards share in memory, other freezes of the node look into, and the next command finds when
//! all of them are dead.
//!
//! What must hold: an entry is complete before the count includes it, and stands in the ledger before anything is done
//! to its process; everything is atomic, so that a process may die between any two instructions and leave a ledger
//! that the others can go on with; reading it and undoing the freeze from it allocates nothing, since guards do so
//! after a fork. Room for an entry is set aside in the file before the entry is written: memory that cannot be had is
//! an error, and no SIGBUS. Processes stand in it by pid and start tick, not by descriptor: whoever resumes them opens
//! and verifies each anew, so a thousand processes need no thousand descriptors.
#![expect(unsafe_code, reason = "memory shared with the guards")]

mod layout;
mod text;

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr::NonNull;

use nix::fcntl::{FallocateFlags, fallocate};

pub(super) use layout::{CAPACITY, Entry, Held, NO_ORIGIN, PATH, Phase, Shared, Unfit};
pub(super) use text::Copied;

use super::slot::Slot;
use crate::{Error, Result, raw};

/// A mapping of a ledger.
#[derive(Debug)]
pub(super) struct Ledger {
    at: NonNull<Shared>,
    file: File,
}

// SAFETY: the memory is reached through shared references to atomics only, and is given back by the one owner.
unsafe impl Send for Ledger {}
// SAFETY: as above.
unsafe impl Sync for Ledger {}

impl Ledger {
    /// An empty one, for a new freeze. The caller holds the slot's lock.
    pub(super) fn create(dir: &Path, slot: Slot) -> Result<Ledger> {
        let path = slot.ledger(dir);
        let refused = |why: &dyn std::fmt::Display| {
            Error::not_applied(format_args!("write {}", path.display()), why)
                .remedy("make room on the file system that nodes live on")
        };
        let file = options().create(true).open(&path).map_err(|why| refused(&why))?;
        let whole = u64::try_from(size_of::<Shared>()).unwrap_or(0);
        file.set_len(whole).map_err(|why| refused(&why))?;
        // Zeroed by a hole and not cut to nothing first: others may have it in memory, and would get SIGBUS.
        let hole = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
        fallocate(&file, hole, 0, i64::try_from(whole).unwrap_or(i64::MAX))
            .and_then(|()| set_aside(&file, 0))
            .map_err(|why| refused(&why.desc()))?;
        let ledger = Ledger::map(file).map_err(|why| refused(&why))?;
        ledger.shared().begin();
        Ok(ledger)
    }

    /// The one that a freeze has left or is writing; `None` if there is none.
    pub(super) fn open(dir: &Path, slot: Slot) -> Result<Option<Ledger>> {
        let path = slot.ledger(dir);
        let attempted = || format!("read {}", path.display());
        let remedy = "resume the node's processes with kill -CONT, and remove the file";
        let file = match options().open(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(why) => return Err(Error::not_applied(attempted(), why)),
        };
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        if length == 0 {
            // Made by somebody who died, or is about to write it.
            return Ok(None);
        }
        if usize::try_from(length) != Ok(size_of::<Shared>()) {
            return Err(Error::not_applied(attempted(), "it has not a ledger's size").remedy(remedy));
        }
        let ledger = Ledger::map(file).map_err(|why| Error::not_applied(attempted(), why))?;
        match ledger.shared().check() {
            Ok(()) => Ok(Some(ledger)),
            Err(Unfit::Empty) => Ok(None),
            Err(Unfit::Magic) => Err(Error::not_applied(attempted(), "it is no ledger").remedy(remedy)),
            Err(Unfit::Version(other)) => Err(Error::not_applied(
                attempted(),
                format_args!("it is of version {other}, and this program knows another"),
            )
            .remedy("thaw with the falseticker that froze")),
        }
    }

    fn map(file: File) -> std::result::Result<Ledger, std::io::Error> {
        let at = raw::map_file(file.as_raw_fd(), size_of::<Shared>())?;
        let at = NonNull::new(at.cast()).ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        Ok(Ledger { at, file })
    }

    pub(super) fn shared(&self) -> &Shared {
        // SAFETY: a page-aligned mapping of this size, alive until drop, of a file that is as long; any bytes are valid
        // atomics.
        unsafe { self.at.as_ref() }
    }

    /// Add entries; the index of the first. Only the controller does so, from one thread.
    pub(super) fn add(&self, held: &[Held]) -> Result<usize> {
        let refused =
            |why: &dyn std::fmt::Display| Error::not_applied("write down whom the freeze will hold", why);
        let from = self.shared().count();
        if from + held.len() > CAPACITY {
            return Err(refused(&format_args!("there are more than {CAPACITY} of them")));
        }
        set_aside(&self.file, from + held.len()).map_err(|errno| {
            refused(&errno.desc()).remedy("make room on the file system that nodes live on")
        })?;
        self.shared().add(from, held);
        Ok(from)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // SAFETY: `shared` lends references for no longer than this value lives.
        unsafe { raw::unmap(self.at.as_ptr().cast(), size_of::<Shared>()) };
    }
}

/// Has the file system set aside what a ledger of so many entries takes.
fn set_aside(file: &File, entries: usize) -> std::result::Result<(), nix::errno::Errno> {
    let length = Shared::length(entries);
    fallocate(file, FallocateFlags::empty(), 0, i64::try_from(length).unwrap_or(i64::MAX))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessId;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn phases_and_entries_are_kept_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::all().next().unwrap();
        assert!(Ledger::open(dir.path(), slot).unwrap().is_none());
        let ledger = Ledger::create(dir.path(), slot).unwrap();
        let shared = ledger.shared();
        assert!(Ledger::open(dir.path(), slot).unwrap().is_none());
        shared.publish();
        assert_eq!(shared.phase(), Phase::Freezing);
        assert!(shared.step(Phase::Freezing, Phase::Held));
        assert!(!shared.step(Phase::Freezing, Phase::Held));
        let of = |pid, start_ticks| Held::process(ProcessId { pid, start_ticks });
        let two = [of(-1, 2), of(-3, u64::MAX)];
        assert_eq!(ledger.add(&two).unwrap(), 0);
        assert_eq!(ledger.add(&[]).unwrap(), 2);
        let read: Vec<ProcessId> = shared.entries().iter().map(Entry::id).collect();
        assert_eq!(read, two.map(|held| held.id));
        let other = Ledger::open(dir.path(), slot).unwrap().unwrap();
        assert_eq!(other.shared().phase(), Phase::Held);
        assert_eq!(other.shared().entries().len(), 2);
        assert_eq!(shared.enter_phase(Phase::Done), Phase::Held);
        assert_eq!(other.shared().phase(), Phase::Done);
        assert!(ledger.add(&vec![two[0]; CAPACITY]).is_err());
        let mode = std::fs::metadata(slot.ledger(dir.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // Anew: nothing of the last one is left.
        drop((ledger, other));
        assert_eq!(Ledger::create(dir.path(), slot).unwrap().shared().entries().len(), 0);
    }

    #[test]
    fn what_is_no_ledger_is_refused_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let slot = Slot::all().next().unwrap();
        let path = slot.ledger(dir.path());
        std::fs::write(&path, "").unwrap();
        assert!(Ledger::open(dir.path(), slot).unwrap().is_none());
        std::fs::write(&path, "{}").unwrap();
        assert!(Ledger::open(dir.path(), slot).unwrap_err().help().is_some());
        Ledger::create(dir.path(), slot).unwrap().shared().publish();
        for (at, byte) in [(0, b'X'), (8, 9)] {
            use std::os::unix::fs::FileExt;
            let file = options().open(&path).unwrap();
            let mut before = [0];
            file.read_exact_at(&mut before, at).unwrap();
            file.write_all_at(&[byte], at).unwrap();
            assert!(Ledger::open(dir.path(), slot).unwrap_err().help().is_some());
            file.write_all_at(&before, at).unwrap();
        }
        assert!(Ledger::open(dir.path(), slot).unwrap().is_some());
    }
}
