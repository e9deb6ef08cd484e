//! Trying things out, in children of this process.
//!
//! What must hold: a child does nothing but what is tried, by system calls of its own, and ends; no signal, no file and no
//! descriptor of it is left. It ends with this process at the latest.
#![expect(unsafe_code, reason = "raw forks, and system calls on memory of the child's own")]

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::process::ProcessId;
use crate::raw;

/// What came of something that was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It works.
    Works,
    /// The kernel refused it.
    Refused(Errno),
    /// A signal ended whoever tried.
    Killed,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Works => f.write_str("it works"),
            Outcome::Refused(errno) => f.write_str(errno.desc()),
            Outcome::Killed => f.write_str("a signal ends whoever tries"),
        }
    }
}

/// Tries something in a child. It may make system calls, and nothing that allocates or locks: other threads of this process
/// may have been at that.
pub(super) fn in_child(work: impl FnOnce() -> Result<(), Errno>) -> Outcome {
    // SAFETY: the child makes system calls alone, and exits.
    let pid = match unsafe { raw::fork(0) } {
        Ok(0) => {
            end_with_parent();
            raw::exit(work().map_or_else(|errno| errno as i32, |()| 0))
        }
        Ok(pid) => pid,
        Err(errno) => return Outcome::Refused(errno),
    };
    match collect(pid) {
        Some(WaitStatus::Exited(_, 0)) => Outcome::Works,
        Some(WaitStatus::Exited(_, code)) => Outcome::Refused(Errno::from_raw(code)),
        _ => Outcome::Killed,
    }
}

fn collect(pid: i32) -> Option<WaitStatus> {
    loop {
        match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::__WALL)) {
            Err(Errno::EINTR) => {}
            other => return other.ok(),
        }
    }
}

fn end_with_parent() {
    // SAFETY: takes numbers.
    let _ = unsafe {
        raw::syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0])
    };
}

/// A child that does nothing, until it is dropped.
pub(super) struct Idle(i32);

impl Idle {
    /// Begins one.
    pub(super) fn begin() -> Result<Idle, Errno> {
        // SAFETY: the child makes system calls alone, and never returns.
        match unsafe { raw::fork(0) } {
            Ok(0) => idle(),
            Ok(pid) => Ok(Idle(pid)),
            Err(errno) => Err(errno),
        }
    }

    /// Its number.
    pub(super) fn pid(&self) -> i32 {
        self.0
    }

    /// Which process it is.
    pub(super) fn id(&self) -> Option<ProcessId> {
        ProcessId::of(self.0)
    }
}

fn idle() -> ! {
    end_with_parent();
    loop {
        let _ = raw::poll(&mut [], None);
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = raw::tgkill(self.0, self.0, libc::SIGKILL);
        // A tracer's wait may have collected stops; the end is what is waited for here.
        while matches!(collect(self.0), Some(status) if !matches!(status, WaitStatus::Signaled(..) | WaitStatus::Exited(..)))
        {
        }
    }
}

/// Puts a filter that allows everything on this process, with a listener; after giving up privileges, where that is asked for.
pub(super) fn filter_with_listener(gives_up_privileges: bool) -> Result<(), Errno> {
    const SET_MODE_FILTER: usize = 1;
    const NEW_LISTENER: usize = 1 << 3;
    const ALLOW: u32 = 0x7fff_0000;
    /// `BPF_RET | BPF_K`
    const RETURN: u16 = 0x06;
    if gives_up_privileges {
        nix::sys::prctl::set_no_new_privs()?;
    }
    let allow = libc::sock_filter { code: RETURN, jt: 0, jf: 0, k: ALLOW };
    let mut rules = [allow];
    let program = libc::sock_fprog { len: 1, filter: rules.as_mut_ptr() };
    let args = [SET_MODE_FILTER, NEW_LISTENER, &raw const program as usize, 0, 0, 0];
    // SAFETY: the program is live, and of as many rules as it says.
    unsafe { raw::syscall(libc::SYS_seccomp, args) }.map(drop)
}

/// Whether the kernel knows filters that ask a listener.
pub(super) fn knows_listeners() -> Result<(), Errno> {
    const GET_ACTION_AVAIL: usize = 2;
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    let args = [GET_ACTION_AVAIL, 0, &raw const action as usize, 0, 0, 0];
    // SAFETY: a live word.
    unsafe { raw::syscall(libc::SYS_seccomp, args) }.map(drop)
}

/// Asks for real-time priority.
pub(super) fn come_first() -> Result<(), Errno> {
    let lowest = libc::sched_param { sched_priority: 1 };
    let args = [0, libc::SCHED_RR as usize, &raw const lowest as usize, 0, 0, 0];
    // SAFETY: a live parameter; this process alone is meant.
    unsafe { raw::syscall(libc::SYS_sched_setscheduler, args) }.map(drop)
}

/// Traces a process, without stopping it. Whoever ends lets go.
pub(super) fn trace(pid: i32) -> Result<(), Errno> {
    raw::ptrace(libc::PTRACE_SEIZE, pid, 0).map(drop)
}

/// Writes the byte of code at `at` anew, through /proc/self/mem: as the shim does.
pub(super) fn write_by_proc(at: usize, byte: u8) -> Result<(), Errno> {
    let memory = raw::open(c"/proc/self/mem", libc::O_RDWR | libc::O_CLOEXEC)?;
    raw::pwrite(memory, &[byte], at).map(drop)
}

/// Makes the page of code at `at` writable and executable at once: as the shim does where the other way is closed.
pub(super) fn write_by_mprotect(at: usize) -> Result<(), Errno> {
    const PAGE: usize = 4096;
    let all = (libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC) as usize;
    // SAFETY: what was allowed stays allowed; the child ends before anything else is done there.
    unsafe { raw::syscall(libc::SYS_mprotect, [at & !(PAGE - 1), PAGE, all, 0, 0, 0]) }.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_says_what_came_of_it() {
        assert_eq!(in_child(|| Ok(())), Outcome::Works);
        assert_eq!(in_child(|| Err(Errno::ENOSYS)), Outcome::Refused(Errno::ENOSYS));
        assert_eq!(in_child(|| raw::tgkill(0, 0, 0).map(drop)), Outcome::Refused(Errno::EINVAL));
        let killed = in_child(|| {
            let own = raw::getpid()?;
            let own = i32::try_from(own).unwrap_or(0);
            raw::tgkill(own, own, libc::SIGKILL).map(drop)
        });
        assert_eq!(killed, Outcome::Killed);
    }

    #[test]
    fn an_idle_child_is_there_until_it_is_dropped() {
        let idle = Idle::begin().unwrap();
        let id = idle.id().unwrap();
        assert!(id.is_alive());
        drop(idle);
        assert!(!id.is_alive());
    }
}
