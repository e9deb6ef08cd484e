//! The lock of a node's suspend: held from before its publication until its processes are frozen.
//!
//! In that time the node's clocks stand still, and nobody is frozen yet. If the command dies there, the kernel releases
//! the lock, and the next command of any kind ends the standstill. The file stays as long as the node: a lock on an
//! unlinked file excludes nobody.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use crate::{Error, Result, Span, host_clock};

const FILE: &str = "suspend.lock";
/// How long it is waited for.
const LIMIT: Span = Span::from_millis(500);

/// The lock, held until it is dropped.
pub(super) struct Lock {
    _file: Flock<File>,
}

/// What came of an attempt to take it.
pub(super) enum Attempt {
    /// It is ours.
    Taken(Lock),
    /// It is somebody else's.
    Busy,
    /// There is none: the node has never been suspended.
    Absent,
}

impl Lock {
    /// Tries to take the lock of the node in `dir`; where there is none, it is made if that is asked for.
    pub(super) fn try_take(dir: &Path, make: bool) -> Result<Attempt> {
        let path = dir.join(FILE);
        let refused = |why: std::io::Error| Error::not_applied(format_args!("lock {}", path.display()), why);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(make).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = match options.open(&path) {
            Ok(file) => file,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound && !make => return Ok(Attempt::Absent),
            Err(why) => return Err(refused(why)),
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Attempt::Taken(Lock { _file: file })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(Attempt::Busy),
            Err((_, errno)) => Err(refused(errno.into())),
        }
    }

    /// The same, and waits for somebody else: other commands hold it for as long as they look.
    pub(super) fn take(dir: &Path, make: bool) -> Result<Attempt> {
        let until = host_clock::monotonic().saturating_add(LIMIT);
        loop {
            match Lock::try_take(dir, make)? {
                Attempt::Busy if host_clock::monotonic() < until => host_clock::sleep(Span::from_millis(1)),
                attempt => return Ok(attempt),
            }
        }
    }
}
