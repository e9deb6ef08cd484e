//! Rows of evidence for processes that cannot take their own: the controller does it for them.
//!
//! What must hold: a process that has a row already keeps it; a row is taken for one that lives and is no other's by its pid.
//! A forked child begins without: what it reads until it is seated is unknown.

use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use falseticker_page::evidence::{RowHead, State};
use falseticker_page::image::{More, OWN_AT, Own, Wiring};

use super::super::trace::{Memory, View};
use super::Implant;
use crate::node::Node;
use crate::process::{ProcessId, own_namespace};
use crate::{Error, Result, host_clock, raw};

/// What a process is told of its row.
pub struct Seat {
    /// The row plus one; 0 where all were taken.
    pub row: u64,
    /// The pid that it bears.
    pub pid: u32,
}

/// Takes a row for a process that is reached by an implant.
pub fn take(node: &Node, process: ProcessId, reached: u64) -> Result<Seat> {
    let attempted = || format!("take a row of evidence for process {process}");
    let namespace = own_namespace().ok_or_else(|| {
        Error::not_applied(attempted(), "this process's PID namespace is not known").remedy("mount /proc")
    })?;
    let pid = process.pid.unsigned_abs();
    let evidence = node.evidence();
    let is_of_here = |head: &RowHead| head.namespace.load(Ordering::Acquire) == namespace;
    // What this process was before it executed this program.
    free(node, process);
    let is_dead = |head: &RowHead| match head.state() {
        State::Busy(pid) | State::Live(pid) => is_of_here(head) && !exists(pid),
        State::Free | State::Gone(_) => false,
    };
    let row = evidence.take(pid, namespace, host_clock::monotonic(), is_dead);
    if let Some(head) = row.and_then(|row| evidence.heads.get(row)) {
        head.detour.store(reached, Ordering::Relaxed);
    }
    evidence.header.arrivals.fetch_add(1, Ordering::AcqRel);
    raw::futex_wake_all(evidence.header.arrivals.as_ptr());
    Ok(Seat { row: row.map_or(0, |row| row as u64 + 1), pid })
}

fn exists(pid: u32) -> bool {
    i32::try_from(pid).ok().and_then(ProcessId::of).is_some()
}

/// Gives a row to a forked child of a process with an implant, if it has none; whether it has one now. Its next read then
/// looks its segment up, and leaves its mark.
pub fn seat(node: &Node, process: ProcessId) -> Result<bool> {
    let Some(implant) = Implant::find(process, node)? else { return Ok(false) };
    let path = format!("/proc/{}/mem", process.pid);
    let refused = |why: std::io::Error| Error::not_applied(format_args!("write {path}"), why);
    let memory = std::fs::File::options().read(true).write(true).open(&path).map_err(refused)?;
    let mut own = [0_u8; size_of::<Own>()];
    memory.read_exact_at(&mut own, implant.own()).map_err(refused)?;
    let (row_at, pid_at) = (std::mem::offset_of!(Own, row), std::mem::offset_of!(Own, pid));
    if own.get(row_at..row_at + 8).is_some_and(|row| row != [0; 8]) {
        return Ok(true);
    }
    let mut reached = [0; 8];
    let more = implant.own() - OWN_AT as u64 + falseticker_page::image::MORE_AT as u64;
    memory.read_exact_at(&mut reached, more + std::mem::offset_of!(More, reached) as u64).map_err(refused)?;
    if reached == [0; 8] {
        // It, or its parent, has left the node.
        return Ok(false);
    }
    let seat = take(node, process, u64::from_ne_bytes(reached))?;
    let write =
        |at: usize, bytes: &[u8]| memory.write_all_at(bytes, implant.own() + at as u64).map_err(refused);
    write(pid_at, &seat.pid.to_ne_bytes())?;
    write(row_at, &seat.row.to_ne_bytes())?;
    // Last, so that whoever looks its segment up because of it has a row to mark.
    write(std::mem::offset_of!(Own, hints), &[0; size_of::<[u64; 3]>()])?;
    Ok(seat.row != 0)
}

/// Takes its row from a stopped process whose clock reads do not come to the implant any more.
pub fn leave(node: &Node, process: ProcessId, memory: &Memory) -> Result<()> {
    let implant = Implant::find(process, node)?;
    // A thread may still be inside: it then leaves no mark in a row that will be another's.
    let written = implant.map_or(Ok(()), |implant| {
        implant.set_reached(memory, 0).and(memory.write(implant.own(), &[0; size_of::<Own>()]))
    });
    free(node, process);
    written
}

/// Whether a process that has the node's page mapped has left the node.
pub fn has_left(node: &Node, process: ProcessId) -> bool {
    let left = || -> Result<bool> {
        let implant = Implant::find(process, node)?;
        let memory = View::of(process)?;
        Ok(implant.is_some_and(|implant| implant.is_left(&memory)))
    };
    left().unwrap_or(false)
}

/// Frees the row of a process.
pub fn free(node: &Node, process: ProcessId) {
    let pid = process.pid.unsigned_abs();
    let Some(here) = own_namespace() else { return };
    let heads = node.evidence().heads.iter();
    for head in heads.filter(|head| head.namespace.load(Ordering::Acquire) == here) {
        head.turn(State::Live(pid), State::Gone(pid));
    }
}

/// As it stands in the process's memory.
pub fn bytes_of_wiring(wiring: &Wiring) -> Vec<u8> {
    let words = [wiring.page, wiring.clock_gettime, u64::from(wiring.phase), wiring.evidence];
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// As it stands in the process's memory.
pub fn bytes_of_more(more: &More) -> Vec<u8> {
    let words = [more.getcpu, more.clock_getres, more.getrandom, more.namespace, more.reached];
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// As it stands in the process's memory.
pub fn bytes_of_own(own: &Own) -> Vec<u8> {
    let words = own.hints.iter().copied().chain([own.row, u64::from(own.pid)]);
    words.flat_map(u64::to_ne_bytes).collect()
}
