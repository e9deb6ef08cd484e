//! What `status` says of a node's pauses: those in force, and the last one that is over.

use serde::Serialize;

use crate::error::Result;
use crate::freeze::{self, Means, Record};
use crate::node::Node;
use crate::process::ProcessId;
use crate::{HostInstant, Span};

/// That a node is frozen: by one pause, or by several at a time.
#[derive(Clone, Debug, Serialize)]
pub struct Frozen {
    /// Who is held.
    pub pids: Vec<i32>,
    /// Since when somebody is.
    pub since_ns: Option<i64>,
    /// Until when, if all pauses end by themselves.
    pub until_ns: Option<i64>,
    /// Who sees to the ends.
    pub guards: Vec<i32>,
    /// The pauses.
    pub pauses: Vec<Pause>,
}

/// A pause. All instants are of the host's CLOCK_MONOTONIC.
#[derive(Clone, Debug, Serialize)]
pub struct Pause {
    /// By which means.
    pub how: Means,
    /// Why these, if they were chosen.
    pub why: Option<String>,
    /// Who is, or was, held.
    pub held: Vec<Held>,
    /// Who had been stopped before by somebody else.
    pub found_stopped: Vec<i32>,
    /// How long it was asked to last.
    pub requested_ns: Option<i64>,
    /// How long all stood still: from the last confirmed stop to the first resume.
    pub actual_ns: Option<i64>,
    /// When the first stop was sent.
    pub first_stop_ns: Option<i64>,
    /// When the last stop was confirmed.
    pub since_ns: Option<i64>,
    /// The planned end.
    pub until_ns: Option<i64>,
    /// When the first was resumed.
    pub first_resume_ns: Option<i64>,
    /// When the last was resumed.
    pub last_resume_ns: Option<i64>,
    /// Who froze, if he lives.
    pub controller: Option<i32>,
    /// Who sees to the end.
    pub guards: Vec<i32>,
}

/// A process, or a thread, of a pause.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// The process.
    pub pid: i32,
    /// The thread, if it alone is held.
    pub tid: Option<i32>,
    /// Until here it ran.
    pub stop_sent_ns: i64,
    /// From here on it stood still.
    pub confirmed_ns: i64,
    /// Until here it stood still.
    pub resumed_ns: Option<i64>,
}

/// The pauses of a node, in force and over.
pub(in crate::node) struct Pauses {
    records: Vec<Record>,
    last: Option<Record>,
}

impl Pauses {
    pub(in crate::node) fn of(node: &Node) -> Result<Self> {
        Ok(Pauses { records: freeze::records(node.dir.path())?, last: freeze::last(node.dir.path())? })
    }

    /// Whether a process as a whole is held.
    pub(in crate::node) fn hold(&self, id: ProcessId) -> bool {
        let whole = self.records.iter().filter(|record| record.means != Means::Thread);
        whole.flat_map(|record| &record.held).any(|held| held.id == id)
    }

    pub(in crate::node) fn in_force(&self) -> Option<Frozen> {
        let pauses: Vec<Pause> = self.records.iter().map(pause).collect();
        let pids = |record: &Record| record.processes.iter().map(|id| id.pid).collect::<Vec<_>>();
        let mut all: Vec<i32> = self.records.iter().flat_map(pids).collect();
        all.sort_unstable();
        all.dedup();
        let ends: Option<Vec<i64>> = pauses.iter().map(|pause| pause.until_ns).collect();
        (!pauses.is_empty()).then(|| Frozen {
            pids: all,
            since_ns: pauses.iter().filter_map(|pause| pause.since_ns).min(),
            until_ns: ends.and_then(|ends| ends.into_iter().max()),
            guards: pauses.iter().flat_map(|pause| &pause.guards).copied().collect(),
            pauses,
        })
    }

    pub(in crate::node) fn last(&self) -> Option<Pause> {
        self.last.as_ref().map(pause)
    }
}

fn pause(record: &Record) -> Pause {
    let nanos = |at: HostInstant| at.as_nanos();
    let held = record.held.iter().map(|held| Held {
        pid: held.id.pid,
        tid: held.tid,
        stop_sent_ns: held.stop_sent.as_nanos(),
        confirmed_ns: held.confirmed.as_nanos(),
        resumed_ns: held.resumed.map(nanos),
    });
    Pause {
        how: record.means,
        why: record.why.clone(),
        held: held.collect(),
        found_stopped: record.found_stopped.iter().map(|id| id.pid).collect(),
        requested_ns: record.requested.map(Span::as_nanos),
        actual_ns: record.actual().map(Span::as_nanos),
        first_stop_ns: record.held.iter().map(|held| held.stop_sent.as_nanos()).min(),
        since_ns: record.since,
        until_ns: record.until,
        first_resume_ns: record.first_resumed.map(nanos),
        last_resume_ns: record.last_resumed.map(nanos),
        controller: record.controller.map(|id| id.pid),
        guards: record.guards.iter().map(|guard| guard.pid).collect(),
    }
}
