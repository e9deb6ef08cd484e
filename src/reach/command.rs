//! Which file a command names, found as execvp finds it.
//!
//! What must hold: the answer is the file that execvp would have run, with the same `PATH` and in the same
//! working directory; a file that exists but cannot be executed does not end the search, and is the reason
//! given when the search finds nothing else. (A directory of `PATH` that is closed to this user is passed over, as
//! shells do; execvp would then say that permission is denied to a command that may not exist at all.)
//!
//! Source: execvp(3), execve(2); glibc's `posix/execvpe.c`; faccessat(2), whose `X_OK` counts noexec mounts
//! (`do_faccessat` in the kernel's `fs/open.c`).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, faccessat};

use crate::error::{Error, ErrorKind, Result};

/// What libc searches when there is no `PATH` (`confstr(_CS_PATH)` in glibc and, nearly, in musl).
const DEFAULT_PATH: &str = "/bin:/usr/bin";

pub(crate) const HIDDEN: &str = "a directory on the way to it may not be searched";
pub(crate) const UNHIDE: &str = "give yourself the execute permission on the directories above it";

/// Why a file cannot be executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is no such file.
    Missing,
    /// A directory on the way to it may not be searched, so that nobody knows.
    Hidden,
    /// There is one, and the kernel would refuse to execute it.
    Refused {
        /// Why.
        why: String,
        /// What the user can do about it.
        remedy: String,
    },
}

/// The file that execvp would execute for `command` with this `PATH`.
///
/// A command without a slash is searched for; an empty entry of `PATH` is the working directory. The result
/// always has a slash, so that whoever executes it searches no second time.
pub fn resolve(command: &OsStr, path_var: Option<&OsStr>) -> Result<PathBuf> {
    let attempted = format!("run {}", command.display());
    if command.as_bytes().contains(&0) {
        return Err(Error::bad_input(attempted, "its name has a NUL byte in it"));
    }
    if command.as_bytes().contains(&b'/') {
        let path = PathBuf::from(command);
        return match examine(&path) {
            Ok(()) => Ok(path),
            Err(denied) => Err(denied.into_error(&attempted, "there is no such file")),
        };
    }
    if command.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "run a command", "its name is empty"));
    }
    let mut best = (PathBuf::new(), Denied::Missing);
    let search = path_var.unwrap_or(OsStr::new(DEFAULT_PATH));
    for entry in search.as_bytes().split(|byte| *byte == b':') {
        let dir = if entry.is_empty() { OsStr::new(".") } else { OsStr::from_bytes(entry) };
        let candidate = Path::new(dir).join(command);
        match examine(&candidate) {
            Ok(()) => return Ok(candidate),
            Err(denied @ Denied::Refused { .. }) if best.1 == Denied::Missing => best = (candidate, denied),
            // As shells do, and unlike execvp: a directory that is closed to this user has no command for it.
            Err(_) => {}
        }
    }
    let (candidate, denied) = best;
    Err(match denied {
        Denied::Missing => Error::new(ErrorKind::NotFound, attempted, "there is no such command in PATH")
            .remedy("give the path of its file, or add its directory to PATH"),
        refused => refused.into_error(&format!("run {}", candidate.display()), ""),
    })
}

impl Denied {
    /// The error for whoever asked for this very file.
    pub(crate) fn into_error(self, attempted: &str, missing: &str) -> Error {
        match self {
            Denied::Missing => Error::new(ErrorKind::NotFound, attempted, missing)
                .remedy("check the spelling of the path, and that it is seen from the working directory"),
            Denied::Hidden => Error::new(ErrorKind::CannotExecute, attempted, HIDDEN).remedy(UNHIDE),
            Denied::Refused { why, remedy } => {
                Error::new(ErrorKind::CannotExecute, attempted, why).remedy(remedy)
            }
        }
    }
}

/// Whether the kernel would begin to execute this file for the effective user.
pub(crate) fn examine(path: &Path) -> std::result::Result<(), Denied> {
    let refused = |why: &str, remedy: String| Err(Denied::Refused { why: why.to_owned(), remedy });
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(err) => {
            return match err.raw_os_error().map(Errno::from_raw) {
                Some(Errno::ENOENT | Errno::ENOTDIR | Errno::ENODEV | Errno::ETIMEDOUT | Errno::ESTALE) => {
                    Err(Denied::Missing)
                }
                Some(Errno::EACCES) => Err(Denied::Hidden),
                _ => refused(&err.to_string(), "check the path".to_owned()),
            };
        }
    };
    if metadata.is_dir() {
        return refused("it is a directory", "name a program inside it".to_owned());
    }
    if !metadata.is_file() {
        return refused("it is not a regular file", "name a program".to_owned());
    }
    match faccessat(AT_FDCWD, path, AccessFlags::X_OK, AtFlags::AT_EACCESS) {
        Ok(()) => Ok(()),
        Err(_) if statvfs(path).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOEXEC)) => refused(
            "it is on a filesystem that is mounted noexec",
            "copy it to a filesystem that allows execution, or remount that one with mount -o remount,exec"
                .to_owned(),
        ),
        Err(Errno::EACCES) => refused(
            "it has no execute permission for this user",
            format!("chmod +x {}, or name its interpreter in front of it", path.display()),
        ),
        Err(errno) => refused(errno.desc(), "check the file and its filesystem".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn file(path: &Path, mode: u32) {
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn path_is_searched_in_order_and_past_what_cannot_run() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
        for sub in [&a, &b, &c] {
            fs::create_dir(sub).unwrap();
        }
        fs::create_dir(a.join("tool")).unwrap();
        file(&b.join("tool"), 0o644);
        file(&c.join("tool"), 0o755);
        let path = std::env::join_paths([&a, &b, &c]).unwrap();
        assert_eq!(resolve("tool".as_ref(), Some(&path)).unwrap(), c.join("tool"));

        let without = std::env::join_paths([&a, &b]).unwrap();
        let err = resolve("tool".as_ref(), Some(&without)).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::CannotExecute);
        assert_eq!(err.why(), "it is a directory");

        let err = resolve("tool".as_ref(), Some(b.as_os_str())).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::CannotExecute);
        assert!(err.help().unwrap().contains("chmod +x"), "{err}");
    }

    #[test]
    fn what_does_not_exist_is_not_found() {
        let path = Some(OsStr::new("/nonexistent::/usr/bin"));
        for command in ["falseticker-no-such-tool", "./falseticker-no-such-tool", "", "/dev/null/x"] {
            let err = resolve(command.as_ref(), path).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::NotFound, "{command:?}: {err}");
        }
    }

    #[test]
    fn a_path_is_taken_as_it_is() {
        assert_eq!(resolve("/bin/true".as_ref(), None).unwrap(), Path::new("/bin/true"));
        assert_eq!(resolve("true".as_ref(), None).unwrap(), Path::new("/bin/true"));
        for command in ["/", "/dev/null", "/etc/passwd"] {
            let err = resolve(command.as_ref(), None).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::CannotExecute, "{command}: {err}");
        }
        let err = resolve(OsStr::from_bytes(b"a\0b"), None).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::BadInput);
    }

    #[test]
    fn an_empty_entry_is_the_working_directory() {
        // The tests run in the package's directory, where Cargo.toml is and cannot be executed.
        let err = resolve("Cargo.toml".as_ref(), Some(OsStr::new("/usr/bin:"))).unwrap_err();
        assert_eq!(err.kind(), ErrorKind::CannotExecute);
        assert_eq!(err.attempted(), "run ./Cargo.toml");
    }
}
