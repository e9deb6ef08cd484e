//! A node's processes, as its status shows them.

use std::collections::HashMap;
use std::path::PathBuf;

use falseticker_page::change::Change;
use falseticker_page::evidence::Waits;
use nix::errno::Errno;
use serde::Serialize;

use super::ChangeStatus;
use super::pauses::Pauses;
use crate::node::Node;
use crate::node::escapes;
use crate::node::evidence::{Detour, Reached, read_under, waits_name};
use crate::node::members::Members;
use crate::process::{Process, ProcessId, Stillness, cmdline, stillness};
use crate::reach::elf::{Kind, Libc};
use crate::reach::means::Gap;
use crate::reach::{self, Means};
use crate::schedule::Tables;

/// A reached process.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessStatus {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// `running`, `sleeping`, `waiting on a disk`, `frozen`.
    pub state: &'static str,
    /// By which means it is reached.
    pub reach: Means,
    /// Why by these.
    pub reach_why: String,
    /// What became of its vDSO: `in place` (its entries are detoured), `replaced` (by an image of ours), or why it
    /// shows the machine's clock and symbols alone are taken over.
    pub detour: String,
    /// What these means do not cover of it.
    pub not_covered: Vec<Gap>,
    /// The changes that it has read its clock under.
    pub evidence: Vec<Mark>,
    /// The changes in force that it has not read its clock under.
    pub unread: Vec<u32>,
    /// Whether it cannot leave marks, so that what it has read is unknown.
    pub unknown: bool,
    /// Marks that newer ones have overwritten.
    pub overflow: u64,
    /// Its calls that set the clock and were refused.
    pub refused_settings: u64,
    /// How its waits for instants of the clock follow it: `none` (there was none yet), `kicked` (re-evaluated at each
    /// change), `sliced` (looked after every 10 ms).
    pub waits: &'static str,
    /// Why they are sliced: what clone answered.
    pub waits_refused: Option<String>,
}

/// A mark of evidence.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Mark {
    /// The change.
    pub change: u32,
    /// How long after it took effect the process first read its clock under it.
    pub latency_ns: i64,
}

/// A process of the node that is not reached.
#[derive(Clone, Debug, Serialize)]
pub struct Escaped {
    /// Its pid.
    pub pid: i32,
    /// Its command line.
    pub command: String,
    /// Whether it should be reached: the node's choice does not leave it out.
    pub chosen: bool,
    /// Why, as far as can be told.
    pub why: String,
}

/// The reached ones among a node's processes.
pub(super) fn processes(
    node: &Node,
    members: &Members,
    pauses: &Pauses,
    tables: &Tables,
    changes: &[ChangeStatus],
) -> Vec<ProcessStatus> {
    let mut kinds = Kinds::default();
    let is_member = |reached: &&Reached| members.all.iter().any(|process| process.id == reached.process.id);
    members
        .reached
        .values()
        .filter(is_member)
        .map(|reached| {
            let state = if pauses.hold(reached.process.id) { "frozen" } else { state_of(&reached.process) };
            let kind = kinds.of(reached.process.id);
            ProcessStatus { state, ..process(node, reached, kind, tables, changes) }
        })
        .collect()
}

fn process(
    node: &Node,
    reached: &Reached,
    kind: Kind,
    tables: &Tables,
    changes: &[ChangeStatus],
) -> ProcessStatus {
    let read = |change: &Change| {
        let at = read_under(&node.evidence, reached.row, change)?;
        Some(Mark { change: change.id, latency_ns: at.saturating_since(change.at).as_nanos() })
    };
    let evidence: Vec<Mark> = tables.changes.iter().filter_map(read).collect();
    // A later change that both are in force under carries the earlier one along.
    let read_since = |change: &ChangeStatus| {
        let touches = |later: &&ChangeStatus| later.clocks.iter().any(|clock| change.clocks.contains(clock));
        let later = changes.iter().filter(|later| later.id >= change.id).filter(touches);
        later.into_iter().any(|later| evidence.iter().any(|mark| mark.change == later.id))
    };
    let unread = changes
        .iter()
        .filter(|change| reached.row.is_some() && change.state == "in force" && !read_since(change))
        .map(|change| change.id)
        .collect();
    ProcessStatus {
        pid: reached.process.id.pid,
        command: command_of(&reached.process),
        state: state_of(&reached.process),
        reach: reached.means,
        reach_why: match reached.means {
            Means::Preload => "it has loaded the shim".to_owned(),
            Means::Vdso => escapes::without_shim(&reached.process),
            Means::Attach => "it ran already".to_owned(),
        },
        detour: match &reached.detour {
            Detour::InPlace => "in place".to_owned(),
            Detour::Replaced => "replaced".to_owned(),
            Detour::Missing(why) => why.clone(),
        },
        not_covered: gaps(reached, kind, node.kind.monotonic),
        evidence,
        unread,
        unknown: reached.row.is_none(),
        overflow: reached.overflow,
        refused_settings: reached.refused_settings,
        waits: waits_name(reached.waits),
        waits_refused: match reached.waits {
            Waits::Sliced(errno) => Some(errno_name(errno)),
            Waits::None | Waits::Kicked => None,
        },
    }
}

/// What the means by which a process is reached do not cover of it.
pub(crate) fn gaps(reached: &Reached, kind: Kind, monotonic: bool) -> Vec<Gap> {
    let symbols_alone = matches!(reached.detour, Detour::Missing(_)).then_some(Gap::OF_SYMBOLS_ALONE);
    symbols_alone.into_iter().chain(reached.means.reach().covers(kind).gaps(monotonic)).collect()
}

/// What processes run, each file looked at once.
#[derive(Default)]
struct Kinds(HashMap<PathBuf, Kind>);

impl Kinds {
    fn of(&mut self, id: ProcessId) -> Kind {
        let link = PathBuf::from(format!("/proc/{id}/exe"));
        let Ok(file) = std::fs::read_link(&link) else {
            return UNKNOWN;
        };
        *self.0.entry(file).or_insert_with(|| reach::kind(&link).unwrap_or(UNKNOWN))
    }
}

/// What a program is taken for that cannot be read.
const UNKNOWN: Kind = Kind::Dynamic(Libc::Other);

/// `EPERM` and the like.
fn errno_name(errno: u32) -> String {
    let known = i32::try_from(errno).map(Errno::from_raw).unwrap_or(Errno::UnknownErrno);
    if known == Errno::UnknownErrno { format!("errno {errno}") } else { format!("{known:?}") }
}

fn state_of(process: &Process) -> &'static str {
    match stillness(process.id) {
        Stillness::Still { .. } => "frozen",
        Stillness::Gone => "gone",
        Stillness::Moving(state) => match state.letter() {
            'R' => "running",
            'D' => "waiting on a disk",
            _ => "sleeping",
        },
    }
}

fn command_of(process: &Process) -> String {
    let words = cmdline(process.id).filter(|words| !words.is_empty());
    words.map_or_else(|| format!("[{}]", process.comm), |words| words.join(" "))
}

/// The others, each with why.
pub(super) fn not_reached(node: &Node, members: &Members) -> Vec<Escaped> {
    let escaped = members.all.iter().filter(|process| !members.reached.contains_key(&process.id.pid));
    let why = |process: &Process| {
        let chosen = node.choice.selects_process(process.id);
        let why = if chosen { escapes::why(process) } else { format!("left out by {}", node.choice) };
        Escaped { pid: process.id.pid, command: command_of(process), chosen, why }
    };
    escaped.map(why).collect()
}
