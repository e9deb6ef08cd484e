//! By which means a pause holds its processes, as it is asked for and as it was chosen.

use serde::{Deserialize, Serialize};

use super::thread::ThreadPattern;

/// By which means processes are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u32)]
pub enum Means {
    /// SIGSTOP to each process; SIGCONT ends it.
    #[default]
    Signal = 1,
    /// A control group of the node's own, which is frozen.
    Cgroup = 2,
    /// Some threads, held by ptrace; the others run.
    Thread = 3,
}

impl Means {
    pub(super) fn of(number: u32) -> Option<Means> {
        [Means::Signal, Means::Cgroup, Means::Thread].into_iter().find(|means| *means as u32 == number)
    }
}

impl std::fmt::Display for Means {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Means::Signal => "signal",
            Means::Cgroup => "cgroup",
            Means::Thread => "thread",
        })
    }
}

/// By which means a pause is to hold its processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// [`Means::Signal`].
    #[default]
    Signal,
    /// [`Means::Cgroup`].
    Cgroup,
    /// [`Means::Thread`], for the threads that one of the patterns names; of all processes if there is none.
    Thread(Vec<ThreadPattern>),
    /// [`Means::Cgroup`] where a version 2 hierarchy can be written to, else [`Means::Signal`]; the pause's record says
    /// why.
    Auto,
}
