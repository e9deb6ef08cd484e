//! What a node is doing: its clocks, its changes, its pause, its processes and what each has read.
//!
//! The types here are what `--json` prints: names are stable, times are in nanoseconds, `_ns` instants are the host's
//! CLOCK_MONOTONIC.

use std::ffi::OsString;
use std::sync::atomic::Ordering;

use falseticker_page::change::{Change, Kind as ChangeKind};
use falseticker_page::layout::Clock;
use falseticker_page::schedule::find;
use falseticker_page::segment::{Segment, Shape};
use falseticker_page::time::{HostInstant, NodeInstant, Rate, Span};
use serde::Serialize;

use super::capture::capture;
use super::make::{Chosen, read_record};
use super::members::look;
use super::slots;
use super::{MadeBy, Node};
use crate::error::Result;
use crate::fault::{Fault, suspend};
use crate::host_clock;
use crate::reach::Means;
use crate::schedule::{Captured, Tables};
use crate::trap::{self, TrapStatus};
use crate::units::{format_instant, format_span};

pub(super) mod pauses;
mod processes;

use pauses::{Frozen, Pause, Pauses};
pub use processes::{Escaped, Mark, ProcessStatus};
use processes::{not_reached, processes};

/// A node at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Its name.
    pub name: String,
    /// Its directory.
    pub directory: String,
    /// By what it was made.
    pub made_by: MadeBy,
    /// Whether its monotonic clocks may be faulted.
    pub monotonic: bool,
    /// Whether programs of other users may be in it.
    pub share: bool,
    /// Whether its programs may set the host's clocks.
    pub allow_settime: bool,
    /// The programs that alone get its false clock (`--only`).
    pub only: Vec<String>,
    /// The programs that do not get it (`--skip`).
    pub skip: Vec<String>,
    /// The moment, on the host's CLOCK_MONOTONIC.
    pub now_ns: i64,
    /// By how much the host's wall clock was stepped since the schedules in force were published; they follow at the
    /// next change.
    pub host_step_ns: Option<i64>,
    /// Its clocks.
    pub clocks: Clocks,
    /// The last changes.
    pub changes: Vec<ChangeStatus>,
    /// Its pauses, if it is frozen.
    pub frozen: Option<Frozen>,
    /// Its last pause that is over.
    pub last_pause: Option<Pause>,
    /// Its trap, and the threads that one holds.
    pub trap: Option<TrapStatus>,
    /// By which means `run` chose to reach its programs, and why by these.
    pub choices: Vec<ChoiceStatus>,
    /// Its reached processes.
    pub processes: Vec<ProcessStatus>,
    /// Its other processes.
    pub not_reached: Vec<Escaped>,
    /// Calls that set the clock and were refused, in all processes that it has or had.
    pub refused_settings: u64,
}

/// A node's three clocks.
#[derive(Clone, Debug, Serialize)]
pub struct Clocks {
    /// CLOCK_REALTIME and what follows it.
    pub wall: ClockStatus,
    /// CLOCK_MONOTONIC.
    pub mono: ClockStatus,
    /// CLOCK_BOOTTIME.
    pub boot: ClockStatus,
}

/// One clock.
#[derive(Clone, Debug, Serialize)]
pub struct ClockStatus {
    /// What it shows: RFC 3339 for `wall`, a span since boot for the others.
    pub shows: String,
    /// How far it is from true.
    pub offset_ns: i64,
    /// How much faster than the host's it runs.
    pub rate_ppm: f64,
    /// `true` or `faulted`.
    pub state: &'static str,
}

/// A choice of `run`'s.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceStatus {
    /// The program's pid.
    pub pid: i32,
    /// By which means.
    pub reach: Means,
    /// Why by these.
    pub why: String,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeStatus {
    /// Its id.
    pub id: u32,
    /// As it is written on the command line.
    pub fault: String,
    /// The clocks that it touches.
    pub clocks: Vec<&'static str>,
    /// When it takes effect.
    pub at_ns: i64,
    /// When it ends by itself.
    pub until_ns: Option<i64>,
    /// `planned`, `in force`, `ended` or `healed`.
    pub state: &'static str,
    /// By how much it was published too late.
    pub late_by_ns: i64,
}

/// The names of a change's clocks.
pub fn clock_names(bits: u8) -> Vec<&'static str> {
    let name = |clock: Clock| match clock {
        Clock::Wall => "wall",
        Clock::Mono => "mono",
        Clock::Boot => "boot",
    };
    Clock::ALL.into_iter().filter(|clock| bits & clock.bit() != 0).map(name).collect()
}

/// What a node is doing now.
///
/// What follows from a change is looked at before the page: so a pause is never seen without the suspend that it belongs to,
/// which is published first.
pub fn status(node: &Node) -> Result<Status> {
    let members = look(node)?;
    let pauses = Pauses::of(node)?;
    let trap = trap::status(node);
    let (_, tables) = slots::read(&node.page)?;
    let captured = capture();
    let now = host_clock::monotonic();
    let changes = changes(&tables, now);
    Ok(Status {
        name: node.name().to_string(),
        directory: node.dir.path().display().to_string(),
        made_by: node.kind.made_by,
        monotonic: node.kind.monotonic,
        share: node.kind.share,
        allow_settime: node.kind.allow_settime,
        only: shown(&node.choice.only()),
        skip: shown(&node.choice.skip()),
        now_ns: now.as_nanos(),
        host_step_ns: host_step(&tables, &captured, now),
        clocks: Clocks {
            wall: clock(&tables, &captured, Clock::Wall, now),
            mono: clock(&tables, &captured, Clock::Mono, now),
            boot: clock(&tables, &captured, Clock::Boot, now),
        },
        frozen: pauses.in_force(),
        last_pause: pauses.last(),
        trap,
        choices: choices(node)?,
        processes: processes(node, &members, &pauses, &tables, &changes),
        not_reached: not_reached(node, &members),
        refused_settings: node.evidence.header.refused_settings.load(Ordering::Relaxed),
        changes,
    })
}

/// What was chosen for the programs that still run.
fn choices(node: &Node) -> Result<Vec<ChoiceStatus>> {
    let record = read_record(&node.dir)?;
    let alive = record.choices.into_iter().filter(|chosen| chosen.root.is_alive());
    Ok(alive.map(|Chosen { root, reach, why }| ChoiceStatus { pid: root.pid, reach, why }).collect())
}

fn in_force(tables: &Tables, clock: Clock, at: HostInstant) -> Segment {
    let schedule = tables.schedule(clock);
    find(schedule, at).and_then(|index| schedule.get(index)).copied().unwrap_or(Segment::TRUE)
}

/// By how much the host was stepped, where a schedule in force has not followed.
fn host_step(tables: &Tables, captured: &Captured, now: HostInstant) -> Option<i64> {
    const NOTABLE: u64 = 1_000_000;
    let moved = captured.wall.as_nanos().saturating_sub(tables.captured.wall.as_nanos());
    let follows = in_force(tables, Clock::Wall, now).shape == Shape::True;
    (!follows && moved.unsigned_abs() > NOTABLE).then_some(moved)
}

fn clock(tables: &Tables, captured: &Captured, clock: Clock, now: HostInstant) -> ClockStatus {
    let truth = captured.of(clock);
    let segment = in_force(tables, clock, now);
    let is_true = segment.shape == Shape::True;
    let shown = if is_true {
        NodeInstant::from_nanos(now.as_nanos()).saturating_add(truth)
    } else {
        segment.value(now)
    };
    let offset = shown.as_nanos().saturating_sub(now.as_nanos()).saturating_sub(truth.as_nanos());
    let shows = match clock {
        Clock::Wall => format_instant(shown),
        Clock::Mono | Clock::Boot => format_span(Span::from_nanos(shown.as_nanos())),
    };
    let rate = if is_true { Rate::TRUE } else { segment.rate };
    let state = if is_true { "true" } else { "faulted" };
    ClockStatus { shows, offset_ns: offset, rate_ppm: rate.as_ppm(), state }
}

fn shown(names: &[OsString]) -> Vec<String> {
    names.iter().map(|name| name.to_string_lossy().into_owned()).collect()
}

/// What is known of the changes in these tables.
pub(super) fn changes(tables: &Tables, now: HostInstant) -> Vec<ChangeStatus> {
    let heals: Vec<&Change> =
        tables.changes.iter().filter(|change| change.kind == ChangeKind::Heal).collect();
    let state = |change: &Change| {
        let healed = heals.iter().any(|heal| heal.id > change.id && heal.at <= now);
        // A heal that was planned ends what began before it and nothing else, and leaves the records as they are.
        let outlived = |heal: &&&Change| {
            !heal.cancelled && heal.at <= now && (change.at, change.id) < (heal.at, heal.id)
        };
        let is_fault = !matches!(change.kind, ChangeKind::Heal | ChangeKind::End);
        let cut = is_fault && heals.iter().filter(outlived).any(|heal| heal.at < change.until);
        if change.at > now && !change.cancelled {
            "planned"
        } else if change.cancelled && healed || cut {
            "healed"
        } else if change.until <= now || change.kind == ChangeKind::End {
            "ended"
        } else {
            "in force"
        }
    };
    let what = |change: &Change| match Fault::of_change(change) {
        Some(fault) => fault.describe(),
        None if change.kind == ChangeKind::End => format!("end of {}", change.partner),
        None => suspend::describe(change).unwrap_or_else(|| "heal".to_owned()),
    };
    let status = |change: &Change| ChangeStatus {
        id: change.id,
        fault: what(change),
        clocks: clock_names(change.clocks),
        at_ns: change.at.as_nanos(),
        until_ns: (change.until != HostInstant::MAX && change.kind != ChangeKind::End)
            .then(|| change.until.as_nanos()),
        state: state(change),
        late_by_ns: change.late_by,
    };
    tables.changes.iter().map(status).collect()
}

#[cfg(test)]
mod tests;
