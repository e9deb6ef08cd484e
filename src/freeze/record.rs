//! What the ledgers of a node say, for `status` and for whoever ended a pause.

use std::path::Path;

use super::freezer::FrozenProcess;
use super::hold::{frozen, resumed};
use super::ledger::{Entry, Ledger, Phase, Shared};
use super::lock::Lock;
use super::means::Means;
use super::slot::Slot;
use crate::process::ProcessId;
use crate::{HostInstant, Result, Span};

/// A freeze of a node: in force, or over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// By which means its processes are held.
    pub means: Means,
    /// Why these were chosen, if they were.
    pub why: Option<String>,
    /// Who was stopped, or is about to be, and is resumed at the end; each process once.
    pub processes: Vec<ProcessId>,
    /// Whoever was confirmed to stand still, with the instants; a thread each where threads are held.
    pub held: Vec<FrozenProcess>,
    /// Members whom somebody else had stopped before; they stay stopped.
    pub found_stopped: Vec<ProcessId>,
    /// Since when all are stopped, in nanoseconds of the host's CLOCK_MONOTONIC; absent while they are being so.
    pub since: Option<i64>,
    /// The same on the host's CLOCK_REALTIME.
    pub since_wall: Option<i64>,
    /// The planned end, in nanoseconds of the host's CLOCK_MONOTONIC; absent if it ends by a command.
    pub until: Option<i64>,
    /// How long it was asked to last.
    pub requested: Option<Span>,
    /// When the first process was resumed; absent while none has been.
    pub first_resumed: Option<HostInstant>,
    /// When the last was.
    pub last_resumed: Option<HostInstant>,
    /// Who froze it, if he lives.
    pub controller: Option<ProcessId>,
    /// Who guards it now.
    pub guards: Vec<ProcessId>,
}

impl Record {
    pub(super) fn of(shared: &Shared, lock: Option<&Lock>) -> Record {
        let mut processes: Vec<ProcessId> = shared.held().map(whole).collect();
        processes.dedup();
        let holders = lock.map(Lock::holders).unwrap_or_default();
        let why = String::from_utf8_lossy(&shared.why.to_bytes()).into_owned();
        let since = shared.since();
        let (until, requested) = shared.plan();
        let ends = resumed(shared.held());
        Record {
            means: shared.means(),
            why: (!why.is_empty()).then_some(why),
            processes,
            held: shared.held().filter_map(frozen).collect(),
            found_stopped: shared.entries().iter().filter(|entry| entry.is_found()).map(Entry::id).collect(),
            since: since.map(|(since, _)| since.as_nanos()),
            since_wall: since.map(|(_, wall)| wall),
            until: until.map(HostInstant::as_nanos),
            requested,
            first_resumed: ends.map(|(first, _)| first),
            last_resumed: ends.map(|(_, last)| last),
            controller: holders.controller,
            guards: holders.guards,
        }
    }

    /// How long all stood still, if that is over.
    pub fn actual(&self) -> Option<Span> {
        Some(self.first_resumed?.saturating_since(HostInstant::from_nanos(self.since?)))
    }
}

/// The process of an entry, also of one that names a thread.
fn whole(entry: &Entry) -> ProcessId {
    match entry.tid() {
        0 => entry.id(),
        _ => ProcessId::of(entry.id().pid).unwrap_or(entry.id()),
    }
}

/// What the node in `dir` is frozen by. After [`sweep`](super::sweep) this is what is in force.
pub fn records(dir: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for slot in Slot::all() {
        if let Some(ledger) = Ledger::open(dir, slot)?
            && ledger.shared().phase() != Phase::Done
            // One that waits for something holds nobody yet.
            && ledger.shared().count() > 0
        {
            records.push(Record::of(ledger.shared(), Lock::open(dir, slot)?.as_ref()));
        }
    }
    Ok(records)
}

/// The pause of the node in `dir` that ended last; `None` if it has had none.
pub fn last(dir: &Path) -> Result<Option<Record>> {
    let mut over = Vec::new();
    for slot in Slot::all() {
        if let Some(ledger) = Ledger::open(dir, slot)?
            && ledger.shared().phase() == Phase::Done
            && ledger.shared().since().is_some()
        {
            over.push(Record::of(ledger.shared(), None));
        }
    }
    Ok(over.into_iter().max_by_key(|record| record.last_resumed))
}
