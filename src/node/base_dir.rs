//! The directory in which a user's nodes live.
//!
//! What must hold: it is the user's own and nobody else can write in it (a page decides what time programs see);
//! it is on tmpfs (pages on a disk can block a reader) that is not mounted noexec (ld.so could not map the shim);
//! its path survives LD_PRELOAD, which ld.so splits and expands. What was asked for explicitly is used or refused;
//! only defaults give way to one another, and say so in the log.
//!
//! Source: ld.so(8), tmpfs(5), statvfs(3), the XDG base directory specification.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::ErrorKind as IoErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::geteuid;

use super::files::Access;
use super::preload_env;
use crate::error::{Error, Result};

/// The variable that names the directory.
pub const VARIABLE: &str = "FALSETICKER_DIR";

/// Where nodes could live, as the environment has it.
#[derive(Debug, Clone)]
pub struct Wishes {
    /// What [`VARIABLE`] says.
    pub explicit: Option<OsString>,
    /// What XDG_RUNTIME_DIR says.
    pub runtime_dir: Option<OsString>,
    /// The tmpfs that every Linux has: `/dev/shm`.
    pub shm: PathBuf,
    /// The user whose nodes they are.
    pub uid: u32,
}

impl Wishes {
    /// Those of this process.
    #[must_use]
    pub fn of_environment() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Wishes {
            explicit: set(VARIABLE),
            runtime_dir: set("XDG_RUNTIME_DIR"),
            shm: PathBuf::from("/dev/shm"),
            uid: geteuid().as_raw(),
        }
    }
}

/// The directory in which a user's nodes live; it may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseDir {
    path: PathBuf,
    uid: u32,
    explicit: bool,
}

/// Why a directory will not do.
struct Flaw {
    why: String,
    remedy: String,
    /// Whether a default may give way to the next one because of it.
    passable: bool,
}

impl BaseDir {
    /// The directory that this process's environment leads to. Nothing is made yet.
    pub fn find() -> Result<Self> {
        BaseDir::choose(&Wishes::of_environment())
    }

    /// The directory that these wishes lead to. Nothing is made yet.
    pub fn choose(wishes: &Wishes) -> Result<Self> {
        let base = |path: PathBuf, explicit| BaseDir { path, uid: wishes.uid, explicit };
        if let Some(path) = &wishes.explicit {
            let base = base(PathBuf::from(path), true);
            return base.examine().map_err(|flaw| base.refuse(flaw)).map(|_| base);
        }
        if let Some(runtime_dir) = wishes.runtime_dir.as_deref().map(Path::new) {
            let base = base(runtime_dir.join("falseticker"), false);
            match runtime_dir_of(runtime_dir, wishes.uid).and_then(|()| base.examine()) {
                Ok(_) => return Ok(base),
                Err(flaw) if flaw.passable => {
                    tracing::info!(dir = %base.path.display(), why = %flaw.why, "nodes do not live here");
                }
                Err(flaw) => return Err(base.refuse(flaw)),
            }
        }
        let base = base(wishes.shm.join(format!("falseticker-{}", wishes.uid)), false);
        base.examine().map_err(|flaw| base.refuse(flaw)).map(|_| base)
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The user whose nodes live here.
    #[must_use]
    pub fn owner(&self) -> u32 {
        self.uid
    }

    /// Makes the directory if there is none, and lets other users through it for a shared node.
    pub(super) fn make(&self, access: Access) -> Result<()> {
        let attempted = format!("make the directory {}", self.path.display());
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Ok(()) => {}
            Err(err) if err.kind() == IoErrorKind::AlreadyExists => {}
            Err(err) => return Err(Error::not_applied(attempted, err).remedy(elsewhere(self.uid))),
        }
        let dir = self.examine().map_err(|flaw| self.refuse(flaw))?;
        match (access, dir) {
            (Access::Shared, Some(dir)) => self.let_others_through(&dir),
            _ => Ok(()),
        }
    }

    fn let_others_through(&self, dir: &File) -> Result<()> {
        let attempted = format!("share a node in {}", self.path.display());
        let mode_of = |metadata: std::io::Result<Metadata>| {
            metadata
                .map(|metadata| metadata.mode() & 0o7777)
                .map_err(|err| Error::not_applied(&attempted, err))
        };
        for above in self.path.ancestors().skip(1) {
            if mode_of(above.metadata())? & 0o001 == 0 {
                let why = format!("other users cannot get through {}", above.display());
                return Err(Error::not_applied(&attempted, why).remedy(elsewhere(self.uid)));
            }
        }
        let mode = mode_of(dir.metadata())?;
        if mode & 0o011 == 0o011 {
            return Ok(());
        }
        dir.set_permissions(Permissions::from_mode(mode | 0o011))
            .map_err(|err| Error::not_applied(&attempted, err))
    }

    /// Removes the directory if it is one of the defaults and empty: nothing is left behind.
    pub(super) fn remove_if_empty(&self) {
        if !self.explicit {
            let _ = std::fs::remove_dir(&self.path);
        }
    }

    fn refuse(&self, flaw: Flaw) -> Error {
        let attempted = format!("keep nodes in {}", self.path.display());
        Error::not_applied(attempted, flaw.why).remedy(flaw.remedy)
    }

    /// Whether nodes can live here; the open directory, if it exists already.
    fn examine(&self) -> std::result::Result<Option<File>, Flaw> {
        path_survives_preload(&self.path, self.uid)?;
        let open = |path: &Path, flags| {
            OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | flags).open(path)
        };
        let fault = |why: String, remedy: String| Flaw { why, remedy, passable: false };
        match self.path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => {
                return Err(fault(
                    "it is a symbolic link".to_owned(),
                    format!("set {VARIABLE} to the directory itself"),
                ));
            }
            Ok(metadata) if !metadata.is_dir() => {
                return Err(fault("it is not a directory".to_owned(), elsewhere(self.uid)));
            }
            Ok(metadata) => {
                self.permissions(&metadata)?;
            }
            Err(err) if err.kind() == IoErrorKind::NotFound => {
                let above = self.path.parent().unwrap_or(Path::new("/"));
                let dir = open(above, libc::O_PATH).map_err(|err| Flaw {
                    why: format!("{}: {err}", above.display()),
                    remedy: format!("make that directory, or {}", elsewhere(self.uid)),
                    passable: true,
                })?;
                return filesystem(&dir, above, self.uid).map(|()| None);
            }
            Err(err) => return Err(fault(err.to_string(), elsewhere(self.uid))),
        }
        // Looked at again once it is open, since the path may by now lead elsewhere.
        let dir = match open(&self.path, libc::O_NOFOLLOW) {
            Ok(dir) => dir,
            // It has gone with its last node meanwhile.
            Err(err) if err.kind() == IoErrorKind::NotFound => return Ok(None),
            Err(err) => return Err(fault(err.to_string(), format!("chmod u+rwx {}", self.path.display()))),
        };
        self.permissions(&dir.metadata().map_err(|err| fault(err.to_string(), elsewhere(self.uid)))?)?;
        filesystem(&dir, &self.path, self.uid)?;
        Ok(Some(dir))
    }

    fn permissions(&self, metadata: &Metadata) -> std::result::Result<(), Flaw> {
        let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
        if owner != self.uid {
            let why = format!("it belongs to user {owner}, and this is user {}", self.uid);
            let remedy = format!("run as its owner, or {}", elsewhere(self.uid));
            return Err(Flaw { why, remedy, passable: false });
        }
        if mode & 0o022 != 0 {
            let why = format!("others can write in it (mode {mode:o})");
            let remedy = format!("chmod go-w {}", self.path.display());
            return Err(Flaw { why, remedy, passable: false });
        }
        Ok(())
    }
}

fn elsewhere(uid: u32) -> String {
    format!("set {VARIABLE} to a directory of your own on tmpfs, such as /dev/shm/falseticker-{uid}")
}

/// Whether the runtime directory is this user's: a stale one of another login is passed over.
fn runtime_dir_of(path: &Path, uid: u32) -> std::result::Result<(), Flaw> {
    let passable = |why: String| Err(Flaw { why, remedy: elsewhere(uid), passable: true });
    match path.metadata() {
        Ok(metadata) if metadata.uid() != uid => {
            passable(format!("{} belongs to user {}, and this is user {uid}", path.display(), metadata.uid()))
        }
        Ok(_) => Ok(()),
        Err(err) => passable(format!("{}: {err}", path.display())),
    }
}

fn path_survives_preload(path: &Path, uid: u32) -> std::result::Result<(), Flaw> {
    let flaw = |why: String| Err(Flaw { why, remedy: elsewhere(uid), passable: true });
    if !path.is_absolute() {
        return flaw("its path is not absolute, and programs change their working directory".to_owned());
    }
    let bytes = path.as_os_str().as_bytes();
    if let Some(byte) = bytes.iter().find(|byte| preload_env::separates(**byte)) {
        return flaw(format!("its path has {:?} in it, where ld.so splits LD_PRELOAD", char::from(*byte)));
    }
    if bytes.contains(&b'$') {
        return flaw("its path has a '$' in it, which ld.so expands in LD_PRELOAD".to_owned());
    }
    Ok(())
}

fn filesystem(dir: &File, path: &Path, uid: u32) -> std::result::Result<(), Flaw> {
    let failed = |errno: nix::Error| Flaw {
        why: format!("its filesystem cannot be examined: {}", errno.desc()),
        remedy: elsewhere(uid),
        passable: true,
    };
    if fstatfs(dir).map_err(failed)?.filesystem_type() != TMPFS_MAGIC {
        let why = "it is not on tmpfs, so that reading a page in it could block a program's clock".to_owned();
        return Err(Flaw { why, remedy: elsewhere(uid), passable: true });
    }
    if fstatvfs(dir).map_err(failed)?.flags().contains(FsFlags::ST_NOEXEC) {
        let mount = mount_point(path);
        return Err(Flaw {
            why: format!(
                "{} is mounted noexec, so that ld.so could not load the shim from it",
                mount.display()
            ),
            remedy: format!(
                "mount -o remount,exec {}, or set {VARIABLE} to a directory on another tmpfs; \
                 docker makes one with --tmpfs /falseticker:exec",
                mount.display()
            ),
            passable: true,
        });
    }
    Ok(())
}

/// The directory at which the filesystem of a path begins.
fn mount_point(path: &Path) -> &Path {
    let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
    let own = device(path);
    path.ancestors().take_while(|above| device(above) == own).last().unwrap_or(path)
}

#[cfg(test)]
mod tests;
