//! Who is reached, and what each of them has read: the evidence file held against the processes that live.
//!
//! What must hold: a row counts only for a process that lives and had started when the row was taken, since pids are
//! given again; its pid is that of its namespace, and of nobody here who happens to have the same; what the file says is
//! shown, never trusted with an index or a length.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use falseticker_page::change::Change;
use falseticker_page::detour::Refusal;
use falseticker_page::evidence::{Evidence, REACHED_BY_ATTACH, REACHED_BY_VDSO, RowHead, State, Waits};
use falseticker_page::time::{HostInstant, Span};

use crate::process::{Elsewhere, Process, Table, own_namespace, sees_everybody};
use crate::reach::Means;

/// How much later than its row a process may seem to have started: start times come in ticks of 10 ms.
const TICK: Span = Span::from_millis(20);

/// A process that has a row.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The process.
    pub process: Process,
    /// Its row; without one its evidence is unknown: it came from a raw clone, could not tell its pid namespace, or found
    /// every row taken.
    pub row: Option<usize>,
    /// When it loaded the shim, or was forked and first read.
    pub since: HostInstant,
    /// By which means it is reached.
    pub means: Means,
    /// What became of its vDSO.
    pub detour: Detour,
    /// Marks that newer ones have overwritten.
    pub overflow: u64,
    /// Its calls that set the clock and were refused.
    pub refused_settings: u64,
    /// How its waits follow the clock.
    pub waits: Waits,
}

/// What became of the vDSO of a process that is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Detour {
    /// Its entries lead to the node's clock.
    InPlace,
    /// Another image is in its place, which shows the node's clock.
    Replaced,
    /// It shows the machine's clock, and symbols alone are taken over, for this reason.
    Missing(String),
}

/// All reached processes among those of `table`. Rows of those that ended with their pid namespaces are given back.
pub fn reached(evidence: &Evidence, table: &Table, boot_offset: Span) -> BTreeMap<i32, Reached> {
    let mut all: BTreeMap<i32, Reached> = BTreeMap::new();
    let here = own_namespace();
    let others = live(evidence).map(|row| row.namespace).filter(|namespace| Some(*namespace) != here);
    let elsewhere = Elsewhere::look(table, &others.collect());
    if sees_everybody() {
        for row in live(evidence).filter(|row| Some(row.namespace) != here && row.taken_at() < table.since) {
            if elsewhere.is_empty(row.namespace) {
                row.give_back();
            }
        }
    }
    for row in live(evidence) {
        let since = row.taken_at();
        let LiveRow { row, head, pid, namespace } = row;
        let pid = if Some(namespace) == here { Some(pid) } else { elsewhere.pid(namespace, pid) };
        let Some(process) = pid.and_then(|pid| table.get(pid)) else { continue };
        if process.state.is_gone() || started(process, boot_offset) > since.saturating_add(TICK) {
            continue;
        }
        if all.get(&process.id.pid).is_some_and(|other| other.since > since) {
            continue;
        }
        let (means, detour) = reached_by(head.detour.load(Ordering::Relaxed));
        let found = Reached {
            process: process.clone(),
            row: Some(row),
            since,
            means,
            detour,
            overflow: head.overflow.load(Ordering::Relaxed),
            refused_settings: head.refused_settings.load(Ordering::Relaxed),
            waits: head.waits(),
        };
        all.insert(process.id.pid, found);
    }
    all
}

/// A row that belongs to somebody, as it says itself.
struct LiveRow<'a> {
    row: usize,
    head: &'a RowHead,
    pid: i32,
    namespace: u64,
}

impl LiveRow<'_> {
    fn taken_at(&self) -> HostInstant {
        HostInstant::from_nanos(i64::try_from(self.head.taken_at.load(Ordering::Relaxed)).unwrap_or(0))
    }

    /// Leaves the row to whoever needs one. Its process has ended with its whole namespace, and others cannot tell: to them its pid is
    /// somebody else's.
    fn give_back(self) {
        let Ok(pid) = u32::try_from(self.pid) else { return };
        let (namespace, since) = (self.namespace, self.taken_at());
        if !self.head.turn(State::Live(pid), State::Busy(pid)) {
            return;
        }
        // By now it may be that of a new process, whose pid is the same.
        let is_same = self.head.namespace.load(Ordering::Acquire) == namespace && self.taken_at() == since;
        self.head.turn(State::Busy(pid), if is_same { State::Gone(pid) } else { State::Live(pid) });
    }
}

/// All of them. Whose namespace is not known may be anybody.
fn live(evidence: &Evidence) -> impl Iterator<Item = LiveRow<'_>> {
    evidence.heads.iter().enumerate().filter_map(|(row, head)| {
        let State::Live(pid) = head.state() else { return None };
        let namespace = head.namespace.load(Ordering::Acquire);
        (namespace != 0).then_some(LiveRow { row, head, pid: i32::try_from(pid).ok()?, namespace })
    })
}

/// When a process started, on CLOCK_MONOTONIC.
fn started(process: &Process, boot_offset: Span) -> HostInstant {
    const NANOS_PER_TICK: i64 = 10_000_000;
    let ticks = i64::try_from(process.id.start_ticks).unwrap_or(i64::MAX);
    let boot = HostInstant::from_nanos(ticks.saturating_mul(NANOS_PER_TICK));
    boot.saturating_add(boot_offset.saturating_neg())
}

/// How a process is reached, by the word in its row.
fn reached_by(word: u64) -> (Means, Detour) {
    match word {
        0 => (Means::Preload, Detour::InPlace),
        REACHED_BY_VDSO => (Means::Vdso, Detour::Replaced),
        REACHED_BY_ATTACH => (Means::Attach, Detour::InPlace),
        word => (Means::Preload, refused(word)),
    }
}

/// Why the shim has not detoured a process's vDSO.
fn refused(word: u64) -> Detour {
    let why = u32::try_from(word).ok().and_then(Refusal::from_code);
    Detour::Missing(match why {
        Some(Refusal::Replaced) => return Detour::Replaced,
        Some(Refusal::NoVdso) => "it has no vDSO that could be read".to_owned(),
        Some(Refusal::AlreadyDetoured) => "another instance has detoured its vDSO".to_owned(),
        Some(Refusal::OtherThreads) => "another thread ran when the shim was loaded".to_owned(),
        Some(Refusal::NoProc(errno)) => format!("/proc/self/task: {}", nix::Error::from_raw(errno)),
        Some(Refusal::NoIsland) => "no free memory near its vDSO".to_owned(),
        Some(Refusal::Undecodable) => "its vDSO begins with instructions that are not known".to_owned(),
        Some(Refusal::CannotWrite(errno)) => {
            format!("code may not be written there: {}", nix::Error::from_raw(errno))
        }
        Some(Refusal::NotAsWritten) => "what was written did not read back".to_owned(),
        None => format!("code {word}"),
    })
}

/// How waits follow the clock, in a word.
pub fn waits_name(waits: Waits) -> &'static str {
    match waits {
        Waits::None => "none",
        Waits::Kicked => "kicked",
        Waits::Sliced(_) => "sliced",
    }
}

/// When the process of `row` first read its clock under a change; `None` if it has not, or no longer says so.
pub fn read_under(evidence: &Evidence, row: Option<usize>, change: &Change) -> Option<HostInstant> {
    let epoch = i64::try_from(created(evidence)).unwrap_or(0);
    evidence.rings.get(row?)?.marked(change.id, HostInstant::from_nanos(epoch))
}

fn created(evidence: &Evidence) -> u64 {
    evidence.header.created.load(Ordering::Relaxed)
}

/// Whether a process has the node's page mapped; `None` where its mappings may not be looked at. A process keeps its
/// pid, and so its row, when it executes a program that the shim does not get into.
pub fn maps_page(process: &Process, page_inode: u64) -> Option<bool> {
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", process.id.pid)).ok()?;
    let of_page = |line: &str| {
        let inode = line.split_ascii_whitespace().nth(4).and_then(|inode| inode.parse().ok());
        inode == Some(page_inode) && line.contains("/page")
    };
    Some(maps.lines().any(of_page))
}

/// A process that has the node's page mapped and no row.
pub fn without_row(process: &Process, page_inode: u64) -> Option<Reached> {
    (maps_page(process, page_inode) == Some(true)).then(|| Reached {
        process: process.clone(),
        row: None,
        since: HostInstant::MIN,
        means: Means::Preload,
        detour: Detour::InPlace,
        overflow: 0,
        refused_settings: 0,
        waits: Waits::None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_by_which_means_its_process_is_reached() {
        let missing = |why: &str| (Means::Preload, Detour::Missing(why.to_owned()));
        for (word, expected) in [
            (0, (Means::Preload, Detour::InPlace)),
            (REACHED_BY_VDSO, (Means::Vdso, Detour::Replaced)),
            (REACHED_BY_ATTACH, (Means::Attach, Detour::InPlace)),
            (Refusal::Replaced.code().into(), (Means::Preload, Detour::Replaced)),
            (Refusal::NoIsland.code().into(), missing("no free memory near its vDSO")),
            (
                Refusal::CannotWrite(1).code().into(),
                missing("code may not be written there: EPERM: Operation not permitted"),
            ),
            (u64::MAX, missing(&format!("code {}", u64::MAX))),
        ] {
            assert_eq!(reached_by(word), expected, "{word:#x}");
        }
    }
}
