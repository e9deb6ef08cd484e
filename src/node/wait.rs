//! Whether a change has reached everybody: each process's own mark, waited for.
//!
//! Why it polls: a read makes no system call, so nothing can be awaited; the pace is far below what a person or a
//! program that waits would notice.

use falseticker_page::change::{Change, Kind};
use falseticker_page::time::{HostInstant, Span};

use super::evidence::read_under;
use super::status::pauses::Pauses;
use super::{Applied, Node, members};
use crate::error::Result;
use crate::host_clock;
use crate::process::{ProcessId, cmdline, stillness};

/// How long between two looks at the marks; at the processes it is looked less often.
const PACE: Span = Span::from_nanos(500_000);
const LOOKS_PER_SCAN: u32 = 20;

/// One process's answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The process.
    pub id: ProcessId,
    /// Its command line.
    pub command: String,
    /// How long after the change took effect it first read its clock; `None` if it has not.
    pub latency: Option<Span>,
    /// Whether it stands still, so that no read can be expected of it.
    pub frozen: bool,
    /// Whether it cannot leave marks, so that what it has read is unknown: it counts as not having read.
    pub unknown: bool,
}

/// What all processes answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Every reached process.
    pub asked: Vec<Asked>,
}

impl Answer {
    /// Whether there is a reached process that runs, and every such process has read its clock under the change.
    pub fn is_yes(&self) -> bool {
        let mut running = self.asked.iter().filter(|asked| !asked.frozen).peekable();
        running.peek().is_some() && running.all(|asked| asked.latency.is_some())
    }
}

/// Asks until the answer is yes, for `limit` after the change takes effect at most.
pub fn wait(node: &Node, applied: &Applied, limit: Span) -> Result<Answer> {
    host_clock::sleep_until(applied.at);
    let until = applied.at.max(host_clock::monotonic()).saturating_add(limit);
    let change = record(applied);
    loop {
        let members = members::look(node)?;
        for _ in 0..LOOKS_PER_SCAN {
            let open =
                members.reached.values().any(|one| read_under(&node.evidence, one.row, &change).is_none());
            if !open || host_clock::monotonic() >= until {
                break;
            }
            host_clock::sleep(PACE);
        }
        let answer = answer(node, &change)?;
        if answer.is_yes() || host_clock::monotonic() >= until {
            return Ok(answer);
        }
    }
}

/// What every reached process says now.
pub fn answer(node: &Node, change: &Change) -> Result<Answer> {
    let members = members::look(node)?;
    let own = ProcessId::own();
    let pauses = Pauses::of(node)?;
    let is_frozen = |id| pauses.hold(id) || stillness(id).is_still();
    let asked = members.reached.values().filter(|one| Some(one.process.id) != own).map(|one| {
        let read = read_under(&node.evidence, one.row, change);
        Asked {
            id: one.process.id,
            command: cmdline(one.process.id).map(|words| words.join(" ")).unwrap_or_default(),
            latency: read.map(|read| read.saturating_since(change.at)),
            unknown: one.row.is_none(),
            frozen: read.is_none() && is_frozen(one.process.id),
        }
    });
    Ok(Answer { asked: asked.collect() })
}

/// As much of a change's record as its marks are found by.
fn record(applied: &Applied) -> Change {
    Change {
        id: applied.id,
        kind: Kind::Heal,
        clocks: 0,
        at: applied.at,
        until: applied.until.unwrap_or(HostInstant::MAX),
        amount: 0,
        second: 0,
        partner: 0,
        cancelled: false,
        late_by: 0,
    }
}
