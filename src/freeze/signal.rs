//! Freezing by SIGSTOP, through pidfds.
//!
//! The kernel has no event for the stop of a process that is not one's child, so /proc is polled, every 0.2 ms at
//! first and every 2 ms at last, until the deadline. A stop can be lost: SIGCONT from anyone, sent before the
//! stop took effect, discards it; so it is sent again while a process keeps moving.

use std::collections::BTreeSet;
use std::path::Path;

use nix::sys::signal::Signal;

use super::debugged;
use super::freezer::{Freezer, Members};
use super::hold::Hold;
use super::ledger::Held;
use super::means::Means;
use crate::process::{PidFd, ProcessId, State, Stillness, Table, stillness, stop_is_pending};
use crate::{Error, HostInstant, Result, Span, host_clock, raw};

const FIRST_PAUSE: Span = Span::from_nanos(200_000);
const LONGEST_PAUSE: Span = Span::from_millis(2);
const SEND_AGAIN_AFTER: Span = Span::from_millis(5);

/// Freezes by SIGSTOP; undone by SIGCONT to whatever the ledger holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SignalFreezer;

impl Freezer for SignalFreezer {
    fn means(&self) -> Means {
        Means::Signal
    }

    fn check(&self, _dir: &Path, _processes: &[ProcessId]) -> Result<()> {
        Ok(())
    }

    fn freeze(&self, members: &dyn Members, hold: &mut Hold, deadline: HostInstant) -> Result<()> {
        let mut known = BTreeSet::new();
        loop {
            hold.may_go_on()?;
            let new = members.members()?.into_iter().filter(|id| known.insert(*id));
            let new: Vec<ProcessId> = new.filter(|id| !hold.spares(*id)).collect();
            if new.is_empty() {
                return Ok(());
            }
            debugged::refuse(hold.dir(), &new)?;
            let held = new.into_iter().filter_map(|id| examine(hold, id, deadline).transpose());
            let held: Vec<Held> = held.collect::<Result<_>>()?;
            let first = hold.enter(&held, deadline)?;
            let moving = held.iter().enumerate().filter(|(_, held)| !held.is_found);
            let sent = send_all(moving.map(|(index, held)| (first + index, held.id)), hold)?;
            confirm_all(sent, hold, deadline)?;
            // A tree that forks faster than it can be stopped is never complete, and must not be tried for ever.
            if host_clock::monotonic() >= deadline {
                return Err(too_late("new processes appear faster than they can be stopped"));
            }
        }
    }
}

/// What is to be done with a process; `None` if it has ended.
fn examine(hold: &Hold, id: ProcessId, deadline: HostInstant) -> Result<Option<Held>> {
    let found = hold.found_stopped(id, deadline)?;
    Ok(found.map(|is_found| Held { is_found, ..Held::process(id) }))
}

/// A process whose stop has been sent.
struct Sent {
    index: usize,
    id: ProcessId,
    last: HostInstant,
}

fn send_all(processes: impl Iterator<Item = (usize, ProcessId)>, hold: &Hold) -> Result<Vec<Sent>> {
    let mut sent = Vec::new();
    for (index, id) in processes {
        hold.may_go_on()?;
        if let Some(at) = send(id)? {
            if let Some(entry) = hold.entry(index) {
                entry.set_stop_sent(at);
            }
            sent.push(Sent { index, id, last: at });
        }
    }
    Ok(sent)
}

/// Send a stop; when that was, or `None` if the process is gone. The handle is not kept: a thousand of them would
/// exceed the usual limit of open files.
fn send(id: ProcessId) -> Result<Option<HostInstant>> {
    let Some(handle) = PidFd::open(id)? else { return Ok(None) };
    let at = host_clock::monotonic();
    Ok(handle.signal(Signal::SIGSTOP)?.then_some(at))
}

fn confirm_all(mut waiting: Vec<Sent>, hold: &Hold, deadline: HostInstant) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    loop {
        let mut moving = Vec::new();
        let others = hold.others();
        for mut sent in waiting {
            match stillness(sent.id) {
                Stillness::Gone => {}
                Stillness::Still { .. } => {
                    if others.hold(sent.id, Means::Cgroup) {
                        stop_each_thread(sent.id);
                    }
                    confirm(hold, &sent);
                }
                // In a frozen control group the stop waits, and is taken before anything else is done.
                Stillness::Moving(_) if stop_is_pending(sent.id) && others.hold(sent.id, Means::Cgroup) => {
                    stop_each_thread(sent.id);
                    confirm(hold, &sent);
                }
                Stillness::Moving(state) => {
                    let quiet = host_clock::monotonic().saturating_since(sent.last);
                    if quiet > SEND_AGAIN_AFTER {
                        hold.may_go_on()?;
                        sent.last = send(sent.id)?.unwrap_or(sent.last);
                    }
                    moving.push((sent, state));
                }
            }
        }
        if moving.is_empty() {
            return Ok(());
        }
        hold.may_go_on()?;
        let now = host_clock::monotonic();
        if now >= deadline {
            return Err(too_late(describe(&moving)));
        }
        host_clock::sleep_until(now.saturating_add(pause).min(deadline));
        pause = pause.saturating_add(pause).min(LONGEST_PAUSE);
        waiting = moving.into_iter().map(|(sent, _)| sent).collect();
    }
}

/// Gives each thread of a process in a frozen group a stop of its own. Why: the kernel tells one thread alone of a stop that is
/// sent to the process, and in a group of version 1 the others run, once that is thawed, until that thread has taken it. The group
/// holds them meanwhile, so the numbers are theirs; SIGCONT takes all of these stops back.
fn stop_each_thread(id: ProcessId) {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", id.pid)) else { return };
    for tid in tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse::<i32>().ok()) {
        let _ = raw::tgkill(id.pid, tid, libc::SIGSTOP);
    }
}

fn confirm(hold: &Hold, sent: &Sent) {
    if let Some(entry) = hold.entry(sent.index) {
        entry.set_confirmed(host_clock::monotonic());
    }
}

fn too_late(why: impl std::fmt::Display) -> Error {
    Error::not_applied("stop the processes", why)
        .remedy("all of them run again; wait until the machine is less busy, and try again")
}

/// "process 12 (nfsd) is in state D, process 13 (a) in state R and 7 more".
fn describe(moving: &[(Sent, State)]) -> String {
    const NAMED: usize = 5;
    let table = Table::scan().unwrap_or_default();
    let one = |(sent, state): &(Sent, State)| {
        let comm = table.get(sent.id.pid).map_or("?", |process| process.comm.as_str());
        format!("process {} ({comm}) is still in state {state}", sent.id)
    };
    let mut text = moving.iter().take(NAMED).map(one).collect::<Vec<_>>().join(", ");
    if moving.len() > NAMED {
        text.push_str(&format!(" and {} more are not stopped", moving.len() - NAMED));
    }
    text
}
