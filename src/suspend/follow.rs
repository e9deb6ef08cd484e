//! Whether every process has followed a standstill: its helper has moved its waits and its armed timers.
//!
//! The kernel's timers run on while a process is frozen, so it must be frozen only once they are where the standstill has
//! them; each helper says so in its process's row of evidence. A process without a helper has armed none.
//!
//! What must hold: nobody is waited for that cannot answer (it is gone, or became another program); who does not answer
//! in time though it could is an error; what cannot follow for a reason of its own is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use falseticker_page::evidence::{Evidence, RowHead, State, Waits};

use crate::process::{ProcessId, own_namespace, stillness};
use crate::reach::Means;
use crate::{Error, HostInstant, Node, Result, Span, host_clock, raw};

/// How long a timer may stay where it is since there are expiries that its program has not read yet.
const UNREAD_LIMIT: Span = Span::from_millis(100);
/// How often it is looked whether those who are waited for still live.
const PACE: Span = Span::from_millis(10);

/// A process whose timers may count a suspend, or all of whose clocks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfollowed {
    /// Its pid.
    pub pid: i32,
    /// Why.
    pub why: &'static str,
}

/// Who is there before a standstill is published.
pub(super) struct Roll {
    /// All of the node.
    pub(super) members: Vec<ProcessId>,
    /// Whose row is whose; rows themselves know only the pid in their process's own namespace.
    rows: BTreeMap<usize, ProcessId>,
    /// Rows of processes that are gone, or run something that the shim is not in.
    dead: BTreeSet<usize>,
    /// Those that cannot say anything.
    silent: Vec<Unfollowed>,
}

/// Looks who will have to answer. An error if one of them stands still, and so cannot.
pub(super) fn call(node: &Node) -> Result<Roll> {
    let members = node.look()?;
    let (mut rows, mut silent) = (BTreeMap::new(), Vec::new());
    for one in members.reached.values() {
        let id = one.process.id;
        let mut tell = |why| silent.push(Unfollowed { pid: id.pid, why });
        match (one.row, one.waits) {
            _ if one.means != Means::Preload => tell(
                "it is reached without the shim, so that its waits and timers are the kernel's, and count it",
            ),
            (None, _) => {
                tell("it has no row of evidence, in which it could say that its timers have followed")
            }
            (Some(_), Waits::Sliced(_)) => {
                tell("it may have no helper, so that its armed timers are not moved")
            }
            (Some(_), Waits::Kicked) if stillness(id).is_still() => return Err(stands_still(node, id)),
            _ => {}
        }
        rows.extend(one.row.map(|row| (row, id)));
    }
    let unreached = members.all.iter().filter(|one| !members.reached.contains_key(&one.id.pid));
    silent.extend(unreached.map(|one| Unfollowed {
        pid: one.id.pid,
        why: "it is not reached, so that its clocks count it too",
    }));
    let dead = answering(node.evidence()).filter(|(row, _)| !rows.contains_key(row)).map(|(row, _)| row);
    let dead = dead.collect();
    Ok(Roll { members: members.all.iter().map(|process| process.id).collect(), rows, dead, silent })
}

fn stands_still(node: &Node, id: ProcessId) -> Error {
    Error::not_applied(
        format_args!("suspend node {}", node.name()),
        format_args!("process {id} is stopped, so that its timers cannot be moved"),
    )
    .remedy(format_args!("resume it first: kill -CONT {id}, or detach its debugger"))
}

/// The rows of those who have a helper, with their pids, each as its own pid namespace has it.
fn answering(evidence: &Evidence) -> impl Iterator<Item = (usize, i32)> {
    evidence.heads.iter().enumerate().filter(|(_, head)| head.waits() == Waits::Kicked).filter_map(
        |(row, head)| match head.state() {
            State::Live(pid) => Some((row, i32::try_from(pid).ok()?)),
            _ => None,
        },
    )
}

/// Waits until everyone has followed a publication, until `limit` at the latest; who has not, for a reason of his own.
pub(super) fn wait(node: &Node, roll: Roll, generation: u64, limit: HostInstant) -> Result<Vec<Unfollowed>> {
    let evidence = node.evidence();
    let counter = &evidence.header.acknowledged;
    let Roll { rows, mut dead, mut silent, .. } = roll;
    let unread_limit = host_clock::monotonic().saturating_add(UNREAD_LIMIT).min(limit);
    let mut look_again = host_clock::monotonic().saturating_add(PACE);
    let mut look_closer = host_clock::monotonic().saturating_add(SLOW);
    loop {
        let count = counter.load(Ordering::Acquire);
        let head = |row: usize| evidence.heads.get(row);
        let of = |is_open: &dyn Fn(&RowHead) -> bool| -> Vec<(usize, i32)> {
            let open = answering(evidence).filter(|(row, _)| !dead.contains(row));
            let open = open.filter(|(row, _)| head(*row).is_some_and(is_open));
            open.map(|(row, pid)| (row, rows.get(&row).map_or(pid, |id| id.pid))).collect()
        };
        let open = of(&|head| head.followed().generation < generation);
        let unread = of(&|head| head.followed().generation >= generation && !head.followed().whole);
        let now = host_clock::monotonic();
        if open.is_empty() && (unread.is_empty() || now >= unread_limit) {
            let why = "it has timers whose expiries it has not read, and which cannot be moved before";
            silent.extend(unread.into_iter().map(|(_, pid)| Unfollowed { pid, why }));
            return Ok(silent);
        }
        if now >= limit || now >= look_closer {
            look_closer = HostInstant::MAX;
            // Whoever became another program meanwhile is not to answer.
            let reached = node.look()?.reached;
            let (waited_for, others): (Vec<_>, Vec<_>) =
                open.into_iter().partition(|(row, _)| reached.values().any(|one| one.row == Some(*row)));
            dead.extend(others.into_iter().map(|(row, _)| row));
            if waited_for.is_empty() || now < limit {
                continue;
            }
            let pids: Vec<String> = waited_for.iter().map(|(_, pid)| pid.to_string()).collect();
            let why =
                format!("process {} did not say in time that its timers have followed", pids.join(", "));
            return Err(Error::not_applied(format_args!("suspend node {}", node.name()), why)
                .remedy("try again when the machine is less loaded, or for longer"));
        }
        if now >= look_again {
            let is_gone = |row: usize| match (rows.get(&row), head(row)) {
                (Some(id), _) => !id.is_alive(),
                (None, Some(late)) => is_gone(late),
                (None, None) => true,
            };
            dead.extend(open.iter().map(|(row, _)| *row).filter(|row| is_gone(*row)));
            look_again = now.saturating_add(PACE);
        }
        let pause = limit.min(look_again).saturating_since(now);
        raw::futex_wait(counter, count, pause.as_nanos());
    }
}

/// After how long it is looked whether somebody has become another program, who will not answer.
const SLOW: Span = Span::from_millis(100);

/// Whether the owner of a row that nobody had before is no more, so far as its pid means something here.
fn is_gone(head: &RowHead) -> bool {
    let State::Live(pid) = head.state() else { return true };
    Some(head.namespace.load(Ordering::Relaxed)) == own_namespace()
        && i32::try_from(pid).ok().and_then(ProcessId::of).is_none_or(|id| !id.is_alive())
}
