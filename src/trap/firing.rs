//! A thread that was held.

use std::path::Path;

use falseticker_page::time::HostInstant;
use falseticker_page::trap;
use serde::Serialize;

use super::armed::refusal;
use crate::process::{ProcessId, cmdline, own_namespace, thread_here};
use crate::{Span, host_clock};

/// A thread that was held, or is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Its process.
    pub pid: i32,
    /// Itself.
    pub tid: i32,
    /// Whether these numbers are those of this process's pid namespace; else they are those of the thread's own.
    pub is_of_this_namespace: bool,
    /// The command line of its process.
    pub command: String,
    /// Which of the reads under the trap it was, from 1 on.
    pub number: u64,
    /// Since when it was held, on the host's CLOCK_MONOTONIC.
    pub at: HostInstant,
    /// Until when at most.
    pub until: HostInstant,
    /// When it went on; `None` while it has not, and for good where it was killed.
    pub ended: Option<HostInstant>,
    /// Why it could not be held: a sandbox, most likely.
    pub refused: Option<String>,
}

impl Firing {
    pub(super) fn of(firing: &trap::Firing) -> Self {
        let pid = i32::try_from(firing.pid).unwrap_or(0);
        let tid = i32::try_from(firing.tid).unwrap_or(0);
        let is_here = Some(firing.namespace) == own_namespace();
        // Not of one that has gone on: it takes a look at the whole machine.
        let may_be_held = firing.ended.is_none() && firing.until > host_clock::monotonic();
        let found = match is_here {
            true => Some((pid, tid)),
            false => may_be_held.then(|| thread_here(firing.namespace, pid, tid)).flatten(),
        };
        let (is_of_this_namespace, (pid, tid)) = (found.is_some(), found.unwrap_or((pid, tid)));
        let words = ProcessId::of(pid).filter(|_| is_of_this_namespace).and_then(cmdline);
        Firing {
            pid,
            tid,
            is_of_this_namespace,
            command: words.map(|words| words.join(" ")).unwrap_or_default(),
            number: firing.ticket,
            at: firing.at,
            // The record is the program's to write: no thread is waited for longer than one can be held.
            until: firing.until.min(host_clock::monotonic().saturating_add(trap::LONGEST)),
            ended: firing.ended,
            refused: firing.refused.map(refusal),
        }
    }

    /// Whether that is a record of it.
    pub(super) fn is_of(&self, record: &trap::Firing) -> bool {
        self.number == record.ticket && self.at == record.at
    }

    /// The same with what has become of it by now.
    pub(super) fn with_end_of(&self, record: &trap::Firing) -> Self {
        Firing { ended: record.ended, refused: record.refused.map(refusal), ..self.clone() }
    }

    /// For how long it was held, once it has gone on.
    pub fn held_for(&self) -> Option<Span> {
        self.ended.map(|ended| ended.saturating_since(self.at))
    }

    /// Whether it is held now, as far as can be told: it has not gone on, and is there.
    pub fn is_held(&self) -> bool {
        let is_there = || Path::new(&format!("/proc/{}/task/{}", self.pid, self.tid)).exists();
        self.ended.is_none() && (!self.is_of_this_namespace || is_there())
    }

    /// The same, and its own time is not over.
    pub(super) fn is_in_force(&self) -> bool {
        self.until > host_clock::monotonic() && self.is_held()
    }
}

/// A held thread, as `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct HeldThread {
    /// Its process.
    pub pid: i32,
    /// Itself.
    pub tid: i32,
    /// The command line of its process.
    pub command: String,
    /// Which of the reads under the trap it was.
    pub number: u64,
    /// Since when.
    pub since_ns: i64,
    /// Until when at most.
    pub until_ns: i64,
}

impl From<Firing> for HeldThread {
    fn from(firing: Firing) -> Self {
        HeldThread {
            pid: firing.pid,
            tid: firing.tid,
            command: firing.command,
            number: firing.number,
            since_ns: firing.at.as_nanos(),
            until_ns: firing.until.as_nanos(),
        }
    }
}
