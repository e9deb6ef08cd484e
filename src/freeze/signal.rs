//! Freezing by SIGSTOP, through pidfds.
//!
//! The kernel has no event for the stop of a process that is not one's child, so /proc is polled, every 0.2 ms at
//! first and every 2 ms at last, until the deadline. A stop can be lost: SIGCONT from anyone, sent before the
//! stop took effect, discards it; so it is sent again while a process keeps moving.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use super::freezer::{FreezeReport, Freezer, FrozenProcess, Journal, Members};
use crate::process::{PidFd, ProcessId, State, Stillness, Table, stillness};
use crate::{Error, HostInstant, Result, Span, host_clock};

const FIRST_PAUSE: Span = Span::from_nanos(200_000);
const LONGEST_PAUSE: Span = Span::from_millis(2);
const SEND_AGAIN_AFTER: Span = Span::from_millis(5);

/// Freezes by SIGSTOP; undone by SIGCONT to whatever the journal holds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalFreezer;

impl Freezer for SignalFreezer {
    fn freeze(
        &self,
        members: &dyn Members,
        journal: &mut dyn Journal,
        deadline: HostInstant,
    ) -> Result<FreezeReport> {
        let mut known = BTreeSet::new();
        let (mut processes, mut found_stopped) = (Vec::new(), Vec::new());
        loop {
            journal.may_go_on()?;
            let new = members.members()?.into_iter().filter(|id| known.insert(*id));
            let new: Vec<ProcessId> = new.filter(|id| !journal.spares(*id)).collect();
            if new.is_empty() {
                break;
            }
            let (mut moving, mut stopped) = (Vec::new(), Vec::new());
            for id in new {
                match stillness(id) {
                    Stillness::Gone => {}
                    Stillness::Still { by_signal: true } => stopped.push(id),
                    Stillness::Still { by_signal: false } | Stillness::Moving(_) => moving.push(id),
                }
            }
            journal.enter(&moving, &stopped)?;
            found_stopped.extend(stopped);
            let sent = send_all(&moving, journal)?;
            processes.extend(confirm_all(sent, journal, deadline)?);
            // A tree that forks faster than it can be stopped is never complete, and must not be tried for ever.
            if host_clock::monotonic() >= deadline {
                return Err(too_late("new processes appear faster than they can be stopped"));
            }
        }
        let now = host_clock::monotonic();
        Ok(FreezeReport {
            first_stop: processes.iter().map(|process| process.stop_sent).min().unwrap_or(now),
            last_confirmed: processes.iter().map(|process| process.confirmed).max().unwrap_or(now),
            processes,
            found_stopped,
        })
    }
}

/// A process whose stop has been sent.
struct Sent {
    id: ProcessId,
    first: HostInstant,
    last: HostInstant,
}

fn send_all(processes: &[ProcessId], journal: &dyn Journal) -> Result<Vec<Sent>> {
    let mut sent = Vec::with_capacity(processes.len());
    for &id in processes {
        journal.may_go_on()?;
        if let Some(at) = send(id)? {
            sent.push(Sent { id, first: at, last: at });
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

fn confirm_all(
    mut waiting: Vec<Sent>,
    journal: &dyn Journal,
    deadline: HostInstant,
) -> Result<Vec<FrozenProcess>> {
    let mut confirmed = Vec::with_capacity(waiting.len());
    let mut pause = FIRST_PAUSE;
    loop {
        let mut moving = Vec::new();
        for mut sent in waiting {
            match stillness(sent.id) {
                Stillness::Gone => {}
                Stillness::Still { .. } => confirmed.push(FrozenProcess {
                    id: sent.id,
                    stop_sent: sent.first,
                    confirmed: host_clock::monotonic(),
                }),
                Stillness::Moving(state) => {
                    let quiet = host_clock::monotonic().saturating_since(sent.last);
                    if quiet > SEND_AGAIN_AFTER {
                        journal.may_go_on()?;
                        sent.last = send(sent.id)?.unwrap_or(sent.last);
                    }
                    moving.push((sent, state));
                }
            }
        }
        if moving.is_empty() {
            return Ok(confirmed);
        }
        journal.may_go_on()?;
        let now = host_clock::monotonic();
        if now >= deadline {
            return Err(too_late(describe(&moving)));
        }
        host_clock::sleep_until(now.saturating_add(pause).min(deadline));
        pause = pause.saturating_add(pause).min(LONGEST_PAUSE);
        waiting = moving.into_iter().map(|(sent, _)| sent).collect();
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
