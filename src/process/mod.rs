//! Processes of this machine: who they are, how they are related, how they are signalled, whether they stand still.
//!
//! What must hold: a process is a pid *and* the tick it started at, so that a recycled pid is never taken for it;
//! signals go through pidfds only; a process that vanishes while it is looked at is an answer, never an error.

mod namespace;
mod pidfd;
pub(crate) mod stat;
mod stopped;
mod tracer;
mod tree;

pub use namespace::{Elsewhere, namespace_of, own_namespace, sees_everybody, thread_here};
pub use pidfd::PidFd;
pub(crate) use pidfd::open_verified;
pub use stat::State;
pub(crate) use stat::decimal;
pub use stopped::{Stillness, stillness, stop_is_pending};
pub(crate) use tracer::{tracer, tracer_of};
pub use tree::{Process, Table, cmdline};

use serde::{Deserialize, Serialize};

/// A process and no other: its pid, and when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// The number, which the kernel gives to somebody else in time.
    pub pid: i32,
    /// Field 22 of /proc/PID/stat: clock ticks since boot at which it started.
    pub start_ticks: u64,
}

impl ProcessId {
    /// The process that has this pid now; `None` when there is none.
    pub fn of(pid: i32) -> Option<Self> {
        let mut buffer = stat::Buffer::new();
        stat::read(pid, &mut buffer).map(|stat| stat.id()).filter(|id| id.pid == pid)
    }

    /// This process.
    pub fn own() -> Option<Self> {
        ProcessId::of(i32::try_from(std::process::id()).ok()?)
    }

    /// Whether it still runs; one that has ended and awaits its parent does not.
    pub fn is_alive(self) -> bool {
        let mut buffer = stat::Buffer::new();
        stat::read(self.pid, &mut buffer)
            .is_some_and(|stat| stat.id() == self && !(stat.state.is_gone() && stat.threads <= 1))
    }
}

impl std::fmt::Display for ProcessId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pid.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_pid_at_another_time_is_not() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start_ticks: own.start_ticks + 1, ..own }.is_alive());
        assert_eq!((ProcessId::of(0), ProcessId::of(-1)), (None, None));
    }

    #[test]
    fn an_ended_child_is_not_alive() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let id = ProcessId::of(i32::try_from(child.id()).unwrap()).unwrap();
        let pidfd = PidFd::open(id).unwrap().unwrap();
        assert!(pidfd.wait_exit(crate::HostInstant::MAX).unwrap());
        assert!(!id.is_alive());
        child.wait().unwrap();
        assert!(!id.is_alive());
    }
}
