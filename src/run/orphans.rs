//! What the kernel does for stopped jobs that nobody could ever continue, where the keeper keeps it from doing so.
//!
//! When a shell ends, its stopped jobs are in orphaned process groups, and the kernel hangs them up. Below a keeper,
//! a parent in the same session and another group, no group is ever orphaned; so once the program has ended the keeper
//! looks for groups that only it keeps from being so, and does what the kernel would have done.
//!
//! Source: `kill_orphaned_pgrp` in the kernel's `kernel/exit.c`.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpgid};

use crate::process::{PidFd, Process, ProcessId, State, Table};

/// Hangs up, and continues, the stopped groups that have no other parent in their session than `keeper`; that of `run`
/// does not count, which is about to end.
pub fn hang_up(keeper: ProcessId, run: Option<ProcessId>) {
    let Ok(table) = Table::scan() else { return };
    let Some(session) = table.get(keeper.pid).map(|own| own.session) else { return };
    let members: Vec<(Pid, &Process)> = table
        .iter()
        .filter(|process| process.session == session && !process.state.is_gone())
        .filter_map(|process| Some((group(process.id.pid)?, process)))
        .collect();
    let stopped =
        members.iter().filter(|(_, process)| process.state == State::STOPPED && process.ppid == keeper.pid);
    let groups: BTreeSet<Pid> = stopped.map(|(group, _)| *group).collect();
    for orphaned in groups {
        let is_kept = |process: &Process| {
            Some(process.id) != run
                && process.ppid != keeper.pid
                && table.get(process.ppid).is_some_and(|parent| parent.session == session)
                && group(process.ppid).is_some_and(|of_parent| of_parent != orphaned)
        };
        let of_group = || members.iter().filter(|(of_member, _)| *of_member == orphaned);
        if of_group().any(|(_, process)| is_kept(process)) {
            continue;
        }
        for signal in [Signal::SIGHUP, Signal::SIGCONT] {
            for (_, process) in of_group() {
                if let Ok(Some(handle)) = PidFd::open(process.id) {
                    let _ = handle.signal(signal);
                }
            }
        }
    }
}

fn group(pid: i32) -> Option<Pid> {
    getpgid(Some(Pid::from_raw(pid))).ok()
}
