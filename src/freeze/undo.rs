//! The end of a pause, from its ledger alone: by the controller, by a guard after a fork, or by the next command.
//!
//! What must hold: everything is raw system calls and memory on the stack; all of it may be done twice, and by several
//! at once, without harm; whoever another freeze of the node holds stays held. The caller has put the ledger's phase to
//! one that claims nobody.

use std::os::fd::RawFd;

use nix::errno::Errno;

use super::ledger::{Copied, Entry, PATH, Shared};
use super::means::Means;
use super::others::Others;
use super::slot::Slot;
use crate::process::{self, ProcessId, decimal};
use crate::raw;

/// How often a control group is looked at that is not empty yet.
const ATTEMPTS: u32 = 200;
/// How long between two looks, in nanoseconds.
const PAUSE: i64 = 500_000;
/// How many bytes of a list of pids are read at a time.
const LISTED: usize = 4096;

type PathBuffer = Copied<{ PATH + 32 }>;

/// Resumes everyone in the ledger of a slot of the node whose directory is `dir`. An error is the last that came up; all
/// that could be done has been.
pub(super) fn undo(shared: &Shared, dir: RawFd, slot: Slot) -> Result<(), Errno> {
    let others = Others::look(dir, slot);
    match shared.means() {
        Means::Signal => resume(shared, &others),
        Means::Cgroup => dissolve(shared, &others),
        // The kernel lets go of threads when their holder does, or dies.
        Means::Thread => Ok(()),
    }
}

fn resume(shared: &Shared, others: &Others) -> Result<(), Errno> {
    let mut result = Ok(());
    for entry in shared.held().filter(|entry| !others.hold(entry.id(), Means::Signal)) {
        if let Err(errno) = resume_one(entry) {
            result = Err(errno);
        }
    }
    result
}

fn resume_one(entry: &Entry) -> Result<(), Errno> {
    let Some(fd) = process::open_verified(entry.id())? else { return Ok(()) };
    entry.resume_now();
    let sent = raw::pidfd_send_signal(fd, libc::SIGCONT);
    let _ = raw::close(fd);
    match sent {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Lets the control group run, sends everyone in it back to where he came from, and removes it.
fn dissolve(shared: &Shared, others: &Others) -> Result<(), Errno> {
    if shared.cgroup.is_empty() {
        return Ok(());
    }
    let own = || shared.cgroup.copy::<{ PATH + 32 }>();
    // First those whom another freeze holds, for in its group they stay frozen.
    let is_shared = others.any(Means::Cgroup);
    let listed = each_member(&own(), |pid| {
        if is_shared && let Some(group) = ProcessId::of(pid).and_then(|id| others.cgroup_of(id)) {
            let _ = move_to(group, pid);
        }
    });
    match listed {
        // Somebody else has removed it.
        Err(Errno::ENOENT | Errno::ENODEV) => return Ok(()),
        other => other?,
    }
    let version_2 = shared.cgroup_version.load(std::sync::atomic::Ordering::SeqCst) == 2;
    shared.held().for_each(Entry::resume_now);
    let (file, text): (&[u8], &[u8]) =
        if version_2 { (b"/cgroup.freeze", b"0") } else { (b"/freezer.state", b"THAWED") };
    let thawed = write_to(own().with(file), text);
    let mut left = Err(Errno::EBUSY);
    for _ in 0..ATTEMPTS {
        // Whoever was born there meanwhile goes where the others go.
        let _ = each_member(&own(), |pid| send_back(shared, pid));
        left = match raw::remove_dir(own().as_cstr()) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno),
        };
        if left.is_ok() {
            break;
        }
        // Those who are about to end count until they have.
        let _ = raw::poll(&mut [], Some(PAUSE));
    }
    match thawed {
        Ok(()) | Err(Errno::ENOENT | Errno::ENODEV) => left,
        refused => refused,
    }
}

/// Moves a process to where it was taken from, or, where that is gone, to the group above.
fn send_back(shared: &Shared, pid: i32) {
    let entry = shared.held().find(|entry| entry.id().pid == pid);
    let number = entry.map_or(0, Entry::origin);
    let origin = usize::try_from(number).ok().and_then(|number| shared.origins.get(number));
    let to_origin = origin.filter(|origin| !origin.is_empty()).map(|origin| move_to(origin.copy(), pid));
    if to_origin.is_none_or(|moved| moved.is_err()) {
        let _ = move_to(shared.cgroup.copy::<{ PATH + 32 }>().parent(), pid);
    }
}

fn move_to(group: PathBuffer, pid: i32) -> Result<(), Errno> {
    let mut digits = [0; 20];
    let text = decimal(u64::from(pid.unsigned_abs()), &mut digits);
    match write_to(group.with(b"/cgroup.procs"), text) {
        // It has ended.
        Err(Errno::ESRCH) => Ok(()),
        other => other,
    }
}

fn write_to(path: Option<PathBuffer>, text: &[u8]) -> Result<(), Errno> {
    let path = path.ok_or(Errno::ENAMETOOLONG)?;
    let fd = raw::open(path.as_cstr(), libc::O_WRONLY | libc::O_CLOEXEC)?;
    let written = raw::write(fd, text);
    let _ = raw::close(fd);
    written.map(drop)
}

/// Calls `act` for the pids in a control group.
fn each_member(group: &PathBuffer, mut act: impl FnMut(i32)) -> Result<(), Errno> {
    let path = group.again().with(b"/cgroup.procs").ok_or(Errno::ENAMETOOLONG)?;
    let fd = raw::open(path.as_cstr(), libc::O_RDONLY | libc::O_CLOEXEC)?;
    let mut buffer = [0_u8; LISTED];
    let mut pid: i32 = 0;
    let result = loop {
        let read = match raw::read(fd, &mut buffer) {
            Ok(0) => break Ok(()),
            Ok(read) => read,
            Err(errno) => break Err(errno),
        };
        for byte in buffer.get(..read).unwrap_or(&[]) {
            if byte.is_ascii_digit() {
                pid = pid.saturating_mul(10).saturating_add(i32::from(byte - b'0'));
            } else if pid != 0 {
                act(std::mem::take(&mut pid));
            }
        }
    };
    let _ = raw::close(fd);
    result
}
