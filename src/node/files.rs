//! The files of a node: made so that memory mapped from them can never fault, opened only if that still holds.
//!
//! What must hold: a file has all its memory from the start (a page that tmpfs cannot find later is a SIGBUS in
//! the program that reads its clock); a file is opened only if it is a regular one, of the right owner, on tmpfs
//! and as long as its reader will map.
//!
//! Source: tmpfs(5), posix_fallocate(3), `shmem_fallocate` in the kernel's `mm/shmem.c`.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::posix_fallocate;
use nix::sys::statfs::{TMPFS_MAGIC, fstatfs};

use crate::error::{Error, Result};

/// Whether programs of other users may be in a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Programs of the same user only.
    Private,
    /// Programs that change their user too (`--share`).
    Shared,
}

impl Access {
    fn choose(self, private: u32, shared: u32) -> u32 {
        match self {
            Access::Private => private,
            Access::Shared => shared,
        }
    }

    /// The mode of the node's directory.
    #[must_use]
    pub fn dir_mode(self) -> u32 {
        self.choose(0o700, 0o755)
    }

    /// The mode of the page, which targets only read.
    #[must_use]
    pub fn page_mode(self) -> u32 {
        self.choose(0o600, 0o644)
    }

    /// The mode of the shim.
    #[must_use]
    pub fn shim_mode(self) -> u32 {
        self.choose(0o600, 0o755)
    }

    /// The mode of the evidence, which targets write.
    #[must_use]
    pub fn evidence_mode(self) -> u32 {
        self.choose(0o600, 0o666)
    }
}

/// Makes a file that did not exist, with all its memory and exactly this mode.
pub fn allocate_file(path: &Path, size: u64, mode: u32) -> Result<File> {
    let attempted = format!("make {} of {size} bytes", path.display());
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
        .map_err(|err| {
            no_space(Error::not_applied(&attempted, &err), err.raw_os_error().map(Errno::from_raw))
        })?;
    let done = file
        .set_permissions(Permissions::from_mode(mode))
        .map_err(|err| Error::not_applied(&attempted, err))
        .and_then(|()| reserve(&file, size, &attempted));
    match done {
        Ok(()) => Ok(file),
        Err(err) => {
            let _ = std::fs::remove_file(path);
            Err(err)
        }
    }
}

/// Makes a file that did not exist with these contents.
pub fn write_file(path: &Path, contents: &[u8], mode: u32) -> Result<File> {
    let file = allocate_file(path, contents.len() as u64, mode)?;
    file.write_all_at(contents, 0).map_err(|err| {
        let _ = std::fs::remove_file(path);
        Error::not_applied(format!("write {}", path.display()), err)
    })?;
    Ok(file)
}

fn reserve(file: &File, size: u64, attempted: &str) -> Result<()> {
    let Ok(length) = libc::off_t::try_from(size) else {
        return Err(Error::not_applied(attempted, "no file can be that long"));
    };
    if length == 0 {
        return Ok(());
    }
    loop {
        match posix_fallocate(file, 0, length) {
            Ok(()) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => {
                return Err(no_space(Error::not_applied(attempted, errno.desc()), Some(errno)));
            }
        }
    }
}

fn no_space(error: Error, errno: Option<Errno>) -> Error {
    match errno {
        Some(Errno::ENOSPC | Errno::EDQUOT) => error.remedy(
            "give the tmpfs more room: mount -o remount,size=256m /dev/shm, or docker run --shm-size 256m; \
             falseticker remove NODE frees what a node holds",
        ),
        Some(Errno::ENOMEM) => {
            error.remedy("raise the memory limit of this container or of the control group")
        }
        _ => error,
    }
}

/// Opens a node's file if it is what it should be.
pub fn open_file(path: &Path, at_least: u64, owner: u32, writable: bool) -> Result<File> {
    let attempted = format!("open {}", path.display());
    let refuse = |why: String| {
        let remedy = "remove the node with falseticker remove, and make it anew";
        Err(Error::not_applied(&attempted, why).remedy(remedy))
    };
    let file = OpenOptions::new()
        .read(true)
        .write(writable)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
        .map_err(|err| match err.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ELOOP) => Error::not_applied(&attempted, "it is a symbolic link"),
            Some(Errno::ENOENT) => Error::not_applied(&attempted, err)
                .remedy("remove the node with falseticker remove, and make it anew"),
            _ => Error::not_applied(&attempted, err),
        })?;
    let metadata = file.metadata().map_err(|err| Error::not_applied(&attempted, err))?;
    if !metadata.is_file() {
        return refuse("it is not a regular file".to_owned());
    }
    if metadata.uid() != owner {
        return refuse(format!("it belongs to user {}, not to user {owner}", metadata.uid()));
    }
    if metadata.len() < at_least {
        return refuse(format!("it is {} bytes long where {at_least} are needed", metadata.len()));
    }
    let fs = fstatfs(&file).map_err(|err| Error::not_applied(&attempted, err))?;
    if fs.filesystem_type() != TMPFS_MAGIC {
        return refuse("it is not on tmpfs, so that reading it could block a program's clock".to_owned());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::geteuid;
    use std::os::unix::fs::symlink;

    fn scratch() -> tempfile::TempDir {
        tempfile::Builder::new().prefix("falseticker-test-").tempdir_in("/dev/shm").unwrap()
    }

    #[test]
    fn a_file_has_its_memory_and_its_mode_from_the_start() {
        let dir = scratch();
        let path = dir.path().join("page");
        let file = allocate_file(&path, 10_000, 0o666).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), 10_000);
        assert!(metadata.blocks() * 512 >= 10_000);
        assert_eq!(metadata.mode() & 0o7777, 0o666, "whatever the umask");
        let err = allocate_file(&path, 1, 0o600).unwrap_err();
        assert!(err.why().contains("exists"), "{err}");
        assert_eq!(path.metadata().unwrap().len(), 10_000);
    }

    #[test]
    fn too_little_room_is_an_error_that_leaves_nothing() {
        let dir = scratch();
        let path = dir.path().join("page");
        let err = allocate_file(&path, 1 << 50, 0o600).unwrap_err();
        assert!(err.help().unwrap().contains("--shm-size"), "{err}");
        assert!(!path.exists());
        allocate_file(&path, u64::MAX, 0o600).unwrap_err();
        assert!(!path.exists());
    }

    #[test]
    fn only_what_is_as_expected_is_opened() {
        let dir = scratch();
        let uid = geteuid().as_raw();
        let path = dir.path().join("page");
        write_file(&path, b"12345678", 0o600).unwrap();
        open_file(&path, 8, uid, false).unwrap();
        open_file(&path, 8, uid, true).unwrap();
        let why = |path: &Path, size, owner| open_file(path, size, owner, false).unwrap_err().to_string();
        assert!(why(&path, 9, uid).contains("8 bytes long where 9"));
        assert!(why(&path, 8, uid + 1).contains("belongs to user"));
        assert!(why(dir.path(), 0, uid).contains("regular"));
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(why(&link, 8, uid).contains("symbolic link"));
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).unwrap();
        assert!(why(&fifo, 0, uid).contains("regular"));
        let owner = Path::new("Cargo.toml").metadata().unwrap().uid();
        assert!(why(Path::new("Cargo.toml"), 1, owner).contains("tmpfs"));
    }
}
