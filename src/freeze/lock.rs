//! The lock of a freeze: held by exactly those processes that answer for it, and naming them.
//!
//! It is an open file description lock, which controller and guards share by inheritance; so the kernel releases
//! it when the last of them is gone, however that came about, and "is anyone alive who answers for this freeze?"
//! is one call that no recycled pid can mislead. The file is never removed nor replaced while the node exists:
//! a lock on an unlinked file excludes nobody.
//!
//! What must hold: nobody unlocks it explicitly, since that would release it for all who share it.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::slot::Slot;
use crate::process::{ProcessId, decimal};
use crate::{Error, Result};

/// Length of a line: a pid in 10 digits, a start tick in 20. Lines of one length, written in one piece at their
/// places, need no agreement among their writers.
const LINE: usize = 32;

/// Which line names whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Controller,
    FirstGuard,
    SecondGuard,
}

impl Place {
    /// Where in the file.
    pub(super) fn offset(self) -> usize {
        LINE * match self {
            Place::Controller => 0,
            Place::FirstGuard => 1,
            Place::SecondGuard => 2,
        }
    }

    /// The other guard's place.
    pub(super) fn twin(self) -> Place {
        if self == Place::FirstGuard { Place::SecondGuard } else { Place::FirstGuard }
    }
}

/// The line that names a process; async-signal-safe.
pub(super) fn line(id: ProcessId) -> [u8; LINE] {
    let mut line = [b'0'; LINE];
    line[10] = b' ';
    line[31] = b'\n';
    let mut digits = [0; 20];
    let pid = decimal(u64::from(id.pid.unsigned_abs()), &mut digits);
    line[10 - pid.len()..10].copy_from_slice(pid);
    let start = decimal(id.start_ticks, &mut digits);
    line[31 - start.len()..31].copy_from_slice(start);
    line
}

/// Who is named, whether or not he still lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    pub controller: Option<ProcessId>,
    pub guards: Vec<ProcessId>,
}

/// The lock file, open.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    /// Open the lock of a slot of the node in `dir`, making the file if need be.
    pub(super) fn create(dir: &Path, slot: Slot) -> Result<Lock> {
        let path = slot.lock(dir);
        let file = options().create(true).open(&path);
        file.and_then(above_streams).map(Lock).map_err(|why| refused(&path, why))
    }

    /// Open the lock of a slot of the node in `dir`; `None` if it has never been used.
    pub(super) fn open(dir: &Path, slot: Slot) -> Result<Option<Lock>> {
        let path = slot.lock(dir);
        match options().open(&path) {
            Ok(file) => above_streams(file).map(|file| Some(Lock(file))).map_err(|why| refused(&path, why)),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(refused(&path, why)),
        }
    }

    /// Take it if nobody has it.
    pub(super) fn try_take(&self) -> Result<bool> {
        let whole = libc::flock {
            l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
            l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        match fcntl(&self.0, FcntlArg::F_OFD_SETLK(&whole)) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(errno) => Err(Error::not_applied("lock the freeze", errno.desc())),
        }
    }

    /// Name this process as the controller, and nobody else. Only for who has taken the lock.
    pub(super) fn name_controller(&self) -> Result<()> {
        let named = self.0.set_len(0).and_then(|()| {
            let id = ProcessId::own().unwrap_or(ProcessId { pid: 0, start_ticks: 0 });
            self.0.write_all_at(&line(id), u64::try_from(Place::Controller.offset()).unwrap_or(0))
        });
        named.map_err(|why| Error::not_applied("write who freezes", why))
    }

    /// Who is named in it and lives.
    pub(super) fn holders(&self) -> Holders {
        let at = |place: Place| {
            let mut line = [0; LINE];
            self.0.read_exact_at(&mut line, u64::try_from(place.offset()).ok()?).ok()?;
            let (pid, start) = std::str::from_utf8(&line).ok()?.trim_end().split_once(' ')?;
            let id = ProcessId { pid: pid.parse().ok()?, start_ticks: start.parse().ok()? };
            Some(id).filter(|id| id.is_alive())
        };
        Holders {
            controller: at(Place::Controller),
            guards: [Place::FirstGuard, Place::SecondGuard].into_iter().filter_map(at).collect(),
        }
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options
}

fn refused(path: &Path, why: std::io::Error) -> Error {
    Error::not_applied(format_args!("open {}", path.display()), why)
}

/// The same descriptor, or a copy of it above the three standard streams, which the guard replaces.
pub(super) fn above_streams<T: From<OwnedFd> + AsFd + std::os::fd::AsRawFd>(fd: T) -> std::io::Result<T> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    duplicate(fd.as_fd()).map(T::from)
}

#[expect(unsafe_code, reason = "taking ownership of a descriptor")]
fn duplicate(fd: std::os::fd::BorrowedFd<'_>) -> std::io::Result<OwnedFd> {
    use std::os::fd::FromRawFd;
    let copy = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(3))?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot() -> Slot {
        Slot::all().next().unwrap()
    }

    #[test]
    fn one_holder_at_a_time_and_released_by_closing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Lock::open(dir.path(), slot()).unwrap().is_none());
        let first = Lock::create(dir.path(), slot()).unwrap();
        assert!(first.try_take().unwrap());
        let second = Lock::open(dir.path(), slot()).unwrap().unwrap();
        assert!(!second.try_take().unwrap());
        first.name_controller().unwrap();
        assert_eq!(second.holders().controller, ProcessId::own());
        drop(first);
        assert!(second.try_take().unwrap());
    }

    #[test]
    fn a_line_is_read_as_it_was_written_and_nonsense_names_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::create(dir.path(), slot()).unwrap();
        let own = ProcessId::own().unwrap();
        lock.0.write_all_at(&line(own), u64::try_from(Place::SecondGuard.offset()).unwrap()).unwrap();
        assert_eq!(lock.holders(), Holders { controller: None, guards: vec![own] });
        lock.0.write_all_at(&[0xff; 96], 0).unwrap();
        assert_eq!(lock.holders(), Holders::default());
        assert_eq!(
            line(ProcessId { pid: i32::MAX, start_ticks: u64::MAX }),
            *b"2147483647 18446744073709551615\n"
        );
    }
}
