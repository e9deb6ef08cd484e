//! `--on-file PATH`: a file appears or changes.
//!
//! What must hold: an event between preparation and waiting is kept by the kernel's queue; a file that is made, written,
//! closed after writing, or moved into place is noticed, whether it was there before or not, and through a symbolic link
//! too; a directory that goes, or that is on a file system which reports nothing, is an error.
//!
//! Source: inotify(7).

use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use nix::sys::statfs::{FsType, PROC_SUPER_MAGIC, statfs};

use super::{Fired, Trigger};
use crate::error::{Error, Result};
use crate::host_clock;

/// Sysfs, as statfs(2) has it; its files change without a sign.
const SYSFS_MAGIC: FsType = FsType(0x6265_6572);

/// A file that is to appear or to change.
#[derive(Debug)]
pub struct OnFile {
    path: PathBuf,
    name: OsString,
    queue: Inotify,
    folder: WatchDescriptor,
    /// What was there at the start, for the case that the kernel's queue overflows.
    before: Option<Stamp>,
}

/// By what a file is known to be another, or to have changed.
type Stamp = (u64, u64, i64, i64, u64);

impl OnFile {
    /// From now on.
    pub fn prepare(path: &Path) -> Result<Self> {
        let attempted = format!("wait for file {}", path.display());
        let Some(name) = path.file_name() else {
            return Err(Error::bad_input(attempted, "that is no file's name")
                .remedy("name a file, which may appear later, in a directory that exists"));
        };
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let refused = |errno: Errno| refused(&attempted, folder, errno);
        if !folder.metadata().map_err(|why| refused(errno_of(&why)))?.is_dir() {
            return Err(refused(Errno::ENOTDIR));
        }
        let kind = statfs(folder).map_err(refused)?.filesystem_type();
        if kind == PROC_SUPER_MAGIC || kind == SYSFS_MAGIC {
            let why = format!("the kernel reports no changes in {}", folder.display());
            return Err(Error::bad_input(attempted, why).remedy("look at it by --on-command"));
        }
        let queue = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).map_err(refused)?;
        let changes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO;
        let goes = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_ONLYDIR;
        let folder = queue.add_watch(folder, changes | goes).map_err(refused)?;
        // The file itself too: a link to one elsewhere, or a directory in which something changes.
        match queue.add_watch(path, changes) {
            Ok(_) | Err(Errno::ENOENT | Errno::EACCES) => {}
            Err(errno) => return Err(refused(errno)),
        }
        Ok(OnFile { path: path.to_owned(), name: name.to_owned(), queue, folder, before: stamp(path) })
    }

    /// What an event says of the file; `None` if it is about another one.
    fn of(&self, event: &InotifyEvent) -> Result<Option<&'static str>> {
        let has = |flag| event.mask.contains(flag);
        if has(AddWatchFlags::IN_Q_OVERFLOW) {
            return Ok((stamp(&self.path) != self.before).then_some("has changed"));
        }
        if event.wd == self.folder && event.name.is_none() {
            let gone = AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF
                | AddWatchFlags::IN_UNMOUNT
                | AddWatchFlags::IN_IGNORED;
            return if event.mask.intersects(gone) { Err(self.is_gone()) } else { Ok(None) };
        }
        if event.wd == self.folder && event.name.as_ref() != Some(&self.name) {
            return Ok(None);
        }
        // Of what is in a directory that was asked for, a name says that it has changed.
        let inside = event.wd != self.folder && event.name.is_some();
        Ok(if has(AddWatchFlags::IN_IGNORED) {
            None
        } else if inside || has(AddWatchFlags::IN_MODIFY) {
            Some("was changed")
        } else if has(AddWatchFlags::IN_CREATE) {
            Some("was made")
        } else if has(AddWatchFlags::IN_MOVED_TO) {
            Some("was moved into place")
        } else if has(AddWatchFlags::IN_CLOSE_WRITE) {
            Some("was closed after writing")
        } else {
            None
        })
    }

    fn is_gone(&self) -> Error {
        let why = "its directory was removed, moved or unmounted";
        Error::not_applied(format!("wait for file {}", self.path.display()), why)
    }
}

impl Trigger for OnFile {
    fn awaited(&self) -> String {
        format!("file {} to appear or change", self.path.display())
    }

    fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        vec![self.queue.as_fd()]
    }

    fn look(&mut self) -> Result<Option<Fired>> {
        let events = match self.queue.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(errno) => {
                let attempted = format!("wait for file {}", self.path.display());
                return Err(Error::not_applied(attempted, errno.desc()));
            }
        };
        let at = host_clock::monotonic();
        for event in &events {
            if let Some(what) = self.of(event)? {
                return Ok(Some(Fired::new("file", format!("{} {what}", self.path.display()), at)));
            }
        }
        Ok(None)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
}

fn errno_of(why: &std::io::Error) -> Errno {
    Errno::from_raw(why.raw_os_error().unwrap_or(libc::EIO))
}

fn refused(attempted: &str, folder: &Path, errno: Errno) -> Error {
    let folder = folder.display();
    match errno {
        Errno::ENOENT => Error::bad_input(attempted, format!("there is no directory {folder}"))
            .remedy("make the directory first; the file may appear later"),
        Errno::ENOTDIR => Error::bad_input(attempted, format!("{folder} is no directory")),
        Errno::EACCES => Error::bad_input(attempted, format!("{folder} may not be read by this user")),
        Errno::ENOSPC | Errno::EMFILE => Error::not_applied(attempted, errno.desc())
            .remedy("raise fs.inotify.max_user_watches and fs.inotify.max_user_instances (sysctl)"),
        errno => Error::not_applied(attempted, errno.desc()),
    }
}
