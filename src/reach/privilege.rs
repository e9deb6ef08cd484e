//! Whether an exec raises AT_SECURE, on which ld.so ignores an `LD_PRELOAD` with a path in it, and who may trace such a program.
//!
//! What must hold: [`raised`] depends on its arguments alone; it answers as the kernel does for the file that
//! is loaded in the end (the set-id bits of scripts do not count). What a security module may add (an SELinux
//! transition, an AppArmor profile) cannot be foreseen here.
//!
//! Source: execve(2), ld.so(8); the kernel's `bprm_fill_uid` (`fs/exec.c`) and `cap_bprm_creds_from_file`
//! (`security/commoncap.c`).

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;

use nix::sys::prctl;
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{getegid, geteuid, getgid, getuid};

use super::file_caps::{self, FileCaps};

/// Who executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// Real user id.
    pub ruid: u32,
    /// Effective user id.
    pub euid: u32,
    /// Real group id.
    pub rgid: u32,
    /// Effective group id.
    pub egid: u32,
    /// Whether set-id bits have no effect (`PR_SET_NO_NEW_PRIVS`).
    pub no_new_privs: bool,
    /// Whether it may trace processes that have other rights than its own (CAP_SYS_PTRACE).
    pub may_trace: bool,
}

/// CAP_SYS_PTRACE, as the kernel numbers capabilities.
const SYS_PTRACE: u32 = 19;

impl Caller {
    /// This process, as its children will be when they execute.
    #[must_use]
    pub fn current() -> Self {
        Caller {
            ruid: getuid().as_raw(),
            euid: geteuid().as_raw(),
            rgid: getgid().as_raw(),
            egid: getegid().as_raw(),
            no_new_privs: prctl::get_no_new_privs().unwrap_or(false),
            may_trace: has_capability(SYS_PTRACE),
        }
    }
}

/// Whether this process has a capability in effect; not, where /proc does not say.
pub(crate) fn has_capability(number: u32) -> bool {
    let status = procfs::process::Process::myself().and_then(|own| own.status());
    status.is_ok_and(|status| status.capeff >> number & 1 == 1)
}

/// What a file brings that could raise privileges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileRights {
    /// Its mode, with the set-id bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Whether its filesystem is mounted nosuid.
    pub nosuid: bool,
    /// Its capabilities.
    pub caps: Option<FileCaps>,
}

impl FileRights {
    /// Those of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let nosuid = fstatvfs(file)?.flags().contains(FsFlags::ST_NOSUID);
        Ok(FileRights {
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            nosuid,
            caps: file_caps::of(file),
        })
    }
}

/// Why an exec would be a secure one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// The set-user-id bit, to this user.
    Setuid(u32),
    /// The set-group-id bit, to this group.
    Setgid(u32),
    /// The file's capabilities.
    Capabilities,
    /// The caller's own real and effective ids differ, whatever it executes.
    Caller,
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Raised::Setuid(uid) => write!(f, "setuid to user {uid}"),
            Raised::Setgid(gid) => write!(f, "setgid to group {gid}"),
            Raised::Capabilities => f.write_str("given file capabilities"),
            Raised::Caller => f.write_str("started with different real and effective ids"),
        }
    }
}

/// Why `caller` executing a file with these rights would have AT_SECURE set; `None` where it would not.
#[must_use]
pub fn raised(file: &FileRights, caller: &Caller) -> Option<Raised> {
    const S_ISUID: u32 = 0o4000;
    const S_ISGID_AND_S_IXGRP: u32 = 0o2010;
    if caller.euid != caller.ruid || caller.egid != caller.rgid {
        return Some(Raised::Caller);
    }
    let set_id = !file.nosuid && !caller.no_new_privs;
    if set_id && file.mode & S_ISUID != 0 && file.uid != caller.ruid {
        return Some(Raised::Setuid(file.uid));
    }
    if set_id && file.mode & S_ISGID_AND_S_IXGRP == S_ISGID_AND_S_IXGRP && file.gid != caller.rgid {
        return Some(Raised::Setgid(file.gid));
    }
    // no_new_privs takes the capabilities away and leaves the exec a secure one.
    let caps = file.caps.is_some_and(|caps| caps.effective || caps.permitted != 0);
    (caps && !file.nosuid && caller.ruid != 0).then_some(Raised::Capabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Caller = Caller { ruid: 0, euid: 0, rgid: 0, egid: 0, no_new_privs: false, may_trace: true };
    const USER: Caller =
        Caller { ruid: 1000, euid: 1000, rgid: 1000, egid: 1000, no_new_privs: false, may_trace: false };
    const PLAIN: FileRights = FileRights { mode: 0o100_755, uid: 0, gid: 0, nosuid: false, caps: None };

    #[test]
    fn set_id_bits_count_where_they_change_the_id() {
        let setuid = FileRights { mode: 0o104_755, ..PLAIN };
        assert_eq!(raised(&PLAIN, &USER), None);
        assert_eq!(raised(&setuid, &USER), Some(Raised::Setuid(0)));
        assert_eq!(raised(&setuid, &ROOT), None);
        assert_eq!(raised(&FileRights { uid: 1000, ..setuid }, &USER), None);
        assert_eq!(raised(&FileRights { uid: 1000, ..setuid }, &ROOT), Some(Raised::Setuid(1000)));
        assert_eq!(raised(&FileRights { nosuid: true, ..setuid }, &USER), None);
        assert_eq!(raised(&setuid, &Caller { no_new_privs: true, ..USER }), None);

        let setgid = FileRights { mode: 0o102_755, ..PLAIN };
        assert_eq!(raised(&setgid, &USER), Some(Raised::Setgid(0)));
        assert_eq!(raised(&setgid, &ROOT), None);
        let without_execute = FileRights { mode: 0o102_705, ..PLAIN };
        assert_eq!(raised(&without_execute, &USER), None, "the mark of mandatory locking");
    }

    #[test]
    fn capabilities_count_but_for_root() {
        let caps =
            |effective, permitted| FileRights { caps: Some(FileCaps { effective, permitted }), ..PLAIN };
        assert_eq!(raised(&caps(true, 1 << 10), &USER), Some(Raised::Capabilities));
        assert_eq!(raised(&caps(false, 1 << 10), &USER), Some(Raised::Capabilities));
        assert_eq!(raised(&caps(false, 0), &USER), None);
        assert_eq!(raised(&caps(true, 1 << 10), &ROOT), None);
        assert_eq!(raised(&FileRights { nosuid: true, ..caps(true, 1) }, &USER), None);
    }

    #[test]
    fn a_caller_with_two_ids_makes_every_exec_secure() {
        assert_eq!(raised(&PLAIN, &Caller { euid: 0, ..USER }), Some(Raised::Caller));
        assert_eq!(raised(&PLAIN, &Caller { egid: 0, ..USER }), Some(Raised::Caller));
    }
}
